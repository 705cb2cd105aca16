/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* From the ways in hw_nodes to hw_mss: the arithmetic as a table, and which nodes count. Real maps, so as root. */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include <criterion/criterion.h>

#include "../../loader/publish.h"

Test(mss, of_the_room_between_nodes)
{
	static const struct {
		const char *what;
		uint32_t room, mss4, mss6;
	} rows[] = {
		{ "1500, IPv4 outside", 1500 - 52, 1408, 1388 },
		{ "1500, IPv6 outside", 1500 - 72, 1388, 1368 },
		{ "1400, IPv4 outside", 1400 - 52, 1308, 1288 },
		{ "9000, IPv6 outside", 9000 - 72, 8888, 8868 },
		{ "one above what IPv6 needs", 1281, 1241, 1221 },
		{ "just what IPv6 needs", 1280, 1240, 1220 },
		{ "less: IPv6 stays", 1279, 1239, 1220 },
		{ "just what IPv4 needs", 576, 536, 1220 },
		{ "less: both stay", 575, 536, 1220 },
		{ "nothing", 1, 536, 1220 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct hw_mss got = hw_publish_mss_of(rows[i].room);

		cr_expect(got.mss4 == rows[i].mss4 && got.mss6 == rows[i].mss6, "%s: %u, %u", rows[i].what, got.mss4,
			  got.mss6);
	}
}

static struct hw_pins maps(void)
{
	struct hw_pins p = { .path = "test" };

	p.nodes = bpf_map_create(BPF_MAP_TYPE_ARRAY, "hw_nodes", 4, sizeof(struct hw_node), HW_NODE_IDS, NULL);
	p.mss = bpf_map_create(BPF_MAP_TYPE_ARRAY, "hw_mss", 4, sizeof(struct hw_mss), 1, NULL);
	cr_assert(p.nodes > 0 && p.mss > 0, "maps: %s (run as root)", strerror(errno));
	return p;
}

static void way(const struct hw_pins *p, __u32 id, bool usable, uint32_t mtu)
{
	struct hw_node node = { .usable = usable, .mtu = mtu, .overhead = HW_OVERHEAD4 };

	cr_assert_eq(bpf_map_update_elem(p->nodes, &id, &node, BPF_ANY), 0);
}

static void expect(const struct hw_pins *p, const struct hw_conf *conf, uint32_t mss4, uint32_t mss6,
		   const char *what)
{
	struct hw_mss got;

	cr_assert(hw_publish_mss(p, conf));
	cr_assert_eq(bpf_map_lookup_elem(p->mss, &(__u32){0}, &got), 0);
	cr_expect(got.mss4 == mss4 && got.mss6 == mss6, "%s: %u, %u", what, got.mss4, got.mss6);
}

Test(mss, the_narrowest_usable_way_counts)
{
	static const struct hw_conf_node nodes[] = {
		{ .name = "ams1", .id = 1, .endpoint = { { [10] = 0xff, 0xff, 198, 51, 100, 1 } } },
		{ .name = "fra1", .id = 2, .endpoint = { { [10] = 0xff, 0xff, 198, 51, 100, 2 } } },
		{ .name = "par1", .id = 1023, .endpoint = { { [10] = 0xff, 0xff, 198, 51, 100, 3 } } },
	};
	struct hw_conf conf = { .self = &nodes[0], .nodes = (struct hw_conf_node *)nodes, .n_nodes = 3 };
	struct hw_pins p = maps();

	expect(&p, &conf, 1408, 1388, "nothing known yet: 1500");
	way(&p, 2, true, 9000);
	expect(&p, &conf, 8908, 8888, "one way");
	way(&p, 1023, true, 1400);
	expect(&p, &conf, 1308, 1288, "the narrower of two");
	way(&p, 7, true, 1300);
	expect(&p, &conf, 1308, 1288, "one that is not in the config");
	way(&p, 1023, false, 0);
	expect(&p, &conf, 8908, 8888, "one that is not usable");
	way(&p, 2, false, 0);
	expect(&p, &conf, 8908, 8888, "none is usable: as before");
	way(&p, 2, true, 40);
	expect(&p, &conf, 536, 1220, "less than the headers");
	conf.n_nodes = 1;
	expect(&p, &conf, 0, 0, "alone: nothing is lowered");
}
