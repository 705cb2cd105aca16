#!/usr/bin/env bats
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# What happens to NICs and neighbours: a next hop gets another MAC address, a NIC
# goes away and comes back, unload leaves nothing behind.

# shellcheck source=tests/lab/lib.sh
. "$BATS_TEST_DIRNAME/lib.sh"

# attached POP MODE: is the program on its uplink in this mode?
attached() {
	[ "$(hw status "$1" -- -j | jq -r '.interfaces[].mode')" = "$2" ]
}

# The nodes meet, and what strays to b is carried home.
b_carries() {
	within 5 meet a b c
	# shellcheck disable=SC2086
	talk many -n 60 -g 0.1 $both
	shift_to b
	sleep 1
	unbroken many
	[ "$(verdict b carry_tx)" -gt 0 ]
}

@test "the next hop's MAC address changes: strays go on" {
	local before
	lab_up
	begin a b c
	# shellcheck disable=SC2086
	talk many -n 60 -g 0.1 $both
	shift_to b
	sleep 0.5
	lab exec router ip link set pop-b address 02:00:00:00:00:99
	sleep 0.5
	before=$(verdict a pass_carried)
	sleep 0.5
	[ "$(verdict a pass_carried)" -gt "$before" ]
	unbroken many
}

@test "a NIC goes away and comes back: the agent attaches again, strays are carried" {
	lab_up
	begin a b c
	lab nic b del
	sleep 0.3
	lab nic b add
	within 5 attached b native
	b_carries
}

@test "unload leaves no pin, program, link or qdisc" {
	local id
	lab_up -b
	hw load a
	id=$(lab exec a ip -d link show uplink | sed -n 's/.*prog\/xdp id \([0-9]*\).*/\1/p')
	[ -n "$id" ]
	hw unload a
	run grep xdp <(lab exec a ip link show)
	[ "$status" = 1 ]
	run grep clsact <(lab exec a tc qdisc show)
	[ "$status" = 1 ]
	[ ! -e "$dir/a/bpf/homeward" ]
	run bpftool prog show id "$id"
	[ "$status" -ne 0 ]
	run hw status a
	[ "$status" = 2 ]
}

@test "another program on the NIC is not replaced, and named" {
	lab_up
	lab exec a ip link set uplink xdp obj "$dir/pass.bpf.o" sec xdp
	run hw load a
	[ "$status" = 2 ]
	[[ "$output" == *"uplink: the XDP program \"pass\""*"ip link set dev uplink xdp off"* ]] || fail "$output"
	lab exec a ip link show uplink | grep xdp
	[ ! -e "$dir/a/bpf/homeward" ]
}

@test "--chain where the kernel or libxdp cannot: refused, nothing is left" {
	lab_up
	run hw load a -- --chain
	[ "$status" != 0 ] || skip "this kernel and libxdp can"
	[ "$status" = 2 ]
	[[ "$output" == *"uplink:"*"dispatcher"* ]] || fail "$output"
	run grep xdp <(lab exec a ip link show)
	[ "$status" = 1 ]
	[ ! -e "$dir/a/bpf/homeward" ]
}

@test "the stock xdp-loader loads the object, an agent fills its maps: strays are carried" {
	lab_up
	mkdir "$dir/b/bpf/homeward"
	lab exec b xdp-loader load -m native -p "$dir/b/bpf/homeward" uplink "$root/build/ingress.bpf.o" -n hw_ingress
	hw load a c
	hw agent start a b c
	b_carries
}
