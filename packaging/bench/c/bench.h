/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Common parts of the C programs of the benchmark. They talk to the driver
 * over standard input and output:
 *
 *	receiver:  "ready"          subscribed, and has the buffer that was asked for
 *	driver:    a line           begin to receive
 *	receiver:  "received N cpu NS allocations N"
 *
 * Events use NETLINK_USERSOCK, on which a process may multicast. The end is a
 * message that contains only a header, after the last event.
 */
#ifndef BENCH_H
#define BENCH_H

#define _GNU_SOURCE
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "genltest.h"

enum {
	FAMILY = 28, /* receive/main.go has the same values */
	GROUP = 29,
	SENDER = 0x6e6c6264, /* port id of send.c, which is not the kernel */
	SLOT_BYTES = 8192,
	END_BYTES = NLMSG_HDRLEN,
};

static inline void die(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static inline int64_t clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* Sets the options of a netlink socket, as the daemon does. */
static inline void set_options(int fd, int buffer)
{
	int one = 1, granted;
	socklen_t size = sizeof(granted);

	if (setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &one, sizeof(one)))
		die("NETLINK_NO_ENOBUFS");
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)))
		die("SO_RCVBUFFORCE (the benchmark needs root)");
	if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &granted, &size))
		die("SO_RCVBUF");
	if (granted / 2 < buffer) {
		fprintf(stderr, "receive buffer: %d of %d bytes\n", granted / 2, buffer);
		exit(EXIT_FAILURE);
	}
}

static inline int subscribe(int buffer)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK };
	int group = GROUP;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_USERSOCK);

	if (fd < 0)
		die("socket");
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
		die("bind");
	set_options(fd, buffer);
	if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
		die("join the group");
	return fd;
}

/* Waits for the driver and returns the CPU time so far. */
static inline int64_t begin(void)
{
	char line[16];

	puts("ready");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		exit(EXIT_FAILURE);
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static inline void finish(long received, int64_t since)
{
	printf("received %ld cpu %lld allocations 0\n", received,
	       (long long)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - since));
}

#endif
