/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * From the checked config, and from what the kernel says about routes, to the
 * maps that the XDP program reads: hw_config, hw_keys, hw_vips, hw_ours and hw_nodes,
 * and hw_mss for the egress program.
 * `load` writes them first; a running agent does so when the config
 * is read again or a way changes. What is in a map already is not written again.
 */
#pragma once

#include "conf.h"
#include "nexthop.h"
#include "pins.h"

/*
 * Keys, config and VIPs, in an order in which no packet is refused: a key is
 * accepted before it signs, and until nothing signs with it. VIPs keep their
 * ids; what belongs to a removed VIP (its entries in hw_flows, its counters)
 * goes with it. False on the first map that refuses (said).
 */
bool hw_publish_config(const struct hw_pins *pins, const struct hw_conf *conf);

/*
 * One node's entry in hw_nodes. hop: the
 * way to it; NULL or not usable: there is none now (own node: always so).
 * path_mtu: what PINGs found, bytes of outer IP packet; 0: not known. A node of
 * another family than the own endpoint is not usable; that is said once.
 */
bool hw_publish_node(const struct hw_pins *pins, const struct hw_conf *conf, const struct hw_conf_node *node,
		     const struct hw_hop *hop, uint32_t path_mtu);

/* Zeroes the entries of hw_nodes that are not in the config. */
bool hw_publish_forget_nodes(const struct hw_pins *pins, const struct hw_conf *conf);

/*
 * hw_mss, from what is in hw_nodes: after those have been published. While no
 * other node has a usable way what was known last stays, or else the paths are
 * taken to carry 1500 bytes. Without other nodes nothing is to be lowered.
 */
bool hw_publish_mss(const struct hw_pins *pins, const struct hw_conf *conf);

/* The pure part: room is the largest inner packet that can be carried, bytes. Not below HW_MSS4_LEAST, HW_MSS6_LEAST. */
struct hw_mss hw_publish_mss_of(uint32_t room);

/*
 * The pure part of hw_publish_node(): everything that a CARRY to this node
 * begins with (head, overhead, ip_sum, udp_sum; see struct hw_node). Endpoints
 * of one family.
 */
void hw_publish_head(struct hw_node *out, const struct hw_conf *conf, const struct hw_addr *to,
		     const uint8_t src_mac[ETH_ALEN], const uint8_t dst_mac[ETH_ALEN]);

/* The pure part of the config: limits as gaps and bursts, timers, who we are. Leaves key_gen and replay_mark zero. */
void hw_publish_settings(struct hw_config *out, const struct hw_conf *conf);
