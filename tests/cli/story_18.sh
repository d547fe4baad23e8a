#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 18, hold: given a hold for dispute D, when the deadline passes, then the call stays; when two persons release the
# hold, then it is erased at once; training was never prolonged. The day's keys are destroyed as a reaper destroys them.
. "$SRC/tests/cli/common"
need jq
need setpriv
[ "$(id -u)" = 0 ] || { echo "SKIP: only root can be several persons"; exit 77; }
cd "$TMP" || exit 1
O="$BIN/optag"
held="$BUILD/tests/gen/mkheld"
run 0 "$O" init --store s --keys k
run 0 "$held" s one:89:1:1 two:89:1:1 three:89:1:1
cp out ids
id() { awk -v n="$1" '$1 == n { print $2 }' ids; }
opens() { # STATUS PURPOSE CALL
	rm -f o.caller o.callee
	run "$1" "$O" export --store s --keys k --purpose "$2" --call "$(id "$3")" --format payload -o o
	[ "$1" != 0 ] || [ "$(cat o.caller o.callee | wc -c)" = 32000 ] || fail "$3: not all of the audio"
}
keys() { # the wraps, hex: of all files below keys/
	cat s/keys/acme/"$1"/* 2>/dev/null | od -An -v -tx1 | tr -d ' \n'
}
opens 0 documentation one
cp o.caller before
wrap=$(od -An -v -tx1 -j $((256 + 64)) -N 144 s/keys/acme/documentation/*.slots | tr -d ' \n')
key=$(od -An -v -tx1 -j 40 -N 32 s/keys/acme/documentation/*.bucket | tr -d ' \n')
keys documentation | grep -q "$wrap" || fail "the wrap is not where it should be"
# a lawyer asks for one call of the three
run 0 "$O" hold add --store s --reason "dispute D" --reference D --review "$(date -u -d '+1 month' +%F)" "$(id one)"
# the deadline passes
run 0 "$held" s destroy:documentation:1 destroy:training:1
keys documentation | grep -q "$key" && fail "the day's key is still there"
opens 0 documentation one
cmp before o.caller || fail "the audio is another"
for call in one two three; do opens 1 training "$call"; done # a hold never prolongs training
opens 1 documentation two
opens 1 documentation three
run 0 "$O" find --store s --json
[ "$(jq -r 'select(.held) | .call' out)" = "$(id one)" ] || fail "find"
copy=$(tail -c 256 s/keys/acme/documentation/hold.slots | od -An -v -tx1 -j 208 -N 32 | tr -d ' \n')
# two persons end it; one alone, or the same twice, cannot. The store's user is root here.
as() { run "$2" setpriv --ruid "$1" --euid 0 "$O" hold "${@:3}"; }
as 1501 0 release --store s --reason "D is settled" "$(id one)"
as 1501 1 release --store s --reason "D is settled" "$(id one)"
opens 0 documentation one
as 1502 0 release --store s --reason "D is settled" "$(id one)"
has out 'its key is destroyed'
opens 1 documentation one
keys documentation | grep -q "$wrap" && fail "the wrap is still there"
for hex in "$key" "$copy"; do
	cat $(find s -type f) | od -An -v -tx1 | tr -d ' \n' | grep -q "$hex" && fail "a key is still there"
done
run 0 "$O" hold list --store s
[ -s out ] && fail "it is still on hold"
tail -n +2 -q s/outbox/* | jq -r .event >events
[ "$(tr '\n' ' ' <events)" = "play hold.set play play hold.release key.destroy " ] || fail "evidence: $(cat events)"
run 0 "$O" fsck --store s
