/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * "Is it mine?" against real sockets in every state. One table says for a state
 * and for numbers relative to the socket's own how it must be graded; each row
 * is tried three ways: as the packet of a client, as a question of another node,
 * and as a carried packet, since one function must decide for all three.
 */
#include "conn.h"

enum state {
	ESTABLISHED, CLOSE_WAIT, FIN_WAIT1, FIN_WAIT2, CLOSING, LAST_ACK, /* full sockets */
	TIME_WAIT, ORPHAN_FIN_WAIT2,                                       /* time-wait sockets */
	REQUEST,                                                           /* a request socket */
	FAST_OPEN, SYN_SENT,                                               /* full sockets, not yet synchronized */
	COOKIE, LISTEN,                                                    /* a listener only */
	STATES
};

static const char *const state_name[STATES] = {
	"ESTABLISHED", "CLOSE_WAIT", "FIN_WAIT1", "FIN_WAIT2", "CLOSING", "LAST_ACK", "TIME_WAIT", "orphan FIN_WAIT2",
	"request", "Fast Open", "SYN_SENT", "cookie", "LISTEN",
};

#define IN(state) (1u << (state))
#define FULL      (IN(ESTABLISHED) | IN(CLOSE_WAIT) | IN(FIN_WAIT1) | IN(FIN_WAIT2) | IN(CLOSING) | IN(LAST_ACK))
#define TW        (IN(TIME_WAIT) | IN(ORPHAN_FIN_WAIT2))
#define CLOSE_64M (64u << 20)

enum base { ZERO, RCV_NXT, RCV_EDGE, RCV_OLDEST, UNA, UNA_OLDEST, WRITE_SEQ, ISN };

static const struct mine_row {
	const char *what;
	unsigned states;
	enum base seq_base;
	uint32_t seq_more;
	enum base ack_base;
	uint32_t ack_more;
	int flags;
	enum hw_grade want;
} rows[] = {
#define MINE     HW_GRADE_MINE
#define DOUBTFUL HW_GRADE_DOUBTFUL
#define NONE     HW_GRADE_NONE
	/* snd_una - max_window <= ack <= write_seq */
	{ "acknowledges nothing new", FULL, RCV_NXT, 0, UNA, 0, ACK, MINE },
	{ "acknowledges a byte less", FULL, RCV_NXT, 0, UNA, -1, ACK, MINE },
	{ "acknowledges all that was written", FULL, RCV_NXT, 0, WRITE_SEQ, 0, ACK, MINE },
	{ "acknowledges what was written but not yet sent", FULL, RCV_NXT, 0, WRITE_SEQ, -1, ACK, MINE },
	{ "acknowledges what was never written", FULL, RCV_NXT, 0, WRITE_SEQ, 1, ACK, DOUBTFUL },
	{ "acknowledges a window back", FULL, RCV_NXT, 0, UNA_OLDEST, 0, ACK, MINE },
	{ "acknowledges more than a window back", FULL, RCV_NXT, 0, UNA_OLDEST, -1, ACK, DOUBTFUL },
	{ "acknowledges half the space ahead", FULL, RCV_NXT, 0, UNA, 1u << 31, ACK, DOUBTFUL },
	{ "ack 0 of another connection", FULL, RCV_NXT, 0, ISN, 0x40000000, ACK, DOUBTFUL },

	/* rcv_nxt - 64 MB <= seq <= rcv_nxt + rcv_wnd */
	{ "a keep-alive: one byte back", FULL, RCV_NXT, -1, UNA, 0, ACK, MINE },
	{ "at the right edge of the window", FULL, RCV_EDGE, 0, UNA, 0, ACK, MINE },
	{ "beyond the right edge of the window", FULL, RCV_EDGE, 1, UNA, 0, ACK, DOUBTFUL },
	{ "64 MB back", FULL, RCV_OLDEST, 0, UNA, 0, ACK, MINE },
	{ "64 MB and one back", FULL, RCV_OLDEST, -1, UNA, 0, ACK, DOUBTFUL },
	{ "seq half the space away", FULL, RCV_NXT, 1u << 31, UNA, 0, ACK, DOUBTFUL },
	{ "neither fits", FULL, RCV_EDGE, 1, WRITE_SEQ, 1, ACK, DOUBTFUL },

	/* flags */
	{ "a FIN", FULL, RCV_NXT, 0, UNA, 0, FIN | ACK, MINE },
	{ "a FIN that does not fit", FULL, RCV_NXT, 0, WRITE_SEQ, 1, FIN | ACK, DOUBTFUL },
	{ "a RST without ACK: only seq counts", FULL, RCV_NXT, 0, ZERO, 0, RST, MINE },
	{ "a RST without ACK: what stands in ack does not", FULL, RCV_NXT, 0, WRITE_SEQ, 1, RST, MINE },
	{ "a RST without ACK, beyond the window", FULL, RCV_EDGE, 1, ZERO, 0, RST, DOUBTFUL },
	{ "a RST with an ACK that fits", FULL, RCV_NXT, 0, WRITE_SEQ, 0, RST | ACK, MINE },
	{ "a RST with an ACK that does not fit", FULL, RCV_NXT, 0, WRITE_SEQ, 1, RST | ACK, DOUBTFUL },
	{ "a SYN-ACK sent again", FULL, RCV_OLDEST, 0, UNA, 0, SYN | ACK, MINE },
	{ "a SYN-ACK of other numbers", FULL, RCV_NXT, 0x40000000, UNA, 0, SYN | ACK, DOUBTFUL },

	/* TIME_WAIT: ack <= snd_nxt, and seq near rcv_nxt */
	{ "the last ACK again", TW, RCV_NXT, 0, WRITE_SEQ, 0, ACK, MINE },
	{ "the FIN again", TW, RCV_NXT, -1, WRITE_SEQ, 0, FIN | ACK, MINE },
	{ "acknowledges what was never sent", TW, RCV_NXT, 0, WRITE_SEQ, 1, ACK, DOUBTFUL },
	{ "acknowledges old data", TW, RCV_NXT, 0, WRITE_SEQ, -SENT, ACK, MINE },
	{ "acknowledges very old data", TW, RCV_NXT, 0, WRITE_SEQ, -0x7fffffff, ACK, MINE },
	{ "acknowledges half the space ahead, and one", TW, RCV_NXT, 0, WRITE_SEQ, 0x7fffffff, ACK, DOUBTFUL },
	{ "seq 64 MB back", TW, RCV_OLDEST, 0, WRITE_SEQ, 0, ACK, MINE },
	{ "seq 64 MB and one back", TW, RCV_OLDEST, -1, WRITE_SEQ, 0, ACK, DOUBTFUL },
	{ "seq at the right edge", TW, RCV_EDGE, 0, WRITE_SEQ, 0, ACK, MINE },
	{ "seq beyond the right edge", TW, RCV_EDGE, 1, WRITE_SEQ, 0, ACK, DOUBTFUL },
	{ "RST without ACK", TW, RCV_NXT, 0, ZERO, 0, RST, MINE },
	{ "RST without ACK, ack beyond", TW, RCV_NXT, 0, WRITE_SEQ, 1, RST, MINE },
	{ "RST without ACK, seq beyond the right edge", TW, RCV_EDGE, 1, ZERO, 0, RST, DOUBTFUL },
	{ "RST with an ACK beyond", TW, RCV_NXT, 0, WRITE_SEQ, 1, RST | ACK, DOUBTFUL },

	/* request: ack == snt_isn + 1 */
	{ "the handshake's ACK", IN(REQUEST), RCV_NXT, 0, ISN, 1, ACK, MINE },
	{ "the same with data", IN(REQUEST), RCV_NXT, 0, ISN, 1, ACK | PSH, MINE },
	{ "data behind it came first", IN(REQUEST), RCV_NXT, 1000, ISN, 1, ACK, MINE },
	{ "ack is our ISN itself", IN(REQUEST), RCV_NXT, 0, ISN, 0, ACK, DOUBTFUL },
	{ "ack is one beyond", IN(REQUEST), RCV_NXT, 0, ISN, 2, ACK, DOUBTFUL },
	{ "the flow lives elsewhere, seq is exactly the client's next", IN(REQUEST), RCV_NXT, 0, ISN, 123456, ACK, DOUBTFUL },
	{ "RST and ACK that fit", IN(REQUEST), RCV_NXT, 0, ISN, 1, RST | ACK, MINE },
	{ "RST without ACK tells nothing", IN(REQUEST), RCV_NXT, 0, ZERO, 0, RST, DOUBTFUL },

	/* not yet synchronized: snd_una <= ack <= write_seq */
	{ "acknowledges the SYN-ACK", IN(FAST_OPEN), RCV_NXT, 0, UNA, 0, ACK, MINE },
	{ "does not acknowledge the SYN-ACK", IN(FAST_OPEN), RCV_NXT, 0, UNA, -1, ACK, DOUBTFUL },
	{ "acknowledges a part of the answer", IN(FAST_OPEN), RCV_NXT, 0, UNA, 1, ACK, MINE },
	{ "acknowledges all of the answer", IN(FAST_OPEN), RCV_NXT, 0, WRITE_SEQ, 0, ACK, MINE },
	{ "acknowledges more than that", IN(FAST_OPEN), RCV_NXT, 0, WRITE_SEQ, 1, ACK, DOUBTFUL },
	{ "RST without ACK", IN(FAST_OPEN), RCV_NXT, 0, ZERO, 0, RST, DOUBTFUL },
	{ "RST and ACK that fit", IN(FAST_OPEN), RCV_NXT, 0, UNA, 0, RST | ACK, MINE },
	{ "the SYN-ACK to our SYN", IN(SYN_SENT), RCV_NXT, 0, ISN, 1, SYN | ACK, MINE },
	{ "the RST to our SYN", IN(SYN_SENT), ZERO, 0, ISN, 1, RST | ACK, MINE },
	{ "a SYN-ACK to one less", IN(SYN_SENT), RCV_NXT, 0, ISN, -1, SYN | ACK, DOUBTFUL },
	{ "a SYN-ACK to one more", IN(SYN_SENT), RCV_NXT, 0, ISN, 2, SYN | ACK, DOUBTFUL },
	{ "an ACK to one more", IN(SYN_SENT), RCV_NXT, 0, ISN, 2, ACK, DOUBTFUL },
	{ "a RST without ACK", IN(SYN_SENT), RCV_NXT, 0, ZERO, 0, RST, DOUBTFUL },

	/* a listener: only a valid SYN cookie */
	{ "answers the cookie", IN(COOKIE), RCV_NXT, 0, ISN, 1, ACK, MINE },
	{ "answers the cookie with data", IN(COOKIE), RCV_NXT, 0, ISN, 1, ACK | PSH, MINE },
	{ "answers the cookie with a FIN", IN(COOKIE), RCV_NXT, 0, ISN, 1, FIN | ACK, MINE },
	/* (a cookie has room for an index of MSS values: the next few numbers can be valid, too) */
	{ "seq is not the SYN's: above", IN(COOKIE), RCV_NXT, 100, ISN, 1, ACK, NONE },
	{ "seq is not the SYN's: below", IN(COOKIE), RCV_NXT, -100, ISN, 1, ACK, NONE },
	{ "ack is another cookie", IN(COOKIE), RCV_NXT, 0, ISN, 1000, ACK, NONE },
	{ "ack is no cookie", IN(COOKIE), RCV_NXT, 0, ZERO, 0, ACK, NONE },
	{ "a RST answers no cookie", IN(COOKIE), RCV_NXT, 0, ISN, 1, RST | ACK, NONE },
	{ "a SYN-ACK answers no cookie", IN(COOKIE), RCV_NXT, 0, ISN, 1, SYN | ACK, NONE },
	{ "without ACK", IN(COOKIE), RCV_NXT, 0, ISN, 1, FIN, NONE },
	{ "a listener, no cookie", IN(LISTEN), RCV_NXT, 0, ISN, 1, ACK, NONE },
	{ "a listener, RST", IN(LISTEN), RCV_NXT, 0, ZERO, 0, RST, NONE },
};

/* ---- ways into the states ---- */

static void enter_fin_wait2(const struct service *s, struct conn *c)
{
	conn_open(s, c);
	cr_assert(shutdown(c->fd, SHUT_WR) == 0);
	conn_recv(c, FIN);
	c->client.ack++;
	conn_send(c, ACK, 0);
}

static void enter_closing(const struct service *s, struct conn *c)
{
	conn_open(s, c);
	cr_assert(shutdown(c->fd, SHUT_WR) == 0);
	conn_recv(c, FIN);
	conn_send(c, FIN | ACK, 0);
}

static void enter_unacked(const struct service *s, struct conn *c, enum state state)
{
	conn_open(s, c);
	conn_write(c, UNACKED);
	if (state == CLOSE_WAIT || state == LAST_ACK)
		conn_send(c, FIN | ACK, 0);
	if (state == FIN_WAIT1 || state == LAST_ACK)
		cr_assert(shutdown(c->fd, SHUT_WR) == 0);
}

/* Its numbers, once it has left its descriptor: as the last segment on the wire says. */
static void timewait_numbers(const struct conn *c, struct numbers *n)
{
	n->rcv_nxt = c->client.seq;
	n->rcv_wnd = c->last.window;
	n->write_seq = n->una = c->client.ack;
	cr_assert(c->last.ack == n->rcv_nxt, "the last segment acknowledges %x, not %x", c->last.ack, n->rcv_nxt);
}

static void enter_timewait(const struct service *s, struct conn *c, struct numbers *n)
{
	enter_fin_wait2(s, c);
	conn_send(c, FIN | ACK, 0);
	conn_recv(c, ACK);
	timewait_numbers(c, n);
}

static void enter_orphan(const struct service *s, struct conn *c, struct numbers *n)
{
	conn_open(s, c);
	close(c->fd);
	c->fd = -1;
	conn_recv(c, FIN);
	c->client.ack++;
	conn_send(c, ACK, 0);
	timewait_numbers(c, n);
}

static void enter_fast_open(const struct service *s, struct conn *c)
{
	conn_syn(c, 100);
	cr_assert(c->last.ack == c->client.seq, "the data in the SYN was not taken");
	conn_accept(s, c);
	conn_write(c, 200);
}

static void enter_syn_sent(const struct service *s, struct conn *c)
{
	struct sockaddr_storage sa;
	struct service from = *s;
	socklen_t len = sockaddr_make(&sa, s->family == 6 ? CLIENT6 : CLIENT4, c->client.sport);

	from.dual = false;
	c->fd = socket_on(&from, 50443);
	c->client.dport = 50443;
	cr_assert(connect(c->fd, (void *)&sa, len) < 0 && errno == EINPROGRESS);
	conn_recv(c, SYN);
	c->isn = c->last.seq;
	c->client.ack = c->isn;
}

static void enter_cookie(struct conn *c)
{
	sysctl_put("/proc/sys/net/ipv4/tcp_syncookies", "2");
	conn_syn(c, 0);
	sysctl_put("/proc/sys/net/ipv4/tcp_syncookies", "1");
}

/* Brings a new connection into the state; `n` becomes its socket's numbers. */
static void enter(const struct service *s, enum state state, struct conn *c, struct numbers *n)
{
	static const int tcp_state[STATES] = { 1, 8, 4, 5, 11, 9, [FAST_OPEN] = 3, [SYN_SENT] = 2 };

	*n = (struct numbers){ 0 };
	switch (state) {
	case ESTABLISHED: case CLOSE_WAIT: case FIN_WAIT1: case LAST_ACK: enter_unacked(s, c, state); break;
	case FIN_WAIT2: enter_fin_wait2(s, c); break;
	case CLOSING: enter_closing(s, c); break;
	case TIME_WAIT: enter_timewait(s, c, n); break;
	case ORPHAN_FIN_WAIT2: enter_orphan(s, c, n); break;
	case REQUEST: conn_syn(c, 0); break;
	case FAST_OPEN: enter_fast_open(s, c); break;
	case SYN_SENT: enter_syn_sent(s, c); break;
	case COOKIE: enter_cookie(c); break;
	default: break;
	}
	n->isn = c->isn;
	if (!tcp_state[state]) {
		n->rcv_nxt = c->client.seq;
		return;
	}
	cr_assert(conn_state(c) == tcp_state[state], "%s: it is in state %d", state_name[state], conn_state(c));
	if (state == SYN_SENT)
		n->una = c->isn;
	else
		conn_numbers(c, n);
}

static uint32_t resolve(const struct numbers *n, enum base base, uint32_t more)
{
	switch (base) {
	case RCV_NXT: return n->rcv_nxt + more;
	case RCV_EDGE: return n->rcv_nxt + n->rcv_wnd + more;
	case RCV_OLDEST: return n->rcv_nxt - CLOSE_64M + more;
	case UNA: return n->una + more;
	case UNA_OLDEST: return n->una - n->max_window + more;
	case WRITE_SEQ: return n->write_seq + more;
	case ISN: return n->isn + more;
	default: return more;
	}
}

/* ---- three ways to ask ---- */

static void try_packet(const struct tcp *t, enum hw_grade want, bool cookie, const char *what)
{
	struct frame f;

	build_tcp(&f, t);
	world_run(&f);
	expect_verdict(&w.result, want != MINE ? HW_V_drop_asked : cookie ? HW_V_pass_cookie : HW_V_pass_mine, what);
	if (want == MINE)
		expect_frame(&w.result.out, &f, what);
}

static void try_question(const struct tcp *t, enum hw_grade want, const char *what)
{
	static const struct tun from = { .kind = HW_KIND_ASK };
	const size_t grade_at = ETH + HW_OVERHEAD4 + sizeof(struct hw_ask) + offsetof(struct hw_ask_flow, grade);
	struct hw_addr src = addr_of(t->family == 6 ? CLIENT6 : CLIENT4), dst = addr_of(t->family == 6 ? VIP6 : VIP4);
	struct {
		struct hw_ask ask;
		struct hw_ask_flow flow;
	} m = { { .nonce = 1, .count = 1 }, { .client_port = htons(t->sport), .vip_port = htons(t->dport ? t->dport : 443),
					      .seq = htonl(t->seq), .ack = htonl(t->ack), .tcp_flags = t->flags } };
	struct frame f;

	memcpy(m.flow.client, src.b, 16);
	memcpy(m.flow.vip, dst.b, 16);
	build_control(&f, &from, &m, sizeof(m), 0);
	world_run(&f);
	expect_verdict(&w.result, HW_V_answer_tx, what);
	cr_expect(w.result.out.b[grade_at] == want, "%s: asked, and graded %u, not %u", what, w.result.out.b[grade_at], want);
}

static void try_carried(const struct tcp *t, enum hw_grade want, const char *what)
{
	static const struct tun from = { .kind = HW_KIND_CARRY };
	struct frame f;

	build_data(&f, &from, t);
	world_run(&f);
	expect_verdict(&w.result, want == MINE ? HW_V_pass_carried : HW_V_return_tx, what);
}

static void try_row(const struct conn *c, const struct numbers *n, const struct mine_row *r, enum state state,
		    const char *service)
{
	struct tcp t = c->client;
	char what[160];

	t.seq = resolve(n, r->seq_base, r->seq_more);
	t.ack = resolve(n, r->ack_base, r->ack_more);
	t.flags = r->flags;
	snprintf(what, sizeof(what), "%s, %s: %s", service, state_name[state], r->what);
	map_empty(w.skel->maps.hw_cookies);
	try_packet(&t, r->want, state == COOKIE, what);
	map_empty(w.skel->maps.hw_cookies);
	try_question(&t, r->want, what);
	try_carried(&t, r->want, what);
}

/* All rows against one kind of service. */
static void mine_rows(struct service *s, const char *name)
{
	world_open();
	conn_world();
	if (!service_open(s)) {
		cr_log_warn("this kernel has no %s: skipped", name);
		return;
	}
	for (enum state state = 0; state < STATES; state++) {
		struct conn c = conn_make(s, 40000 + state);
		struct numbers n;

		enter(s, state, &c, &n);
		if (IN(state) & FULL)
			conn_settle(&c, &n);
		for (const struct mine_row *r = rows; r < rows + sizeof(rows) / sizeof(*r); r++)
			if (r->states & IN(state))
				try_row(&c, &n, r, state, name);
		if (c.fd >= 0)
			close(c.fd);
	}
}

Test(mine, ipv4) { mine_rows(&(struct service){ .family = 4 }, "IPv4"); }
Test(mine, ipv6) { mine_rows(&(struct service){ .family = 6 }, "IPv6"); }
Test(mine, ipv4_to_dual_stack) { mine_rows(&(struct service){ .family = 4, .dual = true }, "IPv4 to [::]"); }
Test(mine, ipv6_to_dual_stack) { mine_rows(&(struct service){ .family = 6, .dual = true }, "IPv6 to [::]"); }
Test(mine, mptcp) { mine_rows(&(struct service){ .family = 4, .protocol = IPPROTO_MPTCP }, "MPTCP"); }
Test(mine, mptcp_ipv6) { mine_rows(&(struct service){ .family = 6, .protocol = IPPROTO_MPTCP }, "MPTCP, IPv6"); }

/* The tuple next to a connection's is not the connection. */
Test(mine, other_tuples)
{
	static const struct {
		const char *what;
		struct tcp near;
	} near[] = {
		{ "another client port", { .sport = 40001 } },
		{ "another client", { .src = "192.0.2.11", .sport = 40000 } },
		{ "another port of the VIP", { .sport = 40000, .dport = 444 } },
		{ "another VIP", { .sport = 40000, .dst = VIP_PORTS4 } },
	};
	struct service s = { .family = 4 };
	struct conn c = conn_make(&s, 40000);

	world_open();
	conn_world();
	cr_assert(service_open(&s));
	conn_open(&s, &c);
	for (size_t i = 0; i < sizeof(near) / sizeof(near[0]); i++) {
		struct tcp t = near[i].near;

		t.seq = c.client.seq;
		t.ack = c.client.ack;
		t.flags = ACK;
		try_packet(&t, NONE, false, near[i].what);
		try_carried(&t, NONE, near[i].what);
	}
}

/* The program looks into hw_cookies only while its newest answer is fresh: let that be for ever. */
static void cookies_stay_fresh(void)
{
	const uint64_t cookies_until = UINT64_MAX;

	cr_assert(bpf_map__value_size(w.skel->maps.bss) == sizeof(cookies_until), "there are other variables in .bss now");
	row_put(w.skel->maps.bss, 0, &cookies_until);
}

/*
 * XDP runs ahead of the stack: what follows the answer to a SYN cookie closely
 * finds neither a socket nor a cookie, and is at home all the same.
 */
Test(mine, follows_a_cookie)
{
	struct service s = { .family = 4 };
	struct conn c = conn_make(&s, 40000);
	struct hw_cookie cookie;
	struct hw_flow_key key;
	struct tcp next, other;

	world_open();
	conn_world();
	cr_assert(service_open(&s));
	enter_cookie(&c);
	next = other = c.client;
	next.seq += 1400;
	other.seq += 1400;
	other.sport++;
	cookies_stay_fresh();
	try_packet(&next, NONE, false, "before the cookie is answered");
	try_packet(&c.client, MINE, true, "the answer");
	key = flow_key_of(&next, 1);
	cr_assert(bpf_map_lookup_elem(bpf_map__fd(w.skel->maps.hw_cookies), &key, &cookie) == 0, "not remembered");
	cr_expect(cookie.until_ns + 60 * SECOND > now_ns() && cookie.until_ns < now_ns() + SECOND, "for how long?");
	cookies_stay_fresh();
	cookie.until_ns = now_ns() + 1000 * SECOND;
	map_put(w.skel->maps.hw_cookies, &key, &cookie);
	try_packet(&next, MINE, true, "the segment behind the answer");
	try_carried(&next, MINE, "the same, carried here");
	try_carried(&other, NONE, "another flow, carried here");
	try_packet(&other, NONE, false, "another flow");
	cookie.until_ns = now_ns() - SECOND;
	map_put(w.skel->maps.hw_cookies, &key, &cookie);
	try_packet(&next, NONE, false, "the same, long after");
	try_carried(&next, NONE, "long after, carried here");
}

/* An answer that was carried here is remembered, too. */
Test(mine, remembers_a_carried_cookie)
{
	struct service s = { .family = 6 };
	struct conn c = conn_make(&s, 40000);
	struct hw_cookie cookie;
	struct hw_flow_key key;

	world_open();
	conn_world();
	cr_assert(service_open(&s));
	enter_cookie(&c);
	try_carried(&c.client, MINE, "the answer");
	key = flow_key_of(&c.client, 2);
	cr_expect(bpf_map_lookup_elem(bpf_map__fd(w.skel->maps.hw_cookies), &key, &cookie) == 0);
}

/* A match that does not fit is carried to a known home, and passes when it is nobody's. */
Test(mine, doubtful_is_asked_about)
{
	struct service s = { .family = 4 };
	struct conn c = conn_make(&s, 40000);
	struct tcp t;
	struct frame f;

	world_open();
	conn_world();
	cr_assert(service_open(&s));
	conn_syn(&c, 0);
	t = c.client;
	t.ack += 123456;
	build_tcp(&f, &t);
	expect_verdict(world_run(&f), HW_V_drop_asked, "doubtful, home unknown");
	flow_put(&t, PEER);
	expect_verdict(world_run(&f), HW_V_carry_tx, "doubtful, home known");
	build_tcp(&f, &c.client);
	expect_verdict(world_run(&f), HW_V_pass_mine, "a socket that fits beats an entry");
	build_tcp(&f, &(struct tcp){ .sport = 40000, .seq = c.client.seq - 1, .flags = SYN });
	expect_verdict(world_run(&f), HW_V_pass_new, "a SYN sent again");
}
