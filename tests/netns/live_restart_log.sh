#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A daemon that is to leave while its evidence log cannot be opened, for longer than it waits for it, leaves its calls in progress
# all the same: the next one goes on with them, and no audio is missing.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
load_ready 'ring 8 MiB'
load_begin "$TMP/sent" --kind 'kept:1:+4520######:+45701020##' --calls 10 --total 10 --rate 50 --hold 25 --duration 27 --first-rtp 300
load_answered 10
sleep 2 # they are being recorded
load_stop TERM || fail "optagd's status"
exec 9>>"$TMP/s/evidence/lock"
flock 9 || fail "the log's lock"
load_daemon || fail "optagd does not start beside one who holds its log"
load_status "$TMP/status" && jq -e '.take_over.calls == 10' "$TMP/status" >/dev/null || fail "take-over: $(jq -c .take_over "$TMP/status")"
load_stop TERM # its log was refused to the end: that is told by its status
grep -q 'capture goes on' <(tail -n 3 "$TMP/optagd.err") || fail "it leaves nothing: $(tail -n 5 "$TMP/optagd.err")"
exec 9>&-
load_daemon || fail "no restart"
load_status "$TMP/status" && jq -e '.take_over | .from == "left" and .calls == 10 and .lost == 0' "$TMP/status" >/dev/null || fail "take-over: $(jq -c .take_over "$TMP/status")"
load_wait || fail "optag-load: $(cat "$TMP/sent")"
load_settle || fail "the counters do not come to rest"
load_stop || fail "optagd's status"
load_rows "$TMP/sent.truth" "$TMP/rows" || fail find
awk -F'\t' '$6 != "kept" || $3 != $7 || $4 != $8 {print; wrong++} END {exit wrong > 0 || NR != 10}' "$TMP/rows" >"$TMP/bad" || fail "$(cat "$TMP/rows")"
"$O" audit verify --store "$TMP/s" >"$TMP/verify" 2>&1 || fail "verify: $(cat "$TMP/verify")"
"$O" audit sums --store "$TMP/s" --json >"$TMP/sums" && jq -es 'all(.[]; .matched == .kept + .denied + .gap and .open == 0)' "$TMP/sums" >/dev/null || fail "sums: $(cat "$TMP/sums")"
exit 0
