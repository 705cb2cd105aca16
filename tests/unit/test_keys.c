/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Keys: the hash against an independent implementation and published vectors,
 * the subkeys against vectors made elsewhere, and the key file with all that
 * can be wrong with it.
 */
#include "scratch.h"

#include "../../loader/keys.h"

#define ROWS(table) (sizeof(table) / sizeof(table[0]))
#define HEX1 "000102030405060708090a0b0c0d0e0f"
#define HEX2 "ffeeddccbbaa99887766554433221100"

/* SipHash-2-4 byte by byte, from the paper (section 2.1 to 2.3), sharing nothing with maps-schema/siphash.h. */
static void paper_round(uint64_t v[4])
{
	static const struct { int a, b, rotate, swap; } steps[] = {
		{ 0, 1, 13, 1 }, { 2, 3, 16, 0 }, { 0, 3, 21, 0 }, { 2, 1, 17, 1 },
	};
	int i;

	for (i = 0; i < 4; i++) {
		uint64_t *a = &v[steps[i].a], *b = &v[steps[i].b];

		*a += *b;
		*b = *b << steps[i].rotate | *b >> (64 - steps[i].rotate);
		*b ^= *a;
		if (steps[i].swap)
			*a = *a << 32 | *a >> 32;
	}
}

static uint64_t paper_siphash(const uint8_t key[16], const uint8_t *message, size_t len)
{
	static const char salt[] = "uespemosmodnarodarenegylsetybdet"; /* "somepseudorandomlygeneratedbytes", by words */
	uint64_t v[4] = { 0 }, word = 0;
	size_t i, padded = len / 8 * 8 + 8;

	for (i = 0; i < 32; i++)
		v[i / 8] |= (uint64_t)((uint8_t)salt[i] ^ key[i % 16]) << (i % 8 * 8);
	for (i = 0; i < padded; i++) {
		uint8_t byte = i < len ? message[i] : i == padded - 1 ? len & 0xff : 0;

		word |= (uint64_t)byte << (i % 8 * 8);
		if (i % 8 != 7)
			continue;
		v[3] ^= word;
		paper_round(v);
		paper_round(v);
		v[0] ^= word;
		word = 0;
	}
	v[2] ^= 0xff;
	for (i = 0; i < 4; i++)
		paper_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static uint64_t our_siphash(const uint8_t key[16], const uint8_t *message, size_t len)
{
	struct hw_siphash s;
	__u64 halves[2], word;
	size_t i;

	memcpy(halves, key, 16);
	hw_siphash_begin(&s, halves);
	for (i = 0; i < len; i += 8) {
		memcpy(&word, message + i, 8);
		hw_siphash_word(&s, word);
	}
	return hw_siphash_end(&s);
}

Test(siphash, published_vectors)
{
	/* vectors_sip64 of the reference code; the one of 15 bytes is in the paper, appendix A */
	static const struct { size_t len; uint64_t hash; } rows[] = {
		{ 0, 0x726fdb47dd0e0e31 },  { 8, 0x93f5f5799a932462 },  { 15, 0xa129ca6149be45e5 },
		{ 16, 0x3f2acc7f57c29bdb }, { 24, 0xb8ad50c6f649af94 }, { 32, 0x7127512f72f27cce },
		{ 40, 0x0e3ea96b5304a7d0 },
	};
	uint8_t key[16], message[64];
	size_t i;

	for (i = 0; i < sizeof(message); i++)
		message[i] = key[i % 16] = i;
	for (i = 0; i < sizeof(key); i++)
		key[i] = i;
	for (i = 0; i < ROWS(rows); i++) {
		cr_expect_eq(paper_siphash(key, message, rows[i].len), rows[i].hash, "paper, %zu", rows[i].len);
		if (rows[i].len % 8 == 0)
			cr_expect_eq(our_siphash(key, message, rows[i].len), rows[i].hash, "ours, %zu", rows[i].len);
	}
}

Test(siphash, agrees_with_the_paper_on_random_messages)
{
	uint8_t key[16], message[512];
	size_t i, n, len;

	srandom(1);
	for (n = 0; n < 500; n++) {
		for (i = 0; i < sizeof(key); i++)
			key[i] = random();
		for (i = 0; i < sizeof(message); i++)
			message[i] = random();
		len = n % 65 * 8; /* past 256 bytes the length byte wraps */
		if (len > sizeof(message))
			len = sizeof(message);
		cr_assert_eq(our_siphash(key, message, len), paper_siphash(key, message, len), "%zu bytes", len);
	}
}

Test(keys, derive)
{
	static const struct {
		uint8_t key[16];
		uint64_t data[2], control[2];
	} rows[] = {
		{ { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
		  { 0x4b902ebaefc7e03a, 0x1604e6c044256ff2 }, { 0xd85d14a939ffee9b, 0xeb1191d49034434a } },
		{ { 0xff, 0xee, 0xdd, 0xcc, 0xbb, 0xaa, 0x99, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0 },
		  { 0xb16667abc6ef2a6e, 0x56ced01d149e1e1a }, { 0xd040a026b9eece75, 0x89eed86c0d36204a } },
		{ { 0 },
		  { 0x8d3be28594b57543, 0x23f2544f77c9fec1 }, { 0x7aa4163bf0726ecf, 0x047254ddc0868f27 } },
	};
	struct hw_key key;
	size_t i;

	for (i = 0; i < ROWS(rows); i++) {
		memset(&key, 0xff, sizeof(key));
		hw_keys_derive(rows[i].key, &key);
		cr_expect_arr_eq(key.data, rows[i].data, 16, "row %zu", i);
		cr_expect_arr_eq(key.control, rows[i].control, 16, "row %zu", i);
		cr_expect_eq(key.valid, 1);
		cr_expect_eq(key.reserved, 0);
		cr_expect_eq(key.data[0], paper_siphash(rows[i].key, (const uint8_t *)"hwdata-0", 8));
		cr_expect_eq(key.control[1], paper_siphash(rows[i].key, (const uint8_t *)"hwctrl-1", 8));
	}
}

/* Reads a key file of that text; returns what was said, without the directory. The caller frees it. */
static char *read_keys(const char *text, size_t len, mode_t mode, struct hw_keyring *ring, bool *good)
{
	char *path = scratch_path("keys"), *said = NULL;
	size_t said_len;
	FILE *errors = open_memstream(&said, &said_len);

	scratch_write("keys", text, len, mode);
	*good = hw_keys_read(path, ring, errors);
	fclose(errors);
	free(path);
	return said;
}

/* Every line of `said` is at `places`, a list of "line:column" with blanks between. */
static void expect_places(const char *said, const char *places, const char *row)
{
	char *got, *copy = strdup(said), *line, *save = NULL;
	size_t len, prefix = strlen(scratch_dir) + strlen("/keys:");
	FILE *out = open_memstream(&got, &len);
	unsigned l, c;

	for (line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		cr_assert(strlen(line) > prefix && sscanf(line + prefix, "%u:%u: ", &l, &c) == 2, "%s: %s", row, line);
		fprintf(out, "%s%u:%u", ftell(out) ? " " : "", l, c);
	}
	fclose(out);
	cr_expect_str_eq(got, places, "%s: at %s, not at %s:\n%s", row, got, places, said);
	free(got);
	free(copy);
}

TestSuite(keyfile, .init = scratch_begin, .fini = scratch_end);

Test(keyfile, good_files)
{
	static const struct {
		const char *name, *text;
		unsigned n;
		uint8_t ids[3];
	} rows[] = {
		{ "one", "1 " HEX1 "\n", 1, { 1 } },
		{ "no newline at the end", "0 " HEX1, 1, { 0 } },
		{ "in the order of the file", "9 " HEX1 "\n255 " HEX2 "\n3 " HEX1 "\n", 3, { 9, 255, 3 } },
		{ "comments and blank lines", "# old\n\n  # x\n1 " HEX1 " # signs\n\t\n2 " HEX2 "\n", 2, { 1, 2 } },
		{ "blanks around, tabs", "  1\t \t" HEX1 "  \n", 1, { 1 } },
		{ "CRLF", "1 " HEX1 "\r\n2 " HEX2 "\r\n", 2, { 1, 2 } },
		{ "upper case", "1 000102030405060708090A0B0C0D0E0F\n", 1, { 1 } },
	};
	struct hw_keyring ring;
	struct hw_key want;
	size_t i, j;
	char *said;
	bool good;

	hw_keys_derive((const uint8_t *)"\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17", &want);
	for (i = 0; i < ROWS(rows); i++) {
		said = read_keys(rows[i].text, strlen(rows[i].text), 0600, &ring, &good);
		cr_expect(good, "%s: %s", rows[i].name, said);
		cr_expect_str_eq(said, "", "%s: %s", rows[i].name, said);
		cr_expect_eq(ring.n, rows[i].n, "%s", rows[i].name);
		for (j = 0; j < rows[i].n; j++)
			cr_expect_eq(ring.id[j], rows[i].ids[j], "%s: key %zu", rows[i].name, j);
		cr_expect_arr_eq(&ring.key[0], &want, sizeof(want), "%s", rows[i].name);
		free(said);
	}
}

Test(keyfile, bad_files)
{
	static const struct {
		const char *name, *text, *places, *says;
	} rows[] = {
		{ "empty", "", "1:1", "keygen" },
		{ "comments only", "# 1 " HEX1 "\n\n", "1:1", "no key" },
		{ "no key", "1\n", "1:2", "32 hex digits" },
		{ "no key but blanks", "1   \n", "1:5", "32 hex digits" },
		{ "no key but a comment", "1 # " HEX1 "\n", "1:3", "32 hex digits" },
		{ "id too large", "256 " HEX1 "\n", "1:1", "0 to 255" },
		{ "id far too large", "18446744073709551617 " HEX1 "\n", "1:1", "0 to 255" },
		{ "id negative", "-1 " HEX1 "\n", "1:1", "0 to 255" },
		{ "id in hex", " 0x1 " HEX1 "\n", "1:2", "0 to 255" },
		{ "id is a word", "one " HEX1 "\n", "1:1", "0 to 255" },
		{ "31 digits", "1 000102030405060708090a0b0c0d0e0\n", "1:3", "31 hex digits" },
		{ "33 digits", "1 " HEX1 "0\n", "1:3", "33 hex digits" },
		{ "not hex", "1 00010203040506070g090a0b0c0d0e0f\n", "1:20", "not a hex digit" },
		{ "0x before the key", "1 0x" HEX1 "\n", "1:4", "not a hex digit" },
		{ "text behind", "1 " HEX1 " 2\n", "1:36", "behind the key" },
		{ "the same id again", "1 " HEX1 "\n2 " HEX2 "\n1 " HEX2 "\n", "3:1", "already on line 1" },
		{ "the other way round", HEX1 " 1\n", "1:1 1:34", "0 to 255" },
		{ "every bad line", "x " HEX1 "\n2 zz\n\n3 " HEX1 " y\n4\n", "1:1 2:3 4:36 5:2", "not a hex digit" },
		{ "UTF-8 mark", "\xef\xbb\xbf" "1 " HEX1 "\n", "1:1", "0 to 255" },
	};
	struct hw_keyring ring;
	size_t i;
	char *said;
	bool good;

	for (i = 0; i < ROWS(rows); i++) {
		said = read_keys(rows[i].text, strlen(rows[i].text), 0600, &ring, &good);
		cr_expect_not(good, "%s: taken", rows[i].name);
		expect_places(said, rows[i].places, rows[i].name);
		cr_expect(strstr(said, rows[i].says), "%s: not \"%s\":\n%s", rows[i].name, rows[i].says, said);
		cr_expect_null(strstr(said, "0203"), "%s: a secret is shown:\n%s", rows[i].name, said);
		free(said);
	}
}

Test(keyfile, nul_bytes)
{
	static const char text[] = "1 \0\0\n\0\n";
	struct hw_keyring ring;
	bool good;
	char *said = read_keys(text, sizeof(text) - 1, 0600, &ring, &good);

	cr_expect_not(good);
	expect_places(said, "1:3 2:1 2:2", "NULs");
	free(said);
}

Test(keyfile, all_256_ids)
{
	struct hw_keyring ring;
	char *text, *said;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	bool good;
	int i;

	for (i = 0; i < 256; i++)
		fprintf(out, "%d %030x%02x\n", 255 - i, 7, i);
	fclose(out);
	said = read_keys(text, len, 0600, &ring, &good);
	cr_expect(good, "%s", said);
	cr_expect_eq(ring.n, 256);
	cr_expect_eq(hw_keys_find(&ring, 255), &ring.key[0]);
	cr_expect_eq(hw_keys_find(&ring, 0), &ring.key[255]);
	free(said);
	free(text);
}

Test(keyfile, find)
{
	struct hw_keyring ring;
	bool good;
	char *said = read_keys("5 " HEX1 "\n6 " HEX2 "\n", 70, 0600, &ring, &good);

	cr_assert(good);
	cr_expect_eq(hw_keys_find(&ring, 5), &ring.key[0]);
	cr_expect_eq(hw_keys_find(&ring, 6), &ring.key[1]);
	cr_expect_null(hw_keys_find(&ring, 0)); /* what rows behind n say */
	free(said);
}

Test(keyfile, must_be_private)
{
	static const struct {
		mode_t mode;
		bool good;
	} rows[] = {
		{ 0600, true }, { 0400, true }, { 0700, true },
		{ 0640, false }, { 0604, false }, { 0644, false }, { 0660, false }, { 0620, false }, { 0602, false },
	};
	struct hw_keyring ring;
	char *said, mode[8];
	size_t i;
	bool good;

	for (i = 0; i < ROWS(rows); i++) {
		said = read_keys("1 " HEX1 "\n", 35, rows[i].mode, &ring, &good);
		cr_expect_eq(good, rows[i].good, "%o: %s", rows[i].mode, said);
		snprintf(mode, sizeof(mode), "%04o", rows[i].mode);
		if (!rows[i].good)
			cr_expect(strstr(said, mode) && strstr(said, "chmod 600"), "%o: %s", rows[i].mode, said);
		free(said);
	}
}

Test(keyfile, must_be_a_file)
{
	static const char *const names[] = { "none", "directory", "fifo", "huge" };
	static const char *const says[] = { "No such file", "is a directory", "regular file", "too large" };
	char *path[4], *said, *huge = malloc(100000);
	struct hw_keyring ring;
	size_t i, len;
	FILE *errors;

	memset(huge, '\n', 100000);
	scratch_write("huge", huge, 100000, 0600);
	free(huge);
	for (i = 0; i < 4; i++)
		path[i] = scratch_path(names[i]);
	cr_assert_eq(mkdir(path[1], 0700), 0);
	cr_assert_eq(mkfifo(path[2], 0600), 0);
	for (i = 0; i < 4; i++) {
		errors = open_memstream(&said, &len);
		cr_expect_not(hw_keys_read(path[i], &ring, errors));
		fclose(errors);
		cr_expect_eq(strncmp(said, path[i], strlen(path[i])), 0, "%s", said);
		cr_expect(strstr(said, says[i]), "%s: %s", names[i], said);
		free(said);
		free(path[i]);
	}
}
