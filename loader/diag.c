/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The list of errors behind a config or key file. Checks note errors in the
 * order in which they find them; people want them in the order of the file.
 */
#include <stdarg.h>
#include <stdlib.h>

#include "diag.h"

struct hw_diag_entry {
	unsigned line, column;
	size_t order; /* of the call: two errors at one place keep it */
	char *message;
};

void hw_diag_add(struct hw_diag *diag, unsigned line, unsigned column, const char *fmt, ...)
{
	struct hw_diag_entry *entry;
	char *message;
	va_list args;
	int len;

	/* Room is made whenever n is a power of two (or 0). */
	if (!(diag->n & (diag->n - 1))) {
		entry = reallocarray(diag->entries, diag->n ? diag->n * 2 : 1, sizeof(*entry));
		if (!entry) {
			diag->lost = true;
			return;
		}
		diag->entries = entry;
	}
	va_start(args, fmt);
	len = vasprintf(&message, fmt, args);
	va_end(args);
	if (len < 0) {
		diag->lost = true;
		return;
	}
	diag->entries[diag->n] = (struct hw_diag_entry){ line, column, diag->n, message };
	diag->n++;
}

bool hw_diag_clean(const struct hw_diag *diag)
{
	return !diag->n && !diag->lost;
}

static int by_place(const void *a, const void *b)
{
	const struct hw_diag_entry *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* One error is one line, and a config must not be able to steer a terminal (C0, DEL, and C1 in UTF-8). */
static void defuse(char *text)
{
	unsigned char *p = (unsigned char *)text;

	for (; *p; p++) {
		if (*p < 0x20 || *p == 0x7f)
			*p = '?';
		else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
			p[0] = p[1] = '?';
	}
}

void hw_diag_print(struct hw_diag *diag, const char *path, FILE *out)
{
	size_t i;

	if (diag->n)
		qsort(diag->entries, diag->n, sizeof(*diag->entries), by_place);
	for (i = 0; i < diag->n; i++) {
		defuse(diag->entries[i].message);
		fprintf(out, "%s:%u:%u: %s\n", path, diag->entries[i].line, diag->entries[i].column,
			diag->entries[i].message);
	}
	if (diag->lost)
		fprintf(out, "%s:1:1: out of memory: not all errors are shown\n", path);
}

void hw_diag_free(struct hw_diag *diag)
{
	size_t i;

	for (i = 0; i < diag->n; i++)
		free(diag->entries[i].message);
	free(diag->entries);
	*diag = (struct hw_diag){ 0 };
}
