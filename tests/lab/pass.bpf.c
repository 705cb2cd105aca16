// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * An XDP program that lets everything pass. What a NIC sends by XDP_TX or
 * redirect gets out of a veth only if there is an XDP program at the other end.
 */
#include <linux/bpf.h>

__attribute__((section("xdp"), used)) int pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}
