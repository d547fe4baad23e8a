#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# optag hold killed at random moments, several at once: what was confirmed is so, what is on hold opens when its day is gone,
# and nothing that was released does.
. "$SRC/tests/cli/common" || exit 1
need jq
need setpriv
[ "$(id -u)" = 0 ] || { echo "SKIP: only root can be several persons"; exit 77; }
cd "$TMP" || exit 1
O="$BIN/optag-hold"
held="$BUILD/tests/gen/mkheld"
rounds=${HOLD_KILLS:-40}
run 0 "$BIN/optag" init --store s --keys k
words=$(for i in $(seq 30); do echo "c$i:89:1:0"; done)
# shellcheck disable=SC2086
run 0 "$held" s $words
mapfile -t ids < <(cut -d' ' -f2 out)
review=$(date -u -d '+1 month' +%F)
pause() { sleep "0.0$(printf '%02d' $((RANDOM % 40)))"; }
: >confirmed
# every call is put on hold by somebody, killed now and then, beside another one
for _ in $(seq "$rounds"); do
	mapfile -t some < <(printf '%s\n' "${ids[@]:0:20}" | shuf -n 12)
	"$O" add --store s --reason "killed" --reference D --review "$review" "${some[@]}" >o1 2>&1 &
	a=$!
	"$O" add --store s --reason "too" --reference D --review "$review" "${some[@]:4}" >o2 2>&1 &
	b=$!
	pause
	kill -9 $a 2>/dev/null
	pause
	kill -9 $b 2>/dev/null
	wait $a $b 2>/dev/null # and says so of each on stderr
	cat o1 o2 >>confirmed
done
grep -v 'on hold' confirmed && fail "refused"
run 0 "$O" list --store s --json
jq -r .call out | sort >listed
sed -n 's/^\([0-9A-Z]\{26\}\): .*on hold.*/\1/p' confirmed | sort -u >told
[ -s told ] || fail "nothing was confirmed: too slow a machine"
[ -z "$(comm -13 listed told)" ] || fail "confirmed, and not on hold"
# some are released, by two persons who are killed as well (exec: the program is killed, not a shell that leaves it running)
as() { exec setpriv --ruid "$1" --euid 0 "$O" release --store s --reason "over" "$2" >>released 2>&1; }
: >released
for _ in $(seq "$rounds"); do
	id=$(head -8 listed | shuf -n 1)
	as $((1501 + RANDOM % 2)) "$id" &
	a=$!
	pause
	kill -9 $a 2>/dev/null
	wait $a 2>/dev/null
done
run 0 "$O" list --store s --json
jq -r .call out | sort >left
# the day goes; whoever changes something next makes good what is half done
"$O" release --store s --cancel "${ids[29]}" >out 2>&1
run 0 "$held" s destroy:documentation:1
run 0 "$BIN/optag" fsck --store s
while read -r id; do
	rm -f o.*
	run 0 "$BIN/optag" export --store s --keys k --purpose documentation --call "$id" --format payload -o o
done <left
for id in "${ids[@]}"; do
	grep -q "$id" left && continue
	rm -f o.*
	run 1 "$BIN/optag" export --store s --keys k --purpose documentation --call "$id" --format payload -o o
done
[ "$(jq .held < <("$BIN/optag" fsck --store s --json))" = "$(wc -l <left)" ] || fail "keys of calls that are not on hold"
exit 0
