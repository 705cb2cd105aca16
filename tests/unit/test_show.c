/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* How the show verbs put values into words, tables and JSON; what needs no maps. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../loader/show.h"
#include "../../loader/snapshot.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

Test(show, seconds)
{
	static const struct { double seconds; const char *text; } row[] = {
		{ 0, "0us" }, { 0.0000994, "99us" }, { 0.0001, "0.1ms" }, { 0.0123, "12.3ms" }, { 0.99994, "999.9ms" },
		{ 0.99996, "1.0s" }, { 1, "1.0s" }, { 4.24, "4.2s" }, { 59.94, "59.9s" }, { 59.96, "1m00s" },
		{ 303, "5m03s" }, { 3599.4, "59m59s" }, { 3599.6, "1h00m" }, { 7980, "2h13m" }, { 86399, "23h59m" },
		{ 86400, "1d00h" }, { 273600, "3d04h" }, { -1, "-" }, { NAN, "-" }, { INFINITY, "-" }, { 1e30, "-" },
	};
	char text[HW_CELL];

	for (size_t i = 0; i < ROWS(row); i++)
		cr_expect_str_eq(hw_text_seconds(row[i].seconds, text), row[i].text, "%g: %s, not %s",
				 row[i].seconds, text, row[i].text);
}

Test(show, counts)
{
	static const struct { uint64_t count; const char *text; } row[] = {
		{ 0, "0" }, { 99999, "99999" }, { 100000, "100.0k" }, { 123456, "123.5k" }, { 999949, "999.9k" },
		{ 999950, "1.0M" }, { 1500000, "1.5M" }, { 10247759578, "10.2G" }, { UINT64_MAX, "18.4E" },
	};
	char text[HW_CELL];

	for (size_t i = 0; i < ROWS(row); i++)
		cr_expect_str_eq(hw_text_count(row[i].count, text), row[i].text, "%s, not %s", text, row[i].text);
}

Test(show, percent)
{
	char text[HW_CELL];

	cr_expect_str_eq(hw_text_percent(0, text), "0.0%");
	cr_expect_str_eq(hw_text_percent(0.954, text), "95.4%");
	cr_expect_str_eq(hw_text_percent(1, text), "100.0%");
}

Test(show, wrap)
{
	static const struct { unsigned width; const char *from, *to; } row[] = {
		{ 10, "", "" },
		{ 10, "short", "short" },
		{ 10, "ten chars.", "ten chars." },
		{ 10, "just eleven", "just\neleven" },
		{ 5, "a b c d e f", "a b c\nd e f" },
		{ 5, "unbreakable word", "unbreakable\nword" },
		{ 5, "a\nb c d e", "a\nb c d\ne" },
		{ 4, "end ", "end " },
	};

	for (size_t i = 0; i < ROWS(row); i++) {
		char text[64];

		strcpy(text, row[i].from);
		hw_text_wrap(text, row[i].width);
		cr_expect_str_eq(text, row[i].to, "\"%s\" at %u: \"%s\"", row[i].from, row[i].width, text);
	}
}

Test(show, every_verdict_is_described)
{
	for (int v = 0; v < HW_VERDICT_COUNT; v++) {
		const struct hw_verdict_info *info = &hw_verdict_info[v];
		const char *underscore = strchr(info->name, '_');
		size_t verb = underscore ? (size_t)(underscore - info->name) : 0;

		cr_expect_gt(verb, 0, "%s", info->name);
		cr_expect_gt(strlen(info->text), 10, "%s", info->name);
		cr_expect_leq(strlen(info->name), 18, "%s does not fit `stats`", info->name);
		if (!strcmp(info->action, "pass") || !strcmp(info->action, "drop"))
			cr_expect_eq(strncmp(info->name, info->action, verb), 0, "%s is a %s", info->name, info->action);
		else
			cr_expect_str_eq(strrchr(info->name, '_') + 1, info->action, "%s is a %s", info->name, info->action);
		for (int w = 0; w < v; w++)
			cr_expect_str_neq(info->name, hw_verdict_info[w].name);
	}
}

Test(show, json_values)
{
	hw_autojson struct json_object *o = json_object_new_object();
	char *out = NULL;
	size_t len;
	FILE *f = open_memstream(&out, &len);

	hw_put_text(o, "name", "a/b");
	hw_put_text(o, "none", "");
	hw_put_text(o, "null", NULL);
	hw_put_count(o, "large", UINT64_MAX);
	hw_put_bool(o, "up", true);
	hw_put_seconds(o, "idle", 0.4);
	hw_put_seconds(o, "whole", 3);
	hw_put_seconds(o, "never", -1);
	hw_put_seconds(o, "nan", NAN);
	hw_put_offset(o, "clock", -0.0025);
	hw_json_print(f, o);
	fclose(f);
	cr_expect_str_eq(out, "{\"name\":\"a/b\",\"none\":null,\"null\":null,\"large\":18446744073709551615,\"up\":true,"
			      "\"idle\":0.4,\"whole\":3.0,\"never\":null,\"nan\":null,\"clock\":-0.0025}\n");
	free(out);
}

Test(show, json_paths)
{
	hw_autojson struct json_object *o = json_tokener_parse("{\"a\":{\"b\":{\"c\":7}},\"n\":null}");

	cr_expect_eq(hw_json_count(o, "a.b.c"), 7);
	cr_expect_null(hw_json_at(o, "a.x.c"));
	cr_expect_null(hw_json_at(o, "a.b.c.d"));
	cr_expect_null(hw_json_at(o, "n"));
	cr_expect_eq(hw_json_count(o, "n"), 0);
	cr_expect_null(hw_json_at(NULL, "a"));
}

static const struct hw_column columns[] = {
	{ "name", "NAME", HW_AS_NAME, 0 },
	{ "n.packets", "PACKETS", HW_AS_COUNT, 0 },
	{ "tcp", "TCP", HW_AS_PORTS, 6 },
	{ "up", "UP", HW_AS_TEXT, 0 },
};

static void add(struct hw_table *t, const char *json)
{
	hw_autojson struct json_object *o = json_tokener_parse(json);

	hw_table_add(t, o);
}

/* Prints a table in two parts, the second narrower. */
Test(show, table)
{
	char *out = NULL;
	size_t len;
	FILE *f = open_memstream(&out, &len);
	struct hw_table *t = hw_table_new(f, HW_COLUMNS(columns));

	add(t, "{\"name\":\"a-long-name\",\"n\":{\"packets\":12},\"tcp\":[80,443,53],\"up\":true}");
	add(t, "{\"name\":\"b\",\"n\":{\"packets\":123456789},\"tcp\":[],\"up\":false}");
	hw_table_print(t);
	add(t, "{\"name\":\"c\",\"tcp\":null,\"up\":null}");
	hw_table_print(t);
	hw_table_print(t);
	hw_table_free(t);
	fclose(f);
	cr_expect_str_eq(out, "NAME          PACKETS TCP    UP\n"
			      "a-long-name        12 80 443 yes\n"
			      "                      53     \n"
			      "b           123456789 -      no\n"
			      "c                   - all    -\n");
	free(out);
}

Test(show, empty_table)
{
	hw_autojson struct json_object *rows = json_object_new_array();
	char *out = NULL;
	size_t len;
	FILE *f = open_memstream(&out, &len);

	hw_table_show(f, HW_COLUMNS(columns), rows);
	fclose(f);
	cr_expect_str_eq(out, "");
	free(out);
}

Test(snapshot, age)
{
	static struct hw_snapshot s = { .now_ns = 5000000000 };

	cr_expect_eq(hw_snapshot_age(&s, 0), -1);
	cr_expect_eq(hw_snapshot_age(&s, 4000000000), 1);
	cr_expect_eq(hw_snapshot_age(&s, 6000000000), 0, "a coarse clock may be ahead of what was read before");
}

Test(snapshot, no_way)
{
	static struct hw_snapshot s = {
		.agent_runs = true,
		.config.node = 1,
		.node[2].node.usable = 1,
	};
	char why[HW_WHY];

	cr_expect_null(hw_snapshot_no_way(&s, 1, why), "the own node needs no way");
	cr_expect_null(hw_snapshot_no_way(&s, 2, why));
}

Test(snapshot, states)
{
	cr_expect_str_eq(hw_node_state_text(HW_NODE_SELF), "self");
	cr_expect_str_eq(hw_node_state_text(HW_NODE_DEAD), "dead");
	cr_expect_str_eq(hw_node_state_text((enum hw_node_state)77), "unknown");
}
