#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 35, loosen later: given calls stored and in progress, when the retention goes from 3 to 6 months with a second
# person's approval, only calls that start afterwards get 6 months. Without the approval nothing changes.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
command -v setpriv >/dev/null || { echo "SKIP: setpriv is not installed"; exit 77; }
c="$TMP/control" live="$TMP/policy/demo.policy"
load_up && load_store || fail "no network or store"
"$O" policy approver-key --name nobody "$TMP/key" >/dev/null || fail "approver-key"
load_conf "approval { required loosening; approver nobody \"$TMP/key.pub\" }" || fail conf
sed -i "s|^control .*|control { socket \"$c\"; group games }|" "$TMP/optagd.conf"
chmod 755 "$TMP" "$TMP/.."
chmod 644 "$TMP"/policy/*
"$BIN/optagd" -n -c "$TMP/optagd.conf" 2>"$TMP/err" || fail "optagd -n: $(cat "$TMP/err")"
load_daemon || fail "optagd does not start"
ops() { setpriv --reuid 1501 --regid 60 --clear-groups "$O" "$@"; } # the second person is root here
two() { # both persons: what the files hold comes in force
	ops policy propose --reason "$1" --control "$c" "$live" >"$TMP/out" 2>&1 || fail "propose: $(cat "$TMP/out")"
	"$O" policy approve "$("$O" policy fmt "$live" | b2sum -l 256 | cut -c1-12)" --key "$TMP/key" --yes --control "$c" >"$TMP/out" 2>&1 || fail "approve: $(cat "$TMP/out")"
	"$O" policy apply --yes --reason "$1" --control "$c" "$live" >"$TMP/out" 2>&1 || fail "apply: $(cat "$TMP/out")"
}
two "first policy"
kept() { jq '.kept' "$TMP/status"; }
load_calls "$TMP/stored" --kind 'kept:1:+4520######:+45701020##' --calls 5 --rate 100 --duration 3 || fail "optag-load"
load_begin "$TMP/running" --kind 'kept:1:+4521######:+45701020##' --calls 5 --rate 100 --duration 12 --seed 2
for _ in $(seq 600); do [ "$("$O" call list --json --control "$c" | jq -s '[.[] | select(.recording and .age > 0.5 and .state == "answered")] | length')" = 5 ] && break; sleep 0.05; done
sed -i -e 's/retention 3 months/retention 6 months\n\t\tretention-reason "complaints come late"/' "$live"
sed -i "/^assessment claims-2026/i assessment late { kind retention; scope @nordlys-numbers; date 2026-06-01; review $(date -u -d '+180 days' +%F); author \"Legal\"; approver \"Compliance\"; outcome \"six months\" }" "$live"
sed -i 's/"complaints come late"/"complaints come late" assessment late/' "$live"
"$O" policy check "$live" >"$TMP/check" 2>&1
[ $? -lt 2 ] || fail "policy: $(cat "$TMP/check")"
"$O" policy apply --yes --reason "complaints come late" --control "$c" "$live" >"$TMP/out" 2>&1 && fail "loosened without approval"
grep -q 'loosen.*nobody approved it.*demo.policy:[0-9]* rule "claims", documentation retention' "$TMP/out" || fail "apply said: $(cat "$TMP/out")"
two "complaints come late"
load_calls "$TMP/new" --packet --kind 'kept:1:+4522######:+45701020##' --calls 5 --rate 100 --duration 3 --seed 3 || fail "optag-load"
load_wait || fail "optag-load"
load_settle
load_stop || fail "optagd's status"
"$O" find --store "$TMP/s" --json >"$TMP/rows" || fail find
later() { # DATE MONTHS: the same day of that month, or its last one (date(1) goes over into the next)
	local last day=$((10#${1##*-}))
	last=$(date -u -d "${1%-*}-01 +$(($2 + 1)) months -1 day" +%d)
	date -u -d "${1%-*}-01 +$2 months" "+%Y-%m-$(printf %02d $((day < 10#$last ? day : 10#$last)))"
}
months() { # CALLS of that load: how many months each is kept, as a list
	cut -f1 "$1.truth" | while read -r id; do jq -r --arg id "$id" 'select(.sip_call_id == $id) | "\(.start[0:10]) \(.documentation_until[0:10])"' "$TMP/rows"; done |
		while read -r from to; do
			for m in 3 6; do # the end of the day before, or that day
				for d in 0 1; do [ "$(date -u -d "$(later "$from" $m) -$d days" +%F)" = "$to" ] && echo $m; done
			done
		done | sort -u | tr '\n' ' '
}
[ "$(months "$TMP/stored")" = "3 " ] || fail "stored calls: $(months "$TMP/stored") months"
[ "$(months "$TMP/running")" = "3 " ] || fail "calls in progress: $(months "$TMP/running") months"
[ "$(months "$TMP/new")" = "6 " ] || fail "new calls: $(months "$TMP/new") months"
"$O" audit show --store "$TMP/s" --json >"$TMP/audit" && "$O" audit verify --store "$TMP/s" >/dev/null || fail "audit"
jq -se '(map(select(.event == "policy.change")) | length == 2 and all(.[]; .who == "nobody" and .n.loosen > 0 and .n.uid == 0 and .reason == "apply"))
	and (map(select(.event == "policy.propose")) | length == 2 and all(.[]; .n.uid == 1501))
	and (map(select(.event == "policy.approve")) | length == 2 and all(.[]; .who == "nobody"))' "$TMP/audit" >/dev/null ||
	fail "evidence: $(jq -c 'select(.event | startswith("policy."))' "$TMP/audit")"
exit 0
