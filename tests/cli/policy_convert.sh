#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# optag policy convert: every policy that loads comes back from JSON as its canonical form; the published schema is
# the program's and holds for what it prints; what is wrong in JSON is named by a pointer.
# shellcheck source=tests/cli/common
. "$SRC/tests/cli/common"
P="$BIN/optag-policy"
today=2026-11-30
cd "$SRC/tests/golden/policy" || exit 1

n=0
for f in ../../../policy/examples/*.policy [0-9]*-clean-*.policy *-W-*.policy; do
	run 0 "$P" fmt --today $today "$f"
	cp "$TMP/out" "$TMP/fmt"
	run 0 "$P" convert --to json --today $today "$f"
	cp "$TMP/out" "$TMP/$n.json"
	jq -e '."optag-policy" == 1 and (.rules | length > 0)' "$TMP/$n.json" >/dev/null || fail "$f: JSON"
	run 0 "$P" convert --to policy --today $today "$TMP/$n.json"
	cmp -s "$TMP/fmt" "$TMP/out" || fail "$f came back otherwise"
	# Any other program's spacing and order of members is the same policy.
	jq -cS . "$TMP/$n.json" | "$P" convert --to policy --today $today - | cmp -s - "$TMP/fmt" || fail "$f: order matters"
	n=$((n + 1))
done
[ $n -gt 30 ] || fail "only $n policies"

# The schema that is installed is the table's, and what is printed keeps to it.
run 0 "$P" convert --schema
cmp -s "$TMP/out" "$SRC/policy/optag-policy.schema.json" || fail "make policy/optag-policy.schema.json anew: optag policy convert --schema"
if python3 -c 'import jsonschema' 2>/dev/null; then
	python3 - "$TMP" "$SRC/policy/optag-policy.schema.json" <<'END' || fail "schema"
import copy, glob, json, sys
import jsonschema
schema = json.load(open(sys.argv[2]))
cls = jsonschema.validators.validator_for(schema)
cls.check_schema(schema)
v = cls(schema)
files = glob.glob(sys.argv[1] + '/*.json')
for f in files:
    j = json.load(open(f))
    for e in v.iter_errors(j):
        sys.exit('%s: %s' % (f, e.message[:200]))
    for path, value in ((('rules', 0, 'nonsense'), 1), (('rules', 0, 'review'), 'soon'), (('rules', 0, 'called'), '+45'),
                        (('optag-policy',), 2)):
        k = copy.deepcopy(j)
        at = k
        for p in path[:-1]:
            at = at[p]
        at[path[-1]] = value
        if v.is_valid(k):
            sys.exit('%s: the schema takes %s' % (f, path))
END
else
	echo "no python3-jsonschema: the schema is compared, and not tried"
fi

# What is wrong, and where: spelling, then the linter.
j() { jq "$1" "$TMP/0.json" >"$TMP/bad.json" || fail "jq"; }
wrong() { # EXPRESSION POINTER WORDS
	j "$1"
	run 2 "$P" convert --to policy --today $today "$TMP/bad.json"
	[ ! -s "$TMP/out" ] || fail "$1: printed all the same"
	grep -qF ": $2: " "$TMP/err" && grep -q "$3" "$TMP/err" || fail "$1: $(cat "$TMP/err")"
}
wrong '.rules[0].retention = "3 months"' /rules/0/retention 'no such setting'
wrong '.rules[0].documentation.retention = 3' /rules/0/documentation/retention 'a whole number and its unit'
wrong '.rules[0].documentation.retention = "9 months"' /rules/0/documentation/retention 'L-60: .* Why: .* Fix: '
wrong '.rules[0].documentation.retention = "3 months\n worm none"' /rules/0/documentation/retention 'control'
wrong 'del(.rules[0].owner)' /rules/0 'L-07'
wrong '.rules[0].notice[1] = "nobody"' /rules/0/notice 'L-08'
wrong '.controllers[0].languages = "da"' /controllers/0/languages 'an array'
wrong 'del(.controllers[0].id)' /controllers/0 'id is missing'
printf '{"optag-policy":1,"rules":[{"id":"a","id":"b"}]}' >"$TMP/twice.json"
run 2 "$P" convert --to policy "$TMP/twice.json"
has err '/rules/0/id: this member stands here twice'
one_line err
head -c 100000 /dev/zero | tr '\0' '[' >"$TMP/deep.json"
run 2 "$P" convert --to policy "$TMP/deep.json"
has err nested
printf '{"optag-policy":1,"rules":[{"id":"\377"}]}' >"$TMP/utf8.json"
run 2 "$P" convert --to policy "$TMP/utf8.json"
has err '/rules/0/id: the text is not UTF-8'
run 2 "$P" convert --to policy "$TMP/none.json"
run 2 "$P" convert --to policy "$TMP"
run 2 "$P" convert --to json "$TMP/0.json"
has err L-01

# Nothing is a policy too: it records nothing.
printf '{"optag-policy": 1}' >"$TMP/empty.json"
run 0 "$P" convert --to policy "$TMP/empty.json"
[ ! -s "$TMP/out" ] || fail "something of nothing"

run 2 "$P" convert "$TMP/0.json"
run 2 "$P" convert --to xml "$TMP/0.json"
run 2 "$P" convert --to policy "$TMP/0.json" "$TMP/1.json"
run 2 "$P" convert --schema "$TMP/0.json"
run 2 "$P" convert --to json
"$P" convert --schema >/dev/full 2>"$TMP/err"
[ $? = 1 ] || fail "a full disk is told"
exit 0
