/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The agent's look at the own socket table. XDP runs ahead of the stack by a
 * batch, so what it did not find may be there a moment later: before anybody
 * is asked the agent looks again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "agent.h"
#include "look.skel.h"

#define LOOK_OFFSET 16 /* as in bpf/look.bpf.c */

struct hw_look {
	struct look *skel;
};

struct hw_look *hw_look_open(void)
{
	struct hw_look *look = calloc(1, sizeof(*look));

	if (look)
		look->skel = look__open_and_load();
	if (look && look->skel)
		return look;
	hw_err("the agent's own BPF program cannot be loaded: %s", strerror(errno));
	free(look);
	return NULL;
}

void hw_look_close(struct hw_look *look)
{
	if (look)
		look__destroy(look->skel);
	free(look);
}

bool hw_look_grade(struct hw_look *look, struct hw_ask_flow *flows, unsigned n)
{
	struct {
		uint8_t head[LOOK_OFFSET];
		struct hw_ask_flow flows[HW_ASK_FLOWS];
	} in = {}, out;
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = &in, .data_size_in = LOOK_OFFSET + n * sizeof(*flows),
		    .data_out = &out, .data_size_out = sizeof(out), .repeat = 1);

	if (n > HW_ASK_FLOWS)
		return false;
	memcpy(in.flows, flows, n * sizeof(*flows));
	if (bpf_prog_test_run_opts(bpf_program__fd(look->skel->progs.hw_look), &run))
		return false;
	memcpy(flows, out.flows, n * sizeof(*flows));
	return true;
}
