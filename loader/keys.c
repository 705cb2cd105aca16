/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The key file: read, checked line by line, and turned into the subkeys that
 * the maps and the wire code use. What is in the file is secret: messages give
 * the place and never the text, and the text is wiped after use.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "diag.h"
#include "keys.h"
#include "textfile.h"

#define KEY_FILE_MAX 65536
#define KEY_BYTES    16

/* What the lines so far have given. */
struct reading {
	struct hw_keyring *ring;
	unsigned line_of[HW_KEY_IDS]; /* 0: no such id yet */
	struct hw_diag diag;
};

/* A word on a line: `at` bytes from its start. */
struct word {
	const char *text;
	size_t at, len;
};

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next word from *pos on; its len is 0 at the end of the line or at a comment. */
static struct word next_word(const char *line, size_t len, size_t *pos)
{
	struct word word;

	while (*pos < len && blank(line[*pos]))
		(*pos)++;
	word.at = *pos;
	word.text = line + *pos;
	if (*pos < len && line[*pos] != '#')
		while (*pos < len && !blank(line[*pos]))
			(*pos)++;
	word.len = *pos - word.at;
	return word;
}

/* Returns the id, or -1 (said). */
static int read_id(struct reading *r, const struct word *word, unsigned line)
{
	unsigned id = 0;
	size_t i;

	for (i = 0; i < word->len && i < 4 && isdigit((unsigned char)word->text[i]); i++)
		id = id * 10 + (word->text[i] - '0');
	if (i < word->len || i > 3 || id >= HW_KEY_IDS) {
		hw_diag_add(&r->diag, line, word->at + 1,
			    "the key id is not a number from 0 to %d: write a line as `ID HEX`", HW_KEY_IDS - 1);
		return -1;
	}
	if (r->line_of[id]) {
		hw_diag_add(&r->diag, line, word->at + 1, "key id %u is already on line %u: give each key its own",
			    id, r->line_of[id]);
		return -1;
	}
	r->line_of[id] = line;
	return id;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool read_hex(struct reading *r, const struct word *word, unsigned line, uint8_t key[KEY_BYTES])
{
	size_t i;

	if (!word->len) {
		hw_diag_add(&r->diag, line, word->at + 1,
			    "no key behind the id: write %d hex digits, as `homeward keygen` does", 2 * KEY_BYTES);
		return false;
	}
	for (i = 0; i < word->len; i++) {
		if (hex_digit(word->text[i]) < 0) {
			hw_diag_add(&r->diag, line, word->at + i + 1,
				    "not a hex digit: a key is made of 0 to 9 and a to f");
			return false;
		}
	}
	if (word->len != 2 * KEY_BYTES) {
		hw_diag_add(&r->diag, line, word->at + 1, "the key has %zu hex digits: it must have %d (128 bits)",
			    word->len, 2 * KEY_BYTES);
		return false;
	}
	for (i = 0; i < KEY_BYTES; i++)
		key[i] = hex_digit(word->text[2 * i]) << 4 | hex_digit(word->text[2 * i + 1]);
	return true;
}

static void read_line(struct reading *r, const char *text, size_t len, unsigned line)
{
	uint8_t key[KEY_BYTES];
	size_t pos = 0;
	struct word word = next_word(text, len, &pos);
	bool good;
	int id;

	if (!word.len)
		return;
	id = read_id(r, &word, line);
	word = next_word(text, len, &pos);
	good = read_hex(r, &word, line, key);
	word = next_word(text, len, &pos);
	if (word.len)
		hw_diag_add(&r->diag, line, word.at + 1, "text behind the key: one key a line, comments begin with #");
	if (id >= 0 && good) {
		r->ring->id[r->ring->n] = id;
		hw_keys_derive(key, &r->ring->key[r->ring->n]);
		r->ring->n++;
	}
	explicit_bzero(key, sizeof(key));
}

char *hw_keys_load(const char *path, size_t *len, char *why, size_t why_len)
{
	return hw_textfile_read(path, KEY_FILE_MAX, 077, len, why, why_len);
}

bool hw_keys_parse(char *text, size_t len, const char *path, struct hw_keyring *ring, FILE *errors)
{
	struct reading r = { .ring = ring };
	const char *p = text, *end = text + len;
	unsigned line = 1;
	bool good;

	memset(ring, 0, sizeof(*ring));
	for (; p < end; line++) {
		const char *eol = memchr(p, '\n', end - p);

		if (!eol)
			eol = end;
		read_line(&r, p, eol - p, line);
		p = eol + 1;
	}
	if (!ring->n && hw_diag_clean(&r.diag))
		hw_diag_add(&r.diag, 1, 1, "no key in this file: `homeward keygen` prints one");
	good = hw_diag_clean(&r.diag);
	hw_diag_print(&r.diag, path, errors);
	hw_diag_free(&r.diag);
	explicit_bzero(text, len);
	free(text);
	return good;
}

bool hw_keys_read(const char *path, struct hw_keyring *ring, FILE *errors)
{
	char why[512];
	size_t len;
	char *text = hw_keys_load(path, &len, why, sizeof(why));

	if (!text) {
		fprintf(errors, "%s: %s\n", path, why);
		return false;
	}
	return hw_keys_parse(text, len, path, ring, errors);
}

/* Subkeys are kept as the numbers that hw_siphash_begin() wants. */
static __u64 subkey_half(const __u64 cluster[2], const char label[8])
{
	struct hw_siphash s;
	__u64 word;

	memcpy(&word, label, sizeof(word));
	hw_siphash_begin(&s, cluster);
	hw_siphash_word(&s, word);
	return hw_siphash_end(&s);
}

void hw_keys_derive(const uint8_t cluster_key[16], struct hw_key *out)
{
	__u64 cluster[2];

	memcpy(cluster, cluster_key, sizeof(cluster));
	memset(out, 0, sizeof(*out));
	out->data[0] = subkey_half(cluster, "hwdata-0");
	out->data[1] = subkey_half(cluster, "hwdata-1");
	out->control[0] = subkey_half(cluster, "hwctrl-0");
	out->control[1] = subkey_half(cluster, "hwctrl-1");
	out->valid = 1;
	explicit_bzero(cluster, sizeof(cluster));
}

const struct hw_key *hw_keys_find(const struct hw_keyring *ring, uint8_t id)
{
	unsigned i;

	for (i = 0; i < ring->n; i++)
		if (ring->id[i] == id)
			return &ring->key[i];
	return NULL;
}
