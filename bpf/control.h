/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Control messages: an ASK and a PING are answered in place, agent or no agent;
 * an ANSWER and a PONG pass to the agent's socket. A message is checked and
 * changed in a scratch copy, which has a fixed place and size for the verifier.
 */
#pragma once

#include "question.h"
#include "tunnel.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct message);
} hw_scratch SEC(".maps");

/* The length that the message must have by its kind; 0: not such a kind. */
inline_fn __u32 message_len(struct xdp_md *ctx, const struct tunnel *t, __u32 offset)
{
	struct hw_ask ask;

	if (t->kind == HW_KIND_PING || t->kind == HW_KIND_PONG)
		return sizeof(struct hw_ping);
	if (bpf_xdp_load_bytes(ctx, offset, &ask, sizeof(ask)) || ask.count < 1 || ask.count > HW_ASK_FLOWS)
		return 0;
	return sizeof(ask) + ask.count * sizeof(struct hw_ask_flow);
}

/* What we write in front of an answer: one sum over header and message, len bytes of it, and the pseudo header. */
inline_fn bool write_answer(struct xdp_md *ctx, const struct hw_config *cfg, const struct tunnel *t,
			    struct message *m, __u32 len, __u8 kind)
{
	struct udphdr *udp = data_at(ctx, IP_OFFSET + t->outer_ip);
	struct hw_geneve *g = (void *)(udp + 1);
	const struct hw_key *key = row(&hw_keys, cfg->sign_key);
	__u16 udp_len = sizeof(*udp) + sizeof(*g) + len;
	__u64 tag;
	__s64 sum;

	if (!key || (void *)(g + 1) > end_of(ctx))
		return false;
	tag = tag_control(m, len, cfg, key, kind, cfg->sign_key, cfg->node, t->source);
	g->kind = kind;
	g->key_id = cfg->sign_key;
	g->source = bpf_htons(cfg->node);
	*(__u64 *)g->tag = tag;
	udp->source = bpf_htons(HW_PORT);
	udp->len = bpf_htons(udp_len);
	udp->check = 0;
	sum = bpf_csum_diff(NULL, 0, (__be32 *)m, len, bpf_htons(udp_len) + bpf_htons(IPPROTO_UDP));
	for (__u32 i = 0; i < (sizeof(*udp) + sizeof(*g)) / 4; i++)
		sum += ((__u32 *)udp)[i];
	for (__u32 i = 0; i < 4; i++)
		sum += (__u64)((__u32 *)&t->src)[i] + ((__u32 *)&cfg->endpoint)[i];
	udp->check = udp_checksum(sum);
	return !bpf_xdp_store_bytes(ctx, IP_OFFSET + t->outer_ip + sizeof(*udp) + sizeof(*g), m, len);
}

/* The outer IP length of an answer: a PONG is shorter than a padded PING. */
inline_fn bool set_length(struct xdp_md *ctx, const struct tunnel *t, __u32 len)
{
	__u32 ip_len = t->outer_ip + sizeof(struct udphdr) + sizeof(struct hw_geneve) + len;
	int cut = (int)(IP_OFFSET + ip_len) - (int)bpf_xdp_get_buff_len(ctx);
	struct iphdr *ip;

	if (cut < 0 && bpf_xdp_adjust_tail(ctx, cut))
		return false;
	ip = data_of(ctx) + IP_OFFSET;
	if (t->family == 4) {
		if ((void *)(ip + 1) > end_of(ctx))
			return false;
		ip->check = ~sum_fold((__u64)(__u16)~ip->check + (__u16)~ip->tot_len + bpf_htons(ip_len));
		ip->tot_len = bpf_htons(ip_len);
	} else {
		struct ipv6hdr *ip6 = (void *)ip;

		if ((void *)(ip6 + 1) > end_of(ctx))
			return false;
		ip6->payload_len = bpf_htons(ip_len - sizeof(*ip6));
	}
	return true;
}

inline_fn void answer_ask(struct xdp_md *ctx, const struct tunnel *t, struct message *m)
{
	struct hw_node_stats *stats = row(&hw_node_stats, t->source);
	struct hw_ask *ask = (void *)m;

	for (__u32 i = 0; i < HW_ASK_FLOWS; i++) {
		if (i >= ask->count)
			break;
		ask->flows[i].grade = grade_asked(ctx, &ask->flows[i]);
	}
	if (stats)
		stats->asked_by_flows += ask->count;
}

inline_fn void answer_ping(struct message *m, const struct hw_config *cfg)
{
	const struct hw_self *self = row(&hw_self, 0);
	struct hw_ping *pong = (void *)m;
	__u64 now = bpf_ktime_get_ns();

	pong->schema = bpf_htonl(HW_SCHEMA);
	pong->flags = 0;
	__builtin_memset(pong->reserved, 0, sizeof(pong->reserved));
	__builtin_memset(pong->hears, 0, sizeof(pong->hears));
	pong->wall_ns = 0;
	if (!self)
		return;
	pong->wall_ns = bpf_cpu_to_be64(now + self->wall_offset_ns);
	if (self->fresh_ns && now - self->fresh_ns < cfg->witness_ns) {
		pong->flags = HW_PONG_WITNESS;
		__builtin_memcpy(pong->hears, self->hears, sizeof(pong->hears));
	}
}

inline_fn enum hw_verdict answer(struct xdp_md *ctx, const struct hw_config *cfg, const struct tunnel *t,
				 struct message *m, __u32 len)
{
	bool asked = t->kind == HW_KIND_ASK;

	if (asked)
		answer_ask(ctx, t, m);
	else
		answer_ping(m, cfg);
	if (!set_length(ctx, t, len) || !turn_around(ctx, t) ||
	    !write_answer(ctx, cfg, t, m, len, asked ? HW_KIND_ANSWER : HW_KIND_PONG))
		return HW_V_drop_tun_malformed;
	return asked ? HW_V_answer_tx : HW_V_pong_tx;
}

inline_fn enum hw_verdict tunnel_control(struct xdp_md *ctx, const struct hw_config *cfg, const struct tunnel *t)
{
	__u32 offset = IP_OFFSET + t->outer_ip + sizeof(struct udphdr) + sizeof(struct hw_geneve);
	__u32 room = t->udp_len - sizeof(struct udphdr) - sizeof(struct hw_geneve);
	struct message *m = row(&hw_scratch, 0);
	__u32 len = message_len(ctx, t, offset);

	/* only a PING may be padded, and it says by how much */
	if (!m || !len || room < len || (room != len && t->kind != HW_KIND_PING))
		return HW_V_drop_tun_malformed;
	asm volatile("" : "+r"(len));
	if (len < 8 || len > sizeof(*m) || bpf_xdp_load_bytes(ctx, offset, m, len))
		return HW_V_drop_tun_malformed;
	if (tag_control(m, len, cfg, t->key, t->kind, t->key_id, t->source, cfg->node) != t->tag)
		return HW_V_drop_tun_tag;
	if (t->kind == HW_KIND_PING && ((struct hw_ping *)m)->size != bpf_htons(t->ip_len))
		return HW_V_drop_tun_malformed;

	switch (t->kind) {
	case HW_KIND_ASK:
	case HW_KIND_PING:
		return answer(ctx, cfg, t, m, len);
	case HW_KIND_ANSWER:
		return HW_V_pass_answer;
	default:
		return HW_V_pass_pong;
	}
}
