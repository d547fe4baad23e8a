#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The policy changes while real calls run: a number joins a no-record set, a policy with a never rule and a shorter
# retention is put in force, another loosens. Calls in progress only lose, the daemon never stops, and the store shows
# what each call was decided by. (Without XDP, so it runs where that cannot.)
set -u
# shellcheck source=tests/netns/lib-live.sh
. "$SRC/tests/netns/lib-live.sh"
live_need jq
c="$TMP/control" live="$TMP/policy/demo.policy"

soon=$(date -u -d '+180 days' +%F)
mkdir -p "$TMP/policy"
cp "$SRC"/tools/demo/* "$TMP/policy/"
sed -e '/^\tlab yes/d' -e "s/review 20[0-9-]*/review $soon/" -e 's/^set no-record numbers/set no-record dynamic numbers/' \
	"$SRC/tools/demo/demo.policy" >"$live"
"$O" init --store "$s" --keys "$k" >/dev/null 2>&1 || fail init
cat >"$TMP/optagd.conf" <<C
interface span1 { mirror yes; xdp none }
store "$s"
policy "$live"
control { socket "$c" }
user root
group root
C
sipp_mirror=1
sipp_up "$TMP/sipp" "$TMP/calls.pcap" || fail "no network"
live_start
first=$("$O" policy status --control "$c" --json | jq -r .hash)
[ -f "$s/policies/$first.policy" ] || fail "the policy in force is not in the store"

# (their sound is made before: the three are to talk at the same time)
for w in demo-congrats basic-pbx-ivr-main vm-options demo-moreinfo demo-instruct demo-thanks; do sipp_audio $w.wav PCMA >/dev/null || fail sox; done
sipp_call stays +4520304050 +4570102001 PCMA 20000 demo-congrats.wav basic-pbx-ivr-main.wav || fail "call 1"
sipp_call set +4520304051 70102002 PCMA 20000 vm-options.wav demo-moreinfo.wav || fail "call 2"
sipp_call never +4520304052 +4570102003 PCMA 20000 demo-instruct.wav demo-thanks.wav || fail "call 3"
for _ in $(seq 300); do [ "$("$O" status --socket "$c" --json | jq .calls.answered)" = 3 ] && break; sleep 0.1; done
sleep 4 # something was said
"$O" set add --control "$c" no-record +4520304051 --for 1h || fail "set add"
sed -i -e 's/retention 3 months/retention 10 days/' -e 's/^\tcalling @no-record/\tcalling @no-record, +45 2030 4052/' "$live"
"$O" policy apply --yes --reason test --control "$c" "$live" >"$TMP/out" 2>"$TMP/err" || fail "apply: $(cat "$TMP/err")"
grep -q '^1 tighten, 1 shorten, 0 loosen, 0 neutral' "$TMP/out" || fail "apply said: $(cat "$TMP/out")"
grep -q '^Calls in progress: 2 of 3 tightened, 1 purpose ended' "$TMP/out" || fail "apply said: $(cat "$TMP/out")"
second=$("$O" policy status --control "$c" --json | jq -r .hash)
sipp_call barred +4520304051 +4570102001 PCMA 2500 demo-echotest.wav demo-nogo.wav || fail "call 4"
sipp_call new +4520304053 +4570102001 PCMA 2500 demo-echotest.wav demo-nogo.wav || fail "call 5"
for _ in $(seq 100); do [ "$("$O" status --socket "$c" --json | jq .calls.matched)" = 4 ] && break; sleep 0.1; done
# longer and without the never again: not for those that run
sed -i -e 's/retention 10 days/retention 20 days/' -e 's/, +45 2030 4052//' "$live"
"$O" policy apply --yes --reason test --control "$c" "$live" >"$TMP/out" 2>"$TMP/err" || fail "apply: $(cat "$TMP/err")"
grep -q '^0 tighten, 0 shorten, 2 loosen, 0 neutral' "$TMP/out" || fail "apply said: $(cat "$TMP/out")"
[ "$("$O" policy status --control "$c" --json | jq .drift)" = false ] || fail "drift"
sipp_wait || fail "a call went wrong"
for _ in $(seq 300); do
	[ "$("$O" policy status --control "$c" --json | jq .older_policies)" = 0 ] && break
	sleep 0.1
done
[ "$("$O" policy status --control "$c" --json | jq .older_policies)" = 0 ] || fail "old policies are not let go"
# Who changes sets all the time does not fill the log.
said() { grep -c 'set\.add: ' "$TMP/optagd.err"; }
[ "$(said)" = 1 ] || fail "the log does not have the change of a set"
begun=$SECONDS
for n in $(seq 30); do "$O" set add --control "$c" no-record "+45990000$((n + 10))" --for 1h || fail "set add $n"; done
[ "$("$O" set list --control "$c" no-record --json | wc -l)" -ge 30 ] || fail "not all are in the set"
n=$(said)
[ "$n" -gt 1 ] && [ "$n" -le $((3 + (SECONDS - begun) / 10)) ] || fail "$((n - 1)) lines of 30 changes in $((SECONDS - begun)) s"
# settings that SIGHUP takes: no line below the level, then again one
lines=$(wc -l <"$TMP/optagd.err")
echo 'log-level error' >>"$TMP/optagd.conf"
kill -HUP $daemon
sleep 1
[ "$(wc -l <"$TMP/optagd.err")" = "$lines" ] || fail "log-level error is not in force after SIGHUP"
sed -i 's/^log-level error/log-level info/' "$TMP/optagd.conf"
kill -HUP $daemon
for _ in $(seq 600); do tail -n +$((lines + 1)) "$TMP/optagd.err" | grep -q 'in force already' && break; sleep 0.05; done
tail -n +$((lines + 1)) "$TMP/optagd.err" | grep -q 'in force already' || fail "log-level info is not in force after SIGHUP"
kill -INT $daemon
wait $daemon || fail "optagd's status $?"
daemon=''

"$O" find --store "$s" --json >"$TMP/rows" || fail find
row() { jq -c --arg n "-$1@" 'select(.sip_call_id | contains($n))' "$TMP/rows"; }
[ "$(wc -l <"$TMP/rows")" = 4 ] || fail "not 4 rows: $(cat "$TMP/rows")"
[ -z "$(row 4)" ] || fail "a call from a number of the set: $(row 4)"
for n in 1 2 3; do
	row $n | jq -e --arg h "$first" '.outcome == "kept" and .end == "bye" and .policy_hash == $h' >/dev/null || fail "call $n: $(row $n)"
done
days() { row "$1" | jq '(((.documentation_until | sub("\\..*Z"; "Z") | fromdate) - (.start | sub("\\..*Z"; "Z") | fromdate)) / 86400 | floor)'; }
# to the start of the day, so up to one less; of call 3, too, whose rule did not match it any more when that was 10 days: by then it is a stored call of it
for n in 1:10 3:10 5:10; do
	d=$(days ${n%:*})
	[ "$d" -ge $((${n#*:} - 1)) ] && [ "$d" -le ${n#*:} ] || fail "call ${n%:*} goes after $d days"
done
row 5 | jq -e --arg h "$second" '.policy_hash == $h' >/dev/null || fail "call 5: $(row 5)"
row 1 | jq -e '(.reasons.documentation // "") == "" and ([.legs[].audio_ms] | min) > 19000' >/dev/null || fail "call 1: $(row 1)"
for n in 2 3; do
	row $n | jq -e '.reasons.documentation == "policy.tightened" and ([.legs[].audio_ms] | min) > 1000 and ([.legs[].audio_ms] | max) < 17000 and ([.legs[].blocked] | min) > 50' >/dev/null || fail "call $n: $(row $n)"
done
"$O" export --store "$s" --keys "$k" --purpose documentation --call "$(row 3 | jq -r .call)" --format wav -o "$TMP/x.wav" >/dev/null 2>"$TMP/err" || fail "export: $(cat "$TMP/err")"
grep -qE '203040|701020' "$TMP/optagd.err" && fail "a number in the log"
"$O" fsck --store "$s" >/dev/null || fail fsck
# log, rule and catalog agree on each, and what the policy at the end would have made of them is known
for n in 1 2 3 5; do
	"$O" why --store "$s" --json "$(row $n | jq -r .call)" >"$TMP/why" 2>"$TMP/err" || fail "why $n: $(cat "$TMP/err")"
	jq -e '.calculated_again and .disagreements == []' "$TMP/why" >/dev/null || fail "why $n: $(jq -c '[.calculated_again,.disagreements]' "$TMP/why")"
done
"$O" policy simulate --store "$s" --policy "$live" --keys "$k" --json >"$TMP/sim" 2>"$TMP/err" || fail "simulate: $(cat "$TMP/err")"
tail -n 1 "$TMP/sim" | jq -e '.calls == 4 and .compared == 4' >/dev/null || fail "simulate: $(tail -n 1 "$TMP/sim")"
exit 0
