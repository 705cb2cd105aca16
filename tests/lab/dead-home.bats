#!/usr/bin/env bats
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# The home of connections dies. Clients learn it within node-down (1 s here) and
# one second more: those that send, and those that only wait for data.

. "$BATS_TEST_DIRNAME/lib.sh"

# all_reset NAME DEATH: each connection was reset within the bound
all_reset() {
	local took
	within 10 over "$1"
	took=$(talked "$1" ".last_break - $2")
	tell "$1: all reset $took s after the death"
	[ "$(talked "$1" '.reasons.ECONNRESET == .opened')" = true ] || fail "$(cat "$dir/log/$1")"
	[ "$(jq -n "$took < 2")" = true ]
}

death() {
	local t
	begin a b c
	# shellcheck disable=SC2086
	talk strayed -n 60 -m 1,1,1,0 -g 0.2 $both
	shift_to b
	sleep 1
	shift_to a
	# shellcheck disable=SC2086
	talk fresh -n 40 -m 1,0,1,0 -g 0.2 $both
	sleep 0.5
	shift_to b
	t=$(clock)
	lab exec a ip link set uplink down
	all_reset strayed "$t"
	all_reset fresh "$t"
}

@test "the home dies: its flows are reset within node-down + 1 s; IPv4 endpoints" {
	lab_up
	death
}

@test "the home dies: its flows are reset within node-down + 1 s; IPv6 endpoints" {
	lab_up -6
	death
}
