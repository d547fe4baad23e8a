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
right from=+4520304057 to=$b key=caller:1:5300 $heard
C
story_replay
for n in menu early agent agent-info late never number; do
	is $n '.training == "DENIED" and .outcome == "denied" and ([.legs[] | .packets + .audio_ms] | add) == 0'
	[ "$(told $n consent.given)" = 0 ] || fail "$n: consent.given"
	opens_nothing $n
done
is never '.reasons.training == "notice.missing" or .reasons.training == "consent.none"'
# how much of it stayed in the classifier is in the evidence log, not only in the row (N-54)
for n in menu never right; do
	e=call.denied
	[ $n != right ] || e=call.kept
	[ "$(told $n $e)" = 1 ] && jq -e --argjson r "$(row $n)" '.n.blocked > 100 and .n.blocked == ([$r.legs[].blocked] | add)' "$TMP/told" >/dev/null || fail "$n: $(cat "$TMP/told")"
done
is right '.training == "GRANTED"' # the last tenths of the window: what differs is the press alone
whole
