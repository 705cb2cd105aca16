/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * One packet, and what is known of it so far. The parser reads as far as it is
 * asked to: IP first, for every packet on the NIC; TCP or UDP only for a VIP. It
 * reads the linear part of the frame; what a driver keeps in fragments is payload.
 */
#pragma once

#include "base.h"
#include "mine.h"

struct packet {
	/* once has_ip() */
	struct hw_addr dst;
	__u16 offset;        /* of the IP header, from the start of the frame */
	__u16 ip_len;        /* of the whole IP packet */
	__u16 l4;            /* offset of what follows the IP header */
	__u8  family;        /* 4 or 6 */
	__u8  proto;
	__u8  tos;           /* DSCP and ECN, or IPv6 traffic class */
	bool  fragment;

	/* once has_tcp() */
	struct hw_addr src;
	struct question q;
	__u32 inner_sum;     /* ones' complement sum of the IP packet, taken from its own checksums */

	/* once its VIP is known; 0: none. The row that counts it. */
	__u32 vip;
	struct hw_flow_key key; /* once flow_key() */
};

enum parsed { PARSED, NOT_IP, MALFORMED };

inline_fn void *data_of(const struct xdp_md *ctx) { return (void *)(long)ctx->data; }
inline_fn void *end_of(const struct xdp_md *ctx) { return (void *)(long)ctx->data_end; }

/*
 * The frame from `offset` on. Headers end well below 512; the mask tells the
 * verifier so, which knows nothing of 16-bit values that were on the stack.
 */
inline_fn void *data_at(const struct xdp_md *ctx, __u32 offset)
{
	asm volatile("" : "+r"(offset)); /* or clang, which does know, drops the mask */
	return data_of(ctx) + (offset & 0x1ff);
}

inline_fn bool addr_equal(const struct hw_addr *a, const struct hw_addr *b)
{
	const __u64 *x = (const __u64 *)a, *y = (const __u64 *)b;

	return x[0] == y[0] && x[1] == y[1];
}

inline_fn bool addr_is4(const struct hw_addr *a)
{
	const __u32 *w = (const __u32 *)a;

	return w[0] == 0 && w[1] == 0 && w[2] == bpf_htonl(0xffff);
}

/* Unspecified, loopback, link-local, multicast, broadcast: never the source of a packet from the internet. */
inline_fn bool addr_is_martian(const struct hw_addr *a)
{
	const __u32 *w = (const __u32 *)a;

	if (addr_is4(a))
		return a->b[12] == 0 || a->b[12] == 127 || a->b[12] >= 224 || (a->b[12] == 169 && a->b[13] == 254);
	if (a->b[0] == 0xff || (a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80))
		return true;
	return w[0] == 0 && w[1] == 0 && w[2] == 0 && (w[3] == 0 || w[3] == bpf_htonl(1));
}

inline_fn enum parsed has_ip4(struct xdp_md *ctx, struct packet *p)
{
	struct iphdr *ip = data_at(ctx, p->offset);
	__u32 header;

	if ((void *)(ip + 1) > end_of(ctx))
		return NOT_IP;
	header = ip->ihl * 4;
	addr_from4(&p->dst, ip->daddr);
	p->family = 4;
	p->proto = ip->frag_off & bpf_htons(0x1fff) ? IPPROTO_FRAGMENT : ip->protocol;
	p->tos = ip->tos;
	p->ip_len = bpf_ntohs(ip->tot_len);
	p->l4 = p->offset + header;
	p->fragment = ip->frag_off & FRAGMENT;
	return ip->version == 4 && header >= sizeof(*ip) && p->ip_len >= header ? PARSED : MALFORMED;
}

inline_fn enum parsed has_ip6(struct xdp_md *ctx, struct packet *p)
{
	struct ipv6hdr *ip = data_at(ctx, p->offset);
	__u32 len;

	if ((void *)(ip + 1) > end_of(ctx))
		return NOT_IP;
	__builtin_memcpy(&p->dst, &ip->daddr, 16);
	p->family = 6;
	p->proto = ip->nexthdr;
	p->tos = bpf_ntohl(*(__be32 *)ip) >> 20;
	len = sizeof(*ip) + bpf_ntohs(ip->payload_len);
	p->ip_len = len;
	p->l4 = p->offset + sizeof(*ip);
	p->fragment = ip->nexthdr == IPPROTO_FRAGMENT;
	return ip->version == 6 && len <= 0xffff && !addr_is4(&p->dst) ? PARSED : MALFORMED;
}

/* Is the frame at least that long? The call is for frames that go on in fragments. */
inline_fn bool frame_holds(struct xdp_md *ctx, __u32 len)
{
	return len <= end_of(ctx) - data_of(ctx) || len <= bpf_xdp_get_buff_len(ctx);
}

/* The IP header at p->offset; `proto` is the EtherType in front of it. MALFORMED still knows dst. */
inline_fn enum parsed has_ip(struct xdp_md *ctx, struct packet *p, __be16 proto)
{
	enum parsed parsed;

	if (proto == bpf_htons(ETH_P_IP))
		parsed = has_ip4(ctx, p);
	else if (proto == bpf_htons(ETH_P_IPV6))
		parsed = has_ip6(ctx, p);
	else
		return NOT_IP;
	if (parsed == PARSED && !frame_holds(ctx, p->offset + p->ip_len))
		return MALFORMED;
	return parsed;
}

/*
 * The sum of a whole IP packet with TCP in it, without touching the payload
 * (local checksum offload, as in the kernel's Documentation/networking/
 * checksum-offloads.rst): a TCP checksum makes the segment sum up to the
 * complement of its pseudo header, an IPv4 header checksum makes the header
 * sum up to zero.
 */
inline_fn __u32 sum4(const struct iphdr *ip, __u32 tcp_len)
{
	__u64 pseudo = (__u64)ip->saddr + ip->daddr + bpf_htons(IPPROTO_TCP) + bpf_htons(tcp_len);

	pseudo = (pseudo & 0xffffffff) + (pseudo >> 32);
	pseudo = (pseudo & 0xffffffff) + (pseudo >> 32);
	return ~(__u32)pseudo;
}

inline_fn __u32 sum6(const struct ipv6hdr *ip)
{
	/* addresses and length stand in both the header and the pseudo header: they cancel out */
	__u64 sum = (__u64) * (__u32 *)ip + *(__u16 *)&ip->nexthdr + (0xffff - bpf_htons(IPPROTO_TCP));

	sum = (sum & 0xffffffff) + (sum >> 32);
	return (sum & 0xffffffff) + (sum >> 32);
}

/* The TCP header behind a PARSED IP header. False: cut short or malformed. */
inline_fn bool has_tcp(struct xdp_md *ctx, struct packet *p)
{
	struct tcphdr *th = data_at(ctx, p->l4);
	void *ip = data_at(ctx, p->offset);
	__u32 tcp_len = p->ip_len - (p->l4 - p->offset);

	if ((void *)(th + 1) > end_of(ctx) || th->doff < 5 || th->doff * 4 > tcp_len)
		return false;
	__builtin_memset(&p->q, 0, sizeof(p->q));
	p->q.seq = bpf_ntohl(th->seq);
	p->q.ack = bpf_ntohl(th->ack_seq);
	p->q.tcp_flags = ((__u8 *)th)[13];
	p->q.family = p->family;
	if (p->family == 4) {
		struct iphdr *ip4 = ip;

		if ((void *)(ip4 + 1) > end_of(ctx))
			return false;
		p->q.tuple.ipv4.saddr = ip4->saddr;
		p->q.tuple.ipv4.daddr = ip4->daddr;
		p->q.tuple.ipv4.sport = th->source;
		p->q.tuple.ipv4.dport = th->dest;
		addr_from4(&p->src, ip4->saddr);
		p->inner_sum = sum4(ip4, tcp_len);
	} else {
		struct ipv6hdr *ip6 = ip;

		if ((void *)(ip6 + 1) > end_of(ctx))
			return false;
		__builtin_memcpy(p->q.tuple.ipv6.saddr, &ip6->saddr, 16);
		__builtin_memcpy(p->q.tuple.ipv6.daddr, &ip6->daddr, 16);
		p->q.tuple.ipv6.sport = th->source;
		p->q.tuple.ipv6.dport = th->dest;
		__builtin_memcpy(&p->src, &ip6->saddr, 16);
		p->inner_sum = sum6(ip6);
	}
	return true;
}

/*
 * The UDP header behind a PARSED IP header; *port: its destination, host order.
 * False: the stack discards it, for it is cut short or its length is not
 * possible. (IPv6 takes 0 for "to the end of the packet", as RFC 2675 has it.)
 */
inline_fn bool has_udp(struct xdp_md *ctx, const struct packet *p, __u16 *port)
{
	const struct udphdr *udp = data_at(ctx, p->l4);
	__u32 room = p->ip_len - (p->l4 - p->offset), len;

	if ((void *)(udp + 1) > end_of(ctx) || room < sizeof(*udp))
		return false;
	*port = bpf_ntohs(udp->dest);
	len = bpf_ntohs(udp->len);
	if (!len && p->family == 6)
		return true;
	return len >= sizeof(*udp) && len <= room;
}

inline_fn __be16 tcp_sport(const struct packet *p)
{
	return p->family == 4 ? p->q.tuple.ipv4.sport : p->q.tuple.ipv6.sport;
}

inline_fn __be16 tcp_dport(const struct packet *p)
{
	return p->family == 4 ? p->q.tuple.ipv4.dport : p->q.tuple.ipv6.dport;
}

inline_fn bool is_bare_syn(const struct packet *p)
{
	return (p->q.tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
}

inline_fn void flow_key(struct packet *p)
{
	__builtin_memcpy(p->key.client, &p->src, 16);
	p->key.vip = p->vip;
	p->key.vip_port = bpf_ntohs(tcp_dport(p));
	p->key.client_port = bpf_ntohs(tcp_sport(p));
	p->key.reserved = 0;
}
