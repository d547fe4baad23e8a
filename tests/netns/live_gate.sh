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
places() { "$BUILD/tests/gen/memfind" "$load_daemon_pid" "$TMP/pool" | tee -a "$TMP/found" | cut -d' ' -f1; }

until_packets() { # JQ: of what status says of packets
	for _ in $(seq 1200); do
		load_status "$TMP/status" 2>/dev/null && jq -e ".packets | $1" "$TMP/status" >/dev/null && return
		sleep 0.05
	done
	fail "packets are not $1: $(jq -c .packets "$TMP/status")"
}

load_up && load_store && load_consent && load_conf 'ring 16 MiB' || fail "no network or store"
load_daemon || fail "optagd does not start"
# Who says nothing is searched for as long as it takes: the calls go on until then.
load_begin "$TMP/silent" --kind 'sales:1:+4521######:+45701030##' --calls 50 --rate 100 --duration 3600 --first-rtp 300 --pool "$TMP/pool"
until_packets '.gated + .blocked > 5000' # some seconds of sound have been there
[ "$(places)" = 0 ] || fail "audio of gated calls in memory: $(cat "$TMP/found")"
load_status "$TMP/status" && jq -e '.packets.audio == 0 and .packets.events == 0 and .calls.answered == 50' "$TMP/status" >/dev/null ||
	fail "audio came up before a key, or the calls are over: $(jq -c '.packets, .calls' "$TMP/status")"
kill -TERM "${load_pids[0]}" # all hang up
load_wait || fail "optag-load: $(cat "$TMP/silent")"
load_begin "$TMP/gated" --kind 'sales:1:+4521######:+45701030##:1@6000' --calls 50 --rate 100 --duration 3600 --first-rtp 300 --seed 2 --pool "$TMP/pool"
until_packets '.audio > 5000' # and some seconds that may be there
[ "$(places)" -gt 1000 ] || fail "the search finds nothing at all: $(cat "$TMP/found")"
kill -TERM "${load_pids[0]}"
load_wait || fail "optag-load: $(cat "$TMP/gated")"
load_settle || fail "the counters do not come to rest"
load_status "$TMP/status" || fail status
jq -s -e '.[0] as $silent | .[1] as $sent | .[2].packets as $p | $p.balanced and $sent.rtp.events == 550
	and $p.events == $sent.rtp.events and $p.seen == $silent.frames + $sent.frames and $p.audio > 10000 and .[2].media.kept == $p.audio
	and $p.audio + $p.gated + $p.blocked == $silent.rtp.sent + $sent.rtp.sent and ([.[2].losses[]] | add) == 0' \
	"$TMP/silent" "$TMP/gated" "$TMP/status" >/dev/null ||
	fail "the sums: $(jq -c . "$TMP/silent" "$TMP/gated") $(jq -c '.packets, .media, .losses' "$TMP/status")"
load_stop || fail "optagd's status"
load_rows "$TMP/silent.truth" "$TMP/rows" || fail find
awk -F'\t' '$6 != "denied" || $7 + $8 || $10 != $3 + $4 {print; bad++} END {exit bad > 0 || NR != 50}' "$TMP/rows" >"$TMP/bad" ||
	fail "rows of who said nothing: $(head -n 3 "$TMP/bad") of $(wc -l <"$TMP/rows")"
load_rows "$TMP/gated.truth" "$TMP/rows" || fail find
# The key comes in the sixth second: what was sent before, some 570 packets of both voices (100 a second), was blocked, all later
# is kept. What was sent late, or waited for the daemon, as both counted, may have come before it knew of the key.
late=$(jq -s '.[0].ticks.max_us + .[1].delay.max_us | . / 10000 | ceil' "$TMP/gated" "$TMP/status")
awk -F'\t' -v most=$((590 + late)) '$6 != "kept" || $10 < 560 || $10 > most || $9 < 1 || $7 + $8 + $10 != $3 + $4 {print; bad++}
	END {exit bad > 0 || NR != 50}' "$TMP/rows" >"$TMP/bad" || fail "rows: $(head -n 3 "$TMP/bad") of $(wc -l <"$TMP/rows")"
cat "$TMP/found"
exit 0
