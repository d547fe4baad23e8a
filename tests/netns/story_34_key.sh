#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 34, tighten now, an opt-out key: given calls in progress, when ops add an opt-out key, then it works in them at once: who
# pressed it before is recorded, who presses it a second after is not. (Never and sample: story_34.)
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
# shellcheck source=tests/netns/lib-story.sh
. "$SRC/tests/netns/lib-story.sh"
c="$TMP/control" policy="$TMP/policy/demo.policy"
story_live <<C || fail "no network or store"
before from=+4520304050 to=+4570102006 bye=18000 key=caller:8:3500 header=callee:1500:X-Notice-Played:_yes
after from=+4520304051 to=+4570102006 bye=18000 key=caller:8:14000 header=callee:1500:X-Notice-Played:_yes
old from=+4520304052 to=+4570102006 bye=18000 key=caller:9:14000 header=callee:1500:X-Notice-Played:_yes
quiet from=+4520304053 to=+4570102006 bye=18000 header=callee:1500:X-Notice-Played:_yes
C
load_daemon || fail "optagd does not start"
load_in "$BUILD/tests/gen/play" tx0 "$TMP/c.pcap" >"$TMP/played" &
player=$!
list() { "$O" call list --control "$c" --json 2>/dev/null; }
for _ in $(seq 1200); do
	list | jq -es 'length == 4 and all(.training == "GRANTED" and .age > 5)' >/dev/null && break
	sleep 0.02
done
list | jq -es 'length == 4 and all(.training == "GRANTED")' >/dev/null || fail "not four granted: $(list)"
sed -i '/^rule "C"/,/^}/ s/^\(\t*\)opt-out key 9/&\n\1opt-out key 8/' "$policy"
grep -q 'opt-out key 8' "$policy" || fail "nothing edited"
"$O" policy apply --yes --reason "story 34" --control "$c" --json "$policy" >"$TMP/applied" 2>"$TMP/err" || fail "apply: $(cat "$TMP/applied" "$TMP/err")"
tail -n 1 "$TMP/applied" | jq -e '.effective_ms <= 1000 and .done_ms <= 1000 and .purposes_ended == 0 and .loosens == 0 and .tightens > 0' >/dev/null ||
	fail "the change: $(tail -n 1 "$TMP/applied")"
list | jq -es 'length == 4 and all(.training == "GRANTED" and .age < 10)' >/dev/null || fail "too late for the key: $(list)"
wait $player || fail play
load_settle || fail "the counters do not come to rest"
load_stop || fail "optagd's status"
for n in before quiet; do
	story_row $n | jq -e '.training == "GRANTED" and .outcome == "kept" and ([.legs[].lost] | add) == 0' >/dev/null || fail "$n: $(story_row $n)"
done
for n in after old; do
	story_row $n | jq -e '.training == "OPTED_OUT" and .reasons.training == "optout" and .outcome == "denied" and ([.legs[].packets] | add) == 0' >/dev/null ||
		fail "$n: $(story_row $n)"
done
[ "$("$O" audit show --store "$TMP/s" --json --event policy.load | wc -l)" = 3 ] || fail "not one policy.load beside those of the two starts, of a replay before and of the daemon"
exit 0
