#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A purpose that begins in the middle of a call has the packets from then on and no others: what export writes for each
# purpose is compared with the capture, packet by packet, and so is what find tells.
. "$SRC/tests/cli/common" || exit 1
need jq
need python3
cd "$TMP" || exit 1
gen="$BUILD/tests/gen/gencap"

# The rule of lab.policy with other purposes. $1: settings of documentation, $2 of training (empty: none), $3 what the
# announcement says, $4 settings of the rule.
policy() {
	local e text='' doc='' training=''
	[ -z "$1" ] || doc="documentation { $1 retention 3 months"$'\n}'
	[ -z "$2" ] || training="training { $2 sample 100% cap 1000 per day use-within 14 days retention 1 months"$'\n}'
	for e in rec $3; do text="$text said [$e]"; done
	sed -n '1,/^rule/p' "$SRC/policy/examples/lab.policy" |
		sed "/^rule/d; s/elements rec .*/elements rec $3 link access/; s/text .*/text \"$text, [link] [access]\"/"
	cat <<-EOP
		assessment lab-amount {
			kind training-amount
			scope @lab
			review 2027-06-01
			author "Laboratory"
			approver "Head of Laboratory"
			second-approver "Head of Compliance"
			outcome "as many as there are"
			without-consent "Test calls between machines."
		}
		rule "every call of a capture" {
			controller lab side called
			trunk lab
			owner "Laboratory"
			review 2027-06-01
			notice lab-en
			notice-proof attested
			$4
			min-length 0 s
			max-length 48 h
			$doc
			$training
			mute-dtmf no
			${1:+roles documentation lab}
			${2:+roles training lab}
		}
	EOP
}

# compare.py CAPTURE EXPORT FROM UNTIL: audio of EXPORT is that of CAPTURE from the FROMth press on (0: all), up to the UNTILth
cat >compare.py <<-'EOP'
	import struct, sys
	def packets(name):
	    d = open(name, 'rb').read()
	    ns = struct.unpack_from('<I', d)[0] == 0xa1b23c4d
	    at = 24
	    while at < len(d):
	        s, f, n, _ = struct.unpack_from('<IIII', d, at)
	        b = d[at + 16:at + 16 + n]
	        at += 16 + n
	        if b[12:14] != b'\x08\x00' or b[23] != 17:
	            continue
	        u = b[14 + (b[14] & 15) * 4 + 8:]
	        if len(u) < 12 or u[0] >> 6 != 2:
	            continue
	        yield s * 10**9 + f * (1 if ns else 1000), u
	presses, audio, seen = [], [], set()
	for t, u in packets(sys.argv[1]):
	    pt = u[1] & 127
	    if pt == 101 and u[13] & 0x80 and u[4:8] not in seen:
	        seen.add(u[4:8])
	        presses.append(t)
	    if pt in (0, 8):
	        audio.append((t, u))
	start = presses[int(sys.argv[3]) - 1] if int(sys.argv[3]) else 0
	end = presses[int(sys.argv[4]) - 1] if int(sys.argv[4]) else 1 << 63
	want = sorted((t // 1000, u) for t, u in audio if start <= t < end)
	got = sorted((t // 1000, u) for t, u in packets(sys.argv[2]))
	if want != got:
	    print(f'{len(got)} packets, {len(want)} wanted; too many {len(set(got) - set(want))}, missing {len(set(want) - set(got))}')
	    print('first ', [(t, u[:12].hex()) for t, u in sorted(set(got) ^ set(want))[:3]], 'presses', presses)
	    sys.exit(1)
	print(len(got), (got[0][0] - min(t for t, u in audio) // 1000) / 1e6)
EOP

record() { # SCENARIO SECONDS DOCUMENTATION TRAINING ANNOUNCED [RULE]
	rm -rf s k c.pcap
	"$gen" --calls 1 --seconds "$2" --scenario "$1" c.pcap || fail "gencap"
	policy "$3" "$4" "$5" "${6:-}" >p.policy
	run 0 "$BIN/optag" init --store s --keys k
	run 0 "$BIN/optag" replay --store s --policy p.policy --json c.pcap
	run 0 "$BIN/optag" fsck --store s
	run 0 "$BIN/optag" find --store s --json
	cp out row
	uid=$(jq -r .call row)
}

purpose() { # PURPOSE FROM UNTIL
	local n
	rm -f x.pcap
	run 0 "$BIN/optag" export --store s --keys k --purpose "$1" --call "$uid" --format pcap -o x.pcap --json
	cp out "$1.json"
	n=$(python3 compare.py c.pcap x.pcap "$2" "$3") || fail "$1 of $name: $n"
	[ "${n% *}" -gt 100 ] || fail "$1 of $name: $n"
	[ "$(jq --arg p "$1" '[.legs[][$p].packets] | add' row)" = "${n% *}" ] || fail "find tells other packets of $1 than export: $(jq -c .legs row)"
	echo "ok $name: $1 has ${n% *} packets"
}

none() { # PURPOSE STATE
	[ "$(jq -r --arg p "$1" '.[$p]' row)" = "$2" ] || fail "$1 of $name is $(jq -r --arg p "$1" '.[$p]' row)"
	run 1 "$BIN/optag" export --store s --keys k --purpose "$1" --call "$uid" --format pcap -o y.pcap
	[ ! -e y.pcap ] || fail "$name: something was written for $1"
}

interest='basis interest
assessment lab-doc'
consent='basis consent
consent-key 1
withdraw-key 0
window notice-start+0s to notice-end+20s
'

name=press
record consent 6 "$interest" "$consent training-from press
assessment lab-amount" "doc train withdraw object key:1"
purpose documentation 0 0
[ "$(jq -c .gaps documentation.json)" = '[]' ] || fail "documentation has gaps"
purpose training 1 0
[ "$(jq -c '[(.gaps | length), (.gaps[0] | .caller > 10 and .callee > 10 and .to != null)]' training.json)" = '[1,true]' ] || fail "gaps: $(jq -c .gaps training.json)"
# the human line tells it, and the WAV begins with the press
run 0 "$BIN/optag" export --store s --keys k --purpose training --call "$uid" -o x.wav
has out 'not recorded for training: .* packets'
run 0 "$BIN/optag" find --store s
has out 'training has [45]s'
# neither a wrap nor anything else of training opens what came before
run 0 "$BIN/optag" export --store s --keys k --purpose training --call "$uid" --format payload -o x
run 0 "$BIN/optag" export --store s --keys k --purpose documentation --call "$uid" --format payload -o z
for l in caller callee; do
	cmp <(tail -c "$(stat -c %s x.$l)" z.$l) x.$l || fail "payload of the $l is not the end of documentation's"
	[ "$(stat -c %s x.$l)" -lt "$(stat -c %s z.$l)" ] || fail "payload of the $l is all of it"
done

name=whole
record consent 6 "$interest" "$consent assessment lab-amount" "doc train withdraw object key:1"
purpose documentation 0 0
purpose training 0 0
[ "$(jq -c .gaps training.json)" = '[]' ] || fail "training has gaps"

name=again
record yes-no-yes 8 "$interest" "$consent assessment lab-amount" "doc train withdraw object key:1"
purpose documentation 0 0
purpose training 3 0

name='documentation alone, again'
record yes-no-yes 8 "$consent" "" "doc withdraw key:1"
purpose documentation 3 0
none training NONE

name='documentation by consent while training runs'
record yes-no-yes 16 "$consent" "basis interest
assessment lab-amount
opt-out key 9
opt-out agent key *7
" "doc train withdraw optout optout-key:9 then key:1" "notice-timeout 2 s"
purpose documentation 3 0
purpose training 0 0
