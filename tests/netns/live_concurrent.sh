#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# max-concurrent over a kill -9 and another policy: calls in progress go on taking their places under the next daemon and
# the next policy, and give them back when they hang up.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
load_up && load_store && load_conf 'ring 64 MiB' 'take-over 60 s' || fail "no network or store"
sed -i '/^rule "claims"/a max-concurrent 6' "$TMP/policy/demo.policy"
load_daemon || fail "optagd does not start"
claims=(--kind 'kept:1:+4520######:+45701020##')
events() { "$O" audit show --store "$TMP/s" --json --event "$1" | jq -r "select($2) | .call" | sort -u | wc -l; }
refused() { # N WHEN: so many more are, and six are recorded
	local was
	was=$(events purpose.deny '.reason == "max-concurrent"')
	for _ in $(seq 300); do
		if [ "$(events purpose.deny '.reason == "max-concurrent"')" -ge $((was + $1)) ]; then
			[ "$(events purpose.grant true)" = 6 ] && return
			fail "$2: $(events purpose.grant true) calls are recorded, not 6"
		fi
		sleep 0.2
	done
	fail "$2: not $1 more calls were refused"
}
load_begin "$TMP/long" "${claims[@]}" --calls 400 --rate 2 --duration 86400
refused 3 "before the kill"
kill -9 "$load_daemon_pid"
wait "$load_daemon_pid" 2>/dev/null
load_daemon || fail "optagd does not start again"
load_status "$TMP/status" && jq -e '.take_over.from == "killed" and .take_over.lost == 0' "$TMP/status" >/dev/null || fail "$(jq -c .take_over "$TMP/status")"
refused 3 "after the kill"
sed -i 's/^max-concurrent 6/max-concurrent 5/' "$TMP/policy/demo.policy"
"$O" policy apply -y --reason test --control "$TMP/control" "$TMP/policy/demo.policy" >"$TMP/out" 2>&1 || fail "apply: $(cat "$TMP/out")"
refused 2 "under another policy"
kill -TERM "${load_pids[0]}" # all hang up
load_wait || fail "optag-load: $(cat "$TMP/long")"
load_settle || fail "the counters do not come to rest"
load_calls "$TMP/after" "${claims[@]}" --calls 5 --rate 20 --duration 4 --seed 99 || fail "optag-load: $(cat "$TMP/after")"
load_settle || fail "the counters do not come to rest"
load_stop || fail "optagd's status"
[ "$("$O" find --store "$TMP/s" --json | jq -s 'map(select(.outcome == "kept")) | length')" = 11 ] || fail "not 11 calls are kept"
exit 0
