#!/usr/bin/env bats
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# The home of connections dies. Clients learn it within node-down (1 s here) and
# one second more: those that send, and those that only wait for data.

# shellcheck source=tests/lab/lib.sh
. "$BATS_TEST_DIRNAME/lib.sh"

# all_reset NAME DEATH: each connection was reset within the bound
all_reset() {
	local took
	within 10 over "$1"
	took=$(talked "$1" "(.last_break - $2) * 1000 | round / 1000")
	tell "$1: all reset $took s after the death"
	[ "$(talked "$1" '.reasons.ECONNRESET == .opened')" = true ] || fail "$(cat "$dir/log/$1")"
	[ "$(jq -n "$took < 2")" = true ]
}

die() {
	t=$(clock)
	lab exec a ip link set uplink down
}

# The new PoP knows the flows when their home dies.
strayed() {
	begin a b c
	# shellcheck disable=SC2086
	talk strayed -n 60 -m 1,1,1,0 -g 0.2 $both
	shift_to b
	sleep 1
	die
	all_reset strayed "$t"
}

# They strayed, went home again, moved on there, and lose it: what the other PoP remembers of them is old.
@test "the home of flows that had strayed once dies: pure downloads are reset as well" {
	lab_up
	begin a b c
	# shellcheck disable=SC2086
	talk returned -n 60 -m 0,1,0,0 $both
	shift_to b
	sleep 1
	shift_to a
	sleep 3
	shift_to b
	die
	all_reset returned "$t"
}

@test "the home of strays dies: reset within node-down + 1 s; IPv4 endpoints" {
	lab_up
	strayed
}

@test "the home of strays dies: reset within node-down + 1 s; IPv6 endpoints" {
	lab_up -6
	strayed
}

@test "the home dies and the route moves at once: who sends is reset within node-down + 1 s" {
	lab_up
	begin a b c
	# shellcheck disable=SC2086
	talk fresh -n 60 -m 1,0,1,0 -g 0.2 $both
	sleep 0.5
	shift_to b
	die
	all_reset fresh "$t"
}
