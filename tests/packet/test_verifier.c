/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the program costs the kernel's verifier: instructions processed, out of
 * a million that it allows. A budget far below that shows growth in review, and
 * leaves room for kernels that prune worse.
 */
#include "world.h"

#define BUDGET 60000

static char verifier_log[1 << 20];

Test(verifier, stays_in_budget)
{
	const char *last = NULL, *at = verifier_log;
	struct ingress *skel = skel_open();
	long insns;

	bpf_program__set_log_buf(skel->progs.hw_ingress, verifier_log, sizeof(verifier_log));
	bpf_program__set_log_level(skel->progs.hw_ingress, 4); /* statistics only */
	cr_assert(ingress__load(skel) == 0, "load: %s\n%s", strerror(errno), verifier_log);
	while ((at = strstr(at, "processed ")))
		last = at++;
	cr_assert(last && sscanf(last, "processed %ld insns", &insns) == 1, "no statistics in the log: %s", verifier_log);
	fprintf(stderr, "hw_ingress: %ld instructions verified, budget %d\n", insns, BUDGET);
	cr_expect(insns <= BUDGET, "%ld instructions verified, budget %d", insns, BUDGET);
	ingress__destroy(skel);
}
