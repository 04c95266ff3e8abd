/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See announce.h. */
#include "announce.h"

enum { ANNOUNCEMENTS = 2 };

static const uint8_t everyone[HARDWARE] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

static size_t put_bytes(uint8_t *frame, size_t at, const void *bytes, size_t size)
{
	memcpy(frame + at, bytes, size);
	return at + size;
}

size_t write_arp(uint8_t *frame, const uint8_t *hardware, const uint8_t *sender, const uint8_t *address)
{
	static const uint8_t head[] = { 8, 6, 0, 1, 8, 0, 6, 4, 0, 1 }, nobody[HARDWARE] = { 0 };
	size_t at = put_bytes(frame, 0, everyone, HARDWARE);
	at = put_bytes(frame, at, hardware, HARDWARE);
	at = put_bytes(frame, at, head, sizeof head);
	at = put_bytes(frame, at, hardware, HARDWARE);
	at = put_bytes(frame, at, sender, 4);
	at = put_bytes(frame, at, nobody, HARDWARE);
	return put_bytes(frame, at, address, 4);
}

/* Of what is behind the Ethernet header: pseudo-header (RFC 8200, 8.1), then the message. */
static uint16_t checksum(const uint8_t *frame, size_t size)
{
	enum { ADDRESSES = 14 + 8, MESSAGE = 14 + 40, ICMP = 58 };
	uint32_t sum = (uint32_t)(size - MESSAGE) + ICMP;
	for (size_t i = ADDRESSES; i < size; i++)
		sum += (uint32_t)frame[i] << (i % 2 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

enum { OVERRIDE = 0x20 };

size_t write_neighbour(uint8_t *frame, const uint8_t *hardware, const uint8_t *address, bool advertise)
{
	uint8_t target[16] = { 0xff, 2, [15] = 1 }, multicast[HARDWARE] = { 0x33, 0x33 }, nobody[16] = { 0 };
	const uint8_t solicited[16] = { 0xff, 2, [11] = 1, 0xff, address[13], address[14], address[15] };
	uint8_t size = advertise ? 32 : 24;
	const uint8_t head[] = { 0x86, 0xdd, 0x60, 0, 0, 0, 0, size, 58, 255 };
	const uint8_t message[] = { advertise ? ADVERTISEMENT : SOLICITATION, 0, 0, 0, advertise ? OVERRIDE : 0, 0, 0, 0 };
	const uint8_t option[] = { 2, 1 };
	if (!advertise)
		memcpy(target, solicited, sizeof target);
	memcpy(multicast + 2, target + 12, 4);
	size_t at = put_bytes(frame, 0, multicast, HARDWARE);
	at = put_bytes(frame, at, hardware, HARDWARE);
	at = put_bytes(frame, at, head, sizeof head);
	at = put_bytes(frame, at, advertise ? address : nobody, 16);
	at = put_bytes(frame, at, target, 16);
	at = put_bytes(frame, at, message, sizeof message);
	at = put_bytes(frame, at, address, 16);
	if (advertise) {
		at = put_bytes(frame, at, option, sizeof option);
		at = put_bytes(frame, at, hardware, HARDWARE);
	}
	uint16_t sum = checksum(frame, at);
	frame[14 + 40 + 2] = (uint8_t)(sum >> 8);
	frame[14 + 40 + 3] = (uint8_t)sum;
	return at;
}

void send_frame(int socket, int index, const uint8_t *frame, size_t size)
{
	struct link_address to = { .family = AF_PACKET, .index = index, .size = HARDWARE };
	memcpy(to.bytes, frame, HARDWARE);
	SYS(NR_sendto, socket, frame, size, 0, &to, sizeof to); /* what is not sent is as what is lost on the way */
}

void announce(int index, const struct network *network)
{
	uint8_t frame[FRAME];
	int socket = (int)SYS(NR_socket, AF_PACKET, SOCK_RAW_CLOEXEC, 0);
	for (int round = 0; round < ANNOUNCEMENTS; round++)
		for (size_t i = 0; i < network->address_count; i++) {
			const struct address *address = &network->addresses[i];
			size_t size = address->six ? write_neighbour(frame, network->hardware, address->bytes, true) :
						     write_arp(frame, network->hardware, address->bytes, address->bytes);
			send_frame(socket, index, frame, size);
		}
	SYS(NR_close, socket);
}
