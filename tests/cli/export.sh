#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# export: exact payloads, WAV timing, captures, refusals that leave nothing behind.
. "$SRC/tests/cli/common" || exit 1
need jq
need soxi
cd "$TMP" || exit 1
run 0 "$BIN/optag" init --store s --keys k
run 0 "$MKSTORE" s g711 overlap dvi4 l16 unknown bad denied training silent parts
mkdir o
ex() { # STATUS CALL FORMAT [OPTION...] : to o/CALL
	local want=$1 c=$2 f=$3
	shift 3
	run "$want" "$BIN/optag" export --store s --keys k --purpose documentation --call "$(call "$c")" --format "$f" -o "o/$c.$f" "$@"
}

# what mkstore's formula put in, byte by byte, in sequence order, without what was lost and comfort noise
python=$(python3 -c "import sys; print(sys.executable)") || { echo "SKIP: no python3"; exit 77; } # not a wrapper, which may set variables
"$python" - <<-'EOP'
	def tone(i): return bytes(((k * 7 + i * 13) ^ (0x80 if k & 4 else 0)) & 255 for k in range(160))
	open('caller', 'wb').write(b''.join(tone(i) for i in range(500) if i % 50 != 49 and i != 250))
	open('callee', 'wb').write(b''.join(tone(i + 1000) for i in range(50, 500)))
EOP
ex 0 g711 payload
cmp caller o/g711.payload.caller || fail "caller's payload"
cmp callee o/g711.payload.callee || fail "callee's payload"
[ "$(stat -c %a o/g711.payload.caller)" = 600 ] || fail "mode"
grep -qF "$(head -c 60 caller | tail -c 40 | tr -d '\0\n')" -r s && fail "payload lies in the store in the clear"
# streams that overlap follow one another
ex 0 overlap payload
has err 'no audio of the callee'
[ "$(fold -w 56000 o/overlap.payload.caller | cut -c1,56000 | tr '\n' ' ')" = "AA BB " ] || fail "order of streams"
only o g711.payload.caller g711.payload.callee overlap.payload.caller

# a purpose that lacks the middle of a call: silence there, times stay true, and it is told
ex 0 parts wav
run 0 "$BIN/optag" export --store s --keys k --purpose training --call "$(call parts)" -o o/training.wav --json
[ "$(jq -c '[.start, .gaps[0].from, .gaps[0].to, .gaps[0].caller, (.gaps | length), .legs[1].packets]' out)" = \
	'["2026-01-01T00:09:00.000000Z","2026-01-01T00:09:02.000000Z","2026-01-01T00:09:06.000000Z",200,1,300]' ] || fail "gaps: $(jq -c . out)"
"$python" - <<-'EOP' || fail "WAV with a gap"
	d, t = open('o/parts.wav', 'rb').read()[44:], open('o/training.wav', 'rb').read()[44:]
	at = lambda s: s * 8000 * 4
	assert len(d) == len(t) == at(10), (len(d), len(t))
	assert t[:at(2)] == d[:at(2)] and t[at(6):] == d[at(6):]
	assert not any(t[at(2):at(6)]) and any(d[at(2):at(6)])
EOP
run 0 "$BIN/optag" export --store s --keys k --purpose training --call "$(call parts)" --format payload -o o/t
run 0 "$BIN/optag" export --store s --keys k --purpose documentation --call "$(call parts)" --format payload -o o/d
for l in caller callee; do
	{ head -c 16000 o/d.$l; tail -c 32000 o/d.$l; } | cmp - o/t.$l || fail "payload without the middle"
done
rm o/*

# no grounds of an objection: said, and no file
ex 1 g711 grounds
has err 'no grounds of an objection are kept'
[ -z "$(ls o)" ] || fail "a file without grounds"

# WAV: stereo, rate of the codec, callee 1 s later, holes silent, samples as ITU-T G.711 has them
ex 0 g711 wav --json
[ "$(jq -c '[.format,.rate,.bad_frames,.damaged_chunks,(.files|length),.legs[0].codec]' out)" = '["wav",8000,0,0,1,"PCMU"]' ] || fail "json"
[ "$(soxi -r o/g711.wav)-$(soxi -c o/g711.wav)-$(soxi -b o/g711.wav)-$(soxi -s o/g711.wav)" = 8000-2-16-80000 ] || fail "WAV properties"
"$python" - <<-'EOP' || fail "WAV samples"
	import struct, sys
	d = open('o/g711.wav', 'rb').read()[44:]
	s = struct.unpack('<%dh' % (len(d) // 2), d)
	L, R = s[0::2], s[1::2]
	def tone(i): return [((k * 7 + i * 13) ^ (0x80 if k & 4 else 0)) & 255 for k in range(160)]
	def mu(b):
	    b ^= 255; v = ((((b & 15) << 3) + 132) << (b >> 4 & 7)) - 132
	    return -v if b & 128 else v
	def al(b):
	    b ^= 0x55; e = b >> 4 & 7; v = (b & 15) << 4
	    v = v + 8 if not e else (v + 0x108) << (e - 1)
	    return v if b & 128 else -v
	for i in range(500):
	    gone = i % 50 == 49 or i == 250
	    assert list(L[i * 160:i * 160 + 160]) == ([0] * 160 if gone else [mu(b) for b in tone(i)]), i
	    assert list(R[i * 160:i * 160 + 160]) == ([0] * 160 if i < 50 else [al(b) for b in tone(i + 1000)]), i
EOP
ex 0 l16 wav
"$python" - <<-'EOP' || fail "L16 samples"
	import struct
	d = open('o/l16.wav', 'rb').read()[44:]
	s = struct.unpack('<%dh' % (len(d) // 2), d)[0::2]
	assert list(s) == [i * 100 + k for i in range(100) for k in range(320)]
EOP
ex 0 dvi4 wav
"$python" - <<-'EOP' || fail "DVI4 samples"
	# RFC 3551 4.5.1 written down a second time
	import struct
	t = '7 8 9 10 11 12 13 14 16 17 19 21 23 25 28 31 34 37 41 45 50 55 60 66 73 80 88 97 107 118 130 143 157 173 190 209 230 253 279 307 337 371 408 449 494 544 598 658 724 796 876 963 1060 1166 1282 1411 1552 1707 1878 2066 2272 2499 2749 3024 3327 3660 4026 4428 4871 5358 5894 6484 7132 7845 8630 9493 10442 11487 12635 13899 15289 16818 18500 20350 22385 24623 27086 29794 32767'
	step = [int(x) for x in t.split()]
	d = open('o/dvi4.wav', 'rb').read()[44:]
	s = struct.unpack('<%dh' % (len(d) // 2), d)[0::2]
	for i in range(100):
	    v, x, out = 0, 40, []
	    for k in range(4, 84):
	        b = (k * 31 + i) & 255
	        for c in (b >> 4, b & 15):
	            st = step[x]; diff = st >> 3
	            diff += (st if c & 4 else 0) + (st >> 1 if c & 2 else 0) + (st >> 2 if c & 1 else 0)
	            v = max(-32768, min(32767, v - diff if c & 8 else v + diff))
	            x = max(0, min(88, x + [-1, -1, -1, -1, 2, 4, 6, 8][c & 7]))
	            out.append(v)
	    assert list(s[i * 160:i * 160 + 160]) == out, i
EOP
ex 0 bad wav
has err '^optag export: 10 packets could not be decoded'
ex 0 unknown wav
has err 'caller: no decoder for X-FOO'
[ "$(stat -c %s o/unknown.wav.caller)" = 2500 ] || fail "payload of the unknown codec"
[ "$(soxi -s o/unknown.wav)" = 8000 ] || fail "the leg that can be decoded"

# libavcodec's codecs, made by ffmpeg where there is one: a tone must come out as that tone
if command -v ffmpeg >/dev/null; then
	pitch() { sox "$1" -n remix 1 stat 2>&1 | awk '/Rough/ { print $3 }'; }
	codec() { # NAME CLOCK CHANNELS TICKS FMTP RATE BYTES ENCODER-OPTIONS...
		local name=$1 clock=$2 ch=$3 ticks=$4 fmtp=$5 rate=$6 bytes=$7
		shift 7
		ffmpeg -v error -y -f lavfi -i "sine=frequency=440:duration=3:sample_rate=$rate" -ac 1 "$@" enc 2>ferr || { echo "no encoder for $name"; return 0; }
		"$python" -c 'import sys,struct;d=open("enc","rb").read();n=int(sys.argv[1]);[sys.stdout.buffer.write(struct.pack(">H",n)+d[i:i+n]) for i in range(0,len(d)-n+1,n)]' "$bytes" >raw
		run 0 "$MKSTORE" s "raw:$name:$clock:$ch:$ticks:$fmtp:raw"
		id=$(awk '{ print $NF }' out)
		rm -f "o/$name.wav"
		run 0 "$BIN/optag" export --store s --keys k --purpose documentation --call "$id" -o "o/$name.wav"
		[ "$(soxi -r "o/$name.wav")" = "$rate" ] || fail "$name: rate $(soxi -r "o/$name.wav")"
		p=$(pitch "o/$name.wav")
		[ "$p" -gt 380 ] && [ "$p" -lt 560 ] || fail "$name: a tone of 440 Hz came out at $p"
		s=$(soxi -s "o/$name.wav")
		[ "$s" -gt $((rate * 28 / 10)) ] && [ "$s" -lt $((rate * 31 / 10)) ] || fail "$name: $s samples"
	}
	codec G722 8000 1 160 - 16000 160 -c:a g722 -f g722
	codec GSM 8000 1 160 - 8000 33 -c:a libgsm -f gsm
	codec G726-32 8000 1 160 - 8000 80 -c:a g726le -b:a 32k -f g726le
	codec AAL2-G726-32 8000 1 160 - 8000 80 -c:a g726 -b:a 32k -f g726
	codec G723 8000 1 240 - 8000 24 -c:a g723_1 -b:a 6300 -f data
fi

# captures: times, order, checksums
ex 0 g711 pcap
if command -v tshark >/dev/null; then
	tshark -r o/g711.pcap -o ip.check_checksum:TRUE -o udp.check_checksum:TRUE -d udp.port==40000,rtp -T fields \
		-e ip.checksum.status -e udp.checksum.status -e rtp.seq -e rtp.timestamp -e rtp.p_type -e rtp.marker \
		-e ip.src -e frame.time_epoch 2>/dev/null >fields
	[ "$(wc -l <fields)" = 940 ] || fail "packets in the capture"
	awk '$1 != 1 || $2 != 1 { exit 1 }' fields || fail "checksums"
	[ "$(head -1 fields | cut -f3-8 | tr '\t' ' ')" = "65400 0 0 1 192.0.2.1 1767225600.000000000" ] || fail "first packet: $(head -1 fields)"
	sort -s -c -k8,8n fields || fail "not in order of arrival"
	[ "$(grep -c '192.0.2.2' fields)" = 450 ] || fail "packets of the callee"
	[ "$(awk '$5 == 13' fields | wc -l)" = 1 ] || fail "comfort noise"
fi

# ---- refusals: one line, the right status, nothing left behind ----
rm -rf o && mkdir o
no() { # STATUS PATTERN [OPTION...]
	local want=$1 pattern=$2
	shift 2
	run "$want" "$BIN/optag" export --store s --keys k --purpose documentation --call "$(call g711)" -o o/x "$@"
	has err "$pattern"
	only o
}
only() { # here: the directory may be empty
	[ -z "$(ls -A o)" ] || fail "o holds: $(ls -A o)"
}
no 1 'DENIED' --call "$(call denied)"
run 2 "$BIN/optag" export --store "$TMP/s" --keys "$TMP/k" --purpose documentation --call "$(call denied)" -o -
has err 'name a file'
no 1 'DENIED' --call "$(call training)"
no 1 'NONE' --purpose training
no 1 'no audio' --call "$(call silent)"
no 1 'no such call|not found' --call 01KDVDNA00SYWF0W4VW9FAS3YK
no 1 . --keys none
no 1 . --store none
no 1 . --store o
no 1 'No such file' -o o/none/x
mkdir k2 && cp k/* k2 && chmod 600 k2/* && chmod 644 k2/documentation.key
no 1 'documentation.key' --keys k2
run 0 "$BIN/optag" init --store s3 --keys k3
no 1 'key' --keys k3
rm k2/documentation.key
no 1 'documentation.key' --keys k2
no 2 'purpose' --purpose documentatoin
# an existing file is kept unless forced
echo precious >p.wav
run 1 "$BIN/optag" export --store s --keys k --purpose documentation --call "$(call g711)" -o p.wav
has err "exists"
[ "$(cat p.wav)" = precious ] || fail "overwritten"
run 0 "$BIN/optag" export --store s --keys k --purpose documentation --call "$(call g711)" -o p.wav --force
[ "$(soxi -s p.wav)" = 80000 ] || fail "--force"
no 1 'exists and is no file' -o o --force
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
	# a full disk: a tmpfs of 64 KiB in a mount namespace of its own
	cat >full.sh <<-'EOS'
		mount -t tmpfs -o size=64k none o || exit 77
		for f in wav payload pcap; do
			"$BIN/optag" export --store s --keys k --purpose documentation --call "$1" --format $f -o o/x 2>err && exit 10
			[ $? = 1 ] || exit 11
			grep -q "No space left" err || exit 12
			[ "$(wc -l <err)" = 1 ] || exit 13
			[ -z "$(ls -A o)" ] || exit 14
			# who could have had it is known: the event is there before the first byte of audio
			cat s/outbox/*.jsonl | grep -q "\"format\":\"$f\",.*\"bytes\":" || exit 15
			rm s/outbox/*
		done
	EOS
	rm -rf s/outbox/*
	unshare -m sh full.sh "$(call g711)"
	rc=$?
	[ $rc = 0 ] || [ $rc = 77 ] || fail "full disk: $rc"
fi
# what is there stays as it is; what is added is the event of who got it
rm -rf s/outbox/*
before=$(find s -type f -exec sha256sum {} + | sort)
run 0 "$BIN/optag" export --store s --keys k --purpose training --call "$(call training)" -o tr.wav --reason course.3
[ "$before" = "$(find s -type f ! -path 's/outbox/*' -exec sha256sum {} + | sort)" ] || fail "export changed the store"
run 0 "$BIN/optag" export --store s --keys k --purpose training --call "$(call training)" -f payload -o tr
event() { cat s/outbox/*.jsonl | sed 1~2d | tail -n "${1:-1}" | head -1; }
bytes=$(stat -c %s tr.caller tr.callee 2>/dev/null | awk '{ n += $1 } END { print n }')
[ "$(event 2 | jq -c '[.event, .purpose, .source, .call, .reason, .format, .n.uid, .n.bytes]')" = \
	"[\"play\",\"training\",\"operator\",\"$(call training)\",\"course.3\",\"wav\",$(id -u),$bytes]" ] || fail "event: $(event 2)"
[ "$(event | jq -c '[.call, .reason, .format, .n.bytes]')" = "[\"$(call training)\",null,\"payload\",$bytes]" ] || fail "event: $(event)"
[ "$(event | jq -r .who)" = "$(id -un | grep -E '^[a-z][a-z0-9._-]*$' || echo person)" ] || fail "who: $(event)"
grep -rqE '\+?[0-9]{8,}' <(event | jq -c '[.who, .reason, .format]') && fail "a number in the event"
# whoever holds the log can read it, whatever the umask of who listened
if [ "$(id -u)" = 0 ]; then
	chown 1234:2345 s/outbox
	(umask 077 && run 0 "$BIN/optag" export --store s --keys k --purpose training --call "$(call training)" -o umask.wav)
	[ "$(find s/outbox -type f -gid 2345 -perm 660 | wc -l)" = 1 ] || fail "the log's holder cannot read it: $(ls -l s/outbox)"
	chown 0:0 s/outbox
	# and the outbox itself, when he is the first who leaves anything there
	if command -v setpriv >/dev/null; then
		P=$(mktemp -d /tmp/optag-export.XXXXXX) || exit 1
		trap 'rm -rf "$P"' EXIT
		chmod 755 "$P" && cp -r s k "$P"
		chown -R 1500:2345 "$P/s" && chmod -R g+rwX "$P/s" && chown -R 1234:5678 "$P/k" && install -d -o 1234 "$P/o"
		owners() { find "$P/s/outbox" -printf '%y %U:%G %m\n' | sort; }
		listen() { run 0 "$@" "$BIN/optag-export" --store "$P/s" --keys "$P/k" --purpose training --call "$(call training)" -o "$P/o/$RANDOM.wav"; }
		for mode in 3770 770 700; do
			chmod $mode "$P/s"
			if [ $mode != 700 ]; then
				rm -r "$P/s/outbox"
				(umask 077 && listen setpriv --reuid 1234 --regid 5678 --groups 2345)
				[ "$(owners)" = "$(printf 'd 1234:2345 770\nf 1234:2345 660')" ] || fail "outbox of a person's in a store of $mode: $(owners)"
			fi
			rm -r "$P/s/outbox"
			chown 0:0 "$P/k"/* # as root
			(umask 077 && listen env)
			want=770
			[ $mode = 700 ] && want=700
			[ "$(owners)" = "$(printf 'd 1500:2345 %s\nf 0:2345 660' $want)" ] || fail "outbox of root's in a store of $mode: $(owners)"
			chown 1234 "$P/k"/*
		done
	fi
fi
# nothing refused is told: nobody got anything
rm -rf s/outbox/*
no 1 'DENIED' --call "$(call denied)"
no 1 'NONE' --purpose training
run 1 "$BIN/optag" export --store s --keys k --purpose documentation --call "$(call g711)" -o p.wav
run 1 "$BIN/optag" export --store s --keys k --purpose documentation --call "$(call g711)" -f grounds -o o/x
no 2 'no word for the evidence log' --reason 'Dispute over 12345'
[ -z "$(ls s/outbox)" ] || fail "events: $(cat s/outbox/*)"
# and where the log cannot be told nobody gets anything
rmdir s/outbox && : >s/outbox
for f in wav payload pcap; do
	no 1 'nothing is given out, since the evidence log cannot be told' -f $f
done
rm s/outbox
# a run that takes the outbox into the log, which holds: chain, sums
run 0 "$BIN/optag" export --store s --keys k --purpose documentation --call "$(call g711)" -o o/x --reason complaint
id=$(call g711)
run 0 "$BIN/optag" reap --store s --quiet
run 0 "$BIN/optag" audit show --store s --event play
has out "play  purpose documentation  source operator  call $id  reason complaint  who .*  format wav  uid=$(id -u)  bytes="
run 0 "$BIN/optag" audit verify s
exit 0
