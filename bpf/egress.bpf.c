// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The tc program on the way out of every edge NIC. A client's packet that
 * strays grows by the encapsulation, so the client is told to send less: the
 * MSS in a SYN-ACK (and a SYN) that leaves from a VIP is lowered to what fits
 * between the nodes (hw_mss, computed by the loader). Nothing else is touched,
 * and whatever happens here, the next program on the NIC has its turn.
 *
 *   syn.h  a SYN from a VIP?    clamp.h  its MSS
 */
#include <linux/pkt_cls.h>

#include "clamp.h"

SEC("tc")
int hw_egress(struct __sk_buff *skb)
{
	const struct hw_mss *limit;
	struct syn s = {};

	if (is_no_syn(skb))
		return TC_ACT_UNSPEC;
	limit = row(&hw_mss, 0);
	if (limit && has_ip(skb, &s) && has_syn(skb, &s) && is_from_vip(&s))
		clamp(skb, &s, s.family == 4 ? limit->mss4 : limit->mss6);
	return TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
