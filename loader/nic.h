/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What `load` looks at before it attaches: settings of NICs and of the machine
 * under which homeward would do harm (refused) or work badly (warned of, each
 * in one line with the command that mends it).
 */
#pragma once

#include "conf.h"

/*
 * One NIC: false (said) if homeward must not be attached to it: it does not
 * exist, or it is the slave of a VRF, where sockets cannot be looked up. Warns
 * of strict rp_filter, LRO, and UDP spread over queues by address only.
 */
bool hw_nic_check(const char *device, const struct hw_conf *conf);

/*
 * The machine: warns of an endpoint or a VIP that is no address of it, of VIPs
 * that no visible socket listens for, of conntrack settings that swallow RSTs.
 */
void hw_nic_check_host(const struct hw_conf *conf);
