/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Step 3: a stray whose home is known is encapsulated and sent there. What is
 * constant for the node lies ready in hw_nodes, what is constant for the flow
 * in hw_flows; here are one copy, the lengths and the checksums.
 */
#pragma once

#include "tag.h"

/* Any number of 16-bit words in memory order, summed wider, to their 16-bit ones' complement sum. */
inline_fn __u16 sum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* RFC 768, RFC 8200 section 8.1: a checksum that comes out as zero is sent as 0xffff. */
inline_fn __u16 udp_checksum(__u64 sum)
{
	__u16 check = ~sum_fold(sum);

	return check ? check : 0xffff;
}

/*
 * Copies the ready headers in front of the packet in 64-bit words. The packet
 * pointer is not aligned; BPF runs where that is allowed, and clang would copy
 * byte by byte if it knew.
 */
inline_fn void copy_head(void *to, const void *from, const __u32 len)
{
	__u32 i;

	for (i = 0; i + 8 <= len; i += 8)
		*(__u64 *)(to + i) = *(const __u64 *)(from + i);
	if (i + 4 <= len) {
		*(__u32 *)(to + i) = *(const __u32 *)(from + i);
		i += 4;
	}
	if (i + 2 <= len)
		*(__u16 *)(to + i) = *(const __u16 *)(from + i);
}

struct outer {
	__u64 tag;
	__u16 port;   /* UDP source port, host order */
	__u8 key_id;
};

/* IPv4 outside, RFC 8926 over RFC 768. The DSCP and ECN of the inner packet are copied (RFC 6040, 4.1). */
inline_fn bool encapsulate4(struct xdp_md *ctx, const struct packet *p, const struct hw_node *node, __u16 len)
{
	struct iphdr *ip = data_of(ctx) + IP_OFFSET;

	if (data_of(ctx) + IP_OFFSET + HW_OVERHEAD4 > end_of(ctx))
		return false;
	copy_head(data_of(ctx), node->head, IP_OFFSET + HW_OVERHEAD4);
	ip->tos = p->tos;
	ip->tot_len = bpf_htons(len);
	ip->check = ~sum_fold((__u64)node->ip_sum + ((__u32)p->tos << 8) + ip->tot_len);
	return true;
}

/* IPv6 outside; the flow label carries the entropy too (RFC 6438). */
inline_fn bool encapsulate6(struct xdp_md *ctx, const struct packet *p, const struct hw_node *node, __u16 len,
			    __u16 port)
{
	struct ipv6hdr *ip = data_of(ctx) + IP_OFFSET;

	if (data_of(ctx) + IP_OFFSET + HW_OVERHEAD6 > end_of(ctx))
		return false;
	copy_head(data_of(ctx), node->head, IP_OFFSET + HW_OVERHEAD6);
	*(__be32 *)ip = bpf_htonl(6u << 28 | (__u32)p->tos << 20 | port);
	ip->payload_len = bpf_htons(len - sizeof(*ip));
	return true;
}

/* UDP and Geneve behind an outer header of `outer_ip` bytes; len: of UDP header and payload. */
inline_fn bool fill_udp(struct xdp_md *ctx, const struct packet *p, const struct hw_node *node,
			const struct outer *o, __u32 outer_ip, __u16 len)
{
	struct udphdr *udp = data_of(ctx) + IP_OFFSET + outer_ip;
	struct hw_geneve *geneve = (void *)(udp + 1);
	__be16 proto = p->family == 4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);

	if ((void *)(geneve + 1) > end_of(ctx))
		return false;
	udp->source = bpf_htons(o->port);
	udp->len = bpf_htons(len);
	geneve->proto = proto;
	geneve->key_id = o->key_id;
	*(__u64 *)geneve->tag = o->tag;
	/* the length stands in the UDP header and in the pseudo header */
	udp->check = udp_checksum((__u64)node->udp_sum + udp->source + 2ull * udp->len + proto +
				  bpf_htons(o->key_id) + (__u32)o->tag + (o->tag >> 32) + p->inner_sum);
	return true;
}

inline_fn bool encapsulate(struct xdp_md *ctx, const struct packet *p, const struct hw_node *node,
			   const struct outer *o)
{
	if (node->overhead == HW_OVERHEAD4)
		return !bpf_xdp_adjust_head(ctx, -HW_OVERHEAD4) &&
		       encapsulate4(ctx, p, node, p->ip_len + HW_OVERHEAD4) &&
		       fill_udp(ctx, p, node, o, sizeof(struct iphdr), p->ip_len + HW_OVERHEAD4 - sizeof(struct iphdr));
	return !bpf_xdp_adjust_head(ctx, -HW_OVERHEAD6) &&
	       encapsulate6(ctx, p, node, p->ip_len + HW_OVERHEAD6, o->port) &&
	       fill_udp(ctx, p, node, o, sizeof(struct ipv6hdr), p->ip_len + HW_OVERHEAD6 - sizeof(struct ipv6hdr));
}

/*
 * The flow's tag, made again if the signing key changed since: so a key roll
 * stalls nothing. Two CPUs that meet here write the same values; the tag is
 * written before the generation and read after it, so it is never older.
 */
inline_fn bool flow_tag(const struct packet *p, const struct hw_config *cfg, struct hw_flow *flow,
			struct outer *o)
{
	const struct hw_key *key;
	__u32 gen = cfg->key_gen;

	o->port = flow->outer_port;
	o->key_id = cfg->sign_key;
	if (likely(READ_ONCE(flow->key_gen) == gen)) {
		o->tag = READ_ONCE(flow->tag);
		return true;
	}
	key = row(&hw_keys, o->key_id);
	if (!key)
		return false;
	o->tag = tag_data(p, cfg, key, HW_KIND_CARRY, o->key_id, cfg->node, flow->home);
	WRITE_ONCE(flow->tag, o->tag);
	WRITE_ONCE(flow->key_gen, gen);
	return true;
}

inline_fn void carry_count(const struct packet *p, struct hw_flow *flow)
{
	struct hw_node_stats *stats = row(&hw_node_stats, flow->home);

	flow->packets++;
	flow->bytes += p->ip_len;
	flow->seen_ns = bpf_ktime_get_coarse_ns();
	flow->seq = p->q.seq;
	flow->ack = p->q.ack;
	if (stats) {
		stats->carried_to_packets++;
		stats->carried_to_bytes += p->ip_len;
	}
}

inline_fn enum hw_verdict carry(struct xdp_md *ctx, const struct packet *p, const struct hw_config *cfg,
				struct hw_flow *flow)
{
	const struct hw_node *node = row(&hw_nodes, flow->home);
	struct outer o;

	if (!node || !node->usable || !flow_tag(p, cfg, flow, &o))
		return HW_V_drop_no_route;
	if (p->ip_len + node->overhead > node->mtu)
		return HW_V_drop_too_big;
	if (!encapsulate(ctx, p, node, &o))
		return HW_V_drop_headroom;
	if (node->ifindex == ctx->ingress_ifindex) {
		carry_count(p, flow);
		return HW_V_carry_tx;
	}
	/* without a devmap: the kernel batches both alike, and older libbpf cannot reuse a pinned devmap */
	bpf_redirect(node->ifindex, 0);
	carry_count(p, flow);
	return HW_V_carry_redirect;
}
