/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Frames that say, or ask, who has an address. ARP: RFC 826, announcements and probes: RFC 5227; neighbour discovery: RFC 4861. */
#ifndef TOOL_ANNOUNCE_H
#define TOOL_ANNOUNCE_H

#include "network.h"

enum { AF_PACKET = 17, SOCK_RAW_CLOEXEC = 3 | 02000000, FRAME = 128 /* bytes that each of them fits in */ };
enum { SOLICITATION = 135, ADVERTISEMENT = 136 };

struct link_address {
	uint16_t family, protocol;
	int32_t index;
	uint16_t type;
	uint8_t kind, size, bytes[8];
};
_Static_assert(sizeof(struct link_address) == 20, "struct sockaddr_ll");

/* An ARP request. `sender`: zeros in a probe, the same address in an announcement. Its size, as of the next. */
size_t write_arp(uint8_t *frame, const uint8_t *hardware, const uint8_t *sender, const uint8_t *address);
/* A message about an IPv6 address: an advertisement to all nodes, or a solicitation without a sender (a probe) to those that may have it. */
size_t write_neighbour(uint8_t *frame, const uint8_t *hardware, const uint8_t *address, bool advertise);

/* Sends one through an interface, by a socket of AF_PACKET. */
void send_frame(int socket, int index, const uint8_t *frame, size_t size);
/* Tells switches and neighbours that a network is behind an interface now. */
void announce(int index, const struct network *network);

#endif
