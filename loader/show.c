/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Tables (libsmartcols) and JSON (json-c) for the verbs that show things. Cells
 * come out of json-c objects, by the key that a column names, and are put into
 * words here. On a terminal libsmartcols fits a table to its width; into a pipe
 * or a file it is written in full.
 */
#include <libsmartcols.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "show.h"

#define ACTION(action) \
	((action) == XDP_PASS ? "pass" : (action) == XDP_DROP ? "drop" : (action) == XDP_TX ? "tx" : "redirect")

const struct hw_verdict_info hw_verdict_info[HW_VERDICT_COUNT] = {
#define V(name_, action_, text_) [HW_V_##name_] = { .name = #name_, .action = ACTION(action_), .text = text_ },
	HW_VERDICTS(V)
#undef V
};

char *hw_text_seconds(double seconds, char *out)
{
	bool known = seconds >= 0 && seconds < 1e12; /* not when it is NaN */
	uint64_t us = known ? (uint64_t)(seconds * 1e6 + 0.5) : 0;
	unsigned long s = (us + 500000) / 1000000;

	/* each limit is where rounding would show the next larger unit */
	if (!known)
		snprintf(out, HW_CELL, "-");
	else if (us < 100)
		snprintf(out, HW_CELL, "%luus", (unsigned long)us);
	else if (us < 999950)
		snprintf(out, HW_CELL, "%.1fms", (double)us / 1e3);
	else if (us < 59950000)
		snprintf(out, HW_CELL, "%.1fs", (double)us / 1e6);
	else if (s < 3600)
		snprintf(out, HW_CELL, "%lum%02lus", s / 60, s % 60);
	else if (s < 86400)
		snprintf(out, HW_CELL, "%luh%02lum", s / 3600, s / 60 % 60);
	else
		snprintf(out, HW_CELL, "%lud%02luh", s / 86400, s / 3600 % 24);
	return out;
}

char *hw_text_count(uint64_t count, char *out)
{
	static const char units[] = "kMGTPE";
	double value = (double)count / 1000;
	int unit = 0;

	if (count < 100000) {
		snprintf(out, HW_CELL, "%u", (unsigned)count);
		return out;
	}
	while (value >= 999.95) { /* would be printed as 1000.0 */
		value /= 1000;
		unit++;
	}
	snprintf(out, HW_CELL, "%.1f%c", value, units[unit]);
	return out;
}

char *hw_text_percent(double fraction, char *out)
{
	snprintf(out, HW_CELL, "%.1f%%", fraction * 100);
	return out;
}

void hw_text_wrap(char *text, unsigned width)
{
	char *line = text, *space = NULL;

	for (char *p = text; *p; p++) {
		if (*p == '\n') {
			line = p + 1;
			space = NULL;
		} else if (*p == ' ') {
			space = p;
		}
		if ((size_t)(p - line) >= width && space) {
			*space = '\n';
			line = space + 1;
			space = NULL;
		}
	}
}

void hw_put_text(struct json_object *o, const char *key, const char *text)
{
	json_object_object_add(o, key, text && *text ? json_object_new_string(text) : NULL);
}

void hw_put_count(struct json_object *o, const char *key, uint64_t count)
{
	json_object_object_add(o, key, json_object_new_uint64(count));
}

void hw_put_bool(struct json_object *o, const char *key, bool value)
{
	json_object_object_add(o, key, json_object_new_boolean(value));
}

void hw_put_offset(struct json_object *o, const char *key, double seconds)
{
	char digits[64];
	size_t len = (size_t)snprintf(digits, sizeof(digits), "%.6f", seconds);

	if (len >= sizeof(digits))
		return;
	while (digits[len - 1] == '0' && digits[len - 2] != '.')
		digits[--len] = '\0';
	/* json-c alone would print 0.4 with seventeen digits */
	json_object_object_add(o, key, json_object_new_double_s(seconds, digits));
}

void hw_put_seconds(struct json_object *o, const char *key, double seconds)
{
	if (seconds >= 0 && seconds < 1e12)
		hw_put_offset(o, key, seconds);
	else
		json_object_object_add(o, key, NULL);
}

struct json_object *hw_json_at(struct json_object *o, const char *path)
{
	char key[64];
	size_t len;

	while (o && *path) {
		len = strcspn(path, ".");
		snprintf(key, sizeof(key), "%.*s", (int)len, path);
		if (!json_object_object_get_ex(o, key, &o))
			return NULL;
		path += len + (path[len] == '.');
	}
	return o;
}

uint64_t hw_json_count(struct json_object *o, const char *path)
{
	return json_object_get_uint64(hw_json_at(o, path));
}

void hw_json_print(FILE *out, struct json_object *o)
{
	fprintf(out, "%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

void hw_json_put(struct json_object **o)
{
	json_object_put(*o);
	*o = NULL;
}

struct hw_table {
	struct libscols_table *scols;
	FILE *out;
	const struct hw_column *columns;
	size_t n;
	size_t width[]; /* of the columns in the parts that have been printed; 0: none has */
};

static void out_of_memory(void)
{
	hw_err("out of memory");
	exit(HW_SYSTEM);
}

static int column_flags(const struct hw_column *c)
{
	bool left = c->format == HW_AS_TEXT || c->format == HW_AS_NAME || c->format == HW_AS_PORTS;

	return (left ? 0 : SCOLS_FL_RIGHT) | (c->format == HW_AS_NAME ? SCOLS_FL_TRUNC : 0) |
	       (c->wrap ? SCOLS_FL_WRAP : 0);
}

/*
 * Each part is a libsmartcols table of its own: a column of 2.38 remembers its
 * heading as the least width and then ignores the hint where the cells are narrower.
 */
static void begin_part(struct hw_table *t)
{
	bool headings = t->columns[0].heading && !t->width[0];

	t->scols = scols_new_table();
	if (!t->scols)
		out_of_memory();
	scols_table_set_stream(t->scols, t->out);
	scols_table_enable_noheadings(t->scols, !headings);
	for (size_t i = 0; i < t->n; i++) {
		const struct hw_column *c = &t->columns[i];
		struct libscols_column *cl;

		cl = scols_table_new_column(t->scols, headings ? c->heading : "", (double)t->width[i], column_flags(c));
		if (!cl)
			out_of_memory();
		if (c->wrap) { /* the lines are broken already: hw_text_wrap */
			scols_column_set_wrapfunc(cl, scols_wrapnl_chunksize, scols_wrapnl_nextchunk, NULL);
			scols_column_set_safechars(cl, "\n");
		}
	}
}

struct hw_table *hw_table_new(FILE *out, const struct hw_column *columns, size_t n)
{
	struct hw_table *t = calloc(1, sizeof(*t) + n * sizeof(t->width[0]));

	if (!t)
		out_of_memory();
	t->out = out;
	t->columns = columns;
	t->n = n;
	begin_part(t);
	return t;
}

/* An array of numbers, with spaces between them, as a string of the caller's. */
static char *ports(struct json_object *array)
{
	size_t n = json_object_array_length(array);
	char *text = malloc(n * 8 + sizeof("-"));
	char *p = text;

	if (!text)
		return NULL;
	strcpy(text, "-");
	for (size_t i = 0; i < n; i++)
		p += sprintf(p, "%s%u", i ? " " : "", (uint16_t)json_object_get_int(json_object_array_get_idx(array, i)));
	return text;
}

/* What stands in a cell, as a string of the caller's. */
static char *cell(const struct hw_column *c, struct json_object *value)
{
	char text[HW_CELL];

	if (!value)
		return strdup(c->format == HW_AS_PORTS ? "all" : "-");
	switch (c->format) {
	case HW_AS_PORTS:
		return ports(value);
	case HW_AS_SHORT:
		return strdup(hw_text_count(json_object_get_uint64(value), text));
	case HW_AS_SECONDS:
		return strdup(hw_text_seconds(json_object_get_double(value), text));
	case HW_AS_PERCENT:
		return strdup(hw_text_percent(json_object_get_double(value), text));
	case HW_AS_TEXT:
	case HW_AS_NAME:
	case HW_AS_COUNT:
		break;
	}
	if (json_object_is_type(value, json_type_boolean))
		return strdup(json_object_get_boolean(value) ? "yes" : "no");
	return strdup(json_object_get_string(value));
}

void hw_table_add(struct hw_table *t, struct json_object *row)
{
	struct libscols_line *line = scols_table_new_line(t->scols, NULL);

	if (!line)
		out_of_memory();
	for (size_t i = 0; i < t->n; i++) {
		char *text = cell(&t->columns[i], hw_json_at(row, t->columns[i].key));

		if (!text)
			out_of_memory();
		if (t->columns[i].wrap)
			hw_text_wrap(text, t->columns[i].wrap);
		if (scols_line_refer_data(line, i, text)) /* takes it */
			out_of_memory();
	}
}

void hw_table_print(struct hw_table *t)
{
	if (!scols_table_get_nlines(t->scols))
		return;
	scols_print_table(t->scols);
	for (size_t i = 0; i < t->n; i++)
		t->width[i] = scols_column_get_width(scols_table_get_column(t->scols, i));
	scols_unref_table(t->scols);
	begin_part(t);
}

void hw_table_free(struct hw_table *t)
{
	scols_unref_table(t->scols);
	free(t);
}

void hw_table_show(FILE *out, const struct hw_column *columns, size_t n, struct json_object *rows)
{
	struct hw_table *t = hw_table_new(out, columns, n);

	for (size_t i = 0; i < json_object_array_length(rows); i++)
		hw_table_add(t, json_object_array_get_idx(rows, i));
	hw_table_print(t);
	hw_table_free(t);
}
