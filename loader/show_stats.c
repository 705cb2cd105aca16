/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * `homeward stats`: what became of the packets, since the maps were made: by
 * verdict, by VIP, by node; and what the agent did, since it was started.
 */
#include <errno.h>
#include <string.h>

#include "rows.h"

/* struct hw_agent_view, counter by counter. */
#define AGENT_COUNTERS(A) \
	A(records,          "packets handed up by the XDP program") \
	A(records_stale,    "... too old when read: an agent died or was busy") \
	A(flows_asked,      "flows that a search was begun for") \
	A(flows_found,      "... and whose home was found") \
	A(flows_nobody,     "... that nobody owned") \
	A(flows_given_up,   "... that stayed without an answer: dropped") \
	A(flows_doubtful,   "... for which another node has a socket that does not fit: dropped") \
	A(flows_ended,      "flows whose home died: the client was sent a RST") \
	A(flows_expired,    "flows forgotten because they were idle") \
	A(asks_sent,        "ASK messages sent") \
	A(ask_flows_sent,   "... the questions in them") \
	A(ask_bytes_sent,   "... their bytes") \
	A(asks_over_budget, "questions put off: the byte budget was spent") \
	A(answers,          "ANSWERs that matched an ASK") \
	A(answers_unasked,  "... that did not") \
	A(table_full,       "searches refused: too many at once") \
	A(flow_map_full,    "homes found but not stored: hw_flows is full") \
	A(held_packets,     "packets held now") \
	A(held_flows,       "... of so many flows") \
	A(replayed,         "held packets sent on") \
	A(hold_overflow,    "packets not held: the flow has enough, or all do")

#define A(name, text) + 1
_Static_assert(sizeof(struct hw_agent_view) == 8 * (1 AGENT_COUNTERS(A)), "started_ns and every counter");
#undef A

static const struct hw_column verdict_columns[] = {
	{ "name", "VERDICT", HW_AS_TEXT, 0 },
	{ "count", "PACKETS", HW_AS_COUNT, 0 },
	{ "action", "ACTION", HW_AS_TEXT, 0 },
	{ "text", "MEANING", HW_AS_TEXT, 38 },
};

static const struct hw_column vip_columns[] = {
	{ "name", "VIP", HW_AS_NAME, 0 },
	{ "packets", "PACKETS", HW_AS_SHORT, 0 },
	{ "new", "NEW", HW_AS_SHORT, 0 },
	{ "mine", "MINE", HW_AS_SHORT, 0 },
	{ "carried", "CARRIED", HW_AS_SHORT, 0 },
	{ "delivered", "DELIVERED", HW_AS_SHORT, 0 },
	{ "asked", "ASKED", HW_AS_SHORT, 0 },
	{ "reset", "RESET", HW_AS_SHORT, 0 },
	{ "dropped", "DROPPED", HW_AS_SHORT, 0 },
	{ "udp_served", "UDP", HW_AS_SHORT, 0 },
};

static const struct hw_column node_columns[] = {
	{ "name", "NODE", HW_AS_NAME, 0 },
	{ "carried_to.packets", "TO PACKETS", HW_AS_SHORT, 0 },
	{ "carried_to.bytes", "BYTES", HW_AS_SHORT, 0 },
	{ "carried_from.packets", "FROM PACKETS", HW_AS_SHORT, 0 },
	{ "carried_from.bytes", "BYTES", HW_AS_SHORT, 0 },
	{ "returned_to_packets", "RETURNED", HW_AS_SHORT, 0 },
	{ "returned_from_packets", "CAME BACK", HW_AS_SHORT, 0 },
	{ "asked_by_flows", "ASKED BY", HW_AS_SHORT, 0 },
};

static const struct hw_column agent_columns[] = {
	{ "name", "AGENT", HW_AS_TEXT, 0 },
	{ "count", "COUNT", HW_AS_COUNT, 0 },
	{ "text", "MEANING", HW_AS_TEXT, 48 },
};

static struct json_object *all_verdicts(const struct hw_snapshot *s)
{
	uint64_t total[HW_VERDICT_COUNT] = {0}, count[HW_VERDICT_COUNT];

	/* also the rows of VIPs that are no longer in the config */
	for (uint32_t vip = 0; vip < HW_VIP_IDS; vip++) {
		if (!hw_snapshot_verdicts(s, vip, count))
			return NULL;
		for (int v = 0; v < HW_VERDICT_COUNT; v++)
			total[v] += count[v];
	}
	return hw_row_verdicts(total);
}

static struct json_object *agent_row(const struct hw_snapshot *s)
{
	struct json_object *o = json_object_new_object();

	hw_put_bool(o, "running", s->agent_runs);
	hw_put_seconds(o, "uptime", s->agent_runs ? hw_snapshot_age(s, s->agent.started_ns) : -1);
#define A(name, text) hw_put_count(o, #name, s->agent.name);
	AGENT_COUNTERS(A)
#undef A
	return o;
}

/* NULL on error (said). */
static struct json_object *egress_row(const struct hw_snapshot *s)
{
	struct hw_egress_stats sum;
	struct json_object *o;

	if (!hw_pins_sum(s->pins.egress_stats, 0, (uint64_t *)&sum, sizeof(sum) / 8)) {
		hw_err("%s/hw_egress_stats: %s", s->pins.path, strerror(errno));
		return NULL;
	}
	o = json_object_new_object();
	hw_put_count(o, "clamped", sum.clamped);
	return o;
}

static void print_egress(struct json_object *egress)
{
	uint64_t clamped = hw_json_count(egress, "clamped");

	if (clamped)
		printf("\n%llu SYNs and SYN-ACKs left with a lower MSS, so that strays fit.\n",
		       (unsigned long long)clamped);
}

static struct json_object *counter_row(const char *name, uint64_t count, const char *action, const char *text)
{
	struct json_object *o = json_object_new_object();

	hw_put_text(o, "name", name);
	hw_put_count(o, "count", count);
	hw_put_text(o, "action", action);
	hw_put_text(o, "text", text);
	return o;
}

/* Both tables show what is not zero. */
static void print_verdicts(struct json_object *verdicts)
{
	hw_autojson struct json_object *rows = json_object_new_array();

	for (int v = 0; v < HW_VERDICT_COUNT; v++) {
		const struct hw_verdict_info *info = &hw_verdict_info[v];
		uint64_t count = hw_json_count(verdicts, info->name);

		if (count)
			json_object_array_add(rows, counter_row(info->name, count, info->action, info->text));
	}
	if (json_object_array_length(rows))
		hw_table_show(stdout, HW_COLUMNS(verdict_columns), rows);
	else
		puts("no packets yet");
}

static void print_agent(struct json_object *agent)
{
	hw_autojson struct json_object *rows = json_object_new_array();

#define A(name, text) \
	if (hw_json_count(agent, #name)) \
		json_object_array_add(rows, counter_row(#name, hw_json_count(agent, #name), NULL, text));
	AGENT_COUNTERS(A)
#undef A
	if (json_object_array_length(rows)) {
		putchar('\n');
		hw_table_show(stdout, HW_COLUMNS(agent_columns), rows);
	}
	if (!json_object_get_boolean(hw_json_at(agent, "running")))
		puts("\nThe agent is not running.");
}

static void print_vips(struct json_object *rows)
{
	if (!json_object_array_length(rows))
		return;
	putchar('\n');
	hw_table_show(stdout, HW_COLUMNS(vip_columns), rows);
}

/* Nothing goes from this node to itself: it has no row. */
static void print_nodes(struct json_object *rows, uint64_t self)
{
	struct hw_table *t = hw_table_new(stdout, HW_COLUMNS(node_columns));

	if (json_object_array_length(rows) > 1)
		putchar('\n');
	for (size_t i = 0; i < json_object_array_length(rows); i++) {
		struct json_object *node = json_object_array_get_idx(rows, i);

		if (hw_json_count(node, "id") != self)
			hw_table_add(t, node);
	}
	hw_table_print(t);
	hw_table_free(t);
}

int hw_stats(const struct hw_options *opt)
{
	hw_autosnapshot struct hw_snapshot *s = hw_snapshot_take(opt->pin);
	hw_autojson struct json_object *o = json_object_new_object();
	struct json_object *verdicts, *vips, *egress;

	if (!s)
		return HW_SYSTEM;
	verdicts = all_verdicts(s);
	vips = hw_row_vips(s);
	json_object_object_add(o, "verdicts", verdicts);
	json_object_object_add(o, "vips", vips);
	json_object_object_add(o, "nodes", hw_row_nodes(s));
	egress = egress_row(s);
	json_object_object_add(o, "egress", egress);
	json_object_object_add(o, "agent", agent_row(s));
	if (!verdicts || !vips || !egress)
		return HW_SYSTEM;
	if (opt->json) {
		hw_json_print(stdout, o);
		return HW_DONE;
	}
	print_verdicts(verdicts);
	print_vips(vips);
	print_nodes(hw_json_at(o, "nodes"), s->config.node);
	print_egress(egress);
	print_agent(hw_json_at(o, "agent"));
	return HW_DONE;
}
