#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 36, confirm or revert: given `apply --confirm`, when nobody confirms, the old policy is back when the time is over,
# and both switches are in the history, in the daemon's log and told to the evidence log.
. "$SRC/tests/cli/common"
. "$SRC/tests/cli/lib-policydaemon.sh"
need jq
policy '3 months' >"$live"
start
old=$(hash)
policy '2 months' >"$live"
P 0 apply --yes --reason "shorter" --ticket CHG-1 --confirm 2s "$live"
new=$(file_hash "$live")
has out "^In force: policy ${new:0:12}"
wait_for "$old" hash
P 0 history --json
jq -se --arg old "$old" --arg new "$new" '(.[1] | .what == "load" and .how == "apply" and .policy == $new and .was == $old and .ticket == "CHG-1")
	and (.[0] | .what == "load" and .how == "revert" and .policy == $old and .was == $new)
	and ((.[0].at | sub("\\..*Z"; "Z") | fromdate) - (.[1].at | sub("\\..*Z"; "Z") | fromdate) >= 1)' "$TMP/out" >/dev/null ||
	fail "history: $(cat "$TMP/out")"
[ "$(grep -c '^done load apply\|^done load revert' "$TMP/ready")" = 2 ] || fail "told to the evidence log: $(cat "$TMP/ready")"
grep -q "policy.revert: nobody confirmed policy ${new:0:12} in time" "$TMP/log" || fail "not in the log"
P 1 confirm
ended
exit 0
