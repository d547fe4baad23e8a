#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The inventory beside a daemon that records and a reaper, again and again: what is in progress is no alarm; a stray file and a
# key that is gone are, also then.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
why=$(load_need) || { echo "SKIP: $why"; exit 77; }
trap load_down EXIT
trap 'exit 130' INT TERM HUP

load_up && load_store && load_conf || fail "no network or store"
load_daemon || fail "optagd does not start"
load_begin "$TMP/sent" --kind 'kept:1:+4520######:+45701020##' --calls 40 --rate 10 --hold 4 --duration 4 --first-rtp 300 --sha
end=$((SECONDS + 14)) runs=0 most=0
while [ $SECONDS -lt $end ]; do
	"$O" reap --store "$TMP/s" --quiet >>"$TMP/reaped" 2>&1 & reaper=$!
	"$O" report inventory --store "$TMP/s" --json >"$TMP/inv" 2>"$TMP/inv.err" || fail "run $runs: $(grep problem "$TMP/inv"; cat "$TMP/inv.err")"
	n=$(tail -n 1 "$TMP/inv" | jq .in_progress)
	[ "$n" -gt "$most" ] && most=$n
	runs=$((runs + 1))
	wait $reaper
done
load_wait || fail "optag-load: $(cat "$TMP/sent")"
load_settle || fail "the counters do not come to rest"
[ "$most" -gt 5 ] || fail "no call was in progress in $runs runs ($most)"
"$O" report inventory --store "$TMP/s" --json >"$TMP/inv" 2>&1 || fail "after the calls: $(cat "$TMP/inv")"
calls=$(wc -l <"$TMP/sent.truth")
[ "$(tail -n 1 "$TMP/inv" | jq -c "[.rows, .kept, .in_progress]")" = "[$calls,$calls,0]" ] || fail "counts: $(cat "$TMP/inv")"
echo "$runs runs beside a daemon and a reaper, up to $most keys of calls in progress"

# a daemon runs, and what is wrong is told all the same
touch "$TMP/s/outbox/stray"
"$O" report inventory --store "$TMP/s" >"$TMP/inv" 2>&1 && fail "a stray file is no alarm"
grep -q 'outbox/stray: is none' "$TMP/inv" || fail "a stray file: $(cat "$TMP/inv")"
rm "$TMP/s/outbox/stray"
# the days of tomorrow's calls have their keys already, and that is no alarm either
find "$TMP/s/keys" -name '*.slots' -size 256c | grep -q . || fail "no key was made ahead"
f=$(ls "$TMP/s/keys/"*/documentation/*.slots | head -n 1)
dd if=/dev/zero of="$f" bs=256 seek=3 count=1 conv=notrunc 2>/dev/null
"$O" report inventory --store "$TMP/s" >"$TMP/inv" 2>&1 && fail "a lost key is no alarm"
[ "$(grep -c 'its key for documentation is not there' "$TMP/inv")" = 1 ] || fail "a lost key: $(cat "$TMP/inv")"
load_stop || fail "optagd's status"
exit 0
