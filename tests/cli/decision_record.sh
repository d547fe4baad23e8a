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
asks $'72\n100' 's/decision-record .*/decision-record 100 months/'
asks $'72\n84\n100' 's/decision-record .*/decision-record 7 years/' # what was decided under the other ones stays

# A daemon knows what is in force: it says until when, and what is over gets its day.
# shellcheck source=tests/cli/lib-policydaemon.sh
. "$SRC/tests/cli/lib-policydaemon.sh"
records() { cat "$store/policies/records" 2>/dev/null || echo none; }
upto() { date -u -d "+$1 days" +%F; }
said() { # TEXT
	for _ in $(seq 200); do
		[ "$(records)" = "$1" ] && return
		sleep 0.05
	done
	fail "records: $(records), not $1"
}
cp p.policy "$live"
start
said "84 $(upto 8)"
ended
printf '72\n84 %s\n' "$(upto 5)" >"$store/policies/records" # of before
start
said "$(printf '72 %s\n84 %s' "$(upto 8)" "$(upto 8)")"
ended
printf '72 2020-11-01\n84 %s\n' "$(upto 3)" >"$store/policies/records" # six years ago: 72 months keep nothing more
start
said "84 $(upto 8)"
ended
policy '3 months' >"$live"
printf '84 %s\n' "$(upto 3)" >"$store/policies/records" # nobody asks for it now: it stays as it was
start
sleep 0.5
said "84 $(upto 3)"
ended
printf '72 2020-11-01\n' >"$store/policies/records"
start
said none
ended
exit 0
