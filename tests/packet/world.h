/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A private world for a test: its own network namespace, the XDP program loaded
 * and its maps filled, nothing attached and nothing pinned, so that it is gone
 * with the process. world_run() sends one frame through the program and tells
 * the verdict by the one counter that moved.
 */
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "frame.h"
#include "ingress.skel.h"
#include "rows.h"

#define ROWS      64    /* of counters that are looked at: VIP ids below this */
#define VIP_PORTS4 "203.0.113.2" /* TCP ports 80 and 443 only, id 3 */
#define VIP_DARK4  "203.0.113.3" /* invisible, id 4 */
#define VIP_FULL4  "203.0.113.4" /* as many ports as can be, 1000 to 1031, id 5 */
#define VIP_UDP4   "203.0.113.6" /* no TCP; as many UDP ports as can be, 2000 to 2031, id 8 */
#define VIP_UDP6   "2001:db8:113::6" /* the same, id 9 */
#define SECOND     1000000000ull

struct stray {
	struct hw_stray head;
	uint8_t frame[HW_STRAY_LARGE];
	size_t size;        /* of the record */
};

struct result {
	int action;
	enum hw_verdict verdict;
	unsigned row;       /* of counters: the VIP's id */
	struct frame out;
};

static struct world {
	struct ingress *skel;
	struct ring_buffer *ring;
	struct hw_config config;
	unsigned far_ifindex;
	uint64_t *cells;            /* counters of one row, per CPU */
	int cpus;
	uint64_t counters[ROWS][HW_VERDICT_COUNT];
	struct stray stray;         /* the newest record */
	int strays;                 /* records since world_reset() */
	struct result result;
} w;

static const char *const verdict_name[HW_VERDICT_COUNT] = {
#define V(name, action, text) [HW_V_##name] = #name,
	HW_VERDICTS(V)
#undef V
};

static const int verdict_action[HW_VERDICT_COUNT] = {
#define V(name, action, text) [HW_V_##name] = action,
	HW_VERDICTS(V)
#undef V
};

static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND + t.tv_nsec;
}

/* Writes one entry; a test without its maps is worth nothing. */
static inline void map_put(const struct bpf_map *map, const void *key, const void *value)
{
	cr_assert(bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY) == 0, "%s: %s", bpf_map__name(map),
		  strerror(errno));
}

static inline void row_put(const struct bpf_map *map, uint32_t i, const void *value) { map_put(map, &i, value); }

static inline void config_put(void) { row_put(w.skel->maps.hw_config, 0, &w.config); }

/* ---- the namespace ---- */

/* Runs a batch of ip(8) commands. */
static inline void ip_batch(const char *commands)
{
	FILE *ip = popen("ip -force -batch - >/dev/null", "w");

	cr_assert(ip && fputs(commands, ip) >= 0 && pclose(ip) == 0, "ip(8) failed:\n%s", commands);
}

static inline void sysctl_put(const char *path, const char *value)
{
	FILE *f = fopen(path, "w");

	cr_assert(f && fputs(value, f) >= 0 && fclose(f) == 0, "%s: %s", path, strerror(errno));
}

static inline void world_netns(void)
{
	cr_assert(unshare(CLONE_NEWNET) == 0, "unshare: %s (the tests run as root)", strerror(errno));
	sysctl_put("/proc/sys/net/ipv6/conf/all/accept_dad", "0");
	sysctl_put("/proc/sys/net/ipv6/conf/default/accept_dad", "0");
	ip_batch("link set lo up\n"
		 "addr add " VIP4 "/32 dev lo\n"
		 "addr add " VIP_PORTS4 "/32 dev lo\n"
		 "addr add " VIP6 "/128 dev lo nodad\n"
		 "link add far0 type veth peer name far1\n");
	w.far_ifindex = if_nametoindex("far0");
}

/* ---- the program ---- */

static inline int keep_stray(void *arg, void *data, size_t size)
{
	cr_assert(size <= sizeof(w.stray.head) + sizeof(w.stray.frame));
	memset(&w.stray, 0, sizeof(w.stray));
	memcpy(&w.stray.head, data, sizeof(w.stray.head));
	memcpy(w.stray.frame, (uint8_t *)data + sizeof(w.stray.head), size - sizeof(w.stray.head));
	w.stray.size = size;
	w.strays++;
	return 0;
}

static inline int print_warnings(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

/* The program, opened but not loaded; its maps will be nobody else's. */
static inline struct ingress *skel_open(void)
{
	struct ingress *skel;
	struct bpf_map *map;

	libbpf_set_print(print_warnings);
	skel = ingress__open();
	cr_assert(skel, "open: %s", strerror(errno));
	bpf_object__for_each_map(map, skel->obj)
		bpf_map__set_pin_path(map, NULL);
	return skel;
}

static inline void world_load(void)
{
	w.skel = skel_open();
	bpf_map__set_max_entries(w.skel->maps.hw_flows, 64);
	bpf_map__set_max_entries(w.skel->maps.hw_nobody, 1024);
	bpf_map__set_max_entries(w.skel->maps.hw_cookies, 1024);
	bpf_map__set_max_entries(w.skel->maps.hw_strays, 16384);
	cr_assert(ingress__load(w.skel) == 0, "load: %s", strerror(errno));
	w.ring = ring_buffer__new(bpf_map__fd(w.skel->maps.hw_strays), keep_stray, NULL, NULL);
	w.cpus = libbpf_num_possible_cpus();
	w.cells = calloc(w.cpus, sizeof(struct hw_verdicts));
	cr_assert(w.ring && w.cpus > 0 && w.cells);
}

static inline void key_put(unsigned id)
{
	struct hw_key key = key_row(id);

	row_put(w.skel->maps.hw_keys, id, &key);
}

static inline void our_put(const char *address, uint32_t node)
{
	struct hw_addr key = addr_of(address);

	map_put(w.skel->maps.hw_ours, &key, &node);
}

static inline void vip_row_put(const char *address, struct hw_vip vip)
{
	struct hw_addr key = addr_of(address);

	snprintf(vip.address, sizeof(vip.address), "%s", address);
	map_put(w.skel->maps.hw_vips, &key, &vip);
	our_put(address, 0);
}

static inline void vip_put(const char *address, unsigned id, unsigned flags, unsigned n, const uint16_t *ports)
{
	vip_row_put(address, vip_row(address, id, flags, n, ports));
}

static inline void vips_with_udp(void)
{
	struct hw_vip dns = { .n_tcp = 1, .tcp = { 53 }, .n_udp = 2, .udp = { 53, 443 } };
	struct hw_vip full = { .n_tcp = HW_VIP_NO_TCP, .n_udp = HW_VIP_PORTS };

	for (int i = 0; i < HW_VIP_PORTS; i++)
		full.udp[i] = 2000 + i;
	dns.id = 6;
	vip_row_put(VIP_DNS4, dns);
	dns.id = 7;
	vip_row_put(VIP_DNS6, dns);
	full.id = 8;
	vip_row_put(VIP_UDP4, full);
	full.id = 9;
	vip_row_put(VIP_UDP6, full);
}

static inline void node_put(const struct way *way)
{
	struct hw_node node = node_row(way, way->far ? w.far_ifindex : 1);

	row_put(w.skel->maps.hw_nodes, way->id, &node);
	our_put(way->address, way->id);
}

static inline void world_nodes(void)
{
	for (size_t i = 0; i < WAYS; i++)
		node_put(&ways[i]);
	our_put(SELF_IP6, SELF);
}

/* Our endpoint is of this family. */
static inline void world_endpoint(int family)
{
	w.config.endpoint = addr_of(family == 6 ? SELF_IP6 : SELF_IP4);
	config_put();
}

static inline void map_empty(const struct bpf_map *map)
{
	uint8_t key[64];

	while (bpf_map_get_next_key(bpf_map__fd(map), NULL, key) == 0)
		cr_assert(bpf_map_delete_elem(bpf_map__fd(map), key) == 0);
}

/* The state of a fresh start: nothing known, budgets full, ring empty. */
static inline void world_reset(void)
{
	static const struct hw_budget full;

	map_empty(w.skel->maps.hw_flows);
	map_empty(w.skel->maps.hw_nobody);
	map_empty(w.skel->maps.hw_cookies);
	for (uint32_t i = 0; i <= HW_PREFIXES && w.config.ask_gap_ns; i++)
		row_put(w.skel->maps.hw_budgets, i, &full);
	row_put(w.skel->maps.hw_wake, 0, &(struct hw_wake){ 0 });
	row_put(w.skel->maps.hw_self, 0, &(struct hw_self){ 0 });
	w.config = (struct hw_config){ .network = NETWORK, .node = SELF, .sign_key = KEY_ID, .key_gen = 1,
				       .replay_mark = 0x1122334455667788, .witness_ns = 5 * SECOND };
	world_endpoint(4);
	world_nodes();
	ring_buffer__consume(w.ring);
	w.strays = 0;
}

static inline void counters_read(uint64_t to[ROWS][HW_VERDICT_COUNT])
{
	for (uint32_t row = 0; row < ROWS; row++) {
		cr_assert(bpf_map_lookup_elem(bpf_map__fd(w.skel->maps.hw_verdicts), &row, w.cells) == 0);
		memset(to[row], 0, sizeof(to[row]));
		for (int i = 0; i < w.cpus * HW_VERDICT_COUNT; i++)
			to[row][i % HW_VERDICT_COUNT] += w.cells[i];
	}
}

/* The first line of every test. */
static inline void world_open(void)
{
	static const uint16_t web[] = { 80, 443 };
	uint16_t many[HW_VIP_PORTS];

	for (int i = 0; i < HW_VIP_PORTS; i++)
		many[i] = 1000 + i;
	world_netns();
	world_load();
	key_put(KEY_ID);
	key_put(OTHER_KEY);
	vip_put(VIP4, 1, 0, 0, NULL);
	vip_put(VIP6, 2, 0, 0, NULL);
	vip_put(VIP_PORTS4, 3, 0, 2, web);
	vip_put(VIP_DARK4, 4, HW_VIP_INVISIBLE, 0, NULL);
	vip_put(VIP_FULL4, 5, 0, HW_VIP_PORTS, many);
	vips_with_udp();
	world_reset();
	counters_read(w.counters);
}

/* Exactly one counter of the rows that are looked at moves by one; returns it in w.result. */
static inline void verdict_read(void)
{
	uint64_t now[ROWS][HW_VERDICT_COUNT];
	int moved = 0;

	counters_read(now);
	for (unsigned row = 0; row < ROWS; row++) {
		for (int v = 0; v < HW_VERDICT_COUNT; v++) {
			if (now[row][v] == w.counters[row][v])
				continue;
			moved += now[row][v] - w.counters[row][v];
			w.result.verdict = v;
			w.result.row = row;
		}
	}
	cr_assert(moved == 1, "%d verdicts were counted for one packet", moved);
	memcpy(w.counters, now, sizeof(now));
	cr_assert(w.result.action == verdict_action[w.result.verdict], "counted as %s, but the action is %d",
		  verdict_name[w.result.verdict], w.result.action);
}

/*
 * One frame through the program, with `meta_len` bytes of XDP metadata in front
 * of it. Returns the error of the kernel, which refuses what no driver would
 * hand in. The result stays valid until the next run.
 */
static inline int world_try(const struct frame *f, const void *meta, size_t meta_len)
{
	static uint8_t in[FRAME_MAX + 256], out[FRAME_MAX + 256];
	struct xdp_md ctx = { .data = meta_len, .data_end = meta_len + f->len };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in, .data_size_in = meta_len + f->len, .data_out = out,
		    .data_size_out = sizeof(out), .repeat = 1);
	int err;

	memcpy(in, meta ? meta : "", meta_len);
	memcpy(in + meta_len, f->b, f->len);
	if (meta_len) {
		opts.ctx_in = &ctx;
		opts.ctx_size_in = sizeof(ctx);
	}
	err = bpf_prog_test_run_opts(bpf_program__fd(w.skel->progs.hw_ingress), &opts);
	if (err)
		return err;
	cr_assert(opts.data_size_out >= meta_len && opts.data_size_out - meta_len <= FRAME_MAX);
	w.result.action = opts.retval;
	w.result.out.len = opts.data_size_out - meta_len;
	memcpy(w.result.out.b, out + meta_len, w.result.out.len);
	verdict_read();
	return 0;
}

static inline const struct result *world_run(const struct frame *f)
{
	int err = world_try(f, NULL, 0);

	cr_assert(err == 0, "test run of %zu bytes: %s", f->len, strerror(-err));
	ring_buffer__consume(w.ring);
	return &w.result;
}

static inline bool frame_equal(const struct frame *a, const struct frame *b)
{
	return a->len == b->len && memcmp(a->b, b->b, a->len) == 0;
}

/* The first byte in which they differ; for messages. */
static inline size_t frame_differs(const struct frame *a, const struct frame *b)
{
	size_t i = 0;

	while (i < a->len && i < b->len && a->b[i] == b->b[i])
		i++;
	return i;
}

#define expect_frame(got, want, what) \
	cr_expect(frame_equal(got, want), "%s: %zu bytes, not %zu; byte %zu is %02x, not %02x", what, (got)->len, \
		  (want)->len, frame_differs(got, want), (got)->b[frame_differs(got, want)], \
		  (want)->b[frame_differs(got, want)])

#define expect_verdict(got, want, what) \
	cr_expect((got)->verdict == (want), "%s: %s, not %s", what, verdict_name[(got)->verdict], verdict_name[want])

/* ---- entries ---- */

static inline struct hw_flow_key flow_key_of(const struct tcp *t, unsigned vip)
{
	struct hw_flow_key key = { .vip = vip, .vip_port = t->dport ? t->dport : 443,
				   .client_port = t->sport ? t->sport : 40000 };
	struct hw_addr src = addr_of(t->src ? t->src : family_of(t) == 6 ? CLIENT6 : CLIENT4);

	memcpy(key.client, src.b, 16);
	return key;
}

static inline unsigned vip_id_of(const struct tcp *t) { return family_of(t) == 6 ? 2 : 1; }

/* "The flow of this packet lives at `home`", as the agent would write it. */
static inline void flow_put(const struct tcp *t, unsigned home)
{
	struct hw_flow_key key = flow_key_of(t, vip_id_of(t));
	struct tun tun = { .from_self = true, .dest = home };
	struct hw_flow flow = { .key_gen = w.config.key_gen, .home = home, .outer_port = 51000 };
	int family = family_of(t);
	struct frame f;

	build_tcp(&f, t);
	tun_tag(&tun, ethertype_of(family), key.client_port, key.vip_port, f.b + ETH + (family == 6 ? 8 : 12),
		family == 6 ? 32 : 8, (uint8_t *)&flow.tag);
	map_put(w.skel->maps.hw_flows, &key, &flow);
}

static inline bool flow_get(const struct tcp *t, struct hw_flow *flow)
{
	struct hw_flow_key key = flow_key_of(t, vip_id_of(t));

	return bpf_map_lookup_elem(bpf_map__fd(w.skel->maps.hw_flows), &key, flow) == 0;
}

/* Sums a node's counters. */
static inline struct hw_node_stats node_stats(uint32_t id)
{
	struct hw_node_stats *cells = calloc(w.cpus, sizeof(*cells)), sum = { 0 };

	cr_assert(cells && bpf_map_lookup_elem(bpf_map__fd(w.skel->maps.hw_node_stats), &id, cells) == 0);
	for (int i = 0; i < w.cpus; i++)
		for (size_t j = 0; j < sizeof(sum) / 8; j++)
			((uint64_t *)&sum)[j] += ((uint64_t *)&cells[i])[j];
	free(cells);
	return sum;
}
