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

/* What the listening socket saw. */
enum hw_netlink_change {
	HW_CHANGE_ROUTES = 1, /* a route, a neighbour, an address or an MTU: resolve again */
	HW_CHANGE_LINKS = 2,  /* a link came, went, or went up or down: look at attachments too */
};

/* For the event loop: readable when there is something to read. */
int hw_netlink_fd(const struct hw_netlink *nl);
/* Reads all that is there without waiting; returns a set of hw_netlink_change (all of them after an overrun). */
unsigned hw_netlink_read(struct hw_netlink *nl);
