#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# As many recorded calls as `calls` says are left to the next daemon, all of them. Where a state is pinned that is smaller
# than the settings say, what has no room in it is told, while it lasts and at the end, and goes on no further.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
sizes=('ring 4 MiB' 'signalling-ring 1 MiB' 'flow-lines 1024')
calls() { # SEED N
	load_begin "$TMP/sent$1" --kind 'kept:1:+4520######:+45701020##' --calls "$2" --total "$2" --rate 100 --hold 4 --duration 60 --first-rtp 300 --seed "$1"
	load_answered "$2"
	sleep 1
}
over() {
	kill "${load_pids[@]}" 2>/dev/null
	load_wait
	load_stop || fail "optagd's status"
}

load_ready "${sizes[@]}" 'calls 200'
calls 1 196
load_status "$TMP/status" && jq -e '.state | .calls >= 196 and .used > 196 and .used < .blocks' "$TMP/status" >/dev/null || fail "state: $(jq -c .state "$TMP/status")"
load_stop TERM && load_daemon || fail "no restart"
load_status "$TMP/status" && jq -e '(.take_over | .from == "left" and .calls == 196 and .recordings == 196 and .lost == 0) and .losses.state == 0' \
	"$TMP/status" >/dev/null || fail "take-over: $(jq -c '[.take_over, .state, .losses.state]' "$TMP/status")"
grep -q 'no room' "$TMP/optagd.err" && fail "something has no room"
over
"$O" find --store "$TMP/s" --json | jq -s -e 'length == 196 and all(.[]; .outcome == "kept" and .gap == null and .end != "restart")' >/dev/null ||
	fail "rows: $("$O" find --store "$TMP/s" --json | jq -c '[.outcome, .gap, .end]' | sort | uniq -c)"

rm -rf "$TMP/s" "$TMP/k"
"$O" init --store "$TMP/s" --keys "$TMP/k" >/dev/null 2>&1
: >"$TMP/optagd.err"
load_conf "${sizes[@]}" 'calls 10' && load_daemon && load_stop TERM || fail "optagd with few calls"
load_conf "${sizes[@]}" 'calls 200' 'metrics 127.0.0.1:9464' && load_daemon || fail "optagd with more calls"
calls 2 100
load_status "$TMP/status" && jq -e '.losses.state > 0 and .state.blocks == 124' "$TMP/status" >/dev/null || fail "loss: $(jq -c '[.state, .losses]' "$TMP/status")"
grep -q 'alarm: lost: times that the state of a call had no room' "$TMP/optagd.err" || fail "the log has no alarm"
"$O" status --socket "$TMP/control" | grep -q '^  no room for states, times ' || fail "status does not tell in words"
load_stop TERM && load_daemon || fail "no restart"
load_status "$TMP/status" || fail status
left=$(grep -o '[0-9]* calls in progress are not left to another daemon' "$TMP/optagd.err" | cut -d' ' -f1)
[ "${left:-0}" -gt 0 ] && jq -e --argjson n "$left" '.take_over.calls == 100 - $n' "$TMP/status" >/dev/null || fail "not left: '$left', $(jq -c .take_over "$TMP/status")"
# killed with no room: what has a state goes on
load_stop KILL
load_daemon || fail "no restart after a kill"
load_status "$TMP/status" && jq -e '.take_over | .from == "killed" and .calls > 0' "$TMP/status" >/dev/null || fail "after a kill: $(jq -c .take_over "$TMP/status")"
over
"$O" find --store "$TMP/s" --json | jq -s -e --argjson n "$left" '[.[] | select(.end == "restart")] | length == $n' >/dev/null ||
	fail "rows: $("$O" find --store "$TMP/s" --json | jq -c '[.outcome, .gap, .end]' | sort | uniq -c)"
exit 0
