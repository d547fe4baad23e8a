#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# kill -9 at random moments under load, each time another daemon takes over (KILLS=5; OPTAG_FULL=1: 200). Afterwards the
# store has no error; every call that somebody lived to decide about is found once and of each voice at most 2 s a kill
# are missing; what was stored is, packet for packet, what was sent; calls that nobody may keep have passed nothing; and
# capture goes on: a call that begins after the last kill is whole.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
command -v perl >/dev/null || { echo "SKIP: perl is not installed"; exit 77; }
kills=${KILLS:-5}
[ -n "${OPTAG_FULL:-}" ] && kills=${KILLS:-200}

load_ready 'ring 64 MiB' 'take-over 60 s'
RANDOM=${SEED:-$$} && echo "SEED=${SEED:-$$}"
# Long calls: they live through many kills. All begin before the first one.
load_begin "$TMP/sent" --kind 'kept:8:+4520######:+45701020##' --kind 'sales:1:+4521######:+45701030##' \
	--kind 'never:1:+4522110033:+45701020##' --calls 100 --rate 100 --duration 86400 --sha
for _ in $(seq 600); do
	load_status "$TMP/status" 2>/dev/null && jq -e '.calls.total == 100 and .calls.setup == 0' "$TMP/status" >/dev/null && break
	sleep 0.05
done
jq -e '.calls.total == 100 and .calls.setup == 0' "$TMP/status" >/dev/null || fail "not 100 calls: $(jq -c .calls "$TMP/status")"
for n in $(seq "$kills"); do
	sleep "$((RANDOM % 3)).$((RANDOM % 10))$((RANDOM % 10))"
	kill -9 "$load_daemon_pid"
	wait "$load_daemon_pid" 2>/dev/null
	if [ "$n" = 2 ]; then # what the killed one left is there for the start after one that fails
		mv "$TMP/s" "$TMP/away"
		load_daemon && fail "optagd starts without its store"
		mv "$TMP/away" "$TMP/s"
	fi
	load_daemon || fail "kill $n: optagd does not start again"
	[ $((n % 20)) != 0 ] || "$O" fsck --store "$TMP/s" >"$TMP/fsck" 2>&1 || fail "kill $n: fsck: $(head -n 3 "$TMP/fsck")"
done
sleep 2
kill -TERM "${load_pids[0]}" # all hang up
load_wait || fail "optag-load: $(cat "$TMP/sent")"
load_calls "$TMP/after" --calls 20 --rate 20 --duration 4 --first-rtp 300 --seed 2 || fail "optag-load: $(cat "$TMP/after")"
load_settle || fail "the counters do not come to rest"
load_status "$TMP/status" && jq -e '.take_over.from == "killed" and .take_over.lost == 0' "$TMP/status" >/dev/null ||
	fail "status of a take-over after a kill: $(jq -c .take_over "$TMP/status")"
load_stop || fail "optagd's status"
"$O" fsck --store "$TMP/s" >"$TMP/fsck" 2>&1 || fail "fsck: $(head -n 3 "$TMP/fsck")"
. "$SRC/tests/netns/lib-audit.sh"
audit_whole "$TMP/s"
[ "$("$O" find --store "$TMP/s" --json | jq -r .sip_call_id | sort | uniq -d | wc -l)" = 0 ] || fail "a call has two rows"

load_rows "$TMP/sent.truth" "$TMP/rows" && load_rows "$TMP/after.truth" "$TMP/rows2" || fail find
awk -F'\t' -v most=$((kills * 100)) '
	$2 == "kept" && ($6 == "-" || $3 - $7 > most || $4 - $8 > most) {print "lost more than 2 s a kill: " $0; bad++}
	$2 == "kept" && ($7 > $3 || $8 > $4) {print "more than was sent: " $0; bad++}
	$2 == "sales" && $7 + $8 {print "audio that nobody allowed: " $0; bad++}
	$2 == "never" && $6 != "-" {print "known: " $0; bad++}
	$2 == "kept" {n++; if ($3 - $7 > worst) worst = $3 - $7; lost += $3 + $4 - $7 - $8; sent += $3 + $4}
	END {printf "%d calls, %d of %d packets lost, worst voice %.2f s a kill\n", n, lost, sent, worst / 50 * 100 / most; exit bad || n < 60}' \
	"$TMP/rows" >"$TMP/bad" || fail "$(head -n 5 "$TMP/bad")"
tail -n 1 "$TMP/bad"
awk -F'\t' '$6 != "kept" || $7 != $3 || $8 != $4 {print "not whole after the last kill: " $0; bad++} END {exit bad > 0}' "$TMP/rows2" >"$TMP/bad" ||
	fail "$(head -n 3 "$TMP/bad")"

# What is there is what was sent: the packets of an export are those of the voice in the order they were said, some missing.
n=$(awk -F'\t' '$2 == "kept" && $7 {split($1, a, "-"); print a[1]; exit}' "$TMP/rows")
call=$(awk -F'\t' -v n="$n-" 'index($1, n) == 1 {print $11}' "$TMP/rows")
# shellcheck disable=SC2046
load_in "$L" --interface tx0 $(load_speech) --calls 1 --total 1 --duration 1 --packet --sound "$n:0:$TMP/said" >/dev/null || fail "--sound"
"$O" export --store "$TMP/s" --keys "$TMP/k" --purpose documentation --call "$call" --format payload -o "$TMP/x" >/dev/null 2>"$TMP/err" ||
	fail "export: $(cat "$TMP/err")"
perl -e '
	local $/; my ($said, $got) = map {open my $f, "<", $_ or die; <$f>} @ARGV;
	my $j = 0;
	for (my $i = 0; $i < length $got; $i += 160) {
		$j += 160 while $j < length $said && substr($said, $j, 160) ne substr($got, $i, 160);
		die "packet ", $i / 160, " was not said then\n" if $j >= length $said;
		$j += 160;
	}
	die "empty\n" unless length $got >= 160 * 100' "$TMP/said" "$TMP/x.caller" 2>"$TMP/err" || fail "export: $(cat "$TMP/err")"
exit 0
