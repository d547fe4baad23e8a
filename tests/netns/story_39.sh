#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 39, emergency stop: `optag rule stop NAME`, then within one second nothing of that rule is captured: not one more
# packet of its calls in progress leaves the classifier, its new calls are not recorded, another rule's calls lose nothing.
# It lasts over a new policy and over a restart of the daemon that takes the calls over, until the rule is started.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
c="$TMP/control" live="$TMP/policy/demo.policy"

load_up && load_store && load_conf || fail "no network or store"
# the sales line as a second rule of documentation
sed -i -e '/^rule "sales training"/,/^}/d' "$live"
sed -n '/^rule "claims"/,/^}/p' "$live" | sed -e 's/rule "claims"/rule "sales"/; s/7010 20/7010 30/' >>"$live"
"$O" policy check "$live" >"$TMP/check" 2>&1
[ $? -lt 2 ] || fail "policy: $(cat "$TMP/check")"
load_daemon || fail "optagd does not start"
load_begin "$TMP/load" --kind 'kept:1:+4520######:+45701020##' --kind 'sales:1:+4521######:+45701030##' --calls 200 --rate 400 --duration 300
calls() { "$O" call list --rule "$1" --limit 1000 --json --control "$c" | jq -s "$2"; }
for _ in $(seq 600); do
	[ "$(calls claims '[.[] | select(.recording)] | length')" -gt 50 ] && [ "$(calls sales '[.[] | select(.recording)] | length')" -gt 50 ] && [ $(($(calls claims length) + $(calls sales length))) = 200 ] && break
	sleep 0.05
done
n=$(calls claims length)
[ "$n" -gt 50 ] && [ "$(calls sales length)" = $((200 - n)) ] || fail "not 200 calls: $n claims, $(calls sales length) sales"

# a program that asks for nothing takes so long, on a busy machine a second itself
t=$(date +%s%N)
"$O" rule list --control "$c" >/dev/null || fail "rule list"
idle=$((($(date +%s%N) - t) / 1000000))
t=$(date +%s%N)
"$O" rule stop claims --control "$c" --json >"$TMP/stop" || fail "rule stop"
t=$((($(date +%s%N) - t) / 1000000))
jq -e --argjson n "$n" '.done_ms < 1000 and .calls == 200 and .calls_tightened == $n' "$TMP/stop" >/dev/null || fail "stop: $(cat "$TMP/stop")"
[ $((t - idle)) -lt 1000 ] || fail "the stop took $t ms, to ask for nothing $idle ms"
echo "stopped after $t ms: $(cat "$TMP/stop")"
# nothing passes any more; the others go on
passed='[.[].legs[].passed] | add'
[ "$(calls claims '[.[].legs[].verdict] | unique | join(",")')" = '"block"' ] || fail "not blocked: $(calls claims '[.[].legs[].verdict] | unique')"
a=$(calls claims "$passed") b=$(calls sales "$passed")
for _ in $(seq 600); do [ "$(calls sales "$passed")" -gt $((b + 2000)) ] && break; sleep 0.05; done
[ "$(calls sales "$passed")" -gt $((b + 2000)) ] || fail "the other rule stands still"
[ "$(calls claims "$passed")" = "$a" ] || fail "packets of a stopped rule passed"
"$O" status --socket "$c" | grep -q '^STOPPED    1 rule ' || fail "optag status does not show it"
[ "$(calls claims '[.[] | select(.recording)] | length')" = 0 ] && [ "$(calls sales '[.[] | select(.recording)] | length')" -gt 0 ] || fail "calls of a stopped rule are said to be recorded"
"$O" policy status --control "$c" | grep -q '^STOPPED   rule claims, since' || fail "status does not show it"

# a new policy, then a restart in the middle of the calls: stopped all the same
sed -i 's/retention 3 months/retention 2 months/' "$live"
"$O" policy apply --yes --reason test --control "$c" "$live" >/dev/null || fail apply
load_stop TERM || fail "optagd's status"
load_daemon || fail "optagd does not start again"
[ "$(calls claims '[.[].legs[].verdict] | unique | join(",")')" = '"block"' ] || fail "after the restart"
"$O" rule list --control "$c" | grep -q '^claims ' || fail "the daemon forgot the stop"
# new calls of the rule are nobody's
"$O" call list --limit 1000 --json --control "$c" | jq -s '[.[].call]' >"$TMP/before"
fresh() { "$O" call list --rule "$1" --limit 1000 --json --control "$c" | jq -s --slurpfile b "$TMP/before" '[.[].call] - $b[0] | length'; }
load_begin "$TMP/load2" --packet --kind 'kept:1:+4523######:+45701020##' --kind 'sales:1:+4524######:+45701030##' --calls 40 --rate 100 --duration 60 --seed 7
for _ in $(seq 600); do [ "$(fresh sales)" -gt 10 ] && break; sleep 0.05; done
[ "$(fresh sales)" -gt 10 ] || fail "new calls of another rule do not match"
[ "$(fresh claims)" = 0 ] || fail "new calls of a stopped rule match"
# (they hang up: what they announced is nobody else's to record while they last, and the next ones announce the same)
kill -TERM "${load_pids[1]}"
wait "${load_pids[1]}"
load_pids=("${load_pids[0]}")
# started: new calls only
"$O" rule start claims --reason "it is over" --control "$c" >/dev/null || fail "rule start"
load_begin "$TMP/load3" --packet --kind 'kept:1:+4525######:+45701020##' --calls 10 --rate 100 --duration 60 --seed 8
for _ in $(seq 600); do [ "$(calls claims '[.[] | select(.recording and .documentation_reason == "")] | length')" = 10 ] && break; sleep 0.05; done
[ "$(calls claims '[.[] | select(.recording and .documentation_reason == "")] | length')" = 10 ] || fail "started and not recorded"
[ "$(calls claims '[.[] | select(.documentation_reason == "policy.tightened") | .legs[].verdict] | map(select(. == "record")) | length')" = 0 ] ||
	fail "calls of before record again"
kill "${load_pids[@]}" 2>/dev/null
load_pids=()
load_stop || fail "optagd's status"
"$O" audit show --store "$TMP/s" --json >"$TMP/audit" && "$O" audit verify --store "$TMP/s" >/dev/null || fail "audit"
jq -se 'map(select(.event == "rule.stop" or .event == "rule.start")) | map(.event) == ["rule.stop", "rule.start"] and all(.[]; .rule == "claims" and .source == "operator" and .n.uid == 0 and .data != null)' "$TMP/audit" >/dev/null ||
	fail "evidence: $(jq -c 'select(.event | startswith("rule."))' "$TMP/audit")"
# each event has the hash of its line of the history
jq -r 'select(.event | startswith("policy.change") or startswith("rule.")) | .data' "$TMP/audit" | sort >"$TMP/proven"
while read -r line; do printf '%s' "$line" | b2sum -l 256 | cut -d' ' -f1; done <"$TMP/s/policies/history" | sort >"$TMP/lines"
cmp -s "$TMP/proven" "$TMP/lines" || fail "evidence and history differ: $(diff "$TMP/proven" "$TMP/lines")"
exit 0
