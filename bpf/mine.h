/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * "Is it mine?" One function, for packets of clients, for carried packets and
 * for the questions of other nodes. It asks the kernel's socket table and then
 * grades the match by the socket's own sequence numbers, since a tuple alone
 * proves nothing: an old TIME_WAIT, a request socket made by a SYN that was
 * sent again, or a stale connection can have the tuple of a flow that lives
 * elsewhere, and would answer it.
 */
#pragma once

#include "base.h"
#include "kernel.h"

/* How far behind rcv_nxt a client's old segments can be, bytes. */
#define SEQ_BEHIND (64u << 20)

struct question {
	struct bpf_sock_tuple tuple; /* source: the client, destination: the VIP */
	__u32 seq;                   /* host order, like ack */
	__u32 ack;
	__u8  family;                /* 4 or 6 */
	__u8  tcp_flags;
	__u8  by_cookie;             /* out: mine by a valid SYN cookie, there is no socket yet */
	__u8  reserved;
};

/* lo <= x <= hi, in sequence space (RFC 9293 section 3.4). */
inline_fn bool seq_within(__u32 lo, __u32 x, __u32 hi)
{
	return x - lo <= hi - lo;
}

/*
 * Reads `size` bytes at `offset` into a request or time-wait socket. Their cast
 * helpers return NULL for sockets of MPTCP listeners, and arithmetic on a
 * sock_common pointer is refused, so the pointer goes through the stack and
 * comes back as a number.
 */
inline_fn void read_mini_sock(const struct bpf_sock *sk, __u32 offset, void *out, __u32 size)
{
	const struct bpf_sock *pointer = sk;
	__u64 number = 0;

	bpf_probe_read_kernel(&number, sizeof(number), &pointer);
	bpf_probe_read_kernel(out, size, (void *)(number + offset));
}
#define MINI_SOCK(sk, type, field, out) \
	read_mini_sock(sk, bpf_core_field_offset(struct type, field), out, sizeof(*(out)))

inline_fn enum hw_grade grade_request(const struct bpf_sock *sk, const struct question *q)
{
	__u32 isn = 0;

	MINI_SOCK(sk, tcp_request_sock, snt_isn, &isn);
	return q->ack == isn + 1 ? HW_GRADE_MINE : HW_GRADE_DOUBTFUL;
}

inline_fn enum hw_grade grade_timewait(const struct bpf_sock *sk, const struct question *q)
{
	__u32 snd_nxt = 0, rcv_nxt = 0, rcv_wnd = 0;

	MINI_SOCK(sk, sock_common, skc_tw_snd_nxt, &snd_nxt);
	MINI_SOCK(sk, sock_common, skc_tw_rcv_nxt, &rcv_nxt);
	MINI_SOCK(sk, tcp_timewait_sock, tw_rcv_wnd, &rcv_wnd);
	if ((q->tcp_flags & TCP_ACK) && (__s32)(snd_nxt - q->ack) < 0)
		return HW_GRADE_DOUBTFUL;
	return seq_within(rcv_nxt - SEQ_BEHIND, q->seq, rcv_nxt + rcv_wnd) ? HW_GRADE_MINE : HW_GRADE_DOUBTFUL;
}

/*
 * write_seq, not snd_nxt: the kernel moves snd_nxt only after it has sent, and
 * the client's ack can be faster.
 */
inline_fn enum hw_grade grade_full(struct bpf_sock *sk, const struct question *q)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	__u32 state = sk->state, una;
	bool ack = q->tcp_flags & TCP_ACK;

	if (!tp)
		return HW_GRADE_DOUBTFUL;
	una = tp->snd_una;
	if (state == BPF_TCP_SYN_RECV || state == BPF_TCP_SYN_SENT) /* TCP Fast Open; opened from the VIP */
		return ack && seq_within(una, q->ack, tp->write_seq) ? HW_GRADE_MINE : HW_GRADE_DOUBTFUL;
	if (ack && !seq_within(una - tp->max_window, q->ack, tp->write_seq))
		return HW_GRADE_DOUBTFUL;
	if (!seq_within(tp->rcv_nxt - SEQ_BEHIND, q->seq, tp->rcv_nxt + tp->rcv_wnd))
		return HW_GRADE_DOUBTFUL;
	return HW_GRADE_MINE;
}

/*
 * A listener owns a flow if the flow answers its SYN cookie (RFC 4987 section
 * 3.6). The kernel looks at addresses, ports, seq, ack and flags only, so this
 * serves for questions too, where there is no packet.
 */
inline_fn enum hw_grade grade_listener(struct bpf_sock *sk, struct question *q)
{
	struct tcphdr th = {
		.seq = bpf_htonl(q->seq),
		.ack_seq = bpf_htonl(q->ack),
		.doff = 5,
		.ack = !!(q->tcp_flags & TCP_ACK),
		.rst = !!(q->tcp_flags & TCP_RST),
		.syn = !!(q->tcp_flags & TCP_SYN),
	};
	long err;

	if (q->family == 4) {
		struct iphdr ip = { .version = 4, .ihl = 5, .protocol = IPPROTO_TCP,
				    .saddr = q->tuple.ipv4.saddr, .daddr = q->tuple.ipv4.daddr };

		th.source = q->tuple.ipv4.sport;
		th.dest = q->tuple.ipv4.dport;
		err = bpf_tcp_check_syncookie(sk, &ip, sizeof(ip), &th, sizeof(th));
	} else {
		struct ipv6hdr ip6 = { .version = 6, .nexthdr = IPPROTO_TCP };

		__builtin_memcpy(&ip6.saddr, q->tuple.ipv6.saddr, 16);
		__builtin_memcpy(&ip6.daddr, q->tuple.ipv6.daddr, 16);
		th.source = q->tuple.ipv6.sport;
		th.dest = q->tuple.ipv6.dport;
		err = bpf_tcp_check_syncookie(sk, &ip6, sizeof(ip6), &th, sizeof(th));
	}
	if (err)
		return HW_GRADE_NONE;
	q->by_cookie = 1;
	return HW_GRADE_MINE;
}

inline_fn struct bpf_sock *socket_of(struct xdp_md *ctx, struct question *q)
{
	if (q->family == 4)
		return bpf_skc_lookup_tcp(ctx, &q->tuple, sizeof(q->tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	return bpf_skc_lookup_tcp(ctx, &q->tuple, sizeof(q->tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
}

/* A global function: verified once, on its own, however often it is called. */
__attribute__((noinline)) int hw_grade(struct xdp_md *ctx, struct question *q)
{
	enum hw_grade grade;
	struct bpf_sock *sk;

	if (!q)
		return HW_GRADE_NONE;
	sk = socket_of(ctx, q);
	if (!sk)
		return HW_GRADE_NONE;

	switch (sk->state) {
	case BPF_TCP_LISTEN:
		grade = grade_listener(sk, q);
		break;
	case BPF_TCP_NEW_SYN_RECV:
		grade = grade_request(sk, q);
		break;
	case BPF_TCP_TIME_WAIT:
		grade = grade_timewait(sk, q);
		break;
	default:
		grade = grade_full(sk, q);
	}
	bpf_sk_release(sk);
	return grade;
}
