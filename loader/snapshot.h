/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the pinned maps say at one moment, for the verbs that show it: the small
 * maps are read whole, the large ones are walked. Nothing here needs the agent;
 * what only a running agent can know is marked so.
 */
#pragma once

#include "pins.h"

/* A walk over all entries of a map, in no order. Zero it, but for fd and stepwise. */
struct hw_walk {
	int fd;
	const void *key;      /* the entry found; good until the next step */
	const void *value;

	/* the walk's own */
	bool stepwise;        /* entry by entry: the kernel has no batches for this map */
	bool begun;
	bool last;            /* no batch after this one */
	uint32_t key_size;
	uint32_t value_size;
	uint32_t size;        /* of a batch, in entries */
	uint32_t got;         /* entries in this batch */
	uint32_t at;          /* entries of it that have been seen */
	uint64_t steps_left;  /* stepwise: a bound, for a vanished key sends the kernel to the start */
	uint8_t position[64]; /* where the next batch begins, in the kernel's words */
	uint8_t *keys;
	uint8_t *values;
	bool failed;          /* said */
};

/* The next entry. False at the end, also if the walk failed. Entries may come and go meanwhile. */
bool hw_walk_next(struct hw_walk *w);
void hw_walk_end(struct hw_walk *w);
#define hw_autowalk __attribute__((cleanup(hw_walk_end)))

struct hw_map_fill {
	char name[16];
	const char *type;
	bool fills;           /* it has as many entries as were put into it, so that it can be full */
	bool evicts;          /* when full it forgets the oldest: full is normal */
	bool bytes;           /* a ring buffer: the counts are bytes */
	uint64_t entries;     /* where !fills: capacity, all rows are always there */
	uint64_t capacity;
};

/* How full the map is. False on error (said). */
bool hw_map_fill(int fd, struct hw_map_fill *out);

/* A node as the maps know it; node.name is empty where an id is not in use. */
struct hw_seen_node {
	struct hw_node node;
	struct hw_node_view view;    /* as of the agent's last write; but `sum` is fresh */
	enum hw_node_state state;    /* HW_NODE_UNKNOWN where no agent runs, whatever `view` says */
};

struct hw_snapshot {
	struct hw_pins pins;
	struct hw_config config;
	struct hw_self self;
	struct hw_agent_view agent;
	bool agent_runs;
	uint64_t now_ns;             /* CLOCK_MONOTONIC */
	struct hw_netlink *netlink;  /* once hw_snapshot_no_way() needed it */
	struct hw_vip vip[HW_VIP_IDS];           /* by id; id 0: not in use */
	struct hw_seen_node node[HW_NODE_IDS];   /* by id */
};

/* NULL on error (said). Freed with hw_snapshot_free(). */
struct hw_snapshot *hw_snapshot_take(const char *pin);
void hw_snapshot_free(struct hw_snapshot **s);
#define hw_autosnapshot __attribute__((cleanup(hw_snapshot_free)))

/* Seconds from then to the snapshot; -1 if then is 0 (never). */
double hw_snapshot_age(const struct hw_snapshot *s, uint64_t then_ns);

/* One VIP (by id; 0: not for a VIP): its counters by enum hw_verdict, summed over all CPUs. False on error (said). */
bool hw_snapshot_verdicts(const struct hw_snapshot *s, uint32_t vip, uint64_t out[HW_VERDICT_COUNT]);

const char *hw_node_state_text(enum hw_node_state state);

/*
 * Why nothing can be carried to this node at the moment; NULL if it can. The
 * maps say only that there is no usable next hop, so the kernel is asked now.
 */
#define HW_WHY 256
const char *hw_snapshot_no_way(struct hw_snapshot *s, uint32_t id, char *out);
