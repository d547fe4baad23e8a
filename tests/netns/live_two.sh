#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# One daemon on an interface, by libpcap and by XDP, with stores of their own: the second refuses with a line that says so
# and touches nothing, also under another name of the interface and with file systems of its own. The right goes with the
# process, however it ends; in another network namespace it is another interface.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
down() {
	[ -z "${second:-}" ] || kill -9 "$second" 2>/dev/null
	load_down
	ip netns del "$other" 2>/dev/null
	return 0
}
trap down EXIT
other=optag$$o

load_up && load_store && load_conf || fail "no network or store"
"$O" init --store "$TMP/s2" --keys "$TMP/k2" >/dev/null 2>&1 || fail "no second store"
how() { sed -i "s/xdp [a-z]*/xdp $1/" "$TMP/optagd.conf"; }
conf2() { # INTERFACE HOW: the second's settings
	sed -e "s/^interface .*/interface $1 { mirror yes; xdp $2 }/" -e "s#^store .*#store \"$TMP/s2\"#" \
		-e "s#socket \"[^\"]*\"#socket \"$TMP/control2\"#" "$TMP/optagd.conf" >"$TMP/second.conf"
}
refused() { # INTERFACE HOW [COMMAND...]
	local rc=0
	conf2 "$1" "$2"
	shift 2
	load_in timeout -s INT 60 "$@" "$BIN/optagd" -c "$TMP/second.conf" 2>"$TMP/second.err" || rc=$?
	[ "$rc" = 1 ] && grep -q ": another daemon captures here$" "$TMP/second.err" ||
		fail "$* $(head -n 1 "$TMP/second.conf") beside $(head -n 1 "$TMP/optagd.conf"): status $rc: $(cat "$TMP/second.err")"
	[ ! -e "$TMP/control2" ] || fail "the second made a socket before it was refused"
	load_status "$TMP/status" || fail "the first daemon does not answer after the second was refused"
}
begins() { # NETNS: the second does; it is killed
	nsenter --net="/run/netns/$1" "$BIN/optagd" -c "$TMP/second.conf" 2>"$TMP/second.err" &
	second=$!
	for _ in $(seq 2000); do
		grep -q 'recording from' "$TMP/second.err" && break
		kill -0 $second 2>/dev/null || break
		sleep 0.02
	done
	grep -q 'recording from' "$TMP/second.err" || fail "the second does not start: $(cat "$TMP/second.err")"
	kill -9 $second
	wait $second 2>/dev/null
	second=''
	rm -f "$TMP/control2"
}

ip -n "$load_ns" link property add dev rx0 altname mirror0 2>/dev/null || fail "no second name of rx0"
for first in none native; do
	how $first
	load_daemon || fail "optagd does not start with xdp $first"
	for then in none native; do refused rx0 $then; done
	# another name, and file systems of its own: neither pins nor /run are the first one's
	refused mirror0 none
	refused rx0 none unshare -m sh -c 'mount -t bpf bpf /sys/fs/bpf && mount -t tmpfs tmp /run && exec "$@"' sh
	load_calls "$TMP/sent.$first" --kind 'kept:1:+4520######:+45701020##' --calls 3 --rate 10 --duration 4 --first-rtp 300 --packet \
		--seed ${#first} || fail "optag-load: $(cat "$TMP/sent.$first")"
	load_settle || fail "the counters do not come to rest"
	load_stop || fail "optagd's status"
	load_rows "$TMP/sent.$first.truth" "$TMP/rows" || fail find
	awk -F'\t' '$6 != "kept" || $7 != $3 || $8 != $4 {print; bad = 1} END {exit bad || NR != 3}' "$TMP/rows" >"$TMP/bad" ||
		fail "xdp $first: calls beside refused daemons are not whole: $(cat "$TMP/bad")"
done

# After kill -9 the interface is free at once, for its own daemon and for another.
how none
for _ in 1 2 3; do
	load_daemon || fail "optagd does not start after a kill"
	kill -9 "$load_daemon_pid"; wait "$load_daemon_pid" 2>/dev/null; load_daemon_pid=''
	conf2 rx0 none
	begins "$load_ns"
done

# The same name and number elsewhere is another interface.
load_daemon || fail "optagd does not start"
ip netns add $other && ip -n $other link add tx0 type veth peer name rx0 index "$(ip -n "$load_ns" -j link show rx0 | jq '.[0].ifindex')" &&
	ip -n $other link set rx0 up || fail "no second namespace"
conf2 rx0 none
begins $other
load_stop || fail "optagd's status"
exit 0
