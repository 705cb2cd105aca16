/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Is it for a VIP? One lookup, and the VIP's ports. */
#pragma once

#include "maps.h"
#include "packet.h"

/* Writes the VIP's id, which is its row of counters, into the packet. */
inline_fn const struct hw_vip *vip_of(struct packet *p)
{
	const struct hw_vip *vip = bpf_map_lookup_elem(&hw_vips, &p->dst);

	if (vip)
		p->vip = vip->id;
	return vip;
}

inline_fn bool vip_has_port(const struct hw_vip *vip, __u16 port)
{
	if (!vip->n_tcp)
		return true;
	for (__u32 i = 0; i < HW_VIP_PORTS; i++) {
		if (i >= vip->n_tcp)
			return false;
		if (vip->tcp[i] == port)
			return true;
	}
	return false;
}
