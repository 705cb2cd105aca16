/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Reads edge.jsonl, packets that others found worth testing: a JSON object a line, the frame in hex. */
#pragma once

#include <json-c/json.h>

#include <criterion/criterion.h>

#include "frame.h"

#define EDGES_MAX 256

static struct edge {
	char what[160];
	struct frame frame;
} edges[EDGES_MAX];
static int n_edges;

static inline void edge_read(const char *line)
{
	struct json_object *o = json_tokener_parse(line), *hex, *set, *text;
	struct edge *e = &edges[n_edges++];
	const char *h;
	unsigned byte;

	cr_assert(n_edges <= EDGES_MAX && o && json_object_object_get_ex(o, "hex", &hex) &&
		  json_object_object_get_ex(o, "set", &set) && json_object_object_get_ex(o, "description", &text));
	snprintf(e->what, sizeof(e->what), "%s: %s", json_object_get_string(set), json_object_get_string(text));
	for (h = json_object_get_string(hex); sscanf(h, "%2x", &byte) == 1; h += 2)
		put8(&e->frame, byte);
	cr_assert(*h == '\0' && e->frame.len >= ETH, "%s", e->what);
	json_object_put(o);
}

static inline void edges_read(void)
{
	const char *path = "tests/packet/edge.jsonl";
	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t size = 0;

	cr_assert(file, "%s: %s (the tests run in the top directory)", path, strerror(errno));
	while (getline(&line, &size, file) > 0)
		edge_read(line);
	free(line);
	fclose(file);
	cr_assert(n_edges > 100);
}

static inline bool edge_is6(const struct frame *f) { return get16(f->b + 12) == 0x86dd; }
