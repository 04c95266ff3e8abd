/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See sockets.h. Messages: linux/netlink.h, linux/sock_diag.h, linux/unix_diag.h. */
#include "sockets.h"

enum { AF_UNIX = 1, AF_NETLINK = 16, SOCK_RAW_CLOEXEC = 3 | 02000000, NETLINK_SOCK_DIAG = 4, CLONE_NEWNET = 0x40000000 };
enum { NLMSG_ERROR = 2, NLMSG_DONE = 3, SOCK_DIAG_BY_FAMILY = 20, NLM_F_REQUEST_DUMP = 0x301 };
enum { UDIAG_SHOW_PEER = 4, UDIAG_SHOW_ICONS = 8, UNIX_DIAG_PEER = 2, UNIX_DIAG_ICONS = 3, BUFFER = 32768 };

struct netlink_header {
	uint32_t length;
	uint16_t type, flags;
	uint32_t sequence, pid;
};

struct request {
	struct netlink_header header;
	uint8_t family, protocol;
	uint16_t pad;
	uint32_t states, inode, show, cookie[2];
};
_Static_assert(sizeof(struct request) == 16 + 24, "struct unix_diag_req");

struct answer {
	struct netlink_header header;
	uint8_t family, type, state, pad;
	uint32_t inode, cookie[2];
};
_Static_assert(sizeof(struct answer) == 16 + 16, "struct unix_diag_msg");

struct attribute {
	uint16_t length, type;
};

static size_t aligned(size_t size)
{
	return (size + 3) & ~(size_t)3;
}

/* A connection that has not been accepted yet is known to the listening socket alone. */
static void print_pair(struct text *out, uint32_t inode, uint32_t peer, bool is_pending)
{
	if (!peer)
		return;
	print(out, "%d %d\n", (long)inode, (long)peer);
	if (is_pending)
		print(out, "%d %d\n", (long)peer, (long)inode);
}

static void print_peers(struct text *out, uint32_t inode, const char *message, size_t length)
{
	struct attribute attribute;
	for (size_t at = sizeof(struct answer); at + sizeof attribute <= length; at += aligned(attribute.length)) {
		memcpy(&attribute, message + at, sizeof attribute);
		if (attribute.length < sizeof attribute || attribute.length > length - at)
			return;
		if (attribute.type != UNIX_DIAG_PEER && attribute.type != UNIX_DIAG_ICONS)
			continue;
		for (size_t i = sizeof attribute; i + sizeof(uint32_t) <= attribute.length; i += sizeof(uint32_t)) {
			uint32_t peer;
			memcpy(&peer, message + at + i, sizeof peer);
			print_pair(out, inode, peer, attribute.type == UNIX_DIAG_ICONS);
		}
	}
}

/* Takes in one datagram; 0 at the end of the dump, 1 if there is more, or -errno. */
static long take_in(struct text *out, const char *data, size_t size)
{
	struct netlink_header header;
	for (size_t at = 0; at + sizeof header <= size; at += aligned(header.length)) {
		memcpy(&header, data + at, sizeof header);
		int32_t error = 0;
		if (header.length < sizeof header || header.length > size - at || header.type == NLMSG_DONE)
			return 0;
		if (header.type == NLMSG_ERROR) {
			memcpy(&error, data + at + sizeof header, sizeof error);
			return error;
		}
		struct answer answer;
		if (header.length < sizeof answer)
			continue;
		memcpy(&answer, data + at, sizeof answer);
		print_peers(out, answer.inode, data + at, header.length);
	}
	return 1;
}

static void enter_network_of(int pid)
{
	int network = open_file(format("/proc/%d/ns/net", (long)pid), O_RDONLY);
	SYS(NR_setns, network, CLONE_NEWNET); /* without the right to: usually it is ours */
	SYS(NR_close, network);
}

long list_unix_peers(struct text *out, int pid)
{
	static char buffer[BUFFER];
	const struct request request = { .header = { .length = sizeof request, .type = SOCK_DIAG_BY_FAMILY, .flags = NLM_F_REQUEST_DUMP },
		.family = AF_UNIX, .states = ~0u, .show = UDIAG_SHOW_PEER | UDIAG_SHOW_ICONS };
	enter_network_of(pid);
	long fd = SYS(NR_socket, AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_SOCK_DIAG);
	if (fd < 0)
		return fd;
	long result = SYS(NR_sendto, fd, &request, sizeof request);
	while (result > 0) {
		result = SYS(NR_recvfrom, fd, buffer, sizeof buffer);
		if (result > 0)
			result = take_in(out, buffer, (size_t)result);
	}
	SYS(NR_close, fd);
	return result;
}
