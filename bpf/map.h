/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * How a pinned map is declared, and the maps that the tc egress program has in
 * common with the XDP program, whose object makes them all: `load` gives the
 * other one the same maps.
 */
#pragma once

#include "base.h"

#define HW_MAP(maptype, n, keytype, valuetype) \
	__uint(type, maptype); \
	__uint(max_entries, n); \
	__type(key, keytype); \
	__type(value, valuetype); \
	__uint(pinning, LIBBPF_PIN_BY_NAME)
#define HW_ARRAY(n, valuetype) HW_MAP(BPF_MAP_TYPE_ARRAY, n, __u32, valuetype)

struct { HW_MAP(BPF_MAP_TYPE_HASH, HW_VIP_IDS - 1, struct hw_addr, struct hw_vip); } hw_vips SEC(".maps");

/* Written by load and the agent, read on egress. */
struct { HW_ARRAY(1, struct hw_mss); } hw_mss SEC(".maps");
struct { HW_MAP(BPF_MAP_TYPE_PERCPU_ARRAY, 1, __u32, struct hw_egress_stats); } hw_egress_stats SEC(".maps");

/* Row i of an array map; NULL only where i is out of range. */
inline_fn void *row(void *map, __u32 i)
{
	return bpf_map_lookup_elem(map, &i);
}
