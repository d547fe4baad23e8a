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
# recorded, and row, log and why say why
statute() {
	told "$@" <<<'A3 kept GRANTED NONE optout.statute  -'
	[ "$(jq '[.legs[].packets] | min > 400' "$TMP/rows")" = true ] || fail "$1: not recorded: $(cat "$TMP/rows")"
	run 0 "$BIN/optag" audit show --store "$TMP/s" --event call.kept --json
	jq -e '.reason == "optout.statute"' "$TMP/out" >/dev/null || fail "$1: the log does not say why: $(cat "$TMP/out")"
	run 0 "$BIN/optag" why --store "$TMP/s" "$(jq -r .call "$TMP/rows")"
	grep -q 'the person did not want it; a statute demands the recording' "$TMP/out" || fail "$1: why does not: $(cat "$TMP/out")"
}
statute "A3, off" A3 --recordpref-off
told "C, no wish" C <<<'C kept NONE GRANTED   -'
for r in C F; do
	told "$r, on the list" $r.list <<<''
done
statute "A3, on the list" A3.list
run 0 "$BIN/optag" why --store "$TMP/s" --json "$(jq -r .call "$TMP/rows")"
jq -e '.rules[0]|.kind=="never" and .result=="list" and .criteria[0].met and .criteria[0].how=="number"' "$TMP/out" >/dev/null ||
	fail "why does not tell of the list: $(jq -c '.rules' "$TMP/out")"
# with training beside it: that is not
na='announcement na { language en link https://example.org/call-recording elements rec doc train link access optout then optout-key:9 text "x" }'
policy "$TMP/A3F.list" "$na
$(rule A3F "$f" na "$A3 $OPTOUT")"
sed -i 's/^set norecord dynamic numbers$/set norecord dynamic numbers { +45 7000 0000 }/' "$TMP/A3F.list"
echo "$never" >>"$TMP/A3F.list"
told "A3 with training, on the list" A3F.list <<<'A3F kept GRANTED OPTED_OUT optout.statute optout -'
# a list is what dynamic sets hold: what the rule itself names is recorded by nobody
policy "$TMP/A3.never" "$(rule A3 "$f" ns "$A3")"
echo 'never "our own telephones" { calling +45 7000 0000 }' >>"$TMP/A3.never"
told "A3, named by a never rule" A3.never <<<''
exit $bad
