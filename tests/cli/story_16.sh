#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 16, three months: given a call on 30 November 10:00 Copenhagen, when 28 February (29 in leap years) 10:00 comes, then it was
# already erased, though the box was rebooted twice; lateness 0. By replay, rule and reaper.
# shellcheck source=tests/cli/story
. "$SRC/tests/cli/story"
story_policy
for year in 2026 2023; do # (assessments are reviewed before 2028)
	rm -rf "$s" "$k"
	echo "winter from=+4520304050 to=$a1 bye=8000 $heard" | story_calls --start "$(date -u -d "$year-11-30T09:00:00Z" +%s)"
	story_replay
	is winter '.documentation == "GRANTED"'
	last=$((year + 1))-02-28 && [ $year = 2023 ] && last=2024-02-29
	[ "$(row winter | jq -r '.documentation_until[:16]')" = "${last}T09:00" ] || fail "deadline: $(row winter)"
	midnight=$(($(date -u -d "$last" +%s) - 3600)) # when that day begins in Copenhagen
	before=$(date -u -d "@$((midnight - 1))" +%FT%TZ) midnight=$(date -u -d "@$midnight" +%FT%TZ)
	run 0 "$BIN/optag" reap --store "$s" --now "$before" --confirm
	is winter '.documentation == "GRANTED"'
	# two reboots: the clock file is of another start of the machine each time
	for boot in 1 2; do
		run 0 "$BIN/optag" reap --store "$s" --now "$before" --confirm
		has out '^0 calls'
	done
	run 0 "$BIN/optag" reap --store "$s" --now "$midnight" --json
	[ "$(tail -1 "$TMP/out" | jq -c '[.destroyed > 0, .late == 0, .late_max_s == 0, .faults]')" = '[true,true,true,0]' ] || fail "not in time: $(tail -1 "$TMP/out")"
	[ -z "$(row winter)" ] || fail "still listed: $(row winter)"
	run 0 "$BIN/optag" fsck --store "$s"
	run 0 "$BIN/optag" audit verify --store "$s"
done
exit 0
