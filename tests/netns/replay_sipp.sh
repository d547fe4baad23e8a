#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Real calls between two sipp, captured, and what optag keeps of them beside what tshark finds in the capture: per kept
# call and leg the SHA-256 of the audio payloads. Whose leg it is, tshark tells by the addresses (lib-sipp.sh). Of a
# call that nobody may keep there is no audio, no number and, when no rule matched, not even a row.
set -u
# shellcheck source=tests/netns/lib-sipp.sh
. "$SRC/tests/netns/lib-sipp.sh"
why=$(sipp_need) || { echo "SKIP: $why"; exit 77; }
for p in tshark jq perl; do
	command -v $p >/dev/null || { echo "SKIP: $p is not installed"; exit 77; }
done
O="$BIN/optag" pcap="$TMP/calls.pcap" s="$TMP/s" k="$TMP/k"
trap sipp_down EXIT
trap 'exit 130' INT TERM HUP

fail() {
	echo "FAIL: $*"
	exit 1
}

# Numbers of calls: 1 and 2 kept, 3 never, 4 no rule, 5 consent that nobody gives, 6 unanswered, 7 kept (agent speaks, key pressed).
sipp_up "$TMP/sipp" "$pcap" || fail "no network"
sipp_call kept-a +4520304050 +4570102001 PCMA 4000 demo-congrats.wav basic-pbx-ivr-main.wav || fail "call 1"
sipp_call kept-u +4520304051 70102002 PCMU 3500 vm-options.wav demo-moreinfo.wav || fail "call 2"
sipp_call never +4522110033 +4570102001 PCMA 2500 demo-instruct.wav demo-thanks.wav || fail "call 3"
sipp_call no-rule +4520304055 +4533112244 PCMU 2500 demo-echotest.wav demo-nogo.wav || fail "call 4"
sipp_call no-consent +4520304056 +4570103005 PCMA 2500 priv-callee-options.wav queue-periodic-announce.wav || fail "call 5"
sipp_call unanswered +4520304057 +4570102003 cancel 800 demo-congrats.wav demo-thanks.wav || fail "call 6"
sipp_call kept-key +4520304058 004570102004 PCMU 2500 tt-monkeys.wav vm-opts-full.wav 7 || fail "call 7"
sipp_wait || fail "a call went wrong"
sipp_stop_capture
sipp_down

# One packet a line: from, to, payload type, sequence number, payload in hex. sipp begins at low numbers, so none wraps.
tshark -n -r "$pcap" -Y rtp -T fields -E occurrence=l -e ip.src -e ip.dst -e rtp.p_type -e rtp.seq -e rtp.payload >"$TMP/rtp" 2>/dev/null ||
	fail "tshark"
leg_of() { # FROM TO: SHA-256 of the audio, as tshark sees it
	awk -F'\t' -v a="$1" -v b="$2" '$1 == a && $2 == b && ($3 == 0 || $3 == 8)' "$TMP/rtp" | sort -t$'\t' -k4,4n -u | cut -f5 |
		perl -ne 's/[^0-9a-f]//g; print pack "H*", $_' | sha256sum | cut -d' ' -f1
}
packets_of() { awk -F'\t' -v a="$1" -v b="$2" '$1 == a && $2 == b && ($3 == 0 || $3 == 8) { print $4 }' "$TMP/rtp" | sort -u | wc -l; }
nothing=$(printf '' | sha256sum | cut -d' ' -f1)

"$O" init --store "$s" --keys "$k" >/dev/null 2>&1 || fail init
"$O" replay --store "$s" --policy "$SRC/tools/demo/demo.policy" --json "$pcap" >"$TMP/sum" 2>"$TMP/err" || fail "replay: $(cat "$TMP/err")"
# RTP of matched calls is that of 1, 2, 5 and 7; of these 5's audio never passes.
rtp_of() { # N...
	local n
	for n; do printf '10.90.0.%s\t10.90.1.%s\n10.90.1.%s\t10.90.0.%s\n' "$n" "$n" "$n" "$n"; done >"$TMP/pairs"
	awk -F'\t' 'NR == FNR { p[$1, $2]; next } ($1, $2) in p { all++; if ($3 == 96) ev++ } END { print all + 0, ev + 0 }' "$TMP/pairs" "$TMP/rtp"
}
read -r all events < <(rtp_of 1 2 5 7)
read -r denied _ < <(rtp_of 5)
echo "summary: $(cat "$TMP/sum"); tshark: $all RTP packets of matched calls, $events of them key presses, $denied of call 5"
[ "$events" -ge 12 ] || fail "no key press in the capture"
[ "$denied" -gt 100 ] || fail "call 5 has no audio, so nothing is shown"
jq -e --argjson all "$all" --argjson ev "$events" --argjson denied "$denied" '.calls == 7 and .matched == 5 and .kept == 3 and .denied == 2
	and .gaps == 0 and .never == 1 and .unmatched == 2 and .rtp_packets == $all and .event_packets == $ev
	and .audio_packets_delivered == $all - $ev - $denied and .blocked_packets == $denied and .unknown_payload == 0' "$TMP/sum" >/dev/null ||
	fail "the summary is not what tshark counts"

"$O" find --store "$s" --json >"$TMP/rows" || fail find
[ "$(wc -l <"$TMP/rows")" = 5 ] || fail "not 5 rows"
row() { jq -c --arg n "-$1@" 'select(.sip_call_id | contains($n))' "$TMP/rows"; }
for n in 3 4; do
	[ -z "$(row $n)" ] || fail "call $n, which no rule keeps, has a row"
done
. "$SRC/tests/netns/lib-audit.sh"
audit_whole "$s"
row 5 | jq -e '.outcome == "denied" and .training == "DENIED" and .documentation == "NONE" and (.reasons.training | . == "consent.none" or startswith("sample."))' >/dev/null ||
	fail "call 5: $(row 5)"
row 6 | jq -e '.outcome == "denied" and .reasons.documentation == "not-answered" and .end == "cancel"' >/dev/null || fail "call 6: $(row 6)"
for n in 1 2 7; do
	row $n | jq -e '.outcome == "kept" and .documentation == "GRANTED" and .end == "bye"' >/dev/null || fail "call $n: $(row $n)"
	uid=$(row $n | jq -r .call)
	"$O" export --store "$s" --keys "$k" --purpose documentation --call "$uid" --format payload -o "$TMP/x$n" >/dev/null 2>"$TMP/err" ||
		fail "export of call $n: $(cat "$TMP/err")"
	for leg in caller:10.90.0.$n:10.90.1.$n callee:10.90.1.$n:10.90.0.$n; do
		IFS=: read -r who from to <<<"$leg"
		want=$(leg_of "$from" "$to")
		got=$(sha256sum <"$TMP/x$n.$who" | cut -d' ' -f1)
		[ "$want" != "$nothing" ] || fail "tshark finds no audio of call $n"
		[ "$got" = "$want" ] || fail "call $n, $who: exported $got, tshark has $want"
		[ "$(row $n | jq --arg w "$who" '.legs[] | select(.leg == $w) | .packets')" = "$(packets_of "$from" "$to")" ] ||
			fail "call $n, $who: not as many packets as tshark counts"
	done
done
row 7 | jq -e '.legs[] | select(.leg == "caller") | .events == 1' >/dev/null || fail "the key press was not heard"
uid=$(row 5 | jq -r .call)
"$O" export --store "$s" --keys "$k" --purpose training --call "$uid" -o "$TMP/no.wav" 2>/dev/null && fail "audio of a call without consent"
[ -e "$TMP/no.wav" ] && fail "a refused export left a file"

# What was spoken: in the capture, but nowhere in the store, whether kept (encrypted) or not (never taken).
seek() { # FILE FILES...: of the 20 ms pieces of FILE that are speech, how many are in FILES
	perl -e '
		local $/; open my $f, "<:raw", shift or die; my $a = substr <$f>, 0, 16000; my $all = "";
		for (@ARGV) { open my $g, "<:raw", $_ or die; $all .= <$g> }
		print scalar grep { my %c = map { $_ => 1 } split //; %c > 20 && index($all, $_) >= 0 } unpack "(a160)*", $a;' "$@"
}
mapfile -d '' -t files < <(find "$s" -type f -print0)
for f in "$TMP"/sipp/*.al "$TMP"/sipp/*.ul; do
	[ "$(seek "$f" "${files[@]}")" = 0 ] || fail "$(basename "$f") lies readable in the store"
done
for f in demo-congrats.al vm-options.ul demo-instruct.al demo-echotest.ul priv-callee-options.al tt-monkeys.ul; do
	[ "$(seek "$TMP/sipp/$f" "$pcap")" -gt 10 ] || fail "$f is not in the capture, so nothing is shown"
done
for number in 20304050 20304051 22110033 20304055 20304056 20304057 20304058 70102001 70102002 70102003 70102004 33112244 70103005; do
	# but for the policy that was in force, which names who must not be recorded (FORMAT.md section 9)
	grep -rqaF --exclude-dir=policies "$number" "$s" "$TMP/sum" "$TMP/rows" "$TMP/err" && fail "a number is readable"
done
"$O" find --store "$s" --number +4520304050 --json | jq -e '.call' >/dev/null || fail "the caller's number does not find the call"
"$O" fsck --store "$s" >"$TMP/out" 2>&1 || fail "fsck: $(cat "$TMP/out")"
echo "ok: 3 calls kept bit by bit, 4 left without audio"
