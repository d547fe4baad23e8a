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
tail from=+4520304054 to=$f lose=caller:9780:10000 $heard
unsaid from=+4520304056 to=$f unseen=caller:7000 info=caller:3:8000 $heard
unsaid-last from=+4520304057 to=$f unseen=caller:7000 $heard
hung-up from=+4520304058 to=$f lose=caller:9880:10000 $heard
agent-tail from=+4520304059 to=$f lose=callee:9000:10000 $heard
agent-unsaid from=+4520304060 to=$f unseen=callee:7000 info=callee:3:8000 $heard
C
story_replay
for n in lost lost-late; do
	is $n '.documentation == "GRANTED" and .training == "DENIED" and .reasons.training == "optout.uncertain" and .legs[0].lost == 10'
	opens $n documentation answer..end
	opens $n training -
	[ "$(told $n optout.uncertain)" = 1 ] || fail "$n: optout.uncertain is not told"
done
# behind the last packet no number tells; a request that was not seen may have been the press, by INFO
for n in tail unsaid unsaid-last; do
	is $n '.documentation == "GRANTED" and .training == "DENIED" and .reasons.training == "optout.uncertain" and .legs[0].lost == 0'
	opens $n training -
	[ "$(told $n optout.uncertain)" = 1 ] || fail "$n: optout.uncertain is not told"
done
# 40 ms hide none, and who hangs up stops a little before
for n in short hung-up; do
	is $n '.documentation == "GRANTED" and .training == "GRANTED"'
	opens $n training answer..end
done
# the agent opts out for the caller by a key of his own
for n in agent agent-tail agent-unsaid; do
	is $n '.documentation == "GRANTED" and .training == "DENIED" and .reasons.training == "optout.uncertain"'
	opens $n training -
done
whole

# ---- where the agent has no key, nobody opts out on that leg ----
rm -rf "$s" "$k"
story_policy '/^rule "F"/,/^}/ s/opt-out agent key \*7/opt-out agent api/'
story_calls <<C
agent from=+4520304052 to=$f lose=callee:7000:7200 $heard
agent-tail from=+4520304059 to=$f lose=callee:9000:10000 $heard
agent-unsaid from=+4520304060 to=$f unseen=callee:7000 info=callee:3:8000 $heard
C
story_replay
for n in agent agent-tail agent-unsaid; do
	is $n '.documentation == "GRANTED" and .training == "GRANTED"'
	opens $n training answer..end
done
whole
