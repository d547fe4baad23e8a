#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# optag-decode: what it gives up, and what optag-export makes of one that is missing, ends, is killed, is silent or talks nonsense.
. "$SRC/tests/cli/common" || exit 1
need jq
need soxi
python=$(python3 -c "import sys; print(sys.executable)") || { echo "SKIP: no python3"; exit 77; } # not a wrapper, which may set variables
cd "$TMP" || exit 1
run 0 "$BIN/optag" init --store s --keys k
"$python" - <<-'EOP'
	import struct
	open('raw', 'wb').write(b''.join(struct.pack('>H', 160) + bytes((i * 7 + k * 31) & 255 for k in range(160)) for i in range(50)))
EOP
run 0 "$MKSTORE" s g711 raw:G722:8000:1:160:-:raw
g722=$(awk '/^raw/ { print $NF }' out)
g711=$(awk '/^g711/ { print $NF }' out)
mkdir b o
cp "$BIN/optag-export" b
ex() { # STATUS CALL [OPTION...]: by the program beside which a test lays a helper, to o/x.wav
	local want=$1 c=$2
	shift 2
	rm -f o/*
	run "$want" b/optag-export --store s --keys k --purpose documentation --call "$c" -o o/x.wav "$@"
}
nothing() { [ -z "$(ls -A o)" ] || fail "o holds: $(ls -A o)"; }

# ---- the real one ----
run 0 "$BIN/optag" export --store s --keys k --purpose documentation --call "$g722" -o real.wav
[ "$(soxi -r real.wav) $(soxi -s real.wav)" = "16000 16000" ] || fail "G.722 is $(soxi -r real.wav) Hz, $(soxi -s real.wav) samples"
run 2 "$BIN/optag-decode" x
run 0 "$BIN/optag-decode" --help
printf x >x
for junk in x /dev/zero raw; do # no request
	{ "$BIN/optag-decode" <$junk 2>err; echo $? >status; } | wc -c >out
	[ "$(cat out status | tr '\n' ' ')" = "12 1 " ] || fail "an answer to nonsense: $(cat out status)"
done
if [ -z "$SAN" ]; then
	mkfifo i
	"$BIN/optag-decode" <i > >(cat >hello) &
	pid=$!
	exec 9>i
	for _ in {1..200}; do [ "$(stat -c %s hello 2>/dev/null)" = 12 ] && break; sleep 0.05; done
	for w in 'NoNewPrivs:.1' 'Seccomp:.2' 'CapEff:.0*' 'CapPrm:.0*'; do
		grep -q "^$w$" /proc/$pid/status || fail "not $w: $(grep -E 'Seccomp|NoNew|Cap' /proc/$pid/status)"
	done
	if [ "$(id -u)" = 0 ]; then
		[ "$(ls /proc/$pid/fd | tr '\n' ' ')" = "0 1 " ] || fail "open: $(ls -l /proc/$pid/fd)"
		for w in 'open files *0 ' 'file size *0 ' 'core file size *0 ' 'data size *536870912 ' 'address space *2147483648 '; do
			grep -q "^Max $w" /proc/$pid/limits || fail "not $w: $(cat /proc/$pid/limits)"
		done
	fi
	exec 9>&-
	wait $pid || fail "it does not end well with its input: $?"
fi

# ---- none ----
ex 1 "$g722"
one_line err
has err "^optag export: '.*/b/optag-decode': No such file or directory; only G.711, L16 and DVI4"
nothing
ex 0 "$g711" # nothing of it needs one
mv o/x.wav g711.wav
run 0 "$BIN/optag" export --store s --keys k --purpose documentation --call "$g711" -o o/x.wav
cmp o/x.wav g711.wav || fail "another WAV"
ex 0 "$g722" --format payload
ln -s /nonexistent b/optag-decode
ex 1 "$g722"
one_line err
rm b/optag-decode
mkdir -p libexec/optag
ln "$BIN/optag-decode" libexec/optag 2>/dev/null || cp "$BIN/optag-decode" libexec/optag
ex 0 "$g722"
cmp o/x.wav real.wav || fail "another WAV by libexec"
rm -r libexec

# ---- bad ones: what a taken-over decoder could do ----
cat >b/optag-decode <<-EOS
	#!$python
EOS
cat >>b/optag-decode <<-'EOS'
	import os, signal, struct, sys, time
	here = os.path.dirname(os.path.abspath(sys.argv[0]))
	mode = open(here + '/mode').read().strip()
	assert not set(os.environ) - {'LC_CTYPE', 'LD_LIBRARY_PATH'}, os.environ # python sets LC_CTYPE
	assert set(os.listdir('/proc/self/fd')) <= {'0', '1', '2', '3'} # 3: the listing
	def answer(what, status=0, number=0, body=b'', claim=None, version=1):
	    os.write(1, struct.pack('<BBHII', what, status, version, number, len(body) if claim is None else claim) + body)
	def read(n):
	    b = b''
	    while len(b) < n:
	        more = os.read(0, n - len(b))
	        if not more: sys.exit(0)
	        b += more
	    return b
	if mode == 'ends': sys.exit(3)
	if mode == 'mute': time.sleep(90)
	if mode == 'greets-wrong': answer(3)
	if mode == 'old': answer(1, 0, 3, version=0)
	answer(1, 0, 1 if mode == 'pcm-only' else 0x3ffff)
	if mode == 'deaf': time.sleep(90)
	fed = 0
	while True:
	    what, _, version, n = struct.unpack('<BBHI', read(8))
	    body = read(n)
	    assert version == 1
	    if what == 2:
	        assert body == struct.pack('<BBBBII', 1, 1, 0, 0, 16000, 16000), body
	        answer(2, 2 if mode == 'refuses' else 0)
	        continue
	    if what == 3: fed += 1
	    if mode == 'dies' or (mode == 'dies-tenth' and fed == 10): os.kill(os.getpid(), signal.SIGSEGV)
	    if mode == 'leaves': sys.exit(7)
	    if mode == 'hangs' and fed == 10 and not os.path.exists(here + '/hung'):
	        open(here + '/hung', 'w').close()
	        time.sleep(90)
	    if mode == 'huge': answer(what, claim=0xfffffffe)
	    if mode == 'promises': answer(what, claim=640); sys.exit(0)
	    if mode == 'more': answer(what, 0, 0, bytes(740), claim=640)
	    if mode == 'other': answer(4 if what == 3 else 3)
	    if mode == 'status': answer(what, 9)
	    if mode == 'bad': answer(what, 1 if what == 3 else 0)
	    else: answer(what, 0, 320 if what == 3 else 0, b'\1\2' * 320 if what == 3 else b'')
EOS
chmod +x b/optag-decode
by() { echo "$1" >b/mode; }
count() { grep -c "$1" err; }

for m in ends old greets-wrong; do # it is of no use from the beginning: as if there were none
	by $m
	ex 1 "$g722"
	one_line err
	nothing
done
by ends
ex 1 "$g722"
has err 'optag-decode ended before it was ready with status 3$'
by refuses
ex 1 "$g722"
one_line err
has err 'no decoder'
nothing
by pcm-only # a libavcodec that was built without
ex 0 "$g722"
has err 'caller: no decoder for G722: its payloads are written instead'
only o x.wav.caller

by fine
ex 0 "$g722"
[ ! -s err ] || fail "it says something"
[ "$(soxi -s o/x.wav)" = 16000 ] || fail "$(soxi -s o/x.wav) samples"
# A process that dies of a packet takes that one with it.
by dies-tenth
ex 0 "$g722" --json
[ "$(count 'optag-decode was killed by signal 11')" = 5 ] || fail "not killed five times"
has err '^optag export: 5 packets could not be decoded: silence in their place$'
[ "$(jq -c '[.rate, .bad_frames]' out)" = '[16000,5]' ] || fail "json: $(cat out)"
"$python" - <<-'EOP' || fail "not silence in their place"
	d = open('o/x.wav', 'rb').read()[44:]
	L = b''.join(d[i:i + 2] for i in range(0, len(d), 4))
	assert [i for i in range(50) if L[i * 640:i * 640 + 640] != b'\1\2' * 320] == [9, 19, 29, 39, 49]
	assert not any(L[9 * 640:10 * 640])
EOP
# One that dies of each is not started for ever.
for m in dies leaves huge promises more other status; do
	by $m
	ex 0 "$g722"
	[ "$(wc -l <err)" = 10 ] || fail "$m: not eight deaths, their end, and the sum"
	has err 'optag-decode ended 8 times and is not started again'
	has err '50 packets could not be decoded'
done
by leaves
ex 0 "$g722"
has err 'optag-decode ended with status 7$'
by huge
ex 0 "$g722"
has err 'optag-decode answered what is no answer'
by bad
ex 0 "$g722"
one_line err
has err '50 packets could not be decoded'

# One that says nothing is not waited for for ever; the three at once, since it takes 20 s.
for m in mute deaf hangs; do
	mkdir "b-$m" && cp -p b/* "b-$m" && echo $m >"b-$m/mode"
	timeout 120 "b-$m/optag-export" --store s --keys k --purpose documentation --call "$g722" -o "b-$m/x.wav" 2>"err-$m" >/dev/null &
	eval "pid_$m=$!"
done

# The real one, killed by somebody: stopped first, so that it is there to be killed.
mkdir b-real && cp "$BIN/optag-export" b-real
cat >b-real/optag-decode <<-EOS
	#!/bin/sh
	echo \$\$ >"$TMP/b-real/pid"
	kill -STOP \$\$
	exec "$BIN/optag-decode"
EOS
chmod +x b-real/optag-decode
for sig in KILL CONT; do
	rm -f b-real/pid
	timeout 120 b-real/optag-export --store s --keys k --purpose documentation --call "$g722" -o b-real/$sig.wav 2>err >/dev/null &
	e=$!
	for _ in {1..200}; do [ -s b-real/pid ] && break; sleep 0.05; done
	kill -$sig "$(cat b-real/pid)" || fail "it is gone already"
	wait $e
	echo $? >status
	[ $sig = CONT ] || has err 'optag-decode was killed before it was ready by signal 9 '
	[ "$sig $(cat status)" = "KILL 1" ] || [ "$sig $(cat status)" = "CONT 0" ] || fail "$sig: $(cat status)"
done
[ ! -e b-real/KILL.wav ] || fail "killed, and a WAV"
cmp b-real/CONT.wav real.wav || fail "stopped for a while, and another WAV"

for m in mute deaf hangs; do
	p=pid_$m
	wait "${!p}"
	echo $? >status
	cp "err-$m" err
	has err 'optag-decode did not answer in 20 s'
	[ "$m $(cat status)" = "hangs 0" ] || [ "$(cat status) $(ls b-$m/x.wav* 2>/dev/null)" = "1 " ] || fail "$m: $(cat status)"
done
has err '^optag export: 1 packets could not be decoded' # hangs
[ "$(pgrep -f "$TMP/b-" | wc -l)" = 0 ] || fail "some are left: $(pgrep -fa "$TMP/b-")"
exit 0
