/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Steps 5 and 6: nobody here knows the flow. The packet is handed to the agent,
 * within budgets, which asks the other nodes; or, once that has been done and
 * nobody owned it, it goes to the stack, which resets it.
 */
#pragma once

#include "maps.h"
#include "packet.h"

/* How far a flow's sequence numbers may have moved since "nobody's" was said of it. */
#define NOBODY_AHEAD  (1u << 20)
#define NOBODY_BEHIND (1u << 16)

/* A SYN cookie's flow has no socket until the stack has seen its ACK: a NAPI batch, at most. */
#define COOKIE_NS 100000000ull

/* When the newest entry of hw_cookies ends: without SYN cookies nobody looks there. */
static volatile __u64 cookies_until;

inline_fn void cookie_remember(struct packet *p)
{
	struct hw_cookie cookie = { bpf_ktime_get_coarse_ns() + COOKIE_NS };

	flow_key(p);
	bpf_map_update_elem(&hw_cookies, &p->key, &cookie, BPF_ANY);
	cookies_until = cookie.until_ns;
}

inline_fn bool cookie_follows(const struct packet *p, __u64 now)
{
	const struct hw_cookie *cookie;

	if (now >= cookies_until)
		return false;
	cookie = bpf_map_lookup_elem(&hw_cookies, &p->key);
	return cookie && now < cookie->until_ns;
}

inline_fn bool nobody_owns(const struct packet *p, __u64 now)
{
	const struct hw_nobody *said = bpf_map_lookup_elem(&hw_nobody, &p->key);

	return said && now < said->until_ns &&
	       seq_within(said->seq - NOBODY_BEHIND, p->q.seq, said->seq + NOBODY_AHEAD);
}

/* What the agent wrote in front of the frame when it sent it through us again; 0: it did not. */
inline_fn __u32 replay_mark(struct xdp_md *ctx, const struct hw_config *cfg)
{
	const struct hw_mark *mark = (void *)(long)ctx->data_meta;

	if ((void *)(mark + 1) > data_of(ctx) || mark->replay_mark != cfg->replay_mark)
		return 0;
	return mark->what;
}

/*
 * A bucket holds `burst` ns of packets, one each `gap` ns; it is full again at
 * spent_until_ns. Returns what that becomes by one packet more. Two CPUs that
 * meet here can spend one token twice; a lock would cost more than that.
 */
inline_fn __u64 budget_after(struct hw_budget *b, __u64 now, __u64 gap)
{
	__u64 until = READ_ONCE(b->spent_until_ns);

	return (until > now ? until : now) + gap;
}

/* The row of a client's /24 or /48. */
inline_fn __u32 prefix_row(const struct packet *p)
{
	const __u32 *w = (const __u32 *)&p->src;
	__u32 h = p->family == 4 ? w[3] & bpf_htonl(0xffffff00) : w[0] * 31 + (w[1] & bpf_htonl(0xffff0000));

	return 1 + ((h * 2654435761u) >> 20) % HW_PREFIXES;
}

/* Nothing is urgent about a RST or a SYN-ACK that nobody knows: they get the upper half of a budget only. */
inline_fn bool budget_allows(const struct packet *p, const struct hw_config *cfg, __u64 now)
{
	__u32 half = p->q.tcp_flags & (TCP_RST | TCP_SYN) ? 1 : 0;
	struct hw_budget *prefix = row(&hw_budgets, prefix_row(p)), *all = row(&hw_budgets, 0);
	__u64 prefix_until, all_until;

	if (!prefix || !all)
		return false;
	prefix_until = budget_after(prefix, now, cfg->prefix_gap_ns);
	all_until = budget_after(all, now, cfg->ask_gap_ns);
	if (prefix_until > now + (cfg->prefix_burst_ns >> half) || all_until > now + (cfg->ask_burst_ns >> half))
		return false;
	WRITE_ONCE(prefix->spent_until_ns, prefix_until);
	WRITE_ONCE(all->spent_until_ns, all_until);
	return true;
}

/* One wake-up each time the agent goes to sleep, none per packet. */
inline_fn __u64 wake_flags(void)
{
	struct hw_wake *wake = row(&hw_wake, 0);

	if (!wake || !READ_ONCE(wake->asleep))
		return BPF_RB_NO_WAKEUP;
	WRITE_ONCE(wake->asleep, 0);
	return BPF_RB_FORCE_WAKEUP;
}

/*
 * Copies `len` bytes of the frame from `from` on behind the record's head. Less
 * than an IP header is never to be copied; saying so with "less than" is what
 * tells the verifier of 6.1 that len is not zero. The first barrier keeps clang
 * (14) from leaving the comparison out, which it can prove and the verifier
 * cannot; the second from making one comparison of the two.
 */
inline_fn bool stray_copy(struct xdp_md *ctx, __u32 from, void *to, __u32 len, const __u32 room)
{
	asm volatile("" : "+r"(len));
	if (len < sizeof(struct iphdr))
		return false;
	asm volatile("" : "+r"(len));
	if (len > room)
		return false;
	return !bpf_xdp_load_bytes(ctx, from, to, len);
}

inline_fn void stray_describe(struct xdp_md *ctx, const struct packet *p, struct hw_stray *s, __u16 returned_by)
{
	s->at_ns = bpf_ktime_get_coarse_ns();
	s->key = p->key;
	__builtin_memcpy(s->vip, &p->dst, 16);
	s->seq = p->q.seq;
	s->ack = p->q.ack;
	s->ifindex = ctx->ingress_ifindex;
	s->returned_by = returned_by;
	s->tcp_flags = p->q.tcp_flags;
	s->family = p->family;
}

/*
 * Hands the packet to the agent, as a frame that starts with the Ethernet
 * header and goes on with the IP packet of p: for a packet that came back from
 * another node that is the inner one.
 */
inline_fn bool hand_up_sized(struct xdp_md *ctx, const struct packet *p, __u16 returned_by, const __u32 size)
{
	const __u32 room = size - sizeof(struct hw_stray) - sizeof(struct ethhdr);
	struct ethhdr *eth = data_of(ctx), *to;
	struct hw_stray *s;
	__u32 len = p->ip_len;

	if ((void *)(eth + 1) > end_of(ctx))
		return false;
	s = bpf_ringbuf_reserve(&hw_strays, size, 0);
	if (!s)
		return false;
	to = (void *)s->frame;
	__builtin_memcpy(to, eth, 2 * ETH_ALEN);
	to->h_proto = p->family == 4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	stray_describe(ctx, p, s, returned_by);
	s->len = sizeof(*eth) + len;
	if (len > room)
		len = room;
	s->held = sizeof(*eth) + len;
	if (!stray_copy(ctx, p->offset, to + 1, len, room))
		s->held = 0;
	bpf_ringbuf_submit(s, wake_flags());
	return true;
}

inline_fn bool hand_up(struct xdp_md *ctx, const struct packet *p, __u16 returned_by)
{
	if (p->ip_len <= HW_STRAY_SMALL - sizeof(struct hw_stray) - sizeof(struct ethhdr))
		return hand_up_sized(ctx, p, returned_by, HW_STRAY_SMALL);
	return hand_up_sized(ctx, p, returned_by, HW_STRAY_LARGE);
}

inline_fn enum hw_verdict ask(struct xdp_md *ctx, const struct packet *p, const struct hw_config *cfg,
			      const struct hw_vip *vip)
{
	__u64 now = bpf_ktime_get_coarse_ns();

	switch (replay_mark(ctx, cfg)) {
	case HW_REPLAY_DELIVER:
		return HW_V_pass_nobody;
	case HW_REPLAY_CARRY:
		return HW_V_drop_unresolved;
	}
	if (cookie_follows(p, now))
		return HW_V_pass_cookie;
	if (vip->flags & HW_VIP_INVISIBLE)
		return HW_V_pass_invisible;
	if (nobody_owns(p, now))
		return HW_V_pass_nobody;
	if (!budget_allows(p, cfg, now))
		return HW_V_drop_budget;
	return hand_up(ctx, p, 0) ? HW_V_drop_asked : HW_V_drop_queue_full;
}
