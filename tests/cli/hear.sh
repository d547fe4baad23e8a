#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# What is heard decides: announcements recognised by their sound, keys in the sound, and tones silenced in what is stored.
# Captures of gencap through `optag replay`; what became of each call is read from find, audit and export.
# shellcheck source=tests/cli/common
. "$SRC/tests/cli/common"
need jq
sounds=/usr/share/asterisk/sounds/en_US_f_Allison
[ -e $sounds/demo-nogo.wav ] || { echo "SKIP: no announcement to play (asterisk-core-sounds-en-wav)"; exit 77; }
gen="$BUILD/tests/gen/gencap"
bad=0
wrong() {
	echo "FAIL $name: $*"
	bad=1
}

# The examples of training by consent (b) and of documentation by interest with it (e), for gencap's numbers, with the announcement's
# sound, keys by all ways, and every call in the sample.
policy() { # EXAMPLE TO [SED...]
	local from="$SRC/policy/examples/$1" to=$2
	shift 2
	sed -e '/^announcement notice-da/,/^}/d' -e 's/languages da, en/languages en/' -e 's/notice notice-da, notice-en/notice notice-en/' \
		-e "s|^announcement notice-en {|&\n\taudio file \"notice.wav\"|" \
		-e 's/notice-proof header.*/notice-proof fingerprint/' -e 's/side calling/side called/' -e '/queue = survey/d' \
		-e 's/^\t+45 7010 20\*$/&\n\t+45 3300 00*/' -e 's/called +45 7010 20\*/called +45 3300 00*/' -e 's/calling +45 8812 3450/called +45 3300 00*/' \
		-e 's|address 192.0.2.0/24|&, 198.51.100.0/24|' -e 's/consent-key 1/&\n\t\tdtmf rfc4733, info, inband/' \
		-e 's/sample 10%/sample 100%/' -e 's/cap 15 per day/cap 100 per day/' \
		-e '/kind training-amount/,/^}/s/approver "Compliance"/&\n\tsecond-approver "Board"/' "$@" "$from" >"$to"
}
cp $sounds/demo-nogo.wav "$TMP/notice.wav"
policy b-training-consent.policy "$TMP/b.policy"
policy e-documentation-training-consent.policy "$TMP/e.policy"
policy b-training-consent.policy "$TMP/events.policy" -e 's/dtmf rfc4733, info, inband/dtmf rfc4733, info/'

# What became of it: "outcome documentation training", what the log says of notice and consent, and the summary.
play() { # POLICY gencap options...
	local p=$1
	shift
	rm -rf "$TMP/s" "$TMP/k"
	"$gen" --calls 1 --seconds 20 --notice "$TMP/notice.wav" --speech $sounds/../fr_CA_f_June "$@" "$TMP/c.pcap" "$TMP/t.json" || { wrong "gencap exits with $?"; return; }
	"$BIN/optag" init --store "$TMP/s" --keys "$TMP/k" >/dev/null 2>&1 || wrong "init exits with $?"
	"$BIN/optag" replay --store "$TMP/s" --policy "$TMP/$p.policy" --json "$TMP/c.pcap" >"$TMP/sum" 2>"$TMP/err" ||
		wrong "replay exits with $?: $(grep -v ' W-' "$TMP/err" | head -1)"
	"$BIN/optag" find --store "$TMP/s" --json | jq -r '"\(.outcome) \(.documentation) \(.training)"' >"$TMP/got"
	"$BIN/optag" audit show --store "$TMP/s" >"$TMP/log" 2>&1 || wrong "audit exits with $?"
	"$BIN/optag" fsck --store "$TMP/s" >"$TMP/out" 2>&1 || wrong "fsck: $(head -3 "$TMP/out")"
	jq -e '.rtp_packets == .audio_packets_delivered + .inspected_packets + .event_packets + .blocked_packets' "$TMP/sum" >/dev/null ||
		wrong "the sums: $(cat "$TMP/sum")"
}
is() { [ "$(cat "$TMP/got")" = "$1" ] || wrong "$(cat "$TMP/got"), not $1"; }
logged() { grep -Eq -- "$1" "$TMP/log" || wrong "the log lacks /$1/: $(grep -E 'notice|consent' "$TMP/log" | cut -c1-60)"; }
never() { ! grep -Eq -- "$1" "$TMP/log" || wrong "the log has /$1/"; }
sum() { jq -e "$1" "$TMP/sum" >/dev/null || wrong "not $1: $(cat "$TMP/sum")"; }

# ---- training by consent: of the caller's audio nothing comes up before a key, of the other leg only until the announcement's end ----
name="announcement, no key"
play b --scenario notice --codec pcma
is "denied NONE DENIED"
logged 'notice\.played .*reason fingerprint +notice [a-z-]+ .*content [0-9a-f]{64} +version=1 +offset_ms=10[0-9][0-9][0-9]$'
logged 'consent\.none'
sum '.audio_packets_delivered == 0 and .inspected_packets > 500 and .inspected_packets < 600'
name="a rule that does not listen to tones"
play events --scenario notice --codec pcma
sum '.audio_packets_delivered == 0 and .inspected_packets > 500 and .inspected_packets < 600'

name="a key by event after it"
play b --scenario notice-key --codec pcmu
is "kept NONE GRANTED"
logged 'consent\.given .*source caller .*reason rfc4733'
sum '.inspected_packets < 600 and .audio_packets_delivered < 760 and .event_packets == 8'

for law in pcma pcmu; do
	name="a key in the sound after it, $law"
	play b --scenario notice-tone --codec $law
	is "kept NONE GRANTED"
	logged 'consent\.given .*source caller .*reason inband'
	logged 'call\.kept .*packets=7[0-9][0-9] .*inspected=1[0-9][0-9][0-9]'
	# The key comes 120 ms after 13.5 s of the call, and is known after 40: nothing of before is kept.
	sum '.audio_packets_delivered < 760'
done

name="a key in the sound stops it"
play b --scenario notice-tone-mid
is "kept NONE GRANTED"
logged 'notice\.played .*offset_ms=(3[7-9]|4[0-1])[0-9][0-9]$'
logged 'consent\.given .*reason inband +press 1 +notice [a-z-]+ .*content [0-9a-f]{64} +leg=0 +offset_ms=4[0-9][0-9][0-9] +version=1$'
never 'notice\.missing'

name="a key before the window"
play b --scenario notice-tone-early
is "denied NONE DENIED"
logged 'notice\.played'
never 'consent\.given'

name="half an announcement"
play b --scenario notice-broken
is "denied NONE DENIED"
logged 'notice\.missing'
never 'notice\.played|consent\.given'

name="another announcement"
cp $sounds/demo-congrats.wav "$TMP/other.wav"
sed 's/notice.wav/other.wav/' "$TMP/b.policy" >"$TMP/other.policy"
play other --scenario notice-tone
is "denied NONE DENIED"
never 'notice\.played|consent\.given'

# `pre-decision block`: no audio of the caller goes to a detector before the consent; who takes keys by tones may not say it (L-28).
policy b-training-consent.policy "$TMP/block.policy" -e 's/pre-decision .*//' -e 's/^\t\tconsent-key 1/\t\tpre-decision block\n&/'
"$BIN/optag" policy check "$TMP/block.policy" 2>&1 | grep -q 'L-28' || wrong "block beside inband is not refused"
sed -i 's/dtmf rfc4733, info, inband/dtmf rfc4733, info/' "$TMP/block.policy"
name="tones alone, and audio that is blocked"
play block --scenario notice-tone
is "denied NONE DENIED"
logged 'notice\.played'
never 'consent\.given'
logged 'call\.denied .*blocked=[1-9][0-9]* +inspected=5[0-9][0-9]$' # the announcement, in the controller's own voice
"$BIN/optag" find --store "$TMP/s" --json | jq -e '[.legs[].inspected] | min == 0' >/dev/null || wrong "the caller's voice was inspected"
name="an event, and audio that is blocked"
play block --scenario notice-key
is "kept NONE GRANTED"

# X-8: outbound nobody has heard what was played before the answer. The caller plays it from 2 s to 12; answered at 14 s, or 500 ms.
name="outbound"
cat >"$TMP/outbound.py" <<'P'
import struct, sys
answer, b, at, pk = float(sys.argv[3]), open(sys.argv[1], "rb").read(), 24, []
while at + 16 <= len(b):
    s, f, n = struct.unpack("<III", b[at:at + 12])
    pk.append((s * 1000000 + f, bytearray(b[at + 16:at + 16 + n])))
    at += 16 + n
out = []
for t, p in pk:
    m = bytes(p[42:])
    p[40:42] = b"\0\0"
    if b"SIP/2.0" not in m[:120]:  # voices change sides
        p[26:30], p[30:34], p[34:36], p[36:38] = p[30:34], p[26:30], p[36:38], p[34:36]
    elif m.startswith(b"SIP/2.0 200 OK") and b"CSeq: 1 INVITE" in m:  # early media, then the answer
        early = bytearray(p)
        early[42:56] = b"SIP/2.0 183 OK"
        out.append((t, early))
        t = pk[0][0] + int(answer * 1e6)
    elif m.startswith(b"ACK"):
        t = pk[0][0] + int(answer * 1e6) + 20000
    out.append((t, p))
with open(sys.argv[2], "wb") as o:
    o.write(b[:24])
    for t, p in sorted(out, key=lambda x: x[0]):
        o.write(struct.pack("<IIII", t // 1000000, t % 1000000, len(p), len(p)) + p)
P
cat >"$TMP/out.policy" <<C
trunk t { address 0.0.0.0/0, ::/0 }
set caller numbers { +45 7000* }
announcement nt { language en link https://example.org/call-recording elements rec train link access optout then optout-key:9 text "x" audio file "notice.wav" }
assessment a { kind training-amount scope @caller review $(date -u -d '+180 days' +%F) without-consent "w" author "A" approver "B" second-approver "C" }
controller o { timezone UTC languages en numbers @caller roles r lab yes }
rule "out" { controller o side calling calling @caller direction outbound owner O review $(date -u -d '+180 days' +%F) notice nt notice-proof fingerprint
	training { basis interest assessment a opt-out key 9 opt-out agent key *7 sample 100% cap 1000 per day use-within 5 days } roles training r }
C
outbound() { # ANSWER: at so many seconds
	"$gen" --calls 1 --seconds 40 --notice "$TMP/notice.wav" --scenario notice --codec pcma "$TMP/i.pcap" "$TMP/t.json" && python3 "$TMP/outbound.py" "$TMP/i.pcap" "$TMP/c.pcap" "$1" || wrong "no capture"
	rm -rf "$TMP/s" "$TMP/k"
	"$BIN/optag" init --store "$TMP/s" --keys "$TMP/k" >/dev/null 2>&1 && "$BIN/optag" replay --store "$TMP/s" --policy "$TMP/out.policy" --json "$TMP/c.pcap" >"$TMP/sum" 2>"$TMP/err" ||
		wrong "replay: $(grep -v ' W-' "$TMP/err" | head -1)"
	"$BIN/optag" find --store "$TMP/s" --json | jq -r '"\(.outcome) \(.documentation) \(.training)"' >"$TMP/got"
	"$BIN/optag" audit show --store "$TMP/s" >"$TMP/log" 2>&1 || wrong audit
}
outbound 14
is "denied NONE DENIED"
never 'notice\.played|purpose\.grant'
outbound 1
is "kept NONE GRANTED"
logged 'notice\.played .*reason fingerprint'

name="one press by two ways"
play b --scenario notice-both
is "kept NONE GRANTED"
[ "$(grep -c 'consent\.given' "$TMP/log")" = 1 ] || wrong "the log: $(grep consent "$TMP/log")"

name="the date by which training is to be used"
if command -v sqlite3 >/dev/null; then
	for db in $(find "$TMP/s/catalog" -name '*.db'); do sqlite3 "$db" "select cast((training_use_by-start_ns)/3.6e12+0.5 as integer) from calls"; done >"$TMP/hours"
	grep -qE '^(335|336|337)$' "$TMP/hours" || wrong "not 14 days: $(cat "$TMP/hours")"
fi

name="the agent's key comes back"
play b --scenario notice-echo
is "denied NONE DENIED"
never 'consent\.given'

# Per leg in the row, too; and a database from before there were these columns is read, and written to.
"$BIN/optag" find --store "$TMP/s" --json | jq -e '([.legs[].inspected] | min) > 500 and ([.legs[].muted] | add) == 0' >/dev/null || wrong "find: $("$BIN/optag" find --store "$TMP/s" --json | jq -c .legs)"
if command -v sqlite3 >/dev/null; then
	db=$(find "$TMP/s/catalog" -name '*.db')
	sqlite3 "$db" 'alter table legs drop column inspected; alter table legs drop column muted; alter table calls drop column parts; alter table calls drop column training_use_by; alter table calls drop column grounds;
		drop table links; pragma user_version=1' || wrong "sqlite3"
	"$BIN/optag" find --store "$TMP/s" --json | jq -e '[.legs[].inspected, .legs[].muted] | add == 0 and length == 4' >/dev/null || wrong "an old database: $("$BIN/optag" find --store "$TMP/s" --json)"
	"$gen" --calls 1 --seconds 20 --notice "$TMP/notice.wav" --scenario notice-tone --seed 9 "$TMP/c2.pcap" && "$BIN/optag" replay --store "$TMP/s" --policy "$TMP/b.policy" --json "$TMP/c2.pcap" >"$TMP/sum" 2>"$TMP/err" || wrong "replay into it: $(head -1 "$TMP/err")"
	"$BIN/optag" find --store "$TMP/s" --json | jq -s -e 'length == 2 and ([.[].legs[].inspected] | add) > 500' >/dev/null || wrong "a row more in an old database"
fi

name="lost packets"
play b --scenario notice-tone --loss 0.02 --seed 7
is "kept NONE GRANTED"

# ---- documentation by interest: recorded from the answer, and quarantined when nobody was told ----
name="documentation and a key"
play e --scenario notice-tone
is "kept GRANTED GRANTED"
sum '.inspected_packets == 0'
name="documentation without the notice"
play e --scenario tones
is "kept OBJECTED DENIED"
logged 'notice\.missing'
name="documentation, the notice broken off"
play e --scenario notice-broken
is "kept OBJECTED DENIED"

# ---- what is stored has no tones in it, unless the rule wants them ----
pieces() { # payload of caller and callee, the tone's place: different octets in it, and beside it
	perl -0777 -e 'my ($f, $at, $n) = @ARGV; open my $h, "<:raw", $f or die; my $a = <$h>;
		my %c = map { $_ => 1 } split //, substr($a, $at, $n); print scalar(keys %c), "\n"' "$@"
}
name=muted
sed '/mute-dtmf/d' "$SRC/policy/examples/lab.policy" >"$TMP/lab.policy"
for law in pcma pcmu; do
	play lab --scenario tones --codec $law
	is "kept GRANTED NONE"
	sum '.muted_samples > 1900 and .muted_samples < 2600'
	logged 'call\.kept .*muted=2[0-9][0-9][0-9]$'
	id=$("$BIN/optag" find --store "$TMP/s" --json | jq -r .call)
	rm -f "$TMP"/x.*
	"$BIN/optag" export --store "$TMP/s" --keys "$TMP/k" --purpose documentation --call "$id" --format payload -o "$TMP/x" >/dev/null 2>"$TMP/err" || wrong "export"
	# streams begin at 1040 (caller) and 1030 ms (callee)
	[ "$(pieces "$TMP/x.caller" $(((2000 - 1040) * 8)) 960)" = 1 ] || wrong "the caller's tone is in the store"
	[ "$(pieces "$TMP/x.callee" $(((3000 - 1030) * 8)) 960)" = 1 ] || wrong "the callee's tone is in the store"
	[ "$(pieces "$TMP/x.caller" $(((5000 - 1040) * 8)) 8000)" -gt 1 ] || wrong "speech is gone"
	[ "$(stat -c %s "$TMP/x.caller")" = $((1000 * 160)) ] || wrong "packets are missing: $(stat -c %s "$TMP/x.caller")"
done
name="mute-dtmf no"
cp "$SRC/policy/examples/lab.policy" "$TMP/lab.policy"
play lab --scenario tones --codec pcma
sum '.muted_samples == 0'
id=$("$BIN/optag" find --store "$TMP/s" --json | jq -r .call)
rm -f "$TMP"/x.*
"$BIN/optag" export --store "$TMP/s" --keys "$TMP/k" --purpose documentation --call "$id" --format payload -o "$TMP/x" >/dev/null 2>&1
[ "$(sha256sum <"$TMP/x.caller" | cut -d' ' -f1)" = "$(jq -r '.calls[0].legs[0].sha256' "$TMP/t.json")" ] || wrong "not bit for bit what was sent"

# ---- sounds that cannot be recognised are refused with a reason ----
refused() { # REGEX
	"$BIN/optag" init --store "$TMP/s2" --keys "$TMP/k2" >/dev/null 2>&1
	"$BIN/optag" replay --store "$TMP/s2" --policy "$TMP/b.policy" "$TMP/c.pcap" >"$TMP/out" 2>"$TMP/err" && wrong "taken"
	grep -Eq -- "$1" "$TMP/err" || wrong "not /$1/: $(cat "$TMP/err")"
	"$BIN/optag" policy check "$TMP/b.policy" >"$TMP/out" 2>"$TMP/err"
	[ $? = 2 ] || wrong "policy check does not refuse it"
	grep -q '^.*b\.policy:[0-9]*:1: L-85: .*cannot be recognised' "$TMP/err" || wrong "policy check says: $(cat "$TMP/err")"
	rm -rf "$TMP/s2" "$TMP/k2"
}
name="bad sounds"
head -c 100000 /dev/zero >"$TMP/notice.wav"
refused 'notice-en.*notice\.wav: it is no RIFF WAVE file'
sox -n -r 8000 -c 1 -b 16 "$TMP/notice.wav" synth 6 sine 425 2>/dev/null && refused 'too little in it to be recognised'
sox $sounds/demo-nogo.wav -r 16000 "$TMP/notice.wav" 2>/dev/null && refused 'not of 8 kHz'
sox $sounds/demo-nogo.wav -c 2 "$TMP/notice.wav" 2>/dev/null && refused 'more than one channel'
[ $bad != 0 ] || echo "ok"
exit $bad
