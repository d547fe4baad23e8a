#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Events that other programs leave in the outbox come into the evidence log of a running daemon within seconds, once; a file that
# is none is set aside and told; those left while no daemon runs are taken at its start, also after kill -9. A daemon that is
# asked to end before its log is open waits for it.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
why=$(load_need) || { echo "SKIP: $why"; exit 77; }
trap load_down EXIT
trap 'exit 130' INT TERM HUP
MKEV="$BUILD/tests/gen/mkevidence"
events() { "$O" audit show --store "$TMP/s" --json --event key.destroy 2>"$TMP/err" | jq -r .call | sort >"$TMP/events" && wc -l <"$TMP/events"; }
wait_events() { # N
	for _ in $(seq 600); do [ "$(events)" = "$1" ] && return; sleep 0.1; done
	fail "$(events) events are in the log, not $1"
}

load_up && load_store && load_conf || fail "no network or store"
"$MKEV" "$TMP/s" outbox 3 || fail "outbox before the daemon"
load_daemon || fail "optagd does not start"
wait_events 3
for _ in 1 2 3 4; do "$MKEV" "$TMP/s" outbox 100 & done
echo x >"$TMP/s/outbox/x.jsonl"
wait_events 403
wait $(jobs -p | grep -vx "$load_daemon_pid")
for _ in $(seq 600); do [ -e "$TMP/s/outbox/x.bad" ] && break; sleep 0.1; done
grep -q 'outbox/x.jsonl: a name that is none; set aside as x.bad' "$TMP/optagd.err" || fail "a bad file is not told: $(cat "$TMP/optagd.err")"
for _ in 1 2 3 4 5; do # at any moment
	"$MKEV" "$TMP/s" outbox 2000 || fail "outbox"
	sleep "0.$((RANDOM % 10))$((RANDOM % 10))"
	kill -9 "$load_daemon_pid"
	wait "$load_daemon_pid" 2>/dev/null
	load_daemon || fail "optagd does not start again"
done
wait_events 10403
[ -z "$(uniq -d "$TMP/events")" ] || fail "an event is there twice"
load_stop || fail "optagd's status"
[ "$(ls "$TMP/s/outbox")" = x.bad ] || fail "outbox holds $(ls "$TMP/s/outbox")"
"$O" audit verify --store "$TMP/s" >"$TMP/verify" || fail "verify: $(cat "$TMP/verify")"
grep -q '^1 outbox file set aside' "$TMP/verify" || fail "verify does not tell: $(cat "$TMP/verify")"

# Asked to end before its log can be opened it waits for it: who talks then has his row and his outcome.
exec 9>>"$TMP/s/evidence/lock"
flock 9 || fail "the log's lock"
load_daemon || fail "optagd does not start beside one who holds its log"
load_begin "$TMP/sent" "${load_kinds[@]}" --calls 20 --total 20 --rate 40 --hold 20 --duration 4
load_answered 16
{ sleep 2; flock -u 9; } &
load_stop || fail "it does not wait for its log"
exec 9>&-
kill "${load_pids[@]}" 2>/dev/null
load_wait
"$O" find --store "$TMP/s" --json >"$TMP/found" && [ -s "$TMP/found" ] || fail "no rows"
"$O" audit sums --store "$TMP/s" --json >"$TMP/sums" || fail "audit sums"
jq -es --argjson n "$(wc -l <"$TMP/found")" '(map(.matched) | add) == $n and all(.[]; .open == 0)' "$TMP/sums" >/dev/null ||
	fail "$(wc -l <"$TMP/found") rows and $(cat "$TMP/sums")"
exit 0
