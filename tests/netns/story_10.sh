#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Stories 10 and 32, the alarms, live: given S-A and an IVR node that plays nothing, when the call is answered, an alarm is raised
# within 60 s, while the call goes on; and when nobody ends a pause, one comes after pause-max. One call that heard the
# announcement raises none. (What is quarantined, and until when: cli/story_10; the gap of a pause: cli/story_32.)
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
# shellcheck source=tests/netns/lib-story.sh
. "$SRC/tests/netns/lib-story.sh"
# the rule's notice-timeout is 5 s here, as in the truth table; rules that say nothing have 60 s, as cli/story_10
story_live <<C || fail "no network or store"
played from=+4520304050 to=+4570102001 bye=14000 header=callee:1500:X-Notice-Played:_yes
none from=+4520304051 to=+4570102001 bye=14000
nothing from=+4520304052 to=+4570102001 bye=14000
paused from=+4520304053 to=+4570102001 bye=14000 key=callee:*5:3000 header=callee:1500:X-Notice-Played:_yes
C
sed -i '/^rule "A1"/,/^}/ s/^\tnotice-timeout .*/&\n\tpause-key *5\n\tresume-key *6\n\tpause-max 5 s/' "$TMP/policy/demo.policy"
load_daemon || fail "optagd does not start"
load_in "$BUILD/tests/gen/play" tx0 "$TMP/c.pcap" >"$TMP/played" &
player=$!
alarms() { "$O" status --control "$TMP/control" --json 2>/dev/null | jq -c .alarms; }
for _ in $(seq 1200); do [ "$(alarms)" = '{"notice_missing":2,"pause_over":1,"gap":0,"quota":0,"utilisation":0,"transfer_limit":0,"review":0,"sms_undelivered":0}' ] && break; sleep 0.02; done
[ "$(alarms)" = '{"notice_missing":2,"pause_over":1,"gap":0,"quota":0,"utilisation":0,"transfer_limit":0,"review":0,"sms_undelivered":0}' ] || fail "the alarms: $(alarms)"
"$O" call list --control "$TMP/control" --json | jq -es 'length == 4 and all(.state == "answered" and .age < 13)' >/dev/null || fail "the calls do not go on"
"$O" status --control "$TMP/control" >"$TMP/said"
grep -q '^ALARM  *calls whose announcement nothing proved in time: 2$' "$TMP/said" && grep -q '^ALARM .*pause-max: 1$' "$TMP/said" || fail "status: $(cat "$TMP/said")"
wait $player || fail play
load_settle || fail "the counters do not come to rest"
load_stop || fail "optagd's status"
# one line a kind, with a call that it is about and no number
[ "$(grep -c 'alarm: notice-missing: ' "$TMP/optagd.err")" = 1 ] && [ "$(grep -c 'alarm: pause-max: ' "$TMP/optagd.err")" = 1 ] || fail "the log: $(cat "$TMP/optagd.err")"
u=$(sed -n "s/.*alarm: notice-missing: .*call \([0-9A-Z]*\) of rule 'A1'.*/\1/p" "$TMP/optagd.err")
[ "$u" = "$(story_row none | jq -r .call)" ] || [ "$u" = "$(story_row nothing | jq -r .call)" ] || fail "the call of the alarm: $u"
u=$(sed -n "s/.*alarm: pause-max: .*call \([0-9A-Z]*\) of rule 'A1'.*/\1/p" "$TMP/optagd.err")
[ "$u" = "$(story_row paused | jq -r .call)" ] || fail "the call of the pause: $u"
grep -q 45203040 "$TMP/optagd.err" && fail "a number in the log"
exit 0
