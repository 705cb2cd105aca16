#!/usr/bin/env bats
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# The command line from outside: what it accepts, what it says and where, and
# its exit codes. Needs ./homeward (or HOMEWARD=path), no root and no maps.

VERBS="load unload agent status stats flows nodes vips check keygen help version"
SHOW="status stats flows nodes vips"

setup() {
	HOMEWARD=${HOMEWARD:-$BATS_TEST_DIRNAME/../homeward}
	out=$BATS_TEST_TMPDIR/out
	err=$BATS_TEST_TMPDIR/err
}

# hw CODE [ARG...]: runs homeward, wants that exit code
hw() {
	local want=$1 got=0
	shift
	"$HOMEWARD" "$@" >"$out" 2>"$err" </dev/null || got=$?
	if [ "$got" != "$want" ]; then
		echo "homeward $*: exit code $got, not $want"
		cat "$out" "$err"
		return 1
	fi
}

# refused TEXT [ARG...]: exit code 1, one line on standard error that has TEXT, nothing on standard output
refused() {
	local text=$1
	shift
	hw 1 "$@" || return 1
	[ ! -s "$out" ] && [ "$(wc -l <"$err")" = 1 ] && grep -q '^homeward: ' "$err" && grep -qF -- "$text" "$err" ||
		{ echo "homeward $*:"; cat "$out" "$err"; return 1; }
}

@test "alone it prints the usage on standard error" {
	hw 1
	[ ! -s "$out" ]
	grep -q '^usage: homeward VERB' "$err"
}

@test "help lists every verb, on standard output" {
	hw 0 help
	[ ! -s "$err" ]
	for v in $VERBS; do grep -qE "^  $v +[^ ]" "$out"; done
	cp "$out" "$BATS_TEST_TMPDIR/help"
	hw 0 --help
	cmp "$out" "$BATS_TEST_TMPDIR/help"
	hw 0 -h
	cmp "$out" "$BATS_TEST_TMPDIR/help"
}

@test "help VERB, VERB --help and VERB -h are the same" {
	for v in $VERBS; do
		hw 0 help $v
		[ -s "$out" ] && [ ! -s "$err" ]
		grep -q "^  homeward $v" "$out"
		cp "$out" "$BATS_TEST_TMPDIR/help"
		hw 0 $v --help
		cmp "$out" "$BATS_TEST_TMPDIR/help"
		hw 0 $v -h
		cmp "$out" "$BATS_TEST_TMPDIR/help"
	done
}

@test "help fits 80 columns" {
	for v in "" $VERBS; do
		hw 0 help $v
		awk 'length > 80 { print; bad = 1 } END { exit bad }' "$out"
	done
}

@test "every option of a synopsis is described" {
	for v in $VERBS; do
		hw 0 help $v
		for o in $(grep -m1 "^  homeward $v" "$out" | grep -oE '\[--?[a-z]+' | tr -d '['); do
			grep -qE "^  +(-[a-z], )?$o[, ]" "$out" || { echo "$v: $o"; return 1; }
		done
	done
}

@test "defaults are documented" {
	hw 0 help load
	grep -qF "default /etc/homeward/homeward.yaml" "$out"
	grep -qF "default /sys/fs/bpf/homeward" "$out"
	grep -qF "default auto" "$out"
}

@test "version" {
	hw 0 version
	grep -qE '^homeward [0-9]+\.[0-9]+\.[0-9]+$' "$out"
	hw 0 --version
	hw 0 version --help
}

@test "an unknown verb: the nearest is suggested" {
	refused '`homeward status`' sttaus
	refused '`homeward stats`' stast
	refused '`homeward load`' laod
	refused '`homeward unload`' unlaod
	refused '`homeward nodes`' node
	refused '`homeward version`' ver
	refused '`homeward keygen`' help key-gen
	refused '`homeward help`' frobnicate
	refused '`homeward help`' ""
	refused '`homeward help`' "$(printf '%0500d' 0)"
	refused '`homeward help`' --frobnicate
}

@test "an unknown option: named, with the way to help" {
	for v in $VERBS; do
		refused -- $v --frobnicate
		grep -qF -- '--frobnicate' "$err" && grep -qF "\`homeward help $v\`" "$err"
		refused '-x' $v -x
		grep -qF "\`homeward help $v\`" "$err"
	done
	refused '-x' status -jx
	refused '-x' status --json -xj
	refused '--frob' status --frob=nicate
}

@test "a verb takes its own options only" {
	for v in $SHOW; do
		refused '-c' $v -c file
		refused '--chain' $v --chain
		refused '--node' $v --node ams1
		refused '-m' $v -m skb
	done
	refused '-j' load -j
	refused '--json' agent --json
	refused '-p' check -p /sys/fs/bpf/homeward
	refused '-c' unload -c file
	refused '-p' keygen -p x
}

@test "a missing or superfluous value" {
	refused '-p needs a value' status -p
	refused '--pin needs a value' status --pin
	refused '-c needs a value' check -c
	refused '--node needs a value' load --node
	refused '--json takes no value' status --json=yes
	refused "'fast'" load -m fast
	refused "'fast'" load --mode=fast
}

@test "arguments that a verb does not take" {
	for v in agent $SHOW check keygen version; do
		refused "'eth0'" $v eth0
		grep -qF "\`homeward help $v\`" "$err"
	done
	refused "'extra'" help load extra
}

@test "nothing loaded: the path is named, exit code 2" {
	for v in $SHOW; do
		for o in "" -j; do
			hw 2 $v $o -p "$BATS_TEST_TMPDIR/nothing"
			[ ! -s "$out" ]
			grep -q "^homeward: $BATS_TEST_TMPDIR/nothing" "$err"
		done
	done
}

@test "a config that is not there: exit code 1" {
	hw 1 check -c "$BATS_TEST_TMPDIR/none.yaml"
	[ ! -s "$out" ]
	grep -q "$BATS_TEST_TMPDIR/none.yaml" "$err"
}

@test "keygen prints a line for the key file, another each time" {
	hw 0 keygen
	grep -qE '^[0-9]{1,3} [0-9a-f]{32}$' "$out"
	cp "$out" "$BATS_TEST_TMPDIR/one"
	hw 0 keygen
	! cmp -s "$out" "$BATS_TEST_TMPDIR/one"
}

@test "output that cannot be written is not a success" {
	[ -w /dev/full ] || skip "no /dev/full"
	for v in help version keygen; do
		run bash -c "'$HOMEWARD' $v >/dev/full"
		[ "$status" = 2 ]
	done
}
