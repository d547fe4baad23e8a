# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# optagd on one end of a veth, optag-load's calls on the other, in one network namespace. Sourced by tests/netns/live_*.sh
# and tests/bench/live.sh; needs BIN, BUILD, SRC, TMP. What it makes is in $TMP; load_down (trap EXIT) takes away the rest.
#
#	load_or_skip		a test begins with it: it ends where this cannot be, and whatever happens all is taken away
#	load_ready [LINES...]	is load_up && load_store && load_conf [LINES...] && load_daemon
#	load_calls OUT OPTIONS... or load_begin and load_wait	(optag-load; its JSON in OUT, its lines per call in OUT.truth)
#	load_stop; load_rows OUT	(what find says beside what was sent, see there)
#
# Kinds of calls: kept (documentation by interest), sales (training, waits for key 1), never (may not be recorded), none
# (no rule).

# Pins have the interface's name whatever its namespace: two runs at once need bpf file systems of their own.
if [ -z "${LOAD_WORLD:-}" ] && unshare -m true 2>/dev/null; then
	LOAD_WORLD=1 exec unshare -m --propagation private bash "$0" "$@"
fi

load_ns='' load_daemon_pid='' load_key=+45701030## load_pids=()
load_kinds=(--kind 'kept:7:+4520######:+45701020##' --kind 'sales:1:+4521######:+45701030##'
	--kind 'never:1:+4522110033:+45701020##' --kind 'none:1:+4520######:+4533######')
L="$BUILD/tests/bench/optag-load"
O="$BIN/optag"

load_need() { # prints why it cannot be; 1 then
	local p
	[ "$(id -u)" = 0 ] || { echo "network namespaces and XDP need root"; return 1; }
	for p in ip jq awk nsenter; do
		command -v $p >/dev/null || { echo "$p is not installed"; return 1; }
	done
	mount -t bpf bpf /sys/fs/bpf 2>/dev/null || { echo "no bpf file system"; return 1; }
	ip netns add "optag$$-probe" 2>/dev/null || { echo "no network namespaces here"; return 1; }
	ip netns del "optag$$-probe"
}

load_or_skip() {
	local why
	why=$(load_need) || { echo "SKIP: $why"; exit 77; }
	trap load_down EXIT
	trap 'exit 130' INT TERM HUP
}

load_in() { nsenter --net="/run/netns/$load_ns" "$@"; } # (ip netns exec would hide the bpf file system)

load_up() {
	load_ns=optag$$l
	ip netns add $load_ns || return 1
	# the kernel's own IPv6 would be in the counters
	load_in sh -c 'for f in all default; do echo 1 >/proc/sys/net/ipv6/conf/$f/disable_ipv6; done' 2>/dev/null
	ip -n $load_ns link add tx0 type veth peer name rx0 && ip -n $load_ns link set tx0 up && ip -n $load_ns link set rx0 up
}

load_store() { # store $TMP/s, keys $TMP/k, policy $TMP/policy/demo.policy: the demo's, for real
	local soon
	soon=$(date -u -d '+180 days' +%F)
	mkdir -p "$TMP/policy"
	cp "$SRC"/tools/demo/* "$TMP/policy/" || return 1
	sed -e '/^\tlab yes/d' -e "s/review 20[0-9-]*/review $soon/" "$SRC/tools/demo/demo.policy" >"$TMP/policy/demo.policy"
	"$O" init --store "$TMP/s" --keys "$TMP/k" >/dev/null 2>&1
}

# After load_store: its sales line asks for a consent to documentation, of which no sample is drawn.
load_consent() {
	sed -i -e '/^announcement sales-en/,/^}/ s/elements .*/elements rec doc withdraw link access key:1/' \
		-e '/^rule "sales training"/,$ { /^\t\tsample/d; /^\t\tcap/d; /use-within/d; s/^\ttraining {/\tdocumentation {/
			s/roles training coach/roles documentation legal/; s/assessment .*/assessment claims-2026/ }' "$TMP/policy/demo.policy"
	sed -i "s/\[train\]/[doc]/" "$TMP/policy/sales-en.txt"
	"$O" policy check "$TMP/policy/demo.policy" >"$TMP/check" 2>&1
	grep -q "^0 errors" "$TMP/check" || { cat "$TMP/check" >&2; return 1; }
}

load_conf() { # further lines of optagd.conf
	{
		cat <<C
interface rx0 { mirror yes; xdp native }
store "$TMP/s"
policy "$TMP/policy/demo.policy"
control { socket "$TMP/control" }
user root
group root
C
		[ $# = 0 ] || printf '%s\n' "$@"
	} >"$TMP/optagd.conf"
}

load_daemon() { # [COMMAND...] before optagd, such as taskset; returns when it records
	local at
	touch "$TMP/optagd.err"
	at=$(wc -l <"$TMP/optagd.err")
	# not load_in: in the background that is another shell, which would get the signals
	nsenter --net="/run/netns/$load_ns" "$@" "$BIN/optagd" -c "$TMP/optagd.conf" 2>>"$TMP/optagd.err" &
	load_daemon_pid=$!
	while kill -0 $load_daemon_pid 2>/dev/null; do
		tail -n +$((at + 1)) "$TMP/optagd.err" | grep -q 'recording from' && return 0
		sleep 0.02
	done
	load_daemon_pid=''
	return 1
}

load_ready() { # further lines of optagd.conf
	load_up && load_store && load_conf "$@" || fail "no network or store"
	load_daemon || fail "optagd does not start"
}

load_stop() { # [SIGNAL]: optagd ends, its status returned
	local p=$load_daemon_pid
	load_daemon_pid=''
	[ -n "$p" ] || return 1
	kill "-${1:-INT}" "$p" && wait "$p"
}

load_speech() { # real speech where it is installed
	local d=/usr/share/asterisk/sounds/en_US_f_Allison
	[ -e $d/demo-congrats.wav ] && echo "--speech $d"
	return 0
}

load_begin() { # OUT OPTIONS...: in the background, load_wait for its end
	local out=$1
	shift
	# shellcheck disable=SC2046
	nsenter --net="/run/netns/$load_ns" "$L" --interface tx0 --truth "$out.truth" $(load_speech) "$@" >"$out" &
	load_pids+=($!)
}

load_wait() {
	local p rc=0
	for p in "${load_pids[@]}"; do wait "$p" || rc=1; done
	load_pids=()
	return $rc
}

load_calls() { load_begin "$@" && load_wait; }

load_status() { # OUT
	"$O" status --socket "$TMP/control" --json >"$1"
}

# Until every frame that was sent was seen, its record taken, no call that hung up waits for late packets, and the disk has
# the rows of calls that are over: the counters then stand still, for a second.
load_settle() {
	local a b='' same=0
	for _ in $(seq 600); do
		a=$(load_status /dev/stdout 2>/dev/null | jq -c '[.packets, .calls.active, .calls.ending, .calls.unwritten, .rings[].used]')
		same=$((same + 1))
		[ -n "$a" ] && [ "$a" = "$b" ] && [ "$(jq '.[2] + .[3]' <<<"$a")" = 0 ] || same=0
		[ $same -lt 5 ] || return 0
		b=$a
		sleep 0.2
	done
	return 1
}

# N: until so many matched calls are answered. How long optag-load takes to begin is the machine's affair.
load_answered() {
	local n=0
	for _ in $(seq 1200); do
		n=$(load_status /dev/stdout 2>/dev/null | jq .calls.answered)
		[ "${n:-0}" -ge "$1" ] && return 0
		sleep 0.05
	done
	fail "$n calls are answered, not $1"
}

# TRUTH OUT: a line per call of TRUTH, fields divided by tabs: Call-ID, kind, sent by caller, by callee, events sent, then
# outcome ("-" when find does not know the call), stored of caller, of callee, events, blocked of both.
load_rows() {
	"$O" find --store "$TMP/s" --json | jq -r '[.sip_call_id, .outcome, (.legs | .[0].packets, .[1].packets,
		([.[].events] | add), ([.[].blocked] | add)), .call] | @tsv' >"$2.find" || return 1
	awk -F'\t' -v OFS='\t' 'NR == FNR {row[$1] = $2 OFS $3 OFS $4 OFS $5 OFS $6 OFS $7; n++; next}
		{print $1, $2, $3, $4, $5, ($1 in row) ? row[$1] : "-" OFS 0 OFS 0 OFS 0 OFS 0 OFS "-"}' "$2.find" "$1" >"$2"
}

load_down() { # safe at any time
	local p
	for p in "${load_pids[@]}"; do kill "$p" 2>/dev/null; done
	[ -n "$load_daemon_pid" ] && kill -INT "$load_daemon_pid" 2>/dev/null
	[ -e "$TMP/optagd.conf" ] && load_in "$BIN/optagd" -r -c "$TMP/optagd.conf" 2>/dev/null # what a killed one left
	for p in "${load_pids[@]}" $load_daemon_pid; do wait "$p" 2>/dev/null; done
	load_pids=() load_daemon_pid=''
	[ -n "$load_ns" ] && ip netns del "$load_ns" 2>/dev/null
	rm -rf /sys/fs/bpf/optag/rx0 2>/dev/null # a killed daemon's
	load_ns=''
	return 0
}

fail() {
	echo "FAIL: $*"
	grep -v ': W-10: ' "$TMP/optagd.err" 2>/dev/null | sed 's/^/optagd said: /' | tail -n 20
	exit 1
}
