/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The XDP program on a NIC: a bpf_link, pinned as PIN/links/DEVICE, replaced
 * in place; or, with --chain, a place in libxdp's dispatcher, and the program
 * of that place pinned as PIN/chains/DEVICE. bpffs refuses names with dots, so
 * a dot in a device name is a colon there (which no device name holds). Beside
 * it the tc egress program.
 */
#pragma once

#include "homeward.h"

struct bpf_object;

enum hw_attached { HW_ATTACH_FAILED, HW_ATTACH_NEW, HW_ATTACH_REPLACED };

/*
 * libbpf and libxdp speak to standard error of their own accord: after this they
 * do so only when HOMEWARD_DEBUG is set in the environment (then the verifier's
 * log is there too). Called once, first thing in main().
 */
void hw_quiet_libbpf(void);

/*
 * Puts the program on the device. A pinned link of ours is updated in place
 * (no packet is lost), a dead one (its NIC went away) is made anew. Another
 * program on the NIC is never replaced: the error names it. Errors are said.
 */
enum hw_attached hw_attach_link(const char *pin, const char *device, int prog_fd, enum hw_mode mode);

/*
 * Through libxdp's dispatcher; refuses, and undoes, where libxdp falls back to
 * a single program. libxdp loads the program itself, as an extension of its
 * dispatcher, so `obj` is opened but not loaded: its maps already are those of
 * PIN (bpf_map__reuse_fd), `program` is the name of its XDP program. A new
 * object for each device; it stays the caller's.
 */
enum hw_attached hw_attach_chain(const char *pin, const char *device, struct bpf_object *obj,
				 const char *program, enum hw_mode mode);

/*
 * egress.c: puts the tc egress program on the device, or replaces it there.
 * Filters of others stay. False if that failed (said, as a warning: what strays
 * is carried without it, if only it is small enough).
 */
bool hw_egress_attach(const char *pin, const char *device, int prog_fd);

/* Takes our programs off the device, whichever way they were put there. False if that failed (said). */
bool hw_attach_detach(const char *pin, const char *device);

struct hw_attachment {
	char device[16];     /* IFNAMSIZ */
	uint32_t ifindex;    /* 0: the NIC is gone */
	char mode[8];        /* "native", "skb", "offload"; "gone" */
	char attach[8];      /* "link" or "chain"; "other": xdp-loader or the like put it there, over our maps */
	bool egress;         /* the tc egress program is there too */
};

/* True if the program is hw_ingress over the map with this id (hw_config's): two homewards may run on a machine. */
bool hw_attach_program_is_ours(int prog_fd, uint32_t map_id);

/* All attachments under the pin path. Returns their number, at most n; -1 on error. */
int hw_attach_list(const char *pin, struct hw_attachment *out, int n);
