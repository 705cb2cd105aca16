#!/usr/bin/env bats
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# What `load` and `unload` leave alone: a config in force, another tool's
# program, files that are not homeward's. And what a changed config does.

# shellcheck source=tests/lab/lib.sh
. "$BATS_TEST_DIRNAME/lib.sh"

config() { sed -i "$2" "$dir/$1/homeward.yaml"; }
network_is() { [ "$(network "$1")" = "$2" ]; }
mode_is() { [ "$(hw status "$1" -- -j | jq -r '.interfaces[].mode')" = "$2" ]; }
network() { hw status "$1" -- -j | jq .network; }

@test "a load that fails at the second NIC changes nothing" {
	lab_up -b
	hw load a -- uplink
	lab exec a ip link set core xdp obj "$dir/pass.bpf.o" sec xdp
	config a 's/network: 7/network: 8/'
	run hw load a -- uplink core
	[ "$status" = 2 ]
	[ "$(network a)" = 7 ]
	[ "$(hw status a -- -j | jq -r '.interfaces[].name')" = uplink ]
}

@test "load leaves the config to the agent that runs" {
	lab_up
	begin a b c
	config a 's/network: 7/network: 8/'
	run hw load a
	[ "$status" = 0 ]
	[[ "$output" == *SIGHUP* ]] || fail "$output"
	[ "$(network a)" = 7 ]
	hw agent reload a
	within 3 network_is a 8
}

@test "what xdp-loader has put there is not taken away" {
	lab_up
	mkdir "$dir/b/bpf/homeward"
	lab exec b xdp-loader load -m native -p "$dir/b/bpf/homeward" uplink "$root/build/ingress.bpf.o" -n hw_ingress
	hw agent start b
	[ "$(hw status b -- -j | jq -r '.interfaces[0].attach')" = other ]
	run hw load b
	[ "$status" = 2 ]
	run hw unload b
	[ "$status" = 2 ]
	[[ "$output" == *"xdp-loader unload uplink"* ]] || fail "$output"
	[ -e "$dir/b/bpf/homeward/hw_flows" ]
	hw status b -- -j | jq -e .agent.running
}

@test "files that are not homeward's stay where they are" {
	lab_up
	mkdir "$dir/plain"
	touch "$dir/plain/hw_notes" "$dir/plain/ingress"
	for verb in load unload; do
		run lab exec a "${HOMEWARD:-$root/homeward}" "$verb" -c "$dir/a/homeward.yaml" -p "$dir/plain"
		[ "$verb" = unload ] && [ "$status" = 0 ] && fail "exit code 0"
		[ -e "$dir/plain/hw_notes" ]
		[ -e "$dir/plain/ingress" ]
	done
	rm -r "$dir/plain"
}

@test "unload under a running agent: it ends by itself, nothing is left" {
	lab_up
	begin a
	hw unload a
	within 4 over agent-a
	[ ! -e "$dir/a/bpf/homeward" ]
	run grep xdp <(lab exec a ip link show)
	[ "$status" = 1 ]
}

@test "-m skb stays skb when the NIC comes back" {
	lab_up
	hw load b -- -m skb
	hw agent start b
	sleep 0.5
	lab nic b del
	sleep 0.3
	lab nic b add
	within 5 mode_is b skb
}

@test "a node gets another id: its strays are asked about again" {
	lab_up
	begin a b c
	# shellcheck disable=SC2086
	talk many -n 40 -g 0.1 $both
	shift_to b
	sleep 0.5
	for pop in a b c; do config "$pop" 's/id: 1$/id: 11/'; done
	hw agent reload a b c
	grep "id is now 11" "$dir/log/agent-a"
	hw agent stop a
	hw load a
	hw agent start a
	within 5 meet a b c
	sleep 1
	[ "$(hw flows b -- -j | jq -r '[.[].home] | unique | .[]')" = a ]
	unbroken many
}

@test "a node leaves the config: what strays from it is nobody's" {
	lab_up
	begin a b c
	# shellcheck disable=SC2086
	talk many -n 20 -g 0.1 -m 1,0,0,0 $both
	shift_to b
	sleep 0.5
	for pop in b c; do config "$pop" '/name: a$/,/endpoint/d'; done
	hw agent reload b c
	within 5 over many
	[ "$(talked many '.reasons.ECONNRESET == .opened')" = true ] || fail "$(cat "$dir/log/many")"
}
