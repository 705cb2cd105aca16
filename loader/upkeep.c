/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What is done by the clock. hw_flows is walked in slices: entries that have
 * been idle end, and those whose home has died, after which their clients are
 * sent a RST. Each second the views for people are summed up. hw_self, of which
 * the XDP program makes PONGs, is kept fresh.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "agent.h"
#include "sweep.h"

#define STEP_NS  (100 * HW_MILLISECOND)
#define SLICE    512
#define SLICE_NS (5 * HW_MILLISECOND)  /* of walking, then the event loop has its turn */
#define WALK_NS  HW_SECOND             /* between the walks */

struct hw_sweep {
	struct hw_flow_key key[SLICE];
	struct hw_flow value[SLICE];
	uint64_t cursor;      /* of the kernel's batched lookup */
	bool under_way;       /* cursor is good */
	bool urgent;          /* this walk goes on without pause */
	uint64_t walk_at;     /* when the next begins */
	uint64_t views_at;
};

struct hw_sweep *hw_sweep_new(void)
{
	return calloc(1, sizeof(struct hw_sweep));
}

void hw_sweep_free(struct hw_sweep *sweep)
{
	free(sweep);
}

void hw_upkeep_walk_now(struct hw_agent_state *a)
{
	a->sweep->under_way = false;
	a->sweep->urgent = true;
	a->sweep->walk_at = 0;
	a->upkeep_at = 0;
}

enum hw_flow_end hw_flow_judge(const struct hw_flow *flow, uint64_t now, uint64_t idle, enum hw_node_state home)
{
	if (home == HW_NODE_DEAD)
		return HW_FLOW_HOME_DIED;
	return flow->seen_ns + idle < now ? HW_FLOW_EXPIRED : HW_FLOW_STAYS;
}

static void end_flow(struct hw_agent_state *a, const struct hw_flow_key *key, const struct hw_flow *flow,
		     enum hw_flow_end end)
{
	struct hw_node_view home;

	if (bpf_map_delete_elem(a->pins.flows, key))
		return; /* the XDP program was faster: it came back */
	if (end == HW_FLOW_EXPIRED) {
		a->view.flows_expired++;
		return;
	}
	a->view.flows_ended++;
	hw_peers_view(a->peers, flow->home, &home);
	hw_farewell(a, key, flow, home.heard_ns);
}

/* Walks one slice of hw_flows. False: the walk is over. */
static bool sweep_slice(struct hw_agent_state *a, uint64_t now)
{
	struct hw_sweep *s = a->sweep;
	uint32_t n = SLICE;
	int err = bpf_map_lookup_batch(a->pins.flows, s->under_way ? &s->cursor : NULL, &s->cursor, s->key, s->value,
				       &n, NULL);

	if (err && err != -ENOENT) /* -ENOSPC: one bucket alone holds more than a slice; not with this hash */
		n = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint16_t home = s->value[i].home;
		enum hw_flow_end end = hw_flow_judge(&s->value[i], now, a->conf->timers.flow_idle,
						     hw_peers_state(a->peers, home));

		/* its home is nobody, or another node: whose it is must be asked again */
		if (!hw_peers_knows(a->peers, home) || a->moved[home])
			end = HW_FLOW_EXPIRED;
		if (end != HW_FLOW_STAYS)
			end_flow(a, &s->key[i], &s->value[i], end);
	}
	s->under_way = !err;
	return s->under_way;
}

static void write_self(struct hw_agent_state *a, uint64_t now)
{
	struct hw_self self = { .wall_offset_ns = (int64_t)(hw_wall() - now) };
	uint32_t zero = 0;

	self.fresh_ns = hw_peers_hears(a->peers, now, self.hears) ? now : 0;
	bpf_map_update_elem(a->pins.self, &zero, &self, BPF_ANY);
}

bool hw_upkeep_has_vip(const struct hw_agent_state *a, uint16_t id)
{
	static const struct hw_addr none;

	return id < HW_VIP_IDS && !hw_addr_equal(&a->vip[id], &none);
}

void hw_upkeep_flag_vip(struct hw_agent_state *a, uint16_t id, bool invisible)
{
	struct hw_vip vip;

	if (id >= HW_VIP_IDS || bpf_map_lookup_elem(a->pins.vips, &a->vip[id], &vip) ||
	    invisible == !!(vip.flags & HW_VIP_INVISIBLE))
		return;
	vip.flags ^= HW_VIP_INVISIBLE;
	bpf_map_update_elem(a->pins.vips, &a->vip[id], &vip, BPF_EXIST);
	if (invisible)
		hw_warn("VIP %s (%s): connections live that no socket of this network namespace owns (containers, "
			"DNAT?); its unknown packets pass to the stack from now on, strays among them are reset",
			vip.name, vip.address);
	else
		hw_note("VIP %s (%s): its sockets are visible again", vip.name, vip.address);
}

/* A VIP that was invisible, and of which a socket has been seen since, is so no more. */
static void notice_sight(struct hw_agent_state *a, uint16_t id, const uint64_t sum[HW_VERDICT_COUNT])
{
	uint64_t mine = sum[HW_V_pass_mine] + sum[HW_V_pass_cookie];

	if (mine != a->mine[id]) {
		hw_blind_forget(a->blind, id);
		hw_upkeep_flag_vip(a, id, false);
	}
	a->mine[id] = mine;
}

/* Sums the rows of hw_verdicts that can be in use: one a VIP, and row 0. */
static void write_verdicts(struct hw_agent_state *a)
{
	uint64_t total[HW_VERDICT_COUNT] = {}, sum[HW_VERDICT_COUNT];
	uint32_t zero = 0;

	for (uint32_t i = 0; i < HW_VIP_IDS; i++) {
		if (i && !hw_upkeep_has_vip(a, i))
			continue;
		if (!hw_pins_sum(a->pins.verdicts, i, sum, HW_VERDICT_COUNT))
			continue;
		bpf_map_update_elem(a->pins.vip_view, &i, sum, BPF_ANY);
		notice_sight(a, i, sum);
		for (int v = 0; v < HW_VERDICT_COUNT; v++)
			total[v] += sum[v];
	}
	bpf_map_update_elem(a->pins.totals, &zero, total, BPF_ANY);
}

static void write_views(struct hw_agent_state *a)
{
	uint32_t zero = 0, id;

	write_verdicts(a);
	for (size_t i = 0; i < a->conf->n_nodes; i++) {
		struct hw_node_view view = {};

		id = a->conf->nodes[i].id;
		hw_peers_view(a->peers, id, &view);
		hw_pins_sum(a->pins.node_stats, id, (uint64_t *)&view.sum, sizeof(view.sum) / 8);
		bpf_map_update_elem(a->pins.node_view, &id, &view, BPF_ANY);
	}
	bpf_map_update_elem(a->pins.agent_view, &zero, &a->view, BPF_ANY);
}

void hw_upkeep_read_vips(struct hw_agent_state *a)
{
	struct hw_addr key, next;
	struct hw_vip vip;
	void *from = NULL;

	memset(a->vip, 0, sizeof(a->vip));
	while (!bpf_map_get_next_key(a->pins.vips, from, &next)) {
		key = next;
		from = &key;
		if (!bpf_map_lookup_elem(a->pins.vips, &key, &vip) && vip.id < HW_VIP_IDS)
			a->vip[vip.id] = key;
	}
}

/* Walks for a while. Returns when to go on. */
static uint64_t walk(struct hw_agent_state *a, uint64_t now)
{
	struct hw_sweep *s = a->sweep;

	if (now < s->walk_at)
		return s->walk_at;
	while (sweep_slice(a, now))
		if (hw_now() - now >= SLICE_NS)
			return s->urgent ? now : now + STEP_NS;
	memset(a->moved, 0, sizeof(a->moved));
	s->urgent = false;
	s->walk_at = now + WALK_NS;
	return s->walk_at;
}

uint64_t hw_upkeep(struct hw_agent_state *a, uint64_t now)
{
	struct hw_sweep *s = a->sweep;
	uint64_t next = now + STEP_NS, at;

	write_self(a, now);
	if (now >= s->views_at) {
		write_views(a);
		s->views_at = now + HW_SECOND;
	}
	at = walk(a, now);
	return at < next ? at : next;
}
