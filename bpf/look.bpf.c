// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The agent's own look at the socket table, with the very function that
 * decides for packets. It is attached nowhere: the agent runs it by
 * BPF_PROG_TEST_RUN on HW_ASK_FLOWS records of struct hw_ask_flow, behind 16
 * bytes that align them and stand for an Ethernet header.
 */
#include "question.h"

#define LOOK_OFFSET 16

/* Is there any socket that a packet of this flow would reach, a listener at least? */
inline_fn bool is_served(struct xdp_md *ctx, const struct hw_ask_flow *f)
{
	struct question q = {};
	struct bpf_sock *sk;

	question_of(&q, f);
	sk = socket_of(ctx, &q);
	if (sk)
		bpf_sk_release(sk);
	return sk;
}

SEC("xdp")
int hw_look(struct xdp_md *ctx)
{
	struct hw_ask_flow flow __attribute__((aligned(8)));
	__u32 at = LOOK_OFFSET;

	for (__u32 i = 0; i < HW_ASK_FLOWS; i++, at += sizeof(flow)) {
		if (bpf_xdp_load_bytes(ctx, at, &flow, sizeof(flow)))
			break;
		flow.grade = grade_asked(ctx, &flow);
		flow.reserved[0] = is_served(ctx, &flow);
		bpf_xdp_store_bytes(ctx, at, &flow, sizeof(flow));
	}
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
