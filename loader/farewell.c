/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Clients whose home has died. One that sends learns it by the RST to what it
 * sends; one that only waits for data would wait for long. Of the client's last
 * seq and ack, as hw_flows has them, two segments can be made:
 *
 *  - an ACK as the client would send it, into the local stack, which answers it
 *    with the RST that the client believes, if these numbers are still true;
 *  - where they may not be, because the flow has gone home again since: a
 *    keep-alive probe to the client (RFC 9293 section 3.8.4). It answers with an
 *    ACK that bears its true numbers, and that is reset as nobody's.
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "agent.h"
#include "checksum.h"

/* The numbers of a flow seen here so shortly before its home was last heard may be true, or may not. */
#define AMBIGUOUS_NS (2 * HW_SECOND)

struct end {
	struct hw_addr addr;
	uint16_t port; /* host order */
};

/* The IP header of a TCP segment without options or payload. Returns its length. */
static size_t ip_header(void *at, const struct hw_addr *src, const struct hw_addr *dst)
{
	struct ip6_hdr ip6 = { .ip6_plen = htons(sizeof(struct tcphdr)), .ip6_nxt = IPPROTO_TCP, .ip6_hlim = 64 };
	struct iphdr ip = { .version = 4, .ihl = 5, .tot_len = htons(sizeof(ip) + sizeof(struct tcphdr)),
			    .frag_off = htons(IP_DF), .ttl = 64, .protocol = IPPROTO_TCP };

	if (hw_addr_is4(dst)) {
		memcpy(&ip.saddr, src->b + 12, 4);
		memcpy(&ip.daddr, dst->b + 12, 4);
		ip.check = ~hw_sum_fold(hw_sum_words(&ip, sizeof(ip), 0));
		memcpy(at, &ip, sizeof(ip));
		return sizeof(ip);
	}
	ip6.ip6_vfc = 0x60;
	memcpy(&ip6.ip6_src, src->b, 16);
	memcpy(&ip6.ip6_dst, dst->b, 16);
	memcpy(at, &ip6, sizeof(ip6));
	return sizeof(ip6);
}

/* A bare ACK, IP header first; seq and ack in host order. Returns its length, at most 60. */
static size_t make_ack(uint8_t *at, const struct end *src, const struct end *dst, uint32_t seq, uint32_t ack)
{
	struct tcphdr th = { .source = htons(src->port), .dest = htons(dst->port), .seq = htonl(seq),
			     .ack_seq = htonl(ack), .doff = 5, .ack = 1 };
	size_t ip_len = ip_header(at, &src->addr, &dst->addr);
	uint32_t sum;

	/* the mapped prefix of IPv4 addresses, twice 0xffff, is zero in a ones' complement sum */
	sum = hw_sum_words(src->addr.b, 16, htons(IPPROTO_TCP) + htons(sizeof(th)));
	sum = hw_sum_words(dst->addr.b, 16, sum);
	th.check = ~hw_sum_fold(hw_sum_words(&th, sizeof(th), sum));
	memcpy(at + ip_len, &th, sizeof(th));
	return ip_len + sizeof(th);
}

static void ack_to_stack(struct hw_agent_state *a, const struct end *client, const struct end *vip,
			 const struct hw_flow *flow)
{
	uint8_t frame[sizeof(struct ethhdr) + 60] = {};
	struct ethhdr *eth = (void *)frame;
	size_t len;

	if (!a->nic)
		return;
	memcpy(eth->h_dest, a->nic_mac, ETH_ALEN);
	eth->h_source[0] = 0x02; /* locally administered: nobody's */
	eth->h_proto = htons(hw_addr_is4(&vip->addr) ? ETH_P_IP : ETH_P_IPV6);
	len = make_ack(frame + sizeof(*eth), client, vip, flow->seq, flow->ack);
	hw_replay_frame(a, a->nic, frame, sizeof(*eth) + len, HW_REPLAY_DELIVER);
}

/* seq: one before what the client expects, which obliges it to answer. */
static void probe_to_client(struct hw_agent_state *a, const struct end *client, const struct end *vip,
			    const struct hw_flow *flow)
{
	bool v4 = hw_addr_is4(&vip->addr);
	int *fd = &a->raw[v4 ? 0 : 1];
	struct sockaddr_storage to;
	socklen_t to_len = hw_addr_sockaddr(&client->addr, 0, &to);
	uint8_t packet[60];
	size_t len = make_ack(packet, vip, client, flow->ack - 1, flow->seq);

	if (*fd < 0)
		*fd = socket(v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
	if (*fd >= 0)
		sendto(*fd, packet, len, 0, (struct sockaddr *)&to, to_len);
}

void hw_farewell(struct hw_agent_state *a, const struct hw_flow_key *key, const struct hw_flow *flow,
		 uint64_t home_heard)
{
	struct end client = { .port = key->client_port }, vip = { .port = key->vip_port };

	if (!hw_upkeep_has_vip(a, key->vip))
		return;
	vip.addr = a->vip[key->vip];
	memcpy(client.addr.b, key->client, sizeof(client.addr.b));
	if (flow->seen_ns + AMBIGUOUS_NS >= home_heard)
		ack_to_stack(a, &client, &vip, flow);
	if (flow->seen_ns < home_heard)
		probe_to_client(a, &client, &vip, flow);
}
