/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Reading the pinned maps for the verbs that show them. hw_flows may have a
 * million entries that come and go while it is read, so maps are walked in
 * batches; the tables of VIPs and nodes are small and are read whole.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "nexthop.h"
#include "snapshot.h"

#define BATCH 4096

static bool map_info(int fd, struct bpf_map_info *info)
{
	uint32_t len = sizeof(*info);

	memset(info, 0, sizeof(*info));
	if (!bpf_obj_get_info_by_fd(fd, info, &len))
		return true;
	hw_err("a map's description cannot be read: %s", strerror(errno));
	return false;
}

static bool walk_fail(struct hw_walk *w, const char *what)
{
	hw_err("%s: %s", what, strerror(errno));
	w->failed = true;
	return false;
}

static bool walk_room(struct hw_walk *w, uint32_t entries)
{
	free(w->keys);
	free(w->values);
	w->size = entries;
	w->keys = calloc(entries, w->key_size);
	w->values = calloc(entries, w->value_size);
	return w->keys && w->values;
}

static bool walk_begin(struct hw_walk *w)
{
	struct bpf_map_info info;

	w->begun = true;
	if (!map_info(w->fd, &info)) {
		w->failed = true;
		return false;
	}
	w->key_size = info.key_size;
	w->value_size = info.value_size;
	w->steps_left = 2ULL * info.max_entries;
	if (info.key_size > sizeof(w->position))
		w->stepwise = true;
	return walk_room(w, BATCH) || walk_fail(w, "reading a map");
}

/* Fetches the next batch. A bucket that does not fit is asked for again with more room. */
static bool walk_batch(struct hw_walk *w, bool first)
{
	uint8_t next[sizeof(w->position)];
	int err;

	do {
		w->at = 0;
		w->got = w->size;
		err = bpf_map_lookup_batch(w->fd, first ? NULL : w->position, next, w->keys, w->values, &w->got, NULL);
		if (!err || errno == ENOENT) {
			w->last = err;
			memcpy(w->position, next, sizeof(next));
			return w->got;
		}
	} while (errno == ENOSPC && w->size < 1u << 24 && walk_room(w, 2 * w->size));
	w->got = 0;
	if (first && errno != ENOMEM) {
		w->stepwise = true;
		return false;
	}
	return walk_fail(w, "reading a map in batches");
}

/* One entry. Those that vanish between the two calls are passed over. */
static bool walk_step(struct hw_walk *w, bool first)
{
	void *previous = first ? NULL : w->keys;

	while (w->steps_left--) {
		if (bpf_map_get_next_key(w->fd, previous, w->keys))
			return errno == ENOENT ? false : walk_fail(w, "reading a map");
		previous = w->keys;
		if (!bpf_map_lookup_elem(w->fd, w->keys, w->values)) {
			w->key = w->keys;
			w->value = w->values;
			return true;
		}
		if (errno != ENOENT)
			return walk_fail(w, "reading a map");
	}
	return false;
}

bool hw_walk_next(struct hw_walk *w)
{
	bool first = !w->begun;

	if (w->failed || (first && !walk_begin(w)))
		return false;
	while (!w->stepwise && w->at == w->got) {
		if (w->last || w->failed)
			return false;
		walk_batch(w, first);
		first = first && w->stepwise;
	}
	if (w->stepwise)
		return walk_step(w, first);
	w->key = w->keys + (size_t)w->at * w->key_size;
	w->value = w->values + (size_t)w->at * w->value_size;
	w->at++;
	return true;
}

void hw_walk_end(struct hw_walk *w)
{
	free(w->keys);
	free(w->values);
	w->keys = w->values = NULL;
}

/* Bytes that wait in a ring buffer: producer minus consumer position, each at the head of a page of its own. */
static uint64_t ring_waiting(int fd)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *pages = mmap(NULL, 2 * page, PROT_READ, MAP_SHARED, fd, 0);
	uint64_t consumer, producer;

	if (pages == MAP_FAILED)
		return 0;
	consumer = __atomic_load_n((unsigned long *)pages, __ATOMIC_ACQUIRE);
	producer = __atomic_load_n((unsigned long *)(pages + page), __ATOMIC_ACQUIRE);
	munmap(pages, 2 * page);
	return producer - consumer;
}

bool hw_map_fill(int fd, struct hw_map_fill *out)
{
	hw_autowalk struct hw_walk walk = { .fd = fd };
	struct bpf_map_info info;

	if (!map_info(fd, &info))
		return false;
	*out = (struct hw_map_fill){
		.type = libbpf_bpf_map_type_str(info.type),
		.entries = info.max_entries,
		.capacity = info.max_entries,
	};
	memcpy(out->name, info.name, sizeof(out->name));
	switch (info.type) {
	case BPF_MAP_TYPE_LRU_HASH:
		out->evicts = true;
		/* fallthrough */
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_DEVMAP_HASH:
		out->fills = true;
		out->entries = 0;
		while (hw_walk_next(&walk))
			out->entries++;
		return !walk.failed;
	case BPF_MAP_TYPE_RINGBUF:
		out->fills = out->bytes = true;
		out->entries = ring_waiting(fd);
		return true;
	default:
		return true;
	}
}

static bool read_row(const struct hw_pins *pins, const char *name, int fd, uint32_t row, void *out)
{
	if (!bpf_map_lookup_elem(fd, &row, out))
		return true;
	hw_err("%s/%s: row %u cannot be read: %s", pins->path, name, row, strerror(errno));
	return false;
}

static bool read_vips(struct hw_snapshot *s)
{
	hw_autowalk struct hw_walk walk = { .fd = s->pins.vips };

	while (hw_walk_next(&walk)) {
		const struct hw_vip *vip = walk.value;

		if (vip->id && vip->id < HW_VIP_IDS)
			s->vip[vip->id] = *vip;
	}
	return !walk.failed;
}

static bool read_nodes(struct hw_snapshot *s)
{
	hw_autowalk struct hw_walk walk = { .fd = s->pins.nodes };

	while (hw_walk_next(&walk)) {
		uint32_t id = *(const uint32_t *)walk.key;
		struct hw_seen_node *n;

		if (id >= HW_NODE_IDS)
			continue;
		n = &s->node[id];
		memcpy(&n->node, walk.value, sizeof(n->node));
		if (!n->node.name[0])
			continue;
		if (!read_row(&s->pins, "hw_node_view", s->pins.node_view, id, &n->view))
			return false;
		if (!hw_pins_sum(s->pins.node_stats, id, (uint64_t *)&n->view.sum, sizeof(n->view.sum) / 8)) {
			hw_err("%s/hw_node_stats: row %u cannot be read: %s", s->pins.path, id, strerror(errno));
			return false;
		}
		n->state = id == s->config.node ? HW_NODE_SELF : s->agent_runs ? n->view.state : HW_NODE_UNKNOWN;
	}
	return !walk.failed;
}

struct hw_snapshot *hw_snapshot_take(const char *pin)
{
	hw_autosnapshot struct hw_snapshot *s = calloc(1, sizeof(*s));
	struct hw_snapshot *taken;
	struct timespec now;

	if (!s) {
		hw_err("out of memory");
		return NULL;
	}
	if (!hw_pins_open(&s->pins, pin))
		return NULL;
	s->agent_runs = hw_pins_agent_runs(pin);
	if (!read_row(&s->pins, "hw_config", s->pins.config, 0, &s->config) ||
	    !read_row(&s->pins, "hw_self", s->pins.self, 0, &s->self) ||
	    !read_row(&s->pins, "hw_agent_view", s->pins.agent_view, 0, &s->agent) ||
	    !read_vips(s) || !read_nodes(s))
		return NULL;
	clock_gettime(CLOCK_MONOTONIC, &now);
	s->now_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	taken = s;
	s = NULL;
	return taken;
}

void hw_snapshot_free(struct hw_snapshot **s)
{
	if (!*s)
		return;
	hw_pins_close(&(*s)->pins);
	if ((*s)->netlink)
		hw_netlink_close((*s)->netlink);
	free(*s);
	*s = NULL;
}

double hw_snapshot_age(const struct hw_snapshot *s, uint64_t then_ns)
{
	if (!then_ns)
		return -1;
	return s->now_ns > then_ns ? (double)(s->now_ns - then_ns) / 1e9 : 0;
}

bool hw_snapshot_verdicts(const struct hw_snapshot *s, uint32_t vip, uint64_t out[HW_VERDICT_COUNT])
{
	if (hw_pins_sum(s->pins.verdicts, vip, out, HW_VERDICT_COUNT))
		return true;
	hw_err("%s/hw_verdicts: row %u cannot be read: %s", s->pins.path, vip, strerror(errno));
	return false;
}

const char *hw_node_state_text(enum hw_node_state state)
{
	static const char *const text[] = {
		[HW_NODE_UNKNOWN] = "unknown",
		[HW_NODE_SELF] = "self",
		[HW_NODE_UP] = "up",
		[HW_NODE_LOST] = "lost",
		[HW_NODE_DEAD] = "dead",
	};

	return (size_t)state < sizeof(text) / sizeof(text[0]) ? text[state] : "unknown";
}

const char *hw_snapshot_no_way(struct hw_snapshot *s, uint32_t id, char *out)
{
	const struct hw_node *n = &s->node[id].node;
	char gateway[HW_ADDR_LEN];
	struct hw_hop hop;

	if (id == s->config.node || n->usable)
		return NULL;
	if (!s->netlink)
		s->netlink = hw_netlink_open();
	if (!s->netlink || !hw_netlink_resolve(s->netlink, &s->config.endpoint, &n->addr, &hop))
		snprintf(out, HW_WHY, "the kernel cannot be asked why");
	else if (hop.usable && !s->agent_runs)
		snprintf(out, HW_WHY, "there is a way to it now, but no agent that would take it up");
	else if (hop.usable)
		snprintf(out, HW_WHY, "a way has just been found, it is not in use yet");
	else if (hop.device[0] && !hop.on_link)
		snprintf(out, HW_WHY, "%s (%s on %s)", hop.why, hw_addr_text(&hop.gateway, gateway), hop.device);
	else if (hop.device[0])
		snprintf(out, HW_WHY, "%s (on %s)", hop.why, hop.device);
	else
		snprintf(out, HW_WHY, "%s", hop.why);
	return out;
}
