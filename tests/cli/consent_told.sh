#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A consent that a telephone system tells by a header is held to the window as a key is (INV-2): told before, it counts when the window
# opens; told behind it, not at all; outbound not before the answer, when nobody has been asked (X-8).
# shellcheck source=tests/cli/story
. "$SRC/tests/cli/story"
told_b='/^rule "B"/,/^}/{s/^\t\tconsent-key 1/&\n\t\tconsent-source header X-Consent = yes/'
yes=X-Consent:_yes

# ---- inbound, the announcement proven at 1500: the window is from 2500 to 5500 ----
story_policy "$told_b}"
story_calls <<C
invite from=+4520304050 to=$b in=X-Consent:yes $heard
early from=+4520304051 to=$b header=callee:1200:$yes $heard
proven from=+4520304052 to=$b header=callee:2000:$yes $heard
inside from=+4520304053 to=$b header=callee:4000:$yes $heard
late from=+4520304054 to=$b header=callee:5700:$yes $heard
never from=+4520304055 to=$b in=X-Consent:yes
theirs from=+4520304056 to=$b header=caller:4000:$yes $heard
gone from=+4520304057 to=$b header=callee:2000:$yes bye=2400 $heard
C
story_replay
for n in late never theirs gone; do
	is $n '.training == "DENIED" and .outcome == "denied" and ([.legs[] | .packets + .audio_ms] | add) == 0'
	[ "$(told $n consent.given)" = 0 ] || fail "$n: consent.given"
	opens_nothing $n
done
is inside '.training == "GRANTED" and ([.legs[].packets] | max) <= 300' # from 4000 to 10000
for n in invite early proven; do
	is $n '.training == "GRANTED" and ([.legs[].packets] | max) <= 375 and ([.legs[].packets] | min) > 360' # from 2500 on
	[ "$(told $n consent.given)" = 1 ] && jq -e '.reason == "header" and .source == "api" and .n.offset_ms >= 1000 and .n.offset_ms < 1200' "$TMP/told" >/dev/null ||
		fail "$n: $(cat "$TMP/told")"
done
whole

# ---- outbound, a standing promise that the announcement is played: the window is from 2000 to 5000 ----
rm -rf "$s" "$k"
truth policy "$TMP" attested || fail "the policy"
sed -i -e "$told_b;s/side called/side calling/;s/called +45 7010 2005/calling +45 7010 2005/}" "$p"
"$BIN/optag" policy check "$p" >"$TMP/check" 2>&1
grep -q '^0 errors' "$TMP/check" || fail "the policy: $(cat "$TMP/check")"
story_calls <<C
invite from=$b to=+4520304050 in=X-Consent:yes
key from=$b to=+4520304051 in=X-Consent:yes key=callee:1:4000
answered from=$b to=+4520304052 header=caller:1500:$yes
C
story_replay
is invite '.training == "DENIED" and .outcome == "denied" and ([.legs[] | .packets + .audio_ms] | add) == 0'
[ "$(told invite consent.given)" = 0 ] || fail "invite: consent.given"
opens_nothing invite
is key '.training == "GRANTED" and ([.legs[].packets] | max) <= 300'
[ "$(told key consent.given)" = 1 ] && jq -e '.reason == "rfc4733"' "$TMP/told" >/dev/null || fail "key: $(cat "$TMP/told")"
is answered '.training == "GRANTED" and ([.legs[].packets] | max) <= 400 and ([.legs[].packets] | min) > 385' # from 2000 on
whole
