/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Frames that go through the XDP program a second time, by BPF_PROG_TEST_RUN
 * with live frames: held packets whose home has been found, packets that nobody
 * owns, and those of farewell.c. A mark in the metadata keeps the program from
 * handing them up again.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "agent.h"
#include "attach.h"

/* The most that a live frame can hold: a page less the room that the kernel keeps around it. */
#define FRAME_MAX 3400

int hw_replay_program(const struct hw_pins *pins)
{
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info), id = 0;
	char path[4200];
	int fd;

	snprintf(path, sizeof(path), "%s/ingress", pins->path);
	fd = bpf_obj_get(path);
	if (fd >= 0)
		return fd;
	if (bpf_obj_get_info_by_fd(pins->config, &info, &len))
		return -1;
	while (!bpf_prog_get_next_id(id, &id)) {
		fd = bpf_prog_get_fd_by_id(id);
		if (fd >= 0 && hw_attach_program_is_ours(fd, info.id))
			return fd;
		hw_close(&fd);
	}
	return -1;
}

void hw_replay_frame(struct hw_agent_state *a, uint32_t ifindex, const void *frame, uint32_t len,
		     enum hw_replay what)
{
	struct {
		struct hw_mark mark;
		uint8_t frame[FRAME_MAX];
	} in = { .mark = { .replay_mark = a->config.replay_mark, .what = what } };
	struct xdp_md ctx = { .data = sizeof(in.mark), .data_end = sizeof(in.mark) + len,
			      .ingress_ifindex = ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = &in, .data_size_in = sizeof(in.mark) + len, .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .repeat = 1, .batch_size = 1, .flags = BPF_F_TEST_XDP_LIVE_FRAMES);

	if (a->ingress < 0 || len > FRAME_MAX)
		return;
	memcpy(in.frame, frame, len);
	/* A NIC that is gone refuses: the packet is lost with it, and TCP sends again. */
	bpf_prog_test_run_opts(a->ingress, &run);
}
