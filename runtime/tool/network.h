/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * A network of a program's own: a namespace with one interface, whose other end (the port) is on a bridge of this node. Nothing holds
 * it but the program's processes and their supervisor, who removes it at the end; if he is gone the kernel does, with the last of them.
 *
 * Unplugged, nothing passes in either direction, and nobody answers for its addresses.
 */
#ifndef TOOL_NETWORK_H
#define TOOL_NETWORK_H

#include "proc.h"

enum { MOST_ADDRESSES = 16, HARDWARE = 6, NAME = 16 /* IFNAMSIZ */ };

struct address {
	uint8_t bytes[16], prefix; /* of IPv4 the first four */
	bool six;
};

struct network {
	char bridge[NAME];
	uint8_t hardware[HARDWARE];
	struct address addresses[MOST_ADDRESSES], gateways[MOST_ADDRESSES];
	size_t address_count, gateway_count;
};

/*
 * BRIDGE,HARDWARE{,ADDRESS/PREFIX}{,>GATEWAY}, addresses in hexadecimal, those of IPv4 with 8 digits, of IPv6 with 32.
 * False if it is not so.
 */
bool parse_network(const char *text, struct network *network);
/* Bytes of an address. */
size_t length_of(const struct address *address);

/* The calling process gets it, `plugged` and announced or not. 0 or -errno. */
long make_network(const struct network *network, bool plugged);

/* Removes that of the caller, whose program has ended: what its connections still have to say is said before, but not for long. */
void remove_network(void);

/* The calling process enters that of another one. 0 or -errno. */
long enter_network(int pid);

/* Both: of a process; 0 or -errno. It is announced to the switches and neighbours when it is plugged in. */
long plug(int pid, const struct network *network);
long unplug(int pid);

/*
 * Unplugs that of a running program at a moment when no connection is half made: what the kernel has and the program has not accepted yet
 * cannot be dumped. 0, -EAGAIN if there is no such moment within so many milliseconds, or another -errno; then it is plugged in.
 */
long unplug_quietly(int pid, const struct network *network, long milliseconds);

/* Waits until no connection of the caller's network has anything to say any more, but not longer than so many milliseconds. */
void hear_out(long milliseconds);

/*
 * The repair mode of all TCP sockets of processes (TCP_REPAIR): with it a socket that is closed says nothing to its peer. criu leaves it on
 * where it has dumped; without it connections go on.
 */
void repair(const struct numbers *tree, bool on);

/*
 * Asks on the bridge who has the addresses, for so many milliseconds, and prints as an answer whether it is a bridge that is up, and each
 * address with the hardware address that answers for it, as ["0a4d0005", "020000000001"]; "own": this node itself has it. 0 or -errno.
 */
long probe_network(struct text *out, const struct network *network, long milliseconds);

#endif
