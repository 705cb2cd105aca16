/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Rows of the maps, as values: the nodes of the tests and the ways to them,
 * keys and VIPs, as maps.h demands them of the agent. world.h puts them into
 * the kernel's maps, the fuzzer into tables of its own.
 */
#pragma once

#include "frame.h"

#define NODE_FAR  3     /* its way is another NIC */
#define NODE_GONE 4     /* known, no next hop */
#define NODE6_FAR 13    /* the same, IPv6 endpoint */
#define NODE_MAX  1023
#define OTHER_KEY 9     /* valid, does not sign */
#define MTU       1500

static const struct way {
	unsigned id;
	const char *self, *address; /* endpoints: ours, its */
	bool far, usable;
} ways[] = {
	{ SELF, SELF_IP4, SELF_IP4, false, false },
	{ PEER, SELF_IP4, PEER_IP4, false, true },
	{ NODE_FAR, SELF_IP4, "198.51.100.3", true, true },
	{ NODE_GONE, SELF_IP4, "198.51.100.4", false, false },
	{ NODE_MAX, SELF_IP4, "198.51.100.250", false, true },
	{ PEER6, SELF_IP6, PEER_IP6, false, true },
	{ NODE6_FAR, SELF_IP6, "2001:db8:e::3", true, true },
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

/* With all that is constant for packets to it. */
static inline struct hw_node node_row(const struct way *way, unsigned ifindex)
{
	static const struct frame nothing;
	struct hw_node node = { .usable = way->usable, .ifindex = ifindex, .mtu = MTU, .addr = addr_of(way->address) };
	bool six = strchr(way->address, ':');
	struct tun t = { .family = six ? 6 : 4, .from_self = true, .from = way->self, .to = way->address,
			 .no_check = true };
	size_t ip = six ? 40 : 20;
	struct frame f;

	build_tun(&f, &t, &nothing, 0, (const uint8_t[8]){ 0 });
	/* what the program fills in: lengths, header checksum, source port, key id, flow label */
	if (six) {
		set16(f.b + ETH + 2, 0);
		set16(f.b + ETH + 4, 0);
	} else {
		set16(f.b + ETH + 2, 0);
		set16(f.b + ETH + 10, 0);
	}
	set16(f.b + ETH + ip, 0);
	set16(f.b + ETH + ip + 4, 0);
	f.b[ETH + ip + 8 + 13] = 0;
	node.overhead = f.len - ETH;
	memcpy(node.head, f.b, f.len);
	node.ip_sum = six ? 0 : htons(sum_bytes(f.b + ETH, 20, 0));
	node.udp_sum = htons(sum_bytes(f.b + ETH + ip, 8 + 24, sum_pseudo(six ? 6 : 4, f.b + ETH + (six ? 8 : 12), 17, 0)));
	snprintf(node.name, sizeof(node.name), "node%u", way->id);
	return node;
}

static inline struct hw_key key_row(unsigned id)
{
	struct hw_key key = { .valid = 1 };

	for (int i = 0; i < 16; i++) {
		((uint8_t *)key.data)[i] = test_key(0, i) + id;
		((uint8_t *)key.control)[i] = test_key(1, i) + id;
	}
	return key;
}

static inline struct hw_vip vip_row(const char *address, unsigned id, unsigned flags, unsigned n, const uint16_t *ports)
{
	struct hw_vip vip = { .id = id, .flags = flags, .n_tcp = n };

	if (n)
		memcpy(vip.tcp, ports, n * sizeof(*ports));
	snprintf(vip.address, sizeof(vip.address), "%s", address);
	return vip;
}
