#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A replay whose rows the disk does not take: the catalog is on a small tmpfs, the evidence log and audio have room. The log
# tells no outcome that the catalog lacks; the next replay, with room, gives each call the one that the store knows.
# shellcheck source=tests/cli/common
. "$SRC/tests/cli/common"
need jq
if [ -z "${FULL_WORLD:-}" ]; then
	{ [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; } || { echo "SKIP: mounting a tmpfs needs root"; exit 77; }
	FULL_WORLD=1 exec unshare -m --propagation private bash "$0" "$@"
fi
O=$BIN/optag
. "$SRC/tests/netns/lib-audit.sh"
cd "$TMP" || exit 1
replay() { "$O" replay --store s --policy "$SRC/policy/examples/lab.policy" --json "$1" >sum 2>err; }
# [WHAT]: calls of the catalog, and of the log
rows() { "$O" find --store s --json | jq -s "map(select(${1-true})) | length"; }
logged() { "$O" audit sums --store s --json | jq -s "map(select(.rule) | ${1-.kept + .denied}) | add // 0"; }
kept='.outcome == "kept"'

"$BUILD/tests/gen/gencap" --calls 400 --seconds 1 --interleave 20 --scenario basic,cancel a.pcap a.json >/dev/null || fail gencap
"$BUILD/tests/gen/gencap" --calls 2 --seconds 2 --seed 9 --start 1795100000 b.pcap b.json >/dev/null || fail gencap
"$O" init --store s --keys k >/dev/null 2>&1 || fail init
mkdir -p s/catalog && mount -t tmpfs -o size=200k none s/catalog || { echo "SKIP: no tmpfs"; exit 77; }
replay a.pcap && fail "a full disk is no success: $(cat sum)"
grep -qi 'full\|space' err || fail "what it said: $(cat err)"
[ "$(logged)" -le "$(rows)" ] || fail "the log has $(logged) outcomes, the catalog $(rows) rows"
before=$(rows "$kept") # how many it takes until it is full is a matter of time; they stay
mount -o remount,size=64m s/catalog || fail remount
replay b.pcap || fail "with room: $(cat err)"
[ "$(rows "$kept")" -ge $((before + 2)) ] || fail "$(rows "$kept") calls are kept, of $before and two"
for c in $(jq -r '.calls[].sip_call_id' b.json); do
	[ "$("$O" find --store s --json | jq -r --arg c "$c" 'select(.sip_call_id == $c).outcome')" = kept ] || fail "$c is not kept"
done
# A call that the log gave up as a gap may have a row by now, of a denied one.
[ "$(logged)" -le "$(rows)" ] || fail "with room the log has $(logged) outcomes, the catalog $(rows) rows"
[ "$(logged .kept)" = "$(rows "$kept")" ] || fail "with room the log keeps $(logged .kept) calls, the catalog $(rows "$kept")"
audit_whole s
exit 0
