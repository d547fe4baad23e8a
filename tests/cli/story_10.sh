#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 10, notice not played: given S-A and an IVR node that plays nothing, when the call is answered, then the recording is
# quarantined, an alarm is raised within 60 s, and it is erased after 7 days unless compliance confirms.
# Here: what replay shows. The date by which it is destroyed is there; the reaper that keeps it and the confirmation are not yet.
# shellcheck source=tests/cli/story
. "$SRC/tests/cli/story"
story_policy '/notice-timeout/d' # 60 s, as rules have it that say nothing
story_calls <<C
none from=+4520304050 to=$a1 bye=80000
hung-up from=+4520304051 to=$a1 bye=20000
played from=+4520304052 to=$a1 bye=80000 $heard
late from=+4520304053 to=$a1 bye=80000 header=callee:61500:X-Notice-Played:_yes
C
story_replay
for n in none hung-up late; do
	is $n '.documentation == "OBJECTED" and .reasons.documentation == "notice.missing" and .outcome == "kept"
		and .start[0:10] == "2023-11-14" and (.documentation_until | sub("\\..*"; "Z") | fromdate) - (.start | sub("\\..*"; "Z") | fromdate) <= 7 * 86400
		and ([.legs[].packets] | min) > 900'
	opens $n documentation - # restricted: nobody plays it
	[ "$(told $n notice.missing)" = 1 ] || fail "$n: notice.missing is not told"
done
[ "$(told none notice.missing)" = 1 ] && jq -e '(.time | sub("\\..*"; "Z") | fromdate) <= (("2023-11-14T22:13:21Z" | fromdate) + 60)' "$TMP/told" >/dev/null ||
	fail "later than 60 s: $(cat "$TMP/told")"
is played '.documentation == "GRANTED" and .documentation_until[0:10] == "2024-02-14"'
opens played documentation answer..end
whole
