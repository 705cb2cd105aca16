/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The key file: one key a line, `ID HEX`. The first key signs, all are
 * accepted, so keys roll without a gap. From each cluster key the subkeys for
 * data and for control messages are derived; the cluster key itself tags
 * nothing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "../maps-schema/maps.h"

struct hw_keyring {
	unsigned n;                 /* at least 1 after a good read */
	uint8_t id[HW_KEY_IDS];     /* in the order of the file; id[0] signs */
	struct hw_key key[HW_KEY_IDS]; /* by position, like id; subkeys derived */
};

/*
 * Reads a key file. Errors, all of them, go to `errors` as "file:line:column:
 * message" (an unreadable file or one that others may read: "file: message").
 * Returns false if there was any; the ring is then not to be used.
 */
bool hw_keys_read(const char *path, struct hw_keyring *ring, FILE *errors);

/*
 * The same in two steps, for a caller that knows a better place than
 * "file: message" for an unreadable file. hw_keys_load() returns the text of
 * the file, or NULL and the reason in `why`, as a phrase that follows the
 * file's name. hw_keys_parse() takes the text: wipes and frees it. No message
 * repeats what the file says, for that is secret.
 */
char *hw_keys_load(const char *path, size_t *len, char *why, size_t why_len);
bool hw_keys_parse(char *text, size_t len, const char *path, struct hw_keyring *ring, FILE *errors);

/*
 * Subkeys of a cluster key (16 bytes): each half of a subkey is SipHash-2-4
 * under the cluster key of one 8-byte label: "hwdata-0", "hwdata-1",
 * "hwctrl-0", "hwctrl-1".
 */
void hw_keys_derive(const uint8_t cluster_key[16], struct hw_key *out);

/* The key with that id, or NULL. */
const struct hw_key *hw_keys_find(const struct hw_keyring *ring, uint8_t id);
