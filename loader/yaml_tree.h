/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * YAML text as a tree whose every node knows its line and column. Of YAML it
 * takes what a config needs: one document of scalars, lists and mappings.
 * Anchors, aliases and tags are refused, so a tree is never larger than its text.
 */
#pragma once

#include "diag.h"

enum hw_yaml_kind {
	HW_YAML_SCALAR,
	HW_YAML_LIST,
	HW_YAML_MAP,
	HW_YAML_BAD, /* an alias: noted as an error already */
};

struct hw_yaml {
	enum hw_yaml_kind kind;
	unsigned line, column;   /* from 1 */
	char *text;              /* of a scalar; UTF-8, without NULs */
	bool plain;              /* a scalar without quotes: may mean null */
	struct hw_yaml *first;   /* of a list: its items; of a mapping: key, value, key, value ... */
	struct hw_yaml *last;
	struct hw_yaml *next;
};

/*
 * Returns the document, or NULL if there is none to work on. What is wrong is
 * noted in diag, whichever is returned. The caller frees the tree.
 */
struct hw_yaml *hw_yaml_parse(const char *text, size_t len, struct hw_diag *diag);
void hw_yaml_free(struct hw_yaml *root);

/* True for a scalar that says "nothing here": empty, ~ or null, without quotes. */
bool hw_yaml_is_null(const struct hw_yaml *node);
/* The value of a key, or NULL. */
const struct hw_yaml *hw_yaml_get(const struct hw_yaml *map, const char *key);
