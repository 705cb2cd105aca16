/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The XDP program as a function of this process: the helpers that it calls,
 * written for user space, then bpf/ingress.bpf.c itself, unchanged. Maps become
 * tables of single allocations, so that a step beside a value is seen by ASan;
 * the frame lies below 4 GiB, since the context has 32-bit pointers, with
 * everything around it poisoned. What the kernel would decide (a socket, a full
 * ring, no headroom) a struct situation decides.
 */
#pragma once

#include <criterion/criterion.h>
#include <errno.h>
#include <sanitizer/asan_interface.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "situation.h"
#include "tests/packet/frame.h"

/* Instead of libbpf's headers. */
#define __BPF_HELPERS__
#define __BPF_CORE_READ_H__
#define SEC(name)
#define __uint(name, value) int (*name)[value]
#define __type(name, value) typeof(value) *name
#define LIBBPF_PIN_BY_NAME 1
#define bpf_core_field_offset(type, field) offsetof(struct native_sock, field)

#include "bpf/kernel.h"
#include <linux/bpf.h>

/* Any kind of socket; the fields that mini sockets are read by stand behind it. */
struct native_sock {
	struct bpf_sock sk;
	uint32_t snt_isn, skc_tw_snd_nxt, skc_tw_rcv_nxt, tw_rcv_wnd;
};

#define NATIVE_NOW  1000000000000ull
#define HEADROOM    256
#define TABLES      16
#define ENTRIES_MAX 32

struct entry {
	void *key, *value;
};

struct table {
	const void *map;
	bool array;       /* `entries` by index; otherwise in the order that they came */
	bool state;       /* forgotten after each run */
	size_t key, value, max, n;
	struct entry *entries;
	void *wild;       /* what every lookup finds */
};

static struct native {
	struct situation s;
	struct table tables[TABLES];
	size_t n_tables;
	uint32_t touched[64]; /* rows of state arrays: table << 16 | row */
	size_t n_touched;
	uint8_t *memory, *start, *end; /* start: of the headroom that may be used */
	struct frame rest;    /* the fragments */
	struct native_sock sock;
	struct tcp_sock tcp;
	int sockets_held;
	void *record;         /* reserved in the ring, then submitted */
	size_t record_size;
	bool submitted;
	unsigned redirected;  /* ifindex */
} native;

static struct table *table_of(const void *map)
{
	for (size_t i = 0; i < native.n_tables; i++)
		if (native.tables[i].map == map)
			return &native.tables[i];
	abort();
}

static void table_add(const void *map, int type, size_t key, size_t value, size_t max, bool state)
{
	bool array = type == BPF_MAP_TYPE_ARRAY || type == BPF_MAP_TYPE_PERCPU_ARRAY;

	cr_assert(native.n_tables < TABLES);
	native.tables[native.n_tables++] = (struct table){ .map = map, .array = array, .state = state, .key = key, .value = value,
						 .max = max, .entries = calloc(array ? max : ENTRIES_MAX, sizeof(struct entry)) };
}
#define TABLE(map, state) \
	table_add(&map, sizeof(*map.type) / sizeof(int), sizeof(*map.key), sizeof(*map.value), \
		  sizeof(*map.max_entries) / sizeof(int), state)

static void *table_row(struct table *t, uint32_t i)
{
	struct entry *e;

	if (i >= t->max)
		return NULL;
	e = &t->entries[i];
	if (e->value)
		return e->value;
	e->value = calloc(1, t->value);
	if (t->state) {
		cr_assert(native.n_touched < sizeof(native.touched) / sizeof(native.touched[0]));
		native.touched[native.n_touched++] = (uint32_t)(t - native.tables) << 16 | i;
	}
	return e->value;
}

static void table_put(const void *map, const void *key, const void *value)
{
	struct table *t = table_of(map);
	struct entry e = { malloc(t->key), malloc(t->value) };

	cr_assert(t->n < ENTRIES_MAX);
	memcpy(e.key, key, t->key);
	memcpy(e.value, value, t->value);
	t->entries[t->n++] = e;
}

/* Every lookup in this hash finds this value; NULL: none does. */
static void table_wild(const void *map, const void *value)
{
	struct table *t = table_of(map);

	free(t->wild);
	t->wild = value ? memcpy(malloc(t->value), value, t->value) : NULL;
}

/* ---- maps ---- */

static void *bpf_map_lookup_elem(void *map, const void *key)
{
	struct table *t = table_of(map);
	uint8_t k[64];

	memcpy(k, key, t->key); /* all of it is readable */
	if (t->array)
		return table_row(t, *(const uint32_t *)key);
	for (size_t i = 0; i < t->n; i++)
		if (memcmp(t->entries[i].key, k, t->key) == 0)
			return t->entries[i].value;
	return t->wild;
}

static long bpf_map_update_elem(void *map, const void *key, const void *value, uint64_t flags)
{
	struct table *t = table_of(map);
	uint8_t k[64];

	memcpy(k, key, t->key);
	table_wild(map, value);
	return 0;
}

static long bpf_map_delete_elem(void *map, const void *key)
{
	table_wild(map, NULL);
	return 0;
}

static void *bpf_ringbuf_reserve(void *ring, uint64_t size, uint64_t flags)
{
	cr_assert(!native.record, "a second record");
	if (native.s.ring_full)
		return NULL;
	native.record_size = size;
	native.record = malloc(size);
	return memset(native.record, 0xa5, size);
}

static void bpf_ringbuf_submit(void *record, uint64_t flags)
{
	cr_assert(record == native.record && !native.submitted);
	cr_assert(flags == (native.s.asleep ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP));
	native.submitted = true;
}

/* ---- the frame ---- */

static size_t linear_len(const struct xdp_md *ctx) { return ctx->data_end - ctx->data; }

static uint64_t bpf_xdp_get_buff_len(struct xdp_md *ctx) { return linear_len(ctx) + native.rest.len; }

/* Byte `at` of the frame, linear or not. */
static uint8_t *frame_byte(struct xdp_md *ctx, size_t at)
{
	size_t linear = linear_len(ctx);

	return at < linear ? (uint8_t *)(uintptr_t)ctx->data + at : native.rest.b + at - linear;
}

static long bpf_xdp_load_bytes(struct xdp_md *ctx, uint32_t offset, void *to, uint32_t len)
{
	if ((uint64_t)offset + len > bpf_xdp_get_buff_len(ctx))
		return -EINVAL;
	for (uint32_t i = 0; i < len; i++)
		((uint8_t *)to)[i] = *frame_byte(ctx, offset + i);
	return 0;
}

static long bpf_xdp_store_bytes(struct xdp_md *ctx, uint32_t offset, void *from, uint32_t len)
{
	if ((uint64_t)offset + len > bpf_xdp_get_buff_len(ctx))
		return -EINVAL;
	for (uint32_t i = 0; i < len; i++)
		*frame_byte(ctx, offset + i) = ((uint8_t *)from)[i];
	return 0;
}

static long bpf_xdp_adjust_head(struct xdp_md *ctx, int delta)
{
	size_t meta = ctx->data - ctx->data_meta;
	uint8_t *data = (uint8_t *)(uintptr_t)ctx->data, *moved = data + delta;

	if (moved - meta < native.start || moved + ETH > native.end)
		return -EINVAL;
	ASAN_UNPOISON_MEMORY_REGION(moved - meta, native.end - moved + meta);
	memmove(moved - meta, data - meta, meta);
	ASAN_POISON_MEMORY_REGION(native.memory, moved - meta - native.memory);
	ctx->data += delta;
	ctx->data_meta += delta;
	return 0;
}

/* Only ever cuts; from the last bytes on, which are the fragments. */
static long bpf_xdp_adjust_tail(struct xdp_md *ctx, int delta)
{
	size_t cut = -delta, rest;

	cr_assert(delta < 0 && cut <= bpf_xdp_get_buff_len(ctx));
	rest = cut < native.rest.len ? cut : native.rest.len;
	if (cut - rest + ETH > linear_len(ctx))
		return -EINVAL;
	native.rest.len -= rest;
	ctx->data_end -= cut - rest;
	native.end -= cut - rest;
	ASAN_POISON_MEMORY_REGION(native.end, cut - rest);
	return 0;
}

/* ---- sockets, and what else the kernel knows ---- */

static void *bpf_skc_lookup_tcp(void *ctx, struct bpf_sock_tuple *tuple, uint32_t size, uint64_t netns, uint64_t flags)
{
	static const uint8_t state[SOCKETS] = {
		[SOCKET_FULL] = BPF_TCP_ESTABLISHED, [SOCKET_LISTEN] = BPF_TCP_LISTEN,
		[SOCKET_REQUEST] = BPF_TCP_NEW_SYN_RECV, [SOCKET_TIMEWAIT] = BPF_TCP_TIME_WAIT,
		[SOCKET_FASTOPEN] = BPF_TCP_SYN_RECV,
	};
	uint32_t una = native.s.una, rcv = native.s.rcv;

	cr_assert((size == 12 || size == 36) && netns == (uint64_t)BPF_F_CURRENT_NETNS && !flags);
	if (native.s.socket % SOCKETS == SOCKET_NONE)
		return NULL;
	native.sock = (struct native_sock){ .sk.state = state[native.s.socket % SOCKETS], .snt_isn = una - 1,
				       .skc_tw_snd_nxt = una, .skc_tw_rcv_nxt = rcv, .tw_rcv_wnd = 65535 };
	native.tcp = (struct tcp_sock){ .snd_una = una, .write_seq = una + 10000, .max_window = 65535, .rcv_nxt = rcv,
				   .rcv_wnd = 65535 };
	native.sockets_held++;
	return &native.sock;
}

static long bpf_sk_release(void *sk)
{
	cr_assert(sk == &native.sock && native.sockets_held == 1);
	native.sockets_held--;
	return 0;
}

static struct tcp_sock *bpf_skc_to_tcp_sock(void *sk) { return native.s.mptcp ? NULL : &native.tcp; }

static long bpf_tcp_check_syncookie(void *sk, void *ip, uint32_t ip_len, void *th, uint32_t th_len)
{
	uint8_t headers[64];

	memcpy(headers, ip, ip_len);
	memcpy(headers, th, th_len);
	return native.s.cookie ? 0 : -ENOENT;
}

static long bpf_probe_read_kernel(void *to, uint32_t size, const void *from)
{
	memcpy(to, from, size);
	return 0;
}

static int64_t bpf_csum_diff(void *from, uint32_t from_size, void *to, uint32_t to_size, uint32_t seed)
{
	uint64_t sum = seed;

	cr_assert(!from_size && to_size % 4 == 0);
	for (uint32_t i = 0; i < to_size / 4; i++)
		sum += ((uint32_t *)to)[i];
	sum = (sum & 0xffffffff) + (sum >> 32);
	return (uint32_t)sum + (sum >> 32);
}

static long bpf_redirect(uint32_t ifindex, uint64_t flags)
{
	native.redirected = ifindex;
	return XDP_REDIRECT;
}

static uint64_t bpf_ktime_get_ns(void) { return NATIVE_NOW; }
static uint64_t bpf_ktime_get_coarse_ns(void) { return NATIVE_NOW; }

#include "bpf/ingress.bpf.c"
