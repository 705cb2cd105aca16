/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * --chain: homeward beside other XDP programs in libxdp's dispatcher. Each
 * program there is an extension (freplace) of the dispatcher, so libxdp has to
 * load it itself; a loaded XDP program cannot be put there. Where the kernel
 * refuses extensions libxdp up to 1.5 attaches the program alone and reports
 * success. That is no chain: the next one to come would find the NIC taken, so
 * it is looked for, undone and said.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <xdp/libxdp.h>

#include "attach_private.h"

static void close_program(struct xdp_program **p)
{
	if (*p)
		xdp_program__close(*p);
}
#define autoclose_program __attribute__((cleanup(close_program)))

static void close_multi(struct xdp_multiprog **m)
{
	if (*m)
		xdp_multiprog__close(*m);
}
#define autoclose_multi __attribute__((cleanup(close_multi)))

/* What is on the device: NULL if nothing, or if libxdp cannot tell. */
static struct xdp_multiprog *dispatcher_of(uint32_t ifindex)
{
	struct xdp_multiprog *mp = xdp_multiprog__get_from_ifindex((int)ifindex);

	return libxdp_get_error(mp) ? NULL : mp;
}

static struct xdp_program *program_at(const char *file)
{
	struct xdp_program *p = xdp_program__from_pin(file);

	return libxdp_get_error(p) ? NULL : p;
}

static bool in_dispatcher(struct xdp_multiprog *mp, uint32_t id)
{
	struct xdp_program *p = NULL;

	if (!mp || xdp_multiprog__is_legacy(mp))
		return false;
	while ((p = xdp_multiprog__next_prog(p, mp)))
		if (xdp_program__id(p) == id)
			return true;
	return false;
}

bool chain_is_attached(const char *file, uint32_t ifindex)
{
	autoclose_program struct xdp_program *prog = access(file, F_OK) == 0 ? program_at(file) : NULL;
	autoclose_multi struct xdp_multiprog *mp = prog ? dispatcher_of(ifindex) : NULL;

	return prog && in_dispatcher(mp, xdp_program__id(prog));
}

bool chain_runs_over(uint32_t ifindex, uint32_t map_id)
{
	autoclose_multi struct xdp_multiprog *mp = dispatcher_of(ifindex);
	struct xdp_program *p = NULL;

	if (!mp || xdp_multiprog__is_legacy(mp))
		return false;
	while ((p = xdp_multiprog__next_prog(p, mp)))
		if (hw_attach_program_is_ours(xdp_program__fd(p), map_id))
			return true;
	return false;
}

bool chain_forget(const char *file)
{
	char dir[PATH_MAX];

	if (unlink(file) != 0 && errno != ENOENT) {
		hw_err("%s: %s", file, strerror(errno));
		return false;
	}
	snprintf(dir, sizeof(dir), "%s", file);
	*strrchr(dir, '/') = '\0';
	rmdir(dir); /* others may be there */
	return true;
}

bool chain_detach(const char *file, const char *device)
{
	const uint32_t ifindex = if_nametoindex(device);
	autoclose_program struct xdp_program *prog = program_at(file);
	int err;

	if (prog && ifindex && chain_is_attached(file, ifindex)) {
		err = xdp_program__detach(prog, (int)ifindex, XDP_MODE_UNSPEC, 0);
		if (err) {
			hw_err("%s: cannot leave the XDP dispatcher: %s; see `xdp-loader status %s`", device,
			       strerror(-err), device);
			return false;
		}
	}
	return chain_forget(file);
}

static void say_no_chain(const char *device, int err)
{
	struct utsname u = {0};

	uname(&u);
	hw_err("%s: libxdp cannot chain here (kernel %s%s%s): the kernel refuses programs that extend its dispatcher; "
	       "from 6.12 on libxdp 1.5.5 or later is needed; or load without --chain and keep other XDP programs off "
	       "this device; HOMEWARD_DEBUG=1 shows what the kernel says",
	       device, u.release, err ? ", " : "", err ? strerror(err) : "");
}

/* libxdp has put the program alone onto the device: take it off again. */
static void undo_single(uint32_t ifindex, int prog_fd, enum xdp_attach_mode mode)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts, .old_prog_fd = prog_fd);
	const __u32 flags = mode == XDP_MODE_SKB ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;

	bpf_xdp_detach((int)ifindex, flags | XDP_FLAGS_REPLACE, &opts);
}

/* Returns 0, or a positive errno; ENOTSUP if what came of it is not a chain. */
static int attach_as(struct xdp_program *prog, uint32_t ifindex, enum xdp_attach_mode mode)
{
	autoclose_multi struct xdp_multiprog *mp = NULL;
	int err = xdp_program__attach(prog, (int)ifindex, mode, 0);

	if (err)
		return -err;
	mp = dispatcher_of(ifindex);
	if (in_dispatcher(mp, xdp_program__id(prog)))
		return 0;
	undo_single(ifindex, xdp_program__fd(prog), mode);
	return ENOTSUP;
}

static int attach(const char *device, struct xdp_program *prog, uint32_t ifindex, enum hw_mode mode)
{
	autoclose_multi struct xdp_multiprog *before = dispatcher_of(ifindex);
	enum xdp_attach_mode as = mode == HW_MODE_SKB ? XDP_MODE_SKB : XDP_MODE_NATIVE;
	int err;

	if (before && mode == HW_MODE_AUTO) /* beside the others there is one mode only */
		return attach_as(prog, ifindex, xdp_multiprog__attach_mode(before));
	err = attach_as(prog, ifindex, as);
	if (!err || mode != HW_MODE_AUTO || err == ENOTSUP)
		return err;
	hw_note("%s: trying skb mode, since native XDP is refused: %s", device, strerror(err));
	return attach_as(prog, ifindex, XDP_MODE_SKB);
}

/* The new program is in the dispatcher: the old one leaves it, and the pin changes hands. */
static enum hw_attached take_over(const char *pin, const char *file, const char *device, struct xdp_program *prog,
				  uint32_t ifindex)
{
	const enum hw_attached result = chain_is_attached(file, ifindex) ? HW_ATTACH_REPLACED : HW_ATTACH_NEW;

	if ((access(file, F_OK) != 0 || chain_detach(file, device)) && attach_make_dir(pin, "chains")) {
		if (bpf_obj_pin(xdp_program__fd(prog), file) == 0)
			return result;
		hw_err("%s: %s", file, strerror(errno));
	}
	xdp_program__detach(prog, (int)ifindex, XDP_MODE_UNSPEC, 0);
	return HW_ATTACH_FAILED;
}

static struct xdp_program *program_of(const char *device, struct bpf_object *obj, const char *name)
{
	DECLARE_LIBXDP_OPTS(xdp_program_opts, opts, .obj = obj, .prog_name = name);
	struct xdp_program *prog = xdp_program__create(&opts);
	long err = libxdp_get_error(prog);

	if (!err)
		return prog;
	hw_err("%s: libxdp cannot use the program %s: %s", device, name, strerror((int)-err));
	return NULL;
}

/* Nothing of ours or of others is in the way of a dispatcher. Says it if there is. */
static bool may_chain(const char *pin, const char *device, uint32_t ifindex)
{
	autoclose_multi struct xdp_multiprog *mp = NULL;
	char linked[PATH_MAX];

	if (!attach_pin_path(linked, pin, "links", device))
		return false;
	if (access(linked, F_OK) == 0) {
		hw_err("%s: homeward is there without --chain; run `homeward unload %s` first", device, device);
		return false;
	}
	mp = dispatcher_of(ifindex);
	if ((!mp && attach_query(ifindex, NULL)) || (mp && xdp_multiprog__is_legacy(mp))) {
		attach_say_taken(device, ifindex);
		return false;
	}
	return true;
}

enum hw_attached hw_attach_chain(const char *pin, const char *device, struct bpf_object *obj,
				 const char *program, enum hw_mode mode)
{
	autoclose_program struct xdp_program *prog = NULL;
	const uint32_t ifindex = if_nametoindex(device);
	char file[PATH_MAX];
	int err;

	if (!ifindex) {
		hw_err("%s: no such device", device);
		return HW_ATTACH_FAILED;
	}
	if (!attach_pin_path(file, pin, "chains", device) || !may_chain(pin, device, ifindex))
		return HW_ATTACH_FAILED;
	prog = program_of(device, obj, program);
	if (!prog)
		return HW_ATTACH_FAILED;
	err = attach(device, prog, ifindex, mode);
	if (!err)
		return take_over(pin, file, device, prog, ifindex);
	say_no_chain(device, err == ENOTSUP ? 0 : err);
	return HW_ATTACH_FAILED;
}
