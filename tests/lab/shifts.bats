#!/usr/bin/env bats
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Hundreds of connections of every kind, half of them open before homeward is
# loaded, through twenty shifts: none breaks and every byte is right.

# shellcheck source=tests/lab/lib.sh
. "$BATS_TEST_DIRNAME/lib.sh"

twenty_shifts() {
	local i pops=(b c a)
	# shellcheck disable=SC2086
	talk before -n 250 $both
	begin a b c
	# shellcheck disable=SC2086
	talk after -n 250 $both
	for i in {0..19}; do
		shift_to "${pops[i % 3]}"
		sleep 0.25
	done
	unbroken before after
	[ "$(verdict a pass_nobody)" = 0 ]
	[ "$(verdict b pass_nobody)" = 0 ]
	[ "$(verdict c pass_nobody)" = 0 ]
}

@test "500 connections through 20 shifts; nodes at IPv4 endpoints" {
	lab_up
	twenty_shifts
}

@test "500 connections through 20 shifts; nodes at IPv6 endpoints" {
	lab_up -6
	twenty_shifts
}
