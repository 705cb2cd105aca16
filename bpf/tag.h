/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The tag that proves that a node sent it (maps-schema/wire.h says over what). */
#pragma once

#include "maps.h"
#include "packet.h"

inline_fn void tag_head(struct hw_tag_head *h, const struct hw_config *cfg, __be16 proto, __u8 kind,
			__u8 key_id, __u16 source, __u16 destination)
{
	h->vni = bpf_htonl(cfg->network << 8);
	h->proto = proto;
	h->kind = kind;
	h->key_id = key_id;
	h->source = bpf_htons(source);
	h->destination = bpf_htons(destination);
}

/* The tag of a data packet (CARRY, RETURN) around p's inner packet. */
inline_fn __u64 tag_data(const struct packet *p, const struct hw_config *cfg, const struct hw_key *key,
			 __u8 kind, __u8 key_id, __u16 source, __u16 destination)
{
	struct hw_tag_head head;
	struct hw_siphash s;

	tag_head(&head, cfg, p->family == 4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6), kind, key_id,
		 source, destination);
	head.sport = tcp_sport(p);
	head.dport = tcp_dport(p);
	hw_tag_begin(&s, key->data, &head);
	if (p->family == 4) {
		hw_siphash_word(&s, (__u64)p->q.tuple.ipv4.saddr | (__u64)p->q.tuple.ipv4.daddr << 32);
	} else {
		const __u64 *src = (const __u64 *)&p->src, *dst = (const __u64 *)&p->dst;

		hw_siphash_word(&s, src[0]);
		hw_siphash_word(&s, src[1]);
		hw_siphash_word(&s, dst[0]);
		hw_siphash_word(&s, dst[1]);
	}
	return hw_siphash_end(&s);
}

/* Control messages are worked on in a copy: up to 400 bytes, in whole words. */
#define MESSAGE_WORDS ((sizeof(struct hw_ask) + HW_ASK_FLOWS * sizeof(struct hw_ask_flow)) / 8)

struct message {
	__u64 word[MESSAGE_WORDS];
};

struct tag_input {
	struct hw_tag_head head; /* dport: the length of the message, bytes */
	__u64 key[2];
};

/* A global function: its loop is verified once. */
__attribute__((noinline)) __u64 hw_control_tag(const struct message *m, const struct tag_input *in)
{
	struct hw_siphash s;
	__u32 words;

	if (!m || !in)
		return 0;
	words = bpf_ntohs(in->head.dport) / 8;
	hw_tag_begin(&s, in->key, &in->head);
	for (__u32 i = 0; i < MESSAGE_WORDS; i++) {
		if (i >= words)
			break;
		hw_siphash_word(&s, m->word[i]);
	}
	return hw_siphash_end(&s);
}

inline_fn __u64 tag_control(const struct message *m, __u16 len, const struct hw_config *cfg,
			    const struct hw_key *key, __u8 kind, __u8 key_id, __u16 source, __u16 destination)
{
	struct tag_input in = { .key = { key->control[0], key->control[1] } };

	tag_head(&in.head, cfg, bpf_htons(HW_PROTO_CONTROL), kind, key_id, source, destination);
	in.head.sport = 0;
	in.head.dport = bpf_htons(len);
	return hw_control_tag(m, &in);
}
