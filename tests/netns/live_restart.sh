#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The daemon is restarted under load, twice: SIGTERM, then another one. Calls in progress go on as if nothing had been:
# of every kept call every packet of both voices is stored and none is a loss, no call is torn into two rows, of the
# others nothing passed. (What nobody lives to decide is not recorded: no call begins while the daemon is away.) Afterwards SIGINT leaves nothing attached; `optagd -r` removes what a killed one left.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip

load_ready 'ring 64 MiB'
load_begin "$TMP/sent" "${load_kinds[@]}" --calls 100 --rate 50 --hold 13 --duration 10 --first-rtp 300 --sha
# Streams move from CPU to CPU, so their packets wait in more than one ring while nobody reads.
move() { # PID
	local c=0
	while kill -0 "$1" 2>/dev/null && kill -0 $$ 2>/dev/null; do # (taskset -a is content with a process that is gone)
		taskset -acp $((c++ % $(nproc))) "$1" >/dev/null 2>&1
		sleep 0.07
	done
}
move "${load_pids[0]}" &
for _ in $(seq 600); do # all have begun
	load_status "$TMP/status" 2>/dev/null && jq -e '.calls.total == 100 and .calls.setup == 0' "$TMP/status" >/dev/null && break
	sleep 0.05
done
for n in 1 2; do
	sleep 3
	load_stop TERM || fail "optagd's status"
	[ -e /sys/fs/bpf/optag/rx0/link ] || fail "nothing is left to be taken over"
	load_daemon || fail "the next optagd does not start"
	load_status "$TMP/status" || fail status
	jq -e '.take_over | .from == "left" and .calls > 0 and .recordings > 0 and .recordings <= .calls and .lost == 0' \
		"$TMP/status" >/dev/null || fail "take-over $n: $(jq -c .take_over "$TMP/status")"
	jq -e '.media | .before > 0 and .drained == (to_entries | map(select(.key != "before" and .key != "drained").value) | add)' \
		"$TMP/status" >/dev/null || fail "media after take-over $n: $(jq -c .media "$TMP/status")"
	"$O" status --socket "$TMP/control" | grep -q '^took over  from a daemon that left, .* 0 do not$' || fail "status in words"
done
load_wait || fail "optag-load: $(cat "$TMP/sent")"
load_settle || fail "the counters do not come to rest"
load_status "$TMP/status" || fail status
# Nothing is counted twice or not at all by three daemons that read the same rings.
jq -e '.packets.balanced and .packets.audio + .packets.events == .media.before + .media.drained' "$TMP/status" >/dev/null ||
	fail "the sums do not balance: $(jq -c '[.packets, .media]' "$TMP/status")"
# Nor are calls: this daemon's are those that began under it and those that it took over, each with one outcome.
jq -e '.calls | .total == .matched + .unmatched and .matched == .kept + .denied + .gaps and .kept > 0 and .setup + .answered + .ending == 0' \
	"$TMP/status" >/dev/null || fail "calls do not add up: $(jq -c .calls "$TMP/status")"
load_stop || fail "optagd's status"
[ ! -e /sys/fs/bpf/optag/rx0 ] || fail "pins are left"
grep -c 'took over from a daemon that left' "$TMP/optagd.err" | grep -qx 2 || fail "not taken over twice"
load_rows "$TMP/sent.truth" "$TMP/rows" || fail find

awk -F'\t' '
	$2 == "kept" && ($6 != "kept" || $7 != $3 || $8 != $4) {print "not whole: " $0; bad++}
	$2 == "sales" && ($6 != "denied" || $7 + $8 != 0) {print "not denied: " $0; bad++}
	($2 == "never" || $2 == "none") && $6 != "-" {print "known: " $0; bad++}
	{n[$2]++}
	END {exit bad || n["kept"] < 60}' "$TMP/rows" >"$TMP/bad" || fail "$(wc -l <"$TMP/bad") calls: $(head -n 5 "$TMP/bad")"
"$O" find --store "$TMP/s" --json >"$TMP/found" || fail find
jq -s -e 'all(.[]; .gap == null)' "$TMP/found" >/dev/null || fail "gaps: $(jq -c 'select(.gap != null)' "$TMP/found" | head -n 3)"
jq -s -e 'all(.[]; [.legs[].lost] | add == 0)' "$TMP/found" >/dev/null || fail "losses: $(jq -c 'select([.legs[].lost] | add != 0)' "$TMP/found" | head -n 3)"
[ "$(jq -r .sip_call_id "$TMP/found" | sort | uniq -d | wc -l)" = 0 ] || fail "a call has two rows"
for id in $(awk -F'\t' '$2 == "kept" {print $1}' "$TMP/sent.truth" | shuf -n 5); do
	call=$(awk -F'\t' -v id="$id" '$1 == id {print $11}' "$TMP/rows")
	"$O" export --store "$TMP/s" --keys "$TMP/k" --purpose documentation --call "$call" --format payload -o "$TMP/$call" >/dev/null 2>"$TMP/err" ||
		fail "export: $(cat "$TMP/err")"
	got=$(sha256sum <"$TMP/$call.caller" | cut -d' ' -f1)$'\t'$(sha256sum <"$TMP/$call.callee" | cut -d' ' -f1)
	[ "$got" = "$(awk -F'\t' -v OFS='\t' -v id="$id" '$1 == id {print $6, $7}' "$TMP/sent.truth")" ] || fail "call $id: not what was sent"
done
"$O" fsck --store "$TMP/s" >/dev/null || fail fsck
. "$SRC/tests/netns/lib-audit.sh"
audit_whole "$TMP/s"

# Asked to leave before it has opened its evidence log: it leaves its capture all the same.
for n in 1 2 3 4; do
	rm -rf "$TMP/s" "$TMP/k"
	load_store && load_daemon || fail "no new store, or optagd does not start with it"
	load_stop TERM || fail "optagd's status"
	grep -q 'are not left to another daemon' "$TMP/optagd.err" && fail "it did not leave what it had"
	[ -e /sys/fs/bpf/optag/rx0/link ] || fail "nothing is left to be taken over"
	load_in "$BIN/optagd" -r -c "$TMP/optagd.conf" 2>"$TMP/err" || fail "optagd -r: $(cat "$TMP/err")"
done

# What is taken over keeps its sizes and its mode, says so, and tells the sizes that are there; ended and begun anew it has the new ones.
sizes() { # FLOW RING SIGNALLING: as status has them
	load_status "$TMP/status" || fail status
	jq -e --argjson f "$1" --argjson r "$2" --argjson s "$3" '.flow.capacity == $f and all(.rings[]; .size == if .cpu < 0 then $s else $r end)' \
		"$TMP/status" >/dev/null || fail "sizes are not $*: $(jq -c '[.flow, .rings]' "$TMP/status")"
}
: >"$TMP/optagd.err"
load_conf 'ring 1 MiB' 'signalling-ring 1 MiB' 'flow-lines 1024' 'calls 500' && load_daemon || fail "optagd does not start"
sizes 2048 1048576 1048576
grep -q ' stays ' "$TMP/optagd.err" && fail "a first start has something that stays"
load_stop TERM || fail "optagd's status"
load_conf 'ring 2 MiB' 'signalling-ring 4 MiB' 'flow-lines 2048' 'calls 1000'
sed -i 's/xdp native/xdp generic/' "$TMP/optagd.conf"
load_daemon || fail "the next optagd does not start"
sizes 2048 1048576 1048576
for what in 'flow-lines stays 1024, not 2048' 'ring (bytes) stays 1048576, not 2097152' 'signalling-ring (bytes) stays 1048576, not 4194304' \
	'take over stays 500, not 1000' 'xdp stays native, not generic'; do
	[ "$(grep -c "rx0: .*$what" "$TMP/optagd.err")" = 1 ] || fail "the log does not say once: $what"
done
load_stop || fail "optagd's status"
load_daemon || fail "the last optagd does not start"
sizes 4096 2097152 4194304
[ "$(grep -c ' stays ' "$TMP/optagd.err")" = 5 ] || fail "something stays after an end"
[ "$(jq -r '.interfaces[0].mode' "$TMP/status")" = generic ] || fail "the mode is the old one"
load_stop || fail "optagd's status"
load_conf

# A killed daemon leaves its pins; they are not for ever.
load_daemon || fail "optagd does not start again"
load_status "$TMP/status" && jq -e '.take_over == null and .media.before == 0' "$TMP/status" >/dev/null || fail "a first start is a take-over"
kill -9 "$load_daemon_pid"; wait "$load_daemon_pid" 2>/dev/null; load_daemon_pid=''
[ -e /sys/fs/bpf/optag/rx0/link ] || fail "a killed daemon's capture is gone"
load_in "$BIN/optagd" -r -c "$TMP/optagd.conf" 2>"$TMP/err" || fail "optagd -r: $(cat "$TMP/err")"
[ ! -e /sys/fs/bpf/optag/rx0 ] || fail "optagd -r left pins"
ip -n "$load_ns" link show rx0 | grep -q xdp && fail "XDP is left attached"
exit 0
