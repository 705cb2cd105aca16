/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Is it for a VIP? One lookup; and UDP to it. Its ports are in port.h. */
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

/* What is not TCP passes, whatever it is; what remains to be told is under which name it is counted. */
inline_fn enum hw_verdict vip_not_tcp(struct xdp_md *ctx, const struct packet *p, const struct hw_vip *vip)
{
	__u16 port;

	if (p->proto != IPPROTO_UDP || !vip->n_udp)
		return HW_V_pass_not_tcp;
	if (!has_udp(ctx, p, &port))
		return HW_V_pass_malformed;
	return vip_has_udp(vip, port) ? HW_V_pass_udp : HW_V_pass_not_tcp;
}
