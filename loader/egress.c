/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The tc egress program on a NIC, which lowers the MSS of SYNs that leave. It
 * is a filter of a clsact qdisc, always with the same handle and priority, so
 * that loading again replaces it in place. The qdisc may be somebody else's: an
 * empty directory PIN/clsact/DEVICE says that it is ours, and then it goes with
 * the filter, unless filters of others are in it.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/pkt_sched.h>
#include <net/if.h>
#include <netlink/route/classifier.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attach_private.h"

#define HANDLE   0x6877 /* "hw" */
#define PRIORITY 6081   /* before those that let the kernel choose, which gives them 49152 and below */
#define PROGRAM  "hw_egress"

static void mark(const char *pin, const char *device)
{
	char path[PATH_MAX];

	if (attach_make_dir(pin, "clsact") && attach_pin_path(path, pin, "clsact", device) && mkdir(path, 0700) &&
	    errno != EEXIST)
		hw_warn("%s: %s; `unload` will leave the clsact qdisc of %s there", path, strerror(errno), device);
}

/* True if the mark was there. */
static bool unmark(const char *pin, const char *device)
{
	char path[PATH_MAX];
	bool was = attach_pin_path(path, pin, "clsact", device) && rmdir(path) == 0;

	if (snprintf(path, sizeof(path), "%s/clsact", pin) < (int)sizeof(path))
		rmdir(path); /* others may be there */
	return was;
}

/* What is at our place: -1 nothing, 1 our program (of any version), 0 another; *id is its id then. */
static int holder(uint32_t ifindex, uint32_t *id)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = HANDLE, .priority = PRIORITY);
	char name[BPF_OBJ_NAME_LEN];

	if (!ifindex || bpf_tc_query(&hook, &opts))
		return -1;
	*id = opts.prog_id;
	attach_program_name(opts.prog_id, name);
	return strcmp(name, PROGRAM) == 0;
}

bool egress_is_attached(uint32_t ifindex)
{
	uint32_t id;

	return holder(ifindex, &id) == 1;
}

/* Filters on one side of the clsact qdisc; -1: cannot be told. */
static int filters(struct nl_sock *sk, uint32_t ifindex, uint32_t side)
{
	struct nl_cache *cache;
	int n;

	if (rtnl_cls_alloc_cache(sk, (int)ifindex, TC_H_MAKE(TC_H_CLSACT, side), &cache) < 0)
		return -1;
	n = nl_cache_nitems(cache);
	nl_cache_free(cache);
	return n;
}

static bool is_empty(uint32_t ifindex)
{
	struct nl_sock *sk = nl_socket_alloc();
	bool empty = sk && nl_connect(sk, NETLINK_ROUTE) == 0 && filters(sk, ifindex, TC_H_MIN_INGRESS) == 0 &&
		     filters(sk, ifindex, TC_H_MIN_EGRESS) == 0;

	if (sk)
		nl_socket_free(sk);
	return empty;
}

/* The qdisc goes if we made it and nobody else has come to use it. */
static void drop_qdisc(const char *pin, const char *device, uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	int err;

	if (!unmark(pin, device) || !ifindex || !is_empty(ifindex))
		return;
	err = bpf_tc_hook_destroy(&hook);
	if (err && err != -ENOENT && err != -EINVAL)
		hw_warn("%s: the clsact qdisc cannot be removed: %s; `tc qdisc del dev %s clsact`", device,
			strerror(-err), device);
}

static bool no_clamp(const char *device, const char *why)
{
	hw_warn("%s: the MSS of SYNs cannot be lowered there: %s; lower it on the routes towards clients "
		"(`ip route change ... advmss`, see the README)", device, why);
	return false;
}

bool hw_egress_attach(const char *pin, const char *device, int prog_fd)
{
	const uint32_t ifindex = if_nametoindex(device);
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = HANDLE, .priority = PRIORITY, .prog_fd = prog_fd,
		    .flags = BPF_TC_F_REPLACE);
	uint32_t other = 0;
	char why[128];
	int err;

	if (!ifindex)
		return no_clamp(device, "no such device");
	err = bpf_tc_hook_create(&hook);
	if (!err)
		mark(pin, device);
	if (holder(ifindex, &other) == 0) {
		snprintf(why, sizeof(why), "the tc program with id %u has priority %u and handle 0x%x, which are ours",
			 other, PRIORITY, HANDLE);
		return no_clamp(device, why);
	}
	if (!err || err == -EEXIST)
		err = bpf_tc_attach(&hook, &opts);
	if (!err)
		return true;
	drop_qdisc(pin, device, ifindex);
	return no_clamp(device, strerror(-err));
}

bool egress_detach(const char *pin, const char *device)
{
	const uint32_t ifindex = if_nametoindex(device);
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = HANDLE, .priority = PRIORITY);
	int err = egress_is_attached(ifindex) ? bpf_tc_detach(&hook, &opts) : 0;

	if (err && err != -ENOENT) {
		hw_err("%s: cannot detach the tc egress program: %s; `tc filter del dev %s egress prio %u`", device,
		       strerror(-err), device, PRIORITY);
		return false;
	}
	drop_qdisc(pin, device, ifindex);
	return true;
}
