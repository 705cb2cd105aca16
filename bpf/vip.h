/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Is it for a VIP? One lookup; its ports are in port.h. */
#pragma once

#include "maps.h"
#include "packet.h"
#include "port.h"

/* Writes the VIP's id, which is its row of counters, into the packet. */
inline_fn const struct hw_vip *vip_of(struct packet *p)
{
	const struct hw_vip *vip = bpf_map_lookup_elem(&hw_vips, &p->dst);

	if (vip)
		p->vip = vip->id;
	return vip;
}
