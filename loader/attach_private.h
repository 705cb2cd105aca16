/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What attach.c, chain.c and egress.c share and nobody else needs. */
#pragma once

#include <limits.h>

#include "attach.h"

/* Where a device's pin is: kind is "links" or "chains". False (said) if the path is too long. */
bool attach_pin_path(char out[PATH_MAX], const char *pin, const char *kind, const char *device);

/* Makes PIN/links or PIN/chains. False (said) if it cannot. */
bool attach_make_dir(const char *pin, const char *kind);

/* Says that a program that is not ours is on the device, which one, and what to do about it. */
void attach_say_taken(const char *device, uint32_t ifindex);

/* The id of the XDP program on the device (of libxdp's dispatcher, if there is one); 0: none. mode: as in
 * hw_attachment, may be NULL. */
uint32_t attach_query(uint32_t ifindex, char mode[8]);

/* "?" if there is no such program. out: BPF_OBJ_NAME_LEN bytes. */
void attach_program_name(uint32_t id, char *out);

/* Is our tc egress program on the device? */
bool egress_is_attached(uint32_t ifindex);

/* Takes it off, and the clsact qdisc if that is ours and empty then. False if that failed (said). */
bool egress_detach(const char *pin, const char *device);

/* Takes our place in the dispatcher back and removes the pin; `file` is the pin. False if that failed (said). */
bool chain_detach(const char *file, const char *device);

/* True if the device's dispatcher has hw_ingress in it, over the map with this id. */
bool chain_runs_over(uint32_t ifindex, uint32_t map_id);

/* Removes a chain's pin, if it is there, and PIN/chains with the last one. */
bool chain_forget(const char *file);

/* True if the program pinned at `file` is in the device's dispatcher. */
bool chain_is_attached(const char *file, uint32_t ifindex);
