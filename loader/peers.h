/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Which nodes are there: PINGs and PONGs, who is up, lost or dead, and the path
 * MTU to each. Like the asker this has no I/O and no clock of its own.
 *
 * Dead: not heard by this node for node-down, nor by any reachable peer, as
 * told by the bitmap in a PONG that was made (flag HW_PONG_WITNESS) after that
 * time; at least one such witness must have spoken, for a node that hears
 * nobody is itself cut off. A node of our own PoP shares our fate: about other
 * PoPs it is no witness. Lost: not heard from here, but not dead; after
 * node-lost it counts as dead.
 */
#pragma once

#include "addr.h"
#include "homeward.h"

struct hw_peers;

struct hw_peers_timers {
	uint64_t node_down; /* ns */
	uint64_t node_lost; /* ns */
};

struct hw_peers_ops {
	void *ctx;
	/* Sends a PING of `size` bytes of outer IP packet in all (padded), DF set. The nonce is in host order. */
	void (*ping)(void *ctx, uint16_t node, uint64_t nonce, uint16_t size);
	uint64_t (*nonce)(void *ctx);
	/* A node's state, or the path MTU to it, changed (from == to: only the latter). */
	void (*changed)(void *ctx, uint16_t node, enum hw_node_state from, enum hw_node_state to, uint32_t path_mtu);
};

struct hw_peers *hw_peers_new(uint16_t self, const struct hw_peers_timers *timers, const struct hw_peers_ops *ops);
void hw_peers_free(struct hw_peers *p);
void hw_peers_set_timers(struct hw_peers *p, const struct hw_peers_timers *timers);
struct hw_peer_node {
	uint16_t id;
	bool v4;   /* its endpoint is IPv4: smallest legal sizes differ */
	bool near; /* it is of our own PoP */
};

/*
 * The other nodes; those that stay keep what is known of them, whatever their family or PoP. False: no
 * memory, nothing is changed.
 */
bool hw_peers_set_nodes(struct hw_peers *p, const struct hw_peer_node *nodes, size_t n, uint64_t now);
/*
 * What the route says is the most that fits towards a node, bytes of IP packet; 0: no route. PINGs of full size are
 * that long, and until they have shown otherwise it is the path MTU.
 */
void hw_peers_set_mtu(struct hw_peers *p, uint16_t node, uint32_t mtu, uint64_t now);

/* A PONG, already authenticated. wall_ns: our own wall clock now. */
void hw_peers_pong(struct hw_peers *p, uint16_t node, const struct hw_ping *pong, uint64_t now, uint64_t wall_ns);
/* Sends the PINGs that are due, changes states. Returns when to call again. */
uint64_t hw_peers_tick(struct hw_peers *p, uint64_t now);

/* HW_NODE_SELF for ourselves, HW_NODE_UNKNOWN for ids that are not in the set. */
enum hw_node_state hw_peers_state(const struct hw_peers *p, uint16_t node);
/* True if the node is in the set. */
bool hw_peers_knows(const struct hw_peers *p, uint16_t node);
/* The smoothed round trip time, ns; 0: not known. */
uint64_t hw_peers_rtt(const struct hw_peers *p, uint16_t node);
/* Fills state, path_mtu, rtt, heard, clock, schema; leaves `sum` alone. */
void hw_peers_view(const struct hw_peers *p, uint16_t node, struct hw_node_view *view);
/* The bitmap for our own PONGs: bit id%8 of byte id/8 of each node heard within 3/4 of node-down; and whether we
 * have run long enough to testify. */
bool hw_peers_hears(const struct hw_peers *p, uint64_t now, uint8_t hears[HW_HEARS_BYTES]);
