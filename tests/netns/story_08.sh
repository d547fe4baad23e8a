#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 8, special circumstances, the agent's part: given S-G on an alarm line, when the agent enters an objection with grounds,
# then training stops and is destroyed, documentation goes on, and a case exists. Without grounds nothing stops, and an opt-out
# is refused. (The caller's keys: cli/story_08. There are no cases yet: what is there is objection.opened in the evidence log.)
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
# shellcheck source=tests/netns/lib-story.sh
. "$SRC/tests/netns/lib-story.sh"
c="$TMP/control"
story_live <<C || fail "no network or store"
grounds from=+4520304050 to=+4570102007 bye=14000 header=callee:1500:X-Notice-Played:_yes
none from=+4520304051 to=+4570102007 bye=14000 header=callee:1500:X-Notice-Played:_yes
quiet from=+4520304052 to=+4570102007 bye=14000 header=callee:1500:X-Notice-Played:_yes
C
load_daemon || fail "optagd does not start"
load_in "$BUILD/tests/gen/play" tx0 "$TMP/c.pcap" >"$TMP/played" &
player=$!
list() { "$O" call list --control "$c" --json 2>/dev/null; }
for _ in $(seq 400); do
	list | jq -es 'length == 3 and all(.training == "GRANTED" and .recording and .age > 5)' >/dev/null && break
	sleep 0.02
done
list | jq -es 'length == 3 and all(.training == "GRANTED" and .recording)' >/dev/null || fail "not three recorded: $(list)"
say() { # STATUS ARGUMENTS...
	local want=$1
	shift
	"$O" call "$@" --control "$c" >"$TMP/said" 2>&1
	[ $? = "$want" ] || fail "call $*: not $want: $(cat "$TMP/said")"
}
say 1 opt-out --sip-call-id quiet@script # there is none
say 0 object --sip-call-id none@script --purpose training
grep -q 'documentation GRANTED, training GRANTED$' "$TMP/said" || fail "an objection without grounds: $(cat "$TMP/said")"
say 0 object --sip-call-id grounds@script --purpose training --grounds "his neighbour was on the line, 1234567890"
grep -Eq 'documentation GRANTED, training (OBJECTED|DENIED)$' "$TMP/said" || fail "an objection with grounds: $(cat "$TMP/said")"
list | jq -es 'length == 3 and all(.documentation == "GRANTED" and (.legs | all(.verdict == "record")))' >/dev/null || fail "documentation does not go on: $(list)"
cp -a "$TMP/s" "$TMP/then" # what its disk holds now, the daemon running, is destroyed already
wait $player || fail play
sleep 1
load_settle || fail "the counters do not come to rest"
load_stop || fail "optagd's status"

opens() { # CALL PURPOSE: all keys of the box do that, in the store as it is and as it was at the objection
	"$O" export --store "$1" --keys "$TMP/k" --purpose "$3" --call "$(story_row "$2" | jq -r .call)" --format payload --force -o "$TMP/x" >/dev/null 2>&1
}
for n in none quiet grounds; do
	story_row $n | jq -e '.documentation == "GRANTED" and .outcome == "kept" and ([.legs[].documentation.packets] | min) > 630 and ([.legs[].lost] | add) == 0' >/dev/null ||
		fail "$n: $(story_row $n)"
	opens "$TMP/s" $n documentation || fail "$n: documentation does not open"
done
for n in none quiet; do
	story_row $n | jq -e '.training == "GRANTED"' >/dev/null && opens "$TMP/s" $n training || fail "$n: training: $(story_row $n)"
done
story_row grounds | jq -e '.training != "GRANTED" and .training_until == null and ([.legs[].training.packets] | add) == 0' >/dev/null || fail "grounds: $(story_row grounds)"
opens "$TMP/s" grounds training && fail "training opens after the objection"
opens "$TMP/then" grounds training && fail "training opened on the disk of then"
"$O" audit show --store "$TMP/s" --json >"$TMP/log" && "$O" audit verify --store "$TMP/s" >/dev/null || fail "audit"
for n in none grounds; do
	jq -es --arg c "$(story_row $n | jq -r .call)" 'map(select(.call == $c and .event == "objection.opened")) | length == 1 and .[0].purpose == "training" and .[0].who == "agent"' \
		"$TMP/log" >/dev/null || fail "$n: objection.opened: $(grep objection "$TMP/log")"
done
grep -rqa 'neighbour\|1234567890' "$TMP/s" "$TMP/optagd.err" && fail "the text of the grounds is kept"
exit 0
