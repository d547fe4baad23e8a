#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# What was drawn for training goes on over a restart: SIGTERM, then another optagd, twice, while calls wait whether anybody
# opts out. Who was in the sample and said nothing is kept: whole when it was decided before the restart, and without what
# waited for the decision in memory when it was not. Who was not in it stays out, who presses the key after the restart is out;
# a cap is used up to the last call and not beyond, by all daemons together. After kill -9 no such call is kept, its
# documentation is, and the cap still holds.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
command -v python3 >/dev/null || { echo "SKIP: python3 is not installed"; exit 77; }
export BIN
CAP=20

# The truth table's rules: C opt-out training, of the two others one has a cap and one a sample, F documentation, too.
mkdir "$TMP/policy" && python3 "$SRC/tests/truth.py" policy "$TMP/policy" attested || fail "the policy"
sed -e '/pre-decision block/d; /exclude-leg/d' \
	-e "/^rule \"C-block\"/,/^}/ s/cap .*/cap $CAP per month/" \
	-e '/^rule "C-agent"/,/^}/ s/sample .*/sample 50%/' \
	"$TMP/policy/truth.policy" >"$TMP/policy/demo.policy" && rm "$TMP/policy/truth.policy"
# A day draws by a seed whose hash was published before it began: the store saw a call the day before.
echo 'seed from=+4520304050 to=+4570102005 bye=3000' >"$TMP/seed"
"$BUILD/tests/gen/gencap" --script "$TMP/seed" --start "$(date -d '-1 day' +%s)" "$TMP/seed.pcap" || fail gencap
load_up && load_conf 'ring 64 MiB' || fail "no network"

# The window is from 1 s to 4 s after the answer; the key is pressed after the restart.
pending() { "$O" call list --control "$TMP/control" --json 2>/dev/null | jq -s 'map(select(.training == "PENDING")) | length'; }
until_pending() { # LEAST MOST
	local n
	for _ in $(seq 600); do
		n=$(pending)
		[ "$n" -ge "$1" ] && [ "$n" -le "$2" ] && return 0
		sleep 0.05
	done
	fail "calls that wait for a key: $n, not $1 to $2"
}
calls() { # N: 42 calls that wait for a key, none of before does
	until_pending 0 0
	load_begin "$TMP/sent$1" --kind "whole:3:+4520$1#####:+4570102006" --kind "says:2:+4521$1#####:+4570102006:9@3700" \
		--kind "cap:3:+4522$1#####:+4570102011" --kind "half:4:+4523$1#####:+4570102012" --kind "both:2:+4524$1#####:+4570102009" \
		--calls 42 --total 42 --rate 70 --hold 16 --duration 5 --first-rtp 300 --seed "$1" --net $(($1 % 6)) --packet --fifo 10
	until_pending 20 42
	sleep 0.6 # the last of them are drawn
}
again() { # SIGNAL FROM
	if [ "$1" = KILL ]; then
		kill -KILL "$load_daemon_pid"; wait "$load_daemon_pid" 2>/dev/null
	else
		load_stop "$1" || fail "optagd's status"
	fi
	load_daemon || fail "the next optagd does not start"
	load_status "$TMP/status" || fail status
	jq -e --arg from "$2" '.take_over | .from == $from and .calls > 0 and .lost == 0' "$TMP/status" >/dev/null ||
		fail "take-over: $(jq -c .take_over "$TMP/status")"
}
settle() {
	load_wait || fail "optag-load: $(cat "$TMP"/sent?)"
	load_settle || fail "the counters do not come to rest"
}
# What is judged is calls as they were meant. A machine that sends them late sends others, and what it sends late at once the veth
# has no room for, which may hide an opt-out: once more then.
for try in 1 2 3; do
	"$O" init --store "$TMP/s" --keys "$TMP/k" >/dev/null 2>&1 || fail init
	"$O" replay --store "$TMP/s" --policy "$TMP/policy/demo.policy" "$TMP/seed.pcap" >"$TMP/out" 2>&1 || fail "$(cat "$TMP/out")"
	load_daemon || fail "optagd does not start"
	calls 1
	calls 2
	again TERM left # the first are decided, the second not
	calls 3
	again TERM left
	calls 4
	settle
	calls 5
	again KILL killed
	settle
	calls 6
	settle
	load_status "$TMP/status" || fail status
	load_stop || fail "optagd's status"
	late=$(jq -s 'map(.ticks.max_us) | max' "$TMP"/sent?)
	lost=$(($(jq -s 'map(.frames) | add' "$TMP"/sent?) - $(jq .packets.seen "$TMP/status")))
	[ "$late" -gt 400000 ] || [ $lost -gt 0 ] || break
	echo "sent up to $late us late, $lost frames did not arrive"
	[ $try -lt 3 ] || break
	rm -rf "$TMP/s" "$TMP/k"
done

"$O" find --store "$TMP/s" --json >"$TMP/found" || fail find
"$O" audit show --store "$TMP/s" --json >"$TMP/log" || fail "audit show"
jq -r 'select(.event == "sample.in" or .event == "sample.out") | [.call, .event] | @tsv' "$TMP/log" >"$TMP/draws"
[ "$(cut -f1 "$TMP/draws" | sort | uniq -d | wc -l)" = 0 ] || fail "a call was drawn twice"
# batch, kind, Call-ID, sent by both; then how it ended, both purposes, stored of both, gap; and how it was drawn
for n in 1 2 3 4 5 6; do awk -F'\t' -v OFS='\t' -v n=$n '{print n, $2, $1, $3, $4}' "$TMP/sent$n.truth"; done >"$TMP/truth"
jq -r '[.sip_call_id, .outcome, .documentation, .training, .reasons.training // "-", (.legs | .[0].packets, .[1].packets), .gap // "-", .call] | @tsv' "$TMP/found" |
	awk -F'\t' -v OFS='\t' '
		FILENAME ~ /draws$/ {draw[$1] = $2; next}
		FILENAME == "-" {row[$1] = $2 OFS $3 OFS $4 OFS $5 OFS $6 OFS $7 OFS $8 OFS draw[$9]; next}
		{print $0, ($3 in row) ? row[$3] : "-"}' "$TMP/draws" - "$TMP/truth" >"$TMP/rows"
awk -F'\t' -v cap=$CAP '
	function bad(why) {print why ": " $0; wrong++}
	# batches 2 and 3 waited for the key, for 4 s at most, when the daemon left
	function whole() {
		if ($1 == 2 || $1 == 3)
			return $12 == "restart" && $10 < $4 && $10 >= $4 - 205 && $11 < $5 && $11 >= $5 - 205
		return $12 == "-" && $10 == $4 && $11 == $5
	}
	{audio = $10 + $11; trained = $8 == "GRANTED"}
	$6 == "-" {bad("no row"); next}
	$1 == 5 && trained {bad("kept for training after a kill")}
	$1 == 5 && $2 == "both" && ($6 != "kept" || $7 != "GRANTED") {bad("documentation gone")}
	$1 == 5 {next}
	$2 == "whole" && !(trained && whole() && $13 == "sample.in") {bad("not kept whole")}
	$2 == "both" && !(trained && $7 == "GRANTED" && $12 == "-" && $10 == $4 && $11 == $5 && $13 == "sample.in") {bad("not kept whole for both")}
	$2 == "says" && (trained || audio || $6 != "denied") {bad("kept, though the key was pressed")}
	($2 == "half" || $2 == "cap") && $13 == "sample.in" && !(trained && whole()) {bad("drawn, not kept whole")}
	($2 == "half" || $2 == "cap") && $13 != "sample.in" && (trained || audio) {bad("not drawn, and kept")}
	$2 == "half" {half[$1, $13]++}
	$2 == "cap" && trained {used++; of[$1]++}
	END {
		if (used != cap || !of[1] || !of[2] || !of[3] || of[4] + of[6]) {
			print "the cap of " cap " by batch: " of[1] + 0, of[2] + 0, of[3] + 0, of[4] + 0, of[6] + 0
			wrong++
		}
		for (b = 1; b <= 3; b++)
			if (!half[b, "sample.in"] || !half[b, "sample.out"]) {print "batch " b " has no sample"; wrong++}
		exit wrong > 0
	}' "$TMP/rows" >"$TMP/bad" || fail "$(wc -l <"$TMP/bad") wrong: $(awk -F: '!n[$1]++' "$TMP/bad")"
"$O" fsck --store "$TMP/s" >/dev/null || fail fsck
"$O" audit verify --store "$TMP/s" >"$TMP/audit" 2>&1 || fail "audit verify: $(cat "$TMP/audit")"
# of the day before, whose seed a capture read from a file may publish late, there is one fault; of three daemons' draws none
"$O" audit recompute-sample --store "$TMP/s" --json >"$TMP/audit" 2>&1
jq -es 'map(select(.rule and .rule != "B")) | length == 4 and all(.[]; .faults == 0)' "$TMP/audit" >/dev/null || fail "recompute-sample: $(cat "$TMP/audit")"
"$O" audit sums --store "$TMP/s" --json >"$TMP/sums" || fail "audit sums"
jq -es 'length > 3 and all(.[]; .matched == .kept + .denied + .gap and .open == 0)' "$TMP/sums" >/dev/null || fail "sums: $(cat "$TMP/sums")"
exit 0
