/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * `homeward vips`: the addresses that are watched here, and how many packets
 * came for them. `homeward stats` says what became of those.
 */
#include "rows.h"

static const struct hw_column columns[] = {
	{ "name", "VIP", HW_AS_NAME, 0 },
	{ "address", "ADDRESS", HW_AS_TEXT, 0 },
	{ "tcp", "TCP", HW_AS_PORTS, 18 },
	{ "udp", "UDP", HW_AS_PORTS, 18 },
	{ "visible", "SOCKETS SEEN", HW_AS_TEXT, 0 },
	{ "packets", "PACKETS", HW_AS_COUNT, 0 },
	{ "udp_served", "UDP SERVED", HW_AS_COUNT, 0 },
};

int hw_vips(const struct hw_options *opt)
{
	hw_autosnapshot struct hw_snapshot *s = hw_snapshot_take(opt->pin);
	hw_autojson struct json_object *rows = s ? hw_row_vips(s) : NULL;

	if (!rows)
		return HW_SYSTEM;
	if (opt->json)
		hw_json_print(stdout, rows);
	else if (!json_object_array_length(rows))
		puts("no VIPs: the config has none");
	else
		hw_table_show(stdout, HW_COLUMNS(columns), rows);
	return HW_DONE;
}
