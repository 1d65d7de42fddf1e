// SPDX-License-Identifier: Apache-2.0
/*
 * send COUNT TEXT_BYTES RATE - multicasts COUNT events shaped like the module's,
 * RATE a second or, if that is 0, as fast as possible. Then it prints "sent" and
 * multicasts ends until its standard input is closed, because one end may be
 * dropped when the receiver's buffer is full.
 */
#include <poll.h>

#include "bench.h"

static char message[SLOT_BYTES];
static struct nlmsghdr *header = (struct nlmsghdr *)message;

/* put appends an attribute and returns the address of its value. */
static char *put(int type, size_t bytes)
{
	struct nlattr *attribute = (struct nlattr *)(message + NLMSG_ALIGN(header->nlmsg_len));

	attribute->nla_type = type;
	attribute->nla_len = NLA_HDRLEN + bytes;
	header->nlmsg_len = NLMSG_ALIGN(header->nlmsg_len) + NLA_ALIGN(attribute->nla_len);
	return (char *)attribute + NLA_HDRLEN;
}

static void wait_until(int64_t due, int64_t interval)
{
	struct timespec t = { due / 1000000000, due % 1000000000 };

	/* A sleep is about 60 us too long. */
	if (interval > 200000)
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
	while (clock_ns(CLOCK_MONOTONIC) < due)
		;
}

static void multicast(int fd)
{
	struct sockaddr_nl group = { .nl_family = AF_NETLINK, .nl_groups = 1u << (GROUP - 1) };

	/* It always fails, because port 0, also a receiver, does not exist. */
	sendto(fd, message, header->nlmsg_len, 0, (struct sockaddr *)&group, sizeof(group));
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return EXIT_FAILURE;
	int64_t count = atoll(argv[1]), rate = atoll(argv[3]);
	size_t text = atoi(argv[2]);
	int64_t interval = rate ? 1000000000 / rate : 0, load_id = 0x6a9155caa46c7dcc;
	struct genlmsghdr *genl = NLMSG_DATA(header);
	struct sockaddr_nl port = { .nl_family = AF_NETLINK, .nl_pid = SENDER };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_USERSOCK);

	if (fd < 0)
		die("socket");
	if (bind(fd, (struct sockaddr *)&port, sizeof(port)))
		die("bind");
	header->nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN);
	header->nlmsg_type = FAMILY;
	genl->cmd = GENLTEST_CMD_ECHO;
	genl->version = GENLTEST_GENL_VERSION;
	memset(put(GENLTEST_A_MSG, text + 1), 'x', text);
	char *seq = put(GENLTEST_A_SEQ, 8), *time = put(GENLTEST_A_TIME, 8);
	memcpy(put(GENLTEST_A_LOAD_ID, 8), &load_id, 8);

	int64_t start = clock_ns(CLOCK_MONOTONIC);
	for (int64_t i = 1; i <= count; i++) {
		if (rate)
			wait_until(start + i * 1000000000 / rate, interval);
		int64_t now = clock_ns(CLOCK_REALTIME);
		memcpy(seq, &i, 8);
		memcpy(time, &now, 8);
		multicast(fd);
	}
	printf("sent in %lld ns\n", (long long)(clock_ns(CLOCK_MONOTONIC) - start));
	fflush(stdout);

	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	header->nlmsg_len = END_BYTES;
	do
		multicast(fd);
	while (poll(&input, 1, 10) == 0);
	return EXIT_SUCCESS;
}
