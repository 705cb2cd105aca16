/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The path MTU to one node. A router that drops an outer packet as too big
 * sends its ICMP error to an address that has no socket for it, so the sizes
 * are tried out: first what the route allows, then what tunnels usually leave,
 * then between those. The size in use is probed all the time, since a path can
 * shrink under way.
 */
#include "pathmtu.h"

#include <stddef.h>

#define FLOOR4   576            /* what every IPv4 host must accept: RFC 1122, section 3.3.2 */
#define FLOOR6   1280           /* RFC 8200, section 5 */
#define MIN_WAIT 100000000ULL   /* ns for the answer to a probe, at least; three round trips ... */
#define MAX_WAIT 1000000000ULL  /* ... but no longer than this */

/*
 * What is left of Ethernet's 1500 bytes behind PPPoE (1492), IPIP (1480),
 * VXLAN (1450), WireGuard (1420) and so on; 1352 and 1332 are what a carried
 * packet of 1280 bytes needs.
 */
static const uint16_t usual[] = { 1500, 1492, 1480, 1450, 1420, 1400, 1380, 1352, 1332, 1280 };

/* The size to try next; 0: the result is good enough. */
static uint32_t candidate(const struct hw_pathmtu *m)
{
	if (m->fails > m->route)
		return m->route > m->passes ? m->route : 0;
	if (m->fails <= m->passes + HW_PATHMTU_STEP)
		return 0;
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
		if (usual[i] < m->fails && usual[i] > m->passes)
			return usual[i];
	}
	return m->passes + (m->fails - m->passes) / 2;
}

static void start_probe(struct hw_pathmtu *m, uint32_t size, uint64_t now)
{
	m->size = size;
	m->tries = 0;
	m->answered = false;
	m->first_at = now;
	m->next_at = now;
}

/* What is known has changed: on with the search, or to its end. */
static void go_on(struct hw_pathmtu *m, uint64_t now)
{
	uint32_t next = m->searching ? candidate(m) : 0;

	if (next) {
		if (m->path >= m->fails)
			m->path = next; /* too large for certain; this may be too, but wastes less if it is not */
		start_probe(m, next, now);
		return;
	}
	if (m->searching) {
		m->path = m->passes;
		m->grow_at = m->passes < m->route ? now + HW_PATHMTU_GROW : 0;
	}
	m->searching = false;
	m->size = 0;
	m->next_at = now + HW_PATHMTU_CHECK;
}

void hw_pathmtu_route(struct hw_pathmtu *m, uint32_t mtu, bool v4, uint64_t now)
{
	uint32_t floor = v4 ? FLOOR4 : FLOOR6;

	if (mtu > UINT16_MAX)
		mtu = UINT16_MAX; /* the largest IP packet */
	if (mtu == m->route && floor == m->floor)
		return;
	*m = (struct hw_pathmtu){
		.route = mtu,
		.path = mtu,
		.passes = floor,
		.fails = mtu + 1,
		.floor = floor,
		.searching = mtu > floor,
		.next_at = UINT64_MAX,
	};
	if (m->searching)
		start_probe(m, mtu, now);
}

void hw_pathmtu_check(struct hw_pathmtu *m, uint64_t now)
{
	if (m->route > m->floor)
		start_probe(m, m->size ? m->size : m->path, now);
}

uint64_t hw_pathmtu_due(const struct hw_pathmtu *m)
{
	return m->route > m->floor ? m->next_at : UINT64_MAX;
}

/* The probe's size does not pass. */
static void failed(struct hw_pathmtu *m, uint64_t now)
{
	if (!m->searching)
		m->passes = m->floor; /* it did, once: nothing is certain any longer */
	m->searching = true;
	m->fails = m->size;
	go_on(m, now);
}

/* Nothing is out: is it time to look for more, or to see whether the size in use still passes? */
static void next_probe(struct hw_pathmtu *m, uint64_t now)
{
	if (m->grow_at && now >= m->grow_at) {
		m->grow_at = 0;
		m->searching = true;
		m->passes = m->path;
		m->fails = m->route + 1;
	}
	start_probe(m, m->searching ? m->route : m->path, now);
}

uint16_t hw_pathmtu_tick(struct hw_pathmtu *m, uint64_t nonce, uint64_t rtt, uint64_t now)
{
	uint64_t wait = 3 * rtt < MIN_WAIT ? MIN_WAIT : 3 * rtt > MAX_WAIT ? MAX_WAIT : 3 * rtt;

	if (now < hw_pathmtu_due(m))
		return 0;
	if (m->size && m->tries == HW_PATHMTU_TRIES && m->answered)
		failed(m, now);
	else if (m->size && m->tries == HW_PATHMTU_TRIES)
		start_probe(m, m->size, now); /* nothing at all was answered: that is not about sizes */
	else if (!m->size)
		next_probe(m, now);
	if (!m->size)
		return 0;
	m->sent[m->tries].nonce = nonce;
	m->sent[m->tries].sent_at = now;
	m->tries++;
	m->next_at = now + wait;
	return m->size;
}

void hw_pathmtu_answered(struct hw_pathmtu *m, uint64_t sent_at)
{
	if (sent_at >= m->first_at)
		m->answered = true;
}

uint64_t hw_pathmtu_pong(struct hw_pathmtu *m, uint64_t nonce, uint64_t now)
{
	for (unsigned i = 0; m->size && i < m->tries; i++) {
		if (m->sent[i].nonce != nonce)
			continue;
		if (m->size > m->passes)
			m->passes = m->size;
		if (m->searching)
			m->path = m->size;
		go_on(m, now);
		return m->sent[i].sent_at;
	}
	return 0;
}
