#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 40: the same call mirrored from two points, and a back-to-back agent's two Call-IDs: one recording, one set of
# decisions, deny wins. With nothing in common they stay two calls.
# shellcheck source=tests/cli/common
. "$SRC/tests/cli/common"
# shellcheck source=tests/cli/peers_common
. "$SRC/tests/cli/peers_common"
policy "$TMP/f.policy" "$(rule f 'controller c side called called @own' nf "$DOC $OPTOUT")"
policy "$TMP/b.policy" "$(rule b 'controller c side called called @own' nc "$CONSENT")"

one_of_two() { # SCENARIO
	fresh
	"$gen" --scenario "$1" --seconds 12 --keys 5:9 "$TMP/c.pcap" "$TMP/t.json"
	replay "$TMP/f.policy" "$TMP/c.pcap"
	is "$1: opt-out on one, one recording" "f kept GRANTED OPTED_OUT  optout -
f denied DENIED OPTED_OUT duplicate optout duplicate-of"
	sound "$1"
	# the link is the other row, the log says so, too, and the recording has every byte of both voices
	local first second
	first=$(jq -r .call "$TMP/rows" | sed -n 1p)
	second=$(jq -r .call "$TMP/rows" | sed -n 2p)
	[ "$(jq -r .other_call "$TMP/rows" | sed -n 2p)" = "$first" ] || fail "$1: no link"
	run 0 "$BIN/optag" audit show --store "$TMP/s" --call "$second" --event call.link
	has out "reason duplicate-of  other $first"
	run 0 "$BIN/optag" export --store "$TMP/s" --keys "$TMP/k" --purpose documentation --call "$first" --format payload --force -o "$TMP/x"
	[ "$(sha256sum <"$TMP/x.caller" | cut -d' ' -f1) $(sha256sum <"$TMP/x.callee" | cut -d' ' -f1)" = \
		"$(jq -r '[.calls[0].legs[].sha256] | join(" ")' "$TMP/t.json")" ] || fail "$1: not the audio"
	# and training stays when nobody says no, once
	fresh
	"$gen" --scenario "$1" --seconds 12 "$TMP/c.pcap"
	replay "$TMP/f.policy" "$TMP/c.pcap"
	is "$1: silence" "f kept GRANTED GRANTED   -
f denied DENIED DENIED duplicate duplicate duplicate-of"
	[ "$("$BIN/optag" audit show --store "$TMP/s" --event sample.in | wc -l)" = "$2" ] || fail "$1: drawn twice"
	sound "$1"
	# a consent on the caller's own leg is one for the conversation
	fresh
	"$gen" --scenario "$1" --seconds 14 --keys 5:1 "$TMP/c.pcap"
	replay "$TMP/b.policy" "$TMP/c.pcap"
	is "$1: consent" "b kept NONE GRANTED   -
b denied NONE DENIED  duplicate duplicate-of"
	sound "$1"
}

one_of_two b2bua-pass 1
one_of_two b2bua-session 2 # known to be one only with the answer: both were drawn, one slot is used
one_of_two b2bua-header 1

fresh
"$gen" --scenario b2bua-none --seconds 12 --callee-keys 5:*7 "$TMP/c.pcap"
replay "$TMP/f.policy" "$TMP/c.pcap"
is "nothing in common" "f kept GRANTED OPTED_OUT  optout -
f kept GRANTED OPTED_OUT  optout -"

# a catalog of an older writer has no links: it reads as before
if command -v sqlite3 >/dev/null; then
	for db in "$TMP"/s/catalog/*/*.db; do sqlite3 "$db" 'DROP TABLE links'; done
	is "without links" "f kept GRANTED OPTED_OUT  optout -
f kept GRANTED OPTED_OUT  optout -"
	run 0 "$BIN/optag" fsck --store "$TMP/s"
fi

# two SPAN points of one Call-ID: every packet twice
fresh
"$gen" --scenario span-dup --seconds 12 --keys 5:9 "$TMP/c.pcap" "$TMP/t.json"
replay "$TMP/f.policy" "$TMP/c.pcap"
is "two SPAN points" "f kept GRANTED OPTED_OUT  optout -"
jq -e '.legs | all(.duplicates > 0 and .lost == 0)' "$TMP/rows" >/dev/null || fail "copies are not known as such"
run 0 "$BIN/optag" export --store "$TMP/s" --keys "$TMP/k" --purpose documentation --call "$(jq -r .call "$TMP/rows")" \
	--format payload --force -o "$TMP/x"
[ "$(sha256sum <"$TMP/x.caller" | cut -d' ' -f1)" = "$(jq -r '.calls[0].legs[0].sha256' "$TMP/t.json")" ] || fail "not the audio"
[ "$("$BIN/optag" audit show --store "$TMP/s" --event optout | wc -l)" = 1 ] || fail "one press is not one"
exit $bad
