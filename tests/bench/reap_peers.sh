#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Deletion beside others on the same calls: the reaper, one file a call and `find -delete`, DELETE on one indexed SQLite table (what is in
# each of them: bench_reap.c, reap_peer.c). PEER_ROWS calls, PEER_DUE of which end each day, 57 of the first day on hold. In each of them
# first PEER_ROUNDS days one by one (median), then PEER_MANY days at once, each time with nothing of it in memory.
# PEER_FILE: bytes of a file. PEER_LIMIT: seconds that one part, making or deleting, may take; what takes longer is cut off and said.
# PEER_DIR: where, and room for all of it; PEER_STORE: a store that bench_reap made (s and k in it) with these figures.
# PEER_LIVE=1: the first day is reaped beside capture (reap_live.sh) with its segments' blocks written, and the rounds begin with the next.
set -u
cd "$(dirname "$0")/../.." || exit 1
B=${BUILD:-$PWD/build}/tests/bench
PEER_ROWS=${PEER_ROWS:-240000} PEER_DUE=${PEER_DUE:-10000} PEER_ROUNDS=${PEER_ROUNDS:-3} PEER_MANY=${PEER_MANY:-9}
PEER_FILE=${PEER_FILE:-4096} PEER_LIMIT=${PEER_LIMIT:-600} PEER_LIVE=${PEER_LIVE:-0}
HELD=57
work=$(mktemp -d "${PEER_DIR:-${TMPDIR:-/var/tmp}}/optag-peers.XXXXXX") || exit 1
# What was measured, also when this is cut off.
table() {
	[ -s "$work/figures" ] || return
	echo
	awk -v due="$PEER_DUE" -v many="$PEER_MANY" '
		function name(i) {n = $1; for (i = 2; i <= NF - 3; i++) n = n " " $i; return n}
		function median(k,   a, n, i, j, t) { # of figures divided by spaces
			n = split(v[k], a, " ")
			for (i = 1; i <= n; i++) if (a[i] == "cut") return "cut"
			for (i = 2; i <= n; i++) for (j = i; j > 1 && a[j - 1] + 0 > a[j] + 0; j--) {t = a[j]; a[j] = a[j - 1]; a[j - 1] = t}
			return !n ? "-" : n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2
		}
		function show(x) {return x == "cut" ? "cut off" : x == "-" ? x : sprintf(x < 10 ? "%.2f s" : "%.1f s", x)}
		function ratio(x, y) {return x == "cut" || x == "-" || y == "cut" || !(y > 0) ? "" : sprintf("%.0fx", x / y)}
		{
			n = name()
			if (!(n in seen)) {seen[n]; order[++names] = n}
			k = n SUBSEP ($(NF - 2) == 1 ? 1 : 2)
			v[k SUBSEP "dead"] = v[k SUBSEP "dead"] " " $(NF - 1)
			v[k SUBSEP "back"] = v[k SUBSEP "back"] " " $NF
		}
		END {
			printf "%-22s %14s %6s %14s   %14s %6s %14s\n", "", due " due", "", "space back", due * many " due", "", "space back"
			for (i = 1; i <= names; i++) {
				n = order[i]
				for (c = 1; c <= 2; c++) {d[c] = median(n SUBSEP c SUBSEP "dead"); s[c] = median(n SUBSEP c SUBSEP "back"); if (i == 1) o[c] = d[c]}
				printf "%-22s %14s %6s %14s   %14s %6s %14s\n", n, show(d[1]), ratio(d[1], o[1]), show(s[1]), show(d[2]), ratio(d[2], o[2]), show(s[2])
			}
		}' "$work/figures"
	echo "(until nobody can read them, beside ours; medians of $PEER_ROUNDS days. Files: unlinked, what was in them is not overwritten. One index: on the deadline)"
}
trap 'table; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
need=$((2 * (PEER_ROUNDS + PEER_MANY)))
[ $((PEER_ROWS / PEER_DUE)) -ge $need ] || { echo "reap_peers: $PEER_ROWS calls are no $need days of $PEER_DUE"; exit 2; }
: >"$work/figures"

# NAME COMMAND...: its output; false when it failed or was cut off.
part() {
	local name=$1 rc=0
	shift
	timeout --foreground -k 5 "$PEER_LIMIT" "$@" >"$work/out" 2>&1 || rc=$?
	sed "s/^/  $name: /" "$work/out"
	[ $rc != 124 ] && [ $rc != 137 ] || echo "  $name: CUT OFF after $PEER_LIMIT s"
	return $rc
}
cold() {
	sync
	echo 3 2>/dev/null >/proc/sys/vm/drop_caches || echo "  (not root: in memory)"
}
# NAME DAYS SECONDS SECONDS: nobody can read them after; all done after
figure() { echo "$@" >>"$work/figures"; }
cut_off() { figure "$1" "$2" cut cut; }
took() { sed -n "s/.*$1 after \([0-9.]*\) s.*/\1/p" "$work/out"; }

# NAME FIRST DAYS: deletes the days [FIRST, FIRST + DAYS)
do_reap() {
	if part "$1" "$B/bench_reap" reap "$store/s" $(($2 + $3)); then
		figure "$1" "$3" "$(took undecryptable)" "$(took unlinked)"
	else
		cut_off "$1" "$3"
	fi
}
do_find() {
	local dirs=() from d
	for ((d = $2; d < $2 + $3; d++)); do dirs+=("$work/f/$d"); done
	from=$(date +%s.%N)
	if part "$1" find "${dirs[@]}" -delete && sync "$work/f"; then
		from=$(awk -v a="$from" -v b="$(date +%s.%N)" 'BEGIN {printf "%.3f", b - a}')
		echo "  $1: $3 days in $from s"
		figure "$1" "$3" "$from" "$from"
	else
		cut_off "$1" "$3"
	fi
}
do_delete() {
	if part "$1" "$B/reap_peer" delete "$work/t.db" "$2" "$3"; then
		figure "$1" "$3" "$(took files)" "$(took files)"
	else
		cut_off "$1" "$3"
	fi
}
# NAME HOW FIRST
rounds() {
	local d
	for ((d = $3; d < $3 + PEER_ROUNDS; d++)); do
		cold
		$2 "$1" "$d" 1
	done
	cold
	$2 "$1" "$d" "$PEER_MANY"
}

echo "$PEER_ROWS calls, $PEER_DUE due each day, then $((PEER_MANY * PEER_DUE)) at once; $HELD on hold; files of $PEER_FILE bytes; on $(df --output=source,fstype "$work" | tail -n 1 | tr -s ' '), load $(cut -d' ' -f1-3 /proc/loadavg)"
first=0
if [ -n "${PEER_STORE:-}" ]; then
	store=$PEER_STORE
else
	store=$work/ours
	mkdir "$store"
	[ "$PEER_LIVE" = 0 ] || export REAL_DAYS=1
	# the first day ends late today, for reap_live.sh
	START_S=${START_S:-$(($(date -u -d 'today 00:00' +%s) + 21 * 3600 + 2700 - 90 * 86400))}
	export START_S
	part store "$B/bench_reap" make "$store/s" "$store/k" "$PEER_ROWS" "$PEER_DUE" $HELD || exit 1
fi
if [ "$PEER_LIVE" = 1 ]; then
	REAP_DIR=$store REAP_KEEP=1 tests/bench/reap_live.sh || exit 1
	first=1
fi
rounds "optag reap" do_reap $first
[ -n "${PEER_STORE:-}" ] || rm -rf "$store"

# A directory a day: find need not look at the other days' files, so they are not made.
if part files "$B/reap_peer" files "$work/f" $((PEER_ROUNDS + PEER_MANY)) "$PEER_DUE" "$PEER_FILE" $HELD; then
	rounds "find -delete" do_find 0
	echo "  find -delete: $(find "$work/f/held" -type f | wc -l) on hold are left"
else
	cut_off "find -delete" 1
fi
rm -rf "$work/f"

if part table "$B/reap_peer" table "$work/t.db" "$PEER_ROWS" "$PEER_DUE" $HELD; then
	rounds "DELETE, one index" do_delete 0
	if part table "$B/reap_peer" indexes "$work/t.db"; then
		rounds "DELETE, four indexes" do_delete $((PEER_ROUNDS + PEER_MANY))
	else
		cut_off "DELETE, four indexes" 1
	fi
else
	cut_off "DELETE, one index" 1
fi
