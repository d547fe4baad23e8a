#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Another network namespace has an interface of the same name and index, below the same bpf file system: a daemon that starts
# there attaches to its own, says whose pins it found, and records; nor does optagd -r take the other's program for its own.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
other=optag$$o
trap 'load_down; ip netns del $other 2>/dev/null' EXIT

load_ready
first=$load_ns
load_stop TERM || fail "optagd's status"
index=$(ip -n "$first" -o link show rx0 | cut -d: -f1)
ip netns add "$other" && ip -n "$other" link add tx0 type veth peer name rx0 index "$index" && ip -n "$other" link set tx0 up &&
	ip -n "$other" link set rx0 up || fail "no second namespace"
load_ns=$other
load_daemon || fail "it does not start there"
load_status "$TMP/status" && jq -e '.take_over == null and .interfaces[0].attached' "$TMP/status" >/dev/null || fail "it took over: $(jq -c .take_over "$TMP/status")"
grep -q 'rx0: pins of an interface of another network namespace were replaced' "$TMP/optagd.err" || fail "nothing is said"
ip -n "$other" link show rx0 | grep -q xdp || fail "nothing is attached there"
load_calls "$TMP/sent" --kind 'kept:1:+4520######:+45701020##' --calls 3 --total 3 --rate 50 --duration 3 --first-rtp 300 || fail "optag-load"
load_settle || fail "the counters do not come to rest"
load_stop TERM || fail "optagd's status"
load_rows "$TMP/sent.truth" "$TMP/rows" || fail find
awk -F'\t' '$6 != "kept" || $7 != $3 || $8 != $4 {print; bad = 1} END {exit bad || NR != 3}' "$TMP/rows" >"$TMP/bad" || fail "not whole: $(cat "$TMP/bad")"
load_in "$BIN/optagd" -r -c "$TMP/optagd.conf" 2>"$TMP/err" || fail "optagd -r: $(cat "$TMP/err")"
ip -n "$other" link show rx0 | grep -q xdp && fail "XDP is left attached"
ip netns del "$other"
load_ns=$first
exit 0
