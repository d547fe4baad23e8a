#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 28, proof of deletion: given a deletion certificate, when a third party checks it against the published root, then it
# verifies; when the log is edited, audit verify fails at that entry.
# shellcheck source=tests/cli/story
. "$SRC/tests/cli/story"
need openssl
MKEV="$BUILD/tests/gen/mkevidence"
cert() { run "$1" "$BIN/optag" audit certificate --store "$s" "${@:2}"; }
third() { # STATUS CERTIFICATE CALL [NOTED]: the third party has root.pub as published, and the file
	run "$1" python3 "$SRC/tests/verify_certificate.py" "$2" "$TMP/published.pub" "${@:3}"
}
story_policy
story_calls <<END
first from=+4520000001 to=$f answer=200 bye=20000 $heard
second from=+4520000002 to=$a1 answer=200 bye=12000 $heard
END
story_replay
cp "$s/evidence/root.pub" "$TMP/published.pub"
one=$(row first | jq -r .call) two=$(row second | jq -r .call)
run 0 "$BIN/optag" audit show --store "$s" --json --call "$one" --event key.commit
cp "$TMP/out" "$TMP/commits"
has out '"controller":"[a-z0-9]+"'
[ "$(jq -s 'length > 0 and all(.[]; .n.day > 20231114 and .n.until_s > 0)' "$TMP/commits")" = true ] || fail "key.commit does not name its bucket"
later() { date -u -d "$1 days" +%Y-%m-%dT10:00:00Z; } # from today on, which is when replay ends

# ---- not before it is deleted, and not before that is signed ----
cert 1 "$one"
has err 'not deleted: no event says that its key for (documentation|training) was destroyed$'
cert 2 nonsense
cert 1 "${one:0:22}0000"
has err 'the evidence log has no such call$'
jq -r '[.controller, .purpose, .n.day] | @tsv' "$TMP/commits" >"$TMP/buckets"
cp -a "$s/keys" "$TMP/keys-before"
while read -r controller purpose day; do
	cert 1 "$one"
	run 0 "$MKEV" "$s" destroy "$controller" "$purpose" "$day" "$(later 1)"
done <"$TMP/buckets"
cert 1 "$one"
has err "^optag audit certificate: deleted \(event [0-9]+\); not provable before the root of $(later 1 | cut -c-10) is signed"
run 0 "$MKEV" "$s" sign "$(later 2)"
cert 0 "$one" -o "$TMP/c1"
has err 'the key was destroyed on '
cert 1 "$one" -o /dev/full
has err 'No space left'
[ -c /dev/full ] || fail "a device is gone"
cert 0 "$two"
cp "$TMP/out" "$TMP/c2"
whole

# ---- a third party ----
third 0 "$TMP/c1" "$one"
[ "$(wc -l <"$TMP/out")" = "$(wc -l <"$TMP/buckets")" ] || fail "not every purpose"
[ "$(wc -l <"$TMP/buckets")" -ge 2 ] || fail "one key only: leaving one out is not tested"
hasnt() { grep -qE "$2" "$TMP/$1" && fail "$1 has $2"; }
hasnt out 'not proven'
jq -r '.not_proven[]' "$TMP/c1" | grep 'all keys' && fail "it says that it does not prove that these are all"
root=$("$BIN/optag" audit verify --store "$s" --json | jq -r .root)
third 0 "$TMP/c1" "$one" "$root"
third 1 "$TMP/c1" "$one" "${root//[0-7]/8}"
third 1 "$TMP/c1" "$two" # of another call
has err 'of another call'
third 0 "$TMP/c2" "$two"
# of an older log, which does not count the keys of a call
old=$("$MKEV" "$s" older "$(later 3)") && "$MKEV" "$s" sign "$(later 4)" || fail "no older log"
cert 0 "$old" -o "$TMP/c3"
third 0 "$TMP/c3" "$old"
has out '^not proven: that these are all its keys'
jq -r '.not_proven[]' "$TMP/c3" | grep -q 'all keys' || fail "it does not say so itself"
cp "$s/evidence/root.pub" "$TMP/keep" && "$BIN/optag" init --store "$TMP/o" --keys "$TMP/ok" >/dev/null 2>&1 && "$MKEV" "$TMP/o"
cp "$TMP/o/evidence/root.pub" "$TMP/published.pub"
third 1 "$TMP/c1" "$one" # of another log
cp "$TMP/keep" "$TMP/published.pub"
# no number, no key: nothing with many digits but times, hashes, days and calls
jq -c 'del(.roots, .hash, .public_key, .store, .made, .call, .ended.path) | .ended.line |= (fromjson | del(.prev, .time, .call, .policy, .n)) | .purposes[] |= (del(.committed.path, .destroyed.path, .day) |
	.committed.line |= (fromjson | del(.prev, .time, .call, .policy, .n)) | .destroyed.line |= (fromjson | del(.prev, .time, .call, .policy, .n)))' \
	"$TMP/c1" | grep -E '[0-9]{5}' && fail "digits in a certificate"

# ---- a forger who makes the outer hash right again still has no signature: one change at each of many places ----
cat >"$TMP/forge.py" <<'PY'
import hashlib, json, random, subprocess, sys
src, verifier, pub, call, seed, other = sys.argv[1:]
random.seed(int(seed))
text = open(src).read()
body = json.loads(text)
del body["hash"]
def run(t):
    open(src + ".f", "w").write(t)
    return subprocess.run([sys.executable, verifier, src + ".f", pub, call], capture_output=True).returncode
def sealed(o):
    b = json.dumps(o, separators=(",", ":"), ensure_ascii=False)
    return '%s,"hash":"%s"}\n' % (b[:-1], hashlib.blake2b(b.encode(), digest_size=32).hexdigest())
assert sealed(body) == text and run(text) == 0
for i in random.sample(range(len(text)), 40):  # any byte
    t = text[:i] + chr(ord(text[i]) ^ 1) + text[i + 1:]
    assert run(t) == 1, "byte %d changed, and it verifies" % i
def leaves(o, path=()):
    if isinstance(o, (dict, list)):
        for k in (o if isinstance(o, dict) else range(len(o))):
            yield from leaves(o[k], path + (k,))
    else:
        yield path, o
free = {"made", "not_proven"}  # said by the program, not by the log
done = 0
for path, value in leaves(body):
    if path[0] in free or "on_disk" in path:
        continue
    o = json.loads(json.dumps(body))
    at = o
    for k in path[:-1]:
        at = at[k]
    if isinstance(value, str):
        i = random.randrange(len(value))
        at[path[-1]] = value[:i] + chr(ord(value[i]) ^ 1) + value[i + 1:]
    else:
        at[path[-1]] = value + 1
    assert run(sealed(o)) == 1, "%s changed, and it verifies" % (path,)
    done += 1
o = json.loads(json.dumps(body))
for p in o["purposes"]:
    p["destroyed"] = p["committed"]
assert run(sealed(o)) == 1, "a line that destroys nothing"
o = json.loads(json.dumps(body))
o["purposes"] = []
assert run(sealed(o)) == 1, "no purpose"
for i in range(len(body["purposes"])):
    o = json.loads(json.dumps(body))
    del o["purposes"][i]
    assert run(sealed(o)) == 1, "a purpose left out"
o = json.loads(json.dumps(body))
del o["ended"]
assert run(sealed(o)) == 1, "nobody says how many keys"
o = json.loads(json.dumps(body))
o["ended"] = o["purposes"][0]["committed"]
assert run(sealed(o)) == 1, "a line that ends no call"
o = json.loads(json.dumps(body))
o["ended"] = json.load(open(other))["ended"]
assert run(sealed(o)) == 1, "the end of another call"
o = json.loads(json.dumps(body))
o["purposes"] = []
assert run(sealed(o)) == 1, "no key at all"
print(done)
PY
run 0 python3 "$TMP/forge.py" "$TMP/c1" "$SRC/tests/verify_certificate.py" "$TMP/published.pub" "$one" "${SEED:-$$}" "$TMP/c2"
[ "$(cat "$TMP/out")" -gt 20 ] || fail "too few places: $(cat "$TMP/out")"

# ---- an edited log: audit verify fails exactly there, and nothing is certified from it ----
cp -a "$s" "$TMP/honest"
for event in key.commit bucket.destroy; do
	place=$(grep -n "\"event\":\"$event\"" "$s"/evidence/*.log | tail -n 1 | sed "s|^$s/||" | cut -d: -f1,2)
	sed -i "${place##*:}s/\"day\":2/\"day\":3/" "$s/${place%:*}"
	run 3 "$BIN/optag" audit verify "$s"
	grep ': E-' "$TMP/out" | grep -Evq "^$place: E-[369]: changed" && fail "not at $place: $(cat "$TMP/out")"
	grep -q "^$place: E-" "$TMP/out" || fail "not at $place"
	cert 3 "$one"
	rm -rf "$s" && cp -a "$TMP/honest" "$s"
done

# ---- the log says destroyed, the disk has the key: no certificate ----
read -r controller purpose day <"$TMP/buckets"
cp -a "$s" "$TMP/live"
printf '\1' | dd of="$s/keys/$controller/$purpose/${day:0:4}-${day:4:2}-${day:6:2}.bucket" bs=1 seek=11 conv=notrunc status=none
cert 3 "$one" # its checksum does not hold
rm -rf "$s/keys" && cp -a "$TMP/keys-before" "$s/keys"
cert 1 "$one"
has err "the log says that its key for $purpose was destroyed, and its bucket has one\$"
rm -rf "$s" && cp -a "$TMP/live" "$s"
rm "$s/keys/$controller/$purpose/${day:0:4}-${day:4:2}-${day:6:2}".*
cert 0 "$one"
jq -e '.purposes[0].on_disk == {"bucket":"gone","slot":"none","held":"none"}' "$TMP/out" >/dev/null || fail "what the disk has: $(jq -c '.purposes[].on_disk' "$TMP/out")"
exit 0
