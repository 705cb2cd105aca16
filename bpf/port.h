/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The ports of a VIP, for both programs: to it on ingress, from it on egress. */
#pragma once

#include "base.h"

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
