/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See network.h. Frames of ARP: RFC 826, announcements and probes: RFC 5227; of neighbour discovery: RFC 4861. */
#include "network.h"
#include "netlink.h"

enum { CLONE_NEWNET = 0x40000000, AF_INET = 2, AF_INET6 = 10, AF_PACKET = 17, SOCK_RAW_CLOEXEC = 3 | 02000000, SOCK_DGRAM_CLOEXEC = 2 | 02000000 };
enum { IFA_ADDRESS = 1, IFA_LOCAL = 2, IFA_BROADCAST = 4, IFA_F_NODAD = 2, RT_TABLE_MAIN = 254, RTPROT_STATIC = 4, RTN_UNICAST = 1 };
enum { RTA_OIF = 4, RTA_GATEWAY = 5, LOOPBACK = 1, ETH_P_ALL = 3, FRAME = 128, POLLIN = 1 };
enum { CARRIER_TIME = 1000 /* ms */, CARRIER_PAUSE = 1, PROBES = 3, ANNOUNCEMENTS = 2 };
enum { SOL_TCP = 6, SOL_SOCKET = 1, SO_REUSEADDR = 2, TCP_REPAIR = 19, TCP_REPAIR_ON = 1, TCP_REPAIR_OFF_NO_PROBE = -1 };
static const char interface[] = "eth0", port[] = "tp%d", own_network[] = "/proc/self/ns/net";

/* --- what is wanted ------------------------------------------------------------------------------------------------ */

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Takes bytes in hexadecimal, at most so many; how many there were. */
static size_t take_bytes(const char **text, uint8_t *bytes, size_t most)
{
	size_t count = 0;
	for (; count < most && digit((*text)[0]) >= 0 && digit((*text)[1]) >= 0; *text += 2)
		bytes[count++] = (uint8_t)(digit((*text)[0]) << 4 | digit((*text)[1]));
	return count;
}

static bool take_address(const char **text, struct address *address)
{
	size_t count = take_bytes(text, address->bytes, sizeof address->bytes);
	unsigned prefix = 0;
	address->six = count == 16;
	if (count != 4 && count != 16)
		return false;
	if (**text != '/')
		return true;
	for (++*text; **text >= '0' && **text <= '9' && prefix < 1000; ++*text)
		prefix = prefix * 10 + (unsigned)(**text - '0');
	address->prefix = (uint8_t)prefix;
	return prefix > 0 && prefix <= count * 8;
}

bool parse_network(const char *text, struct network *network)
{
	size_t size = 0;
	*network = (struct network){ 0 };
	for (; *text && *text != ',' && size < NAME - 1; text++)
		network->bridge[size++] = *text;
	if (*text++ != ',' || take_bytes(&text, network->hardware, HARDWARE) != HARDWARE)
		return false;
	while (*text == ',') {
		bool gateway = *++text == '>';
		size_t *count = gateway ? &network->gateway_count : &network->address_count;
		if (*count == MOST_ADDRESSES)
			return false;
		text += gateway;
		if (!take_address(&text, &(gateway ? network->gateways : network->addresses)[(*count)++]))
			return false;
	}
	return !*text && size;
}

/* --- interfaces ---------------------------------------------------------------------------------------------------- */

static size_t length_of(const struct address *address)
{
	return address->six ? 16 : 4;
}

static long add_port(int outside, const struct network *network, int bridge, int namespace)
{
	struct request request;
	struct link_header header = { 0 };
	begin(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof header);
	add(&request, IFLA_IFNAME, port, sizeof port);
	add(&request, IFLA_MASTER, &bridge, sizeof bridge);
	size_t info = begin_nest(&request, IFLA_LINKINFO);
	add(&request, IFLA_INFO_KIND, "veth", 5);
	size_t data = begin_nest(&request, IFLA_INFO_DATA), peer = begin_nest(&request, VETH_INFO_PEER);
	memcpy(request.data + request.size, &header, sizeof header);
	request.size += sizeof header;
	add(&request, IFLA_IFNAME, interface, sizeof interface);
	add(&request, IFLA_ADDRESS, network->hardware, HARDWARE);
	add(&request, IFLA_NET_NS_FD, &namespace, sizeof namespace);
	end_nest(&request, peer);
	end_nest(&request, data);
	end_nest(&request, info);
	return ask(outside, &request);
}

static long add_address(int inside, int index, const struct address *address)
{
	struct {
		uint8_t family, prefix, flags, scope;
		uint32_t index;
	} header = { address->six ? AF_INET6 : AF_INET, address->prefix, IFA_F_NODAD, 0, (uint32_t)index };
	struct request request;
	uint8_t broadcast[4];
	begin(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof header);
	add(&request, IFA_LOCAL, address->bytes, length_of(address));
	add(&request, IFA_ADDRESS, address->bytes, length_of(address));
	for (size_t i = 0; i < sizeof broadcast; i++) {
		unsigned fixed = address->prefix > i * 8 ? address->prefix - (unsigned)i * 8 : 0;
		broadcast[i] = address->bytes[i] | (uint8_t)(fixed < 8 ? 0xff >> fixed : 0);
	}
	if (!address->six && address->prefix < 31)
		add(&request, IFA_BROADCAST, broadcast, sizeof broadcast);
	return ask(inside, &request);
}

static long add_gateway(int inside, int index, const struct address *gateway)
{
	struct {
		uint8_t family, destination, source, service, table, protocol, scope, type;
		uint32_t flags;
	} header = { .family = gateway->six ? AF_INET6 : AF_INET, .table = RT_TABLE_MAIN, .protocol = RTPROT_STATIC, .type = RTN_UNICAST };
	struct request request;
	begin(&request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof header);
	add(&request, RTA_GATEWAY, gateway->bytes, length_of(gateway));
	add(&request, RTA_OIF, &index, sizeof index);
	return ask(inside, &request);
}

static long set_up_inside(int inside, const struct network *network)
{
	struct link link;
	long result = set_up(inside, LOOPBACK, true);
	if (result == 0)
		result = find_link(inside, interface, &link);
	if (result == 0)
		result = set_up(inside, link.index, true);
	for (size_t i = 0; i < network->address_count && result == 0; i++)
		result = add_address(inside, link.index, &network->addresses[i]);
	for (size_t i = 0; i < network->gateway_count && result == 0; i++)
		result = add_gateway(inside, link.index, &network->gateways[i]);
	return result;
}

/* --- announcements ------------------------------------------------------------------------------------------------- */

struct link_address {
	uint16_t family, protocol;
	int32_t index;
	uint16_t type;
	uint8_t kind, size, bytes[8];
};
_Static_assert(sizeof(struct link_address) == 20, "struct sockaddr_ll");

static const uint8_t everyone[HARDWARE] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

static size_t put_bytes(uint8_t *frame, size_t at, const void *bytes, size_t size)
{
	memcpy(frame + at, bytes, size);
	return at + size;
}

/* An ARP request. `sender`: zeros in a probe, the same address in an announcement. */
static size_t write_arp(uint8_t *frame, const uint8_t *hardware, const uint8_t *sender, const uint8_t *address)
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

enum { SOLICITATION = 135, ADVERTISEMENT = 136, OVERRIDE = 0x20 };

/* A message about an IPv6 address: an advertisement to all nodes, or a solicitation without a sender (a probe) to those that may have it. */
static size_t write_neighbour(uint8_t *frame, const uint8_t *hardware, const uint8_t *address, bool advertise)
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

static void send_frame(int socket, int index, const uint8_t *frame, size_t size)
{
	struct link_address to = { .family = AF_PACKET, .index = index, .size = HARDWARE };
	memcpy(to.bytes, frame, HARDWARE);
	SYS(NR_sendto, socket, frame, size, 0, &to, sizeof to); /* what is not sent is as what is lost on the way */
}

static void announce(int index, const struct network *network)
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

/* --- plugging ------------------------------------------------------------------------------------------------------ */

/* The caller is in the namespace of `inside`. What is sent before the link is there is lost. */
static long plug_port(int outside, int inside, const struct network *network)
{
	struct link link;
	long result = find_link(inside, interface, &link), until = now() + CARRIER_TIME;
	if (result == 0)
		result = set_up(outside, link.peer, true);
	while (result == 0 && !(link.flags & IFF_RUNNING) && now() < until) {
		rest(CARRIER_PAUSE);
		result = find_link(inside, interface, &link);
	}
	if (result == 0)
		announce(link.index, network);
	return result;
}

long make_network(const struct network *network, bool plugged)
{
	struct link bridge;
	int outside = open_netlink(), inside = -1, namespace = -1;
	long result = outside < 0 ? outside : find_link(outside, network->bridge, &bridge);
	if (result == 0)
		result = SYS(NR_unshare, CLONE_NEWNET);
	if (result == 0 && ((inside = open_netlink()) < 0 || (namespace = open_file(own_network, O_RDONLY)) < 0))
		result = inside < 0 ? inside : namespace;
	if (result == 0)
		result = add_port(outside, network, bridge.index, namespace);
	if (result == 0)
		result = set_up_inside(inside, network);
	if (result == 0 && plugged)
		result = plug_port(outside, inside, network);
	SYS(NR_close, outside);
	SYS(NR_close, inside);
	SYS(NR_close, namespace);
	return result;
}

long enter_network(int pid)
{
	int namespace = open_file(format("/proc/%d/ns/net", (long)pid), O_RDONLY);
	long result = namespace < 0 ? namespace : SYS(NR_setns, namespace, CLONE_NEWNET);
	SYS(NR_close, namespace);
	return result;
}

/* `network`: it is plugged in, NULL: unplugged. */
static long change(int pid, const struct network *network)
{
	struct link link;
	int home = open_file(own_network, O_RDONLY), outside = open_netlink(), inside = -1;
	long result = home < 0 ? home : outside < 0 ? outside : enter_network(pid);
	if (result < 0)
		return result;
	inside = open_netlink();
	if (network)
		result = plug_port(outside, inside, network);
	else if ((result = find_link(inside, interface, &link)) == 0)
		result = set_up(outside, link.peer, false);
	SYS(NR_setns, home, CLONE_NEWNET);
	SYS(NR_close, inside);
	SYS(NR_close, outside);
	SYS(NR_close, home);
	return result;
}

long plug(int pid, const struct network *network)
{
	return change(pid, network);
}

long unplug(int pid)
{
	return change(pid, NULL);
}

/* --- half-made connections ------------------------------------------------------------------------------------------ */

enum { TCP_SYN_RECV = 3, TCP_TIME_WAIT = 6, TCP_CLOSE = 7, TCP_LISTEN = 10, END_TIME = 500 /* ms */, FIELD_STATE = 3, FIELD_QUEUES = 4, UNPLUGGED_TIME = 50 /* ms */, PLUGGED_TIME = 10, ACCEPT_PAUSE = 2, HEAD_FIELDS = 100 };

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
		scan->number = scan->number << 4 | (uint32_t)(digit(c | 0x20) & 15);
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

void remove_network(void)
{
	struct request request;
	struct link link;
	struct scan scan;
	long until = now() + END_TIME;
	do {
		scan = (struct scan){ 0 };
		scan_connections("/proc/self/net/tcp", &scan);
		scan_connections("/proc/self/net/tcp6", &scan);
	} while (scan.others && now() < until && (rest(ACCEPT_PAUSE), true));
	int netlink = open_netlink();
	if (find_link(netlink, interface, &link) == 0) {
		struct link_header header = { .index = link.index };
		begin(&request, RTM_DELLINK, 0, &header, sizeof header);
		ask(netlink, &request); /* what is left the kernel removes */
	}
	SYS(NR_close, netlink);
}

/* --- connections --------------------------------------------------------------------------------------------------- */

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

/* --- who has an address -------------------------------------------------------------------------------------------- */

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
	struct {
		int fd;
		short events, found;
	} poll = { socket, POLLIN, 0 };
	for (long left; (left = until - now()) > 0;) {
		struct timespec time = { left / 1000, left % 1000 * 1000000 };
		if (SYS(NR_ppoll, &poll, 1, &time, 0) <= 0)
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

static const char *hexadecimal(const uint8_t *bytes, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	char *text = allocate(size * 2 + 1);
	for (size_t i = 0; i < size; i++) {
		text[i * 2] = digits[bytes[i] >> 4];
		text[i * 2 + 1] = digits[bytes[i] & 15];
	}
	return text;
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
		print(out, "%s[%j, %j]", i ? ", " : "", hexadecimal(address->bytes, length_of(address)),
		      answers[i].own ? "own" : answers[i].answered ? hexadecimal(answers[i].hardware, HARDWARE) : "");
	}
	print(out, "]}");
	SYS(NR_close, socket);
	SYS(NR_close, netlink);
	return result;
}
