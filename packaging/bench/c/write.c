// SPDX-License-Identifier: Apache-2.0
/*
 * write BUFFER DIRECTORY - the minimum for a program that stores its messages:
 * like recvmmsg.c, but it appends each batch to a file by one writev(2), without
 * conversion. A thread syncs the file every 100 ms, as the daemon's journal does.
 * It lacks framing and checksums, and a kill between the two calls loses a batch.
 */
#include "bench.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/uio.h>

enum { BATCH = 64 }; /* as in the daemon */

static char slots[BATCH][SLOT_BYTES];
static struct iovec iovecs[BATCH], filled[BATCH];
static struct mmsghdr headers[BATCH];

static void *sync_often(void *arg)
{
	const struct timespec interval = { .tv_nsec = 100000000 };

	for (;;) {
		nanosleep(&interval, NULL);
		if (fdatasync(*(int *)arg))
			die("fdatasync");
	}
	return NULL;
}

static void keep(int file, int n)
{
	ssize_t bytes = 0;

	for (int i = 0; i < n; i++) {
		filled[i] = (struct iovec){ slots[i], headers[i].msg_len };
		bytes += headers[i].msg_len;
	}
	if (n && writev(file, filled, n) != bytes)
		die("writev");
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return EXIT_FAILURE;
	int fd = subscribe(atoi(argv[1]));
	int file = chdir(argv[2]) ? -1 : open("log", O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
	long received = 0;
	pthread_t syncer;

	if (file < 0)
		die(argv[2]);
	memset(slots, 1, sizeof(slots)); /* the daemon's memory is also allocated at start */
	for (int i = 0; i < BATCH; i++) {
		iovecs[i] = (struct iovec){ slots[i], SLOT_BYTES };
		headers[i].msg_hdr = (struct msghdr){ .msg_iov = &iovecs[i], .msg_iovlen = 1 };
	}
	int64_t since = begin();
	if (pthread_create(&syncer, NULL, sync_often, &file))
		die("pthread_create");
	for (int n, ended = 0; !ended;) {
		n = recvmmsg(fd, headers, BATCH, MSG_WAITFORONE, NULL);
		if (n < 0)
			die("recvmmsg");
		/* After an end there are only ends. */
		for (; n > 0 && headers[n - 1].msg_len == END_BYTES; n--)
			ended = 1;
		keep(file, n);
		received += n;
	}
	if (fdatasync(file))
		die("fdatasync");
	finish(received, since);
	return EXIT_SUCCESS;
}
