/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A packet for every verdict: the list in maps-schema/verdicts.h is walked, and
 * a verdict that no packet here reaches fails the test. So a verdict cannot be
 * added, or become unreachable, unseen.
 */
#include "conn.h"

/* What a case builds its packet from. */
struct setting {
	struct tcp mine;       /* the next packet of a connection that lives here */
	struct tcp cookie;     /* answers a SYN cookie */
	struct hw_ping ping;
	struct hw_ask ask[4];  /* about one flow */
};

static const struct tcp stray = { .sport = 1111, .seq = 1 };

static void tcp_of(struct frame *f, struct tcp t) { build_tcp(f, &t); }
static void data_of(struct frame *f, struct tun tun, struct tcp t) { build_data(f, &tun, &t); }

static void flow_of(struct frame *f, unsigned home, uint16_t payload)
{
	struct tcp t = stray;

	t.payload = payload;
	flow_put(&t, home);
	build_tcp(f, &t);
}

static void ask_of(struct frame *f, const struct setting *s, unsigned kind)
{
	struct tun tun = { .kind = kind };

	build_control(f, &tun, s->ask, sizeof(s->ask), 0);
}

static void ping_of(struct frame *f, const struct setting *s, unsigned kind)
{
	struct tun tun = { .kind = kind };

	build_control(f, &tun, &s->ping, sizeof(s->ping), 0);
}

static void nobodys(struct frame *f)
{
	struct hw_flow_key key = flow_key_of(&stray, 1);

	map_put(w.skel->maps.hw_nobody, &key, &(struct hw_nobody){ .until_ns = now_ns() + 1000 * SECOND, .seq = stray.seq });
	build_tcp(f, &stray);
}

static void beyond_budget(struct frame *f)
{
	w.config.ask_gap_ns = SECOND;
	config_put();
	build_tcp(f, &stray);
}

static void unread(struct frame *f)
{
	build_tcp(f, &stray);
	do
		cr_assert(world_try(f, NULL, 0) == 0);
	while (w.result.verdict == HW_V_drop_asked);
}

/* Builds the packet; false: this verdict is not reached by a packet alone (see run_marked()). */
static bool build_for(enum hw_verdict v, const struct setting *s, struct frame *f)
{
	switch (v) {
	case HW_V_pass_other: tcp_of(f, (struct tcp){ .dst = "203.0.113.99" }); break;
	case HW_V_pass_not_tcp: tcp_of(f, (struct tcp){ .proto = 17 }); break;
	case HW_V_pass_udp: build_udp(f, &(struct udp){ 0 }); break;
	case HW_V_pass_port: tcp_of(f, (struct tcp){ .dst = VIP_PORTS4, .dport = 81 }); break;
	case HW_V_pass_fragment: tcp_of(f, (struct tcp){ .frag = 1 }); break;
	case HW_V_pass_malformed: tcp_of(f, (struct tcp){ .doff = 4 }); break;
	case HW_V_pass_new: tcp_of(f, (struct tcp){ .flags = SYN }); break;
	case HW_V_pass_mine: tcp_of(f, s->mine); break;
	case HW_V_pass_cookie: tcp_of(f, s->cookie); break;
	case HW_V_carry_tx: flow_of(f, PEER, 0); break;
	case HW_V_carry_redirect: flow_of(f, NODE_FAR, 0); break;
	case HW_V_drop_no_route: flow_of(f, NODE_GONE, 0); break;
	case HW_V_drop_too_big: flow_of(f, PEER, MTU); break;
	case HW_V_drop_asked: tcp_of(f, stray); break;
	case HW_V_drop_budget: beyond_budget(f); break;
	case HW_V_drop_queue_full: unread(f); break;
	case HW_V_pass_nobody: nobodys(f); break;
	case HW_V_pass_invisible: tcp_of(f, (struct tcp){ .dst = VIP_DARK4 }); break;
	case HW_V_pass_carried: data_of(f, (struct tun){ 0 }, s->mine); break;
	case HW_V_return_tx: data_of(f, (struct tun){ 0 }, stray); break;
	case HW_V_drop_returned: data_of(f, (struct tun){ .kind = HW_KIND_RETURN }, stray); break;
	case HW_V_answer_tx: ask_of(f, s, HW_KIND_ASK); break;
	case HW_V_pass_answer: ask_of(f, s, HW_KIND_ANSWER); break;
	case HW_V_pong_tx: ping_of(f, s, HW_KIND_PING); break;
	case HW_V_pass_pong: ping_of(f, s, HW_KIND_PONG); break;
	case HW_V_drop_tun_malformed: data_of(f, (struct tun){ .no_check = true }, stray); break;
	case HW_V_drop_tun_network: data_of(f, (struct tun){ .network = 1 }, stray); break;
	case HW_V_drop_tun_source: data_of(f, (struct tun){ .source = 77 }, stray); break;
	case HW_V_drop_tun_key: data_of(f, (struct tun){ .key_id = 77 }, stray); break;
	case HW_V_drop_tun_tag: data_of(f, (struct tun){ .tag_dest = 77 }, stray); break;
	case HW_V_drop_tun_kind: data_of(f, (struct tun){ .kind = 77 }, stray); break;
	case HW_V_drop_tun_inner: data_of(f, (struct tun){ 0 }, (struct tcp){ .flags = SYN }); break;
	default: return false;
	}
	return true;
}

/* The verdicts that need metadata in front of the packet. */
static void run_marked(enum hw_verdict v, struct frame *f)
{
	struct hw_mark mark = { .replay_mark = w.config.replay_mark, .what = HW_REPLAY_CARRY };
	static const uint8_t no_room[200];
	int err = 0;

	switch (v) {
	case HW_V_drop_unresolved:
		tcp_of(f, stray);
		err = world_try(f, &mark, sizeof(mark));
		break;
	case HW_V_drop_headroom: /* older kernels have no metadata of this size */
		flow_of(f, PEER, 0);
		err = world_try(f, no_room, sizeof(no_room));
		w.result.verdict = err ? v : w.result.verdict;
		return;
	default:
		cr_assert(false, "%s: there is no packet for it here", verdict_name[v]);
	}
	cr_assert(err == 0, "%s: %s", verdict_name[v], strerror(-err));
}

static void setting_make(struct setting *s)
{
	struct service web = { .family = 4 };
	struct conn c = conn_make(&web, 40000), d = conn_make(&web, 40001);

	memset(s, 0, sizeof(*s));
	cr_assert(service_open(&web));
	conn_open(&web, &c);
	s->mine = c.client;
	sysctl_put("/proc/sys/net/ipv4/tcp_syncookies", "2");
	conn_syn(&d, 0);
	s->cookie = d.client;
	s->ping.size = htons(HW_OVERHEAD4 + sizeof(s->ping));
	s->ask[0].count = 1;
	_Static_assert(sizeof(s->ask) == sizeof(struct hw_ask) + sizeof(struct hw_ask_flow), "one flow");
}

Test(verdicts, each_is_reached)
{
	struct setting s;
	struct frame f;

	world_open();
	conn_world();
	setting_make(&s);
	for (enum hw_verdict v = 0; v < HW_VERDICT_COUNT; v++) {
		world_reset();
		if (build_for(v, &s, &f))
			world_run(&f);
		else
			run_marked(v, &f);
		expect_verdict(&w.result, v, "its packet");
	}
}

/* Names are distinct, and what a name says is what is done. */
Test(verdicts, names)
{
	for (int i = 0; i < HW_VERDICT_COUNT; i++) {
		const char *name = verdict_name[i];
		int want = strncmp(name, "pass_", 5) == 0 ? XDP_PASS : strncmp(name, "drop_", 5) == 0 ? XDP_DROP :
			   strstr(name, "_redirect") ? XDP_REDIRECT : XDP_TX;

		cr_expect(verdict_action[i] == want, "%s has action %d", name, verdict_action[i]);
		for (int j = 0; j < i; j++)
			cr_expect(strcmp(name, verdict_name[j]) != 0, "%s twice", name);
	}
}
