#!/usr/bin/env bats
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# What an operator does to a node under load: load again, roll the keys; and
# what a node with wrong keys can do.

# shellcheck source=tests/lab/lib.sh
. "$BATS_TEST_DIRNAME/lib.sh"

# undisturbed CMD...: while strays are carried, CMD loses not a packet
undisturbed() {
	local t before
	lab_up
	begin a b c
	# shellcheck disable=SC2086
	talk many -n 100 -g 0.1 $both
	shift_to b
	sleep 1
	before=$(losses)
	t=$(clock)
	"$@"
	tell "took $(since "$t") s"
	within 3 as_before "$before"
	shift_to c
	sleep 0.5
	unbroken many
}

losses() { echo "client $(lost client), home $(lost a)"; }
as_before() { [ "$1" = "$(losses)" ]; }

load_again() { for _ in {1..10}; do hw load a b; done; }

new_keys() {
	local pop
	for pop in a b c; do
		printf '%s\n' "$@" >"$dir/$pop/homeward.keys"
		hw agent reload "$pop"
	done
	sleep 0.5
}

roll() {
	local old new=2\ 00112233445566778899aabbccddeeff
	old=$(cat "$dir/a/homeward.keys")
	new_keys "$old" "$new"
	new_keys "$new" "$old"
	new_keys "$new"
}

@test "load again, ten times: not a packet is lost" {
	undisturbed load_again
}

@test "the keys roll: not a packet is lost" {
	undisturbed roll
	[ "$(verdict a drop_tun_key)" = 0 ]
	[ "$(verdict a drop_tun_tag)" = 0 ]
}

# stranger KEY VERDICT: c has that key; what it gets and sends is refused and counted
stranger() {
	lab_up
	echo "$1" >"$dir/c/homeward.keys"
	hw load a b c
	hw agent start a b c
	within 5 meet a b
	for pop in a b c; do
		within 5 refused_at "$pop" "$2"
		[ "$(verdict "$pop" pass_carried)" = 0 ]
	done
	[ "$(hw nodes a -- -j | jq '.[] | select(.name == "c").up')" = false ]
	[ "$(verdict a pong_tx)" -gt 0 ]
	[ "$(verdict c pong_tx)" = 0 ]
}

refused_at() { [ "$(verdict "$1" "$2")" -gt 0 ]; }

@test "a node with a wrong key is not listened to" {
	stranger "1 00112233445566778899aabbccddeeff" drop_tun_tag
}

@test "a node with a key that the others lack is not listened to" {
	stranger "9 00112233445566778899aabbccddeeff" drop_tun_key
}
