#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 12, recomputable: given the day seed published as hash yesterday and revealed today, when the auditor runs audit
# recompute-sample, then all in/out decisions of the day match, and changing one decision in the log is detected.
# shellcheck source=tests/cli/story
. "$SRC/tests/cli/story"
alarm=+4570102004
story_policy '/^rule "D"/,/^}/ s/sample 100%/sample 50%/'
day() { # NAME CALLS START
	local i
	for i in $(seq "$2"); do
		echo "$1-$i from=+4520$(printf %06d "$i") to=$alarm answer=200 bye=2400 header=callee:300:X-Notice-Played:_yes"
	done >"$TMP/script.$1"
	"$BUILD/tests/gen/gencap" --script "$TMP/script.$1" --interleave 60000 --start "$3" "$TMP/$1.pcap" && story_replay "$TMP/$1.pcap" || fail "$1"
}
midnight=1700002800 # in Copenhagen
day yesterday 1 $((midnight - 86400 + 43200)) # since then the hash of the day's seed is known
day today 200 $((midnight + 36000))
day later 1 $((midnight + 4 * 86400)) # the day is over everywhere: its seed is public
in=$("$BIN/optag" find --store "$s" --json | jq -s 'map(select((.sip_call_id | startswith("today")) and .training == "GRANTED")) | length')
[ "$in" -ge 3 ] && [ "$in" -le 197 ] || fail "$in of 200"
# The very first day could not be known before (that is its one fault); all others were.
run 3 "$BIN/optag" audit recompute-sample --store "$s" --json
[ "$(grep -c '"text"' "$TMP/out")" = 1 ] && grep '"text"' "$TMP/out" | grep -q '2023-11-1[34].*published after the day had begun' || fail "recompute: $(cat "$TMP/out")"
tail -n 1 "$TMP/out" | jq -e '.draws == 202 and .faults == 1 and .missing == 0 and .vanished == 0' >/dev/null || fail "recompute: $(tail -n 1 "$TMP/out")"
[ "$(jq -s 'map(select(.rule and .day == "2023-11-15")) | map(.in) | add' "$TMP/out")" -eq "$in" ] || fail "recompute does not count them: $(cat "$TMP/out")"
cp -a "$s" "$TMP/honest"
"$BIN/optag" audit show --store "$s" --json --event sample.out | head -n 50 | tail -n 1 >"$TMP/one"
seq=$(jq .seq "$TMP/one")
for where in evidence sampling; do # one decision of 202 changed
	rm -rf "$s"
	cp -a "$TMP/honest" "$s"
	python3 - "$s" $where "$seq" <<'PY' || fail "cannot change $where"
import glob, sys
store, where, seq = sys.argv[1:]
for name in sorted(glob.glob(f"{store}/{where}/*.log") + glob.glob(f"{store}/{where}/*.jsonl")):
    lines = open(name).read().split("\n")
    for i, l in enumerate(lines):
        if where == "evidence" and l.startswith('{"seq":%s,' % seq):
            lines[i] = l.replace('"event":"sample.out"', '"event":"sample.in"').replace('"reason":"sample.out"', '"reason":"sample.in"')
        elif where == "sampling" and "sample.draw" in l:
            lines[i] = l.replace("sample.draw", "sample.in")
        if lines[i] != l:
            open(name, "w").write("\n".join(lines))
            sys.exit(0)
sys.exit(1)
PY
	"$BIN/optag" audit recompute-sample --store "$s" --json >"$TMP/out" 2>"$TMP/err"
	[ "$(grep -c '"text"' "$TMP/out")" -gt 1 ] || grep -q evidence "$TMP/err" || fail "$where: one changed decision is not found: $(tail -n 3 "$TMP/out")"
	[ $where = sampling ] && continue
	"$BIN/optag" audit verify --store "$s" >"$TMP/out" 2>&1 && fail "verify finds nothing"
done
exit 0
