#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 3, wrong 1: given training by consent alone (S-B) and an IVR menu using 1, when 1 is pressed before the notice, or by
# the agent, or after the window, then consent is not granted.
# shellcheck source=tests/cli/story
. "$SRC/tests/cli/story"
story_policy
story_calls <<C
menu from=+4520304050 to=$b key=caller:1:1200 $heard
early from=+4520304051 to=$b key=caller:1:2200 $heard
agent from=+4520304052 to=$b key=callee:1:4000 $heard
agent-info from=+4520304053 to=$b info=callee:1:4000 $heard
late from=+4520304054 to=$b key=caller:1:5500 $heard
never from=+4520304055 to=$b key=caller:1:4000
number from=+4520304056 to=$b key=caller:415:3800 $heard
begins from=+4520304058 to=$b key=caller:1442981234:3800 $heard
slowly from=+4520304059 to=$b key=caller:4:2600 key=caller:1:3800 key=caller:5:5000 $heard
two from=+4520304060 to=$b key=caller:14:5200 $heard
elsewhere from=+4520304061 to=$b key=caller:1:3000 info=caller:4:4200 $heard
after from=+4520304062 to=+4570102008 key=caller:1:3000 key=caller:4:4200 $heard
once-more from=+4520304063 to=$b key=caller:1:2600 key=caller:4:2900 key=caller:1:5050 $heard
alone from=+4520304064 to=$b key=caller:1:2600 key=caller:4:4750 $heard
right from=+4520304057 to=$b key=caller:1:5300 $heard
C
story_replay
for n in menu early agent agent-info late never number; do
	is $n '.training == "DENIED" and .outcome == "denied" and ([.legs[] | .packets + .audio_ms] | add) == 0'
	[ "$(told $n consent.given)" = 0 ] || fail "$n: consent.given"
	opens_nothing $n
done
# A number that begins with the key: granted at the press, as nobody knows yet, and taken back by the digit behind it. Nothing is left.
for n in begins slowly two elsewhere; do
	is $n '.training != "GRANTED" and .outcome == "denied" and ([.legs[] | .packets + .audio_ms] | add) == 0'
	opens_nothing $n
	[ "$(told $n key.commit)" = 0 ] || fail "$n: a key is kept"
	run 0 "$BIN/optag" audit show --store "$s" --json --call "$(row $n | jq -r .call)"
	! jq -r '.press // empty' "$TMP/out" | grep -v '^1$' || fail "$n: a digit is in the log"
	[ $n = slowly ] && continue # a digit just before it
	[ "$(told $n consent.given)" = 1 ] && [ "$(told $n consent.withdrawn)" = 1 ] && jq -e '.reason == "other-key" and .source == "caller" and .press == null' "$TMP/told" >/dev/null ||
		fail "$n: $(cat "$TMP/told")"
done
run 0 "$BIN/optag" why --store "$s" "$(row begins | jq -r .call)"
grep -q 'the consent is taken back: another digit followed at once' "$TMP/out" || fail "why: $(cat "$TMP/out")"
is after '.training == "WITHDRAWN" and .documentation == "GRANTED" and .outcome == "kept"' # E: what documentation has stays
opens after training -
is once-more '.training == "GRANTED" and .outcome == "kept"' # after it, an answer
is once-more "([.legs[].packets] | max) < 245 and ([.legs[].packets] | min) > 230" # from there on
is alone '.training == "GRANTED"' # two seconds before the next digit: so slowly nobody types a number
is never '.reasons.training == "notice.missing" or .reasons.training == "consent.none"'
# how much of it stayed in the classifier is in the evidence log, not only in the row (N-54)
for n in menu never right; do
	e=call.denied
	[ $n != right ] || e=call.kept
	[ "$(told $n $e)" = 1 ] && jq -e --argjson r "$(row $n)" '.n.blocked > 100 and .n.blocked == ([$r.legs[].blocked] | add)' "$TMP/told" >/dev/null || fail "$n: $(cat "$TMP/told")"
done
is right '.training == "GRANTED"' # the last tenths of the window: what differs is the press alone
whole
