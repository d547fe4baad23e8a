#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 13, unused is destroyed: given use-within 30 days, when a training recording was not used by day 30, then its training
# key is destroyed and utilisation shows it.
# Here: what utilisation shows, and that the amount falls when nobody used any in a week (N-50). The key is the reaper's to destroy, which is
# not there yet.
# shellcheck source=tests/cli/story
. "$SRC/tests/cli/story"
alarm=+4570102004
story_policy
calls() { # NAME DAYS-AGO
	for i in $(seq 20); do echo "$1-$i from=+45203040$((10 + i)) to=$alarm bye=4000 $heard"; done |
		story_calls --start "$(date -u -d "-$2 days 10:00" +%s)" --interleave 5000
	story_replay
}
calls first 40
[ "$("$BIN/optag" find --store "$s" --json | jq -s 'map(select(.training == "GRANTED")) | length')" = 20 ] || fail "the first day's calls"
calls next 32 # nobody used any of the first day's: the floor of five is what is left
"$BIN/optag" find --store "$s" --json | jq -s '[.[] | select(.sip_call_id | startswith("next"))] | [length, (map(select(.training == "GRANTED")) | length),
	(map(select(.reasons.training == "quota.throttle")) | length)] | @tsv' -r >"$TMP/n"
[ "$(cat "$TMP/n")" = $'20\t5\t15' ] || fail "after their week: $(cat "$TMP/n")"
calls today 1 # the log goes on
# as a daemon would have written it then: lines of the calls, in order of time
"$BIN/optag" audit show --store "$s" --json | jq -c 'select(.event != "log.start" and .event != "policy.load")' | jq -cs 'sort_by(.time)[]' >"$TMP/log"
run 1 "$BIN/optag" policy check --past "$TMP/log" "$p"
cat "$TMP/out" "$TMP/err" >"$TMP/said"
grep -q 'W-05' "$TMP/said" || fail "nobody says that recordings are not used: $(cat "$TMP/said")"
run 0 "$BIN/optag" policy explain "$p"
has out 'A recording that nobody has used after 30 days is erased'
whole
