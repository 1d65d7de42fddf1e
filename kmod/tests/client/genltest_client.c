// SPDX-License-Identifier: GPL-2.0-only
/*
 * genltest_client - the tutorial's user program, on libnl
 *
 * Subscribes to the events on one socket, sends an echo request on another and
 * prints the messages on both. It defines its constants and does not include
 * genltest.h: a program that was built for events with only a text must work
 * with every later module.
 *
 * usage: genltest_client [--count N]
 *	--count N	exit after N events (default: run until killed)
 *
 * The exit status is 0 if the echo was answered and N events arrived.
 */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#define FAMILY	"genltest"
#define VERSION	1
#define GROUP	"mcgrp"

enum { A_UNSPEC, A_MSG, A_MAX = A_MSG };
enum { CMD_UNSPEC, CMD_ECHO };

#define HELLO	"Hello from User Space, Netlink!"

static int fail(const char *what, int err)
{
	fprintf(stderr, "error: %s: %s\n", what, nl_geterror(err));
	return EXIT_FAILURE;
}

/* Prints the text of a reply or an event and counts it in *arg. */
static int print_message(struct nl_msg *msg, void *arg)
{
	struct nlattr *attrs[A_MAX + 1];
	unsigned long *count = arg;
	int err;

	err = genlmsg_parse(nlmsg_hdr(msg), 0, attrs, A_MAX, NULL);
	if (err < 0)
		return err;
	if (!attrs[A_MSG])
		return -NLE_MISSING_ATTR;

	printf("message received: %s\n", nla_get_string(attrs[A_MSG]));
	++*count;
	return NL_OK;
}

static struct nl_sock *connect_genl(unsigned long *count)
{
	struct nl_sock *sk = nl_socket_alloc();

	if (!sk)
		return NULL;
	if (genl_connect(sk) < 0 ||
	    nl_socket_modify_cb(sk, NL_CB_VALID, NL_CB_CUSTOM, print_message,
				count) < 0) {
		nl_socket_free(sk);
		return NULL;
	}
	return sk;
}

static int send_echo(struct nl_sock *sk, int family)
{
	struct nl_msg *msg = nlmsg_alloc();
	int err = -NLE_NOMEM;

	if (msg && genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, family, 0, 0,
			       CMD_ECHO, VERSION))
		err = nla_put_string(msg, A_MSG, HELLO);
	if (err >= 0)
		err = nl_send_auto(sk, msg);

	nlmsg_free(msg);
	return err < 0 ? err : 0;
}

/* The reply and the acknowledgment that nl_send_auto() asked for. */
static int echo(struct nl_sock *sk, int family, const unsigned long *replies)
{
	int err = send_echo(sk, family);

	if (err < 0)
		return fail("cannot send", err);
	printf("message sent\n");

	while (!*replies) {
		err = nl_recvmsgs_default(sk);
		if (err < 0)
			return fail("no reply", err);
	}

	err = nl_wait_for_ack(sk);
	if (err < 0)
		return fail("no acknowledgment", err);
	return EXIT_SUCCESS;
}

static int subscribe(struct nl_sock *sk)
{
	int group = genl_ctrl_resolve_grp(sk, FAMILY, GROUP);

	if (group < 0)
		return fail("cannot resolve group " GROUP, group);

	/* The kernel numbers its events itself. */
	nl_socket_disable_seq_check(sk);

	group = nl_socket_add_membership(sk, group);
	return group < 0 ? fail("cannot join group " GROUP, group) : EXIT_SUCCESS;
}

static int receive(struct nl_sock *sk, const unsigned long *events,
		   unsigned long wanted)
{
	while (!wanted || *events < wanted) {
		int err = nl_recvmsgs_default(sk);

		if (err < 0)
			return fail("no event", err);
	}
	return EXIT_SUCCESS;
}

static int run(unsigned long wanted)
{
	unsigned long replies = 0, events = 0;
	struct nl_sock *unicast = connect_genl(&replies);
	struct nl_sock *multicast = connect_genl(&events);
	int status = EXIT_FAILURE;
	int family;

	if (!unicast || !multicast) {
		fail("cannot connect to generic netlink", -NLE_FAILURE);
		goto out;
	}

	family = genl_ctrl_resolve(unicast, FAMILY);
	if (family < 0) {
		fail("cannot resolve family " FAMILY, family);
		goto out;
	}

	status = subscribe(multicast);
	if (status == EXIT_SUCCESS)
		status = echo(unicast, family, &replies);
	if (status == EXIT_SUCCESS)
		status = receive(multicast, &events, wanted);
out:
	nl_socket_free(unicast);
	nl_socket_free(multicast);
	return status;
}

static int parse_count(const char *text, unsigned long *count)
{
	char *end;

	errno = 0;
	*count = strtoul(text, &end, 10);
	return errno || *text < '0' || *text > '9' || *end || !*count;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "count", required_argument, NULL, 'n' },
		{ NULL, 0, NULL, 0 },
	};
	unsigned long wanted = 0;
	int opt;

	/* A line per event, also into a pipe. */
	setvbuf(stdout, NULL, _IOLBF, 0);

	while ((opt = getopt_long(argc, argv, "n:", options, NULL)) != -1) {
		if (opt != 'n' || parse_count(optarg, &wanted)) {
			fprintf(stderr, "usage: %s [--count N]\n", argv[0]);
			return EXIT_FAILURE;
		}
	}
	if (optind != argc) {
		fprintf(stderr, "usage: %s [--count N]\n", argv[0]);
		return EXIT_FAILURE;
	}

	return run(wanted);
}
