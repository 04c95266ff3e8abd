/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See options.h. */
#include "options.h"
#include "lines.h"

enum { SOCKET = 1, TCP = 6, UDP = 17, IP = 0, IP6 = 41 }; /* levels */
enum { UNIX = 1, INET = 2, INET6 = 10, STREAM = 1, KIND = 3 /* SO_TYPE */, PROTOCOL = 38, DOMAIN = 39, INFO = 11 /* TCP_INFO, which begins with the state */, CLOSED = 7, LISTENS = 10 };
enum { MOST_VALUE = 64, MOST_NAME = 64 };

/* Less than 0: only of a TCP socket without a connection; of one that has, the kernel has changed it, or tells something else. */
struct option {
	int level, name;
};

/* asm-generic/socket.h, linux/tcp.h, linux/udp.h, linux/in.h, linux/in6.h. What criu carries over is the same by then, and is not set. */
static const struct option known[] = {
	/* SO_TIMESTAMP, _TIMESTAMPNS, _TIMESTAMPING, and the new ones; _RXQ_OVFL, _PEEK_OFF, _SELECT_ERR_QUEUE, _BUSY_POLL, _MAX_PACING_RATE, _ZEROCOPY,
	   _PREFER_BUSY_POLL, _BUSY_POLL_BUDGET, _TXREHASH, _PASSPIDFD */
	{ SOCKET, 29 }, { SOCKET, 35 }, { SOCKET, 37 }, { SOCKET, 63 }, { SOCKET, 64 }, { SOCKET, 65 }, { SOCKET, 40 }, { SOCKET, 42 }, { SOCKET, 45 }, { SOCKET, 46 }, { SOCKET, 47 }, { SOCKET, 60 },
	{ SOCKET, 69 }, { SOCKET, 70 }, { SOCKET, -74 }, { SOCKET, 76 },
	/* TCP_MAXSEG, _SYNCNT, _LINGER2, _DEFER_ACCEPT, _WINDOW_CLAMP, _CONGESTION, _THIN_LINEAR_TIMEOUTS, _USER_TIMEOUT, _FASTOPEN, _NOTSENT_LOWAT, _SAVE_SYN, _FASTOPEN_CONNECT,
	   _FASTOPEN_NO_COOKIE, _INQ, _TX_DELAY */
	{ TCP, -2 }, { TCP, 7 }, { TCP, 8 }, { TCP, -9 }, { TCP, -10 }, { TCP, 13 }, { TCP, 16 }, { TCP, 18 }, { TCP, -23 }, { TCP, 25 }, { TCP, 27 }, { TCP, -30 },
	{ TCP, 34 }, { TCP, 36 }, { TCP, 37 },
	/* UDP_SEGMENT, _GRO, _NO_CHECK6_TX, _NO_CHECK6_RX */
	{ UDP, 103 }, { UDP, 104 }, { UDP, 101 }, { UDP, 102 },
	/* IP_TOS, _TTL, _RECVOPTS, _RETOPTS, _PKTINFO, _MTU_DISCOVER, _RECVERR, _RECVTTL, _RECVTOS, _FREEBIND, _TRANSPARENT, _RECVORIGDSTADDR, _MINTTL, _CHECKSUM, _BIND_ADDRESS_NO_PORT,
	   _RECVFRAGSIZE, _MULTICAST_IF, _MULTICAST_TTL, _MULTICAST_LOOP, _MULTICAST_ALL, _LOCAL_PORT_RANGE */
	{ IP, 1 }, { IP, 2 }, { IP, 6 }, { IP, 7 }, { IP, 8 }, { IP, 10 }, { IP, 11 }, { IP, 12 }, { IP, 13 }, { IP, 15 }, { IP, 19 }, { IP, 20 }, { IP, 21 }, { IP, 23 }, { IP, 24 },
	{ IP, 25 }, { IP, 32 }, { IP, 33 }, { IP, 34 }, { IP, 49 }, { IP, 51 },
	/* IPV6_UNICAST_HOPS, _MULTICAST_HOPS, _MULTICAST_LOOP, _MTU_DISCOVER, _RECVERR, _MULTICAST_ALL, _RECVPKTINFO, _RECVHOPLIMIT, _RECVHOPOPTS, _RECVRTHDR, _RECVDSTOPTS, _RECVPATHMTU,
	   _DONTFRAG, _RECVTCLASS, _TCLASS, _AUTOFLOWLABEL, _ADDR_PREFERENCES, _MINHOPCOUNT, _ORIGDSTADDR, _TRANSPARENT, _RECVFRAGSIZE, _FREEBIND */
	{ IP6, 16 }, { IP6, 18 }, { IP6, 19 }, { IP6, 23 }, { IP6, 25 }, { IP6, 29 }, { IP6, 49 }, { IP6, 51 }, { IP6, 53 }, { IP6, 56 }, { IP6, 58 }, { IP6, 60 }, { IP6, 62 }, { IP6, 66 },
	{ IP6, 67 }, { IP6, 70 }, { IP6, 72 }, { IP6, 73 }, { IP6, 74 }, { IP6, 75 }, { IP6, 77 }, { IP6, 78 },
};

struct value {
	uint8_t bytes[MOST_VALUE];
	uint32_t size; /* 0: there is none */
};

static struct value get(int socket, int level, int name)
{
	struct value value = { .size = MOST_VALUE };
	if (SYS(NR_getsockopt, socket, level, name, value.bytes, &value.size) < 0)
		value.size = 0;
	return value;
}

static bool equal(const struct value *one, const struct value *other)
{
	return one->size == other->size && !memcmp(one->bytes, other->bytes, one->size);
}

static int number_of(int socket, int name)
{
	struct value value = get(socket, SOCKET, name);
	int number = -1;
	if (value.size == sizeof number)
		memcpy(&number, value.bytes, sizeof number);
	return number;
}

static bool concerns(int level, int domain, int kind, int protocol)
{
	bool internet = domain == INET || domain == INET6;
	return level == SOCKET || (level == TCP && internet && kind == STREAM && protocol == TCP) || (level == UDP && internet && protocol == UDP) || (level == IP && internet) || (level == IP6 && domain == INET6);
}

static void list_socket(struct text *out, int pid, int number, int socket)
{
	int domain = number_of(socket, DOMAIN), kind = number_of(socket, KIND), protocol = number_of(socket, PROTOCOL);
	if (domain != UNIX && domain != INET && domain != INET6)
		return;
	int fresh = (int)SYS(NR_socket, domain, kind, protocol);
	struct value info = { 0 };
	if (concerns(TCP, domain, kind, protocol))
		info = get(socket, TCP, INFO);
	bool connected = info.size && info.bytes[0] != CLOSED && info.bytes[0] != LISTENS;
	for (size_t i = 0; fresh >= 0 && i < sizeof known / sizeof *known; i++) {
		int level = known[i].level, name = known[i].name < 0 ? -known[i].name : known[i].name;
		if (!concerns(level, domain, kind, protocol) || (known[i].name < 0 && connected))
			continue;
		struct value is = get(socket, level, name), was = get(fresh, level, name);
		if (!is.size || equal(&is, &was))
			continue;
		print(out, "option %d %d %d %d %s\n", (long)pid, (long)number, (long)level, (long)name, digits_of(is.bytes, is.size));
	}
	SYS(NR_close, fresh);
}

struct search {
	int pid, handle;
	struct text *out;
	struct numbers *seen; /* inodes */
};

static void visit(void *context, const char *name)
{
	struct search *search = context;
	static char link[MOST_NAME];
	uint64_t number, inode;
	long size = SYS(NR_readlinkat, AT_FDCWD, format("/proc/%d/fd/%s", (long)search->pid, name), link, sizeof link - 1);
	if (size < 10 || memcmp(link, "socket:[", 8) || !parse_number(name, &number))
		return;
	link[size - 1] = 0; /* the bracket */
	if (!parse_number(link + 8, &inode) || contains(search->seen, (int)inode))
		return;
	add_number(search->seen, (int)inode);
	int socket = (int)SYS(NR_pidfd_getfd, search->handle, number, 0);
	if (socket >= 0)
		list_socket(search->out, search->pid, (int)number, socket);
	SYS(NR_close, socket);
}

void list_options(struct text *out, const struct numbers *tree)
{
	struct numbers seen = { 0 };
	for (size_t i = 0; i < tree->count; i++) {
		struct search search = { tree->items[i], (int)SYS(NR_pidfd_open, tree->items[i], 0), out, &seen };
		each_entry(format("/proc/%d/fd", (long)tree->items[i]), visit, &search);
		SYS(NR_close, search.handle);
	}
}

static bool parse_bytes(const char *text, struct value *value)
{
	value->size = (uint32_t)take_bytes(&text, value->bytes, MOST_VALUE);
	return value->size && !*text;
}

bool set_option(int pid, const uint64_t *values, const char *bytes)
{
	struct value wanted;
	int level = (int)values[2], name = (int)values[3];
	int handle = (int)SYS(NR_pidfd_open, pid, 0), socket = (int)SYS(NR_pidfd_getfd, handle, values[1], 0);
	bool good = parse_bytes(bytes, &wanted) && socket >= 0;
	struct value is = good ? get(socket, level, name) : (struct value){ 0 };
	if (good && !equal(&is, &wanted))
		good = SYS(NR_setsockopt, socket, level, name, wanted.bytes, wanted.size) == 0;
	SYS(NR_close, socket);
	SYS(NR_close, handle);
	return good;
}
