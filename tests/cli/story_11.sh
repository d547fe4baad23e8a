#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 11, hard cap: given sample 10 %, cap 40/day, 2000 calls, 8 threads and a daemon restart at noon, when the day ends, then
# at most 40 training recordings exist; over 20 such days every working hour holds 8 to 17 % of them (4 sigma).
# Here: the day from outside, its two halves by two processes. Threads, kill -9 and the 20 days: unit/test_sample.
# shellcheck source=tests/cli/story
. "$SRC/tests/cli/story"
alarm=+4570102004
story_policy '/^rule "D"/,/^}/ { s/sample 100%/sample 10%/; s/cap 100000 per day/cap 40 per day/; s/spread first-come/spread even/; }'
day() { # NAME FIRST CALLS START EVERY-MS BYE-MS (before 300: nobody is told, nothing is kept)
	local i
	for i in $(seq "$2" $(($2 + $3 - 1))); do
		echo "$1-$i from=+4520$(printf %06d "$i") to=$alarm answer=200 bye=$6 header=callee:300:X-Notice-Played:_yes"
	done >"$TMP/script.$1"
	"$BUILD/tests/gen/gencap" --script "$TMP/script.$1" --interleave "$5" --start "$4" --seed "$2" "$TMP/$1.pcap" || fail gencap
}
midnight=1700002800 # in Copenhagen
# The hash of the day's seed is known since the day before, and so is, roughly, how many calls to expect when. (None of them is
# recorded: what was recorded and not used would lower the cap, story 14.)
day yesterday 5000 500 $((midnight - 86400)) 172800 290
day morning 0 1000 $midnight 43200 2400
day afternoon 1000 1000 $((midnight + 43200)) 43200 2400
story_replay "$TMP/yesterday.pcap"
story_replay "$TMP/morning.pcap"
first=$("$BIN/optag" find --store "$s" --json | grep morning | jq -s 'map(select(.training == "GRANTED")) | length')
story_replay "$TMP/afternoon.pcap"
"$BIN/optag" find --store "$s" --json | grep -v yesterday >"$TMP/rows"
jq -s '[length, (map(select(.training == "GRANTED")) | length), (map(select(.reasons.training | test("sample|quota"))) | length)] | @tsv' -r "$TMP/rows" >"$TMP/n"
read -r all in out <"$TMP/n"
echo "$all calls, $in recorded, $first of them before noon, $out out"
[ "$all" = 2000 ] && [ "$in" -le 40 ] && [ "$in" -ge 20 ] && [ $((in + out)) = 2000 ] || fail "not 2000, at most 40 and the rest"
[ "$first" -ge 1 ] && [ "$in" -gt "$first" ] || fail "no part of the day"
# none of those that are out has left the classifier
jq -es 'all(.training == "GRANTED" or ([.legs[] | .packets] | add) == 0 and ([.legs[] | .blocked] | add) > 200)' "$TMP/rows" >/dev/null ||
	fail "audio of a call that was out came up"
[ "$in" = "$("$BIN/optag" audit show --store "$s" --json --event key.commit | grep -cE '"time":"2023-11-(14T23|15T([01]|2[0-2]))')" ] || fail "rows and keys"
whole
exit 0
