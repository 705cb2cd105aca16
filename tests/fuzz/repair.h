/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Makes a mutated frame plausible again, so that the next mutation gets past
 * the checks that the last one would have failed: lengths, checksums, and the
 * tag of what nodes send. What cannot be repaired stays as it is.
 */
#pragma once

#include "tests/packet/frame.h"

#define REPAIR_LENGTHS 1u
#define REPAIR_TAG     2u
#define REPAIR_SUMS    4u

/* An IP packet in a frame, as far as it can be told. */
struct place {
	size_t at, l4, len; /* of the header, of what follows it, of the whole packet as its header says */
	int family;
	unsigned proto;
};

static inline bool place_find(const struct frame *f, size_t at, unsigned ethertype, struct place *p)
{
	size_t header = ethertype == 0x86dd ? 40 : 20;

	if ((ethertype != 0x86dd && ethertype != 0x0800) || at + header > f->len)
		return false;
	if (ethertype == 0x0800)
		header = (f->b[at] & 15) * 4;
	if (header < 20 || at + header > f->len)
		return false;
	*p = (struct place){ .at = at, .l4 = at + header, .family = ethertype == 0x86dd ? 6 : 4 };
	p->proto = p->family == 6 ? f->b[at + 6] : f->b[at + 9];
	p->len = p->family == 6 ? 40 + get16(f->b + at + 4) : get16(f->b + at + 2);
	return true;
}

static inline const uint8_t *place_addrs(const struct frame *f, const struct place *p)
{
	return f->b + p->at + (p->family == 6 ? 8 : 12);
}

static inline void repair_length(struct frame *f, struct place *p)
{
	p->len = f->len - p->at;
	if (p->family == 6)
		set16(f->b + p->at + 4, p->len - 40);
	else
		set16(f->b + p->at + 2, p->len);
}

/* The checksum at `field` of what follows the IP header, and that of the header. */
static inline void repair_sums(struct frame *f, const struct place *p, size_t field)
{
	size_t len = p->at + p->len - p->l4;
	uint16_t check;

	if (p->family == 4) {
		set16(f->b + p->at + 10, 0);
		set16(f->b + p->at + 10, ~sum_bytes(f->b + p->at, p->l4 - p->at, 0));
	}
	if (p->at + p->len > f->len || p->l4 + field + 2 > p->at + p->len)
		return;
	set16(f->b + p->l4 + field, 0);
	check = ~sum_bytes(f->b + p->l4, len, sum_pseudo(p->family, place_addrs(f, p), p->proto, len));
	set16(f->b + p->l4 + field, field == 6 && !check ? 0xffff : check);
}

/*
 * The tag that the Geneve header at `at` ought to have, made for node `dest`
 * from what stands in the frame. False: too little is there to make one.
 */
static inline bool tag_of(const struct frame *f, size_t at, unsigned dest, uint8_t tag[8])
{
	const uint8_t *g = f->b + at, *body = g + 24;
	struct tun t = { .kind = g[12], .key_id = g[13], .source = get16(g + 14), .dest = dest,
			 .network = get32(g + 4) >> 8 };
	size_t left = f->len - at - 24, len = t.kind >= HW_KIND_PING ? 160 : 16 + 48 * (left > 8 ? body[8] : 0);
	unsigned proto = get16(g + 2);
	struct place in;

	if (is_control(&t)) {
		if (len > left)
			return false;
		tun_tag(&t, proto, 0, len, body, len, tag);
		return true;
	}
	if (!place_find(f, at + 24, proto, &in) || in.l4 + 4 > f->len)
		return false;
	tun_tag(&t, proto, get16(f->b + in.l4), get16(f->b + in.l4 + 2), place_addrs(f, &in),
		in.family == 6 ? 32 : 8, tag);
	return true;
}

static inline void repair_tunnel(struct frame *f, struct place *out, unsigned what)
{
	size_t geneve = out->l4 + 8;
	uint8_t *g = f->b + geneve, tag[8];
	bool is_inner;
	struct place in;

	is_inner = place_find(f, geneve + 24, get16(g + 2), &in);
	if (what & REPAIR_LENGTHS) {
		set16(f->b + out->l4 + 4, f->len - out->l4);
		if (is_inner)
			repair_length(f, &in);
		else if (g[12] == HW_KIND_PING && f->len >= geneve + 24 + 22)
			set16(g + 24 + 20, out->len);
	}
	if (what & REPAIR_SUMS && is_inner)
		repair_sums(f, &in, 16);
	if (what & REPAIR_TAG && tag_of(f, geneve, SELF, tag))
		memcpy(g + 16, tag, 8);
}

static inline void repair(struct frame *f, unsigned what)
{
	struct place p;

	if (f->len < ETH || !place_find(f, ETH, get16(f->b + 12), &p))
		return;
	if (what & REPAIR_LENGTHS)
		repair_length(f, &p);
	if (p.proto == 17 && p.l4 + 32 <= f->len && get16(f->b + p.l4 + 2) == 6081)
		repair_tunnel(f, &p, what);
	if (what & REPAIR_SUMS)
		repair_sums(f, &p, p.proto == 17 ? 6 : 16);
}
