#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A recorder is killed (kill -9) while calls whose keys are on the disk go on, and nobody goes on with them. The next one says that
# the keys are there, before it says what became of the calls: so each of them, too, can be proven to be deleted.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
for c in python3 openssl; do command -v $c >/dev/null || { echo "SKIP: no $c"; exit 77; }; done
MKEV="$BUILD/tests/gen/mkevidence"
load_ready 'take-over 0 s'
load_begin "$TMP/sent" --kind 'kept:1:+4520######:+45701020##' --calls 10 --rate 20 --duration 3600
load_answered 10
for _ in $(seq 300); do # longer than what is too short to keep
	"$O" call list --json --control "$TMP/control" | jq -es 'length == 10 and all(.recording and .age > 6)' >/dev/null && break
	sleep 0.1
done
kill -9 "$load_daemon_pid"
wait "$load_daemon_pid" 2>/dev/null
kill -TERM "${load_pids[0]}"
load_wait >/dev/null 2>&1 # it says that nobody counted its packets
grep -h key.commit "$TMP"/s/evidence/*.log && fail "told before: this tests nothing"
ls "$TMP"/s/keys/*/documentation/*.slots >/dev/null || fail "no slot"
grep -h '"audio.start"' "$TMP"/s/evidence/*.log | jq -r .call | sort -u >"$TMP/calls"
[ "$(wc -l <"$TMP/calls")" -ge 5 ] || fail "$(wc -l <"$TMP/calls") calls"
load_daemon || fail "optagd does not start again"
for _ in $(seq 900); do
	"$O" audit sums --store "$TMP/s" --json >"$TMP/sums" 2>/dev/null && jq -es 'length > 0 and all(.[]; .open == 0)' "$TMP/sums" >/dev/null && break
	sleep 0.1
done
jq -es 'length > 0 and all(.[]; .open == 0)' "$TMP/sums" >/dev/null || fail "calls stay open: $(cat "$TMP/sums")"
load_stop || fail "optagd's status"
"$O" audit verify --store "$TMP/s" >"$TMP/out" 2>&1 || fail "audit: $(head -n 3 "$TMP/out")"
"$O" reap --store "$TMP/s" --now "$(date -u -d '+2 years' +%FT%TZ)" >"$TMP/out" 2>"$TMP/err" || fail "reap: $(cat "$TMP/err")"
"$O" audit show --store "$TMP/s" --json >"$TMP/log"
"$MKEV" "$TMP/s" sign "$(date -u -d '+3 days' +%FT10:00:00Z)" || fail sign
cp "$TMP/s/evidence/root.pub" "$TMP/published.pub"
while read -r call; do
	jq -s --arg c "$call" 'map(select(.call == $c)) | map(.event)' "$TMP/log" >"$TMP/life"
	jq -e '(index("key.commit") // 1e9) < ((index("call.kept") // index("call.gap")) // -1)' "$TMP/life" >/dev/null || fail "$call: no key.commit before its outcome: $(jq -c . "$TMP/life")"
	"$O" audit certificate --store "$TMP/s" "$call" -o "$TMP/c.$call" 2>"$TMP/err" || fail "$call: $(cat "$TMP/err")"
	python3 "$SRC/tests/verify_certificate.py" "$TMP/c.$call" "$TMP/published.pub" "$call" >"$TMP/out" || fail "$call: does not verify"
	grep 'not proven' "$TMP/out" && fail "$call: its outcome does not count its keys"
done <"$TMP/calls"
exit 0
