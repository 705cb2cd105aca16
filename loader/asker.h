/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The asking policy: whom to ask about an unknown flow, in which order, within
 * which budgets, what to do with what they say, and what happens to the held
 * packets. No I/O and no clock of its own: time comes as an argument and
 * effects go out through the callbacks, so that tests and simulations use this
 * very code.
 *
 * Order: the node that last said "mine" for this client prefix (/24, /48); then
 * the one that says it most; then all the others at once. A round is over when
 * every node that is not dead has said "not mine". After two such rounds, at
 * least HW_ASK_PAUSE apart, the flow is nobody's. A silent node that is not dead
 * keeps the flow open: its packets are held or dropped, never reset.
 */
#pragma once

#include "addr.h"
#include "homeward.h"

#define HW_ASK_PAUSE    5000000ULL   /* ns between the rounds */
#define HW_ASK_TIMEOUT  50000000ULL  /* ns until a question counts as lost, at first; doubles up to 8 times that */
#define HW_RETURN_BAR   1000000000ULL /* ns for which a node that returned a packet is left out */
#define HW_HOLD_FIRST   4            /* packets of a flow that are held: its first ones ... */
/* ... and its newest */

struct hw_asker;

struct hw_asker_limits {
	uint32_t flows;          /* searched at the same time */
	uint64_t hold_bytes;     /* of held packets in all */
	uint64_t bytes_a_second; /* of ASK messages, outer headers included */
};

/* The outside, as the asker sees it. ctx is handed through. */
struct hw_asker_ops {
	void *ctx;
	/* Sends one ASK with n questions (1 to HW_ASK_FLOWS) to a node. False: could not; it counts as lost. */
	bool (*send)(void *ctx, uint16_t node, uint64_t nonce, const struct hw_ask_flow *flows, unsigned n);
	/* A home has been found: store it. False: no room (hw_flows is full). */
	bool (*found)(void *ctx, const struct hw_flow_key *key, const struct hw_ask_flow *flow, uint16_t home);
	/* Nobody owns it (a RST is allowed). */
	void (*nobody)(void *ctx, const struct hw_flow_key *key, const struct hw_ask_flow *flow);
	/* A held packet goes on its way. The frame is the asker's. */
	void (*replay)(void *ctx, const struct hw_stray *stray, enum hw_replay what);
	/* A random nonce. */
	uint64_t (*nonce)(void *ctx);
	/* The state of a node, now. */
	enum hw_node_state (*state)(void *ctx, uint16_t node);
	/* How long the way to a node and back takes, ns; 0: not known. May be NULL. Far nodes get more time to answer. */
	uint64_t (*rtt)(void *ctx, uint16_t node);
};

/* limits and ops are copied; view: counters to keep, outlives the asker. NULL: no memory. */
struct hw_asker *hw_asker_new(const struct hw_asker_limits *limits, const struct hw_asker_ops *ops,
			      struct hw_agent_view *view);
void hw_asker_free(struct hw_asker *a);
/*
 * The other nodes (not this one); none at first: give them before the first stray, or it will be nobody's. A new set
 * (config reload) replaces the old one, and open searches begin again. False: no memory, nothing is changed.
 */
bool hw_asker_set_nodes(struct hw_asker *a, const uint16_t *ids, size_t n);
void hw_asker_set_limits(struct hw_asker *a, const struct hw_asker_limits *limits);

/* The question that a stray raises, in network byte order. */
struct hw_ask_flow hw_asker_question(const struct hw_stray *stray);
/* A packet handed up by the XDP program; copied if it is held. now: CLOCK_MONOTONIC ns. */
void hw_asker_stray(struct hw_asker *a, const struct hw_stray *stray, uint64_t now);
/* An ANSWER, already authenticated. flows: as they stand in the message, graded. */
void hw_asker_answer(struct hw_asker *a, uint16_t node, uint64_t nonce, const struct hw_ask_flow *flows,
		     unsigned n, uint64_t now);
/*
 * Sends what is due (batches of questions, timeouts, second rounds). To be called after strays and answers have been
 * handed in, too. Returns when to call again; UINT64_MAX: not needed.
 */
uint64_t hw_asker_tick(struct hw_asker *a, uint64_t now);
