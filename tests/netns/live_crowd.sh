#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Whoever can send SIP has calls followed that no rule matches, for half an hour each: with more of them than the table has
# places, in every phase, a call that a rule matches is recorded whole. When rules match more calls than there are places, the
# rest is refused, and the log says so once, without a word of a caller's.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
command -v python3 >/dev/null || { echo "SKIP: python3 is not installed"; exit 77; }

cat >"$TMP/flood.py" <<'P'
# FIRST N WAY CALLED: N calls, a message or two each, from an interface's other end
import socket, struct, sys, time
first, n, way, called = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(('tx0', 0))
SDP = ('v=0\r\no=- 1 1 IN IP4 10.9.9.9\r\ns=-\r\nc=IN IP4 10.9.9.9\r\nt=0 0\r\nm=audio 1000 RTP/AVP 8\r\n')

def send(text):
    p = text.encode()
    udp = struct.pack('>HHHH', 5060, 5060, 8 + len(p), 0) + p
    ip = struct.pack('>BBHHHBBH', 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0) + bytes([10, 90, 0, 9, 10, 90, 0, 8])
    s.send(b'\x02\0\0\0\0\1\x02\0\0\0\0\2\x08\0' + ip + udp)

def message(line, i, to, method, body):
    send(f'{line}\r\nVia: SIP/2.0/UDP 10.90.0.9:5060;branch=z9hG4bKw{i}{method}\r\nFrom: <sip:+4520000009@a>;tag=f{i}\r\n'
         f'To: <sip:{called}@b>{to}\r\nCall-ID: crowd-{i}\r\nCSeq: 1 {method}\r\n'
         + ('Content-Type: application/sdp\r\n' if body else '') + f'Content-Length: {len(body)}\r\n\r\n{body}')

for i in range(first, first + n):
    if way == 'ack':
        message(f'ACK sip:{called}@b SIP/2.0', i, ';tag=t', 'ACK', SDP)
    else:
        message(f'INVITE sip:{called}@b SIP/2.0', i, '', 'INVITE', SDP)
        if way != 'invite':
            message('SIP/2.0 200 OK' if way == 'answered' else 'SIP/2.0 486 Busy', i, ';tag=t', 'INVITE', SDP if way == 'answered' else '')
    time.sleep(.0002)
P
flood() { load_in python3 "$TMP/flood.py" "$@" || fail "no flood"; }
take() { # until the daemon has read what was sent
	load_settle || fail "the counters do not come to rest"
	load_status "$TMP/status" || fail status
}

load_ready 'calls 300' 'ring 16 MiB'
flood 0 400 ack +4588888888
flood 1000 400 invite +4588888888
flood 2000 400 refused +4588888888
flood 3000 400 answered +4588888888
load_begin "$TMP/sent" --kind 'kept:1:+4520######:+45701020##' --calls 20 --rate 20 --duration 4 --first-rtp 300
sleep 2
flood 4000 800 ack +4588888888 # while they speak
load_wait || fail "optag-load: $(cat "$TMP/sent")"
take
jq -e '.calls.matched == 20 and .calls.forgotten > 2000 and .calls.active <= 300 and .losses.calls_refused == 0' "$TMP/status" >/dev/null ||
	fail "calls: $(jq -c .calls "$TMP/status")"
grep 'alarm: lost' "$TMP/optagd.err" && fail "an alarm of nothing"

# Calls of a rule do not give way to each other.
flood 10000 500 invite +4570102009
take
jq -e '.calls.active == 300 and .losses.calls_refused == 200' "$TMP/status" >/dev/null || fail "calls: $(jq -c .calls "$TMP/status")"
sleep 1.5
[ "$(grep -c 'alarm: lost: calls refused' "$TMP/optagd.err")" = 1 ] || fail "the log: $(cat "$TMP/optagd.err")"
grep -E 'crowd-|\+45(20|70|88)|10\.90\.' "$TMP/optagd.err" && fail "the log names who called"
load_stop || fail "optagd's status"
load_rows "$TMP/sent.truth" "$TMP/rows" || fail find
awk -F'\t' '$6 != "kept" || $7 != $3 || $8 != $4 {print "not whole: " $0; bad++} {n++} END {exit bad || n != 20}' "$TMP/rows" >"$TMP/bad" ||
	fail "$(head -n 5 "$TMP/bad")"
exit 0
