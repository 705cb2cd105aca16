/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A flow as it stands in an ASK, graded by this node's sockets. */
#pragma once

#include "mine.h"
#include "packet.h"

inline_fn void question_of(struct question *q, const struct hw_ask_flow *f)
{
	q->seq = bpf_ntohl(f->seq);
	q->ack = bpf_ntohl(f->ack);
	q->tcp_flags = f->tcp_flags;
	if (addr_is4((const struct hw_addr *)f->vip)) {
		q->family = 4;
		__builtin_memcpy(&q->tuple.ipv4.saddr, f->client + 12, 4);
		__builtin_memcpy(&q->tuple.ipv4.daddr, f->vip + 12, 4);
		q->tuple.ipv4.sport = f->client_port;
		q->tuple.ipv4.dport = f->vip_port;
	} else {
		q->family = 6;
		__builtin_memcpy(q->tuple.ipv6.saddr, f->client, 16);
		__builtin_memcpy(q->tuple.ipv6.daddr, f->vip, 16);
		q->tuple.ipv6.sport = f->client_port;
		q->tuple.ipv6.dport = f->vip_port;
	}
}

inline_fn enum hw_grade grade_asked(struct xdp_md *ctx, const struct hw_ask_flow *f)
{
	struct question q = {};

	question_of(&q, f);
	return hw_grade(ctx, &q);
}
