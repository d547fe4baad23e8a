#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The machine's clock is set while calls go on: an hour forward, an hour back, a minute back and a restart of the daemon right
# behind it. No call notices: each has all its packets and its true length, a window in which the caller may opt out is as long as before, and
# his key in it counts. The log, the evidence and status say what happened; once no call is in progress the new time is
# taken, and calls that come then have it.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
# shellcheck source=tests/netns/lib-story.sh
. "$SRC/tests/netns/lib-story.sh"
cc=$(command -v cc || command -v gcc || command -v clang) || { echo "SKIP: no compiler"; exit 77; }
"$cc" -O2 -shared -fPIC -o "$TMP/setclock.so" "$SRC/tests/netns/setclock.c" || fail setclock.c
[ -z "${SAN:-}" ] || export ASAN_OPTIONS="${ASAN_OPTIONS:-}:verify_asan_link_order=0"
set_clock() { python3 -c 'import struct, sys; open(sys.argv[1], "r+b" if sys.argv[3] else "wb").write(struct.pack("=q", int(sys.argv[2])))' "$TMP/setclock" "$1" "${2-}"; }
daemon() { load_daemon env LD_PRELOAD="$TMP/setclock.so" SETCLOCK="$TMP/setclock"; }
state() { "$O" call list --control "$TMP/control" --json 2>/dev/null | jq -s "$1" 2>/dev/null; }
until_state() { # JQ: holds for the list of calls
	for _ in $(seq 500); do [ "$(state "$1")" = true ] && return 0; sleep 0.02; done
	return 1
}
until_status() { # JQ
	for _ in $(seq 150); do load_status "$TMP/status" 2>/dev/null && jq -e "$1" "$TMP/status" >/dev/null && return 0; sleep 0.1; done
	return 1
}
# Documentation; training unless he opts out within 9 s after the notice: nobody does, or in the ninth second of the call.
script() { # NAME
	cat <<C
$1-plain from=+4520304050 to=+4570102001 bye=13000 header=callee:1500:X-Notice-Played:_yes
$1-quiet from=+4520304051 to=+4570102006 bye=13000 header=callee:1500:X-Notice-Played:_yes
$1-press from=+4520304052 to=+4570102006 bye=13000 key=caller:9:8900 header=callee:1500:X-Notice-Played:_yes
C
}
story_live < <(script forward) || fail "no network or store"
sed -i '/^rule "C" {/,/^}/ s/notice-end+2s/notice-end+9s/' "$TMP/policy/demo.policy"
open='map(.training) | sort == ["NONE", "PENDING", "PENDING"]'
set_clock 0
daemon || fail "optagd does not start"

play() {
	load_in "$BUILD/tests/gen/play" tx0 "$TMP/c.pcap" >"$TMP/played" &
	player=$!
	until_state 'length == 3 and all(.age > 4)' || fail "not three calls: $(state .)"
	[ "$(state "$open")" = true ] || fail "the windows are not open: $(state .)"
}
whole() { # NAME: what must be true of its call for documentation, whatever the clock did
	story_row "$1-plain" >"$TMP/row"
	jq -e '.outcome == "kept" and .documentation == "GRANTED" and ([.legs[].documentation.packets] | min) > 560 and ([.legs[].lost] | add) == 0' \
		"$TMP/row" >/dev/null || fail "$1-plain: $(cat "$TMP/row")"
	jq -e '.duration > 11.5 and .duration < 12.5' "$TMP/row" >/dev/null || fail "$1-plain lasted $(cat "$TMP/row")"
	jq -se '.[0] == .[1]' <(jq '[.legs[].documentation.packets]' "$TMP/row") <(jq '[.legs[].packets]' "$TMP/row") >/dev/null || fail "$1-plain: $(cat "$TMP/row")"
}
rows() { # NAME: of all three
	whole "$1"
	story_row "$1-quiet" | jq -e '.outcome == "kept" and .training == "GRANTED" and .duration > 11.5 and .duration < 12.5' >/dev/null ||
		fail "$1-quiet: $(story_row "$1-quiet")"
	story_row "$1-press" | jq -e '.outcome == "denied" and .training == "OPTED_OUT"' >/dev/null || fail "$1-press: $(story_row "$1-press")"
}

# ---- an hour forward ----
play
set_clock 3600 in-place
until_status '.clock.off_ms > 3599000 and .clock.off_ms < 3601000 and .clock.steps == 1' || fail "status: $(jq -c .clock "$TMP/status")"
[ "$(state "$open")" = true ] || fail "a window was closed: $(state .)"
"$O" status --socket "$TMP/control" | grep -q '^ALARM .*clock was set, and is 3[56].*ahead' || fail "status in words"
grep -q 'alarm: clock: .* forward by 3[56]' "$TMP/optagd.err" || fail "no alarm"
wait $player || fail play
until_status '.clock.off_ms == 0 and .calls.unwritten == 0' || fail "the new time is not taken: $(jq -c '.clock, .calls' "$TMP/status")"
grep -q 'is taken, ours was set forward by 3[56]' "$TMP/optagd.err" || fail "the log does not say that it was taken"
rows forward

# ---- an hour back ----
script back >"$TMP/script"
"$BUILD/tests/gen/gencap" --script "$TMP/script" --interleave 30 "$TMP/c.pcap" || fail gencap
play
set_clock 0 in-place
until_status '.clock.off_ms < -3599000 and .clock.steps == 2' || fail "status: $(jq -c .clock "$TMP/status")"
[ "$(state "$open")" = true ] || fail "a window was closed: $(state .)"
wait $player || fail play
until_status '.clock.off_ms == 0 and .calls.unwritten == 0' || fail "the new time is not taken: $(jq -c '.clock, .calls' "$TMP/status")"
rows back
start() { date -d "$(story_row "$1" | jq -r .start)" +%s; }
off=$(($(start back-plain) - $(date +%s)))
[ $off -gt 3500 ] && [ $off -lt 3600 ] || fail "a call in progress does not have its own time: $off"

# ---- a minute back, and a restart ----
script left | head -n 1 >"$TMP/script"
"$BUILD/tests/gen/gencap" --script "$TMP/script" "$TMP/c.pcap" || fail gencap
load_in "$BUILD/tests/gen/play" tx0 "$TMP/c.pcap" >"$TMP/played" &
player=$!
until_state 'length == 1 and all(.age > 4)' || fail "not a call: $(state .)"
set_clock -60 in-place
until_status '.clock.off_ms < -59000 and .clock.steps == 3' || fail "status: $(jq -c .clock "$TMP/status")"
load_stop TERM || fail "optagd's status"
daemon || fail "the next optagd does not start"
until_status '.take_over.from == "left" and .take_over.calls == 1 and .clock.off_ms < -59000 and .clock.off_ms > -61000' ||
	fail "the call's clock is not taken over: $(jq -c '.clock, .take_over' "$TMP/status")"
wait $player || fail play
until_status '.clock.off_ms == 0 and .calls.unwritten == 0' || fail "the new time is not taken: $(jq -c '.clock, .calls' "$TMP/status")"
whole left

# ---- and then ----
echo 'after-plain from=+4520304050 to=+4570102001 bye=4000 header=callee:1500:X-Notice-Played:_yes' >"$TMP/script"
"$BUILD/tests/gen/gencap" --script "$TMP/script" "$TMP/c.pcap" || fail gencap
now=$(date +%s)
story_play
off=$(($(start after-plain) - now))
[ $off -ge -61 ] && [ $off -lt -30 ] || fail "a later call does not have the new time: $off"
load_stop || fail "optagd's status"
"$O" audit show --store "$TMP/s" --json >"$TMP/audit" || fail "audit show"
jq -r 'select(.event | startswith("clock.")) | .n as $n | "\(.event) \(.reason) \($n.ms / 1000 | round)\($n | keys - ["ms"] | map(" " + .) | join(""))"' "$TMP/audit" >"$TMP/clock"
cat >"$TMP/want" <<C
clock.stepped forward 3600 ahead_ms
clock.taken forward 3600
clock.stepped back 3600 behind_ms
clock.taken back 3600
clock.stepped back 60 behind_ms
clock.stepped back 60 behind_ms
clock.taken back 60
C
cmp -s "$TMP/clock" "$TMP/want" || fail "evidence: $(cat "$TMP/clock")"
"$O" audit verify --store "$TMP/s" >"$TMP/verify" || fail "audit verify: $(cat "$TMP/verify")"
"$O" fsck --store "$TMP/s" >/dev/null || fail fsck
exit 0
