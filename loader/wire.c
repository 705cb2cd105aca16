/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Control messages between nodes, in user space: what the agent sends (ASK,
 * PING) is sealed here, what comes back (ANSWER, PONG) is opened here, and the
 * tags that the XDP program puts on carried packets are made here first. The
 * layout is maps-schema/wire.h; nothing here does I/O.
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <string.h>

#include "wire.h"

/* bytes: a multiple of eight of them */
static void absorb(struct hw_siphash *s, const void *bytes, size_t len)
{
	for (size_t at = 0; at < len; at += sizeof(uint64_t)) {
		uint64_t word;

		memcpy(&word, (const uint8_t *)bytes + at, sizeof(word));
		hw_siphash_word(s, word);
	}
}

static uint64_t control_tag(const struct hw_key *key, const struct hw_geneve *g, uint16_t destination,
			    const void *body, size_t len)
{
	const struct hw_tag_head head = {
		.vni = g->vni,
		.proto = g->proto,
		.kind = g->kind,
		.key_id = g->key_id,
		.source = g->source,
		.destination = htons(destination),
		.sport = 0,
		.dport = htons((uint16_t)len),
	};
	struct hw_siphash s;

	hw_tag_begin(&s, key->control, &head);
	absorb(&s, body, len);
	return hw_siphash_end(&s);
}

size_t hw_wire_seal(void *out, const struct hw_envelope *env, const struct hw_keyring *ring,
		    const void *body, size_t len)
{
	struct hw_geneve g = {
		.ver_optlen = HW_GENEVE_OPTLEN,
		.flags = HW_GENEVE_CRITICAL | HW_GENEVE_CONTROL,
		.proto = htons(HW_PROTO_CONTROL),
		.vni = htonl(env->network << 8),
		.opt_class = htons(HW_OPT_CLASS),
		.opt_type = HW_OPT_TYPE,
		.opt_words = HW_OPT_WORDS,
		.kind = (uint8_t)env->kind,
		.key_id = ring->id[0],
		.source = htons(env->source),
	};
	uint64_t tag = control_tag(&ring->key[0], &g, env->destination, body, len);

	memcpy(g.tag, &tag, sizeof(g.tag));
	memcpy(out, &g, sizeof(g));
	memcpy((uint8_t *)out + sizeof(g), body, len);
	return sizeof(g) + len;
}

/* How long the message is that `body` holds, by its kind; 0: it cannot be one. */
static size_t body_length(uint8_t kind, const uint8_t *body, size_t len)
{
	struct hw_ask ask;
	size_t want;

	switch (kind) {
	case HW_KIND_PING: /* what follows it is padding */
		return len >= sizeof(struct hw_ping) ? sizeof(struct hw_ping) : 0;
	case HW_KIND_PONG:
		return len == sizeof(struct hw_ping) ? len : 0;
	case HW_KIND_ASK:
	case HW_KIND_ANSWER:
		if (len < sizeof(ask))
			return 0;
		memcpy(&ask, body, sizeof(ask));
		want = sizeof(ask) + ask.count * sizeof(struct hw_ask_flow);
		return ask.count >= 1 && ask.count <= HW_ASK_FLOWS && len == want ? len : 0;
	default: /* data is for the XDP program */
		return 0;
	}
}

/* Reserved bits must be zero: no version of ours ever set them. */
static bool header_is_ours(const struct hw_geneve *g, uint32_t network)
{
	return g->ver_optlen == HW_GENEVE_OPTLEN && g->flags == (HW_GENEVE_CRITICAL | HW_GENEVE_CONTROL) &&
	       g->proto == htons(HW_PROTO_CONTROL) && g->vni == htonl(network << 8) &&
	       g->opt_class == htons(HW_OPT_CLASS) && g->opt_type == HW_OPT_TYPE && g->opt_words == HW_OPT_WORDS;
}

const void *hw_wire_open(const void *message, size_t message_len, struct hw_envelope *env,
			 const struct hw_keyring *ring, size_t *len)
{
	const uint8_t *body = (const uint8_t *)message + sizeof(struct hw_geneve);
	const struct hw_key *key;
	struct hw_geneve g;
	size_t body_len;
	uint64_t tag;

	if (message_len < sizeof(g))
		return NULL;
	memcpy(&g, message, sizeof(g));
	if (!header_is_ours(&g, env->network))
		return NULL;
	body_len = body_length(g.kind, body, message_len - sizeof(g));
	key = hw_keys_find(ring, g.key_id);
	if (!body_len || !key)
		return NULL;
	tag = control_tag(key, &g, env->destination, body, body_len);
	if (memcmp(&tag, g.tag, sizeof(tag)) != 0)
		return NULL;
	env->kind = g.kind;
	env->source = ntohs(g.source);
	*len = body_len;
	return body;
}

uint64_t hw_wire_carry_tag(const struct hw_key *key, uint8_t key_id, uint32_t network, uint16_t source,
			   uint16_t destination, const struct hw_addr *client, uint16_t client_port,
			   const struct hw_addr *vip, uint16_t vip_port)
{
	const bool v4 = hw_addr_is4(vip);
	const size_t skip = v4 ? 12 : 0, alen = v4 ? 4 : 16;
	const struct hw_tag_head head = {
		.vni = htonl(network << 8),
		.proto = htons(v4 ? ETH_P_IP : ETH_P_IPV6),
		.kind = HW_KIND_CARRY,
		.key_id = key_id,
		.source = htons(source),
		.destination = htons(destination),
		.sport = htons(client_port),
		.dport = htons(vip_port),
	};
	uint8_t addrs[32]; /* as they lie in the inner packet: 8 or 32 bytes */
	struct hw_siphash s;

	memcpy(addrs, client->b + skip, alen);
	memcpy(addrs + alen, vip->b + skip, alen);
	hw_tag_begin(&s, key->data, &head);
	absorb(&s, addrs, 2 * alen);
	return hw_siphash_end(&s);
}

uint16_t hw_wire_outer_port(const struct hw_addr *client, uint16_t client_port,
			    const struct hw_addr *vip, uint16_t vip_port)
{
	static const __u64 no_key[2]; /* to spread flows, not to hide anything */
	const uint64_t ports = (uint64_t)client_port << 16 | vip_port;
	struct hw_siphash s;

	hw_siphash_begin(&s, no_key);
	absorb(&s, client->b, sizeof(client->b));
	absorb(&s, vip->b, sizeof(vip->b));
	hw_siphash_word(&s, ports);
	return (uint16_t)(49152 + (hw_siphash_end(&s) & 0x3fff));
}
