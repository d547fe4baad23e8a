#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 19, millions: given many stored calls of which a day's expire today, 57 of them held, when the reaper runs, then all and only
# the others become undecryptable within 60 s, and their space is back. 20,000 calls here; OPTAG_FULL=1: ten million, 120,000 due.
# (Beside full capture: netns/live_reap.sh, and tests/bench/run.sh.)
. "$SRC/tests/cli/common"
need jq
need sqlite3
cd "$TMP" || exit 1
O="$BIN/optag" rows=20000 due=1200 held=57
[ -z "${OPTAG_FULL:-}" ] || rows=10000000 due=120000
"$BUILD/tests/bench/bench_reap" make s k $rows $due $held >out 2>err || fail "make"
sum() { sqlite3 "file:$1?mode=ro" 'SELECT count(*) FROM calls'; }
first=$(ls s/catalog/acme/*.db | grep -oE '[0-9]{4}-[0-9]{2}-[0-9]{2}' | sort | head -1)
"$O" hold list --store s --json | jq -r .call | sort >held
[ "$(wc -l <held)" = $held ] || fail "$(wc -l <held) are held"
at=$(date -u -d "$first 00:00" +%FT%TZ) # in Copenhagen it began before that
run 0 "$O" reap --store s --now "$at" --json
tail -1 out >sum
jq -e --argjson due $due --argjson held $held '.destroyed == 2 * $due - $held and .held == $held and .late == 0 and .faults == 0 and .dead_s < 60 and .seconds < 3600' sum >/dev/null ||
	fail "the run: $(cat sum)"
# all of them: keys, slots and rows of the day are gone, but those on hold
for p in documentation training; do
	[ "$(od -An -tu1 -j 11 -N 1 "s/keys/acme/$p/$first.bucket" | tr -d ' ')" = 2 ] || fail "$p: its key lives"
	[ "$(od -An -tx1 -v -j 40 -N 32 "s/keys/acme/$p/$first.bucket" | tr -d ' \n0')" = '' ] || fail "$p: its key is there"
	[ ! -e "s/keys/acme/$p/$first.slots" ] || fail "$p: slots are there"
done
[ ! -e "s/segments/acme/$first" ] && ! ls s/catalog/acme/"$first"* 2>/dev/null || fail "space of the day"
sqlite3 'file:s/catalog/acme/hold.db?mode=ro' 'SELECT uid FROM calls' | sort | diff held - || fail "other calls are on hold than were"
# and only them: no other bucket, no other row
live=$(for f in s/keys/acme/*/*.bucket; do od -An -tu1 -j 11 -N 1 "$f"; done | grep -c 1)
[ "$live" = $(((rows / due + (rows % due > 0) - 1) * 2)) ] || fail "$live buckets live"
n=0
for f in s/catalog/acme/2*.db; do n=$((n + $(sum "$f"))); done
[ $n = $((rows - due)) ] || fail "$n rows are left"
run 0 "$O" audit verify --store s
jq -c '[.dead_s, .seconds, .files]' sum
exit 0
