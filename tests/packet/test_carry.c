/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Data between nodes, as it should be: strays that leave, carried packets that
 * are at home, and what is returned in either direction. What the program sends
 * is compared byte for byte, tags and checksums included, with a packet that
 * frame.h has built from the specification.
 */
#include "conn.h"

/* ---- carry: what leaves ---- */

static const struct carry_row {
	const char *what;
	struct tcp in;         /* of either family */
	bool far;              /* by another NIC */
	bool rolled;           /* the key was rolled since the entry was made */
} carry_rows[] = {
	{ "an ACK", { .seq = 1, .ack = 2 }, false, false },
	{ "an ACK, by another NIC", { .seq = 1, .ack = 2 }, true, false },
	{ "payload of even length", { .payload = 100 }, false, false },
	{ "payload of odd length", { .payload = 101 }, false, false },
	{ "payload of one byte", { .payload = 1 }, false, false },
	{ "as large as fits", { .payload = 1368 }, false, false },
	{ "TCP options", { .doff = 15, .payload = 7 }, false, false },
	{ "ECN ECT(1) is copied out", { .tos = 1 }, false, false },
	{ "ECN ECT(0) is copied out", { .tos = 2 }, false, false },
	{ "ECN CE is copied out", { .tos = 3 }, false, false },
	{ "DSCP is copied out", { .tos = 46 << 2 }, false, false },
	{ "DSCP and ECN, all ones", { .tos = 0xff }, false, false },
	{ "TTL 1 stays as it is", { .ttl = 1 }, false, false },
	{ "a RST", { .flags = RST, .seq = 0xffffffff }, false, false },
	{ "ports and numbers of all ones", { .sport = 0xffff, .dport = 0xffff, .seq = ~0u, .ack = ~0u }, false, false },
	{ "Ethernet padding stays behind", { .pad = 6 }, false, false },
	{ "the tag is made again with the new key", { .payload = 3 }, false, true },
	{ "the tag is made again, by another NIC", { .payload = 3 }, true, true },
};

static struct tun carry_to(const struct carry_row *r, int outer)
{
	static const unsigned home[2][2] = { { PEER, NODE_FAR }, { PEER6, NODE6_FAR } };
	static const char *const endpoint[2][2] = { { PEER_IP4, "198.51.100.3" }, { PEER_IP6, "2001:db8:e::3" } };

	return (struct tun){ .family = outer, .from_self = true, .dest = home[outer == 6][r->far],
			     .to = endpoint[outer == 6][r->far], .tos = r->in.tos, .pad = r->in.pad,
			     .key_id = r->rolled ? OTHER_KEY : KEY_ID };
}

/* What the entry, and the counters of the home, must say after `n` packets of `len` bytes. */
static void check_carry_counts(const struct tcp *in, unsigned home, unsigned n, size_t len, const char *what)
{
	struct hw_node_stats stats = node_stats(home);
	struct hw_flow flow = { 0 };

	cr_expect(flow_get(in, &flow), "%s: the entry is gone", what);
	cr_expect(flow.packets == n && flow.bytes == n * len, "%s: %llu packets, %llu bytes", what, flow.packets, flow.bytes);
	cr_expect(flow.seq == in->seq && flow.ack == in->ack, "%s: seq %x, ack %x", what, flow.seq, flow.ack);
	cr_expect(flow.key_gen == w.config.key_gen, "%s: generation %u", what, flow.key_gen);
	cr_expect(flow.seen_ns <= now_ns() && flow.seen_ns + 60 * SECOND > now_ns(), "%s: seen at %llu", what, flow.seen_ns);
	cr_expect(stats.carried_to_packets >= n && stats.carried_to_bytes >= n * len, "%s: counters of the home", what);
}

static void carry_one(const struct carry_row *r, const struct families *mix)
{
	struct tcp in = r->in, inner;
	struct tun to = carry_to(r, mix->outer);
	struct frame f, want;
	char what[128];

	snprintf(what, sizeof(what), "%s: %s", mix->name, r->what);
	in.family = mix->inner;
	world_reset();
	world_endpoint(mix->outer);
	flow_put(&in, to.dest);
	if (r->rolled) {
		w.config.key_gen++;
		w.config.sign_key = OTHER_KEY;
		config_put();
	}
	inner = in;
	inner.pad = 0;
	build_tcp(&f, &in);
	build_data(&want, &to, &inner);
	for (unsigned i = 1; i <= 2; i++) {
		expect_verdict(world_run(&f), r->far ? HW_V_carry_redirect : HW_V_carry_tx, what);
		expect_frame(&w.result.out, &want, what);
		check_carry_counts(&in, to.dest, i, f.len - ETH - in.pad, what);
	}
}

Test(carry, leaves)
{
	world_open();
	for (const struct carry_row *r = carry_rows; r < carry_rows + sizeof(carry_rows) / sizeof(*r); r++)
		for (int i = 0; i < MIXES; i++)
			carry_one(r, &mixes[i]);
}

/* IPv4 options are in no pseudo header, but in the sum of the outer packet. */
Test(carry, carry_ip_options)
{
	static const struct carry_row row = { "IPv4 options", { .ihl = 15, .payload = 9 }, false, false };

	world_open();
	carry_one(&row, &mixes[0]);
	carry_one(&row, &mixes[2]);
}

/* A UDP checksum that comes out as zero is sent as 0xffff (RFC 768). */
Test(carry, carry_checksum_zero)
{
	struct tcp in = { .payload = 5 };
	struct frame f, want;

	world_open();
	for (int i = 0; i < MIXES; i++) {
		struct tun to = { .family = mixes[i].outer, .from_self = true };
		struct hw_flow flow;
		struct hw_flow_key key;
		uint32_t port;

		in.family = mixes[i].inner;
		world_endpoint(to.family);
		flow_put(&in, peer_of(&to));
		build_data(&want, &to, &in);
		/* moving what is missing to zero into the source port */
		port = 51000 + get16(want.b + ETH + (to.family == 6 ? 40 : 20) + 6);
		to.port = port > 0xffff ? port - 0xffff : port;
		key = flow_key_of(&in, vip_id_of(&in));
		cr_assert(flow_get(&in, &flow));
		flow.outer_port = to.port;
		map_put(w.skel->maps.hw_flows, &key, &flow);
		build_data(&want, &to, &in);
		cr_assert(get16(want.b + ETH + (to.family == 6 ? 40 : 20) + 6) == 0xffff);
		build_tcp(&f, &in);
		expect_verdict(world_run(&f), HW_V_carry_tx, mixes[i].name);
		expect_frame(&w.result.out, &want, mixes[i].name);
	}
}

/* An inner packet that is corrupt makes the outer checksum wrong: its receiver finds out. */
Test(carry, carry_hides_no_corruption)
{
	struct frame f;

	world_open();
	for (int i = 0; i < MIXES; i++) {
		struct tcp in = { .family = mixes[i].inner, .payload = 50 };

		world_endpoint(mixes[i].outer);
		flow_put(&in, mixes[i].outer == 6 ? PEER6 : PEER);
		build_tcp(&f, &in);
		world_run(&f);
		cr_expect(sum_check(&w.result.out, mixes[i].outer) == 0xffff, "%s: intact", mixes[i].name);
		in.at = f.len - 7;
		in.xor = 0x20;
		build_tcp(&f, &in);
		expect_verdict(world_run(&f), HW_V_carry_tx, mixes[i].name);
		cr_expect(sum_check(&w.result.out, mixes[i].outer) != 0xffff, "%s: corrupt", mixes[i].name);
	}
}

/* ---- carried here ---- */

static const struct deliver_row {
	const char *what;
	struct tcp in;         /* without what the connection decides */
	struct tun tun;
} deliver_rows[] = {
	{ "an ACK", { 0 }, { 0 } },
	{ "data", { .payload = 1300 }, { 0 } },
	{ "odd length", { .payload = 11, .doff = 15 }, { 0 } },
	{ "TTL 1 inside, 3 outside", { .ttl = 1 }, { .ttl = 3 } },
	{ "made with the other key", { 0 }, { .key_id = OTHER_KEY } },
	{ "another UDP source port", { 0 }, { .port = 1 } },
	{ "DSCP outside is not copied in", { .tos = 10 << 2 }, { .tos = 46 << 2 } },
	{ "padding behind the outer packet", { 0 }, { .pad = 5 } },
	{ "jumbo", { .payload = 8000 }, { 0 } },
};

static void deliver_one(const struct deliver_row *r, const struct tcp *conn, int outer)
{
	struct tcp in = r->in;
	struct tun tun = r->tun;
	struct hw_node_stats before, after;
	struct frame f, want;

	in.family = conn->family;
	in.sport = conn->sport;
	in.seq = conn->seq;
	in.ack = conn->ack;
	tun.family = outer;
	world_endpoint(outer);
	build_data(&f, &tun, &in);
	build_tcp(&want, &in);
	put_zeros(&want, tun.pad);
	before = node_stats(peer_of(&tun));
	expect_verdict(world_run(&f), HW_V_pass_carried, r->what);
	expect_frame(&w.result.out, &want, r->what);
	after = node_stats(peer_of(&tun));
	cr_expect(after.carried_from_packets - before.carried_from_packets == 1 &&
		  after.carried_from_bytes - before.carried_from_bytes == want.len - ETH - tun.pad, "%s: counters", r->what);
	cr_expect(w.result.row == vip_id_of(&in), "%s: counted in row %u", r->what, w.result.row);
}

Test(carry, deliver)
{
	struct tcp conn4, conn6;

	world_open();
	conn_world();
	conn4 = conn_here(4);
	conn6 = conn_here(6);
	for (const struct deliver_row *r = deliver_rows; r < deliver_rows + sizeof(deliver_rows) / sizeof(*r); r++) {
		for (int outer = 4; outer <= 6; outer += 2) {
			deliver_one(r, &conn4, outer);
			deliver_one(r, &conn6, outer);
		}
	}
}

#define NOT_ECT 0
#define ECT_1   1
#define ECT_0   2
#define CE      3
#define DROP    (-1)

/* RFC 6040, figure 4; rows: the inner field, columns: the outer one; in the order of their values. */
static const int ecn_table[4][4] = {
	[NOT_ECT] = { [NOT_ECT] = NOT_ECT, [ECT_0] = NOT_ECT, [ECT_1] = NOT_ECT, [CE] = DROP },
	[ECT_0] = { [NOT_ECT] = ECT_0, [ECT_0] = ECT_0, [ECT_1] = ECT_1, [CE] = CE },
	[ECT_1] = { [NOT_ECT] = ECT_1, [ECT_0] = ECT_1, [ECT_1] = ECT_1, [CE] = CE },
	[CE] = { [NOT_ECT] = CE, [ECT_0] = CE, [ECT_1] = CE, [CE] = CE },
};

static void ecn_one(const struct tcp *conn, int outer, int inner_ecn, int outer_ecn)
{
	struct tun tun = { .family = outer, .tos = 46 << 2 | outer_ecn };
	struct tcp in = *conn;
	int want_ecn = ecn_table[inner_ecn][outer_ecn];
	struct frame f, want;
	char what[80];

	snprintf(what, sizeof(what), "IPv%d in IPv%d, ECN %d in %d", conn->family, outer, inner_ecn, outer_ecn);
	in.tos = 10 << 2 | inner_ecn;
	world_endpoint(outer);
	build_data(&f, &tun, &in);
	world_run(&f);
	if (want_ecn == DROP) {
		expect_verdict(&w.result, HW_V_drop_tun_inner, what);
		return;
	}
	in.tos = 10 << 2 | want_ecn;
	build_tcp(&want, &in);
	expect_verdict(&w.result, HW_V_pass_carried, what);
	expect_frame(&w.result.out, &want, what);
}

Test(carry, ecn)
{
	struct tcp conn4, conn6;

	world_open();
	conn_world();
	conn4 = conn_here(4);
	conn6 = conn_here(6);
	for (int i = 0; i < 4 * 4 * 2; i++) {
		ecn_one(&conn4, i & 1 ? 4 : 6, i >> 1 & 3, i >> 3);
		ecn_one(&conn6, i & 1 ? 4 : 6, i >> 1 & 3, i >> 3);
	}
}

/* ---- return to sender ---- */

static const struct return_row {
	const char *what;
	struct tcp in;
	struct tun tun;
} return_rows[] = {
	{ "an ACK", { .seq = 3 }, { 0 } },
	{ "data of odd length", { .payload = 1201 }, { 0 } },
	{ "a TTL that was counted down", { 0 }, { .ttl = 3 } },
	{ "a TTL above ours", { 0 }, { .ttl = 255 } },
	{ "made with the other key, signed with ours", { 0 }, { .key_id = OTHER_KEY } },
	{ "its port, which chose its path, stays", { 0 }, { .port = 65535 } },
	{ "CE that was set on the way stays", { .tos = 2 }, { .tos = 3 } },
	{ "a RST", { .flags = RST }, { 0 } },
	{ "padding", { 0 }, { .pad = 9 } },
	{ "jumbo", { .payload = 8000 }, { 0 } },
};

static void return_one(const struct return_row *r, const struct families *mix)
{
	struct tcp in = r->in;
	struct tun from = r->tun, back = r->tun;
	struct hw_node_stats before, after;
	struct frame f, want;
	char what[128];

	snprintf(what, sizeof(what), "%s: %s", mix->name, r->what);
	in.family = mix->inner;
	from.family = back.family = mix->outer;
	back.kind = HW_KIND_RETURN;
	back.from_self = true;
	back.key_id = KEY_ID;
	back.ttl = 64;
	world_reset();
	world_endpoint(mix->outer);
	flow_put(&in, NODE_FAR); /* never carried on to a third node */
	build_data(&f, &from, &in);
	build_data(&want, &back, &in);
	before = node_stats(peer_of(&from));
	expect_verdict(world_run(&f), HW_V_return_tx, what);
	expect_frame(&w.result.out, &want, what);
	cr_expect(sum_check(&w.result.out, mix->outer) == 0xffff, "%s: UDP checksum", what);
	after = node_stats(peer_of(&from));
	cr_expect(after.returned_to_packets - before.returned_to_packets == 1 &&
		  after.carried_from_packets == before.carried_from_packets, "%s: counters", what);
	cr_expect(w.strays == 0, "%s: it was handed up", what);
}

Test(carry, return_to_sender)
{
	world_open();
	for (const struct return_row *r = return_rows; r < return_rows + sizeof(return_rows) / sizeof(*r); r++)
		for (int i = 0; i < MIXES; i++)
			return_one(r, &mixes[i]);
}

/* ---- returned to us ---- */

static const struct returned_row {
	const char *what;
	unsigned home;         /* of the entry; 0: there is none */
	bool forgotten;
	struct tcp in;
} returned_rows[] = {
	{ "by the home that the entry names", PEER, true, { .seq = 7, .ack = 8 } },
	{ "the entry has been corrected since", NODE_FAR, false, { .seq = 7, .ack = 8 } },
	{ "the entry is gone", 0, true, { .seq = 7, .ack = 8 } },
	{ "a FIN", PEER, true, { .flags = FIN | ACK } },
	{ "IPv6", PEER, true, V6(.seq = 7, .ack = 8) },
	{ "IPv6, the entry has been corrected since", NODE_FAR, false, V6(.seq = 7, .ack = 8) },
	{ "data", PEER, true, { .payload = 1300 } },
	{ "more than can be held", PEER, true, { .payload = 8000 } },
};

static void returned_one(const struct returned_row *r)
{
	static const struct tun tun = { .kind = HW_KIND_RETURN };
	const struct hw_stray *s = &w.stray.head;
	struct hw_flow_key key = flow_key_of(&r->in, vip_id_of(&r->in));
	struct frame f, inner;
	struct hw_flow flow;

	world_reset();
	if (r->home)
		flow_put(&r->in, r->home);
	build_data(&f, &tun, &r->in);
	build_tcp(&inner, &r->in);
	expect_verdict(world_run(&f), HW_V_drop_returned, r->what);
	cr_expect(flow_get(&r->in, &flow) == !r->forgotten, "%s: the entry", r->what);
	cr_expect(w.strays == 1 && s->returned_by == PEER && memcmp(&s->key, &key, sizeof(key)) == 0,
		  "%s: %d records, of %u", r->what, w.strays, s->returned_by);
	cr_expect(s->seq == r->in.seq && s->ack == r->in.ack && s->len == inner.len &&
		  s->held == (inner.len < 1976 ? inner.len : 1976) && s->family == family_of(&r->in),
		  "%s: %u of %u bytes", r->what, s->held, s->len);
	cr_expect(memcmp(w.stray.frame, inner.b, s->held) == 0, "%s: the frame is another", r->what);
}

Test(carry, returned)
{
	world_open();
	for (const struct returned_row *r = returned_rows; r < returned_rows + sizeof(returned_rows) / sizeof(*r); r++)
		returned_one(r);
	cr_expect(node_stats(PEER).returned_from_packets == sizeof(returned_rows) / sizeof(returned_rows[0]));
}

/* A RETURN is never delivered, though its flow be at home by now: the agent looks again. */
Test(carry, returned_though_mine)
{
	static const struct tun tun = { .kind = HW_KIND_RETURN };
	struct tcp conn;
	struct frame f;

	world_open();
	conn_world();
	conn = conn_here(4);
	build_data(&f, &tun, &conn);
	expect_verdict(world_run(&f), HW_V_drop_returned, "of a flow that is mine");
	for (int i = 0; i < 1000 && w.result.verdict == HW_V_drop_returned; i++)
		cr_assert(world_try(&f, NULL, 0) == 0);
	cr_expect(w.result.verdict == HW_V_drop_queue_full, "the agent does not read");
}
