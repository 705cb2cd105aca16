/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The way to another node in three questions to the kernel: which route, which
 * link, which neighbour. Routes come from a FIB lookup (RTM_GETROUTE), so that
 * rules, metrics and multipath count as they do for sockets. Packets that XDP
 * sends do not keep a neighbour fresh, so this does: NTF_USE makes the kernel
 * resolve an unknown neighbour and probe a stale one, as if it had sent to it.
 */
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "nexthop.h"

/* States in which the link-layer address may be used; the kernel keeps this set to itself. */
#define FRESH (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_DELAY | NUD_PROBE)
#define VALID (FRESH | NUD_STALE)

struct hw_netlink {
	struct nl_sock *ask;
	struct nl_sock *listen;
};

static void free_msg(struct nl_msg **msg)
{
	if (*msg)
		nlmsg_free(*msg);
}
#define autofree_msg __attribute__((cleanup(free_msg)))

static void put_link(struct rtnl_link **link)
{
	if (*link)
		rtnl_link_put(*link);
}
#define autoput_link __attribute__((cleanup(put_link)))

static const int groups[] = {
	RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
};

static int listen_to_changes(struct nl_sock *sk)
{
	int err = nl_connect(sk, NETLINK_ROUTE);

	for (size_t i = 0; !err && i < sizeof(groups) / sizeof(groups[0]); i++)
		err = nl_socket_add_membership(sk, groups[i]);
	if (!err)
		err = nl_socket_set_nonblocking(sk);
	if (!err)
		err = nl_socket_set_buffer_size(sk, 1 << 20, 0);
	return err;
}

struct hw_netlink *hw_netlink_open(void)
{
	struct hw_netlink *nl = calloc(1, sizeof(*nl));
	int err = -NLE_NOMEM;

	if (!nl)
		goto fail;
	nl->ask = nl_socket_alloc();
	nl->listen = nl_socket_alloc();
	if (!nl->ask || !nl->listen)
		goto fail;
	err = nl_connect(nl->ask, NETLINK_ROUTE);
	if (!err)
		err = listen_to_changes(nl->listen);
	if (err)
		goto fail;
	nl_socket_enable_msg_peek(nl->ask);
	nl_socket_disable_seq_check(nl->ask); /* transact() looks at sequence numbers itself */
	return nl;
fail:
	hw_err("rtnetlink: %s", nl_geterror(err));
	hw_netlink_close(nl);
	return NULL;
}

void hw_netlink_close(struct hw_netlink *nl)
{
	if (!nl)
		return;
	if (nl->ask)
		nl_socket_free(nl->ask);
	if (nl->listen)
		nl_socket_free(nl->listen);
	free(nl);
}

/*
 * Sends a request and reads until its ACK. The reply, if there was one, is
 * copied to `reply` (may be NULL), to be freed. Returns 0, the kernel's
 * negative errno, or 1 when netlink itself failed (said).
 */
static int transact(struct nl_sock *sk, struct nl_msg *msg, struct nlmsghdr **reply)
{
	int n = nl_send_auto(sk, msg);
	const uint32_t seq = nlmsg_hdr(msg)->nlmsg_seq;

	while (n >= 0) {
		hw_autofree unsigned char *buf = NULL;
		struct sockaddr_nl from;
		struct nlmsghdr *h;
		int left;

		n = nl_recv(sk, &from, &buf, NULL);
		if (n <= 0)
			break;
		for (left = n, h = (struct nlmsghdr *)buf; nlmsg_ok(h, left); h = nlmsg_next(h, &left)) {
			if (h->nlmsg_seq != seq)
				continue;
			if (h->nlmsg_type == NLMSG_ERROR)
				return ((struct nlmsgerr *)nlmsg_data(h))->error;
			if (!reply || *reply)
				continue;
			*reply = malloc(h->nlmsg_len);
			if (!*reply)
				return -ENOMEM;
			memcpy(*reply, h, h->nlmsg_len);
		}
	}
	hw_err("rtnetlink: %s", n < 0 ? nl_geterror(n) : "no answer");
	return 1;
}

static int put_addr(struct nl_msg *msg, int attr, const struct hw_addr *addr)
{
	return hw_addr_is4(addr) ? nla_put(msg, attr, 4, addr->b + 12) : nla_put(msg, attr, 16, addr->b);
}

static bool get_addr(int family, const void *bytes, struct hw_addr *out)
{
	static const struct hw_addr mapped = { .b = { [10] = 0xff, [11] = 0xff } };

	if (family == AF_INET6) {
		memcpy(out->b, bytes, 16);
		return true;
	}
	*out = mapped;
	memcpy(out->b + 12, bytes, 4);
	return family == AF_INET;
}

static unsigned char family_of(const struct hw_addr *addr)
{
	return hw_addr_is4(addr) ? AF_INET : AF_INET6;
}

/* Each step returns 1 when it is done, 0 when the hop is not usable (hop->why), -1 when netlink failed. */
static int not_usable(struct hw_hop *hop, const char *why)
{
	hop->why = why;
	return 0;
}

static const char *why_no_route(int err)
{
	switch (err) {
	case -EHOSTUNREACH:
		return "the route to it is of type unreachable";
	case -EACCES:
		return "the route to it is of type prohibit";
	case -EINVAL:
		return "the route to it is of type blackhole, or the own endpoint is no address of this machine";
	default:
		return "there is no route to it from the own endpoint";
	}
}

static int gateway_of(struct nlattr **attr, int family, struct hw_hop *hop)
{
	if (attr[RTA_GATEWAY]) {
		if (nla_len(attr[RTA_GATEWAY]) < (family == AF_INET ? 4 : 16))
			return not_usable(hop, "its gateway has an address of an unknown kind");
		get_addr(family, nla_data(attr[RTA_GATEWAY]), &hop->gateway);
	} else if (attr[RTA_VIA]) { /* IPv4 by way of an IPv6 gateway */
		const struct rtvia *via = nla_data(attr[RTA_VIA]);
		const size_t len = (size_t)nla_len(attr[RTA_VIA]);

		if (len < sizeof(*via) + 16 || via->rtvia_family != AF_INET6)
			return not_usable(hop, "its gateway has an address of an unknown kind");
		get_addr(AF_INET6, via->rtvia_addr, &hop->gateway);
	} else {
		hop->on_link = true;
	}
	return 1;
}

static int read_route(const struct nlmsghdr *reply, struct hw_hop *hop)
{
	struct nlattr *attr[RTA_MAX + 1], *metric[RTAX_MAX + 1];
	const struct rtmsg *rt = nlmsg_data(reply);

	if (nlmsg_parse((struct nlmsghdr *)reply, sizeof(*rt), attr, RTA_MAX, NULL) < 0)
		return not_usable(hop, "the kernel's answer about the route makes no sense");
	if (rt->rtm_type == RTN_LOCAL)
		return not_usable(hop, "it is an address of this machine");
	if (rt->rtm_type != RTN_UNICAST)
		return not_usable(hop, "the route to it is not of type unicast");
	if (attr[RTA_ENCAP_TYPE])
		return not_usable(hop, "the route to it encapsulates (MPLS, segment routing): XDP cannot");
	if (!attr[RTA_OIF])
		return not_usable(hop, "the route to it names no device");
	hop->ifindex = nla_get_u32(attr[RTA_OIF]);
	if (attr[RTA_METRICS] && nla_parse_nested(metric, RTAX_MAX, attr[RTA_METRICS], NULL) == 0 && metric[RTAX_MTU])
		hop->mtu = nla_get_u32(metric[RTAX_MTU]);
	return gateway_of(attr, rt->rtm_family, hop);
}

static int find_route(struct hw_netlink *nl, const struct hw_addr *source, const struct hw_addr *dest,
		      struct hw_hop *hop)
{
	const unsigned char bits = hw_addr_is4(dest) ? 32 : 128;
	struct rtmsg rt = { .rtm_family = family_of(dest), .rtm_dst_len = bits, .rtm_src_len = bits };
	autofree_msg struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETROUTE, NLM_F_REQUEST);
	hw_autofree struct nlmsghdr *reply = NULL;
	int err;

	if (hw_addr_is4(source) != hw_addr_is4(dest))
		return not_usable(hop, "it and the own endpoint are of different families");
	if (!msg || nlmsg_append(msg, &rt, sizeof(rt), NLMSG_ALIGNTO) < 0 || put_addr(msg, RTA_DST, dest) < 0 ||
	    put_addr(msg, RTA_SRC, source) < 0) {
		hw_err("rtnetlink: out of memory");
		return -1;
	}
	err = transact(nl->ask, msg, &reply);
	if (err > 0)
		return -1;
	if (err || !reply)
		return not_usable(hop, why_no_route(err));
	return read_route(reply, hop);
}

static int find_link(struct hw_netlink *nl, struct hw_hop *hop)
{
	autoput_link struct rtnl_link *link = NULL;
	struct nl_addr *mac;
	unsigned int flags;

	if (rtnl_link_get_kernel(nl->ask, (int)hop->ifindex, NULL, &link) < 0)
		return not_usable(hop, "its device has just gone"); /* an event follows */
	strncpy(hop->device, rtnl_link_get_name(link), sizeof(hop->device) - 1);
	mac = rtnl_link_get_addr(link);
	if (rtnl_link_get_arptype(link) != ARPHRD_ETHER || !mac || nl_addr_get_len(mac) != ETH_ALEN)
		return not_usable(hop, "its device is not an Ethernet device");
	memcpy(hop->src_mac, nl_addr_get_binary_addr(mac), ETH_ALEN);
	if (!hop->mtu || hop->mtu > rtnl_link_get_mtu(link))
		hop->mtu = rtnl_link_get_mtu(link);
	flags = rtnl_link_get_flags(link);
	if (!(flags & IFF_UP))
		return not_usable(hop, "its device is down");
	if (!(flags & IFF_RUNNING))
		return not_usable(hop, "its device has no carrier");
	return 1;
}

static struct nl_msg *neigh_msg(int type, int flags, const struct ndmsg *nd, const struct hw_addr *neighbour)
{
	struct nl_msg *msg = nlmsg_alloc_simple(type, flags);

	if (msg && nlmsg_append(msg, (void *)nd, sizeof(*nd), NLMSG_ALIGNTO) == 0 &&
	    put_addr(msg, NDA_DST, neighbour) == 0)
		return msg;
	if (msg)
		nlmsg_free(msg);
	hw_err("rtnetlink: out of memory");
	return NULL;
}

/* As if a packet had been sent to it: resolves an unknown neighbour, probes a stale one. */
static int use_neighbour(struct hw_netlink *nl, const struct hw_hop *hop, const struct hw_addr *neighbour)
{
	const struct ndmsg nd = {
		.ndm_family = family_of(neighbour),
		.ndm_ifindex = (int)hop->ifindex,
		.ndm_state = NUD_NONE,
		.ndm_flags = NTF_USE,
	};
	autofree_msg struct nl_msg *msg =
		neigh_msg(RTM_NEWNEIGH, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE, &nd, neighbour);

	if (!msg)
		return -1;
	/* what the kernel says matters little: the device may be going down, and then an event follows */
	return transact(nl->ask, msg, NULL) > 0 ? -1 : 1;
}

/* The neighbour's state, 0 if there is none; its address goes to hop->dst_mac if it is known. -1: netlink failed. */
static int neighbour_state(struct hw_netlink *nl, struct hw_hop *hop, const struct hw_addr *neighbour)
{
	const struct ndmsg nd = { .ndm_family = family_of(neighbour), .ndm_ifindex = (int)hop->ifindex };
	autofree_msg struct nl_msg *msg = neigh_msg(RTM_GETNEIGH, NLM_F_REQUEST, &nd, neighbour);
	hw_autofree struct nlmsghdr *reply = NULL;
	struct nlattr *attr[NDA_MAX + 1];
	int err = msg ? transact(nl->ask, msg, &reply) : 1;

	if (err > 0)
		return -1;
	if (err || !reply || nlmsg_parse(reply, sizeof(nd), attr, NDA_MAX, NULL) < 0)
		return 0;
	if (!attr[NDA_LLADDR] || nla_len(attr[NDA_LLADDR]) != ETH_ALEN)
		return ((const struct ndmsg *)nlmsg_data(reply))->ndm_state & ~VALID;
	memcpy(hop->dst_mac, nla_data(attr[NDA_LLADDR]), ETH_ALEN);
	return ((const struct ndmsg *)nlmsg_data(reply))->ndm_state;
}

static int find_neighbour(struct hw_netlink *nl, const struct hw_addr *neighbour, struct hw_hop *hop)
{
	int state = neighbour_state(nl, hop, neighbour);

	if (state < 0)
		return -1;
	/* a device without ARP has itself as everyone's address */
	if ((state & NUD_NOARP) && memcmp(hop->dst_mac, hop->src_mac, ETH_ALEN) == 0)
		return not_usable(hop, "its device resolves no addresses (NOARP); give its gateway a permanent neighbour entry");
	if (!(state & FRESH) && use_neighbour(nl, hop, neighbour) < 0)
		return -1;
	if (!(state & VALID))
		return not_usable(hop, state & NUD_FAILED ? "its neighbour does not answer ARP or ND"
							  : "its neighbour is being resolved");
	return 1;
}

bool hw_netlink_resolve(struct hw_netlink *nl, const struct hw_addr *source, const struct hw_addr *dest,
			struct hw_hop *hop)
{
	int step;

	memset(hop, 0, sizeof(*hop));
	step = find_route(nl, source, dest, hop);
	if (step > 0)
		step = find_link(nl, hop);
	if (step > 0)
		step = find_neighbour(nl, hop->on_link ? dest : &hop->gateway, hop);
	if (step < 0)
		memset(hop, 0, sizeof(*hop));
	hop->usable = step > 0;
	return step >= 0;
}

int hw_netlink_fd(const struct hw_netlink *nl)
{
	return nl_socket_get_fd(nl->listen);
}

/* A route, a neighbour, an address, a link or its MTU? */
static bool is_change(const struct nlmsghdr *h)
{
	switch (h->nlmsg_type) {
	case RTM_NEWLINK: /* also tells of a new MTU */
	case RTM_DELLINK:
		return true;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH: /* the forwarding tables of bridges come here too */
		return ((const struct ndmsg *)nlmsg_data(h))->ndm_family != AF_BRIDGE;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return true;
	default:
		return false;
	}
}

bool hw_netlink_read(struct hw_netlink *nl)
{
	/* as large as the kernel ever makes a datagram, and aligned for nlmsghdr */
	static uint32_t buf[32768 / sizeof(uint32_t)];
	bool changed = false;

	for (;;) {
		ssize_t n = recv(nl_socket_get_fd(nl->listen), buf, sizeof(buf), MSG_DONTWAIT | MSG_TRUNC);
		struct nlmsghdr *h = (struct nlmsghdr *)buf;
		int left = (int)n;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == ENOBUFS) { /* some were lost; what is left must be read off all the same */
			changed = true;
			continue;
		}
		if (n <= 0)
			return changed;
		if (n > (ssize_t)sizeof(buf)) {
			changed = true;
			continue;
		}
		for (; nlmsg_ok(h, left); h = nlmsg_next(h, &left))
			changed |= is_change(h);
	}
}
