#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The reaper beside a daemon that records: again and again, killed at any moment, two at once; no packet is lost, what is due
# goes and nothing else does. Then the days of calls in progress are destroyed under the daemon: it lives, and keeps nothing more of them.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
why=$(load_need) || { echo "SKIP: $why"; exit 77; }
trap load_down EXIT
trap 'exit 130' INT TERM HUP

load_up && load_store && load_conf || fail "no network or store"
"$BUILD/tests/gen/mkstore" "$TMP/s" g711 overlap denied training >"$TMP/out" 2>&1 && [ -n "$(ls "$TMP/s/segments/acme" 2>/dev/null)" ] ||
	fail "no old calls: $(cat "$TMP/out")"
load_daemon || fail "optagd does not start"
load_begin "$TMP/sent" --kind 'kept:1:+4520######:+45701020##' --calls 20 --rate 10 --hold 8 --duration 8 --first-rtp 300 --sha
end=$((SECONDS + 9)) runs=0
while [ $SECONDS -lt $end ]; do
	"$O" reap --store "$TMP/s" --json >>"$TMP/reaped" 2>>"$TMP/reap.err" & a=$!
	"$O" reap --store "$TMP/s" --json >>"$TMP/reaped" 2>>"$TMP/reap.err" & b=$!
	sleep "0.0$((RANDOM % 10))"
	kill -9 $a 2>/dev/null
	wait $a 2>/dev/null
	wait $b 2>/dev/null
	runs=$((runs + 1))
done
load_wait || fail "optag-load: $(cat "$TMP/sent")"
load_settle || fail "the counters do not come to rest"
"$O" reap --store "$TMP/s" >"$TMP/out" 2>&1 || fail "reap: $(cat "$TMP/out")"
ls "$TMP/s/segments/acme" 2>/dev/null | grep -q . && fail "old segments are left"
"$O" find --store "$TMP/s" --json >"$TMP/found" || fail find
jq -r 'select(.sip_call_id | test("optag-load|@")) | [.sip_call_id, .outcome, .legs[0].packets, .legs[1].packets, ([.legs[].lost] | add)] | @tsv' "$TMP/found" | sort >"$TMP/got"
awk -F'\t' -v OFS='\t' '{print $1, "kept", $3, $4, 0}' "$TMP/sent.truth" | sort | diff - "$TMP/got" >"$TMP/diff" ||
	fail "calls beside $runs reapers are not whole: $(head -n 5 "$TMP/diff")"
echo "20 calls whole beside $runs pairs of reapers"
for _ in $(seq 600); do # the daemon takes what they told
	"$O" audit show --store "$TMP/s" --json --event bucket.destroy 2>/dev/null | jq -r '[.purpose, .n.day] | @tsv' | sort -u >"$TMP/told"
	[ "$(wc -l <"$TMP/told")" = 2 ] && break
	sleep 0.1
done
[ "$(wc -l <"$TMP/told")" = 2 ] || fail "not told: $(cat "$TMP/told" "$TMP/reap.err")"

# ---- the day of calls in progress ends ----
load_begin "$TMP/more" --kind 'kept:1:+4520######:+45701020##' --calls 10 --rate 10 --hold 8 --duration 8 --seed 3
load_answered 8
sleep 1
"$O" reap --store "$TMP/s" --now "$(date -u -d '+2 years' +%FT%TZ)" >"$TMP/out" 2>&1 || fail "reap: $(cat "$TMP/out")"
grep -q 'still in use' "$TMP/out" || fail "it took the days that are recorded to: $(cat "$TMP/out")"
load_wait || fail "optag-load: $(cat "$TMP/more")"
load_begin "$TMP/third" --kind 'kept:1:+4520######:+45701020##' --calls 5 --rate 10 --duration 3 --seed 4
load_wait || fail "optag-load: $(cat "$TMP/third")"
load_settle || fail "the counters do not come to rest"
kill -0 "$load_daemon_pid" || fail "the daemon ended: $(tail -n 5 "$TMP/optagd.err")"
load_status "$TMP/status" || fail status
"$O" find --store "$TMP/s" --json >"$TMP/found" || fail find
[ "$(jq -rs 'map(select(.documentation == "GRANTED" or .training == "GRANTED")) | length' "$TMP/found")" = 0 ] ||
	fail "something is kept under a key that is dead: $(jq -c 'select(.documentation == "GRANTED")' "$TMP/found" | head -n 1)"
load_stop || fail "optagd's status"
"$O" fsck --store "$TMP/s" >"$TMP/fsck" 2>&1 || fail "fsck: $(head -n 3 "$TMP/fsck")"
"$O" reap --store "$TMP/s" --now "$(date -u -d '+2 years' +%FT%TZ)" >"$TMP/out" 2>&1 || fail "reap: $(cat "$TMP/out")"
find "$TMP/s/segments" -name '*.seg' | grep -q . && fail "segments are left"
"$O" fsck --store "$TMP/s" >"$TMP/fsck" 2>&1 || fail "fsck: $(head -n 3 "$TMP/fsck")"
"$O" audit verify --store "$TMP/s" >"$TMP/audit" 2>&1 || fail "audit: $(head -n 5 "$TMP/audit")"
exit 0
