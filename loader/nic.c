/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Looks at NICs and at the machine before `load` attaches, and says what will
 * not work. Facts come from rtnetlink, ethtool's ioctl, /proc/sys and
 * inet_diag, all in the caller's network namespace. What cannot be asked on
 * this kernel or driver is passed over: a check that fails is no reason not to load.
 */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nic.h"

static void free_sock(struct nl_sock **sk)
{
	if (*sk)
		nl_socket_free(*sk);
}
#define autofree_sock __attribute__((cleanup(free_sock)))

static void put_link(struct rtnl_link **link)
{
	if (*link)
		rtnl_link_put(*link);
}
#define autoput_link __attribute__((cleanup(put_link)))

/* --- a NIC --- */

static bool is_vrf(struct rtnl_link *link)
{
	const char *kind = link ? rtnl_link_get_type(link) : NULL;

	return kind && strcmp(kind, "vrf") == 0;
}

static bool check_link(const char *device)
{
	autofree_sock struct nl_sock *sk = nl_socket_alloc();
	autoput_link struct rtnl_link *link = NULL, *master = NULL;
	int err = sk ? nl_connect(sk, NETLINK_ROUTE) : -NLE_NOMEM;

	if (!err)
		err = rtnl_link_get_kernel(sk, 0, device, &link);
	if (err) {
		hw_err("%s: %s", device, if_nametoindex(device) ? nl_geterror(err) : "no such device");
		return false;
	}
	if (rtnl_link_get_master(link))
		rtnl_link_get_kernel(sk, rtnl_link_get_master(link), NULL, &master);
	if (!is_vrf(link) && !is_vrf(master))
		return true;
	hw_err("%s: belongs to the VRF %s, whose sockets cannot be looked up from XDP, so every packet would seem to "
	       "be a stray; take it out first: `ip link set dev %s nomaster`",
	       device, rtnl_link_get_name(master ? master : link), device);
	return false;
}

static bool ethtool(const char *device, void *command)
{
	hw_autoclose int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq req = { .ifr_data = command };

	strncpy(req.ifr_name, device, IFNAMSIZ - 1);
	return fd >= 0 && ioctl(fd, SIOCETHTOOL, &req) == 0;
}

static void check_offloads(const char *device, bool v4)
{
	struct ethtool_value flags = { .cmd = ETHTOOL_GFLAGS };
	struct ethtool_rxnfc rings = { .cmd = ETHTOOL_GRXRINGS };
	struct ethtool_rxnfc hash = { .cmd = ETHTOOL_GRXFH, .flow_type = v4 ? UDP_V4_FLOW : UDP_V6_FLOW };
	const __u64 ports = RXH_L4_B_0_1 | RXH_L4_B_2_3;

	if (ethtool(device, &flags) && (flags.data & ETH_FLAG_LRO))
		hw_warn("%s: LRO is on: carried packets would be merged; `ethtool -K %s lro off`", device, device);
	if (ethtool(device, &rings) && rings.data > 1 && ethtool(device, &hash) && hash.data &&
	    (hash.data & ports) != ports)
		hw_warn("%s: spreads UDP over its queues by address only, so all from one node meet on one CPU; "
			"`ethtool -N %s rx-flow-hash %s sdfn`", device, device, v4 ? "udp4" : "udp6");
}

/* The number in a file under /proc/sys; -1: not there. */
static int sysctl_number(const char *path)
{
	FILE *f = fopen(path, "re");
	int value = -1;

	if (!f)
		return -1;
	if (fscanf(f, "%d", &value) != 1)
		value = -1;
	fclose(f);
	return value;
}

static void check_rp_filter(const char *device)
{
	char path[128];
	int all, own;

	all = sysctl_number("/proc/sys/net/ipv4/conf/all/rp_filter");
	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/rp_filter", device);
	own = sysctl_number(path);
	if ((all > own ? all : own) != 1) /* the larger one counts; 1: strict, 2: loose */
		return;
	hw_warn("%s: rp_filter is strict: packets of clients whose route leads out elsewhere are lost without a trace; "
		"`echo 2 >%s`", device, path);
}

bool hw_nic_check(const char *device, const struct hw_conf *conf)
{
	bool v4 = false;

	if (!check_link(device))
		return false;
	check_offloads(device, hw_addr_is4(&conf->self->endpoint));
	for (size_t i = 0; i < conf->n_vips; i++)
		v4 = v4 || hw_addr_is4(&conf->vips[i].addr);
	if (v4)
		check_rp_filter(device);
	return true;
}

/* --- the machine --- */

/* Binding tells what the routing knows as local, also without an address on an interface (ip route add local). */
static bool is_local(const struct hw_addr *addr)
{
	hw_autoclose int fd = socket(hw_addr_is4(addr) ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage sa;
	socklen_t len = hw_addr_sockaddr(addr, 0, &sa);

	return fd < 0 || bind(fd, (struct sockaddr *)&sa, len) == 0 || errno != EADDRNOTAVAIL;
}

static void check_addresses(const struct hw_conf *conf)
{
	char text[HW_ADDR_LEN];

	hw_addr_text(&conf->self->endpoint, text);
	if (!is_local(&conf->self->endpoint))
		hw_warn("node %s: its endpoint %s is no address of this machine; is this the right --node?",
			conf->self->name, text);
	for (size_t i = 0; i < conf->n_vips; i++)
		if (!is_local(&conf->vips[i].addr))
			hw_warn("VIP %s: %s is no address of this machine; `ip addr add %s/%d dev lo`", conf->vips[i].name,
				hw_addr_text(&conf->vips[i].addr, text), text, hw_addr_is4(&conf->vips[i].addr) ? 32 : 128);
}

struct listeners {
	const struct hw_conf *conf;
	bool *seen; /* by VIP */
};

static bool port_in(const struct hw_conf_vip *vip, uint16_t port)
{
	for (int i = 0; i < vip->n_tcp; i++)
		if (vip->tcp[i] == port)
			return true;
	return vip->n_tcp == 0;
}

/* A socket bound to a device is found only for packets that come in there. */
static bool device_fits(const struct hw_conf *conf, uint32_t ifindex)
{
	for (size_t i = 0; ifindex && i < conf->n_interfaces; i++)
		if (if_nametoindex(conf->interfaces[i]) == ifindex)
			return true;
	return !ifindex;
}

static bool addr_fits(const struct hw_addr *vip, const struct inet_diag_msg *m, bool v6only)
{
	static const struct hw_addr any;
	const bool v4 = hw_addr_is4(vip);

	if (m->idiag_family == AF_INET)
		return v4 && (!m->id.idiag_src[0] || memcmp(m->id.idiag_src, vip->b + 12, 4) == 0);
	if (memcmp(m->id.idiag_src, any.b, 16) == 0)
		return !v4 || !v6only;
	return memcmp(m->id.idiag_src, vip->b, 16) == 0; /* a mapped one, too */
}

static int see_listener(struct nl_msg *msg, void *arg)
{
	const struct listeners *l = arg;
	const struct nlmsghdr *h = nlmsg_hdr(msg);
	const struct inet_diag_msg *m = nlmsg_data(h);
	struct nlattr *v6only;

	if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY || nlmsg_datalen(h) < (int)sizeof(*m) ||
	    !device_fits(l->conf, m->id.idiag_if))
		return NL_OK;
	v6only = nlmsg_find_attr((struct nlmsghdr *)h, sizeof(*m), INET_DIAG_SKV6ONLY);
	for (size_t i = 0; i < l->conf->n_vips; i++)
		if (port_in(&l->conf->vips[i], ntohs(m->id.idiag_sport)) &&
		    addr_fits(&l->conf->vips[i].addr, m, v6only && nla_get_u8(v6only)))
			l->seen[i] = true;
	return NL_OK;
}

/* False: this kernel cannot tell. */
static bool find_listeners(struct listeners *l, unsigned char family)
{
	struct inet_diag_req_v2 req = {
		.sdiag_family = family,
		.sdiag_protocol = IPPROTO_TCP,
		.idiag_states = 1U << TCP_LISTEN,
	};
	autofree_sock struct nl_sock *sk = nl_socket_alloc();

	if (!sk || nl_connect(sk, NETLINK_SOCK_DIAG) != 0)
		return false;
	nl_socket_modify_cb(sk, NL_CB_VALID, NL_CB_CUSTOM, see_listener, l);
	return nl_send_simple(sk, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &req, sizeof(req)) >= 0 &&
	       nl_recvmsgs_default(sk) == 0;
}

static void check_listeners(const struct hw_conf *conf)
{
	bool seen[HW_VIP_IDS] = {0};
	struct listeners l = { .conf = conf, .seen = seen };
	char text[HW_ADDR_LEN];

	if (conf->n_vips > HW_VIP_IDS || !find_listeners(&l, AF_INET) || !find_listeners(&l, AF_INET6))
		return;
	for (size_t i = 0; i < conf->n_vips; i++)
		if (!seen[i] && conf->vips[i].n_tcp != HW_VIP_NO_TCP)
			hw_warn("VIP %s: no socket in this network namespace listens for %s; start the service, or look for "
				"it in a container or behind DNAT, where homeward cannot see it: `ss -ltn`",
				conf->vips[i].name, hw_addr_text(&conf->vips[i].addr, text));
}

void hw_nic_check_host(const struct hw_conf *conf)
{
	check_addresses(conf);
	check_listeners(conf);
	if (sysctl_number("/proc/sys/net/netfilter/nf_conntrack_tcp_loose") == 0)
		hw_warn("conntrack: nf_conntrack_tcp_loose is 0: connections that come here after a route shift are "
			"\"invalid\" to it, and rules that drop those lose them; "
			"`sysctl -w net.netfilter.nf_conntrack_tcp_loose=1`");
}
