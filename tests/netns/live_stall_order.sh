#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A daemon that stood still, on a busy line: what is said while it takes the media of before holds for that of its own time only. Of
# calls that are paused one after the other then all audio from before is kept.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
command -v python3 >/dev/null || { echo "SKIP: python3 is not installed"; exit 77; }
mkdir "$TMP/policy" && python3 "$SRC/tests/truth.py" policy "$TMP/policy" attested || fail "the policy"
sed '/^rule "A1"/,/^}/ s/^\tdocumentation {/\tpause-key 5\n\tresume-key 6\n&/' "$TMP/policy/truth.policy" >"$TMP/policy/demo.policy" && rm "$TMP/policy/truth.policy"
for i in $(seq 40); do
	echo "c$i from=+45203040$((i + 10)) to=+4570102001 bye=17000 info=callee:5:12000"
done >"$TMP/script"
"$BUILD/tests/gen/gencap" --script "$TMP/script" --interleave 40 "$TMP/c.pcap" || fail gencap
packets() { "$O" find --store "$1" --json | jq -r '[.sip_call_id, .legs[].packets] | @tsv' | grep '@script' | sort; }
"$O" init --store "$TMP/r" --keys "$TMP/rk" >/dev/null 2>&1
"$O" replay --store "$TMP/r" --policy "$TMP/policy/demo.policy" "$TMP/c.pcap" >"$TMP/out" 2>&1 || fail "$(cat "$TMP/out")"
packets "$TMP/r" >"$TMP/want"
load_up && load_conf 'ring 256 MiB' 'calls 1000' 'write-memory 1 GiB' || fail "no network"
# What a busy machine sends late and all at once the veth has no room for: once more then.
for try in 1 2 3; do
	rm -rf "$TMP/s" "$TMP/k"
	"$O" init --store "$TMP/s" --keys "$TMP/k" >/dev/null 2>&1 || fail init
	load_daemon || fail "optagd does not start"
	load_begin "$TMP/sent" --kind 'kept:1:+4521######:+4570102001' --calls 400 --total 400 --rate 200 --hold 120 --duration 120 --first-rtp 300
	load_answered 400
	began=$(date +%s.%N)
	load_in "$BUILD/tests/gen/play" tx0 "$TMP/c.pcap" >"$TMP/played" &
	player=$!
	load_answered 440
	sleep 0.5
	kill -STOP "$load_daemon_pid"
	sleep "$(awk -v a="$began" -v b="$(date +%s.%N)" 'BEGIN {print a + 12.5 - b}')" # until the first of them are paused
	kill -CONT "$load_daemon_pid"
	wait $player || fail play
	kill "${load_pids[@]}"
	load_wait
	load_status "$TMP/status" || fail status
	load_stop || fail "optagd's status"
	lost=$(($(jq .frames "$TMP/sent") + $(cut -d' ' -f1 "$TMP/played") - $(jq .packets.seen "$TMP/status")))
	[ $lost = 0 ] && break
	echo "$lost frames did not arrive"
done
jq -e '[.losses[]] | add == 0' "$TMP/status" >/dev/null || fail "$(jq -c .losses "$TMP/status")"
packets "$TMP/s" >"$TMP/got"
[ "$(wc -l <"$TMP/got")" = 40 ] || fail "$(wc -l <"$TMP/got") calls"
# a packet at the edge may be on its other side, and what is sent late and all at once has one time: media has the kernel's tick
join -t $'\t' "$TMP/want" "$TMP/got" >"$TMP/both"
awk -F'\t' -v late="$(grep -o '[0-9]* ms late' "$TMP/played" | cut -d' ' -f1)" '{a = $2 - $4; b = $3 - $5; most = 2 + late / 20}
	a > 2 || a < -most || b > 2 || b < -most' "$TMP/both" >"$TMP/bad"
[ ! -s "$TMP/bad" ] || fail "$(wc -l <"$TMP/bad") of $(wc -l <"$TMP/both") wrong: $(head -n 3 "$TMP/bad")"
exit 0
