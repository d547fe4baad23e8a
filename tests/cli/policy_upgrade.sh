#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A policy that an earlier version accepted, and of which this one's linter refuses a rule, is in force again after the
# upgrade: the other rules record as they did, by that one nothing is recorded, and an alarm says so.
. "$SRC/tests/cli/common" || exit 1
need jq
. "$SRC/tests/cli/lib-policydaemon.sh"
text() { # SED of the second rule
	policy '3 months'
	policy '3 months' '' second | sed -n '/^rule/,$p' | sed -e 's/+46 81 23/+46 81 24/' -e "$1"
}
text '' >"$live"
start
ended
good=$(file_hash "$live")
[ -e "$store/policies/$good.policy" ] || fail "not kept"

# as if a version that asked for no owner had accepted it
old() { # SED
	sed "$1" "$store/policies/$good.policy" >"$TMP/old"
	h=$(b2sum -l 256 "$TMP/old" | cut -d' ' -f1)
	cp "$TMP/old" "$store/policies/$h.policy"
	sed "s/$good/$h/g" "$TMP/history" >"$store/policies/history"
	cp "$TMP/old" "$live"
	: >"$TMP/log"
}
cp "$store/policies/history" "$TMP/history"
old '/^rule second/,$ { /^\towner /d }; /^rule "second"/,$ { /^\towner /d }'
run 2 "$BIN/optag" policy check "$live"
start
[ "$(hash)" = "$h" ] || fail "in force is $(hash), not $h: $(cat "$TMP/log")"
grep -q 'policy.refused: rule "second" of policy' "$TMP/log" && ! grep -q 'refused: rule "claims' "$TMP/log" || fail "the log: $(cat "$TMP/log")"
grep -q "kept:[0-9]*:[0-9]*: L-" "$TMP/log" || fail "the log does not say why: $(cat "$TMP/log")"
status .alarm | grep -q 'of its rules this one refuses 1, by which nothing is recorded, the first "second"' || fail "the alarm: $(status .alarm)"
ended

# a range that was taken once, a setting that nothing acts on: that rule alone
for s in 's/+468124\*/+461000-469999/' 's/^\t\tretention/\t\tpre-decision block\n&/'; do
	old '/^rule \(second\|"second"\)/,$ '"$s"
	cmp -s "$TMP/old" "$store/policies/$good.policy" && fail "nothing is different: $s"
	start
	[ "$(hash)" = "$h" ] && grep -q 'policy.refused: rule "second" of policy' "$TMP/log" && ! grep -q 'refused: rule "claims' "$TMP/log" ||
		fail "$s: $(hash), $(cat "$TMP/log")"
	ended
done

# found in what both name: both
old '/^announcement n /,/^}/ { /^\tlanguage /d }'
start
[ "$(hash)" = "$h" ] && [ "$(grep -c 'policy.refused: rule' "$TMP/log")" = 2 ] || fail "$(hash), $(cat "$TMP/log")"
ended

# no policy any more by its words: nothing is recorded, and the daemon is there to say so
old 's/^rule "second" {/&\n\tunheard-of yes/'
start
grep -q 'cannot be read back' "$TMP/log" && status .alarm | grep -q 'nothing is recorded' || fail "$(cat "$TMP/log")"
[ "$(status .rules)" = 0 ] || fail "$(status .rules) rules"
ended
exit 0
