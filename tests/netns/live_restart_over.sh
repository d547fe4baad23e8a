#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Calls that end while no daemon runs, one after the other for longer than what is under way is waited for after a BYE: the
# daemon that takes over has each of their packets, and their ends.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
load_ready 'ring 8 MiB'
load_begin "$TMP/sent" --kind 'kept:1:+4520######:+45701020##' --calls 20 --total 20 --rate 10 --hold 5 --duration 9 --first-rtp 300
load_answered 20
sleep 2.5 # the first have not hung up yet
load_stop TERM || fail "optagd's status"
load_wait || fail "optag-load: $(cat "$TMP/sent")"
load_daemon || fail "no restart"
load_status "$TMP/status" && jq -e '.take_over | .from == "left" and .calls > 10 and .lost == 0' "$TMP/status" >/dev/null || fail "take-over: $(jq -c .take_over "$TMP/status")"
load_settle || fail "the counters do not come to rest"
load_status "$TMP/status" && jq -e '.media.stale == 0' "$TMP/status" >/dev/null || fail "$(jq -c .media "$TMP/status")"
load_stop || fail "optagd's status"
load_rows "$TMP/sent.truth" "$TMP/rows" || fail find
awk -F'\t' '$6 != "kept" || $3 != $7 || $4 != $8 {print; wrong++} END {exit wrong > 0}' "$TMP/rows" >"$TMP/bad" ||
	fail "$(wc -l <"$TMP/bad") of $(wc -l <"$TMP/rows") wrong: $(head -n 3 "$TMP/bad")"
"$O" find --store "$TMP/s" --json | jq -es 'length == 20 and all(.[]; .gap == null and .end == "bye")' >/dev/null || fail "ends: $("$O" find --store "$TMP/s" --json | jq -c '[.gap, .end]' | sort | uniq -c)"
exit 0
