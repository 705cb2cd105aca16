/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Packets for the tests, written byte by byte from the RFCs, in code that
 * shares nothing with the program under test: builders for a client's TCP
 * packet and for what nodes send each other, the Internet checksum, and
 * SipHash-2-4. A spec's field that is 0 means "the usual"; what is unusual
 * about a packet is all that a row says.
 */
#pragma once

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maps-schema/maps.h"

#define FRAME_MAX 12288
#define ETH       14

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define PSH 0x08
#define ACK 0x10
#define NO_FLAGS 0x100

struct frame {
	size_t len;
	uint8_t b[FRAME_MAX];
};

/* Who is who. */
#define CLIENT4   "192.0.2.10"
#define CLIENT6   "2001:db8:c::10"
#define VIP4      "203.0.113.1"
#define VIP6      "2001:db8:113::1"
#define VIP_DNS4  "203.0.113.5"     /* TCP port 53, UDP ports 53 and 443, id 6 */
#define VIP_DNS6  "2001:db8:113::5" /* the same, id 7 */
#define NETWORK   0x0a1b2cu
#define SELF      1
#define PEER      2     /* the usual other node */
#define PEER6     12    /* the usual other node where endpoints are IPv6 */
#define SELF_IP4  "198.51.100.1"
#define PEER_IP4  "198.51.100.2"
#define SELF_IP6  "2001:db8:e::1"
#define PEER_IP6  "2001:db8:e::2"
#define KEY_ID    7
static const uint8_t self_mac[6] = { 2, 0, 0, 0, 0, 0x01 };
static const uint8_t wire_mac[6] = { 2, 0, 0, 0, 0, 0xfe }; /* the router beside us */

static inline uint8_t test_key(int control, int i) { return control ? 0xc0 + i : 0xd0 ^ (i * 7); }

static inline void put(struct frame *f, const void *bytes, size_t n)
{
	if (f->len + n > FRAME_MAX)
		abort();
	memcpy(f->b + f->len, bytes, n);
	f->len += n;
}

static inline void put8(struct frame *f, unsigned v) { put(f, &(uint8_t){ v }, 1); }
static inline void put16(struct frame *f, unsigned v) { put8(f, v >> 8 & 0xff); put8(f, v & 0xff); }
static inline void put32(struct frame *f, uint32_t v) { put16(f, v >> 16); put16(f, v & 0xffff); }
static inline void put_zeros(struct frame *f, size_t n) { while (n--) put8(f, 0); }
static inline void set16(uint8_t *at, unsigned v) { at[0] = v >> 8; at[1] = v; }
static inline unsigned get16(const uint8_t *at) { return at[0] << 8 | at[1]; }
static inline uint32_t get32(const uint8_t *at) { return (uint32_t)get16(at) << 16 | get16(at + 2); }

/* Text to 16 bytes; IPv4 is mapped. */
static inline struct hw_addr addr_of(const char *text)
{
	struct hw_addr a = { { 0 } };

	if (inet_pton(AF_INET6, text, a.b) == 1)
		return a;
	a.b[10] = a.b[11] = 0xff;
	if (inet_pton(AF_INET, text, a.b + 12) != 1)
		abort();
	return a;
}

/* RFC 1071, byte by byte: even bytes are the upper halves of words. */
static inline uint32_t sum_bytes(const uint8_t *b, size_t n, uint32_t sum)
{
	for (size_t i = 0; i < n; i++)
		sum += i & 1 ? b[i] : b[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static inline uint32_t sum_pseudo(int family, const uint8_t *addrs, unsigned proto, size_t len)
{
	return sum_bytes(addrs, family == 6 ? 32 : 8, proto + (len >> 16) + (len & 0xffff));
}

static inline uint64_t load64(const uint8_t *b)
{
	uint64_t v = 0;

	for (int i = 7; i >= 0; i--)
		v = v << 8 | b[i];
	return v;
}

static inline void sip_round(uint64_t v[4])
{
#define ROTATE(x, n) ((x) << (n) | (x) >> (64 - (n)))
	v[0] += v[1];
	v[1] = ROTATE(v[1], 13) ^ v[0];
	v[0] = ROTATE(v[0], 32);
	v[2] += v[3];
	v[3] = ROTATE(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = ROTATE(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = ROTATE(v[1], 17) ^ v[2];
	v[2] = ROTATE(v[2], 32);
#undef ROTATE
}

/* SipHash-2-4 of any bytes (Aumasson, Bernstein, section 2.2); `out`: least significant byte first. */
static inline void siphash(const uint8_t key[16], const uint8_t *m, size_t n, uint8_t out[8])
{
	uint64_t k0 = load64(key), k1 = load64(key + 8), last = (uint64_t)n << 56;
	uint64_t v[4] = { k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d,
			  k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573 };

	for (size_t i = 0; i <= n; i += 8) {
		uint64_t word = last;

		if (i + 8 <= n) {
			word = load64(m + i);
		} else {
			for (size_t j = i; j < n; j++)
				word |= (uint64_t)m[j] << 8 * (j - i);
		}
		v[3] ^= word;
		sip_round(v);
		sip_round(v);
		v[0] ^= word;
	}
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	for (int i = 0; i < 8; i++)
		out[i] = (v[0] ^ v[1] ^ v[2] ^ v[3]) >> 8 * i;
}

/* A client's packet. */
struct tcp {
	int family;              /* 4 */
	const char *src, *dst;   /* the client, the VIP */
	uint16_t sport, dport;   /* 40000, 443 */
	uint32_t seq, ack;
	int flags;               /* ACK; NO_FLAGS: none */
	uint8_t tos;
	uint8_t ttl;             /* 57 */
	uint8_t ihl;             /* 5; above it there are options, below it the field lies */
	uint8_t doff;            /* 5; the same */
	uint8_t proto;           /* TCP */
	uint8_t ext;             /* IPv6: an extension header of this type in front of TCP */
	uint16_t frag;           /* IPv4: flags and offset; DF */
	uint16_t ethertype;
	uint16_t payload;        /* bytes */
	int len_more;            /* the IP length field: so much too large */
	uint16_t keep;           /* frame cut to so many bytes */
	uint16_t pad;            /* bytes after the IP packet */
	uint16_t at;             /* the byte of the frame at this offset ... */
	uint8_t xor;             /* ... is changed, last of all */
	bool vlan;               /* in a VLAN tag */
};

static inline int family_of(const struct tcp *t) { return t->family == 6 ? 6 : 4; }
static inline unsigned options_len(unsigned words) { return words > 5 ? 4 * (words - 5) : 0; }

static inline void put_ip4(struct frame *f, const struct tcp *t, size_t len)
{
	size_t at = f->len, options = options_len(t->ihl);
	struct hw_addr src = addr_of(t->src ? t->src : CLIENT4), dst = addr_of(t->dst ? t->dst : VIP4);

	put8(f, 0x40 | (t->ihl ? t->ihl : 5));
	put8(f, t->tos);
	put16(f, 20 + options + len + t->len_more);
	put16(f, 0x1234);
	put16(f, t->frag ? t->frag : 0x4000);
	put8(f, t->ttl ? t->ttl : 57);
	put8(f, t->proto ? t->proto : 6);
	put16(f, 0);
	put(f, src.b + 12, 4);
	put(f, dst.b + 12, 4);
	while (options--)
		put8(f, 1);
	set16(f->b + at + 10, ~sum_bytes(f->b + at, f->len - at, 0));
}

static inline void put_ip6(struct frame *f, const struct tcp *t, size_t len)
{
	struct hw_addr src = addr_of(t->src ? t->src : CLIENT6), dst = addr_of(t->dst ? t->dst : VIP6);
	unsigned proto = t->proto ? t->proto : 6;

	put32(f, 6u << 28 | (uint32_t)t->tos << 20 | 0x54321);
	put16(f, len + (t->ext ? 8 : 0) + t->len_more);
	put8(f, t->ext ? t->ext : proto);
	put8(f, t->ttl ? t->ttl : 57);
	put(f, src.b, 16);
	put(f, dst.b, 16);
	if (t->ext) {
		put8(f, proto);
		put_zeros(f, 7);
	}
}

/* An IP packet with TCP in it at the end of `f`; its checksums are right. */
static inline void put_tcp(struct frame *f, const struct tcp *t)
{
	size_t options = options_len(t->doff), len = 20 + options + t->payload, ip = f->len, at;
	int family = family_of(t);

	if (family == 4)
		put_ip4(f, t, len);
	else
		put_ip6(f, t, len);
	at = f->len;
	put16(f, t->sport ? t->sport : 40000);
	put16(f, t->dport ? t->dport : 443);
	put32(f, t->seq);
	put32(f, t->ack);
	put8(f, (t->doff ? t->doff : 5) << 4);
	put8(f, t->flags ? t->flags & 0xff : ACK);
	put16(f, 0x2000);
	put32(f, 0);
	while (options--)
		put8(f, 1);
	for (unsigned i = 0; i < t->payload; i++)
		put8(f, 'a' + i % 23);
	set16(f->b + at + 16, ~sum_bytes(f->b + at, len, sum_pseudo(family, f->b + ip + (family == 6 ? 8 : 12), 6, len)));
}

static inline void put_eth(struct frame *f, const uint8_t dst[6], const uint8_t src[6], unsigned type)
{
	put(f, dst, 6);
	put(f, src, 6);
	put16(f, type);
}

/* The usual EtherType of an IP packet. */
static inline unsigned ethertype_of(int family) { return family == 6 ? 0x86dd : 0x0800; }

static inline void build_tcp(struct frame *f, const struct tcp *t)
{
	f->len = 0;
	put_eth(f, self_mac, wire_mac, t->vlan ? 0x8100 : t->ethertype ? t->ethertype : ethertype_of(family_of(t)));
	if (t->vlan) {
		put16(f, 42);
		put16(f, ethertype_of(family_of(t)));
	}
	put_tcp(f, t);
	put_zeros(f, t->pad);
	if (t->keep)
		f->len = t->keep;
	f->b[t->at] ^= t->xor;
}

/* A client's datagram. */
struct udp {
	int family;              /* 4 */
	const char *dst;         /* VIP_DNS4 or VIP_DNS6 */
	uint16_t sport, dport;   /* 40000, 53 */
	uint8_t ihl, ext;        /* as in struct tcp, and so are these: */
	uint16_t frag, payload;
	int len_more;
	uint16_t keep, pad;
	int udp_more;            /* the UDP length field: so much too large */
	bool no_check;           /* checksum 0: none */
};

static inline void build_udp(struct frame *f, const struct udp *u)
{
	const bool six = u->family == 6;
	const struct tcp ip = { .family = u->family, .dst = u->dst ? u->dst : six ? VIP_DNS6 : VIP_DNS4, .proto = 17,
				.ihl = u->ihl, .ext = u->ext, .frag = u->frag, .len_more = u->len_more };
	size_t len = 8 + u->payload, at;
	unsigned sum;

	f->len = 0;
	put_eth(f, self_mac, wire_mac, ethertype_of(six ? 6 : 4));
	if (six)
		put_ip6(f, &ip, len);
	else
		put_ip4(f, &ip, len);
	at = f->len;
	put16(f, u->sport ? u->sport : 40000);
	put16(f, u->dport ? u->dport : 53);
	put16(f, len + u->udp_more);
	put16(f, 0);
	for (unsigned i = 0; i < u->payload; i++)
		put8(f, 'a' + i % 23);
	sum = 0xffff & ~sum_bytes(f->b + at, len, sum_pseudo(six ? 6 : 4, f->b + ETH + (six ? 8 : 12), 17, len));
	if (!u->no_check)
		set16(f->b + at + 6, sum ? sum : 0xffff);
	put_zeros(f, u->pad);
	if (u->keep)
		f->len = u->keep;
}

/* A packet between nodes: all but what is behind the Geneve header. */
struct tun {
	int family;              /* 4; of the outer packet */
	uint8_t kind;            /* CARRY */
	uint8_t key_id;          /* KEY_ID */
	uint16_t source, dest;   /* PEER or PEER6, SELF: the node that sends it, the node that the tag is made for */
	const char *from, *to;   /* PEER_IP, SELF_IP */
	uint32_t network;        /* NETWORK */
	uint16_t proto;          /* of the inner packet; 0x88b5 for control */
	uint16_t port;           /* 51000: UDP source port */
	uint16_t dport;          /* 6081 */
	uint8_t tos, ttl;        /* 0, 64 */
	uint8_t tag_kind;        /* the tag is made for this kind instead */
	uint16_t tag_dest;       /* ... for this node */
	uint32_t tag_network;    /* ... for this network */
	uint8_t tag_xor[8];
	uint8_t at, xor;         /* this byte of the Geneve header is changed, before the checksum */
	int udp_more, ip_more;   /* the length fields: so much too large */
	uint16_t pad;            /* behind the UDP packet */
	uint16_t frag;
	uint8_t ihl;             /* 5 */
	bool swap_keys;          /* tagged with the subkey of the other purpose */
	bool no_check;           /* UDP checksum 0 */
	bool from_self;          /* what SELF sends to PEER */
};

static inline bool is_control(const struct tun *t) { return t->kind >= HW_KIND_ASK && t->kind <= HW_KIND_PONG; }
static inline unsigned kind_of(const struct tun *t) { return t->kind ? t->kind : HW_KIND_CARRY; }
static inline unsigned key_id_of(const struct tun *t) { return t->key_id ? t->key_id : KEY_ID; }
static inline unsigned peer_of(const struct tun *t) { return t->family == 6 ? PEER6 : PEER; }
static inline unsigned source_of(const struct tun *t) { return t->source ? t->source : t->from_self ? SELF : peer_of(t); }
static inline unsigned dest_of(const struct tun *t) { return t->dest ? t->dest : t->from_self ? peer_of(t) : SELF; }
static inline uint32_t network_of(const struct tun *t) { return t->network ? t->network : NETWORK; }

/* The tag over the head of wire.h and `covered`; sport, dport as in struct hw_tag_head. */
static inline void tun_tag(const struct tun *t, unsigned proto, unsigned sport, unsigned dport, const uint8_t *covered,
			   size_t n, uint8_t tag[8])
{
	struct frame m = { .len = 0 };
	uint8_t key[16];

	put32(&m, (t->tag_network ? t->tag_network : network_of(t)) << 8);
	put16(&m, proto);
	put8(&m, t->tag_kind ? t->tag_kind : kind_of(t));
	put8(&m, key_id_of(t));
	put16(&m, source_of(t));
	put16(&m, t->tag_dest ? t->tag_dest : dest_of(t));
	put16(&m, sport);
	put16(&m, dport);
	put(&m, covered, n);
	for (int i = 0; i < 16; i++)
		key[i] = test_key(is_control(t) != t->swap_keys, i) + key_id_of(t);
	siphash(key, m.b, m.len, tag);
	for (int i = 0; i < 8; i++)
		tag[i] ^= t->tag_xor[i];
}

/* RFC 8926, and our option. */
static inline void put_geneve(struct frame *f, const struct tun *t, unsigned proto, const uint8_t tag[8])
{
	size_t at = f->len;

	put8(f, 4);
	put8(f, proto == 0x88b5 ? 0xc0 : 0x40);
	put16(f, proto);
	put32(f, network_of(t) << 8);
	put16(f, 0xff48);
	put8(f, 0x81);
	put8(f, 3);
	put8(f, kind_of(t));
	put8(f, key_id_of(t));
	put16(f, source_of(t));
	put(f, tag, 8);
	f->b[at + t->at] ^= t->xor;
}

/* Outer headers in front of `inner`. */
static inline void build_tun(struct frame *f, const struct tun *t, const struct frame *inner, unsigned proto,
			     const uint8_t tag[8])
{
	int family = t->family == 6 ? 6 : 4;
	const char *self = family == 6 ? SELF_IP6 : SELF_IP4, *peer = family == 6 ? PEER_IP6 : PEER_IP4;
	size_t udp_len = 8 + 24 + inner->len, udp, ip;
	unsigned port = t->port ? t->port : 51000;
	struct tcp outer = { .src = t->from ? t->from : t->from_self ? self : peer,
			     .dst = t->to ? t->to : t->from_self ? peer : self,
			     .proto = 17, .tos = t->tos, .ttl = t->ttl ? t->ttl : 64, .len_more = t->ip_more,
			     .frag = t->frag, .ihl = t->ihl };

	f->len = 0;
	put_eth(f, t->from_self ? wire_mac : self_mac, t->from_self ? self_mac : wire_mac, ethertype_of(family));
	ip = f->len;
	if (family == 4) {
		put_ip4(f, &outer, udp_len);
		set16(f->b + ip + 4, 0); /* no fragments, no id (RFC 6864) */
		set16(f->b + ip + 10, 0);
		set16(f->b + ip + 10, ~sum_bytes(f->b + ip, f->len - ip, 0));
	} else {
		put_ip6(f, &outer, udp_len);
		set16(f->b + ip + 2, port); /* flow label */
		f->b[ip + 1] &= 0xf0;
	}
	udp = f->len;
	put16(f, port);
	put16(f, t->dport ? t->dport : 6081);
	put16(f, udp_len + t->udp_more);
	put16(f, 0);
	put_geneve(f, t, proto, tag);
	put(f, inner->b, inner->len);
	if (!t->no_check) {
		uint32_t sum = sum_pseudo(family, f->b + ip + (family == 6 ? 8 : 12), 17, udp_len);
		uint16_t check = ~sum_bytes(f->b + udp, udp_len, sum);

		set16(f->b + udp + 6, check ? check : 0xffff);
	}
	put_zeros(f, t->pad);
}

/* CARRY or RETURN of a client's packet, tagged as if its changed byte (`at`) were not changed. */
static inline void build_data(struct frame *f, const struct tun *t, const struct tcp *in)
{
	int family = family_of(in);
	unsigned proto = t->proto ? t->proto : ethertype_of(family);
	struct frame inner;
	uint8_t tag[8];

	build_tcp(&inner, in);
	inner.b[in->at] ^= in->xor;
	tun_tag(t, proto, in->sport ? in->sport : 40000, in->dport ? in->dport : 443,
		inner.b + ETH + (family == 6 ? 8 : 12), family == 6 ? 32 : 8, tag);
	inner.b[in->at] ^= in->xor;
	inner.len -= ETH;
	memmove(inner.b, inner.b + ETH, inner.len);
	build_tun(f, t, &inner, proto, tag);
}

/* A control message; `pad` bytes behind it are in the packet, but not in the tag. */
static inline void build_control(struct frame *f, const struct tun *t, const void *message, size_t len, size_t pad)
{
	unsigned proto = t->proto ? t->proto : 0x88b5;
	struct frame m = { .len = 0 };
	uint8_t tag[8];

	put(&m, message, len);
	tun_tag(t, proto, 0, len, m.b, len, tag);
	put_zeros(&m, pad);
	build_tun(f, t, &m, proto, tag);
}

/* ---- for tables ---- */

#define V4(...) { .family = 4, __VA_ARGS__ } /* struct tcp */
#define V6(...) { .family = 6, __VA_ARGS__ }
#define T4(...) { .family = 4, __VA_ARGS__ } /* struct tun */
#define T6(...) { .family = 6, __VA_ARGS__ }

/* Bytes of the Geneve header, to be changed. */
enum geneve_at { G_VER = 0, G_FLAGS = 1, G_VNI = 4, G_VNI_LOW = 6, G_RESERVED = 7, G_CLASS = 8, G_TYPE = 10, G_WORDS = 11,
		 G_KIND = 12, G_KEY = 13, G_SOURCE = 14 };

/* Pairs of families, outer and inner. */
static const struct families {
	const char *name;
	int outer, inner;
} mixes[] __attribute__((unused)) = {
	{ "IPv4 in IPv4", 4, 4 }, { "IPv6 in IPv4", 4, 6 }, { "IPv4 in IPv6", 6, 4 }, { "IPv6 in IPv6", 6, 6 },
};
#define MIXES 4

/* What the UDP packet sums up to, as its receiver checks it: 0xffff. */
static inline unsigned sum_check(const struct frame *f, int family)
{
	size_t ip = family == 6 ? 40 : 20, len = get16(f->b + ETH + ip + 4);

	return sum_bytes(f->b + ETH + ip, len, sum_pseudo(family, f->b + ETH + (family == 6 ? 8 : 12), 17, len));
}
