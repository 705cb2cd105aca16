/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * How the verbs that show things write. A verb builds one json-c tree of what
 * it has to say. `-j` prints the tree; without it, tables are drawn from the
 * same objects, by a list of columns that name the keys. So a value is computed
 * in one place, and a column described in one.
 */
#pragma once

#include <json-c/json.h>
#include <stdio.h>

#include "../maps-schema/maps.h"
#include "homeward.h"

struct hw_verdict_info {
	const char *name;
	const char *action; /* "pass", "drop", "tx" or "redirect" */
	const char *text;   /* one sentence */
};

/* By enum hw_verdict. */
extern const struct hw_verdict_info hw_verdict_info[HW_VERDICT_COUNT];

/* Values as people read them. Each writes into out (HW_CELL bytes) and returns it. */
#define HW_CELL 32
char *hw_text_seconds(double seconds, char *out); /* 12.3ms 4.2s 5m03s 2h13m 3d04h */
char *hw_text_count(uint64_t count, char *out);   /* 99999 100.0k 3.4M: powers of 1000, exact below 100000 */
char *hw_text_percent(double fraction, char *out); /* 0.25: 25.0% */

/* Breaks text between words, in place, so that no line is longer than width (unless a word is). */
void hw_text_wrap(char *text, unsigned width);

/* Put a member into an object. Text that is NULL or empty becomes null, like a time below zero: not known. */
void hw_put_text(struct json_object *o, const char *key, const char *text);
void hw_put_count(struct json_object *o, const char *key, uint64_t count);
void hw_put_bool(struct json_object *o, const char *key, bool value);
/* Kept to the microsecond, and always written with a decimal point. */
void hw_put_seconds(struct json_object *o, const char *key, double seconds);
/* The same for what may well be negative. */
void hw_put_offset(struct json_object *o, const char *key, double seconds);

/* The member that a path like "carried_to.packets" leads to; NULL if there is none. */
struct json_object *hw_json_at(struct json_object *o, const char *path);
/* The same where it is a number. 0 if there is none. */
uint64_t hw_json_count(struct json_object *o, const char *path);

/* Prints the tree on a line of its own. */
void hw_json_print(FILE *out, struct json_object *o);

void hw_json_put(struct json_object **o);
#define hw_autojson __attribute__((cleanup(hw_json_put)))

enum hw_format {
	HW_AS_TEXT,    /* to the left; true and false are "yes" and "no", null is "-" */
	HW_AS_NAME,    /* the same, and may be cut short on a narrow terminal */
	HW_AS_COUNT,   /* this and the next to the right */
	HW_AS_SHORT,   /* a count in few digits: hw_text_count */
	HW_AS_SECONDS,
	HW_AS_PERCENT, /* of a fraction */
	HW_AS_PORTS,   /* an array of numbers, to the left; "-" if it is empty, "all" if it is null */
};

struct hw_column {
	const char *key;     /* path in the row's object */
	const char *heading; /* NULL in the first column: the table has no headings */
	enum hw_format format;
	unsigned wrap;       /* text is broken between words to lines of this length; 0: never */
};

struct hw_table;

struct hw_table *hw_table_new(FILE *out, const struct hw_column *columns, size_t n);
/* The row stays the caller's. */
void hw_table_add(struct hw_table *t, struct json_object *row);
/*
 * Prints the rows added since the last time and forgets them, so that a long
 * table can be printed in parts; only the first part has headings, and columns
 * never get narrower. Without rows nothing is printed.
 */
void hw_table_print(struct hw_table *t);
void hw_table_free(struct hw_table *t);

/* An array of rows as one table. */
void hw_table_show(FILE *out, const struct hw_column *columns, size_t n, struct json_object *rows);
#define HW_COLUMNS(columns) (columns), sizeof(columns) / sizeof((columns)[0])
