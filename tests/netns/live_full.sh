#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The store's disk is really full while calls begin, speak and hang up: it gets room again; or the daemon is killed
# meanwhile; or stopped, and started again with room; or killed twice (OPTAG_FULL=1: 20 times) at random moments with room. Afterwards log, catalog and (where one daemon saw it all) status say
# the same of every rule and day, and matched = kept + denied + gap; and at any time the log has nothing kept or denied that the
# catalog has not. Of calls without audio whose rows died with a process the log says gap, and there is no row.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
[ -n "${LOAD_WORLD:-}" ] || { echo "SKIP: no mount namespace"; exit 77; }
trap 'load_down; umount "$TMP/s" 2>/dev/null' EXIT
. "$SRC/tests/netns/lib-audit.sh"

said() { # N TEXT: until the daemons' log has it N times
	for _ in $(seq 400); do
		[ "$(grep -c -- "$2" "$TMP/optagd.err")" -ge "$1" ] && return 0
		sleep 0.05
	done
	fail "the log does not say $1 times '$2'"
}
fill() { dd if=/dev/zero of="$TMP/s/ballast" bs=1M 2>/dev/null; said "$1" 'nothing is kept until this is over'; }
rows() { # what the catalog has: day, rule, kept, denied, gap
	"$O" find --store "$TMP/s" --json | jq -rs 'group_by([.start[0:10], .rule])[] | [.[0].start[0:10], .[0].rule,
		(map(select(.outcome == "kept")) | length), (map(select(.outcome == "denied")) | length),
		(map(select(.outcome == "gap")) | length)] | @tsv' | sort
}
sums() { # what the log has of those
	"$O" audit sums --store "$TMP/s" --json | jq -rs 'map(select(.rule))[] | [.day, .rule, .kept, .denied, .gap] | @tsv' | sort
}
agree() { # WHEN [dead]: a process died with rows that the disk had not taken
	audit_whole "$TMP/s"
	rows >"$TMP/rows"
	sums >"$TMP/logged"
	[ -s "$TMP/rows" ] && awk -F'\t' -v dead="${2:-}" 'NR == FNR {row[$1, $2] = $0; rows++; next}
		{split(row[$1, $2], r); logged++}
		r[3] + 0 != $3 || r[4] + 0 != $4 || (dead ? r[5] > $5 : r[5] + 0 != $5) {bad++}
		END {exit bad || logged < rows}' "$TMP/rows" "$TMP/logged" || fail "$1: the catalog says $(cat "$TMP/rows"), the log $(cat "$TMP/logged")"
	"$O" fsck --store "$TMP/s" >"$TMP/fsck" 2>&1 || fail "$1: fsck: $(head -n 3 "$TMP/fsck")"
	[ "$("$O" find --store "$TMP/s" --json | jq -r .sip_call_id | sort | uniq -d | wc -l)" = 0 ] || fail "$1: a call has two rows"
}
calls() { # SEED SECONDS, in the background: short ones, all the time
	load_begin "$TMP/sent$1" --kind 'kept:7:+4520######:+45701020##' --kind 'sales:2:+4521######:+45701030##' \
		--calls 120 --rate 40 --hold 2 --duration "$2" --seed "$1"
}

mkdir -p "$TMP/s" && mount -t tmpfs -o size=200m none "$TMP/s" || { echo "SKIP: no tmpfs"; exit 77; }
load_up && load_store && load_conf 'ring 64 MiB' 'take-over 60 s' || fail "no network or store"

# Room again after four seconds: one daemon, which counts all of it.
load_daemon || fail "optagd does not start"
calls 1 14
sleep 3
fill 1
sleep 4
load_status "$TMP/broken" || fail status
jq -e '.calls.unwritten > 0' "$TMP/broken" >/dev/null || fail "no row waits while the disk is full: $(jq -c .calls "$TMP/broken")"
rm "$TMP/s/ballast"
said 1 'written to again'
load_wait || fail "optag-load: $(cat "$TMP/sent1")"
load_settle || fail "the counters do not come to rest: $(load_status /dev/stdout | jq -c .calls)"
load_status "$TMP/status" || fail status
load_stop || fail "optagd's status"
agree "full and repaired"
cut -f3-5 "$TMP/rows" | awk '{k += $1; d += $2; g += $3} END {print k, d, g}' >"$TMP/all"
[ "$(jq -r '.calls | "\(.kept) \(.denied) \(.gaps)"' "$TMP/status")" = "$(cat "$TMP/all")" ] ||
	fail "status counts $(jq -c '.calls' "$TMP/status"), the catalog has $(cat "$TMP/all")"
jq -e '.calls | .matched == .kept + .denied + .gaps and .unwritten == 0' "$TMP/status" >/dev/null || fail "sums: $(jq -c .calls "$TMP/status")"
awk '{exit !($1 > 50 && $3 > 0)}' "$TMP/all" || fail "the disk was not full at the right time: $(cat "$TMP/all")"

# Killed while it is full; another takes over, with room.
load_daemon || fail "optagd does not start again"
calls 2 14
sleep 3
fill 2
sleep 2
kill -9 "$load_daemon_pid"
wait "$load_daemon_pid" 2>/dev/null
rm "$TMP/s/ballast"
load_daemon || fail "optagd does not start after the kill"
load_wait || fail "optag-load: $(cat "$TMP/sent2")"
load_settle || fail "the counters do not come to rest"
load_stop || fail "optagd's status"
agree "killed while full" dead

# Stopped while it is full. What is told so far, the catalog has; the rest comes with the next start.
load_daemon || fail "optagd does not start again"
calls 3 8
sleep 3
fill 3
load_wait || fail "optag-load: $(cat "$TMP/sent3")"
load_stop # its status says that not all could be written
rm "$TMP/s/ballast"
rows >"$TMP/rows"
sums >"$TMP/logged"
awk -F'\t' 'NR == FNR {k[$1, $2] = $3; d[$1, $2] = $4; next} $3 > k[$1, $2] || $4 > d[$1, $2] {exit 1}' "$TMP/rows" "$TMP/logged" ||
	fail "stopped: the log says more than the catalog has: $(cat "$TMP/logged"), $(cat "$TMP/rows")"
load_daemon || fail "optagd does not start again"
load_settle || fail "the counters do not come to rest"
sleep 2
load_stop || fail "optagd's status"
agree "stopped while full" dead

# Killed at random moments with room: between a row and its line in the log, between a match and its line.
load_daemon || fail "optagd does not start again"
RANDOM=${SEED:-$$} && echo "SEED=${SEED:-$$}"
kills=2
[ -n "${OPTAG_FULL:-}" ] && kills=20
calls 4 $((kills * 3))
for _ in $(seq $kills); do
	sleep "1.$((RANDOM % 10))$((RANDOM % 10))"
	kill -9 "$load_daemon_pid"
	wait "$load_daemon_pid" 2>/dev/null
	load_daemon || fail "optagd does not start after a kill"
done
load_wait || fail "optag-load: $(cat "$TMP/sent4")"
load_settle || fail "the counters do not come to rest"
load_stop || fail "optagd's status"
agree "killed" dead
cat "$TMP/rows"
exit 0
