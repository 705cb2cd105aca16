/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The agent's parts and what they share. The policies (asker, peers) know no
 * I/O; here they get it:
 *
 *   agent.c    the event loop, signals, reload, what the policies ask for
 *   channel.c  control messages to and from the other nodes (UDP)
 *   replay.c   frames sent through the XDP program again
 *   farewell.c clients whose home has died
 *   look.c     the own socket table, graded by the XDP program's own function
 *   routes.c   next hops, NICs that come and go
 *   upkeep.c   entries that end, views for people, what the PONGs say
 */
#pragma once

#include <net/ethernet.h>

#include "asker.h"
#include "attach.h"
#include "blind.h"
#include "conf.h"
#include "nexthop.h"
#include "peers.h"
#include "pins.h"

#define HW_NICS        64
#define HW_SECOND      1000000000ULL
#define HW_MILLISECOND 1000000ULL

struct sd_event;
struct sd_event_source;
struct ring_buffer;
struct hw_look;

struct hw_sweep; /* upkeep.c */

struct hw_agent_state {
	const struct hw_options *opt;
	struct hw_conf *conf;
	struct hw_pins pins;
	int lock;                      /* held while we run */
	struct sd_event *event;
	struct sd_event_source *timer; /* the next thing to do, whatever it is */
	struct sd_event_source *socket_source;

	struct hw_asker *asker;
	struct hw_peers *peers;
	struct hw_netlink *netlink;
	struct hw_look *look;
	struct hw_sweep *sweep;
	int socket;                    /* endpoint:6081 */
	int ingress;                   /* the XDP program */

	struct ring_buffer *ring;
	struct hw_wake *wake;          /* hw_wake, mapped */
	bool drowsy;                   /* asleep is set; one more look, then we sleep */
	uint64_t polled_until;         /* the ring is looked at each POLL_NS until then; 0: asleep */
	uint64_t ring_at;              /* due times; UINT64_MAX: not due */
	uint64_t routes_at;
	uint64_t pins_at;
	uint64_t upkeep_at;

	struct hw_config config;       /* as in hw_config: replay mark, key generation */
	struct hw_attachment seen[HW_NICS]; /* our NICs, as they were when last alive */
	uint32_t nic;                  /* ifindex of one of our NICs, for frames that came in by none; 0: none */
	uint8_t nic_mac[ETH_ALEN];
	int raw[2];                    /* raw sockets, IPv4 and IPv6, opened when first needed */
	bool moved[HW_NODE_IDS];       /* ids that are another node's or nobody's since the config was read again */
	struct hw_addr vip[HW_VIP_IDS]; /* by id, as in hw_vips; zero: none */
	uint64_t mine[HW_VIP_IDS];     /* what was at home by its VIP, when that was last summed up */
	struct hw_blind *blind;
	struct hw_agent_view view;
};

/* CLOCK_MONOTONIC, ns */
uint64_t hw_now(void);
uint64_t hw_wall(void);

/* channel.c */
/* A UDP socket on endpoint:6081 that sends with DF and ignores ICMP's word on the MTU; -1 (said) on error. */
int hw_channel_open(const struct hw_addr *endpoint);
bool hw_channel_ask(struct hw_agent_state *a, uint16_t node, uint64_t nonce, const struct hw_ask_flow *flows,
		    unsigned n);
void hw_channel_ping(struct hw_agent_state *a, uint16_t node, uint64_t nonce, uint16_t size);
/* Reads what has come, at most a batch: ANSWERs to the asker, PONGs to the peers. */
void hw_channel_read(struct hw_agent_state *a);

/* replay.c */
/* The XDP program of the pin path: pinned, or loaded by somebody else (xdp-loader) with our maps. -1: none. */
int hw_replay_program(const struct hw_pins *pins);
/* Runs a frame (Ethernet header first) through the program as if it came in by `ifindex`. */
void hw_replay_frame(struct hw_agent_state *a, uint32_t ifindex, const void *frame, uint32_t len,
		     enum hw_replay what);

/* farewell.c */
/*
 * Ends the wait of a client whose home has died. flow: its entry in hw_flows, which is deleted already;
 * home_heard: when its home was last heard.
 */
void hw_farewell(struct hw_agent_state *a, const struct hw_flow_key *key, const struct hw_flow *flow,
		 uint64_t home_heard);

/* look.c */
struct hw_look *hw_look_open(void);
void hw_look_close(struct hw_look *look);
/*
 * Grades n (at most HW_ASK_FLOWS) flows where they stand; reserved[0] is set to 1 where any socket, a listener
 * at least, is there for the flow. False: the kernel refused; nothing is changed.
 */
bool hw_look_grade(struct hw_look *look, struct hw_ask_flow *flows, unsigned n);

/* routes.c */
/* Resolves the ways to all nodes and publishes what changed. */
void hw_routes_refresh(struct hw_agent_state *a);
/* NICs that went away and came back are attached again. */
void hw_routes_reattach(struct hw_agent_state *a);

/* upkeep.c */
struct hw_sweep *hw_sweep_new(void);
void hw_sweep_free(struct hw_sweep *sweep);
/* One step of everything periodic; returns when the next is due. */
uint64_t hw_upkeep(struct hw_agent_state *a, uint64_t now);
/* A node died, or left the config: go through hw_flows without pause until its entries have ended. */
void hw_upkeep_walk_now(struct hw_agent_state *a);
/* Says that a VIP's sockets cannot be seen here, or that they can be again, and marks it in hw_vips. */
void hw_upkeep_flag_vip(struct hw_agent_state *a, uint16_t id, bool invisible);
/* True if there is a VIP with that id. */
bool hw_upkeep_has_vip(const struct hw_agent_state *a, uint16_t id);
/* Reads hw_vips into a->vip. */
void hw_upkeep_read_vips(struct hw_agent_state *a);
