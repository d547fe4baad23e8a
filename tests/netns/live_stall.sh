#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# optagd does not run for three seconds (another program had the CPU, a debugger, a bad disk) while calls speak, begin and hang
# up. The rings hold what came. Then it reads on: signalling first, yet calls that ended meanwhile have every packet
# that was sent before their BYE, and nothing is lost anywhere.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip

load_ready 'ring 64 MiB'
# All begin within a second, and hang up from the fifth second to the seventh.
load_begin "$TMP/sent" --kind 'kept:1:+4520######:+45701020##' --calls 60 --rate 60 --duration 5 --first-rtp 300 --sha
load_answered 60
sleep 3
kill -STOP "$load_daemon_pid" || fail "no daemon"
sleep 3
kill -CONT "$load_daemon_pid"
load_wait || fail "optag-load: $(cat "$TMP/sent")"
load_settle || fail "the counters do not come to rest"
load_status "$TMP/status" || fail status
load_stop || fail "optagd's status"
load_rows "$TMP/sent.truth" "$TMP/rows" || fail find
jq -e '.packets.balanced and ([.losses[]] | add) == 0 and .media.stale == 0' "$TMP/status" >/dev/null ||
	fail "losses: $(jq -c '.packets, .losses, .media' "$TMP/status")"
awk -F'\t' '$6 != "kept" || $7 != $3 || $8 != $4 {print "not whole: " $0; bad++} {n++} END {exit bad || n != 60}' "$TMP/rows" >"$TMP/bad" ||
	fail "$(head -n 5 "$TMP/bad")"
"$O" fsck --store "$TMP/s" >/dev/null || fail fsck
exit 0
