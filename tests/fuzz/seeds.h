/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Where fuzzing begins: the packets of edge.jsonl, those of clients, and one of
 * each kind that nodes send each other, in all mixes of families, with right
 * tags. Built here from the builders of the packet tests; nothing is stored.
 */
#pragma once

#include "repair.h"
#include "tests/packet/edges.h"
#include "tests/packet/rows.h"

#define SEEDS_MAX 512

static struct frame seeds[SEEDS_MAX];
static int n_seeds;

static inline struct frame *seed_next(void)
{
	cr_assert(n_seeds < SEEDS_MAX);
	return &seeds[n_seeds++];
}

static inline void seed_tcp(struct tcp t) { build_tcp(seed_next(), &t); }
static inline void seed_data(struct tun t, struct tcp in) { build_data(seed_next(), &t, &in); }

static inline void seeds_client(int family)
{
	static const int flags[] = { SYN, SYN | ACK, ACK, ACK | PSH, ACK | FIN, RST, RST | ACK, NO_FLAGS };

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		seed_tcp((struct tcp){ .family = family, .flags = flags[i], .payload = i * 3 });
	for (unsigned tos = 0; tos < 4; tos++)
		seed_tcp((struct tcp){ .family = family, .tos = 0xb8 | tos, .payload = 1 });
	seed_tcp((struct tcp){ .family = family, .doff = 8, .payload = 100 });
	seed_tcp((struct tcp){ .family = family, .payload = 1460 });
	for (unsigned overhead = 52; overhead <= 72; overhead += 20) /* what just fits, and what does not */
		for (unsigned more = 0; more < 2; more++)
			seed_tcp((struct tcp){ .family = family,
					       .payload = MTU - overhead - (family == 6 ? 60 : 40) + more });
	seed_tcp((struct tcp){ .family = family, .pad = 6 });
	seed_tcp((struct tcp){ .family = family, .proto = 17 });
	seed_tcp((struct tcp){ .family = family, .vlan = true });
	seed_tcp((struct tcp){ .family = family, .ihl = family == 4 ? 7 : 0, .ext = family == 6 ? 60 : 0 });
	if (family == 6)
		return;
	seed_tcp((struct tcp){ .dst = "203.0.113.2", .dport = 80 });
	seed_tcp((struct tcp){ .dst = "203.0.113.3" });
	seed_tcp((struct tcp){ .dst = "203.0.113.4", .dport = 1031 });
	seed_tcp((struct tcp){ .frag = 0x2000, .payload = 32 });
	seed_tcp((struct tcp){ .frag = 0x0005, .payload = 32 });
}

static inline void seeds_data(int outer, int inner)
{
	for (unsigned kind = HW_KIND_CARRY; kind <= HW_KIND_RETURN; kind++) {
		for (unsigned ecn = 0; ecn < 16; ecn++)
			seed_data((struct tun){ .family = outer, .kind = kind, .tos = ecn & 3, .ttl = 61 },
				  (struct tcp){ .family = inner, .tos = ecn >> 2, .payload = ecn });
		seed_data((struct tun){ .family = outer, .kind = kind }, (struct tcp){ .family = inner, .payload = 1300 });
		seed_data((struct tun){ .family = outer, .kind = kind, .key_id = OTHER_KEY },
			  (struct tcp){ .family = inner, .doff = 7, .flags = RST, .ihl = inner == 4 ? 8 : 0 });
	}
}

static inline void seed_control(int family, unsigned kind, unsigned flows, size_t pad)
{
	struct tun t = { .family = family, .kind = kind, .port = 6081 };
	uint8_t m[16 + 48 * HW_ASK_FLOWS] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	struct hw_ask *ask = (void *)m;
	size_t len = flows ? 16 + 48 * flows : 160;

	if (flows)
		ask->count = flows;
	else
		set16(m + 20, (family == 6 ? 40 : 20) + 32 + len + pad);
	for (unsigned i = 0; i < flows; i++) {
		struct hw_addr client = addr_of(i & 1 ? CLIENT6 : CLIENT4), vip = addr_of(i & 1 ? VIP6 : VIP4);

		memcpy(ask->flows[i].client, client.b, 16);
		memcpy(ask->flows[i].vip, vip.b, 16);
		ask->flows[i].client_port = htons(40000);
		ask->flows[i].vip_port = htons(443);
		ask->flows[i].tcp_flags = ACK;
	}
	build_control(seed_next(), &t, m, len, pad);
}

/* The same packet, to a VIP of ours. */
static inline void seed_to_vip(const struct frame *edge)
{
	struct hw_addr vip = addr_of(edge_is6(edge) ? VIP6 : VIP4);
	struct frame *f = seed_next();

	*f = *edge;
	if (edge_is6(f) && f->len >= ETH + 40)
		memcpy(f->b + ETH + 24, vip.b, 16);
	else if (f->len >= ETH + 20)
		memcpy(f->b + ETH + 16, vip.b + 12, 4);
	repair(f, REPAIR_SUMS);
}

static inline void seeds_make(void)
{
	if (!n_edges)
		edges_read();
	for (int i = 0; i < n_edges; i++) {
		*seed_next() = edges[i].frame;
		seed_to_vip(&edges[i].frame);
	}
	seeds_client(4);
	seeds_client(6);
	for (int i = 0; i < MIXES; i++)
		seeds_data(mixes[i].outer, mixes[i].inner);
	for (int family = 4; family <= 6; family += 2) {
		for (unsigned kind = HW_KIND_ASK; kind <= HW_KIND_ANSWER; kind++)
			for (unsigned flows = 1; flows <= HW_ASK_FLOWS; flows += 7)
				seed_control(family, kind, flows, 0);
		seed_control(family, HW_KIND_PING, 0, 0);
		seed_control(family, HW_KIND_PING, 0, 700);
		seed_control(family, HW_KIND_PONG, 0, 0);
	}
}
