// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * libFuzzer target: what the agent's socket receives, through hw_wire_open().
 * The input is what follows the UDP header. What is accepted must have the tag
 * that repair.h makes independently and a body that lies in the message; half
 * of the mutations get such a tag.
 */
#include <criterion/criterion.h>

#include "loader/wire.h"
#include "repair.h"
#include "tests/packet/rows.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

static struct hw_keyring ring;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	ring = (struct hw_keyring){ .n = 2, .id = { KEY_ID, OTHER_KEY }, .key = { key_row(KEY_ID), key_row(OTHER_KEY) } };
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hw_envelope env = { .network = NETWORK, .destination = SELF };
	uint8_t *message = malloc(size), tag[8];
	struct frame f = { .len = 0 };
	const uint8_t *body;
	size_t len;

	if (size <= FRAME_MAX) {
		memcpy(message, data, size); /* of its very size, for ASan */
		body = hw_wire_open(message, size, &env, &ring, &len);
		put(&f, data, size);
		if (body) {
			cr_assert(body == message + 24 && len <= size - 24 && len % 8 == 0 && len >= 64);
			cr_assert(env.kind >= HW_KIND_ASK && env.kind <= HW_KIND_PONG && env.kind == data[12]);
			cr_assert(env.source == get16(data + 14) && env.network == NETWORK);
			cr_assert(data[13] == KEY_ID || data[13] == OTHER_KEY);
			/* node 0 is no node, and to tag_of() the usual one: the agent looks at the source itself */
			cr_assert(!env.source || (tag_of(&f, 0, SELF, tag) && memcmp(tag, data + 16, 8) == 0), "the tag");
		}
	}
	free(message);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	struct frame f = { .len = LLVMFuzzerMutate(data, size, max) };
	uint8_t tag[8];

	if (f.len < 24 || f.len > FRAME_MAX || seed & 1)
		return f.len;
	memcpy(f.b, data, f.len);
	if (tag_of(&f, 0, SELF, tag))
		memcpy(data + 16, tag, 8);
	return f.len;
}
