#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 27, assessment expired: given review date passed, when the next call arrives, then the declared fallback (off/consent) is
# applied and the change is logged and alarmed.
# Here: the calls of the day of the review, of the day after, and what the log says. A capture of days that are still to come, so that
# the policy loads. The alarm: unit/test_record and, as all of them, optag status.
# shellcheck source=tests/cli/story
. "$SRC/tests/cli/story"
a3=+4570102003 e=+4570102008
review=$(date -u -d '+20 days' +%F)
due() { # FALLBACK... by rule: A1=consent
	local x rules=()
	for x in "$@"; do rules+=("/^rule \"${x%=*}\"/,/^}/ s/^\treview .*/\treview $review\n\ton-review-missed ${x#*=}\n\treason \"story 27\"/"); done
	story_policy '/^rule /,/^}/ s/^\treview .*/\treview '"$review"'/' "${rules[@]}"
}
calls() { # NAME DAYS-AFTER-THE-REVIEW
	story_calls --start "$(date -u -d "$review +$2 days 10:00" +%s)" <<C
a1-$1 from=+4520304050 to=$a1 bye=20000 $heard
a3-$1 from=+4520304051 to=$a3 bye=20000 $heard
b-$1 from=+4520304052 to=$b bye=20000 key=caller:1:4000 $heard
c-$1 from=+4520304053 to=$c bye=20000 $heard
e-$1 from=+4520304054 to=$e bye=20000 key=caller:1:4000 $heard
e-silent-$1 from=+4520304055 to=$e bye=20000 $heard
C
	story_replay
}
nothing() { # CALL...: denied for the review, in the row, in the log and in the store
	local n
	for n in "$@"; do
		is "$n" '.outcome == "denied" and ([.legs[].packets] | add) == 0 and all(.reasons[]; . == "review.missed" or . == "")'
		[ "$(told "$n" purpose.deny)" -ge 1 ] && jq -es 'all(.reason == "review.missed" and .source == "policy")' "$TMP/told" >/dev/null ||
			fail "$n: the log: $(cat "$TMP/told")"
		[ "$(told "$n" sample.in)" = 0 ] && [ "$(told "$n" audio.start)" = 0 ] || fail "$n: drawn, or begun"
		opens_nothing "$n"
		run 0 "$BIN/optag" why --store "$s" "$(row "$n" | jq -r .call)"
		has out "review date of the rule, or of an assessment, was past"
	done
}
due A1=consent A3=keep B=consent C=consent E=consent
calls before -1 # a day before, so that the day's seed was published
calls day 0     # the last one
for n in a1 a3 e e-silent; do is $n-day '.documentation == "GRANTED"'; done
for n in b c e; do is $n-day '.training == "GRANTED"'; done
calls after 1
# a weighing of interests proves nothing any more; what people are asked for goes on, and what a statute demands
nothing a1-after c-after
is a3-after '.documentation == "GRANTED"'
is b-after '.training == "GRANTED"'
opens b-after training press..end
is e-after '.documentation == "DENIED" and .reasons.documentation == "review.missed" and .training == "GRANTED"'
opens e-after documentation -
opens e-after training press..end # of what was before nobody has anything
is e-silent-after '.documentation == "DENIED" and .training == "DENIED" and .reasons.training == "consent.none"'
opens_nothing e-silent-after
whole
# the same recorded by the law over the log, and simulated
run 0 "$BIN/optag" policy simulate --store "$s" --policy "$p" --json
tail -n 1 "$TMP/out" | jq -e '.calls == 18 and .same == 18 and .changed == 0' >/dev/null || fail "simulated: $(tail -n 1 "$TMP/out")"
# a rule that says nothing: all of it is off
rm -rf "$s" "$k"
due
calls before -1
calls after 1
nothing a1-after a3-after b-after c-after e-after e-silent-after
whole
# an assessment's own date, that comes before the rule's (guidance R-18): what rests on it ends, the rest goes on
rm -rf "$s" "$k"
story_policy '/^assessment /,/^}/ s/^\treview .*/\treview '"$review"'/'
calls before -1
calls day 0
for n in a1 a3 e e-silent; do is $n-day '.documentation == "GRANTED"'; done
calls after 1
nothing a1-after c-after
whole
