#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Capture by libpcap (xdp none) under a daemon that does not run for a while. Three seconds: its buffer holds what came, calls that
# hung up meanwhile have every packet, and no call that spoke meanwhile is taken for silent. Longer than the buffer holds: that is a
# loss of a place of its own, and told.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip

load_up && load_store && load_conf 'media-timeout 2 s' || fail "no network or store"
sed -i 's/xdp native/xdp none/' "$TMP/optagd.conf"
load_daemon || fail "optagd does not start"
calls() { # OUT SEED CALLS SECONDS
	load_begin "$1" --packet --kind 'kept:1:+4520######:+45701020##' --calls "$3" --rate "$3" --duration "$4" --first-rtp 300 --seed "$2"
}
stalled() { # SECONDS
	kill -STOP "$load_daemon_pid" || fail "no daemon"
	sleep "$1"
	kill -CONT "$load_daemon_pid"
}
calls "$TMP/whole" 1 20 3
load_answered 20
sleep 2
stalled 3
load_wait || fail "optag-load: $(cat "$TMP/whole")"
load_settle || fail "the counters do not come to rest"
load_status "$TMP/status" || fail status
jq -e '.packets.balanced and ([.losses[]] | add) == 0 and .media.stale == 0 and .interfaces[0].mode == "pcap"' "$TMP/status" >/dev/null ||
	fail "losses: $(jq -c '.packets, .losses, .media' "$TMP/status")"
load_rows "$TMP/whole.truth" "$TMP/rows" || fail find
awk -F'\t' '$6 != "kept" || $7 != $3 || $8 != $4 {print "not whole: " $0; bad++} {n++} END {exit bad || n != 20}' "$TMP/rows" >"$TMP/bad" ||
	fail "$(head -n 5 "$TMP/bad")"

calls "$TMP/torn" 2 2 16
load_answered 2
stalled 13
load_wait || fail "optag-load: $(cat "$TMP/torn")"
load_settle || fail "the counters do not come to rest"
load_status "$TMP/status" || fail status
jq -e '.losses.pcap_buffer > 0 and .losses.nic == 0 and ([.losses[]] | add) == .losses.pcap_buffer' "$TMP/status" >/dev/null ||
	fail "losses: $(jq -c .losses "$TMP/status")"
"$O" status --socket "$TMP/control" | grep -q "libpcap's buffer" || fail "status does not tell in words"
load_stop || fail "optagd's status"
grep -q "alarm: lost: packets: libpcap's buffer was full" "$TMP/optagd.err" || fail "the log does not tell"
"$O" fsck --store "$TMP/s" >/dev/null || fail fsck
exit 0
