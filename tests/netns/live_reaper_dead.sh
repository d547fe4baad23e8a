#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Nobody deletes (INV-7): when no run of the reaper has ended for longer than reaper-limit, calls are denied training
# ("reaper.dead") and documentation goes on, with an alarm in log, status and metrics; from its next run on all is as before. A
# restart of the daemon is no run of the reaper.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
command -v curl >/dev/null || { echo "SKIP: curl is not installed"; exit 77; }
load_ready 'reaper-limit 8 s' 'metrics 127.0.0.1:9464'
# shellcheck disable=SC2154
ip -n "$load_ns" link set lo up

reasons() { # FILE: of training, of each call of the sales line that was sent, one a line
	"$O" find --store "$TMP/s" --json >"$TMP/rows" || fail find
	awk -F'\t' '$2 == "sales" {print $1}' "$1.truth" | grep -Ff - "$TMP/rows" | jq -r .reasons.training
}
dead() { # what the daemon says for it: true, false
	local _
	for _ in $(seq 200); do
		load_status "$TMP/status" && jq -e ".store.reaper_dead == $1" "$TMP/status" >/dev/null && return 0
		sleep 0.1
	done
	return 1
}
calls() { load_calls "$1" --kind 'kept:1:+4520######:+45701020##' --kind "sales:1:+4521######:$load_key" --calls 10 --rate 20 --duration 2 --first-rtp 300 --seed "$2" || fail "optag-load: $(cat "$1")"; }

dead true || fail "nobody notices: $(jq -c .store "$TMP/status")"
[ "$(grep -c 'alarm: reaper: ' "$TMP/optagd.err")" = 1 ] || fail "the log: $(cat "$TMP/optagd.err")"
load_in curl -sf http://127.0.0.1:9464/metrics >"$TMP/page"
grep -qx 'optag_reaper_dead 1' "$TMP/page" || fail "the page: $(grep reaper "$TMP/page")"
grep -q '^optag_reaper_age_seconds ' "$TMP/page" && fail "an age of no run"
"$O" status --socket "$TMP/control" >"$TMP/out" && grep -q '^ALARM .*reaper' "$TMP/out" || fail "status: $(cat "$TMP/out")"
calls "$TMP/one" 1

"$O" reap --store "$TMP/s" >"$TMP/out" 2>&1 || fail "reap: $(cat "$TMP/out")"
dead false || fail "it runs, and nobody notices"
jq -e '.store.reaper_ago_ms < 20000' "$TMP/status" >/dev/null || fail "its age: $(jq -c .store "$TMP/status")"
grep -q 'reaper runs again' "$TMP/optagd.err" || fail "the log: $(cat "$TMP/optagd.err")"
load_stop || fail "optagd's status"

# With a limit that the calls do not outlive.
load_conf 'reaper-limit 1 min' || fail "no settings"
load_daemon || fail "optagd does not start"
calls "$TMP/two" 2
load_stop || fail "optagd's status"
# Without a limit its age is told all the same; a mark that cannot be read does not make it dead.
load_conf 'reaper-limit 0 s' && load_daemon || fail "optagd does not start without a limit"
dead false && for _ in $(seq 100); do
	jq -e '.store.reaper_ago_ms' "$TMP/status" >/dev/null && break
	sleep 0.1
	load_status "$TMP/status"
done
jq -e '.store | .reaper_ago_ms > 0 and .reaper_dead == false' "$TMP/status" >/dev/null || fail "no age: $(jq -c .store "$TMP/status")"
cp "$TMP/s/reap.clock" "$TMP/mark" && : >"$TMP/s/reap.clock"
sleep 6
load_status "$TMP/status" && jq -e '.store.reaper_ago_ms > 0' "$TMP/status" >/dev/null || fail "it forgets what it cannot read: $(jq -c .store "$TMP/status")"
cat "$TMP/mark" >"$TMP/s/reap.clock"
load_stop || fail "optagd's status"
# It is dead for a daemon that starts, too: whoever is restarted again and again has no other.
load_conf 'reaper-limit 20 s' || fail "no settings"
left=$(jq '[21 - (.store.reaper_ago_ms / 1000 | floor), 0] | max' "$TMP/status") && sleep "$left"
load_daemon || fail "optagd does not start with a short limit"
until=$((SECONDS + 10)) # not until its own start is as long ago
while [ $SECONDS -lt $until ]; do
	load_status "$TMP/status" && jq -e .store.reaper_dead "$TMP/status" >/dev/null && break
	sleep 0.1
done
jq -e '.store.reaper_dead' "$TMP/status" >/dev/null || fail "a restart makes it alive: $(jq -c .store "$TMP/status")"
load_stop || fail "optagd's status"
reasons "$TMP/one" >"$TMP/reasons"
[ "$(sort -u "$TMP/reasons")" = reaper.dead ] || fail "training while nobody deletes: $(sort "$TMP/reasons" | uniq -c)"
[ "$(jq -r 'select(.outcome == "kept") | .call' "$TMP/rows" | wc -l)" -ge "$(awk -F'\t' '$2 == "kept"' "$TMP/one.truth" | wc -l)" ] || fail "documentation did not go on"
reasons "$TMP/two" >"$TMP/reasons"
[ -s "$TMP/reasons" ] && ! grep -q reaper.dead "$TMP/reasons" || fail "training after the reaper ran: $(sort "$TMP/reasons" | uniq -c)"
uid=$(jq -r 'select(.outcome == "denied") | .call' "$TMP/rows" | head -n 1)
"$O" why --store "$TMP/s" "$uid" >"$TMP/out" 2>&1 && grep -q 'the reaper did not run' "$TMP/out" || fail "why: $(cat "$TMP/out")"
exit 0
