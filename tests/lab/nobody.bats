#!/usr/bin/env bats
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# A flow that no node owns is reset, and soon.

# shellcheck source=tests/lab/lib.sh
. "$BATS_TEST_DIRNAME/lib.sh"

# reset_soon CLIENT VIP: "quickly" is within half a second here; two rounds of questions take some milliseconds
reset_soon() {
	local out
	out=$(client "$root/build/segment" probe "$1" "$2" 80 20 500) || fail "$out"
	tell "$2: $out"
	[[ $out = "reset 20 of 20"* ]]
}

@test "a flow that nobody owns is reset quickly" {
	lab_up
	begin a b c
	reset_soon 192.0.2.2 "$vip4"
	reset_soon 2001:db8:c::2 "$vip6"
	[ "$(verdict a pass_nobody)" -ge 40 ]
}

@test "a flow that nobody can ask about is not reset" {
	lab_up
	begin a b c
	lab cut a b
	sleep 1.5
	run client "$root/build/segment" probe 192.0.2.2 "$vip4" 80 2 1500
	echo "$output"
	[[ $output = "reset 0 of 2"* ]]
}
