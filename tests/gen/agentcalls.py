#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# agentcalls.py OUT START AGENT:CALLS[:EVERY]...: a capture of answered calls of 4 s with speech-like noise on both sides, taken by agents.
#
# START is seconds since 1970 of the first call; a call begins each second, the agents in turn. The 200 OK says
# X-Consent: yes, the INVITE X-Agent. Call-IDs are AGENT-N-START@x. Deterministic.
import struct, sys

def main(out, start, specs):
    todo = [[s.split(":")[0], int(s.split(":")[1])] for s in specs]
    order = []
    n = {a: 0 for a, _ in todo}
    while any(c for _, c in todo):
        for t in todo:
            if t[1]:
                t[1] -= 1
                n[t[0]] += 1
                order.append((t[0], n[t[0]]))
    packets = []
    def udp(at, src, dst, sport, dport, data):
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 28 + len(data), 0, 0, 64, 17, 0, bytes(src), bytes(dst))
        s = sum(struct.unpack(">10H", ip))
        s = (s >> 16) + (s & 0xffff)
        ip = ip[:10] + struct.pack(">H", ~(s + (s >> 16)) & 0xffff) + ip[12:]
        packets.append((at, b"\2\0\0\0\0\1\2\0\0\0\0\2\x08\0" + ip + struct.pack(">HHHH", sport, dport, 8 + len(data), 0) + data))
    for i, (agent, k) in enumerate(order):
        a, b, t = (10, 90, i // 250, 1 + i % 250), (10, 90, 100 + i // 250, 1 + i % 250), start + i
        cid = "%s-%d-%d@x" % (agent, k, start)
        head = ("Via: SIP/2.0/UDP 10.90.0.1;branch=z9hG4bK%s\r\nFrom: <sip:+4520%06d@x>;tag=f\r\nTo: <sip:+4570103001@x>%s\r\n"
                "Call-ID: %s\r\nCSeq: %d %s\r\n")
        def sdp(who):
            d = "v=0\r\no=- 1 1 IN IP4 %d.%d.%d.%d\r\ns=-\r\nc=IN IP4 %d.%d.%d.%d\r\nt=0 0\r\nm=audio 20000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n" % (who * 2)
            return "Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s" % (len(d), d)
        none = "Content-Length: 0\r\n\r\n"
        def sip(at, fwd, first, cseq, method, tag, more):
            m = first + "\r\n" + head % (cid, i, tag, cid, cseq, method) + more
            udp(at, a if fwd else b, b if fwd else a, 5060, 5060, m.encode())
        uri = "sip:+4570103001@x SIP/2.0"
        sip(t, True, "INVITE " + uri, 1, "INVITE", "", "X-Agent: %s\r\n" % agent + sdp(a))
        sip(t + .1, False, "SIP/2.0 200 OK", 1, "INVITE", ";tag=t", "X-Consent: yes\r\n" + sdp(b))
        sip(t + .11, True, "ACK " + uri, 1, "ACK", ";tag=t", none)
        for p in range(200):
            for leg in (0, 1):
                x = (i * 7919 + p * 31 + leg * 17) & 0xffffffff
                body = bytes(((x * (j + 3) >> 5) ^ 0x55) & 0xff for j in range(160))
                udp(t + .13 + p * .02 + leg * .003, b if leg else a, a if leg else b, 20000, 20000,
                    struct.pack(">BBHII", 128, 8, p, p * 160, 1000 + i * 2 + leg) + body)
        sip(t + 4.2, True, "BYE " + uri, 2, "BYE", ";tag=t", none)
        sip(t + 4.21, False, "SIP/2.0 200 OK", 2, "BYE", ";tag=t", none)
    packets.sort(key=lambda p: p[0])
    with open(out, "wb") as f:
        f.write(struct.pack("<IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for at, p in packets:
            f.write(struct.pack("<IIII", int(at), int(round((at - int(at)) * 1e6)) % 1000000, len(p), len(p)) + p)

if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
