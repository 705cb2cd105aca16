/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The config, from its file to struct hw_conf: text, tree, draft (all keys by
 * the table in conf_schema.c), the checks that compare keys with each other,
 * the key file, and only then the struct that everyone else sees.
 */
#include <stdlib.h>
#include <string.h>

#include "conf_draft.h"
#include "textfile.h"

#define CONF_FILE_MAX 1048576
#define SECOND 1000000000ULL

static const struct conf_draft_node *node_named(const struct conf_draft *draft, const char *name)
{
	unsigned i;

	for (i = 0; i < draft->n_nodes.n; i++)
		if (draft->nodes[i].name.line && !strcmp(draft->nodes[i].name.text, name))
			return &draft->nodes[i];
	return NULL;
}

/* "ams1, fra1", as many as there is room for. */
static void list_nodes(const struct conf_draft *draft, char *out, size_t len)
{
	size_t used = 0;
	unsigned i;

	*out = '\0';
	for (i = 0; i < draft->n_nodes.n && used + HW_NAME_LEN + 8 < len; i++)
		if (draft->nodes[i].name.line)
			used += snprintf(out + used, len - used, "%s%s", used ? ", " : "", draft->nodes[i].name.text);
	if (i < draft->n_nodes.n)
		snprintf(out + used, len - used, ", ...");
}

/* given: by --node, or NULL. */
static void check_self(const struct conf_draft *draft, const char *given, struct hw_diag *diag)
{
	char known[256];

	if (!draft->n_nodes.n || (!given && !draft->node.line) || node_named(draft, given ? given : draft->node.text))
		return;
	list_nodes(draft, known, sizeof(known));
	if (given)
		hw_diag_add(diag, draft->n_nodes.line, draft->n_nodes.column,
			    "nodes: --node \"%.60s\" is not among them: add it, or give one of: %s", given, known);
	else
		hw_diag_add(diag, draft->node.line, draft->node.column,
			    "node: \"%s\" is not among the nodes: add it there, or write one of: %s", draft->node.text,
			    known);
}

/* Packets to an endpoint are control messages and carried packets, never strays. */
static void check_vips_apart(const struct conf_draft *draft, struct hw_diag *diag)
{
	const struct conf_value *vip, *endpoint;
	unsigned i, j;

	for (i = 0; i < draft->n_vips.n; i++) {
		vip = &draft->vips[i].address;
		for (j = 0; vip->line && j < draft->n_nodes.n; j++) {
			endpoint = &draft->nodes[j].endpoint;
			if (endpoint->line && hw_addr_equal(&vip->addr, &endpoint->addr))
				hw_diag_add(diag, vip->line, vip->column,
					    "vips: address %s is an endpoint too (line %u): "
					    "give that node an address of its own", vip->text, endpoint->line);
		}
	}
}

static uint64_t or_default(const struct conf_value *value, uint64_t otherwise)
{
	return value->line ? value->number : otherwise;
}

static uint64_t node_down(const struct conf_draft *draft)
{
	return or_default(&draft->timers.node_down, SECOND);
}

static uint64_t node_lost(const struct conf_draft *draft)
{
	return or_default(&draft->timers.node_lost, 30 * SECOND);
}

static void check_timers(const struct conf_draft *draft, struct hw_diag *diag)
{
	const struct conf_value *down = &draft->timers.node_down, *lost = &draft->timers.node_lost;

	if (node_lost(draft) >= node_down(draft))
		return;
	if (lost->line)
		hw_diag_add(diag, lost->line, lost->column,
			    "timers.node-lost: %s is less than node-down (%s): make it at least as long", lost->text,
			    down->line ? down->text : "1s, the default");
	else
		hw_diag_add(diag, down->line, down->column,
			    "timers.node-down: %s is more than node-lost (30s, the default): set node-lost too",
			    down->text);
}

/* Returns the text of the key file, for hw_keys_parse(), or NULL; *path is set if its name is known. */
static char *load_keys(const struct conf_draft *draft, const char *conf_path, char **path, size_t *len,
		       struct hw_diag *diag)
{
	const struct conf_value *file = &draft->key_file;
	const char *slash = strrchr(conf_path, '/');
	int dir_len = slash && *file->text != '/' ? slash + 1 - conf_path : 0;
	char why[512], *text;

	if (asprintf(path, "%.*s%s", dir_len, conf_path, file->text) < 0) {
		*path = NULL;
		diag->lost = true;
		return NULL;
	}
	text = hw_keys_load(*path, len, why, sizeof(why));
	if (!text)
		hw_diag_add(diag, file->line, file->column, "key-file: %s %s", *path, why);
	return text;
}

static void copy_vip(struct hw_conf_vip *vip, const struct conf_draft_vip *from)
{
	unsigned i;

	snprintf(vip->name, sizeof(vip->name), "%s", from->name.text);
	vip->addr = from->address.addr;
	vip->n_tcp = from->n_tcp.line && !from->n_tcp.n ? HW_VIP_NO_TCP : (int)from->n_tcp.n;
	for (i = 0; i < from->n_tcp.n; i++)
		vip->tcp[i] = from->tcp[i].number;
	vip->n_udp = from->n_udp.n;
	for (i = 0; i < vip->n_udp; i++)
		vip->udp[i] = from->udp[i].number;
}

static void copy_node(struct hw_conf_node *node, const struct conf_draft_node *from)
{
	snprintf(node->name, sizeof(node->name), "%s", from->name.text);
	snprintf(node->pop, sizeof(node->pop), "%s", from->pop.text);
	node->id = from->id.number;
	node->endpoint = from->endpoint.addr;
}

/* All that follows from a draft without errors. False: out of memory. */
static bool fill(struct hw_conf *conf, const struct conf_draft *draft, const char *path, const char *node)
{
	unsigned i;

	conf->path = strdup(path);
	conf->interfaces = calloc(draft->n_interfaces.n, sizeof(*conf->interfaces));
	conf->vips = calloc(draft->n_vips.n, sizeof(*conf->vips));
	conf->nodes = calloc(draft->n_nodes.n, sizeof(*conf->nodes));
	if (!conf->path || !conf->interfaces || !conf->vips || !conf->nodes)
		return false;
	for (i = 0; i < draft->n_interfaces.n; i++, conf->n_interfaces++) {
		conf->interfaces[i] = strdup(draft->interfaces[i].text);
		if (!conf->interfaces[i])
			return false;
	}
	for (i = 0; i < draft->n_vips.n; i++, conf->n_vips++)
		copy_vip(&conf->vips[i], &draft->vips[i]);
	for (i = 0; i < draft->n_nodes.n; i++, conf->n_nodes++)
		copy_node(&conf->nodes[i], &draft->nodes[i]);
	conf->self = &conf->nodes[node_named(draft, node ? node : draft->node.text) - draft->nodes];
	conf->network = draft->network.number;
	conf->limits.flows = or_default(&draft->limits.flows, 1048576);
	conf->limits.asks = or_default(&draft->limits.asks, 20000);
	conf->limits.ask_bytes = or_default(&draft->limits.ask_bytes, 4000000);
	conf->timers.flow_idle = or_default(&draft->timers.flow_idle, 300 * SECOND);
	conf->timers.node_down = node_down(draft);
	conf->timers.node_lost = node_lost(draft);
	return true;
}

/* The text of the config as a tree, or NULL (noted). */
static struct hw_yaml *read_tree(const char *path, struct hw_diag *diag)
{
	char *text hw_autofree = NULL;
	struct hw_yaml *tree;
	char why[512];
	size_t len;

	text = hw_textfile_read(path, CONF_FILE_MAX, 0, &len, why, sizeof(why));
	if (!text) {
		hw_diag_add(diag, 1, 1, "the config %s (-c names another)", why);
		return NULL;
	}
	tree = hw_yaml_parse(text, len, diag);
	if (!tree && hw_diag_clean(diag))
		hw_diag_add(diag, 1, 1, "the file is empty: write node, network, key-file, interfaces, vips and nodes");
	return tree;
}

/*
 * Everything about the draft. The errors of the config itself come first, then
 * those of the key file, which are wanted also when the config is bad.
 */
static bool check(const struct conf_draft *draft, const char *path, const char *node, struct hw_diag *diag,
		  struct hw_keyring *keys, FILE *errors)
{
	char *keys_path hw_autofree = NULL;
	char *keys_text = NULL;
	size_t len = 0;
	bool good;

	check_self(draft, node, diag);
	check_vips_apart(draft, diag);
	check_timers(draft, diag);
	if (draft->key_file.line)
		keys_text = load_keys(draft, path, &keys_path, &len, diag);
	good = hw_diag_clean(diag) && keys_text;
	hw_diag_print(diag, path, errors);
	if (keys_text && !hw_keys_parse(keys_text, len, keys_path, keys, errors))
		good = false;
	return good;
}

struct hw_conf *hw_conf_read(const char *path, const char *node, FILE *errors)
{
	struct hw_diag diag = { 0 };
	struct hw_yaml *tree = read_tree(path, &diag);
	struct conf_draft *draft = calloc(1, sizeof(*draft));
	struct hw_conf *conf = calloc(1, sizeof(*conf));
	bool good = false;

	if (!draft || !conf)
		diag.lost = true;
	if (tree && draft && conf) {
		conf_schema_read(tree, node != NULL, draft, &diag);
		good = check(draft, path, node, &diag, &conf->keys, errors);
	} else {
		hw_diag_print(&diag, path, errors);
	}
	if (good && !fill(conf, draft, path, node)) {
		fprintf(errors, "%s:1:1: out of memory\n", path);
		good = false;
	}
	hw_diag_free(&diag);
	hw_yaml_free(tree);
	free(draft);
	if (good)
		return conf;
	hw_conf_free(conf);
	return NULL;
}

void hw_conf_free(struct hw_conf *conf)
{
	size_t i;

	if (!conf)
		return;
	for (i = 0; i < conf->n_interfaces; i++)
		free(conf->interfaces[i]);
	free(conf->interfaces);
	free(conf->vips);
	free(conf->nodes);
	free(conf->path);
	explicit_bzero(&conf->keys, sizeof(conf->keys));
	free(conf);
}

const struct hw_conf_node *hw_conf_node(const struct hw_conf *conf, uint16_t id)
{
	for (size_t i = 0; i < conf->n_nodes; i++)
		if (conf->nodes[i].id == id)
			return &conf->nodes[i];
	return NULL;
}
