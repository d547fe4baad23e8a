#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# optag policy show --effective: put in the place of the rules it loads without an error, decides the same (diff finds
# nothing but neutral changes, explain says the same words), and leaves nothing unsaid. Sources are right.
# shellcheck source=tests/cli/common
. "$SRC/tests/cli/common"
P="$BIN/optag-policy"
today=2026-11-30
cd "$SRC/tests/golden/policy" || exit 1
explained() { "$P" explain --today $today "$1" | sed '/^(/d; s/ (.*:[0-9]*)$//; /^Warnings/,$d'; }

try() { # FILE
	run 0 "$P" fmt --today $today "$1"
	cp "$TMP/out" "$TMP/old.policy"
	run 0 "$P" show -e --today $today "$TMP/old.policy"
	cp "$TMP/out" "$TMP/effective"
	{ sed '/^rule /,/^}/d' "$TMP/old.policy"; cat "$TMP/effective"; } >"$TMP/new.policy"
	"$P" check --today $today "$TMP/new.policy" >"$TMP/out" 2>"$TMP/err"
	[ $? -le 1 ] || fail "$1: does not load: $(grep -m3 ' L-' "$TMP/err")"
	run 0 "$P" diff --today $today --json "$TMP/old.policy" "$TMP/new.policy"
	jq -r 'select(.change != "neutral") | "\(.change) \(.setting): \(.why)"' "$TMP/out" >"$TMP/changes"
	[ ! -s "$TMP/changes" ] || fail "$1: decides otherwise: $(cat "$TMP/changes")"
	explained "$TMP/old.policy" >"$TMP/a"
	explained "$TMP/new.policy" >"$TMP/b"
	diff "$TMP/a" "$TMP/b" >"$TMP/out" || fail "$1: explained otherwise"
	run 0 "$P" show -e --today $today --json "$TMP/new.policy"
	jq -e '[.settings[].source] | all(. == "written")' "$TMP/out" >/dev/null || fail "$1: something is still a default"
}
n=0
for f in ../../../policy/examples/*.policy [0-9]*-clean-*.policy *-W-*.policy; do
	grep -q '^include\|file "' "$f" && continue # names are relative to the file
	try "$f"
	n=$((n + 1))
done
[ $n -gt 25 ] || fail "only $n policies"

# Where a value is from.
{
	cat ../../../policy/examples/f-*.policy
	printf 'defaults {\n\tmin-length 6 s\n\tmute-dtmf yes\n\ttraining {\n\t\tuse-within 10 days\n\t\tretention 2 months\n\t}\n}\n'
} | sed '/^	sensitive/,/^	pause-max/d' >"$TMP/d.policy"
try "$TMP/d.policy"
line=$(grep -n 'min-length 6 s' "$TMP/d.policy" | cut -d: -f1)
run 0 "$P" show --effective --today $today "$TMP/d.policy"
has out "^	min-length 6 s +# defaults, d.policy:$line\$"
has out '^		retention 3 months +# d.policy:[0-9]+$'
has out '^	max-length 4 h +# built in$'
has out '^		use-within 30 days +# d.policy:[0-9]+$'
hasnt out 'pause-max'
hasnt out 'window'
run 0 "$P" show --effective --json -r 'documentation, and training unless opted out' "$TMP/d.policy"
jq -e --argjson l "$line" '.scenario == "F" and (.settings | any(.setting == "min-length" and .source == "defaults" and .line == $l and
	.text == "min-length 6 s") and any(.block == "training" and .setting == "commit" and .source == "built-in" and .file == null))' \
	"$TMP/out" >/dev/null || fail "json"
# Without --effective only what is written; what a rule does not mean is not said.
run 0 "$P" show "$TMP/d.policy"
hasnt out 'built in|defaults'
has out 'opt-out agent key \*7'
run 0 "$P" show -e ../../../policy/examples/b-*.policy
has out 'pre-decision block +# built in'
has out 'window notice-start\+3s to notice-end\+10s'
hasnt out 'on-loss|on-opt-out|on-missing-notice|training-from'
# of a telephone without events tones are looked for, so its sound goes to the detector
sed 's/^		consent-key 1/&\n		dtmf rfc4733, info, inband/' ../../../policy/examples/b-*.policy >"$TMP/tones.policy"
run 0 "$P" show -e "$TMP/tones.policy"
has out 'pre-decision inspect +# built in'
run 0 "$P" show -e ../../../policy/examples/a3-*.policy
has out 'on-missing-notice keep +# built in'
hasnt out 'not-needed'
run 1 "$P" show -r nobody ../../../policy/examples/b-*.policy
run 2 "$P" show 006-*.policy
exit 0
