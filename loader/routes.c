/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The ways to the other nodes, kept true: resolved again whenever the kernel
 * says that something changed, and now and then, which keeps the neighbours
 * fresh. And NICs: one that goes away takes its programs with it, so when it is
 * there again they are put back.
 */
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

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
	hw_peers_set_mtu(a->peers, node->id, hop.usable ? hop.mtu : 0, hw_now());
	hw_peers_view(a->peers, node->id, &learned);
	hw_publish_node(&a->pins, a->conf, node, &hop, learned.path_mtu);
}

/* One of our NICs that is there, and its address. */
static void find_nic(struct hw_agent_state *a)
{
	struct hw_attachment nic[HW_NICS];
	int n = hw_attach_list(a->pins.path, nic, HW_NICS);
	hw_autoclose int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {};

	a->nic = 0;
	for (int i = 0; i < n && !a->nic; i++) {
		memcpy(ifr.ifr_name, nic[i].device, sizeof(ifr.ifr_name));
		if (!nic[i].ifindex || ioctl(fd, SIOCGIFHWADDR, &ifr))
			continue;
		memcpy(a->nic_mac, ifr.ifr_hwaddr.sa_data, ETH_ALEN);
		a->nic = nic[i].ifindex;
	}
}

void hw_routes_refresh(struct hw_agent_state *a)
{
	find_nic(a);
	for (size_t i = 0; i < a->conf->n_nodes; i++)
		refresh(a, &a->conf->nodes[i]);
	hw_publish_mss(&a->pins, a->conf);
}

/* The place that remembers a NIC; a free one if it is new; NULL: there is none. */
static struct hw_attachment *remembered(struct hw_agent_state *a, const char *device)
{
	for (int i = 0; i < HW_NICS; i++)
		if (!a->seen[i].device[0] || !strcmp(a->seen[i].device, device))
			return &a->seen[i];
	return NULL;
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

static enum hw_mode mode_of(const struct hw_attachment *was)
{
	if (was && !strcmp(was->mode, "native"))
		return HW_MODE_NATIVE;
	return was && !strcmp(was->mode, "skb") ? HW_MODE_SKB : HW_MODE_AUTO;
}

/*
 * A chained NIC that has lost the program is left to the operator: he may have
 * taken it out himself, and alone it must not take the NIC for itself.
 */
void hw_routes_reattach(struct hw_agent_state *a)
{
	struct hw_attachment nic[HW_NICS], *was;
	int n = hw_attach_list(a->pins.path, nic, HW_NICS);

	for (int i = 0; i < n; i++) {
		was = remembered(a, nic[i].device);
		if (nic[i].ifindex && was)
			*was = nic[i];
		if (nic[i].ifindex || strcmp(nic[i].attach, "link") || !if_nametoindex(nic[i].device) || a->ingress < 0)
			continue;
		if (hw_attach_link(a->pins.path, nic[i].device, a->ingress, mode_of(was)) == HW_ATTACH_FAILED)
			continue;
		reattach_egress(a, nic[i].device);
		hw_note("%s: is there again; attached", nic[i].device);
	}
}
