/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * VIPs whose sockets this node cannot see (in containers, behind DNAT). There
 * every packet looks like a stray that nobody owns, and is given to the stack
 * in the end; which serves it, if the connection lives. So: a flow that was
 * nobody's, and is nobody's again seconds later with its ack moved on, was not
 * reset: it lives, unseen. A few of those on a VIP that no visible socket
 * listens on, and the VIP is blind.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "../maps-schema/maps.h"

#define HW_BLIND_FLOWS 3            /* living flows that convince */
#define HW_BLIND_NS    1000000000ULL /* between the two times, at least */

struct hw_blind;

struct hw_blind *hw_blind_new(void);
void hw_blind_free(struct hw_blind *b);

/*
 * A flow was nobody's, and no visible socket listens for it. ack: the client's,
 * host order; now: ns. True if its VIP has now been shown to be blind (once).
 */
bool hw_blind_nobody(struct hw_blind *b, const struct hw_flow_key *key, uint32_t ack, uint64_t now);
/* Its sockets were seen after all: it starts anew. */
void hw_blind_forget(struct hw_blind *b, uint16_t vip);
