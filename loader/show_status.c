/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * `homeward status`: is it on, does it work, and if not, what is wrong? Short
 * enough to be read at 3 am; all that needs somebody's attention is a warning
 * and names the remedy.
 */
#include <stdarg.h>
#include <time.h>

#include "attach.h"
#include "rows.h"

#define NICS        64
#define NEARLY_FULL 0.9
#define AGENT_SILENT 5 /* s, beyond the age at which what it wrote is no longer believed */
#define WIDTH       68 /* of the values beside their labels */

/* The least that a path must carry, or IPv6 clients cannot be told a legal MTU (RFC 8200 section 5). */
#define LEAST_INNER_MTU 1280

static const struct hw_column fact_columns[] = {
	{ "label", NULL, HW_AS_TEXT, 0 },
	{ "value", NULL, HW_AS_TEXT, WIDTH },
};

static const struct hw_column map_columns[] = {
	{ "name", "MAP", HW_AS_TEXT, 0 },
	{ "entries", "ENTRIES", HW_AS_COUNT, 0 },
	{ "capacity", "CAPACITY", HW_AS_COUNT, 0 },
	{ "unit", "UNIT", HW_AS_TEXT, 0 },
	{ "fill", "FULL", HW_AS_PERCENT, 0 },
};

static void __attribute__((format(printf, 2, 3))) warn(struct json_object *warnings, const char *fmt, ...)
{
	char text[640];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_object_array_add(warnings, json_object_new_string(text));
}

/* NULL if the attachments cannot be read (said). */
static struct json_object *interfaces(const struct hw_snapshot *s, struct json_object *warnings)
{
	struct hw_attachment nic[NICS];
	struct json_object *rows;
	int n = hw_attach_list(s->pins.path, nic, NICS);

	if (n < 0)
		return NULL;
	rows = json_object_new_array();
	for (int i = 0; i < n; i++) {
		struct json_object *o = json_object_new_object();

		hw_put_text(o, "name", nic[i].device);
		hw_put_text(o, "mode", nic[i].mode);
		hw_put_text(o, "attach", nic[i].attach);
		json_object_object_add(o, "ifindex", nic[i].ifindex ? json_object_new_uint64(nic[i].ifindex) : NULL);
		hw_put_bool(o, "egress", nic[i].egress);
		json_object_array_add(rows, o);
		if (nic[i].ifindex && !nic[i].egress)
			warn(warnings, "%s lacks the tc egress program, so clients are not told to send packets that "
			     "fit when they stray: `homeward load %s`, or advmss on the routes to clients",
			     nic[i].device, nic[i].device);
		if (!nic[i].ifindex)
			warn(warnings, "%s is gone, and the program with it: `homeward load %s` once it is back, "
			     "or `homeward unload %s`", nic[i].device, nic[i].device, nic[i].device);
	}
	if (!n)
		warn(warnings, "no NIC has the program, so nothing is carried: `homeward load`");
	return rows;
}

static struct json_object *agent(const struct hw_snapshot *s, struct json_object *warnings)
{
	struct json_object *o = json_object_new_object();
	double written = hw_snapshot_age(s, s->self.fresh_ns);
	char ago[HW_CELL];

	hw_put_bool(o, "running", s->agent_runs);
	hw_put_seconds(o, "uptime", s->agent_runs ? hw_snapshot_age(s, s->agent.started_ns) : -1);
	hw_put_seconds(o, "last_write", written);
	if (s->agent_runs && written > AGENT_SILENT + (double)s->config.witness_ns / 1e9)
		warn(warnings, "the agent runs, but has written nothing for %s: restart it (the data path goes on)",
		     hw_text_seconds(written, ago));
	if (!s->agent_runs)
		warn(warnings, "the agent is not running: strays whose home is not known yet are dropped, and "
		     "routes to other nodes are not followed: `homeward agent`");
	return o;
}

static void check_node(struct hw_snapshot *s, uint32_t id, struct json_object *warnings)
{
	const struct hw_seen_node *n = &s->node[id];
	double silent = hw_snapshot_age(s, n->view.heard_ns);
	char why[HW_WHY], ago[HW_CELL] = "never";

	if (silent >= 0)
		hw_text_seconds(silent, ago);
	if (n->state == HW_NODE_DEAD)
		warn(warnings, "%s is dead (last heard: %s%s): its connections are reset", n->node.name, ago,
		     silent < 0 ? "" : " ago");
	if (n->state == HW_NODE_LOST)
		warn(warnings, "%s is lost (last heard: %s%s), though it may be alive: look at the path to %s",
		     n->node.name, ago, silent < 0 ? "" : " ago", n->node.endpoint);
	if (hw_snapshot_no_way(s, id, why))
		warn(warnings, "nothing can be carried to %s: %s", n->node.name, why);
	else if (n->node.mtu && n->node.mtu < LEAST_INNER_MTU + n->node.overhead)
		warn(warnings, "the path to %s carries %u bytes; it must carry %u, or large packets are lost",
		     n->node.name, n->node.mtu, LEAST_INNER_MTU + n->node.overhead);
	if (n->view.schema && n->view.schema != HW_SCHEMA)
		warn(warnings, "%s runs a homeward of schema version %u, this one has %u", n->node.name,
		     n->view.schema, HW_SCHEMA);
}

/* How many of the other nodes are in which state. */
static struct json_object *peers(struct hw_snapshot *s, struct json_object *warnings)
{
	struct json_object *o = json_object_new_object();
	uint64_t n[HW_NODE_DEAD + 1] = {0};

	for (uint32_t id = 1; id < HW_NODE_IDS; id++) {
		if (!s->node[id].node.name[0] || id == s->config.node)
			continue;
		if ((uint32_t)s->node[id].state <= HW_NODE_DEAD)
			n[s->node[id].state]++;
		check_node(s, id, warnings);
	}
	hw_put_count(o, "up", n[HW_NODE_UP]);
	hw_put_count(o, "lost", n[HW_NODE_LOST]);
	hw_put_count(o, "dead", n[HW_NODE_DEAD]);
	hw_put_count(o, "unknown", n[HW_NODE_UNKNOWN]);
	return o;
}

/* Returns the number of VIPs. */
static uint64_t check_vips(const struct hw_snapshot *s, struct json_object *warnings)
{
	uint64_t n = 0;

	for (uint32_t id = 1; id < HW_VIP_IDS; id++) {
		n += !!s->vip[id].id;
		if (s->vip[id].flags & HW_VIP_INVISIBLE)
			warn(warnings, "VIP %s (%s): its sockets cannot be seen from here (another network namespace, "
			     "a VRF, DNAT?), so its strays are not carried but get a RST", s->vip[id].name,
			     s->vip[id].address);
	}
	return n;
}

static bool put_map(struct json_object *maps, int fd, struct json_object *warnings)
{
	struct json_object *o;
	struct hw_map_fill map;
	double fill;

	if (!hw_map_fill(fd, &map))
		return false;
	o = json_object_new_object();
	fill = map.capacity ? (double)map.entries / (double)map.capacity : 0;
	hw_put_text(o, "name", map.name);
	hw_put_text(o, "type", map.type);
	hw_put_count(o, "entries", map.entries);
	hw_put_count(o, "capacity", map.capacity);
	hw_put_text(o, "unit", map.bytes ? "bytes" : "entries");
	if (map.fills)
		hw_put_offset(o, "fill", fill);
	else
		json_object_object_add(o, "fill", NULL);
	json_object_array_add(maps, o);
	if (map.fills && !map.evicts && fill > NEARLY_FULL)
		warn(warnings, map.bytes ? "%s is %.0f%% full: the agent does not keep up" :
		     "%s is %.0f%% full: what does not fit is lost (`limits` in the config)", map.name, fill * 100);
	return true;
}

/* NULL on error (said). */
static struct json_object *maps(const struct hw_snapshot *s, struct json_object *warnings)
{
	struct json_object *rows = json_object_new_array();
	bool good = true;

#define M(name) good = good && put_map(rows, s->pins.name, warnings);
	HW_PINNED_MAPS(M)
#undef M
	if (good)
		return rows;
	json_object_put(rows);
	return NULL;
}

/* One line of the overview. */
static void __attribute__((format(printf, 3, 4))) fact(struct hw_table *t, const char *label, const char *fmt, ...)
{
	hw_autojson struct json_object *o = json_object_new_object();
	char text[640];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_object_object_add(o, "label", json_object_new_string(label));
	json_object_object_add(o, "value", json_object_new_string(text));
	hw_table_add(t, o);
}

static void agent_fact(struct hw_table *t, const struct hw_snapshot *s)
{
	double up = hw_snapshot_age(s, s->agent.started_ns), written = hw_snapshot_age(s, s->self.fresh_ns);
	time_t since = time(NULL) - (time_t)up;
	char text[HW_CELL], date[32] = "";
	struct tm tm;

	if (localtime_r(&since, &tm))
		strftime(date, sizeof(date), "%F %T", &tm);
	if (s->agent_runs && up >= 0)
		fact(t, "agent", "running for %s, since %s", hw_text_seconds(up, text), date);
	else if (s->agent_runs)
		fact(t, "agent", "running, has just been started");
	else if (written >= 0)
		fact(t, "agent", "NOT RUNNING; last wrote %s ago", hw_text_seconds(written, text));
	else
		fact(t, "agent", "NOT RUNNING%s", up >= 0 ? "" : "; none has since the maps were made");
}

static void print_facts(const struct hw_snapshot *s, struct json_object *o)
{
	struct hw_table *t = hw_table_new(stdout, HW_COLUMNS(fact_columns));
	struct json_object *nics = hw_json_at(o, "interfaces");

	fact(t, "node", "%s (id %u), network %u, schema %u", s->config.node_name[0] ? s->config.node_name : "-",
	     s->config.node, s->config.network, HW_SCHEMA);
	for (size_t i = 0; i < json_object_array_length(nics); i++) {
		struct json_object *nic = json_object_array_get_idx(nics, i);

		fact(t, "interface", "%s, %s, by %s", json_object_get_string(hw_json_at(nic, "name")),
		     json_object_get_string(hw_json_at(nic, "mode")), json_object_get_string(hw_json_at(nic, "attach")));
	}
	agent_fact(t, s);
	fact(t, "peers", "%u up, %u lost, %u dead, %u unknown", (unsigned)hw_json_count(o, "peers.up"),
	     (unsigned)hw_json_count(o, "peers.lost"), (unsigned)hw_json_count(o, "peers.dead"),
	     (unsigned)hw_json_count(o, "peers.unknown"));
	fact(t, "VIPs", "%u", (unsigned)hw_json_count(o, "vips"));
	hw_table_print(t);
	hw_table_free(t);
}

/* At the end, where the eye falls. */
static void print_warnings(struct json_object *warnings)
{
	struct hw_table *t = hw_table_new(stdout, HW_COLUMNS(fact_columns));

	if (json_object_array_length(warnings))
		putchar('\n');
	for (size_t i = 0; i < json_object_array_length(warnings); i++)
		fact(t, "WARNING", "%s", json_object_get_string(json_object_array_get_idx(warnings, i)));
	hw_table_print(t);
	hw_table_free(t);
}

/* Those that can be full. */
static void print_maps(struct json_object *rows)
{
	struct hw_table *t = hw_table_new(stdout, HW_COLUMNS(map_columns));

	for (size_t i = 0; i < json_object_array_length(rows); i++) {
		struct json_object *map = json_object_array_get_idx(rows, i);

		if (hw_json_at(map, "fill"))
			hw_table_add(t, map);
	}
	hw_table_print(t);
	hw_table_free(t);
}

int hw_status(const struct hw_options *opt)
{
	hw_autosnapshot struct hw_snapshot *s = hw_snapshot_take(opt->pin);
	hw_autojson struct json_object *o = json_object_new_object();
	hw_autojson struct json_object *warnings = json_object_new_array();
	struct json_object *nics, *all_maps;

	if (!s)
		return HW_SYSTEM;
	hw_put_count(o, "schema", HW_SCHEMA);
	hw_put_text(o, "version", HW_VERSION);
	hw_put_text(o, "node", s->config.node_name);
	hw_put_count(o, "node_id", s->config.node);
	hw_put_count(o, "network", s->config.network);
	nics = interfaces(s, warnings);
	json_object_object_add(o, "interfaces", nics);
	json_object_object_add(o, "agent", agent(s, warnings));
	json_object_object_add(o, "peers", peers(s, warnings));
	hw_put_count(o, "vips", check_vips(s, warnings));
	all_maps = maps(s, warnings);
	json_object_object_add(o, "maps", all_maps);
	json_object_object_add(o, "warnings", json_object_get(warnings));
	if (!nics || !all_maps)
		return HW_SYSTEM;
	if (opt->json) {
		hw_json_print(stdout, o);
		return HW_DONE;
	}
	print_facts(s, o);
	putchar('\n');
	print_maps(all_maps);
	print_warnings(warnings);
	return HW_DONE;
}
