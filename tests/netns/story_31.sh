#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 31, CPR typed: given a caller typing ten digits, when the call is kept, then no file, index, log, export or core contains
# the digits and stored tones are muted.
# Digits by telephone-event and by SIP INFO; tones in the sound are for the detector's own tests. What a core would hold is
# looked for in the memory of the running daemon, where the Call-ID shows that the search finds what is there.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
# shellcheck source=tests/netns/lib-story.sh
. "$SRC/tests/netns/lib-story.sh"
digits=0102034567
story_live <<C || fail "no network or store"
events from=+4520304050 to=+4570102009 bye=16000 key=caller:$digits:5000 header=callee:1500:X-Notice-Played:_yes
info from=+4520304051 to=+4570102009 bye=16000 info=caller:$digits:5000 header=callee:1500:X-Notice-Played:_yes
agent from=+4520304052 to=+4570102001 bye=16000 key=callee:$digits:5000 header=callee:1500:X-Notice-Played:_yes
C
search() { # PID or 0, FILES AND DIRECTORIES...: "FOUND OTHER": places of the digits, and of the Call-IDs
	python3 - "$digits" "$@" <<'PY'
import os, sys
digits, pid, paths = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
one = digits.encode()
forms = [one, bytes(int(d) for d in digits), bytes.fromhex(digits), one[::-1], "".join(digits).encode("utf-16-le"),
         " ".join(digits).encode(), ",".join(digits).encode()]
found = other = 0
def look(b, where):
    global found, other
    for f in forms:
        if f in b:
            found += 1
            print(where, f, file=sys.stderr)
    other += b.count(b"@script")
for p in paths:
    for d, _, names in os.walk(p) if os.path.isdir(p) else [("", "", [p])]:
        for n in names:
            look(open(os.path.join(d, n), "rb").read(), os.path.join(d, n))
if pid:
    mem = open(f"/proc/{pid}/mem", "rb", 0)
    for line in open(f"/proc/{pid}/maps"):
        a, b = (int(x, 16) for x in line.split()[0].split("-"))
        if "r" in line.split()[1] and "[v" not in line:
            try:
                mem.seek(a)
                look(mem.read(b - a), line.strip())
            except OSError:
                pass
print(found, other)
PY
}
load_daemon || fail "optagd does not start"
pid=$load_daemon_pid
[ -z "${SAN:-}" ] || pid=0 # the sanitizers' shadow memory is too large to be searched: files only
load_in "$BUILD/tests/gen/play" tx0 "$TMP/c.pcap" >"$TMP/played" &
player=$!
for _ in $(seq 600); do # all digits were pressed, and the calls go on
	load_status "$TMP/status" 2>/dev/null && [ "$(jq '.packets.events' "$TMP/status")" -ge 160 ] && break
	sleep 0.05
done
"$O" call list --control "$TMP/control" --json >"$TMP/list" && [ "$(wc -l <"$TMP/list")" = 3 ] || fail "calls in progress: $(cat "$TMP/list")"
for u in $(jq -r .call "$TMP/list"); do "$O" call trace "$u" --control "$TMP/control" --once; done >"$TMP/trace"
read -r found other <<<"$(search "$pid" "$TMP/s")"
[ "$found" = 0 ] || fail "the digits are in the daemon's memory or in a file, $found times"
[ "$other" -gt 3 ] || fail "the search does not even find the calls"
wait $player || fail play
load_settle && load_status "$TMP/status" || fail "the counters do not come to rest"
[ "$(search "$pid" "$TMP/s" 2>&1 | tail -n 1 | cut -d' ' -f1)" = 0 ] || fail "the digits stay in the daemon's memory"
load_stop || fail "optagd's status"
mkdir "$TMP/out"
for n in events info agent; do
	story_row $n >"$TMP/row"
	jq -e '.outcome == "kept" and .documentation == "GRANTED"' "$TMP/row" >/dev/null || fail "call $n: $(cat "$TMP/row")"
	for f in wav payload pcap; do
		"$O" export --store "$TMP/s" --keys "$TMP/k" --purpose documentation --call "$(jq -r .call "$TMP/row")" --format $f -o "$TMP/out/$n.$f" >"$TMP/said.$n" 2>&1 ||
			fail "export: $(cat "$TMP/said.$n")"
	done
	cat "$TMP/row" >>"$TMP/out/rows"
	# no event packet is among what is kept
	python3 - "$TMP/out/$n.pcap" <<'PY' || fail "call $n: an event packet is stored"
import struct, sys
b, at, n = open(sys.argv[1], "rb").read(), 24, 0
while at + 16 <= len(b):
    size = struct.unpack("<I", b[at + 8:at + 12])[0]
    pt = b[at + 16 + 43] & 127
    assert pt in (0, 8) and size > 200, (pt, size)
    at, n = at + 16 + size, n + 1
assert n > 1000
PY
done
jq -es 'map(.legs[].events) | add == 20' "$TMP/out/rows" >/dev/null || fail "presses are counted: $(jq -c .legs "$TMP/out/rows")"
"$O" audit show --store "$TMP/s" --json >"$TMP/out/evidence"
read -r found other <<<"$(search 0 "$TMP/s" "$TMP/out" "$TMP/optagd.err" "$TMP/trace" "$TMP/status" "$TMP/list")"
[ "$found" = 0 ] && [ "$other" -gt 3 ] || fail "digits found $found times, Call-IDs $other"
exit 0
