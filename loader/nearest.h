/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* How far one word is from another: what was probably meant, in errors about unknown keys and verbs. */
#pragma once

/* Levenshtein's distance; 99 if either is too long (over 31) to be a slip of the pen. */
unsigned hw_nearest_distance(const char *a, const char *b);
