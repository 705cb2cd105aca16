#!/usr/bin/env bats
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# The agent is killed and comes back; only one runs for a pin path.

# shellcheck source=tests/lab/lib.sh
. "$BATS_TEST_DIRNAME/lib.sh"

@test "kill -9 of agents: known strays go on, peers are answered, a new agent finds new strays" {
	local before
	lab_up
	begin a b c
	# shellcheck disable=SC2086
	talk many -n 100 -g 0.2 $both
	shift_to b
	sleep 1
	hw agent kill a b
	before=$(verdict b carry_tx)
	sleep 1
	[ "$(verdict b carry_tx)" -gt "$before" ]

	# the home's XDP program answers c, though no agent runs there
	before=$(verdict a answer_tx)
	shift_to c
	sleep 1
	[ "$(verdict a answer_tx)" -gt "$before" ]
	[ "$(verdict c carry_tx)" -gt 0 ]

	hw agent start a b
	# shellcheck disable=SC2086
	talk more -n 100 -g 0.2 $both
	shift_to b
	sleep 1
	unbroken many more
}

@test "a second agent for the same pins is refused" {
	lab_up
	begin a
	run lab exec a "${HOMEWARD:-$root/homeward}" agent -c "$dir/a/homeward.yaml" -p "$dir/a/bpf/homeward"
	echo "$output"
	[ "$status" = 2 ]
	runs agent-a
}
