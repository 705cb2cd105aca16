/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Ways to the other nodes, from the kernel's routes, neighbours and links
 * (rtnetlink through libnl). bpf_fib_lookup is of no use where forwarding is
 * off and never refreshes a neighbour, so this is done here and kept in hw_nodes.
 */
#pragma once

#include <net/ethernet.h>
#include <net/if.h>

#include "addr.h"
#include "homeward.h"

struct hw_hop {
	bool usable;               /* all below is known and the device is up */
	const char *why;           /* not usable: the reason, a phrase (never freed); else NULL */
	uint32_t ifindex;
	uint32_t mtu;              /* of route or device, bytes of IP packet */
	uint8_t src_mac[ETH_ALEN];
	uint8_t dst_mac[ETH_ALEN];
	struct hw_addr gateway;    /* may be IPv6 for an IPv4 destination (RFC 8950) */
	bool on_link;              /* no gateway: the destination is the neighbour */
	char device[IFNAMSIZ];
};

struct hw_netlink; /* two sockets: one to ask, one that listens */

/* NULL (said on standard error) if the kernel refuses. In the caller's network namespace. */
struct hw_netlink *hw_netlink_open(void);
void hw_netlink_close(struct hw_netlink *nl);

/*
 * The way from `source` (the own endpoint) to `dest`. A neighbour that is not
 * known or stale is made to resolve (the kernel sends ARP or ND); hop->usable
 * is then false, or the stale address is used, and an event tells when it is
 * there. Returns false only when netlink itself fails (said); hop is then zero.
 */
bool hw_netlink_resolve(struct hw_netlink *nl, const struct hw_addr *source, const struct hw_addr *dest,
			struct hw_hop *hop);

/* For the event loop: readable when there is something to read. */
int hw_netlink_fd(const struct hw_netlink *nl);
/*
 * Reads all that is there without waiting. True if a route, a neighbour, an address or a link has changed, or if
 * something was lost: then the ways are to be resolved again, and attachments looked at.
 */
bool hw_netlink_read(struct hw_netlink *nl);
