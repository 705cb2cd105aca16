#!/usr/bin/env bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#
# The main job, shown: one download while the anycast route moves from PoP to
# PoP, first without homeward and then with it. Takes half a minute, in a
# laboratory of network namespaces that is gone afterwards.
set -euo pipefail

# shellcheck source=tests/lab/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
megabytes=300

# $dir, lab, download and so on are from lib.sh
received() { awk -v n="$(stat -c %s "$dir/copy" 2>/dev/null || echo 0)" 'BEGIN { printf "%3d MB", n / 1048576 }'; }
count() { lab homeward stats "$1" -- -j | jq "$2"; }
hash_of() { printf '  SHA-256 %.24s...  %s\n' "$(sha256sum <"$1")" "$2"; }

cleanup() {
	trap - EXIT
	lab down
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

start() { download copy "http://$vip4/big" 30M; }

# Waits for curl and tells how it ended; its exit code.
finish() {
	local code
	within 60 over copy
	sed -n 's/^curl/  &/p' "$dir/log/copy"
	code=$(sed -n 's/^[0-9]* //p' "$dir/log/copy" | tail -n 1)
	echo "  curl: exit code $code, $(received) of $megabytes"
	return "$code"
}

without() {
	echo
	echo "1. Without homeward"
	echo
	shift_to a
	start
	sleep 2
	echo "  $(received)  and the route moves to PoP b, which knows nothing of the connection"
	shift_to b
	! finish || { echo "  It went on: this should not be"; return 1; }
}

with() {
	local pop
	echo
	echo "2. With homeward"
	echo
	shift_to a
	for pop in a b c; do
		lab homeward load $pop 2>"$dir/load" || { cat "$dir/load"; return 2; }
		lab homeward agent start $pop
		echo "  PoP $pop: homeward load; homeward agent"
	done
	sleep 1
	echo
	start
	for pop in b c a b c a; do
		sleep 1.4
		echo "  $(received)  and the route moves to PoP $pop"
		shift_to $pop
	done
	finish
	hash_of "$dir/www/big" "the file at the PoPs"
	hash_of "$dir/copy" "what curl received"
	cmp "$dir/www/big" "$dir/copy"
}

counters() {
	local pop
	echo
	echo "3. What the PoPs did with the packets of that connection"
	echo
	printf '  %-5s %12s %12s %12s %12s\n' PoP "its own" "carried home" delivered "questions"
	for pop in a b c; do
		printf '  %-5s %12s %12s %12s %12s\n' $pop "$(count $pop '.verdicts | .pass_new + .pass_mine')" \
			"$(count $pop '.verdicts.carry_tx')" "$(count $pop .verdicts.pass_carried)" \
			"$(count $pop .agent.ask_flows_sent)"
	done
	echo
	echo "  The connection was opened at a. b and c saw packets that they had no socket"
	echo "  for, asked whose they were, and carried them home to a."
}

cat <<'EOF'
A download over anycast: every PoP serves 203.0.113.1, the route decides which
of them gets the packets.

                             +-- PoP a   203.0.113.1
    client --- the internet -+-- PoP b   203.0.113.1
                             +-- PoP c   203.0.113.1
EOF
lab up -s $megabytes
without
with
counters
