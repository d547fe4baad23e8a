#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 8, special circumstances: given S-G on an alarm line, when a caller presses 9 nothing changes; when the agent enters an
# objection with grounds, then training stops and is destroyed, documentation goes on, and a case exists.
# Here: the caller's part. What the agent enters comes by the telephone system's API: unit/test_decide and unit/test_model.
# shellcheck source=tests/cli/story
. "$SRC/tests/cli/story"
story_policy
story_calls <<C
nine from=+4520304050 to=$g bye=20000 key=caller:9:8000 $heard
all from=+4520304051 to=$g bye=20000 key=caller:0123456789*#:8000 key=callee:*7:14000 $heard
quiet from=+4520304052 to=$g bye=20000 $heard
off from=+4520304053 to=$g bye=20000 off $heard
lost from=+4520304054 to=$g bye=20000 lose=caller:8000:8500 $heard
C
story_replay
for n in nine all quiet lost; do
	is $n '.training == "GRANTED" and .documentation == "GRANTED" and .reasons == {"documentation": "", "training": ""}'
	opens $n documentation answer..end
	opens $n training answer..end
	[ "$(told $n optout)" = 0 ] || fail "$n: optout"
done
# a telephone that does not want to be recorded objects to documentation (restricted) and to training without grounds (goes on)
is off '.training == "GRANTED" and .documentation == "OBJECTED" and .reasons.documentation == "objection"'
opens off training answer..end
opens off documentation -
[ "$(told off objection.opened)" = 2 ] || fail "off: no objection"
jq -es 'any(.purpose == "training" and .source == "sdp" and .reason == "grounds.absent") and any(.purpose == "documentation")' "$TMP/told" >/dev/null ||
	fail "off: $(cat "$TMP/told")"
whole
