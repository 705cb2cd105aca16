/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What a carried packet begins with: the template byte for byte, and its
 * partial checksums. Those are completed here as the XDP program does, and
 * checked against a checksum taken byte by byte over the whole packet as RFC
 * 768, 791, 8200 say. And what publishing leaves in the maps: real ones, so as root.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "../../loader/publish.h"

#define ETH 14

static const uint8_t src_mac[6] = { 2, 0, 0, 0, 0, 1 }, dst_mac[6] = { 2, 0, 0, 0, 0, 2 };

static struct hw_node make(const char *from, const char *to)
{
	struct hw_conf_node self = { .name = "ams1", .id = 0x123 };
	struct hw_conf conf = { .network = 0xabcdef, .self = &self };
	struct hw_node node = {0};
	struct hw_addr dest;

	cr_assert(hw_addr_parse(from, &self.endpoint) && hw_addr_parse(to, &dest));
	hw_publish_head(&node, &conf, &dest, src_mac, dst_mac);
	return node;
}

/* The internet checksum as it stands in the RFCs: big-endian words, one by one, end-around carry. */
static uint16_t plain_checksum(const uint8_t *p, size_t len, uint16_t start)
{
	unsigned sum = start;

	for (size_t i = 0; i < len; i++) {
		sum += i % 2 ? p[i] : p[i] << 8;
		if (sum > 0xffff)
			sum -= 0xffff;
	}
	return sum;
}

/* a +' b, both 16 bits */
static uint16_t plus(uint32_t a, uint32_t b)
{
	return a + b > 0xffff ? a + b - 0xffff : a + b;
}

Test(publish, head_over_ipv4)
{
	static const uint8_t want[HW_HEAD_LEN] = {
		2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00,
		0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0, 198, 51, 100, 1, 198, 51, 100, 2,
		0, 0, 0x17, 0xc1, 0, 0, 0, 0,
		0x04, 0x40, 0, 0, 0xab, 0xcd, 0xef, 0, 0xff, 0x48, 0x81, 3, 1, 0, 0x01, 0x23,
	};
	struct hw_node node = make("198.51.100.1", "198.51.100.2");

	cr_expect_arr_eq(node.head, want, sizeof(want));
	cr_expect_eq(node.overhead, 52);
}

Test(publish, head_over_ipv6)
{
	static const uint8_t want[HW_HEAD_LEN] = {
		2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x86, 0xdd,
		0x60, 0, 0, 0, 0, 0, 17, 64,
		0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
		0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2,
		0, 0, 0x17, 0xc1, 0, 0, 0, 0,
		0x04, 0x40, 0, 0, 0xab, 0xcd, 0xef, 0, 0xff, 0x48, 0x81, 3, 1, 0, 0x01, 0x23,
	};
	struct hw_node node = make("2001:db8::1", "2001:db8::2");

	cr_expect_arr_eq(node.head, want, sizeof(want));
	cr_expect_eq(node.overhead, 72);
	cr_expect_eq(node.ip_sum, 0);
}

Test(publish, ip_sum_completes_to_a_valid_header)
{
	struct hw_node node = make("198.51.100.1", "203.0.113.254");
	uint8_t *ip = node.head + ETH;
	const uint16_t length = htons(1452), tos = htons(0x4501) - htons(0x4500);
	uint16_t check = ~plus(plus(node.ip_sum, length), tos);

	cr_assert_leq(node.ip_sum, 0xffff);
	ip[1] = 0x01; /* ECT(1) */
	memcpy(ip + 2, &length, 2);
	memcpy(ip + 10, &check, 2);
	cr_expect_eq(plain_checksum(ip, 20, 0), 0xffff);
}

/* Fills in what is per packet, and compares with the pseudo header and the datagram summed the long way. */
static void check_udp_sum(const char *from, const char *to, size_t ip_len, size_t addr_at, size_t addrs_len)
{
	struct hw_node node = make(from, to);
	uint8_t packet[HW_HEAD_LEN + 101] = {0};
	uint8_t *udp = packet + ETH + ip_len;
	const size_t payload = 101, udp_len = 8 + sizeof(struct hw_geneve) + payload;
	const uint16_t n_len = htons(udp_len), n_sport = htons(50505);
	uint16_t sum = node.udp_sum, check, filled;

	cr_assert_leq(node.udp_sum, 0xffff);
	memcpy(packet, node.head, ETH + ip_len + 8 + sizeof(struct hw_geneve));
	memcpy(udp, &n_sport, 2);
	memcpy(udp + 4, &n_len, 2);
	udp[8 + 2] = 0x08; /* inner protocol */
	udp[8 + 13] = 0x77; /* key id */
	for (int i = 0; i < 8; i++)
		udp[8 + 16 + i] = 0xc0 + i; /* tag */
	for (size_t i = 0; i < payload; i++)
		udp[8 + sizeof(struct hw_geneve) + i] = 7 * i + 3;

	/* as the XDP program completes it: what it fills in, and the length of the pseudo header */
	sum = plus(plus(plus(sum, n_sport), n_len), n_len);
	sum = plus(sum, htons(0x0800));
	memcpy(&filled, udp + 8 + 12, 2);
	sum = plus(sum, filled - htons(0x0100)); /* kind was in already */
	sum = plus(sum, htons(plain_checksum(udp + 8 + 16, 8 + payload, 0)));
	check = ~sum;
	memcpy(udp + 6, &check, 2);

	cr_expect_eq(plain_checksum(udp, udp_len, plus(plain_checksum(packet + ETH + addr_at, addrs_len, 17), udp_len)),
		     0xffff, "%s to %s", from, to);
}

Test(publish, udp_sum_completes_to_a_valid_datagram)
{
	check_udp_sum("198.51.100.1", "198.51.100.2", 20, 12, 8);
	check_udp_sum("255.255.255.254", "203.0.113.255", 20, 12, 8);
	check_udp_sum("2001:db8::1", "2001:db8:ffff:ffff:ffff:ffff:ffff:fffe", 40, 8, 32);
}

Test(publish, settings_from_limits)
{
	static const struct {
		uint32_t asks;
		uint64_t gap, burst, prefix_gap, prefix_burst;
	} rows[] = {
		{ 20000, 50000, 100000000, 800000, 250000000 },
		{ 1600, 625000, 100000000, 10000000, 250000000 },
		{ 100, 10000000, 100000000, 10000000, 250000000 },
		{ 1, 1000000000, 1000000000, 10000000, 250000000 },
	};
	const struct hw_conf_node self = { .name = "ams1", .id = 3 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct hw_conf conf = { .network = 7, .self = &self, .limits.asks = rows[i].asks,
					      .timers.node_down = 1500000000, .keys = { .n = 1, .id = { 200 } } };
		struct hw_config got;

		hw_publish_settings(&got, &conf);
		cr_expect_eq(got.ask_gap_ns, rows[i].gap);
		cr_expect_eq(got.ask_burst_ns, rows[i].burst);
		cr_expect_eq(got.prefix_gap_ns, rows[i].prefix_gap);
		cr_expect_eq(got.prefix_burst_ns, rows[i].prefix_burst);
		cr_expect_eq(got.witness_ns, 3000000000);
		cr_expect_eq(got.sign_key, 200);
		cr_expect_eq(got.node, 3);
		cr_expect_str_eq(got.node_name, "ams1");
	}
}

/* --- over real maps, which nobody else sees: made here, not pinned --- */

static struct hw_pins maps(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, sparse, .map_flags = BPF_F_NO_PREALLOC);
	struct hw_pins p = { .path = "test" };

	p.config = bpf_map_create(BPF_MAP_TYPE_ARRAY, "hw_config", 4, sizeof(struct hw_config), 1, NULL);
	p.keys = bpf_map_create(BPF_MAP_TYPE_ARRAY, "hw_keys", 4, sizeof(struct hw_key), HW_KEY_IDS, NULL);
	p.vips = bpf_map_create(BPF_MAP_TYPE_HASH, "hw_vips", 16, sizeof(struct hw_vip), HW_VIP_IDS - 1, NULL);
	p.node_stats = bpf_map_create(BPF_MAP_TYPE_PERCPU_ARRAY, "hw_node_stats", 4, sizeof(struct hw_node_stats),
				      HW_NODE_IDS, NULL);
	p.ours = bpf_map_create(BPF_MAP_TYPE_HASH, "hw_ours", 16, sizeof(struct hw_our), 64, NULL);
	p.nodes = bpf_map_create(BPF_MAP_TYPE_ARRAY, "hw_nodes", 4, sizeof(struct hw_node), HW_NODE_IDS, NULL);
	p.flows = bpf_map_create(BPF_MAP_TYPE_HASH, "hw_flows", sizeof(struct hw_flow_key), sizeof(struct hw_flow), 1000,
				 &sparse);
	p.verdicts = bpf_map_create(BPF_MAP_TYPE_PERCPU_ARRAY, "hw_verdicts", 4, sizeof(struct hw_verdicts), HW_VIP_IDS,
				    NULL);
	cr_assert(p.config > 0 && p.keys > 0 && p.vips > 0 && p.nodes > 0 && p.flows > 0 && p.verdicts > 0,
		  "maps: %s (run as root)", strerror(errno));
	return p;
}

static struct hw_config config_in(const struct hw_pins *p)
{
	struct hw_config c;

	cr_assert_eq(bpf_map_lookup_elem(p->config, &(__u32){0}, &c), 0);
	return c;
}

static struct hw_key key_in(const struct hw_pins *p, __u32 id)
{
	struct hw_key k;

	cr_assert_eq(bpf_map_lookup_elem(p->keys, &id, &k), 0);
	return k;
}

static const struct hw_conf_node three[] = {
	{ .name = "ams1", .id = 1, .pop = "ams", .endpoint = { { [10] = 0xff, 0xff, 198, 51, 100, 1 } } },
	{ .name = "fra1", .id = 2, .pop = "fra", .endpoint = { { [10] = 0xff, 0xff, 198, 51, 100, 2 } } },
	{ .name = "par1", .id = 1023, .pop = "par", .endpoint = { { 0x20, 1, 0x0d, 0xb8, [15] = 3 } } },
};

static struct hw_conf conf_of(struct hw_conf_vip *vips, size_t n_vips)
{
	return (struct hw_conf){
		.network = 7, .self = &three[0], .nodes = (struct hw_conf_node *)three, .n_nodes = 3,
		.vips = vips, .n_vips = n_vips, .limits.asks = 20000, .timers.node_down = 1000000000,
		.keys = { .n = 2, .id = { 5, 9 }, .key = { { .data = { 1 } }, { .data = { 2 } } } },
	};
}

Test(publish, generations_follow_what_signs)
{
	struct hw_pins p = maps();
	struct hw_conf conf = conf_of(NULL, 0);
	struct hw_config first, then;

	cr_assert(hw_publish_config(&p, &conf));
	first = config_in(&p);
	cr_expect_eq(first.key_gen, 1);
	cr_expect_neq(first.replay_mark, 0);

	cr_assert(hw_publish_config(&p, &conf));
	then = config_in(&p);
	cr_expect_arr_eq(&first, &then, sizeof(first), "the same again changes nothing");

	conf.limits.asks = 10;
	conf.keys.key[1].data[0] = 3; /* one that does not sign */
	cr_assert(hw_publish_config(&p, &conf));
	cr_expect_eq(config_in(&p).key_gen, 1);
	cr_expect_eq(key_in(&p, 9).data[0], 3);

	conf.keys.key[0].data[0] = 4; /* the one that signs */
	cr_assert(hw_publish_config(&p, &conf));
	cr_expect_eq(config_in(&p).key_gen, 2);

	conf.keys = (struct hw_keyring){ .n = 1, .id = { 9 }, .key = { { .data = { 3 } } } };
	cr_assert(hw_publish_config(&p, &conf));
	then = config_in(&p);
	cr_expect_eq(then.key_gen, 3);
	cr_expect_eq(then.sign_key, 9);
	cr_expect_eq(then.replay_mark, first.replay_mark);
	cr_expect(!key_in(&p, 5).valid && !key_in(&p, 5).data[0], "a key that is no longer in the file is gone");
	cr_expect_eq(key_in(&p, 9).valid, 1);

	conf.network = 8;
	cr_assert(hw_publish_config(&p, &conf));
	cr_expect_eq(config_in(&p).key_gen, 4, "tags cover the network");
}

static struct hw_vip vip_in(const struct hw_pins *p, const struct hw_conf_vip *conf)
{
	struct hw_vip v = {0};

	bpf_map_lookup_elem(p->vips, &conf->addr, &v);
	return v;
}

Test(publish, vips_keep_their_ids_and_take_their_flows_with_them)
{
	struct hw_conf_vip vips[] = {
		{ .name = "one", .addr = { { [10] = 0xff, 0xff, 203, 0, 113, 1 } } },
		{ .name = "two", .addr = { { 0x20, 1, 0x0d, 0xb8, [15] = 2 } }, .n_tcp = 2, .tcp = { 80, 443 } },
		{ .name = "three", .addr = { { [10] = 0xff, 0xff, 203, 0, 113, 3 } } },
	};
	struct hw_conf conf = conf_of(vips, 2);
	struct hw_pins p = maps();
	struct hw_flow_key at, next, *prev = NULL;
	struct hw_verdicts *counts = calloc(libbpf_num_possible_cpus(), sizeof(*counts));
	uint64_t sum[HW_VERDICT_COUNT];
	struct hw_vip two;
	unsigned left = 0;

	cr_assert(hw_publish_config(&p, &conf));
	two = vip_in(&p, &vips[1]);
	cr_expect(vip_in(&p, &vips[0]).id == 1 && two.id == 2 && two.n_tcp == 2 && two.tcp[1] == 443);
	cr_expect_str_eq(two.address, "2001:db8::2");
	two.flags = HW_VIP_INVISIBLE;
	bpf_map_update_elem(p.vips, &vips[1].addr, &two, BPF_ANY);
	for (unsigned i = 0; i < 500; i++) {
		struct hw_flow_key key = { .vip = 1 + i % 2, .client_port = i };

		cr_assert_eq(bpf_map_update_elem(p.flows, &key, &(struct hw_flow){0}, BPF_ANY), 0);
	}
	memset(counts, 1, libbpf_num_possible_cpus() * sizeof(*counts));
	bpf_map_update_elem(p.verdicts, &(__u32){1}, counts, BPF_ANY);
	free(counts);

	conf.vips = vips + 1; /* "one" goes, "three" comes */
	cr_assert(hw_publish_config(&p, &conf));
	cr_expect_eq(vip_in(&p, &vips[0]).id, 0);
	cr_expect_eq(vip_in(&p, &vips[1]).id, 2);
	cr_expect_eq(vip_in(&p, &vips[1]).flags, HW_VIP_INVISIBLE, "what the agent found stays");
	cr_expect_eq(vip_in(&p, &vips[2]).id, 1);
	for (; bpf_map_get_next_key(p.flows, prev, &next) == 0; left++) {
		cr_expect_eq(next.vip, 2);
		at = next;
		prev = &at;
	}
	cr_expect_eq(left, 250);
	cr_assert(hw_pins_sum(p.verdicts, 1, sum, HW_VERDICT_COUNT));
	for (int i = 0; i < HW_VERDICT_COUNT; i++)
		cr_expect_eq(sum[i], 0);
}

/* Port lists as they stand in the map, in place of older ones; what is not listed is zero. */
Test(publish, ports_of_vips)
{
	struct hw_conf_vip dns = { .name = "dns", .addr = { { [10] = 0xff, 0xff, 203, 0, 113, 1 } } };
	struct hw_conf conf = conf_of(&dns, 1);
	struct hw_pins p = maps();
	struct hw_vip got;

	dns.n_tcp = dns.n_udp = HW_VIP_PORTS;
	for (int i = 0; i < HW_VIP_PORTS; i++) {
		dns.tcp[i] = 1000 + i;
		dns.udp[i] = 2000 + i;
	}
	cr_assert(hw_publish_config(&p, &conf));
	got = vip_in(&p, &dns);
	cr_expect(got.n_tcp == HW_VIP_PORTS && got.n_udp == HW_VIP_PORTS);
	cr_expect_arr_eq(got.tcp, dns.tcp, sizeof(got.tcp));
	cr_expect_arr_eq(got.udp, dns.udp, sizeof(got.udp));

	dns = (struct hw_conf_vip){ .name = "dns", .addr = dns.addr, .n_tcp = HW_VIP_NO_TCP, .n_udp = 2, .udp = { 53, 443 } };
	cr_assert(hw_publish_config(&p, &conf));
	got = vip_in(&p, &dns);
	cr_expect(got.id == 1 && got.n_tcp == HW_VIP_NO_TCP && got.n_udp == 2 && got.udp[0] == 53 && got.udp[1] == 443);
	for (int i = 0; i < HW_VIP_PORTS; i++)
		cr_expect(!got.tcp[i] && (i < 2 || !got.udp[i]), "left over at %d", i);

	dns.n_udp = HW_VIP_PORTS + 1;
	cr_expect(!hw_publish_config(&p, &conf), "more than there is room for");
}

Test(publish, nodes_come_and_go)
{
	const struct hw_hop hop = { .usable = true, .ifindex = 1 /* lo: there in every namespace */, .mtu = 1500,
				    .on_link = true, .device = "lo" };
	struct hw_conf conf = conf_of(NULL, 0);
	static const struct hw_node none;
	struct hw_pins p = maps();
	struct hw_node node;

	for (int i = 0; i < 3; i++)
		cr_assert(hw_publish_node(&p, &conf, &three[i], &hop, i == 1 ? 1400 : 0));
	bpf_map_lookup_elem(p.nodes, &(__u32){1}, &node);
	cr_expect(!node.usable && strcmp(node.endpoint, "198.51.100.1") == 0, "nothing is carried to oneself");
	bpf_map_lookup_elem(p.nodes, &(__u32){2}, &node);
	cr_expect(node.usable && node.mtu == 1400 && node.overhead == HW_OVERHEAD4 && !node.next_hop[0]);
	bpf_map_lookup_elem(p.nodes, &(__u32){1023}, &node);
	cr_expect(!node.usable && node.overhead == HW_OVERHEAD6, "another family than ours");

	cr_assert(hw_publish_node(&p, &conf, &three[1], NULL, 0));
	bpf_map_lookup_elem(p.nodes, &(__u32){2}, &node);
	cr_expect(!node.usable && strcmp(node.name, "fra1") == 0, "without a way it is known still");
	conf.n_nodes = 1;
	cr_assert(hw_publish_forget_nodes(&p, &conf));
	bpf_map_lookup_elem(p.nodes, &(__u32){2}, &node);
	cr_expect_arr_eq(&node, &none, sizeof(node));
}
