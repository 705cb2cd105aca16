/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The path MTU to one node, found by PINGs of the size in question (in the
 * manner of RFC 8899): a size counts as passing when its PONG comes, as too
 * large when HW_PATHMTU_TRIES of them stay unanswered while small PINGs are
 * answered. No I/O, no clock; sizes are bytes of outer IP packet.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define HW_PATHMTU_TRIES 3
#define HW_PATHMTU_STEP  8             /* the result is at most so far below the truth */
#define HW_PATHMTU_CHECK 2000000000ULL /* ns between probes of the size in use */
#define HW_PATHMTU_GROW  60000000000ULL /* ns until a larger one is tried again */

struct hw_pathmtu {
	uint32_t route;     /* what the route allows; 0: no route */
	uint32_t path;      /* the size to use */
	uint32_t passes;    /* the largest known, or the floor */
	uint32_t fails;     /* the smallest known to fail; route + 1 if none */
	uint32_t floor;     /* no path is narrower */
	bool searching;     /* between passes and fails */
	uint64_t next_at;   /* when to probe, or to give the probe up */
	uint64_t grow_at;   /* when to look for a larger one; 0: need not */
	/* the probe that is out */
	uint32_t size;      /* 0: none */
	unsigned tries;
	uint64_t first_at;
	bool answered;      /* a small PING was, that was sent since first_at */
	struct {
		uint64_t nonce;
		uint64_t sent_at;
	} sent[HW_PATHMTU_TRIES];
};

/* A route has been found, lost (0) or changed. v4: the outer header is IPv4. */
void hw_pathmtu_route(struct hw_pathmtu *m, uint32_t mtu, bool v4, uint64_t now);
/* Probes the size in use soon: the path may have changed. */
void hw_pathmtu_check(struct hw_pathmtu *m, uint64_t now);
/* Returns the size of the PING to send now with this nonce; 0: none. May change m->path. */
uint16_t hw_pathmtu_tick(struct hw_pathmtu *m, uint64_t nonce, uint64_t rtt, uint64_t now);
uint64_t hw_pathmtu_due(const struct hw_pathmtu *m);
/* A PING of ordinary size, sent at that time, was answered. */
void hw_pathmtu_answered(struct hw_pathmtu *m, uint64_t sent_at);
/* If the nonce is that of a probe: takes the answer and returns when the probe was sent; else 0. */
uint64_t hw_pathmtu_pong(struct hw_pathmtu *m, uint64_t nonce, uint64_t now);
