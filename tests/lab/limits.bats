#!/usr/bin/env bats
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Where it gets tight: the per-flow map is full, the path to a node is narrow.

# shellcheck source=tests/lab/lib.sh
. "$BATS_TEST_DIRNAME/lib.sh"

@test "hw_flows is full: further strays are dropped and counted, never reset" {
	lab_up
	echo "limits: {flows: 20}" >>"$dir/b/homeward.yaml"
	begin a b c
	# shellcheck disable=SC2086
	talk many -n 60 -m 1,0,0,0 -g 0.1 $both
	shift_to b
	sleep 1.5
	[ "$(hw flows b -- -j | jq length)" -le 20 ]
	[ "$(hw stats b -- -j | jq .agent.flow_map_full)" -gt 0 ]
	[ "$(verdict b pass_nobody)" = 0 ]
	shift_to a
	sleep 1.5
	unbroken many
}

path_between() {
	local mtu
	mtu=$(hw nodes b -- -j | jq '.[] | select(.name == "a").path_mtu')
	[ "$mtu" -ge "$1" ] && [ "$mtu" -le "$2" ]
}

@test "the path to a node is narrow: its MTU is learned, what does not fit is dropped and counted" {
	lab_up
	begin a b c
	within 3 path_between 1500 1500
	lab exec router ip link set pop-a mtu 1400
	within 10 path_between 1392 1400
	# shellcheck disable=SC2086
	talk many -n 10 -m 0,0,1,0 -r 200000 -T 20 $both
	shift_to b
	within 5 dropped_too_big
	[ "$(verdict b pass_nobody)" = 0 ]
	shift_to a
	unbroken many
}

dropped_too_big() { [ "$(verdict b drop_too_big)" -gt 0 ]; }
