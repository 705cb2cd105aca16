/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The XDP program's maps. Their contract is ../maps-schema; here they get type
 * and size. All are pinned by name; the loader gives hw_flows its size from the
 * config.
 */
#pragma once

#include "map.h"

struct { HW_ARRAY(1, struct hw_schema); } hw_schema SEC(".maps");
struct { HW_ARRAY(1, struct hw_config); } hw_config SEC(".maps");
struct { HW_ARRAY(1, struct hw_self); } hw_self SEC(".maps");
struct { HW_ARRAY(1, struct hw_wake); __uint(map_flags, BPF_F_MMAPABLE); } hw_wake SEC(".maps");
struct { HW_ARRAY(HW_KEY_IDS, struct hw_key); } hw_keys SEC(".maps");
struct { HW_MAP(BPF_MAP_TYPE_HASH, HW_VIP_IDS + HW_NODE_IDS, struct hw_addr, struct hw_our); } hw_ours SEC(".maps");
struct { HW_ARRAY(HW_NODE_IDS, struct hw_node); } hw_nodes SEC(".maps");

/* Not preallocated: an entry costs memory only while its flow strays. Written by the agent, never per packet. */
struct {
	HW_MAP(BPF_MAP_TYPE_HASH, 1048576, struct hw_flow_key, struct hw_flow);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} hw_flows SEC(".maps");

struct { HW_MAP(BPF_MAP_TYPE_LRU_HASH, 65536, struct hw_flow_key, struct hw_nobody); } hw_nobody SEC(".maps");
struct { HW_MAP(BPF_MAP_TYPE_LRU_HASH, 16384, struct hw_flow_key, struct hw_cookie); } hw_cookies SEC(".maps");
struct { HW_ARRAY(1 + HW_PREFIXES, struct hw_budget); } hw_budgets SEC(".maps");

struct {
	HW_MAP(BPF_MAP_TYPE_PERCPU_ARRAY, HW_VIP_IDS, __u32, struct hw_verdicts);
} hw_verdicts SEC(".maps");
struct {
	HW_MAP(BPF_MAP_TYPE_PERCPU_ARRAY, HW_NODE_IDS, __u32, struct hw_node_stats);
} hw_node_stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 << 20);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} hw_strays SEC(".maps");

/* Views: summed by the agent, for people. */
struct { HW_ARRAY(1, struct hw_verdicts); } hw_totals SEC(".maps");
struct { HW_ARRAY(HW_VIP_IDS, struct hw_verdicts); } hw_vip_view SEC(".maps");
struct { HW_ARRAY(HW_NODE_IDS, struct hw_node_view); } hw_node_view SEC(".maps");
struct { HW_ARRAY(1, struct hw_agent_view); } hw_agent_view SEC(".maps");
