/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * VIPs and nodes as JSON, made from a snapshot of the pinned maps. `vips`,
 * `nodes` and `stats` show the same objects, by different columns.
 */
#include <string.h>

#include "rows.h"

struct json_object *hw_row_verdicts(const uint64_t count[HW_VERDICT_COUNT])
{
	struct json_object *o = json_object_new_object();

	for (int v = 0; v < HW_VERDICT_COUNT; v++)
		hw_put_count(o, hw_verdict_info[v].name, count[v]);
	return o;
}

/* What became of a VIP's packets, in a few numbers. Those handed to the agent are not lost, so not dropped. */
static void put_summary(struct json_object *o, const uint64_t count[HW_VERDICT_COUNT])
{
	uint64_t packets = 0, dropped = 0;
	uint64_t asked = count[HW_V_drop_asked] + count[HW_V_drop_returned];

	for (int v = 0; v < HW_VERDICT_COUNT; v++) {
		packets += count[v];
		if (!strcmp(hw_verdict_info[v].action, "drop"))
			dropped += count[v];
	}
	hw_put_count(o, "packets", packets);
	hw_put_count(o, "new", count[HW_V_pass_new]);
	hw_put_count(o, "mine", count[HW_V_pass_mine] + count[HW_V_pass_cookie]);
	hw_put_count(o, "carried", count[HW_V_carry_tx] + count[HW_V_carry_redirect]);
	hw_put_count(o, "delivered", count[HW_V_pass_carried]);
	hw_put_count(o, "asked", asked);
	hw_put_count(o, "reset", count[HW_V_pass_nobody]);
	hw_put_count(o, "udp_served", count[HW_V_pass_udp]);
	hw_put_count(o, "dropped", dropped - asked);
}

static struct json_object *port_list(const __u16 *port, int n)
{
	struct json_object *list = json_object_new_array();

	for (int i = 0; i < n && i < HW_VIP_PORTS; i++)
		json_object_array_add(list, json_object_new_int(port[i]));
	return list;
}

static struct json_object *vip_row(const struct hw_snapshot *s, const struct hw_vip *vip)
{
	struct json_object *o;
	uint64_t count[HW_VERDICT_COUNT];

	if (!hw_snapshot_verdicts(s, vip->id, count))
		return NULL;
	o = json_object_new_object();
	hw_put_text(o, "name", vip->name);
	hw_put_count(o, "id", vip->id);
	hw_put_text(o, "address", vip->address);
	json_object_object_add(o, "tcp", vip->n_tcp ? port_list(vip->tcp, vip->n_tcp) : NULL); /* null: every port */
	json_object_object_add(o, "udp", port_list(vip->udp, (int)vip->n_udp));
	hw_put_bool(o, "visible", !(vip->flags & HW_VIP_INVISIBLE));
	put_summary(o, count);
	json_object_object_add(o, "verdicts", hw_row_verdicts(count));
	return o;
}

struct json_object *hw_row_vips(const struct hw_snapshot *s)
{
	struct json_object *rows = json_object_new_array();

	for (uint32_t id = 1; id < HW_VIP_IDS; id++) {
		struct json_object *o;

		if (!s->vip[id].id)
			continue;
		o = vip_row(s, &s->vip[id]);
		if (!o) {
			json_object_put(rows);
			return NULL;
		}
		json_object_array_add(rows, o);
	}
	return rows;
}

static void put_traffic(struct json_object *o, const char *key, uint64_t packets, uint64_t bytes)
{
	struct json_object *traffic = json_object_new_object();

	hw_put_count(traffic, "packets", packets);
	hw_put_count(traffic, "bytes", bytes);
	json_object_object_add(o, key, traffic);
}

static void put_way(struct json_object *o, struct hw_snapshot *s, uint32_t id)
{
	const struct hw_node *n = &s->node[id].node;
	const struct hw_node_view *v = &s->node[id].view;
	char text[HW_WHY];

	hw_put_bool(o, "usable", n->usable);
	hw_put_text(o, "problem", hw_snapshot_no_way(s, id, text));
	hw_put_text(o, "device", n->device);
	hw_put_text(o, "next_hop", n->next_hop);
	json_object_object_add(o, "mtu", n->mtu ? json_object_new_uint64(n->mtu) : NULL);
	json_object_object_add(o, "path_mtu", v->path_mtu ? json_object_new_uint64(v->path_mtu) : NULL);
}

static struct json_object *node_row(struct hw_snapshot *s, uint32_t id)
{
	struct json_object *o = json_object_new_object();
	const struct hw_seen_node *n = &s->node[id];
	const struct hw_node_view *v = &n->view;

	hw_put_text(o, "name", n->node.name);
	hw_put_count(o, "id", id);
	hw_put_text(o, "pop", n->node.pop);
	hw_put_text(o, "endpoint", n->node.endpoint);
	hw_put_text(o, "state", hw_node_state_text(n->state));
	hw_put_bool(o, "up", n->state == HW_NODE_SELF || n->state == HW_NODE_UP);
	hw_put_seconds(o, "rtt", v->rtt_ns ? (double)v->rtt_ns / 1e9 : -1);
	hw_put_seconds(o, "heard", hw_snapshot_age(s, v->heard_ns));
	if (v->heard_ns)
		hw_put_offset(o, "clock", (double)v->clock_ns / 1e9);
	else
		json_object_object_add(o, "clock", NULL);
	json_object_object_add(o, "schema", v->schema ? json_object_new_uint64(v->schema) : NULL);
	put_way(o, s, id);
	put_traffic(o, "carried_to", v->sum.carried_to_packets, v->sum.carried_to_bytes);
	put_traffic(o, "carried_from", v->sum.carried_from_packets, v->sum.carried_from_bytes);
	hw_put_count(o, "returned_to_packets", v->sum.returned_to_packets);
	hw_put_count(o, "returned_from_packets", v->sum.returned_from_packets);
	hw_put_count(o, "asked_by_flows", v->sum.asked_by_flows);
	return o;
}

struct json_object *hw_row_nodes(struct hw_snapshot *s)
{
	struct json_object *rows = json_object_new_array();

	for (uint32_t id = 1; id < HW_NODE_IDS; id++)
		if (s->node[id].node.name[0])
			json_object_array_add(rows, node_row(s, id));
	return rows;
}
