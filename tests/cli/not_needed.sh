#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# "Not needed" (N-08), said by the agent's key in the call: documentation ends and is gone, and the evidence says how much audio that
# was; where training goes on with the recording nothing of it is gone.
# shellcheck source=tests/cli/story
. "$SRC/tests/cli/story"
story_policy 's/^\t\tassessment doc$/&\n\t\tnot-needed key *4/' '/basis obligation/,/}/{/not-needed/d}'
[ "$(grep -c 'not-needed key' "$p")" -gt 3 ] || fail "the rules do not offer it"
story_calls <<C
doc from=+4520304050 to=$a1 bye=20000 key=callee:*4:15000 $heard
both from=+4520304051 to=$f bye=20000 key=callee:*4:16000 $heard
caller from=+4520304053 to=$a1 bye=20000 key=caller:*4:15000 $heard
C
story_replay
discarded() { # CALL JQ
	[ "$(told "$1" audio.discard)" = 1 ] && jq -e ".reason == \"not-needed\" and .purpose == \"documentation\" and .source == \"agent\" and .press == \"*4\" and ($2)" \
		"$TMP/told" >/dev/null || fail "$1: what was destroyed: $(cat "$TMP/told")"
}
# 14.3 s of both voices in packets of 20 ms, less the key's
is doc '.documentation == "EXPIRED" and .reasons.documentation == "not-needed" and ([.legs[] | .packets] | add) == 0'
opens_nothing doc
discarded doc '.n.packets > 1400 and .n.packets < 1440 and .n.ms == 20 * .n.packets'
[ "$(told doc key.destroy)" = 1 ] && [ "$(told doc key.commit)" = 0 ] || fail "doc: its key"
is both '.documentation == "EXPIRED" and .training == "GRANTED"'
opens both documentation -
opens both training answer..end
discarded both '.n.packets == 0 and .n.ms == 0'
is caller '.documentation == "GRANTED"'
[ "$(told caller audio.discard)" = 0 ] || fail "the caller's key"
whole
