/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The config: read whole from YAML, checked whole against one table of keys,
 * and only then used. A bad file changes nothing and yields all of its errors.
 */
#pragma once

#include <stdio.h>

#include "addr.h"
#include "homeward.h"
#include "keys.h"

struct hw_conf_vip {
	char name[HW_NAME_LEN];
	struct hw_addr addr;
	int n_tcp;                  /* 0: every TCP port; HW_VIP_NO_TCP: none */
	uint16_t tcp[HW_VIP_PORTS]; /* host order */
	unsigned n_udp;             /* 0: none is counted as served */
	uint16_t udp[HW_VIP_PORTS]; /* host order */
};

struct hw_conf_node {
	char name[HW_NAME_LEN];
	uint16_t id;                /* 1 to HW_NODE_IDS - 1 */
	char pop[HW_NAME_LEN];
	struct hw_addr endpoint;
};

struct hw_conf {
	char *path;
	uint32_t network;           /* 24 bits */
	const struct hw_conf_node *self; /* points into nodes */
	char **interfaces;
	size_t n_interfaces;
	struct hw_conf_vip *vips;
	size_t n_vips;
	struct hw_conf_node *nodes;
	size_t n_nodes;
	struct {
		uint32_t flows;     /* entries of hw_flows; default 1048576 */
		uint32_t asks;      /* unknown packets handed to the agent, a second; default 20000 */
		uint32_t ask_bytes; /* what asking may cost towards the peers, bytes a second; default 4000000 */
	} limits;
	struct {
		uint64_t flow_idle; /* ns; default 300 s */
		uint64_t node_down; /* ns; default 1 s */
		uint64_t node_lost; /* ns; default 30 s */
	} timers;
	struct hw_keyring keys;
};

/*
 * Reads and checks the config at path and the key file it names. node: the
 * name given by --node, or NULL. Every error goes to `errors` as a line
 * "file:line:column: message"; then NULL is returned. The caller frees the
 * result with hw_conf_free().
 */
struct hw_conf *hw_conf_read(const char *path, const char *node, FILE *errors);
void hw_conf_free(struct hw_conf *conf);

/* The node with that id, or NULL. */
const struct hw_conf_node *hw_conf_node(const struct hw_conf *conf, uint16_t id);
