/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Levenshtein's distance, a row of the table at a time. */
#include <string.h>

#include "nearest.h"

unsigned hw_nearest_distance(const char *a, const char *b)
{
	unsigned cost[32], above, left, i, j;
	size_t n = strlen(b);

	if (strlen(a) > 31 || n > 31)
		return 99;
	for (j = 0; j <= n; j++)
		cost[j] = j;
	for (i = 1; *a; a++, i++) {
		above = cost[0];
		cost[0] = i;
		for (j = 1; j <= n; j++) {
			left = cost[j];
			cost[j] = above + (*a != b[j - 1]);
			if (left + 1 < cost[j])
				cost[j] = left + 1;
			if (cost[j - 1] + 1 < cost[j])
				cost[j] = cost[j - 1] + 1;
			above = left;
		}
	}
	return cost[n];
}
