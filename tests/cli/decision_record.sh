#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# decision-record: what a rule says is how long the evidence of its calls is kept, by a reaper that reads no policy.
. "$SRC/tests/cli/common" || exit 1
need jq
cd "$TMP" || exit 1
"$BUILD/tests/gen/gencap" --scenario basic --start 1800000000 c.pcap || fail "the capture"
asks() { # MONTHS-WRITTEN SED: a replay by the example of A3, and what the store says then
	sed "s/+45 7010 20\*/+45 33*/; s/notice-proof .*/notice-proof attested/; $2" "$SRC"/policy/examples/a3-*.policy >p.policy
	run 0 "$BIN/optag" replay --store s --policy p.policy c.pcap
	[ "$(cat s/policies/records 2>/dev/null)" = "$1" ] || fail "$2: $(cat s/policies/records)"
}
run 0 "$BIN/optag" init --store s --keys k
asks 72 ''
[ "$(stat -c %a s/policies/records)" = 640 ] || fail "mode"
asks 100 's/decision-record .*/decision-record 100 months/'
asks 100 's/decision-record .*/decision-record 7 years/' # what was decided under the other one stays
exit 0
