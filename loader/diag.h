/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Errors in a text file, collected while it is read and printed in the order
 * of the file, as "file:line:column: message".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct hw_diag {
	struct hw_diag_entry *entries;
	size_t n;
	bool lost; /* memory ran out: not all errors are here */
};

/* Notes an error. Line and column count from 1, columns in characters. */
void hw_diag_add(struct hw_diag *diag, unsigned line, unsigned column, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* True while no error has been noted. */
bool hw_diag_clean(const struct hw_diag *diag);

/* Prints all of them, sorted; control characters in them become question marks. */
void hw_diag_print(struct hw_diag *diag, const char *path, FILE *out);
void hw_diag_free(struct hw_diag *diag);
