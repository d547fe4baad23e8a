#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Events that other programs leave in the outbox come into the evidence log of a running daemon within seconds, once; a file that
# is none is set aside and told; those left while no daemon runs are taken at its start, also after kill -9.
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
exit 0
