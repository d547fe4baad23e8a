#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 15, per-agent cap: given cap 6 per agent per month, when agent A has 6, A's further calls are sampled out with reason
# quota, also after a restart, and other agents are unaffected. Every draw recomputes.
. "$SRC/tests/cli/common"
. "$SRC/tests/cli/lib-training.sh"
need jq
need python3
training 50% $'  cap 1000 per day\n  cap 6 per agent per month'
run 0 "$O" init --store "$TMP/s" --keys "$TMP/k"
count() { awk -F'\t' -v a="$1" -v s="$2" -v r="$3" 'index($1, a "-") == 1 && $2 == s && (r == "" || $3 == r)' "$TMP/rows" | wc -l; }
calls 1795000000 A:60 B:6 C:6 D:6 E:6 # six cannot be too many, and of 24 one is drawn
rows "$TMP/rows"
[ "$(wc -l <"$TMP/rows")" = 84 ] || fail "not 84 calls: $(wc -l <"$TMP/rows")"
[ "$(count A GRANTED '')" = 6 ] || fail "A has $(count A GRANTED '') recordings: $(cut -f2,3 "$TMP/rows" | sort | uniq -c)"
[ "$(count A DENIED quota.agent)" -gt 5 ] || fail "A: $(count A DENIED quota.agent) calls over the quota"
[ $((6 + $(count A DENIED quota.agent) + $(count A DENIED sample.draw))) = 60 ] || fail "other reasons: $(cut -f2,3 "$TMP/rows" | sort | uniq -c)"
# after A's sixth there is none, before it no quota stopped any
awk -F'\t' 'index($1, "A-") == 1 && $2 == "GRANTED" {n++} index($1, "A-") == 1 && $3 == "quota.agent" && n < 6 {bad++} END {exit bad > 0}' "$TMP/rows" ||
	fail "stopped by a quota that is not used up"
others=$(awk -F'\t' 'index($1, "A-") != 1 && $2 == "GRANTED"' "$TMP/rows" | wc -l)
[ "$others" -gt 0 ] || fail "no other agent has a recording"
[ "$(awk -F'\t' 'index($1, "A-") != 1 && $3 ~ /^quota/' "$TMP/rows" | wc -l)" = 0 ] || fail "others are stopped by A's quota"
# another process, another day of the month: A stays full, D begins
calls 1795100000 A:20 F:6 G:6 H:6
rows "$TMP/rows"
[ "$(count A GRANTED '')" = 6 ] || fail "after a restart A has $(count A GRANTED '')"
n=$(awk -F'\t' 'index($1, "A-") != 1 && $2 == "GRANTED"' "$TMP/rows" | wc -l)
[ "$n" -gt "$others" ] || fail "after a restart nobody has another recording"
[ "$(awk -F'\t' 'index($1, "A-") != 1 && $3 == "quota.agent"' "$TMP/rows" | wc -l)" = 0 ] || fail "after a restart others are stopped by A's quota"
# the next month is another
calls 1796500000 A:20
rows "$TMP/rows"
n=$(count A GRANTED '')
[ "$n" -gt 6 ] && [ "$n" -le 12 ] || fail "next month: $n"
# Files of a first day have no seed that was published the day before: that, and nothing else, is found.
run 3 "$O" audit recompute-sample --store "$TMP/s"
has out ' 142 draws: 1 faults$'
has out "the hash of the day's seed was published after the day had begun$"
run 0 "$O" audit verify --store "$TMP/s"
exit 0
