#!/usr/bin/env bats
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Uploads with segments as large as the client may send, through shifts, with
# no advmss on the routes: the MSS in the SYN-ACK alone makes strays fit.

# shellcheck source=tests/lab/lib.sh
. "$BATS_TEST_DIRNAME/lib.sh"

# uploads NAME: as fast as the path lets them, so every segment is full
# shellcheck disable=SC2086
uploads() { talk "$1" -n 10 -m 0,0,1,0 -r 1500000 $both; }

shifts() {
	local pop
	for pop in b c a b; do
		shift_to $pop
		sleep 0.6
	done
}

# watch: the SYN-ACKs that reach the client from now on; announced: each MSS in them, by family
watch() {
	lab spawn watch client tcpdump -lnv -i uplink 'tcp[13] & 18 = 18 or ip6[53] & 18 = 18'
	within 5 grep -qs listening "$dir/log/watch"
}

announced() {
	lab end watch
	tr -d '\n' <"$dir/log/watch" | sed 's/IP6\? (/\n&/g' | sed -n 's/^\(IP6\?\) .*mss \([0-9]*\).*/\1 \2/p' | sort | uniq -c |
		awk '{ printf "%s%s %s", sep, $2, $3; sep = ", " } END { print "" }'
}

too_big() { for pop in a b c; do verdict $pop drop_too_big; done; }

# fits EXPECTED: that is announced, uploads are whole, and no stray was too large
fits() {
	local want=$1 got before
	before=$(too_big)
	watch
	uploads full
	shifts
	unbroken full
	got=$(announced)
	[ "$got" = "$want" ] || fail "announced: $got"
	[ "$(too_big)" = "$before" ] || fail "too big: $(too_big), before: $before"
	[ "$(verdict b pass_nobody)" = 0 ]
	[ "$(verdict b carry_redirect)" -gt 500 ] || [ "$(verdict b carry_tx)" -gt 500 ] || fail "$(verdicts b)"
	[ "$(hw stats a -- -j | jq .egress.clamped)" -ge 10 ]
}

# offload on|off: transmit checksums, and segmentation, of the PoPs' uplinks
offload() {
	local pop
	for pop in a b c; do
		lab exec $pop ethtool -K uplink tx "$1" tso "$1" gso "$1" >/dev/null
	done
}

@test "paths of 1500 bytes between nodes at IPv4 endpoints, transmit offload off" {
	lab_up -a
	begin a b c
	fits "IP 1408, IP6 1388"
}

@test "nodes at IPv6 endpoints, transmit offload on" {
	lab_up -a -6
	offload on
	begin a b c
	fits "IP 1388, IP6 1368"
}

@test "paths of 1400 bytes between nodes, transmit offload on and off" {
	lab_up -a -b -u 1400
	begin a b c
	fits "IP 1308, IP6 1288"
	offload on
	shift_to a
	fits "IP 1308, IP6 1288"
}

@test "SYN cookies: they encode the client's MSS, the SYN-ACK is clamped as any" {
	local pop
	lab_up -a -b -u 1400
	for pop in a b c; do lab exec $pop sysctl -qw net.ipv4.tcp_syncookies=2; done
	begin a b c
	uploads held
	# what a itself may send is the client's MSS as the cookie holds it (1460 or 1440, less the timestamps)
	[ "$(sending | sort -u | tr '\n' ' ')" = "1428 1448 " ] || fail "$(sending)"
	lab end held
	fits "IP 1308, IP6 1288"
	lab exec a nstat -asz TcpExtSyncookiesRecv | awk '/Recv/ { exit !($2 >= 20) }'
}

sending() { lab exec a ss -Htin state established "( sport = :8000 )" | sed -n 's/.* mss:\([0-9]*\) .*/\1/p'; }

@test "without the program strays are too large, and are dropped" {
	local pop
	lab_up -a -b -u 1400
	begin a b c
	for pop in a b c; do
		lab exec $pop tc qdisc del dev uplink clsact
		[ "$(hw status $pop -- -j | jq '.interfaces[] | select(.name == "uplink").egress')" = false ]
	done
	watch
	uploads full
	shift_to b
	sleep 1
	[ "$(announced)" = "IP 1460, IP6 1440" ]
	[ "$(verdict b drop_too_big)" -gt 0 ]
	# and it is back, whole, with the next load; connections opened from then on fit
	hw load a b c
	shift_to a
	lab end full
	fits "IP 1308, IP6 1288"
}

@test "the path shrinks: the next connections are told" {
	local pop
	lab_up -a -b
	begin a b c
	told '{"mss4":1408,"mss6":1388}'
	# no route tells: the bridge's ports drop what is larger, and PINGs find out
	for pop in a b c; do lab exec core ip link set "pop-$pop" mtu 1400; done
	within 15 told '{"mss4":1308,"mss6":1288}'
	fits "IP 1308, IP6 1288"
}

told() { [ "$(bpftool -j map dump pinned "$dir/a/bpf/homeward/hw_mss" | jq -c '.[0].formatted.value')" = "$1" ]; }

@test "load puts the filter beside others', unload takes it away and leaves those" {
	lab_up
	lab exec a tc qdisc add dev uplink clsact
	lab exec a tc filter add dev uplink egress prio 10 bpf bytecode '1,6 0 0 0'
	hw load a
	hw load a
	[ "$(lab exec a tc filter show dev uplink egress | grep -c hw_egress)" = 1 ]
	hw unload a
	lab exec a tc filter show dev uplink egress | grep bytecode
	run grep hw_egress <(lab exec a tc filter show dev uplink egress)
	[ "$status" = 1 ]

	# an empty qdisc of others stays, too; and ours with a filter that came later
	lab exec a tc filter del dev uplink egress
	hw load a
	hw unload a
	lab exec a tc qdisc show dev uplink | grep clsact
	lab exec a tc qdisc del dev uplink clsact
	hw load a
	lab exec a tc filter add dev uplink ingress prio 10 bpf bytecode '1,6 0 0 0'
	hw unload a
	lab exec a tc filter show dev uplink ingress | grep bytecode
}

@test "a NIC that comes back gets the egress program too" {
	lab_up -a
	begin a b c
	lab nic a del
	sleep 0.3
	lab nic a add
	within 5 clamps a
	lab exec a tc filter show dev uplink egress | grep hw_egress
	hw unload a
	run grep clsact <(lab exec a tc qdisc show)
	[ "$status" = 1 ]
}

clamps() { [ "$(hw status "$1" -- -j | jq '.interfaces[].egress')" = true ]; }
