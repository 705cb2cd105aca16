/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The pinned maps: keys and values, as the XDP program, the loader and anyone
 * with bpftool see them. README.md beside this file says for each map who
 * writes it, who reads it and what happens when it is full.
 *
 * Values are in host byte order unless typed __be16/__be32. Addresses in keys
 * are 16 bytes, IPv4 mapped (::ffff:a.b.c.d). Times are CLOCK_MONOTONIC
 * nanoseconds, coarse (a tick, 1 to 4 ms). Padding is named and zero.
 */
#pragma once

#include <linux/types.h>

#include "verdicts.h"
#include "wire.h"

#define HW_SCHEMA     2    /* raise it when anything in this directory changes its layout */
#define HW_NODE_IDS   1024 /* node ids are 1 to 1023 */
#define HW_VIP_IDS    256  /* VIP ids are 1 to 255; row 0 counts what is not for a VIP */
#define HW_VIP_PORTS  32
#define HW_KEY_IDS    256
#define HW_NAME_LEN   32
#define HW_ADDR_LEN   48   /* an address as text */
#define HW_HEAD_LEN   88   /* Ethernet and outer headers: 66 or 86 bytes, and zeros */
#define HW_PREFIXES   4096 /* client prefixes hash into so many budgets */

/* Aligned, so that BPF compares and copies it in two words. */
struct hw_addr {
	__u8 b[16];
} __attribute__((aligned(8)));

/* hw_schema: array of 1 */
struct hw_schema {
	__u32 version;
};

/* hw_config: array of 1. What the XDP program needs of the config. */
struct hw_config {
	struct hw_addr endpoint;
	__u32 network;            /* the VNI */
	__u16 node;               /* this node's id; 0: not configured yet */
	__u8  sign_key;           /* which row of hw_keys signs */
	__u8  reserved;
	__u32 key_gen;            /* grows when what signs changes; tags in hw_flows are of one generation */
	__u32 reserved2;
	__u64 replay_mark;        /* random; a packet with it in its metadata comes from our agent */
	__u64 ask_gap_ns;         /* one unknown packet each so many ns, in all ... */
	__u64 ask_burst_ns;       /* ... and so many ns of that at once */
	__u64 prefix_gap_ns;      /* the same per client prefix */
	__u64 prefix_burst_ns;
	__u64 witness_ns;         /* hw_self older than this does not testify */
	char  node_name[HW_NAME_LEN];
};

/* hw_self: array of 1. What the agent last knew; a PONG is made of it. */
struct hw_self {
	__u64 fresh_ns;           /* when the agent wrote this; 0: no testimony yet */
	__s64 wall_offset_ns;     /* CLOCK_REALTIME minus CLOCK_MONOTONIC */
	__u8  hears[HW_HEARS_BYTES];
};

/* hw_wake: array of 1, mapped by the agent. */
struct hw_wake {
	__u32 asleep;             /* 1: the agent waits in epoll and wants one wake-up */
};

/* hw_keys: array by key id. The subkeys of a cluster key. */
struct hw_key {
	__u64 data[2];
	__u64 control[2];
	__u32 valid;
	__u32 reserved;
};

#define HW_VIP_INVISIBLE 0x1u /* its sockets cannot be seen here: unknown packets pass */
#define HW_VIP_NO_TCP    (-1) /* n_tcp: no TCP port at all */

/* hw_vips: hash by address */
struct hw_vip {
	__u32 id;                 /* 1 to HW_VIP_IDS - 1: its row in hw_verdicts, its number in hw_flows */
	__u32 flags;              /* HW_VIP_... */
	__s32 n_tcp;              /* ports in tcp[]; 0: every TCP port; HW_VIP_NO_TCP: none */
	__u32 n_udp;              /* ports in udp[], which are counted as served; 0: none */
	__u16 tcp[HW_VIP_PORTS];
	__u16 udp[HW_VIP_PORTS];
	char  name[HW_NAME_LEN];
	char  address[HW_ADDR_LEN];
};

/* hw_ours: hash by address. The VIPs and the endpoints of all nodes: no packet from the internet comes from them. */
struct hw_our {
	__u32 node;               /* whose endpoint it is; 0: a VIP */
};

/*
 * hw_nodes: array by node id. Who the node is, and the way to it. All that is
 * constant for packets to it is ready in `head`, to be copied in front of a
 * stray: Ethernet, outer IP, UDP, Geneve, option. Zero in it, filled in per
 * packet: IP length, DSCP/ECN and header checksum, UDP source port, length and
 * checksum, key id, tag. Kind is CARRY.
 */
struct hw_node {
	__u32 usable;             /* 1: known, and there is a next hop */
	__u32 ifindex;            /* egress device */
	__u32 mtu;                /* of the path, bytes of outer IP packet */
	__u32 overhead;           /* HW_OVERHEAD4 or HW_OVERHEAD6: tells the outer family too */
	__u32 ip_sum;             /* IPv4: ones' complement sum of the outer IP header in `head` */
	__u32 udp_sum;            /* ones' complement sum of the rest of `head` and the pseudo header, but lengths */
	__u8  head[HW_HEAD_LEN];
	struct hw_addr addr;      /* the endpoint */
	char  name[HW_NAME_LEN];
	char  pop[HW_NAME_LEN];
	char  endpoint[HW_ADDR_LEN];
	char  next_hop[HW_ADDR_LEN]; /* empty: on link */
	char  device[16];
};

/*
 * hw_mss: array of 1. The largest MSS that a SYN from a VIP may announce, so that
 * what the client sends fits between nodes with the encapsulation. 0: any.
 */
struct hw_mss {
	__u32 mss4;               /* of connections over IPv4 */
	__u32 mss6;
};

#define HW_MSS4_LEAST 536     /* a client sends no less than this whatever it is told: RFC 9293, 3.7.1 */
#define HW_MSS6_LEAST 1220    /* 1280 - 60: no path is narrower (RFC 8200, 5), so no IPv6 sender expects less */

/* hw_egress_stats: per-CPU array of 1 */
struct hw_egress_stats {
	__u64 clamped;            /* SYNs and SYN-ACKs whose MSS was lowered */
};

/* hw_flows, hw_nobody, hw_cookies: hash by flow */
struct hw_flow_key {
	__u8  client[16];
	__u16 vip;                /* id */
	__u16 vip_port;
	__u16 client_port;
	__u16 reserved;
};

/* hw_flows: a stray whose home is known. */
struct hw_flow {
	__u64 tag;                /* for CARRY to `home`, made with key generation `key_gen` */
	__u32 key_gen;
	__u16 home;               /* node id */
	__u16 outer_port;         /* UDP source port */
	__u64 packets;            /* carried; not exact when two CPUs carry one flow */
	__u64 bytes;              /* of inner IP packets */
	__u64 seen_ns;
	__u32 seq;                /* the client's last */
	__u32 ack;
};

/* hw_nobody: a flow that nobody owned, and the packet it was said for. */
struct hw_nobody {
	__u64 until_ns;
	__u32 seq;
	__u32 ack;
};

/* hw_cookies: a flow that has just answered a SYN cookie. */
struct hw_cookie {
	__u64 until_ns;
};

/* hw_budgets: array; row 0 is the budget in all, the others are of client prefixes. */
struct hw_budget {
	__u64 spent_until_ns;     /* the budget is full again at this time */
};

/* hw_node_stats: per-CPU array by node id. */
struct hw_node_stats {
	__u64 carried_to_packets;
	__u64 carried_to_bytes;   /* of inner IP packets, here and below */
	__u64 carried_from_packets;
	__u64 carried_from_bytes;
	__u64 returned_to_packets;   /* it sent them, they were not ours */
	__u64 returned_from_packets; /* we sent them, they were not its */
	__u64 asked_by_flows;
};

enum hw_node_state {
	HW_NODE_UNKNOWN = 0,      /* not heard yet, and not for long enough to judge */
	HW_NODE_SELF    = 1,
	HW_NODE_UP      = 2,      /* heard within node-down */
	HW_NODE_LOST    = 3,      /* not heard from here, but a reachable node hears it, or none can tell */
	HW_NODE_DEAD    = 4,      /* not heard by anyone for node-down, or lost for node-lost */
};

/* hw_node_view: array by node id; written by the agent, for people. */
struct hw_node_view {
	enum hw_node_state state;
	__u32 path_mtu;           /* learned by PINGs; 0: not known */
	__u64 rtt_ns;             /* smoothed; 0: not known */
	__u64 heard_ns;           /* when the last PONG came; 0: never */
	__s64 clock_ns;           /* its wall clock minus ours, at the last PONG */
	__u32 schema;
	__u32 reserved;
	struct hw_node_stats sum; /* of hw_node_stats */
};

/* hw_agent_view: array of 1; the agent's own counters. */
struct hw_agent_view {
	__u64 started_ns;
	__u64 records;            /* packets handed up by the XDP program */
	__u64 records_stale;      /* too old when read: an agent died, or was busy for too long */
	__u64 flows_asked;        /* flows that a search was begun for */
	__u64 flows_found;        /* ... and whose home was found */
	__u64 flows_nobody;       /* ... that nobody owned */
	__u64 flows_given_up;     /* ... that stayed without an answer: dropped */
	__u64 flows_doubtful;     /* ... for which another node has a socket that does not fit: dropped */
	__u64 flows_ended;        /* entries whose home died: the client was sent a RST */
	__u64 flows_expired;
	__u64 asks_sent;          /* ASK messages */
	__u64 ask_flows_sent;     /* questions in them */
	__u64 ask_bytes_sent;
	__u64 asks_over_budget;   /* questions put off: the byte budget was spent */
	__u64 answers;            /* ANSWERs that matched an ASK */
	__u64 answers_unasked;    /* ... that did not */
	__u64 table_full;         /* searches refused: too many at once */
	__u64 flow_map_full;      /* homes found but not stored: hw_flows is full */
	__u64 held_packets;       /* now */
	__u64 held_flows;         /* now */
	__u64 replayed;           /* held packets sent on */
	__u64 hold_overflow;      /* packets not held: the flow has enough, or all do */
};

/* hw_strays: ring buffer, from the XDP program to the agent. */
#define HW_STRAY_SMALL 256    /* sizes of a record */
#define HW_STRAY_LARGE 2048

struct hw_stray {
	__u64 at_ns;              /* when it was handed up; old records are left-overs */
	struct hw_flow_key key;
	__u8  vip[16];
	__u32 seq;
	__u32 ack;
	__u32 ifindex;            /* where it came in */
	__u32 len;                /* of the frame; more than `held`: too large to be held */
	__u32 held;               /* bytes of it in `frame` */
	__u16 returned_by;        /* node id: it came back from there; 0: it came from a client */
	__u8  tcp_flags;
	__u8  family;             /* 4 or 6 */
	__u8  frame[];            /* from the Ethernet header on, without any encapsulation */
};

/* In front of a frame that the agent sends through the XDP program again (XDP metadata). */
enum hw_replay {
	HW_REPLAY_CARRY   = 1,    /* its home has been found; never hand it up again */
	HW_REPLAY_DELIVER = 2,    /* nobody's: if still so, give it to the stack */
};

struct hw_mark {
	__u64 replay_mark;
	__u32 what;               /* enum hw_replay */
	__u32 reserved;
};

_Static_assert(sizeof(struct hw_mss) == 8, "schema");
_Static_assert(sizeof(struct hw_egress_stats) == 8, "schema");
_Static_assert(sizeof(struct hw_flow_key) == 24, "schema");
_Static_assert(sizeof(struct hw_flow) == 48, "schema");
_Static_assert(sizeof(struct hw_nobody) == 16, "schema");
_Static_assert(sizeof(struct hw_key) == 40, "schema");
_Static_assert(sizeof(struct hw_node) == 24 + 88 + 16 + 2 * 32 + 2 * 48 + 16, "schema");
_Static_assert(sizeof(struct hw_config) == 112, "schema");
_Static_assert(sizeof(struct hw_self) == 144, "schema");
_Static_assert(sizeof(struct hw_vip) == 224, "schema");
_Static_assert(sizeof(struct hw_node_stats) == 56, "schema");
_Static_assert(sizeof(struct hw_node_view) == 96, "schema");
_Static_assert(sizeof(struct hw_stray) == 72, "schema");
_Static_assert(sizeof(struct hw_mark) == 16, "schema");
