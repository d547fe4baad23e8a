#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Live capture on a veth: optag-load on CPU 0, optagd (all its threads, and the store) on CPU 1. veth has no hardware:
# what a network card and XDP do runs in the sender, so CPU 0 has it; the same load into a program that drops everything
# is taken off to show XDP's own cost.
#
# 1. the most calls at once of which nothing is lost (LIVE_MIN to LIVE_MAX, LIVE_SECONDS each after LIVE_RATE new calls a
#    second; voices begin 200 ms after the answer, since how soon an address is open is 3.)
# 2. at that load and at half of it: CPU, memory, losses, sent = stored; beside it tcpdump -w and an AF_PACKET reader
# 3. from the 200 OK to the open flow entry, and first packets lost that come 0, 1, 5 and 20 ms after it
set -u
cd "$(dirname "$0")/../.." || exit 1
SRC=$PWD BUILD=${BUILD:-$PWD/build}
BIN=$BUILD/bin
export SRC BUILD BIN
LIVE_MIN=${LIVE_MIN:-500} LIVE_MAX=${LIVE_MAX:-20000} LIVE_SECONDS=${LIVE_SECONDS:-10} LIVE_STEPS=${LIVE_STEPS:-5}
LIVE_RATE=${LIVE_RATE:-500}
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
work=$(mktemp -d "${LIVE_DIR:-${TMPDIR:-/var/tmp}}/optag-live.XXXXXX") || exit 1
TMP=$work/run
mkdir "$TMP"
trap 'load_down; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
why=$(load_need) || { echo "live: not run here: $why"; exit 0; }
[ "$(nproc)" -ge 2 ] || { echo "live: needs two CPUs"; exit 0; }
kept=(--kind 'kept:1:+4520######:+45701020##')
half=(--kind 'kept:8:+4520######:+45701020##' --kind 'sales:1:+4521######:+45701030##' --kind 'none:1:+4520######:+4533######')
sender=(--cpu 0 --fifo 10) # and optagd runs at nice -10: what else the machine does should not be in the figures

up() {
	rm -rf "$TMP"
	sync # what was deleted is freed and discarded before a recorder writes
	mkdir "$TMP"
	load_up || exit 1
}
recorder() {
	up
	load_store && load_conf 'ring 256 MiB' 'signalling-ring 16 MiB' 'calls 60000' 'flow-lines 262144' 'write-memory 256 MiB' || exit 1
	load_daemon nice -n -10 taskset -c 1 || fail "optagd does not start"
}
ticks() { awk '{print $14 + $15}' "/proc/$1/stat"; }
rss() { awk '/^VmRSS/ {print $2}' "/proc/$1/status"; }
num() { jq -r "$1" "$2"; }

# One run of N calls; leaves $TMP/{sent,sent.truth,status,rows,figures}. figures: CPU seconds of optagd, KiB when idle and at the peak.
measure() { # CALLS OPTIONS...
	local n=$1 idle c0
	shift
	recorder
	idle=$(rss "$load_daemon_pid") c0=$(ticks "$load_daemon_pid")
	load_begin "$TMP/sent" "${sender[@]}" --calls "$n" --rate "$LIVE_RATE" --first-rtp 200 --end 3 "$@"
	sleep "$(awk -v n="$n" -v r="$LIVE_RATE" -v s="$LIVE_SECONDS" 'BEGIN {print n / r + s - 0.5}')"
	local peak
	peak=$(rss "$load_daemon_pid")
	load_wait || fail "optag-load"
	sleep 1
	load_settle
	load_status "$TMP/status" || fail status
	echo "$(awk -v a="$c0" -v b="$(ticks "$load_daemon_pid")" 'BEGIN {print (b - a) / 100}') $idle $peak" >"$TMP/figures"
	load_stop || fail "optagd's status"
	load_rows "$TMP/sent.truth" "$TMP/rows" || fail find
	load_down
}
duration() { awk -v n="$1" -v r="$LIVE_RATE" -v s="$LIVE_SECONDS" 'BEGIN {printf "%d", n / r + s + 1}'; }

# Nothing lost: no counter of loss moved, all seen, every packet stored or blocked as its kind must be.
lossless() {
	jq -s -e '(.[1].losses | [.[]] | add) == 0 and .[1].packets.seen == .[0].frames and .[1].packets.balanced' \
		"$TMP/sent" "$TMP/status" >/dev/null &&
		awk -F'\t' '$2 == "kept" && ($7 != $3 || $8 != $4) || $2 == "sales" && ($7 + $8 || $10 != $3 + $4) {bad++}
			END {exit bad > 0}' "$TMP/rows"
}
# What was handed up and not kept, and packets whose address was not open, are losses here too: of all calls audio may be kept.
lost_line() {
	jq -s -r '.[1] as $s | ($s.losses + {stale: $s.media.stale, "address not open": ($s.packets.miss + $s.packets.gated), "not seen": (.[0].frames - $s.packets.seen)}
		| to_entries | map(select(.value != 0) | "\(.key) \(.value)") | "lost: " + join(", "))' "$TMP/sent" "$TMP/status"
}

echo "sender and its NAPI on CPU 0, optagd on CPU 1; ${LIVE_SECONDS} s a run, store on $(df --output=source,fstype "$work" | tail -n 1 | tr -s ' ')"
lo=0 hi=0 n=${LIVE_FIRST:-4000}
for _ in $(seq "$LIVE_STEPS"); do
	measure "$n" "${kept[@]}" --duration "$(duration "$n")"
	late=$(num '"\(.ticks.late) of \(.ticks.all) ms late, worst \(.ticks.max_us / 1000) ms"' "$TMP/sent")
	if lossless; then
		echo "  $n calls: nothing lost ($late)"
		lo=$n
	else
		echo "  $n calls: $(lost_line) ($late)"
		hi=$n
	fi
	[ "$lo" -ge "$LIVE_MAX" ] && break
	if [ $hi = 0 ]; then n=$((n * 2)); elif [ $lo = 0 ]; then n=$((n / 2)); else n=$(((lo + hi) / 2 / 100 * 100)); fi
	[ "$n" -gt "$LIVE_MAX" ] && n=$LIVE_MAX
	[ "$n" -lt "$LIVE_MIN" ] && break
	[ $hi != 0 ] && [ $((hi - lo)) -le $((hi / 10)) ] && break
done
echo "calls at once, both voices, on one core without any loss: $lo"
[ "$lo" -gt 0 ] || exit 0

# The wire alone: the same load into a program that drops it.
n=$((lo / 2))
up
load_calls "$TMP/sink" "${sender[@]}" --sink rx0 --calls $n --rate "$LIVE_RATE" --duration "$(duration $n)" "${kept[@]}" || fail sink
sink=$(num '(.cpu.user + .cpu.system) / .frames * 1e9' "$TMP/sink")
load_down
echo
printf '%-28s %8s %12s %14s %12s %12s\n' "calls" "lost" "cpu s/1000cs" "XDP s/1000cs" "KiB a call" "sent=stored"
for n in $((lo / 2)) $lo; do
	measure "$n" "${half[@]}" --duration "$(duration "$n")"
	read -r cpu idle peak <"$TMP/figures"
	# call-seconds of the kept calls: packets of one voice at 50 a second
	cs=$(num '(.kinds.kept.caller + .kinds.kept.callee) / 100' "$TMP/sent")
	printf '%-28s %8s %12s %14s %12s %12s\n' "$n, 8 of 10 kept" "$(num '[.losses[]] | add' "$TMP/status")" \
		"$(awk -v c="$cpu" -v s="$cs" 'BEGIN {printf "%.3f", c * 1000 / s}')" \
		"$(awk -v a="$(num '(.cpu.user + .cpu.system) / .frames * 1e9' "$TMP/sent")" -v b="$sink" -v f="$(num .frames "$TMP/sent")" -v s="$cs" 'BEGIN {printf "%.3f", (a - b) * f / 1e6 / s}')" \
		"$(awk -v a="$idle" -v b="$peak" -v n="$n" 'BEGIN {printf "%.1f", (b - a) / n}')" "$(lossless && echo yes || echo NO)"
done
echo "(optagd: drain, compress, encrypt, write; user and system of its threads. XDP: of the sender's core, net of a program that drops)"

# Beside it: others at the same load, files that are neither sorted, compressed nor encrypted.
n=$((lo / 2))
beside() { # NAME COMMAND...: listening on rx0, ends by SIGTERM, last line its figures
	local name=$1 pid c
	shift
	up
	nsenter --net="/run/netns/$load_ns" taskset -c 1 "$@" >"$TMP/other" 2>"$TMP/other.err" &
	pid=$!
	load_pids+=($pid)
	for _ in $(seq 100); do grep -q 'listening on' "$TMP/other.err" && break; sleep 0.05; done
	load_in "$L" --interface tx0 --gro rx0 "${sender[@]}" --calls $n --rate "$LIVE_RATE" --duration "$(duration $n)" "${kept[@]}" >"$TMP/sent"
	sleep 1
	c=$(ticks $pid)
	kill -TERM $pid
	wait $pid
	printf '%-28s %8s %12s   (and the kernel on CPU 0: %s s/1000cs)\n' "$name, $n calls" \
		"$(awk -v f="$(num .frames "$TMP/sent")" '/"frames"/ {match($0, /"frames":[0-9]+/); print f - substr($0, RSTART + 9, RLENGTH - 9)} / packets captured/ {print f - $1}' "$TMP/other" "$TMP/other.err")" \
		"$(awk -v c="$c" -v s="$(num '.rtp.sent / 100' "$TMP/sent")" 'BEGIN {printf "%.3f", c * 10 / s}')" \
		"$(awk -v a="$(num '(.cpu.user + .cpu.system) / .frames * 1e9' "$TMP/sent")" -v b="$sink" -v f="$(num .frames "$TMP/sent")" 'BEGIN {printf "%.3f", (a - b) / 1e6 * f / (f / 100)}')"
	load_down
}
command -v tcpdump >/dev/null && beside "tcpdump -w" tcpdump -i rx0 -s 0 -B 262144 -Z root -w "$TMP/all.pcap"
beside "AF_PACKET TPACKET_V3" "$BUILD/tests/bench/afpacket" rx0 "$TMP/all.pcap"

echo
n=$((lo / 2))
for ms in 0 1 5 20; do
	recorder
	load_calls "$TMP/sent" "${sender[@]}" --calls $n --rate $((n / 5)) --hold 5 --duration "$((LIVE_SECONDS + 5))" --first-rtp $ms \
		--probe /sys/fs/bpf/optag/rx0 "${kept[@]}" || fail "optag-load"
	sleep 1
	load_settle
	load_stop || fail "optagd's status"
	load_rows "$TMP/sent.truth" "$TMP/rows"
	echo "first packet $ms ms after the 200 OK: $(awk -F'\t' '{n += 2; a = $3 - $7; b = $4 - $8; lost += (a > 0) + (b > 0); p += a + b} END {printf "%d of %d voices lost %d packets", lost, n, p}' "$TMP/rows"); $(num '.flow_entry | "flow entry after \(.p50_us) us (p50), \(.p99_us) us (p99), \(.max_us) us at most, of \(.calls) calls"' "$TMP/sent")"
	load_down
done
