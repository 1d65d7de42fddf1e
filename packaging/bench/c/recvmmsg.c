// SPDX-License-Identifier: Apache-2.0
/*
 * recvmmsg BUFFER - the minimum for a program that receives: a blocking
 * recvmmsg(2) that discards the messages.
 */
#include "bench.h"

enum { BATCH = 64 }; /* as in the daemon */

static char slots[BATCH][SLOT_BYTES];
static struct iovec iovecs[BATCH];
static struct mmsghdr headers[BATCH];

int main(int argc, char **argv)
{
	if (argc != 2)
		return EXIT_FAILURE;
	int fd = subscribe(atoi(argv[1]));
	long received = 0;

	memset(slots, 1, sizeof(slots)); /* the daemon's memory is also allocated at start */
	for (int i = 0; i < BATCH; i++) {
		iovecs[i] = (struct iovec){ slots[i], SLOT_BYTES };
		headers[i].msg_hdr = (struct msghdr){ .msg_iov = &iovecs[i], .msg_iovlen = 1 };
	}
	int64_t since = begin();
	for (int n, ended = 0; !ended;) {
		n = recvmmsg(fd, headers, BATCH, MSG_WAITFORONE, NULL);
		if (n < 0)
			die("recvmmsg");
		/* After an end there are only ends. */
		for (; n > 0 && headers[n - 1].msg_len == END_BYTES; n--)
			ended = 1;
		received += n;
	}
	finish(received, since);
	return EXIT_SUCCESS;
}
