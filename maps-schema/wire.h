/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What goes between nodes: Geneve (RFC 8926) over UDP port 6081, one critical
 * option, and behind it either an inner IP packet (data) or a control message.
 *
 * Everything is in network byte order but the tag, which is the output of
 * SipHash-2-4, least significant byte first. Addresses are 16 bytes; an IPv4
 * address is mapped (::ffff:a.b.c.d, RFC 4291 section 2.5.5.2). All structs are
 * made of whole 64-bit words where a tag covers them.
 */
#pragma once

#include <linux/types.h>

#include "siphash.h"

#define HW_PORT            6081
#define HW_PROTO_CONTROL   0x88b5 /* IEEE 802 local experimental EtherType: a control message */
#define HW_GENEVE_OPTLEN   4      /* version 0, 16 bytes of options */
#define HW_GENEVE_CRITICAL 0x40
#define HW_GENEVE_CONTROL  0x80
#define HW_OPT_CLASS       0xff48 /* RFC 8926 section 7: experimental */
#define HW_OPT_TYPE        0x81   /* critical */
#define HW_OPT_WORDS       3      /* length of the option's data, in 4-byte words */

enum hw_kind {
	HW_KIND_CARRY  = 1, /* data: a stray on its way home */
	HW_KIND_RETURN = 2, /* data: a carried packet that was not its receiver's */
	HW_KIND_ASK    = 3, /* control: are these flows yours? */
	HW_KIND_ANSWER = 4,
	HW_KIND_PING   = 5, /* control: are you there, and does this size fit? */
	HW_KIND_PONG   = 6,
};

/* The Geneve header with our only option. */
struct hw_geneve {
	__u8   ver_optlen;
	__u8   flags;
	__be16 proto;      /* ETH_P_IP, ETH_P_IPV6 or HW_PROTO_CONTROL */
	__be32 vni;        /* the network number in the upper 24 bits */
	__be16 opt_class;
	__u8   opt_type;
	__u8   opt_words;
	__u8   kind;       /* enum hw_kind */
	__u8   key_id;     /* which key of the key file made the tag */
	__be16 source;     /* the id of the node that sends this */
	__u8   tag[8];
} __attribute__((packed));

#define HW_OVERHEAD4 (20 + 8 + (int)sizeof(struct hw_geneve))
#define HW_OVERHEAD6 (40 + 8 + (int)sizeof(struct hw_geneve))

/* How surely a node owns a flow. */
enum hw_grade {
	HW_GRADE_NONE     = 0, /* no socket, no valid SYN cookie */
	HW_GRADE_DOUBTFUL = 1, /* a socket, but the sequence numbers do not fit it */
	HW_GRADE_MINE     = 2,
};

#define HW_ASK_FLOWS 8 /* at most, in one ASK */

struct hw_ask_flow {
	__u8   client[16];
	__u8   vip[16];
	__be16 client_port;
	__be16 vip_port;
	__be32 seq;
	__be32 ack;
	__u8   tcp_flags;  /* the low byte of the flags: CWR ECE URG ACK PSH RST SYN FIN */
	__u8   grade;      /* 0 in an ASK, enum hw_grade in its ANSWER */
	__u8   reserved[2];
};

/* An ASK, and its ANSWER: the same bytes with the grades filled in. */
struct hw_ask {
	__be64 nonce;
	__u8   count;      /* 1 to HW_ASK_FLOWS */
	__u8   reserved[7];
	struct hw_ask_flow flows[];
};

#define HW_HEARS_BYTES 128
#define HW_PONG_WITNESS 0x01 /* `hears` is fresh: the sender's agent runs, and has for node-down */

/*
 * A PING, and its PONG. A PING may be padded behind this struct to probe the
 * path MTU; the padding is not part of the message, the PONG comes without it.
 */
struct hw_ping {
	__be64 nonce;      /* random; echoed */
	__be64 wall_ns;    /* PONG: its sender's clock, ns since 1970; 0 in a PING */
	__be32 schema;     /* PONG: HW_SCHEMA of its sender */
	__be16 size;       /* of the PING's whole outer IP packet, in bytes; echoed */
	__u8   flags;      /* PONG: HW_PONG_... */
	__u8   reserved[9];
	__u8   hears[HW_HEARS_BYTES]; /* PONG: bit id%8 of byte id/8: heard that node lately */
};

/*
 * The tag: SipHash-2-4 over this head and then
 *   data:    the addresses of the inner packet, as they lie in it (8 or 32 bytes);
 *   control: the whole control message.
 * Data and control have subkeys of their own. `destination` is the id of the
 * node it is sent to, so what was made for one node is refused by the others.
 */
struct hw_tag_head {
	__be32 vni;
	__be16 proto;
	__u8   kind;
	__u8   key_id;
	__be16 source;
	__be16 destination;
	__be16 sport;      /* data: inner TCP ports; control: 0 and the length of the message */
	__be16 dport;
};

_Static_assert(sizeof(struct hw_geneve) == 24, "wire");
_Static_assert(sizeof(struct hw_ask_flow) == 48, "wire");
_Static_assert(sizeof(struct hw_ask) == 16, "wire");
_Static_assert(sizeof(struct hw_ping) == 160, "wire");
_Static_assert(sizeof(struct hw_tag_head) == 16, "wire");
_Static_assert(HW_OVERHEAD4 == 52 && HW_OVERHEAD6 == 72, "wire");

static inline __attribute__((always_inline)) void
hw_tag_begin(struct hw_siphash *s, const __u64 key[2], const struct hw_tag_head *head)
{
	__u64 words[2];

	__builtin_memcpy(words, head, sizeof(words));
	hw_siphash_begin(s, key);
	hw_siphash_word(s, words[0]);
	hw_siphash_word(s, words[1]);
}
