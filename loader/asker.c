/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Whom to ask about a flow that nobody here knows, and what to make of the
 * answers. Strays come from the XDP program's ring buffer, answers from the
 * agent's socket; questions, homes and held packets go out through the ops.
 * A search goes through its stages in the order of `enum stage`; when everyone
 * has said "not mine" it pauses and asks everyone once more. Keys are in host
 * byte order, questions (struct hw_ask_flow) in network byte order.
 */
#include "searches.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define TH_SYN 0x02
#define TH_RST 0x04
#define TH_ACK 0x10

#define MAX_BACKOFF   3              /* doublings of the timeout */
#define MAX_TIMEOUT   (HW_ASK_TIMEOUT << MAX_BACKOFF)
#define FORGET_NS     10000000000ULL /* without a new packet: the client has given up, or will send again */
#define OPEN_NS       60000000000ULL
#define PROBES        HW_ASK_FLOWS   /* searches that ask everyone while no likely home is known */

static bool is_barred(const struct search *s, uint16_t node, uint64_t now)
{
	return node == s->bar_node && now < s->bar_until;
}

/* --- timers --- */

/* How long to wait for those who are asked now. */
static uint64_t timeout(const struct hw_asker *a, const struct search *s)
{
	uint64_t ns = a->patience << (s->tries < MAX_BACKOFF ? s->tries : MAX_BACKOFF);
	const struct ask_node *node;

	if (s->stage == STAGE_ALL)
		return ns < MAX_TIMEOUT ? ns : MAX_TIMEOUT;
	node = hw_ask_node_find(a, s->target);
	return node ? node->timeout : HW_ASK_TIMEOUT;
}

/* Answers are due by then, or the bar of a node ends and it can be asked too. */
static void set_answer_by(struct hw_asker *a, struct search *s, uint64_t at, uint64_t now)
{
	s->answer_by = at;
	if (is_barred(s, s->bar_node, now) && s->bar_until < at)
		at = s->bar_until;
	hw_search_set_due(a, s, at);
}

void hw_search_was_asked(struct hw_asker *a, struct search *s, uint64_t now)
{
	set_answer_by(a, s, now + timeout(a, s), now);
}

/* --- the end of a search --- */

static void probe_done(struct hw_asker *a, struct search *s)
{
	if (s->probe)
		a->probes--;
	s->probe = false;
}

static void finish(struct hw_asker *a, struct search *s)
{
	probe_done(a, s);
	hw_search_remove(a, s);
}

static void give_up(struct hw_asker *a, struct search *s)
{
	a->view->flows_given_up++;
	finish(a, s);
}

static void replay(struct hw_asker *a, const struct hw_stray *stray, enum hw_replay what)
{
	a->ops.replay(a->ops.ctx, stray, what);
	a->view->replayed++;
}

static void finish_found(struct hw_asker *a, struct search *s, struct ask_node *home)
{
	hw_likely_note(a, s, home);
	a->view->flows_found++;
	if (!a->ops.found(a->ops.ctx, &s->key, &s->newest, home->id)) {
		a->view->flow_map_full++;
		finish(a, s);
		return;
	}
	for (int i = 0; i <= HW_HOLD_FIRST; i++) {
		/* no packet is sent twice to one node */
		if (s->held[i] && s->held[i]->returned_by != home->id)
			replay(a, s->held[i], HW_REPLAY_CARRY);
	}
	finish(a, s);
}

/* Everyone has said "not mine" twice. */
static void finish_nobody(struct hw_asker *a, struct search *s)
{
	int newest = HW_HOLD_FIRST;

	if (s->doubtful) {
		a->view->flows_doubtful++;
		finish(a, s);
		return;
	}
	a->view->flows_nobody++;
	a->ops.nobody(a->ops.ctx, &s->key, &s->question);
	while (newest > 0 && !s->held[newest])
		newest--;
	/* one is enough: each would get a RST of its own. The XDP program looks for a socket once more. */
	if (s->held[newest])
		replay(a, s->held[newest], HW_REPLAY_DELIVER);
	finish(a, s);
}

/* --- rounds and stages --- */

/* Has every node that is not dead said "not mine" in this round? */
static bool round_is_over(const struct hw_asker *a, const struct search *s)
{
	for (size_t i = 0; i < a->n_nodes; i++) {
		uint16_t id = a->nodes[i].id;

		if (!node_bit(s->no, id) && hw_ask_node_state(a, id) != HW_NODE_DEAD)
			return false;
	}
	return true;
}

static void set_round(struct search *s, int round, enum stage stage)
{
	s->round = round;
	s->stage = stage;
	s->epoch++;
	s->tries = 0;
	s->question = s->newest;
	memset(s->no, 0, sizeof(s->no));
	memset(s->asked, 0, sizeof(s->asked));
}

static void end_round(struct hw_asker *a, struct search *s, uint64_t now)
{
	probe_done(a, s);
	if (s->round == 2) {
		finish_nobody(a, s);
		return;
	}
	s->stage = STAGE_PAUSE;
	hw_search_set_due(a, s, now + HW_ASK_PAUSE);
}

/* Those who were asked and have not spoken may be asked again. */
static void forget_silent(struct search *s)
{
	for (int i = 0; i < NODE_WORDS; i++)
		s->asked[i] &= s->no[i];
}

/* Asks everyone who has neither spoken nor been asked; the round may be over without. */
static void ask_all(struct hw_asker *a, struct search *s, uint64_t now)
{
	if (round_is_over(a, s)) {
		end_round(a, s, now);
		return;
	}
	set_answer_by(a, s, now + timeout(a, s), now);
	for (size_t i = 0; i < a->n_nodes; i++) {
		struct ask_node *node = &a->nodes[i];

		if (node_bit(s->no, node->id) || node_bit(s->asked, node->id) || is_barred(s, node->id, now) ||
		    hw_ask_node_state(a, node->id) == HW_NODE_DEAD)
			continue;
		if (hw_question_queue(a, node, QUEUE_ALL, s, now))
			node_bit_set(s->asked, node->id);
	}
}

/* Asks one node alone, if that is worth while. */
static bool ask_likely(struct hw_asker *a, struct search *s, uint16_t id, uint64_t now)
{
	struct ask_node *node = id ? hw_ask_node_find(a, id) : NULL;

	if (!node || !hw_likely_may_be(a, id) || node_bit(s->no, id) || node_bit(s->asked, id) || is_barred(s, id, now))
		return false;
	s->target = id;
	if (!hw_question_queue(a, node, QUEUE_LIKELY, s, now))
		return false;
	node_bit_set(s->asked, id);
	set_answer_by(a, s, now + timeout(a, s), now);
	return true;
}

/*
 * Too many searches and too little budget: whoever is not at a likely home is
 * dropped before it costs a question to everyone, so that the others get a
 * place in the table. The client sends again.
 */
static bool is_overrun(const struct hw_asker *a)
{
	return a->put_off && a->n_searches > a->limits.flows / 4 * 3;
}

/* The stage before has led to nothing: on to the next that applies. */
static void next_stage(struct hw_asker *a, struct search *s, uint64_t now)
{
	if (s->stage == STAGE_WAIT)
		TAILQ_REMOVE(&a->waiting, s, waiting);
	if (s->stage < STAGE_PREFIX) {
		s->stage = STAGE_PREFIX;
		if (ask_likely(a, s, hw_likely_for_prefix(a, s), now))
			return;
	}
	if (s->stage < STAGE_MOST) {
		s->stage = STAGE_MOST;
		if (ask_likely(a, s, a->most, now))
			return;
	}
	if (s->stage < STAGE_WAIT && !a->most && a->n_nodes > 1 && a->probes >= PROBES) {
		s->stage = STAGE_WAIT;
		TAILQ_INSERT_TAIL(&a->waiting, s, waiting);
		hw_search_set_due(a, s, now + a->patience);
		return;
	}
	s->stage = STAGE_ALL;
	if (is_overrun(a)) {
		give_up(a, s);
		return;
	}
	if (!a->most) {
		s->probe = true;
		a->probes++;
	}
	forget_silent(s);
	ask_all(a, s, now);
}

/* From the beginning: who is there has changed. */
static void restart(struct hw_asker *a, struct search *s, uint64_t now)
{
	if (s->stage == STAGE_WAIT)
		TAILQ_REMOVE(&a->waiting, s, waiting);
	probe_done(a, s);
	set_round(s, 1, STAGE_START);
	next_stage(a, s, now);
}

/* Other nodes than those it was begun with. */
static void renew(struct hw_asker *a, struct search *s, uint64_t now)
{
	if (s->generation == a->generation)
		return;
	s->generation = a->generation;
	restart(a, s, now);
}

/* Answers are overdue, or a node's bar has ended. */
static void ask_again(struct hw_asker *a, struct search *s, uint64_t now)
{
	bool overdue = now >= s->answer_by;

	if (s->stage != STAGE_ALL) {
		if (overdue)
			next_stage(a, s, now);
		else
			set_answer_by(a, s, s->answer_by, now);
		return;
	}
	if (overdue) {
		forget_silent(s);
		if (s->tries < MAX_BACKOFF)
			s->tries++;
	}
	ask_all(a, s, now);
}

/* A search's time has come. It is due later afterwards, or gone. */
static void fire(struct hw_asker *a, struct search *s, uint64_t now)
{
	if (now - s->packet_at >= FORGET_NS || now - s->begun >= OPEN_NS) {
		give_up(a, s);
		return;
	}
	switch (s->stage) {
	case STAGE_PAUSE:
		set_round(s, 2, STAGE_ALL);
		ask_all(a, s, now);
		return;
	case STAGE_WAIT:
		next_stage(a, s, now);
		return;
	default:
		/* not even asked yet: the budget is spent */
		if (s->queued && now >= s->answer_by)
			set_answer_by(a, s, now + MAX_TIMEOUT, now);
		else
			ask_again(a, s, now);
	}
}

/* Those who wait for others to find a likely home: it is known now, or it is their turn to look. */
static void admit(struct hw_asker *a, uint64_t now)
{
	struct search *s;

	while ((a->most || a->probes < PROBES) && (s = TAILQ_FIRST(&a->waiting))) {
		TAILQ_REMOVE(&a->waiting, s, waiting);
		s->stage = STAGE_START;
		next_stage(a, s, now);
	}
}

/* --- the nodes --- */

static void look_at_timeouts(struct hw_asker *a)
{
	a->patience = HW_ASK_TIMEOUT;
	for (struct ask_node *node = a->nodes; node < a->nodes + a->n_nodes; node++) {
		uint64_t rtt = a->ops.rtt ? a->ops.rtt(a->ops.ctx, node->id) : 0;

		node->timeout = rtt < MAX_TIMEOUT / 2 ? 2 * rtt : MAX_TIMEOUT;
		if (node->timeout < HW_ASK_TIMEOUT)
			node->timeout = HW_ASK_TIMEOUT;
		if (node->state == HW_NODE_UP && node->timeout > a->patience)
			a->patience = node->timeout;
	}
}

/*
 * Calls `what` for each search. It may end that search, and no other; new ones
 * are not begun meanwhile.
 */
static void for_each(struct hw_asker *a, void (*what)(struct hw_asker *, struct search *, uint64_t), uint64_t now)
{
	for (uint32_t i = 0; i < a->n_slots; i++) {
		if (a->slots[i].search)
			what(a, a->slots[i].search, now);
	}
}

/* A node fell silent for good, or is heard again: those who wait for it need not wait for their timeout. */
static void look_again(struct hw_asker *a, struct search *s, uint64_t now)
{
	if (s->stage != STAGE_ALL)
		return;
	if (!s->queued) {
		forget_silent(s);
		s->tries = 0;
	}
	ask_all(a, s, now);
}

/* Acts upon changes of the nodes' states; they are rare, so all searches may be looked at. */
static void look_at_states(struct hw_asker *a, uint64_t now)
{
	bool changed = false, risen = false;

	for (struct ask_node *node = a->nodes; node < a->nodes + a->n_nodes; node++) {
		enum hw_node_state state = hw_ask_node_state(a, node->id);

		if (state == node->state)
			continue;
		/* LOST says nothing new about the flows */
		changed |= state == HW_NODE_DEAD || state == HW_NODE_UP;
		risen |= node->state == HW_NODE_DEAD;
		node->state = state;
		hw_likely_choose(a);
	}
	/* whom the dead may own was settled without asking them: that no longer holds */
	if (changed || risen)
		for_each(a, risen ? restart : look_again, now);
}

/* --- the public side --- */

struct hw_asker *hw_asker_new(const struct hw_asker_limits *limits, const struct hw_asker_ops *ops,
			      struct hw_agent_view *view)
{
	struct hw_asker *a = calloc(1, sizeof(*a));
	bool ok;

	if (!a)
		return NULL;
	a->limits = *limits;
	a->ops = *ops;
	a->view = view;
	a->patience = HW_ASK_TIMEOUT;
	a->hash_key[0] = ops->nonce(ops->ctx);
	a->hash_key[1] = ops->nonce(ops->ctx);
	a->prefixes = calloc(PREFIX_ROWS, sizeof(*a->prefixes));
	ok = hw_searches_init(a);
	ok = hw_questions_init(a) && ok; /* both in any case: hw_asker_free() relies on it */
	if (ok && a->prefixes)
		return a;
	hw_asker_free(a);
	return NULL;
}

void hw_asker_free(struct hw_asker *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->n_nodes; i++)
		hw_questions_drop(a, &a->nodes[i]);
	hw_questions_free(a);
	hw_searches_free(a);
	free(a->nodes);
	free(a->prefixes);
	free(a);
}

/* The searches begin again at the next tick: who is new has not been asked, who is gone need not answer. */
bool hw_asker_set_nodes(struct hw_asker *a, const uint16_t *ids, size_t n)
{
	struct ask_node *nodes = calloc(n ? n : 1, sizeof(*nodes));

	if (!nodes)
		return false;
	for (size_t i = 0; i < a->n_nodes; i++)
		hw_questions_drop(a, &a->nodes[i]);
	for (size_t i = 0; i < n; i++) {
		const struct ask_node *old = hw_ask_node_find(a, ids[i]);

		nodes[i].id = ids[i];
		nodes[i].timeout = HW_ASK_TIMEOUT;
		nodes[i].score = old ? old->score : 0;
		nodes[i].state = hw_ask_node_state(a, ids[i]);
	}
	free(a->nodes);
	a->nodes = nodes;
	a->n_nodes = n;
	a->generation++;
	hw_likely_choose(a);
	return true;
}

void hw_asker_set_limits(struct hw_asker *a, const struct hw_asker_limits *limits)
{
	if (limits->bytes_a_second != a->limits.bytes_a_second)
		a->spent_until = 0; /* counted at the old rate */
	a->limits = *limits;
}

struct hw_ask_flow hw_asker_question(const struct hw_stray *stray)
{
	struct hw_ask_flow q = {
		.client_port = htons(stray->key.client_port),
		.vip_port = htons(stray->key.vip_port),
		.seq = htonl(stray->seq),
		.ack = htonl(stray->ack),
		.tcp_flags = stray->tcp_flags,
	};

	memcpy(q.client, stray->key.client, sizeof(q.client));
	memcpy(q.vip, stray->vip, sizeof(q.vip));
	return q;
}

/* RSTs and SYN-ACKs: nothing is urgent about them, and floods are made of them. */
static bool comes_last(const struct hw_stray *stray)
{
	return stray->tcp_flags & TH_RST || (stray->tcp_flags & (TH_SYN | TH_ACK)) == (TH_SYN | TH_ACK);
}

static struct search *begin(struct hw_asker *a, const struct hw_stray *stray, uint64_t now)
{
	struct search *s = hw_search_add(a, &stray->key);

	if (!s)
		return NULL;
	a->view->flows_asked++;
	s->begun = now;
	s->generation = a->generation;
	s->newest = hw_asker_question(stray);
	set_round(s, 1, STAGE_START);
	return s;
}

static void bar(struct hw_asker *a, struct search *s, uint16_t node, uint64_t now)
{
	bool asking = (s->stage == STAGE_PREFIX || s->stage == STAGE_MOST) && s->target == node;

	s->bar_node = node;
	s->bar_until = now + HW_RETURN_BAR;
	node_bit_clear(s->asked, node);
	if (asking)
		next_stage(a, s, now);
}

void hw_asker_stray(struct hw_asker *a, const struct hw_stray *stray, uint64_t now)
{
	struct search *s = hw_search_find(a, &stray->key);
	bool is_new = !s;

	if (comes_last(stray) && (a->put_off || a->n_searches > a->limits.flows / 2)) {
		*(s ? &a->view->hold_overflow : &a->view->table_full) += 1;
		return;
	}
	if (is_new)
		s = begin(a, stray, now);
	if (!s) {
		a->view->table_full++;
		return;
	}
	s->packet_at = now;
	if (!comes_last(stray))
		s->newest = hw_asker_question(stray);
	hw_search_hold(a, s, stray);
	if (stray->returned_by)
		bar(a, s, stray->returned_by, now);
	if (is_new)
		next_stage(a, s, now);
}

/* One node's word on one flow, of the round that is numbered `epoch`. */
static void hear(struct hw_asker *a, struct search *s, struct ask_node *node, uint32_t epoch, enum hw_grade grade,
		 uint64_t now)
{
	if (is_barred(s, node->id, now)) {
		node_bit_clear(s->asked, node->id); /* it has just shown otherwise; ask it when the bar ends */
		return;
	}
	if (grade == HW_GRADE_MINE) {
		finish_found(a, s, node);
		return;
	}
	s->doubtful |= grade == HW_GRADE_DOUBTFUL;
	if (epoch != s->epoch)
		return; /* what it said before this round began is not fresh */
	node_bit_set(s->no, node->id);
	if (s->stage == STAGE_ALL && round_is_over(a, s))
		end_round(a, s, now);
	else if ((s->stage == STAGE_PREFIX || s->stage == STAGE_MOST) && s->target == node->id)
		next_stage(a, s, now);
}

void hw_asker_answer(struct hw_asker *a, uint16_t node, uint64_t nonce, const struct hw_ask_flow *flows,
		     unsigned n, uint64_t now)
{
	struct ask_node *from = hw_ask_node_find(a, node);
	struct asked *asked = from ? hw_asked_match(a, node, nonce, flows, n) : NULL;

	if (!asked) {
		a->view->answers_unasked++;
		return;
	}
	a->view->answers++;
	hw_likely_fade(a, now);
	for (unsigned i = 0; i < n; i++) {
		struct search *s = hw_search_get(a, asked->flow[i].ref);

		if (s)
			hear(a, s, from, asked->flow[i].epoch, flows[i].grade, now);
	}
	hw_asked_forget(a, asked);
	admit(a, now);
}

uint64_t hw_asker_tick(struct hw_asker *a, uint64_t now)
{
	struct search *s;
	uint64_t when;

	hw_likely_fade(a, now);
	look_at_states(a, now);
	look_at_timeouts(a);
	if (a->generation != a->generation_seen)
		for_each(a, renew, now);
	a->generation_seen = a->generation;
	while ((s = hw_search_next(a)) && s->due <= now)
		fire(a, s, now);
	admit(a, now);
	hw_asked_expire(a, now);
	when = hw_questions_flush(a, now);
	s = hw_search_next(a);
	return s && s->due < when ? s->due : when;
}
