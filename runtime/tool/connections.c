/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* TCP connections of a program with a network of its own: those that are half made, have something to say, or are in repair. */
#include "lines.h"
#include "network.h"

enum { SOL_TCP = 6, SOL_SOCKET = 1, SO_REUSEADDR = 2, TCP_REPAIR = 19, TCP_REPAIR_ON = 1, TCP_REPAIR_OFF_NO_PROBE = -1 };
enum { TCP_SYN_RECV = 3, TCP_TIME_WAIT = 6, TCP_CLOSE = 7, TCP_LISTEN = 10, FIELD_STATE = 3, FIELD_QUEUES = 4, UNPLUGGED_TIME = 50 /* ms */, PLUGGED_TIME = 10, ACCEPT_PAUSE = 2, HEAD_FIELDS = 100 };

/* Of the lines of /proc/net/tcp (Documentation/networking/proc_net_tcp.rst): the field that is being read, and its number so far. */
struct scan {
	int field;
	bool inside;
	uint32_t number, state;
	size_t open, waiting, others; /* handshakes, what listeners have not accepted, sockets that still have something to say */
};

static void end_field(struct scan *scan)
{
	scan->state = scan->field == FIELD_STATE ? scan->number : scan->state;
	bool is_silent = scan->number == TCP_TIME_WAIT || scan->number == TCP_CLOSE || scan->number == TCP_LISTEN;
	scan->others += scan->field == FIELD_STATE && !is_silent;
	scan->open += scan->field == FIELD_STATE && scan->number == TCP_SYN_RECV;
	scan->waiting += scan->field == FIELD_QUEUES && scan->state == TCP_LISTEN && scan->number;
}

static void take_character(struct scan *scan, char c)
{
	bool blank = c == ' ' || c == '\n';
	if (blank && scan->inside)
		end_field(scan);
	if (blank)
		scan->field += scan->inside;
	if (c == '\n')
		scan->field = 0;
	if (blank || c == ':') /* of queues the one to be received counts, behind the colon */
		scan->number = 0;
	else
		scan->number = scan->number << 4 | (uint32_t)(hex_digit(c | 0x20) & 15);
	scan->inside = !blank;
}

/* Adds what a list holds; its first line is a head, without numbers where they matter. */
static void scan_connections(const char *path, struct scan *scan)
{
	char piece[4096];
	int fd = open_file(path, O_RDONLY);
	long size;
	scan->field = -HEAD_FIELDS;
	while ((size = SYS(NR_read, fd, piece, sizeof piece)) > 0)
		for (long at = 0; at < size; at++)
			take_character(scan, piece[at]);
	SYS(NR_close, fd);
}

/* A handshake needs the network to come to its end, an accepting program as a rule only time: it gets both. */
long unplug_quietly(int pid, const struct network *network, long milliseconds)
{
	long until = now() + milliseconds, result = 0, unplugged = 0;
	const char *lists[] = { format("/proc/%d/net/tcp", (long)pid), format("/proc/%d/net/tcp6", (long)pid) };
	while (result == 0) {
		struct scan scan = { 0 };
		if (!unplugged && (result = unplug(pid)) < 0)
			break;
		unplugged = unplugged ? unplugged : now();
		scan_connections(lists[0], &scan);
		scan_connections(lists[1], &scan);
		if (!scan.open && !scan.waiting)
			return 0;
		if (scan.open || now() > unplugged + UNPLUGGED_TIME) {
			result = plug(pid, network);
			unplugged = 0;
		}
		rest(unplugged ? ACCEPT_PAUSE : PLUGGED_TIME);
		result = result == 0 && now() > until ? -EAGAIN : result;
	}
	plug(pid, network);
	return result;
}

void hear_out(long milliseconds)
{
	struct scan scan;
	long until = now() + milliseconds;
	do {
		scan = (struct scan){ 0 };
		scan_connections("/proc/self/net/tcp", &scan);
		scan_connections("/proc/self/net/tcp6", &scan);
	} while (scan.others && now() < until && (rest(ACCEPT_PAUSE), true));
}

struct process {
	int pidfd, pid, repair;
};

/* With repair mode the kernel has forgotten SO_REUSEADDR (net/ipv4/tcp.c): servers have it, and without it cannot listen there again. */
static void repair_one(void *context, const char *name)
{
	const struct process *process = context;
	uint64_t number;
	int value = 0, on = 1, size = sizeof value;
	char link[8] = "";
	if (!parse_number(name, &number))
		return;
	SYS(NR_readlinkat, AT_FDCWD, format("/proc/%d/fd/%s", (long)process->pid, name), link, sizeof link - 1);
	int socket = strcmp(link, "socket:") ? -1 : (int)SYS(NR_pidfd_getfd, process->pidfd, number, 0);
	if (socket < 0)
		return;
	if (SYS(NR_getsockopt, socket, SOL_TCP, TCP_REPAIR, &value, &size) == 0 && value != (process->repair == TCP_REPAIR_ON) &&
	    SYS(NR_setsockopt, socket, SOL_TCP, TCP_REPAIR, &process->repair, sizeof process->repair) == 0 && value)
		SYS(NR_setsockopt, socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	SYS(NR_close, socket);
}

void repair(const struct numbers *tree, bool on)
{
	for (size_t i = 0; i < tree->count; i++) {
		struct process process = { (int)SYS(NR_pidfd_open, tree->items[i], 0), tree->items[i], on ? TCP_REPAIR_ON : TCP_REPAIR_OFF_NO_PROBE };
		if (process.pidfd < 0)
			continue;
		each_entry(format("/proc/%d/fd", (long)process.pid), repair_one, &process);
		SYS(NR_close, process.pidfd);
	}
}
