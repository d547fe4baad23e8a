#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Interfaces get other names (one with a dot, which no name of a pin has), the settings follow, and optagd is restarted: it takes its calls over as if nothing had been, also
# when two swap their names; optagd -r finds what was left under a name before.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
trap 'load_down; rm -rf /sys/fs/bpf/optag/*' EXIT
called() { # OLD NEW
	ip -n "$load_ns" link set "$1" down && ip -n "$load_ns" link set "$1" name "$2" && ip -n "$load_ns" link set "$2" up || fail "cannot rename $1"
}
took() { # N: calls, of this daemon
	load_status "$TMP/status" && jq -e --argjson n "$1" '.take_over | .from == "left" and .calls == $n and .lost == 0' "$TMP/status" >/dev/null ||
		fail "no take-over of $1 calls: $(jq -c .take_over "$TMP/status")"
}
heard() { # more audio comes, by any interface
	local a
	a=$(load_status /dev/stdout | jq .media.kept)
	for _ in $(seq 100); do
		[ "$(load_status /dev/stdout | jq .media.kept)" -gt $((a + 50)) ] && return 0
		sleep 0.05
	done
	fail "nothing is heard any more"
}

load_ready
load_begin "$TMP/sent" --kind 'kept:1:+4520######:+45701020##' --calls 5 --total 5 --rate 50 --duration 60 --first-rtp 300
load_answered 5
called rx0 seen.0
load_stop TERM || fail "optagd's status"
sed -i 's/^interface rx0/interface seen.0/' "$TMP/optagd.conf"
load_daemon || fail "it does not start under the new name"
took 5
grep -q 'seen.0: what was left for it under the name rx0 is its own now' "$TMP/optagd.err" || fail "nothing is said"
[ -e /sys/fs/bpf/optag/seen:0/link ] && [ ! -e /sys/fs/bpf/optag/rx0 ] || fail "pins are under another name"
heard
load_stop TERM && load_daemon && took 5 || fail "no restart"
# removed under the name before
load_stop TERM || fail "optagd's status"
called seen.0 rx0
sed -i 's/^interface seen.0/interface rx0/' "$TMP/optagd.conf"
load_in "$BIN/optagd" -r -c "$TMP/optagd.conf" 2>"$TMP/err" || fail "optagd -r: $(cat "$TMP/err")"
grep -q 'rx0: nothing captures here any more' "$TMP/err" || fail "optagd -r said: $(cat "$TMP/err")"
ls /sys/fs/bpf/optag 2>/dev/null | grep -q . && fail "pins are left: $(ls /sys/fs/bpf/optag)"
ip -n "$load_ns" link show rx0 | grep -q xdp && fail "XDP is left attached"
kill "${load_pids[@]}"
load_wait

# Two swap their names.
ip -n "$load_ns" link add tx1 type veth peer name rx1 && ip -n "$load_ns" link set tx1 up && ip -n "$load_ns" link set rx1 up || fail "no second port"
load_conf 'interface rx1 { mirror yes; xdp native }' 'ring 8 MiB'
: >"$TMP/optagd.err"
load_daemon || fail "optagd does not start"
load_begin "$TMP/sent" --kind 'kept:1:+4520######:+45701020##' --calls 5 --total 5 --rate 50 --duration 60 --first-rtp 300 --seed 2
load_begin "$TMP/sent1" --interface tx1 --kind 'kept:1:+4520######:+45701020##' --calls 5 --total 5 --rate 50 --duration 60 --first-rtp 300 --seed 3
load_answered 10
load_stop TERM || fail "optagd's status"
called rx0 swap0
called rx1 rx0
called swap0 rx1
load_daemon || fail "it does not start with swapped names"
took 10
heard
[ "$(ls /sys/fs/bpf/optag | tr '\n' ' ')" = "rx0 rx1 " ] || fail "pins: $(ls /sys/fs/bpf/optag)"
kill "${load_pids[0]}"
heard
kill "${load_pids[@]}" 2>/dev/null
load_wait
load_stop || fail "optagd's status"
ls /sys/fs/bpf/optag 2>/dev/null | grep -q . && fail "pins are left: $(ls /sys/fs/bpf/optag)"
for p in rx0 rx1; do ip -n "$load_ns" link show $p | grep -q xdp && fail "XDP is left attached to $p"; done
# One whose name has a dot is out of the settings: it goes, under its own name, and not the one that it is named after; what another daemon
# set aside stays.
ip -n "$load_ns" link set rx1 down && ip -n "$load_ns" link set rx1 name rx0.2 && ip -n "$load_ns" link set rx0.2 up || fail "cannot rename rx1"
load_conf 'interface rx0.2 { mirror yes; xdp native }' 'ring 8 MiB'
: >"$TMP/optagd.err"
load_daemon && load_stop TERM || fail "optagd with a port with a dot"
[ -e /sys/fs/bpf/optag/rx0:2/link ] && mkdir /sys/fs/bpf/optag/99999: || fail "pins: $(ls /sys/fs/bpf/optag)"
load_conf 'ring 8 MiB'
load_daemon || fail "optagd does not start without it"
grep -q 'optagd: rx0\.2: ' "$TMP/optagd.err" || fail "nothing is said of it"
[ "$(ls /sys/fs/bpf/optag | tr '\n' ' ')" = "99999: rx0 " ] || fail "pins: $(ls /sys/fs/bpf/optag)"
ip -n "$load_ns" link show rx0.2 | grep -q xdp && fail "XDP is left attached to rx0.2"
ip -n "$load_ns" link show rx0 | grep -q xdp || fail "XDP is not attached to rx0"
load_stop || fail "optagd's status"
rmdir /sys/fs/bpf/optag/99999: || fail "what was set aside is gone"
"$O" fsck --store "$TMP/s" >/dev/null || fail fsck
exit 0
