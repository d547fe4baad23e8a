#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 37, broken file, live: given a truncated file on disk and a restart, then the daemon starts with the policy that ran last,
# and records by it; when that is missing, or was changed, it records nothing and alarms.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
c="$TMP/control" live="$TMP/policy/demo.policy"
load_ready
status() { "$O" policy status --json --control "$c" | jq -r "$1"; }
play() { load_calls "$TMP/$1" --packet --kind "kept:1:+452$2#####:+45701020##" --calls 3 --rate 100 --duration 3 --seed "$2" || fail "optag-load: $1"; }
passed() { "$O" status --json --socket "$c" | jq .packets.audio; } # since the first daemon
kept() { # NAME: rows of that load that are kept
	cut -f1 "$TMP/$1.truth" | while read -r id; do jq -r --arg id "$id" 'select(.sip_call_id == $id and .outcome == "kept") | .call' "$TMP/rows"; done | wc -l
}
last=$(status .hash)
rules=$(status .rules)
cp "$live" "$TMP/whole"
head -c -60 "$TMP/whole" >"$live"
# in the middle of a call
load_begin "$TMP/middle" --packet --kind 'kept:1:+4521######:+45701020##' --calls 3 --rate 100 --duration 12 --seed 1
for _ in $(seq 600); do [ "$("$O" call list --json --control "$c" | jq -s '[.[] | select(.recording)] | length')" = 3 ] && break; sleep 0.05; done
load_stop TERM || fail "optagd's status"
load_daemon || fail "optagd does not start with a broken file"
[ "$(status .hash)" = "$last" ] && [ "$(status .rules)" = "$rules" ] || fail "it did not start with what ran last: $(status .)"
"$O" policy status --control "$c" >"$TMP/out"
grep -Eq '^ALARM +.*demo.policy:[0-9]+:[0-9]+: L-.*, which ran last, is in force$' "$TMP/out" || fail "no alarm: $(cat "$TMP/out")"
grep -q 'policy.alarm: ' "$TMP/optagd.err" || fail "no alarm in the log"
"$O" status --json --socket "$c" | jq -e '.policy.alarm == 1 or .policy.alarm == true' >/dev/null || fail "status does not count it: $("$O" status --json --socket "$c" | jq -c .policy)"
play broken 2
load_wait || fail "optag-load"
load_settle || fail "the counters do not come to rest"
for _ in $(seq 600); do [ -z "$("$O" call list --json --control "$c")" ] && break; sleep 0.05; done
load_stop TERM || fail "optagd's status"
# ---- what ran last is missing, then changed: nothing is recorded, nothing more of calls in progress either ----
mv "$TMP/s/policies/$last.policy" "$TMP/kept.policy"
for how in missing changed; do
	[ $how = changed ] && sed 's/3 months/9 months/' "$TMP/kept.policy" >"$TMP/s/policies/$last.policy"
	load_daemon || fail "$how: optagd does not start"
	[ "$(status .rules)" = 0 ] || fail "$how: rules from nowhere"
	"$O" policy status --control "$c" >"$TMP/out"
	grep -Eq '^ALARM +.*nothing is recorded$' "$TMP/out" || fail "$how: no alarm: $(cat "$TMP/out")"
	audio=$(passed)
	if [ $how = missing ]; then play missing 3; else play changed 4; fi
	load_settle || fail "the counters do not come to rest"
	[ "$(passed)" = "$audio" ] || fail "$how: audio passed: $("$O" status --json --socket "$c" | jq -c .packets)"
	load_stop TERM || fail "optagd's status"
done
# ---- repaired ----
load_daemon || fail "optagd does not start"
cp "$TMP/whole" "$live"
"$O" policy apply --yes --reason repaired --control "$c" "$live" >"$TMP/out" 2>&1 || fail "apply: $(cat "$TMP/out")"
[ "$(status .hash)" = "$last" ] || fail "not repaired"
[ "$(status .alarm)" = null ] || fail "the alarm stays: $(status .alarm)"
play whole 5
load_settle || fail "the counters do not come to rest"
load_stop || fail "optagd's status"
"$O" find --store "$TMP/s" --json >"$TMP/rows" || fail find
for x in middle:3 broken:3 missing:0 changed:0 whole:3; do
	[ "$(kept "${x%:*}")" = "${x#*:}" ] || fail "${x%:*}: $(kept "${x%:*}") kept, not ${x#*:}"
done
"$O" audit verify --store "$TMP/s" >/dev/null || fail "audit"
exit 0
