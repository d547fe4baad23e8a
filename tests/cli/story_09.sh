#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 9, lost evidence: given S-F and 200 ms of SPAN loss on the caller's leg, when the call ends, then training is denied
# with optout.uncertain and documentation is kept.
# shellcheck source=tests/cli/story
. "$SRC/tests/cli/story"
story_policy
story_calls <<C
lost from=+4520304050 to=$f lose=caller:7000:7200 $heard
lost-late from=+4520304051 to=$f lose=caller:9600:9800 $heard
agent from=+4520304052 to=$f lose=callee:7000:7200 $heard
short from=+4520304053 to=$f lose=caller:7000:7040 $heard
C
story_replay
for n in lost lost-late; do
	is $n '.documentation == "GRANTED" and .training == "DENIED" and .reasons.training == "optout.uncertain" and .legs[0].lost == 10'
	opens $n documentation answer..end
	opens $n training -
	[ "$(told $n optout.uncertain)" = 1 ] || fail "$n: optout.uncertain is not told"
done
for n in agent short; do # nobody opts out on the agent's leg by this key, and 40 ms hide none
	is $n '.documentation == "GRANTED" and .training == "GRANTED"'
	opens $n training answer..end
done
whole
