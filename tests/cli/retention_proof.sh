#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# What a shorter retention erases is proven as any other end of a call: log, sums, certificates by the third party's program, fsck and
# inventory agree, calls on hold stay, a second run does nothing; so it is when the reaper is killed in the middle of it.
. "$SRC/tests/cli/common"
. "$SRC/tests/cli/lib-policydaemon.sh"
need jq
need python3
O="$BIN/optag"
store="$TMP/s" live="$TMP/p.policy"
both() { # RETENTION: documentation and training of 3 months, or shorter
	cat >"$live" <<END
controller c { timezone UTC numbers @own languages en roles coach }
trunk pbx { address 10.90.0.0/16; country +45; national-digits 8; agent-header X-Agent }
set own numbers { +45 7010 30* }
announcement n { language en link https://c.example/calls elements rec doc train object withdraw link access text "x" }
assessment a { kind training-amount scope @own date 2026-01-01 review $(date -u -d '+8 months' +%F) author "Head" approver "Compliance" outcome "what coaches hear" }
assessment d { kind documentation scope @own review $(date -u -d '+8 months' +%F) no-other-way "n"
 factor 1 relied-on "a"
 factor 2 relied-on "a"
 factor 3 relied-on "a"
 factor 4 relied-on "a"
 factor 5 relied-on "a"
 factor 6 relied-on "a"
}
rule "sales" { controller c side called called @own owner "Head of Sales" review $(date -u -d '+8 months' +%F)
 notice n notice-proof attested min-length 2 s
 documentation { basis interest assessment d retention $1 }
 training { basis consent assessment a consent-source header X-Consent = yes sample 50% cap 1000 per day
  spread first-come use-within 25 days retention $1 }
 roles training coach }
END
}
both '3 months'
run 0 "$O" init --store "$store" --keys "$TMP/k"
at=$(date -u -d '40 days ago 12:00' +%s)
sed -i 's/use-within 25/use-within 80/' "$live"
cp "$live" "$TMP/three"
python3 "$SRC/tests/gen/agentcalls.py" "$TMP/c.pcap" "$at" A:24 || fail "agentcalls"
"$O" replay --store "$store" --policy "$live" "$TMP/c.pcap" >"$TMP/out" 2>"$TMP/err" || fail "replay: $(cat "$TMP/err")"
cp "$store/evidence/root.pub" "$TMP/published.pub"
states() { "$O" find --store "$store" --json | jq -r '[.call, .documentation, .training] | @tsv' | sort >"$1"; }
states "$TMP/was"
n=$(awk -F'\t' '($2 == "GRANTED") + ($3 == "GRANTED")' "$TMP/was" | wc -l)
purposes=$(awk -F'\t' '{ n += ($2 == "GRANTED") + ($3 == "GRANTED") } END { print n }' "$TMP/was")
[ "$n" = 24 ] && [ "$purposes" -gt 26 ] || fail "calls: $n, purposes: $purposes"
one=$(awk -F'\t' '$2 == "GRANTED" && $3 == "GRANTED" { print $1; exit }' "$TMP/was")
kept=$(awk -F'\t' '$2 == "GRANTED" && $3 == "GRANTED" { print $1 }' "$TMP/was" | tail -1)
run 0 "$O" hold add --store "$store" --reason "dispute" --reference D-1 --review "$(date -u -d '+1 month' +%F)" "$kept"
start
wait_for 2 grep -c '"before":0,.*training\|"before":0,.*documentation' "$store/retention"
sed 's/retention 3 months/retention 30 days/g; s/use-within 80/use-within 25/' "$TMP/three" >"$live"
P 0 apply --yes --reason r --effective 0s "$live"
retained() { grep -c '"span":30,' "$store/retention"; }
wait_for 2 retained
ended
reap() { run 0 "$O" reap --store "$store" --json "$@"; }
audits() { # DAY to sign by
	run 0 "$BUILD/tests/gen/mkevidence" "$store" sign "$1"
	run 0 "$O" audit verify --store "$store"
	run 0 "$O" audit sums --store "$store"
	run 0 "$O" fsck --store "$store"
	run 0 "$O" report inventory --store "$store" --json
	jq -es 'all(.[]; (.overdue // 0) == 0)' "$TMP/out" >/dev/null || fail "overdue: $(cat "$TMP/out")"
	run 0 "$O" export --store "$store" --keys "$TMP/k" --purpose documentation --call "$kept" --format payload -o "$TMP/held"
	rm -f "$TMP"/held.*
	states "$TMP/now"
	awk -F'\t' '$2 == "GRANTED" { print $1 } $3 == "GRANTED" { print "training of", $1 }' "$TMP/now" >"$TMP/left"
	[ "$(cat "$TMP/left")" = "$kept" ] || fail "left: $(cat "$TMP/left")"
	for id in "$one" "$(tail -1 "$TMP/was" | cut -f1)"; do
		[ "$id" != "$kept" ] || continue
		run 0 "$O" audit certificate --store "$store" "$id" -o "$TMP/cert"
		run 0 python3 "$SRC/tests/verify_certificate.py" "$TMP/cert" "$TMP/published.pub" "$id"
		grep -q 'not proven' "$TMP/out" && fail "$(cat "$TMP/out")"
		rm -f "$TMP/cert"
	done
	run 1 "$O" audit certificate --store "$store" "$kept"
	reap
	[ "$(jq -rs 'map(select(.did == "call")) | length' "$TMP/out")" = 0 ] || fail "again: $(cat "$TMP/out")"
}
cp -a "$store" "$TMP/before"
day() { date -u -d "$1 days" +%Y-%m-%dT10:00:00Z; }

reap
[ "$(jq -rs 'map(select(.did == "call" and .reason == "retention")) | length' "$TMP/out")" = $((purposes - 1)) ] || fail "erased: $(cat "$TMP/out")"
audits "$(day 1)"
run 0 "$O" audit show --store "$store" --json --event key.destroy
[ "$(jq -rs 'map(select(.reason == "retention")) | length' "$TMP/out")" = $((purposes - 1)) ] || fail "events"

# killed in the middle of it: by then some are erased and some are not, more often than not
half=0
for i in $(seq 12); do
	rm -rf "$store"
	cp -a "$TMP/before" "$store"
	"$O-reap" --store "$store" --quiet &
	p=$!
	sleep "0.0$(printf '%02d' $((i * 4)))"
	kill -9 $p 2>/dev/null
	wait $p 2>/dev/null
	run 0 "$O" fsck --store "$store"
	[ -s "$store/erase" ] && half=$((half + 1))
	reap
done
echo "killed behind the first request: $half of 12" >&2
audits "$(day 1)"
exit 0
