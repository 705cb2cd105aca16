/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The ways to the other nodes, kept true: resolved again whenever the kernel
 * says that something changed, and now and then, which keeps the neighbours
 * fresh. And NICs: one that goes away takes its programs with it, so when it is
 * there again they are put back.
 */
#include <net/if.h>

#include <bpf/bpf.h>

#include "agent.h"
#include "attach.h"
#include "publish.h"

static void refresh(struct hw_agent_state *a, const struct hw_conf_node *node)
{
	struct hw_node_view learned = {};
	struct hw_hop hop = {};

	if (node == a->conf->self) {
		hw_publish_node(&a->pins, a->conf, node, NULL, 0);
		return;
	}
	if (!hw_netlink_resolve(a->netlink, &a->conf->self->endpoint, &node->endpoint, &hop))
		return;
	a->hop_mtu[node->id] = hop.usable ? hop.mtu : 0;
	hw_peers_set_mtu(a->peers, node->id, a->hop_mtu[node->id], hw_now());
	hw_peers_view(a->peers, node->id, &learned);
	hw_publish_node(&a->pins, a->conf, node, &hop, learned.path_mtu);
}

void hw_routes_refresh(struct hw_agent_state *a)
{
	for (size_t i = 0; i < a->conf->n_nodes; i++)
		refresh(a, &a->conf->nodes[i]);
	hw_publish_mss(&a->pins, a->conf);
}

void hw_routes_publish(struct hw_agent_state *a, uint16_t node)
{
	for (size_t i = 0; i < a->conf->n_nodes; i++)
		if (a->conf->nodes[i].id == node)
			refresh(a, &a->conf->nodes[i]);
	hw_publish_mss(&a->pins, a->conf);
}

/* There is none where the stock xdp-loader has loaded: then none was there before. */
static void reattach_egress(const struct hw_agent_state *a, const char *device)
{
	hw_autoclose int fd = -1;
	char path[4200];

	snprintf(path, sizeof(path), "%s/egress", a->pins.path);
	fd = bpf_obj_get(path);
	if (fd >= 0)
		hw_egress_attach(a->pins.path, device, fd);
}

void hw_routes_reattach(struct hw_agent_state *a)
{
	struct hw_attachment nic[64];
	int n = hw_attach_list(a->pins.path, nic, 64);

	for (int i = 0; i < n; i++) {
		if (nic[i].ifindex || !if_nametoindex(nic[i].device) || a->ingress < 0)
			continue;
		if (hw_attach_link(a->pins.path, nic[i].device, a->ingress, HW_MODE_AUTO) == HW_ATTACH_FAILED)
			continue;
		reattach_egress(a, nic[i].device);
		hw_note("%s: is there again; attached", nic[i].device);
	}
}
