#!/usr/bin/env bats
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Sockets at the wrong PoP that have the tuple of a connection and not its
# numbers: a SYN that came twice, an old TIME_WAIT, a connection long forgotten.

# shellcheck source=tests/lab/lib.sh
. "$BATS_TEST_DIRNAME/lib.sh"

@test "a SYN sent again to a second PoP breaks nothing" {
	lab_up
	begin a b c
	lab spawn sniff client tcpdump -i uplink --immediate-mode -w "$dir/syn.pcap" \
		'tcp dst port 8000 and (tcp[13] & 18 = 2) or (ip6 and ip6[6] = 6 and ip6[53] & 18 = 2)'
	within 5 grep -qs listening "$dir/log/sniff"
	# shellcheck disable=SC2086
	talk many -n 40 -m 1,1,1,0 -g 0.2 $both
	lab end sniff
	shift_to b
	for _ in 1 2 3; do
		client "$root/build/segment" play uplink "$dir/syn.pcap"
		sleep 0.5
	done
	[ "$(verdict b pass_new)" -ge 40 ]
	shift_to c
	sleep 0.5
	shift_to b
	sleep 0.5
	unbroken many
}

# has_socket PORT STATE: a has a socket of port 80 with that client port, both in hex (6: TIME_WAIT, 1: established)
has_socket() { lab exec a cat /proc/net/tcp /proc/net/tcp6 | grep ":0050 .*:$1 $2"; }

# reuse ADDRESS PORT: a download from the port that another connection has had, at b while a remembers that
reuse() {
	shift_to b
	lab spawn again client curl -sS --limit-rate 10M --local-port "$2" -o "$dir/again" "http://$1/big"
	sleep 0.5
	shift_to a
	sleep 1
	shift_to c
	sleep 0.5
	shift_to a
	fetched again
	rm "$dir/again"
	[ "$(verdict a carry_tx)" -gt 0 ] # the socket there was not taken for its owner
}

@test "an old TIME_WAIT at the wrong PoP breaks nothing" {
	lab_up -s 24
	begin a b c
	for at in "$vip4 40000 9C40" "[$vip6] 40001 9C41"; do
		read -r url port hex <<<"$at"
		shift_to a
		client curl -sS -H 'Connection: close' --ignore-content-length --local-port "$port" "http://$url/pop"
		within 2 has_socket "$hex" 06
		reuse "$url" "$port"
	done
}

@test "an old established connection at the wrong PoP breaks nothing" {
	lab_up -s 24
	begin a b c
	for at in "$vip4 192.0.2.2 $vip4 40000 9C40" "[$vip6] 2001:db8:c::2 $vip6 40001 9C41"; do
		read -r url client vip port hex <<<"$at"
		shift_to a
		lab spawn old client "$root/build/segment" abandon "$client" "$port" "$vip" 80
		within 2 grep -qs open "$dir/log/old"
		shift_to none
		lab end old
		has_socket "$hex" 01
		reuse "$url" "$port"
	done
}
