/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The asking policy against nodes that are made of a table: what each says, in
 * which state it is, what was sent to it. The clock is `now`; answers come when
 * a test calls answer_all().
 */
#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "loader/asker.h"

#define MS       1000000ULL
#define SECOND   (1000 * MS)
#define MAX_SENT 20000
#define MAX_LOG  64

enum { NONE = HW_GRADE_NONE, DOUBT = HW_GRADE_DOUBTFUL, MINE = HW_GRADE_MINE, SILENT = 100 };

struct sent {
	uint16_t node;
	uint64_t nonce;
	unsigned n;
	bool done;
	uint64_t at;
	struct hw_ask_flow flows[HW_ASK_FLOWS];
};

static struct hw_asker *asker;
static struct hw_agent_view view;
static struct hw_asker_limits limits;
static uint64_t now, next_call, nonces;
static int says[HW_NODE_IDS];
static enum hw_node_state states[HW_NODE_IDS];
static uint64_t rtts[HW_NODE_IDS];
static struct sent *sent;
static size_t n_sent;
static bool map_full, send_fails;
static uint16_t last_home;
static struct hw_ask_flow last_flow; /* of found or nobody */
static unsigned n_found, n_nobody, n_replayed;
static struct { uint32_t seq; enum hw_replay what; } replayed[MAX_LOG];

static bool do_send(void *ctx, uint16_t node, uint64_t nonce, const struct hw_ask_flow *flows, unsigned n)
{
	cr_assert_lt(n_sent, (size_t)MAX_SENT);
	cr_assert(n >= 1 && n <= HW_ASK_FLOWS);
	cr_assert_neq(states[node], HW_NODE_DEAD, "node %u is dead and was asked", node);
	sent[n_sent] = (struct sent){ .node = node, .nonce = nonce, .n = n, .at = now };
	memcpy(sent[n_sent++].flows, flows, n * sizeof(*flows));
	return !send_fails;
}

static bool do_found(void *ctx, const struct hw_flow_key *key, const struct hw_ask_flow *flow, uint16_t home)
{
	n_found++;
	last_home = home;
	last_flow = *flow;
	return !map_full;
}

static void do_nobody(void *ctx, const struct hw_flow_key *key, const struct hw_ask_flow *flow)
{
	n_nobody++;
	last_flow = *flow;
}

static void do_replay(void *ctx, const struct hw_stray *stray, enum hw_replay what)
{
	if (n_replayed < MAX_LOG) {
		replayed[n_replayed].seq = stray->seq;
		replayed[n_replayed].what = what;
	}
	n_replayed++;
}

static uint64_t do_nonce(void *ctx)
{
	return ++nonces * 0x9e3779b97f4a7c15ULL;
}

static enum hw_node_state do_state(void *ctx, uint16_t node)
{
	return states[node];
}

static uint64_t do_rtt(void *ctx, uint16_t node)
{
	return rtts[node];
}

static const struct hw_asker_ops ops = { NULL, do_send, do_found, do_nobody, do_replay, do_nonce, do_state, do_rtt };

static void nodes(unsigned n)
{
	uint16_t ids[HW_NODE_IDS];

	for (unsigned i = 0; i < n; i++) {
		ids[i] = i + 2; /* we are 1 */
		states[i + 2] = HW_NODE_UP;
	}
	cr_assert(hw_asker_set_nodes(asker, ids, n));
}

static void setup(void)
{
	limits = (struct hw_asker_limits){ .flows = 100000, .hold_bytes = 1 << 20, .bytes_a_second = 100000000 };
	now = 1000 * SECOND;
	sent = calloc(MAX_SENT, sizeof(*sent));
	asker = hw_asker_new(&limits, &ops, &view);
}

static void teardown(void)
{
	hw_asker_free(asker);
	cr_expect_eq(view.held_packets, 0);
	cr_expect_eq(view.held_flows, 0);
	free(sent);
}

TestSuite(asker, .init = setup, .fini = teardown);

static void tick(void)
{
	next_call = hw_asker_tick(asker, now);
	cr_assert_gt(next_call, now, "a tick must not ask for itself at once");
}

static void wait_ns(uint64_t ns)
{
	now += ns;
	tick();
}

/* A packet of flow number i (an IPv4 client; 256 flows to a /24), sent as number seq. */
static void stray_full(unsigned i, uint32_t seq, uint8_t flags, uint16_t returned_by, uint32_t held, uint32_t len)
{
	struct hw_stray *s = calloc(1, sizeof(*s) + held);

	s->key = (struct hw_flow_key){ .vip = 1, .vip_port = 443, .client_port = 50000 };
	memcpy(s->key.client, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a", 13);
	s->key.client[13] = i >> 16;
	s->key.client[14] = i >> 8;
	s->key.client[15] = i;
	memcpy(s->vip, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xcb\0\x71\1", 16);
	s->seq = seq;
	s->ack = seq + 1000;
	s->tcp_flags = flags;
	s->returned_by = returned_by;
	s->family = 4;
	s->held = held;
	s->len = len;
	memset(s->frame, seq, held);
	hw_asker_stray(asker, s, now);
	free(s);
}

static void stray(unsigned i, uint32_t seq)
{
	stray_full(i, seq, 0x10, 0, 60, 60);
}

static void answer(struct sent *s)
{
	struct hw_ask_flow flows[HW_ASK_FLOWS];

	memcpy(flows, s->flows, sizeof(flows));
	for (unsigned i = 0; i < s->n; i++)
		flows[i].grade = says[s->node];
	s->done = true;
	hw_asker_answer(asker, s->node, s->nonce, flows, s->n, now);
}

/* Everyone who is not silent answers what it has been asked until now. */
static void answer_all(void)
{
	for (size_t i = 0, n = n_sent; i < n; i++) {
		if (!sent[i].done && says[sent[i].node] != SILENT)
			answer(&sent[i]);
	}
	tick();
}

static unsigned asked(uint16_t node)
{
	unsigned n = 0;

	for (size_t i = 0; i < n_sent; i++)
		n += sent[i].node == node ? sent[i].n : 0;
	return n;
}

static void forget_sent(void)
{
	n_sent = 0;
}

/* Makes `home` the node that says "mine" most, and the home of the /24 of flow i. */
static void teach(unsigned i, uint16_t home)
{
	int before = says[home];

	says[home] = MINE;
	stray(i, 1);
	tick();
	answer_all();
	answer_all();
	cr_assert_eq(last_home, home);
	says[home] = before;
	forget_sent();
	n_found = n_replayed = 0;
}

/* --- whom to ask first --- */

Test(asker, without_knowledge_everyone_is_asked)
{
	nodes(3);
	stray(1, 7);
	cr_expect_eq(n_sent, 0);
	tick();
	cr_expect_eq(n_sent, 3);
	cr_expect(asked(2) == 1 && asked(3) == 1 && asked(4) == 1);
	cr_expect_eq(sent[0].flows[0].seq, htonl(7));
	cr_expect_eq(sent[0].flows[0].ack, htonl(1007));
	cr_expect_eq(sent[0].flows[0].client_port, htons(50000));
	cr_expect_eq(sent[0].flows[0].vip_port, htons(443));
	cr_expect_eq(sent[0].flows[0].tcp_flags, 0x10);
	cr_expect_eq(sent[0].flows[0].grade, 0);
	cr_expect_eq(sent[0].flows[0].vip[15], 1);
	cr_expect_eq(view.asks_sent, 3);
	cr_expect_eq(view.ask_flows_sent, 3);
	cr_expect_eq(view.ask_bytes_sent, 3 * (86 + 16 + 48));
}

Test(asker, the_home_of_the_prefix_is_asked_first)
{
	nodes(5);
	teach(0x101, 3);
	teach(0x201, 4);
	teach(0x202, 4); /* 4 says it most */
	stray(0x105, 1);
	tick();
	cr_expect_eq(n_sent, 1);
	cr_expect_eq(asked(3), 1);
	answer_all(); /* not 3's: then the one that says it most */
	cr_expect_eq(n_sent, 2);
	cr_expect_eq(asked(4), 1);
	answer_all(); /* not 4's: then all the others, and nobody twice */
	cr_expect_eq(n_sent, 5);
	for (uint16_t id = 2; id <= 6; id++)
		cr_expect_eq(asked(id), 1, "node %u: %u", id, asked(id));
}

Test(asker, an_unknown_prefix_asks_the_one_that_says_mine_most)
{
	nodes(5);
	teach(0x101, 3);
	teach(0x201, 4);
	teach(0x301, 4);
	stray(0x901, 1);
	tick();
	cr_expect_eq(n_sent, 1);
	cr_expect_eq(asked(4), 1);
}

Test(asker, who_said_mine_long_ago_is_no_favourite)
{
	nodes(5);
	teach(0x101, 3);
	teach(0x102, 3);
	now += 4 * SECOND;
	teach(0x201, 4); /* one now is more than two, four halvings ago */
	stray(0x901, 1);
	tick();
	cr_expect_eq(n_sent, 1);
	cr_expect_eq(asked(4), 1);
	answer_all();
	wait_ns(20 * SECOND);
	forget_sent();
	stray(0xa01, 1);
	tick();
	cr_expect_eq(n_sent, 5);
}

Test(asker, prefixes_that_share_a_row_are_not_mixed_up)
{
	nodes(2);
	says[3] = MINE;
	for (unsigned i = 0; i < 8000; i++) {
		stray(i * 256, 1);
		tick();
		answer_all();
		forget_sent();
	}
	cr_assert_eq(n_found, 8000);
	for (unsigned i = 0; i < 100; i++) {
		wait_ns(40 * SECOND);
		stray((8000 + i) * 256, 1);
		tick();
		cr_assert_eq(n_sent, 2, "an unknown prefix: %zu", n_sent);
		answer_all();
		forget_sent();
	}
}

Test(asker, ipv6_prefixes_are_48_bits)
{
	struct hw_stray s = { .key = { .vip = 1, .vip_port = 443, .client_port = 1 }, .family = 6, .tcp_flags = 0x10 };
	static const struct { uint8_t at; unsigned asks; } rows[] = { { 15, 1 }, { 6, 1 }, { 5, 5 } };

	nodes(5);
	memcpy(s.key.client, "\x20\x01\x0d\xb8\0\1\0\2", 8);
	says[3] = MINE;
	hw_asker_stray(asker, &s, now);
	tick();
	answer_all();
	cr_assert_eq(n_found, 1);
	now += 20 * SECOND; /* nobody says it most any more; prefixes stay */
	tick();
	for (unsigned i = 0; i < 3; i++) {
		struct hw_stray t = s;

		t.key.client[rows[i].at] ^= 0x40;
		forget_sent();
		hw_asker_stray(asker, &t, now);
		tick();
		cr_expect_eq(n_sent, rows[i].asks, "byte %u: %zu", rows[i].at, n_sent);
		answer_all();
		now += 20 * SECOND;
		tick();
	}
}

Test(asker, a_silent_favourite_is_waited_for_once)
{
	nodes(4);
	teach(0x101, 3);
	says[3] = SILENT;
	stray(0x102, 1);
	tick();
	cr_expect_eq(n_sent, 1);
	wait_ns(HW_ASK_TIMEOUT - 1);
	cr_expect_eq(n_sent, 1);
	wait_ns(1);
	cr_expect_eq(n_sent, 5); /* all others, and it once more */
	cr_expect_eq(asked(3), 2);
}

Test(asker, far_nodes_get_more_time)
{
	nodes(4);
	rtts[3] = 90 * MS;
	teach(0x101, 3);
	stray(0x102, 1);
	tick();
	wait_ns(179 * MS);
	cr_expect_eq(n_sent, 1);
	wait_ns(1 * MS);
	cr_expect_eq(n_sent, 5);
}

Test(asker, favourites_that_cannot_answer_are_not_asked_first)
{
	static const enum hw_node_state rows[] = { HW_NODE_LOST, HW_NODE_DEAD };

	nodes(4);
	for (unsigned i = 0; i < 2; i++) {
		states[3] = HW_NODE_UP;
		tick();
		teach(0x101, 3);
		states[3] = rows[i];
		tick();
		forget_sent();
		stray(0x102 + i, 1);
		tick();
		cr_expect_eq(n_sent, rows[i] == HW_NODE_DEAD ? 3 : 4);
		says[3] = NONE;
		answer_all();
		wait_ns(HW_ASK_PAUSE);
		answer_all();
	}
}

/* --- batches and the budget --- */

Test(asker, questions_go_in_batches)
{
	nodes(1);
	for (unsigned i = 0; i < 7; i++)
		stray(i, 1);
	cr_expect_eq(n_sent, 0);
	stray(7, 1);
	cr_expect_eq(n_sent, 1); /* full */
	stray(8, 1);
	cr_expect_eq(n_sent, 1);
	tick();
	cr_expect_eq(n_sent, 2);
	cr_expect_eq(sent[0].n, 8);
	cr_expect_eq(sent[1].n, 1);
	cr_expect_eq(view.ask_bytes_sent, 2 * (86 + 16) + 9 * 48);
}

/* One full ASK is 486 bytes. The bucket holds a quarter of a second's worth, but one full ASK at least. */
Test(asker, the_budget_is_in_bytes)
{
	static const struct { uint64_t bytes_a_second; unsigned at_once; } rows[] = {
		{ 4 * 486 * 10, 10 }, { 4 * 486 * 10 - 4, 9 }, { 4 * 486, 1 }, { 4 * 486 * 2, 2 }, { 1000, 1 }, { 1, 1 }, { 0, 1 },
	};

	for (unsigned r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		hw_asker_free(asker);
		memset(&view, 0, sizeof(view));
		forget_sent();
		limits.bytes_a_second = rows[r].bytes_a_second;
		asker = hw_asker_new(&limits, &ops, &view);
		nodes(1);
		for (unsigned i = 0; i < 20 * 8; i++)
			stray(i, 1);
		tick();
		cr_expect_eq(n_sent, rows[r].at_once, "row %u: %zu", r, n_sent);
		cr_expect_eq(view.asks_over_budget, (20 - rows[r].at_once) * 8, "row %u: %llu", r,
			     view.asks_over_budget);
		cr_expect_eq(view.ask_bytes_sent, 486 * rows[r].at_once);
	}
}

Test(asker, a_small_budget_is_used_in_full)
{
	limits.bytes_a_second = 486; /* a quarter of a second's worth is less than one ASK */
	hw_asker_set_limits(asker, &limits);
	nodes(1);
	for (unsigned i = 0; i < 16; i++)
		stray(i, 1);
	tick();
	cr_expect_eq(n_sent, 1);
	for (unsigned i = 0; i < 999; i++)
		wait_ns(MS);
	cr_expect_eq(n_sent, 1);
	wait_ns(MS);
	cr_expect_eq(n_sent, 2);
}

Test(asker, what_is_over_budget_is_sent_later_and_oldest_first)
{
	limits.bytes_a_second = 486 * 200; /* one full ASK each 5 ms, 50 at once */
	hw_asker_set_limits(asker, &limits);
	nodes(1);
	for (unsigned i = 0; i < 55 * 8; i++)
		stray(i, 1);
	tick();
	cr_expect_eq(n_sent, 50);
	cr_expect_eq(next_call, now + 5 * MS);
	wait_ns(5 * MS - 1);
	cr_expect_eq(n_sent, 50);
	wait_ns(1);
	cr_expect_eq(n_sent, 51);
	wait_ns(20 * MS);
	cr_expect_eq(n_sent, 55);
	cr_expect_eq(view.asks_over_budget, 5 * 8);
	for (unsigned i = 0; i < 55 * 8; i++)
		cr_assert_eq(sent[i / 8].flows[i % 8].client[15], i % 256);
}

Test(asker, questions_to_a_likely_home_overtake_those_to_everyone)
{
	limits.bytes_a_second = 486 * 100;
	hw_asker_set_limits(asker, &limits);
	nodes(20);
	teach(0x101, 5);
	for (unsigned i = 0; i < 100; i++)
		stray(0x1000 + i, 1);
	wait_ns(SECOND);
	for (int i = 0; i < 6; i++)
		answer_all(); /* 5 says no: everyone must be asked, far over the budget */
	cr_assert_gt(view.asks_over_budget, 0);
	forget_sent();
	stray(0x102, 1);
	wait_ns(10 * MS);
	cr_expect_eq(n_sent, 1);
	cr_expect_eq(sent[0].node, 5);
	cr_expect_eq(sent[0].flows[0].client[15], 2);
}

/* The main promise: when one of 20 sites shifts, a recovered flow costs about one question. */
Test(asker, one_question_for_each_recovered_flow)
{
	nodes(19);
	says[11] = MINE;
	for (unsigned i = 0; i < 5000; i++) {
		stray((i % 1000) * 256 + i / 1000, 1); /* 1000 prefixes */
		if (i % 50 == 49) {
			now += MS;
			tick();
		}
		if (i % 1000 == 999)
			answer_all(); /* after 20 ms */
	}
	for (int i = 0; i < 10; i++) {
		now += 20 * MS;
		tick();
		answer_all();
	}
	cr_log_info("%.3f questions for each of %llu flows found",
		    (double)view.ask_flows_sent / view.flows_found, view.flows_found);
	cr_expect_eq(view.flows_found, 5000);
	cr_expect_leq((double)view.ask_flows_sent / view.flows_found, 1.2);
	cr_expect_eq(view.replayed, 5000);
}

Test(asker, few_search_widely_while_nothing_is_known)
{
	nodes(19);
	for (unsigned i = 0; i < 100; i++)
		stray(i * 256, 1);
	tick();
	cr_expect_eq(view.ask_flows_sent, 8 * 19);
	wait_ns(HW_ASK_TIMEOUT - 1);
	cr_expect_eq(view.ask_flows_sent, 8 * 19);
	wait_ns(1); /* but nobody waits longer than that */
	cr_expect_eq(view.ask_flows_sent, 100 * 19 + 8 * 19);
}

Test(asker, those_who_wait_move_up_when_others_have_asked_in_vain)
{
	nodes(19);
	for (unsigned i = 0; i < 20; i++)
		stray(i * 256, 1);
	tick();
	answer_all();
	cr_expect_eq(view.ask_flows_sent, 16 * 19);
	answer_all();
	cr_expect_eq(view.ask_flows_sent, 20 * 19);
}

/* --- rounds --- */

Test(asker, nobodys_after_two_rounds_with_a_pause)
{
	nodes(3);
	stray(1, 1);
	stray(1, 2);
	tick();
	stray(1, 3);
	answer_all();
	cr_expect_eq(n_sent, 3);
	cr_expect_eq(next_call, now + HW_ASK_PAUSE);
	wait_ns(HW_ASK_PAUSE - 1);
	cr_expect_eq(n_sent, 3);
	wait_ns(1);
	cr_expect_eq(n_sent, 6);
	cr_expect_eq(sent[3].flows[0].seq, htonl(3)); /* the second round asks with the newest numbers */
	for (int i = 3; i < 5; i++)
		answer(&sent[i]);
	cr_expect_eq(n_nobody, 0);
	answer(&sent[5]);
	cr_expect_eq(n_nobody, 1);
	cr_expect_eq(n_replayed, 1);
	cr_expect_eq(replayed[0].seq, 3);
	cr_expect_eq(replayed[0].what, HW_REPLAY_DELIVER);
	cr_expect_eq(last_flow.seq, htonl(3));
	cr_expect_eq(view.flows_nobody, 1);
	cr_expect_eq(view.held_packets, 0);
	tick();
	cr_expect_eq(next_call, UINT64_MAX);
}

Test(asker, the_first_rounds_answers_do_not_count_in_the_second)
{
	nodes(2);
	says[2] = SILENT;
	stray(1, 1);
	tick();
	answer_all();
	wait_ns(HW_ASK_TIMEOUT); /* 2 is asked again */
	cr_assert_eq(asked(2), 2);
	says[2] = NONE;
	answer(&sent[0]);
	wait_ns(HW_ASK_PAUSE); /* second round */
	cr_assert_eq(asked(2), 3);
	answer(&sent[2]); /* to the second try of the first round */
	answer(&sent[4]);
	cr_assert_eq(sent[4].node, 3);
	cr_expect_eq(n_nobody, 0);
	answer(&sent[3]);
	cr_expect_eq(n_nobody, 1);
}

Test(asker, mine_counts_however_late)
{
	nodes(2);
	says[2] = SILENT;
	stray(1, 1);
	tick();
	answer_all();
	wait_ns(HW_ASK_TIMEOUT);
	wait_ns(2 * HW_ASK_TIMEOUT);
	says[2] = MINE;
	answer(&sent[0]);
	cr_expect_eq(last_home, 2);
	cr_expect_eq(view.answers_unasked, 0);
	cr_expect_eq(view.replayed, 1);
}

Test(asker, a_node_alone_needs_nobodys_word)
{
	stray(1, 1);
	tick();
	cr_expect_eq(n_nobody, 0);
	wait_ns(HW_ASK_PAUSE - 1);
	cr_expect_eq(n_nobody, 0);
	wait_ns(1);
	cr_expect_eq(n_nobody, 1);
	cr_expect_eq(n_sent, 0);
}

/* What two nodes say, and what may follow from it. */
Test(asker, when_a_reset_is_allowed)
{
	static const struct {
		int a;
		enum hw_node_state a_state;
		int b;
		enum hw_node_state b_state;
		char outcome; /* found, nobody, doubtful, or given up */
	} rows[] = {
		{ NONE, HW_NODE_UP, NONE, HW_NODE_UP, 'n' },
		{ NONE, HW_NODE_UP, MINE, HW_NODE_UP, 'f' },
		{ MINE, HW_NODE_UP, MINE, HW_NODE_UP, 'f' },
		{ NONE, HW_NODE_UP, DOUBT, HW_NODE_UP, 'd' },
		{ DOUBT, HW_NODE_UP, DOUBT, HW_NODE_UP, 'd' },
		{ DOUBT, HW_NODE_UP, MINE, HW_NODE_UP, 'f' },
		{ NONE, HW_NODE_UP, SILENT, HW_NODE_UP, 'g' },
		{ NONE, HW_NODE_UP, SILENT, HW_NODE_LOST, 'g' },
		{ NONE, HW_NODE_UP, SILENT, HW_NODE_UNKNOWN, 'g' },
		{ NONE, HW_NODE_UP, SILENT, HW_NODE_DEAD, 'n' },
		{ SILENT, HW_NODE_DEAD, SILENT, HW_NODE_DEAD, 'n' },
		{ SILENT, HW_NODE_DEAD, SILENT, HW_NODE_LOST, 'g' },
		{ MINE, HW_NODE_UP, SILENT, HW_NODE_LOST, 'f' },
		{ MINE, HW_NODE_UP, SILENT, HW_NODE_UP, 'f' },
		{ MINE, HW_NODE_LOST, SILENT, HW_NODE_LOST, 'f' },
		{ MINE, HW_NODE_UNKNOWN, NONE, HW_NODE_UP, 'f' },
		{ NONE, HW_NODE_LOST, NONE, HW_NODE_UNKNOWN, 'n' },
		{ DOUBT, HW_NODE_UP, SILENT, HW_NODE_DEAD, 'd' },
		{ DOUBT, HW_NODE_UP, SILENT, HW_NODE_LOST, 'g' },
	};

	for (unsigned r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		for (int swap = 0; swap < 2; swap++) {
			char got;

			teardown();
			memset(&view, 0, sizeof(view));
			n_sent = n_replayed = 0;
			setup();
			nodes(2);
			says[2 + swap] = rows[r].a;
			states[2 + swap] = rows[r].a_state;
			says[3 - swap] = rows[r].b;
			states[3 - swap] = rows[r].b_state;
			stray(1, 1);
			for (int i = 0; i < 3000; i++) {
				wait_ns(5 * MS);
				answer_all();
			}
			got = view.flows_found ? 'f' : view.flows_nobody ? 'n' : view.flows_doubtful ? 'd' : 'g';
			cr_expect_eq(got, rows[r].outcome, "row %u: %c, not %c", r, got, rows[r].outcome);
			cr_expect_eq(view.flows_found + view.flows_nobody + view.flows_doubtful + view.flows_given_up, 1);
			cr_expect_eq(n_replayed, got == 'f' || got == 'n');
			cr_expect_eq(view.held_packets, 0);
		}
	}
}

Test(asker, doubt_in_either_round_forbids_a_reset)
{
	for (int round = 1; round <= 2; round++) {
		view.flows_doubtful = 0;
		nodes(2);
		stray(round, 1);
		tick();
		says[2] = round == 1 ? DOUBT : NONE;
		answer_all();
		wait_ns(HW_ASK_PAUSE);
		says[2] = round == 2 ? DOUBT : NONE;
		answer_all();
		cr_expect_eq(view.flows_doubtful, 1);
		cr_expect_eq(n_nobody, 0);
		cr_expect_eq(n_replayed, 0);
	}
}

Test(asker, silence_is_asked_again_with_growing_pauses)
{
	static const unsigned at_ms[] = { 50, 150, 350, 750, 1150, 1550 };
	unsigned k = 0;

	nodes(2);
	says[3] = SILENT;
	stray(1, 1);
	tick();
	answer_all();
	for (unsigned ms = 1; ms <= 1600; ms++) {
		wait_ns(MS);
		if (k < 6 && ms == at_ms[k])
			k++;
		cr_assert_eq(asked(3), 1 + k, "after %u ms: %u", ms, asked(3));
	}
	cr_expect_eq(asked(2), 1);
}

Test(asker, a_node_that_dies_meanwhile_has_said_no)
{
	nodes(2);
	says[3] = SILENT;
	stray(1, 1);
	tick();
	answer_all();
	for (int i = 0; i < 100; i++)
		wait_ns(10 * MS);
	states[3] = HW_NODE_DEAD;
	wait_ns(1); /* at once, not at the next timeout */
	wait_ns(HW_ASK_PAUSE);
	answer_all();
	cr_expect_eq(n_nobody, 1);
}

Test(asker, a_node_that_is_heard_again_is_asked_at_once)
{
	nodes(2);
	says[3] = SILENT;
	states[3] = HW_NODE_LOST;
	stray(1, 1);
	tick();
	answer_all();
	for (int i = 0; i < 90; i++)
		wait_ns(10 * MS);
	forget_sent();
	says[3] = MINE;
	states[3] = HW_NODE_UP;
	wait_ns(1);
	cr_expect_eq(asked(3), 1);
	answer_all();
	cr_expect_eq(last_home, 3);
}

Test(asker, a_node_back_from_the_dead_must_be_asked_twice)
{
	nodes(2);
	states[3] = HW_NODE_DEAD;
	stray(1, 1);
	tick();
	answer_all(); /* round one is over without it */
	states[3] = HW_NODE_UP;
	wait_ns(HW_ASK_PAUSE);
	answer_all();
	cr_expect_eq(n_nobody, 0);
	wait_ns(HW_ASK_PAUSE);
	answer_all();
	cr_expect_eq(n_nobody, 1);
	cr_expect_eq(asked(3), 2);
}

Test(asker, a_flow_without_new_packets_is_forgotten)
{
	nodes(1);
	says[2] = SILENT;
	stray(1, 1);
	wait_ns(9 * SECOND);
	stray(1, 2);
	wait_ns(10 * SECOND - 1);
	cr_expect_eq(view.flows_given_up, 0);
	wait_ns(1 + 8 * HW_ASK_TIMEOUT);
	cr_expect_eq(view.flows_given_up, 1);
	cr_expect_eq(next_call, UINT64_MAX);
	cr_expect_eq(n_replayed, 0);
}

Test(asker, no_search_lasts_longer_than_a_minute)
{
	nodes(1);
	says[2] = SILENT;
	for (unsigned i = 0; i < 60; i++) {
		stray(1, i);
		wait_ns(SECOND);
		cr_assert_eq(view.flows_given_up, i == 59, "after %u s", i + 1);
	}
	cr_expect_eq(view.hold_overflow, 60 - 5);
}

/* --- answers that do not count --- */

static void spoil(struct hw_ask_flow *f, int row)
{
	uint8_t *fields[] = { f->client, f->vip, (uint8_t *)&f->client_port, (uint8_t *)&f->vip_port,
			      (uint8_t *)&f->seq, (uint8_t *)&f->ack, &f->tcp_flags, f->reserved };

	f->grade = MINE;
	if (row < 8)
		*fields[row] ^= 1;
	if (row == 8)
		f->grade = MINE + 1;
}

Test(asker, only_what_was_asked_is_answered)
{
	nodes(2);
	stray(1, 1);
	stray(2, 1);
	tick();
	for (int row = 0; row < 14; row++) {
		struct sent s = sent[0];

		cr_assert_eq(s.n, 2);
		s.flows[0].grade = MINE;
		spoil(&s.flows[1], row);
		s.nonce ^= row == 9;
		s.node += row == 10;            /* another node */
		s.node += 7 * (row == 11);      /* no node of ours */
		s.n -= row == 12;
		if (row == 13)
			hw_asker_answer(asker, s.node, s.nonce, s.flows, 0, now);
		else
			hw_asker_answer(asker, s.node, s.nonce, s.flows, s.n, now);
		cr_expect_eq(n_found, 0, "row %d", row);
		cr_expect_eq(view.answers_unasked, row + 1, "row %d", row);
	}
	says[2] = MINE;
	answer(&sent[0]);
	cr_expect_eq(n_found, 2);
	cr_expect_eq(view.answers, 1);
	answer(&sent[0]); /* replayed */
	cr_expect_eq(view.answers_unasked, 15);
}

Test(asker, answers_are_expected_for_two_seconds)
{
	nodes(2);
	stray(1, 1);
	tick();
	wait_ns(2 * SECOND - 1);
	answer(&sent[0]);
	cr_expect_eq(view.answers, 1);
	wait_ns(1);
	answer(&sent[1]);
	cr_expect_eq(view.answers_unasked, 1);
}

Test(asker, answers_about_ended_searches_touch_nobody)
{
	nodes(2);
	stray(1, 1);
	tick();
	says[2] = MINE;
	answer(&sent[0]); /* ended */
	stray(0x5001, 1); /* takes the same slot */
	says[3] = MINE;
	answer(&sent[1]);
	cr_expect_eq(n_found, 1);
	cr_expect_eq(view.answers, 2);
}

/* --- held packets --- */

Test(asker, the_first_four_and_the_newest_are_held_and_replayed_in_order)
{
	static const uint32_t want[] = { 1, 2, 3, 4, 9 };

	nodes(1);
	for (unsigned i = 1; i <= 9; i++)
		stray(1, i);
	cr_expect_eq(view.held_packets, 5);
	cr_expect_eq(view.held_flows, 1);
	cr_expect_eq(view.hold_overflow, 4);
	tick();
	says[2] = MINE;
	answer_all();
	cr_expect_eq(n_replayed, 5);
	for (unsigned i = 0; i < 5; i++) {
		cr_expect_eq(replayed[i].seq, want[i]);
		cr_expect_eq(replayed[i].what, HW_REPLAY_CARRY);
	}
	cr_expect_eq(last_flow.seq, htonl(9));
	cr_expect_eq(view.replayed, 5);
}

Test(asker, what_is_held_is_limited_in_bytes)
{
	limits.hold_bytes = 3 * (72 + 60);
	hw_asker_set_limits(asker, &limits);
	nodes(1);
	for (unsigned i = 1; i <= 3; i++)
		stray(i, 1);
	cr_expect_eq(view.hold_overflow, 0);
	cr_expect_eq(view.held_packets, 3);
	stray(4, 1);
	cr_expect_eq(view.hold_overflow, 1);
	cr_expect_eq(view.held_packets, 3);
	cr_expect_eq(view.held_flows, 3);
	tick();
	says[2] = MINE;
	answer_all();
	cr_expect_eq(n_found, 4); /* it is found all the same */
	cr_expect_eq(n_replayed, 3);
	stray(5, 1);
	cr_expect_eq(view.held_packets, 1); /* there is room again */
}

Test(asker, the_newest_gives_way_only_to_what_fits)
{
	limits.hold_bytes = 5 * (72 + 60);
	hw_asker_set_limits(asker, &limits);
	nodes(1);
	for (unsigned i = 1; i <= 5; i++)
		stray(1, i);
	stray_full(1, 6, 0x10, 0, 61, 61); /* a byte too large */
	stray_full(2, 1, 0x10, 0, 1, 1);
	cr_expect_eq(view.held_packets, 5);
	cr_expect_eq(view.hold_overflow, 2);
	stray_full(1, 7, 0x10, 0, 60, 60);
	cr_expect_eq(view.hold_overflow, 3);
	tick();
	says[2] = MINE;
	answer_all();
	cr_expect_eq(replayed[4].seq, 7);
}

Test(asker, a_packet_that_was_handed_up_in_part_is_only_asked_about)
{
	nodes(1);
	stray_full(1, 1, 0x10, 0, 1976, 1977);
	cr_expect_eq(view.held_packets, 0);
	stray_full(2, 1, 0x10, 0, 1976, 1976);
	cr_expect_eq(view.held_packets, 1);
	tick();
	cr_expect_eq(view.ask_flows_sent, 2);
	says[2] = MINE;
	answer_all();
	cr_expect_eq(n_found, 2);
	cr_expect_eq(n_replayed, 1);
}

Test(asker, no_room_in_the_flow_map)
{
	nodes(1);
	map_full = true;
	stray(1, 1);
	tick();
	says[2] = MINE;
	answer_all();
	cr_expect_eq(view.flow_map_full, 1);
	cr_expect_eq(n_replayed, 0);
	cr_expect_eq(view.held_packets, 0);
}

/* --- the table --- */

Test(asker, a_full_table_refuses_and_never_resets)
{
	limits.flows = 10;
	hw_asker_set_limits(asker, &limits);
	nodes(1);
	for (unsigned i = 0; i < 11; i++)
		stray(i, 1);
	cr_expect_eq(view.flows_asked, 10);
	cr_expect_eq(view.table_full, 1);
	stray(3, 2); /* those inside are heard */
	cr_expect_eq(view.table_full, 1);
	tick();
	says[2] = MINE;
	answer_all();
	cr_expect_eq(n_found, 10);
	stray(10, 1);
	cr_expect_eq(view.flows_asked, 11);
	cr_expect_eq(n_nobody, 0);
}

Test(asker, resets_and_syn_acks_come_last)
{
	static const struct { uint8_t flags; bool last; } rows[] = {
		{ 0x04, true }, { 0x14, true }, { 0x12, true }, { 0x52, true }, { 0x10, false }, { 0x18, false }, { 0x11, false },
	};

	limits.flows = 20;
	hw_asker_set_limits(asker, &limits);
	nodes(1);
	for (unsigned i = 0; i < 10; i++)
		stray(i, 1);
	stray_full(10, 1, 0x04, 0, 60, 60); /* half full: still welcome */
	cr_expect_eq(view.table_full, 0);
	for (unsigned r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		uint64_t before = view.table_full;

		stray_full(100 + r, 1, rows[r].flags, 0, 60, 60);
		cr_expect_eq(view.table_full - before, rows[r].last, "flags %x", rows[r].flags);
	}
	stray_full(1, 2, 0x04, 0, 60, 60);
	cr_expect_eq(view.hold_overflow, 1);
}

Test(asker, resets_come_last_when_the_budget_is_spent)
{
	limits.bytes_a_second = 1;
	hw_asker_set_limits(asker, &limits);
	nodes(1);
	for (unsigned i = 0; i < 20; i++)
		stray(i, 1);
	stray_full(100, 1, 0x04, 0, 60, 60);
	cr_expect_eq(view.table_full, 0);
	tick();
	stray_full(101, 1, 0x04, 0, 60, 60);
	cr_expect_eq(view.table_full, 1);
}

Test(asker, an_overrun_table_drops_what_would_cost_most)
{
	nodes(19);
	teach(0x101, 5);
	wait_ns(5 * SECOND);
	limits.flows = 100;
	limits.bytes_a_second = 1944; /* one full ASK at once */
	hw_asker_set_limits(asker, &limits);
	for (unsigned i = 0; i < 100; i++)
		stray(0x1000 + i, 1);
	tick();
	answer_all();
	cr_expect_gt(view.flows_given_up, 0);
	cr_expect_eq(n_nobody, 0);
	stray(0x102, 1); /* there is a place for a flow that can be found cheaply */
	cr_expect_eq(view.table_full, 0);
}

/* --- returned packets --- */

Test(asker, who_returned_a_packet_is_left_out_for_a_second)
{
	nodes(3);
	teach(0x101, 3);
	stray_full(0x102, 1, 0x10, 3, 60, 60);
	tick();
	cr_expect_eq(n_sent, 2);
	cr_expect_eq(asked(3), 0);
	answer_all();
	for (uint64_t t = 10 * MS; t < HW_RETURN_BAR; t += 10 * MS)
		wait_ns(10 * MS);
	cr_expect_eq(asked(3), 0);
	wait_ns(10 * MS - 1);
	cr_expect_eq(asked(3), 0);
	wait_ns(1);
	cr_expect_eq(asked(3), 1);
	cr_expect_eq(n_nobody, 0);
	answer_all();
	wait_ns(HW_ASK_PAUSE);
	answer_all();
	cr_expect_eq(n_nobody, 1); /* but no reset without its word */
	cr_expect_eq(n_replayed, 1);
}

Test(asker, no_packet_is_sent_twice_to_one_node)
{
	nodes(2);
	stray_full(1, 1, 0x10, 3, 60, 60);
	stray(1, 2);
	tick();
	answer_all();
	wait_ns(HW_RETURN_BAR);
	says[3] = MINE;
	answer_all();
	cr_expect_eq(last_home, 3);
	cr_expect_eq(n_replayed, 1);
	cr_expect_eq(replayed[0].seq, 2);
}

Test(asker, a_packet_that_one_node_returned_goes_to_another)
{
	nodes(2);
	stray_full(1, 1, 0x10, 3, 60, 60);
	says[2] = MINE;
	tick();
	answer_all();
	cr_expect_eq(last_home, 2);
	cr_expect_eq(n_replayed, 1);
}

Test(asker, a_packet_returned_in_mid_search_bars_its_sender)
{
	nodes(3);
	teach(0x101, 3);
	stray(0x102, 1);
	tick();
	cr_assert_eq(asked(3), 1);
	stray_full(0x102, 2, 0x10, 3, 60, 60);
	tick();
	cr_expect_eq(n_sent, 3); /* the others, now */
	says[3] = MINE;
	answer(&sent[0]);
	cr_expect_eq(n_found, 0); /* it contradicts itself: ask again when the bar ends */
	answer_all();
	wait_ns(HW_RETURN_BAR);
	answer_all();
	cr_expect_eq(last_home, 3);
}

/* --- changes of the config, failures, scale --- */

Test(asker, searches_go_on_with_new_nodes)
{
	static const uint16_t ids[] = { 3, 9 };

	nodes(2);
	says[2] = SILENT;
	stray(1, 1);
	tick();
	answer_all();
	states[9] = HW_NODE_UP;
	hw_asker_set_nodes(asker, ids, 2);
	forget_sent();
	wait_ns(1);
	cr_expect(asked(3) == 1 && asked(9) == 1 && asked(2) == 0);
	answer_all();
	cr_expect_eq(n_nobody, 0);
	wait_ns(HW_ASK_PAUSE);
	answer_all();
	cr_expect_eq(n_nobody, 1); /* 2 is gone: its silence does not matter */
}

Test(asker, a_node_added_in_the_second_round_is_asked_twice)
{
	nodes(1);
	stray(1, 1);
	tick();
	answer_all();
	wait_ns(HW_ASK_PAUSE);
	nodes(2);
	answer_all();
	cr_expect_eq(n_nobody, 0);
	answer_all();
	wait_ns(HW_ASK_PAUSE);
	answer_all();
	cr_expect_eq(n_nobody, 1);
	cr_expect_eq(asked(3), 2);
}

Test(asker, a_reload_forgets_queued_questions)
{
	limits.bytes_a_second = 1;
	hw_asker_set_limits(asker, &limits);
	nodes(3);
	for (unsigned i = 0; i < 50; i++)
		stray(i, 1);
	tick();
	nodes(2);
	limits.bytes_a_second = 100000000;
	hw_asker_set_limits(asker, &limits);
	for (int i = 0; i < 1000; i++) {
		wait_ns(500 * MS);
		answer_all();
	}
	cr_expect_eq(view.flows_nobody, 50);
	cr_expect_eq(next_call, UINT64_MAX);
}

Test(asker, a_search_that_begins_again_takes_its_old_questions_back)
{
	nodes(2);
	tick();
	limits.bytes_a_second = 1;
	hw_asker_set_limits(asker, &limits);
	stray(100, 1);
	tick();
	for (unsigned i = 0; i < 6; i++)
		stray(i, 1);
	states[3] = HW_NODE_DEAD;
	tick();
	states[3] = HW_NODE_UP;
	tick();
	limits.bytes_a_second = 100000000;
	hw_asker_set_limits(asker, &limits);
	forget_sent();
	tick();
	cr_expect_eq(asked(2), 7, "%u", asked(2));
	cr_expect_eq(asked(3), 7, "%u", asked(3));
}

Test(asker, a_question_that_cannot_be_sent_is_lost)
{
	nodes(1);
	send_fails = true;
	stray(1, 1);
	tick();
	cr_expect_eq(view.asks_sent, 0);
	send_fails = false;
	wait_ns(HW_ASK_TIMEOUT);
	cr_expect_eq(view.asks_sent, 1);
	says[2] = MINE;
	answer(&sent[1]);
	cr_expect_eq(n_found, 1);
}

/* Junk without end, with real strays among it: everything ends, the table stays within its limit. */
Test(asker, a_storm)
{
	unsigned real = 0;

	limits.flows = 20000;
	limits.bytes_a_second = 4000000;
	hw_asker_set_limits(asker, &limits);
	nodes(19);
	says[7] = NONE;
	teach(0x101, 7);
	for (unsigned ms = 0; ms < 3000; ms++) {
		for (unsigned i = 0; i < 20; i++)
			stray(0x10000 + ms * 20 + i, 1);
		if (ms % 10 == 0)
			stray(0x100 + ++real % 256, ms);
		wait_ns(MS);
		for (size_t i = 0; i < n_sent; i++) {
			struct hw_ask_flow f[HW_ASK_FLOWS];

			memcpy(f, sent[i].flows, sizeof(f));
			for (unsigned k = 0; k < sent[i].n; k++)
				f[k].grade = sent[i].node == 7 && f[k].client[13] == 0 ? MINE : NONE;
			hw_asker_answer(asker, sent[i].node, sent[i].nonce, f, sent[i].n, now);
		}
		forget_sent();
	}
	cr_log_info("found %llu of %u, nobody %llu, given up %llu, refused %llu", view.flows_found - 1, real,
		    view.flows_nobody, view.flows_given_up, view.table_full);
	cr_expect_geq(view.flows_found - 1, real * 98 / 100);
	cr_expect_leq(view.ask_bytes_sent, 4000000ULL * 13 / 4 + 486);
	cr_expect_eq(view.answers_unasked, 0);
}
