#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# audit recompute-sample: days that are as calculated; a dishonest recorder; records changed after they were logged.
. "$SRC/tests/cli/common" || exit 1
need jq
need python3
MKS="$BUILD/tests/gen/mksampling"
cd "$TMP" || exit 1
audit() { run "$1" "$BIN/optag" audit recompute-sample "${@:2}"; }
audit 1 s
one_line err
audit 2 --from nonsense s
run 0 "$BIN/optag" init --store s --keys k
audit 1 s
has err 'no evidence log there yet'
cp -a s empty
run 0 "$MKS" s
run 0 "$BIN/optag" audit verify s

# ---- as calculated: all outcomes there are, a crash, a day whose seed is not public yet ----
audit 0 s
has out '^2026-11-22 +18 +0 +18 +0 +0  support  \(sample.seed 18\)$'
has out '^2026-11-25 +135 .* support  \(sample.draw .*sample.spread .*quota.agent'
has out '^773 records, 741 draws: all as calculated$'
has out '^180 draws of days whose seeds are not published yet'
has out '^3 draws at the end, or before the sampler was started again, did not reach the evidence log$'
audit 0 --json --store s
[ "$(tail -1 out)" = '{"records":773,"draws":741,"starts":4,"missing":0,"crashed":3,"vanished":0,"pending":180,"unchecked":0,"other_plan":0,"faults":0}' ] ||
	fail "summary"
sum() { jq -s "[.[]|select(.rule)|$1]|add" out; }
[ "$(sum .calls) $(sum '.in+(.out|add)') $(sum .faults)" = "741 741 0" ] || fail "sums in JSON"
# as the evidence log has it, but for what the crash kept from it
in=$(sum .in)
logged=$(cat s/evidence/*.log | grep -c '"event":"sample.in"')
crashed=$((in - logged))
[ $crashed -ge 0 ] && [ $crashed -le 3 ] || fail "draws in: $in recomputed, $logged logged"
[ "$(jq -r 'select(.rule=="support" and .in>12)|.day' out)" = "" ] || fail "a day above its cap"

# ---- as another person calculates a draw: Python's blake2b over the published seed ----
python3 - <<'PY' || fail "a draw is not as the format says"
import glob, hashlib, json
seed, hashed, links = {}, {}, {}
for f in sorted(glob.glob("s/evidence/*.log")):
    for l in open(f):
        e = json.loads(l)
        if e["event"] == "sample.reveal": seed[e["n"]["day"]] = bytes.fromhex(e["data"])
        if e["event"] == "sample.commit": hashed[e["n"]["day"]] = e["data"]
        if e["event"] in ("sample.in", "sample.out"): links[e["data"]] = e
for d in seed: assert hashlib.blake2b(seed[d], digest_size=32).hexdigest() == hashed[d]
prev, n, seen = "0" * 64, 0, 0
for f in sorted(glob.glob("s/sampling/*.jsonl")):
    for l in open(f, "rb"):
        r = json.loads(l)
        n += 1
        assert r["n"] == n and r["prev"] == prev
        prev = hashlib.blake2b(l[:-1], digest_size=32).hexdigest()
        e = links.get(prev)
        if r["record"] != "draw" or not e: continue
        assert e["n"]["draw"] == r["draw"] and e["n"]["threshold"] == r["threshold"] and e["reason"] == r["why"]
        assert hashlib.blake2b(b"acme\0" + e["rule"].encode(), digest_size=16).hexdigest() == r["rule"]
        if e["n"]["day"] not in seed or r["why"] == "sample.seed": continue
        h = hashlib.blake2b(bytes.fromhex(r["rule"] + r["call"]), key=seed[e["n"]["day"]], digest_size=16).digest()
        assert int.from_bytes(h[:4], "little") == r["draw"]
        assert (r["why"] == "sample.in") == (r["draw"] < r["threshold"])
        seen += 1
assert seen > 400
PY

# ---- a part ----
audit 0 --json --from 2026-11-24 --to 2026-11-26 s
[ "$(jq -r 'select(.rule)|.day+" "+.rule' out | tr '\n' ' ')" = "2026-11-24 sales 2026-11-24 support 2026-11-25 sales 2026-11-25 support " ] ||
	fail "days"
audit 0 --json --rule sales --from 2026-11-25 s
[ "$(jq -r 'select(.rule)|.day+" "+.rule' out | tr '\n' ' ')" = "2026-11-25 sales 2026-11-26 sales " ] || fail "rule"
[ "$(tail -1 out | jq .draws)" = "$(jq -s '[.[]|select(.rule)|.calls]|add' out)" ] || fail "draws of the part"
"$BIN/optag" audit recompute-sample s >/dev/full 2>err && fail "a full device is no success"

# ---- a recorder that lies in records and evidence log alike, with its key ----
lies() { # LIE TEXT
	rm -rf t && cp -a empty t
	run 0 "$MKS" t 4 "$1"
	audit 3 t
	has out "$2"
	has out ' faults$'
	audit 3 --json t
	[ "$(head -1 out | jq -c keys_unsorted)" = '["file","line","text"]' ] || fail "json of a fault"
	[ "$(tail -1 out | jq .faults)" -gt 0 ] || fail "no faults in the summary"
	# the days before are true
	audit 0 --to 2026-11-24 t || fail "faults on other days"
}
lies draw '^sampling/2026-11-25.jsonl:[0-9]+: the draw is not what seed, rule and call give$'
audit 3 --json t
[ "$(tail -1 out | jq .faults)" = 1 ] || fail "one lie, one fault"
lies threshold '^sampling/2026-11-25.jsonl:[0-9]+: the threshold is not what settings and counters give$'
lies outcome '^sampling/2026-11-25.jsonl:[0-9]+: the outcome is not what draw, threshold and counters give$'
lies counter '^sampling/2026-11-25.jsonl:[0-9]+: the counters are not what the records before give$'
lies removed '^sampling/2026-11-25.jsonl:[0-9]+: the counters are not what the records before give$'
lies inserted '^sampling/2026-11-25.jsonl:[0-9]+: the draw is not what seed, rule and call give$'
lies state '^sampling/2026-11-25.jsonl:2: the state of the rule is not what the records before give$'
lies plan '^sampling/2026-11-25.jsonl:2: names another version of the calculation than the records before$'
lies noseed '^sampling/2026-11-25.jsonl:[0-9]+: says that there was no seed, and the day.s was published in time$'
lies noroom '^sampling/2026-11-25.jsonl:[0-9]+: says that there was no room for it, and by the records there was$'
lies release '^sampling/2026-11-2[45].jsonl:[0-9]+: gives back what was not taken$'
lies seeds '^sampling/2026-11-25.jsonl:3: the draw is not what seed, rule and call give$'
run 0 "$BIN/optag" audit verify t # whose signatures cannot tell
rm -rf t && cp -a empty t
run 0 "$MKS" t 4 seed
audit 3 t
has out '^evidence/2026-11-26.log:[0-9]+: the seed does not belong to the hash that was published'
has out '^sampling/2026-11-25.jsonl:3: the seed is not the one whose hash was published for 2026-11-25: its draws cannot be calculated$'
has err 'see optag audit verify'

# ---- records of a program that calculated otherwise: what can be checked of them is, and it is said what was not ----
rm -rf t && cp -a empty t
run 0 "$MKS" t 4 old
grep -q '"plan"' t/sampling/*.jsonl && fail "old records have no number"
audit 0 t
has out '^773 records, 741 draws: no faults$'
has out "^[0-9]+ draws by another version's calculation: their thresholds, and limits by use, were not calculated$"
audit 0 --json t
[ "$(tail -1 out | jq .other_plan)" -gt 700 ] || fail "draws of another version"
grep -q '"plan":1,' s/sampling/2026-11-25.jsonl || fail "records name their calculation"

# ---- changed afterwards by who has no key: with all numbers and links made to fit, and then only the bytes ----
cat >forge.py <<'PY'
import copy, glob, hashlib, json, sys
how, at = sys.argv[1], int(sys.argv[2])
prev, n = "0" * 64, 0
for f in sorted(glob.glob("t/sampling/*.jsonl")):
    recs = [json.loads(l) for l in open(f)]
    if f.endswith("2026-11-25.jsonl"):
        r = recs[at - 1]
        assert r["record"] == "draw" and r["why"] != "sample.in"
        if how == "draw": r["draw"] ^= 1
        if how == "threshold": r["threshold"] += 1
        if how == "outcome": r["why"] = "sample.in"
        if how == "counter": r["before"][1][1] += 1
        if how == "removed": del recs[at - 1]
        if how == "inserted":
            more = copy.deepcopy(r)
            more["call"] = "00" * 16
            recs.insert(at - 1, more)
    with open(f, "w") as o:
        for r in recs:
            n += 1
            r["n"], r["prev"] = n, prev
            l = json.dumps(r, separators=(",", ":"))
            prev = hashlib.blake2b(l.encode(), digest_size=32).hexdigest()
            o.write(l + "\n")
PY
forge() { # HOW TEXT...
	rm -rf t && cp -a s t
	python3 forge.py "$1" 53 || fail "forge.py"
	audit 3 t
	for text in "${@:2}"; do has out "$text"; done
	run 0 "$BIN/optag" audit verify t # which does not look there
}
D=sampling/2026-11-25.jsonl
L='\(evidence/2026-11-25.log:[0-9]+\)$'
changed='this line, or one since the draw before it, was changed after it was logged'
rm -rf t && cp -a s t
python3 forge.py none 53
cmp t/$D s/$D || fail "Python writes other lines"
forge draw "^$D:53: the draw is not what" "^$D:53: the evidence log does not have this draw$" \
	'^evidence/2026-11-25.log:[0-9]+: the sampling records do not have this draw$'
forge threshold "^$D:53: the threshold is not what" "^$D:53: the evidence log has another threshold $L"
forge outcome "^$D:53: the outcome is not what" "^$D:53: the evidence log has another outcome $L"
forge counter "^$D:53: the counters are not what" "^$D:53: $changed; so the links of [0-9]+ draws after it do not hold $L"
forge removed "^$D:53: records are missing or out of order$" "^$D:53: $changed" \
	'^evidence/2026-11-25.log:[0-9]+: the sampling records do not have this draw$'
forge inserted "^$D:53: the draw is not what" "^$D:54: records are missing or out of order$"
bytes() { # TEXT...; the changed copy is t
	audit 3 t
	for text in "$@"; do has out "$text"; done
	rm -rf t && cp -a s t
}
rm -rf t && cp -a s t
sed -i '53s/"threshold":[0-9]*/"threshold":7/' t/$D
bytes "^$D:53: changed: the next line does not follow from it$" "^$D:53: the evidence log has another threshold $L"
sed -i 53d t/$D
bytes "^$D:53: line number 453 is missing before this one$" "^$D:53: records are missing" \
	'^evidence/2026-11-25.log:[0-9]+: the sampling records do not have this draw$'
sed -i '53s/"why"/"whom"/' t/$D
bytes "^$D:53: member 'why' is missing$"
sed -i 53p t/$D
bytes "^$D:54: number 453 stands behind number 453: copied or moved$" "^$D:54: stands twice in the records$"
last=$(grep -n '"record":"draw"' t/sampling/2026-11-26.jsonl | tail -1 | cut -d: -f1)
sed -i "$last,\$d" t/sampling/2026-11-26.jsonl
bytes '^evidence/2026-11-26.log:[0-9]+: the sampling records do not have this draw$'
rm t/sampling/2026-11-2[56].jsonl
bytes '^evidence/2026-11-25.log:[0-9]+: the sampling records do not have this draw$'
rm -r t/sampling
bytes '^evidence/2026-11-22.log:[0-9]+: the sampling records do not have this draw$'
# half a line after the last one is a crash's
printf '{"n":773,' >>t/sampling/2026-11-26.jsonl
audit 0 t
rm -rf t && cp -a s t
# draws that the evidence log should have, and has not: no crash, since later ones are there
ev=t/evidence/2026-11-24.log
sed -i "$(grep -n '"event":"sample.out"' $ev | sed -n '40s/:.*//p')d" $ev
audit 3 t
has out '^sampling/2026-11-24.jsonl:[0-9]+: the evidence log does not have this draw$'
has err 'see optag audit verify'
[ "$(grep -c . out)" -lt 30 ] || fail "one change, too many words"
exit 0
