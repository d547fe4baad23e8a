#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Sets whose members stand in files of their own, of each kind; what is wrong in such a file is told at its line, and
# once. Includes and files are named relative to the file that names them. Holidays end a rule's hours.
# shellcheck source=tests/cli/common
. "$SRC/tests/cli/common"
P="$BIN/optag-policy"
today=2026-11-30
f=$(ls "$SRC"/policy/examples/f-*.policy)
mkdir -p "$TMP/d/lists" "$TMP/d/more"
cd "$TMP/d" || exit 1
codes() { grep -oE '^[^ 	]+:[0-9]+:[0-9]+: [LW]-[0-9]+' "$TMP/err" | grep -v 'W-1[08]$'; }
check() { run "$1" "$P" check --today $today p.policy; }

# Numbers: as between the braces, with comments, blank lines, commas and CR LF.
printf '# from the directory\r\n\r\n+45 7010 20*\r\n+45 8812 3400-8812 3499\t# sales\r\n' >lists/numbers
sed '/^set example-numbers/,/^}/c set example-numbers numbers file "lists/numbers"' "$f" >p.policy
check 1
run 0 "$P" fmt --today $today "$f"
cp "$TMP/out" "$TMP/want"
run 0 "$P" fmt --today $today p.policy
cmp -s "$TMP/out" "$TMP/want" || fail "a file of numbers is not the numbers"
cp p.policy before
run 1 "$P" fmt -w --drop-comments --today $today p.policy
has err 'includes other files'
cmp -s p.policy before || fail "fmt -w wrote the members into the policy"
run 0 "$P" convert -t json p.policy
jq -e '.sets[0].members | length == 2' "$TMP/out" >/dev/null || fail "members in JSON"
# The members are part of the hash.
hash() { "$P" explain --json --today $today p.policy | jq -r .policy_hash; }
old=$(hash)
echo '+45 9911 2233' >>lists/numbers
[ "$(hash)" != "$old" ] || fail "other members, same hash"

# The other kinds, in an included file of another directory, so relative to that.
printf 'claims\nsales, "two words"\n' >more/queues
printf 'a1 a2\n' >more/agents
printf '2026-12-24\n2026-12-25 # and so on\n' >more/closed
printf 'pbx\n' >more/trunks
printf 'set qs queues file "queues"\nset ag agents file agents\nset closed holidays file "closed"\nset ts trunks file "trunks"\n' >more/sets.policy
{
	echo 'include "more/sets.policy"'
	sed 's/^	called +45 7010 20\*/&\n	queue one-of @qs\n	agent one-of @ag\n	trunk @ts\n	time mon-fri 08:00-16:00 except @closed/
		s/^	agent-header X-Agent/&\n	queue-header X-Queue/' p.policy
} >q.policy
mv q.policy p.policy
check 1
run 0 "$P" fmt --today $today p.policy
for s in '	"two words"' '	a2' '	2026-12-25' '	pbx'; do grep -qxF "$s" "$TMP/out" || fail "not a member: $s"; done
run 0 "$P" explain --lang da --today $today p.policy
has out 'man-fre 08:00-16:00 undtagen @closed'

# Wrong: at the line of the file, and nothing follows from what was not understood.
wrong() { # FILE CONTENT WANT
	cp "$1" "$TMP/save"
	printf '%b' "$2" >"$1"
	check 2
	[ "$(codes)" = "$3" ] || fail "$1: $(codes)"
	hasnt err "\(null\)"
	cp "$TMP/save" "$1"
}
wrong lists/numbers '+45 7010 20*\n+45 x\n' 'lists/numbers:2:1: L-09'
wrong lists/numbers '+45 7010 20*\n+45 7010-7911\n' 'lists/numbers:2:1: L-09'
wrong lists/numbers '+45 7010 20*\n}\n' 'lists/numbers:2:1: L-01'
wrong lists/numbers 'rule "x" { }\n' 'lists/numbers:1:1: L-01'
wrong lists/numbers '+45 7010 20*\n\xff\n' 'lists/numbers:2:1: L-01'
wrong more/closed '2026-13-01\n' 'more/closed:1:1: L-01'
wrong more/closed 'christmas\n' 'more/closed:1:1: L-01'
wrong more/queues 'a {\n' 'more/queues:1:3: L-01'
wrong more/trunks 'nowhere pbx\n' 'more/trunks:1:1: L-08'
mv lists/numbers lists/other
check 2
[ "$(codes | sed 's/^.*policy://')" = "$(grep -n lists/numbers p.policy | cut -d: -f1):34: L-08" ] || fail "a file that is missing: $(codes)"
# In the place of the file: a directory, itself, nothing, a FIFO that nobody writes is no hang.
mkdir lists/numbers
check 2
has err L-08
rmdir lists/numbers
: >lists/numbers
check 2
has err "L-08: the set 'example-numbers' has no members"
rm lists/numbers
mkfifo lists/numbers
run 2 timeout 20 "$P" check --today $today p.policy
rm lists/numbers
sed 's|lists/numbers|p.policy|' p.policy >q.policy && mv q.policy p.policy
check 2
has err 'includes itself'
# Large: as many as a directory has.
seq -f '+457010%06.0f' 200000 >lists/numbers
sed 's|file "p.policy"|file "lists/numbers"|' p.policy >q.policy && mv q.policy p.policy
sed -i 's/^	called +45 7010 20\*/	called @example-numbers/' p.policy
check 1
# A dynamic set may begin with a file; from JSON there are no files.
sed -i 's/^set example-numbers numbers file/set more dynamic numbers file/' p.policy
check 2
run 0 "$P" --help
exit 0
