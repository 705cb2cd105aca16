/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The table of flows that are searched. A search is found by its flow (a hash
 * table), by number (slots: a number outlives its search without harm) and by
 * the time at which it is due (a heap). With it are kept the packets that wait
 * for its end. Hashes are keyed: clients choose addresses and ports.
 */
#include "searches.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 256
#define NO_SLOT UINT32_MAX

bool hw_searches_init(struct hw_asker *a)
{
	TAILQ_INIT(&a->waiting);
	a->free_slot = NO_SLOT;
	a->n_buckets = FIRST_SLOTS;
	a->buckets = calloc(a->n_buckets, sizeof(*a->buckets));
	return a->buckets;
}

void hw_searches_free(struct hw_asker *a)
{
	for (uint32_t i = 0; i < a->n_slots; i++) {
		if (a->slots[i].search)
			hw_search_remove(a, a->slots[i].search);
	}
	free(a->slots);
	free(a->heap);
	free(a->buckets);
}

uint64_t hw_searches_hash(const struct hw_asker *a, const void *bytes, size_t len)
{
	struct hw_siphash hash;
	uint64_t word;

	hw_siphash_begin(&hash, a->hash_key);
	for (size_t at = 0; at < len; at += sizeof(word)) {
		memcpy(&word, (const char *)bytes + at, sizeof(word));
		hw_siphash_word(&hash, word);
	}
	return hw_siphash_end(&hash);
}

static struct search **bucket(const struct hw_asker *a, const struct hw_flow_key *key)
{
	return &a->buckets[hw_searches_hash(a, key, sizeof(*key)) & (a->n_buckets - 1)];
}

struct search *hw_search_find(const struct hw_asker *a, const struct hw_flow_key *key)
{
	struct search *s = *bucket(a, key);

	while (s && memcmp(&s->key, key, sizeof(*key)) != 0)
		s = s->chain;
	return s;
}

/* Twice as many buckets, or just longer chains if there is no memory for them. */
static void grow_buckets(struct hw_asker *a)
{
	uint32_t n = a->n_buckets * 2;
	struct search **buckets = calloc(n, sizeof(*buckets));

	if (!buckets)
		return;
	free(a->buckets);
	a->buckets = buckets;
	a->n_buckets = n;
	for (uint32_t i = 0; i < a->n_searches; i++) {
		struct search **row = bucket(a, &a->heap[i]->key);

		a->heap[i]->chain = *row;
		*row = a->heap[i];
	}
}

/* More slots, and as much room in the heap. */
static bool grow_slots(struct hw_asker *a)
{
	uint32_t n = a->n_slots ? a->n_slots * 2 : FIRST_SLOTS;
	struct slot *slots;
	struct search **heap;

	if (a->n_slots > UINT32_MAX / 4)
		return false;
	heap = realloc(a->heap, n * sizeof(*heap));
	if (!heap)
		return false;
	a->heap = heap;
	slots = realloc(a->slots, n * sizeof(*slots));
	if (!slots)
		return false;
	a->slots = slots;
	for (uint32_t i = a->n_slots; i < n; i++)
		slots[i] = (struct slot){ .next_free = i + 1 < n ? i + 1 : NO_SLOT };
	a->free_slot = a->n_slots;
	a->n_slots = n;
	return true;
}

static void heap_put(struct hw_asker *a, uint32_t at, struct search *s)
{
	a->heap[at] = s;
	s->heap_at = at;
}

/* Moves s from its place up or down to where it belongs. */
static void heap_sift(struct hw_asker *a, struct search *s)
{
	uint32_t at = s->heap_at, child;

	while (at && a->heap[(at - 1) / 2]->due > s->due) {
		heap_put(a, at, a->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	while ((child = 2 * at + 1) < a->n_searches) {
		if (child + 1 < a->n_searches && a->heap[child + 1]->due < a->heap[child]->due)
			child++;
		if (a->heap[child]->due >= s->due)
			break;
		heap_put(a, at, a->heap[child]);
		at = child;
	}
	heap_put(a, at, s);
}

void hw_search_set_due(struct hw_asker *a, struct search *s, uint64_t due)
{
	if (due == s->due)
		return;
	s->due = due;
	heap_sift(a, s);
}

struct search *hw_search_next(const struct hw_asker *a)
{
	return a->n_searches ? a->heap[0] : NULL;
}

struct search *hw_search_add(struct hw_asker *a, const struct hw_flow_key *key)
{
	struct search *s;
	struct search **row;

	if (a->n_searches >= a->limits.flows)
		return NULL;
	if (a->free_slot == NO_SLOT && !grow_slots(a))
		return NULL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	if (a->n_searches >= a->n_buckets)
		grow_buckets(a);
	s->key = *key;
	s->slot = a->free_slot;
	a->free_slot = a->slots[s->slot].next_free;
	a->slots[s->slot].search = s;
	row = bucket(a, key);
	s->chain = *row;
	*row = s;
	s->due = UINT64_MAX;
	heap_put(a, a->n_searches++, s);
	return s;
}

static void unheap(struct hw_asker *a, struct search *s)
{
	struct search *last = a->heap[--a->n_searches];

	if (last == s)
		return;
	heap_put(a, s->heap_at, last);
	heap_sift(a, last);
}

static uint64_t held_size(const struct hw_stray *stray)
{
	return stray ? sizeof(*stray) + stray->held : 0;
}

void hw_search_remove(struct hw_asker *a, struct search *s)
{
	struct search **at = bucket(a, &s->key);
	struct slot *slot = &a->slots[s->slot];

	while (*at != s)
		at = &(*at)->chain;
	*at = s->chain;
	unheap(a, s);
	if (s->stage == STAGE_WAIT)
		TAILQ_REMOVE(&a->waiting, s, waiting);
	if (s->held[0])
		a->view->held_flows--;
	for (int i = 0; i <= HW_HOLD_FIRST; i++) {
		if (!s->held[i])
			continue;
		a->held_bytes -= held_size(s->held[i]);
		a->view->held_packets--;
		free(s->held[i]);
	}
	slot->search = NULL;
	slot->serial++;
	slot->next_free = a->free_slot;
	a->free_slot = s->slot;
	free(s);
}

struct search_ref hw_search_ref(const struct hw_asker *a, const struct search *s)
{
	return (struct search_ref){ .slot = s->slot, .serial = a->slots[s->slot].serial };
}

struct search *hw_search_get(const struct hw_asker *a, struct search_ref ref)
{
	return a->slots[ref.slot].serial == ref.serial ? a->slots[ref.slot].search : NULL;
}

void hw_search_hold(struct hw_asker *a, struct search *s, const struct hw_stray *stray)
{
	uint64_t old_size, size = held_size(stray);
	struct hw_stray *copy = NULL;
	int at = 0;

	if (stray->len > stray->held)
		return; /* only a part of it was handed up */
	while (at < HW_HOLD_FIRST && s->held[at])
		at++;
	old_size = held_size(s->held[at]);
	if (a->held_bytes - old_size + size <= a->limits.hold_bytes)
		copy = malloc(size);
	/* either this one, or the one that was the newest until now, is not held any longer */
	if (!copy || s->held[at])
		a->view->hold_overflow++;
	if (!copy)
		return;
	memcpy(copy, stray, size);
	a->held_bytes += size - old_size;
	if (!s->held[at])
		a->view->held_packets++;
	if (at == 0)
		a->view->held_flows++;
	free(s->held[at]);
	s->held[at] = copy;
}
