#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Live, through XDP: a call is recorded by a key in its sound after an announcement that is recognised by its sound, and one in which
# another announcement was played is not. Of both, audio comes up to be listened to only, and is counted so; what is kept
# begins at the key, and the rest of the key's tone in it is silent.
set -u
# shellcheck source=tests/netns/lib-live.sh
. "$SRC/tests/netns/lib-live.sh"
live_need jq
live_bpf

# An announcement of 8 s; a caller who is silent, presses 1 two seconds later, and speaks.
from=$sipp_sounds sipp_sounds="$TMP/sounds"
mkdir -p "$sipp_sounds"
cp "$from/vm-review.wav" "$sipp_sounds/notice.wav"
sox -V1 "$sipp_sounds/notice.wav" "$sipp_sounds/played.wav" pad 0 30 || fail sox
sox -V1 "$from/queue-periodic-announce.wav" "$sipp_sounds/other.wav" pad 0 30 || fail sox
sox -V1 -n -r 8000 -c 1 -b 16 "$TMP/tone.wav" synth 0.2 sine 697 synth 0.2 sine mix 1209 gain -9 || fail sox
sox -V1 -n -r 8000 -c 1 -b 16 "$TMP/silence.wav" trim 0 10 || fail sox
sox -V1 "$TMP/silence.wav" "$TMP/tone.wav" "$from/demo-congrats.wav" "$sipp_sounds/caller.wav" || fail sox

mkdir -p "$TMP/policy"
cp "$sipp_sounds/notice.wav" "$TMP/policy/"
soon=$(date -u -d '+180 days' +%F)
sed -e '/^announcement notice-da/,/^}/d' -e '/^\tlab yes/d' -e "s/review 20[0-9-]*/review $soon/" -e 's/languages da, en/languages en/' \
	-e 's/notice notice-da, notice-en/notice notice-en/' -e "s|^announcement notice-en {|&\n\taudio file \"notice.wav\"|" \
	-e 's/notice-proof header.*/notice-proof fingerprint/' -e 's/consent-key 1/&\n\t\tdtmf inband/' -e 's|address 192.0.2.0/24|address 10.90.0.0/16|' \
	"$SRC/policy/examples/a2-documentation-consent.policy" >"$TMP/policy/a2.policy"
"$O" policy check "$TMP/policy/a2.policy" >/dev/null 2>"$TMP/err" || [ $? = 1 ] || fail "policy: $(cat "$TMP/err")"
to=$(sed -n 's/^\tcalled \(+45 [0-9 ]*\).*/\1/p' "$TMP/policy/a2.policy" | tr -d ' ' | head -1)
to=$(printf '%s00000000' "$to" | cut -c1-11)
"$O" init --store "$s" --keys "$k" >/dev/null 2>&1 || fail init
cat >"$TMP/optagd.conf" <<C
interface span1 { mirror yes; xdp native }
store "$s"
policy "$TMP/policy/a2.policy"
control { socket "$TMP/control" }
user root
group root
ring 16 MiB
C
sipp_mirror=1
sipp_up "$TMP/sipp" "$TMP/calls.pcap" || fail "no network"
live_start
hash=$("$O" policy status --control "$TMP/control" --json | jq -r .hash)
grep -q "	notice-en	.*notice.wav$" "$s/policies/$hash.sounds" || fail "the sounds in force are not in the store"

sipp_call consent +4520304050 "$to" PCMA 16000 caller.wav played.wav || fail "call 1"
sipp_call other +4520304051 "$to" PCMU 16000 caller.wav other.wav || fail "call 2"
for _ in $(seq 300); do # announcements are played
	"$O" call list --socket "$TMP/control" --json >"$TMP/list" 2>/dev/null && [ "$(jq '.packets.inspected' <("$O" status --socket "$TMP/control" --json))" -gt 800 ] && break
	sleep 0.1
done
jq -s -e '[.[].legs[].verdict] | length == 4 and all(. == "inspect")' "$TMP/list" >/dev/null || fail "the legs: $(jq -s -c '[.[].legs[]]' "$TMP/list")"
sipp_wait || fail "a call went wrong"
live_settle
"$O" status --socket "$TMP/control" --json >"$TMP/status" 2>"$TMP/err" || fail "status: $(cat "$TMP/err")"
"$O" status --socket "$TMP/control" | grep -q 'to be listened to only' || fail "status does not say what was listened to"
# The same policy with another sound of its announcement is refused; a new announcement would be another policy.
cp "$sipp_sounds/other.wav" "$TMP/policy/notice.wav"
kill -HUP $daemon
for _ in $(seq 600); do grep -q 'policy.reject.*other sounds of its announcements' "$TMP/optagd.err" && break; sleep 0.05; done
grep -q 'policy.reject.*other sounds of its announcements' "$TMP/optagd.err" || fail "other sounds are taken"
kill -INT $daemon
wait $daemon || fail "optagd's status $?"
daemon=''
sipp_stop_capture
sipp_down

"$O" find --store "$s" --json >"$TMP/rows" || fail find
row() { jq -c --arg n "-$1@" 'select(.sip_call_id | contains($n))' "$TMP/rows"; }
. "$SRC/tests/netns/lib-audit.sh"
audit_whole "$s"
"$O" audit show --store "$s" >"$TMP/log" || fail audit
row 1 | jq -e '.outcome == "kept" and .documentation == "GRANTED" and ([.legs[].audio_ms] | min) > 3000 and ([.legs[].audio_ms] | max) < 8000' >/dev/null || fail "call 1: $(row 1) $(cat "$TMP/log")"
row 2 | jq -e '.outcome == "denied" and ([.legs[].packets] | add) == 0' >/dev/null || fail "call 2: $(row 2)"
id=$(row 1 | jq -r .call)
grep -E "notice\.played .*$id .*reason fingerprint +notice [a-z-]+ .*content [0-9a-f]{64} +version=1 +offset_ms=7[0-9]{3}" "$TMP/log" >/dev/null || fail "the notice: $(cat "$TMP/log")"
grep -E "consent\.given .*source caller .*$id .*reason inband" "$TMP/log" >/dev/null || fail "the consent: $(cat "$TMP/log")"
grep -E "call\.kept .*$id .*inspected=[0-9]+ +muted=[0-9]+" "$TMP/log" >/dev/null || fail "the counts: $(cat "$TMP/log")"
jq -e '.packets as $p | .packets.balanced and .media.drained == $p.audio + $p.events + $p.inspected
	and .media.drained == ([.media[]] | add) - .media.drained and .media.inspected > 1500 and .media.kept > 300
	and .media.kept <= $p.audio and .media.inspected <= $p.inspected' "$TMP/status" >/dev/null || fail "sums: $(jq -c '[.packets, .media]' "$TMP/status")"
"$O" fsck --store "$s" >/dev/null || fail fsck
exit 0
