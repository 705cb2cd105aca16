#!/usr/bin/env bash
# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#
# A laboratory in network namespaces: a client, a transit router, and three PoPs
# that serve the same two addresses. Whichever PoP the router's route points to
# gets the packets; `route` moves it, as BGP would. Everything of a lab is in
# its namespaces hw-NAME-* and in /run/homeward-lab/NAME; `down` removes it all.
set -euo pipefail

usage() {
	cat <<'EOF'
usage: lab.sh [-n NAME] COMMAND      (NAME: letters and digits; default $HW_LAB, else "dev")

  up [-6] [-b] [-a] [-u MTU] [-s MB]
                        build the lab; VIPs routed to a
                          -6      the nodes' endpoints are IPv6
                          -b      nodes reach each other by a second NIC, "core"
                          -a      no advmss on the PoPs' routes
                          -u MTU  of "core" (default 1500)
                          -s MB   size of http://VIP/big (default 32)
  down                  remove it, whatever state it is in
  status                what runs, and where the route points
  route POP             route both VIPs to a, b or c; "none" drops the packets
  exec NODE CMD...      run in the network namespace of client, router, a, b, c or core
  spawn NAME NODE CMD.. the same in the background: log in DIR/log/NAME, ended by `down`
  end NAME [SIGNAL]     end what spawn or `homeward agent start` has begun, and wait for it
  cut POP POP           drop everything between two nodes, both ways; `mend` undoes it
  mend POP POP
  nic POP del|add       take the PoP's uplink away; bring it back
  homeward VERB POP... [-- ARGS]
                        run ./homeward VERB in each PoP with its config and pins; and
  homeward agent start|stop|kill|reload POP...

client 192.0.2.2, 2001:db8:c::2            http://VIP/big        a file, the same everywhere
VIPs   203.0.113.1, 2001:db8:113::1        http://VIP/upload     takes any body
nodes  198.18.0.1-3 or 2001:db8:e::1-3     VIP:8000              build/talk serve
EOF
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
homeward=${HOMEWARD:-$root/homeward}
talk=${TALK:-$root/build/talk}
vip4=203.0.113.1 vip6=2001:db8:113::1
pops="a b c"
name=${HW_LAB:-dev}

die() { echo "lab: $*" >&2; exit 1; }
number() { case $1 in a) echo 1 ;; b) echo 2 ;; c) echo 3 ;; *) die "no PoP \"$1\": there are a, b and c" ;; esac; }
net() { echo "hw-$name-$1"; }
enter() { local node=$1; shift; nsenter --net="/run/netns/$(net "$node")" "$@"; }
setting() { sed -n "s/^$1=//p" "$dir/settings"; }
have() { [ -f "$dir/settings" ] || die "no lab \"$name\" here: lab.sh -n $name up"; }
nodes() { echo "client router $pops core"; }

# await SECONDS CMD...: until it succeeds
await() {
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000))
	shift
	until "$@"; do
		[ "${EPOCHREALTIME/./}" -lt "$end" ] || return 1
		sleep 0.02
	done
}

# --- processes: "PID STARTED" in DIR/pids, so that nobody else's is ever ended ---

started() {
	local stat
	{ stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
	# shellcheck disable=SC2086
	set -- ${stat##*) }
	[ "$1" != Z ] && echo "${20}"
}

alive() {
	local pid start
	{ read -r pid start <"$dir/pids/$1"; } 2>/dev/null && [ "$(started "$pid")" = "$start" ]
}

gone() { ! alive "$1"; }

spawn() {
	local what=$1 node=$2 pid
	shift 2
	alive "$what" && die "\"$what\" runs already"
	setsid nsenter --net="/run/netns/$(net "$node")" "$@" </dev/null >"$dir/log/$what" 2>&1 3>&- 4>&- &
	pid=$!
	echo "$pid $(started $pid || echo 0)" >"$dir/pids/$what"
}

end() {
	local what=$1 pid
	if alive "$what"; then
		read -r pid _ <"$dir/pids/$what"
		# with all of its process group: setsid above
		kill "-${2:-TERM}" -- "-$pid" 2>/dev/null || :
		await 20 gone "$what" || kill -KILL -- "-$pid" 2>/dev/null || :
		await 2 gone "$what" || :
	fi
	rm -f "$dir/pids/$what"
}

# --- the network ---

# The offloads of a veth leave checksums to a NIC that is not there.
plain() { enter "$1" ethtool -K "$2" tx off tso off gso off gro off >/dev/null; }
pass() { ip -n "$(net "$1")" link set dev "$2" xdpdrv obj "$dir/pass.bpf.o" sec xdp; }

add_namespaces() {
	local node
	for node in $(nodes); do
		ip netns add "$(net "$node")"
		enter "$node" sh -c 'cd /proc/sys/net
			echo 0 >ipv4/conf/all/rp_filter; echo 0 >ipv4/conf/default/rp_filter
			echo 0 >ipv6/conf/default/accept_dad; echo 0 >ipv6/conf/default/accept_ra
			echo 1 >ipv4/conf/default/arp_notify; echo 1 >ipv6/conf/default/ndisc_notify
			echo '"$([ "$node" = router ] && echo 1 || echo 0)"' | tee ipv4/ip_forward >ipv6/conf/all/forwarding
			echo 4096 >ipv4/tcp_max_syn_backlog; ip link set lo up'
	done
}

add_client() {
	ip -n "$(net router)" link add name client type veth peer name uplink netns "$(net client)"
	plain router client
	plain client uplink
	ip -n "$(net router)" -batch - <<-EOF
		address add 192.0.2.1/24 dev client
		address add 2001:db8:c::1/64 dev client nodad
		link set client up
	EOF
	ip -n "$(net client)" -batch - <<-EOF
		address add 192.0.2.2/24 dev uplink
		address add 2001:db8:c::2/64 dev uplink nodad
		link set uplink up
		route add default via 192.0.2.1
		route add default via 2001:db8:c::1
	EOF
}

# The PoP's link to the router. An advertised MSS of 1500 - 72 - 40 (or 60)
# leaves room for the encapsulation in whatever a client sends.
add_uplink() {
	local pop=$1 n mss4=" advmss 1388" mss6=" advmss 1368"
	[ "$(setting advmss)" = 1 ] || mss4="" mss6=""
	n=$(number "$pop")
	ip -n "$(net router)" link add name "pop-$pop" type veth peer name uplink netns "$(net "$pop")"
	plain router "pop-$pop"
	plain "$pop" uplink
	pass router "pop-$pop"
	ip -n "$(net router)" -batch - <<-EOF
		address add 198.18.1$n.1/24 dev pop-$pop
		address add 2001:db8:$n::1/64 dev pop-$pop nodad
		link set pop-$pop up
		route replace 198.18.0.$n/32 via 198.18.1$n.2
		route replace 2001:db8:e::$n/128 via 2001:db8:$n::2
	EOF
	ip -n "$(net "$pop")" -batch - <<-EOF
		address add 198.18.1$n.2/24 dev uplink
		address add 2001:db8:$n::2/64 dev uplink nodad
		link set uplink up
		route add default via 198.18.1$n.1$mss4
		route add default via 2001:db8:$n::1$mss6
	EOF
}

# Endpoints: on lo, reached through the router; or on a second NIC, on link.
add_endpoint() {
	local pop=$1 n
	n=$(number "$pop")
	ip -n "$(net "$pop")" -batch - <<-EOF
		address add $vip4/32 dev lo
		address add $vip6/128 dev lo nodad
	EOF
	if [ "$(setting backbone)" = 0 ]; then
		ip -n "$(net "$pop")" address add "198.18.0.$n/32" dev lo
		ip -n "$(net "$pop")" address add "2001:db8:e::$n/128" dev lo nodad
		return
	fi
	ip -n "$(net core)" link add name "pop-$pop" type veth peer name core netns "$(net "$pop")"
	plain core "pop-$pop"
	plain "$pop" core
	pass core "pop-$pop"
	ip -n "$(net core)" link set "pop-$pop" mtu "$(setting mtu)" master bridge up
	ip -n "$(net "$pop")" -batch - <<-EOF
		link set core mtu $(setting mtu)
		address add 198.18.0.$n/24 dev core
		address add 2001:db8:e::$n/64 dev core nodad
		link set core up
	EOF
}

route() {
	local n
	if [ "$1" = none ]; then
		ip -n "$(net router)" route replace blackhole "$vip4/32"
		ip -n "$(net router)" route replace blackhole "$vip6/128"
		# an IPv6 route of another type is added, not replaced
		ip -n "$(net router)" -6 route flush "$vip6/128" type unicast
	else
		n=$(number "$1")
		ip -n "$(net router)" route replace "$vip4/32" via "198.18.1$n.2"
		ip -n "$(net router)" route replace "$vip6/128" via "2001:db8:$n::2"
		ip -n "$(net router)" -6 route flush "$vip6/128" type blackhole
	fi
	echo "$1" >"$dir/route"
}

# cut A B, mend A B: all between two endpoints, at the router or at the bridge
path() {
	local from to n verb=add flag=on
	[ "$1" = cut ] || verb=del flag=off
	if [ "$(setting backbone)" = 1 ]; then
		ip -n "$(net core)" link set "pop-$2" type bridge_slave isolated $flag
		ip -n "$(net core)" link set "pop-$3" type bridge_slave isolated $flag
		return
	fi
	for from in "$2" "$3"; do
		[ "$from" = "$2" ] && to=$3 || to=$2
		n=$(number "$to")
		ip -n "$(net router)" rule $verb iif "pop-$from" to "198.18.0.$n" blackhole
		ip -n "$(net router)" -6 rule $verb iif "pop-$from" to "2001:db8:e::$n" blackhole
	done
}

nic() {
	number "$1" >/dev/null
	case $2 in
	del) ip -n "$(net "$1")" link del uplink ;;
	add)
		add_uplink "$1"
		[ "$(<"$dir/route")" != "$1" ] || route "$1"
		;;
	*) die "nic POP del|add" ;;
	esac
}

# --- what runs on a PoP ---

write_config() {
	local pop=$1 p endpoint=198.18.0. second=
	[ "$(setting outer)" = 4 ] || endpoint=2001:db8:e::
	[ "$(setting backbone)" = 0 ] || second=", core"
	(umask 077; echo "1 $(printf '%032x' 0x686f6d6577617264)" >"$dir/$pop/homeward.keys")
	{
		cat <<-EOF
			node: $pop
			network: 7
			key-file: homeward.keys
			interfaces: [uplink$second]
			vips:
			  - name: web
			    address: $vip4
			    udp: [53]
			  - name: web6
			    address: $vip6
			    udp: [53]
			nodes:
		EOF
		for p in $pops; do
			printf '  - name: %s\n    id: %s\n    pop: pop-%s\n    endpoint: %s%s\n' \
				"$p" "$(number "$p")" "$p" "$endpoint" "$(number "$p")"
		done
	} >"$dir/$pop/homeward.yaml"
}

write_nginx() {
	local d=$dir/$1
	cat >"$d/nginx.conf" <<-EOF
		user root;
		daemon off;
		worker_processes 1;
		pid $d/nginx.pid;
		error_log $d/nginx.log;
		events { worker_connections 4096; }
		http {
			access_log off;
			sendfile on;
			client_max_body_size 0;
			client_body_temp_path $d/tmp/body; proxy_temp_path $d/tmp/proxy;
			fastcgi_temp_path $d/tmp/fastcgi; uwsgi_temp_path $d/tmp/uwsgi; scgi_temp_path $d/tmp/scgi;
			server {
				listen $vip4:80 backlog=4096;
				listen [$vip6]:80 backlog=4096;
				root $dir/www;
				location = /pop { return 200 "$1\n"; }
				location = /upload { proxy_pass http://unix:$d/sink.sock:/; }
			}
			server {
				listen unix:$d/sink.sock;
				location / { return 200 "\$content_length\n"; }
			}
		}
	EOF
}

start_servers() {
	local pop
	for pop in $pops; do
		mkdir -p "$dir/$pop/tmp"
		write_nginx "$pop"
		spawn "nginx-$pop" "$pop" nginx -e "$dir/$pop/nginx.log" -c "$dir/$pop/nginx.conf"
		[ ! -x "$talk" ] || spawn "talk-$pop" "$pop" "$talk" serve -l "$vip4:8000" -l "[$vip6]:8000"
	done
	for pop in $pops; do
		await 5 test -s "$dir/$pop/nginx.pid" || die "nginx of $pop does not start: see $dir/$pop/nginx.log"
		[ ! -x "$talk" ] || await 5 grep -qs ready "$dir/log/talk-$pop" ||
			die "talk of $pop does not start: see $dir/log/talk-$pop"
	done
}

agent() {
	local what=$1 pop pid
	shift
	for pop; do
		case $what in
		start)
			spawn "agent-$pop" "$pop" "$homeward" agent -c "$dir/$pop/homeward.yaml" -p "$dir/$pop/bpf/homeward"
			await 5 grep -qs ready "$dir/log/agent-$pop" ||
				die "the agent of $pop does not start: $(tail -n 3 "$dir/log/agent-$pop")"
			;;
		stop) end "agent-$pop" ;;
		kill) end "agent-$pop" KILL ;;
		reload)
			alive "agent-$pop" || die "no agent runs on $pop"
			read -r pid _ <"$dir/pids/agent-$pop"
			kill -HUP "$pid"
			;;
		*) die "agent start|stop|kill|reload POP..." ;;
		esac
	done
}

homeward() {
	local verb=$1 where=()
	shift
	if [ "$verb" = agent ]; then
		agent "$@"
		return
	fi
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		where+=("$1")
		shift
	done
	[ $# -eq 0 ] || shift
	local pop opts ret=0
	for pop in "${where[@]}"; do
		opts=(-p "$dir/$pop/bpf/homeward")
		case $verb in
		load) opts+=(-c "$dir/$pop/homeward.yaml") ;;
		check) opts=(-c "$dir/$pop/homeward.yaml") ;;
		esac
		enter "$pop" "$homeward" "$verb" "${opts[@]}" "$@" || ret=$?
	done
	return $ret
}

# --- the lab as a whole ---

up() {
	local outer=4 backbone=0 advmss=1 mtu=1500 size=32 pop opt filling
	while getopts 6bau:s: opt; do
		case $opt in
		6) outer=6 ;;
		b) backbone=1 ;;
		a) advmss=0 ;;
		u) mtu=$OPTARG ;;
		s) size=$OPTARG ;;
		*) usage >&2; exit 1 ;;
		esac
	done
	mkdir -p "${dir%/*}"
	mkdir "$dir" 2>/dev/null || die "there is a lab \"$name\" already: lab.sh -n $name down"
	trap 'echo "lab: failed, cleaning up" >&2; down' EXIT
	mkdir "$dir/pids" "$dir/log" "$dir/www"
	printf '%s\n' "outer=$outer" "backbone=$backbone" "advmss=$advmss" "mtu=$mtu" >"$dir/settings"
	clang -target bpf -O2 -I"/usr/include/$(uname -m)-linux-gnu" -c "$root/tests/lab/pass.bpf.c" -o "$dir/pass.bpf.o"
	head -c "${size}M" /dev/urandom >"$dir/www/big" &
	filling=$!
	add_namespaces
	add_client
	ip -n "$(net core)" link add name bridge type bridge
	ip -n "$(net core)" link set bridge up
	for pop in $pops; do
		mkdir -p "$dir/$pop/bpf"
		mount -t bpf "hw-$name-$pop" "$dir/$pop/bpf"
		add_uplink "$pop"
		add_endpoint "$pop"
		write_config "$pop"
	done
	route a
	start_servers
	wait "$filling"
	trap - EXIT
}

# Whatever there is of it, and only that.
down() {
	local node pop file
	trap - EXIT
	for file in "$dir"/pids/*; do
		[ ! -e "$file" ] || end "${file##*/}" KILL
	done
	for pop in $pops; do
		while mountpoint -q "$dir/$pop/bpf" 2>/dev/null; do umount -l "$dir/$pop/bpf" || break; done
	done
	for node in $(nodes); do
		[ ! -e "/run/netns/$(net "$node")" ] || ip netns del "$(net "$node")"
	done
	rm -rf --one-file-system "$dir"
	rmdir "${dir%/*}" 2>/dev/null || :
}

status() {
	local pop what
	have
	echo "lab $name in $dir: endpoints IPv$(setting outer), $([ "$(setting backbone)" = 1 ] &&
		echo "nodes meet over core" || echo "nodes meet over the router")"
	ip -n "$(net router)" route show "$vip4/32"
	ip -n "$(net router)" -6 route show "$vip6/128"
	for pop in $pops; do
		printf '%s:' "$pop"
		for what in nginx talk agent; do
			if alive "$what-$pop"; then printf ' %s' "$what"; fi
		done
		ip -n "$(net "$pop")" link show 2>/dev/null | awk '/^[0-9]/ { dev = $2; sub(/[@:].*/, "", dev) }  /prog\/xdp/ { printf " XDP:%s", dev }'
		echo
	done
}

while getopts n:h opt; do
	case $opt in
	n) name=$OPTARG ;;
	h) usage; exit 0 ;;
	*) usage >&2; exit 1 ;;
	esac
done
shift $((OPTIND - 1))
OPTIND=1
[[ $name =~ ^[A-Za-z0-9]+$ ]] || die "\"$name\" is no name for a lab: letters and digits only"
[ $# -gt 0 ] || { usage >&2; exit 1; }
dir=/run/homeward-lab/$name
command=$1
shift
# the least number of arguments each takes
case $command in
route | end) least=1 ;;
exec | cut | mend | nic | homeward) least=2 ;;
spawn) least=3 ;;
*) least=0 ;;
esac
[ $# -ge "$least" ] || { usage >&2; exit 1; }
case $command in
up) up "$@" ;;
down) down ;;
help) usage ;;
status) status ;;
route) have; route "$1" ;;
exec) have; node=$1; shift; [ -e "/run/netns/$(net "$node")" ] || die "no node \"$node\""; exec nsenter --net="/run/netns/$(net "$node")" "$@" ;;
spawn) have; spawn "$@" ;;
end) have; end "$@" ;;
cut | mend) have; path "$command" "$@" ;;
nic) have; nic "$@" ;;
homeward) have; homeward "$@" ;;
*) usage >&2; exit 1 ;;
esac
