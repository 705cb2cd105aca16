/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Control messages: round trips, an ASK made elsewhere byte for byte, and the
 * refusal of everything that was cut short or changed in a single bit. The
 * expected bytes and tags come from a Python SipHash that passes the vectors of
 * the paper.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "../../loader/wire.h"

static const struct hw_keyring ring = {
	.n = 2,
	.id = { 5, 9 },
	.key = {
		{ .data = { 0x0123456789abcdef, 0xfedcba9876543210 }, .control = { 0x0123456789abcdef, 0xfedcba9876543210 },
		  .valid = 1 },
		{ .data = { 3, 4 }, .control = { 5, 6 }, .valid = 1 },
	},
};
static const struct hw_keyring rolled = {
	.n = 1,
	.id = { 9 },
	.key = { { .data = { 3, 4 }, .control = { 5, 6 }, .valid = 1 } },
};

/* An ASK of node 1 to node 2 in network 7: is 192.0.2.9:51515 at 203.0.113.1:443 yours? */
static const uint8_t golden[88] = {
	0x04, 0xc0, 0x88, 0xb5, 0x00, 0x00, 0x07, 0x00, 0xff, 0x48, 0x81, 0x03, 0x03, 0x05, 0x00, 0x01,
	0xc2, 0x14, 0x23, 0xd9, 0xfe, 0x76, 0x50, 0x8c, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08,
	0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0xff, 0xff, 0xc0, 0x00, 0x02, 0x09, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0xff, 0xff, 0xcb, 0x00, 0x71, 0x01, 0xc9, 0x3b, 0x01, 0xbb, 0x11, 0x22, 0x33, 0x44,
	0x55, 0x66, 0x77, 0x88, 0x10, 0x00, 0x00, 0x00,
};

static const struct hw_envelope to_2 = { .network = 7, .kind = HW_KIND_ASK, .source = 1, .destination = 2 };

static struct hw_addr addr(const char *text)
{
	struct hw_addr a;

	cr_assert(hw_addr_parse(text, &a));
	return a;
}

/* Opens as node 2 in network 7 would; out may be NULL. */
static const void *open_at_2(const void *message, size_t len, struct hw_envelope *out, size_t *body_len)
{
	struct hw_envelope env = { .network = 7, .destination = 2 };
	size_t unused;
	const void *body = hw_wire_open(message, len, &env, &ring, body_len ? body_len : &unused);

	if (out)
		*out = env;
	return body;
}

Test(wire, an_ask_is_what_it_is_elsewhere)
{
	struct {
		struct hw_ask ask;
		struct hw_ask_flow flow;
	} body = {
		.ask = { .nonce = htobe64(0x0102030405060708), .count = 1 },
		.flow = { .client_port = htons(51515), .vip_port = htons(443), .seq = htonl(0x11223344),
			  .ack = htonl(0x55667788), .tcp_flags = 0x10 },
	};
	const struct hw_addr client = addr("192.0.2.9"), vip = addr("203.0.113.1");
	uint8_t out[sizeof(golden)];

	memcpy(body.flow.client, client.b, 16);
	memcpy(body.flow.vip, vip.b, 16);
	cr_assert_eq(hw_wire_seal(out, &to_2, &ring, &body, sizeof(body)), sizeof(golden));
	cr_expect_arr_eq(out, golden, sizeof(golden));
}

Test(wire, a_message_opens_again)
{
	struct hw_envelope env;
	size_t len;
	const void *body = open_at_2(golden, sizeof(golden), &env, &len);

	cr_assert_eq(body, golden + sizeof(struct hw_geneve));
	cr_expect_eq(len, sizeof(golden) - sizeof(struct hw_geneve));
	cr_expect_eq(env.kind, HW_KIND_ASK);
	cr_expect_eq(env.source, 1);
}

Test(wire, every_kind_and_size_round_trips)
{
	for (int kind = HW_KIND_ASK; kind <= HW_KIND_PONG; kind++) {
		const bool asks = kind == HW_KIND_ASK || kind == HW_KIND_ANSWER;

		for (unsigned n = 1; n <= (asks ? HW_ASK_FLOWS : 1); n++) {
			uint8_t body[sizeof(struct hw_ask) + HW_ASK_FLOWS * sizeof(struct hw_ask_flow)] = {0};
			size_t len = asks ? sizeof(struct hw_ask) + n * sizeof(struct hw_ask_flow) : sizeof(struct hw_ping);
			struct hw_envelope env = { .network = 0xffffff, .kind = kind, .source = 1023, .destination = 2 };
			uint8_t message[HW_MESSAGE_MAX];
			size_t got, all;

			memset(body, 0xa5, len);
			((struct hw_ask *)body)->count = n;
			all = hw_wire_seal(message, &env, &ring, body, len);
			env.kind = env.source = 0;
			cr_assert_not_null(hw_wire_open(message, all, &env, &ring, &got), "kind %d, %u flows", kind, n);
			cr_expect_eq(env.kind, (enum hw_kind)kind);
			cr_expect_eq(env.source, 1023);
			cr_assert_eq(got, len);
			cr_expect_arr_eq(message + sizeof(struct hw_geneve), body, len);
		}
	}
}

Test(wire, nothing_shorter_or_longer_opens)
{
	uint8_t longer[sizeof(golden) + 64] = {0};

	for (size_t len = 0; len < sizeof(golden); len++) {
		uint8_t *exact = malloc(len + !len); /* so that reading behind it is seen */

		memcpy(exact, golden, len);
		cr_expect_null(open_at_2(exact, len, NULL, NULL), "%zu bytes", len);
		free(exact);
	}
	memcpy(longer, golden, sizeof(golden));
	for (size_t len = sizeof(golden) + 1; len <= sizeof(longer); len++)
		cr_expect_null(open_at_2(longer, len, NULL, NULL), "%zu bytes", len);
}

Test(wire, no_bit_may_change)
{
	for (size_t bit = 0; bit < 8 * sizeof(golden); bit++) {
		uint8_t message[sizeof(golden)];

		memcpy(message, golden, sizeof(golden));
		message[bit / 8] ^= 1u << bit % 8;
		cr_expect_null(open_at_2(message, sizeof(message), NULL, NULL), "byte %zu, bit %zu", bit / 8, bit % 8);
	}
}

Test(wire, it_is_for_one_node_of_one_network_and_for_who_has_the_key)
{
	struct hw_envelope env = { .network = 7, .destination = 3 };
	size_t len;

	cr_expect_null(hw_wire_open(golden, sizeof(golden), &env, &ring, &len), "another node");
	env = (struct hw_envelope){ .network = 8, .destination = 2 };
	cr_expect_null(hw_wire_open(golden, sizeof(golden), &env, &ring, &len), "another network");
	env = (struct hw_envelope){ .network = 7, .destination = 2 };
	cr_expect_null(hw_wire_open(golden, sizeof(golden), &env, &rolled, &len), "the key has gone");
}

Test(wire, keys_roll_without_a_gap)
{
	struct hw_envelope env = { .network = 7, .destination = 2 };
	uint8_t message[HW_MESSAGE_MAX];
	const struct hw_ping ping = { .size = htons(1500) };
	const struct hw_envelope ping_2 = { .network = 7, .kind = HW_KIND_PING, .source = 1, .destination = 2 };
	size_t len, all = hw_wire_seal(message, &ping_2, &rolled, &ping, sizeof(ping));

	cr_expect_eq(message[offsetof(struct hw_geneve, key_id)], 9);
	cr_expect_not_null(hw_wire_open(message, all, &env, &ring, &len), "the second key of the ring is accepted");
}

Test(wire, only_a_ping_may_be_padded)
{
	const struct hw_ping ping = { .nonce = 1 };
	uint8_t message[1500] = {0};
	size_t len;

	for (int kind = HW_KIND_PING; kind <= HW_KIND_PONG; kind++) {
		struct hw_envelope env = { .network = 7, .kind = kind, .source = 1, .destination = 2 };

		hw_wire_seal(message, &env, &ring, &ping, sizeof(ping));
		if (kind == HW_KIND_PONG) {
			cr_expect_null(open_at_2(message, sizeof(message), NULL, NULL));
			continue;
		}
		cr_assert_not_null(open_at_2(message, sizeof(message), NULL, &len));
		cr_expect_eq(len, sizeof(ping), "the padding is not part of the message");
	}
}

Test(wire, data_is_not_opened_here)
{
	for (int kind = 0; kind < 256; kind++) {
		struct hw_envelope env = { .network = 7, .kind = kind, .source = 1, .destination = 2 };
		const struct hw_ping ping = { .nonce = 1 };
		uint8_t message[HW_MESSAGE_MAX];
		size_t all = hw_wire_seal(message, &env, &ring, &ping, sizeof(ping));

		if (kind != HW_KIND_PING && kind != HW_KIND_PONG)
			cr_expect_null(open_at_2(message, all, NULL, NULL), "kind %d", kind);
	}
}

Test(wire, the_tag_of_a_carried_flow)
{
	static const struct {
		const char *client, *vip;
		uint8_t tag[8];
	} rows[] = {
		{ "192.0.2.9", "203.0.113.1", { 0x17, 0x23, 0xe3, 0x23, 0x27, 0x4d, 0x2b, 0xf9 } },
		{ "2001:db8::9", "2001:db8:113::1", { 0x87, 0x8c, 0xe9, 0xe0, 0x92, 0x8d, 0x1e, 0xc6 } },
	};

	for (size_t i = 0; i < 2; i++) {
		const struct hw_addr client = addr(rows[i].client), vip = addr(rows[i].vip);
		uint64_t tag = hw_wire_carry_tag(&ring.key[0], 5, 7, 1, 2, &client, 51515, &vip, 443);

		cr_expect_arr_eq(&tag, rows[i].tag, sizeof(tag), "%s", rows[i].client);
		cr_expect_neq(tag, hw_wire_carry_tag(&ring.key[0], 5, 7, 1, 3, &client, 51515, &vip, 443));
		cr_expect_neq(tag, hw_wire_carry_tag(&ring.key[0], 5, 7, 1, 2, &client, 51516, &vip, 443));
	}
}

Test(wire, outer_ports_stay_in_range_and_spread)
{
	const struct hw_addr client = addr("192.0.2.9"), vip = addr("203.0.113.1");
	static bool used[65536];
	unsigned distinct = 0;

	for (unsigned port = 1024; port < 1024 + 16384; port++) {
		uint16_t outer = hw_wire_outer_port(&client, port, &vip, 443);

		cr_assert_geq(outer, 49152);
		cr_assert_eq(outer, hw_wire_outer_port(&client, port, &vip, 443));
		distinct += !used[outer];
		used[outer] = true;
	}
	/* as many balls as urns: 1 - 1/e of the urns, 10357, give or take 60 */
	cr_expect(distinct > 10000 && distinct < 10700, "%u", distinct);
}
