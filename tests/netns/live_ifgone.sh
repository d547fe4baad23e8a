#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Interfaces are removed while optagd records, and come back under other indexes. The daemon says so (log, status,
# metrics), the other port's calls stay whole, what is back is recorded from again, also by the next daemon. When every
# port is gone, recordings in progress are marked, also by the next daemon.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
command -v curl >/dev/null || { echo "SKIP: curl is not installed"; exit 77; }
trap 'load_down; rm -rf /sys/fs/bpf/optag/rx1' EXIT
port() { # N [INDEX]: the pair, up
	ip -n "$load_ns" link add "tx$1" ${2:+index "$2"} type veth peer name "rx$1" && ip -n "$load_ns" link set "tx$1" up &&
		ip -n "$load_ns" link set "rx$1" up
}
said() { # N TEXT: until the log has it N times
	for _ in $(seq 1200); do
		[ "$(grep -c -- "$2" "$TMP/optagd.err")" = "$1" ] && return 0
		sleep 0.05
	done
	fail "the log does not say $1 times '$2'"
}
interface() { # NAME FILTER: of its status
	load_status "$TMP/status" || fail status
	jq -e --arg n "$1" ".interfaces[] | select(.name == \$n) | $2" "$TMP/status" >/dev/null ||
		fail "$1 is not $2: $(jq -c .interfaces "$TMP/status")"
}
whole() { # TRUTH: each of its calls is stored as it was sent
	load_rows "$1" "$TMP/rows" || fail find
	awk -F'\t' '$6 != "kept" || $7 != $3 || $8 != $4 {print; bad = 1} END {exit bad || !NR}' "$TMP/rows" >"$TMP/bad" ||
		fail "not whole: $(head -n 5 "$TMP/bad")"
}
over() { # until no call is in progress
	for _ in $(seq 300); do
		[ "$(load_status /dev/stdout | jq ".calls | .setup + .answered + .hold + .ending")" = 0 ] && return 0
		sleep 0.1
	done
	fail "calls do not end: $(load_status /dev/stdout | jq -c .calls)"
}
calls() { # PORT OUT SEED DURATION
	load_begin "$2" --interface "$1" --kind 'kept:1:+4520######:+45701020##' --calls 5 --rate 20 --duration "$4" --first-rtp 300 --seed "$3"
}

load_up && port 1 && load_store && load_conf 'interface rx1 { mirror yes; xdp native }' 'metrics 127.0.0.1:9464' || fail "no network or store"
ip -n "$load_ns" link set lo up
ip -n "$load_ns" addr add 192.0.2.9/24 dev rx1
load_daemon || fail "optagd does not start"
said 1 "rx1: it has an address, and what is sent to it is dropped there"
grep -q 'rx0: it has an address' "$TMP/optagd.err" && fail "rx0 has no address"
interface rx0 '.attached and .gone == 0 and .gone_ms == 0'

# One gets another name: calls are recorded as before, status asks by what it is, and says how it is called.
ip -n "$load_ns" link set rx0 down && ip -n "$load_ns" link set rx0 name seen0 && ip -n "$load_ns" link set seen0 up || fail "cannot rename rx0"
said 1 'rx0: the interface is called seen0 now'
calls tx0 "$TMP/named" 9 4
load_wait || fail "optag-load: $(cat "$TMP/named")"
interface rx0 '.attached and .up and .renamed == "seen0" and .mode == "native" and .gone == 0 and .rx_packets > 0'
interface rx1 '.renamed == null'
load_in curl -s http://127.0.0.1:9464/metrics >"$TMP/page" || fail "no metrics"
grep -qx 'optag_interface_up{interface="rx0"} 1' "$TMP/page" && grep -qx 'optag_interface_renamed{interface="rx0"} 1' "$TMP/page" ||
	fail "metrics: $(grep interface "$TMP/page")"
"$O" status --socket "$TMP/control" | grep -q '^interface  rx0, called seen0 now, native, up' || fail "status does not tell in words"
over
ip -n "$load_ns" link set seen0 down && ip -n "$load_ns" link set seen0 name rx0 && ip -n "$load_ns" link set rx0 up || fail "cannot rename rx0"
said 1 'rx0: the interface has its name again'
interface rx0 '.attached and .up and .renamed == null'

# One of two goes. The other's calls, begun before and ended after, are whole.
calls tx1 "$TMP/other" 1 6
load_answered 5
sleep 1
ip -n "$load_ns" link del rx0 || fail "cannot remove rx0"
said 1 'rx0: the interface is gone: nothing of it is recorded until it is back$'
interface rx0 '(.attached | not) and .gone == 1 and .mode == "none"'
interface rx1 '.attached and .gone == 0'
"$O" status --socket "$TMP/control" | grep -q '^interface  rx0, GONE' || fail "status does not tell in words"
load_in curl -s http://127.0.0.1:9464/metrics >"$TMP/page" || fail "no metrics"
grep -qx 'optag_interface_attached{interface="rx0"} 0' "$TMP/page" && grep -qx 'optag_interface_attached{interface="rx1"} 1' "$TMP/page" &&
	grep -qx 'optag_interface_removals_total{interface="rx0"} 1' "$TMP/page" || fail "metrics: $(grep interface "$TMP/page")"
load_wait || fail "optag-load: $(cat "$TMP/other")"
over

# It is back, as another device of the same name.
port 0 777 || fail "cannot make rx0 again"
said 1 'rx0: the interface is back after .* s (native XDP)$'
interface rx0 '.attached and .gone == 1 and .gone_ms > 0 and .mode == "native"'
calls tx0 "$TMP/back" 2 3
load_wait || fail "optag-load: $(cat "$TMP/back")"
over

# It goes and comes faster than anybody looks.
ip -n "$load_ns" link del rx0 && port 0 || fail "cannot replace rx0"
said 2 'rx0: the interface is back after'

# The next daemon takes over what was attached again, with calls in progress.
calls tx0 "$TMP/passed" 3 8
load_answered 5
sleep 1
load_stop TERM || fail "optagd's status"
load_daemon || fail "the next optagd does not start"
said 1 'took over from a daemon that left: 5 calls go on, 0 do not'
load_wait || fail "optag-load: $(cat "$TMP/passed")"
over

# No port is left while calls run: their recordings say so, and the daemon lives.
calls tx0 "$TMP/blind" 4 12
load_answered 5
sleep 2.5
ip -n "$load_ns" link del rx1 && ip -n "$load_ns" link del rx0 || fail "cannot remove the ports"
said 1 'rx0: the interface is gone: .*nothing is recorded at all$'
kill "${load_pids[@]}" 2>/dev/null
load_wait # it had nowhere to send to
port 0 && port 1 || fail "cannot make the ports again"
said 3 'rx0: the interface is back after'
said 1 'rx1: the interface is back after'
calls tx1 "$TMP/last" 5 3
load_wait || fail "optag-load: $(cat "$TMP/last")"
load_stop TERM && load_daemon || fail "the last optagd does not start" # what they are marked with, it knows
load_settle || fail "the counters do not come to rest" # (the blind ones wait for their BYE)
load_stop || fail "optagd's status"
for f in named other back passed last; do whole "$TMP/$f.truth"; done
"$O" find --store "$TMP/s" --json | jq -s -e '[.[] | select(.gap == "interface-gone")] | length == 5' >/dev/null ||
	fail "recordings are not marked: $("$O" find --store "$TMP/s" --json | jq -c '[.sip_call_id, .outcome, .gap]')"
"$O" fsck --store "$TMP/s" >/dev/null || fail fsck
[ ! -e /sys/fs/bpf/optag/rx0 ] && [ ! -e /sys/fs/bpf/optag/rx1 ] || fail "pins are left"
for p in rx0 rx1; do ip -n "$load_ns" link show $p | grep -q xdp && fail "XDP is left attached to $p"; done
exit 0
