/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Control messages: questions and PINGs are answered in place, byte for byte as
 * the specification says; answers and PONGs pass to the agent as they are.
 */
#include "conn.h"

struct ask_message {
	struct hw_ask ask;
	struct hw_ask_flow flows[HW_ASK_FLOWS + 1];
};

static size_t ask_len(unsigned n) { return sizeof(struct hw_ask) + n * sizeof(struct hw_ask_flow); }

static void ask_fill(struct ask_message *m, unsigned n, const struct tcp *known4, const struct tcp *known6)
{
	memset(m, 0, sizeof(*m));
	m->ask.nonce = 0x1122334455667788;
	m->ask.count = n;
	m->ask.reserved[6] = 0x77; /* of a later version: echoed */
	for (unsigned i = 0; i < n; i++) {
		const struct tcp *t = i & 1 ? known6 : known4;
		struct hw_addr client = addr_of(t->family == 6 ? CLIENT6 : CLIENT4);
		struct hw_addr vip = addr_of(t->family == 6 ? VIP6 : VIP4);

		memcpy(m->flows[i].client, client.b, 16);
		memcpy(m->flows[i].vip, vip.b, 16);
		m->flows[i].client_port = htons(i % 4 == 3 ? 1234 : t->sport);
		m->flows[i].vip_port = htons(443);
		m->flows[i].seq = htonl(t->seq);
		m->flows[i].ack = htonl(i % 4 == 2 ? t->ack + 1000 : t->ack);
		m->flows[i].tcp_flags = ACK;
		m->flows[i].grade = 0xee; /* whatever stands there */
		m->flows[i].reserved[1] = i;
	}
}

static void ask_grade(struct ask_message *m)
{
	static const uint8_t grade[4] = { HW_GRADE_MINE, HW_GRADE_MINE, HW_GRADE_DOUBTFUL, HW_GRADE_NONE };

	for (unsigned i = 0; i < m->ask.count; i++)
		m->flows[i].grade = grade[i % 4];
}

static void ask_one(unsigned n, int outer, uint16_t port, const struct tcp *known4, const struct tcp *known6)
{
	struct tun tun = { .kind = HW_KIND_ASK, .family = outer, .port = 6081, .ttl = 61, .key_id = OTHER_KEY, .pad = port & 1 };
	struct tun back = { .kind = HW_KIND_ANSWER, .family = outer, .port = 6081, .from_self = true };
	struct ask_message m;
	struct frame f, want;
	char what[80];

	snprintf(what, sizeof(what), "ASK about %u over IPv%d", n, outer);
	world_endpoint(outer);
	ask_fill(&m, n, known4, known6);
	build_control(&f, &tun, &m, ask_len(n), 0);
	ask_grade(&m);
	build_control(&want, &back, &m, ask_len(n), 0);
	expect_verdict(world_run(&f), HW_V_answer_tx, what);
	expect_frame(&w.result.out, &want, what);
	cr_expect(w.result.out.len <= f.len, "%s: the answer is longer", what);
}

Test(control, ask)
{
	struct tcp known4, known6;

	world_open();
	conn_world();
	known4 = conn_here(4);
	known6 = conn_here(6);
	for (unsigned n = 1; n <= HW_ASK_FLOWS; n++) {
		ask_one(n, 4, n, &known4, &known6);
		ask_one(n, 6, n, &known4, &known6);
	}
	cr_expect(node_stats(PEER).asked_by_flows == 36 && node_stats(PEER6).asked_by_flows == 36);
	cr_expect(w.strays == 0);
}

static const struct control_row {
	const char *what;
	struct tun tun;
	unsigned count;        /* ASK, ANSWER: as it says */
	unsigned flows;        /* ... as there are */
	int more;              /* bytes of message, more than there should be */
	unsigned pad;          /* behind the message, in the packet */
	int size_more;         /* PING: its size field */
	enum hw_verdict want;
} control_rows[] = {
#define ROW(text, verdict, packet, ...) { .what = text, .want = HW_V_##verdict, .tun = packet, ##__VA_ARGS__ }
#define ASK(...)    T4(.kind = HW_KIND_ASK, ##__VA_ARGS__)
#define ANSWER(...) T4(.kind = HW_KIND_ANSWER, ##__VA_ARGS__)
#define PING(...)   T4(.kind = HW_KIND_PING, ##__VA_ARGS__)
#define PONG(...)   T4(.kind = HW_KIND_PONG, ##__VA_ARGS__)
	ROW("ASK about one", answer_tx, ASK(), .count = 1, .flows = 1),
	ROW("ASK about none", drop_tun_malformed, ASK(), .count = 0, .flows = 0),
	ROW("ASK about none, with a flow", drop_tun_malformed, ASK(), .count = 0, .flows = 1),
	ROW("ASK about eight", answer_tx, ASK(), .count = 8, .flows = 8),
	ROW("ASK about nine", drop_tun_malformed, ASK(), .count = 9, .flows = 9),
	ROW("ASK about 255", drop_tun_malformed, ASK(), .count = 255, .flows = 9),
	ROW("ASK with a flow too few", drop_tun_malformed, ASK(), .count = 2, .flows = 1),
	ROW("ASK with a flow too many", drop_tun_malformed, ASK(), .count = 1, .flows = 2),
	ROW("ASK one byte short", drop_tun_malformed, ASK(), .count = 1, .flows = 1, .more = -1),
	ROW("ASK one byte long", drop_tun_malformed, ASK(), .count = 1, .flows = 1, .more = 1),
	ROW("ASK padded", drop_tun_malformed, ASK(), .count = 1, .flows = 1, .pad = 8),
	ROW("ASK in a padded frame", answer_tx, ASK(.pad = 8), .count = 1, .flows = 1),
	ROW("ASK that ends in its head", drop_tun_malformed, ASK(), .count = 1, .flows = 0, .more = -1),
	ROW("ASK of the data type", drop_tun_malformed, ASK(.proto = 0x0800), .count = 1, .flows = 1),
	ROW("ASK without O bit", drop_tun_malformed, ASK(.at = G_FLAGS, .xor = 0x80), .count = 1, .flows = 1),
	ROW("ASK made for another node", drop_tun_tag, ASK(.tag_dest = PEER), .count = 1, .flows = 1),
	ROW("ASK made with the data subkey", drop_tun_tag, ASK(.swap_keys = true), .count = 1, .flows = 1),
	ROW("an ANSWER sent back as an ASK", drop_tun_tag, ASK(.tag_kind = HW_KIND_ANSWER), .count = 1, .flows = 1),
	ROW("ASK of another network", drop_tun_network, ASK(.network = 1), .count = 1, .flows = 1),
	ROW("ASK from a client", drop_tun_source, ASK(.from = CLIENT4), .count = 1, .flows = 1),
	ROW("ASK with an unknown key", drop_tun_key, ASK(.key_id = 10), .count = 1, .flows = 1),
	ROW("ASK to another port", pass_other, ASK(.dport = 6082), .count = 1, .flows = 1),
	ROW("ASK without UDP checksum", drop_tun_malformed, ASK(.no_check = true), .count = 1, .flows = 1),
	ROW("ANSWER", pass_answer, ANSWER(), .count = 3, .flows = 3),
	ROW("ANSWER about nine", drop_tun_malformed, ANSWER(), .count = 9, .flows = 9),
	ROW("ANSWER padded", drop_tun_malformed, ANSWER(), .count = 3, .flows = 3, .pad = 1),
	ROW("an ASK sent back as an ANSWER", drop_tun_tag, ANSWER(.tag_kind = HW_KIND_ASK), .count = 3, .flows = 3),
	ROW("ANSWER made for another node", drop_tun_tag, ANSWER(.tag_dest = NODE_FAR), .count = 3, .flows = 3),
	ROW("PING", pong_tx, PING()),
	ROW("PING one byte short", drop_tun_malformed, PING(), .more = -1),
	ROW("PING padded by one", pong_tx, PING(), .pad = 1),
	ROW("PING padded to an Ethernet MTU", pong_tx, PING(), .pad = 1500 - 52 - 160),
	ROW("PING of 9000 bytes", pong_tx, PING(), .pad = 9000 - 52 - 160),
	ROW("PING that says one byte more", drop_tun_malformed, PING(), .pad = 100, .size_more = 1),
	ROW("PING that says one byte less", drop_tun_malformed, PING(), .pad = 100, .size_more = -1),
	ROW("PING in a padded frame: that does not count", pong_tx, PING(.pad = 7), .pad = 100),
	ROW("a PONG sent back as a PING", drop_tun_tag, PING(.tag_kind = HW_KIND_PONG)),
	ROW("PING made for another node", drop_tun_tag, PING(.tag_dest = PEER)),
	ROW("PING from an address of no node", drop_tun_source, PING(.from = "198.51.100.77")),
	ROW("PONG", pass_pong, PONG()),
	ROW("PONG padded", drop_tun_malformed, PONG(), .pad = 8),
	ROW("PONG one byte short", drop_tun_malformed, PONG(), .more = -1),
	ROW("a PING sent back as a PONG", drop_tun_tag, PONG(.tag_kind = HW_KIND_PING)),
	ROW("PONG made for another node", drop_tun_tag, PONG(.tag_dest = NODE_FAR)),
	ROW("a kind of control that is not known", drop_tun_kind, T4(.kind = 7, .proto = 0x88b5)),
};

static void build_control_row(struct frame *f, const struct control_row *r)
{
	struct hw_ping ping = { .nonce = 5, .size = htons(HW_OVERHEAD4 + sizeof(ping) + r->pad + r->size_more) };
	static const struct tcp tcp4 = V4(), tcp6 = V6();
	struct ask_message m;

	if (r->tun.kind == HW_KIND_ASK || r->tun.kind == HW_KIND_ANSWER) {
		ask_fill(&m, HW_ASK_FLOWS, &tcp4, &tcp6);
		m.ask.count = r->count;
		build_control(f, &r->tun, &m, ask_len(r->flows) + r->more, r->pad);
	} else {
		build_control(f, &r->tun, &ping, sizeof(ping) + r->more, r->pad);
	}
}

Test(control, messages)
{
	struct frame f;

	world_open();
	for (const struct control_row *r = control_rows; r < control_rows + sizeof(control_rows) / sizeof(*r); r++) {
		build_control_row(&f, r);
		expect_verdict(world_run(&f), r->want, r->what);
		if (w.result.action == XDP_PASS)
			expect_frame(&w.result.out, &f, r->what);
	}
}

/* Every byte of a message is under the tag. */
Test(control, message_bytes)
{
	static const struct control_row whole[] = { ROW("ASK", answer_tx, ASK(), .count = 2, .flows = 2),
						    ROW("ANSWER", pass_answer, ANSWER(), .count = 2, .flows = 2),
						    ROW("PING", pong_tx, PING()), ROW("PONG", pass_pong, PONG()) };
	const size_t at = ETH + HW_OVERHEAD4;
	struct frame f, bad;

	world_open();
	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
		build_control_row(&f, &whole[i]);
		for (size_t j = at; j < f.len; j++) {
			bad = f;
			bad.b[j] ^= 0x04;
			world_run(&bad);
			cr_expect(w.result.verdict == HW_V_drop_tun_tag || (w.result.verdict == HW_V_drop_tun_malformed &&
				  i < 2 && j == at + offsetof(struct hw_ask, count)), "%s: byte %zu: %s", whole[i].what,
				  j - at, verdict_name[w.result.verdict]);
		}
	}
}

/* ---- PONG ---- */

static const struct ping_row {
	const char *what;
	int outer;
	unsigned pad;
	int64_t fresh;         /* hw_self was written so many seconds ago; -1: never */
	bool witness;
} ping_rows[] = {
	{ "no agent has run yet", 4, 0, -1, false },
	{ "no agent has run yet, IPv6", 6, 0, -1, false },
	{ "padded: the PONG is not", 4, 1288, -1, false },
	{ "padded, IPv6", 6, 1268, -1, false },
	{ "padded by an odd number", 4, 333, -1, false },
	{ "jumbo", 4, 8788, -1, false },
	{ "the agent runs: what it hears is told", 4, 0, 0, true },
	{ "the agent runs, IPv6, padded", 6, 100, 0, true },
	{ "the agent has died: nothing is testified", 4, 0, 60, false },
};

static void ping_one(const struct ping_row *r)
{
	const int64_t offset = 1700000000ll * SECOND;
	const int overhead = r->outer == 6 ? HW_OVERHEAD6 : HW_OVERHEAD4;
	struct tun tun = { .kind = HW_KIND_PING, .family = r->outer, .tos = 0xb8, .ttl = 60,
			   .port = r->outer == 6 ? 6081 : 51000 }; /* IPv6: it is the flow label, too */
	struct tun back = { .kind = HW_KIND_PONG, .family = r->outer, .port = 6081, .tos = 0xb8, .from_self = true };
	struct hw_ping m = { .nonce = 0x99aabbccddeeff00, .size = htons(overhead + sizeof(m) + r->pad), .flags = 0xff };
	struct hw_self self = { .wall_offset_ns = offset };
	uint64_t before = now_ns(), wall;
	struct frame f, want;

	m.hears[0] = 0x55; /* a PING says nothing with these */
	m.reserved[2] = 0x55;
	for (int i = 0; i < HW_HEARS_BYTES; i++)
		self.hears[i] = i * 3 + 1;
	self.fresh_ns = r->fresh < 0 ? 0 : before - r->fresh * SECOND;
	world_endpoint(r->outer);
	w.config.witness_ns = r->fresh < 0 ? INT64_MAX : 30 * (int64_t)SECOND;
	config_put();
	row_put(w.skel->maps.hw_self, 0, &self);
	build_control(&f, &tun, &m, sizeof(m), r->pad);
	expect_verdict(world_run(&f), HW_V_pong_tx, r->what);

	memset(m.reserved, 0, sizeof(m.reserved));
	memset(m.hears, 0, sizeof(m.hears));
	m.flags = r->witness ? HW_PONG_WITNESS : 0;
	if (r->witness)
		memcpy(m.hears, self.hears, sizeof(m.hears));
	m.schema = htonl(HW_SCHEMA);
	memcpy(&m.wall_ns, w.result.out.b + ETH + overhead + offsetof(struct hw_ping, wall_ns), 8);
	build_control(&want, &back, &m, sizeof(m), 0);
	expect_frame(&w.result.out, &want, r->what);
	wall = __builtin_bswap64(m.wall_ns);
	cr_expect(wall >= before + offset && wall <= now_ns() + offset, "%s: its clock says %lu", r->what, wall);
}

Test(control, ping)
{
	world_open();
	for (const struct ping_row *r = ping_rows; r < ping_rows + sizeof(ping_rows) / sizeof(*r); r++)
		ping_one(r);
}
