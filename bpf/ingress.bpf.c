// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The XDP program on every edge NIC: decide() is the whole decision, in order
 * of cost. Stages stand in headers of their own; each decides or passes on, and
 * there is one exit, which counts.
 *
 *   packet.h  parse          mine.h    does a socket here own it?
 *   vip.h     for a VIP?     carry.h   encapsulate, send home
 *   ask.h     unknown        tunnel.h  what other nodes send; control.h their questions
 */
#include <xdp/xdp_helpers.h>

#include "control.h"

inline_fn enum hw_verdict from_node(struct xdp_md *ctx, struct packet *p, const struct hw_config *cfg)
{
	enum hw_verdict refused;
	struct tunnel t;

	refused = tunnel_parse(ctx, p, cfg, &t);
	if (refused == HW_VERDICT_COUNT)
		refused = tunnel_source(cfg, &t);
	if (refused != HW_VERDICT_COUNT)
		return refused;

	switch (t.kind) {
	case HW_KIND_CARRY:
	case HW_KIND_RETURN:
		return tunnel_data(ctx, cfg, &t, p);
	case HW_KIND_ASK:
	case HW_KIND_ANSWER:
	case HW_KIND_PING:
	case HW_KIND_PONG:
		if (t.proto != bpf_htons(HW_PROTO_CONTROL))
			return HW_V_drop_tun_malformed;
		return tunnel_control(ctx, cfg, &t);
	default:
		return HW_V_drop_tun_kind;
	}
}

inline_fn enum hw_verdict decide(struct xdp_md *ctx, struct packet *p)
{
	const struct hw_config *cfg = row(&hw_config, 0);
	struct ethhdr *eth = data_of(ctx);
	const struct hw_vip *vip;
	struct hw_flow *flow;
	enum parsed parsed;

	p->offset = IP_OFFSET;
	if (!cfg || (void *)(eth + 1) > end_of(ctx))
		return HW_V_pass_other;
	parsed = has_ip(ctx, p, eth->h_proto);
	if (parsed == NOT_IP)
		return HW_V_pass_other;
	if (addr_equal(&p->dst, &cfg->endpoint) && is_tunnel(ctx, p))
		return parsed == PARSED ? from_node(ctx, p, cfg) : HW_V_drop_tun_malformed;
	vip = vip_of(p);
	if (!vip)
		return HW_V_pass_other;
	if (parsed == MALFORMED)
		return HW_V_pass_malformed;
	if (p->fragment)
		return HW_V_pass_fragment;
	if (unlikely(p->proto != IPPROTO_TCP))
		return vip_not_tcp(ctx, p, vip);
	if (!has_tcp(ctx, p))
		return HW_V_pass_malformed;
	if (!vip_has_port(vip, bpf_ntohs(tcp_dport(p))))
		return HW_V_pass_port;

	/* 1. a new connection */
	if (is_bare_syn(p))
		return HW_V_pass_new;

	/* 2. is it mine? */
	if (hw_grade(ctx, &p->q) == HW_GRADE_MINE) {
		if (likely(!p->q.by_cookie))
			return HW_V_pass_mine;
		cookie_remember(p);
		return HW_V_pass_cookie;
	}

	/* 3. do I know whose it is? */
	flow_key(p);
	flow = bpf_map_lookup_elem(&hw_flows, &p->key);
	if (flow)
		return carry(ctx, p, cfg, flow);

	/* 5. ask; 6. nobody's */
	return ask(ctx, p, cfg, vip);
}

/* The one exit: counts the verdict in the row of the packet's VIP and turns it into an XDP action. */
inline_fn int leave(const struct packet *p, enum hw_verdict verdict)
{
	static const __u8 action[HW_VERDICT_COUNT] = {
#define V(name, what, text) [HW_V_##name] = what,
		HW_VERDICTS(V)
#undef V
	};
	__u64 *counters = row(&hw_verdicts, p->vip);
	__u32 i = verdict;

	if (i >= HW_VERDICT_COUNT)
		return XDP_DROP;
	if (counters)
		counters[i]++;
	return action[i];
}

SEC("xdp.frags")
int hw_ingress(struct xdp_md *ctx)
{
	struct packet p;

	p.vip = 0;
	return leave(&p, decide(ctx, &p));
}

/* For libxdp's dispatcher: behind filters (10), and what passes here goes on to the next program. */
struct {
	__uint(priority, 50);
	__uint(XDP_PASS, 1);
} XDP_RUN_CONFIG(hw_ingress);

/* The helpers that look into sockets are for GPL-compatible programs. */
char LICENSE[] SEC("license") = "Dual BSD/GPL";
