#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 14, throttle, by weeks: given 40 recorded and 10 used in a week, when a week begins whose eve is a week later (so that
# all 40 had their week to be used in), then the cap is 13 from Monday 00:00:00 on. `optag policy simulate` comes to the same over both
# boundaries, call by call, and says what other settings would throttle. The uses are noted with a running daemon; the calls come from captures.
. "$SRC/tests/cli/common"
. "$SRC/tests/cli/lib-training.sh"
need jq
need python3
[ "$(id -u)" = 0 ] && unshare -n true 2>/dev/null || { echo "SKIP: needs root and network namespaces"; exit 77; }
c="$TMP/control" daemon=
trap '[ -n "$daemon" ] && kill -INT $daemon 2>/dev/null && wait $daemon' EXIT
now=$(date +%s)
monday=$((now - (now + 3 * 86400) % (7 * 86400) + 7 * 86400)) # the next one; 1 January 1970 was a Thursday
day=$(date -u -d "@$monday" +%F)
sim() { # POLICY [ARGUMENTS...]: the rule's line is out.rule, the last one out.sum
	run 0 "$O" policy simulate --store "$TMP/s" --policy "$@" --json
	jq -c 'select(.matched)' "$TMP/out" >"$TMP/out.rule"
	tail -1 "$TMP/out" >"$TMP/out.sum"
}
same() { # CALLS
	jq -e --argjson n "$1" '.calls==$n and .same==$n and .changed==0' "$TMP/out.sum" >/dev/null || fail "not as it was: $(cat "$TMP/out.sum")"
}
is() { jq -e "$1" "$TMP/out.rule" >/dev/null || fail "$2: $(cat "$TMP/out.rule")"; }

training 50% '  cap 40 per week'
run 0 "$O" init --store "$TMP/s" --keys "$TMP/k"

# ---- a week: of 160 calls on its Saturday 40 are recorded; none of ten on its Sunday's last minute ----
calls $((monday - 9 * 86400 + 43200)) A:160
calls $((monday - 7 * 86400 - 60)) A:10
rows "$TMP/rows"
mapfile -t kept < <(awk -F'\t' '$2 == "GRANTED" {print $4}' "$TMP/rows")
[ ${#kept[@]} = 40 ] || fail "recorded: ${#kept[@]}"
[ "$(awk -F'\t' 'NR > 160 && $3 == "quota.rule"' "$TMP/rows" | wc -l)" = 10 ] || fail "the week's cap: $(cut -f2,3 "$TMP/rows" | sort | uniq -c)"

# ---- 10 of them are used ----
cat >"$TMP/optagd.conf" <<END
interface m0 { mirror yes; xdp none }
store "$TMP/s"
policy "$TMP/p.policy"
control { socket "$c" }
user root
group root
END
unshare -n sh -c 'ip link add m0 type veth peer name m1 && ip link set m0 up && exec "$@"' sh "$BIN/optagd" -c "$TMP/optagd.conf" 2>"$TMP/log" &
daemon=$!
for _ in $(seq 400); do
	grep -q 'recording from' "$TMP/log" && break
	kill -0 $daemon 2>/dev/null || fail "optagd does not start: $(cat "$TMP/log")"
	sleep 0.05
done
for i in 0 1 2 3 4 5 6 7 8 9; do run 0 "$O" use --control "$c" "${kept[i]}" --kind played --by anna; done
kill -INT $daemon
wait $daemon || fail "optagd's status $?"
daemon=

# ---- next Monday, from 00:00:00 on: 13 ----
calls "$monday" A:160
rows "$TMP/rows2"
new() { awk -F'\t' 'NR > 170' "$TMP/rows2"; }
[ "$(new | awk -F'\t' '$2 == "GRANTED"' | wc -l)" = 13 ] || fail "the new week's recordings: $(new | cut -f2,3 | sort | uniq -c)"
[ "$(new | awk -F'\t' '$3 == "quota.throttle"' | wc -l)" -gt 50 ] || fail "nobody is told why"
[ "$(new | awk -F'\t' 'NR <= 60 && $2 == "GRANTED"' | wc -l)" = 13 ] || fail "not from the week's first second on"
# the first days' seeds were published late, see story 15; no other fault
run 3 "$O" audit recompute-sample --store "$TMP/s"
hasnt out 'threshold|counters|outcome|state of the rule|calculation'

# ---- simulated: the same, also a week alone, which goes on from what the week before left ----
sim "$TMP/p.policy"
same 330
is '.kept.training == 53 and .draws["sample.in"] == 53 and .draws["quota.rule"] > 50 and .draws["quota.throttle"] > 50' "draws"
is ".used == 10 and .throttled_from == \"$day\"" "throttle"
run 0 "$O" policy simulate --store "$TMP/s" --policy "$TMP/p.policy"
has out "throttled from $day on"
sim "$TMP/p.policy" --since "$day"
same 160
is '.kept.training == 13' "the second week alone"
sim "$TMP/p.policy" --until "$day"
same 170
is '.kept.training == 40 and .throttled_from == null' "the first week alone"

# ---- and with other settings ----
edit() { # SED
	sed "$1" "$TMP/p.policy" >"$TMP/q.policy"
	cmp -s "$TMP/p.policy" "$TMP/q.policy" && fail "nothing edited: $1"
	sim "$TMP/q.policy"
}
# a quarter of them used is enough: the new week has its 40 again, whose callers are taken to agree as the others did
edit 's/use-within 30 days/& use-target 25%/'
is '.kept.training == 80 and .throttled_from == null and (.draws|has("quota.throttle")|not)' "a target of 25 %"
jq -s -e '[.[]|select(.change and .is=="GRANTED")]|length==1 and (.[0]|.calls==27 and .was_reason=="quota.throttle" and .assumed)' "$TMP/out" >/dev/null ||
	fail "what a lower target changes: $(cat "$TMP/out.sum")"
edit 's/use-within 30 days/& use-target 26%/'
is '.kept.training == 53' "a target of 26 %"
edit 's/use-within 30 days/& use-target 80% throttle 2.00/'
is '.kept.training == 60' "twice what was used"
edit 's/use-within 30 days/& use-target 80% throttle 1.25 floor 17/'
is '.kept.training == 57' "a floor"
# a week that would have had more: what was used is the same, and so is what follows
edit 's/cap 40 per week/cap 55 per week/'
is ".kept.training == 68 and .throttled_from == \"$day\"" "a larger cap"
exit 0
