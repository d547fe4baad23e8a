#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The metrics page of a recorder at work, under its system call filter: format, HTTP, rude clients while calls run; and
# not one packet is lost by them. The page's sums are status's and the store's.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
for p in python3 curl; do command -v $p >/dev/null || { echo "SKIP: $p is not installed"; exit 77; }; done
page() { load_in curl -sf http://127.0.0.1:9464/metrics; }
value() { awk -v k="$1" '$1 == k {print $2}' "$TMP/page"; }

load_up && load_store && load_conf 'ring 64 MiB' 'metrics 127.0.0.1:9464' 'write-memory 16 MiB' || fail "no network or store"
# shellcheck disable=SC2154
ip -n "$load_ns" link set lo up
load_daemon || fail "optagd does not start"
load_begin "$TMP/sent" "${load_kinds[@]}" --calls 50 --rate 50 --duration 12 --first-rtp 300
load_answered 30
load_in timeout 300 python3 "$SRC/tests/metrics_check.py" 9464 "$TMP/control" >"$TMP/found" || fail "$(cat "$TMP/found")"
load_wait || fail "optag-load: $(cat "$TMP/sent")"
load_settle || fail "the counters do not come to rest"
page >"$TMP/page" || fail "no page"
load_status "$TMP/status" || fail status
[ "$(value 'optag_media_drained_total')" = "$(awk '/^optag_media_total{/ {n += $2} END {printf "%d", n}' "$TMP/page")" ] || fail "media does not add up"
[ "$(value 'optag_packets_seen_total')" = "$(awk '/^optag_packets_total{/ {n += $2} END {printf "%d", n}' "$TMP/page")" ] || fail "packets do not add up"
[ "$(value 'optag_calls_ended_total{outcome="kept"}')" = "$(awk -F'\t' '$2 == "kept"' "$TMP/sent.truth" | wc -l)" ] || fail "calls kept: $(grep optag_calls "$TMP/page")"
[ "$(awk '/^optag_losses_total{place="(nic|signalling_ring|capture_ring|budget|call_ring|store_queue|store_disk|flow_full|flow_quarantine|store)"}/ {n += $2; k++} END {print n + 0, k}' "$TMP/page")" = "0 10" ] ||
	fail "losses: $(grep optag_losses "$TMP/page")"
[ "$(value optag_store_queue_limit_bytes)" = 16777216 ] && [ "$(value optag_store_queue_max_bytes)" -gt 0 ] || fail "write-memory: $(grep store_queue "$TMP/page")"
grep -hoE '\+45[0-9]+|10\.90\.[0-9.]+|load\.example' "$TMP/page" && fail "numbers or addresses are on the page"
load_stop || fail "optagd's status"
load_rows "$TMP/sent.truth" "$TMP/rows" || fail find
awk -F'\t' '$2 == "kept" && ($6 != "kept" || $7 != $3 || $8 != $4) {print; bad = 1} END {exit bad || !NR}' "$TMP/rows" >"$TMP/bad" ||
	fail "not whole: $(head -n 5 "$TMP/bad")"
exit 0
