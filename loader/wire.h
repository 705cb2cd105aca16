/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Control messages in user space: built, signed, checked and read. The XDP
 * program answers ASK and PING; the agent sends these and reads ANSWER and PONG.
 * A message here is what follows the UDP header: Geneve header, option, message.
 */
#pragma once

#include "addr.h"
#include "keys.h"

#define HW_MESSAGE_MAX (sizeof(struct hw_geneve) + sizeof(struct hw_ask) + HW_ASK_FLOWS * sizeof(struct hw_ask_flow))

struct hw_envelope {
	uint32_t network;
	enum hw_kind kind;
	uint16_t source;      /* node ids */
	uint16_t destination;
};

/*
 * Puts a Geneve header in front of `body` (len bytes, a multiple of 8) and
 * signs with the first key of the ring. Returns the length written to out,
 * which has room for sizeof(struct hw_geneve) + len.
 */
size_t hw_wire_seal(void *out, const struct hw_envelope *env, const struct hw_keyring *ring,
		    const void *body, size_t len);

/*
 * Checks a received message: header, network, key, tag. On success env's kind
 * and source are set and the body is returned with its length; otherwise NULL.
 * env's network and destination are what the message must have. The body of a
 * padded PING ends with the struct.
 */
const void *hw_wire_open(const void *message, size_t message_len, struct hw_envelope *env,
			 const struct hw_keyring *ring, size_t *len);

/* The tag of a CARRY of this flow to node `destination` (RFC 8926 option, see wire.h); as it goes on the wire. */
uint64_t hw_wire_carry_tag(const struct hw_key *key, uint8_t key_id, uint32_t network, uint16_t source,
			   uint16_t destination, const struct hw_addr *client, uint16_t client_port,
			   const struct hw_addr *vip, uint16_t vip_port);

/* The UDP source port of a flow's outer packets: 49152 to 65535, host order. */
uint16_t hw_wire_outer_port(const struct hw_addr *client, uint16_t client_port,
			    const struct hw_addr *vip, uint16_t vip_port);
