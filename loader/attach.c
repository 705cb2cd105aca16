/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Puts the XDP program on NICs and takes it off again. The rule is one pinned
 * bpf_link per NIC: the kernel keeps it while the pin is there, an update swaps
 * the program between two packets, and no other tool removes it by accident.
 * The other way, libxdp's dispatcher, is in chain.c.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xdp/libxdp.h>

#include "attach_private.h"

static int print_libbpf(enum libbpf_print_level level, const char *fmt, va_list args)
{
	if (level == LIBBPF_DEBUG || !getenv("HOMEWARD_DEBUG"))
		return 0;
	return vfprintf(stderr, fmt, args);
}

static int print_libxdp(enum libxdp_print_level level, const char *fmt, va_list args)
{
	(void)level;
	return getenv("HOMEWARD_DEBUG") ? vfprintf(stderr, fmt, args) : 0;
}

void hw_quiet_libbpf(void)
{
	libbpf_set_print(print_libbpf);
	libxdp_set_print(print_libxdp);
}

bool attach_pin_path(char out[PATH_MAX], const char *pin, const char *kind, const char *device)
{
	int base = snprintf(out, PATH_MAX, "%s/%s/", pin, kind);

	if (base >= PATH_MAX || snprintf(out + base, (size_t)(PATH_MAX - base), "%s", device) >= PATH_MAX - base) {
		hw_err("%s: the pin path is too long", pin);
		return false;
	}
	for (char *c = out + base; *c; c++)
		if (*c == '.')
			*c = ':';
	return true;
}

bool attach_make_dir(const char *pin, const char *kind)
{
	char dir[PATH_MAX];

	if (snprintf(dir, sizeof(dir), "%s/%s", pin, kind) >= (int)sizeof(dir)) {
		hw_err("%s: the pin path is too long", pin);
		return false;
	}
	if (mkdir(dir, 0700) == 0 || errno == EEXIST)
		return true;
	hw_err("%s: %s; is a bpffs mounted there? `mount -t bpf bpf /sys/fs/bpf`", dir, strerror(errno));
	return false;
}

uint32_t attach_query(uint32_t ifindex, char mode[8])
{
	LIBBPF_OPTS(bpf_xdp_query_opts, q);
	const char *name = "gone";
	uint32_t id = 0;

	if (ifindex && bpf_xdp_query((int)ifindex, 0, &q) == 0) {
		name = q.drv_prog_id ? "native" : q.skb_prog_id ? "skb" : q.hw_prog_id ? "offload" : "none";
		id = q.drv_prog_id ? q.drv_prog_id : q.skb_prog_id ? q.skb_prog_id : q.hw_prog_id;
	}
	if (mode)
		snprintf(mode, 8, "%s", name);
	return id;
}

void attach_program_name(uint32_t id, char *out)
{
	hw_autoclose int fd = bpf_prog_get_fd_by_id(id);
	struct bpf_prog_info info = {0};
	__u32 len = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) != 0 || !info.name[0])
		snprintf(out, BPF_OBJ_NAME_LEN, "?");
	else
		memcpy(out, info.name, BPF_OBJ_NAME_LEN);
}

void attach_say_taken(const char *device, uint32_t ifindex)
{
	char mode[8], name[BPF_OBJ_NAME_LEN];
	uint32_t id = attach_query(ifindex, mode);

	attach_program_name(id, name);
	if (strcmp(name, "xdp_dispatcher") == 0)
		hw_err("%s: the XDP dispatcher of libxdp (program id %u, %s mode) is there, with programs of others; "
		       "load with --chain, or remove them first: `xdp-loader unload %s --all`",
		       device, id, mode, device);
	else
		hw_err("%s: the XDP program \"%s\" (id %u, %s mode) is there already; remove it first: "
		       "`ip link set dev %s %s off` or `xdp-loader unload %s --all`; --chain goes beside programs "
		       "that were loaded by xdp-loader", device, name, id, mode, device,
		       strcmp(mode, "skb") == 0 ? "xdpgeneric" : "xdp", device);
}

/* The ifindex that the link holds; 0: its NIC is gone, or someone has detached it. */
static uint32_t link_ifindex(int link_fd)
{
	struct bpf_link_info info = {0};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(link_fd, &info, &len) != 0 || info.type != BPF_LINK_TYPE_XDP)
		return 0;
	return info.xdp.ifindex;
}

static bool mode_agrees(const char *device, uint32_t ifindex, enum hw_mode mode)
{
	const char *want = mode == HW_MODE_NATIVE ? "native" : "skb";
	char is[8];

	attach_query(ifindex, is);
	if (mode == HW_MODE_AUTO || strcmp(is, want) == 0)
		return true;
	hw_err("%s: homeward is there in %s mode, and a change to %s loses packets; run `homeward unload %s` first",
	       device, is, want, device);
	return false;
}

static int create(int prog_fd, uint32_t ifindex, uint32_t flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = flags);

	return bpf_link_create(prog_fd, (int)ifindex, BPF_XDP, &opts);
}

/* Returns the fd of a new link, or -1 (said). */
static int create_link(const char *device, uint32_t ifindex, int prog_fd, enum hw_mode mode)
{
	int native_errno, fd = -1;

	if (attach_query(ifindex, NULL)) {
		attach_say_taken(device, ifindex);
		return -1;
	}
	if (mode != HW_MODE_SKB) {
		fd = create(prog_fd, ifindex, XDP_FLAGS_DRV_MODE);
		if (fd >= 0)
			return fd;
		native_errno = errno;
		if (mode == HW_MODE_NATIVE) {
			hw_err("%s: the driver refuses native XDP: %s; see `dmesg`, lower the MTU, or load with -m skb",
			       device, strerror(native_errno));
			return -1;
		}
	}
	fd = create(prog_fd, ifindex, XDP_FLAGS_SKB_MODE);
	if (fd < 0)
		hw_err("%s: cannot attach the XDP program: %s", device, strerror(errno));
	else if (mode == HW_MODE_AUTO)
		hw_note("%s: attached in skb mode, since the driver refuses native XDP: %s", device,
			strerror(native_errno));
	return fd;
}

static enum hw_attached attach_new(const char *file, const char *device, uint32_t ifindex, int prog_fd,
				   enum hw_mode mode)
{
	hw_autoclose int fd = create_link(device, ifindex, prog_fd, mode);

	if (fd < 0)
		return HW_ATTACH_FAILED;
	if (bpf_obj_pin(fd, file) == 0)
		return HW_ATTACH_NEW; /* the pin keeps the link */
	hw_err("%s: %s", file, strerror(errno));
	return HW_ATTACH_FAILED;
}

enum hw_attached hw_attach_link(const char *pin, const char *device, int prog_fd, enum hw_mode mode)
{
	const uint32_t ifindex = if_nametoindex(device);
	char file[PATH_MAX], chained[PATH_MAX];
	hw_autoclose int old = -1;

	if (!ifindex) {
		hw_err("%s: no such device", device);
		return HW_ATTACH_FAILED;
	}
	if (!attach_make_dir(pin, "links") || !attach_pin_path(file, pin, "links", device) ||
	    !attach_pin_path(chained, pin, "chains", device))
		return HW_ATTACH_FAILED;
	if (chain_is_attached(chained, ifindex)) {
		hw_err("%s: homeward is in its XDP dispatcher; load with --chain again, or `homeward unload %s` first",
		       device, device);
		return HW_ATTACH_FAILED;
	}
	chain_forget(chained); /* left by a NIC that went away */
	old = bpf_obj_get(file);
	if (old >= 0 && link_ifindex(old) == ifindex) {
		if (!mode_agrees(device, ifindex, mode))
			return HW_ATTACH_FAILED;
		if (bpf_link_update(old, prog_fd, NULL) == 0)
			return HW_ATTACH_REPLACED;
		hw_err("%s: cannot replace the XDP program: %s", device, strerror(errno));
		return HW_ATTACH_FAILED;
	}
	if (old >= 0) {
		bpf_link_detach(old); /* of a NIC that was renamed; no harm if it is gone */
		unlink(file);
	}
	return attach_new(file, device, ifindex, prog_fd, mode);
}

static bool detach_link(const char *file, const char *device)
{
	hw_autoclose int fd = bpf_obj_get(file);

	if (fd < 0) {
		hw_err("%s: %s", file, strerror(errno));
		return false;
	}
	/* removing the pin is not enough while another process has the link open */
	if (link_ifindex(fd) && bpf_link_detach(fd) != 0) {
		hw_err("%s: cannot detach the XDP program: %s", device, strerror(errno));
		return false;
	}
	if (unlink(file) == 0)
		return true;
	hw_err("%s: %s", file, strerror(errno));
	return false;
}

bool hw_attach_detach(const char *pin, const char *device)
{
	char link[PATH_MAX], chained[PATH_MAX];
	bool found = false, done = egress_detach(pin, device);

	if (!attach_pin_path(link, pin, "links", device) || !attach_pin_path(chained, pin, "chains", device))
		return false;
	if (access(link, F_OK) == 0) {
		found = true;
		done = detach_link(link, device) && done;
	}
	if (access(chained, F_OK) == 0) {
		found = true;
		done = chain_detach(chained, device) && done;
	}
	if (!found)
		hw_err("%s: homeward is not attached to it (pins in %s); see `homeward status`", device, pin);
	return found && done;
}

static void describe(struct hw_attachment *a, const char *file, const char *name, bool chained)
{
	hw_autoclose int fd = chained ? -1 : bpf_obj_get(file);
	char *c;

	memset(a, 0, sizeof(*a));
	snprintf(a->device, sizeof(a->device), "%.15s", name);
	while ((c = strchr(a->device, ':')))
		*c = '.';
	snprintf(a->attach, sizeof(a->attach), "%s", chained ? "chain" : "link");
	if (!chained && fd >= 0)
		a->ifindex = link_ifindex(fd);
	if (chained) {
		a->ifindex = if_nametoindex(a->device);
		if (a->ifindex && !chain_is_attached(file, a->ifindex))
			a->ifindex = 0;
	}
	attach_query(a->ifindex, a->mode);
	a->egress = egress_is_attached(a->ifindex);
}

static int list_kind(const char *pin, bool chained, struct hw_attachment *out, int n)
{
	const char *kind = chained ? "chains" : "links";
	char path[PATH_MAX];
	struct dirent *e;
	int count = 0;
	DIR *dir;

	if (snprintf(path, sizeof(path), "%s/%s", pin, kind) >= (int)sizeof(path))
		return -1;
	dir = opendir(path);
	if (!dir && errno == ENOENT)
		return 0;
	if (!dir) {
		hw_err("%s: %s", path, strerror(errno));
		return -1;
	}
	while (count < n && (e = readdir(dir)))
		if (e->d_name[0] != '.' && attach_pin_path(path, pin, kind, e->d_name))
			describe(&out[count++], path, e->d_name, chained);
	closedir(dir);
	return count;
}

bool hw_attach_program_is_ours(int prog_fd, uint32_t map_id)
{
	uint32_t ids[64];
	struct bpf_prog_info info = { .nr_map_ids = 64, .map_ids = (uintptr_t)ids };
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(prog_fd, &info, &len) || strcmp(info.name, "hw_ingress"))
		return false;
	for (uint32_t i = 0; i < info.nr_map_ids && i < 64; i++)
		if (ids[i] == map_id)
			return true;
	return false;
}

static uint32_t config_map_id(const char *pin)
{
	struct bpf_map_info info = {0};
	__u32 len = sizeof(info);
	hw_autoclose int fd = -1;
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/hw_config", pin) >= (int)sizeof(path))
		return 0;
	fd = bpf_obj_get(path);
	return fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &len) == 0 ? info.id : 0;
}

static bool is_listed(const struct hw_attachment *list, int n, const char *device)
{
	for (int i = 0; i < n; i++)
		if (strcmp(list[i].device, device) == 0)
			return true;
	return false;
}

/* NICs that another tool put the program on, over the maps of this pin path. Asked of the kernel, not of pins. */
static int list_others(const char *pin, struct hw_attachment *out, int have, int n)
{
	struct if_nameindex *all = if_nameindex();
	uint32_t map_id = config_map_id(pin);

	for (struct if_nameindex *i = all; map_id && i && i->if_index && have < n; i++) {
		uint32_t id = attach_query(i->if_index, NULL);
		hw_autoclose int fd = id ? bpf_prog_get_fd_by_id(id) : -1;
		struct hw_attachment *a = &out[have];

		if (is_listed(out, have, i->if_name) ||
		    fd < 0 || !(hw_attach_program_is_ours(fd, map_id) || chain_runs_over(i->if_index, map_id)))
			continue;
		memset(a, 0, sizeof(*a));
		snprintf(a->device, sizeof(a->device), "%s", i->if_name);
		snprintf(a->attach, sizeof(a->attach), "other");
		a->ifindex = i->if_index;
		attach_query(a->ifindex, a->mode);
		have++;
	}
	if_freenameindex(all);
	return have;
}

int hw_attach_list(const char *pin, struct hw_attachment *out, int n)
{
	int links = list_kind(pin, false, out, n);
	int chains = links < 0 ? -1 : list_kind(pin, true, out + links, n - links);

	return chains < 0 ? -1 : list_others(pin, out, links + chains, n);
}
