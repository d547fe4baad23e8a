#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Live: real calls between two sipp, the wire's copy on a mirror port, optagd on it with native XDP. What the daemon
# keeps is, per call and leg, bit-exactly what tshark finds on the wire; of calls nobody may keep no audio passed.
# Nothing stays attached afterwards.
set -u
# shellcheck source=tests/netns/lib-live.sh
. "$SRC/tests/netns/lib-live.sh"
live_need tshark jq perl
live_bpf
pcap="$TMP/calls.pcap"

# The demo's policy, for real: no laboratory, reviewed in time.
soon=$(date -u -d '+180 days' +%F)
mkdir -p "$TMP/policy"
cp "$SRC"/tools/demo/* "$TMP/policy/"
sed -e '/^\tlab yes/d' -e "s/review 20[0-9-]*/review $soon/" "$SRC/tools/demo/demo.policy" >"$TMP/policy/demo.policy"
"$O" policy check "$TMP/policy/demo.policy" >/dev/null 2>"$TMP/err" || [ $? = 1 ] || fail "policy: $(cat "$TMP/err")"
"$O" init --store "$s" --keys "$k" >/dev/null 2>&1 || fail init
cat >"$TMP/optagd.conf" <<C
interface span1 { mirror yes; xdp native }
store "$s"
policy "$TMP/policy/demo.policy"
control { socket "$TMP/control" }
user root
group root
ring 16 MiB
C

sipp_mirror=1
sipp_up "$TMP/sipp" "$pcap" || fail "no network"
"$BIN/optagd" -n -c "$TMP/optagd.conf" 2>"$TMP/optagd.err" || fail "optagd -n"
live_start
grep -q 'native XDP' "$TMP/optagd.err" || fail "not native"

# A second daemon on the same store or interface refuses.
sed "s|control .*|control { socket \"$TMP/control2\" }|" "$TMP/optagd.conf" >"$TMP/second.conf"
nsenter --net="/run/netns/$sipp_m" "$BIN/optagd" -c "$TMP/second.conf" 2>"$TMP/second.err" && fail "a second daemon started"
grep -q span1 "$TMP/second.err" || fail "the second daemon said: $(cat "$TMP/second.err")"

sipp_call kept-a +4520304050 +4570102001 PCMA 3000 demo-congrats.wav basic-pbx-ivr-main.wav || fail "call 1"
sipp_call kept-u +4520304051 70102002 PCMU 3000 vm-options.wav demo-moreinfo.wav || fail "call 2"
sipp_call never +4522110033 +4570102001 PCMA 2500 demo-instruct.wav demo-thanks.wav || fail "call 3"
sipp_call no-rule +4520304055 +4533112244 PCMU 2500 demo-echotest.wav demo-nogo.wav || fail "call 4"
sipp_call no-consent +4520304056 +4570103005 PCMA 2500 priv-callee-options.wav queue-periodic-announce.wav || fail "call 5"
sipp_wait || fail "a call went wrong"
live_settle
"$O" status --socket "$TMP/control" --json >"$TMP/status" 2>"$TMP/err" || fail "status: $(cat "$TMP/err")"
"$O" status --socket "$TMP/control" >"$TMP/status.txt" 2>"$TMP/err" || fail "status: $(cat "$TMP/err")"
grep -q "^media  *[1-9][0-9]* handed up: [1-9][0-9]* kept" "$TMP/status.txt" || fail "status: $(cat "$TMP/status.txt")"
sipp_stop_capture
kill -HUP $daemon
for _ in $(seq 600); do grep -q 'in force already' "$TMP/optagd.err" && break; sleep 0.05; done
kill -INT $daemon
wait $daemon || fail "optagd's status $?"
daemon=''
[ ! -e /sys/fs/bpf/optag/span1 ] || fail "pins are left"
ip -n "$sipp_m" link show span1 | grep -q xdp && fail "XDP is left attached"
sipp_down

tshark -n -r "$pcap" -Y rtp -T fields -E occurrence=l -e ip.src -e ip.dst -e rtp.p_type -e rtp.seq -e rtp.payload >"$TMP/rtp" 2>/dev/null || fail tshark
leg_of() { # FROM TO
	awk -F'\t' -v a="$1" -v b="$2" '$1 == a && $2 == b && ($3 == 0 || $3 == 8)' "$TMP/rtp" | sort -t$'\t' -k4,4n -u | cut -f5 |
		perl -ne 's/[^0-9a-f]//g; print pack "H*", $_' | sha256sum | cut -d' ' -f1
}
"$O" find --store "$s" --json >"$TMP/rows" || fail find
row() { jq -c --arg n "-$1@" 'select(.sip_call_id | contains($n))' "$TMP/rows"; }
[ "$(wc -l <"$TMP/rows")" = 3 ] || fail "not 3 rows: $(cat "$TMP/rows")"
. "$SRC/tests/netns/lib-audit.sh"
audit_whole "$s"
row 5 | jq -e '.outcome == "denied" and .reasons.training == "sample.seed" and ([.legs[].packets] | add) == 0 and ([.legs[].blocked] | add) > 100' >/dev/null || fail "call 5: $(row 5)"
for n in 1 2; do
	row $n | jq -e '.outcome == "kept" and .end == "bye"' >/dev/null || fail "call $n: $(row $n)"
	"$O" export --store "$s" --keys "$k" --purpose documentation --call "$(row $n | jq -r .call)" --format payload -o "$TMP/x$n" >/dev/null 2>"$TMP/err" || fail "export: $(cat "$TMP/err")"
	for leg in caller:10.90.0.$n:10.90.1.$n callee:10.90.1.$n:10.90.0.$n; do
		IFS=: read -r who from to <<<"$leg"
		[ "$(sha256sum <"$TMP/x$n.$who" | cut -d' ' -f1)" = "$(leg_of "$from" "$to")" ] || fail "call $n, $who: not what was on the wire"
	done
done
# every packet that the classifier handed up has one end
jq -e '.media.drained == .packets.audio + .packets.events and .media.drained == ([.media[]] | add) - .media.drained
	and .media.kept > 100' "$TMP/status" >/dev/null || fail "media: $(jq -c '[.packets, .media]' "$TMP/status")"
jq -e '.packets.balanced != false and .calls.matched == 3' "$TMP/status" >/dev/null || fail "status: $(cat "$TMP/status")"
"$O" fsck --store "$s" >/dev/null || fail fsck
exit 0
