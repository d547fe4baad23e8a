#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 32, pause: given *5 ... *6 by the agent, when played, then the gap is silent and marked; no audio of the gap exists
# anywhere; after pause-max an alarm comes and recording state follows the setting.
# shellcheck source=tests/cli/story
. "$SRC/tests/cli/story"
pauses='/^rule "A1"/,/^}/ s/^\tnotice-timeout .*/&\n\tpause-key *5\n\tresume-key *6\n\tpause-max 30 s/'
story_policy "$pauses"
story_calls <<C
pause from=+4520304050 to=$a1 bye=30000 key=callee:*5:10000 key=callee:*6:20000 $heard
caller from=+4520304051 to=$a1 bye=30000 key=caller:*5:10000 $heard
lost from=+4520304053 to=$a1 bye=30000 key=callee:*5:10000 lose=callee:10350:10410 key=callee:*6:20000 $heard
long from=+4520304052 to=$a1 bye=60000 key=callee:*5:10000 $heard
C
story_replay
opens pause documentation answer..pause+resume..end
is pause '.documentation == "GRANTED" and ([.legs[].packets] | max) < 960'
[ "$(told pause audio.pause)" = 1 ] && jq -e '.source == "agent"' "$TMP/told" >/dev/null && [ "$(told pause audio.resume)" = 1 ] ||
	fail "the pause is not told"
run 0 "$BIN/optag" export --store "$s" --keys "$k" --purpose documentation --call "$(row pause | jq -r .call)" --format wav -o "$TMP/x.wav"
python3 - "$TMP/x.wav" <<'PY' || fail "the gap in the wav file"
import sys, wave, struct
w = wave.open(sys.argv[1]); r = w.getframerate(); n = w.getnframes()
a = struct.unpack("<%dh" % (2 * n), w.readframes(n))
assert abs(n / r - 28.98) < 0.1, n / r              # as long as the call
quiet = a[int(9.5 * r) * 2:int(19 * r) * 2]         # the audio begins 1.02 s after the INVITE
assert max(map(abs, quiet)) <= 8, max(map(abs, quiet))
assert max(map(abs, a[:8 * r * 2])) > 1000 and max(map(abs, a[20 * r * 2:])) > 1000
PY
is caller '([.legs[].packets] | min) > 1400' # no key of the caller's
[ "$(told caller audio.pause)" = 0 ] || fail "the caller paused"
# no end packet of the 5 is in the capture: it pauses all the same, some packets later
is lost '([.legs[].packets] | max) < 970' && [ "$(told lost audio.pause)" = 1 ] || fail "a pause whose end is lost"
# nobody resumes: after pause-max it goes on by itself, and that is told
[ "$(told long audio.resume)" = 1 ] && jq -e '.reason == "pause-max" and .source != "agent"' "$TMP/told" >/dev/null || fail "pause-max: $(cat "$TMP/told")"
is long '([.legs[].packets] | min) > 1300 and ([.legs[].packets] | max) < 1500'
whole
rm -rf "$s" "$k"
story_policy "$pauses" 's/pause-max 30 s/pause-max 30 s stop/'
story_replay
is long '([.legs[].packets] | max) < 480' # it stopped
[ "$(told long audio.stop)" -ge 1 ] && grep -q pause-max "$TMP/told" || fail "the stop is not told: $(cat "$TMP/told")"
whole
