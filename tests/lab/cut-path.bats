#!/usr/bin/env bats
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# The path between two nodes is cut for five seconds, as faults that shift routes
# do. That is no proof of a death: nothing is reset and all goes on afterwards.

# shellcheck source=tests/lab/lib.sh
. "$BATS_TEST_DIRNAME/lib.sh"

cut_for_5s() {
	begin a b c
	# shellcheck disable=SC2086
	talk known -n 60 -g 0.2 $both
	shift_to b
	sleep 1
	shift_to a
	# shellcheck disable=SC2086
	talk unknown -n 60 -g 0.2 $both
	lab cut a b
	shift_to b
	sleep 5
	lab mend a b
	sleep 4
	unbroken known unknown
	[ "$(verdict b pass_nobody)" = 0 ]
}

@test "the path to the home is cut for 5 s: nothing is reset" {
	lab_up
	cut_for_5s
}

@test "the path over a backbone is cut for 5 s: nothing is reset" {
	lab_up -b -6
	cut_for_5s
}
