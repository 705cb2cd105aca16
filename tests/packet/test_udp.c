/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * UDP to a VIP: it passes, whatever it looks like, and comes out byte for byte
 * as it went in; a table of datagrams says under which name it is counted.
 */
#include "world.h"

#define U4(...) { .family = 4, ##__VA_ARGS__ }
#define U6(...) { .family = 6, ##__VA_ARGS__ }
#define ROW(text, datagram, verdict) { text, datagram, HW_V_##verdict }

static const struct udp_row {
	const char *what;
	struct udp in;
	enum hw_verdict want;
} rows[] = {
	/* ports */
	ROW("first port of the list", U4(.dport = 53), pass_udp),
	ROW("last port of the list", U4(.dport = 443), pass_udp),
	ROW("one below a port", U4(.dport = 52), pass_not_tcp),
	ROW("one above a port", U4(.dport = 444), pass_not_tcp),
	ROW("byte order: 53 the other way round", U4(.dport = 0x3500), pass_not_tcp),
	ROW("the source port is not what the list is about", U4(.sport = 53, .dport = 52), pass_not_tcp),
	ROW("an answer of a DNS server elsewhere, to a port that is listed", U4(.sport = 53), pass_udp),
	ROW("port 6081 of a VIP is nothing special", U4(.dport = 6081), pass_not_tcp),
	ROW("a full list: first", U4(.dst = VIP_UDP4, .dport = 2000), pass_udp),
	ROW("a full list: last", U4(.dst = VIP_UDP4, .dport = 2031), pass_udp),
	ROW("a full list: one below the first", U4(.dst = VIP_UDP4, .dport = 1999), pass_not_tcp),
	ROW("a full list: one above the last", U4(.dst = VIP_UDP4, .dport = 2032), pass_not_tcp),
	ROW("a VIP without a list", U4(.dst = VIP4), pass_not_tcp),
	ROW("a VIP with a list for TCP only", U4(.dst = VIP_PORTS4, .dport = 443), pass_not_tcp),
	ROW("not to a VIP", U4(.dst = "203.0.113.99"), pass_other),
	ROW("IPv6: first port of the list", U6(.dport = 53), pass_udp),
	ROW("IPv6: last port of the list", U6(.dport = 443), pass_udp),
	ROW("IPv6: one above a port", U6(.dport = 444), pass_not_tcp),
	ROW("IPv6: a full list: first", U6(.dst = VIP_UDP6, .dport = 2000), pass_udp),
	ROW("IPv6: a full list: last", U6(.dst = VIP_UDP6, .dport = 2031), pass_udp),
	ROW("IPv6: a full list: one above the last", U6(.dst = VIP_UDP6, .dport = 2032), pass_not_tcp),
	ROW("IPv6: a VIP without a list", U6(.dst = VIP6), pass_not_tcp),

	/* sizes, and cuts */
	ROW("a header and nothing else", U4(), pass_udp),
	ROW("a header and nothing else, in Ethernet padding", U4(.pad = 18), pass_udp),
	ROW("a DNS answer of 1232 bytes", U4(.payload = 1232), pass_udp),
	ROW("the header lacks its last byte, honestly", U4(.keep = 41, .len_more = -1), pass_malformed),
	ROW("the header lacks its last byte, the length field lies", U4(.keep = 41), pass_malformed),
	ROW("no byte of the header", U4(.keep = 34, .len_more = -8), pass_malformed),
	ROW("the IP packet ends in the header, the frame does not", U4(.payload = 9, .len_more = -10), pass_malformed),
	ROW("the last byte of payload is missing", U4(.payload = 9, .keep = 50), pass_malformed),
	ROW("cut short, to a VIP without a list: not looked at", U4(.dst = VIP4, .keep = 41, .len_more = -1), pass_not_tcp),
	ROW("ihl 6: one word of options", U4(.ihl = 6), pass_udp),
	ROW("ihl 15: all the options there can be", U4(.ihl = 15), pass_udp),
	ROW("ihl 15, another port", U4(.ihl = 15, .dport = 54), pass_not_tcp),
	ROW("ihl 15, cut in the UDP header, honestly", U4(.ihl = 15, .keep = 81, .len_more = -1), pass_malformed),
	ROW("ihl 4", U4(.ihl = 4), pass_malformed),
	ROW("IPv6: a header and nothing else", U6(), pass_udp),
	ROW("IPv6: the header lacks its last byte, honestly", U6(.keep = 61, .len_more = -1), pass_malformed),
	ROW("IPv6: the header lacks its last byte, the length field lies", U6(.keep = 61), pass_malformed),
	ROW("IPv6: no byte of the header", U6(.keep = 54, .len_more = -8), pass_malformed),

	/* the UDP length */
	ROW("UDP length one more than there is", U4(.payload = 9, .udp_more = 1), pass_malformed),
	ROW("UDP length one more, and padding that covers it", U4(.payload = 9, .udp_more = 1, .pad = 6), pass_malformed),
	ROW("UDP length one less: the rest is no payload", U4(.payload = 9, .udp_more = -1), pass_udp),
	ROW("UDP length 8, with bytes behind it", U4(.payload = 9, .udp_more = -9), pass_udp),
	ROW("UDP length 7", U4(.payload = 9, .udp_more = -10), pass_malformed),
	ROW("UDP length 0", U4(.payload = 9, .udp_more = -17), pass_malformed),
	ROW("UDP length 65535", U4(.payload = 9, .udp_more = 65535 - 17), pass_malformed),
	ROW("UDP length nonsense, on a port that is not listed", U4(.dport = 54, .payload = 9, .udp_more = 1), pass_malformed),
	ROW("IPv6: UDP length one more than there is", U6(.payload = 9, .udp_more = 1), pass_malformed),
	ROW("IPv6: UDP length 7", U6(.payload = 9, .udp_more = -10), pass_malformed),
	ROW("IPv6: UDP length 0: to the end of the packet", U6(.payload = 9, .udp_more = -17), pass_udp),
	ROW("IPv6: UDP length 65535", U6(.payload = 9, .udp_more = 65535 - 17), pass_malformed),

	/* the checksum is the stack's to verify */
	ROW("no checksum", U4(.payload = 9, .no_check = true), pass_udp),
	ROW("IPv6: no checksum", U6(.payload = 9, .no_check = true), pass_udp),

	/* fragments */
	ROW("a fragment: the first", U4(.payload = 16, .frag = 0x2000), pass_fragment),
	ROW("a fragment: the last, whose payload looks like the header", U4(.payload = 16, .frag = 0x0001), pass_fragment),
	ROW("IPv6: a fragment header", U6(.payload = 16, .ext = 44), pass_fragment),
	ROW("IPv6: destination options in front of UDP are not walked", U6(.ext = 60), pass_not_tcp),
};

Test(udp, is_counted_and_untouched)
{
	struct frame in;

	world_open();
	for (const struct udp_row *r = rows; r < rows + sizeof(rows) / sizeof(rows[0]); r++) {
		build_udp(&in, &r->in);
		world_run(&in);
		expect_verdict(&w.result, r->want, r->what);
		expect_frame(&w.result.out, &in, r->what);
		cr_expect(w.result.action == XDP_PASS && w.strays == 0, "%s", r->what);
	}
}

/* Each in the row of its VIP. */
Test(udp, counter_rows)
{
	static const struct {
		struct udp in;
		unsigned row;
	} of[] = {
		{ U4(.dst = VIP4), 1 }, { U4(), 6 }, { U6(), 7 }, { U4(.dst = VIP_UDP4, .dport = 2007), 8 },
		{ U6(.dst = VIP_UDP6, .dport = 2007), 9 },
	};
	struct frame in;

	world_open();
	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		build_udp(&in, &of[i].in);
		cr_expect_eq(world_run(&in)->row, of[i].row, "datagram %zu is counted in row %u", i, w.result.row);
	}
}

/* Cut at every byte, honestly and not. */
Test(udp, cut_anywhere)
{
	static const struct udp whole[] = { U4(.ihl = 15, .payload = 20), U6(.payload = 20) };
	struct frame f;

	world_open();
	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
		build_udp(&f, &whole[i]);
		for (size_t len = f.len, keep = ETH; keep < len; keep++) {
			for (int honest = 0; honest < 2; honest++) {
				struct udp cut = whole[i];

				cut.keep = keep;
				cut.len_more = honest ? (int)keep - (int)len : 0;
				build_udp(&f, &cut);
				world_run(&f);
				cr_expect(w.result.verdict == HW_V_pass_malformed || w.result.verdict == HW_V_pass_other,
					  "datagram %zu cut to %zu: %s", i, keep, verdict_name[w.result.verdict]);
				expect_frame(&w.result.out, &f, "cut");
			}
		}
	}
}
