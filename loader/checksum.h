/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The Internet checksum, over words as they lie in memory (RFC 1071 section 2(B): byte order does not matter). */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Adds the 16-bit words of `bytes` to sum, unfolded. len is even. */
static inline uint32_t hw_sum_words(const void *bytes, size_t len, uint32_t sum)
{
	for (size_t at = 0; at < len; at += 2) {
		uint16_t word;

		memcpy(&word, (const uint8_t *)bytes + at, sizeof(word));
		sum += word;
	}
	return sum;
}

/* The ones' complement sum in 16 bits; a checksum is its complement. */
static inline uint16_t hw_sum_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}
