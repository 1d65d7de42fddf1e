// SPDX-License-Identifier: Apache-2.0
/*
 * epoll BUFFER - a program that waits for several descriptors, at a rate at which
 * events arrive singly: epoll_wait(2), then one recv(2).
 */
#include <sys/epoll.h>

#include "bench.h"

int main(int argc, char **argv)
{
	static char slot[SLOT_BYTES];

	if (argc != 2)
		return EXIT_FAILURE;
	int fd = subscribe(atoi(argv[1]));
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN };
	long received = 0;

	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		die("epoll");
	int64_t since = begin();
	for (;; received++) {
		if (epoll_wait(epoll, &event, 1, -1) < 0)
			die("epoll_wait");
		ssize_t length = recv(fd, slot, sizeof(slot), MSG_DONTWAIT);
		if (length < 0)
			die("recv");
		if (length == END_BYTES)
			break;
	}
	finish(received, since);
	return EXIT_SUCCESS;
}
