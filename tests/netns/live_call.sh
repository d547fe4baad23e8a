#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# optag call list and trace, and what status says of calls and decisions, while calls of all kinds run. No number, address
# or Call-ID is in what they print; when all calls have ended, status has counted each decision as the store's rows have it.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
call() { "$O" call "$@" --control "$TMP/control" 2>"$TMP/err"; }

load_ready 'ring 64 MiB'
call list >"$TMP/none" && [ ! -s "$TMP/none" ] || fail "calls before there are any"
load_begin "$TMP/sent" "${load_kinds[@]}" --calls 150 --rate 150 --duration 12 --first-rtp 300
load_answered 111
for _ in $(seq 100); do # all are there, and something was said in each
	call list --limit 1000 --json >"$TMP/list" || fail "list: $(cat "$TMP/err")"
	jq -s -e 'length > 110 and all(.state == "answered" and .age > 1) and all(.rule != "claims" or (.legs | all(.kept > 0)))' "$TMP/list" >/dev/null && break
	sleep 0.05
done
jq -s -e 'length > 110 and all(.state == "answered" and (.legs | length == 2)) and all(
	if .rule == "claims" then .documentation == "GRANTED" and .recording and (.legs | all(.verdict == "record" and .kept > 0))
	else (.training == "PENDING" or .training == "DENIED") and (.recording | not) and (.legs | all(.passed == 0 and .kept == 0)) end)' \
	"$TMP/list" >/dev/null || fail "list: $(cat "$TMP/list")"
all=$(wc -l <"$TMP/list") claims=$(grep -c '"rule":"claims"' "$TMP/list")
[ "$(call list --rule claims --limit 3 | wc -l)" = 3 ] && grep -q "$claims calls in all" "$TMP/err" || fail "limit: $(cat "$TMP/err")"
load_status "$TMP/status"
jq -e --argjson a "$all" --argjson c "$claims" '.calls | .answered == $a and .recording == $c and .setup == 0 and .hold == 0' "$TMP/status" >/dev/null ||
	fail "status: $(jq -c .calls "$TMP/status")"
uid=$(jq -r 'select(.rule == "claims") | .call' "$TMP/list" | head -n 1)
timeout 60 "$O" call trace "$uid" --control "$TMP/control" >"$TMP/trace" 2>"$TMP/err" & # until the call ends
trace=$!
load_wait || fail "optag-load: $(cat "$TMP/sent")"
wait $trace || fail "trace: $(cat "$TMP/err")"
for _ in $(seq 100); do # half a second behind its BYE a call ends
	[ "$(call list --limit 1000 --state ending | wc -l)" = 0 ] && break
	sleep 0.1
done
[ "$claims $all" = "$(awk -F'\t' '$2 == "kept" {k++} $2 == "kept" || $2 == "sales" {n++} END {print k, n}' "$TMP/sent.truth")" ] || fail "$claims of $all calls are claims"
for w in 'request  INVITE caller' 'response INVITE 200' 'verdict  caller record' 'verdict  callee record' 'state    documentation GRANTED' \
	'request  BYE' 'end      bye'; do
	grep -qF -- "$w" "$TMP/trace" || fail "trace lacks '$w': $(cat "$TMP/trace")"
done
id=$(awk -F'\t' '$2 == "sales" {print $1; exit}' "$TMP/sent.truth")
call list --state talking 2>"$TMP/err" && fail "a state that there is none of"
grep -q 'expected one of setup, answered, hold, ending, ended' "$TMP/err" || fail "what is said of a wrong state: $(cat "$TMP/err")"
grep -qE 'kept 0|\(\)' "$TMP/trace" && fail "figures of a call that is over and kept: $(cat "$TMP/trace")"
call trace --sip-call-id "$id" --json >"$TMP/sales" || fail "trace of a call that ended: $(cat "$TMP/err")"
tail -n 1 "$TMP/sales" | jq -e '.state == "ended" and .training == "DENIED"' >/dev/null || fail "trace --call-id: $(cat "$TMP/sales")"
[ "$(call list --limit 1000 --state ended | wc -l)" = "$all" ] || fail "ended calls: $(call list --state ended)"
call trace 00000000000000000000000000 --once && fail "a call that does not exist"
grep -q 'no such call' "$TMP/err" || fail "what is said of a call that does not exist: $(cat "$TMP/err")"
call trace --call-id "$(awk -F'\t' '$2 == "none" {print $1; exit}' "$TMP/sent.truth")" --once && fail "a call nobody records is traced"
grep -hoE '\+45[0-9]+|10\.90\.[0-9.]+' "$TMP/list" "$TMP/trace" "$TMP/sales" "$TMP/status" && fail "numbers or addresses are shown"
cut -f1 "$TMP/sent.truth" | grep -qFf - "$TMP/trace" "$TMP/sales" "$TMP/list" "$TMP/optagd.err" && fail "a Call-ID is shown"
call trace && fail "no call at all is one"
call list --limit 0 && fail "a limit of 0"
"$O" call list --control "$TMP/control" --limit 1001 2>/dev/null && fail "a limit of 1001"

load_settle || fail "the counters do not come to rest"
load_status "$TMP/status"
jq -c '.decisions | map(select(.purpose == "documentation" or .purpose == "training")) | map({p: .purpose, s: (.state | ascii_upcase), r: .reason, n: .calls}) | sort' \
	"$TMP/status" >"$TMP/decided"
load_stop || fail "optagd's status"
"$O" find --store "$TMP/s" --json | jq -s -c '[.[] | ({p: "documentation", s: .documentation, r: (.reasons.documentation // "")},
	{p: "training", s: .training, r: (.reasons.training // "")}) | select(.s != "NONE")] | group_by([.p, .s, .r])
	| map(.[0] + {n: length}) | sort' >"$TMP/rows"
cmp -s "$TMP/decided" "$TMP/rows" || fail "status counts $(cat "$TMP/decided"), the rows say $(cat "$TMP/rows")"
exit 0
