/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The inside of the asker, shared by its four files and by nobody else:
 *   asker.c      whom to ask next, and what the answers mean
 *   searches.c   the table of flows that are searched, their timers, their held packets
 *   likely.c     who is likely to own a flow
 *   questions.c  queues of questions per node, the byte budget, what was asked and is not answered
 *
 * A search may end within any call that moves it on, so those calls come last.
 */
#pragma once

#include <sys/queue.h>

#include "asker.h"

#define NODE_WORDS (HW_NODE_IDS / 64)
#define PREFIX_ROWS 16384  /* direct-mapped */
#define ASKED_ROWS  16384

enum stage {
	STAGE_START,
	STAGE_PREFIX,  /* asking the node that owned other flows of this client prefix */
	STAGE_MOST,    /* asking the node that says "mine" most */
	STAGE_WAIT,    /* a few others ask everyone; what they learn may save us that */
	STAGE_ALL,     /* asking everyone who has not spoken */
	STAGE_PAUSE,   /* between the rounds */
};

/* One flow that is searched. */
struct search {
	struct hw_flow_key key;
	struct hw_ask_flow question; /* what this round asks; network byte order */
	struct hw_ask_flow newest;   /* with the numbers of the newest packet: the next round asks this */
	enum stage stage;
	uint8_t round;               /* 1 or 2 */
	uint8_t tries;               /* timeouts in this round's STAGE_ALL */
	bool doubtful;               /* some node has a socket that does not fit */
	bool probe;                  /* counts in asker->probes */
	uint16_t target;             /* STAGE_PREFIX, STAGE_MOST: the node that is asked */
	uint16_t bar_node;           /* it returned a packet of this flow: not asked ... */
	uint64_t bar_until;          /* ... before this */
	uint32_t epoch;              /* grows with each round: what was asked before says "no" to nothing */
	uint32_t generation;         /* of the set of nodes that are asked */
	uint32_t queued;             /* questions that are not sent yet */
	uint64_t begun;
	uint64_t packet_at;          /* when the newest packet came */
	uint64_t answer_by;          /* then those who were asked count as silent */
	uint64_t due;                /* when to look at it again */
	uint32_t slot;
	uint32_t heap_at;
	struct search *chain;        /* in its bucket */
	TAILQ_ENTRY(search) waiting; /* STAGE_WAIT */
	struct hw_stray *held[HW_HOLD_FIRST + 1]; /* oldest first; the last is the newest packet */
	uint64_t no[NODE_WORDS];     /* by node id: said "not mine" in this round */
	uint64_t asked[NODE_WORDS];  /* a question is queued or out */
};

/* A search by number: safe to keep while searches end and slots are used again. */
struct search_ref {
	uint32_t slot;
	uint32_t serial;
};

struct slot {
	struct search *search; /* NULL: free */
	uint32_t serial;
	uint32_t next_free;
};

/* A question in a node's queue. */
struct queued {
	struct search_ref ref;
	uint32_t epoch;
	uint64_t order;        /* over all queues: older ones go first */
};

struct queue {
	struct queued *ring;
	uint32_t size;         /* a power of two, or 0 */
	uint32_t head;
	uint32_t n;
};

/* Questions to one likely home go before those to everyone: recovery costs little, junk costs much. */
enum { QUEUE_LIKELY, QUEUE_ALL, QUEUES };

struct ask_node {
	uint16_t id;
	enum hw_node_state state; /* when last looked at, to see changes */
	uint32_t score;        /* how often it said "mine", halved every second */
	uint64_t timeout;      /* ns; HW_ASK_TIMEOUT or what the way there takes */
	struct queue queue[QUEUES];
};

/* One ASK that was sent. */
struct asked {
	LIST_ENTRY(asked) bucket;
	TAILQ_ENTRY(asked) age;
	uint64_t nonce;
	uint64_t sent_at;
	uint16_t node;
	unsigned n;
	struct {
		struct search_ref ref;
		uint32_t epoch;
		__be32 seq, ack;
		uint8_t tcp_flags;
	} flow[HW_ASK_FLOWS];
};

struct prefix {
	uint8_t b[16];         /* the host part is zero */
	uint16_t node;         /* 0: empty */
};

TAILQ_HEAD(search_list, search);
TAILQ_HEAD(asked_list, asked);
LIST_HEAD(asked_bucket, asked);

struct hw_asker {
	struct hw_asker_limits limits;
	struct hw_asker_ops ops;
	struct hw_agent_view *view;
	__u64 hash_key[2];

	struct ask_node *nodes;
	size_t n_nodes;
	uint16_t most;               /* says "mine" most and can be asked; 0: none */
	uint64_t halve_at;           /* the scores */
	uint32_t generation;         /* grows when the nodes are replaced ... */
	uint32_t generation_seen;    /* ... at the last tick */
	uint64_t patience;           /* ns; the longest timeout of a node that is up */
	struct prefix *prefixes;

	struct slot *slots;          /* searches.c from here ... */
	uint32_t n_slots;            /* made */
	uint32_t free_slot;          /* UINT32_MAX: none */
	struct search **buckets;
	uint32_t n_buckets;
	struct search **heap;        /* by due; room for n_slots */
	uint32_t n_searches;
	uint64_t held_bytes;

	struct search_list waiting;
	unsigned probes;             /* searches that ask everyone while no likely home is known */

	struct asked_bucket *asked;  /* questions.c from here */
	struct asked_list asked_by_age;
	uint32_t n_asked;
	uint64_t order;
	uint64_t n_queued;
	uint64_t n_queued_new;       /* since the budget was last found spent */
	uint64_t spent_until;        /* the byte budget is full again at this time */
	bool put_off;                /* questions wait for the budget */
};

static inline bool node_bit(const uint64_t *bits, uint16_t id)
{
	return bits[id / 64] >> (id % 64) & 1;
}

static inline void node_bit_set(uint64_t *bits, uint16_t id)
{
	bits[id / 64] |= 1ULL << (id % 64);
}

static inline void node_bit_clear(uint64_t *bits, uint16_t id)
{
	bits[id / 64] &= ~(1ULL << (id % 64));
}

/* searches.c */
bool hw_searches_init(struct hw_asker *a);
void hw_searches_free(struct hw_asker *a);
uint64_t hw_searches_hash(const struct hw_asker *a, const void *bytes, size_t len); /* len: a multiple of 8 */
struct search *hw_search_find(const struct hw_asker *a, const struct hw_flow_key *key);
/* NULL: the table is full, or there is no memory. Everything but the key is zero. */
struct search *hw_search_add(struct hw_asker *a, const struct hw_flow_key *key);
/* Frees it and what it holds. */
void hw_search_remove(struct hw_asker *a, struct search *s);
struct search_ref hw_search_ref(const struct hw_asker *a, const struct search *s);
/* NULL: it has ended. */
struct search *hw_search_get(const struct hw_asker *a, struct search_ref ref);
void hw_search_set_due(struct hw_asker *a, struct search *s, uint64_t due);
/* The one that is due first, or NULL. */
struct search *hw_search_next(const struct hw_asker *a);
/* Keeps a copy of the packet, if it may be held. */
void hw_search_hold(struct hw_asker *a, struct search *s, const struct hw_stray *stray);

/* likely.c */
struct ask_node *hw_ask_node_find(const struct hw_asker *a, uint16_t id);
enum hw_node_state hw_ask_node_state(const struct hw_asker *a, uint16_t node);
/* Is it worth a question of its own, and the wait for its answer? */
bool hw_likely_may_be(const struct hw_asker *a, uint16_t node);
/* Sets a->most; to be called when scores or states have changed. */
void hw_likely_choose(struct hw_asker *a);
/* Lets old scores fade. */
void hw_likely_fade(struct hw_asker *a, uint64_t now);
/* The node that last said "mine" for this client's prefix; 0: not known. */
uint16_t hw_likely_for_prefix(const struct hw_asker *a, const struct search *s);
/* The node has said "mine". */
void hw_likely_note(struct hw_asker *a, const struct search *s, struct ask_node *node);

/* questions.c */
bool hw_questions_init(struct hw_asker *a);
void hw_questions_free(struct hw_asker *a);
/* Puts the search's question into the node's queue. False: no room. */
bool hw_question_queue(struct hw_asker *a, struct ask_node *node, int which, struct search *s, uint64_t now);
/* Forgets what is queued for this node, as if it had not been asked. */
void hw_questions_drop(struct hw_asker *a, struct ask_node *node);
/* Sends what the budget allows, oldest first. Returns when there is budget for more; UINT64_MAX: nothing waits. */
uint64_t hw_questions_flush(struct hw_asker *a, uint64_t now);
/* The ASK that this ANSWER belongs to, flow by flow; NULL: none. The caller hands it to hw_asked_forget(). */
struct asked *hw_asked_match(struct hw_asker *a, uint16_t node, uint64_t nonce, const struct hw_ask_flow *flows,
			     unsigned n);
void hw_asked_forget(struct hw_asker *a, struct asked *asked);
/* Forgets ASKs that are too old to be answered. */
void hw_asked_expire(struct hw_asker *a, uint64_t now);

/* asker.c: a question of this search has just been sent. */
void hw_search_was_asked(struct hw_asker *a, struct search *s, uint64_t now);
