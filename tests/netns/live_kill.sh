#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# kill -9 at random moments under load, another daemon each time. Every call goes on: kept calls have one row each, are
# marked, and lost no more than 2 seconds of each voice a kill; of calls nobody may keep nothing is there; the store is
# clean. OPTAG_KILLS=200 for more than the few of an ordinary run.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
why=$(load_need) || { echo "SKIP: $why"; exit 77; }
trap load_down EXIT
trap 'exit 130' INT TERM HUP
kills=${OPTAG_KILLS:-3}
seconds=$((kills * 4 + 3))

load_up && load_store && load_conf 'ring 64 MiB' || fail "no network or store"
load_daemon || fail "optagd does not start"
load_begin "$TMP/sent" "${load_kinds[@]}" --calls 100 --rate 50 --hold $((seconds + 5)) --duration $seconds --first-rtp 300
sleep 3
for n in $(seq "$kills"); do
	sleep 1.$((RANDOM % 10))$((RANDOM % 10))
	kill -9 "$load_daemon_pid" || fail "optagd ended by itself"
	wait "$load_daemon_pid" 2>/dev/null
	load_daemon || fail "no daemon takes over after kill $n"
done
load_wait || fail "optag-load: $(cat "$TMP/sent")"
sleep 1
load_settle || fail "the counters do not come to rest"
load_stop || fail "optagd's status"
[ "$(grep -c 'took over from a daemon that was killed' "$TMP/optagd.err")" = "$kills" ] || fail "not taken over"
grep 'took over' "$TMP/optagd.err" | grep -v ' 100 calls go on, 0 do not' && fail "calls were lost"
load_rows "$TMP/sent.truth" "$TMP/rows" || fail find
awk -F'\t' -v most=$((kills * 100)) '
	$2 == "kept" && ($6 != "kept" || $3 - $7 > most || $4 - $8 > most || $7 > $3 || $8 > $4) {print "lost too much: " $0; bad++}
	$2 == "sales" && ($6 != "denied" || $7 + $8 != 0) {print "not denied: " $0; bad++}
	($2 == "never" || $2 == "none") && $6 != "-" {print "known: " $0; bad++}
	{n[$2]++; lost += $2 == "kept" ? $3 - $7 + $4 - $8 : 0}
	END {print lost " packets lost of " n["kept"] " calls" >"/dev/stderr"; exit bad || n["kept"] < 50}' "$TMP/rows" >"$TMP/bad" || fail "$(wc -l <"$TMP/bad") calls: $(head -n 5 "$TMP/bad")"
"$O" find --store "$TMP/s" --json >"$TMP/found" || fail find
[ "$(jq -r .sip_call_id "$TMP/found" | sort | uniq -d | wc -l)" = 0 ] || fail "a call has two rows"
jq -s -e 'all(.[] | select(.outcome == "kept"); .gap == "restart")' "$TMP/found" >/dev/null || fail "a recording with losses is not marked"
for id in $(awk -F'\t' '$2 == "kept" {print $11}' "$TMP/rows" | shuf -n 3); do
	"$O" export --store "$TMP/s" --keys "$TMP/k" --purpose documentation --call "$id" --format payload -o "$TMP/$id" >/dev/null 2>"$TMP/err" ||
		fail "export: $(cat "$TMP/err")"
	[ -s "$TMP/$id.caller" ] || fail "nothing to hear"
done
"$O" fsck --store "$TMP/s" >/dev/null || fail fsck
exit 0
