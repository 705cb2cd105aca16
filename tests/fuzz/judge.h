/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What must be true of every packet, whatever it was: the frame that came out
 * is held against the one that went in and the verdict. Passed is unchanged,
 * carried has its inner packet unchanged behind headers that are built here a
 * second time; returned and answered packets are compared field by field.
 * Shares code with the packet tests, none with the program.
 */
#pragma once

#include <criterion/criterion.h>

#include "repair.h"
#include "tests/packet/rows.h"

static const struct way *way_of(unsigned id)
{
	for (size_t i = 0; i < WAYS; i++)
		if (ways[i].id == id)
			return &ways[i];
	return NULL;
}

static inline void same_bytes(const struct frame *a, size_t at, const struct frame *b, size_t bt, size_t n, const char *what)
{
	cr_assert(at + n <= a->len && bt + n <= b->len, "%s: too short", what);
	for (size_t i = 0; i < n; i++)
		cr_assert(a->b[at + i] == b->b[bt + i], "%s: byte %zu was %02x, is %02x", what, i, a->b[at + i],
			  b->b[bt + i]);
}

/* How far the checksum over these bytes is from right; it may be wrong on the way in, but not become so. */
static inline unsigned sum_error(const struct frame *f, size_t at, size_t n, uint32_t sum)
{
	return sum_bytes(f->b + at, n, sum) % 0xffff;
}

static inline unsigned udp_error(const struct frame *f, const struct place *p)
{
	size_t len = p->at + p->len - p->l4;

	return sum_error(f, p->l4, len, sum_pseudo(p->family, place_addrs(f, p), 17, len));
}

static inline struct place outer_of(const struct frame *f)
{
	struct place p;

	cr_assert(place_find(f, ETH, get16(f->b + 12), &p), "no IP packet");
	cr_assert(p.at + p.len <= f->len, "IP length %zu in a frame of %zu", p.len, f->len);
	return p;
}

/* A packet of another node: the checks that tunnel.h must have made. Returns the outer headers. */
static inline struct place judge_tunnel(const struct frame *f, int endpoint)
{
	struct place out = outer_of(f);
	struct hw_addr us = addr_of(endpoint == 6 ? SELF_IP6 : SELF_IP4), from;
	const uint8_t *g = f->b + out.l4 + 8, *addrs = place_addrs(f, &out);
	size_t n = out.family == 6 ? 16 : 4;
	const struct way *way;
	uint8_t tag[8];

	cr_assert(out.family == endpoint && out.proto == 17 && out.l4 == out.at + (out.family == 6 ? 40 : 20));
	cr_assert(out.len >= out.l4 - out.at + 32 && get16(f->b + out.l4 + 2) == 6081);
	cr_assert(get16(f->b + out.l4 + 4) + out.l4 == out.at + out.len && get16(f->b + out.l4 + 6));
	cr_assert(out.family == 6 || !(get16(f->b + out.at + 6) & 0x3fff), "a fragment");
	cr_assert(g[0] == 4 && get32(g + 4) == NETWORK << 8 && get32(g + 8) == 0xff488103);
	cr_assert(g[1] == (get16(g + 2) == 0x88b5 ? 0xc0 : 0x40));
	way = way_of(get16(g + 14));
	cr_assert(way && way->id != SELF, "from node %u", get16(g + 14));
	from = addr_of(way->address);
	cr_assert(memcmp(addrs, from.b + 16 - n, n) == 0 && memcmp(addrs + n, us.b + 16 - n, n) == 0, "not its endpoint");
	cr_assert(g[13] == KEY_ID || g[13] == OTHER_KEY);
	cr_assert(tag_of(f, out.l4 + 8, SELF, tag) && memcmp(tag, g + 16, 8) == 0, "the tag is wrong");
	return out;
}

/* No node may carry what comes from these. */
static const struct {
	const char *prefix;
	unsigned bits;
} no_clients[] = {
	{ "0.0.0.0", 8 }, { "127.0.0.0", 8 }, { "169.254.0.0", 16 }, { "224.0.0.0", 3 }, { "::", 128 }, { "::1", 128 },
	{ "fe80::", 10 }, { "ff00::", 8 }, { VIP4, 32 }, { VIP6, 128 }, { SELF_IP4, 32 }, { PEER_IP4, 32 },
	{ SELF_IP6, 128 }, { PEER_IP6, 128 },
};

static inline void judge_client(const struct frame *f, const struct place *in)
{
	const uint8_t *src = place_addrs(f, in);

	for (size_t i = 0; i < sizeof(no_clients) / sizeof(no_clients[0]); i++) {
		bool six = strchr(no_clients[i].prefix, ':');
		struct hw_addr p = addr_of(no_clients[i].prefix);
		unsigned bits = no_clients[i].bits, same = 0;

		if (six != (in->family == 6))
			continue;
		while (same < bits && !((src[same / 8] ^ p.b[same / 8 + (six ? 0 : 12)]) << same % 8 & 0x80))
			same++;
		cr_assert(same < bits, "a packet from %s is carried", no_clients[i].prefix);
	}
}

/* What a node may carry: TCP to a VIP, whole, no bare SYN. Returns the inner headers. */
static inline struct place judge_inner(const struct frame *f, const struct place *out)
{
	struct place in;
	unsigned flags;

	cr_assert(place_find(f, out->l4 + 32, get16(f->b + out->l4 + 10), &in));
	cr_assert(in.at + in.len == out->at + out->len, "inner and outer length");
	cr_assert(in.proto == 6 && in.l4 + 20 <= in.at + in.len);
	cr_assert(in.family == 6 || !(get16(f->b + in.at + 6) & 0x3fff), "a fragment is carried");
	flags = f->b[in.l4 + 13];
	cr_assert((flags & (SYN | ACK | RST | FIN)) != SYN, "a bare SYN is carried");
	judge_client(f, &in);
	return in;
}

/* A stray on its way to `home`; tag: what the flow's entry had, NULL: made anew. */
static inline void judge_carry(const struct frame *in, const struct frame *out, unsigned home, unsigned port,
			       const uint8_t *tag)
{
	const struct way *way = way_of(home);
	struct frame inner = { .len = 0 }, want;
	struct tun t = { .from_self = true, .dest = home, .port = port };
	size_t head;
	struct place p, q;
	uint8_t made[8];

	cr_assert(way && way->usable, "carried to node %u", home);
	cr_assert(place_find(in, ETH, get16(in->b + 12), &p) && p.at + p.len <= in->len && p.proto == 6);
	t.family = strchr(way->address, ':') ? 6 : 4;
	t.from = way->self;
	t.to = way->address;
	t.tos = p.family == 4 ? in->b[p.at + 1] : get16(in->b + p.at) >> 4;
	put(&inner, in->b, p.at + p.len);
	/* the outer checksum is made as if the inner ones were right (local checksum offload) */
	cr_assert(place_find(&inner, ETH, get16(in->b + 12), &q));
	repair_sums(&inner, &q, 16);
	memmove(inner.b, inner.b + ETH, inner.len -= ETH);
	tun_tag(&t, get16(in->b + 12), get16(in->b + p.l4), get16(in->b + p.l4 + 2), place_addrs(in, &p),
		p.family == 6 ? 32 : 8, made);
	build_tun(&want, &t, &inner, get16(in->b + 12), tag ? tag : made);
	head = want.len - inner.len;
	cr_assert(out->len == in->len + head - ETH && want.len - ETH <= MTU);
	same_bytes(&want, 0, out, 0, head, "outer headers");
	same_bytes(in, ETH, out, head, in->len - ETH, "carried packet");
}

/* RFC 6040 section 4.2, figure 4: columns are Not-ECT, ECT(1), ECT(0), CE of the outer header; 4: drop. */
static const uint8_t ecn_table[4][4] = { { 0, 0, 0, 4 }, { 1, 1, 1, 3 }, { 2, 1, 2, 3 }, { 3, 3, 3, 3 } };

static inline unsigned tos_of(const struct frame *f, const struct place *p)
{
	return p->family == 4 ? f->b[p->at + 1] : get16(f->b + p->at) >> 4 & 0xff;
}

static inline void judge_deliver(const struct frame *in, const struct frame *out, int endpoint)
{
	struct place o = judge_tunnel(in, endpoint), i = judge_inner(in, &o);
	unsigned tos = tos_of(in, &i), ecn = ecn_table[tos & 3][tos_of(in, &o) & 3];
	struct frame want = { .len = 0 };
	struct place p;

	cr_assert(in->b[o.l4 + 8 + 12] == HW_KIND_CARRY);
	put(&want, in->b, 12);
	put(&want, in->b + o.l4 + 10, 2);
	put(&want, in->b + i.at, in->len - i.at);
	cr_assert(ecn < 4, "CE over Not-ECT is delivered");
	tos = (tos & ~3u) | ecn;
	cr_assert(out->len == want.len && place_find(&want, ETH, get16(want.b + 12), &p));
	if (p.family == 4) {
		size_t header = p.l4 - p.at;

		want.b[p.at + 1] = tos;
		cr_assert(sum_error(in, i.at, header, 0) == sum_error(out, ETH, header, 0), "IPv4 checksum");
		memcpy(want.b + p.at + 10, out->b + p.at + 10, 2);
	} else {
		set16(want.b + p.at, (get16(want.b + p.at) & 0xf00f) | tos << 4);
	}
	same_bytes(&want, 0, out, 0, want.len, "delivered packet");
}

/* Source and destination have changed places, it is ours now, made with the signing key, and the tag is right. */
static inline struct place judge_turned(const struct frame *in, const struct frame *out, const struct place *o,
					unsigned kind)
{
	struct place p = outer_of(out);
	size_t n = o->family == 6 ? 16 : 4, addrs = o->at + (o->family == 6 ? 8 : 12), g = o->l4 + 8;
	uint8_t tag[8];

	same_bytes(in, 0, out, 6, 6, "MAC address");
	same_bytes(in, 6, out, 0, 6, "MAC address");
	same_bytes(in, addrs, out, addrs + n, n, "outer address");
	same_bytes(in, addrs + n, out, addrs, n, "outer address");
	cr_assert(p.family == o->family && p.proto == 17 && p.l4 == o->l4);
	cr_assert(out->b[p.at + (p.family == 6 ? 7 : 8)] == 64, "TTL");
	cr_assert(p.family == 6 || sum_error(in, ETH, 20, 0) == sum_error(out, ETH, 20, 0), "IPv4 checksum");
	cr_assert(p.family == 6 || out->b[p.at + 1] == in->b[p.at + 1]);
	cr_assert(get16(out->b + p.l4 + 2) == 6081 && get16(out->b + p.l4 + 4) + p.l4 == p.at + p.len);
	cr_assert(get16(out->b + p.l4 + 6) != 0, "no UDP checksum");
	same_bytes(in, g, out, g, 12, "Geneve header");
	cr_assert(out->b[g + 12] == kind && out->b[g + 13] == KEY_ID && get16(out->b + g + 14) == SELF);
	cr_assert(tag_of(out, g, get16(in->b + g + 14), tag) && memcmp(tag, out->b + g + 16, 8) == 0, "the tag is wrong");
	return p;
}

static inline void judge_return(const struct frame *in, const struct frame *out, int endpoint)
{
	struct place o = judge_tunnel(in, endpoint), i = judge_inner(in, &o), p;

	cr_assert(in->b[o.l4 + 8 + 12] == HW_KIND_CARRY && out->len == in->len);
	p = judge_turned(in, out, &o, HW_KIND_RETURN);
	cr_assert(udp_error(in, &o) == udp_error(out, &p), "UDP checksum");
	same_bytes(in, i.at, out, i.at, in->len - i.at, "returned packet");
}

static inline void judge_answer(const struct frame *in, const struct frame *out, int endpoint)
{
	struct place o = judge_tunnel(in, endpoint), p = judge_turned(in, out, &o, HW_KIND_ANSWER);
	size_t m = o.l4 + 32, n = 16 + 48 * in->b[m + 8];
	struct frame want = *in;

	cr_assert(in->b[o.l4 + 20] == HW_KIND_ASK && p.len == o.len && out->len == m + n);
	for (size_t at = m + 16; at < m + n; at += 48) {
		cr_assert(out->b[at + 45] <= HW_GRADE_MINE);
		want.b[at + 45] = out->b[at + 45];
	}
	same_bytes(&want, m, out, m, n, "ANSWER");
	cr_assert(udp_error(out, &p) == 0, "UDP checksum");
}

static inline void judge_pong(const struct frame *in, const struct frame *out, int endpoint)
{
	struct place o = judge_tunnel(in, endpoint), p = judge_turned(in, out, &o, HW_KIND_PONG);
	size_t m = o.l4 + 32;

	cr_assert(in->b[o.l4 + 20] == HW_KIND_PING && p.len == m - o.at + 160 && out->len == m + 160);
	cr_assert(get16(in->b + m + 20) == o.len, "a PING of another size than it says");
	same_bytes(in, m, out, m, 8, "nonce");
	same_bytes(in, m + 20, out, m + 20, 2, "size");
	cr_assert(get32(out->b + m + 16) == HW_SCHEMA && !(out->b[m + 22] & ~HW_PONG_WITNESS));
	for (size_t i = 23; i < (out->b[m + 22] ? 32 : 160); i++)
		cr_assert(out->b[m + i] == 0, "byte %zu of a PONG", i);
	cr_assert(udp_error(out, &p) == 0, "UDP checksum");
}

/* A record of the ring, made of frame `in`. */
static inline void judge_stray(const struct frame *in, const struct hw_stray *s, const uint8_t *frame, size_t size,
			       int endpoint)
{
	struct place p = outer_of(in);
	size_t len, room = size - sizeof(*s);

	if (s->returned_by) {
		p = judge_tunnel(in, endpoint);
		cr_assert(in->b[p.l4 + 20] == HW_KIND_RETURN && get16(in->b + p.l4 + 22) == s->returned_by);
		p = judge_inner(in, &p);
	}
	len = ETH + p.len;
	cr_assert(size == HW_STRAY_SMALL || size == HW_STRAY_LARGE);
	cr_assert(s->len == len && s->held == (len < room ? len : room), "%u of %u are held", s->held, s->len);
	cr_assert(s->family == p.family && s->tcp_flags == in->b[p.l4 + 13]);
	cr_assert(s->seq == get32(in->b + p.l4 + 4) && s->ack == get32(in->b + p.l4 + 8));
	cr_assert(s->key.client_port == get16(in->b + p.l4) && s->key.vip_port == get16(in->b + p.l4 + 2) &&
		  s->key.reserved == 0);
	cr_assert(memcmp(frame, in->b, 12) == 0 && get16(frame + 12) == ethertype_of(p.family));
	cr_assert(memcmp(frame + ETH, in->b + p.at, s->held - ETH) == 0, "held is not what came");
}

/* Everything but carry, which needs to know the home: see judge_carry(). */
static inline void judge(const struct frame *in, const struct frame *out, enum hw_verdict verdict, int action, int endpoint)
{
	cr_assert(action == XDP_PASS || action == XDP_DROP || action == XDP_TX || action == XDP_REDIRECT, "action %d", action);
	switch (verdict) {
	case HW_V_pass_carried:
		judge_deliver(in, out, endpoint);
		return;
	case HW_V_return_tx:
		judge_return(in, out, endpoint);
		return;
	case HW_V_answer_tx:
		judge_answer(in, out, endpoint);
		return;
	case HW_V_pong_tx:
		judge_pong(in, out, endpoint);
		return;
	default:
		break;
	}
	if (verdict == HW_V_pass_answer || verdict == HW_V_pass_pong)
		judge_tunnel(in, endpoint);
	if (action != XDP_PASS)
		return;
	cr_assert(in->len == out->len, "passed, %zu bytes became %zu", in->len, out->len);
	same_bytes(in, 0, out, 0, in->len, "passed packet");
}
