/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Which nodes are there. PINGs go out through the ops, PONGs come from the
 * agent's socket (struct hw_ping, network byte order; everything kept here is
 * in host order). A PONG tells two things: that its sender is there, and whom
 * its sender hears. What it hears counts about a silent node only if the PING
 * was sent after that node had been silent for node-down: then the two of us
 * speak about the same time. The path MTU is pathmtu.c's.
 */
#include "pathmtu.h"
#include "peers.h"

#include <arpa/inet.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define NONCES     8   /* PINGs of a node that may still be answered */
#define INTERVALS  5   /* PINGs within node-down, in good times ... */
#define QUICK      10  /* ... and while it must be settled whether a node is dead */

struct peer_ping {
	uint64_t nonce;
	uint64_t sent_at;
	bool out;             /* not answered yet */
};

struct peer {
	uint16_t id;
	bool v4;
	bool near;            /* of our own PoP */
	bool given_up;        /* HW_NODE_DEAD because it was lost for node-lost: no hearsay brings it back */
	enum hw_node_state state;
	uint64_t added;
	uint64_t heard;       /* 0: never */
	uint64_t lost_at;     /* once it is HW_NODE_LOST */
	uint64_t ping_at;     /* when to send the next */
	uint64_t pinged;      /* when the last was sent; 0: never */
	struct peer_ping pings[NONCES];
	unsigned next_ping;
	uint64_t said_at;     /* when the PING was sent that its last word answers; 0: no word yet */
	bool witness;         /* it could tell whom it hears: */
	uint8_t hears[HW_HEARS_BYTES];
	uint64_t rtt;         /* smoothed, RFC 6298 section 2 */
	int64_t clock;
	uint32_t schema;
	struct hw_pathmtu mtu;
};

struct hw_peers {
	uint16_t self;
	struct hw_peers_timers timers;
	struct hw_peers_ops ops;
	bool started;
	uint64_t since;       /* what was not heard before this says nothing: we were not here */
	uint64_t expected;    /* when we asked to be called again */
	size_t n;
	struct peer **peers;
	struct peer *by_id[HW_NODE_IDS];
};

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool bit(const uint8_t *bits, uint16_t id)
{
	return bits[id / 8] >> (id % 8) & 1;
}

struct hw_peers *hw_peers_new(uint16_t self, const struct hw_peers_timers *timers, const struct hw_peers_ops *ops)
{
	struct hw_peers *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->self = self;
	p->timers = *timers;
	p->ops = *ops;
	return p;
}

void hw_peers_free(struct hw_peers *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n; i++)
		free(p->peers[i]);
	free(p->peers);
	free(p);
}

void hw_peers_set_timers(struct hw_peers *p, const struct hw_peers_timers *timers)
{
	p->timers = *timers;
}

/*
 * Whoever was away for long (stopped, a paused machine) has heard nobody
 * meanwhile, which is no news about anybody.
 */
static bool was_away(const struct hw_peers *p, uint64_t now)
{
	return !p->started || now > p->expected + p->timers.node_down / 2;
}

static void wake(struct hw_peers *p, uint64_t now)
{
	if (was_away(p, now)) {
		p->since = now;
		p->expected = now;
	}
	p->started = true;
}

static uint16_t small_size(const struct peer *peer)
{
	return (peer->v4 ? HW_OVERHEAD4 : HW_OVERHEAD6) + sizeof(struct hw_ping);
}

/* The first PINGs go out at once, and the second ones such that those of all nodes are spread over the interval. */
static uint64_t next_interval(const struct hw_peers *p, const struct peer *peer)
{
	uint64_t interval = p->timers.node_down / INTERVALS;

	if (peer->pinged)
		return interval;
	return interval / 2 + interval / 2 * (peer->id * 2654435761U >> 24) / 256;
}

/* The peers as they will be; those that stay are not touched. */
static struct peer **merge(struct hw_peers *p, const struct hw_peer_node *nodes, size_t n, uint64_t now)
{
	struct peer **peers = calloc(n ? n : 1, sizeof(*peers));

	for (size_t i = 0; peers && i < n; i++) {
		peers[i] = p->by_id[nodes[i].id];
		if (peers[i])
			continue;
		peers[i] = calloc(1, sizeof(**peers));
		if (!peers[i]) {
			while (i--) {
				if (!p->by_id[nodes[i].id])
					free(peers[i]);
			}
			free(peers);
			return NULL;
		}
		peers[i]->id = nodes[i].id;
		peers[i]->added = now;
		peers[i]->ping_at = now;
	}
	return peers;
}

bool hw_peers_set_nodes(struct hw_peers *p, const struct hw_peer_node *nodes, size_t n, uint64_t now)
{
	struct peer **peers = merge(p, nodes, n, now);

	if (!peers)
		return false;
	wake(p, now);
	for (size_t i = 0; i < n; i++) {
		p->by_id[nodes[i].id] = NULL; /* claimed: what is left there now is gone from the config */
		peers[i]->v4 = nodes[i].v4;
		peers[i]->near = nodes[i].near;
	}
	for (size_t i = 0; i < p->n; i++) {
		uint16_t id = p->peers[i]->id;

		if (p->by_id[id])
			free(p->peers[i]);
		p->by_id[id] = NULL;
	}
	for (size_t i = 0; i < n; i++)
		p->by_id[nodes[i].id] = peers[i];
	free(p->peers);
	p->peers = peers;
	p->n = n;
	return true;
}

static void tell(struct hw_peers *p, const struct peer *peer, enum hw_node_state from)
{
	p->ops.changed(p->ops.ctx, peer->id, from, peer->state, peer->mtu.path);
}

void hw_peers_set_mtu(struct hw_peers *p, uint16_t node, uint32_t mtu, uint64_t now)
{
	struct peer *peer = node < HW_NODE_IDS ? p->by_id[node] : NULL;
	uint32_t before;

	if (!peer)
		return;
	before = peer->mtu.path;
	hw_pathmtu_route(&peer->mtu, mtu, peer->v4, now);
	if (peer->mtu.path != before)
		tell(p, peer, peer->state);
}

/* --- states --- */

static void set_state(struct hw_peers *p, struct peer *peer, enum hw_node_state state, uint64_t now)
{
	enum hw_node_state from = peer->state;

	if (state == from)
		return;
	peer->state = state;
	if (state == HW_NODE_LOST)
		peer->lost_at = now;
	if (state == HW_NODE_UP)
		hw_pathmtu_check(&peer->mtu, now); /* the path may be another one */
	tell(p, peer, from);
}

/* From when on it counts as silent. */
static uint64_t silent_at(const struct hw_peers *p, const struct peer *peer)
{
	uint64_t last = peer->heard ? peer->heard : peer->added;

	return (last > p->since ? last : p->since) + p->timers.node_down;
}

/* From when on it counts as dead, once it is HW_NODE_LOST, whatever others say. */
static uint64_t give_up_at(const struct hw_peers *p, const struct peer *peer)
{
	return (peer->lost_at > p->since ? peer->lost_at : p->since) + p->timers.node_lost;
}

/* Has w spoken about the time in which `peer` was silent? */
static bool has_spoken(const struct hw_peers *p, const struct peer *w, const struct peer *peer)
{
	return w->said_at && w->said_at >= silent_at(p, peer);
}

/*
 * Whose word is worth waiting for: a node that has been heard lately. One that
 * missed two PINGs may be dying as well, and must not keep us from judging.
 */
static bool will_speak(const struct hw_peers *p, const struct peer *w, uint64_t now)
{
	return w->state == HW_NODE_UP && now - w->heard < p->timers.node_down * 2 / INTERVALS;
}

/* Is a silent node dead, in the eyes of all who can tell? */
static enum hw_node_state judge(const struct hw_peers *p, const struct peer *peer, uint64_t now)
{
	unsigned deny = 0, wait = 0;

	for (size_t i = 0; i < p->n; i++) {
		const struct peer *w = p->peers[i];

		if (w == peer || w->state != HW_NODE_UP)
			continue;
		if (!has_spoken(p, w, peer))
			wait += will_speak(p, w, now);
		else if (w->witness && bit(w->hears, peer->id))
			return HW_NODE_LOST;
		else
			deny += w->witness && (!w->near || peer->near);
	}
	return deny && !wait ? HW_NODE_DEAD : HW_NODE_LOST;
}

static void update_state(struct hw_peers *p, struct peer *peer, uint64_t now)
{
	if (peer->state == HW_NODE_DEAD || now < silent_at(p, peer))
		return;
	set_state(p, peer, HW_NODE_LOST, now);
	if (now >= give_up_at(p, peer)) {
		peer->given_up = true;
		set_state(p, peer, HW_NODE_DEAD, now);
		return;
	}
	set_state(p, peer, judge(p, peer, now), now);
}

/* What w has just said about the silent. */
static void hear_testimony(struct hw_peers *p, const struct peer *w, uint64_t now)
{
	for (size_t i = 0; i < p->n; i++) {
		struct peer *peer = p->peers[i];

		if (peer == w)
			continue;
		if (peer->state == HW_NODE_LOST)
			update_state(p, peer, now);
		else if (peer->state == HW_NODE_DEAD && !peer->given_up && w->witness && bit(w->hears, peer->id) &&
			 has_spoken(p, w, peer))
			set_state(p, peer, HW_NODE_LOST, now); /* it is back, but cannot be heard from here */
	}
}

/* --- PONGs --- */

/* When the PING with this nonce was sent; 0: none is out. Each is answered once. */
static uint64_t take_nonce(struct peer *peer, uint64_t nonce)
{
	for (unsigned i = 0; i < NONCES; i++) {
		if (!peer->pings[i].out || peer->pings[i].nonce != nonce)
			continue;
		peer->pings[i].out = false;
		return peer->pings[i].sent_at;
	}
	return 0;
}

static void note_clock(struct peer *peer, const struct hw_ping *pong, uint64_t rtt, uint64_t wall_ns)
{
	if (!peer->rtt)
		peer->rtt = rtt ? rtt : 1;
	else
		peer->rtt += ((int64_t)rtt - (int64_t)peer->rtt) / 8;
	peer->clock = be64toh(pong->wall_ns) + rtt / 2 - wall_ns;
	peer->schema = ntohl(pong->schema);
}

void hw_peers_pong(struct hw_peers *p, uint16_t node, const struct hw_ping *pong, uint64_t now, uint64_t wall_ns)
{
	struct peer *peer = node < HW_NODE_IDS ? p->by_id[node] : NULL;
	uint64_t sent_at, nonce = be64toh(pong->nonce);
	uint32_t path;

	if (!peer)
		return;
	wake(p, now);
	path = peer->mtu.path;
	sent_at = take_nonce(peer, nonce);
	if (sent_at)
		hw_pathmtu_answered(&peer->mtu, sent_at);
	else
		sent_at = hw_pathmtu_pong(&peer->mtu, nonce, now);
	if (!sent_at)
		return;
	peer->heard = now;
	peer->given_up = false;
	note_clock(peer, pong, now - sent_at, wall_ns);
	if (sent_at >= peer->said_at) {
		peer->said_at = sent_at;
		peer->witness = pong->flags & HW_PONG_WITNESS;
		memcpy(peer->hears, pong->hears, sizeof(peer->hears));
	}
	if (peer->state == HW_NODE_UP && peer->mtu.path != path)
		tell(p, peer, peer->state);
	set_state(p, peer, HW_NODE_UP, now);
	hear_testimony(p, peer, now);
}

/* --- PINGs --- */

static void send_ping(struct hw_peers *p, struct peer *peer, uint64_t now)
{
	struct peer_ping *ping = &peer->pings[peer->next_ping++ % NONCES];

	*ping = (struct peer_ping){ .nonce = p->ops.nonce(p->ops.ctx), .sent_at = now, .out = true };
	peer->ping_at = now + next_interval(p, peer);
	peer->pinged = now;
	p->ops.ping(p->ops.ctx, peer->id, ping->nonce, small_size(peer));
}

static void probe_path(struct hw_peers *p, struct peer *peer, uint64_t now)
{
	uint32_t before = peer->mtu.path;
	uint64_t nonce = p->ops.nonce(p->ops.ctx);
	uint16_t size = hw_pathmtu_tick(&peer->mtu, nonce, peer->rtt, now);

	if (size)
		p->ops.ping(p->ops.ctx, peer->id, nonce, size);
	if (peer->mtu.path != before)
		tell(p, peer, peer->state);
}

/*
 * When nodes have been silent for node-down, those who could tell whether they
 * are dead, and have not been asked since, are asked at once and quickly again.
 */
static void ask_witnesses(struct hw_peers *p, uint64_t now)
{
	uint64_t latest = 0;

	for (size_t i = 0; i < p->n; i++) {
		if (p->peers[i]->state == HW_NODE_LOST && silent_at(p, p->peers[i]) > latest)
			latest = silent_at(p, p->peers[i]);
	}
	for (size_t i = 0; i < p->n; i++) {
		struct peer *w = p->peers[i];
		uint64_t at;

		if (w->state != HW_NODE_UP || w->said_at >= latest)
			continue;
		at = w->pinged >= latest ? w->pinged + p->timers.node_down / QUICK : now;
		w->ping_at = earlier(w->ping_at, at);
	}
}

/* When something must be done about this peer. */
static uint64_t due(const struct hw_peers *p, const struct peer *peer)
{
	uint64_t at = peer->ping_at;

	switch (peer->state) {
	case HW_NODE_UP:
		at = earlier(at, hw_pathmtu_due(&peer->mtu));
		/* fall through */
	case HW_NODE_UNKNOWN:
		return earlier(at, silent_at(p, peer));
	case HW_NODE_LOST:
		return earlier(at, give_up_at(p, peer));
	default:
		return at;
	}
}

uint64_t hw_peers_tick(struct hw_peers *p, uint64_t now)
{
	uint64_t next = UINT64_MAX;

	wake(p, now);
	for (size_t i = 0; i < p->n; i++)
		update_state(p, p->peers[i], now);
	ask_witnesses(p, now);
	for (size_t i = 0; i < p->n; i++) {
		struct peer *peer = p->peers[i];

		if (peer->ping_at <= now)
			send_ping(p, peer, now);
		if (peer->state == HW_NODE_UP && hw_pathmtu_due(&peer->mtu) <= now)
			probe_path(p, peer, now);
		next = earlier(next, due(p, peer));
	}
	p->expected = next == UINT64_MAX ? now : next;
	return next;
}

/* --- views --- */

enum hw_node_state hw_peers_state(const struct hw_peers *p, uint16_t node)
{
	if (node == p->self)
		return HW_NODE_SELF;
	return node < HW_NODE_IDS && p->by_id[node] ? p->by_id[node]->state : HW_NODE_UNKNOWN;
}

bool hw_peers_knows(const struct hw_peers *p, uint16_t node)
{
	return node < HW_NODE_IDS && p->by_id[node];
}

uint64_t hw_peers_rtt(const struct hw_peers *p, uint16_t node)
{
	return node < HW_NODE_IDS && p->by_id[node] ? p->by_id[node]->rtt : 0;
}

void hw_peers_view(const struct hw_peers *p, uint16_t node, struct hw_node_view *view)
{
	const struct peer *peer = node < HW_NODE_IDS ? p->by_id[node] : NULL;

	view->state = hw_peers_state(p, node);
	view->path_mtu = peer ? peer->mtu.path : 0;
	view->rtt_ns = peer ? peer->rtt : 0;
	view->heard_ns = peer ? peer->heard : 0;
	view->clock_ns = peer ? peer->clock : 0;
	view->schema = peer ? peer->schema : 0;
}

bool hw_peers_hears(const struct hw_peers *p, uint64_t now, uint8_t hears[HW_HEARS_BYTES])
{
	memset(hears, 0, HW_HEARS_BYTES);
	for (size_t i = 0; i < p->n; i++) {
		const struct peer *peer = p->peers[i];

		if (peer->heard && now - peer->heard < p->timers.node_down / 4 * 3)
			hears[peer->id / 8] |= 1 << peer->id % 8;
	}
	return !was_away(p, now) && now - p->since >= p->timers.node_down;
}
