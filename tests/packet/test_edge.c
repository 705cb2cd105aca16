/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Packets that others found worth testing (edge.jsonl: a JSON object a line,
 * the frame in hex), against every configuration that could make one of them
 * ours: nothing may be aborted or miscounted, and what passes comes out as it
 * went in. world_run() checks for each that one counter moved, and the action.
 */
#include "world.h"

#include "edges.h"

/* The destination of its IP header, if there is one. */
static bool edge_dst(const struct frame *f, char text[INET6_ADDRSTRLEN])
{
	if (edge_is6(f) && f->len >= ETH + 40)
		return inet_ntop(AF_INET6, f->b + ETH + 24, text, INET6_ADDRSTRLEN);
	if (get16(f->b + 12) == 0x0800 && f->len >= ETH + 20)
		return inet_ntop(AF_INET, f->b + ETH + 16, text, INET6_ADDRSTRLEN);
	return false;
}

/* All of them through the program as it is configured; returns how many passed as none of ours. */
static int edges_run(void)
{
	int others = 0;

	for (int i = 0; i < n_edges; i++) {
		world_run(&edges[i].frame);
		cr_expect(w.result.action != XDP_ABORTED, "%s", edges[i].what);
		if (w.result.action == XDP_PASS)
			expect_frame(&w.result.out, &edges[i].frame, edges[i].what);
		others += w.result.verdict == HW_V_pass_other;
	}
	return others;
}

/* Every destination becomes a VIP; `flags` as in struct hw_vip. */
static void edges_are_vips(unsigned flags, unsigned n_ports, const uint16_t *ports)
{
	char text[INET6_ADDRSTRLEN];

	map_empty(w.skel->maps.hw_vips);
	for (int i = 0; i < n_edges; i++)
		if (edge_dst(&edges[i].frame, text))
			vip_put(text, 1, flags, n_ports, ports);
}

Test(edge, none_is_ours)
{
	world_open();
	edges_read();
	cr_expect(edges_run() == n_edges, "some are judged, though none is for a VIP");
}

Test(edge, all_are_for_vips)
{
	static const uint16_t web[] = { 80, 443 };

	world_open();
	edges_read();
	edges_are_vips(0, 0, NULL);
	cr_expect(edges_run() < n_edges / 2, "hardly any is for a VIP");
	edges_are_vips(0, 2, web);
	edges_run();
	edges_are_vips(HW_VIP_INVISIBLE, 0, NULL);
	edges_run();
}

/* The flow of each is known as a stray, so that all that can be carried is. */
Test(edge, all_are_strays)
{
	int carried = 0;

	world_open();
	edges_read();
	edges_are_vips(0, 0, NULL);
	for (int home = 0; home < 2; home++) {
		for (int i = 0; i < n_edges; i++) {
			struct hw_flow flow = { .home = home ? PEER6 : PEER, .outer_port = 1 };

			world_reset();
			world_run(&edges[i].frame);
			if (w.strays)
				map_put(w.skel->maps.hw_flows, &w.stray.head.key, &flow);
			world_run(&edges[i].frame);
			cr_expect(w.result.action != XDP_ABORTED, "%s", edges[i].what);
			carried += w.result.verdict == HW_V_carry_tx;
		}
	}
	cr_expect(carried > 20, "only %d are carried", carried);
}

/* Each is inside a packet of another node. */
Test(edge, all_are_carried)
{
	world_open();
	edges_read();
	edges_are_vips(0, 0, NULL);
	for (int i = 0; i < n_edges * 4; i++) {
		struct tun tun = { .family = i & 1 ? 6 : 4, .kind = i & 2 ? HW_KIND_RETURN : HW_KIND_CARRY };
		struct edge *e = &edges[i / 4];
		size_t ip = edge_is6(&e->frame) ? 40 : 20, at = edge_is6(&e->frame) ? 8 : 12, n = edge_is6(&e->frame) ? 32 : 8;
		struct frame inner = { .len = 0 }, f;
		uint8_t tag[8] = { 0 };

		if (e->frame.len < ETH + ip + 4)
			continue;
		put(&inner, e->frame.b + ETH, e->frame.len - ETH);
		tun_tag(&tun, get16(e->frame.b + 12), get16(inner.b + ip), get16(inner.b + ip + 2), inner.b + at, n, tag);
		build_tun(&f, &tun, &inner, get16(e->frame.b + 12), tag);
		world_endpoint(tun.family);
		world_run(&f);
		cr_expect(w.result.action == XDP_DROP || w.result.verdict == HW_V_return_tx, "%s, carried: %s", e->what,
			  verdict_name[w.result.verdict]);
	}
}

/* Every destination is the endpoint once: nothing in the file was made by a node. */
Test(edge, all_are_for_the_endpoint)
{
	char text[INET6_ADDRSTRLEN];

	world_open();
	edges_read();
	for (int i = 0; i < n_edges; i++) {
		struct frame f = edges[i].frame;
		size_t port = ETH + (edge_is6(&f) ? 40 : 20) + 2;

		if (!edge_dst(&f, text))
			continue;
		w.config.endpoint = addr_of(text);
		config_put();
		world_run(&f);
		cr_expect(w.result.verdict == HW_V_pass_other || w.result.action == XDP_DROP, "%s: %s", edges[i].what,
			  verdict_name[w.result.verdict]);
		if (f.len < port + 2)
			continue;
		set16(f.b + port, 6081);
		world_run(&f);
		cr_expect(w.result.verdict == HW_V_pass_other || w.result.action == XDP_DROP, "%s, to port 6081: %s",
			  edges[i].what, verdict_name[w.result.verdict]);
	}
}
