#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# optag policy: every golden policy gives its diagnostics, exit codes, canonical form, explanation, rewriting.
# A golden file's name says the code that must be among them; GOLDEN=1 rewrites the expected texts, not the names.
set -u
cd "$SRC/tests/golden/policy" || exit 1
today=2026-11-30
fail=0
say() { echo "FAIL: $*"; fail=1; }

cp -r assessment.md da speak loop deep "$TMP/" # beside what fmt writes
for f in *.policy; do
	name=${f%.policy}
	"$BIN/optag-policy" check --today $today "$f" >"$TMP/out" 2>"$TMP/err"
	rc=$?
	[ -s "$TMP/out" ] && say "$f: check wrote to stdout"
	case $name in
	[0-9]*-clean-*) code='' want=0 ;;
	*-W-*) code=$(echo "$name" | grep -o 'W-[0-9]*' | head -1) want=1 ;;
	*) code=$(echo "$name" | grep -o 'L-[0-9]*' | head -1) want=2 ;;
	esac
	[ $rc = $want ] || say "$f: exit $rc instead of $want"
	[ -z "$code" ] || grep -q "^[^ 	]*:[0-9]*:[0-9]*: $code: " "$TMP/err" || say "$f: no $code"
	[ -n "${GOLDEN:-}" ] && cp "$TMP/err" "$name.expected"
	cmp -s "$TMP/err" "$name.expected" || { say "$f: other diagnostics"; diff "$name.expected" "$TMP/err" | head -10; }
	# The same as JSON: one object a diagnostic, same codes and places.
	"$BIN/optag-policy" check --json --today $today "$f" >"$TMP/json" 2>/dev/null
	[ $? = $want ] || say "$f: other exit with --json"
	jq -r '"\(.file):\(.line):\(.col): \(.code): "' <"$TMP/json" | sort >"$TMP/a" || say "$f: bad JSON"
	grep -oE '^[^ ]+:[0-9]+:[0-9]+: [LW]-[0-9]+: ' "$TMP/err" | sort >"$TMP/b"
	cmp -s "$TMP/a" "$TMP/b" || say "$f: JSON and text differ"
	# fmt: what loads has a fixed point, what does not has no output.
	"$BIN/optag-policy" fmt --today $today "$f" >"$TMP/fmt.policy" 2>/dev/null
	rc=$?
	if [ $want = 2 ]; then
		[ $rc = 2 ] && [ ! -s "$TMP/fmt.policy" ] || say "$f: fmt gave something"
	else
		"$BIN/optag-policy" fmt --today $today "$TMP/fmt.policy" | cmp - "$TMP/fmt.policy" || say "$f: no fixed point"
	fi
done

# Examples: loadable at any date, one for each situation.
for e in a1:A1 a2:A2 a3:A3 b:B c:C d:D e:E f:F g:G lab:A1; do
	f=$(ls "$SRC/policy/examples/${e%%:*}"[-.]*policy)
	for day in 2026-11-30 2044-02-29; do
		"$BIN/optag-policy" check --today $day "$f" 2>"$TMP/err"
		[ $? = 1 ] || say "$f: not warnings only on $day"
		grep -E ': [LW]-[0-9]+: ' "$TMP/err" | grep -vE ': (W-18|W-10): ' && say "$f: unexpected diagnostics"
	done
	"$BIN/optag-policy" explain --json "$f" | jq -e ".scenario == \"${e##*:}\"" >/dev/null || say "$f: not situation ${e##*:}"
done
[ "$(ls "$SRC"/policy/examples/*.policy | wc -l)" = 10 ] || say "examples without a test"

# The hash is what any BLAKE2b says of the canonical form.
f=005-clean-a1.policy
sum=$("$BIN/optag-policy" fmt --today $today $f | b2sum -l 256 | cut -d' ' -f1)
[ "$("$BIN/optag-policy" explain --today $today --json $f | jq -r .policy_hash)" = "$sum" ] || say "hash"

# explain: what keys and silence do, in words.
"$BIN/optag-policy" explain --today $today 002-clean-e.policy >"$TMP/e"
tr -s "\n " " " <"$TMP/e" | grep -q "Key 1 from the caller means yes to training" || say "explain: key"
grep -q 'Silence means no' "$TMP/e" || say "explain: silence"
grep -q 'Erased 3 months after the call began' "$TMP/e" || say "explain: deadline"
"$BIN/optag-policy" explain --today $today --rule nobody 002-clean-e.policy 2>"$TMP/err"
[ $? = 1 ] && grep -q 'no rule "nobody"' "$TMP/err" || say "explain --rule"

# fmt -w: whole or not at all; comments and modes are not lost by accident.
cp $f "$TMP/w.policy"
chmod 640 "$TMP/w.policy"
"$BIN/optag-policy" fmt -w --today $today "$TMP/w.policy" || say "fmt -w"
"$BIN/optag-policy" fmt --today $today $f | cmp - "$TMP/w.policy" || say "fmt -w wrote something else"
[ "$(stat -c %a "$TMP/w.policy")" = 640 ] || say "fmt -w changed the mode"
printf '# mine\n' | cat - $f >"$TMP/c.policy"
cp "$TMP/c.policy" "$TMP/c.before"
"$BIN/optag-policy" fmt -w --today $today "$TMP/c.policy" 2>/dev/null
[ $? = 1 ] && cmp -s "$TMP/c.policy" "$TMP/c.before" || say "fmt -w lost comments"
"$BIN/optag-policy" fmt -w --drop-comments --today $today "$TMP/c.policy" || say "fmt -w --drop-comments"
[ "$(ls "$TMP" | grep -c 'policy\.')" = 0 ] || say "fmt -w left files"

# Directories in name order, includes, what is no file.
mkdir "$TMP/d" "$TMP/empty"
sed -n '/^rule/,$p' $f >"$TMP/d/20-rule.policy"
sed '/^rule/,$d' $f >"$TMP/d/10-objects.policy"
echo garbage >"$TMP/d/ignored.txt"
"$BIN/optag-policy" check --today $today "$TMP/d" || say "directory"
echo 'include "d/10-objects.policy"; include "d/20-rule.policy"' >"$TMP/i.policy"
"$BIN/optag-policy" check --today $today "$TMP/i.policy" || say "include"
echo 'include "loop.policy"' >"$TMP/loop.policy"
"$BIN/optag-policy" check --today $today "$TMP/loop.policy" 2>"$TMP/err"
[ $? = 2 ] && grep -q 'loop.policy:1:9: L-08: the file includes itself' "$TMP/err" || say "include loop"
for bad in "$TMP/empty" "$TMP/none.policy" /dev/null/x; do
	"$BIN/optag-policy" check "$bad" 2>"$TMP/err"
	[ $? = 2 ] && grep -q L-08 "$TMP/err" || say "$bad: $(cat "$TMP/err")"
done
head -c 3000 /dev/urandom >"$TMP/r.policy"
"$BIN/optag-policy" check "$TMP/r.policy" 2>"$TMP/err"
[ $? = 2 ] && grep -q "r.policy:1:.* L-01" "$TMP/err" || say "random bytes"

# W-15
cp $f "$TMP/o.policy"
chmod 666 "$TMP/o.policy"
ln -s o.policy "$TMP/l.policy"
"$BIN/optag-policy" check --today $today "$TMP/l.policy" 2>"$TMP/err"
[ $? = 1 ] && [ "$(grep -c W-15 "$TMP/err")" = 2 ] || say "W-15"

"$BIN/optag-policy" check 2>/dev/null
[ $? = 2 ] || say "usage"
"$BIN/optag-policy" --help | grep -q explain || say "help"
exit $fail
