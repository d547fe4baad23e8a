#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Every code of the linter stands in optag-policy(5), in policy/codes.c and in a golden policy's diagnostics;
# every message names its reason and what to do, and shows the line and a caret under it. Then files that are
# too large, or too odd, to lie in the tree.
set -u
cd "$SRC/tests/golden/policy" || exit 1
fail=0
say() { echo "FAIL: $*"; fail=1; }
codes() { grep -oE '[LW]-[0-9][0-9]' | sort -u; }

# The manual's tables: one `.It L-01` each.
sed -n '/^\.Sh DIAGNOSTICS/,/^\.Sh SEE/s/^\.It \([LW]-[0-9][0-9]\)$/\1/p' "$SRC/policy/optag-policy.5" | sort >"$TMP/manual"
grep -oE '^	\{"[LW]-[0-9]+"' "$SRC/policy/codes.c" | codes >"$TMP/table"
grep -ohE '"[LW]-[0-9][0-9]"' "$SRC"/policy/*.c | grep -v codes.c | codes >"$TMP/used"
grep -hoE '^[^ 	]+:[0-9]+:[0-9]+: [LW]-[0-9]+: ' ./*.expected past/*.expected | grep -oE ' [LW]-[0-9]+: ' | codes >"$TMP/golden"
[ "$(wc -l <"$TMP/manual")" -ge 70 ] || say "the manual has only $(wc -l <"$TMP/manual") codes"
[ "$(uniq -d "$TMP/manual")" = "" ] || say "twice in the manual: $(uniq -d "$TMP/manual")"
cmp -s "$TMP/manual" "$TMP/table" || { say "manual and codes.c differ"; diff "$TMP/manual" "$TMP/table"; }
for c in $(comm -13 "$TMP/table" "$TMP/used"); do say "$c is used and not in codes.c"; done
for c in $(comm -23 "$TMP/manual" "$TMP/golden"); do say "$c has no golden policy"; done
# Reason and advice in the manual are those of codes.c.
python3 - "$SRC" <<'EOF' || say "manual and codes.c differ in words"
import re, sys
un = lambda s: s.replace('\\(dq', '"').replace('\\(ga', '`').replace('\\"', '"')
row = r'\{"([LW]-\d+)", "([^"]*)", "((?:[^"\\]|\\.)*)",\s*"((?:[^"\\]|\\.)*)"\}'
table = re.findall(row, open(sys.argv[1] + '/policy/codes.c').read())
manual = un(open(sys.argv[1] + '/policy/optag-policy.5').read())
bad = [c for c, ref, why, fix in table if not re.search(r'\.It %s\n(?:[^.].*\n)+\.br\nWhy: %s\n\.br\nFix: %s\n' % (
	c, re.escape((ref + ': ' if ref else '') + un(why)), re.escape(un(fix))), manual)]
print(*bad)
sys.exit(bool(bad) or len(table) < 70)
EOF
# Each code also has a policy of its own, named after it.
for c in $(cat "$TMP/manual"); do
	compgen -G "./*-$c-*.policy" >/dev/null || compgen -G "past/$c-*.policy" >/dev/null || say "no policy is named after $c"
done
bad=$(find . past -maxdepth 1 \( -name '*-L-*.policy' -o -name '*-W-*.policy' \) | sort -u | wc -l)
[ "$bad" -ge 200 ] || say "only $bad bad policies"

# Form: FILE:LINE:COL: CODE: sentence. Why: reason Fix: advice, then the line as it is, then a caret.
for f in *.expected past/*.expected; do
	grep -aE '^[^ 	]+:[0-9]+:[0-9]+: ' "$f" | grep -avE ': [LW]-[0-9]+: .+[.?] Why: .+ Fix: .+' && say "$f: a message without reason or fix"
	awk '/^[^ \t]+:[0-9]+:[0-9]+: / { if (want == 2) bad = 1; want = 1; next }
		want == 1 && /^    / { want = 2; next }
		want == 2 { if ($0 !~ /^    [ \t]*\^~*$/) bad = 1; want = 0 }
		END { exit bad || want == 2 }' "$f" || say "$f: a source line without its caret"
done

# ---- made here ----
cd "$TMP" || exit 1
good=$SRC/tests/golden/policy/005-clean-a1.policy
made() { # NAME WANT-STATUS WANT-TEXT: NAME.policy is there; exactly this on stderr
	timeout 20 "$BIN/optag-policy" check --today 2026-11-30 "$1.policy" >"$1.out" 2>"$1.err"
	local rc=$?
	[ $rc = "$2" ] || say "$1: status $rc"
	[ -s "$1.out" ] && say "$1: wrote to stdout"
	printf '%s' "$3" | cmp -s - "$1.err" || { say "$1: other diagnostics"; printf '%s' "$3" | diff - "$1.err" | cut -c1-300 | head; }
}
why='Why: what is not understood is never guessed. Fix: see optag-policy(5) for what can stand here.'

# A line of 1 MiB: where it is wrong is said, and the line is not shown.
{
	sed '/^	owner/,$d' "$good"
	printf '\towner "%s"\n' "$(head -c 1048576 /dev/zero | tr '\0' x)"
	sed '1,/^	owner/d' "$good"
} >long-line.policy
made long-line 2 "long-line.policy:56:8: L-01: a word or a text in quotes has 1 to 4096 bytes. $why
1 error, 0 warnings
"
{
	printf '%s' '# '
	head -c 1048576 /dev/zero | tr '\0' x
	printf '\n'
	cat "$good"
} >long-comment.policy
made long-comment 0 ''

# How long the announcement is, is known of its sound: then the window as a whole has 120 s, and is not empty.
heard() { # SECONDS FROM TO AFTER: what check says of the window
	head -c $(($1 * 8000)) /dev/zero >notice.alaw
	head -c $((44 + $1 * 16000)) /dev/zero >notice.wav
	python3 - notice.wav <<-'EOF'
		import struct, sys
		n = len(open(sys.argv[1], 'rb').read()) - 44
		h = b'RIFF' + struct.pack('<I', n + 36) + b'WAVEfmt ' + struct.pack('<IHHIIHH', 16, 1, 1, 8000, 16000, 2, 16) + b'data' + struct.pack('<I', n)
		open(sys.argv[1], 'r+b').write(h)
	EOF
	for sound in alaw wav; do
		sed -e "s/^	language ../&\n	audio file \"notice.$sound\"${4:+\n	keys-after $4}/" -e '/^		window /d' -e "s/^		consent-key 1/&\n		window notice-start+$2s to notice-end+$3s/" \
			"$SRC/tests/golden/policy/002-clean-e.policy" >heard.policy
		timeout 20 "$BIN/optag-policy" check --today 2026-11-30 heard.policy 2>heard.err
		echo "$? $(grep -oE '(L-24|W-25): [^.]*' heard.err | head -1)"
	done | sort -u
}
told() { # WANT SECONDS FROM TO AFTER
	local is
	is=$(heard "$2" "$3" "$4" "$5")
	[ "$is" = "$1" ] || say "a window of $3 to $4 around $2 s: $is"
}
told '0 ' 20 3 10 '0 s'
told '0 ' 113 3 10 '0 s'
told '2 L-24: the window is longer than 120 s: the announcement lasts 114 s' 114 3 10 '0 s'
told '2 L-24: the window is empty: the announcement lasts 100 s' 100 110 10 '0 s'
told '0 ' 101 110 10 '0 s'
told '2 L-24: the window is empty: the announcement lasts 3 s' 3 120 0 '0 s'
# When its purposes have been spoken, is asked of a long one; and a key counts before the window is over.
told '0 ' 10 3 10 ''
told "1 W-25: 'notice-da' lasts 11 s, and a consent key counts from 3 s on" 11 3 10 ''
told '0 ' 40 3 10 '49 s'
told "2 L-24: the window of 'documentation by interest, training with consent' is over before a key counts in 'notice-da'" 40 3 10 '50 s'

# 100,000 brackets, opened and not closed; and closed without being opened.
head -c 100000 /dev/zero | tr '\0' '{' >deep.policy
timeout 20 "$BIN/optag-policy" check deep.policy 2>err
[ $? = 2 ] && [ "$(grep -c L-01 err)" = 1 ] || say "deep: $(head -c 300 err)"
{
	printf 'rule "deep" {\n'
	for _ in $(seq 2000); do printf 'documentation { sensitive health { '; done
	printf '\n'
} >deep-blocks.policy
timeout 20 "$BIN/optag-policy" check deep-blocks.policy 2>err
[ $? = 2 ] && [ "$(grep -c L-01 err)" -le 20 ] || say "deep-blocks: $(head -c 300 err)"

# 5,000 rules, each wrong: 20 are told, the rest counted.
for i in $(seq 5000); do printf 'rule "r%d" { wrong }\n' "$i"; done >many.policy
timeout 20 "$BIN/optag-policy" check many.policy 2>err
[ $? = 2 ] && [ "$(grep -c ' L-01: ' err)" = 20 ] && grep -q '^\.\.\. and 4980 more$' err && grep -q '^5000 errors, 0 warnings$' err || say "many: $(tail -2 err)"

# What is no policy file at all.
printf '' >empty.policy
made empty 0 ''
printf '\n\n# nothing yet\n' >comments.policy
made comments 0 ''
cp /bin/true program.policy
timeout 20 "$BIN/optag-policy" check program.policy 2>err
[ $? = 2 ] && [ "$(grep -c ' L-01: ' err)" = 1 ] || say "program: $(head -c 300 err)"
# Escape sequences reach no terminal.
printf 'rule "\033[31mred\033[0m" { }\n' >escape.policy
timeout 20 "$BIN/optag-policy" check escape.policy 2>err
[ $? = 2 ] && ! grep -q "$(printf '\033')" err || say "escape"
# Each prefix of a good policy: a diagnostic or nothing, and never more time than that.
n=$(stat -c %s "$good")
for k in $(seq 1 97 "$n"); do
	head -c "$k" "$good" >cut.policy
	timeout 20 "$BIN/optag-policy" check --today 2026-11-30 cut.policy 2>err
	rc=$?
	[ $rc -le 2 ] || say "cut at $k: status $rc"
	[ $rc != 2 ] || grep -q ' L-[0-9][0-9]: ' err || say "cut at $k: no reason given"
done
# Made good again by what the message says.
sed 's/retention 3 months/retention 6 months/' "$good" >fixed.policy
"$BIN/optag-policy" check --today 2026-11-30 fixed.policy 2>err && say "fixed: clean before"
sed -i 's/retention 6 months/retention 6 months retention-reason "the complaints board takes half a year"/' fixed.policy
made fixed 0 ''
# All of them as bytes from memory: what loads prints to a fixed point.
"$BUILD/tests/fuzz/replay_policy" "$SRC/tests/golden/policy" >out || say "replay: $(head -c 300 out)"
exit $fail
