#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 50, selftest: given a fresh installation, when `optag capture selftest` runs, then all seven speaks x all reactions (and documentation by
# consent and by law) give the decisions of guidance 4 in under 5 minutes. And it notices when they do not.
# shellcheck source=tests/cli/common
. "$SRC/tests/cli/common"
make -s -C "$SRC" BUILD="$BUILD" OPTAG_DEPS_OK=1 PREFIX=/usr DESTDIR="$TMP/root" install >"$TMP/install" 2>&1 || fail "install: $(cat "$TMP/install")"
export TMPDIR="$TMP/t"
mkdir "$TMPDIR"
O="$TMP/root/usr/bin/optag"
start=$SECONDS
run 0 "$O" capture selftest
[ $((SECONDS - start)) -lt 300 ] || fail "five minutes"
has out '^126 of 126 as the guidance has it$'
[ "$(grep -c '^ok ' "$TMP/out")" = 126 ] || fail "lines"
for s in A1 A2 A3 B C D E F G; do
	[ "$(grep -c "^ok   $s " "$TMP/out")" = 14 ] || fail "$s: not 14 reactions"
done
has out '^ok   B   opt-out-mid    documentation NONE       training DENIED$'
has out '^ok   F   opt-out-late   documentation GRANTED    training OPTED_OUT$'
[ -z "$(ls "$TMPDIR")" ] || fail "it leaves $(ls "$TMPDIR")"
# a truth that is another: one line, and status 1
sed 's/^C	opt-out-mid	training	OPTED_OUT	optout/C	opt-out-mid	training	GRANTED	-/' "$SRC/tests/golden/truth/table.tsv" >"$TMP/other.tsv"
cmp -s "$TMP/other.tsv" "$SRC/tests/golden/truth/table.tsv" && fail "nothing was changed"
run 1 "$O" capture selftest --truth "$TMP/other.tsv" --json
jq -se 'length == 126 and (map(select(.ok | not)) | length == 1 and .[0].situation == "C" and .[0].reaction == "opt-out-mid"
	and .[0].training == "OPTED_OUT" and .[0].expected_training == "GRANTED")' "$TMP/out" >/dev/null || fail "--json: $(grep false "$TMP/out")"
# an example that decides another way, and one that is missing
cp -r "$SRC/policy/examples" "$TMP/examples"
sed -i 's/^	notice-proof header X-Notice-Played = yes/	notice-proof header X-Other = yes/' "$TMP"/examples/b-*.policy
run 1 "$O" capture selftest --examples "$TMP/examples"
has out '^FAIL B   consent .*DENIED \(notice.missing\), expected: documentation NONE , training GRANTED'
rm "$TMP"/examples/c-*.policy
run 1 "$O" capture selftest --examples "$TMP/examples"
has err 'no example for C'
run 1 "$O" capture selftest --truth /dev/null
has err 'nothing of A1, consent'
[ -z "$(ls "$TMPDIR")" ] || fail "it leaves $(ls "$TMPDIR") when something is wrong"
exit 0
