/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The pinned maps, opened by name under the pin path. Every verb but `load`
 * reaches the data path through this and through nothing else.
 *
 *   PIN/hw_...           the maps (README in maps-schema)
 *   PIN/ingress          the XDP program
 *   PIN/egress           the tc egress program
 *   PIN/clsact/DEVICE    an empty directory: the clsact qdisc there was made by us
 *   PIN/links/DEVICE     the pinned bpf_link of each NIC
 *   PIN/chains/DEVICE    with --chain instead: the program in libxdp's dispatcher there
 */
#pragma once

#include "homeward.h"
#include "../maps-schema/maps.h"

/* Every pinned map once: the struct below, opening, and `status` come from this list. */
#define HW_PINNED_MAPS(M) \
	M(schema) M(config) M(self) M(wake) M(keys) M(vips) M(ours) M(nodes) M(flows) M(nobody) M(cookies) \
	M(budgets) M(verdicts) M(node_stats) M(strays) M(mss) M(egress_stats) \
	M(totals) M(vip_view) M(node_view) M(agent_view)

struct hw_pins {
	char path[4096];
#define M(name) int name;
	HW_PINNED_MAPS(M)
#undef M
};

/*
 * Opens all maps under `path`. Says what is wrong (nothing loaded there, pins
 * of another schema version) and returns false; nothing is left open then.
 */
bool hw_pins_open(struct hw_pins *pins, const char *path);
/* True if the maps pinned there are of our schema version, or if there are none yet; otherwise says what to do. */
bool hw_pins_schema_fits(const char *path);
void hw_pins_close(struct hw_pins *pins);
#define hw_autopins __attribute__((cleanup(hw_pins_close)))

/* Nothing open: what hw_pins_close() may be called on before hw_pins_open(). */
void hw_pins_init(struct hw_pins *pins);
/* True if the path is on a bpffs. */
bool hw_pins_on_bpffs(const char *path);
/*
 * The lock that `load` and `unload` hold while they work, one after the other (flock on PIN/links, which
 * is there already). Returns an fd to keep open, or -1 (said).
 */
int hw_pins_lock_changes(const char *path);

/*
 * The lock that the agent of a pin path holds (flock on the directory; the
 * kernel drops it when the process ends). Returns an fd to keep open, or -1:
 * errno EWOULDBLOCK if an agent runs there.
 */
int hw_pins_lock(const char *path);
/* True if an agent runs for this pin path. */
bool hw_pins_agent_runs(const char *path);

/* Sums a per-CPU array row: adds up n u64 counters. Returns false on error (errno set). */
bool hw_pins_sum(int map_fd, uint32_t row, uint64_t *out, size_t n);
