/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What must be refused on port 6081: a table of single deviations from a valid
 * packet, every bit of the tag, and valid packets cut at every length.
 */
#include "conn.h"

static const struct refused_row {
	const char *what;
	struct tun tun;
	struct tcp in;
	enum hw_verdict want;
} refused_rows[] = {
#define REFUSED(text, outer, inner, verdict) { .what = text, .tun = outer, .in = inner, .want = HW_V_##verdict }
	REFUSED("nothing wrong: not ours, so returned", T4(), V4(), return_tx),
	REFUSED("nothing wrong, IPv6 outside", T6(), V4(), return_tx),

	/* form */
	REFUSED("Geneve version 1", T4(.at = G_VER, .xor = 0x40), V4(), drop_tun_malformed),
	REFUSED("Geneve version 3", T4(.at = G_VER, .xor = 0xc0), V4(), drop_tun_malformed),
	REFUSED("no options", T4(.at = G_VER, .xor = 4), V4(), drop_tun_malformed),
	REFUSED("options one word too short", T4(.at = G_VER, .xor = 7), V4(), drop_tun_malformed),
	REFUSED("options one word too long", T4(.at = G_VER, .xor = 1), V4(), drop_tun_malformed),
	REFUSED("the O bit on data", T4(.at = G_FLAGS, .xor = 0x80), V4(), drop_tun_malformed),
	REFUSED("no critical bit", T4(.at = G_FLAGS, .xor = 0x40), V4(), drop_tun_malformed),
	REFUSED("a reserved flag", T4(.at = G_FLAGS, .xor = 0x01), V4(), drop_tun_malformed),
	REFUSED("option class, upper byte", T4(.at = G_CLASS, .xor = 0x80), V4(), drop_tun_malformed),
	REFUSED("option class, lower byte", T4(.at = G_CLASS + 1, .xor = 0x01), V4(), drop_tun_malformed),
	REFUSED("option type without critical bit", T4(.at = G_TYPE, .xor = 0x80), V4(), drop_tun_malformed),
	REFUSED("another option type", T4(.at = G_TYPE, .xor = 0x02), V4(), drop_tun_malformed),
	REFUSED("option length 2", T4(.at = G_WORDS, .xor = 0x01), V4(), drop_tun_malformed),
	REFUSED("option length with reserved bits", T4(.at = G_WORDS, .xor = 0x20), V4(), drop_tun_malformed),
	REFUSED("UDP checksum 0", T4(.no_check = true), V4(), drop_tun_malformed),
	REFUSED("UDP checksum 0, IPv6", T6(.no_check = true), V4(), drop_tun_malformed),
	REFUSED("UDP length one more", T4(.udp_more = 1), V4(), drop_tun_malformed),
	REFUSED("UDP length one less", T4(.udp_more = -1), V4(), drop_tun_malformed),
	REFUSED("UDP length 0", T4(.udp_more = -72), V4(), drop_tun_malformed),
	REFUSED("IP length one more than the frame", T4(.ip_more = 1), V4(), drop_tun_malformed),
	REFUSED("IP length one more, padded", T4(.ip_more = 1, .pad = 1), V4(), drop_tun_malformed),
	REFUSED("IP length one less", T4(.ip_more = -1), V4(), drop_tun_malformed),
	REFUSED("IP and UDP length one more, padded", T4(.ip_more = 1, .udp_more = 1, .pad = 1), V4(), drop_tun_malformed),
	REFUSED("IP and UDP length one less", T4(.ip_more = -1, .udp_more = -1), V4(.payload = 5), drop_tun_malformed),
	REFUSED("lengths end behind the Geneve header", T4(.ip_more = -40, .udp_more = -40), V4(), drop_tun_malformed),
	REFUSED("lengths end in the Geneve header", T4(.ip_more = -41, .udp_more = -41), V4(), drop_tun_malformed),
	REFUSED("IP length below its header", T4(.ip_more = -80), V4(), drop_tun_malformed),
	REFUSED("IPv6: payload length one more, padded", T6(.ip_more = 1, .pad = 1), V4(), drop_tun_malformed),
	REFUSED("IPv6: payload length one less", T6(.ip_more = -1), V4(), drop_tun_malformed),
	REFUSED("the outer packet is a first fragment", T4(.frag = 0x2000), V4(), drop_tun_malformed),
	REFUSED("IPv4 options outside", T4(.ihl = 6), V4(), drop_tun_malformed),
	REFUSED("protocol type IPv6, IPv4 inside", T4(.proto = 0x86dd), V4(), drop_tun_malformed),
	REFUSED("protocol type IPv4, IPv6 inside", T4(.proto = 0x0800), V6(), drop_tun_malformed),
	REFUSED("protocol type Ethernet", T4(.proto = 0x6558), V4(), drop_tun_malformed),
	REFUSED("data of the control type", T4(.proto = 0x88b5), V4(), drop_tun_malformed),
	REFUSED("control of the data type", T4(.kind = HW_KIND_ASK, .proto = 0x0800), V4(), drop_tun_malformed),

	/* whose */
	REFUSED("another network, with its own tag", T4(.network = NETWORK + 1), V4(), drop_tun_network),
	REFUSED("another network in the upper byte", T4(.network = NETWORK ^ 0x800000), V4(), drop_tun_network),
	REFUSED("the reserved byte behind the VNI", T4(.at = G_RESERVED, .xor = 1), V4(), drop_tun_network),
	REFUSED("an unknown node", T4(.source = 77), V4(), drop_tun_source),
	REFUSED("node 0", T4(.at = G_SOURCE + 1, .xor = PEER), V4(), drop_tun_source),
	REFUSED("a node id beyond the table", T4(.source = 1024), V4(), drop_tun_source),
	REFUSED("the largest node id", T4(.source = 65535), V4(), drop_tun_source),
	REFUSED("our own id", T4(.source = SELF), V4(), drop_tun_source),
	REFUSED("our own id from our own address", T4(.source = SELF, .from = SELF_IP4), V4(), drop_tun_source),
	REFUSED("from an address of no node", T4(.from = "198.51.100.77"), V4(), drop_tun_source),
	REFUSED("from the address of another node", T4(.from = "198.51.100.3"), V4(), drop_tun_source),
	REFUSED("the id of another node", T4(.source = NODE_FAR), V4(), drop_tun_source),
	REFUSED("from a client", T4(.from = CLIENT4), V4(), drop_tun_source),
	REFUSED("an unknown node, from ::, which its empty entry has", T6(.source = 77, .from = "::"), V4(), drop_tun_source),
	REFUSED("IPv6: from the address of another node", T6(.from = "2001:db8:e::3"), V4(), drop_tun_source),
	REFUSED("a node that cannot be reached may send", T4(.source = NODE_GONE, .from = "198.51.100.4"), V4(), return_tx),
	REFUSED("an unknown key", T4(.key_id = KEY_ID + 1), V4(), drop_tun_key),
	REFUSED("key 255", T4(.key_id = 255), V4(), drop_tun_key),

	/* the tag */
	REFUSED("made for another node", T4(.tag_dest = PEER), V4(), drop_tun_tag),
	REFUSED("made for node 0", T4(.tag_dest = 0x100), V4(), drop_tun_tag),
	REFUSED("made for another network", T4(.tag_network = NETWORK + 1), V4(), drop_tun_tag),
	REFUSED("a CARRY sent again as a RETURN", T4(.kind = HW_KIND_RETURN, .tag_kind = HW_KIND_CARRY), V4(), drop_tun_tag),
	REFUSED("a RETURN sent again as a CARRY", T4(.tag_kind = HW_KIND_RETURN), V4(), drop_tun_tag),
	REFUSED("made with the control subkey", T4(.swap_keys = true), V4(), drop_tun_tag),
	REFUSED("another key's id on it", T4(.at = G_KEY, .xor = KEY_ID ^ OTHER_KEY), V4(), drop_tun_tag),
	REFUSED("another client inside", T4(), V4(.src = "192.0.2.11", .at = 29, .xor = 1), drop_tun_tag),
	REFUSED("another client port inside", T4(), V4(.at = 35, .xor = 1), drop_tun_tag),
	REFUSED("another VIP inside", T4(), V4(.at = 33, .xor = 3), drop_tun_tag),
	REFUSED("another port of the VIP inside", T4(), V4(.at = 36, .xor = 1), drop_tun_tag),
	REFUSED("another client inside, IPv6", T4(), V6(.at = 22, .xor = 0x80), drop_tun_tag),
	REFUSED("another VIP inside, IPv6", T4(), V6(.at = 53, .xor = 1), drop_tun_tag),
	REFUSED("another client port inside, IPv6", T4(), V6(.at = 54, .xor = 0x80), drop_tun_tag),
	REFUSED("the tag is about the flow, not about the numbers", T4(), V4(.at = 41, .xor = 1), return_tx),

	/* the kind */
	REFUSED("kind 0", T4(.at = G_KIND, .xor = HW_KIND_CARRY), V4(), drop_tun_kind),
	REFUSED("kind 7", T4(.kind = 7), V4(), drop_tun_kind),
	REFUSED("kind 255", T4(.kind = 255), V4(), drop_tun_kind),

	/* the inner packet */
	REFUSED("inner IP length one more", T4(), V4(.len_more = 1), drop_tun_malformed),
	REFUSED("inner IP length one less", T4(), V4(.len_more = -1, .payload = 5), drop_tun_malformed),
	REFUSED("inner IP length one more, covered by padding", T4(.pad = 1), V4(.len_more = 1), drop_tun_malformed),
	REFUSED("inner IPv6 payload length one less", T4(), V6(.len_more = -1, .payload = 5), drop_tun_malformed),
	REFUSED("inner padding inside of the UDP packet", T4(), V4(.pad = 4), drop_tun_malformed),
	REFUSED("inner ihl 4", T4(), V4(.ihl = 4), drop_tun_malformed),
	REFUSED("inner version 5", T4(), V4(.at = 14, .xor = 0x10), drop_tun_malformed),
	REFUSED("inner doff 4", T4(), V4(.doff = 4), drop_tun_malformed),
	REFUSED("inner doff beyond the packet", T4(), V4(.at = 46, .xor = 0x30), drop_tun_malformed),
	REFUSED("inner options are fine", T4(), V4(.doff = 15), return_tx),
	REFUSED("inner UDP", T4(), V4(.proto = 17), drop_tun_inner),
	REFUSED("inner ICMP", T4(), V4(.proto = 1), drop_tun_inner),
	REFUSED("inner IP in IP", T4(), V4(.proto = 4), drop_tun_inner),
	REFUSED("inner UDP over IPv6", T4(), V6(.proto = 17), drop_tun_inner),
	REFUSED("inner extension header", T4(), V6(.ext = 60), drop_tun_inner),
	REFUSED("inner IPv6 fragment", T4(), V6(.ext = 44), drop_tun_inner),
	REFUSED("inner fragment, the first", T4(), V4(.frag = 0x2000), drop_tun_inner),
	REFUSED("inner fragment, the last", T4(), V4(.frag = 0x0001), drop_tun_inner),
	REFUSED("to an address that is no VIP", T4(), V4(.dst = "203.0.113.99"), drop_tun_inner),
	REFUSED("to our endpoint", T4(), V4(.dst = SELF_IP4), drop_tun_inner),
	REFUSED("to an address that is no VIP, IPv6", T4(), V6(.dst = "2001:db8:113::2"), drop_tun_inner),
	REFUSED("to a port that is not listed", T4(), V4(.dst = VIP_PORTS4, .dport = 81), drop_tun_inner),
	REFUSED("to a port that is listed", T4(), V4(.dst = VIP_PORTS4, .dport = 80), return_tx),
	REFUSED("a bare SYN", T4(), V4(.flags = SYN), drop_tun_inner),
	REFUSED("a bare SYN with ECN flags", T4(), V4(.flags = SYN | 0xc0), drop_tun_inner),
	REFUSED("a bare SYN with data", T4(), V4(.flags = SYN | PSH, .payload = 9), drop_tun_inner),
	REFUSED("a bare SYN, IPv6 in IPv6", T6(), V6(.flags = SYN), drop_tun_inner),
	REFUSED("a SYN-ACK", T4(), V4(.flags = SYN | ACK), return_tx),
	REFUSED("from a VIP", T4(), V4(.src = VIP_PORTS4), drop_tun_inner),
	REFUSED("from the VIP that it is to", T4(), V4(.src = VIP4), drop_tun_inner),
	REFUSED("from a VIP, IPv6", T4(), V6(.src = VIP6), drop_tun_inner),
	REFUSED("from our endpoint", T4(), V4(.src = SELF_IP4), drop_tun_inner),
	REFUSED("from the endpoint of a third node", T4(), V4(.src = "198.51.100.4"), drop_tun_inner),
	REFUSED("from the sender's endpoint", T4(), V4(.src = PEER_IP4), drop_tun_inner),
	REFUSED("from our endpoint, IPv6", T6(), V6(.src = SELF_IP6), drop_tun_inner),
	REFUSED("from 0.0.0.0", T4(), V4(.src = "0.0.0.0"), drop_tun_inner),
	REFUSED("from the last of 0.0.0.0/8", T4(), V4(.src = "0.255.255.255"), drop_tun_inner),
	REFUSED("from the first after it", T4(), V4(.src = "1.0.0.0"), return_tx),
	REFUSED("from the last before loopback", T4(), V4(.src = "126.255.255.255"), return_tx),
	REFUSED("from loopback, the first", T4(), V4(.src = "127.0.0.0"), drop_tun_inner),
	REFUSED("from loopback, the last", T4(), V4(.src = "127.255.255.255"), drop_tun_inner),
	REFUSED("from the first after loopback", T4(), V4(.src = "128.0.0.0"), return_tx),
	REFUSED("from the last before multicast", T4(), V4(.src = "223.255.255.255"), return_tx),
	REFUSED("from multicast", T4(), V4(.src = "224.0.0.0"), drop_tun_inner),
	REFUSED("from the reserved block", T4(), V4(.src = "240.0.0.1"), drop_tun_inner),
	REFUSED("from broadcast", T4(), V4(.src = "255.255.255.255"), drop_tun_inner),
	REFUSED("from ::", T4(), V6(.src = "::"), drop_tun_inner),
	REFUSED("from ::1", T4(), V6(.src = "::1"), drop_tun_inner),
	REFUSED("from ::2", T4(), V6(.src = "::2"), return_tx),
	REFUSED("from IPv4 link-local", T4(), V4(.src = "169.254.0.1"), drop_tun_inner),
	REFUSED("from the first after it", T4(), V4(.src = "169.255.0.0"), return_tx),
	REFUSED("from IPv6 link-local", T4(), V6(.src = "fe80::1"), drop_tun_inner),
	REFUSED("from the last of it", T4(), V6(.src = "febf::1"), drop_tun_inner),
	REFUSED("from the first after it", T4(), V6(.src = "fec0::1"), return_tx),
	REFUSED("from IPv6 multicast", T4(), V6(.src = "ff02::1"), drop_tun_inner),

	/* the same for what comes back */
	REFUSED("RETURN: nothing wrong", T4(.kind = HW_KIND_RETURN), V4(), drop_returned),
	REFUSED("RETURN: made for another node", T4(.kind = HW_KIND_RETURN, .tag_dest = PEER), V4(), drop_tun_tag),
	REFUSED("RETURN: from no node's address", T4(.kind = HW_KIND_RETURN, .from = "198.51.100.77"), V4(), drop_tun_source),
	REFUSED("RETURN: a bare SYN", T4(.kind = HW_KIND_RETURN), V4(.flags = SYN), drop_tun_inner),
	REFUSED("RETURN: to an address that is no VIP", T4(.kind = HW_KIND_RETURN), V4(.dst = SELF_IP4), drop_tun_inner),
	REFUSED("RETURN: inner UDP", T4(.kind = HW_KIND_RETURN), V4(.proto = 17), drop_tun_inner),
};

Test(refused, deviations)
{
	struct frame f;

	world_open();
	for (const struct refused_row *r = refused_rows; r < refused_rows + sizeof(refused_rows) / sizeof(*r); r++) {
		world_reset();
		world_endpoint(r->tun.family);
		build_data(&f, &r->tun, &r->in);
		expect_verdict(world_run(&f), r->want, r->what);
		if (r->want != HW_V_drop_returned)
			cr_expect(w.strays == 0, "%s: it was handed up", r->what);
	}
}

/* One bit of the tag is enough; of each of its bits, for data and for control. */
Test(refused, tag_bits)
{
	static const struct hw_ping ping = { .nonce = 1 };
	const struct tcp in = { .payload = 10 };
	struct frame f;

	world_open();
	for (int bit = 0; bit < 64; bit++) {
		struct tun tun = { .kind = HW_KIND_CARRY };

		tun.tag_xor[bit / 8] = 1 << bit % 8;
		build_data(&f, &tun, &in);
		expect_verdict(world_run(&f), HW_V_drop_tun_tag, "a bit of the tag, CARRY");
		tun.kind = HW_KIND_PONG;
		build_control(&f, &tun, &ping, sizeof(ping), 0);
		expect_verdict(world_run(&f), HW_V_drop_tun_tag, "a bit of the tag, PONG");
	}
}

/* ---- cuts ---- */

/* The outer length fields are made to agree with the frame. */
static void lengths_agree(struct frame *f, int family)
{
	size_t ip = family == 6 ? 40 : 20;

	if (f->len < ETH + ip)
		return;
	set16(f->b + ETH + (family == 6 ? 4 : 2), f->len - ETH - (family == 6 ? 40 : 0));
	if (f->len >= ETH + ip + 8)
		set16(f->b + ETH + ip + 4, f->len - ETH - ip);
}

static bool refuses(enum hw_verdict v)
{
	switch (v) {
	case HW_V_pass_other: case HW_V_drop_tun_malformed: case HW_V_drop_tun_network: case HW_V_drop_tun_source:
	case HW_V_drop_tun_key: case HW_V_drop_tun_tag: case HW_V_drop_tun_kind: case HW_V_drop_tun_inner:
		return true;
	default:
		return false;
	}
}

static void cut(const struct frame *whole, int family, const char *what)
{
	struct frame f = *whole;

	for (size_t len = ETH; len < whole->len; len++) {
		f = *whole;
		f.len = len;
		world_run(&f);
		cr_expect(refuses(w.result.verdict), "%s cut to %zu: %s", what, len, verdict_name[w.result.verdict]);
		lengths_agree(&f, family);
		world_run(&f);
		cr_expect(refuses(w.result.verdict), "%s cut to %zu, lengths agree: %s", what, len,
			  verdict_name[w.result.verdict]);
	}
}

Test(refused, cut_data)
{
	struct tcp conn[2];
	struct frame f;

	world_open();
	conn_world();
	conn[0] = conn_here(4);
	conn[1] = conn_here(6);
	for (int i = 0; i < MIXES * 2; i++) {
		struct tun tun = { .family = mixes[i / 2].outer, .kind = i & 1 ? HW_KIND_RETURN : HW_KIND_CARRY };
		struct tcp in = conn[mixes[i / 2].inner == 6];

		in.payload = 12;
		in.doff = 8;
		world_endpoint(tun.family);
		build_data(&f, &tun, &in);
		expect_verdict(world_run(&f), i & 1 ? HW_V_drop_returned : HW_V_pass_carried, "the whole packet");
		cut(&f, tun.family, mixes[i / 2].name);
	}
}

Test(refused, cut_control)
{
	struct frame f;

	world_open();
	for (int family = 4; family <= 6; family += 2) {
		struct hw_ping ping = { .size = htons((family == 6 ? HW_OVERHEAD6 : HW_OVERHEAD4) + sizeof(ping) + 40) };
		struct tun tun = { .family = family, .kind = HW_KIND_ASK };
		struct {
			struct hw_ask ask;
			struct hw_ask_flow flows[2];
		} m = { .ask.count = 2 };

		world_endpoint(family);
		build_control(&f, &tun, &m, sizeof(m), 0);
		expect_verdict(world_run(&f), HW_V_answer_tx, "the whole ASK");
		cut(&f, family, "ASK");
		tun.kind = HW_KIND_PING;
		build_control(&f, &tun, &ping, sizeof(ping), 40);
		expect_verdict(world_run(&f), HW_V_pong_tx, "the whole PING");
		cut(&f, family, "PING");
	}
}

/* Not yet configured: nobody is a node, nothing is answered. */
Test(refused, not_configured)
{
	static const struct hw_config nothing;
	static const struct hw_node no_node;
	static const struct hw_ping ping = { .size = 0 };
	struct tun tun = { .kind = HW_KIND_PING };
	struct frame f;

	world_open();
	row_put(w.skel->maps.hw_config, 0, &nothing);
	build_control(&f, &tun, &ping, sizeof(ping), 0);
	expect_verdict(world_run(&f), HW_V_pass_other, "no endpoint");
	w.config.node = 0;
	config_put();
	row_put(w.skel->maps.hw_nodes, PEER, &no_node);
	build_control(&f, &tun, &ping, sizeof(ping), 0);
	expect_verdict(world_run(&f), HW_V_drop_tun_source, "no nodes");
}
