#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 42: an outbound call. When the called person presses 1 after the notice, that is a consent; when the agent does,
# it is not. The window is anchored at the answer, where the notice is played.
# shellcheck source=tests/cli/common
. "$SRC/tests/cli/common"
# shellcheck source=tests/cli/peers_common
. "$SRC/tests/cli/peers_common"
policy "$TMP/p.out" "$(rule out 'controller o side calling calling @caller direction outbound' nc "$CONSENT")"
policy "$TMP/p.in" "$(rule in 'controller both side calling calling @caller direction outbound' nc "$CONSENT")"
policy "$TMP/p.f" "$(rule f 'controller o side calling calling @caller' nf "$DOC $OPTOUT")"

told() { # WHAT POLICY gencap options... : compared with stdin
	local what=$1 policy=$2
	shift 2
	fresh
	"$gen" --seconds 16 "$@" "$TMP/c.pcap"
	replay "$TMP/p.$policy" "$TMP/c.pcap"
	is "$what" "$(cat)"
	sound "$what"
}
told "callee presses 1" out --callee-keys 5:1 <<<'out kept NONE GRANTED   -'
jq -e '.legs | all(.audio_ms < 11500 and .audio_ms > 10000)' "$TMP/rows" >/dev/null || fail "not from the press on"
run 0 "$BIN/optag" audit show --store "$TMP/s" --event consent.given
has out 'source caller.*reason rfc4733.*offset_ms=[45]'
told "agent presses 1" out --keys 5:1 <<<'out denied NONE DENIED  consent.none -'
told "before the window" out --callee-keys 1:1 <<<'out denied NONE DENIED  consent.none -'
told "after the window" out --callee-keys 12:1 <<<'out denied NONE DENIED  consent.none -'
told "callee opts out" f --callee-keys 9:9 <<<'f kept GRANTED OPTED_OUT  optout -'
told "agent's 9 means nothing" f --keys 9:9 <<<'f kept GRANTED GRANTED   -'
told "agent opts out for him" f --keys 9:*7 <<<'f kept GRANTED OPTED_OUT  optout -'
told "a call within the house is not outbound" in --callee-keys 5:1 <<<''
exit $bad
