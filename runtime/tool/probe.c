/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Who has an address: see probe_network (network.h). */
#include "announce.h"
#include "lines.h"
#include "netlink.h"
#include "poll.h"

enum { AF_INET = 2, AF_INET6 = 10, SOCK_DGRAM_CLOEXEC = 2 | 02000000, ETH_P_ALL = 3, PROBES = 3 };

struct answer {
	bool own, answered;
	uint8_t hardware[HARDWARE];
};

/* Whether a program here could take the address: then it is one of this node's. */
static bool is_own(const struct address *address)
{
	struct {
		uint16_t family, port;
		uint32_t flow;
		uint8_t bytes[16];
		uint32_t scope;
	} name = { .family = address->six ? AF_INET6 : AF_INET };
	int socket = (int)SYS(NR_socket, name.family, SOCK_DGRAM_CLOEXEC, 0);
	memcpy(address->six ? name.bytes : (uint8_t *)&name.flow, address->bytes, length_of(address));
	long result = SYS(NR_bind, socket, &name, address->six ? 28 : 16);
	SYS(NR_close, socket);
	return result == 0;
}

static void take_answer(const uint8_t *frame, size_t size, const struct address *address, struct answer *answer)
{
	static const uint8_t arp[] = { 8, 6 }, reply[] = { 0, 2 }, six[] = { 0x86, 0xdd };
	bool good = address->six ? size >= 14 + 40 + 24 && !memcmp(frame + 12, six, 2) && frame[20] == 58 && frame[54] == ADVERTISEMENT &&
					   !memcmp(frame + 62, address->bytes, 16) :
				   size >= 42 && !memcmp(frame + 12, arp, 2) && !memcmp(frame + 20, reply, 2) && !memcmp(frame + 28, address->bytes, 4);
	if (!good)
		return;
	answer->answered = true;
	memcpy(answer->hardware, frame + HARDWARE, HARDWARE);
}

static void hear_answers(int socket, const struct network *network, struct answer *answers, long until)
{
	static uint8_t frame[2048];
	struct poll poll = { socket, POLLIN, 0 };
	for (long left; (left = until - now()) > 0;) {
		if (poll_for(&poll, 1, left) <= 0)
			continue;
		long size = SYS(NR_recvfrom, socket, frame, sizeof frame);
		for (size_t i = 0; i < network->address_count && size > 0; i++)
			take_answer(frame, (size_t)size, &network->addresses[i], &answers[i]);
	}
}

static long hardware_of(int socket, const char *name, uint8_t *hardware)
{
	enum { SIOCGIFHWADDR = 0x8927 };
	struct {
		char name[NAME];
		uint16_t family;
		uint8_t bytes[22];
	} request = { 0 };
	memcpy(request.name, name, strlen(name));
	long result = SYS(NR_ioctl, socket, SIOCGIFHWADDR, &request);
	memcpy(hardware, request.bytes, HARDWARE);
	return result;
}

static long ask_who_has(int socket, int index, const struct network *network, struct answer *answers, long milliseconds)
{
	static const uint8_t nobody[4] = { 0 };
	uint8_t frame[FRAME], hardware[HARDWARE];
	long result = hardware_of(socket, network->bridge, hardware);
	for (int round = 0; round < PROBES && result == 0; round++) {
		for (size_t i = 0; i < network->address_count; i++) {
			const struct address *address = &network->addresses[i];
			answers[i].own = is_own(address);
			size_t size = address->six ? write_neighbour(frame, hardware, address->bytes, false) : write_arp(frame, hardware, nobody, address->bytes);
			send_frame(socket, index, frame, size);
		}
		hear_answers(socket, network, answers, now() + milliseconds / PROBES);
	}
	return result;
}

long probe_network(struct text *out, const struct network *network, long milliseconds)
{
	enum { SOL_PACKET = 263, PACKET_ADD_MEMBERSHIP = 1, PACKET_MR_ALLMULTI = 2 };
	struct answer answers[MOST_ADDRESSES] = { 0 };
	struct link bridge;
	int netlink = open_netlink(), socket = (int)SYS(NR_socket, AF_PACKET, SOCK_RAW_CLOEXEC, ETH_P_ALL << 8);
	if (netlink < 0 || socket < 0)
		return netlink < 0 ? netlink : socket;
	if (find_link(netlink, network->bridge, &bridge) < 0 || !(bridge.flags & IFF_UP) || !file_exists(format("/sys/class/net/%s/bridge", network->bridge)))
		return print(out, "{\"ok\": true, \"bridge\": false, \"answers\": []}"), 0;
	struct link_address here = { .family = AF_PACKET, .protocol = ETH_P_ALL << 8, .index = bridge.index };
	struct {
		int index;
		uint16_t type, size;
		uint8_t bytes[8];
	} all = { .index = bridge.index, .type = PACKET_MR_ALLMULTI };
	SYS(NR_setsockopt, socket, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all); /* the answers for IPv6 go to all nodes */
	long result = SYS(NR_bind, socket, &here, sizeof here);
	if (result == 0)
		result = ask_who_has(socket, bridge.index, network, answers, milliseconds);
	print(out, "{\"ok\": true, \"bridge\": true, \"answers\": [");
	for (size_t i = 0; i < network->address_count; i++) {
		const struct address *address = &network->addresses[i];
		print(out, "%s[%j, %j]", i ? ", " : "", digits_of(address->bytes, length_of(address)),
		      answers[i].own ? "own" : answers[i].answered ? digits_of(answers[i].hardware, HARDWARE) : "");
	}
	print(out, "]}");
	SYS(NR_close, socket);
	SYS(NR_close, netlink);
	return result;
}
