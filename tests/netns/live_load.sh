#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# 200 calls at a time through native XDP, of four kinds, coming and going. Every packet is accounted for: the classifier's
# sums are what was sent, each kept call has stored every packet of both voices, of the others nothing passed. The sound
# of three calls is exported bit by bit as it was sent.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip

load_ready 'ring 64 MiB'
# Capture is a realtime thread where that is allowed, encoders come last, all others are ordinary.
if chrt -f 1 true 2>/dev/null; then
	for t in "/proc/$load_daemon_pid/task"/*; do # policy (1: FIFO) and niceness, behind the name
		sed 's/^[0-9]* (\(.*\)) /\1 /' "$t/stat" | awk -v main="${t##*/}" -v pid="$load_daemon_pid" '{print (main == pid ? "main" : $1), $40, $18}'
	done >"$TMP/threads"
	awk '$1 == "main" && $2 == 1 {m++} $1 == "store-encode" && $2 == 0 && $3 == 10 {e++} $1 != "main" && $2 != 0 {bad++}
		END {exit !m || !e || bad}' "$TMP/threads" || fail "threads: $(tr '\n' ';' <"$TMP/threads")"
fi
# Voices begin half a second after the answer: how soon an address is open is for make bench, not for a busy test machine.
load_calls "$TMP/sent" "${load_kinds[@]}" --calls 200 --rate 60 --hold 4 --duration 10 --first-rtp 300 --sha || fail "optag-load: $(cat "$TMP/sent")"
load_settle || fail "the counters do not come to rest"
load_status "$TMP/status" || fail status
load_stop || fail "optagd's status"
load_rows "$TMP/sent.truth" "$TMP/rows" || fail find

jq -s -e '.[0] as $sent | .[1].packets as $p | .[1].losses as $l
	| $sent.errors == 0 and $sent.calls.peak >= 150
	and .[1].delay.packets == $sent.sip and .[1].delay.p50_us > 0 and .[1].delay.max_us >= .[1].delay.p99_us
	and $p.balanced and $p.seen == $sent.frames and $p.signalling == $sent.sip
	and $p.audio == $sent.kinds.kept.caller + $sent.kinds.kept.callee
	and $p.blocked + $p.gated == $sent.kinds.sales.caller + $sent.kinds.sales.callee
	and $p.miss == ([$sent.kinds | .none, .never | .caller + .callee] | add)
	and $p.seen == $p.signalling + $p.audio + $p.blocked + $p.gated + $p.miss
	and ([$l[]] | add) == 0' "$TMP/sent" "$TMP/status" >/dev/null ||
	fail "the sums: $(jq -c . "$TMP/sent") $(jq -c '.packets, .losses' "$TMP/status")"
awk -F'\t' '
	$2 == "kept" && ($6 != "kept" || $7 != $3 || $8 != $4 || $10 != 0) {print "not whole: " $0; bad++}
	$2 == "sales" && ($6 != "denied" || $7 + $8 != 0 || $10 != $3 + $4) {print "not denied: " $0; bad++}
	($2 == "never" || $2 == "none") && $6 != "-" {print "known: " $0; bad++}
	{n[$2]++}
	END {exit bad || n["kept"] < 100 || !n["sales"] || !n["never"] || !n["none"]}' "$TMP/rows" >"$TMP/bad" || fail "$(head -n 5 "$TMP/bad")"

for id in $(awk -F'\t' '$2 == "kept" {print $1}' "$TMP/sent.truth" | shuf -n 3); do
	call=$(awk -F'\t' -v id="$id" '$1 == id {print $11}' "$TMP/rows")
	"$O" export --store "$TMP/s" --keys "$TMP/k" --purpose documentation --call "$call" --format payload -o "$TMP/$call" >/dev/null 2>"$TMP/err" ||
		fail "export: $(cat "$TMP/err")"
	got=$(sha256sum <"$TMP/$call.caller" | cut -d' ' -f1)$'\t'$(sha256sum <"$TMP/$call.callee" | cut -d' ' -f1)
	[ "$got" = "$(awk -F'\t' -v OFS='\t' -v id="$id" '$1 == id {print $6, $7}' "$TMP/sent.truth")" ] || fail "call $id: not what was sent"
done
"$O" fsck --store "$TMP/s" >/dev/null || fail fsck
[ ! -e /sys/fs/bpf/optag/rx0 ] || fail "pins are left"
exit 0
