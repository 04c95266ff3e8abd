/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See rejoin.h. */
#include "rejoin.h"
#include "poll.h"
#include "sockets.h"

enum { STREAMS = 3, BROKEN = 1, LOOK = 100 /* ms */, LEAST_ROOM = 4096 /* PIPE_BUF: so much can be written when anything can */ };

static const char name_of_join[] = "join.socket";

static int listener = -1;
static int giver = -1; /* a connection to whose streams we have, if they are not our own */
static bool lost;
static long lost_at;

static char ahead[1 << 16]; /* of what comes, read at once */
static size_t ahead_begin, ahead_end;

int give_streams(void)
{
	static const int streams[STREAMS] = { 0, 1, 2 };
	char status;
	int holder = connect_to(name_of_join);
	if (holder < 0 || !send_descriptors(holder, streams, STREAMS) || !read_all(holder, &status, 1))
		return -1;
	return read_all(holder, &status, 1) ? status : BROKEN;
}

bool expect_streams(void)
{
	listener = listen_at(name_of_join);
	return listener >= 0;
}

static bool lose(void)
{
	if (!lost)
		lost_at = now();
	lost = true;
	ahead_begin = ahead_end = 0;
	SYS(NR_close, giver);
	giver = -1;
	return false;
}

/* Until the stream `fd` is ready for `events`; false if it is lost. */
static bool await(int fd, int16_t events)
{
	for (;;) {
		struct poll polls[3] = { { fd, events, 0 }, { listener, POLLIN, 0 }, { giver, POLLIN, 0 } };
		poll_for(polls, 3, -1);
		if (polls[1].found || polls[2].found)
			return lose();
		if (polls[0].found)
			return true;
	}
}

bool await_bytes(int other)
{
	if (ahead_begin < ahead_end)
		return false;
	struct poll polls[4] = { { 0, POLLIN, 0 }, { other, POLLIN, 0 }, { listener, POLLIN, 0 }, { giver, POLLIN, 0 } };
	poll_for(polls, 4, -1);
	return polls[1].found & POLLIN;
}

bool receive_bytes(void *to, size_t size)
{
	char *place = to;
	while (size) {
		size_t there = ahead_end - ahead_begin < size ? ahead_end - ahead_begin : size;
		memcpy(place, ahead + ahead_begin, there);
		ahead_begin += there;
		place += there;
		size -= there;
		if (!size)
			break;
		if (!await(0, POLLIN))
			return false;
		bool directly = size >= sizeof ahead / 2;
		long got = SYS(NR_read, 0, directly ? place : ahead, directly ? size : sizeof ahead);
		if (got == -EINTR)
			continue;
		if (got <= 0)
			return lose();
		if (directly) {
			place += got;
			size -= (size_t)got;
		} else {
			ahead_begin = 0;
			ahead_end = (size_t)got;
		}
	}
	return true;
}

bool send_bytes(const void *from, size_t size)
{
	for (const char *place = from; size;) {
		size_t part = size < LEAST_ROOM ? size : LEAST_ROOM;
		if (!await(1, POLLOUT))
			return false;
		if (write_all(1, place, part) < 0)
			return lose();
		place += part;
		size -= part;
	}
	return true;
}

bool are_streams_lost(void)
{
	return lost;
}

static bool take_streams(void)
{
	int fds[STREAMS], socket = (int)SYS(NR_accept4, listener, 0, 0, O_CLOEXEC);
	if (socket < 0 || !receive_descriptors(socket, fds, STREAMS)) {
		SYS(NR_close, socket);
		return false;
	}
	for (int i = 0; i < STREAMS; i++) {
		SYS(NR_dup3, fds[i], i, 0);
		SYS(NR_close, fds[i]);
	}
	giver = socket;
	lost = false;
	return write_all(socket, "", 1) == 0 || lose();
}

bool regain_streams(int other, const char *name)
{
	while (now() - lost_at < KEPT && file_exists(name)) {
		struct poll polls[2] = { { listener, POLLIN, 0 }, { other, POLLIN, 0 } };
		poll_for(polls, 2, LOOK);
		if (polls[1].found)
			return false;
		if (polls[0].found && take_streams())
			return true;
	}
	return false;
}

int end_streams(int status)
{
	char word = (char)status;
	if (giver >= 0)
		(void)write_all(giver, &word, 1);
	return status;
}
