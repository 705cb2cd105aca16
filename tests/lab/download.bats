#!/usr/bin/env bats
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# A download goes on, byte for byte, while the route moves from PoP to PoP.

# shellcheck source=tests/lab/lib.sh
. "$BATS_TEST_DIRNAME/lib.sh"

through_shifts() {
	local pop
	begin a b c
	download four "http://$vip4/big"
	download six "http://[$vip6]/big"
	for pop in b c a; do
		sleep 0.7
		shift_to "$pop"
	done
	fetched four
	fetched six
	[ "$(verdict b carry_tx)" -gt 0 ]
	[ "$(verdict c carry_tx)" -gt 0 ]
	[ "$(verdict a pass_carried)" -gt 0 ]
}

@test "a download goes on through shifts; nodes at IPv4 endpoints" {
	lab_up
	through_shifts
}

@test "a download goes on through shifts; nodes at IPv6 endpoints" {
	lab_up -6
	through_shifts
}

@test "without homeward the same download breaks at the first shift" {
	lab_up
	download four "http://$vip4/big"
	sleep 0.5
	shift_to b
	within 5 over four
	grep '200 56' "$dir/log/four"
}
