/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Frames that go through the XDP program a second time, by BPF_PROG_TEST_RUN
 * with live frames: held packets whose home has been found, packets that nobody
 * owns, and ACKs made for clients whose home has died. A mark in the metadata
 * keeps the program from handing them up again.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "agent.h"
#include "attach.h"

/* The most that a live frame can hold: a page less the room that the kernel keeps around it. */
#define FRAME_MAX 3400

/* True if the program uses the map with this id: two instances of homeward may run on one machine. */
static bool program_uses_map(int prog_fd, uint32_t map_id)
{
	uint32_t ids[64];
	struct bpf_prog_info info = { .nr_map_ids = 64, .map_ids = (uintptr_t)ids };
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(prog_fd, &info, &len) || strcmp(info.name, "hw_ingress"))
		return false;
	for (uint32_t i = 0; i < info.nr_map_ids && i < 64; i++)
		if (ids[i] == map_id)
			return true;
	return false;
}

int hw_replay_program(const struct hw_pins *pins)
{
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info), id = 0;
	char path[4200];
	int fd;

	snprintf(path, sizeof(path), "%s/ingress", pins->path);
	fd = bpf_obj_get(path);
	if (fd >= 0)
		return fd;
	if (bpf_obj_get_info_by_fd(pins->config, &info, &len))
		return -1;
	while (!bpf_prog_get_next_id(id, &id)) {
		fd = bpf_prog_get_fd_by_id(id);
		if (fd >= 0 && program_uses_map(fd, info.id))
			return fd;
		hw_close(&fd);
	}
	return -1;
}

void hw_replay_frame(struct hw_agent_state *a, uint32_t ifindex, const void *frame, uint32_t len,
		     enum hw_replay what)
{
	struct {
		struct hw_mark mark;
		uint8_t frame[FRAME_MAX];
	} in = { .mark = { .replay_mark = a->config.replay_mark, .what = what } };
	struct xdp_md ctx = { .data = sizeof(in.mark), .data_end = sizeof(in.mark) + len,
			      .ingress_ifindex = ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = &in, .data_size_in = sizeof(in.mark) + len, .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .repeat = 1, .batch_size = 1, .flags = BPF_F_TEST_XDP_LIVE_FRAMES);

	if (a->ingress < 0 || len > FRAME_MAX)
		return;
	memcpy(in.frame, frame, len);
	/* A NIC that is gone refuses: the packet is lost with it, and TCP sends again. */
	bpf_prog_test_run_opts(a->ingress, &run);
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static uint32_t sum_words(const void *data, size_t len)
{
	uint32_t sum = 0;
	uint16_t word;

	for (size_t i = 0; i + 1 < len; i += 2) {
		memcpy(&word, (const uint8_t *)data + i, 2);
		sum += word;
	}
	return sum;
}

/* Writes IP header and checksums of a TCP segment without payload; th stands behind the header. Returns its length. */
static size_t ip_header(void *at, const struct hw_addr *src, const struct hw_addr *dst)
{
	if (hw_addr_is4(dst)) {
		struct iphdr ip = { .version = 4, .ihl = 5, .tot_len = htons(sizeof(ip) + sizeof(struct tcphdr)),
				    .frag_off = htons(IP_DF), .ttl = 64, .protocol = IPPROTO_TCP };

		memcpy(&ip.saddr, src->b + 12, 4);
		memcpy(&ip.daddr, dst->b + 12, 4);
		ip.check = ~fold(sum_words(&ip, sizeof(ip)));
		memcpy(at, &ip, sizeof(ip));
		return sizeof(ip);
	}
	struct ip6_hdr ip6 = { .ip6_plen = htons(sizeof(struct tcphdr)), .ip6_nxt = IPPROTO_TCP, .ip6_hlim = 64 };

	ip6.ip6_vfc = 0x60;
	memcpy(&ip6.ip6_src, src->b, 16);
	memcpy(&ip6.ip6_dst, dst->b, 16);
	memcpy(at, &ip6, sizeof(ip6));
	return sizeof(ip6);
}

/* Our first NIC that is there, and its address: the ACK pretends to come in by it. */
static uint32_t some_nic(const struct hw_agent_state *a, uint8_t mac[ETH_ALEN])
{
	struct hw_attachment nic[16];
	int n = hw_attach_list(a->pins.path, nic, 16);
	hw_autoclose int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {};

	for (int i = 0; i < n; i++) {
		if (!nic[i].ifindex)
			continue;
		memcpy(ifr.ifr_name, nic[i].device, sizeof(ifr.ifr_name));
		if (ioctl(fd, SIOCGIFHWADDR, &ifr))
			continue;
		memcpy(mac, ifr.ifr_hwaddr.sa_data, ETH_ALEN);
		return nic[i].ifindex;
	}
	return 0;
}

void hw_replay_ack(struct hw_agent_state *a, const struct hw_flow_key *key, const struct hw_addr *vip,
		   uint32_t seq, uint32_t ack)
{
	uint8_t frame[sizeof(struct ethhdr) + sizeof(struct ip6_hdr) + sizeof(struct tcphdr)] = {};
	struct ethhdr *eth = (void *)frame;
	struct tcphdr th = { .source = htons(key->client_port), .dest = htons(key->vip_port), .seq = htonl(seq),
			     .ack_seq = htonl(ack), .doff = 5, .ack = 1 };
	uint32_t ifindex = some_nic(a, eth->h_dest), sum;
	struct hw_addr client;
	size_t ip_len;

	if (!ifindex)
		return;
	memcpy(client.b, key->client, sizeof(client.b));
	eth->h_source[0] = 0x02; /* locally administered: nobody's */
	eth->h_proto = htons(hw_addr_is4(vip) ? ETH_P_IP : ETH_P_IPV6);
	ip_len = ip_header(eth + 1, &client, vip);
	/* the mapped prefix of IPv4 addresses, twice 0xffff, is zero in a ones' complement sum */
	sum = sum_words(client.b, 16) + sum_words(vip->b, 16) + htons(IPPROTO_TCP) + htons(sizeof(th)) +
	      sum_words(&th, sizeof(th));
	th.check = ~fold(sum);
	memcpy((uint8_t *)(eth + 1) + ip_len, &th, sizeof(th));
	hw_replay_frame(a, ifindex, frame, sizeof(*eth) + ip_len + sizeof(th), HW_REPLAY_DELIVER);
}
