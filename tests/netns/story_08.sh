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
grounds from=+4520304050 to=+4570102007 bye=16000 header=callee:1500:X-Notice-Played:_yes
none from=+4520304051 to=+4570102007 bye=16000 header=callee:1500:X-Notice-Played:_yes
quiet from=+4520304052 to=+4570102007 bye=16000 header=callee:1500:X-Notice-Played:_yes
restricted from=+4520304053 to=+4570102007 bye=16000 header=callee:1500:X-Notice-Played:_yes
C
load_daemon || fail "optagd does not start"
load_in "$BUILD/tests/gen/play" tx0 "$TMP/c.pcap" >"$TMP/played" &
player=$!
list() { "$O" call list --control "$c" --json 2>/dev/null; }
for _ in $(seq 1200); do
	list | jq -es 'length == 4 and all(.training == "GRANTED" and .recording and .age > 5)' >/dev/null && break
	sleep 0.02
done
list | jq -es 'length == 4 and all(.training == "GRANTED" and .recording)' >/dev/null || fail "not four recorded: $(list)"
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
grep -q '^The grounds are kept with the call' "$TMP/said" || fail "not kept: $(cat "$TMP/said")"
say 0 object --sip-call-id restricted@script --purpose documentation --grounds "her doctor, 1234567891"
grep -q 'documentation OBJECTED' "$TMP/said" && grep -q '^The grounds are kept with the call' "$TMP/said" || fail "an objection to documentation: $(cat "$TMP/said")"
say 1 object --sip-call-id restricted@script --purpose documentation --grounds "again"
list | jq -es 'length == 4 and ([.[] | select(.documentation == "GRANTED")] | length) == 3 and all((.legs | all(.verdict == "record")))' >/dev/null || fail "documentation does not go on: $(list)"
cp -a "$TMP/s" "$TMP/then" # what its disk holds now, the daemon running, is destroyed already
wait $player || fail play
load_settle || fail "the counters do not come to rest"
load_stop || fail "optagd's status"

opens() { # CALL PURPOSE: all keys of the box do that, in the store as it is and as it was at the objection
	"$O" export --store "$1" --keys "$TMP/k" --purpose "$3" --call "$(story_row "$2" | jq -r .call)" --format payload --force -o "$TMP/x" >/dev/null 2>&1
}
for n in none quiet grounds; do
	story_row $n | jq -e '.documentation == "GRANTED" and .outcome == "kept" and ([.legs[].documentation.packets] | min) > 680 and ([.legs[].lost] | add) == 0' >/dev/null ||
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
grep -rqa 'neighbour\|doctor\|123456789' "$TMP/s" "$TMP/optagd.err" && fail "the text of the grounds is kept in clear"
# documentation goes on, and with it what the case is about; restricted: its audio is nobody's, the words are for who decides
words() { # CALL: what its objection said
	rm -f "$TMP/words"
	"$O" export --store "$TMP/s" --keys "$TMP/k" --purpose documentation --call "$(story_row "$1" | jq -r .call)" --format grounds -o "$TMP/words" >"$TMP/out" 2>&1
}
words grounds && [ "$(cat "$TMP/words")" = "training: his neighbour was on the line, 1234567890" ] || fail "grounds: $(cat "$TMP/out" "$TMP/words")"
words restricted && [ "$(cat "$TMP/words")" = "documentation: her doctor, 1234567891" ] || fail "restricted: $(cat "$TMP/out" "$TMP/words")"
[ "$(stat -c %a "$TMP/words")" = 600 ] && ! grep -q doctor "$TMP/out" || fail "the words are for others, too"
story_row restricted | jq -e '.documentation == "OBJECTED" and .outcome == "kept"' >/dev/null || fail "restricted: $(story_row restricted)"
opens "$TMP/s" restricted documentation && fail "a restricted call is played"
words none && fail "grounds that nobody gave: $(cat "$TMP/words")"
for n in none:false quiet:false grounds:true restricted:true; do
	story_row ${n%:*} | jq -e ".grounds == ${n#*:}" >/dev/null || fail "find: $n"
	"$O" why --store "$TMP/s" --json "$(story_row ${n%:*} | jq -r .call)" >"$TMP/why" 2>/dev/null
	jq -e ".grounds == ${n#*:}" "$TMP/why" >/dev/null || fail "why: $n"
done
"$O" why --store "$TMP/s" "$(story_row grounds | jq -r .call)" 2>/dev/null | grep -q '^Grounds of an objection are kept' || fail "why says nothing of the grounds"
exit 0
