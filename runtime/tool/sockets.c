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

/* --- streams and descriptors --------------------------------------------------------------------------------------- */

enum { STREAM_CLOEXEC = 1 | 02000000, BACKLOG = 4, SOL_SOCKET = 1, SCM_RIGHTS = 1, MSG_CMSG_CLOEXEC = 0x40000000, MSG_NOSIGNAL = 0x4000 };

struct address {
	uint16_t family;
	char path[108];
};

struct vector {
	void *data;
	uint64_t size;
};

/* struct msghdr, struct cmsghdr */
struct message {
	void *name;
	uint64_t name_size;
	struct vector *pieces;
	uint64_t count;
	void *control;
	uint64_t control_size, flags;
};
_Static_assert(sizeof(struct message) == 56, "struct msghdr");

struct rights {
	uint64_t size;
	int32_t level, type, fds[MOST_DESCRIPTORS_SENT];
};

static bool name_socket(struct address *address, const char *name)
{
	size_t size = strlen(name) + 1;
	*address = (struct address){ .family = AF_UNIX };
	if (size > sizeof address->path)
		return false;
	memcpy(address->path, name, size);
	return true;
}

int listen_at(const char *name)
{
	struct address address;
	long fd = SYS(NR_socket, AF_UNIX, STREAM_CLOEXEC, 0), result = -EINVAL;
	SYS(NR_unlinkat, AT_FDCWD, name, 0);
	if (fd >= 0 && name_socket(&address, name) && (result = SYS(NR_bind, fd, &address, sizeof address)) == 0)
		result = SYS(NR_listen, fd, BACKLOG);
	return (int)(fd < 0 || result == 0 ? fd : result);
}

int connect_to(const char *name)
{
	struct address address;
	long fd = SYS(NR_socket, AF_UNIX, STREAM_CLOEXEC, 0), result = -EINVAL;
	if (fd >= 0 && name_socket(&address, name))
		result = SYS(NR_connect, fd, &address, sizeof address);
	return (int)(fd < 0 || result == 0 ? fd : result);
}

bool send_descriptors(int socket, const int *fds, size_t count)
{
	struct rights rights = { .size = 16 + count * sizeof *fds, .level = SOL_SOCKET, .type = SCM_RIGHTS };
	struct vector piece = { "", 1 };
	struct message message = { .pieces = &piece, .count = 1, .control = &rights, .control_size = sizeof rights };
	memcpy(rights.fds, fds, count * sizeof *fds);
	return SYS(NR_sendmsg, socket, &message, MSG_NOSIGNAL) == 1;
}

bool receive_descriptors(int socket, int *fds, size_t count)
{
	char byte;
	struct rights rights = { 0 };
	struct vector piece = { &byte, 1 };
	struct message message = { .pieces = &piece, .count = 1, .control = &rights, .control_size = sizeof rights };
	long got = SYS(NR_recvmsg, socket, &message, MSG_CMSG_CLOEXEC);
	if (got != 1 || rights.level != SOL_SOCKET || rights.type != SCM_RIGHTS || rights.size != 16 + count * sizeof *fds)
		return false;
	memcpy(fds, rights.fds, count * sizeof *fds);
	return true;
}

bool is_accepted_at(int fd, const char *name)
{
	struct address address = { 0 };
	uint32_t size = sizeof address;
	return SYS(NR_getsockname, fd, &address, &size) == 0 && address.family == AF_UNIX && !strcmp(address.path, name);
}
