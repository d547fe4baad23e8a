#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A third party joins, who has heard no notice (X-7): training ends with what was said before, documentation goes on in a
# recording of its own that says so.
# shellcheck source=tests/cli/common
. "$SRC/tests/cli/common"
# shellcheck source=tests/cli/peers_common
. "$SRC/tests/cli/peers_common"
f='controller c side called called @own'
policy "$TMP/F" "$(rule F "$f" nf "$DOC $OPTOUT")"
policy "$TMP/B" "$(rule B "$f" nc "$CONSENT")"
policy "$TMP/A1" "$(rule A1 "$f" nd "$DOC")"

told() { # WHAT POLICY gencap options... : compared with stdin
	local what=$1 policy=$2
	shift 2
	fresh
	"$gen" --seconds 16 "$@" "$TMP/c.pcap" "$TMP/t.json"
	replay "$TMP/$policy" "$TMP/c.pcap"
	is "$what" "$(cat)"
	sound "$what"
}
for how in conference third-line; do
	told "$how, F" F --scenario $how <<-'END'
		F kept GRANTED GRANTED   -
		F kept GRANTED DENIED third-party third-party transfer-of
	END
	# nothing is lost in between
	[ "$(jq -s '[.[].legs[0].packets] | add' "$TMP/rows")" = "$(jq '.calls[0].legs[0].packets' "$TMP/t.json")" ] || fail "packets are missing"
	run 1 "$BIN/optag" export --store "$TMP/s" --keys "$TMP/k" --purpose training --call "$(jq -r .call "$TMP/rows" | sed -n 2p)" -o "$TMP/x.wav"
	told "$how, F, opted out later" F --scenario $how --keys 14:9 <<-'END'
		F kept GRANTED OPTED_OUT  optout -
		F kept GRANTED DENIED third-party third-party transfer-of
	END
	# training alone: keys are listened to although nothing is recorded any more
	told "$how, B, taken back later" B --scenario $how --keys '5:1        0' <<-'END'
		B denied NONE WITHDRAWN  consent.withdrawn -
		B denied NONE DENIED  third-party transfer-of
	END
	told "$how, B" B --scenario $how --keys 5:1 <<-'END'
		B kept NONE GRANTED   -
		B denied NONE DENIED  third-party transfer-of
	END
	told "$how, A1" A1 --scenario $how <<<'A1 kept GRANTED NONE third-party  -'
done
told "two people" F --scenario two-m-lines <<<'F kept GRANTED GRANTED   -'
told "a move" F --scenario reinvite-move <<<'F kept GRANTED GRANTED   -'
exit $bad
