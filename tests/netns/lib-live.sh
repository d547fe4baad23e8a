# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# optagd on the mirror port of real calls (lib-sipp.sh, which this sources). Sets O, s (the store), k (the keys) and daemon, its
# process; whatever happens, all is taken away at the end.
#
#	live_need PROGRAM...	skips the test where it cannot be
#	live_bpf		the same, for XDP
#	live_settle		after the calls: until all of them is counted and written
#	live_start		after sipp_up with sipp_mirror=1: by $TMP/optagd.conf, its lines in $TMP/optagd.err; returns when it records

# Pins have the interface's name whatever its namespace: two runs at once need bpf file systems of their own.
if [ -z "${LIVE_WORLD:-}" ] && [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
	LIVE_WORLD=1 exec unshare -m --propagation private bash "$0" "$@"
fi

# shellcheck source=tests/netns/lib-sipp.sh
. "$SRC/tests/netns/lib-sipp.sh"
# shellcheck disable=SC2034
O="$BIN/optag" s="$TMP/s" k="$TMP/k" daemon=''

live_down() {
	[ -n "$daemon" ] && kill -INT "$daemon" 2>/dev/null && wait "$daemon" 2>/dev/null
	sipp_down
}
trap live_down EXIT
trap 'exit 130' INT TERM HUP

fail() {
	echo "FAIL: $*"
	sed 's/^/optagd said: /' "$TMP/optagd.err" 2>/dev/null | tail -n 20
	exit 1
}

live_need() {
	local p why
	why=$(sipp_need) || { echo "SKIP: $why"; exit 77; }
	for p in "$@"; do
		command -v "$p" >/dev/null || { echo "SKIP: $p is not installed"; exit 77; }
	done
}

live_bpf() { # (ip netns exec would hide the bpf file system behind a /sys of its own)
	[ -z "${LIVE_WORLD:-}" ] && mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf 2>/dev/null || { echo "SKIP: no bpf file system"; exit 77; }
}

live_start() {
	nsenter --net="/run/netns/$sipp_m" "$BIN/optagd" -c "$TMP/optagd.conf" 2>"$TMP/optagd.err" &
	daemon=$!
	until grep -q 'recording from' "$TMP/optagd.err"; do
		kill -0 $daemon 2>/dev/null || fail "optagd ended"
		sleep 0.05
	done
}

live_settle() {
	local a b='' same=0
	for _ in $(seq 600); do
		a=$("$O" status --socket "$TMP/control" --json 2>/dev/null | jq -c '[.packets, .media, .calls.setup + .calls.answered + .calls.hold + .calls.ending + .calls.unwritten]')
		same=$((same + 1))
		[ -n "$a" ] && [ "$a" = "$b" ] && [ "$(jq '.[2]' <<<"$a")" = 0 ] || same=0
		[ $same -lt 5 ] || return 0
		b=$a
		sleep 0.2
	done
	fail "the counters do not come to rest: $a"
}
