/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Pipes and sockets with data in flight, counters, timers, and a set of all of them. What is on its way is a part of a stream of which each byte is known. */
#include "shake.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>

enum { CHANNELS = 8, MOST_AT_ONCE = 5000, MOST_MESSAGES = 8, FAR = 100000 /* s */ };
enum kind { NOTHING, PIPE, STREAM, DATAGRAMS, COUNTER, TIMER, KINDS };

struct channel {
	enum kind kind;
	int in, out; /* the end that is read from, and the other one */
	uint64_t seed, sent, taken; /* bytes; of a counter its value is `sent` */
	size_t messages, lengths[MOST_MESSAGES];
	bool shut;
	struct timespec due; /* of a timer */
};

struct channels {
	int set, passing[2]; /* the last: over which descriptors go; 0: not yet */
	uint64_t passed; /* what the counter has that is on its way; 0: none is */
	struct channel items[CHANNELS];
};

static char byte_of(const struct channel *channel, uint64_t place)
{
	return (char)(((place + channel->seed) * 0xd6e8feb86659fd93u) >> 56);
}

static void open_channel(struct worker *worker, struct channel *channel)
{
	int ends[2] = { -1, -1 };
	channel->kind = (enum kind)(1 + below(worker, KINDS - 1));
	channel->seed = next(worker);
	if (channel->kind == PIPE)
		MUST(worker, pipe2(ends, O_NONBLOCK | (one_in(worker, 2) ? O_CLOEXEC : 0)) == 0);
	else if (channel->kind == COUNTER)
		MUST(worker, (ends[0] = ends[1] = eventfd(0, EFD_NONBLOCK)) >= 0);
	else if (channel->kind == TIMER)
		MUST(worker, (ends[0] = ends[1] = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK)) >= 0);
	else
		MUST(worker, socketpair(AF_UNIX, (channel->kind == STREAM ? SOCK_STREAM : one_in(worker, 2) ? SOCK_SEQPACKET : SOCK_DGRAM) | SOCK_NONBLOCK, 0, ends) == 0);
	channel->in = ends[0];
	channel->out = ends[1];
	if (channel->kind == PIPE && one_in(worker, 4))
		MUST(worker, fcntl(channel->in, F_SETPIPE_SZ, PAGE << below(worker, 6)) >= 0);
	struct epoll_event event = { EPOLLIN, { .u64 = (uint64_t)(channel - worker->channels->items) } };
	MUST(worker, epoll_ctl(worker->channels->set, EPOLL_CTL_ADD, channel->in, &event) == 0);
}

/* First it is taken out of the set: criu cannot dump a set with a file that is open elsewhere only. */
static void close_channel(struct worker *worker, struct channel *channel)
{
	MUST(worker, epoll_ctl(worker->channels->set, EPOLL_CTL_DEL, channel->in, NULL) == 0);
	MUST(worker, close(channel->in) == 0);
	if (channel->out != channel->in)
		MUST(worker, close(channel->out) == 0);
	*channel = (struct channel){ 0 };
}

static struct channel *pick(struct worker *worker, bool reads)
{
	struct channel *channel = &worker->channels->items[below(worker, CHANNELS)];
	return worker->child || !channel->kind || (channel->shut && !reads) ? NULL : channel;
}

static void make_channel(struct worker *worker)
{
	struct channel *channel = &worker->channels->items[below(worker, CHANNELS)];
	if (worker->child)
		return;
	if (!channel->kind)
		open_channel(worker, channel);
	else if (one_in(worker, 4))
		close_channel(worker, channel);
}

static void start_timer(struct worker *worker, struct channel *channel)
{
	bool soon = one_in(worker, 2);
	struct itimerspec when = { .it_value = { soon ? 0 : FAR, soon ? 1 + (long)below(worker, 20000000) : 0 } };
	MUST(worker, timerfd_settime(channel->in, 0, &when, NULL) == 0);
	clock_gettime(CLOCK_MONOTONIC, &channel->due);
	channel->due.tv_sec += when.it_value.tv_sec;
	channel->due.tv_nsec += when.it_value.tv_nsec;
	channel->sent = soon ? 1 : 2;
}

static void send_some(struct worker *worker)
{
	static _Thread_local char bytes[MOST_AT_ONCE];
	struct channel *channel = pick(worker, false);
	if (!channel)
		return;
	size_t count = 1 + below(worker, MOST_AT_ONCE - 1);
	uint64_t more = 1 + below(worker, 1000);
	if (channel->kind == TIMER) {
		start_timer(worker, channel);
		return;
	}
	if (channel->kind == COUNTER) {
		MUST(worker, write(channel->out, &more, sizeof more) == sizeof more);
		channel->sent += more;
		return;
	}
	if (channel->kind == DATAGRAMS && channel->messages == MOST_MESSAGES)
		return;
	if (channel->kind != DATAGRAMS && channel->sent - channel->taken > 8 * MOST_AT_ONCE)
		return;
	for (size_t i = 0; i < count; i++)
		bytes[i] = byte_of(channel, channel->sent + i);
	ssize_t done = write(channel->out, bytes, count);
	if (channel->kind == PIPE) /* how much goes in depends on how it lies there */
		MUST(worker, done > 0 || errno == EAGAIN);
	else
		MUST(worker, done == (ssize_t)count);
	if (channel->kind == DATAGRAMS)
		channel->lengths[channel->messages++] = count;
	channel->sent += done > 0 ? (uint64_t)done : 0;
}

static void take_timer(struct worker *worker, struct channel *channel)
{
	struct itimerspec left;
	struct timespec now;
	uint64_t times = 0;
	MUST(worker, timerfd_gettime(channel->in, &left) == 0);
	if (channel->sent == 0)
		MUST(worker, !left.it_value.tv_sec && !left.it_value.tv_nsec);
	if (channel->sent == 2) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		long expected = channel->due.tv_sec - now.tv_sec, off = left.it_value.tv_sec - expected;
		if (off < -60 || off > 60) /* moves stop it */
			wrong(worker, "seconds that a timer has left", (uint64_t)left.it_value.tv_sec, (uint64_t)expected);
	}
	if (channel->sent != 1)
		return;
	for (int i = 0; read(channel->in, &times, sizeof times) != sizeof times; i++) {
		MUST(worker, errno == EAGAIN && i < 20000);
		usleep(1000);
	}
	MUST(worker, times == 1);
	channel->sent = 0;
}

static void take_some(struct worker *worker)
{
	static _Thread_local char bytes[MOST_AT_ONCE];
	struct channel *channel = pick(worker, true);
	if (!channel)
		return;
	size_t count = 1 + below(worker, MOST_AT_ONCE - 1);
	uint64_t value = 0, left = channel->sent - channel->taken, expected = left < count ? left : count;
	if (channel->kind == TIMER) {
		take_timer(worker, channel);
		return;
	}
	if (channel->kind == COUNTER) {
		ssize_t got = read(channel->in, &value, sizeof value);
		MUST(worker, channel->sent ? got == sizeof value && value == channel->sent : got < 0 && errno == EAGAIN);
		channel->sent = 0;
		return;
	}
	if (channel->kind == DATAGRAMS)
		expected = channel->messages ? channel->lengths[0] : 0;
	ssize_t got = read(channel->in, bytes, channel->kind == DATAGRAMS ? MOST_AT_ONCE : count);
	if (!expected && channel->shut)
		MUST(worker, got == 0);
	else if (!expected)
		MUST(worker, got < 0 && errno == EAGAIN);
	else if (got != (ssize_t)expected)
		wrong(worker, "bytes that came", (uint64_t)got, expected);
	for (size_t i = 0; i < expected; i++)
		MUST(worker, bytes[i] == byte_of(channel, channel->taken + i));
	channel->taken += expected;
	if (expected && channel->kind == DATAGRAMS)
		memmove(channel->lengths, channel->lengths + 1, --channel->messages * sizeof *channel->lengths);
}

/* Who reads comes to the end, when all is taken. */
static void shut(struct worker *worker)
{
	struct channel *channel = pick(worker, false);
	if (!channel || channel->kind != STREAM || !one_in(worker, 4))
		return;
	MUST(worker, shutdown(channel->out, SHUT_WR) == 0); /* children may have that end as well */
	channel->shut = true;
}

/* A descriptor that is on its way, open nowhere else. */
static void pass(struct worker *worker)
{
	struct channels *channels = worker->channels;
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char byte = 'p';
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
	if (worker->child)
		return;
	if (!channels->passing[0])
		MUST(worker, socketpair(AF_UNIX, SOCK_STREAM, 0, channels->passing) == 0);
	if (!channels->passed) {
		int fd = eventfd(0, EFD_NONBLOCK);
		channels->passed = 1 + below(worker, 1 << 30);
		MUST(worker, fd >= 0 && write(fd, &channels->passed, 8) == 8);
		control.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
		MUST(worker, sendmsg(channels->passing[0], &message, 0) == 1 && close(fd) == 0);
		return;
	}
	uint64_t value = 0;
	int fd = -1;
	MUST(worker, recvmsg(channels->passing[1], &message, MSG_CMSG_CLOEXEC) == 1 && byte == 'p' && message.msg_controllen >= CMSG_LEN(sizeof fd));
	memcpy(&fd, CMSG_DATA(&control.head), sizeof fd);
	MUST(worker, read(fd, &value, 8) == 8 && value == channels->passed && close(fd) == 0);
	channels->passed = 0;
}

static bool is_ready(const struct channel *channel)
{
	return channel->kind == COUNTER ? channel->sent > 0 : channel->shut || channel->sent > channel->taken;
}

void check_channels(struct worker *worker)
{
	struct epoll_event events[CHANNELS];
	bool ready[CHANNELS] = { 0 };
	int count = worker->child ? 0 : epoll_wait(worker->channels->set, events, CHANNELS, 0);
	MUST(worker, count >= 0);
	for (int i = 0; i < count; i++)
		ready[events[i].data.u64 % CHANNELS] = true;
	for (size_t i = 0; i < CHANNELS && !worker->child; i++) {
		const struct channel *channel = &worker->channels->items[i];
		if (channel->kind && channel->kind != TIMER && ready[i] != is_ready(channel))
			wrong(worker, "what a set says about a channel", ready[i], channel->kind);
		found(worker, channel->kind + (channel->kind == PIPE ? 0 : channel->sent - channel->taken));
	}
}

void prepare_channels(struct worker *worker)
{
	worker->channels = mmap(NULL, sizeof *worker->channels, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(worker, worker->channels != MAP_FAILED);
	MUST(worker, (worker->channels->set = epoll_create1(EPOLL_CLOEXEC)) >= 0);
}

const struct deed channel_deeds[] = {
	{ "channel", 3, make_channel }, { "send", 8, send_some }, { "take", 8, take_some }, { "shut", 1, shut }, { "pass", 2, pass }, { "epoll", 3, check_channels }, { 0 },
};
