#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# init: what it makes, with which modes, and that a refusal leaves nothing behind.
. "$SRC/tests/cli/common" || exit 1
cd "$TMP" || exit 1
mkdir w

run 0 "$BIN/optag" init --store w/s
only w s s-keys
only w/s-keys documentation.key training.key
for f in w/s-keys/*.key; do [ "$(stat -c %a "$f")" = 600 ] || fail "mode of $f"; done
[ "$(stat -c %a w/s-keys)" = 700 ] || fail "mode of the key directory"
has out 'Private key: +w/s-keys/documentation.key'
has out 'listening station'
find w/s -name '*.key' ! -name number.key | grep . && fail "a private key lies in the store"
cp w/s-keys/documentation.key k0
run 1 "$BIN/optag" init --store w/s
one_line err
cmp -s k0 w/s-keys/documentation.key || fail "a key was overwritten"

run 0 "$BIN/optag" init --store w/t --keys w/tk --json
one_line out
[ "$(jq -c . out)" = '{"store":"w/t","keys":"w/tk","public":null,"controller":null,"purposes":["documentation","training"]}' ] ||
	fail "json"
run 1 "$BIN/optag" init --store w/u --keys w/tk # keys exist
only w s s-keys t tk
run 2 "$BIN/optag" init --store w/u --keys w/u/keys
has err 'inside the store'
run 2 "$BIN/optag" init --store w/u --keys w/uk --public w/s-keys
run 1 "$BIN/optag" init --store w/u --public w/none
only w s s-keys t tk

# public halves only, a controller's own keys in a store that exists
mkdir pub && find w/s -name '*.pub' -exec cp {} pub \;
run 0 "$BIN/optag" init --store w/v --public pub
only w s s-keys t tk v
run 0 "$BIN/optag" init --store w/v --controller acme
only w/v-keys acme
only w/v-keys/acme documentation.key training.key
has out 'Private key: +w/v-keys/acme/training.key'
run 1 "$BIN/optag" init --store w/v --controller ../evil --keys w/ek
only w s s-keys t tk v v-keys

mkdir full && touch full/x
run 1 "$BIN/optag" init --store full --keys fk
only full x
[ ! -e fk ] || fail "keys of a refused store"
run 1 "$BIN/optag" init --store /proc/nowhere/s --keys pk
[ ! -e pk ] || fail "keys of a refused store"
exit 0
