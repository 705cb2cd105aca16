/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Between the text of a config and struct hw_conf: every value that the schema
 * knows, together with its place in the file, so that the checks that compare
 * values can say where. Only conf*.c use this.
 */
#pragma once

#include <net/if.h>

#include "conf.h"
#include "yaml_tree.h"

#define CONF_INTERFACES 64

struct conf_value {
	unsigned line, column; /* line 0: not given, or not good */
	const char *text;      /* as written; belongs to the tree */
	uint64_t number;       /* of a number; of a time, ns */
	struct hw_addr addr;   /* of an address */
};

struct conf_count {
	unsigned n;            /* items, good or not */
	unsigned line, column; /* of the list; line 0: not given */
};

struct conf_draft_vip {
	struct conf_value name, address;
	struct conf_value tcp[HW_VIP_PORTS], udp[HW_VIP_PORTS];
	struct conf_count n_tcp, n_udp;
};

struct conf_draft_node {
	struct conf_value name, id, pop, endpoint;
};

struct conf_draft {
	struct conf_value node, network, key_file;
	struct conf_value interfaces[CONF_INTERFACES];
	struct conf_count n_interfaces;
	struct conf_draft_vip vips[HW_VIP_IDS - 1];
	struct conf_count n_vips;
	struct conf_draft_node nodes[HW_NODE_IDS - 1];
	struct conf_count n_nodes;
	struct {
		struct conf_value flows, asks, ask_bytes;
	} limits;
	struct {
		struct conf_value flow_idle, node_down, node_lost;
	} timers;
};

enum conf_type {
	CONF_NAME,    /* of a VIP, a node, a PoP */
	CONF_DEVICE,  /* of a network interface */
	CONF_PATH,
	CONF_NUMBER,
	CONF_TIME,
	CONF_ADDRESS,
	CONF_MAP,     /* keys of its own */
};

/*
 * One value from its text; min and max bound a number, and a time in ns. Fills
 * all but line and column. False: `why` says what is wrong and what to write.
 */
bool conf_value_parse(enum conf_type type, uint64_t min, uint64_t max, const char *text,
		      struct conf_value *out, char *why, size_t why_len);
/* Two good values of one type. */
bool conf_value_equal(enum conf_type type, const struct conf_value *a, const struct conf_value *b);

/*
 * Reads a tree into a draft by the table of keys. node_given: --node stands in
 * for the key `node`. Errors go to diag.
 */
void conf_schema_read(const struct hw_yaml *root, bool node_given, struct conf_draft *draft, struct hw_diag *diag);
