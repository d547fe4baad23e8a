#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A start that fails after it took calls over leaves them to the next one; a damaged file of uses is no reason not to start.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
command -v python3 >/dev/null || { echo "SKIP: python3 is not installed"; exit 77; }
# runs what follows without a way to have a system call filter of its own, the last thing that a start does
cat >"$TMP/nofilter" <<'P'
import ctypes, os, platform, struct, sys
nr = {"x86_64": 317, "aarch64": 277}[platform.machine()]
f = struct.pack("HBBI", 0x20, 0, 0, 0) + struct.pack("HBBI", 0x15, 0, 1, nr) + struct.pack("HBBI", 6, 0, 0, 0x50001) + struct.pack("HBBI", 6, 0, 0, 0x7fff0000)
code = ctypes.create_string_buffer(f)
prog = ctypes.create_string_buffer(struct.pack("HxxxxxxP", 4, ctypes.addressof(code)))
if ctypes.CDLL(None).prctl(22, 2, prog, 0, 0):
    sys.exit("no filter")
os.execvp(sys.argv[1], sys.argv[1:])
P
python3 "$TMP/nofilter" true || { echo "SKIP: no system call filter here"; exit 77; }
took() { # N: times
	[ "$(grep -c 'took over from a daemon that left: 5 calls go on, 0 do not' "$TMP/optagd.err")" = "$1" ] || fail "no take-over, $1"
}

load_ready 'ring 64 MiB'
load_begin "$TMP/sent" --kind 'kept:1:+4520######:+45701020##' --calls 5 --total 5 --rate 50 --duration 12 --first-rtp 300
load_answered 5
sleep 1
load_stop TERM || fail "optagd's status"
echo '{"call":"x"}' >"$TMP/s/used"
load_daemon || fail "it does not start with a damaged file of uses"
took 1
grep -q "alarm: .*/used: line 1 is no use of a recording: no use is noted or counted" "$TMP/optagd.err" || fail "nothing is said of the file"
"$O" use --control "$TMP/control" --kind played --by anna 01M8QVB99939CZWVQX7ETPAQ3P >"$TMP/out" 2>&1 && fail "a use is noted: $(cat "$TMP/out")"
grep -q 'line 1 is no use' "$TMP/out" || fail "what use says: $(cat "$TMP/out")"
load_stop TERM || fail "optagd's status"
for n in 2 3; do
	load_daemon timeout -s INT 60 python3 "$TMP/nofilter" && fail "it starts without its filter"
	took $n
	grep -q 'cannot start: .*system-call filter' "$TMP/optagd.err" || fail "another reason"
	[ -e /sys/fs/bpf/optag/rx0/link ] || fail "a failed start has taken what there was"
done
load_daemon || fail "the next optagd does not start"
took 4
load_wait || fail "optag-load: $(cat "$TMP/sent")"
load_settle || fail "the counters do not come to rest"
load_stop || fail "optagd's status"
load_rows "$TMP/sent.truth" "$TMP/rows" || fail find
awk -F'\t' '$6 != "kept" || $7 != $3 || $8 != $4 {print; bad = 1} END {exit bad || NR != 5}' "$TMP/rows" >"$TMP/bad" || fail "not whole: $(cat "$TMP/bad")"
"$O" find --store "$TMP/s" --json | jq -s -e 'all(.[]; .gap == null and .end == "bye")' >/dev/null || fail "gaps: $("$O" find --store "$TMP/s" --json | jq -c '[.gap, .end]')"
[ ! -e /sys/fs/bpf/optag/rx0 ] || fail "pins are left"
"$O" fsck --store "$TMP/s" >/dev/null || fail fsck
"$O" audit verify --store "$TMP/s" >"$TMP/out" 2>&1 || fail "audit: $(cat "$TMP/out")"
exit 0
