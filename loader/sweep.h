/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* When an entry of hw_flows ends. */
#pragma once

#include <stdint.h>

#include "../maps-schema/maps.h"

enum hw_flow_end {
	HW_FLOW_STAYS,
	HW_FLOW_EXPIRED,   /* idle for longer than flow-idle */
	HW_FLOW_HOME_DIED, /* its client is waiting for nobody */
};

/* now, idle: ns, CLOCK_MONOTONIC. A home that is dead counts more than idleness. */
enum hw_flow_end hw_flow_judge(const struct hw_flow *flow, uint64_t now, uint64_t idle, enum hw_node_state home);
