/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Peers with a clock made of numbers: stories about one observer (node 1) whose
 * PINGs a test answers as it likes, and a simulated cluster of many observers
 * with 20 ms between any two.
 */
#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "loader/peers.h"

#define MS     1000000ULL
#define SECOND (1000 * MS)
#define DOWN   SECOND
#define LOST   (30 * SECOND)
#define N      6

static const struct hw_peers_timers timers = { .node_down = DOWN, .node_lost = LOST };

/* --- one observer --- */

static struct hw_peers *peers;
static uint64_t now, nonces;
static bool alive[HW_NODE_IDS];
static unsigned path[HW_NODE_IDS];   /* what really fits; 0: everything */
static bool witness[HW_NODE_IDS];
static uint8_t hears[HW_NODE_IDS][HW_HEARS_BYTES]; /* what a node says it hears */
static unsigned pings[HW_NODE_IDS], large[HW_NODE_IDS], changes[HW_NODE_IDS];
static uint16_t largest[HW_NODE_IDS];
static struct hw_ping last_pong;
static uint32_t told_path[HW_NODE_IDS];

struct flight { uint64_t at; uint16_t node; struct hw_ping pong; };
static struct flight flights[4096];
static unsigned n_flights;
static uint64_t rtt = 10 * MS;
static uint64_t slow[HW_NODE_IDS];   /* added to rtt */

static void do_ping(void *ctx, uint16_t node, uint64_t nonce, uint16_t size)
{
	struct hw_ping pong = { .nonce = htobe64(nonce), .size = htons(size), .schema = htonl(7) };

	pings[node]++;
	large[node] += size > 232;
	if (size > largest[node])
		largest[node] = size;
	if (!alive[node] || (path[node] && size > path[node]))
		return;
	pong.flags = witness[node] ? HW_PONG_WITNESS : 0;
	memcpy(pong.hears, hears[node], sizeof(pong.hears));
	cr_assert_lt(n_flights, 4096u);
	flights[n_flights++] = (struct flight){ .at = now + rtt + slow[node], .node = node, .pong = pong };
}

static uint64_t do_nonce(void *ctx)
{
	return ++nonces * 0x9e3779b97f4a7c15ULL;
}

static void do_changed(void *ctx, uint16_t node, enum hw_node_state from, enum hw_node_state to, uint32_t path_mtu)
{
	cr_assert(from != to || path_mtu != told_path[node], "node %u: told of nothing", node);
	changes[node] += from != to;
	told_path[node] = path_mtu;
}

static const struct hw_peers_ops ops = { NULL, do_ping, do_nonce, do_changed };

static void setup(void)
{
	static const struct hw_peer_node nodes[N] = { { 2, true, false }, { 3, true, false }, { 4, true, false },
						      { 5, true, false }, { 6, true, false }, { 7, false, false } };

	now = 1000 * SECOND;
	peers = hw_peers_new(1, &timers, &ops);
	for (unsigned i = 0; i < N; i++) {
		alive[nodes[i].id] = witness[nodes[i].id] = true;
		memset(hears[nodes[i].id], 0xff, HW_HEARS_BYTES);
	}
	cr_assert(hw_peers_set_nodes(peers, nodes, N, now));
}

static void teardown(void)
{
	hw_peers_free(peers);
}

TestSuite(peers, .init = setup, .fini = teardown);

static void land(void)
{
	for (unsigned i = 0; i < n_flights;) {
		struct flight f = flights[i];

		if (f.at > now) {
			i++;
			continue;
		}
		flights[i] = flights[--n_flights];
		last_pong = f.pong;
		f.pong.wall_ns = htobe64(5000 * SECOND + 77 * MS - rtt / 2);
		hw_peers_pong(peers, f.node, &f.pong, now, 5000 * SECOND);
	}
}

/* Runs until `until`, calling when asked to and when a PONG lands. */
static void run_until(uint64_t until)
{
	for (;;) {
		uint64_t next;

		land();
		next = hw_peers_tick(peers, now);
		cr_assert_gt(next, now, "a tick must not ask for itself at once");
		for (unsigned i = 0; i < n_flights; i++)
			next = flights[i].at < next ? flights[i].at : next;
		if (next > until)
			break;
		now = next;
	}
	now = until;
	land();
	hw_peers_tick(peers, now);
}

static void run(uint64_t ns)
{
	run_until(now + ns);
}

static uint64_t heard(uint16_t node)
{
	struct hw_node_view view;

	hw_peers_view(peers, node, &view);
	return view.heard_ns;
}

static uint32_t path_mtu(uint16_t node)
{
	struct hw_node_view view;

	hw_peers_view(peers, node, &view);
	return view.path_mtu;
}

static void hear(uint16_t w, uint16_t node, bool yes)
{
	hears[w][node / 8] &= ~(1 << node % 8);
	hears[w][node / 8] |= yes << node % 8;
}

static void nobody_hears(uint16_t node)
{
	for (uint16_t w = 2; w < 2 + N; w++)
		hear(w, node, false);
}

#define expect_state(node, want) \
	cr_expect_eq(hw_peers_state(peers, node), want, "node %u: %d", node, hw_peers_state(peers, node))

Test(peers, up_on_the_first_pong)
{
	struct hw_node_view view = { .sum.carried_to_packets = 5 };

	expect_state(1, HW_NODE_SELF);
	expect_state(2, HW_NODE_UNKNOWN);
	expect_state(999, HW_NODE_UNKNOWN);
	expect_state(60000, HW_NODE_UNKNOWN);
	run(rtt - 1);
	expect_state(2, HW_NODE_UNKNOWN);
	run(1);
	expect_state(2, HW_NODE_UP);
	cr_expect_eq(changes[2], 1);
	hw_peers_view(peers, 2, &view);
	cr_expect_eq(view.state, HW_NODE_UP);
	cr_expect_eq(view.rtt_ns, 10 * MS);
	cr_expect_eq(view.heard_ns, now);
	cr_expect_eq(view.schema, 7);
	cr_expect_eq(view.clock_ns, 77 * (int64_t)MS, "%lld", view.clock_ns);
	cr_expect_eq(view.sum.carried_to_packets, 5);
}

Test(peers, the_round_trip_is_smoothed)
{
	run(100 * MS);
	rtt = 18 * MS;
	pings[2] = 0;
	while (!pings[2])
		run(MS);
	run(18 * MS);
	cr_expect_eq(hw_peers_rtt(peers, 2), 11 * MS);
}

Test(peers, five_pings_within_node_down)
{
	run(10 * SECOND);
	for (uint16_t id = 2; id < 2 + N; id++)
		cr_expect(pings[id] >= 50 && pings[id] <= 52, "%u", pings[id]);
	cr_expect_eq(large[2], 0); /* no route is known */
}

Test(peers, pings_to_different_nodes_are_spread)
{
	unsigned before = 0, most = 0;

	run(5 * SECOND);
	for (int i = 0; i < 400; i++) {
		unsigned n = 0;

		for (uint16_t id = 2; id < 2 + N; id++)
			n += pings[id];
		most = before && n - before > most ? n - before : most;
		before = n;
		run(MS);
	}
	cr_expect_leq(most, 2);
}

Test(peers, lost_when_silent_for_node_down)
{
	run(3 * SECOND);
	alive[2] = false; /* the others hear it still */
	run(2 * rtt);
	run_until(heard(2) + DOWN - 1);
	expect_state(2, HW_NODE_UP);
	run(1);
	expect_state(2, HW_NODE_LOST);
	cr_expect_eq(changes[2], 2);
	run(LOST - 1);
	expect_state(2, HW_NODE_LOST); /* a cut between two nodes, with witnesses */
	run(1);
	expect_state(2, HW_NODE_DEAD); /* given up */
	cr_expect_eq(changes[2], 3);
	run(10 * SECOND);
	expect_state(2, HW_NODE_DEAD); /* and no hearsay changes that ... */
	alive[2] = true;
	run(SECOND);
	expect_state(2, HW_NODE_UP); /* ... but a PONG of its own does */
	cr_expect_eq(changes[2], 4);
}

Test(peers, dead_when_nobody_hears_it)
{
	uint64_t silent;

	run(3 * SECOND);
	alive[2] = false;
	run(2 * rtt);
	nobody_hears(2);
	silent = heard(2) + DOWN;
	run_until(silent - 1);
	expect_state(2, HW_NODE_UP);
	run(1);
	expect_state(2, HW_NODE_LOST); /* the witnesses are being asked */
	run(rtt - 1);
	expect_state(2, HW_NODE_LOST);
	run(1);
	expect_state(2, HW_NODE_DEAD);
	cr_expect_eq(changes[2], 3);
}

Test(peers, one_witness_that_hears_it_is_enough_to_live)
{
	run(3 * SECOND);
	alive[2] = false;
	nobody_hears(2);
	hear(5, 2, true);
	run(20 * SECOND);
	expect_state(2, HW_NODE_LOST);
	hear(5, 2, false);
	run(300 * MS);
	expect_state(2, HW_NODE_DEAD);
	hear(5, 2, true); /* it is back, but not for us */
	run(300 * MS);
	expect_state(2, HW_NODE_LOST);
}

Test(peers, a_node_of_our_own_pop_is_no_witness_about_others)
{
	static const struct hw_peer_node nodes[] = { { 2, true, false }, { 3, true, true }, { 4, true, true } };

	cr_assert(hw_peers_set_nodes(peers, nodes, 3, now));
	run(3 * SECOND);
	alive[2] = alive[4] = false; /* our PoP may be cut off: 3 is cut off with us */
	nobody_hears(2);
	nobody_hears(4);
	run(20 * SECOND);
	expect_state(2, HW_NODE_LOST);
	expect_state(4, HW_NODE_DEAD); /* but about a neighbour it can tell */
}

Test(peers, all_who_can_tell_are_waited_for)
{
	run(3 * SECOND);
	alive[2] = false;
	nobody_hears(2);
	hear(5, 2, true);
	slow[5] = 90 * MS;
	run(10 * SECOND);
	cr_expect_eq(changes[2], 2); /* LOST, and never DEAD */
}

Test(peers, the_newest_word_of_a_witness_counts)
{
	run(3 * SECOND);
	alive[2] = false;
	for (uint16_t w = 4; w < 2 + N; w++)
		witness[w] = false;
	run(DOWN + 500 * MS);
	expect_state(2, HW_NODE_LOST);
	slow[3] = 500 * MS;
	pings[3] = 0;
	while (!pings[3])
		run(MS); /* under way for long: node 3 hears node 2 */
	slow[3] = 0;
	nobody_hears(2);
	run(450 * MS);
	expect_state(2, HW_NODE_DEAD);
	run(100 * MS);
	expect_state(2, HW_NODE_DEAD);
}

Test(peers, who_cannot_testify_is_no_witness)
{
	run(3 * SECOND);
	nobody_hears(2);
	for (uint16_t w = 3; w < 2 + N; w++)
		witness[w] = false;
	alive[2] = false;
	run(20 * SECOND);
	expect_state(2, HW_NODE_LOST);
	witness[4] = true;
	run(300 * MS);
	expect_state(2, HW_NODE_DEAD);
}

Test(peers, a_bitmap_without_the_flag_keeps_nobody_alive)
{
	run(3 * SECOND);
	nobody_hears(2);
	hear(3, 2, true);
	witness[3] = false; /* its agent is dead: this is what it heard long ago */
	alive[2] = false;
	run(2 * SECOND);
	expect_state(2, HW_NODE_DEAD);
}

/* What a witness said before the node had been silent for node-down is about another time. */
Test(peers, stale_testimony_counts_neither_way)
{
	uint64_t silent;

	nobody_hears(2); /* all say so, all the time */
	run(3 * SECOND);
	alive[2] = false;
	run(2 * rtt);
	silent = heard(2) + DOWN;
	rtt = 150 * MS;
	run_until(silent - 1);
	n_flights = 0; /* all that is on its way gets lost */
	run_until(silent + 1);
	expect_state(2, HW_NODE_LOST);
	for (uint16_t w = 3; w < 2 + N; w++)
		alive[w] = false; /* nobody says anything new */
	n_flights = 0;
	run(300 * MS);
	expect_state(2, HW_NODE_LOST);
}

Test(peers, a_pong_to_a_ping_from_before_does_not_testify)
{
	uint64_t silent;

	run(3 * SECOND);
	alive[2] = false;
	nobody_hears(2);
	run(2 * rtt);
	silent = heard(2) + DOWN;
	run_until(silent - 60 * MS);
	rtt = 100 * MS; /* those sent now land after the time is up, but speak about before */
	for (uint16_t w = 3; w < 2 + N; w++)
		pings[w] = 0;
	run_until(silent + 100 * MS - 1);
	expect_state(2, HW_NODE_LOST);
	run(1);
	expect_state(2, HW_NODE_DEAD);
}

Test(peers, who_hears_nobody_declares_nobody_dead)
{
	run(3 * SECOND);
	for (uint16_t id = 2; id < 2 + N; id++) {
		alive[id] = false;
		nobody_hears(id);
	}
	run(DOWN + 100 * MS);
	for (uint16_t id = 2; id < 2 + N; id++)
		expect_state(id, HW_NODE_LOST);
	run(LOST - 200 * MS);
	for (uint16_t id = 2; id < 2 + N; id++)
		expect_state(id, HW_NODE_LOST);
	run(400 * MS);
	for (uint16_t id = 2; id < 2 + N; id++)
		expect_state(id, HW_NODE_DEAD);
}

Test(peers, a_node_that_was_never_heard)
{
	alive[2] = false;
	nobody_hears(2);
	run(DOWN - 1);
	expect_state(2, HW_NODE_UNKNOWN);
	run(1);
	expect_state(2, HW_NODE_LOST);
	run(rtt);
	expect_state(2, HW_NODE_DEAD);
}

Test(peers, a_pong_counts_once_and_only_with_a_nonce_of_ours)
{
	struct hw_ping old, forged;
	unsigned count;

	run(3 * SECOND);
	alive[2] = false;
	nobody_hears(2);
	n_flights = 0;
	run(250 * MS);
	old = last_pong; /* of some node: a replay, and from the wrong one at that */
	forged = (struct hw_ping){ .nonce = htobe64(42) };
	count = changes[2];
	for (int i = 0; i < 20; i++) {
		run(100 * MS);
		for (uint16_t id = 2; id < 2 + N; id++)
			hw_peers_pong(peers, id, &old, now, 0);
		hw_peers_pong(peers, 2, &forged, now, 0);
		hw_peers_pong(peers, 900, &forged, now, 0);
		hw_peers_pong(peers, 60000, &forged, now, 0);
	}
	expect_state(2, HW_NODE_DEAD);
	cr_expect_eq(changes[2], count + 2);
}

Test(peers, a_replayed_pong_of_its_own_keeps_nobody_up)
{
	struct hw_ping mine = { 0 };

	run(3 * SECOND);
	for (uint16_t id = 3; id < 2 + N; id++)
		alive[id] = false; /* so that the last PONG is node 2's */
	n_flights = 0;
	run(300 * MS);
	mine = last_pong;
	alive[2] = false;
	n_flights = 0;
	for (int i = 0; i < 13; i++) {
		run(100 * MS);
		hw_peers_pong(peers, 2, &mine, now, 0);
	}
	expect_state(2, HW_NODE_LOST);
}

Test(peers, late_pongs_count_within_eight_pings)
{
	rtt = 900 * MS;
	run(3 * SECOND);
	expect_state(2, HW_NODE_UP);
	cr_expect_eq(hw_peers_rtt(peers, 2), 900 * MS);
}

Test(peers, what_we_hear)
{
	uint8_t bits[HW_HEARS_BYTES];
	uint64_t start = now;

	alive[3] = false;
	run(DOWN - 1);
	cr_expect_not(hw_peers_hears(peers, now, bits));
	run_until(start + DOWN);
	cr_expect(hw_peers_hears(peers, now, bits));
	cr_expect_eq(bits[0], 0xf4); /* 2, 4, 5, 6, 7 */
	cr_expect_eq(bits[1], 0);
	alive[2] = false;
	run(2 * rtt);
	run_until(heard(2) + DOWN / 4 * 3 - 1);
	cr_expect(hw_peers_hears(peers, now, bits));
	cr_expect_eq(bits[0], 0xf4);
	run(1);
	cr_expect(hw_peers_hears(peers, now, bits));
	cr_expect_eq(bits[0], 0xf0);
}

Test(peers, who_was_stopped_neither_judges_nor_testifies)
{
	uint8_t bits[HW_HEARS_BYTES];

	run(3 * SECOND);
	n_flights = 0;
	now += 60 * SECOND;
	cr_expect_not(hw_peers_hears(peers, now, bits));
	hw_peers_tick(peers, now);
	for (uint16_t id = 2; id < 2 + N; id++)
		expect_state(id, HW_NODE_UP);
	cr_expect_not(hw_peers_hears(peers, now, bits));
	run(DOWN - 1);
	cr_expect_not(hw_peers_hears(peers, now, bits));
	run(1);
	cr_expect(hw_peers_hears(peers, now, bits));
	cr_expect_eq(changes[2], 1);
}

Test(peers, changes_of_the_config)
{
	static const struct hw_peer_node nodes[] = { { 3, true, false }, { 9, true, false } };

	run(3 * SECOND);
	alive[9] = true;
	cr_assert(hw_peers_set_nodes(peers, nodes, 2, now));
	expect_state(2, HW_NODE_UNKNOWN);
	expect_state(3, HW_NODE_UP);
	expect_state(9, HW_NODE_UNKNOWN);
	pings[2] = 0;
	run(rtt);
	expect_state(9, HW_NODE_UP);
	run(SECOND);
	cr_expect_eq(pings[2], 0);
	cr_expect_eq(changes[3], 1);
	cr_assert(hw_peers_set_nodes(peers, nodes, 0, now));
	cr_expect_eq(hw_peers_tick(peers, now), UINT64_MAX);
}

Test(peers, other_timers)
{
	static const struct hw_peers_timers longer = { .node_down = 4 * SECOND, .node_lost = LOST };

	run(3 * SECOND);
	hw_peers_set_timers(peers, &longer);
	alive[2] = false;
	run(2 * rtt);
	run_until(heard(2) + 4 * SECOND - 1);
	expect_state(2, HW_NODE_UP);
	run(1);
	expect_state(2, HW_NODE_LOST);
}

/* --- path MTU --- */

Test(peers, the_path_mtu_is_found)
{
	static const struct { unsigned route, fits; uint16_t node; unsigned least, most; } rows[] = {
		{ 1500, 1500, 2, 1500, 1500 }, { 1500, 1492, 2, 1492, 1492 }, { 1500, 1480, 2, 1480, 1480 },
		{ 1500, 1450, 2, 1450, 1450 }, { 1500, 1400, 2, 1400, 1400 }, { 1500, 1399, 2, 1391, 1399 },
		{ 1500, 1332, 2, 1332, 1332 }, { 1500, 1331, 2, 1323, 1331 }, { 1500, 1280, 2, 1280, 1280 },
		{ 1500, 1000, 2, 992, 1000 },  { 1500, 576, 2, 576, 576 },    { 9000, 9000, 2, 9000, 9000 },
		{ 9000, 1500, 2, 1500, 1507 }, { 9000, 4000, 2, 3992, 4000 }, { 65536, 65535, 2, 65535, 65535 },
		{ 1500, 1280, 7, 1280, 1280 }, { 1500, 1300, 7, 1292, 1300 }, { 1280, 1280, 7, 1280, 1280 },
		{ 576, 576, 2, 576, 576 },     { 500, 500, 2, 500, 500 },     { 0, 0, 2, 0, 0 },
	};

	for (unsigned r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		uint16_t node = rows[r].node;

		teardown();
		n_flights = 0;
		told_path[node] = 0;
		setup();
		path[node] = rows[r].fits;
		hw_peers_set_mtu(peers, node, rows[r].route, now);
		cr_expect_eq(path_mtu(node), rows[r].route < 65536 ? rows[r].route : 65535); /* until it is known better */
		run(8 * SECOND);
		cr_expect(path_mtu(node) >= rows[r].least && path_mtu(node) <= rows[r].most, "row %u: %u", r,
			  path_mtu(node));
		cr_expect_eq(told_path[node], path_mtu(node), "row %u: told %u", r, told_path[node]);
		expect_state(node, HW_NODE_UP);
	}
}

Test(peers, full_size_pings_come_soon_and_go_on)
{
	hw_peers_set_mtu(peers, 2, 1500, now);
	run(2 * rtt);
	cr_expect_eq(largest[2], 1500);
	cr_expect_eq(large[2], 1);
	run(20 * SECOND);
	cr_expect(large[2] >= 10 && large[2] <= 11, "%u", large[2]);
}

Test(peers, a_path_that_shrinks_and_grows)
{
	uint64_t since;

	hw_peers_set_mtu(peers, 2, 1500, now);
	run(5 * SECOND);
	path[2] = 1420;
	since = now;
	while (path_mtu(2) != 1420) {
		run(50 * MS);
		cr_assert_leq(now - since, 6 * SECOND);
	}
	cr_log_info("a smaller path MTU was known after %.2f s", (now - since) / 1e9);
	run(5 * SECOND);
	cr_expect_eq(path_mtu(2), 1420);
	path[2] = 1500;
	run(40 * SECOND);
	cr_expect_eq(path_mtu(2), 1420);
	run(30 * SECOND);
	cr_expect_eq(path_mtu(2), 1500);
	expect_state(2, HW_NODE_UP);
	cr_expect_eq(changes[2], 1);
}

Test(peers, looking_for_more_takes_nothing_away)
{
	hw_peers_set_mtu(peers, 2, 1500, now);
	path[2] = 1399;
	run(10 * SECOND);
	for (int i = 0; i < 30000; i++) {
		run(5 * MS);
		cr_assert(path_mtu(2) >= 1391 && path_mtu(2) <= 1399, "%u", path_mtu(2));
	}
}

Test(peers, one_lost_probe_is_no_sign)
{
	hw_peers_set_mtu(peers, 2, 1500, now);
	run(3 * SECOND);
	for (int i = 0; i < 10; i++) {
		unsigned before = large[2];

		path[2] = 1400;
		while (large[2] < before + 2) /* two get lost, the third comes through */
			run(MS);
		path[2] = 1500;
		run(SECOND);
		cr_expect_eq(path_mtu(2), 1500);
	}
}

Test(peers, silence_says_nothing_about_sizes)
{
	hw_peers_set_mtu(peers, 2, 1500, now);
	for (unsigned i = 0; i < 60; i++) {
		run(3 * SECOND + i * 37 * MS);
		alive[2] = false;
		run(i % 2 ? 950 * MS : 5 * SECOND);
		cr_assert_eq(path_mtu(2), 1500);
		alive[2] = true;
		run(SECOND);
		cr_assert_eq(path_mtu(2), 1500);
	}
}

Test(peers, what_is_known_to_be_too_large_is_not_used_while_the_search_goes_on)
{
	hw_peers_set_mtu(peers, 2, 1500, now);
	path[2] = 1000;
	run(800 * MS);
	cr_expect_lt(path_mtu(2), 1500);
	cr_expect_gt(path_mtu(2), 1280);
}

Test(peers, a_changed_route_is_learned_anew)
{
	hw_peers_set_mtu(peers, 2, 1500, now);
	path[2] = 1400;
	run(10 * SECOND);
	hw_peers_set_mtu(peers, 2, 1500, now); /* the same: nothing is forgotten */
	cr_expect_eq(path_mtu(2), 1400);
	hw_peers_set_mtu(peers, 2, 1380, now);
	cr_expect_eq(path_mtu(2), 1380);
	cr_expect_eq(told_path[2], 1380);
	hw_peers_set_mtu(peers, 2, 0, now);
	cr_expect_eq(path_mtu(2), 0);
	hw_peers_set_mtu(peers, 999, 1500, now);
}

/* --- a cluster --- */

#define CLUSTER 20
#define TRIP    (10 * MS) /* one way */

struct sim_node {
	struct hw_peers *peers;
	bool alive;
	uint64_t next;
	uint64_t dead_at[CLUSTER + 1];
	uint8_t told[HW_HEARS_BYTES]; /* what its XDP program says: its agent wrote it at its last tick */
	bool told_witness;
};

struct sim_packet { uint64_t at; uint16_t from, to; bool is_pong; struct hw_ping ping; };

static struct sim_node sim[CLUSTER + 1];
static unsigned sim_n;
static bool cut[CLUSTER + 1][CLUSTER + 1];
static struct sim_packet sim_packets[8192];
static unsigned n_sim;
static unsigned loss; /* percent */
static uint32_t dice = 1;

static void sim_send(uint16_t from, uint16_t to, bool is_pong, const struct hw_ping *ping)
{
	dice = dice * 1664525 + 1013904223;
	if (cut[from][to] || (dice >> 16) % 100 < loss)
		return;
	cr_assert_lt(n_sim, 8192u);
	sim_packets[n_sim++] = (struct sim_packet){ now + TRIP, from, to, is_pong, *ping };
}

static void sim_ping(void *ctx, uint16_t node, uint64_t nonce, uint16_t size)
{
	sim_send((struct sim_node *)ctx - sim, node, false, &(struct hw_ping){ .nonce = htobe64(nonce) });
}

static void sim_changed(void *ctx, uint16_t node, enum hw_node_state from, enum hw_node_state to, uint32_t mtu)
{
	((struct sim_node *)ctx)->dead_at[node] = to == HW_NODE_DEAD ? now : 0;
}

static void sim_land(struct sim_packet p)
{
	struct sim_node *node = &sim[p.to];

	if (!node->alive)
		return;
	if (p.is_pong) {
		hw_peers_pong(node->peers, p.from, &p.ping, now, 0);
		node->next = now;
		return;
	}
	memcpy(p.ping.hears, node->told, sizeof(p.ping.hears));
	p.ping.flags = node->told_witness ? HW_PONG_WITNESS : 0;
	sim_send(p.to, p.from, true, &p.ping);
}

static void sim_run(uint64_t until)
{
	for (; now < until; now += MS) {
		for (unsigned i = 0; i < n_sim;) {
			struct sim_packet p = sim_packets[i];

			if (p.at > now) {
				i++;
				continue;
			}
			sim_packets[i] = sim_packets[--n_sim];
			sim_land(p);
		}
		for (unsigned i = 1; i <= sim_n; i++) {
			if (!sim[i].alive || sim[i].next > now)
				continue;
			sim[i].next = hw_peers_tick(sim[i].peers, now);
			sim[i].told_witness = hw_peers_hears(sim[i].peers, now, sim[i].told);
		}
	}
}

static void sim_begin(unsigned n)
{

	now = 1000 * SECOND;
	sim_n = n;
	n_sim = 0;
	memset(sim, 0, sizeof(sim));
	memset(cut, 0, sizeof(cut));
	for (unsigned i = 1; i <= n; i++) {
		struct hw_peers_ops sim_ops = { &sim[i], sim_ping, do_nonce, sim_changed };
		struct hw_peer_node nodes[CLUSTER];
		unsigned k = 0;

		for (unsigned j = 1; j <= n; j++) {
			if (j != i)
				nodes[k++] = (struct hw_peer_node){ j, true, false };
		}
		sim[i].alive = true;
		sim[i].peers = hw_peers_new(i, &timers, &sim_ops);
		hw_peers_set_nodes(sim[i].peers, nodes, k, now);
	}
}

static void sim_end(void)
{
	for (unsigned i = 1; i <= sim_n; i++)
		hw_peers_free(sim[i].peers);
}

static bool sim_all(unsigned about, enum hw_node_state want)
{
	for (unsigned i = 1; i <= sim_n; i++) {
		if (i != about && sim[i].alive && hw_peers_state(sim[i].peers, about) != want)
			return false;
	}
	return true;
}

/* The promise behind a quick RST: after node-down and less than a second more everybody knows. */
Test(cluster, a_dead_node_is_known_to_all_in_time)
{
	uint64_t worst = 0;

	for (unsigned n = 3; n <= CLUSTER; n += n < 6 ? 1 : 7) {
		for (unsigned phase = 0; phase < 10; phase++) {
			uint64_t died;

			sim_begin(n);
			loss = phase % 3;
			sim_run(now + 5 * SECOND + phase * 23 * MS);
			sim[2].alive = false;
			died = now;
			sim_run(died + DOWN + 900 * MS);
			cr_expect(sim_all(2, HW_NODE_DEAD), "%u nodes, phase %u", n, phase);
			for (unsigned i = 1; i <= n; i++) {
				if (i != 2 && sim[i].dead_at[2] - died > worst)
					worst = sim[i].dead_at[2] - died;
			}
			for (unsigned i = 1; i <= n; i++)
				cr_expect(i == 2 || sim_all(i, HW_NODE_UP));
			sim_end();
		}
	}
	cr_log_info("the slowest verdict came %.3f s after the death", worst / 1e9);
}

Test(cluster, two_that_die_together_or_one_after_the_other)
{
	for (unsigned later = 0; later <= 1500; later += 50) {
		uint64_t died;

		sim_begin(6);
		sim_run(now + 5 * SECOND);
		sim[2].alive = false;
		died = now;
		sim_run(died + later * MS);
		sim[5].alive = false;
		sim_run(died + DOWN + 900 * MS);
		cr_expect(sim_all(2, HW_NODE_DEAD), "second one %u ms later", later);
		sim_run(died + later * MS + DOWN + 900 * MS);
		cr_expect(sim_all(5, HW_NODE_DEAD), "second one %u ms later", later);
		sim_end();
	}
}

Test(cluster, a_cut_between_two_kills_neither)
{
	sim_begin(4);
	sim_run(now + 5 * SECOND);
	cut[1][2] = cut[2][1] = true;
	sim_run(now + 20 * SECOND);
	cr_expect_eq(hw_peers_state(sim[1].peers, 2), HW_NODE_LOST);
	cr_expect_eq(hw_peers_state(sim[2].peers, 1), HW_NODE_LOST);
	cr_expect_eq(hw_peers_state(sim[3].peers, 1), HW_NODE_UP);
	cr_expect_eq(hw_peers_state(sim[3].peers, 2), HW_NODE_UP);
	cut[1][2] = cut[2][1] = false;
	sim_run(now + SECOND);
	cr_expect_eq(hw_peers_state(sim[1].peers, 2), HW_NODE_UP);
	sim_end();
}

Test(cluster, never_dead_at_any_time_while_one_hears_it)
{
	for (unsigned phase = 0; phase < 20; phase++) {
		sim_begin(7);
		sim_run(now + 5 * SECOND + phase * 11 * MS);
		for (unsigned i = 1; i <= 7; i++)
			cut[i][2] = cut[2][i] = i != 7; /* only 7 hears 2 */
		for (unsigned ms = 0; ms < 3000; ms += 10) {
			sim_run(now + 10 * MS);
			for (unsigned i = 1; i <= 7; i++)
				cr_assert(i == 2 || hw_peers_state(sim[i].peers, 2) != HW_NODE_DEAD, "phase %u, %u ms: %u",
					  phase, ms, i);
		}
		sim_end();
	}
}

Test(cluster, who_is_isolated_calls_nobody_dead_but_is_called_dead)
{
	sim_begin(5);
	sim_run(now + 5 * SECOND);
	for (unsigned i = 2; i <= 5; i++)
		cut[1][i] = cut[i][1] = true;
	sim_run(now + 20 * SECOND);
	for (unsigned i = 2; i <= 5; i++) {
		cr_expect_eq(hw_peers_state(sim[1].peers, i), HW_NODE_LOST);
		cr_expect_eq(hw_peers_state(sim[i].peers, 1), HW_NODE_DEAD);
	}
	for (unsigned i = 2; i <= 5; i++)
		cut[1][i] = cut[i][1] = false;
	sim_run(now + SECOND);
	for (unsigned i = 2; i <= 5; i++) {
		cr_expect_eq(hw_peers_state(sim[1].peers, i), HW_NODE_UP);
		cr_expect_eq(hw_peers_state(sim[i].peers, 1), HW_NODE_UP);
	}
	sim_end();
}
