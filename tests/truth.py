#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The truth table of tests/golden/truth: calls for its cells, and whether a store holds what it says.

  truth.py policy DIR PROOF           writes DIR/truth.policy and its announcement; PROOF: header or attested
  truth.py script PROOF               prints the calls for gencap --script
  truth.py check PCAP STORE KEYS PROOF [--live | --every N]
                                      compares packet by packet; prints what differs, status 1 then. --every: the audio
                                      of one cell in N only, others at each run (TRUTH_SEED); states and figures of all
  truth.py audio PCAP STORE KEYS CALL PURPOSE RANGE
                                      one call, for the stories; RANGE as in the table, several joined by "+"

Reads captures itself and knows nothing of the daemon but what optag's tools print. --live: the moment at which the kernel
learns of a decision is not the packet's: up to LATE seconds of audio may be missing after a key or the answer, none may be too much."""
import concurrent.futures, datetime, json, os, re, shutil, struct, subprocess, sys, tempfile, wave

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden", "truth")
BIN = os.environ.get("BIN", "build/bin")
PURPOSES = ("documentation", "training")
NUMBER = {"A1": 1, "A2": 2, "A3": 3, "D": 4, "B": 5, "C": 6, "G": 7, "E": 8, "F": 9, "E-press": 10, "C-block": 11, "C-agent": 12}
LATE = 0.5
TICK = 0.1  # silence is looked at that often
LOOK = 0.3  # and what was lost where audio stays in the classifier
OVER = 0.15  # nothing more of a key that was pressed: its end packets are lost


def lines(name):
    with open(os.path.join(HERE, name)) as f:
        return [line.rstrip("\n").split("\t") for line in f if line.strip() and line[0] != "#"]


def table(proof):
    cells = {}
    for situation, reaction, purpose, state, reason, audio, *until in lines("table.tsv"):
        if not (proof == "attested" and reaction == "unannounced"):
            cells.setdefault((situation, reaction), {})[purpose] = (state, "" if reason == "-" else reason, audio, until)
    return cells


def policy(directory, proof):
    review = (datetime.date.today() + datetime.timedelta(180)).isoformat()
    text = open(os.path.join(HERE, "truth.policy")).read().replace("@REVIEW@", review)
    text = text.replace("@PROOF@", "header X-Notice-Played = yes" if proof == "header" else "attested")
    open(os.path.join(directory, "truth.policy"), "w").write(text)
    w = wave.open(os.path.join(directory, "notice.wav"), "wb")
    w.setnchannels(1), w.setsampwidth(2), w.setframerate(8000), w.writeframes(b"\0\0" * 16000)
    w.close()


def script(proof):
    reactions = {r[0]: r[1] for r in lines("reactions.tsv")}
    for i, (situation, reaction) in enumerate(table(proof)):
        words = reactions[reaction].replace("unannounced", "").replace("-", "", reactions[reaction] == "-")
        # times that hang on the window, which opens at 2500 by a header, at 2000 where the notice is attested
        words = re.sub(r"@(\d+)@", lambda m: str(int(m[1]) + (500 if proof == "header" else 0)), words)
        if "bye=" not in words:
            words += " bye=12000"
        if proof == "header" and reaction != "unannounced":
            words += " header=callee:1500:X-Notice-Played:_yes"
        print(f"{situation}.{reaction} from=+4520{i:06d} to=+457010{2000 + NUMBER[situation]} {words}")


class Packet:
    def __init__(self, t, flow, rtp):
        self.t, self.flow = t, flow
        self.pt, self.seq, self.ts, self.ssrc = rtp[1] & 127, struct.unpack(">H", rtp[2:4])[0], rtp[4:8], rtp[8:12]
        self.payload = rtp[12:]
        self.key = rtp[12] if len(self.payload) == 4 else None
        self.end = self.key is not None and bool(rtp[13] & 0x80)


def frames(path):
    """(time, source, destination, UDP payload) of an Ethernet and IPv4 capture."""
    b = open(path, "rb").read()
    unit = 1e-9 if b[:4] == b"\x4d\x3c\xb2\xa1" else 1e-6
    at = 24
    while at + 16 <= len(b):
        s, f, n = struct.unpack("<III", b[at:at + 12])
        e = b[at + 16:at + 16 + n]
        at += 16 + n
        if e[12:14] == b"\x08\x00" and e[23] == 17:
            h = 14 + (e[14] & 15) * 4
            yield s + f * unit, (e[26:30], e[h:h + 2]), (e[30:34], e[h + 2:h + 4]), e[h + 8:h + struct.unpack(">H", e[h + 4:h + 6])[0]]


class Call:
    def __init__(self):
        self.at, self.voice = {}, ([], [])  # times by name; packets of caller, callee
        self.slow = set()  # of these times: of a press whose end nobody saw, so they are told when nothing more of it comes


def read_capture(path, proof="header"):
    calls, heard = {}, {}
    for t, src, dst, data in frames(path):
        if src[1] == b"\x13\xc4":  # 5060
            text = data.decode()
            name = text.split("Call-ID: ")[1].split("@")[0]
            first, call = text.split("\r\n")[0], calls.setdefault(name, Call())
            if "m=audio" in text:
                ip, port = text.split("c=IN IP4 ")[1].split("\r\n")[0], int(text.split("m=audio ")[1].split()[0])
                # who is called hears the caller
                heard[(bytes(map(int, ip.split("."))), struct.pack(">H", port))] = (call, 0 if first.startswith("SIP/2.0 200") else 1)
            if first.startswith("SIP/2.0 200") and "m=audio" in text:
                call.at.setdefault("answer", t)
            if first.startswith("BYE"):
                call.at["end"] = t
        elif dst in heard:
            call, leg = heard[dst]
            p = Packet(t, dst, data)
            call.voice[leg].append(p)
    for name, c in calls.items():
        marks(c, proof)
    return calls


def last_of(voice):
    """The first end packet of each press; where there is none the last packet, and it is not told then."""
    ended = {(p.ssrc, p.ts) for p in voice if p.end}
    last = {(p.ssrc, p.ts): p for p in voice if p.key is not None}
    return [(p, p.end) for p in voice if p.end or (p.key is not None and (p.ssrc, p.ts) not in ended and last[(p.ssrc, p.ts)] is p)]


def marks(c, proof):
    for p, end in last_of(c.voice[0]):
        if not (p.key == 1 and "withdraw" not in c.at and "press" in c.at):
            name = {1: "again" if "withdraw" in c.at else "press", 9: "opt-out", 0: "withdraw"}.get(p.key, "other")
            c.at.setdefault(name, p.t)
            if not end:
                c.slow.add(name)
    for p, _ in last_of(c.voice[1]):
        if p.key is not None:
            c.at.setdefault({5: "pause", 6: "resume", 7: "agent-out"}.get(p.key, "agent"), p.t)
    c.at["timeout"] = c.at.get("answer", 0) + 5
    # an announcement of 2 s, and 2 s to think: from the header, or from the answer
    c.at["window"] = c.at.get("answer", 0) + (4.5 if proof == "header" else 4)
    for name, voice in (("loss", c.voice[0]), ("agent-loss", c.voice[1])):
        for a, b in zip(voice, voice[1:]):
            if b.seq - a.seq > 1:
                c.at[name] = b.t + 1e-6  # that packet is looked at, to know


def voice(cell, leg, audio):
    """C-agent: `exclude-leg subject`, of whose voice nothing is kept."""
    return "-" if cell[0] == "C-agent" and leg == 0 else audio


def wanted(c, leg, audio):
    """Packets of a voice in a range of the table, as {seq: payload}."""
    if audio == "-":
        return {}
    want = {}
    for part in audio.split("+"):
        a, b = (c.at[x] for x in part.split(".."))
        want.update({p.seq: p.payload for p in c.voice[leg] if p.key is None and a <= p.t < b})
    return want


def run(*args):
    return subprocess.run([os.path.join(BIN, "optag"), *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def exported(store, keys, purpose, uid, tmp):
    """What this purpose's key opens: ({seq: payload} of caller, of callee), or None when nothing."""
    out = os.path.join(tmp, "%s-%s-%s.pcap" % (uid, purpose, os.path.basename(keys)))
    r = run("export", "--store", store, "--keys", keys, "--purpose", purpose, "--call", uid, "--format", "pcap", "--force", "-o", out)
    if r.returncode:
        return None
    got = ({}, {})
    for _, src, _, data in frames(out):
        p = Packet(0, src, data)
        got[0 if src[0] == b"\xc0\x00\x02\x01" else 1][p.seq] = p.payload
    os.unlink(out)
    return got


def opened(store, keys, uid, tmp):
    """By purpose: what its key opens, and whether another's opens that, too."""
    opens = {}
    for purpose, other in (PURPOSES, PURPOSES[::-1]):
        got = exported(store, keys[purpose], purpose, uid, tmp)  # also for a purpose that the rule lacks
        opens[purpose] = (got, got is not None and exported(store, keys[other], purpose, uid, tmp) is not None)
    return opens


class Check:
    def __init__(self, live):
        self.live, self.bad, self.packets, self.late, self.later, self.quiet = live, 0, 0, 0, 0, False

    def wrong(self, cell, text):
        self.bad += 1
        if not self.quiet:
            print("FAIL %s, %s: %s" % (*cell, text))

    def same(self, cell, what, c, leg, got, audio):
        want = wanted(c, leg, audio)
        self.packets += len(want)
        more = [s for s in got if s not in want or got[s] != want[s]]
        less = [s for s in want if s not in got]
        slow = audio != "-" and any(part.split("..")[0] in c.slow for part in audio.split("+"))
        late = LATE if self.live else TICK if audio.startswith("window") else OVER + TICK if slow else 0
        if late and audio != "-":
            starts = [c.at[part.split("..")[0]] for part in audio.split("+")]
            time = {p.seq: p.t for p in c.voice[leg]}
            soon = [s for s in less if any(t <= time[s] <= t + late for t in starts)]
            self.late += len(soon)
            less = [s for s in less if s not in soon]
        if more or less:
            self.wrong(cell, "%s, voice %d: %d packets are too much, %d missing of %d (%s)" % (what, leg, len(more), len(less), len(want), audio))


def check_purpose(k, cell, purpose, state, reason, audio, c, row, opens):
    if (row[purpose], row.get("reasons", {}).get(purpose) or "") != (state, reason):
        k.wrong(cell, "%s is %s %s, not %s %s" % (purpose, row[purpose], row.get("reasons", {}).get(purpose), state, reason))
    if opens is None:
        return
    got, by_other = opens[purpose]
    if audio == "-" or audio.startswith("restricted"):
        if got is not None:
            k.wrong(cell, "%s can be exported: %d packets" % (purpose, len(got[0]) + len(got[1])))
    elif got is None:
        k.wrong(cell, "%s cannot be exported" % purpose)
    else:
        for leg in (0, 1):
            k.same(cell, purpose, c, leg, got[leg], voice(cell, leg, audio))
    if by_other:
        k.wrong(cell, "%s opens with the key of %s" % (purpose, PURPOSES[purpose == PURPOSES[0]]))


def check_cell(k, cell, truth, c, row, opens):
    for purpose in PURPOSES:
        state, reason, audio, until = truth.get(purpose, ("NONE", "", "-", []))
        before = k.bad
        if until:
            k.quiet = True
        check_purpose(k, cell, purpose, state, reason, audio, c, row, opens)
        if until:
            k.quiet, k.later, differs = False, k.later + 1, k.bad > before
            k.bad = before
            if not differs:
                k.wrong(cell, "%s is as it should be: take \"%s\" out of the table" % (purpose, until[0]))
    restricted = [t[2].split()[1] for t in truth.values() if t[2].startswith("restricted")]
    for leg in (0, 1):
        audio = voice(cell, leg, truth["seen"][2])
        mine = row["legs"][leg]
        if restricted and mine["packets"] != len(wanted(c, leg, restricted[0])) and not k.live:
            k.wrong(cell, "voice %d: %d packets are kept, restricted" % (leg, mine["packets"]))
        sent = [p for p in c.voice[leg] if p.t < c.at["end"]]
        events = sum(p.key is not None for p in sent)
        outside = len(sent) - events - len(wanted(c, leg, audio))
        slack = LATE * 50 * 2 if k.live else 6 if audio.endswith("timeout") or audio.startswith("window") else 0  # TICK
        if (cell[0] == "C-agent" or audio.endswith("agent-loss")) and audio.endswith("loss"):
            slack += LOOK * 50
        if any(m in c.slow for part in audio.split("+") for m in part.split("..")):
            slack += (OVER + TICK) * 50
        if not outside - slack <= mine["blocked"] <= outside + events + slack:
            k.wrong(cell, "voice %d: %d packets stayed in the classifier, not %d (and %d events)" % (leg, mine["blocked"], outside, events))


def check(pcap, store, keydir, proof, live, every):
    calls = read_capture(pcap, proof)
    rows = {}
    for line in run("find", "--store", store, "--json").stdout.splitlines():
        row = json.loads(line)
        rows.setdefault(row["sip_call_id"].split("@")[0], []).append(row)
    k = Check(live)
    with tempfile.TemporaryDirectory() as tmp:
        keys = {}
        for purpose in PURPOSES:  # one key each, and nothing else
            keys[purpose] = os.path.join(tmp, purpose)
            os.mkdir(keys[purpose], 0o700)
            shutil.copy2(os.path.join(keydir, purpose + ".key"), keys[purpose])
        todo = []
        seed = int(os.environ.get("TRUTH_SEED", os.getpid()))
        for i, (cell, truth) in enumerate(table(proof).items()):
            mine = rows.pop("%s.%s" % cell, [])
            if len(mine) != 1:
                k.wrong(cell, "%d rows" % len(mine))
                continue
            todo.append((cell, truth, mine[0], (i + seed) % every == 0 or any(t[3] for t in truth.values())))
        if every > 1:
            print("audio of one cell in %d: TRUTH_SEED=%d" % (every, seed))
        # Most of the time goes into starting export: some at once.
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            all_opened = pool.map(lambda it: opened(store, keys, it[2]["call"], tmp) if it[3] else None, todo)
            for (cell, truth, row, _), opens in zip(todo, all_opened):
                check_cell(k, cell, truth, calls["%s.%s" % cell], row, opens)
    rows.pop("seed", None)  # of live_truth.sh
    for name in rows:
        k.wrong((name, ""), "nobody asked for this call")
    print("%d cells, %d packets compared, %d came before the kernel knew, %d lines are for later, %d differences"
          % (len(todo), k.packets, k.late, k.later, k.bad))
    return 1 if k.bad or not k.packets else 0


def one(pcap, store, keydir, name, purpose, audio):
    """A call of a story: what the purpose opens is this audio of both voices, and no more."""
    c = read_capture(pcap)[name]
    rows = [json.loads(line) for line in run("find", "--store", store, "--json").stdout.splitlines()]
    rows = [r for r in rows if r["sip_call_id"] == name + "@script"]
    if len(rows) != 1:
        sys.exit("%d rows of %s" % (len(rows), name))
    k = Check(False)
    with tempfile.TemporaryDirectory() as tmp:
        got = exported(store, keydir, purpose, rows[0]["call"], tmp)
    if got is None or audio == "-":
        if (got is None) != (audio == "-"):
            k.wrong((name, purpose), "%s be exported" % ("cannot" if got is None else "can"))
    else:
        for leg in (0, 1):
            k.same((name, purpose), "audio", c, leg, got[leg], audio)
    return 1 if k.bad else 0


def main(argv):
    if argv[1:2] == ["policy"] and len(argv) == 4:
        policy(argv[2], argv[3])
    elif argv[1:2] == ["script"] and len(argv) == 3:
        script(argv[2])
    elif argv[1:2] == ["audio"] and len(argv) == 8:
        return one(*argv[2:8])
    elif argv[1:2] == ["check"] and (argv[6:] in ([], ["--live"]) or argv[6:7] == ["--every"] and len(argv) == 8) and len(argv) > 5:
        return check(*argv[2:6], argv[6:] == ["--live"], int(argv[7]) if argv[6:7] == ["--every"] else 1)
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


sys.exit(main(sys.argv))
