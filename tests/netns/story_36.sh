#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 36, confirm or revert, live: given `apply --confirm` and calls that come all the time, when nobody confirms, then the old
# policy is back when the time is over: calls of before, between and after have what was in force when they began, and history,
# log and evidence log have both switches. When somebody confirms, it stays.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
c="$TMP/control" live="$TMP/policy/demo.policy"
load_ready
status() { "$O" policy status --json --control "$c" | jq -r "$1"; }
hash_of() { "$O" policy fmt "$1" | b2sum -l 256 | cut -d' ' -f1; }
play() { # NAME: three short calls, taken whole
	load_calls "$TMP/$1" --packet --kind "kept:1:+452$2#####:+45701020##" --calls 3 --rate 100 --duration 3 --seed "$2" || fail "optag-load: $1"
}
cp "$live" "$TMP/old.policy"
old=$(status .hash)
sed -i '/^rule "claims"/a \	max-length 3 h' "$live"
"$O" policy check "$live" >"$TMP/check" 2>&1
[ $? -lt 2 ] || fail "policy: $(cat "$TMP/check")"
new=$(hash_of "$live")
play before 1
t=$SECONDS # of before: apply itself may take its time
"$O" policy apply --yes --reason "shorter" --ticket CHG-1 --confirm 20s --control "$c" "$live" >"$TMP/out" 2>&1 || fail "apply: $(cat "$TMP/out")"
[ "$(status .hash)" = "$new" ] || fail "not in force"
play between 2
[ $((SECONDS - t)) -lt 19 ] || { echo "SKIP: the machine is too slow"; exit 77; }
for _ in $(seq 600); do [ "$(status .hash)" = "$old" ] && break; sleep 0.05; done
[ "$(status .hash)" = "$old" ] || fail "the old policy is not back: $(status .)"
t=$((SECONDS - t))
[ $t -ge 19 ] && [ $t -le 30 ] || fail "back after $t s"
play after 3
"$O" policy confirm --control "$c" >"$TMP/out" 2>&1 && fail "confirmed what is over"
# and confirmed in time it stays, over a restart, too
"$O" policy apply --yes --reason "shorter" --confirm 5s --control "$c" "$live" >"$TMP/out" 2>&1 || fail "apply: $(cat "$TMP/out")"
"$O" policy confirm --control "$c" >"$TMP/out" 2>&1 || fail "confirm: $(cat "$TMP/out")"
sleep 6
[ "$(status .hash)" = "$new" ] || fail "a confirmed policy went"
load_settle
load_stop TERM || fail "optagd's status"
load_daemon || fail "optagd does not start again"
[ "$(status .hash)" = "$new" ] || fail "a confirmed policy went with the restart"
"$O" policy history --json --control "$c" >"$TMP/history" || fail history
load_stop || fail "optagd's status"
jq -se --arg old "$old" --arg new "$new" 'map(select(.what == "load")) | sort_by(.at) | [.[] | select(.how == "apply" or .how == "revert") | [.how, .policy]]
	== [["apply", $new], ["revert", $old], ["apply", $new]]' "$TMP/history" >/dev/null || fail "history: $(cat "$TMP/history")"
grep -q "policy.revert: nobody confirmed policy ${new:0:12} in time" "$TMP/optagd.err" || fail "the log does not say so"
"$O" audit show --store "$TMP/s" --json >"$TMP/audit" && "$O" audit verify --store "$TMP/s" >/dev/null || fail "audit"
jq -se 'map(select(.event == "policy.change") | .reason) | map(select(. == "apply" or . == "revert")) == ["apply", "revert", "apply"]' "$TMP/audit" >/dev/null ||
	fail "evidence: $(jq -c 'select(.event | startswith("policy."))' "$TMP/audit")"
# what each call was decided by
"$O" find --store "$TMP/s" --json >"$TMP/rows" || fail find
decided() {
	cut -f1 "$TMP/$1.truth" | while read -r id; do jq -r --arg id "$id" 'select(.sip_call_id == $id and .outcome == "kept") | .call' "$TMP/rows"; done |
		while read -r id; do jq -r --arg c "$id" 'select(.call == $c and .event == "call.match") | .policy[0:12]' "$TMP/audit"; done |
		sort | uniq -c | sed 's/^ *//'
}
for x in "before $old" "between $new" "after $old"; do
	read -r name policy <<<"$x"
	[ "$(decided "$name")" = "3 ${policy:0:12}" ] || fail "$name: $(decided "$name"), not three kept calls by ${policy:0:12}"
done
exit 0
