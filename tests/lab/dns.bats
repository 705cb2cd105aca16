#!/usr/bin/env bats
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Anycast DNS, as roots and resolvers run it: UDP is answered by whichever PoP a
# query lands at, TCP connections stay at the PoP that they were opened at.

# shellcheck source=tests/lab/lib.sh
. "$BATS_TEST_DIRNAME/lib.sh"

# The zone dns.test on every PoP: `pop` tells which one answers, `big` is too large for UDP.
write_knot() {
	local d=$dir/$1/knot i
	mkdir "$d"
	cat >"$d/knot.conf" <<-EOF
		server:
		    rundir: $d
		    identity: $1
		    listen: [ $vip4@53, $vip6@53 ]
		    udp-workers: 1
		    tcp-workers: 1
		    background-workers: 1
		    tcp-idle-timeout: 60
		log:
		  - target: stdout
		    any: info
		database:
		    storage: $d
		zone:
		  - domain: dns.test
		    file: $d/zone
		    journal-content: none
	EOF
	{
		# shellcheck disable=SC2016
		printf '$ORIGIN dns.test.\n$TTL 60\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\n'
		printf 'ns A %s\nns AAAA %s\npop TXT "%s"\nbig TXT' $vip4 $vip6 "$1"
		for i in {10..29}; do printf ' "%s%0248d"' "$i" 0; done
		echo
	} >"$d/zone"
}

name_servers() {
	local pop
	for pop in a b c; do
		write_knot "$pop"
		lab spawn "knot-$pop" "$pop" knotd -c "$dir/$pop/knot/knot.conf"
	done
	for pop in a b c; do
		within 5 lab exec "$pop" kdig +short +timeout=1 +retry=0 @$vip4 SOA dns.test
	done
}

# ask VIP ARG...: what a client is told
ask() {
	local vip=$1
	shift
	client kdig +short +timeout=1 +retry=0 "@$vip" "$@"
}

# KIND_answered_by POP: by it and no other, of both families
answered_by() {
	local vip
	for vip in $vip4 $vip6; do
		[ "$(ask "$vip" "$2" TXT pop.dns.test)" = "\"$1\"" ] || fail "TXT $vip $2: not $1" || return 1
		[ "$(ask "$vip" "$2" CH TXT id.server)" = "\"$1\"" ] || fail "CH $vip $2: not $1" || return 1
	done
}

udp_answered_by() { answered_by "$1" +notcp; }
tcp_answered_by() { answered_by "$1" +tcp; }

# More than UDP takes: the answer is cut, and asked for again over TCP.
too_large_for_udp() {
	local vip
	for vip in $vip4 $vip6; do
		client kdig +noall +header +ignore +notcp "@$vip" TXT big.dns.test | grep 'Flags:.* tc'
		client kdig +stats "@$vip" TXT big.dns.test >"$dir/big"
		grep 'Received 5[0-9]* B' "$dir/big"
		grep "From $vip@53(TCP)" "$dir/big"
	done
}

# of_vip POP NAME FIELD: as `homeward vips` shows it
of_vip() { hw vips "$1" -- -j | jq ".[] | select(.name == \"$2\") | $3"; }

opened() { lab exec "$1" nstat -asz TcpPassiveOpens | awk '/Passive/ { print $2 }'; }

queries=16000

# session NAME VIP: so many queries, one after another, in one TCP connection
session() {
	# shellcheck disable=SC2046
	lab spawn "$1" client kdig +short +tcp +keepopen +timeout=5 +retry=0 "@$2" -t TXT \
		$(printf 'pop.dns.test %.0s' $(seq $queries))
}

# answers NAME N: at least so many have come
answers() { [ "$(wc -l <"$dir/log/$1")" -ge "$2" ]; }

through_shifts() {
	local pop part=0 opened_a opened_b opened_c
	name_servers
	begin a b c
	opened_a=$(opened a) opened_b=$(opened b) opened_c=$(opened c)
	session four $vip4
	session six $vip6
	within 20 answers six 1
	for pop in b c a b; do
		within 20 answers four $((queries * ++part / 6))
		shift_to "$pop"
		udp_answered_by "$pop"
	done
	within 30 over four
	within 30 over six
	# every answer of both came from the home, and in one connection each
	[ "$(sort "$dir/log/four" | uniq -c | xargs)" = "$queries a" ]
	[ "$(sort "$dir/log/six" | uniq -c | xargs)" = "$queries a" ]
	[ "$(opened a)" = $((opened_a + 2)) ]
	[ "$(opened b)" = "$opened_b" ]
	[ "$(opened c)" = "$opened_c" ]
	for pop in b c; do
		[ "$(of_vip $pop web .carried)" -gt 0 ]
		[ "$(of_vip $pop web6 .carried)" -gt 0 ]
	done
	[ "$(verdict a pass_carried)" -gt 0 ]
	tell "2 TCP connections with $queries queries each: $(verdict b carry_tx) packets carried by b, $(verdict c carry_tx) by c"
}

@test "DNS over UDP is answered where it lands, over TCP by its home, through shifts; nodes at IPv4 endpoints" {
	lab_up
	through_shifts
}

@test "DNS through shifts; nodes at IPv6 endpoints" {
	lab_up -6
	through_shifts
}

@test "each PoP answers queries of both kinds and both families, and counts UDP by VIP" {
	local pop vip
	lab_up
	name_servers
	hw load a b c
	for pop in a b c; do
		shift_to "$pop"
		udp_answered_by "$pop"
		tcp_answered_by "$pop"
		too_large_for_udp
		for vip in web web6; do
			# two names, and twice the large one
			[ "$(of_vip "$pop" $vip .udp_served)" = 4 ]
			[ "$(of_vip "$pop" $vip .verdicts.pass_udp)" = 4 ]
			[ "$(of_vip "$pop" $vip .new)" = 3 ]
		done
		[ "$(verdict "$pop" pass_udp)" = 8 ]
		hw vips "$pop" | grep -E '^web .* 53 .* 4$'
	done
}

@test "UDP to a port that is not listed passes as well: the stack sees that nobody listens" {
	lab_up
	hw load a
	client kdig +timeout=1 +retry=0 +notcp -p 54 @$vip4 TXT pop.dns.test || :
	[ "$(lab exec a nstat -asz UdpNoPorts | awk '/NoPorts/ { print $2 }')" -gt 0 ]
	[ "$(verdict a pass_udp)" = 0 ]
	[ "$(verdict a pass_not_tcp)" -gt 0 ]
}

@test "without homeward the answers over one TCP connection change in the middle, for it breaks" {
	lab_up
	name_servers
	session four $vip4
	within 20 answers four $((queries / 6))
	shift_to b
	within 30 over four
	[ "$(opened b)" -gt 0 ]
	grep -q '"b"' "$dir/log/four"
}
