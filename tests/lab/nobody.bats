#!/usr/bin/env bats
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# A flow that no node owns is reset, and soon.

# shellcheck source=tests/lab/lib.sh
. "$BATS_TEST_DIRNAME/lib.sh"

@test "a flow that nobody owns is reset quickly" {
	lab_up
	begin a b c
	tell "IPv4: $(client "$root/build/segment" probe 192.0.2.2 "$vip4" 80 20 2000)"
	tell "IPv6: $(client "$root/build/segment" probe 2001:db8:c::2 "$vip6" 80 20 2000)"
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
