#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A shorter retention, or use-within, reaches calls that are stored: nothing before the policy is in force and confirmed, their erasure by the
# shorter time then, and no later policy, restart or kill -9 makes it longer again.
. "$SRC/tests/cli/common"
. "$SRC/tests/cli/lib-training.sh"
. "$SRC/tests/cli/lib-policydaemon.sh"
need jq
need python3
store="$TMP/s" live="$TMP/p.policy"
training 50% '  cap 1000 per day'
sed -i 's/retention 1 months/retention 3 months/; s/use-within 30 days/use-within 80 days/' "$live"
run 0 "$O" init --store "$store" --keys "$TMP/k"
at=$(date -u -d '40 days ago 12:00' +%s)
calls "$at" A:60
rows "$TMP/rows"
n=$(awk -F'\t' '$2 == "GRANTED"' "$TMP/rows" | wc -l)
[ "$n" -gt 3 ] || fail "stored calls: $n"
J="$store/retention"
lines() { grep -c '"purpose":"training"' "$J"; }
last() { grep "\"purpose\":\"${1-training}\"" "$J" | tail -1 | jq -c '[.span, .unit, .before > 0]'; }
granted() { rows "$TMP/now"; awk -F'\t' '$2 == "GRANTED"' "$TMP/now" | wc -l; }
reap() { run 0 "$O" reap --store "$store" --json "$@"; }
is() { [ "$2" = "$3" ] || fail "$1: $2, not $3"; }
with() { sed "s/retention 3 months/retention $1/; s/use-within 80 days/use-within 20 days/" "$TMP/three" >"$live"; }
cp "$live" "$TMP/three"

# how it is: a line that touches nothing; once, however often the daemon starts
start
wait_for '[3,"months",false]' last
ended
start
ended
is "after two starts" "$(lines)" 1
cp -a "$store" "$TMP/kept" && cp -a "$TMP/k" "$TMP/kept-k"

# staged, cancelled, reverted: nothing is written
start
with '30 days'
P 0 apply --yes --reason r --effective 24h "$live"
P 0 cancel
is "staged" "$(lines)" 1
P 0 apply --yes --reason r --effective 1s "$live"
wait_for '[30,"days",true]' last
is "lines" "$(lines)" 2
is "policy" "$(tail -1 "$J" | jq -r .policy)" "$(hash)"

# longer again: a line, that no stored call is kept longer by
cp "$TMP/three" "$live"
P 0 apply --yes --reason "as it was" "$live"
wait_for '[3,"months",true]' last
ended
run 0 "$O" find --store "$store" --json
[ "$(jq -rs 'map(select(.training == "GRANTED") | .training_until[:10]) | unique | join(" ")' "$TMP/out")" = "$(date -u -d "@$((at + 30 * 86400))" +%F)" ] ||
	fail "until: $(jq -c '[.training, .training_until]' "$TMP/out" | head -3)"
reap --dry-run
is "would go" "$(jq -rs 'map(select(.would == "call" and .reason == "retention")) | length' "$TMP/out")" "$n"
is "after a dry run" "$(granted)" "$n"
cp -a "$store" "$TMP/before"
reap
is "gone" "$(jq -rs 'map(select(.did == "call" and .reason == "retention")) | length' "$TMP/out")" "$n"
is "still granted" "$(granted)" 0
is "state" "$(awk -F'\t' '$2 != "DENIED" { print $2, $3 }' "$TMP/now" | sort -u)" "EXPIRED retention"
reap
is "again" "$(jq -rs 'map(select(.did == "call")) | length' "$TMP/out")" 0
run 0 "$O" fsck --store "$store"
run 0 "$O" audit verify --store "$store"
run 0 "$O" report inventory --store "$store"
run 0 "$O" audit show --store "$store" --json
is "events" "$(jq -rs 'map(select(.event == "key.destroy" and .reason == "retention")) | length' "$TMP/out")" "$n"

# the journal is cut: its loss is noticed, and the daemon's next line brings what is in force
head -1 "$J" >"$TMP/j" && cat "$TMP/j" >"$J"
run 3 "$O" reap --store "$store"
has err 'rule D-2'
run 3 "$O" fsck --store "$store"
has out 'D-2'

# without the shorter policy they stay until their own time
rm -rf "$store"
cp -a "$TMP/kept" "$store"
reap --now "$(date -u -d "@$((at + 50 * 86400))" +%FT%TZ)"
is "kept" "$(granted)" "$n"

# use-within alone: what nobody used goes, with its number said before; what was used stays, and new calls have their own time
rm -rf "$store"
cp -a "$TMP/kept" "$store"
one=$(awk -F'\t' '$2 == "GRANTED" { print $4; exit }' "$TMP/rows")
printf '{"call":"%s","kind":"played","at":"%s"}\n' "$one" "$(date -u +%FT%TZ)" >"$store/used"
use() { sed "s/use-within 80 days/use-within $1/" "$TMP/three" >"$live"; }
cp "$TMP/three" "$live"
start
wait_for '[80,"days",false]' last unused
use '20 days'
P 1 apply --yes --reason r "$live"
has err "it shortens the time of $((n - 1)) stored calls, $((n - 1)) of them are then due at once: --effective 24h"
reap
is "refused" "$(granted)" "$n"
P 0 apply --yes --reason r --effective 0s "$live"
wait_for '[20,"days",true]' last unused
is "retentions" "$(lines)" 1
use '70 days'
P 0 apply --yes --reason "longer again" "$live"
wait_for '[70,"days",true]' last unused
ended
cp -a "$store" "$TMP/unused"
reap --dry-run
is "would go" "$(jq -rs 'map(select(.would == "call" and .reason == "unused")) | length' "$TMP/out")" $((n - 1))
reap
is "gone" "$(jq -rs 'map(select(.did == "call" and .reason == "unused" and .purpose == "training")) | length' "$TMP/out")" $((n - 1))
is "left" "$(granted)" 1
is "the used one" "$(awk -F'\t' '$2 == "GRANTED" { print $4 }' "$TMP/now")" "$one"
is "state" "$(awk -F'\t' '$2 != "DENIED" && $2 != "GRANTED" { print $2, $3 }' "$TMP/now" | sort -u)" "EXPIRED unused"
reap
is "again" "$(jq -rs 'map(select(.did == "call")) | length' "$TMP/out")" 0
run 0 "$O" fsck --store "$store"
run 0 "$O" report inventory --store "$store"

# to be confirmed: not before; rolled back: never; killed before it was written: by the next start
rm -rf "$store" "$TMP/k"
run 0 "$O" init --store "$store" --keys "$TMP/k"
cp "$TMP/three" "$live"
start
wait_for '[3,"months",false]' last
with '2 months'
P 0 apply --yes --reason r --confirm 10m "$live"
sleep 0.5
is "not confirmed" "$(lines)" 1
P 0 rollback 1 --yes --reason "not that"
sleep 0.5
is "rolled back" "$(lines)" 1
P 0 apply --yes --reason r --confirm 10m "$live"
ended -KILL
start
sleep 0.5
is "not confirmed by the next one" "$(lines)" 1
cp "$J" "$TMP/j"
P 0 confirm
wait_for '[2,"months",true]' last
ended -KILL
head -c -1 "$J" >"$TMP/torn" # it was torn
cat "$TMP/torn" >"$J"
start
wait_for '[2,"months",true]' last
ended -KILL
cp "$TMP/j" "$J" # or not begun
start
wait_for '[2,"months",true]' last
is "lines" "$(lines)" 2
ended
run 0 "$O" fsck --store "$store"
exit 0
