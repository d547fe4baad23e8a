#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 17, training ends first: given documentation retention 6 months and training 3, when month 3 passes, then trainers get
# "expired" and documentation staff can still play the same call.
. "$SRC/tests/cli/common"
need jq
cd "$TMP" || exit 1
O="$BIN/optag"
run 0 "$O" init --store s --keys k
run 0 "$BUILD/tests/gen/mkheld" s both:0:180:90
id=$(awk '{ print $2 }' out)
at() { date -u -d "$1" +%FT%TZ; }
play() { rm -f o.caller o.callee; run "$1" "$O" export --store s --keys k --purpose "$2" --call "$id" --format payload -o o; }
play 0 training
play 0 documentation
cp o.caller before
run 0 "$O" reap --store s --now "$(at '+91 days')"
has out '^1 call destroyed, 0 late|^1 call destroyed, 1 late'
run 0 "$O" find --store s --json
[ "$(jq -r '[.documentation, .training] | join(" ")' out)" = "GRANTED EXPIRED" ] || fail "find: $(cat out)"
play 1 training
has err 'expired|EXPIRED'
one_line err
[ -e o.caller ] && fail "something was written"
play 0 documentation
cmp o.caller before || fail "the audio is another"
run 0 "$O" find --store s --state EXPIRED --json
[ "$(jq -r .call out)" = "$id" ] || fail "find by state"
run 0 "$O" fsck --store s
run 0 "$O" reap --store s --now "$(at '+181 days')"
play 1 documentation
run 0 "$O" fsck --store s
exit 0
