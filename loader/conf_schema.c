/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The table of keys, and the reader that walks a YAML tree along it. What a
 * config may say is in the rows and nowhere else: which key belongs where, of
 * what type it is, whether it must be there, its bounds, and where it goes.
 */
#include <stdlib.h>
#include <string.h>

#include "conf_draft.h"
#include "nearest.h"

#define SECOND 1000000000ULL
#define PATH_TEXT 128 /* "vips.web.tcp": two keys and a name at most */

enum {
	REQUIRED = 1,
	UNIQUE = 2,    /* no two alike: in this list, or under this key in the mappings of a list */
	NODE_KEY = 4,  /* --node stands in for it */
	EMPTY = 8,     /* a list that may be empty, which is not the same as absent */
};

struct row {
	const char *in;       /* the mapping that it belongs in; "": the file itself */
	const char *key;
	enum conf_type type;  /* of the value, or of each item of a list */
	unsigned flags;
	uint64_t min, max;
	size_t at;            /* from the start of the struct that stands for `in` */
	unsigned items;       /* a list of at most so many; 0: one value */
	size_t stride, count; /* of a list: size of an item, where the count is */
};

#define ONE(type, field) offsetof(struct type, field), 0, 0, 0
#define LIST(type, field) offsetof(struct type, field), \
	sizeof(((struct type *)0)->field) / sizeof(((struct type *)0)->field[0]), \
	sizeof(((struct type *)0)->field[0]), offsetof(struct type, n_##field)
/* Keys of these are read into the draft itself. */
#define SECTION 0, 0, 0, 0

static const struct row rows[] = {
	/* in        key           type          flags              min         max */
	{ "",       "node",       CONF_NAME,    REQUIRED | NODE_KEY, 0,         0,             ONE(conf_draft, node) },
	{ "",       "network",    CONF_NUMBER,  REQUIRED,           0,          0xffffff,      ONE(conf_draft, network) },
	{ "",       "key-file",   CONF_PATH,    REQUIRED,           0,          0,             ONE(conf_draft, key_file) },
	{ "",       "interfaces", CONF_DEVICE,  REQUIRED | UNIQUE,  0,          0,             LIST(conf_draft, interfaces) },
	{ "",       "vips",       CONF_MAP,     REQUIRED,           0,          0,             LIST(conf_draft, vips) },
	{ "",       "nodes",      CONF_MAP,     REQUIRED,           0,          0,             LIST(conf_draft, nodes) },
	{ "",       "limits",     CONF_MAP,     0,                  0,          0,             SECTION },
	{ "",       "timers",     CONF_MAP,     0,                  0,          0,             SECTION },
	{ "vips",   "name",       CONF_NAME,    REQUIRED | UNIQUE,  0,          0,             ONE(conf_draft_vip, name) },
	{ "vips",   "address",    CONF_ADDRESS, REQUIRED | UNIQUE,  0,          0,             ONE(conf_draft_vip, address) },
	{ "vips",   "tcp",        CONF_NUMBER,  UNIQUE | EMPTY,     1,          65535,         LIST(conf_draft_vip, tcp) },
	{ "vips",   "udp",        CONF_NUMBER,  UNIQUE | EMPTY,     1,          65535,         LIST(conf_draft_vip, udp) },
	{ "nodes",  "name",       CONF_NAME,    REQUIRED | UNIQUE,  0,          0,             ONE(conf_draft_node, name) },
	{ "nodes",  "id",         CONF_NUMBER,  REQUIRED | UNIQUE,  1,          HW_NODE_IDS - 1, ONE(conf_draft_node, id) },
	{ "nodes",  "pop",        CONF_NAME,    REQUIRED,           0,          0,             ONE(conf_draft_node, pop) },
	{ "nodes",  "endpoint",   CONF_ADDRESS, REQUIRED | UNIQUE,  0,          0,             ONE(conf_draft_node, endpoint) },
	{ "limits", "flows",      CONF_NUMBER,  0,                  1,          16777216,      ONE(conf_draft, limits.flows) },
	{ "limits", "asks",       CONF_NUMBER,  0,                  1,          10000000,      ONE(conf_draft, limits.asks) },
	{ "limits", "ask-bytes",  CONF_NUMBER,  0,                  10000,      1000000000,    ONE(conf_draft, limits.ask_bytes) },
	{ "timers", "flow-idle",  CONF_TIME,    0,                  SECOND,     86400 * SECOND, ONE(conf_draft, timers.flow_idle) },
	{ "timers", "node-down",  CONF_TIME,    0,                  SECOND / 5, 60 * SECOND,   ONE(conf_draft, timers.node_down) },
	{ "timers", "node-lost",  CONF_TIME,    0,                  SECOND / 5, 3600 * SECOND, ONE(conf_draft, timers.node_lost) },
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

struct reader {
	bool node_given;
	struct hw_diag *diag;
};

/* Where a value goes: into item `index` of a list, whose items before it are its siblings. */
struct place {
	char *list;
	size_t stride;
	unsigned index;
};

static void *in_place(const struct place *place, unsigned index, size_t at)
{
	return place->list + index * place->stride + at;
}

static const char *kind_text(const struct hw_yaml *node)
{
	return node->kind == HW_YAML_LIST ? "a list" : node->kind == HW_YAML_MAP ? "a mapping" : "a single value";
}

static void unknown_key(const struct reader *r, const char *in, const struct hw_yaml *key, const char *path)
{
	const struct row *near = NULL, *elsewhere = NULL, *row;
	unsigned best = 3, d;

	for (row = rows; row < rows + N_ROWS; row++) {
		if (strcmp(row->in, in)) {
			if (!strcmp(row->key, key->text))
				elsewhere = row;
			continue;
		}
		d = hw_nearest_distance(key->text, row->key);
		if (d < best && d < strlen(row->key)) {
			best = d;
			near = row;
		}
	}
	if (near)
		hw_diag_add(r->diag, key->line, key->column, "%sunknown key \"%.60s\": did you mean %s?", path, key->text,
			    near->key);
	else if (elsewhere && *elsewhere->in)
		hw_diag_add(r->diag, key->line, key->column, "%sunknown key \"%.60s\": it belongs under %s", path,
			    key->text, elsewhere->in);
	else if (elsewhere)
		hw_diag_add(r->diag, key->line, key->column, "%sunknown key \"%.60s\": it belongs at the top level",
			    path, key->text);
	else
		hw_diag_add(r->diag, key->line, key->column, "%sunknown key \"%.60s\": take it out", path, key->text);
}

static void read_scalar(const struct reader *r, const struct row *row, const struct hw_yaml *node,
			const struct place *place, size_t at, const char *path)
{
	struct conf_value *value = in_place(place, place->index, at), *other;
	char why[512];
	unsigned i;

	if (node->kind != HW_YAML_SCALAR) {
		hw_diag_add(r->diag, node->line, node->column, "%s: must be a single value, not %s", path,
			    kind_text(node));
		return;
	}
	if (!conf_value_parse(row->type, row->min, row->max, node->text, value, why, sizeof(why))) {
		hw_diag_add(r->diag, node->line, node->column, "%s: %s", path, why);
		return;
	}
	value->line = node->line;
	value->column = node->column;
	for (i = 0; row->flags & UNIQUE && i < place->index; i++) {
		other = in_place(place, i, at);
		if (!other->line || !conf_value_equal(row->type, value, other))
			continue;
		hw_diag_add(r->diag, node->line, node->column, "%s: %.60s is already on line %u: no two may be alike",
			    path, node->text, other->line);
		return;
	}
}

static void read_map(const struct reader *r, const char *in, const struct hw_yaml *map,
		     const struct place *place, const char *path);

/* An item is called by its name if it has one, so that a message can be understood without counting. */
static void item_path(char *out, size_t len, const char *path, const struct hw_yaml *item, unsigned index)
{
	const struct hw_yaml *name = hw_yaml_get(item, "name");

	if (name && name->kind == HW_YAML_SCALAR && *name->text)
		snprintf(out, len, "%.80s.%.31s", path, name->text);
	else
		snprintf(out, len, "%.80s.#%u", path, index + 1);
}

static void read_item(const struct reader *r, const struct row *row, const struct hw_yaml *item,
		      const struct place *place, const char *path)
{
	char longer[PATH_TEXT];

	if (item->kind == HW_YAML_BAD)
		return;
	if (hw_yaml_is_null(item)) {
		hw_diag_add(r->diag, item->line, item->column, "%s: an item without a value: take it out", path);
	} else if (row->type != CONF_MAP) {
		read_scalar(r, row, item, place, 0, path);
	} else if (item->kind != HW_YAML_MAP) {
		hw_diag_add(r->diag, item->line, item->column, "%s: each item must be a mapping (- name: ...), not %s",
			    path, kind_text(item));
	} else {
		item_path(longer, sizeof(longer), path, item, place->index);
		read_map(r, row->key, item, place, longer);
	}
}

static void read_list(const struct reader *r, const struct row *row, const struct hw_yaml *list,
		      const struct place *place, const char *path)
{
	struct place inside = { in_place(place, place->index, row->at), row->stride, 0 };
	struct conf_count *count = in_place(place, place->index, row->count);
	const struct hw_yaml *item;

	if (list->kind != HW_YAML_LIST) {
		hw_diag_add(r->diag, list->line, list->column, "%s: must be a list, not %s: write %s", path,
			    kind_text(list), row->type == CONF_MAP ? "- before each item" : "[...] around it");
		return;
	}
	if (!list->first && !(row->flags & EMPTY)) {
		hw_diag_add(r->diag, list->line, list->column, "%s: empty list: %s", path,
			    row->flags & REQUIRED ? "name at least one" : "leave the key out");
		return;
	}
	count->line = list->line;
	count->column = list->column;
	for (item = list->first; item; item = item->next) {
		if (inside.index == row->items) {
			hw_diag_add(r->diag, item->line, item->column, "%s: too many: at most %u", path, row->items);
			return;
		}
		read_item(r, row, item, &inside, path);
		count->n = ++inside.index;
	}
}

static void read_value(const struct reader *r, const struct row *row, const struct hw_yaml *node,
		       const struct place *place, const char *path)
{
	if (node->kind == HW_YAML_BAD)
		return;
	if (hw_yaml_is_null(node))
		hw_diag_add(r->diag, node->line, node->column, "%s: has no value: write one%s", path,
			    row->flags & REQUIRED ? "" : ", or leave the key out");
	else if (row->items)
		read_list(r, row, node, place, path);
	else if (row->type != CONF_MAP)
		read_scalar(r, row, node, place, row->at, path);
	else if (node->kind == HW_YAML_MAP)
		read_map(r, row->key, node, place, path);
	else
		hw_diag_add(r->diag, node->line, node->column, "%s: must be a mapping (key: value), not %s", path,
			    kind_text(node));
}

static const struct row *find_row(const char *in, const char *key)
{
	const struct row *row;

	for (row = rows; row < rows + N_ROWS; row++)
		if (!strcmp(row->in, in) && !strcmp(row->key, key))
			return row;
	return NULL;
}

static void missing_keys(const struct reader *r, const char *in, const struct hw_yaml *map,
			 const unsigned seen[N_ROWS], const char *path)
{
	size_t i;

	for (i = 0; i < N_ROWS; i++) {
		if (strcmp(rows[i].in, in) || seen[i] || !(rows[i].flags & REQUIRED))
			continue;
		if (rows[i].flags & NODE_KEY && r->node_given)
			continue;
		hw_diag_add(r->diag, map->line, map->column, "%s%skey \"%s\" is missing: add it%s", path,
			    *path ? ": " : "", rows[i].key, rows[i].flags & NODE_KEY ? ", or use --node" : "");
	}
}

/* in: which mapping of the table this is. path: what it is called in messages, "" for the file itself. */
static void read_map(const struct reader *r, const char *in, const struct hw_yaml *map,
		     const struct place *place, const char *path)
{
	unsigned seen[N_ROWS] = { 0 }; /* line of each key */
	const struct hw_yaml *key;
	const struct row *row;
	char prefix[PATH_TEXT], longer[PATH_TEXT];

	snprintf(prefix, sizeof(prefix), "%.120s%s", path, *path ? ": " : "");
	for (key = map->first; key; key = key->next->next) {
		if (key->kind != HW_YAML_SCALAR) {
			if (key->kind != HW_YAML_BAD)
				hw_diag_add(r->diag, key->line, key->column, "%sa key must be a word, not %s", prefix,
					    kind_text(key));
			continue;
		}
		row = find_row(in, key->text);
		if (!row) {
			unknown_key(r, in, key, prefix);
		} else if (seen[row - rows]) {
			hw_diag_add(r->diag, key->line, key->column, "%skey \"%s\" is already on line %u: keep one",
				    prefix, row->key, seen[row - rows]);
		} else {
			seen[row - rows] = key->line;
			snprintf(longer, sizeof(longer), "%.110s%s%s", path, *path ? "." : "", row->key);
			read_value(r, row, key->next, place, longer);
		}
	}
	missing_keys(r, in, map, seen, path);
}

void conf_schema_read(const struct hw_yaml *root, bool node_given, struct conf_draft *draft, struct hw_diag *diag)
{
	const struct reader r = { node_given, diag };
	const struct place place = { (char *)draft, 0, 0 };

	if (root->kind == HW_YAML_MAP)
		read_map(&r, "", root, &place, "");
	else if (root->kind != HW_YAML_BAD)
		hw_diag_add(diag, root->line, root->column, "must be a mapping (key: value), not %s",
			    hw_yaml_is_null(root) ? "nothing" : kind_text(root));
}
