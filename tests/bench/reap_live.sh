#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The reaper beside capture: a store of REAP_ROWS calls, REAP_DUE of which are due today and 57 of these on hold, their segments with all
# their blocks; optagd records REAP_CALLS calls at once into it (live.sh: optag-load on CPU 0, optagd on CPU 1), first alone, then with `optag
# reap` as its unit starts it (nice 10, best effort 7), on the recorder's CPU, in the middle of it. Nothing may be lost.
# REAP_DIR: where the store is; when one is there already (bench_reap make REAP_DIR/s REAP_DIR/k ...) it is taken, and is
# reaped then, and gone; with REAP_KEEP=1 it is put back.
# shellcheck disable=SC2154,SC2119
set -u
cd "$(dirname "$0")/../.." || exit 1
SRC=$PWD BUILD=${BUILD:-$PWD/build}
BIN=$BUILD/bin
export SRC BUILD BIN
REAP_ROWS=${REAP_ROWS:-60000} REAP_DUE=${REAP_DUE:-20000} REAP_CALLS=${REAP_CALLS:-2000} REAP_SECONDS=${REAP_SECONDS:-20}
REAP_RATE=${REAP_RATE:-500}
export CALL_BYTES=${CALL_BYTES:-100000} REAL_DAYS=1
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
work=$(mktemp -d "${REAP_DIR:-${TMPDIR:-/var/tmp}}/optag-reap.XXXXXX") || exit 1
TMP=$work
trap 'load_down; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
why=$(load_need) || { echo "reap: not run here: $why"; exit 0; }
[ "$(nproc)" -ge 2 ] || { echo "reap: needs two CPUs"; exit 0; }
num() { jq -r "$1" "$2"; }

load_up || fail "no network"
load_store || fail "no store"
rm -rf "${TMP:?}/s" "${TMP:?}/k"
if [ -d "${REAP_DIR:-/nowhere}/s" ]; then
	mv "$REAP_DIR/s" "$REAP_DIR/k" "$TMP/" || fail "$REAP_DIR"
else
	# a deadline late today (Copenhagen, winter and summer), so that the key is due and no call is late
	START_S=$(($(date -u -d 'today 00:00' +%s) + 21 * 3600 + 2700 - 90 * 86400)) \
		"$BUILD/tests/bench/bench_reap" make "$TMP/s" "$TMP/k" "$REAP_ROWS" "$REAP_DUE" 57 || fail "make"
fi
load_conf 'ring 256 MiB' 'signalling-ring 16 MiB' 'calls 60000' 'flow-lines 262144' || fail "no settings"
echo "store of $(du -sm "$TMP/s" | cut -f1) MB on $(df --output=source,fstype "$TMP" | tail -n 1 | tr -s ' '), $REAP_CALLS calls at once"

beside() { # NAME [COMMAND...]: calls, and the command beside them
	local name=$1 from rc=0
	shift
	from=$(date -u +%FT%TZ)
	load_daemon nice -n -10 taskset -c 1 || fail "optagd does not start"
	load_begin "$TMP/sent" --cpu 0 --fifo 10 --calls "$REAP_CALLS" --rate "$REAP_RATE" --first-rtp 200 --end 3 --seed $RANDOM \
		--duration "$((REAP_CALLS / REAP_RATE + REAP_SECONDS + 1))" --kind 'kept:1:+4520######:+45701020##'
	sleep $((REAP_CALLS / REAP_RATE + REAP_SECONDS / 4))
	[ $# = 0 ] || "$@" || rc=$?
	local beside=yes
	kill -0 "${load_pids[0]}" 2>/dev/null || beside=no
	load_wait || fail "optag-load"
	sleep 1
	load_settle
	load_status "$TMP/status" || fail status
	load_stop || fail "optagd's status"
	"$O" find --store "$TMP/s" --json --since "$from" >"$TMP/rows" || fail find
	[ $rc = 0 ] || fail "$name: $(cat "$TMP/reap.err")"
	[ $beside = yes ] || echo "($name took longer than the calls: REAP_SECONDS)"
	# lost: counted anywhere, not seen, address not open; stored: of all packets that were sent
	jq -s -r --arg name "$name" '.[0] as $sent | .[1] as $s | .[2:] as $rows
		| ($rows | map(.legs | map(.packets) | add) | add) as $kept
		| (([$s.losses[]] | add) + $s.media.stale + $s.packets.miss + $s.packets.gated + $sent.frames - $s.packets.seen) as $lost
		| "\($name): \($sent.rtp.sent) packets of \($rows | length) calls sent, \($lost) lost, \($sent.rtp.sent - $kept) not stored"
		+ " (sender: \($sent.ticks.late) of \($sent.ticks.all) ms late, worst \($sent.ticks.max_us / 1000) ms)"' \
		"$TMP/sent" "$TMP/status" "$TMP/rows"
}
reap() {
	nice -n 10 ionice -c 2 -n 7 taskset -c 1 "$BIN/optag-reap" --store "$TMP/s" --json >"$TMP/reaped" 2>"$TMP/reap.err"
}

beside "capture alone"
beside "capture and reaper" reap
tail -n 1 "$TMP/reaped" | jq -r '"  reaper: \(.destroyed) purposes of calls destroyed, \(.held) held, \(.late) late: all undecryptable after \(.dead_s) s; \(.files) files, \(.bytes / 1e9 * 10 | round / 10) GB freed after \(.seconds) s"'
[ "${REAP_KEEP:-0}" = 0 ] || mv "$TMP/s" "$TMP/k" "$REAP_DIR/"
