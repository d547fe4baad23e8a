#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A daemon that stood still and is to end at once takes what waited for it all the same: no call lacks its last seconds.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
load_ready 'ring 256 MiB' 'calls 1000'
load_begin "$TMP/sent" --kind 'kept:1:+4520######:+45701020##' --calls 400 --total 400 --rate 200 --hold 60 --duration 60 --first-rtp 100
load_answered 400
sleep 1
kill -STOP "$load_daemon_pid"
sleep 7
at=$(date +%s.%N)
kill -INT "$load_daemon_pid"
kill -CONT "$load_daemon_pid"
wait "$load_daemon_pid" || fail "optagd's status"
load_daemon_pid=''
kill "${load_pids[@]}"
load_wait
"$O" find --store "$TMP/s" --json | jq -r 'select(.outcome == "kept") | [.answer, .legs[].packets] | @tsv' >"$TMP/rows"
[ "$(wc -l <"$TMP/rows")" = 400 ] || fail "$(wc -l <"$TMP/rows") rows"
# of the seconds from the answer to the signal, but for one of a busy machine, each packet
python3 - "$TMP/rows" "$at" <<'PY' || fail "audio is missing"
import sys, datetime
short, end = [], float(sys.argv[2])
for line in open(sys.argv[1]):
    answer, a, b = line.split()
    answer = datetime.datetime.fromisoformat(answer[:26].rstrip("Z") + "+00:00").timestamp()
    want = (end - answer - 1) * 50
    if min(int(a), int(b)) < want:
        short.append((round(want), int(a), int(b)))
print(len(short), short[:3])
sys.exit(len(short) > 0)
PY
exit 0
