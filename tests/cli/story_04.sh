#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 4, opt-out late: given training unless opted out (S-C) and a call recorded for 9 minutes, when the caller presses 9 (or
# the agent presses *7) one second before hang-up, then within 1 s no tool with all keys of the box can decrypt any byte of that
# call and optout is logged with the actor.
# shellcheck source=tests/cli/story
. "$SRC/tests/cli/story"
story_policy
story_calls --interleave 1000 <<C
caller from=+4520304050 to=$c bye=541000 key=caller:9:539900 $heard
agent from=+4520304051 to=$c bye=541000 key=callee:*7:539600 $heard
stays from=+4520304052 to=$c bye=541000 $heard
C
story_replay
is stays '.training == "GRANTED" and ([.legs[].audio_ms] | min) > 539000' # nobody pressed: nine minutes are there
opens stays training answer..end
for n in caller agent; do
	is $n '.training == "OPTED_OUT" and .reasons.training == "optout" and .outcome == "denied" and ([.legs[] | .packets] | add) == 0'
	opens_nothing $n
	[ "$(told $n optout)" = 1 ] && [ "$(jq -r .source "$TMP/told")" = $n ] || fail "$n: optout: $(cat "$TMP/told")"
	[ "$(jq -r '"\(.press) \(.n.leg)"' "$TMP/told")" = "$([ $n = caller ] && echo "9 0" || echo "*7 1")" ] || fail "$n: which key: $(cat "$TMP/told")"
	[ "$(told $n audio.discard)" = 1 ] && jq -e '.reason == "optout" and .n.ms > 1077000 and .n.packets > 53000' "$TMP/told" >/dev/null ||
		fail "$n: what was destroyed: $(cat "$TMP/told")"
	[ "$(told $n key.create)" = 1 ] && [ "$(told $n key.destroy)" = 1 ] && [ "$(told $n key.commit)" = 0 ] || fail "$n: its key"
done
# of three calls that were written one has a wrap: every slot of 256 bytes but that is empty, so there is nothing for any key
python3 - "$s" <<'PY' || fail "wraps of calls that are gone"
import glob, sys
n = 0
for f in glob.glob(sys.argv[1] + "/keys/**/*.slots", recursive=True):
    b = open(f, "rb").read()
    n += sum(any(b[i + 64:i + 256]) for i in range(256, len(b), 256)) if len(b) > 256 else 0
sys.exit(n != 1)
PY
whole
