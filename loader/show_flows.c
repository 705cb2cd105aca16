/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * `homeward flows`: the strays whose home is known. There may be a million, so
 * they are printed while hw_flows is walked: one JSON object a line, or a table
 * in parts. The order is that of the map, which is none.
 */
#include "addr.h"
#include "rows.h"

#define PART 1024 /* rows; the widths of a table's columns are settled by its first part */

static const struct hw_column columns[] = {
	{ "client", "CLIENT", HW_AS_TEXT, 0 },
	{ "client_port", "PORT", HW_AS_COUNT, 0 },
	{ "vip_name", "VIP", HW_AS_NAME, 0 },
	{ "vip_port", "PORT", HW_AS_COUNT, 0 },
	{ "home", "HOME", HW_AS_NAME, 0 },
	{ "packets", "PACKETS", HW_AS_COUNT, 0 },
	{ "idle", "IDLE", HW_AS_SECONDS, 0 },
};

/* A name, or "#ID" for what is no longer in the config. */
static void put_name(struct json_object *o, const char *key, const char *name, unsigned id)
{
	char number[16];

	if (!name[0]) {
		snprintf(number, sizeof(number), "#%u", id);
		name = number;
	}
	hw_put_text(o, key, name);
}

static struct json_object *flow_row(const struct hw_snapshot *s, const struct hw_flow_key *key,
				    const struct hw_flow *flow)
{
	static const struct hw_vip no_vip;
	static const struct hw_seen_node no_node;
	const struct hw_vip *vip = key->vip < HW_VIP_IDS ? &s->vip[key->vip] : &no_vip;
	const struct hw_seen_node *home = flow->home < HW_NODE_IDS ? &s->node[flow->home] : &no_node;
	struct json_object *o = json_object_new_object();
	struct hw_addr client;
	char text[HW_ADDR_LEN];

	__builtin_memcpy(&client, key->client, sizeof(client));
	hw_put_text(o, "client", hw_addr_text(&client, text));
	hw_put_count(o, "client_port", key->client_port);
	hw_put_text(o, "vip", vip->address);
	hw_put_count(o, "vip_port", key->vip_port);
	put_name(o, "vip_name", vip->name, key->vip);
	put_name(o, "home", home->node.name, flow->home);
	hw_put_count(o, "home_id", flow->home);
	hw_put_count(o, "packets", flow->packets);
	hw_put_count(o, "bytes", flow->bytes);
	hw_put_seconds(o, "idle", hw_snapshot_age(s, flow->seen_ns));
	return o;
}

static int print_json(const struct hw_snapshot *s)
{
	hw_autowalk struct hw_walk walk = { .fd = s->pins.flows };
	const char *before = "[";

	while (hw_walk_next(&walk)) {
		hw_autojson struct json_object *row = flow_row(s, walk.key, walk.value);

		fputs(before, stdout);
		hw_json_print(stdout, row);
		before = ",";
	}
	puts(*before == '[' ? "[]" : "]");
	return walk.failed ? HW_SYSTEM : HW_DONE;
}

static int print_table(const struct hw_snapshot *s)
{
	hw_autowalk struct hw_walk walk = { .fd = s->pins.flows };
	struct hw_table *table = hw_table_new(stdout, HW_COLUMNS(columns));
	size_t n = 0;

	while (hw_walk_next(&walk)) {
		hw_autojson struct json_object *row = flow_row(s, walk.key, walk.value);

		hw_table_add(table, row);
		if (++n % PART == 0)
			hw_table_print(table);
	}
	hw_table_print(table);
	hw_table_free(table);
	if (!n && !walk.failed)
		puts("no flows: there is no stray whose home is known");
	return walk.failed ? HW_SYSTEM : HW_DONE;
}

int hw_flows(const struct hw_options *opt)
{
	hw_autosnapshot struct hw_snapshot *s = hw_snapshot_take(opt->pin);

	if (!s)
		return HW_SYSTEM;
	return opt->json ? print_json(s) : print_table(s);
}
