/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The ports of a VIP, for both programs: to it on ingress, from it on egress. */
#pragma once

#include "base.h"

/* Is that TCP port watched? HW_VIP_NO_TCP is below 0: the list has ended before it begins. */
inline_fn bool vip_has_port(const struct hw_vip *vip, __u16 port)
{
	if (!vip->n_tcp)
		return true;
	for (__s32 i = 0; i < HW_VIP_PORTS; i++) {
		if (i >= vip->n_tcp)
			return false;
		if (vip->tcp[i] == port)
			return true;
	}
	return false;
}

inline_fn bool vip_has_udp(const struct hw_vip *vip, __u16 port)
{
	for (__u32 i = 0; i < HW_VIP_PORTS; i++) {
		if (i >= vip->n_udp)
			return false;
		if (vip->udp[i] == port)
			return true;
	}
	return false;
}
