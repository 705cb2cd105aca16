/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What leaves on egress and begins a connection from a VIP: a SYN or a SYN-ACK,
 * whole and in form. A look at the linear part tells most of the rest; then the
 * headers are read by bpf_skb_load_bytes, so it does not matter where they are.
 */
#pragma once

#include "map.h"
#include "port.h"

struct syn {
	/* once has_ip() */
	struct hw_addr src;
	__u32 tcp;           /* offset of the TCP header */
	__u32 tcp_len;       /* of header and payload, by the IP header */
	__u8  family;        /* 4 or 6 */

	/* once has_syn() */
	__u32 options;       /* bytes of them */
	__u16 sport;
};

/* True where the headers lie open and are not those of a SYN: nearly always (33 ns instead of 84, of a test run). */
inline_fn bool is_no_syn(const struct __sk_buff *skb)
{
	void *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = (void *)(long)skb->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct ipv6hdr *ip6 = (void *)ip;
	struct tcphdr *th;

	if ((void *)(ip + 1) > end)
		return false;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		if (ip->protocol != IPPROTO_TCP)
			return true;
		th = (void *)(ip + 1);
		return ip->ihl == 5 && (void *)(th + 1) <= end && !th->syn;
	}
	th = (void *)(ip6 + 1);
	return eth->h_proto != bpf_htons(ETH_P_IPV6) || ((void *)(th + 1) <= end && !th->syn);
}

inline_fn bool has_ip4(struct __sk_buff *skb, struct syn *s)
{
	struct iphdr ip;
	__u32 header, len;

	if (bpf_skb_load_bytes(skb, IP_OFFSET, &ip, sizeof(ip)))
		return false;
	header = ip.ihl * 4;
	len = bpf_ntohs(ip.tot_len);
	if (ip.version != 4 || header < sizeof(ip) || len < header || ip.protocol != IPPROTO_TCP ||
	    ip.frag_off & FRAGMENT)
		return false;
	addr_from4(&s->src, ip.saddr);
	s->tcp = IP_OFFSET + header;
	s->tcp_len = len - header;
	s->family = 4;
	return true;
}

/* Behind extension headers nothing is looked for: no stack puts them before a SYN-ACK. */
inline_fn bool has_ip6(struct __sk_buff *skb, struct syn *s)
{
	struct ipv6hdr ip;

	if (bpf_skb_load_bytes(skb, IP_OFFSET, &ip, sizeof(ip)) || ip.version != 6 || ip.nexthdr != IPPROTO_TCP)
		return false;
	__builtin_memcpy(&s->src, &ip.saddr, sizeof(s->src));
	s->tcp = IP_OFFSET + sizeof(ip);
	s->tcp_len = bpf_ntohs(ip.payload_len);
	s->family = 6;
	return true;
}

/* The EtherType is the frame's own: a tag that the NIC is to insert is not in the frame yet. */
inline_fn bool has_ip(struct __sk_buff *skb, struct syn *s)
{
	__be16 proto;

	if (bpf_skb_load_bytes(skb, offsetof(struct ethhdr, h_proto), &proto, sizeof(proto)))
		return false;
	if (proto == bpf_htons(ETH_P_IP))
		return has_ip4(skb, s);
	return proto == bpf_htons(ETH_P_IPV6) && has_ip6(skb, s);
}

inline_fn bool has_syn(struct __sk_buff *skb, struct syn *s)
{
	struct tcphdr th;

	if (bpf_skb_load_bytes(skb, s->tcp, &th, sizeof(th)) || !th.syn || th.doff < 5 || th.doff * 4 > s->tcp_len)
		return false;
	s->options = th.doff * 4 - sizeof(th);
	s->sport = bpf_ntohs(th.source);
	return true;
}

inline_fn bool is_from_vip(const struct syn *s)
{
	const struct hw_vip *vip = bpf_map_lookup_elem(&hw_vips, &s->src);

	return vip && vip_has_port(vip, s->sport);
}
