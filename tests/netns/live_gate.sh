#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Calls that wait for a consent key. The counters show that their key presses passed and of their audio nothing did; and
# nowhere in the daemon's memory, its capture rings included, lies any of the sound that was sent. That the search would
# find it is shown in the same daemon afterwards: the key is pressed, and from then on, and of nothing before, the calls are
# recorded.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
[ -z "${SAN:-}" ] || { echo "SKIP: the sanitizers' shadow memory is too large to be searched"; exit 77; }
places() { "$BUILD/tests/gen/memfind" "$load_daemon_pid" "$TMP/pool" | tee -a "$TMP/found" | cut -d' ' -f1; }

load_up && load_store && load_consent && load_conf 'ring 16 MiB' || fail "no network or store"
load_daemon || fail "optagd does not start"
load_begin "$TMP/gated" --kind 'sales:1:+4521######:+45701030##:1@6000' --calls 50 --rate 100 --duration 9 --pool "$TMP/pool"
for _ in $(seq 200); do # some seconds of sound have been there
	load_status "$TMP/status" 2>/dev/null && [ "$(jq .packets.gated "$TMP/status")" -gt 5000 ] && break
	sleep 0.05
done
[ "$(jq .packets.audio "$TMP/status")" = 0 ] || fail "audio came up before a key: $(jq -c .packets "$TMP/status")"
found=$(places)
# first: what is found behind a key is meant to be there
load_status "$TMP/status" && [ "$(jq .packets.events "$TMP/status")" = 0 ] || fail "the memory was searched too late: a key was pressed"
[ "$found" = 0 ] || fail "audio of gated calls in memory: $(cat "$TMP/found")"
for _ in $(seq 200); do # and some seconds that may be there
	load_status "$TMP/status" 2>/dev/null && [ "$(jq .packets.audio "$TMP/status")" -gt 5000 ] && break
	sleep 0.05
done
[ "$(places)" -gt 1000 ] || fail "the search finds nothing at all: $(cat "$TMP/found")"
load_wait || fail "optag-load: $(cat "$TMP/gated")"
sleep 1
load_settle || fail "the counters do not come to rest"
load_status "$TMP/status" || fail status
jq -s -e '.[0] as $sent | .[1].packets as $p | $p.balanced and $sent.rtp.events == 550
	and $p.events == $sent.rtp.events and $p.seen == $sent.frames and $p.audio > 10000 and .[1].media.kept == $p.audio
	and $p.audio + $p.gated + $p.blocked == $sent.rtp.sent and ([.[1].losses[]] | add) == 0' "$TMP/gated" "$TMP/status" >/dev/null ||
	fail "the sums: $(jq -c . "$TMP/gated") $(jq -c '.packets, .media, .losses' "$TMP/status")"
load_stop || fail "optagd's status"
load_rows "$TMP/gated.truth" "$TMP/rows" || fail find
# The key comes in the sixth second: what was sent before, some 600 packets of both voices, was blocked, all later is kept.
awk -F'\t' '$6 != "kept" || $10 < 595 || $10 > 615 || $9 < 1 || $7 + $8 + $10 != $3 + $4 {print; bad++}
	END {exit bad > 0 || NR != 50}' "$TMP/rows" >"$TMP/bad" || fail "rows: $(head -n 3 "$TMP/bad") of $(wc -l <"$TMP/rows")"
cat "$TMP/found"
exit 0
