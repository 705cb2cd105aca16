/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The tc egress program: a table of frames that leave, each with its TCP
 * options byte by byte and the MSS it must leave with. A frame that is clamped
 * must be right in its checksum, summed byte by byte, and differ in nothing but
 * MSS and checksum; every other one must be what it was.
 */
#include "world.h"
#include "egress.skel.h"

#include <linux/pkt_cls.h>

#define LIMIT4 1388
#define LIMIT6 1368
#define BUDGET 5000

#define OPTIONS_AT4 (ETH + 20 + 20)

static struct egress *egress;
static char verifier_log[1 << 16];

static void egress_open(void)
{
	static const uint16_t web[] = { 80, 443 };
	struct hw_vip vip = { .id = 1 }, ports = { .id = 3, .n_tcp = 2, .tcp = { web[0], web[1] } };
	const struct { const char *address; const struct hw_vip *vip; } vips[] = {
		{ VIP4, &vip }, { VIP6, &vip }, { VIP_PORTS4, &ports },
	};
	struct bpf_map *map;

	libbpf_set_print(print_warnings);
	egress = egress__open();
	cr_assert(egress, "open: %s", strerror(errno));
	bpf_object__for_each_map(map, egress->obj)
		bpf_map__set_pin_path(map, NULL);
	bpf_program__set_log_buf(egress->progs.hw_egress, verifier_log, sizeof(verifier_log));
	bpf_program__set_log_level(egress->progs.hw_egress, 4); /* statistics only */
	cr_assert(egress__load(egress) == 0, "load: %s\n%s", strerror(errno), verifier_log);
	row_put(egress->maps.hw_mss, 0, &(struct hw_mss){ .mss4 = LIMIT4, .mss6 = LIMIT6 });
	for (size_t i = 0; i < sizeof(vips) / sizeof(vips[0]); i++) {
		struct hw_addr key = addr_of(vips[i].address);

		map_put(egress->maps.hw_vips, &key, vips[i].vip);
	}
}

static uint64_t clamped(void)
{
	const int cpus = libbpf_num_possible_cpus();
	struct hw_egress_stats *each = calloc(cpus > 0 ? cpus : 1, sizeof(*each));
	uint64_t sum = 0;

	cr_assert(each && bpf_map_lookup_elem(bpf_map__fd(egress->maps.hw_egress_stats), &(uint32_t){ 0 }, each) == 0);
	for (int i = 0; i < cpus; i++)
		sum += each[i].clamped;
	free(each);
	return sum;
}

static void run(const struct frame *in, struct frame *out, const char *what)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->b, .data_size_in = in->len, .data_out = out->b,
		    .data_size_out = sizeof(out->b), .repeat = 1);
	int err = bpf_prog_test_run_opts(bpf_program__fd(egress->progs.hw_egress), &opts);

	cr_assert(err == 0, "%s: test run: %s", what, strerror(-err));
	cr_expect((int)opts.retval == TC_ACT_UNSPEC, "%s: returned %d", what, (int)opts.retval);
	out->len = opts.data_size_out;
}

struct row {
	const char *what;
	struct tcp tcp;          /* from the VIP to the client, unless it says otherwise */
	uint8_t n;               /* options: bytes of `o`, then NOPs up to a word */
	uint8_t o[40];
	uint16_t was, now;       /* the MSS; 0: nothing may change */
	uint8_t at;              /* of the MSS option in the options */
};

#define O(...) .n = sizeof((uint8_t[]){ __VA_ARGS__ }), .o = { __VA_ARGS__ }
#define MSS(v) 2, 4, (v) >> 8, (v) & 0xff
#define SACK_OK 4, 2
#define WSCALE 3, 3, 7
#define TIMES 8, 10, 1, 2, 3, 4, 0, 0, 0, 0
#define X4(x) x, x, x, x
#define NOP4 X4(1)

/* A SYN-ACK, unless it says otherwise. */
#define S4(...) { .family = 4, ##__VA_ARGS__ }
#define S6(...) { .family = 6, ##__VA_ARGS__ }

static const struct row rows[] = {
	/* the value */
	{ "one above the limit", S4(), O(MSS(LIMIT4 + 1)), LIMIT4 + 1, LIMIT4 },
	{ "at the limit", S4(), O(MSS(LIMIT4)) },
	{ "one below", S4(), O(MSS(LIMIT4 - 1)) },
	{ "Ethernet's", S4(), O(MSS(1460)), 1460, LIMIT4 },
	{ "a jumbo frame's", S4(), O(MSS(8960)), 8960, LIMIT4 },
	{ "the largest", S4(), O(MSS(65535)), 65535, LIMIT4 },
	{ "only its upper byte is larger", S4(), O(MSS(0x0600)), 0x0600, LIMIT4 },
	{ "small", S4(), O(MSS(536)) },
	{ "none at all", S4(), O(MSS(0)) },
	{ "IPv6: one above", S6(), O(MSS(LIMIT6 + 1)), LIMIT6 + 1, LIMIT6 },
	{ "IPv6: at the limit", S6(), O(MSS(LIMIT6)) },
	{ "IPv6: between the limits", S6(), O(MSS(1380)), 1380, LIMIT6 },
	{ "IPv6: Ethernet's", S6(), O(MSS(1440)), 1440, LIMIT6 },
	{ "IPv6: the largest", S6(), O(MSS(65535)), 65535, LIMIT6 },
	{ "IPv6: small", S6(), O(MSS(1220)) },

	/* where it stands */
	{ "behind 1 NOP", S4(), O(1, MSS(1460)), 1460, LIMIT4, 1 },
	{ "behind 2 NOPs", S4(), O(1, 1, MSS(1460)), 1460, LIMIT4, 2 },
	{ "behind 3 NOPs", S4(), O(1, 1, 1, MSS(1460)), 1460, LIMIT4, 3 },
	{ "behind 4 NOPs", S4(), O(NOP4, MSS(1460)), 1460, LIMIT4, 4 },
	{ "behind 36 NOPs: the very end", S4(), O(X4(NOP4), X4(NOP4), NOP4, MSS(1460)), 1460, LIMIT4, 36 },
	{ "behind 35 NOPs", S4(), O(X4(NOP4), X4(NOP4), 1, 1, 1, MSS(1460)), 1460, LIMIT4, 35 },
	{ "IPv6: behind 1 NOP", S6(), O(1, MSS(1440)), 1440, LIMIT6, 1 },
	{ "IPv6: behind 2 NOPs", S6(), O(1, 1, MSS(1440)), 1440, LIMIT6, 2 },
	{ "IPv6: behind 3 NOPs", S6(), O(1, 1, 1, MSS(1440)), 1440, LIMIT6, 3 },
	{ "Linux's order", S4(), O(MSS(1460), SACK_OK, TIMES, 1, WSCALE), 1460, LIMIT4 },
	{ "Windows' order", S4(), O(MSS(1460), 1, WSCALE, 1, 1, SACK_OK), 1460, LIMIT4 },
	{ "behind SACK permitted", S4(), O(SACK_OK, MSS(1460)), 1460, LIMIT4, 2 },
	{ "behind a window scale: odd", S4(), O(WSCALE, MSS(1460)), 1460, LIMIT4, 3 },
	{ "behind timestamps and a window scale", S4(), O(TIMES, WSCALE, MSS(1460)), 1460, LIMIT4, 13 },
	{ "behind an unknown option", S4(), O(254, 6, 2, 4, 5, 180, MSS(1460)), 1460, LIMIT4, 6 },
	{ "behind an option of 2 bytes", S4(), O(77, 2, MSS(1460)), 1460, LIMIT4, 2 },
	{ "in front of the end of options", S4(), O(MSS(1460), 0, 1, 1, 1), 1460, LIMIT4 },
	{ "twice: the first", S4(), O(MSS(1460), MSS(1400)), 1460, LIMIT4 },

	/* which packets */
	{ "a SYN from a VIP", S4(.flags = SYN), O(MSS(1460)), 1460, LIMIT4 },
	{ "IPv6: a SYN from a VIP", S6(.flags = SYN), O(MSS(1440)), 1440, LIMIT6 },
	{ "a SYN-ACK with ECE", S4(.flags = SYN | ACK | 0x40), O(MSS(1460)), 1460, LIMIT4 },
	{ "with data", S4(.payload = 100), O(MSS(1460)), 1460, LIMIT4 },
	{ "with an odd number of bytes of data", S4(.payload = 33), O(1, MSS(1460)), 1460, LIMIT4, 1 },
	{ "IPv6: with data", S6(.payload = 33), O(1, MSS(1440)), 1440, LIMIT6, 1 },
	{ "IPv4 options in front", S4(.ihl = 6), O(MSS(1460)), 1460, LIMIT4 },
	{ "the most IPv4 options", S4(.ihl = 15), O(1, MSS(1460)), 1460, LIMIT4, 1 },
	{ "marked DSCP and ECN", S4(.tos = 0xb9), O(MSS(1460)), 1460, LIMIT4 },
	{ "padded to Ethernet's least", S4(.pad = 10), O(MSS(1460)), 1460, LIMIT4 },
	{ "from a port of the list", S4(.src = VIP_PORTS4, .sport = 80), O(MSS(1460)), 1460, LIMIT4 },
	{ "from the last port of the list", S4(.src = VIP_PORTS4, .sport = 443), O(MSS(1460)), 1460, LIMIT4 },
	{ "from a port that is not", S4(.src = VIP_PORTS4, .sport = 81), O(MSS(1460)) },
	{ "to a port of the list, from another", S4(.src = VIP_PORTS4, .sport = 81, .dport = 443), O(MSS(1460)) },
	{ "from no VIP", S4(.src = "203.0.113.99"), O(MSS(1460)) },
	{ "to a VIP, from none", S4(.src = CLIENT4, .dst = VIP4), O(MSS(1460)) },
	{ "from our endpoint", S4(.src = SELF_IP4), O(MSS(1460)) },
	{ "IPv6: from no VIP", S6(.src = "2001:db8:113::2"), O(MSS(1440)) },
	{ "IPv6: from the IPv4 VIP, mapped, is it too", S6(.src = "::ffff:203.0.113.1"), O(MSS(1440)), 1440, LIMIT6 },
	{ "not SYN: ACK", S4(.flags = ACK), O(MSS(1460)) },
	{ "not SYN: RST", S4(.flags = RST | ACK), O(MSS(1460)) },
	{ "not SYN: FIN", S4(.flags = FIN | ACK), O(MSS(1460)) },
	{ "not SYN: no flags", S4(.flags = NO_FLAGS), O(MSS(1460)) },
	{ "IPv6: not SYN", S6(.flags = ACK), O(MSS(1440)) },
	{ "UDP", S4(.proto = 17), O(MSS(1460)) },
	{ "ICMP", S4(.proto = 1), O(MSS(1460)) },
	{ "IPv6: UDP", S6(.proto = 17), O(MSS(1440)) },
	{ "the first fragment", S4(.frag = 0x2000), O(MSS(1460)) },
	{ "a later fragment", S4(.frag = 0x2010), O(MSS(1460)) },
	{ "the last fragment", S4(.frag = 0x0010), O(MSS(1460)) },
	{ "IPv6: a fragment header", S6(.ext = 44), O(MSS(1440)) },
	{ "IPv6: a destination options header", S6(.ext = 60), O(MSS(1440)) },
	{ "a VLAN tag in the frame", S4(.vlan = true), O(MSS(1460)) },
	{ "EtherType of IPv6 in front of IPv4", S4(.ethertype = 0x86dd), O(MSS(1460)) },
	{ "EtherType of ARP", S4(.ethertype = 0x0806), O(MSS(1460)) },

	/* no MSS, or none that can be read */
	{ "no options", S4(), .n = 0 },
	{ "IPv6: no options", S6(), .n = 0 },
	{ "no MSS option", S4(), O(SACK_OK, TIMES, 1, WSCALE) },
	{ "NOPs only", S4(), O(X4(NOP4), X4(NOP4), NOP4, NOP4) },
	{ "behind the end of options", S4(), O(0, 1, 1, 1, MSS(1460)) },
	{ "length 0", S4(), O(2, 0, 5, 180) },
	{ "length 1", S4(), O(2, 1, 5, 180) },
	{ "length 2", S4(), O(2, 2, 5, 180) },
	{ "length 3", S4(), O(2, 3, 5, 180) },
	{ "length 5", S4(), O(2, 5, 5, 180, 1) },
	{ "length 255", S4(), O(2, 255, 5, 180) },
	{ "cut by the end of the header after 3 bytes", S4(), O(1, 2, 4, 5) },
	{ "cut after 2 bytes", S4(), O(1, 1, 2, 4) },
	{ "cut after 1 byte", S4(), O(1, 1, 1, 2) },
	{ "the kind of MSS alone, at the end of a full header", S4(), O(X4(NOP4), X4(NOP4), NOP4, 1, 1, 1, 2) },
	{ "behind an option of length 0", S4(), O(77, 0, 1, 1, MSS(1460)) },
	{ "behind an option of length 1", S4(), O(77, 1, 1, 1, MSS(1460)) },
	{ "inside of another option", S4(), O(77, 8, 1, 1, MSS(1460)) },
	{ "behind an option that goes beyond the header", S4(), O(77, 9, 1, 1, MSS(1460)) },
	{ "behind an option of length 255", S4(), O(77, 255, 1, 1, MSS(1460)) },
	{ "behind one that wraps round the buffer", S4(), O(77, 64, MSS(1460)) },
	{ "garbage", S4(), O(0xff, 0xff, 0xff, 0xff, 0xde, 0xad, 0xbe, 0xef) },
	{ "IPv6: length 0", S6(), O(2, 0, 5, 180) },

	/* headers that lie */
	{ "TCP header longer than the IP packet", S4(.len_more = -1), O(MSS(1460)) },
	{ "IPv6: the same", S6(.len_more = -1), O(MSS(1440)) },
	{ "TCP header longer than the frame", S4(.at = ETH + 20 + 12, .xor = 0x70), O(MSS(1460)) },
	{ "doff 4", S4(.at = ETH + 20 + 12, .xor = 0x20), O(MSS(1460)) },
	{ "ihl 4", S4(.at = ETH, .xor = 1), O(MSS(1460)) },
	{ "IP version 5", S4(.at = ETH, .xor = 0x10), O(MSS(1460)) },
	{ "IP length below its header", S4(.len_more = -30), O(MSS(1460)) },
	{ "IPv6: version 7", S6(.at = ETH, .xor = 0x10), O(MSS(1440)) },
	{ "frame cut in the options", S4(.keep = OPTIONS_AT4 + 2), O(MSS(1460)) },
	{ "frame cut in the TCP header", S4(.keep = OPTIONS_AT4 - 1), O(MSS(1460)) },
	{ "frame cut behind the IP header", S4(.keep = ETH + 20), O(MSS(1460)) },
};

/* Where the TCP header of a well-formed row begins. */
static size_t tcp_at(const struct tcp *t)
{
	return ETH + (family_of(t) == 6 ? 40 : 20 + options_len(t->ihl));
}

/* Makes the TCP checksum right; for frames in which it is found. */
static void sum_tcp(struct frame *f, const struct tcp *t)
{
	size_t at = tcp_at(t), len = 20 + options_len(t->doff) + t->payload;
	int family = family_of(t);

	set16(f->b + at + 16, 0);
	set16(f->b + at + 16,
	      ~sum_bytes(f->b + at, len, sum_pseudo(family, f->b + ETH + (family == 6 ? 8 : 12), 6, len)));
}

/* The frame of a row with this MSS in it, 0: as the row has it. */
static void fill(struct frame *f, const struct row *r, unsigned mss)
{
	struct tcp t = r->tcp;
	size_t options, keep = t.keep, changed = t.at;
	bool six = family_of(&t) == 6;

	t.src = t.src ? t.src : six ? VIP6 : VIP4;
	t.dst = t.dst ? t.dst : six ? CLIENT6 : CLIENT4;
	t.sport = t.sport ? t.sport : 443;
	t.dport = t.dport ? t.dport : 40000;
	t.flags = t.flags ? t.flags : SYN | ACK;
	t.doff = t.doff ? t.doff : 5 + (r->n + 3) / 4;
	t.keep = t.at = 0;
	t.xor = 0;
	build_tcp(f, &t);
	options = tcp_at(&t) + 20 + (t.vlan ? 4 : 0) + (t.ext ? 8 : 0);
	memcpy(f->b + options, r->o, r->n);
	if (mss)
		set16(f->b + options + r->at + 2, mss);
	if (!t.vlan && !t.ext)
		sum_tcp(f, &t);
	f->b[changed] ^= r->tcp.xor;
	if (keep)
		f->len = keep;
}

Test(egress, table)
{
	static struct frame in, want, out;

	egress_open();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		uint64_t before = clamped();

		fill(&in, r, r->was);
		fill(&want, r, r->now);
		run(&in, &out, r->what);
		expect_frame(&out, &want, r->what);
		cr_expect(clamped() - before == (r->now ? 1 : 0), "%s: counted %lu", r->what, clamped() - before);
	}
}

/* Every value above the limit at an even and an odd offset: the checksum carries as it must. */
Test(egress, every_checksum)
{
	static const struct row even = { "even", S4(), O(MSS(1460)) }, odd = { "odd", S6(), O(1, MSS(1460)), .at = 1 };
	static struct frame in, want, out;

	egress_open();
	for (unsigned mss = LIMIT4 + 1; mss <= 0xffff; mss += 7) {
		fill(&in, &even, mss);
		fill(&want, &even, LIMIT4);
		run(&in, &out, even.what);
		cr_assert(frame_equal(&out, &want), "even, %u", mss);
		fill(&in, &odd, mss);
		fill(&want, &odd, LIMIT6);
		run(&in, &out, odd.what);
		cr_assert(frame_equal(&out, &want), "odd, %u", mss);
	}
}

Test(egress, no_limit)
{
	static const struct row rows0[] = { { "IPv4", S4(), O(MSS(1460)) }, { "IPv6", S6(), O(MSS(1440)) } };
	static struct frame in, out;

	egress_open();
	row_put(egress->maps.hw_mss, 0, &(struct hw_mss){ 0 });
	for (int i = 0; i < 2; i++) {
		fill(&in, &rows0[i], 0);
		run(&in, &out, rows0[i].what);
		expect_frame(&out, &in, rows0[i].what);
	}
	cr_expect(clamped() == 0);
}

Test(egress, stays_in_budget)
{
	const char *last = NULL, *at;
	long insns;

	egress_open();
	for (at = verifier_log; (at = strstr(at, "processed ")); at++)
		last = at;
	cr_assert(last && sscanf(last, "processed %ld insns", &insns) == 1, "no statistics in the log: %s", verifier_log);
	fprintf(stderr, "hw_egress: %ld instructions verified, budget %d\n", insns, BUDGET);
	cr_expect(insns <= BUDGET, "%ld instructions verified, budget %d", insns, BUDGET);
}
