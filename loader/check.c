/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * homeward check: reads the config and the key file as every other verb would,
 * and does nothing with them.
 */
#include <errno.h>
#include <string.h>

#include "conf.h"

#define IPV6_MIN_MTU 1280 /* RFC 8200 section 5 */

/* What a path between nodes must carry so that an IPv6 client's packet, at its smallest MTU, fits. 0: no IPv6 VIP. */
static int needed_mtu(const struct hw_conf *conf)
{
	int overhead = HW_OVERHEAD4;
	bool v6 = false;
	size_t i;

	for (i = 0; i < conf->n_vips; i++)
		v6 |= !hw_addr_is4(&conf->vips[i].addr);
	for (i = 0; i < conf->n_nodes; i++)
		if (!hw_addr_is4(&conf->nodes[i].endpoint))
			overhead = HW_OVERHEAD6;
	return v6 && conf->n_nodes > 1 ? IPV6_MIN_MTU + overhead : 0;
}

int hw_check(const struct hw_options *opt)
{
	struct hw_conf *conf = hw_conf_read(opt->conf ? opt->conf : HW_DEFAULT_CONF, opt->node, stderr);
	int mtu;

	if (!conf)
		return HW_USAGE;
	printf("%s: good: node %s (id %u), %zu VIP%s, %zu node%s, %u key%s", conf->path, conf->self->name,
	       conf->self->id, conf->n_vips, conf->n_vips == 1 ? "" : "s", conf->n_nodes,
	       conf->n_nodes == 1 ? "" : "s", conf->keys.n, conf->keys.n == 1 ? "" : "s");
	mtu = needed_mtu(conf);
	if (mtu)
		printf("; paths between nodes must carry packets of %d bytes", mtu);
	putchar('\n');
	hw_conf_free(conf);
	if (fflush(stdout) || ferror(stdout)) {
		hw_err("check: cannot write to standard output: %s", strerror(errno));
		return HW_SYSTEM;
	}
	return HW_DONE;
}
