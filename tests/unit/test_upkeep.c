/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* When an entry of hw_flows ends, and when a VIP is known to be blind. */
#include <criterion/criterion.h>

#include "loader/blind.h"
#include "loader/sweep.h"

#define S 1000000000ULL

Test(expiry, rows)
{
	static const struct {
		const char *what;
		uint64_t seen, now, idle;
		enum hw_node_state home;
		enum hw_flow_end end;
	} row[] = {
		{ "fresh", 100 * S, 101 * S, 300 * S, HW_NODE_UP, HW_FLOW_STAYS },
		{ "idle for exactly flow-idle", 100 * S, 400 * S, 300 * S, HW_NODE_UP, HW_FLOW_STAYS },
		{ "idle for a nanosecond longer", 100 * S, 400 * S + 1, 300 * S, HW_NODE_UP, HW_FLOW_EXPIRED },
		{ "seen by XDP after the agent took the time", 100 * S + 5, 100 * S, S, HW_NODE_UP, HW_FLOW_STAYS },
		{ "home is lost: it may live", 100 * S, 101 * S, 300 * S, HW_NODE_LOST, HW_FLOW_STAYS },
		{ "home is not known yet", 100 * S, 101 * S, 300 * S, HW_NODE_UNKNOWN, HW_FLOW_STAYS },
		{ "home is lost, and the flow idle", 100 * S, 500 * S, 300 * S, HW_NODE_LOST, HW_FLOW_EXPIRED },
		{ "home is dead", 100 * S, 101 * S, 300 * S, HW_NODE_DEAD, HW_FLOW_HOME_DIED },
		{ "home is dead, and the flow idle: the client still waits", 100 * S, 500 * S, 300 * S, HW_NODE_DEAD,
		  HW_FLOW_HOME_DIED },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++) {
		struct hw_flow flow = { .seen_ns = row[i].seen, .home = 2 };

		cr_expect_eq(hw_flow_judge(&flow, row[i].now, row[i].idle, row[i].home), row[i].end, "%s", row[i].what);
	}
}

static struct hw_flow_key key_of(uint16_t port, uint16_t vip)
{
	return (struct hw_flow_key){ .client = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 9 }, .vip = vip, .vip_port = 80,
				     .client_port = port };
}

/* One flow, nobody's at `at` with `ack`. */
static bool nobody(struct hw_blind *b, uint16_t port, uint16_t vip, uint32_t ack, uint64_t at)
{
	struct hw_flow_key key = key_of(port, vip);

	return hw_blind_nobody(b, &key, ack, at);
}

Test(blind, three_living_flows_convince_once)
{
	struct hw_blind *b = hw_blind_new();

	for (int p = 0; p < 4; p++)
		cr_expect_not(nobody(b, 1000 + p, 1, 100, 10 * S), "once nobody's proves nothing");
	cr_expect_not(nobody(b, 1000, 1, 101, 12 * S));
	cr_expect_not(nobody(b, 1001, 1, 101, 12 * S));
	cr_expect(nobody(b, 1002, 1, 101, 12 * S), "the third");
	cr_expect_not(nobody(b, 1003, 1, 101, 12 * S), "said once");
	hw_blind_free(b);
}

Test(blind, what_does_not_count)
{
	static const struct {
		const char *what;
		uint32_t ack;
		uint64_t at;
	} row[] = {
		{ "the ack stands still: retransmissions of a dead flow", 100, 12 * S },
		{ "the ack goes back", 99, 12 * S },
		{ "too soon: packets of the same moment", 101, 11 * S - 1 },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++) {
		struct hw_blind *b = hw_blind_new();

		for (int p = 0; p < 9; p++) {
			cr_expect_not(nobody(b, 1000 + p, 1, 100, 10 * S));
			cr_expect_not(nobody(b, 1000 + p, 1, row[i].ack, row[i].at), "%s", row[i].what);
		}
		hw_blind_free(b);
	}
}

Test(blind, vips_apart_and_forgotten)
{
	struct hw_blind *b = hw_blind_new();

	for (int p = 0; p < 2; p++) {
		nobody(b, 1000 + p, 1, 100, 10 * S);
		nobody(b, 1000 + p, 1, 200, 12 * S);
	}
	nobody(b, 1000, 2, 100, 10 * S);
	cr_expect_not(nobody(b, 1000, 2, 200, 12 * S), "the first of another VIP");
	hw_blind_forget(b, 1);
	nobody(b, 1007, 1, 100, 10 * S);
	cr_expect_not(nobody(b, 1007, 1, 200, 12 * S), "would have been the third");
	hw_blind_free(b);
}
