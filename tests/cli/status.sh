#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# optag status and top against a daemon with made-up figures: text, JSON, rates, no daemon, a daemon that dies,
# a terminal that is put back, hostile text.
set -u
command -v jq >/dev/null || { echo "SKIP: jq is not installed"; exit 77; }
sock="$TMP/control"
bad=0
fail() { echo "FAIL: $*"; bad=1; }
has() { grep -qF -- "$2" "$1" || { fail "$1 lacks: $2"; cat "$1"; }; }

# nobody there
"$BIN/optag-status" --socket "$sock" >"$TMP/out" 2>"$TMP/err"
[ $? = 1 ] || fail "status without a daemon: exit code"
[ -s "$TMP/out" ] && fail "status without a daemon: output"
[ "$(wc -l <"$TMP/err")" = 1 ] || fail "status without a daemon: not one line"
has "$TMP/err" "is optagd running?"
"$BIN/optag-top" --once --socket "$sock" >"$TMP/out" 2>"$TMP/err" && fail "top without a daemon: exit code"
"$BIN/optag-status" --nonsense >/dev/null 2>&1; [ $? = 2 ] || fail "usage: exit code"

"$BUILD/tests/gen/fakedaemon" "$sock" "$TMP/port" &
daemon=$!
trap 'kill $daemon 2>/dev/null' EXIT
for _ in $(seq 1200); do [ -s "$TMP/port" ] && break; sleep 0.05; done

"$BIN/optag-status" --socket "$sock" >"$TMP/out" 2>"$TMP/err" || fail "status: exit code"
has "$TMP/out" "up 1 d 01:01:02"
has "$TMP/out" "interface  mon0, native, up, mirror port"
has "$TMP/out" "90 in progress: 10 setup, 80 answered, 6 on hold; 70 recording; with those just over 100 of 1000"
has "$TMP/out" " not kept, 0 unusable, 30 without memory"
has "$TMP/out" "consent.none?[31m"
has "$TMP/out" "capture rings"
has "$TMP/out" "a ring, emptied, times 2"
has "$TMP/out" "no write-memory        800"
has "$TMP/out" "200.0 MB of audio in 101.0 MB, disk 25 % free"
grep -q $'\033' "$TMP/out" && fail "status passes an escape through"
[ -s "$TMP/err" ] && fail "status: stderr"

"$BIN/optag-status" --json --control "$sock" >"$TMP/out" || fail "status --json: exit code"
[ "$(wc -l <"$TMP/out")" = 1 ] || fail "--json: not one line"
[ "$(jq -c '[.packets.seen, .packets.balanced, .calls.kept, .losses.capture_ring, .losses.store_queue, .losses.store_disk, .losses.ring_damaged, .store.io_uring, .interfaces[0].name, has("ok")]' "$TMP/out")" = \
	'[2000,true,3000,10,800,160,2,true,"mon0",false]' ] || { fail "--json: fields"; cat "$TMP/out"; }

# Rates: between two answers lies one second of the daemon's clock, whatever this machine's did.
"$BIN/optag-top" --once --control "$sock" >"$TMP/out" 2>"$TMP/err" || fail "top: exit code"
has "$TMP/out" "1.000 Gbit/s  1.00k packets/s"
has "$TMP/out" "audio 700  keys 0  blocked 200  signalling 95"
has "$TMP/out" "capture_ring 20 (5/s)"
has "$TMP/out" " 50 % fullest of 2 (peak 50 %), signalling 25 %"
has "$TMP/out" " 75 % full  1.00MB/s written"
grep -q $'\033' "$TMP/out" && fail "top --once writes escapes"

# On a terminal: alternate screen in, q ends, screen out.
if command -v script >/dev/null; then
	: >"$TMP/tty"
	{
		for _ in $(seq 600); do grep -q 'Gbit/s' "$TMP/tty" && break; sleep 0.1; done
		printf q
		for _ in $(seq 300); do [ "$(tail -c 8 "$TMP/tty")" = $'\033[?1049l' ] && break; sleep 0.1; done
	} | TERM=xterm timeout 100 script -qec "'$BIN/optag-top' --socket '$sock'" /dev/null >"$TMP/tty" 2>&1
	has "$TMP/tty" $'\033[?1049h'
	has "$TMP/tty" "Gbit/s"
	[ "$(tail -c 8 "$TMP/tty")" = $'\033[?1049l' ] || fail "top leaves the terminal as it was not"
fi

# metrics
if command -v curl >/dev/null; then
	curl -sf "http://127.0.0.1:$(cat "$TMP/port")/metrics" >"$TMP/page" || fail "metrics"
	has "$TMP/page" 'optag_packets_total{result="audio"}'
fi

# The daemon goes while top looks: one line, exit 1.
timeout 100 "$BIN/optag-top" --socket "$sock" >"$TMP/out" 2>"$TMP/err" </dev/null &
top=$!
for _ in $(seq 1200); do grep -q Gbit "$TMP/out" && break; sleep 0.05; done
grep -q Gbit "$TMP/out" || fail "top shows nothing"
kill $daemon
wait $daemon
[ -e "$sock" ] && fail "the socket stays behind"
wait $top
[ $? = 1 ] || fail "top after the daemon's end: exit code"
has "$TMP/err" "closed the connection"
exit $bad
