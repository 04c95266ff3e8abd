/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Requests to the kernel's routing socket (linux/rtnetlink.h), each answered before the next. */
#ifndef TOOL_NETLINK_H
#define TOOL_NETLINK_H

#include "base.h"

enum { RTM_NEWLINK = 16, RTM_DELLINK = 17, RTM_GETLINK = 18, RTM_NEWADDR = 20, RTM_NEWROUTE = 24, RTM_NEWQDISC = 36, RTM_DELQDISC = 37 };
enum { NLM_F_REQUEST = 1, NLM_F_ACK = 4, NLM_F_EXCL = 0x200, NLM_F_CREATE = 0x400 };
enum { IFLA_ADDRESS = 1, IFLA_IFNAME = 3, IFLA_LINK = 5, IFLA_MASTER = 10, IFLA_LINKINFO = 18, IFLA_NET_NS_FD = 28 };
enum { IFLA_INFO_KIND = 1, IFLA_INFO_DATA = 2, VETH_INFO_PEER = 1, IFF_UP = 1, IFF_RUNNING = 0x40 };

/* struct ifinfomsg */
struct link_header {
	uint8_t family, pad;
	uint16_t type;
	int32_t index;
	uint32_t flags, change;
};
_Static_assert(sizeof(struct link_header) == 16, "struct ifinfomsg");

/* A request that grows; what does not fit any more makes it invalid. */
struct request {
	_Alignas(8) char data[1024];
	size_t size;
};

/* A socket of the network that the caller is in, or -errno. */
int open_netlink(void);

void begin(struct request *request, uint16_t type, uint16_t flags, const void *header, size_t size);
void add(struct request *request, uint16_t type, const void *data, size_t size);
/* An attribute that holds others, up to its end. */
size_t begin_nest(struct request *request, uint16_t type);
void end_nest(struct request *request, size_t nest);

/* 0, or -errno: what the kernel answers. */
long ask(int netlink, struct request *request);

/* A link by its name: number, flags, the other end's number (0: none). 0 or -errno. */
struct link {
	int index, peer;
	uint32_t flags;
};
long find_link(int netlink, const char *name, struct link *link);
long set_up(int netlink, int index, bool up);

#endif
