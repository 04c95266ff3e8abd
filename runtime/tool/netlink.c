/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See netlink.h. Messages: linux/netlink.h, linux/rtnetlink.h, linux/if_link.h. */
#include "netlink.h"

enum { AF_NETLINK = 16, SOCK_RAW_CLOEXEC = 3 | 02000000, NETLINK_ROUTE = 0, NLMSG_ERROR = 2, BUFFER = 32768, NAME_ROOM = 16 };

struct netlink_header {
	uint32_t length;
	uint16_t type, flags;
	uint32_t sequence, pid;
};

struct attribute {
	uint16_t length, type;
};

static size_t aligned(size_t size)
{
	return (size + 3) & ~(size_t)3;
}

int open_netlink(void)
{
	return (int)SYS(NR_socket, AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE);
}

static void put(struct request *request, const void *data, size_t size)
{
	size_t room = aligned(size);
	if (request->size + room <= sizeof request->data) {
		memset(request->data + request->size, 0, room);
		memcpy(request->data + request->size, data, size);
	}
	request->size += room;
}

void begin(struct request *request, uint16_t type, uint16_t flags, const void *header, size_t size)
{
	struct netlink_header first = { .type = type, .flags = NLM_F_REQUEST | flags };
	request->size = 0;
	put(request, &first, sizeof first);
	put(request, header, size);
}

void add(struct request *request, uint16_t type, const void *data, size_t size)
{
	struct attribute attribute = { (uint16_t)(sizeof attribute + size), type };
	put(request, &attribute, sizeof attribute);
	put(request, data, size);
}

size_t begin_nest(struct request *request, uint16_t type)
{
	size_t nest = request->size;
	add(request, type, "", 0);
	return nest;
}

void end_nest(struct request *request, size_t nest)
{
	uint16_t length = (uint16_t)(request->size - nest);
	if (request->size <= sizeof request->data)
		memcpy(request->data + nest, &length, sizeof length);
}

/* The first message of the answer, which is at `answer`; its size, or -errno. */
static long exchange(int netlink, struct request *request, char *answer)
{
	uint32_t length = (uint32_t)request->size;
	struct netlink_header header;
	int32_t error;
	if (length > sizeof request->data)
		return -EINVAL;
	memcpy(request->data, &length, sizeof length);
	long result = SYS(NR_sendto, netlink, request->data, request->size);
	if (result < 0)
		return result;
	do
		result = SYS(NR_recvfrom, netlink, answer, BUFFER);
	while (result == -EINTR);
	if (result < (long)(sizeof header + sizeof error))
		return result < 0 ? result : -EIO;
	memcpy(&header, answer, sizeof header);
	if (header.type != NLMSG_ERROR)
		return header.length < result ? header.length : result;
	memcpy(&error, answer + sizeof header, sizeof error);
	return error;
}

static char buffer[BUFFER];

long ask(int netlink, struct request *request)
{
	struct netlink_header header;
	memcpy(&header, request->data, sizeof header);
	header.flags |= NLM_F_ACK;
	memcpy(request->data, &header, sizeof header);
	return exchange(netlink, request, buffer);
}

long find_link(int netlink, const char *name, struct link *link)
{
	struct request request;
	struct link_header header = { 0 };
	struct attribute attribute;
	size_t size = strlen(name) + 1;
	if (size > NAME_ROOM)
		return -EINVAL;
	begin(&request, RTM_GETLINK, 0, &header, sizeof header);
	add(&request, IFLA_IFNAME, name, size);
	long end = exchange(netlink, &request, buffer);
	if (end < (long)(sizeof(struct netlink_header) + sizeof header))
		return end < 0 ? end : -EIO;
	memcpy(&header, buffer + sizeof(struct netlink_header), sizeof header);
	*link = (struct link){ .index = header.index, .flags = header.flags };
	for (size_t at = sizeof(struct netlink_header) + sizeof header; at + sizeof attribute <= (size_t)end; at += aligned(attribute.length)) {
		memcpy(&attribute, buffer + at, sizeof attribute);
		if (attribute.length < sizeof attribute || attribute.length > (size_t)end - at)
			return -EIO;
		if (attribute.type == IFLA_LINK && attribute.length >= sizeof attribute + sizeof link->peer)
			memcpy(&link->peer, buffer + at + sizeof attribute, sizeof link->peer);
	}
	return 0;
}

long set_up(int netlink, int index, bool up)
{
	struct request request;
	struct link_header header = { .index = index, .flags = up ? IFF_UP : 0, .change = IFF_UP };
	begin(&request, RTM_NEWLINK, 0, &header, sizeof header);
	return ask(netlink, &request);
}
