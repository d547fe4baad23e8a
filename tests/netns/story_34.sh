#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 34, tighten now: given 5,000 calls in progress, when ops lower the sample, add a never, and add an opt-out key, then
# effects reach all calls within 1 s, no packet loss, one policy.load record.
# The 5,000 are answered calls of a number that the new `never` names, silent; beside them talk calls that stay, of which no
# packet may be missing. (OPTAG_CALLS: another number.)
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
calls=${OPTAG_CALLS:-5000}
policy=$TMP/policy/demo.policy

load_ready 'ring 64 MiB'
# their voices begin after the test: what matters is that they are in progress and may be recorded
load_begin "$TMP/barred" --kind 'barred:1:+4540######:+45701020##' --calls "$calls" --rate 1000 --duration 86400 --first-rtp 600000 --end 4
for i in $(seq 50); do echo "stay-$i from=+4520$((304000 + i)) to=+4570102010 bye=20000"; done >"$TMP/script"
"$BUILD/tests/gen/gencap" --script "$TMP/script" --interleave 5 "$TMP/c.pcap" || fail gencap
load_answered "$calls" # however long it takes: those of the player last 20 s
load_in "$BUILD/tests/gen/play" tx0 "$TMP/c.pcap" >"$TMP/played" &
player=$!
list() { "$O" call list --control "$TMP/control" --json --limit 1000 2>"$TMP/err"; }
for _ in $(seq 300); do
	load_status "$TMP/status" 2>/dev/null && [ "$(jq .calls.answered "$TMP/status")" = $((calls + 50)) ] && break
	sleep 0.1
done
[ "$(jq .calls.answered "$TMP/status")" = $((calls + 50)) ] || fail "not all in progress: $(jq -c .calls "$TMP/status")"
list >"$TMP/list"
jq -es 'length == 1000 and all(.documentation == "GRANTED" and (.legs | all(.verdict == "record")))' "$TMP/list" >/dev/null || fail "not all may be recorded: $(wc -l <"$TMP/list") $(head -n 1 "$TMP/list") $(cat "$TMP/err")"

sed -i -e 's/^\tcalling @no-record/\tcalling @no-record, +45 40*/' -e 's/sample 10%/sample 5%/' "$policy"
begin=$(date +%s%N)
"$O" policy apply --yes --reason "story 34" --control "$TMP/control" --json "$policy" >"$TMP/applied" 2>"$TMP/err" || fail "apply: $(cat "$TMP/applied" "$TMP/err")"
list >"$TMP/list"
took=$((($(date +%s%N) - begin) / 1000000))
tail -n 1 "$TMP/applied" | jq -e --argjson n "$calls" '.effective_ms <= 1000 and .done_ms <= 1000 and .calls == $n + 50 and .calls_tightened == $n and .purposes_ended == $n' >/dev/null ||
	fail "the change: $(tail -n 1 "$TMP/applied")"
jq -es 'length == 1000 and (map(select(.legs | all(.verdict == "record"))) | length) <= 50 and all(.legs | (all(.verdict == "record") or all(.verdict == "block")))' \
	"$TMP/list" >/dev/null || fail "after the change: $(jq -s 'map(.legs[].verdict) | group_by(.) | map([.[0], length])' -c "$TMP/list")"
echo "$calls calls stopped; apply, and a list, took $took ms: $(tail -n 1 "$TMP/applied" | jq -c '{effective_ms, done_ms}')"
kill -TERM "${load_pids[@]}" # these hang up
load_wait || fail "optag-load: $(cat "$TMP/barred")"
wait $player || fail play
load_settle && load_status "$TMP/status" || fail "the counters do not come to rest"
jq -e '.media.kept == .packets.audio and .packets.balanced and ([.losses[]] | add) == 0' "$TMP/status" >/dev/null ||
	fail "the sums: $(jq -c '.packets, .media, .losses' "$TMP/status")"
load_stop || fail "optagd's status"
[ "$("$O" audit show --store "$TMP/s" --json --event policy.load | wc -l)" = 2 ] || fail "not one policy.load beside that of the start: $("$O" audit show --store "$TMP/s" --json --event policy.load 2>&1)"
# 20 ms after the answer they talk: the kernel may learn of it a moment later, and then misses nothing
"$O" find --store "$TMP/s" --json | jq -es 'map(select(.sip_call_id | startswith("stay"))) | length == 50 and all(.outcome == "kept" and
	.reasons.documentation == "" and (.legs | all(.lost == 0 and .packets <= 948 and .packets > 900)))' >/dev/null ||
	fail "not whole: $("$O" find --store "$TMP/s" --json | grep stay | jq -c '[.outcome, .reasons, .legs[].packets, .legs[].lost]' | sort | uniq -c | head)"
exit 0
