/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * `homeward nodes`: who is there, how far away, and which way packets take to
 * them. What went to them and came from them is in `homeward stats`.
 */
#include "rows.h"

static const struct hw_column columns[] = {
	{ "name", "NODE", HW_AS_NAME, 0 },
	{ "id", "ID", HW_AS_COUNT, 0 },
	{ "pop", "POP", HW_AS_NAME, 0 },
	{ "endpoint", "ENDPOINT", HW_AS_TEXT, 0 },
	{ "state", "STATE", HW_AS_TEXT, 0 },
	{ "heard", "HEARD", HW_AS_SECONDS, 0 },
	{ "rtt", "RTT", HW_AS_SECONDS, 0 },
	{ "mtu", "MTU", HW_AS_COUNT, 0 },
	{ "device", "DEVICE", HW_AS_TEXT, 0 },
	{ "next_hop", "NEXT HOP", HW_AS_TEXT, 0 },
};

int hw_nodes(const struct hw_options *opt)
{
	hw_autosnapshot struct hw_snapshot *s = hw_snapshot_take(opt->pin);
	hw_autojson struct json_object *rows = s ? hw_row_nodes(s) : NULL;

	if (!rows)
		return HW_SYSTEM;
	if (opt->json) {
		hw_json_print(stdout, rows);
		return HW_DONE;
	}
	if (!json_object_array_length(rows)) {
		puts("no nodes: the config has none");
		return HW_DONE;
	}
	hw_table_show(stdout, HW_COLUMNS(columns), rows);
	if (!s->agent_runs)
		puts("\nThe agent is not running: who is up is not known, times are as it left them.");
	return HW_DONE;
}
