/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Notices flows that live although nobody owns them (blind.h). A small table
 * of the last flows that were nobody's; who falls out of it is only noticed
 * later.
 */
#include <stdlib.h>
#include <string.h>

#include "blind.h"

#define SLOTS 1024

struct slot {
	struct hw_flow_key key;
	__u32 ack;
	__u64 at; /* 0: empty */
};

struct hw_blind {
	struct slot slot[SLOTS];
	unsigned living[HW_VIP_IDS];
};

struct hw_blind *hw_blind_new(void)
{
	return calloc(1, sizeof(struct hw_blind));
}

void hw_blind_free(struct hw_blind *b)
{
	free(b);
}

static struct slot *slot_of(struct hw_blind *b, const struct hw_flow_key *key)
{
	__u32 word[sizeof(*key) / 4], h = 0;

	memcpy(word, key, sizeof(word));
	for (size_t i = 0; i < sizeof(word) / sizeof(*word); i++)
		h = (h ^ word[i]) * 2654435761u;
	return &b->slot[h >> 22];
}

bool hw_blind_nobody(struct hw_blind *b, const struct hw_flow_key *key, uint32_t ack, uint64_t now)
{
	struct slot *s = slot_of(b, key);
	bool again = s->at && !memcmp(&s->key, key, sizeof(*key));
	bool lives = again && now - s->at >= HW_BLIND_NS && (__s32)(ack - s->ack) > 0;

	if (!again || lives)
		*s = (struct slot){ .key = *key, .ack = ack, .at = now };
	if (!lives || key->vip >= HW_VIP_IDS)
		return 0;
	return ++b->living[key->vip] == HW_BLIND_FLOWS;
}

void hw_blind_forget(struct hw_blind *b, uint16_t vip)
{
	if (vip < HW_VIP_IDS)
		b->living[vip] = 0;
}
