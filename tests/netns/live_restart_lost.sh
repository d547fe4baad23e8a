#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Signalling that found its ring full while no daemon ran may have been an opt-out by INFO (X-4): the daemon that takes over
# denies training of the calls in progress, as if it had been there. A restart without loss denies nothing, nor does one after
# a loss that the daemon before saw.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
command -v python3 >/dev/null || { echo "SKIP: python3 is not installed"; exit 77; }

# The truth table's rule C: for training, unless somebody opts out, here by INFO, too.
mkdir "$TMP/policy" && python3 "$SRC/tests/truth.py" policy "$TMP/policy" attested || fail "the policy"
sed -e '/^rule "C"/,/^}/ s/\t\tbasis interest/&\n\t\tdtmf rfc4733 info/' "$TMP/policy/truth.policy" >"$TMP/policy/demo.policy" &&
	rm "$TMP/policy/truth.policy"
# A day draws by a seed whose hash was published before it began: the store saw a call the day before.
echo 'seed from=+4520304050 to=+4570102005 bye=3000' >"$TMP/seed"
"$BUILD/tests/gen/gencap" --script "$TMP/seed" --start "$(date -d '-1 day' +%s)" "$TMP/seed.pcap" || fail gencap
"$O" init --store "$TMP/s" --keys "$TMP/k" >/dev/null 2>&1 || fail init
"$O" replay --store "$TMP/s" --policy "$TMP/policy/demo.policy" "$TMP/seed.pcap" >"$TMP/out" 2>&1 || fail "$(cat "$TMP/out")"
load_up && load_conf 'ring 4 MiB' 'signalling-ring 64 KiB' || fail "no network"
load_daemon || fail "optagd does not start"

training() { "$O" call list --control "$TMP/control" --json 2>/dev/null | jq -rs "map(select(.training == \"$1\")) | length"; }
until_training() { # STATE N
	local n
	for _ in $(seq 400); do
		n=$(training "$1")
		[ "$n" = "$2" ] && return 0
		sleep 0.05
	done
	fail "calls that are $1: $n, not $2: $("$O" call list --control "$TMP/control" --json)"
}
lost() { load_status /dev/stdout | jq .losses.signalling_ring; }
talk() { # SEED: 5 calls that wait for the end of their window and are granted then
	load_begin "$TMP/sent$1" --kind 'whole:1:+4520######:+4570102006' --calls 5 --total 5 --rate 50 --hold 120 --duration 60 --first-rtp 300 --seed "$1"
}
flood() { load_in "$L" --packet --interface tx0 --kind 'none:1:+4520######:+4533######' --calls 1000 --total 1000 --rate 1000 --hold 1 --duration 2 --net 3 --seed 9 >"$TMP/flood" 2>&1; }
over() {
	kill "${load_pids[@]}" 2>/dev/null
	load_wait
}

talk 1
until_training GRANTED 5
load_stop TERM && load_daemon || fail "no restart"
until_training GRANTED 5
[ "$(lost)" = 0 ] || fail "a restart loses signalling"
load_stop TERM || fail "optagd's status"
flood
load_daemon || fail "no second restart"
[ "$(lost)" -gt 0 ] || fail "nothing was lost: $(cat "$TMP/flood")"
until_training GRANTED 0
over
for _ in $(seq 200); do
	"$O" find --store "$TMP/s" --json | jq -r 'select(.rule == "C") | .reasons.training' >"$TMP/reasons"
	[ "$(wc -l <"$TMP/reasons")" = 5 ] && break
	load_stop INT && load_daemon || fail "optagd does not end"
done
[ "$(sort "$TMP/reasons" | uniq -c | tr -s ' ')" = ' 5 optout.uncertain' ] || fail "reasons: $(sort "$TMP/reasons" | uniq -c)"

# Seen by the daemon before, and nothing new.
load_stop TERM && flood && load_daemon || fail "no third restart"
talk 2
until_training GRANTED 5
before=$(lost)
load_stop TERM && load_daemon || fail "no fourth restart"
[ "$(lost)" = "$before" ] || fail "a restart loses signalling"
sleep 1
[ "$(training GRANTED)" = 5 ] || fail "what was seen is seen again"
over
load_stop || fail "optagd's status"
exit 0
