#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 44: an opt-out before the call. With a=recordpref:off in the SDP, or a number on the no-record list, training
# never starts under C and F; under A3 the call is recorded, and says why.
# shellcheck source=tests/cli/common
. "$SRC/tests/cli/common"
# shellcheck source=tests/cli/peers_common
. "$SRC/tests/cli/peers_common"
f='controller c side called called @own'
A3='documentation { basis obligation "MiFID II art. 16(7)" assessment d retention 5 years retention-reason "the law says so" } decision-record 6 years roles documentation r'
policy "$TMP/C" "$(rule C "$f" nt "$OPTOUT")"
policy "$TMP/F" "$(rule F "$f" nf "$DOC $OPTOUT")"
policy "$TMP/A3" "$(rule A3 "$f" ns "$A3")"
never='never "no-record list" { calling @norecord }'
for r in C F A3; do
	sed 's/^set norecord dynamic numbers$/set norecord dynamic numbers { +45 7000 0000 }/' "$TMP/$r" >"$TMP/$r.list"
	echo "$never" >>"$TMP/$r.list"
done

told() { # WHAT POLICY gencap options... : compared with stdin
	local what=$1 policy=$2
	shift 2
	fresh
	"$gen" --seconds 12 "$@" "$TMP/c.pcap"
	replay "$TMP/$policy" "$TMP/c.pcap"
	is "$what" "$(cat)"
	sound "$what"
}
told "C, off" C --recordpref-off <<<'C denied NONE OPTED_OUT  optout -'
[ "$(jq '[.legs[].packets] | add' "$TMP/rows")" = 0 ] || fail "something was kept"
told "F, off" F --recordpref-off <<<'F kept OBJECTED OPTED_OUT objection optout -'
told "A3, off" A3 --recordpref-off <<<'A3 kept GRANTED NONE optout.statute  -'
run 0 "$BIN/optag" audit show --store "$TMP/s" --event call.kept
told "C, no wish" C <<<'C kept NONE GRANTED   -'
for r in C F A3; do
	told "$r, on the list" $r.list <<<''
done
exit $bad
