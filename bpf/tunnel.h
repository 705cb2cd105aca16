/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What arrives on port 6081 of the endpoint. First it must prove that a node
 * sent it: form, network, source address, key, tag, in the order of their
 * cost. Then: a carried packet that is ours is decapsulated and delivered, one
 * that is not goes back to its sender; what came back is handed to the agent;
 * control messages are control.h's.
 */
#pragma once

#include "ask.h"
#include "carry.h"
#include "vip.h"

/* An outer packet on its way through the checks; its destination is our endpoint. */
struct tunnel {
	struct hw_addr src;
	__u32 outer_ip;         /* length of the outer IP header: 20 or 40 */
	__u32 udp_len;
	__u16 ip_len;           /* of the whole outer packet */
	__u8  family;           /* of it */
	__u8  tos;              /* of it */
	__u16 source;           /* node id, once the header is checked */
	__u16 proto;            /* Geneve protocol type, as on the wire */
	__u8  kind;
	__u8  key_id;
	__u64 tag;
	const struct hw_key *key;
};

/* UDP to our port? Where there is no UDP header to tell it by, it is none of ours. */
inline_fn bool is_tunnel(struct xdp_md *ctx, const struct packet *p)
{
	struct udphdr *udp = data_at(ctx, p->l4);

	return p->proto == IPPROTO_UDP && (void *)(udp + 1) <= end_of(ctx) && udp->dest == bpf_htons(HW_PORT);
}

/* Exactly the header that we send: anything else on this port is malformed. */
inline_fn enum hw_verdict tunnel_parse(struct xdp_md *ctx, const struct packet *p, const struct hw_config *cfg,
				       struct tunnel *t)
{
	__u32 outer_ip = p->family == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	struct hw_geneve *g = data_of(ctx) + IP_OFFSET + outer_ip + sizeof(struct udphdr);
	struct udphdr *udp = (void *)g - sizeof(*udp);
	struct iphdr *ip = data_of(ctx) + IP_OFFSET;
	__u8 flags;

	t->outer_ip = outer_ip;
	t->family = p->family;
	t->tos = p->tos;
	t->ip_len = p->ip_len;
	if (p->fragment || p->l4 != IP_OFFSET + outer_ip || (void *)(g + 1) > end_of(ctx) ||
	    (void *)(ip + 1) > end_of(ctx))
		return HW_V_drop_tun_malformed;
	t->udp_len = bpf_ntohs(udp->len);
	if (t->udp_len + outer_ip != p->ip_len || t->udp_len < sizeof(*udp) + sizeof(*g) || !udp->check)
		return HW_V_drop_tun_malformed;

	t->proto = g->proto;
	flags = HW_GENEVE_CRITICAL | (g->proto == bpf_htons(HW_PROTO_CONTROL) ? HW_GENEVE_CONTROL : 0);
	if (g->ver_optlen != HW_GENEVE_OPTLEN || g->flags != flags || g->opt_class != bpf_htons(HW_OPT_CLASS) ||
	    g->opt_type != HW_OPT_TYPE || g->opt_words != HW_OPT_WORDS)
		return HW_V_drop_tun_malformed;
	if (g->vni != bpf_htonl(cfg->network << 8))
		return HW_V_drop_tun_network;

	if (p->family == 4) {
		addr_from4(&t->src, ip->saddr);
	} else {
		struct ipv6hdr *ip6 = (void *)ip;

		__builtin_memcpy(&t->src, &ip6->saddr, 16);
	}
	t->source = bpf_ntohs(g->source);
	t->kind = g->kind;
	t->key_id = g->key_id;
	t->tag = *(__u64 *)g->tag;
	return HW_VERDICT_COUNT;
}

/* Does it come from the node that it names, made with a key that we have? */
inline_fn enum hw_verdict tunnel_source(const struct hw_config *cfg, struct tunnel *t)
{
	const struct hw_node *node = row(&hw_nodes, t->source);

	if (!node || !node->overhead || t->source == cfg->node || !addr_equal(&node->addr, &t->src))
		return HW_V_drop_tun_source;
	t->key = row(&hw_keys, t->key_id);
	if (!t->key || !t->key->valid)
		return HW_V_drop_tun_key;
	return HW_VERDICT_COUNT;
}

/*
 * From here on the packet is the inner one: parses it into `in` and checks the
 * tag over its flow. The lengths of inner and outer must agree to the byte.
 */
inline_fn enum hw_verdict tunnel_inner(struct xdp_md *ctx, const struct hw_config *cfg, struct tunnel *t,
				       struct packet *in)
{
	in->offset = IP_OFFSET + t->outer_ip + sizeof(struct udphdr) + sizeof(struct hw_geneve);
	if (has_ip(ctx, in, t->proto) != PARSED ||
	    in->ip_len + sizeof(struct udphdr) + sizeof(struct hw_geneve) != t->udp_len)
		return HW_V_drop_tun_malformed;
	if (in->fragment || in->proto != IPPROTO_TCP)
		return HW_V_drop_tun_inner;
	if (!has_tcp(ctx, in))
		return HW_V_drop_tun_malformed;
	if (tag_data(in, cfg, t->key, t->kind, t->key_id, t->source, cfg->node) != t->tag)
		return HW_V_drop_tun_tag;
	return HW_VERDICT_COUNT;
}

/* A node may carry TCP from the internet to a VIP, but no bare SYN: that opens connections where it lands. */
inline_fn bool inner_allowed(struct packet *in)
{
	const struct hw_vip *vip = vip_of(in);

	if (!vip || !vip_has_port(vip, bpf_ntohs(tcp_dport(in))))
		return false;
	return !is_bare_syn(in) && !addr_is_martian(&in->src) && !bpf_map_lookup_elem(&hw_ours, &in->src);
}

#define ECN_MASK 3
#define ECN_ECT1 1
#define ECN_CE   3

/* The inner ECN field after decapsulation, RFC 6040 section 4.2; -1: drop. */
inline_fn int ecn_merge(__u8 inner, __u8 outer)
{
	inner &= ECN_MASK;
	outer &= ECN_MASK;
	if (outer == ECN_CE)
		return inner ? ECN_CE : -1;
	if (outer == ECN_ECT1 && inner && inner != ECN_CE)
		return ECN_ECT1;
	return inner;
}

inline_fn bool ecn_write(struct xdp_md *ctx, const struct packet *in, __u8 tos)
{
	void *at = data_of(ctx) + IP_OFFSET;

	if (at + sizeof(struct ipv6hdr) > end_of(ctx))
		return false;
	if (in->family == 4) {
		struct iphdr *ip = at;

		/* RFC 1624: the old word out, the new one in */
		ip->check = ~sum_fold((__u64)(__u16)~ip->check + (__u16)~((__u32)ip->tos << 8) + ((__u32)tos << 8));
		ip->tos = tos;
	} else {
		__be32 *first = at;

		*first = (*first & bpf_htonl(0xf00fffff)) | bpf_htonl((__u32)tos << 20);
	}
	return true;
}

/* Home: the outer headers come off, the Ethernet header goes in front of the inner packet. */
inline_fn enum hw_verdict deliver(struct xdp_md *ctx, const struct tunnel *t, const struct packet *in)
{
	int ecn = ecn_merge(in->tos, t->tos);
	struct ethhdr *eth = data_of(ctx), was;
	struct hw_node_stats *stats;

	if (ecn < 0)
		return HW_V_drop_tun_inner;
	if ((void *)(eth + 1) > end_of(ctx))
		return HW_V_drop_tun_malformed;
	was = *eth;
	if (bpf_xdp_adjust_head(ctx, in->offset - IP_OFFSET))
		return HW_V_drop_headroom;
	eth = data_of(ctx);
	if ((void *)(eth + 1) > end_of(ctx))
		return HW_V_drop_headroom;
	*eth = was;
	eth->h_proto = t->proto;
	if (ecn != (in->tos & ECN_MASK) && !ecn_write(ctx, in, (in->tos & ~ECN_MASK) | ecn))
		return HW_V_drop_headroom;
	stats = row(&hw_node_stats, t->source);
	if (stats) {
		stats->carried_from_packets++;
		stats->carried_from_bytes += in->ip_len;
	}
	return HW_V_pass_carried;
}

/* Outer source and destination, MAC and IP, change places; TTL starts anew. Only checksums over TTL change. */
inline_fn bool turn_around(struct xdp_md *ctx, const struct tunnel *t)
{
	struct ethhdr *eth = data_of(ctx);
	struct iphdr *ip = (void *)(eth + 1);
	__u8 mac[ETH_ALEN];

	if ((void *)(ip + 1) > end_of(ctx))
		return false;
	__builtin_memcpy(mac, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, mac, ETH_ALEN);
	if (t->family == 4) {
		__be32 addr = ip->saddr;

		ip->saddr = ip->daddr;
		ip->daddr = addr;
		ip->check = ~sum_fold((__u64)(__u16)~ip->check + (__u16)~(__u16)ip->ttl + 64);
		ip->ttl = 64;
	} else {
		struct ipv6hdr *ip6 = (void *)ip;
		struct in6_addr addr;

		if ((void *)(ip6 + 1) > end_of(ctx))
			return false;
		addr = ip6->saddr;
		ip6->saddr = ip6->daddr;
		ip6->daddr = addr;
		ip6->hop_limit = 64;
	}
	return true;
}

/* Return to sender: the same packet, turned around, as a RETURN of ours. */
inline_fn enum hw_verdict return_to_sender(struct xdp_md *ctx, const struct hw_config *cfg,
					   const struct tunnel *t, const struct packet *in)
{
	struct udphdr *udp = data_at(ctx, IP_OFFSET + t->outer_ip);
	struct hw_geneve *g = (void *)(udp + 1);
	const struct hw_key *key = row(&hw_keys, cfg->sign_key);
	struct hw_node_stats *stats = row(&hw_node_stats, t->source);
	__u64 tag, sum;

	if (!key || (void *)(g + 1) > end_of(ctx))
		return HW_V_drop_tun_malformed;
	tag = tag_data(in, cfg, key, HW_KIND_RETURN, cfg->sign_key, cfg->node, t->source);
	/* RFC 1624: what changes are kind and key id, source and tag */
	sum = (__u16)~udp->check;
	sum += (__u16) ~(g->kind | (__u16)g->key_id << 8) + (__u16)~g->source;
	sum += (__u32)~(__u32)t->tag + (__u64)(__u32)~(__u32)(t->tag >> 32);
	g->kind = HW_KIND_RETURN;
	g->key_id = cfg->sign_key;
	g->source = bpf_htons(cfg->node);
	*(__u64 *)g->tag = tag;
	sum += (g->kind | (__u16)g->key_id << 8) + g->source + (__u32)tag + (tag >> 32);
	udp->check = udp_checksum(sum);
	if (!turn_around(ctx, t))
		return HW_V_drop_tun_malformed;
	if (stats)
		stats->returned_to_packets++;
	return HW_V_return_tx;
}

/* A stray of ours came back: forget what we believed, unless that has changed since. Then ask again. */
inline_fn enum hw_verdict take_back(struct xdp_md *ctx, const struct hw_config *cfg, const struct tunnel *t,
				    struct packet *in)
{
	struct hw_node_stats *stats = row(&hw_node_stats, t->source);
	const struct hw_flow *flow;

	if (stats)
		stats->returned_from_packets++;
	flow_key(in);
	flow = bpf_map_lookup_elem(&hw_flows, &in->key);
	if (flow && flow->home == t->source)
		bpf_map_delete_elem(&hw_flows, &in->key);
	/* a RETURN that somebody recorded and sends again costs no more than other unknown packets */
	if (!budget_allows(in, cfg, bpf_ktime_get_coarse_ns()))
		return HW_V_drop_budget;
	return hand_up(ctx, in, t->source) ? HW_V_drop_returned : HW_V_drop_queue_full;
}

inline_fn enum hw_verdict tunnel_data(struct xdp_md *ctx, const struct hw_config *cfg, struct tunnel *t,
				      struct packet *in)
{
	enum hw_verdict refused = tunnel_inner(ctx, cfg, t, in);

	if (refused != HW_VERDICT_COUNT)
		return refused;
	if (!inner_allowed(in))
		return HW_V_drop_tun_inner;
	if (t->kind == HW_KIND_RETURN)
		return take_back(ctx, cfg, t, in);
	if (hw_grade(ctx, &in->q) != HW_GRADE_MINE) {
		/* right behind the answer to a SYN cookie, in one batch with it: the stack has made no socket yet */
		flow_key(in);
		if (!cookie_follows(in, bpf_ktime_get_coarse_ns()))
			return return_to_sender(ctx, cfg, t, in);
	}
	if (in->q.by_cookie)
		cookie_remember(in);
	return deliver(ctx, t, in);
}
