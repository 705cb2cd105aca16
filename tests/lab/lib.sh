# shellcheck shell=bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#
# What the stories share. A story is a bats file that sources this; each of its
# tests calls lab_up, which makes a laboratory of its own, and teardown takes
# it away, also when the test failed. Figures that are told, not judged, are
# lines that begin with "#".

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
# shellcheck disable=SC2034
vip4=203.0.113.1 vip6=2001:db8:113::1 both="203.0.113.1:8000 [2001:db8:113::1]:8000"
export HW_LAB=t$$
dir=/run/homeward-lab/$HW_LAB

lab() { "$here/lab.sh" "$@"; }
hw() { lab homeward "$@"; }
client() { lab exec client "$@"; }
shift_to() { lab route "$1"; }
clock() { echo "$EPOCHREALTIME"; }
since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.3f", b - a }'; }
tell() { echo "# $*" >&3; }
fail() { echo "$*"; return 1; }

# within SECONDS CMD...: CMD succeeds sooner or later
within() {
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000))
	shift
	until "$@"; do
		[ "${EPOCHREALTIME/./}" -lt "$end" ] || fail "in vain: $*" || return 1
		sleep 0.05
	done
}

# lab_up [options of lab.sh up]
# shellcheck disable=SC2120
lab_up() {
	[ -x "${HOMEWARD:-$root/homeward}" ] || fail "there is no ./homeward: make"
	lab up "$@"
}

teardown() {
	local log
	[ -n "${BATS_TEST_COMPLETED:-}" ] || for log in "$dir"/log/*; do
		[ ! -s "$log" ] || { echo "== $log"; tail -n 15 "$log"; }
	done
	lab down
}

# begin POP...: the programs and the agents; returns when all nodes have heard each other
begin() {
	hw load "$@"
	hw agent start "$@"
	within 5 meet "$@"
}

meet() {
	local pop
	for pop; do
		[ "$(hw nodes "$pop" -- -j | jq '[.[] | select(.up)] | length')" -ge $# ] || return 1
	done
}

# verdict POP NAME: packets since the load
verdict() { hw stats "$1" -- -j | jq ".verdicts.$2 // 0"; }
verdicts() { hw stats "$1" -- -j | jq -c '.verdicts | with_entries(select(.value > 0))'; }

# lost NODE: TCP segments that its stack has sent again, but those that had arrived at the first try (DSACK)
lost() {
	lab exec "$1" nstat -asz TcpRetransSegs TcpExtTCPDSACKRecvSegs |
		awk '/Retrans/ { n += $2 } /DSACK/ { n -= $2 } END { print n }'
}

# download NAME URL [RATE]: in the background; fetched NAME waits and compares
download() { lab spawn "$1" client curl -sS -w '%{http_code} %{exitcode}\n' --limit-rate "${3:-10M}" -o "$dir/$1" "$2"; }

runs() {
	local pid start
	read -r pid start <"$dir/pids/$1"
	[ -e "/proc/$pid" ] && grep -q "[^)]* [^Z] .* $start " "/proc/$pid/stat" 2>/dev/null
}

over() { ! runs "$1"; }

fetched() {
	within 30 over "$1"
	cat "$dir/log/$1"
	cmp "$dir/$1" "$dir/www/big"
}

# talk NAME ARG...: `talk run` in the background; returns when all its connections are open
talk() {
	local name=$1
	shift
	lab spawn "$name" client "$root/build/talk" run -j -t 0 "$@"
	within 10 grep -qs ready "$dir/log/$name"
}

# talked NAME FIELD: of its summary, once it is over
talked() { sed -n 's/^{/{/p' "$dir/log/$1" | jq "$2"; }

# unbroken NAME...: ends them; every connection was whole and every byte right
unbroken() {
	local name
	for name; do
		lab end "$name"
		talked "$name" '"opened \(.opened), broken \(.broken), longest stall \(.longest_stall) s"' |
			sed "s/^\"/# $name: /; s/\"$//" >&3
		[ "$(talked "$name" '.broken == 0 and .opened > 0 and .completed == .opened')" = true ] ||
			fail "$(cat "$dir/log/$name")"
	done
}
