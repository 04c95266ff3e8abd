/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * talking ADDRESS: is connected with itself, at that address, by a connection that is full in both directions: of what was written most was not sent yet. It
 * reads some and writes some until there is a file `go`, then reads the rest, and knows each byte.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PORT = 7003, ROOM = 1 << 16, SOME = 5000 };

static int ends[2];
static uint64_t written[2], read_from[2];

static void check(int good, const char *what)
{
	if (!good) {
		perror(what);
		exit(1);
	}
}

static unsigned char byte_at(int end, uint64_t place)
{
	return (unsigned char)(place * 31 + place / 251 + (uint64_t)end * 7);
}

static void fill(int end)
{
	static unsigned char data[ROOM];
	long got;
	do {
		for (int i = 0; i < ROOM; i++)
			data[i] = byte_at(end, written[end] + (uint64_t)i);
		got = send(ends[end], data, ROOM, MSG_DONTWAIT);
		written[end] += got > 0 ? (uint64_t)got : 0;
	} while (got > 0);
}

/* What the other end has written. */
static long take(int end, int size, int flags)
{
	static unsigned char data[ROOM];
	long got = recv(ends[end], data, (size_t)size, flags);
	for (long i = 0; i < got; i++)
		check(data[i] == byte_at(!end, read_from[end] + (uint64_t)i), "a byte");
	read_from[end] += got > 0 ? (uint64_t)got : 0;
	return got;
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	check(argc == 2 && inet_pton(AF_INET, argv[1], &at.sin_addr) == 1, "address");
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	check(bind(listener, (struct sockaddr *)&at, sizeof at) == 0 && listen(listener, 1) == 0, "listen");
	ends[0] = socket(AF_INET, SOCK_STREAM, 0);
	check(connect(ends[0], (struct sockaddr *)&at, sizeof at) == 0 && (ends[1] = accept(listener, NULL, NULL)) >= 0, "connect");
	fill(0);
	fill(1);
	printf("filled\n");
	fflush(stdout);
	while (access("go", F_OK) != 0) {
		struct timespec pause = { 0, 1000000 };
		nanosleep(&pause, NULL);
		for (int end = 0; end < 2; end++) {
			take(end, SOME, MSG_DONTWAIT);
			fill(end);
		}
	}
	for (int end = 0; end < 2; end++)
		while (read_from[end] < written[!end])
			check(take(end, ROOM, 0) > 0, "the rest");
	printf("right\n");
	return 0;
}
