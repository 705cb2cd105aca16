/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * SipHash-2-4 (Aumasson, Bernstein, 2012), the keyed hash behind the tags on
 * the wire. Shared by the XDP programs and the loader, so that both sides make
 * the same tag. Messages here are always whole 64-bit words: the caller pads.
 */
#pragma once

#include <linux/types.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "homeward is written for little-endian machines"
#endif

struct hw_siphash {
	__u64 v0, v1, v2, v3;
	__u64 words; /* absorbed so far */
};

static inline __attribute__((always_inline)) __u64 hw_rotl64(__u64 x, int bits)
{
	return (x << bits) | (x >> (64 - bits));
}

static inline __attribute__((always_inline)) void hw_sipround(struct hw_siphash *s)
{
	s->v0 += s->v1; s->v1 = hw_rotl64(s->v1, 13); s->v1 ^= s->v0; s->v0 = hw_rotl64(s->v0, 32);
	s->v2 += s->v3; s->v3 = hw_rotl64(s->v3, 16); s->v3 ^= s->v2;
	s->v0 += s->v3; s->v3 = hw_rotl64(s->v3, 21); s->v3 ^= s->v0;
	s->v2 += s->v1; s->v1 = hw_rotl64(s->v1, 17); s->v1 ^= s->v2; s->v2 = hw_rotl64(s->v2, 32);
}

/* key: the two halves of the 128-bit key, as little-endian words. */
static inline __attribute__((always_inline)) void
hw_siphash_begin(struct hw_siphash *s, const __u64 key[2])
{
	s->v0 = key[0] ^ 0x736f6d6570736575ULL;
	s->v1 = key[1] ^ 0x646f72616e646f6dULL;
	s->v2 = key[0] ^ 0x6c7967656e657261ULL;
	s->v3 = key[1] ^ 0x7465646279746573ULL;
	s->words = 0;
}

/* word: the next eight bytes of the message, as they lie in memory. */
static inline __attribute__((always_inline)) void hw_siphash_word(struct hw_siphash *s, __u64 word)
{
	s->v3 ^= word;
	hw_sipround(s);
	hw_sipround(s);
	s->v0 ^= word;
	s->words++;
}

/* Returns the hash as it goes onto the wire: eight bytes, least significant first. */
static inline __attribute__((always_inline)) __u64 hw_siphash_end(struct hw_siphash *s)
{
	__u64 last = (s->words * 8) << 56;

	s->v3 ^= last;
	hw_sipround(s);
	hw_sipround(s);
	s->v0 ^= last;
	s->v2 ^= 0xff;
	hw_sipround(s);
	hw_sipround(s);
	hw_sipround(s);
	hw_sipround(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}
