/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What a stray costs in map memory, as the kernel accounts for it: entries that
 * are there, and the share of the empty map's tables that each would have if
 * the map were full.
 */
#include "world.h"

#define ENTRIES 131072
#define BATCH   4096
#define LIMIT   192

/* Bytes of the map, by the kernel's account; 0: it gives none that grows (before 6.4). */
static uint64_t map_bytes(int fd)
{
	unsigned long long bytes = 0;
	char path[64], line[128];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	cr_assert(f);
	while (fgets(line, sizeof(line), f) && sscanf(line, "memlock: %llu", &bytes) != 1)
		;
	fclose(f);
	return bytes;
}

Test(memory, a_stray)
{
	static struct hw_flow_key key[BATCH];
	static struct hw_flow flow[BATCH];
	struct ingress *skel = skel_open();
	uint64_t empty, full, capacity;
	double each, share;
	int fd;

	cr_assert(ingress__load(skel) == 0, "load: %s", strerror(errno));
	fd = bpf_map__fd(skel->maps.hw_flows);
	capacity = bpf_map__max_entries(skel->maps.hw_flows);
	empty = map_bytes(fd);
	for (uint32_t i = 0; i < ENTRIES / BATCH; i++) {
		uint32_t n = BATCH;

		for (uint32_t j = 0; j < BATCH; j++)
			key[j] = (struct hw_flow_key){ .vip = i + 1, .vip_port = 443, .client_port = j };
		cr_assert(bpf_map_update_batch(fd, key, flow, &n, NULL) == 0 && n == BATCH);
	}
	full = map_bytes(fd);
	if (full == empty) {
		fprintf(stderr, "this kernel does not count entries that are allocated one by one: no figure\n");
		ingress__destroy(skel);
		return;
	}
	each = (double)(full - empty) / ENTRIES;
	share = (double)empty / capacity;
	fprintf(stderr, "a stray: %.0f bytes for its entry, %.0f of the tables of hw_flows\n", each, share);
	cr_expect(each + share <= LIMIT, "%.0f bytes, limit %d", each + share, LIMIT);
	ingress__destroy(skel);
}
