#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 46, the daemon's part: given SMS mode, when the gateway reports no delivery in time (10 minutes if the rule does not say), then the call is
# listed to compliance: also when it is long over, and when the daemon ended meanwhile. (The linter's part: cli/story_46_lint.)
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
for p in jq curl; do command -v $p >/dev/null || { echo "SKIP: $p is not installed"; exit 77; }; done
c="$TMP/control"

load_up && load_store && load_conf 'metrics 127.0.0.1:9464' || fail "no network or store"
# shellcheck disable=SC2154
ip -n "$load_ns" link set lo up
sms() { # the claims line says so
	sed -i -e '/^	sms /d' -e "/^rule \"claims\"/,/^}/ s/notice-proof attested/notice-proof attested\n\tsms rest-of-it $1/" "$TMP/policy/demo.policy"
	"$O" policy check "$TMP/policy/demo.policy" >"$TMP/check" 2>&1
	[ $? -lt 2 ] || fail "policy: $(cat "$TMP/check")"
}
sms 'timeout 15 s' # two of four are told before
load_daemon || fail "optagd does not start"
say() { # STATUS ARGUMENTS...
	local want=$1
	shift
	"$O" call "$@" --control "$c" >"$TMP/out" 2>"$TMP/err"
	[ $? = "$want" ] || fail "call $*: not $want: $(cat "$TMP/out" "$TMP/err")"
}
has() { grep -Eq -- "$2" "$TMP/$1" || fail "$1 lacks /$2/: $(cat "$TMP/$1")"; }
answered() { "$O" call list --rule claims --json --control "$c" | jq -r 'select(.state == "answered") | .call'; }
listed() { # the calls that compliance sees, by state
	"$O" audit sms --store "$TMP/s" --json "$@" >"$TMP/sms"
	[ $? -lt 2 ] || fail "audit sms"
	jq -r '.state + " " + .call' "$TMP/sms" | sort
}
load_begin "$TMP/load" --kind 'kept:1:+4520######:+45701020##' --calls 4 --rate 100 --duration 3
for _ in $(seq 600); do
	mapfile -t call < <(answered)
	[ ${#call[@]} = 4 ] && break
	sleep 0.05
done
[ ${#call[@]} = 4 ] || fail "not 4 calls: ${call[*]}"

# ---- one arrives in time, one the gateway cannot deliver; while the call goes on, and when it is over ----
say 0 sms-delivered "${call[0]}"
has out "^${call[0]}: noted$"
say 1 sms-delivered "${call[0]}"
has err 'no receipt is waited for'
say 2 sms-delivered "${call[1]}" --purpose training
say 1 sms-failed 00000000000000000000000000
[ -z "$(listed)" ] || fail "listed too early: $(listed)"
load_wait || fail "optag-load"
for _ in $(seq 600); do [ -z "$(answered)" ] && break; sleep 0.05; done
say 0 sms-failed "${call[1]}"
# ---- of two nothing is heard ----
for _ in $(seq 600); do [ "$(listed | grep -c '^timeout')" = 2 ] && break; sleep 0.05; done
[ "$(listed)" = "$(printf '%s\n' "failed ${call[1]}" "timeout ${call[2]}" "timeout ${call[3]}" | sort)" ] || fail "listed: $(listed)"
jq -se 'all(.[]; .rule == "claims" and .told != null and .until > .answered)' "$TMP/sms" >/dev/null || fail "$(cat "$TMP/sms")"
grep -q 'notice: 2 messages .* were not delivered in time' "$TMP/optagd.err" || grep -c 'notice: 1 messages' "$TMP/optagd.err" | grep -q 2 || fail "no alarm: $(cat "$TMP/optagd.err")"
load_status "$TMP/status" && jq -e '.alarms.sms_undelivered == 2' "$TMP/status" >/dev/null || fail "status: $(jq -c .alarms "$TMP/status")"
"$O" status --socket "$c" | grep -q '^ALARM      messages with the rest of the announcement .*: 2 (optag audit sms)$' || fail "status in words"
load_in curl -sf http://127.0.0.1:9464/metrics | grep -qx 'optag_sms_undelivered_total 2' || fail "the metrics page"
say 1 sms-delivered "${call[2]}" # it is too late to say so
"$O" audit sms --store "$TMP/s" >"$TMP/text"
[ $? = 1 ] && grep -q "^${call[1]}  .*  failed     claims$" "$TMP/text" || fail "text: $(cat "$TMP/text")"
[ "$(listed --all | wc -l)" = 4 ] || fail "all: $(listed --all)"

# ---- a daemon that ends while a receipt is waited for; without a time in the rule it is ten minutes ----
load_stop || fail "optagd's status $?"
sms ''
load_daemon || fail "optagd does not start again"
load_calls "$TMP/load2" --kind 'kept:1:+4520######:+45701020##' --calls 1 --rate 100 --duration 2
for _ in $(seq 600); do [ "$(listed --all | grep -c '^awaited')" = 1 ] && break; sleep 0.05; done
last=$(listed --all | sed -n 's/^awaited //p')
[ "$(jq -r --arg c "$last" 'select(.call == $c) | (.until | sub("\\.[0-9]+Z$"; "Z") | fromdate) - (.answered | sub("\\.[0-9]+Z$"; "Z") | fromdate)' "$TMP/sms")" = 600 ] ||
	fail "not ten minutes: $(cat "$TMP/sms")"
load_stop || fail "optagd's status $?"
load_daemon || fail "optagd does not start a third time"
for _ in $(seq 600); do "$O" call sms-delivered "$last" --control "$c" >/dev/null 2>&1 && break; sleep 0.05; done
for _ in $(seq 600); do listed --all | grep -q "^delivered $last" && break; sleep 0.05; done
listed --all | grep -q "^delivered $last" || fail "the next process does not know of it: $(listed --all)"
load_stop || fail "optagd's status $?"
"$O" audit verify --store "$TMP/s" >/dev/null || fail "the log does not verify"
grep -qE '\+?45[0-9]{8}|20[0-9]{6}' <(grep notice.sms "$TMP"/s/evidence/*.log | sed 's/"\(time\|prev\|call\|policy\)":"[^"]*"//g; s/"until_s":[0-9]*//; s/^[^{]*//; s/"seq":[0-9]*//') && fail "a number is in the log"
exit 0
