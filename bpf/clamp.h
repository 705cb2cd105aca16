/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The MSS option of a SYN (RFC 9293, 3.7.1): found wherever it stands among the
 * options, lowered if it is above the limit, never raised. A SYN without one is
 * left alone: its peer then sends 536 or 1220 bytes, which always fit.
 */
#pragma once

#include "syn.h"

#define OPTIONS_MAX  40
#define OPTION_END   0
#define OPTION_NOP   1
#define OPTION_MSS   2
#define MSS_LEN      4

/* The options, and zeros (the end of options) behind them; `at` is masked by the size. */
struct options {
	__u8 b[64];
};
#define AT(i) ((i) & (sizeof(struct options) - 1))

inline_fn bool options_read(struct __sk_buff *skb, const struct syn *s, struct options *o)
{
	__u32 len = s->options;

	/* two comparisons, kept apart by the barrier: the verifier of 6.1 must see both bounds */
	if (len < MSS_LEN)
		return false;
	asm volatile("" : "+r"(len));
	if (len > OPTIONS_MAX)
		return false;
	return !bpf_skb_load_bytes(skb, s->tcp + sizeof(struct tcphdr), o, len);
}

/*
 * Where the option behind the one at `at` begins; OPTIONS_MAX: there is none. A
 * global function: its result may be any number to the verifier, so that all
 * turns of the loop below are alike to it (inline, 6.18 walks every combination).
 */
__attribute__((noinline)) __u32 hw_option_next(const struct options *o, __u32 at)
{
	__u8 kind, size;

	if (!o)
		return OPTIONS_MAX;
	kind = o->b[AT(at)];
	size = o->b[AT(at + 1)];
	if (kind == OPTION_NOP)
		return at + 1;
	return kind == OPTION_END || size < 2 ? OPTIONS_MAX : at + size;
}

/* Where the value of the MSS option is, from the start of the options; 0: there is none that can be read. */
inline_fn __u32 mss_find(const struct options *o, __u32 len)
{
	__u32 at = 0;

	for (int i = 0; i < OPTIONS_MAX; i++) {
		if (at + MSS_LEN > len)
			return 0;
		if (o->b[AT(at)] == OPTION_MSS)
			return o->b[AT(at + 1)] == MSS_LEN ? at + 2 : 0;
		at = hw_option_next(o, at);
	}
	return 0;
}

/* A value at an odd offset is halves of two words of the checksum: there it counts with its bytes swapped. */
inline_fn __u16 as_summed(__be16 value, __u32 offset)
{
	return offset & 1 ? __builtin_bswap16(value) : value;
}

/*
 * bpf_l4_csum_replace knows whether the checksum stands in the header already
 * or will be summed by the NIC, or by the kernel just before it (then nothing
 * is to be done, and a checksum patched by hand would be wrong).
 */
inline_fn void mss_write(struct __sk_buff *skb, const struct syn *s, __u32 at, __be16 was, __be16 now)
{
	struct hw_egress_stats *stats = row(&hw_egress_stats, 0);

	if (bpf_skb_store_bytes(skb, s->tcp + sizeof(struct tcphdr) + at, &now, sizeof(now), 0) ||
	    bpf_l4_csum_replace(skb, s->tcp + offsetof(struct tcphdr, check), as_summed(was, at), as_summed(now, at),
				sizeof(now)))
		return;
	if (stats)
		stats->clamped++;
}

inline_fn void clamp(struct __sk_buff *skb, const struct syn *s, __u32 limit)
{
	struct options o = {};
	__u32 at, was;

	if (!limit || !options_read(skb, s, &o))
		return;
	at = mss_find(&o, s->options);
	if (!at)
		return;
	was = o.b[AT(at)] << 8 | o.b[AT(at + 1)];
	if (was > limit)
		mss_write(skb, s, at, bpf_htons(was), bpf_htons(limit));
}
