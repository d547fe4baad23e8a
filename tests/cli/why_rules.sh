#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# optag why: which rule took a call, by which criteria, and why none of the others did, word for word (GOLDEN=1 rewrites); what
# is said without a row, without the policy, and when the catalog's number is none that the rule takes. No number is shown.
# shellcheck source=tests/cli/common
. "$SRC/tests/cli/common"
need jq
need sqlite3
cd "$TMP" || exit 1
golden="$SRC/tests/golden/why"
why() { run "$1" "$BIN/optag" why --store "$2" "${@:3}"; }
nth() { "$BIN/optag" find --store s --json | jq -r .call | sed -n "$1p"; }
rules() { sed -n '/^Which rule/,/^$/p' out; }
same() { # NAME: stdin
	cat >got
	! grep -Eq '\+?45 ?(33|70)|[0-9]{7}' got || fail "$1: a number"
	[ -n "${GOLDEN:-}" ] && cp got "$golden/$1"
	diff -u "$golden/$1" got >&2 || fail "$1 is another"
}

run 0 "$BIN/optag" init --store s --keys k
"$BUILD/tests/gen/gencap" --calls 2 --seconds 6 --scenario basic --start 1795000000 --header "X-Queue: claims" --header "X-Agent: bo" c.pcap ||
	fail gencap
run 0 "$BIN/optag" replay --store s --policy "$golden/rules.policy" c.pcap
first=$(nth 1) second=$(nth 2)
for c in first second; do
	why 0 s "${!c}"
	rules | same "$c.txt"
	why 0 s --json "${!c}"
	jq '.rules' out | same "$c.json"
done
# every rule of the policy is told of, in the order in which they are asked; one took it, and that is the row's
why 0 s --json "$first"
[ "$(jq -r '.rules[].name' out)" = "$(sed -nE 's/^(never|rule) "([^"]*)".*/\2/p' "$golden/rules.policy")" ] || fail "rules"
jq -e '[.rules[]|select(.result=="took")]|length==1' out >/dev/null || fail "one takes it"
jq -e '.rule as $r|.rules[]|select(.result=="took")|.name==$r and (.criteria|all(.met))' out >/dev/null || fail "another took it"
hasnt out 'anna|"bo"' # a person

# ---- without the row: what only the row had is not known, and nothing is made up ----
cp -a s copy
for db in copy/catalog/*/*.db; do sqlite3 "$db" "DELETE FROM calls" || fail sqlite3; done
why 3 copy "$first"
rules | same no-row.txt
# ---- number.key is gone: the hashes compare with nothing ----
rm -rf copy && cp -a s copy && rm copy/number.key
"$BIN/optag" why --store copy "$first" >out 2>err
has out 'rule "vip caller", line [0-9]+: did not take the call'
has out 'the calling number is in @vips: no \(else this rule would have taken the call\)'
# ---- a row with somebody else's number: the log says that the rule took the call, and it takes no such number ----
rm -rf copy && cp -a s copy
for db in copy/catalog/*/*.db; do sqlite3 "$db" "UPDATE calls SET caller_hash=zeroblob(16)" || fail sqlite3; done
why 0 copy "$first" # its rule does not ask who calls
why 3 copy "$second"
has err "rule: by the evidence log it took the call, and the catalog's hash of the number calling is of none that it takes"
has out 'the calling number is in @vips: no \(by the keyed hash'
# ---- without the policy ----
rm -rf copy && cp -a s copy && rm -r copy/policies
why 0 copy "$first"
rules | same no-policy.txt
why 0 copy --json "$first"
[ "$(jq -c .rules out)" = '[]' ] || fail "rules without a policy"
why 0 copy "$first" --policy "$golden/rules.policy"
has out '^    rule "claims", line [0-9]+: took the call, for documentation$'
exit 0
