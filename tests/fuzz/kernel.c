// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Fuzzes the program as it is loaded: kernel SECONDS feeds mutations of the
 * seeds to it by BPF_PROG_TEST_RUN, in a namespace with two real connections,
 * and holds each result against judge.h. SEED= repeats a run (but for the
 * sequence numbers of the server, which are the kernel's).
 */
#include "tests/packet/conn.h"

#include "judge.h"
#include "seeds.h"

#define PORT 51000 /* UDP source port of all flows here */

static struct {
	uint64_t seed, random, runs, last_round;
	uint64_t verdicts[HW_VERDICT_COUNT];
	struct frame in;
	int endpoint;
} k;

/* xorshift64* (Vigna) */
static uint64_t random_next(void)
{
	k.random ^= k.random >> 12;
	k.random ^= k.random << 25;
	k.random ^= k.random >> 27;
	return k.random * 0x2545f4914f6cdd1dull;
}

static unsigned below(unsigned n) { return (random_next() >> 33) % n; }

static void tell(void)
{
	fprintf(stderr, "run %llu of SEED=%llu, endpoint IPv%d, as %s, frame:\n", (unsigned long long)k.runs,
		(unsigned long long)k.seed, k.endpoint, verdict_name[w.result.verdict]);
	for (size_t i = 0; i < k.in.len; i++)
		fprintf(stderr, "%02x", k.in.b[i]);
	fputc('\n', stderr);
}

/* ---- mutations ---- */

static void mutate_bytes(struct frame *f)
{
	static const uint8_t telling[] = { 0, 1, 4, 5, 6, 0x0f, 0x10, 0x40, 0x45, 0x7f, 0x80, 0xff };
	/* mostly headers: payload decides nothing */
	unsigned at = below(below(4) ? f->len < 160 ? f->len : 160 : f->len);

	switch (below(4)) {
	case 0:
		f->b[at] ^= 1u << below(8);
		break;
	case 1:
		f->b[at] = telling[below(sizeof(telling))];
		break;
	case 2:
		f->b[at] += below(9) - 4;
		break;
	default:
		f->b[at] = random_next() >> 56;
	}
}

static void mutate_length(struct frame *f)
{
	unsigned at = ETH + below(f->len - ETH + 1), bytes = 1 + below(below(8) ? 40 : 1400);

	if (below(2)) { /* cut some out, or the tail off */
		bytes = at + bytes > f->len || !below(3) ? f->len - at : bytes;
		memmove(f->b + at, f->b + at + bytes, f->len - at - bytes);
		f->len -= bytes;
	} else if (f->len + bytes <= 4096) {
		memmove(f->b + at + bytes, f->b + at, f->len - at);
		f->len += bytes;
		while (bytes--)
			f->b[at + bytes] = random_next() >> 56;
	}
}

static void frame_make(struct frame *f)
{
	*f = seeds[below(n_seeds)];
	for (unsigned i = below(6); i; i--) {
		if (below(8))
			mutate_bytes(f);
		else
			mutate_length(f);
	}
	if (below(2))
		repair(f, below(4) ? ~0u : below(8));
}

/* ---- runs ---- */

static void run(const void *meta, size_t meta_len)
{
	const struct result *r = &w.result;
	int err, before = w.strays;

	err = world_try(&k.in, meta, meta_len);
	if (err) { /* what no driver hands in */
		cr_assert(err == -EINVAL || err == -ENOMEM, "%s", strerror(-err));
		return;
	}
	k.runs++;
	k.verdicts[r->verdict]++;
	ring_buffer__consume(w.ring);
	judge(&k.in, &r->out, r->verdict, r->action, k.endpoint);
	cr_assert((w.strays > before) == (r->verdict == HW_V_drop_asked || r->verdict == HW_V_drop_returned));
	if (w.strays > before)
		judge_stray(&k.in, &w.stray.head, w.stray.frame, w.stray.size, k.endpoint);
}

/* It was asked about: again, with its home known; then with "nobody's" known. */
static void run_known(void)
{
	const struct hw_flow_key key = w.stray.head.key;
	const struct way *way = &ways[1 + below(WAYS - 1)];
	struct hw_flow flow = { .home = way->id, .outer_port = PORT };
	struct hw_nobody nobody = { now_ns() + SECOND, w.stray.head.seq, w.stray.head.ack };

	map_put(w.skel->maps.hw_flows, &key, &flow);
	run(NULL, 0);
	if (w.result.action == XDP_PASS || w.result.action == XDP_TX || w.result.action == XDP_REDIRECT) {
		cr_assert(w.result.verdict == (way->far ? HW_V_carry_redirect : HW_V_carry_tx));
		judge_carry(&k.in, &w.result.out, way->id, PORT, NULL);
	}
	bpf_map_delete_elem(bpf_map__fd(w.skel->maps.hw_flows), &key);
	map_put(w.skel->maps.hw_nobody, &key, &nobody);
	run(NULL, 0);
	cr_assert(w.result.verdict == HW_V_pass_nobody);
	bpf_map_delete_elem(bpf_map__fd(w.skel->maps.hw_nobody), &key);
}

static void round_run(void)
{
	struct hw_mark mark = { w.config.replay_mark + !below(4), below(3), 0 };

	if (!below(16)) {
		k.endpoint = below(2) ? 6 : 4;
		world_endpoint(k.endpoint);
	}
	frame_make(&k.in);
	if (!below(16))
		run(&mark, sizeof(mark));
	run(NULL, 0);
	if (w.result.verdict == HW_V_drop_asked)
		run_known();
}

/* The connections' own packets, from the client and carried, so that some are mine. */
static void seeds_mine(const struct tcp *t)
{
	for (int i = 0; i < 12; i++) {
		seed_tcp(*t);
		seed_data((struct tun){ .family = i & 1 ? 6 : 4, .tos = i & 3 }, *t);
	}
}

static void summary(unsigned seconds)
{
	printf("kernel: %llu runs in %u s, SEED=%llu;", (unsigned long long)k.runs, seconds, (unsigned long long)k.seed);
	for (int v = 0; v < HW_VERDICT_COUNT; v++)
		if (k.verdicts[v])
			printf(" %s %llu", verdict_name[v], (unsigned long long)k.verdicts[v]);
	putchar('\n');
}

int main(int argc, char **argv)
{
	unsigned seconds = argc > 1 ? atoi(argv[1]) : 60;
	struct tcp mine4, mine6;
	uint64_t end;

	k.seed = getenv("SEED") ? strtoull(getenv("SEED"), NULL, 0) : now_ns();
	k.random = k.seed | 1ull << 63; /* never zero */
	k.endpoint = 4;
	fail_tell = tell;
	world_open();
	conn_world();
	mine4 = conn_here(4);
	mine6 = conn_here(6);
	seeds_make();
	seeds_mine(&mine4);
	seeds_mine(&mine6);
	for (end = now_ns() + seconds * SECOND; now_ns() < end;)
		round_run();
	summary(seconds);
	return 0;
}
