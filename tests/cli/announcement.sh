#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# optag announcement template: each situation's text, short and long, in both languages, as a policy's object that the
# linter takes in a rule of that situation; keys, pages and names that are none.
# shellcheck source=tests/cli/common
. "$SRC/tests/cli/common"
A() { "$BIN/optag" announcement template "$@"; }
today=2026-11-30

for e in A1:a1 A2:a2 A3:a3 B:b C:c D:d E:e F:f G:g; do
	s=${e%%:*}
	f=$(ls "$SRC/policy/examples/${e##*:}"-*.policy)
	for l in en da; do
		run 0 A "$s" --lang $l
		one_line out
		cp "$TMP/out" "$TMP/text"
		run 0 A "S-$s" --lang $l --json
		jq -e --rawfile t "$TMP/text" --arg s "$s" --arg l $l '.situation == $s and .lang == $l and .text + "\n" == $t' "$TMP/out" >/dev/null ||
			fail "$s: JSON and text differ"
		for how in '' --sms '--opt-out-key 9' '--opt-out-key 9 --tell'; do
			case $s$how in
			[CF]* | ?? | ? | *--sms) ;;
			*) continue ;; # no opt-out, and so no key for it
			esac
			# shellcheck disable=SC2086
			run 0 A "$s" -l $l --object --link c.example/telefon $how
			name=$(sed -n '1s/^announcement \(.*\) {$/\1/p' "$TMP/out")
			[ "$name" = "$(echo "$s" | tr A-Z a-z)-$l-1" ] || fail "$s: the object's name"
			{
				sed "s/^	notice notice-da, notice-en$/	notice $name/; s/^	languages da, en$/	languages $l/" "$f"
				cat "$TMP/out"
			} >"$TMP/p.policy"
			[ "$how" = --sms ] && sed -i 's/^	owner /	sms tpl timeout 10 min\n&/' "$TMP/p.policy"
			run 1 "$BIN/optag" policy check --today $today "$TMP/p.policy"
			grep -E ': [LW]-[0-9]+: ' "$TMP/err" | grep -vE ': W-1[78]: ' && fail "$s $l $how: diagnostics"
			run 0 "$BIN/optag" policy explain --json --today $today "$TMP/p.policy"
			jq -e --arg s "$s" '.scenario == $s' "$TMP/out" >/dev/null || fail "$s: another situation"
		done
	done
done

run 0 A e --key '*4' --plain
has out 'press \*4 now\.'
hasnt out '[][]'
run 0 A F --opt-out-key 5
has out 'press 5 \[optout-key:5\]\.'
hasnt out '\[optout\]'
run 0 A c
has out 'say so \[optout\]'
# A rule explained and the template say the same.
run 0 "$BIN/optag" policy explain --lang da "$SRC"/policy/examples/b-*.policy
tr -s '\n ' ' ' <"$TMP/out" >"$TMP/explained"
A B --lang da >"$TMP/text"
grep -qF "$(cat "$TMP/text")" "$TMP/explained" || fail "explain has another text"
for bad in X A1+B '' 'A4' S-; do
	run 2 A "$bad"
	one_line err
done
run 2 A B --key 1234567
run 2 A B --key x
run 2 A C --key 3
has err 'situation C'
run 2 A A1 --opt-out-key 9
has err 'no opt-out in situation A1'
run 2 A d --tell --opt-out-key 9
run 2 A C --tell
run 2 A B --link 'a b'
run 2 A B --link 'a"b'
run 2 A B --lang sv
has err 'one of en, da'
run 2 A B --plain --json
run 2 A
run 2 A B C
run 0 "$BIN/optag" announcement --help
has out template
exit 0
