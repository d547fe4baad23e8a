#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# make bench: figures of this machine. Replay of one capture beside other programs on the same file (medians of
# ROUNDS runs taken in turn), then the benchmark programs of the parts. CALLS and SECONDS_EACH size the capture; PART_LIMIT: seconds
# that a part may take.
set -eu
cd "$(dirname "$0")/../.."
BUILD=${BUILD:-$PWD/build}
CALLS=${CALLS:-1000} SECONDS_EACH=${SECONDS_EACH:-20} ROUNDS=${ROUNDS:-5} PART_LIMIT=${PART_LIMIT:-900}
BIN=$BUILD/bin B=$BUILD/tests/bench
dir=$(mktemp -d "${TMPDIR:-/tmp}/optag-bench.XXXXXX")
trap 'rm -rf "$dir"' EXIT

echo "machine   $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n1), $(nproc) cores, $(free -g | awk '/Mem/ {print $2}') GiB"
echo "kernel    $(uname -r)"
echo "commit    $(git rev-parse --short HEAD 2>/dev/null || echo unknown)"
echo "load      $(cut -d' ' -f1-3 /proc/loadavg)"

speech=
for d in /usr/share/asterisk/sounds/en_US_f_Allison /usr/share/asterisk/sounds/en; do
	ls "$d"/*.wav >/dev/null 2>&1 && speech=$d && break
done
gen=("$BUILD/tests/gen/gencap" --calls "$CALLS" --seconds "$SECONDS_EACH" --concurrent "$CALLS" --seed 1)
[ -n "$speech" ] && gen+=(--speech "$speech")
"${gen[@]}" "$dir/calls.pcap" "$dir/truth.json" >/dev/null
cs=$((CALLS * SECONDS_EACH))
echo "capture   $CALLS calls of $SECONDS_EACH s, G.711 both legs, ${speech:-synthetic sound}, $(du -m "$dir/calls.pcap" | cut -f1) MB"
echo

run() { # NAME COMMAND...: appends "cpu wall rss" to $dir/NAME.t
	local name=$1 line
	shift
	line=$("$B/cpu" "$@" 2>&1 >/dev/null | tail -n 1)
	case $line in *" 0") ;; *) echo "$name failed: $line" >&2; exit 1 ;; esac
	echo "$line" >>"$dir/$name.t"
}
median() { cut -d' ' -f"$2" "$dir/$1.t" | sort -g | awk '{v[NR]=$1} END {print (NR%2) ? v[(NR+1)/2] : (v[NR/2]+v[NR/2+1])/2}'; }
least() { cut -d' ' -f"$2" "$dir/$1.t" | sort -g | head -n 1; }

cat "$dir/calls.pcap" >/dev/null
for _ in $(seq "$ROUNDS"); do
	rm -rf "$dir/store" "$dir/keys" "$dir/split"
	"$BIN/optag" init --store "$dir/store" --keys "$dir/keys" >/dev/null
	run replay "$BIN/optag-replay" --store "$dir/store" --policy policy/examples/lab.policy --json "$dir/calls.pcap"
	du -sm "$dir/store" | cut -f1 >"$dir/size"
	if [ -x "$B/pcapsplit" ]; then
		mkdir -p "$dir/split"
		run pcapsplit "$B/pcapsplit" "$dir/calls.pcap" "$dir/split"
	fi
	command -v tcpdump >/dev/null && run tcpdump tcpdump -r "$dir/calls.pcap" -w "$dir/copy.pcap"
	rm -f "$dir/copy.pcap"
done
printf '%-34s %12s %12s %10s %10s\n' "whole capture" "cpu s/1000cs" "least" "wall s" "max MB"
for n in replay pcapsplit tcpdump; do
	[ -e "$dir/$n.t" ] || continue
	case $n in
	replay) what="optag replay (compress, encrypt)" ;;
	pcapsplit) what="one pcap per call, plain" ;;
	tcpdump) what="tcpdump -r -w, plain" ;;
	esac
	awk -v what="$what" -v cs="$cs" -v cpu="$(median $n 1)" -v best="$(least $n 1)" -v wall="$(median $n 2)" -v rss="$(median $n 3)" \
		'BEGIN {printf "%-34s %12.4f %12.4f %10.2f %10.1f\n", what, cpu*1000/cs, best*1000/cs, wall, rss/1024}'
done
awk -v rss="$(median replay 3)" -v n="$CALLS" -v size="$(cat "$dir/size")" -v cs="$cs" \
	'BEGIN {printf "memory per concurrent call %.1f KiB; store %d MB for %.0f MB of G.711 (%.2f:1)\n", rss/n, size, cs*16000/1e6, cs*16000/1e6/size}'

# NAME COMMAND...: a part; what takes longer than PART_LIMIT seconds is cut off.
part() {
	local name=$1 rc=0 from=$SECONDS
	shift
	echo
	echo "== $name"
	timeout --foreground -k 150 "$PART_LIMIT" "$@" || rc=$?
	case $rc in
	0) echo "($name: $((SECONDS - from)) s)" ;;
	124 | 137) echo "$name: CUT OFF after $PART_LIMIT s" ;;
	*) echo "$name: not run here" ;;
	esac
}
for b in "$B"/bench_*; do
	case $b in *.d | */bench_reap) continue ;; esac
	[ -x "$b" ] || continue
	case $b in */bench_find) set -- --one-table ;; *) set -- ;; esac
	TMPDIR=$dir part "$(basename "$b")" "$b" "$@"
done
part "live" tests/bench/live.sh
part "reaper beside capture" tests/bench/reap_live.sh
PEER_LIMIT=${PEER_LIMIT:-120} part "reaper beside others" tests/bench/reap_peers.sh
echo
echo "all of it in $SECONDS s"
