#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# What is no key press, no signalling and no whole packet stays below, whatever it is called: frames made by hand.
#
#	speech under an event's number, and under PCMA's own that the description calls an event's, before a consent
#	real key presses beside it, one of them dressed in CSRCs and an extension
#	RTP in IP fragments, of a call that waits and of one that is kept; a fragmented INVITE is read
#	a side whose media port is a SIP port: blocked before a consent, recorded where it may be
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
command -v python3 >/dev/null || { echo "SKIP: python3 is not installed"; exit 77; }

cat >"$TMP/send.py" <<'P'
import socket, struct, sys, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("tx0", 0))
number = [0]
def ip(src, dst, pl, off=0, more=0, ident=0):
    h = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(pl), ident, more << 13 | off // 8, 64, 17, 0)
    s.send(b"\2\0\0\0\0\1\2\0\0\0\0\2\x08\0" + h + socket.inet_aton(src) + socket.inet_aton(dst) + pl)
def udp(src, sport, dst, dport, pl, mtu=0):
    d = struct.pack(">HHHH", sport, dport, 8 + len(pl), 0) + pl
    number[0] += 1
    for k in range(0, len(d), mtu or len(d)):
        c = d[k:k + (mtu or len(d))]
        ip(src, dst, c, k, int(k + len(c) < len(d)), number[0])
def rtp(pt, seq, ssrc, pl, csrc=0, ext=b""):
    return struct.pack(">BBHII", 0x80 | (0x10 if ext else 0) | csrc, pt, seq, seq * 160, ssrc) + bytes(4 * csrc) + ext + pl
def sdp(a, port, fmts, maps):
    return "v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d RTP/AVP %s\r\n%s" % (
        a, a, port, fmts, "".join("a=rtpmap:%s\r\n" % m for m in maps))
def say(first, cid, tag, cseq, body, a, b, up, mtu=0):
    m = ("%s\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK%s%s\r\nFrom: <sip:%s@a>;tag=f\r\nTo: <sip:%s@b>%s\r\nCall-ID: %s\r\n"
         "CSeq: %s\r\n%sContent-Length: %d\r\n\r\n%s" % (first, cid, cseq[0], a, b, ";tag=t" if tag else "", cid, cseq,
         "Content-Type: application/sdp\r\n" if body else "", len(body), body)).encode()
    x, y = ("10.9.0.1", "10.9.0.2") if up else ("10.9.0.2", "10.9.0.1")
    udp(x, 5060, y, 5060, m, mtu)
def call(cid, n, a, b, fmts, maps, port=20000, mtu=0):
    ca, sa = "10.1.0.%d" % n, "10.2.0.%d" % n
    say("INVITE sip:%s@b SIP/2.0" % b, cid, 0, "1 INVITE", sdp(ca, port, fmts, maps), a, b, 1, mtu)
    say("SIP/2.0 200 OK", cid, 1, "1 INVITE", sdp(sa, 30000, fmts, maps), a, b, 0, mtu)
    say("ACK sip:b SIP/2.0", cid, 1, "1 ACK", "", a, b, 1)
    time.sleep(0.3)
    return (ca, port, sa, 30000, a, b, cid)
def talk(c, pt, mtu=0, n=100):
    for i in range(n):
        sound = bytes((i * 7 + j * 13 + 0x55) & 255 for j in range(160))
        # its first bytes are a pressed key's end
        udp(c[0], c[1], c[2], c[3], rtp(pt, i, 1, b"\x01\x8a" + sound[2:]), mtu)
        udp(c[2], c[3], c[0], c[1], rtp(pt, i, 2, b"\x01\x8a" + sound[2:]), mtu)
        time.sleep(0.002)
def bye(c):
    say("BYE sip:b SIP/2.0", c[6], 1, "2 BYE", "", c[4], c[5], 1)
SALES, KEPT = ("+4521000001", "+4570103000"), ("+4520000001", "+4570102000")
HONEST = ("8 101", ["8 PCMA/8000", "101 telephone-event/8000"])
what = sys.argv[1]
if what == "event":
    c = call(what, 1, *SALES, *HONEST)
    talk(c, 101)
elif what == "static":
    c = call(what, 2, *SALES, "8", ["8 telephone-event/8000"])
    talk(c, 8)
elif what == "keys": # of no meaning in this rule
    c = call(what, 3, *SALES, *HONEST)
    for i in range(6):
        udp(c[0], c[1], c[2], c[3], rtp(101, i // 3 * 3, 1, struct.pack(">BBH", 5, 10 | (i % 3 == 2) << 7, i % 3 * 160 + 160),
            *((3, struct.pack(">HHQ", 0xbede, 2, 0)) if i > 2 else ())))
elif what == "gated-fragments":
    c = call(what, 4, *SALES, *HONEST, mtu=104)
    talk(c, 8, 104)
elif what == "kept-fragments":
    c = call(what, 5, *KEPT, *HONEST)
    talk(c, 8, 104)
    for i in range(200, 250):
        udp(c[0], c[1], c[2], c[3], rtp(8, i, 1, bytes(160)))
elif what == "gated-sip-port":
    c = call(what, 6, *SALES, *HONEST, port=5060)
    talk(c, 8)
elif what == "kept-sip-port":
    c = call(what, 7, *KEPT, *HONEST, port=5060)
    talk(c, 8)
if what.startswith("kept"): # a rule's min-length
    time.sleep(2)
bye(c)
P

# NAME JQ: sends that; then the counters, less what they were before it, are so
became() {
	load_status "$TMP/before" && load_in python3 "$TMP/send.py" "$1" || fail "$1: sending"
	sleep 0.3
	load_settle || fail "$1: the counters do not come to rest"
	load_status "$TMP/after" || fail "$1: status"
	jq -s -c '.[0] as $a | .[1] as $b | def less(f): ($a | f) as $x | $b | f | with_entries(select(.value | type == "number") |
		.value -= ($x[.key] // 0)); {packets: less(.packets), media: less(.media), losses: less(.losses),
		signalling: less(.signalling), balanced: $b.packets.balanced}' "$TMP/before" "$TMP/after" >"$TMP/became"
	jq -e ".balanced and .media.drained == .packets.audio + .packets.events and .signalling.not_sip == 0 and ($2)" \
		"$TMP/became" >/dev/null || fail "$1: $(jq -c '[.packets, .media, .signalling, .losses] | map(with_entries(select(.value != 0)))' "$TMP/became")"
}

load_up && load_store && load_consent && load_conf 'ring 1 MiB' || fail "no network or store"
load_daemon || fail "optagd does not start"
became event '.packets.gated == 100 and .packets.blocked == 100 and .media.drained == 0'
became static '.packets.gated == 100 and .packets.blocked == 100 and .media.drained == 0'
became keys '.packets.events == 6 and .media.events == 6 and .packets.gated == 0'
became gated-fragments '.packets.gated == 100 and .packets.blocked == 100 and .packets.fragments == 200 and .media.drained == 0 and .signalling.messages == 4'
became kept-fragments '.packets.lost_fragments == 200 and .losses.media_fragments == 200 and .packets.fragments == 200
	and .packets.audio == 50 and .media.kept == 50'
became gated-sip-port '.packets.gated == 100 and .packets.blocked == 100 and .media.drained == 0 and .packets.signalling == 4'
became kept-sip-port '.packets.audio == 200 and .media.kept == 200 and .packets.signalling == 4'
load_stop || fail "optagd's status"
"$O" find --store "$TMP/s" --json | jq -r '[.sip_call_id, .outcome, ([.legs[].packets] | add),
	([.legs[].events] | add), ([.legs[].lost] | add)] | @tsv' | sort >"$TMP/rows"
cat "$TMP/rows"
grep -q '^kept-sip-port	kept	200	0	0$' "$TMP/rows" || fail "a media port that is a SIP port is not recorded"
grep -q '^kept-fragments	kept	50	0	' "$TMP/rows" || fail "whole packets beside fragments"
[ "$(grep -c '	denied	' "$TMP/rows")" = 5 ] || fail "something was taken for a consent"
exit 0
