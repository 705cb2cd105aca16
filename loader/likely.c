/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Who is likely to own a flow: the node that last said "mine" for its client's
 * prefix, or the one that has said it most lately. Learned from the answers to
 * other flows; a wrong guess costs one question.
 */
#include "searches.h"

#include <string.h>

#define HALVE_NS   1000000000ULL /* scores count half after this */
#define SCORE_MINE 1024          /* for one "mine": remembered for ten seconds */
#define SCORE_MAX  (1U << 30)

enum hw_node_state hw_ask_node_state(const struct hw_asker *a, uint16_t node)
{
	return a->ops.state(a->ops.ctx, node);
}

struct ask_node *hw_ask_node_find(const struct hw_asker *a, uint16_t id)
{
	for (size_t i = 0; i < a->n_nodes; i++) {
		if (a->nodes[i].id == id)
			return &a->nodes[i];
	}
	return NULL;
}

bool hw_likely_may_be(const struct hw_asker *a, uint16_t node)
{
	enum hw_node_state state = hw_ask_node_state(a, node);

	return state == HW_NODE_UP || state == HW_NODE_UNKNOWN;
}

void hw_likely_choose(struct hw_asker *a)
{
	uint32_t best = 0;

	a->most = 0;
	for (size_t i = 0; i < a->n_nodes; i++) {
		if (a->nodes[i].score <= best || !hw_likely_may_be(a, a->nodes[i].id))
			continue;
		best = a->nodes[i].score;
		a->most = a->nodes[i].id;
	}
}

void hw_likely_fade(struct hw_asker *a, uint64_t now)
{
	if (now < a->halve_at)
		return;
	for (size_t i = 0; i < a->n_nodes; i++) {
		uint64_t halvings = a->halve_at ? 1 + (now - a->halve_at) / HALVE_NS : 0;

		a->nodes[i].score = halvings < 32 ? a->nodes[i].score >> halvings : 0;
	}
	a->halve_at = now + HALVE_NS;
	hw_likely_choose(a);
}

/* The row of this client's prefix: /24 for IPv4, /48 for IPv6. */
static struct prefix *prefix_row(const struct hw_asker *a, const uint8_t client[16], struct prefix *wanted)
{
	struct hw_addr addr;
	size_t len;

	memcpy(addr.b, client, sizeof(addr.b));
	len = hw_addr_is4(&addr) ? 12 + 3 : 6;
	*wanted = (struct prefix){ 0 };
	memcpy(wanted->b, client, len);
	return &a->prefixes[hw_searches_hash(a, wanted->b, sizeof(wanted->b)) % PREFIX_ROWS];
}

/* The node that last said "mine" for this client's prefix; 0: not known. */
uint16_t hw_likely_for_prefix(const struct hw_asker *a, const struct search *s)
{
	struct prefix wanted;
	const struct prefix *row = prefix_row(a, s->key.client, &wanted);

	return memcmp(row->b, wanted.b, sizeof(row->b)) == 0 ? row->node : 0;
}

void hw_likely_note(struct hw_asker *a, const struct search *s, struct ask_node *node)
{
	struct prefix wanted;
	struct prefix *row = prefix_row(a, s->key.client, &wanted);

	wanted.node = node->id;
	*row = wanted;
	if (node->score < SCORE_MAX)
		node->score += SCORE_MINE;
	hw_likely_choose(a);
}
