// SPDX-License-Identifier: Apache-2.0
/*
 * libnl BUFFER - the program of a tutorial: nl_recvmsgs_default(3), and a callback
 * that parses the attributes.
 */
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>

#include "bench.h"

struct tally {
	long received;
	int ended;
};

static int handle(struct nl_msg *msg, void *arg)
{
	struct tally *tally = arg;
	struct genlmsghdr *genl = nlmsg_data(nlmsg_hdr(msg));
	struct nlattr *attributes[GENLTEST_A_MAX + 1];

	if (nlmsg_hdr(msg)->nlmsg_len == END_BYTES) {
		tally->ended = 1;
		return NL_STOP;
	}
	if (nla_parse(attributes, GENLTEST_A_MAX, genlmsg_attrdata(genl, 0), genlmsg_attrlen(genl, 0), NULL) ||
	    !attributes[GENLTEST_A_MSG])
		return NL_SKIP;
	tally->received++;
	return NL_OK;
}

int main(int argc, char **argv)
{
	struct nl_sock *sock = nl_socket_alloc();
	struct tally tally = { 0 };

	if (argc != 2 || !sock || nl_connect(sock, NETLINK_USERSOCK) < 0)
		return EXIT_FAILURE;
	nl_socket_disable_seq_check(sock);
	nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, handle, &tally);
	set_options(nl_socket_get_fd(sock), atoi(argv[1]));
	if (nl_socket_add_membership(sock, GROUP) < 0)
		die("join the group");

	int64_t since = begin();
	while (!tally.ended && nl_recvmsgs_default(sock) >= 0)
		;
	finish(tally.received, since);
	return EXIT_SUCCESS;
}
