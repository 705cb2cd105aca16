/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the XDP program meets besides the packet: the first bytes of an input
 * of the packet fuzzer, so that it searches these as well. Zero is the usual.
 */
#pragma once

#include <stdint.h>

enum { SOCKET_NONE, SOCKET_FULL, SOCKET_LISTEN, SOCKET_REQUEST, SOCKET_TIMEWAIT, SOCKET_FASTOPEN, SOCKETS };
enum { MARK_NONE, MARK_CARRY, MARK_DELIVER, MARK_OTHER, MARKS };

struct situation {
	uint8_t endpoint6 : 1, any_vip : 1, invisible : 1, cookie : 1, ring_full : 1, spent : 1, mptcp : 1, cookies : 1;
	uint8_t key_current : 1, nobody : 1, asleep : 1, witness : 1;
	uint8_t socket;   /* % SOCKETS: what every lookup finds */
	uint8_t home;     /* % (WAYS + 2): every flow is known to live there; 0: none is; WAYS + 1: at no node */
	uint8_t mark;     /* % MARKS: what the agent wrote in front of it */
	uint8_t linear;   /* not 0: so many bytes behind Ethernet are linear, the rest of the frame is in fragments */
	uint8_t headroom; /* so many words less than 32 in front of it */
	uint8_t ports;    /* of any_vip */
	uint32_t una, rcv; /* of the socket */
} __attribute__((packed));
