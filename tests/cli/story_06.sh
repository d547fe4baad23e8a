#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 6, no third-party calls: a rule that could match calls to which its controller is no party does not load, with
# line, column and reason, neither in a check nor in the running daemon; and of a mirror full of other people's calls
# not one audio packet reaches user space.
# shellcheck source=tests/cli/common
. "$SRC/tests/cli/common"
. "$SRC/tests/cli/lib-policydaemon.sh"
need jq
P="$BIN/optag-policy"
good=$live
review=$(date -u -d '+8 months' +%F)

# The controller is the party called at one number of the four in the capture.
cat >"$good" <<END
controller own { timezone Europe/Copenhagen languages en numbers +45 3300 0001 lab yes }
trunk mirror { address 0.0.0.0/0 }
announcement n { language en link https://own.example/calls elements rec doc link object access text "[rec] [doc] [link] [object] [access]" }
set own-numbers numbers { +45 3300 0001 }
assessment d { kind documentation scope @own-numbers date 2026-01-02 review $review author A outcome ok no-other-way "n"
 factor 1 relied-on "a"
 factor 2 relied-on "a"
 factor 3 relied-on "a"
 factor 4 relied-on "a"
 factor 5 relied-on "a"
 factor 6 relied-on "a"
}
rule "own line" {
	controller own side called
	called +45 3300 0001
	owner O review $review notice n notice-proof attested
	documentation { basis interest assessment d }
	roles documentation legal
}
END
run 1 "$P" check "$good" # a laboratory's, and the notice is promised: warnings only
grep -E ': [LW]-[0-9]+: ' "$TMP/err" | grep -vE ': (W-18|W-10): ' && fail "the good policy has other diagnostics"

# ---- the capture: four calls, three of them between strangers ----
"$BUILD/tests/gen/gencap" --calls 4 --seconds 6 "$TMP/c.pcap" "$TMP/t.json" || fail "gencap"
own=$(jq '[.calls[] | select(.callee == "+4533000001") | .legs[].packets] | add' "$TMP/t.json")
all=$(jq '[.calls[].legs[].packets] | add' "$TMP/t.json")
[ "$own" -gt 100 ] && [ "$all" -gt $((3 * own)) ] || fail "the capture holds $own of $all packets"
run 0 "$BIN/optag" init --store "$TMP/s" --keys "$TMP/k"
run 0 "$BIN/optag" replay --store "$TMP/s" --policy "$good" --json "$TMP/c.pcap"
jq -e --argjson own "$own" '.calls == 4 and .matched == 1 and .unmatched == 3 and .kept == 1 and .audio_packets_delivered == $own and
	.rtp_packets == $own' "$TMP/out" >/dev/null || fail "audio of strangers: $(cat "$TMP/out")"
run 0 "$BIN/optag" find --store "$TMP/s" --json
[ "$(jq -r .sip_call_id "$TMP/out")" = "$(jq -r '.calls[] | select(.callee == "+4533000001") | .sip_call_id' "$TMP/t.json")" ] ||
	fail "other calls are in the store"
for n in 33000000 33000002 33000003; do
	grep -rqaF "$n" "$TMP/s" && fail "a stranger's number is in the store"
done
# Nobody's number: nothing at all.
sed 's/+45 3300 0001/+45 3399 9999/' "$good" >"$TMP/none.policy"
run 0 "$BIN/optag" init --store "$TMP/s2" --keys "$TMP/k2"
run 0 "$BIN/optag" replay --store "$TMP/s2" --policy "$TMP/none.policy" --json "$TMP/c.pcap"
jq -e '.matched == 0 and .unmatched == 4 and .audio_packets_delivered == 0 and .rtp_packets == 0' "$TMP/out" >/dev/null || fail "audio of nobody"

# The other party's number alone is no claim: the controller's side must be its own number in the call itself.
sed 's/side called/side calling/; s/^	called +45 3300 0001/	called +45 3300 0002/' "$good" >"$TMP/theirs.policy"
run 1 "$P" check "$TMP/theirs.policy"
run 0 "$BIN/optag" replay --store "$TMP/s2" --policy "$TMP/theirs.policy" --json "$TMP/c.pcap"
jq -e '.matched == 0 and .unmatched == 4 and .audio_packets_delivered == 0' "$TMP/out" >/dev/null || fail "a number that somebody else calls"

# ---- rules that would match strangers do not load ----
start
before=$(hash)
cp "$good" "$TMP/good.policy"

refused() { # NAME CODE SED
	sed "$3" "$TMP/good.policy" >"$TMP/$1.policy"
	cmp -s "$TMP/good.policy" "$TMP/$1.policy" && fail "$1: the same as before"
	run 2 "$P" check "$TMP/$1.policy"
	grep -qE "^$TMP/$1\.policy:[0-9]+:[0-9]+: $2: .* Why: RX-1: .* Fix: " "$TMP/err" || fail "$1: no $2 with place and reason"
	cp "$TMP/$1.policy" "$good"
	run 2 "$BIN/optag" policy apply --yes --control "$sock" "$good"
	has err "$2: "
	[ "$(hash)" = "$before" ] || fail "$1: the running policy is another"
	cp "$TMP/good.policy" "$good"
	# nor does a replay read audio by it
	run 1 "$BIN/optag" replay --store "$TMP/s2" --policy "$TMP/$1.policy" --json "$TMP/c.pcap"
	[ ! -s "$TMP/out" ] || fail "$1: replayed"
}
refused no-controller L-03 '/^	controller own/d'
refused strangers L-03 's/^	called +45 3300 0001/	called +45 3300*/'
refused other-number L-03 's/^	called +45 3300 0001/	called +45 3300 0002/'
refused empty L-04 '/^	called /d'
refused only-time L-04 's/^	called .*/	time mon-sun 00:00-24:00/'
refused only-direction L-04 's/^	called .*/	direction inbound/'
refused only-trunk L-04 's/^	called .*/	trunk mirror/'
refused short-prefix L-09 's/^	called +45 3300 0001/	called +45*/'
[ "$(hash)" = "$before" ] || fail "the policy changed in the end"
exit 0
