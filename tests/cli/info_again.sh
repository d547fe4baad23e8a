#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A SIP INFO that is seen again (at another mirror port, retransmitted) is the same press, and its header is told once (guidance
# 7, X-1 and X-3): an early press is no consent when its copy falls into the window, one before a withdrawal does not undo it,
# an ended pause stays ended.
# shellcheck source=tests/cli/story
. "$SRC/tests/cli/story"
story_policy '/^rule "A1"/,/^}/ s/^\tdocumentation {/\tpause-key 5\n\tresume-key 6\n\tpause header X-Hold = on\n&/'
copies=copies=20,500,1500
story_calls <<C
early from=+4520304051 to=$b info=caller:1:1200 $copies $heard
yes from=+4520304052 to=$b info=caller:1:4000 $copies $heard
back from=+4520304053 to=$b info=caller:1:2600 info=caller:0:3500 $copies $heard
again from=+4520304054 to=$b info=caller:1:2600 info=caller:0:2900 info=caller:1:5000 $copies $heard
card from=+4520304055 to=$a1 info=callee:5:3000 info=callee:6:6000 info=callee:5:7000 $copies $heard
hold from=+4520304056 to=$a1 header=callee:3000:X-Hold:_on info=callee:6:3300 $copies $heard
C
story_replay
is early '.training == "DENIED"'
opens_nothing early
is yes '.training == "GRANTED"'
[ "$(told yes consent.given)" = 1 ] || fail "one press, told: $(cat "$TMP/told")"
is back '.training == "WITHDRAWN"'
opens_nothing back
is again '.training == "GRANTED"' # another press
[ "$(told again consent.given)" = 2 ] || fail "two presses, told: $(cat "$TMP/told")"
[ "$(told card audio.pause)" = 2 ] && [ "$(told card audio.resume)" = 1 ] || fail "pauses told: $(cat "$TMP/told")"
[ "$(told hold audio.pause)" = 1 ] && [ "$(told hold audio.resume)" = 1 ] || fail "pauses told: $(cat "$TMP/told")"
whole

# ---- a key of two digits is not one press seen twice ----
rm -rf "$s" "$k"
story_policy '/^announcement say-b/,/^}/ { s/key:1/key:11/g; s/Press 1 /Press 11 / }' '/^rule "B"/,/^}/ s/consent-key 1$/consent-key 11/'
story_calls <<C
once from=+4520304057 to=$b info=caller:1:4000 copies=20,500,1500 $heard
twice from=+4520304058 to=$b info=caller:11:4000 copies=20,500,1500 $heard
C
story_replay
is once '.training == "DENIED"'
opens_nothing once
is twice '.training == "GRANTED"'
whole
