/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Questions on their way out: a queue per node, sent in batches of up to
 * HW_ASK_FLOWS within a budget of bytes, and the table of what was asked and
 * may still be answered, by nonce. Queues hold searches by number, so those
 * that have ended in the meantime are simply not asked about.
 */
#include "searches.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_QUEUE    64
#define ASKED_MAX      131072         /* ASKs remembered */
#define ASKED_LIFE     2000000000ULL  /* ns; longer than any answer takes */
#define BURST_NS       250000000ULL   /* how much of the budget may be spent at once, at least one full ASK */
#define ETHERNET       14

bool hw_questions_init(struct hw_asker *a)
{
	TAILQ_INIT(&a->asked_by_age);
	a->asked = calloc(ASKED_ROWS, sizeof(*a->asked));
	return a->asked;
}

void hw_questions_free(struct hw_asker *a)
{
	while (!TAILQ_EMPTY(&a->asked_by_age))
		hw_asked_forget(a, TAILQ_FIRST(&a->asked_by_age));
	free(a->asked);
}

/* Bytes on the wire of an ASK with n questions, over the longer of the two outer headers. */
static uint64_t ask_bytes(unsigned n)
{
	return ETHERNET + HW_OVERHEAD6 + sizeof(struct hw_ask) + n * sizeof(struct hw_ask_flow);
}

static uint64_t ask_ns(const struct hw_asker *a, unsigned n)
{
	uint64_t rate = a->limits.bytes_a_second;

	return ask_bytes(n) * 1000000000ULL / (rate ? rate : 1);
}

/* When the budget allows an ASK with n questions. */
static uint64_t budget_at(const struct hw_asker *a, unsigned n)
{
	uint64_t full = ask_ns(a, HW_ASK_FLOWS);
	uint64_t spent = a->spent_until + ask_ns(a, n);
	uint64_t burst = full > BURST_NS ? full : BURST_NS;

	return spent > burst ? spent - burst : 0;
}

static void budget_spend(struct hw_asker *a, unsigned n, uint64_t now)
{
	if (a->spent_until < now)
		a->spent_until = now;
	a->spent_until += ask_ns(a, n);
}

static bool queue_push(struct queue *q, struct queued item)
{
	if (q->n == q->size) {
		uint32_t size = q->size ? q->size * 2 : FIRST_QUEUE;
		struct queued *ring = size ? calloc(size, sizeof(*ring)) : NULL;

		if (!ring)
			return false;
		for (uint32_t i = 0; i < q->n; i++)
			ring[i] = q->ring[(q->head + i) & (q->size - 1)];
		free(q->ring);
		*q = (struct queue){ .ring = ring, .size = size, .n = q->n };
	}
	q->ring[(q->head + q->n++) & (q->size - 1)] = item;
	return true;
}

/*
 * The search that the queue's first item asks about; NULL if the item is void
 * (its search has ended, has gone on to another round, or knows the answer).
 */
static struct search *queue_head(const struct hw_asker *a, const struct queue *q, uint16_t node)
{
	const struct queued *item = &q->ring[q->head];
	struct search *s = hw_search_get(a, item->ref);

	return s && s->epoch == item->epoch && !node_bit(s->no, node) ? s : NULL;
}

/* Takes the first item off. */
static void queue_pop(struct hw_asker *a, struct queue *q)
{
	struct search *s = hw_search_get(a, q->ring[q->head].ref);

	if (s)
		s->queued--;
	q->head = (q->head + 1) & (q->size - 1);
	q->n--;
	a->n_queued--;
}

/* Takes void items off the front. True if an item is left. */
static bool queue_trim(struct hw_asker *a, struct queue *q, uint16_t node)
{
	while (q->n && !queue_head(a, q, node))
		queue_pop(a, q);
	return q->n;
}

static void remember(struct hw_asker *a, struct asked *asked)
{
	if (a->n_asked >= ASKED_MAX)
		hw_asked_forget(a, TAILQ_FIRST(&a->asked_by_age));
	LIST_INSERT_HEAD(&a->asked[asked->nonce % ASKED_ROWS], asked, bucket);
	TAILQ_INSERT_TAIL(&a->asked_by_age, asked, age);
	a->n_asked++;
}

/* Takes up to HW_ASK_FLOWS questions off the node's queues. */
static void take_batch(struct hw_asker *a, struct ask_node *node, struct asked *asked, struct hw_ask_flow *flows,
		       uint64_t now)
{
	for (struct queue *q = node->queue; q < node->queue + QUEUES; q++) {
		while (asked->n < HW_ASK_FLOWS && queue_trim(a, q, node->id)) {
			struct search *s = queue_head(a, q, node->id);

			flows[asked->n] = s->question;
			asked->flow[asked->n].ref = hw_search_ref(a, s);
			asked->flow[asked->n].epoch = s->epoch;
			asked->flow[asked->n].seq = s->question.seq;
			asked->flow[asked->n].ack = s->question.ack;
			asked->flow[asked->n].tcp_flags = s->question.tcp_flags;
			asked->n++;
			queue_pop(a, q);
			hw_search_was_asked(a, s, now);
		}
	}
}

/* Sends one ASK. What cannot be sent is as good as lost: the searches' timeouts run. */
static void send_batch(struct hw_asker *a, struct ask_node *node, uint64_t now)
{
	struct hw_ask_flow flows[HW_ASK_FLOWS];
	struct asked *asked, lost = { .n = 0 };

	asked = calloc(1, sizeof(*asked));
	if (!asked) {
		take_batch(a, node, &lost, flows, now);
		return;
	}
	take_batch(a, node, asked, flows, now);
	asked->node = node->id;
	asked->sent_at = now;
	asked->nonce = a->ops.nonce(a->ops.ctx);
	if (!asked->n || !a->ops.send(a->ops.ctx, node->id, asked->nonce, flows, asked->n)) {
		free(asked);
		return;
	}
	budget_spend(a, asked->n, now);
	a->view->asks_sent++;
	a->view->ask_flows_sent += asked->n;
	a->view->ask_bytes_sent += ask_bytes(asked->n);
	remember(a, asked);
}

/* How many questions the next ASK to this node may have: an upper bound. */
static unsigned batch_size(const struct ask_node *node)
{
	uint64_t n = (uint64_t)node->queue[QUEUE_LIKELY].n + node->queue[QUEUE_ALL].n;

	return n < HW_ASK_FLOWS ? n : HW_ASK_FLOWS;
}

/*
 * A queue may hold no more than two items for each possible search. That is
 * enough for all that are alive, unless the void ones among them wait behind a
 * spent budget; then the search is told, and tries again at its next timeout.
 */
static bool queue_full(const struct hw_asker *a, const struct queue *q)
{
	return q->n / 2 >= a->limits.flows + HW_ASK_FLOWS;
}

bool hw_question_queue(struct hw_asker *a, struct ask_node *node, int which, struct search *s, uint64_t now)
{
	struct queued item = { .ref = hw_search_ref(a, s), .epoch = s->epoch, .order = a->order++ };

	if (queue_full(a, &node->queue[which]) || !queue_push(&node->queue[which], item))
		return false;
	s->queued++;
	a->n_queued++;
	a->n_queued_new++;
	/* a full batch gains nothing by waiting for the tick */
	if (batch_size(node) == HW_ASK_FLOWS && !a->put_off && budget_at(a, HW_ASK_FLOWS) <= now)
		send_batch(a, node, now);
	return true;
}

void hw_questions_drop(struct hw_asker *a, struct ask_node *node)
{
	for (struct queue *q = node->queue; q < node->queue + QUEUES; q++) {
		while (q->n) {
			struct search *s = queue_head(a, q, node->id);

			if (s)
				node_bit_clear(s->asked, node->id);
			queue_pop(a, q);
		}
		free(q->ring);
		*q = (struct queue){ 0 };
	}
}

/* The node whose first question in this class of queues is the oldest; NULL: they are empty. */
static struct ask_node *oldest(struct hw_asker *a, int which)
{
	struct ask_node *best = NULL;

	for (struct ask_node *node = a->nodes; node < a->nodes + a->n_nodes; node++) {
		struct queue *q = &node->queue[which];

		if (!queue_trim(a, q, node->id))
			continue;
		if (!best || q->ring[q->head].order < best->queue[which].ring[best->queue[which].head].order)
			best = node;
	}
	return best;
}

uint64_t hw_questions_flush(struct hw_asker *a, uint64_t now)
{
	for (int which = 0; which < QUEUES; which++) {
		struct ask_node *node;

		while ((node = oldest(a, which))) {
			uint64_t at = budget_at(a, batch_size(node));

			if (at > now) {
				/* those queued last are those that have not been counted before */
				a->view->asks_over_budget +=
					a->n_queued_new < a->n_queued ? a->n_queued_new : a->n_queued;
				a->n_queued_new = 0;
				a->put_off = true;
				return at;
			}
			send_batch(a, node, now);
		}
	}
	a->n_queued_new = 0;
	a->put_off = false;
	return UINT64_MAX;
}

/* Is this the question that was asked, with only the grade filled in? */
static bool same_question(const struct search *s, const struct asked *asked, unsigned i, const struct hw_ask_flow *got)
{
	struct hw_ask_flow want = s->question;

	want.seq = asked->flow[i].seq;
	want.ack = asked->flow[i].ack;
	want.tcp_flags = asked->flow[i].tcp_flags;
	want.grade = got->grade;
	return memcmp(&want, got, sizeof(want)) == 0 && got->grade <= HW_GRADE_MINE;
}

struct asked *hw_asked_match(struct hw_asker *a, uint16_t node, uint64_t nonce, const struct hw_ask_flow *flows,
			     unsigned n)
{
	struct asked *asked;

	LIST_FOREACH(asked, &a->asked[nonce % ASKED_ROWS], bucket) {
		if (asked->nonce == nonce)
			break;
	}
	if (!asked || asked->node != node || asked->n != n)
		return NULL;
	for (unsigned i = 0; i < n; i++) {
		const struct search *s = hw_search_get(a, asked->flow[i].ref);

		if (s && !same_question(s, asked, i, &flows[i]))
			return NULL;
	}
	return asked;
}

void hw_asked_forget(struct hw_asker *a, struct asked *asked)
{
	LIST_REMOVE(asked, bucket);
	TAILQ_REMOVE(&a->asked_by_age, asked, age);
	a->n_asked--;
	free(asked);
}

void hw_asked_expire(struct hw_asker *a, uint64_t now)
{
	struct asked *first;

	while ((first = TAILQ_FIRST(&a->asked_by_age)) && now - first->sent_at >= ASKED_LIFE)
		hw_asked_forget(a, first);
}
