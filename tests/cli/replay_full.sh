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
rows() { "$O" find --store s --json | jq -s length; }
outcomes() { "$O" audit sums --store s --json | jq -s 'map(select(.rule) | .kept + .denied) | add // 0'; }

"$BUILD/tests/gen/gencap" --calls 400 --seconds 1 --interleave 20 --scenario basic,cancel a.pcap a.json >/dev/null || fail gencap
"$BUILD/tests/gen/gencap" --calls 2 --seconds 2 --seed 9 --start 1795100000 b.pcap b.json >/dev/null || fail gencap
"$O" init --store s --keys k >/dev/null 2>&1 || fail init
mkdir -p s/catalog && mount -t tmpfs -o size=200k none s/catalog || { echo "SKIP: no tmpfs"; exit 77; }
replay a.pcap && fail "a full disk is no success: $(cat sum)"
grep -qi 'full\|space' err || fail "what it said: $(cat err)"
[ "$(outcomes)" -le "$(rows)" ] || fail "the log has $(outcomes) outcomes, the catalog $(rows) rows"
umount s/catalog && mkdir -p s/catalog || fail umount
replay b.pcap || fail "with room: $(cat err)"
[ "$(rows)" = 2 ] || fail "$(rows) rows, of two calls"
[ "$(outcomes)" = 2 ] || fail "$(outcomes) outcomes other than gaps"
audit_whole s
exit 0
