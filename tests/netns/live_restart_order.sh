#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# What is said by signalling while no daemon runs holds for the audio of its time: of a pause that begins and ends then no audio
# is kept, and all that comes before, between and after is, as if there had been a daemon all the time; however much else of signalling
# waits, which concerns nobody.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
# shellcheck source=tests/netns/lib-story.sh
. "$SRC/tests/netns/lib-story.sh"
heard=header=callee:1500:X-Notice-Played:_yes
story_live 'ring 4 MiB' <<C || fail "no network or store"
card from=+4520304050 to=+4570102001 bye=14000 info=callee:5:6000 info=callee:6:8500 info=callee:5:9500 info=callee:6:10500 $heard
C
sed -i '/^rule "A1"/,/^}/ s/^\tdocumentation {/\tpause-key 5\n\tresume-key 6\n&/' "$TMP/policy/demo.policy" || fail "the policy"
# as it is with a daemon all the time
"$O" init --store "$TMP/r" --keys "$TMP/rk" >/dev/null 2>&1
"$O" replay --store "$TMP/r" --policy "$TMP/policy/demo.policy" "$TMP/c.pcap" >"$TMP/out" 2>&1 || fail "$(cat "$TMP/out")"
"$O" find --store "$TMP/r" --json | jq -r '.legs[].packets' >"$TMP/want"
load_daemon || fail "optagd does not start"
load_in "$BUILD/tests/gen/play" tx0 "$TMP/c.pcap" >"$TMP/played" &
player=$!
load_answered 1
sleep 3
load_stop TERM || fail "optagd's status"
began=$SECONDS
load_in "$L" --packet --interface tx0 --kind 'none:1:+4520######:+4533######' --calls 250 --total 250 --rate 500 --hold 1 --duration 1 --net 3 --seed 9 >"$TMP/others" 2>&1 || fail "optag-load: $(cat "$TMP/others")"
[ $((SECONDS - began)) -lt 8 ] && sleep $((8 - SECONDS + began))
load_daemon || fail "no restart"
wait $player || fail play
load_settle || fail "the counters do not come to rest"
load_status "$TMP/status" && jq -e '.take_over.from == "left" and .media.stale == 0' "$TMP/status" >/dev/null || fail "$(jq -c '[.take_over, .media]' "$TMP/status")"
jq -e '.losses.signalling_ring == 0 and .packets.signalling > 1200' "$TMP/status" >/dev/null || fail "other signalling: $(jq -c '[.losses, .packets]' "$TMP/status")"
load_stop || fail "optagd's status"
story_row card >"$TMP/row"
jq -r '.legs[].packets' "$TMP/row" >"$TMP/got"
# a packet at each edge of a pause may be on its other side: media has the kernel's tick
paste "$TMP/want" "$TMP/got" | awk '{d = $1 - $2; wrong += d > 4 || d < -4} END {exit NR != 2 || wrong}' || fail "packets: $(paste "$TMP/want" "$TMP/got")"
[ "$(head -n 1 "$TMP/want")" -lt 500 ] || fail "no pause: $(cat "$TMP/want")"
exit 0
