#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 22, typo in retention: given stored calls and a retention that goes down to 3 days, applying it says how many would be
# erased and changes nothing; it comes a day later, can be cancelled, and where approval is required takes a second person.
. "$SRC/tests/cli/common"
. "$SRC/tests/cli/lib-training.sh"
. "$SRC/tests/cli/lib-policydaemon.sh"
need jq
need python3
need setpriv
store="$TMP/s" live="$TMP/p.policy"
training 50% '  cap 1000 per day'
sed -i 's/use-within 30 days/use-within 2 days/' "$live" # else the linter stops the typo (L-54)
run 0 "$O" init --store "$store" --keys "$TMP/k"
calls "$(date -u -d '10 days ago 12:00' +%s)" A:300
rows "$TMP/rows"
n=$(awk -F'\t' '$2 == "GRANTED"' "$TMP/rows" | wc -l)
[ "$n" -gt 100 ] || fail "not enough stored calls: $n"
cp "$live" "$TMP/month"
start
old=$(hash)
sed -i 's/retention 1 months/retention 3 days/' "$live"
P 1 apply --yes --reason typo "$live"
has err "it shortens the time of $n stored calls, $n of them are then due at once: --effective 24h"
P 1 apply --yes --reason typo --confirm 10m "$live"
[ "$(hash)" = "$old" ] || fail "in force"
P 0 apply --yes --reason typo --effective 24h "$live"
has out "comes in force at 20.*unless optag policy cancel comes before; it shortens the time of $n stored calls"
P 0 cancel
[ "$(hash)" = "$old" ] || fail "in force"
# later than they are old: none is due at once; and when it is meant, it is done
sed 's/retention 1 months/retention 20 days/' "$TMP/month" >"$live"
P 1 apply --yes --reason r "$live"
has err "time of $n stored calls, 0 of them are then due"
P 0 apply --yes --reason "meant" --effective 0s "$live"
[ "$(hash)" != "$old" ] || fail "not in force"
cp "$TMP/month" "$live" # longer: no stored call is asked
P 0 apply --yes --reason "as it was" "$live"
ended
# ---- where approval is required ----
if [ "$(id -u)" = 0 ]; then
	run 0 "$O" policy approver-key --name anna "$TMP/anna"
	start group=60 approver="$TMP/anna.pub"
	sed 's/retention 1 months/retention 3 days/' "$TMP/month" >"$live"
	P 1 apply --yes --reason typo --effective 24h "$live"
	has err "it shortens the time of $n stored calls, and nobody approved it"
	as 1501:60 0 policy propose --reason "three days will do" "$live"
	has out "1 shorten \\($n stored calls\\)"
	P 0 approve "$(file_hash "$live" | cut -c1-12)" --key "$TMP/anna" --yes
	P 0 apply --yes --reason "three days will do" --effective 24h "$live"
	[ "$(hash)" = "$old" ] || fail "a day too early"
	ended
fi
exit 0
