#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# From a capture to exported audio, judged by the generator's truth: every scenario, link layer, encapsulation and file
# format. For each call: outcome, packets, losses and copies per leg as `find` tells them, and the SHA-256 of the
# audio as `export` writes it. `lab.policy` keeps all of it, so whatever differs is the recorder's doing.
# shellcheck source=tests/cli/common
. "$SRC/tests/cli/common"
need jq
. "$SRC/tests/cli/lib-kinds.sh"
gen="$BUILD/tests/gen/gencap"
# The truth counts what was sent during a hold, and so does the laboratory's policy; others do not (at the end).
cp "$SRC/policy/examples/lab.policy" "$TMP/lab.policy"
sed '/record-hold-music/d' "$TMP/lab.policy" >"$TMP/nohold.policy"
bad=0

wrong() {
	echo "FAIL $name: $*"
	bad=1
}

every=1 # of how many calls the audio of one is asked for: a thousand times export is minutes
# Per leg: call, leg, packets, lost, duplicates, events, hash ("-": not asked); per call without audio: call, outcome.
told() { # STORE KEYS
	local id uid outcome caller callee n=0
	"$BIN/optag" find --store "$1" --json >"$TMP/rows" || wrong "find exits with $?"
	jq -r '[.sip_call_id, .call, .outcome, (.gap as $gap | .legs |
		map("\(.packets) \(.lost) \(if $gap == "truncated-packets" then "?" else .duplicates end) \(.events)")[])] | @tsv' "$TMP/rows" |
		while IFS=$'\t' read -r id uid outcome caller callee; do
			[ "$outcome" = kept ] || { echo "$id $outcome"; continue; }
			[ $((n++ % every)) = 0 ] || { printf '%s %s -\n' "$id caller" "$caller" "$id callee" "$callee"; continue; }
			"$BIN/optag" export --store "$1" --keys "$2" --purpose documentation --call "$uid" --format payload \
				-o "$TMP/x" >/dev/null 2>"$TMP/err" || { echo "$id export fails: $(cat "$TMP/err")"; continue; }
			echo "$id caller $caller $(sha256sum <"$TMP/x.caller" | cut -d' ' -f1)"
			echo "$id callee $callee $(sha256sum <"$TMP/x.callee" | cut -d' ' -f1)"
			rm -f "$TMP/x.caller" "$TMP/x.callee"
		done | sort
}

# The same from the truth. A packet of which the capture holds only a part is lost to the recorder, and
# its copies are not known as such. Audio after the end is the call's as long as it lingers: all of it, or none (until_end).
truth() { # JSON [until_end]
	jq -r --arg upto "${2:-}" '.calls[] | .sip_call_id as $id | if .srtp then "\($id) gap"
		elif .answered | not then "\($id) denied"
		else .legs[] | "\($id) \(.leg) \(if $upto == "" then .packets else .packets_until_end end) \(.lost + .cut) \(if .cut > 0 then "?" else .duplicates end) \(.events) \(if $upto == "" then .sha256 else .sha256_until_end end)"
		end' "$1" | sort
}

judge() { # NAME gencap options...
	name=$1
	shift
	local s="$TMP/s" k="$TMP/k" n
	rm -rf "$s" "$k"
	"$gen" "$@" "$TMP/c.pcap" "$TMP/t.json" || { wrong "gencap exits with $?"; return; }
	"$BIN/optag" init --store "$s" --keys "$k" >/dev/null 2>&1 || { wrong "init exits with $?"; return; }
	"$BIN/optag" replay --store "$s" --policy "$TMP/lab.policy" --json "$TMP/c.pcap" >"$TMP/sum" 2>"$TMP/err" ||
		wrong "replay exits with $?: $(head -1 "$TMP/err")"
	truth "$TMP/t.json" >"$TMP/want"
	truth "$TMP/t.json" until_end >"$TMP/want2"
	told "$s" "$k" >"$TMP/got"
	# Every line told is in one of the truths, and every call is told.
	{ cat "$TMP/want" "$TMP/want2"; [ $every = 1 ] || sed 's/ [0-9a-f]\{64\}$/ -/' "$TMP/want" "$TMP/want2"; } | sort -u >"$TMP/both"
	comm -13 "$TMP/both" "$TMP/got" >"$TMP/diff"
	[ -s "$TMP/diff" ] && wrong "not in the truth:" && head -4 "$TMP/diff" && echo "the truth:" && grep -Ff <(cut -d' ' -f1 "$TMP/diff") "$TMP/want" | head -4
	[ "$(cut -d' ' -f1 "$TMP/got" | uniq -c)" = "$(cut -d' ' -f1 "$TMP/want" | uniq -c)" ] || wrong "not the calls of the truth"
	n=$(jq '.calls | length' "$TMP/t.json")
	jq -e --argjson n "$n" --argjson kept "$(jq '[.calls[] | select(.answered and (.srtp | not))] | length' "$TMP/t.json")" '
		.calls == $n and .matched == $n and .kept == $kept and .matched == .kept + .denied + .gaps + .known
		and .sip_refused == 0 and .cut_files == 0 and .skipped_packets == 0' "$TMP/sum" >/dev/null ||
		wrong "the summary is off: $(cat "$TMP/sum")"
	"$BIN/optag" fsck --store "$s" >"$TMP/out" 2>&1 || wrong "fsck exits with $?: $(head -3 "$TMP/out")"
	[ $bad != 0 ] || echo "ok $name: $n calls"
}

judge scenarios --calls 24 --scenario mix --seconds 8
judge scenarios-tcp --calls 24 --scenario mix --seconds 5 --transport tcp --tcp-split 100 --seed 2
judge scenarios-6 --calls 24 --scenario mix --seconds 5 --ip 6 --seed 3
judge weather --calls 24 --scenario mix --seconds 6 --loss 0.03 --dup 0.05 --reorder 0.05 --seed 4
judge_kinds
every=8
judge thousand --calls 1000 --seconds 5 --concurrent 1000 --codec both
every=1

# What is sent during a hold is not the conversation: without record-hold-music it never passes the classifier.
name=hold
rm -rf "$TMP/s" "$TMP/k"
"$gen" --calls 1 --seconds 6 --scenario hold "$TMP/c.pcap" "$TMP/t.json"
"$BIN/optag" init --store "$TMP/s" --keys "$TMP/k" >/dev/null 2>&1
"$BIN/optag" replay --store "$TMP/s" --policy "$TMP/nohold.policy" --json "$TMP/c.pcap" >"$TMP/sum" || wrong "replay: $?"
blocked=$(jq .blocked_packets "$TMP/sum")
[ "$blocked" -gt 50 ] || wrong "hold music is let through ($blocked packets blocked)"
want=$(jq '[.calls[].legs[].packets] | add' "$TMP/t.json")
got=$("$BIN/optag" find --store "$TMP/s" --json | jq '[.legs[].packets] | add')
[ $((got + blocked)) = "$want" ] || wrong "$got kept and $blocked blocked are not $want sent"
exit $bad
