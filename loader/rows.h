/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* VIPs and nodes as JSON: the objects that more than one verb shows. */
#pragma once

#include "show.h"
#include "snapshot.h"

/* An object of verdict names and counts. */
struct json_object *hw_row_verdicts(const uint64_t count[HW_VERDICT_COUNT]);

/* Arrays of what is configured, in the order of the ids. NULL on error (said). */
struct json_object *hw_row_vips(const struct hw_snapshot *s);
struct json_object *hw_row_nodes(struct hw_snapshot *s);
