/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Writes intent into the maps: keys, settings, VIPs, and the ways to nodes with
 * the headers of a carried packet made ready. The XDP program may run meanwhile,
 * so each row is written at once and whole, and the order of rows is chosen so
 * that every state in between makes sense.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "checksum.h"
#include "publish.h"

#define SECOND 1000000000ULL

static bool refused(const struct hw_pins *pins, const char *map)
{
	hw_err("%s/%s: %s", pins->path, map, strerror(errno));
	return false;
}

/* --- keys and settings --- */

static uint64_t at_least(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

void hw_publish_settings(struct hw_config *out, const struct hw_conf *conf)
{
	const uint64_t asks = at_least(conf->limits.asks, 1);
	const uint64_t prefix_asks = at_least(asks / 16, 100);

	memset(out, 0, sizeof(*out));
	out->endpoint = conf->self->endpoint;
	out->network = conf->network;
	out->node = conf->self->id;
	out->sign_key = conf->keys.id[0];
	out->ask_gap_ns = SECOND / asks;
	out->ask_burst_ns = at_least(SECOND / 10, out->ask_gap_ns);
	out->prefix_gap_ns = SECOND / prefix_asks;
	out->prefix_burst_ns = at_least(SECOND / 4, out->prefix_gap_ns);
	out->witness_ns = 2 * conf->timers.node_down;
	memcpy(out->node_name, conf->self->name, sizeof(out->node_name));
}

/* Writes the ring's keys; *signs_anew: the row of the signing key had other bytes. */
static bool put_keys(const struct hw_pins *pins, const struct hw_keyring *ring, bool *signs_anew)
{
	for (unsigned i = 0; i < ring->n; i++) {
		struct hw_key was, key = ring->key[i];
		const __u32 id = ring->id[i];

		key.valid = 1;
		if (bpf_map_lookup_elem(pins->keys, &id, &was) != 0)
			return refused(pins, "hw_keys");
		if (memcmp(&was, &key, sizeof(key)) == 0)
			continue;
		if (i == 0)
			*signs_anew = true;
		if (bpf_map_update_elem(pins->keys, &id, &key, BPF_ANY) != 0)
			return refused(pins, "hw_keys");
	}
	return true;
}

static bool drop_keys(const struct hw_pins *pins, const struct hw_keyring *ring)
{
	static const struct hw_key none;

	for (__u32 id = 0; id < HW_KEY_IDS; id++) {
		struct hw_key was;

		if (hw_keys_find(ring, (uint8_t)id))
			continue;
		if (bpf_map_lookup_elem(pins->keys, &id, &was) != 0)
			return refused(pins, "hw_keys");
		if (memcmp(&was, &none, sizeof(none)) != 0 &&
		    bpf_map_update_elem(pins->keys, &id, &none, BPF_ANY) != 0)
			return refused(pins, "hw_keys");
	}
	return true;
}

static bool put_settings(const struct hw_pins *pins, const struct hw_conf *conf, bool signs_anew)
{
	struct hw_config was, now;
	const __u32 zero = 0;

	hw_publish_settings(&now, conf);
	if (bpf_map_lookup_elem(pins->config, &zero, &was) != 0)
		return refused(pins, "hw_config");
	now.replay_mark = was.replay_mark;
	while (!now.replay_mark)
		if (getrandom(&now.replay_mark, sizeof(now.replay_mark), 0) < 0)
			return refused(pins, "hw_config (random number)");
	/* a tag covers all of these: those kept in hw_flows are old now */
	if (was.sign_key != now.sign_key || was.node != now.node || was.network != now.network)
		signs_anew = true;
	now.key_gen = was.key_gen + signs_anew;
	if (memcmp(&was, &now, sizeof(now)) != 0 && bpf_map_update_elem(pins->config, &zero, &now, BPF_ANY) != 0)
		return refused(pins, "hw_config");
	return true;
}

/* --- VIPs --- */

struct vips {
	unsigned n;
	struct hw_addr addr[HW_VIP_IDS];
	struct hw_vip vip[HW_VIP_IDS];
};

static bool read_vips(const struct hw_pins *pins, struct vips *out)
{
	struct hw_addr *prev = NULL;

	for (out->n = 0; out->n < HW_VIP_IDS; out->n++) {
		struct hw_addr *addr = &out->addr[out->n];

		if (bpf_map_get_next_key(pins->vips, prev, addr) != 0)
			return errno == ENOENT ? true : refused(pins, "hw_vips");
		if (bpf_map_lookup_elem(pins->vips, addr, &out->vip[out->n]) != 0)
			return refused(pins, "hw_vips");
		prev = addr;
	}
	return true;
}

static bool in_config(const struct hw_conf *conf, const struct hw_addr *addr)
{
	for (size_t i = 0; i < conf->n_vips; i++)
		if (hw_addr_equal(&conf->vips[i].addr, addr))
			return true;
	return false;
}

/* The flows of a VIP: an entry that stayed would be taken for one of the next VIP with this id. */
static bool forget_flows(const struct hw_pins *pins, uint32_t vip)
{
	struct hw_flow_key at, next;
	bool more = bpf_map_get_next_key(pins->flows, NULL, &next) == 0;

	while (more) {
		at = next;
		more = bpf_map_get_next_key(pins->flows, &at, &next) == 0; /* before `at` goes: it is the cursor */
		if (at.vip == vip && bpf_map_delete_elem(pins->flows, &at) != 0 && errno != ENOENT)
			return refused(pins, "hw_flows");
	}
	return true;
}

/* size: of a value, per CPU. */
static bool zero_row(const struct hw_pins *pins, int fd, const char *name, uint32_t row, size_t size)
{
	const int cpus = libbpf_num_possible_cpus();
	hw_autofree void *none = calloc(cpus > 0 ? (size_t)cpus : 1, size);

	if (!none || cpus < 1 || bpf_map_update_elem(fd, &row, none, BPF_ANY) != 0)
		return refused(pins, name);
	return true;
}

/* Removes what is not in the config; `vips` then holds what has stayed. */
static bool drop_vips(const struct hw_pins *pins, const struct hw_conf *conf, struct vips *vips)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < vips->n; i++) {
		if (in_config(conf, &vips->addr[i])) {
			vips->addr[kept] = vips->addr[i];
			vips->vip[kept++] = vips->vip[i];
			continue;
		}
		if (bpf_map_delete_elem(pins->vips, &vips->addr[i]) != 0)
			return refused(pins, "hw_vips");
		if (!forget_flows(pins, vips->vip[i].id) ||
		    !zero_row(pins, pins->verdicts, "hw_verdicts", vips->vip[i].id, sizeof(struct hw_verdicts)))
			return false;
	}
	vips->n = kept;
	return true;
}

static const struct hw_vip *find_vip(const struct vips *vips, const struct hw_addr *addr)
{
	for (unsigned i = 0; i < vips->n; i++)
		if (hw_addr_equal(&vips->addr[i], addr))
			return &vips->vip[i];
	return NULL;
}

/* The lowest id that no VIP has; 0 if all are taken. */
static uint32_t free_id(const struct vips *vips)
{
	bool taken[HW_VIP_IDS] = { [0] = true };

	for (unsigned i = 0; i < vips->n; i++)
		taken[vips->vip[i].id % HW_VIP_IDS] = true;
	for (uint32_t id = 1; id < HW_VIP_IDS; id++)
		if (!taken[id])
			return id;
	return 0;
}

static bool put_vip(const struct hw_pins *pins, struct vips *vips, const struct hw_conf_vip *conf)
{
	const struct hw_vip *was = find_vip(vips, &conf->addr);
	struct hw_vip now = { .id = was ? was->id : free_id(vips), .n_tcp = conf->n_tcp,
			      .n_udp = conf->n_udp };

	if (!now.id || conf->n_tcp > HW_VIP_PORTS || conf->n_udp > HW_VIP_PORTS) {
		hw_err("%s/hw_vips: no room for VIP %s", pins->path, conf->name);
		return false;
	}
	now.flags = was ? was->flags : 0; /* the agent's finding stays */
	if (conf->n_tcp > 0)
		memcpy(now.tcp, conf->tcp, conf->n_tcp * sizeof(now.tcp[0]));
	memcpy(now.udp, conf->udp, conf->n_udp * sizeof(now.udp[0]));
	memcpy(now.name, conf->name, sizeof(now.name));
	hw_addr_text(&conf->addr, now.address);
	if (was && memcmp(was, &now, sizeof(now)) == 0)
		return true;
	if (bpf_map_update_elem(pins->vips, &conf->addr, &now, BPF_ANY) != 0)
		return refused(pins, "hw_vips");
	if (!was) {
		vips->addr[vips->n] = conf->addr;
		vips->vip[vips->n++] = now;
	}
	return true;
}

static bool put_vips(const struct hw_pins *pins, const struct hw_conf *conf)
{
	hw_autofree struct vips *vips = calloc(1, sizeof(*vips));

	if (!vips) {
		hw_err("out of memory");
		return false;
	}
	if (!read_vips(pins, vips) || !drop_vips(pins, conf, vips))
		return false;
	for (size_t i = 0; i < conf->n_vips; i++)
		if (!put_vip(pins, vips, &conf->vips[i]))
			return false;
	return true;
}

/* The node whose endpoint it is, 0 for a VIP; -1: it is none of ours. */
static int whose(const struct hw_conf *conf, const struct hw_addr *addr)
{
	for (size_t i = 0; i < conf->n_nodes; i++)
		if (hw_addr_equal(&conf->nodes[i].endpoint, addr))
			return conf->nodes[i].id;
	return in_config(conf, addr) ? 0 : -1;
}

static bool drop_ours(const struct hw_pins *pins, const struct hw_conf *conf)
{
	struct hw_addr addr, next;
	int err = bpf_map_get_next_key(pins->ours, NULL, &addr);

	while (!err) {
		err = bpf_map_get_next_key(pins->ours, &addr, &next);
		if (whose(conf, &addr) < 0 && bpf_map_delete_elem(pins->ours, &addr) != 0)
			return refused(pins, "hw_ours");
		addr = next;
	}
	return errno == ENOENT ? true : refused(pins, "hw_ours");
}

static bool put_our(const struct hw_pins *pins, const struct hw_addr *addr, uint16_t node)
{
	struct hw_our our = { .node = node };

	return bpf_map_update_elem(pins->ours, addr, &our, BPF_ANY) == 0 ? true : refused(pins, "hw_ours");
}

static bool put_ours(const struct hw_pins *pins, const struct hw_conf *conf)
{
	for (size_t i = 0; i < conf->n_vips; i++)
		if (!put_our(pins, &conf->vips[i].addr, 0))
			return false;
	for (size_t i = 0; i < conf->n_nodes; i++)
		if (!put_our(pins, &conf->nodes[i].endpoint, conf->nodes[i].id))
			return false;
	return drop_ours(pins, conf);
}

bool hw_publish_config(const struct hw_pins *pins, const struct hw_conf *conf)
{
	bool signs_anew = false;

	return put_keys(pins, &conf->keys, &signs_anew) && put_settings(pins, conf, signs_anew) &&
	       drop_keys(pins, &conf->keys) && put_vips(pins, conf) && put_ours(pins, conf);
}

/* --- nodes --- */

static size_t put_ip4(uint8_t *at, const struct hw_addr *from, const struct hw_addr *to)
{
	struct iphdr ip = {
		.version = 4,
		.ihl = 5,
		.frag_off = htons(0x4000), /* DF: never fragmented on the way */
		.ttl = 64,
		.protocol = IPPROTO_UDP,
	};

	memcpy(&ip.saddr, from->b + 12, 4);
	memcpy(&ip.daddr, to->b + 12, 4);
	memcpy(at, &ip, sizeof(ip));
	return sizeof(ip);
}

static size_t put_ip6(uint8_t *at, const struct hw_addr *from, const struct hw_addr *to)
{
	struct ipv6hdr ip = { .version = 6, .nexthdr = IPPROTO_UDP, .hop_limit = 64 };

	memcpy(&ip.saddr, from->b, 16);
	memcpy(&ip.daddr, to->b, 16);
	memcpy(at, &ip, sizeof(ip));
	return sizeof(ip);
}

void hw_publish_head(struct hw_node *out, const struct hw_conf *conf, const struct hw_addr *to,
		     const uint8_t src_mac[ETH_ALEN], const uint8_t dst_mac[ETH_ALEN])
{
	const struct hw_addr *from = &conf->self->endpoint;
	const bool v4 = hw_addr_is4(to);
	const size_t addr_at = v4 ? 12 : 0, addr_len = v4 ? 4 : 16;
	const struct udphdr udp = { .dest = htons(HW_PORT) };
	const struct hw_geneve geneve = {
		.ver_optlen = HW_GENEVE_OPTLEN,
		.flags = HW_GENEVE_CRITICAL,
		.vni = htonl(conf->network << 8),
		.opt_class = htons(HW_OPT_CLASS),
		.opt_type = HW_OPT_TYPE,
		.opt_words = HW_OPT_WORDS,
		.kind = HW_KIND_CARRY,
		.source = htons(conf->self->id),
	};
	struct ethhdr eth = { .h_proto = htons(v4 ? ETH_P_IP : ETH_P_IPV6) };
	uint8_t *at = out->head;
	size_t ip_len;

	memset(out->head, 0, sizeof(out->head));
	memcpy(eth.h_dest, dst_mac, ETH_ALEN);
	memcpy(eth.h_source, src_mac, ETH_ALEN);
	memcpy(at, &eth, sizeof(eth));
	at += sizeof(eth);
	ip_len = v4 ? put_ip4(at, from, to) : put_ip6(at, from, to);
	memcpy(at + ip_len, &udp, sizeof(udp));
	memcpy(at + ip_len + sizeof(udp), &geneve, sizeof(geneve));
	out->overhead = v4 ? HW_OVERHEAD4 : HW_OVERHEAD6;
	out->ip_sum = v4 ? hw_sum_fold(hw_sum_words(at, ip_len, 0)) : 0;
	out->udp_sum = hw_sum_words(from->b + addr_at, addr_len, htons(IPPROTO_UDP));
	out->udp_sum = hw_sum_words(to->b + addr_at, addr_len, out->udp_sum);
	out->udp_sum = hw_sum_fold(hw_sum_words(at + ip_len, sizeof(udp) + sizeof(geneve), out->udp_sum));
}

static void make_node(struct hw_node *out, const struct hw_conf *conf, const struct hw_conf_node *node,
		      const struct hw_hop *hop, uint32_t path_mtu)
{
	memset(out, 0, sizeof(*out));
	out->addr = node->endpoint;
	out->overhead = hw_addr_is4(&node->endpoint) ? HW_OVERHEAD4 : HW_OVERHEAD6;
	memcpy(out->name, node->name, sizeof(out->name));
	memcpy(out->pop, node->pop, sizeof(out->pop));
	hw_addr_text(&node->endpoint, out->endpoint);
	if (!hop || !hop->usable)
		return;
	out->usable = 1;
	out->ifindex = hop->ifindex;
	out->mtu = path_mtu && path_mtu < hop->mtu ? path_mtu : hop->mtu;
	memcpy(out->device, hop->device, sizeof(out->device));
	if (!hop->on_link)
		hw_addr_text(&hop->gateway, out->next_hop);
	hw_publish_head(out, conf, &node->endpoint, hop->src_mac, hop->dst_mac);
}

/* Can be reached at all: not ourselves, and of our family (said once). */
static bool reachable(const struct hw_conf *conf, const struct hw_conf_node *node)
{
	static bool said[HW_NODE_IDS];
	const bool same = hw_addr_is4(&node->endpoint) == hw_addr_is4(&conf->self->endpoint);

	if (node->id == conf->self->id)
		return false;
	if (!same && !said[node->id])
		hw_warn("node %s: its endpoint and that of %s are of different families: "
			"nothing can be carried between them; give all nodes endpoints of one family",
			node->name, conf->self->name);
	said[node->id] = !same;
	return same;
}

bool hw_publish_node(const struct hw_pins *pins, const struct hw_conf *conf, const struct hw_conf_node *node,
		     const struct hw_hop *hop, uint32_t path_mtu)
{
	const __u32 id = node->id;
	struct hw_node was, now;

	make_node(&now, conf, node, reachable(conf, node) ? hop : NULL, path_mtu);
	if (bpf_map_lookup_elem(pins->nodes, &id, &was) != 0)
		return refused(pins, "hw_nodes");
	if (memcmp(&was, &now, sizeof(now)) != 0 && bpf_map_update_elem(pins->nodes, &id, &now, BPF_ANY) != 0)
		return refused(pins, "hw_nodes");
	return true;
}

bool hw_publish_forget_nodes(const struct hw_pins *pins, const struct hw_conf *conf)
{
	static const struct hw_node none;
	bool known[HW_NODE_IDS] = {0};
	struct hw_node was;

	for (size_t i = 0; i < conf->n_nodes; i++)
		known[conf->nodes[i].id] = true;
	for (__u32 id = 0; id < HW_NODE_IDS; id++) {
		if (known[id])
			continue;
		if (bpf_map_lookup_elem(pins->nodes, &id, &was) != 0)
			return refused(pins, "hw_nodes");
		if (memcmp(&was, &none, sizeof(none)) == 0)
			continue;
		if (bpf_map_update_elem(pins->nodes, &id, &none, BPF_ANY) != 0)
			return refused(pins, "hw_nodes");
		if (!zero_row(pins, pins->node_stats, "hw_node_stats", id, sizeof(struct hw_node_stats)))
			return false;
	}
	return true;
}
