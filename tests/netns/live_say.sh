#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# What a telephone system says about calls in progress: each event does to the flow table what the rule says, or is
# refused with a sentence; the evidence log has whose word it was; two groups of their own may say it, and nothing else.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
command -v setpriv >/dev/null || { echo "SKIP: setpriv is not installed"; exit 77; }
c="$TMP/control"

load_up && load_store && load_consent || fail "no network or store"
# claims: pauses and "not needed" by api; sales: a notice and a consent told by api, asked again by the agent
sed -i -e '/^rule "claims"/,/^}/ { s/notice-proof attested/notice-proof api/; s/min-length 2 s/min-length 2 s\n\tpause api/
		s/retention 3 months/retention 3 months\n\t\tnot-needed api/ }' \
	-e '/^rule "sales training"/,/^}/ { s/notice-proof attested/notice-proof api/
		s/consent-key 1/consent-key 1\n\t\tconsent-source api/; s/end+10s/end+10s reopen agent/ }' "$TMP/policy/demo.policy"
"$O" policy check "$TMP/policy/demo.policy" >"$TMP/check" 2>&1
[ $? -lt 2 ] || fail "policy: $(cat "$TMP/check")"
load_conf || fail conf
sed -i "s|^control .*|control { socket \"$c\"; calls-group games; use-group audio }|" "$TMP/optagd.conf"
load_daemon || fail "optagd does not start"
load_begin "$TMP/load" --kind 'kept:1:+4520######:+45701020##' --kind 'sales:1:+4521######:+45701030##' --calls 12 --rate 100 --duration 300

say() { # STATUS ARGUMENTS...
	local want=$1
	shift
	"$O" call "$@" --control "$c" >"$TMP/out" 2>"$TMP/err"
	[ $? = "$want" ] || fail "call $*: not $want: $(cat "$TMP/out" "$TMP/err")"
}
has() { grep -Eq -- "$2" "$TMP/$1" || fail "$1 lacks /$2/: $(cat "$TMP/$1")"; }
list() { "$O" call list --rule "$1" --json --control "$c" | jq -r 'select(.state == "answered") | .call'; }
verdict() { "$O" call trace --once --json --control "$c" "$1" | jq -sr '.[-1].legs | map(.verdict) | unique | join(",")'; }
for _ in $(seq 600); do
	[ "$(list claims | wc -l)" = 6 ] && [ "$(list 'sales training' | wc -l)" = 6 ] && break
	sleep 0.05
done
mapfile -t claim < <(list claims)
mapfile -t sale < <(list 'sales training')
[ ${#claim[@]} = 6 ] && [ ${#sale[@]} = 6 ] || fail "not 6 and 6 calls: $("$O" call list --control "$c")"

# ---- pause and resume: by Call-ID too ----
[ "$(verdict "${claim[0]}")" = record ] || fail "claims are not recorded: $(verdict "${claim[0]}")"
say 0 pause "${claim[0]}" --actor system
has out 'documentation GRANTED, training NONE, paused$'
[ "$(verdict "${claim[0]}")" = block ] || fail "paused and not blocked"
say 1 pause "${claim[0]}"
has err 'paused already'
say 0 resume "${claim[0]}" --json
jq -e '.paused == false and .documentation == "GRANTED"' "$TMP/out" >/dev/null || fail "resume --json: $(cat "$TMP/out")"
[ "$(verdict "${claim[0]}")" = record ] || fail "resumed and not recorded"
say 1 resume "${claim[0]}"
has err 'is not paused'
say 1 resume "${sale[0]}"
has err 'lets nobody end a pause'
# ---- not needed, objections ----
say 0 not-needed "${claim[1]}"
has out 'documentation EXPIRED'
[ "$(verdict "${claim[1]}")" = block ] || fail "not needed and recorded"
say 1 not-needed "${sale[0]}" --purpose documentation
has err 'does not offer it'
say 0 object "${claim[2]}" --grounds "my doctor is beside me"
has out '^The grounds are kept with the call'
has out 'documentation OBJECTED'
say 1 object "${claim[2]}"
say 2 object
say 1 object "${claim[3]}" --grounds "$(printf '%0600d' 0)"
has err 'grounds are up to 500'
say 1 object "${claim[3]}" --purpose training
has err 'does not record for training'
say 1 opt-out "${claim[3]}"
has err 'does not record for training'
say 1 withdraw "${claim[3]}"
has err 'no consent to documentation to take back'
# ---- a notice ----
say 0 notice "${claim[4]}" --notice claims-en --ended
say 1 notice "${claim[4]}"
has err 'proven already'
say 1 notice "${claim[3]}" --notice sales-en
has err 'no announcement of this name'
say 1 notice "${claim[3]}" --start 1h
has err 'in the future'
say 1 notice "${claim[3]}" --start 2s --end 1s
has err 'ends before it begins'
# ---- consent: counts when the notice is proven, then at once; back, and asked again ----
[ "$(verdict "${sale[0]}")" = block,gate ] || fail "sales are not gated: $(verdict "${sale[0]}")"
say 0 consent "${sale[0]}"
has out 'documentation PENDING'
[ "$(verdict "${sale[0]}")" = block,gate ] || fail "a consent before the notice lets audio through"
say 0 notice "${sale[0]}" --notice sales-en
has out 'documentation PENDING' # three seconds after its start the window opens
[ "$(verdict "${sale[0]}")" = block,gate ] || fail "a consent before the window lets audio through"
for _ in $(seq 100); do
	[ "$(verdict "${sale[0]}")" = record ] && break
	sleep 0.1
done
[ "$(verdict "${sale[0]}")" = record ] || fail "consent told and not recorded: $(verdict "${sale[0]}")"
say 1 consent "${sale[0]}"
has err 'nothing changes: documentation is GRANTED'
say 0 withdraw "${sale[0]}"
has out 'documentation WITHDRAWN'
[ "$(verdict "${sale[0]}")" = record ] && fail "withdrawn and recorded"
say 1 consent "${sale[0]}"
has err 'only while the question is open'
say 0 reopen "${sale[0]}"
say 0 consent "${sale[0]}"
has out 'documentation GRANTED'
say 1 reopen "${sale[1]}"
has err 'notice is not proven'
say 1 reopen "${claim[3]}"
has err 'lets nobody ask again'
say 1 consent "${claim[3]}"
has err 'takes no consent to documentation'
# ---- what is no call or no request ----
say 1 pause 00000000000000000000000000
say 1 pause --sip-call-id nobody@nowhere
has err 'no such call'
say 2 pause "${claim[3]}" --sip-call-id x
say 2 pause "${claim[3]}" --actor nobody
# ---- one connection ----
id=$("$O" call list --json --control "$c" --rule claims | jq -r .call | head -1)
{
	echo "{\"event\":\"pause\",\"call\":\"${claim[5]}\",\"id\":1}"
	echo "{\"event\":\"resume\",\"call\":\"${claim[5]}\",\"id\":\"two\",\"actor\":\"system\"}"
	echo
	echo "{\"event\":\"resume\",\"call\":\"${claim[5]}\",\"id\":3}"
	echo 'nonsense'
	echo "{\"do\":\"status\",\"id\":5}"
	echo "{\"event\":\"pause\",\"call\":\"$id\",\"grounds\":\"x\"}"
} | "$O" call - --control "$c" >"$TMP/out" 2>"$TMP/err" && fail "a batch with refusals ends with 0"
jq -sce 'length == 6 and map(.ok) == [true,true,false,false,false,false] and map(.id) == [1,"two",3,null,5,null]
	and .[2].errno == "EALREADY" and .[0].paused' "$TMP/out" >/dev/null || fail "batch: $(cat "$TMP/out" "$TMP/err")"
head -c 70000 /dev/zero | tr '\0' x >"$TMP/long"
printf '\n{"event":"pause","call":"%s","id":8}\n{"event":"resume","call":"%s","id":9}' "${claim[5]}" "${claim[5]}" >>"$TMP/long"
"$O" call - --control "$c" <"$TMP/long" >"$TMP/out" && fail "a batch with a line too long ends with 0"
jq -sce 'map(.errno) == ["EMSGSIZE", null, null] and map(.id) == [null, 8, 9]' "$TMP/out" >/dev/null || fail "a line too long: $(cat "$TMP/out")"
echo '{"event":"pause","call":"x","id":1}' | "$O" call - --control "$c.not" >"$TMP/out" 2>/dev/null && fail "without a daemon: 0"
jq -e '.errno == "ECONNREFUSED" and .id == 1' "$TMP/out" >/dev/null || fail "without a daemon: $(cat "$TMP/out")"
# how long an event takes, answer included: 500 pauses and as many ends of them
for i in $(seq 500); do printf '{"event":"pause","call":"%s"}\n{"event":"resume","call":"%s"}\n' "${claim[5]}" "${claim[5]}"; done >"$TMP/lines"
t=$(date +%s%N)
"$O" call - --control "$c" <"$TMP/lines" >"$TMP/out" || fail "1000 events: $(tail -1 "$TMP/out")"
t=$((($(date +%s%N) - t) / 1000000))
echo "1000 events and their answers in $t ms"
[ "$(jq -s 'map(.paused) == [range(500) | true, false]' "$TMP/out")" = true ] || fail "answers out of order"
[ $t -lt 200000 ] || fail "an event takes more than 200 ms" # guidance R-20
# ---- who may: games says what happens in calls and sees nothing; audio may only note uses; others nothing ----
as() { # GROUP STATUS ARGUMENTS
	local g=$1 want=$2
	shift 2
	setpriv --reuid 65534 --regid 65534 --groups "$g" "$O" "$@" --control "$c" >"$TMP/out" 2>"$TMP/err"
	[ $? = "$want" ] || fail "$g $*: not $want: $(cat "$TMP/out" "$TMP/err")"
}
chmod 755 "$TMP" "$TMP/.."
as games 0 call pause "${claim[5]}"
as games 1 call list
has err 'only root, the daemon.s user and members of the group for it'
as games 1 set list
as audio 1 call pause "${claim[5]}"
as nogroup 1 call pause "${claim[5]}"
has err 'in no group'
# ---- what is proven ----
kill "${load_pids[@]}" 2>/dev/null
load_pids=()
load_stop || fail "optagd's status"
"$O" audit show --store "$TMP/s" --json >"$TMP/audit" || fail "audit show"
proven() { jq -se --arg c "$1" --arg e "$2" "any(.[]; .call == \$c and .event == \$e and ($3))" "$TMP/audit" >/dev/null ||
	fail "no $2 ($3) of $1: $(jq -c "select(.call == \"$1\")" "$TMP/audit")"; }
proven "${claim[0]}" audio.pause '.source == "api" and .who == "system"'
proven "${claim[0]}" audio.resume '.source == "api" and .who == "agent"'
proven "${claim[1]}" audio.discard '.source == "api" and .who == "agent" and .n.packets > 0 and .n.ms > 0'
proven "${claim[2]}" objection.opened '.who == "agent" and .reason == "grounds.present"'
proven "${claim[4]}" notice.played '.source == "api" and .who == "system"'
proven "${sale[0]}" consent.given '.source == "api" and .who == "agent" and .n.offset_ms >= 3000' # counted when the window opened, by the word of before
proven "${sale[0]}" consent.withdrawn '.source == "api" and .who == "agent"'
"$O" audit verify --store "$TMP/s" >/dev/null || fail "audit verify"
grep -rqa doctor "$TMP/audit" "$TMP/optagd.err" "$TMP/s" && fail "the grounds are in a log, or in clear"
grep -qE '45(20|21|70)[0-9]{4}' "$TMP/optagd.err" && fail "a number in the log"
exit 0
