#!/usr/bin/env bats
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Peers are reached by another NIC than the clients: strays are redirected.

# shellcheck source=tests/lab/lib.sh
. "$BATS_TEST_DIRNAME/lib.sh"

over_core() {
	begin a b c
	# shellcheck disable=SC2086
	talk many -n 100 -g 0.1 $both
	for pop in b c b a; do
		shift_to "$pop"
		sleep 0.4
	done
	unbroken many
	[ "$(verdict b carry_redirect)" -gt 0 ]
	[ "$(verdict b carry_tx)" = 0 ]
}

@test "peers reached by another NIC than clients; IPv4 endpoints" {
	lab_up -b
	over_core
}

@test "peers reached by another NIC than clients; IPv6 endpoints" {
	lab_up -b -6
	over_core
}
