/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What becomes of a client's packet when no socket here knows its flow: a table
 * of packets, both sides of each boundary, and the verdict. What passes must
 * come out byte for byte as it went in. Flows with sockets are test_mine.c's,
 * what the carried packet looks like test_carry.c's.
 */
#include "world.h"

struct decide_row {
	const char *what;
	struct tcp in;
	enum hw_verdict want;
	void (*given)(const struct tcp *in);
	unsigned row;        /* of counters (only where the test looks at it) */
};

#define ROW(text, packet, verdict, ...) { .what = text, .in = packet, .want = HW_V_##verdict, ##__VA_ARGS__ }

static const struct decide_row parse_rows[] = {
	/* Ethernet */
	ROW("ARP", V4(.ethertype = 0x0806), pass_other),
	ROW("EtherType of IPv6, IPv4 inside: too short for an IPv6 header", V4(.ethertype = 0x86dd, .keep = 53), pass_other),
	ROW("a VLAN tag is not looked into", V4(.vlan = true), pass_other),
	ROW("a VLAN tag, IPv6", V6(.vlan = true), pass_other),
	ROW("an Ethernet header and nothing else", V4(.keep = 14), pass_other),
	ROW("an Ethernet header and nothing else, IPv6", V6(.keep = 14), pass_other),

	/* IPv4 */
	ROW("the IPv4 header lacks its last byte", V4(.keep = 33), pass_other),
	ROW("an IPv4 header, no TCP", V4(.keep = 34), pass_malformed),
	ROW("an IPv4 header that ends the packet honestly", V4(.keep = 34, .len_more = -20), pass_malformed),
	ROW("the TCP header lacks its last byte, the length field lies", V4(.keep = 53), pass_malformed),
	ROW("the TCP header lacks its last byte, honestly", V4(.keep = 53, .len_more = -1), pass_malformed),
	ROW("a TCP header without payload", V4(), drop_asked),
	ROW("the last byte of payload is missing", V4(.payload = 9, .keep = 62), pass_malformed),
	ROW("the payload is complete", V4(.payload = 9, .keep = 63), drop_asked),
	ROW("total length one more than the frame", V4(.len_more = 1), pass_malformed),
	ROW("total length one more, and padding that covers it", V4(.len_more = 1, .pad = 6), drop_asked),
	ROW("total length one less than the TCP header", V4(.len_more = -1), pass_malformed),
	ROW("total length below the IPv4 header", V4(.len_more = -21), pass_malformed),
	ROW("total length 0", V4(.len_more = -40), pass_malformed),
	ROW("total length 65535", V4(.len_more = 65495), pass_malformed),
	ROW("Ethernet padding to 60 bytes", V4(.pad = 6), drop_asked),
	ROW("ihl 0", V4(.at = 14, .xor = 0x05), pass_malformed),
	ROW("ihl 4", V4(.ihl = 4), pass_malformed),
	ROW("ihl 6: one word of options", V4(.ihl = 6), drop_asked),
	ROW("ihl 15: all the options there can be", V4(.ihl = 15), drop_asked),
	ROW("ihl 15, doff 15", V4(.ihl = 15, .doff = 15), drop_asked),
	ROW("ihl 15, cut in the options", V4(.ihl = 15, .keep = 73), pass_malformed),
	ROW("ihl 15, cut behind the options, length honest", V4(.ihl = 15, .keep = 74, .len_more = -20), pass_malformed),
	ROW("ihl 15 in a packet of 20 bytes of header", V4(.at = 14, .xor = 0x0a), pass_malformed),
	ROW("version 5", V4(.at = 14, .xor = 0x10), pass_malformed),
	ROW("version 6 behind the EtherType of IPv4", V4(.at = 14, .xor = 0x20), pass_malformed),
	ROW("a fragment: the first", V4(.frag = 0x2000), pass_fragment),
	ROW("a fragment: the last", V4(.frag = 0x0001), pass_fragment),
	ROW("a fragment: in the middle, at the highest offset", V4(.frag = 0x3fff), pass_fragment),
	ROW("neither DF nor fragment", V4(.frag = 0x8000), drop_asked),
	ROW("a later fragment that is too short for TCP", V4(.frag = 0x00b9, .keep = 38, .len_more = -16), pass_fragment),
	ROW("a wrong IPv4 header checksum is the stack's to find", V4(.at = 24, .xor = 0xff), drop_asked),
	ROW("TTL 1", V4(.ttl = 1), drop_asked),
	ROW("UDP to a VIP", V4(.proto = 17), pass_not_tcp),
	ROW("UDP to port 6081 of a VIP", V4(.proto = 17, .dport = 6081), pass_not_tcp),
	ROW("ICMP to a VIP", V4(.proto = 1), pass_not_tcp),
	ROW("SCTP to a VIP", V4(.proto = 132), pass_not_tcp),
	ROW("IP in IP to a VIP", V4(.proto = 4), pass_not_tcp),
	ROW("a fragment of UDP", V4(.proto = 17, .frag = 0x2000), pass_fragment),

	/* IPv6 */
	ROW("the IPv6 header lacks its last byte", V6(.keep = 53), pass_other),
	ROW("an IPv6 header, no TCP", V6(.keep = 54), pass_malformed),
	ROW("an IPv6 header that ends the packet honestly", V6(.keep = 54, .len_more = -20), pass_malformed),
	ROW("IPv6: the TCP header lacks its last byte", V6(.keep = 73), pass_malformed),
	ROW("IPv6: the TCP header lacks its last byte, honestly", V6(.keep = 73, .len_more = -1), pass_malformed),
	ROW("IPv6: a TCP header without payload", V6(), drop_asked),
	ROW("IPv6: payload length one more than the frame", V6(.len_more = 1), pass_malformed),
	ROW("IPv6: padding behind the packet", V6(.pad = 6), drop_asked),
	ROW("IPv6: payload length 0 (a jumbogram, perhaps)", V6(.len_more = -20), pass_malformed),
	ROW("IPv6: payload length 65535: the sum is beyond 16 bits", V6(.len_more = 65515), pass_malformed),
	ROW("IPv6: version 4", V6(.at = 14, .xor = 0x20), pass_malformed),
	ROW("IPv6: traffic class and flow label all ones", V6(.tos = 0xff), drop_asked),
	ROW("IPv6: hop-by-hop options are not walked", V6(.at = 20, .xor = 6), pass_not_tcp),
	ROW("IPv6: a fragment header", V6(.ext = 44), pass_fragment),
	ROW("IPv6: destination options in front of TCP", V6(.ext = 60), pass_not_tcp),
	ROW("IPv6: a routing header in front of TCP", V6(.ext = 43), pass_not_tcp),
	ROW("IPv6: no next header", V6(.proto = 59), pass_not_tcp),
	ROW("IPv6: UDP", V6(.proto = 17), pass_not_tcp),
	ROW("IPv6: ICMPv6", V6(.proto = 58), pass_not_tcp),

	/* TCP */
	ROW("doff 0", V4(.at = 46, .xor = 0x50), pass_malformed),
	ROW("doff 4", V4(.doff = 4), pass_malformed),
	ROW("doff 5", V4(.doff = 5), drop_asked),
	ROW("doff 6 in a packet that ends at 5", V4(.at = 46, .xor = 0x30), pass_malformed),
	ROW("doff 6 in a packet with 3 bytes behind 5", V4(.payload = 3, .at = 46, .xor = 0x30), pass_malformed),
	ROW("doff 6 in a packet with 4 bytes behind 5", V4(.payload = 4, .at = 46, .xor = 0x30), drop_asked),
	ROW("doff 6, the options only in the Ethernet padding", V4(.pad = 6, .at = 46, .xor = 0x30), pass_malformed),
	ROW("doff 15", V4(.doff = 15), drop_asked),
	ROW("doff 15, the last byte of options missing", V4(.doff = 15, .keep = 93, .len_more = -1), pass_malformed),
	ROW("IPv6: doff 4", V6(.doff = 4), pass_malformed),
	ROW("IPv6: doff 15", V6(.doff = 15), drop_asked),
	ROW("IPv6: doff 15 in a packet that ends at 5", V6(.at = 66, .xor = 0xa0), pass_malformed),
	ROW("a wrong TCP checksum is its home's to find", V4(.at = 50, .xor = 0xff), drop_asked),
};

static const struct decide_row vip_rows[] = {
	ROW("to an address that is no VIP", V4(.dst = "203.0.113.99"), pass_other),
	ROW("to an address that differs from a VIP in the last bit", V4(.dst = "203.0.113.0"), pass_other),
	ROW("to an IPv6 address that is no VIP", V6(.dst = "2001:db8:113::2"), pass_other),
	ROW("to an IPv6 address that differs from a VIP in the first bit", V6(.dst = "a001:db8:113::1"), pass_other),
	ROW("malformed, and not to a VIP", V4(.dst = "203.0.113.99", .ihl = 4), pass_other),
	ROW("a VIP as source does not matter", V4(.src = VIP4, .dst = "203.0.113.99"), pass_other),
	ROW("from one VIP to another", V4(.src = VIP_PORTS4), drop_asked),
	ROW("TCP to the endpoint", V4(.dst = SELF_IP4), pass_other),
	ROW("TCP to port 6081 of the endpoint", V4(.dst = SELF_IP4, .dport = 6081), pass_other),
	ROW("UDP to another port of the endpoint", V4(.dst = SELF_IP4, .proto = 17, .dport = 6080), pass_other),
	ROW("UDP to the port above 6081", V4(.dst = SELF_IP4, .proto = 17, .dport = 6082), pass_other),
	ROW("UDP from port 6081 to another", V4(.dst = SELF_IP4, .proto = 17, .sport = 6081, .dport = 53), pass_other),
	ROW("UDP to the endpoint, cut before the port", V4(.dst = SELF_IP4, .proto = 17, .dport = 6081, .keep = 41), pass_other),
	ROW("UDP to port 6081 of the endpoint: for nodes", V4(.dst = SELF_IP4, .proto = 17, .dport = 6081), drop_tun_malformed),
	ROW("a first fragment to it", V4(.dst = SELF_IP4, .proto = 17, .dport = 6081, .frag = 0x2000), drop_tun_malformed),
	ROW("a later fragment whose payload looks like it", V4(.dst = SELF_IP4, .proto = 17, .dport = 6081, .frag = 1), pass_other),
	ROW("an IPv4-mapped VIP in an IPv6 packet", V6(.dst = "::ffff:203.0.113.1"), pass_malformed),
	ROW("a flow of IPv4, mapped", V6(.src = "::ffff:192.0.2.10", .dst = "::ffff:203.0.113.1"), pass_malformed),
	ROW("ICMP to the endpoint", V4(.dst = SELF_IP4, .proto = 1), pass_other),
	ROW("UDP to port 6081 of another node's endpoint", V4(.dst = PEER_IP4, .proto = 17, .dport = 6081), pass_other),
	ROW("every port of a VIP without a list: 1", V4(.dport = 1), drop_asked),
	ROW("every port of a VIP without a list: 65535", V4(.dport = 65535), drop_asked),
	ROW("first port of the list", V4(.dst = VIP_PORTS4, .dport = 80), drop_asked),
	ROW("last port of the list", V4(.dst = VIP_PORTS4, .dport = 443), drop_asked),
	ROW("one below the first port", V4(.dst = VIP_PORTS4, .dport = 79), pass_port),
	ROW("one above the last port", V4(.dst = VIP_PORTS4, .dport = 444), pass_port),
	ROW("between two ports", V4(.dst = VIP_PORTS4, .dport = 81), pass_port),
	ROW("byte order: 80 the other way round", V4(.dst = VIP_PORTS4, .dport = 0x5000), pass_port),
	ROW("the source port is not what the list is about", V4(.dst = VIP_PORTS4, .dport = 79, .sport = 80), pass_port),
	ROW("a SYN to a port that is not listed", V4(.dst = VIP_PORTS4, .dport = 79, .flags = SYN), pass_port),
	ROW("a full list: first", V4(.dst = VIP_FULL4, .dport = 1000), drop_asked),
	ROW("a full list: last", V4(.dst = VIP_FULL4, .dport = 1031), drop_asked),
	ROW("a full list: one more", V4(.dst = VIP_FULL4, .dport = 1032), pass_port),
	ROW("no TCP port at all: 1", V4(.dst = VIP_UDP4, .dport = 1), pass_port),
	ROW("no TCP port at all: a port of its UDP list", V4(.dst = VIP_UDP4, .dport = 2000), pass_port),
	ROW("no TCP port at all: a SYN", V4(.dst = VIP_UDP4, .flags = SYN), pass_port),
	ROW("no TCP port at all: port 0, which pads the list", V4(.dst = VIP_UDP4, .dport = 80, .at = 37, .xor = 80), pass_port),
	ROW("no TCP port at all: IPv6", V6(.dst = VIP_UDP6), pass_port),
	ROW("TCP to a port that is in both lists", V4(.dst = VIP_DNS4, .dport = 53), drop_asked),
	ROW("TCP to a port that is in the UDP list only", V4(.dst = VIP_DNS4, .dport = 443), pass_port),
	ROW("port 0, which pads a list that is not full", V4(.dst = VIP_PORTS4, .dport = 80, .at = 37, .xor = 80), pass_port),

	/* new connections */
	ROW("SYN", V4(.flags = SYN), pass_new),
	ROW("SYN, IPv6", V6(.flags = SYN), pass_new),
	ROW("SYN with ECN setup flags (RFC 3168)", V4(.flags = SYN | 0xc0), pass_new),
	ROW("SYN with data (TCP Fast Open)", V4(.flags = SYN, .payload = 100), pass_new),
	ROW("SYN with PSH", V4(.flags = SYN | PSH), pass_new),
	ROW("SYN-ACK opens nothing here", V4(.flags = SYN | ACK), drop_asked),
	ROW("SYN and RST", V4(.flags = SYN | RST), drop_asked),
	ROW("SYN and FIN", V4(.flags = SYN | FIN), drop_asked),
	ROW("RST", V4(.flags = RST), drop_asked),
	ROW("RST and ACK", V4(.flags = RST | ACK), drop_asked),
	ROW("FIN and ACK", V4(.flags = FIN | ACK), drop_asked),
	ROW("FIN alone", V4(.flags = FIN), drop_asked),
	ROW("no flags at all", V4(.flags = NO_FLAGS), drop_asked),
	ROW("all flags", V4(.flags = 0xff), drop_asked),
};

/* ---- what is known of the flow ---- */

static void lives_near(const struct tcp *in) { flow_put(in, PEER); }
static void lives_far(const struct tcp *in) { flow_put(in, NODE_FAR); }
static void lives_on_gone(const struct tcp *in) { flow_put(in, NODE_GONE); }
static void lives_on_unknown(const struct tcp *in) { flow_put(in, 99); }
static void lives_on_last(const struct tcp *in) { flow_put(in, NODE_MAX); }
static void lives_on_no_id(const struct tcp *in) { flow_put(in, HW_NODE_IDS); }
static void lives_on_6(const struct tcp *in) { flow_put(in, PEER6); }

static void other_port_lives(const struct tcp *in)
{
	struct tcp other = *in;

	other.sport = 40001;
	flow_put(&other, PEER);
	other = *in;
	other.dport = 444;
	flow_put(&other, PEER);
}

static void other_client_lives(const struct tcp *in)
{
	struct tcp other = *in;

	other.src = "192.0.2.11";
	flow_put(&other, PEER);
}

static void is_said(const struct tcp *in, uint32_t seq, int64_t until_more)
{
	struct hw_flow_key key = flow_key_of(in, vip_id_of(in));
	struct hw_nobody said = { .until_ns = now_ns() + until_more, .seq = seq, .ack = in->ack };

	map_put(w.skel->maps.hw_nobody, &key, &said);
}

static void is_nobodys(const struct tcp *in) { is_said(in, in->seq, 1000 * SECOND); }
static void was_nobodys(const struct tcp *in) { is_said(in, in->seq, -(int64_t)SECOND); }
static void is_nobodys_at_1000(const struct tcp *in) { is_said(in, 1000, 1000 * SECOND); }
static void is_nobodys_at_wrap(const struct tcp *in) { is_said(in, 0xfffffff0, 1000 * SECOND); }
static void other_is_nobodys(const struct tcp *in)
{
	struct tcp other = *in;

	other.sport = 40001;
	is_said(&other, in->seq, 1000 * SECOND);
}

static void nobodys_but_lives(const struct tcp *in)
{
	is_nobodys(in);
	flow_put(in, PEER);
}

static void nobody_nobodys_budget_spent(const struct tcp *in)
{
	is_nobodys(in);
	w.config.ask_gap_ns = SECOND;
	config_put();
}

static void budget_is_nothing(const struct tcp *in)
{
	w.config.ask_gap_ns = SECOND;
	config_put();
}

static void lives_budget_is_nothing(const struct tcp *in)
{
	flow_put(in, PEER);
	budget_is_nothing(in);
}

static void prefix_budget_is_nothing(const struct tcp *in)
{
	w.config.prefix_gap_ns = w.config.ask_gap_ns = SECOND;
	w.config.ask_burst_ns = 10 * SECOND;
	config_put();
}

static void ring_is_full(const struct tcp *in)
{
	struct frame f;
	int i;

	build_tcp(&f, in);
	for (i = 0; i < 1000 && w.result.verdict != HW_V_drop_queue_full; i++)
		cr_assert(world_try(&f, NULL, 0) == 0);
	cr_assert(i > 10 && i < 1000, "the ring was full after %d records", i);
}

#define AHEAD  (1u << 20)
#define BEHIND (1u << 16)

static const struct decide_row known_rows[] = {
	ROW("home is behind this NIC", V4(), carry_tx, .given = lives_near),
	ROW("home is behind another NIC", V4(), carry_redirect, .given = lives_far),
	ROW("home with the highest id", V4(), carry_tx, .given = lives_on_last),
	ROW("home has an IPv6 endpoint", V4(), carry_tx, .given = lives_on_6),
	ROW("IPv6 flow, home behind this NIC", V6(), carry_tx, .given = lives_near),
	ROW("a RST is carried too", V4(.flags = RST), carry_tx, .given = lives_near),
	ROW("a FIN is carried too", V4(.flags = FIN | ACK), carry_tx, .given = lives_near),
	ROW("a SYN-ACK is carried too: the home had opened it", V4(.flags = SYN | ACK), carry_tx, .given = lives_near),
	ROW("a bare SYN is never carried", V4(.flags = SYN), pass_new, .given = lives_near),
	ROW("a fragment is not carried", V4(.frag = 0x2000), pass_fragment, .given = lives_near),
	ROW("home has no next hop", V4(), drop_no_route, .given = lives_on_gone),
	ROW("home is not in the node table", V4(), drop_no_route, .given = lives_on_unknown),
	ROW("home is no id at all", V4(), drop_no_route, .given = lives_on_no_id),
	ROW("another port of the client or of the VIP has a home", V4(), drop_asked, .given = other_port_lives),
	ROW("another client has a home", V4(), drop_asked, .given = other_client_lives),
	ROW("exactly fits: 40 + 1408 + 52", V4(.payload = MTU - 52 - 40), carry_tx, .given = lives_near),
	ROW("one byte more", V4(.payload = MTU - 52 - 40 + 1), drop_too_big, .given = lives_near),
	ROW("padding does not count", V4(.payload = MTU - 52 - 40, .pad = 50), carry_tx, .given = lives_near),
	ROW("exactly fits in IPv6: 40 + 1388 + 72", V4(.payload = MTU - 72 - 40), carry_tx, .given = lives_on_6),
	ROW("one byte more in IPv6", V4(.payload = MTU - 72 - 40 + 1), drop_too_big, .given = lives_on_6),
	ROW("IPv6 exactly fits: 60 + 1388 + 52", V6(.payload = MTU - 52 - 60), carry_tx, .given = lives_near),
	ROW("IPv6: one byte more", V6(.payload = MTU - 52 - 60 + 1), drop_too_big, .given = lives_near),
	ROW("far too big: 9000", V4(.payload = 8960), drop_too_big, .given = lives_near),
};

static const struct decide_row unknown_rows[] = {
	ROW("nobody's", V4(.seq = 5), pass_nobody, .given = is_nobodys),
	ROW("nobody's, IPv6", V6(.seq = 5), pass_nobody, .given = is_nobodys),
	ROW("nobody's, but that was a second ago", V4(.seq = 5), drop_asked, .given = was_nobodys),
	ROW("nobody's, but a home is known", V4(), carry_tx, .given = nobodys_but_lives),
	ROW("another flow is nobody's", V4(.seq = 5), drop_asked, .given = other_is_nobodys),
	ROW("nobody's, seq 64 KB behind", V4(.seq = 1000 - BEHIND), pass_nobody, .given = is_nobodys_at_1000),
	ROW("nobody's, seq 64 KB and one behind", V4(.seq = 1000 - BEHIND - 1), drop_asked, .given = is_nobodys_at_1000),
	ROW("nobody's, seq 1 MB ahead", V4(.seq = 1000 + AHEAD), pass_nobody, .given = is_nobodys_at_1000),
	ROW("nobody's, seq 1 MB and one ahead", V4(.seq = 1001 + AHEAD), drop_asked, .given = is_nobodys_at_1000),
	ROW("nobody's, seq half the space away", V4(.seq = 1000 + (1u << 31)), drop_asked, .given = is_nobodys_at_1000),
	ROW("nobody's, seq ahead over the wrap", V4(.seq = 100), pass_nobody, .given = is_nobodys_at_wrap),
	ROW("nobody's needs no budget", V4(), pass_nobody, .given = nobody_nobodys_budget_spent),
	ROW("a SYN of a flow that was nobody's is new", V4(.flags = SYN), pass_new, .given = is_nobodys),
	ROW("no budget in all", V4(), drop_budget, .given = budget_is_nothing),
	ROW("no budget for the prefix", V4(), drop_budget, .given = prefix_budget_is_nothing),
	ROW("a new connection needs no budget", V4(.flags = SYN), pass_new, .given = budget_is_nothing),
	ROW("a known stray needs no budget", V4(), carry_tx, .given = lives_budget_is_nothing),
	ROW("the agent does not read", V4(), drop_queue_full, .given = ring_is_full),
	ROW("a VIP whose sockets are invisible", V4(.dst = VIP_DARK4), pass_invisible),
	ROW("a RST to such a VIP", V4(.dst = VIP_DARK4, .flags = RST), pass_invisible),
	ROW("invisible needs no budget", V4(.dst = VIP_DARK4), pass_invisible, .given = budget_is_nothing),
	ROW("a SYN to an invisible VIP", V4(.dst = VIP_DARK4, .flags = SYN), pass_new),
	ROW("a jumbo packet is asked about too", V4(.payload = 8960), drop_asked),
};

static void check_passed(const struct frame *in, const char *what)
{
	if (w.result.action == XDP_PASS)
		expect_frame(&w.result.out, in, what);
}

static void decide_rows(const struct decide_row *rows, size_t n)
{
	struct frame in;

	for (const struct decide_row *r = rows; r < rows + n; r++) {
		world_reset();
		if (r->given)
			r->given(&r->in);
		build_tcp(&in, &r->in);
		world_run(&in);
		expect_verdict(&w.result, r->want, r->what);
		check_passed(&in, r->what);
	}
}
#define DECIDE(rows) decide_rows(rows, sizeof(rows) / sizeof((rows)[0]))

Test(decide, siphash_is_right)
{
	/* the vector of the SipHash paper, appendix A: key 00 to 0f, message 00 to 0e */
	static const uint8_t want[8] = { 0xe5, 0x45, 0xbe, 0x49, 0x61, 0xca, 0x29, 0xa1 };
	uint8_t key[16], out[8];

	for (int i = 0; i < 16; i++)
		key[i] = i;
	siphash(key, key, 15, out);
	cr_expect(memcmp(out, want, 8) == 0);
}

Test(decide, headers)
{
	world_open();
	DECIDE(parse_rows);
}

Test(decide, vips_and_ports)
{
	world_open();
	DECIDE(vip_rows);
}

Test(decide, homes)
{
	world_open();
	DECIDE(known_rows);
}

Test(decide, unknown)
{
	world_open();
	DECIDE(unknown_rows);
}

/* The counters are those of the packet's VIP, or of none. */
Test(decide, counter_rows)
{
	static const struct decide_row rows[] = {
		ROW("not for a VIP", V4(.dst = "203.0.113.99"), pass_other, .row = 0),
		ROW("malformed, IPv4 VIP", V4(.doff = 4), pass_malformed, .row = 1),
		ROW("unknown, IPv4 VIP", V4(), drop_asked, .row = 1),
		ROW("UDP, IPv6 VIP", V6(.proto = 17), pass_not_tcp, .row = 2),
		ROW("other port", V4(.dst = VIP_PORTS4, .dport = 1), pass_port, .row = 3),
		ROW("unknown, invisible VIP", V4(.dst = VIP_DARK4), pass_invisible, .row = 4),
		ROW("refused on port 6081", V4(.dst = SELF_IP4, .proto = 17, .dport = 6081), drop_tun_malformed),
	};
	struct frame in;

	world_open();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		build_tcp(&in, &rows[i].in);
		world_run(&in);
		cr_expect(w.result.verdict == rows[i].want && w.result.row == rows[i].row, "%s: %s in row %u", rows[i].what,
			  verdict_name[w.result.verdict], w.result.row);
	}
}

/* ---- budgets ---- */

/* `times` packets `before`, and then `in`. No time passes: a packet costs 1000 s. */
static const struct budget_row {
	const char *what;
	int prefix, all;       /* packets */
	struct tcp before;
	int times;
	struct tcp in;
	enum hw_verdict want;
} budget_rows[] = {
	{ "the last of four in all", 100, 4, V4(), 3, V4(), HW_V_drop_asked },
	{ "the fifth of four in all", 100, 4, V4(), 4, V4(), HW_V_drop_budget },
	{ "in all: another prefix does not help", 100, 4, V4(), 4, V4(.src = "192.0.3.10"), HW_V_drop_budget },
	{ "in all: IPv6 is counted with IPv4", 100, 4, V4(), 4, V6(), HW_V_drop_budget },
	{ "the last of a prefix", 4, 100, V4(), 3, V4(), HW_V_drop_asked },
	{ "beyond a prefix", 4, 100, V4(), 4, V4(), HW_V_drop_budget },
	{ "beyond a prefix, another host of the /24", 4, 100, V4(), 4, V4(.src = "192.0.2.255"), HW_V_drop_budget },
	{ "the next /24 has a budget of its own", 4, 100, V4(), 4, V4(.src = "192.0.3.10"), HW_V_drop_asked },
	{ "a /24 far away has a budget of its own", 4, 100, V4(), 4, V4(.src = "10.0.2.10"), HW_V_drop_asked },
	{ "IPv6: beyond a /48", 4, 100, V6(), 4, V6(.src = "2001:db8:c:ffff:ffff::1"), HW_V_drop_budget },
	{ "IPv6: the next /48 has a budget of its own", 4, 100, V6(), 4, V6(.src = "2001:db8:d::10"), HW_V_drop_asked },
	{ "IPv6: a /48 of another /32", 4, 100, V6(), 4, V6(.src = "2001:db9:c::10"), HW_V_drop_asked },
	{ "a prefix that is over budget does not spend that of all", 2, 4, V4(), 50, V4(.src = "192.0.3.10"), HW_V_drop_asked },
	{ "RST: the last of its half", 100, 4, V4(.flags = RST), 1, V4(.flags = RST), HW_V_drop_asked },
	{ "RST: beyond its half", 100, 4, V4(.flags = RST), 2, V4(.flags = RST), HW_V_drop_budget },
	{ "RST and ACK: beyond its half", 100, 4, V4(), 2, V4(.flags = RST | ACK), HW_V_drop_budget },
	{ "SYN-ACK: beyond its half", 100, 4, V4(), 2, V4(.flags = SYN | ACK), HW_V_drop_budget },
	{ "RST: beyond its half of a prefix", 4, 100, V4(), 2, V4(.flags = RST), HW_V_drop_budget },
	{ "data goes on where a RST stops", 100, 4, V4(.flags = RST), 50, V4(), HW_V_drop_asked },
	{ "FIN is urgent", 100, 4, V4(), 3, V4(.flags = FIN | ACK), HW_V_drop_asked },
	{ "a SYN costs nothing", 100, 4, V4(.flags = SYN), 50, V4(), HW_V_drop_asked },
	{ "malformed costs nothing", 100, 4, V4(.doff = 4), 50, V4(), HW_V_drop_asked },
};

static void budget_of(int prefix, int all)
{
	w.config.prefix_gap_ns = w.config.ask_gap_ns = 1000 * SECOND;
	w.config.prefix_burst_ns = prefix * 1000 * SECOND;
	w.config.ask_burst_ns = all * 1000 * SECOND;
	config_put();
}

Test(decide, budgets)
{
	struct frame f;

	world_open();
	for (const struct budget_row *r = budget_rows; r < budget_rows + sizeof(budget_rows) / sizeof(*r); r++) {
		world_reset();
		budget_of(r->prefix, r->all);
		build_tcp(&f, &r->before);
		for (int i = 0; i < r->times; i++)
			world_run(&f);
		build_tcp(&f, &r->in);
		world_run(&f);
		expect_verdict(&w.result, r->want, r->what);
	}
}

/* A budget that was spent is full again when its time has come, and never fuller than full. */
Test(decide, budget_refills)
{
	struct hw_budget spent = { .spent_until_ns = 1 };
	const struct tcp in = V4();
	struct frame f;

	world_open();
	budget_of(100, 4);
	build_tcp(&f, &in);
	row_put(w.skel->maps.hw_budgets, 0, &spent); /* long ago */
	for (int i = 0; i < 4; i++)
		expect_verdict(world_run(&f), HW_V_drop_asked, "spent long ago is not saved up");
	expect_verdict(world_run(&f), HW_V_drop_budget, "spent long ago is not saved up");
	spent.spent_until_ns = now_ns() + 3000 * SECOND + SECOND;
	row_put(w.skel->maps.hw_budgets, 0, &spent);
	expect_verdict(world_run(&f), HW_V_drop_budget, "one second short of a packet");
	spent.spent_until_ns = now_ns() + 3000 * SECOND - SECOND;
	row_put(w.skel->maps.hw_budgets, 0, &spent);
	expect_verdict(world_run(&f), HW_V_drop_asked, "a packet's worth is back");
}

/* ---- what the agent sends through again ---- */

static const struct mark_row {
	const char *what;
	uint32_t is;
	size_t size;           /* of the metadata; 16 */
	bool foreign;
	void (*given)(const struct tcp *in);
	struct tcp in;
	enum hw_verdict want;
} mark_rows[] = {
	{ "deliver: nobody's", HW_REPLAY_DELIVER, 0, false, NULL, V4(), HW_V_pass_nobody },
	{ "deliver: nobody's, IPv6", HW_REPLAY_DELIVER, 0, false, NULL, V6(), HW_V_pass_nobody },
	{ "deliver: a RST", HW_REPLAY_DELIVER, 0, false, NULL, V4(.flags = RST), HW_V_pass_nobody },
	{ "deliver: but a home was found meanwhile", HW_REPLAY_DELIVER, 0, false, lives_near, V4(), HW_V_carry_tx },
	{ "carry: to its home", HW_REPLAY_CARRY, 0, false, lives_near, V4(), HW_V_carry_tx },
	{ "carry: to its home behind another NIC", HW_REPLAY_CARRY, 0, false, lives_far, V4(), HW_V_carry_redirect },
	{ "carry: the home is gone again: not handed up twice", HW_REPLAY_CARRY, 0, false, NULL, V4(), HW_V_drop_unresolved },
	{ "carry: not even when nobody's", HW_REPLAY_CARRY, 0, false, is_nobodys, V4(), HW_V_drop_unresolved },
	{ "carry: needs no budget", HW_REPLAY_CARRY, 0, false, budget_is_nothing, V4(), HW_V_drop_unresolved },
	{ "the mark of another program", HW_REPLAY_DELIVER, 0, true, NULL, V4(), HW_V_drop_asked },
	{ "a mark that says nothing", 0, 0, false, NULL, V4(), HW_V_drop_asked },
	{ "a mark of an unknown kind", 3, 0, false, NULL, V4(), HW_V_drop_asked },
	{ "metadata too short for a mark", HW_REPLAY_DELIVER, 12, false, NULL, V4(), HW_V_drop_asked },
	{ "a mark in front of more metadata", HW_REPLAY_DELIVER, 20, false, NULL, V4(), HW_V_pass_nobody },
	{ "a mark does not make a SYN other than new", HW_REPLAY_CARRY, 0, false, NULL, V4(.flags = SYN), HW_V_pass_new },
	{ "a mark opens no other ports", HW_REPLAY_DELIVER, 0, false, NULL, V4(.dst = VIP_PORTS4, .dport = 1), HW_V_pass_port },
};

Test(decide, replayed)
{
	struct frame f;

	world_open();
	for (const struct mark_row *r = mark_rows; r < mark_rows + sizeof(mark_rows) / sizeof(*r); r++) {
		uint8_t meta[32] = { 0 };
		struct hw_mark mark;

		world_reset();
		if (r->given)
			r->given(&r->in);
		mark = (struct hw_mark){ .replay_mark = w.config.replay_mark ^ r->foreign, .what = r->is };
		memcpy(meta, &mark, sizeof(mark));
		build_tcp(&f, &r->in);
		cr_assert(world_try(&f, meta, r->size ? r->size : sizeof(mark)) == 0, "%s", r->what);
		expect_verdict(&w.result, r->want, r->what);
		check_passed(&f, r->what);
	}
}

/* Metadata of other programs can take the room in front of a packet. */
Test(decide, no_headroom)
{
	const struct tcp in = V4();
	const uint8_t meta[200] = { 0 };
	struct frame f;
	int err;

	world_open();
	flow_put(&in, PEER);
	build_tcp(&f, &in);
	err = world_try(&f, meta, sizeof(meta));
	if (err) {
		cr_log_warn("this kernel has no metadata of 200 bytes (%s): skipped", strerror(-err));
		return;
	}
	expect_verdict(&w.result, HW_V_drop_headroom, "200 bytes of metadata");
	cr_expect(world_try(&f, meta, 32) == 0 && w.result.verdict == HW_V_carry_tx, "32 bytes of metadata leave room");
}

/* ---- cuts ---- */

/* Cut anywhere, with or without an honest length field: passes to the stack as it is, or is known whole. */
Test(decide, cut_anywhere)
{
	static const struct tcp whole[] = {
		V4(.ihl = 15, .doff = 15, .payload = 20), V6(.doff = 15, .payload = 20), V4(.ihl = 5), V6(.doff = 5),
	};
	struct frame f;

	world_open();
	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
		build_tcp(&f, &whole[i]);
		for (size_t len = f.len, keep = ETH; keep < len; keep++) {
			struct tcp cut = whole[i];

			cut.keep = keep;
			build_tcp(&f, &cut);
			world_run(&f);
			cr_expect(w.result.verdict == HW_V_pass_malformed || w.result.verdict == HW_V_pass_other,
				  "packet %zu cut to %zu: %s", i, keep, verdict_name[w.result.verdict]);
			check_passed(&f, "cut");
			cut.len_more = (int)keep - (int)len;
			build_tcp(&f, &cut);
			world_run(&f);
			cr_expect(w.result.action == XDP_PASS || keep >= len - cut.payload,
				  "packet %zu cut to %zu, honestly: %s", i, keep, verdict_name[w.result.verdict]);
			check_passed(&f, "cut honestly");
		}
	}
}

/* ---- what the agent gets ---- */

static const struct stray_row {
	const char *what;
	struct tcp in;
	size_t size;           /* of the record */
	size_t held;           /* bytes of the frame in it */
} stray_rows[] = {
	{ "an ACK", V4(.seq = 0x01020304, .ack = 0xf1f2f3f4), HW_STRAY_SMALL, 54 },
	{ "an ACK, IPv6", V6(.seq = 0x01020304, .ack = 0xf1f2f3f4), HW_STRAY_SMALL, 74 },
	{ "options are held", V4(.ihl = 15, .doff = 15), HW_STRAY_SMALL, 134 },
	{ "padding is not", V4(.pad = 6), HW_STRAY_SMALL, 54 },
	{ "the largest small packet", V4(.payload = 130), HW_STRAY_SMALL, 184 },
	{ "one byte more", V4(.payload = 131), HW_STRAY_LARGE, 185 },
	{ "an Ethernet MTU full", V4(.payload = 1460), HW_STRAY_LARGE, 1514 },
	{ "the largest that can be held", V4(.payload = 1922), HW_STRAY_LARGE, 1976 },
	{ "one byte more is cut", V4(.payload = 1923), HW_STRAY_LARGE, 1976 },
	{ "jumbo, partly in fragments of the frame", V4(.payload = 8960), HW_STRAY_LARGE, 1976 },
	{ "flags", V4(.flags = FIN | PSH | ACK), HW_STRAY_SMALL, 54 },
	{ "ports", V4(.sport = 1, .dport = 65535), HW_STRAY_SMALL, 54 },
};

static void check_stray(const struct stray_row *r, const struct frame *f)
{
	const struct hw_stray *s = &w.stray.head;
	struct hw_flow_key key = flow_key_of(&r->in, vip_id_of(&r->in));
	struct hw_addr vip = addr_of(family_of(&r->in) == 6 ? VIP6 : VIP4);

	cr_expect(w.strays == 1 && w.stray.size == r->size, "%s: %d records, of %zu bytes", r->what, w.strays, w.stray.size);
	cr_expect(memcmp(&s->key, &key, sizeof(key)) == 0 && memcmp(s->vip, vip.b, 16) == 0, "%s: flow", r->what);
	cr_expect(s->seq == r->in.seq && s->ack == r->in.ack, "%s: seq %x, ack %x", r->what, s->seq, s->ack);
	cr_expect(s->tcp_flags == (r->in.flags ? r->in.flags : ACK) && s->family == family_of(&r->in), "%s: flags", r->what);
	cr_expect(s->ifindex == 1 && s->returned_by == 0, "%s: from %u, %u", r->what, s->ifindex, s->returned_by);
	cr_expect(s->len == f->len - r->in.pad && s->held == r->held, "%s: %u of %u", r->what, s->held, s->len);
	cr_expect(memcmp(w.stray.frame, f->b, r->held) == 0, "%s: the frame is another", r->what);
	cr_expect(s->at_ns <= now_ns() && s->at_ns + 60 * SECOND > now_ns(), "%s: at %llu", r->what, s->at_ns);
}

Test(decide, records)
{
	struct frame f;

	world_open();
	for (const struct stray_row *r = stray_rows; r < stray_rows + sizeof(stray_rows) / sizeof(*r); r++) {
		world_reset();
		build_tcp(&f, &r->in);
		expect_verdict(world_run(&f), HW_V_drop_asked, r->what);
		check_stray(r, &f);
	}
}

/* An agent that sleeps is woken once; one that is awake is left alone. */
Test(decide, wakes_the_agent_once)
{
	const struct tcp in = V4();
	struct hw_wake wake = { .asleep = 1 };
	uint32_t zero = 0;
	struct frame f;

	world_open();
	build_tcp(&f, &in);
	cr_assert(world_try(&f, NULL, 0) == 0);
	cr_expect(ring_buffer__poll(w.ring, 0) == 0, "woken though awake");
	row_put(w.skel->maps.hw_wake, 0, &wake);
	cr_assert(world_try(&f, NULL, 0) == 0);
	cr_assert(bpf_map_lookup_elem(bpf_map__fd(w.skel->maps.hw_wake), &zero, &wake) == 0);
	cr_expect(wake.asleep == 0, "the flag is not cleared");
	cr_expect(ring_buffer__poll(w.ring, 0) == 2, "not woken, or a record is missing");
}
