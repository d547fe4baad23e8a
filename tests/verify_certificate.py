#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Checks a deletion certificate of optag, from FORMAT.md section 10.1 alone: no store, no program of optag's.

    verify_certificate.py CERTIFICATE ROOT.PUB CALL [NOTED-ROOT]

ROOT.PUB is the log's public key as published, NOTED-ROOT the hash of a root that was noted where the store's keeper could not
change it. Exit status 0: the call's keys were destroyed, by that log (of an older one: those that are named); 1: not proven."""
import hashlib, json, subprocess, sys, tempfile


def check(ok, what):
    if not ok:
        sys.exit("not proven: " + what)

def blake(data):
    return hashlib.blake2b(data, digest_size=32).digest()

def words(text, kind, names):
    lines = text.split("\n")
    check(lines[0] in kind and lines[-1] == "" and [x.split(" ")[0] for x in lines[1:-1]] == names, "not a text of the log")
    return dict(x.split(" ", 1) for x in lines[1:-1])

def signed(text, key):
    body, _, sig = text.rpartition("signature ")
    with tempfile.TemporaryDirectory() as d:
        for name, data in ("key", bytes.fromhex("302a300506032b6570032100" + key)), ("sig", bytes.fromhex(sig)), ("text", body.encode()):
            with open(d + "/" + name, "wb") as f:
                f.write(data)
        cmd = "openssl pkeyutl -verify -pubin -keyform DER -inkey key -rawin -in text -sigfile sig"
        return subprocess.run(cmd.split(), cwd=d, capture_output=True, check=False).returncode == 0


def tree_root(line, index, n, path):
    """RFC 9162 section 2.1.3.2."""
    check(0 <= index < n, "no such line in its day")
    h, at, last = blake(b"\0" + line), index, n - 1
    for p in map(bytes.fromhex, path):
        check(last > 0, "the path is too long")
        if at & 1 or at == last:
            h = blake(b"\1" + p + h)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            h = blake(b"\1" + h + p)
        at, last = at >> 1, last >> 1
    check(last == 0, "the path is too short")
    return h.hex()


def event(proof, roots):
    root = roots[proof["root"]]
    n = int(root["last"]) - int(root["first"]) + 1
    check(root.get("merkle") == tree_root(proof["line"].encode(), proof["index"], n, proof["path"]), "a line is not of its day")
    e = json.loads(proof["line"])
    check(e["seq"] == int(root["first"]) + proof["index"], "a line is at another place")
    return e

def main(certificate, published, call, noted=None):
    with open(certificate, encoding="ascii") as f, open(published, encoding="ascii") as g:
        text, pub = f.read(), g.read()
    body = text.rpartition(',"hash":"')[0] + "}"
    check(text == '%s,"hash":"%s"}\n' % (body[:-1], blake(body.encode()).hex()), "the certificate was changed")
    c = json.loads(body)
    key = words(pub, ["optag-evidence-public-key 1"], ["store", "key"])
    check(c["optag-certificate"] == 2 and c["public_key"] == pub and c["store"] == key["store"], "another log")
    check(c["call"] == call, "a certificate of another call")
    roots, hashes = [], []
    for t in c["roots"]:
        names = ["store", "day", "prev", "first", "last", "link"] + ["merkle"] * t.startswith("optag-evidence-root 2") + ["signature"]
        r = words(t, ["optag-evidence-root 1", "optag-evidence-root 2"], names)
        check(r["store"] == key["store"] and signed(t, key["key"]), "a root is not signed by the log's key")
        check(not roots or (r["prev"] == hashes[-1] and int(r["first"]) == int(roots[-1]["last"]) + 1), "the roots are no chain")
        roots.append(r)
        hashes.append(blake(t.encode()).hex())
    check(noted is None or noted.lower() in hashes, "the noted root is not among them")
    end, n = event(c["ended"], roots), len(c["purposes"])
    check(end["event"] in ("call.kept", "call.gap") and end["call"] == call, "that line does not end the call")
    keys = end.get("n", {}).get("keys")
    check(n and len({p["purpose"] for p in c["purposes"]}) == n and keys in (n, None), "it does not name all keys")
    for p in c["purposes"]:
        a, b = event(p["committed"], roots), event(p["destroyed"], roots)
        check(a["event"] == "key.commit" and a["call"] == call and a["purpose"] == p["purpose"] and a["n"]["day"] == p["day"] and
              a["controller"] == p["controller"], "no key of the call was stored by that line")
        check(b["seq"] > a["seq"] and (end["seq"] > a["seq"] or keys is None), "destroyed, or the call over, before it was stored")
        own = b["event"] in ("key.destroy", "call.destroy") and b["call"] == call and b.get("purpose", p["purpose"]) == p["purpose"]
        whole = b["event"] == "bucket.destroy" and all(b[x] == a[x] for x in ("controller", "purpose")) and b["n"]["day"] == a["n"]["day"]
        check(own or whole, "that line does not destroy its key")
        unless = " (unless it was one of %d on hold)" % b["n"]["held"] if whole and b["n"].get("held") else ""
        print("%s: key stored %s, destroyed %s%s; the disk then: %s" % (p["purpose"], a["time"], b["time"], unless, p["on_disk"]))
    print("" if keys else "not proven: that these are all its keys (the log is older and does not count them)\n", end="")


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, OSError) as problem:
        sys.exit("not proven: %r" % problem)
