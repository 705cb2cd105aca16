/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The MSS that a SYN from a VIP may announce, from the ways in hw_nodes into
 * hw_mss. What strays may land at any node, so the narrowest way counts; that
 * from a node to us is taken to be as wide as that from us to it.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "publish.h"

#define TCP_IP4 40 /* TCP and IP header without options, which the sender takes off by itself: RFC 9293, 3.7.1 */
#define TCP_IP6 60

#define USUAL_MTU 1500 /* where no way is known yet */

static bool refused(const struct hw_pins *pins, const char *map)
{
	hw_err("%s/%s: %s", pins->path, map, strerror(errno));
	return false;
}

struct hw_mss hw_publish_mss_of(uint32_t room)
{
	const struct hw_mss least = { .mss4 = HW_MSS4_LEAST, .mss6 = HW_MSS6_LEAST };
	struct hw_mss mss = least;

	if (room > least.mss4 + TCP_IP4)
		mss.mss4 = room - TCP_IP4;
	if (room > least.mss6 + TCP_IP6)
		mss.mss6 = room - TCP_IP6;
	return mss;
}

/* The largest inner packet that every usable way carries; 0: there is none now. False on error (said). */
static bool room_between(const struct hw_pins *pins, const struct hw_conf *conf, uint32_t *room)
{
	struct hw_node node;
	uint32_t here;

	*room = 0;
	for (size_t i = 0; i < conf->n_nodes; i++) {
		const __u32 id = conf->nodes[i].id;

		if (bpf_map_lookup_elem(pins->nodes, &id, &node))
			return refused(pins, "hw_nodes");
		if (!node.usable)
			continue;
		here = node.mtu > node.overhead ? node.mtu - node.overhead : 1;
		if (!*room || here < *room)
			*room = here;
	}
	return true;
}

bool hw_publish_mss(const struct hw_pins *pins, const struct hw_conf *conf)
{
	const uint32_t overhead = hw_addr_is4(&conf->self->endpoint) ? HW_OVERHEAD4 : HW_OVERHEAD6;
	const __u32 zero = 0;
	struct hw_mss was, now = {0};
	uint32_t room;

	if (bpf_map_lookup_elem(pins->mss, &zero, &was))
		return refused(pins, "hw_mss");
	if (!room_between(pins, conf, &room))
		return false;
	if (room)
		now = hw_publish_mss_of(room);
	else if (conf->n_nodes > 1) /* what was so is most likely to be so again */
		now = was.mss4 ? was : hw_publish_mss_of(USUAL_MTU - overhead);
	if (memcmp(&was, &now, sizeof(now)) && bpf_map_update_elem(pins->mss, &zero, &now, BPF_ANY))
		return refused(pins, "hw_mss");
	return true;
}
