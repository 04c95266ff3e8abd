/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See network.h. */
#include "announce.h"
#include "lines.h"
#include "netlink.h"

enum { CLONE_NEWNET = 0x40000000, AF_INET = 2, AF_INET6 = 10 };
enum { IFA_ADDRESS = 1, IFA_LOCAL = 2, IFA_BROADCAST = 4, IFA_F_NODAD = 2, RT_TABLE_MAIN = 254, RTPROT_STATIC = 4, RTN_UNICAST = 1 };
enum { RTA_OIF = 4, RTA_GATEWAY = 5, LOOPBACK = 1, CARRIER_TIME = 1000 /* ms */, CARRIER_PAUSE = 1, LAST_WORDS = 500 };
static const char interface[] = "eth0", port[] = "tp%d", own_network[] = "/proc/self/ns/net";

/* --- what is wanted ------------------------------------------------------------------------------------------------ */

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

size_t length_of(const struct address *address)
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

/* --- plugging ------------------------------------------------------------------------------------------------------ */

/*
 * Whether what a program sends to itself arrives. While it is dumped or restored one end of a connection is there and the other is not yet, or no longer
 * what it was: a refusal would end the connection, and data that passed in between be known to one end only. A queue without room drops everything; a
 * kernel that has none (CONFIG_NET_SCHED) goes on as it does. A criu that does not know its kernel yet connects with itself, and waits for that.
 */
static void pass_inside(int inside, bool passes)
{
	enum { ROOT = -1 /* TC_H_ROOT */, TCA_KIND = 1, TCA_OPTIONS = 2 }; /* linux/rtnetlink.h, linux/pkt_sched.h */
	struct {
		uint8_t family, pad[3];
		int32_t index;
		uint32_t handle, parent, info;
	} header = { .index = LOOPBACK, .parent = (uint32_t)ROOT };
	uint32_t room = 0;
	struct request request;
	if (!passes && !file_exists("/run/criu.kdat") /* KERNDAT_CACHE_FILE, criu/kerndat.c */)
		return;
	begin(&request, passes ? RTM_DELQDISC : RTM_NEWQDISC, passes ? 0 : NLM_F_CREATE, &header, sizeof header);
	if (!passes) {
		add(&request, TCA_KIND, "pfifo", sizeof "pfifo");
		add(&request, TCA_OPTIONS, &room, sizeof room);
	}
	ask(inside, &request);
}

/* The caller is in the namespace of `inside`. What is sent before the link is there is lost. */
static long plug_port(int outside, int inside, const struct network *network)
{
	struct link link;
	long result = find_link(inside, interface, &link), until = now() + CARRIER_TIME;
	pass_inside(inside, true);
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
	else if (result == 0)
		pass_inside(inside, false);
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
	else if ((result = find_link(inside, interface, &link)) == 0 && (result = set_up(outside, link.peer, false)) == 0)
		pass_inside(inside, false);
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

void remove_network(void)
{
	struct request request;
	struct link link;
	hear_out(LAST_WORDS);
	int netlink = open_netlink();
	if (find_link(netlink, interface, &link) == 0) {
		struct link_header header = { .index = link.index };
		begin(&request, RTM_DELLINK, 0, &header, sizeof header);
		ask(netlink, &request); /* what is left the kernel removes */
	}
	SYS(NR_close, netlink);
}
