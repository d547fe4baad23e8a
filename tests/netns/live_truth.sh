#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The truth table (tests/golden/truth) live: the same calls, all cells at once, in real time through a veth, the XDP program
# and optagd. What each purpose's key opens afterwards, the states, and what stayed in the kernel are as the table says.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
# shellcheck source=tests/netns/lib-audit.sh
. "$SRC/tests/netns/lib-audit.sh"
load_or_skip
command -v python3 >/dev/null || { echo "SKIP: python3 is not installed"; exit 77; }
truth() { python3 "$SRC/tests/truth.py" "$@"; }

mkdir "$TMP/policy" && truth policy "$TMP/policy" header || fail "the policy"
mv "$TMP/policy/truth.policy" "$TMP/policy/demo.policy" # as load_conf names it
# A day draws by a seed whose hash was published before it began: two days ago this store saw a call and published it.
echo 'seed from=+4520304050 to=+4570102005 bye=3000' >"$TMP/seed"
"$BUILD/tests/gen/gencap" --script "$TMP/seed" --start "$(date -d '-1 day' +%s)" "$TMP/seed.pcap" || fail gencap
truth script header >"$TMP/script"
"$BUILD/tests/gen/gencap" --script "$TMP/script" --interleave 30 "$TMP/c.pcap" || fail gencap

load_up && load_conf 'ring 64 MiB' || fail "no network"
# The table is of calls as they were written. A machine that sends them late sends others: once more then.
for try in 1 2 3 4 5; do
	"$O" init --store "$TMP/s" --keys "$TMP/k" >/dev/null 2>&1 || fail init
	"$O" replay --store "$TMP/s" --policy "$TMP/policy/demo.policy" "$TMP/seed.pcap" >"$TMP/out" 2>&1 || fail "$(cat "$TMP/out")"
	load_daemon || fail "optagd does not start"
	load_in "$BUILD/tests/gen/play" tx0 "$TMP/c.pcap" >"$TMP/played" || fail play
	cat "$TMP/played"
	late=$(grep -oE '[0-9]+ ms late' "$TMP/played")
	[ "${late%% *}" -gt 20 ] && [ "$try" -lt 5 ] || break
	load_stop || fail "optagd's status"
	rm -rf "$TMP/s" "$TMP/k"
done
sleep 1
load_settle || fail "the counters do not come to rest"
load_status "$TMP/status"
jq -e '([.losses[]] | add) == 0' "$TMP/status" >/dev/null || fail "losses: $(jq -c .losses "$TMP/status")"
load_stop || fail "optagd's status"
truth check "$TMP/c.pcap" "$TMP/s" "$TMP/k" header --live || fail "the table"
"$O" fsck --store "$TMP/s" >/dev/null || fail fsck
exit 0
