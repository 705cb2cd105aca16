// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * libFuzzer target: a situation and a frame through the whole XDP program,
 * compiled for user space (native.h), under ASan and UBSan; judge.h says what
 * must be true of what comes out. Half of the mutated frames are repaired, so
 * that they get past checksums and tags.
 */
#include "native.h"

#include "judge.h"

#define IFINDEX     1
#define IFINDEX_FAR 9
#define FLOW_TAG    0x1122334455667788ull
#define OUTER_PORT  51001

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

static void world_fixed(void)
{
	static const uint16_t web[] = { 80, 443 };
	struct table *t = table_of(&hw_nodes);
	const struct { const char *address; unsigned id, flags, n; } vips[] = {
		{ VIP4, 1, 0, 0 }, { VIP6, 2, 0, 0 }, { "203.0.113.2", 3, 0, 2 }, { "203.0.113.3", 4, HW_VIP_INVISIBLE, 0 },
	};
	struct hw_addr key;

	for (size_t i = 0; i < WAYS; i++) {
		key = addr_of(ways[i].address);
		*(struct hw_node *)table_row(t, ways[i].id) = node_row(&ways[i], ways[i].far ? IFINDEX_FAR : IFINDEX);
		table_put(&hw_ours, &key, &(struct hw_our){ ways[i].id });
	}
	for (size_t i = 0; i < sizeof(vips) / sizeof(vips[0]); i++) {
		struct hw_vip vip = vip_row(vips[i].address, vips[i].id, vips[i].flags, vips[i].n, web);

		key = addr_of(vips[i].address);
		table_put(&hw_vips, &key, &vip);
		table_put(&hw_ours, &key, &(struct hw_our){ 0 });
	}
	*(struct hw_key *)table_row(table_of(&hw_keys), KEY_ID) = key_row(KEY_ID);
	*(struct hw_key *)table_row(table_of(&hw_keys), OTHER_KEY) = key_row(OTHER_KEY);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	TABLE(hw_config, false);
	TABLE(hw_self, true);
	TABLE(hw_wake, true);
	TABLE(hw_keys, false);
	TABLE(hw_vips, false);
	TABLE(hw_ours, false);
	TABLE(hw_nodes, false);
	TABLE(hw_flows, false);
	TABLE(hw_nobody, false);
	TABLE(hw_cookies, false);
	TABLE(hw_budgets, true);
	TABLE(hw_verdicts, true);
	TABLE(hw_node_stats, true);
	TABLE(hw_scratch, true);
	native.memory = mmap(NULL, 32768, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	cr_assert(native.memory != MAP_FAILED);
	world_fixed();
	return 0;
}

static void state_forget(void)
{
	while (native.n_touched) {
		uint32_t at = native.touched[--native.n_touched];
		struct entry *e = &native.tables[at >> 16].entries[at & 0xffff];

		free(e->value);
		e->value = NULL;
	}
	free(native.record);
	native.record = NULL;
	native.submitted = false;
	native.redirected = 0;
	native.sockets_held = 0;
}

static unsigned home_of(const struct situation *s)
{
	unsigned i = s->home % (WAYS + 2);

	return i == 0 ? 0 : i > WAYS ? HW_NODE_IDS : ways[i - 1].id;
}

static void situation_set(const struct situation *s)
{
	struct hw_config *cfg = table_row(table_of(&hw_config), 0);
	uint16_t ports[HW_VIP_PORTS] = { 80, [HW_VIP_PORTS - 1] = 443 };
	struct hw_vip vip = vip_row("any", 7, s->invisible ? HW_VIP_INVISIBLE : 0, s->ports % (HW_VIP_PORTS + 1), ports);
	struct hw_flow flow = { .tag = FLOW_TAG, .key_gen = s->key_current ? 1 : 0, .home = home_of(s),
				.outer_port = OUTER_PORT };
	struct hw_self *self = table_row(table_of(&hw_self), 0);

	native.s = *s;
	*cfg = (struct hw_config){ .network = NETWORK, .node = SELF, .sign_key = KEY_ID, .key_gen = 1,
				   .endpoint = addr_of(s->endpoint6 ? SELF_IP6 : SELF_IP4),
				   .replay_mark = 0x1122334455667788, .witness_ns = 5, .ask_gap_ns = s->spent };
	table_wild(&hw_vips, s->any_vip ? &vip : NULL);
	table_wild(&hw_flows, flow.home ? &flow : NULL);
	table_wild(&hw_nobody, s->nobody ? &(struct hw_nobody){ NATIVE_NOW + 1, 0, 0 } : NULL);
	table_wild(&hw_cookies, s->cookies ? &(struct hw_cookie){ NATIVE_NOW + 1 } : NULL);
	cookies_until = s->cookies ? NATIVE_NOW + 1 : 0;
	((struct hw_wake *)table_row(table_of(&hw_wake), 0))->asleep = s->asleep;
	self->fresh_ns = s->witness ? NATIVE_NOW - 1 : 0;
	memset(self->hears, 0xff, sizeof(self->hears));
	memset(table_row(table_of(&hw_scratch), 0), 0xa5, sizeof(struct message));
}

static struct xdp_md frame_in(const struct frame *f)
{
	static const uint32_t what[MARKS] = { [MARK_CARRY] = HW_REPLAY_CARRY, [MARK_DELIVER] = HW_REPLAY_DELIVER };
	struct hw_mark mark = { 0x1122334455667788, what[native.s.mark % MARKS], 0 };
	size_t meta = native.s.mark % MARKS ? sizeof(mark) : 0, linear = f->len;
	uint8_t *data = native.memory + HEADROOM;

	if (native.s.linear && linear > ETH + native.s.linear)
		linear = ETH + native.s.linear;
	if (native.s.mark % MARKS == MARK_OTHER)
		mark.replay_mark++;
	ASAN_UNPOISON_MEMORY_REGION(native.memory, 32768);
	memcpy(data - meta, &mark, meta);
	memcpy(data, f->b, linear);
	native.rest.len = f->len - linear;
	memcpy(native.rest.b, f->b + linear, native.rest.len);
	native.start = native.memory + 8 * native.s.headroom;
	if (native.start > data - meta)
		native.start = data - meta;
	native.end = data + linear;
	ASAN_POISON_MEMORY_REGION(native.memory, data - meta - native.memory);
	ASAN_POISON_MEMORY_REGION(native.end, native.memory + 32768 - native.end);
	return (struct xdp_md){ .data = (uintptr_t)data, .data_end = (uintptr_t)native.end,
				.data_meta = (uintptr_t)(data - meta), .ingress_ifindex = IFINDEX };
}

/* The one counter that moved; none but one row of them may have been looked at. */
static enum hw_verdict verdict_read(void)
{
	struct table *t = table_of(&hw_verdicts);
	enum hw_verdict verdict = HW_VERDICT_COUNT;
	uint64_t moved = 0;

	for (size_t i = 0; i < native.n_touched; i++) {
		const uint64_t *cells;

		if (&native.tables[native.touched[i] >> 16] != t)
			continue;
		cells = t->entries[native.touched[i] & 0xffff].value;
		for (int v = 0; v < HW_VERDICT_COUNT; v++) {
			moved += cells[v];
			if (cells[v])
				verdict = v;
		}
	}
	cr_assert(moved == 1, "%d verdicts for one packet", (int)moved);
	return verdict;
}

static void outcome(const struct frame *in, const struct frame *out, enum hw_verdict verdict, int action)
{
	static const uint8_t tag[8] = { 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11 };
	int endpoint = native.s.endpoint6 ? 6 : 4;
	bool asked = verdict == HW_V_drop_asked || verdict == HW_V_drop_returned;
	bool sent = verdict == HW_V_carry_tx || verdict == HW_V_carry_redirect;

	judge(in, out, verdict, action, endpoint);
	cr_assert(native.sockets_held == 0, "a socket is not released");
	cr_assert(native.submitted == asked && (!native.record || asked), "a record, and not asked");
	if (asked)
		judge_stray(in, native.record, ((struct hw_stray *)native.record)->frame, native.record_size, endpoint);
	if (sent)
		judge_carry(in, out, home_of(&native.s), OUTER_PORT, native.s.key_current ? tag : NULL);
	cr_assert(native.redirected == (verdict == HW_V_carry_redirect ? IFINDEX_FAR : 0));
	if (native.s.socket % SOCKETS == SOCKET_NONE)
		cr_assert(verdict != HW_V_pass_mine && (verdict != HW_V_pass_carried || native.s.cookies),
			  "mine without a socket, nor right behind a SYN cookie's answer");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct frame in, out;
	struct situation s;
	struct xdp_md ctx;
	int action;

	if (size < sizeof(s) + ETH || size > sizeof(s) + 4096)
		return 0;
	memcpy(&s, data, sizeof(s));
	in.len = size - sizeof(s);
	memcpy(in.b, data + sizeof(s), in.len);
	state_forget();
	situation_set(&s);
	ctx = frame_in(&in);
	action = hw_ingress(&ctx);
	out.len = bpf_xdp_get_buff_len(&ctx);
	for (size_t i = 0; i < out.len; i++)
		out.b[i] = *frame_byte(&ctx, i);
	outcome(&in, &out, verdict_read(), action);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	static struct frame f;
	size_t head = sizeof(struct situation);

	if (size <= head || max <= head + ETH)
		return LLVMFuzzerMutate(data, size, max);
	if (seed % 4 == 0) {
		LLVMFuzzerMutate(data, head, head); /* its length stays, or the frame would move */
		return size;
	}
	size = LLVMFuzzerMutate(data + head, size - head, max - head);
	if (seed & 64 && size <= FRAME_MAX) {
		f.len = size;
		memcpy(f.b, data + head, size);
		repair(&f, seed >> 8 & 1 ? ~0u : seed >> 9);
		memcpy(data + head, f.b, size);
	}
	return head + size;
}
