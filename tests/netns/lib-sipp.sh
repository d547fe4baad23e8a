# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Real calls between two network namespaces: sipp on both sides, speech of Debian's asterisk-core-sounds-en-wav, tcpdump
# on the caller's side. Sourced by tests/netns/*.sh and tools/demo.sh, which trap EXIT and call sipp_down.
#
#	sipp_need && sipp_up DIR CAPTURE
#	sipp_call NAME FROM TO CODEC TALK_MS CALLER.wav CALLEE.wav [KEY]	(returns at once; TALK_MS with codec "cancel" is ringing)
#	sipp_wait && sipp_stop_capture && sipp_down
#
# Call number N (from 1) is from 10.90.0.N to 10.90.1.N, so that a reader of the capture can tell the parties apart by address.

sipp_sounds=/usr/share/asterisk/sounds/en_US_f_Allison
sipp_a='' sipp_b='' sipp_dir='' sipp_file='' sipp_n=0 sipp_pids=() sipp_dump='' sipp_names=() sipp_xml=''

sipp_need() { # prints why real calls are not possible here; 1 then
	local p
	[ "$(id -u)" = 0 ] || { echo "network namespaces need root"; return 1; }
	for p in sipp tcpdump ip sox; do
		command -v $p >/dev/null || { echo "$p is not installed"; return 1; }
	done
	[ -e $sipp_sounds/demo-congrats.wav ] || { echo "asterisk-core-sounds-en-wav is not installed"; return 1; }
	ip netns add "optag$$-probe" 2>/dev/null || { echo "no network namespaces here"; return 1; }
	ip netns del "optag$$-probe"
}

# The wire between the two; with sipp_mirror=1 through a hub (a bridge that learns nothing) whose third port's far end
# is span1 in the namespace $sipp_m: a mirror port.
sipp_wire() {
	if [ -z "${sipp_mirror:-}" ]; then
		ip -n "$sipp_a" link add talk0 type veth peer name talk0 netns "$sipp_b"
		return
	fi
	sipp_m=optag$$m
	ip netns add "$sipp_m" && ip -n "$sipp_m" link add hub type bridge ageing_time 0 mcast_snooping 0 || return 1
	ip -n "$sipp_m" link add pa type veth peer name talk0 netns "$sipp_a" || return 1
	ip -n "$sipp_m" link add pb type veth peer name talk0 netns "$sipp_b" || return 1
	ip -n "$sipp_m" link add span0 type veth peer name span1 || return 1
	for n in pa pb span0; do ip -n "$sipp_m" link set $n master hub up || return 1; done
	ip -n "$sipp_m" link set hub up && ip -n "$sipp_m" link set span1 up
}

sipp_up() { # DIR CAPTURE
	local here
	here=$(cd "$(dirname "${BASH_SOURCE[0]}")/sipp" && pwd) || return 1
	sipp_dir=$1 sipp_file=$2 sipp_a=optag$$a sipp_b=optag$$b sipp_n=0 sipp_pids=() sipp_names=()
	sipp_xml=$here
	mkdir -p "$sipp_dir" || return 1
	ip netns add "$sipp_a" && ip netns add "$sipp_b" || return 1
	sipp_wire || return 1
	ip -n "$sipp_a" addr add 10.90.2.1/16 dev talk0 && ip -n "$sipp_b" addr add 10.90.2.2/16 dev talk0 || return 1
	for n in "$sipp_a" "$sipp_b"; do
		ip -n "$n" link set lo up && ip -n "$n" link set talk0 up || return 1
	done
	ip netns exec "$sipp_a" tcpdump --immediate-mode -i talk0 -s 0 -B 8192 -U -Z root -w "$2" udp 2>"$sipp_dir/tcpdump.err" &
	sipp_dump=$!
	for _ in $(seq 600); do # it prints this once packets arrive at its socket
		grep -q 'listening on' "$sipp_dir/tcpdump.err" 2>/dev/null && return 0
		sleep 0.05
	done
	cat "$sipp_dir/tcpdump.err" >&2
	return 1
}

sipp_audio() { # WAV CODEC: a raw G.711 file, made once; prints its name
	local out="$sipp_dir/${1%.wav}"
	case $2 in
	PCMU) out=$out.ul && [ -e "$out" ] || sox -V1 "$sipp_sounds/$1" -t ul -r 8000 -c 1 "$out" || return 1 ;;
	*) out=$out.al && [ -e "$out" ] || sox -V1 "$sipp_sounds/$1" -t al -r 8000 -c 1 "$out" || return 1 ;;
	esac
	echo "$out"
}

# One RFC 4733 key press as a capture for play_pcap_audio: nine updates, then three packets with the end bit. (sipp's own
# play_dtmf sends payload type 97, which no session description named, around it.)
sipp_key() { # KEY FILE
	perl -e '
		my %n = ("*" => 10, "#" => 11); my $k = $n{$ARGV[0]} // $ARGV[0];
		print pack "LSSlLLL", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1;
		for my $i (0 .. 11) {
			my $d = $i < 9 ? ($i + 1) * 160 : 1600; my $ms = $i < 9 ? $i * 20 : 180 + $i - 9;
			my $rtp = pack "CCnNN CCn", 128, 96 | ($i ? 0 : 128), 7000 + $i, 160000, 0xe4e47001, $k, ($i < 9 ? 0 : 128) | 10, $d;
			my $l = length $rtp;
			my $f = pack("x12 n", 0x800) . pack("CCnnnCCnNN", 69, 0, 28 + $l, $i, 0, 64, 17, 0, 0x0a5a0001, 0x0a5a0101)
				. pack("nnnn", 20000, 20000, 8 + $l, 0) . $rtp;
			print pack("LLLL", 0, $ms * 1000, length $f, length $f), $f;
		}' "$1" >"$2"
}

sipp_fill() { # TEMPLATE OUT AUDIO DTMF: the words of a scenario (FROM TO CODEC PT TALK of sipp_call)
	sed -e "s|@FROM@|$from|g; s|@TO@|$to|g; s|@CODEC@|$codec|g; s|@PT@|$pt|g; s|@TALK@|$talk|g" \
		-e "s|@AUDIO@|$3|g; s|@DTMF@|$4|g" "$sipp_xml/$1.xml" >"$2"
}

sipp_run() { # NETNS ARGUMENTS...
	local ns=$1
	shift
	# A namespace's sipp needs no terminal; it ends after one call, or by the timeout.
	ip netns exec "$ns" sipp -m 1 -nostdin -timeout 120 -timeout_error -nd "$@" \
		>"$sipp_dir/$(basename "${*: -1}").out" 2>&1 </dev/null &
}

sipp_call() { # NAME FROM TO CODEC TALK_MS CALLER.wav CALLEE.wav [KEY]
	local name=$1 from=$2 to=$3 codec=$4 talk=$5 kind='' pt=8 dtmf='' a b i
	sipp_n=$((sipp_n + 1)) i=$sipp_n
	[ "$codec" = cancel ] && kind=-cancel codec=PCMA
	[ "$codec" = PCMU ] && pt=0
	[ -n "${8:-}" ] && sipp_key "$8" "$sipp_dir/$i-key.pcap" &&
		dtmf="<nop><action><exec play_pcap_audio=\"$sipp_dir/$i-key.pcap\"/></action></nop><pause milliseconds=\"1500\"/>"
	ip -n "$sipp_a" addr add 10.90.0.$i/16 dev talk0 && ip -n "$sipp_b" addr add 10.90.1.$i/16 dev talk0 || return 1
	a=$(sipp_audio "$6" "$codec") && b=$(sipp_audio "$7" "$codec") || return 1
	sipp_fill caller$kind "$sipp_dir/$i-caller.xml" "$a" "$dtmf"
	sipp_fill callee$kind "$sipp_dir/$i-callee.xml" "$b" ""
	local media=$((20000 + i * 20))
	sipp_run "$sipp_b" -i 10.90.1.$i -mi 10.90.1.$i -p 5060 -mp $media \
		-sf "$sipp_dir/$i-callee.xml"
	sipp_pids+=($!) sipp_names+=("$name, callee")
	for _ in $(seq 600); do
		ip netns exec "$sipp_b" ss -Hlun "src 10.90.1.$i:5060" 2>/dev/null | grep -q . && break
		sleep 0.05
	done
	sipp_run "$sipp_a" 10.90.1.$i:5060 -i 10.90.0.$i -mi 10.90.0.$i -p 5060 -mp $media \
		-cid_str "%u-%p-$i@caller.example" -sf "$sipp_dir/$i-caller.xml"
	sipp_pids+=($!) sipp_names+=("$name, caller")
}

sipp_wait() { # until all calls are over; names those that failed
	local k rc=0
	for k in "${!sipp_pids[@]}"; do
		wait "${sipp_pids[k]}" || {
			echo "call failed: ${sipp_names[k]} ($(tail -n 3 "$sipp_dir"/$((k / 2 + 1))-call?r.xml.out 2>/dev/null | tr '\n' ' '))" >&2
			rc=1
		}
	done
	sipp_pids=()
	return $rc
}

sipp_stop_capture() {
	local size last=''
	[ -n "$sipp_dump" ] || return 0
	for _ in $(seq 60); do # what is still between the interface and tcpdump
		sleep 0.5
		size=$(stat -c %s "$sipp_file")
		[ "$size" = "$last" ] && break
		last=$size
	done
	kill -TERM "$sipp_dump" 2>/dev/null
	wait "$sipp_dump" 2>/dev/null
	sipp_dump=''
}

sipp_down() { # safe at any time, also twice
	local p
	for p in "${sipp_pids[@]}" $sipp_dump; do kill "$p" 2>/dev/null; done
	for p in "${sipp_pids[@]}" $sipp_dump; do wait "$p" 2>/dev/null; done
	sipp_pids=() sipp_dump=''
	[ -n "$sipp_a" ] && ip netns del "$sipp_a" 2>/dev/null
	[ -n "$sipp_b" ] && ip netns del "$sipp_b" 2>/dev/null
	[ -n "${sipp_m:-}" ] && ip netns del "$sipp_m" 2>/dev/null
	sipp_a='' sipp_b='' sipp_m=''
	return 0
}
