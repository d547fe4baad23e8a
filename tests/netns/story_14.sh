#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 14, throttle: given 40 recorded and 10 used in the last period, when the new period starts, the cap is 13 (10 x 1.25,
# rounded up): recordings have a week to be used in. And policy check --past says W-05. The uses are noted by `optag use` with a running daemon, one of them twice, and
# survive its restart; the calls come from captures of two days.
. "$SRC/tests/cli/common"
. "$SRC/tests/cli/lib-training.sh"
need jq
need python3
[ "$(id -u)" = 0 ] && unshare -n true 2>/dev/null || { echo "SKIP: needs root and network namespaces"; exit 77; }
need setpriv
c="$TMP/control" daemon=
trap '[ -n "$daemon" ] && kill -INT $daemon 2>/dev/null && wait $daemon' EXIT
training 50% '  cap 40 per day'
run 0 "$O" init --store "$TMP/s" --keys "$TMP/k"
start() {
	unshare -n sh -c 'ip link add m0 type veth peer name m1 && ip link set m0 up && exec "$@"' sh "$BIN/optagd" -c "$TMP/optagd.conf" 2>"$TMP/log" &
	daemon=$!
	for _ in $(seq 1200); do grep -q 'recording from' "$TMP/log" && return; kill -0 $daemon 2>/dev/null || break; sleep 0.05; done
	cat "$TMP/log"
	fail "optagd does not start"
}
ended() { kill -INT $daemon; wait $daemon || fail "optagd's status $?"; daemon=; }
cat >"$TMP/optagd.conf" <<END
interface m0 { mirror yes; xdp none }
store "$TMP/s"
policy "$TMP/p.policy"
control { socket "$c"; use-group games }
user root
group root
END
chmod 755 "$TMP" "$TMP/.."

# ---- a day: of 400 calls exactly 40 are recorded ----
first=$(date -u -d '8 days ago' +%F)
calls "$(date -u -d "$first 12:00" +%s)" A:400
rows "$TMP/rows"
mapfile -t kept < <(awk -F'\t' '$2 == "GRANTED" {print $4}' "$TMP/rows")
denied=$(awk -F'\t' '$2 != "GRANTED" {print $4; exit}' "$TMP/rows")
[ ${#kept[@]} = 40 ] || fail "recorded: ${#kept[@]}"

# ---- 10 of them are used ----
start
use() { run "$1" "$O" use --control "$c" "${@:2}"; }
for i in 0 1 2 3 4 5 6; do use 0 "${kept[i]}" --kind played --by anna; has out 'its first use$'; done
use 0 "${kept[0]}" --kind scored --by bo
has out 'it was used before'
setpriv --reuid 1501 --regid 60 --clear-groups "$O" use --control "$c" "${kept[7]}" --kind course --by anna >/dev/null || fail "use-group may not"
setpriv --reuid 1501 --regid 1501 --clear-groups "$O" use --control "$c" "${kept[9]}" --kind course --by anna 2>/dev/null && fail "anybody may"
use 1 "$denied" --kind played --by anna
has err 'does not hold this call for training'
use 1 "00000000000000000000000000" --kind played --by anna
use 2 "${kept[8]}" --kind played --by '+4561626364'
use 2 "${kept[8]}" --kind watched --by anna
use 2 "${kept[8]}" --kind played
ended
start # in memory nothing is left of before
use 0 "${kept[1]}" --kind played --by anna --json
jq -e '.first == false and .rule == "sales training"' "$TMP/out" >/dev/null || fail "a restart forgot a use: $(cat "$TMP/out")"
use 0 "${kept[8]}" --kind played --by anna
use 0 "${kept[9]}" --kind played --by bo
run 0 "$O" policy quota --control "$c" --json
jq -e '.recorded30 == 40 and .used30 == 10 and .throttled and .caps[0].policy == 40 and .caps[0].cap == 13' "$TMP/out" >/dev/null || fail "quota: $(cat "$TMP/out")"
run 0 "$O" policy quota --control "$c"
has out '^sales training, sample 50.0%, in 30 days 40 recorded, 10 used$'
has out '^  40 per day: 13 by low use, 0 used, 13 left$'
ended
[ "$(wc -l <"$TMP/s/used")" = 12 ] || fail "STORE/used: $(cat "$TMP/s/used")"
# ---- the next day ----
calls "$(date -u -d "tomorrow 12:00" +%s)" A:400 # seeds of days that are over draw no more
rows "$TMP/rows"
n=$(awk -F'\t' '$2 == "GRANTED"' "$TMP/rows" | wc -l)
[ "$n" = 53 ] || fail "the next day's recordings: $((n - 40)), not 13: $(cut -f2,3 "$TMP/rows" | sort | uniq -c)"
[ "$(awk -F'\t' '$3 == "quota.throttle"' "$TMP/rows" | wc -l)" -gt 0 ] || fail "nobody is told why"
# ---- proven, and calculated again ----
run 0 "$O" audit show --store "$TMP/s" --json
cp "$TMP/out" "$TMP/past"
jq -se 'map(select(.event == "use.training")) | length == 12 and (map(select(.n.used == 1)) | length == 10)
	and all(.[]; .purpose == "training" and .rule == "sales training" and (.who == "anna" or .who == "bo"))' "$TMP/past" >/dev/null || fail "use.training events"
run 3 "$O" audit recompute-sample --store "$TMP/s" # the first day's seed, see story 15; no other fault
has out ': 1 faults$'
run 0 "$O" audit verify --store "$TMP/s"
# W-05, once the recordings are older than a month: the same log, with the first day long ago
sed -e "/log.start/d" -e "s/\"time\":\"$first/\"time\":\"$(date -u -d '45 days ago' +%F)/" "$TMP/past" >"$TMP/past.old"
"$O" policy check --past "$TMP/past.old" "$TMP/p.policy" >"$TMP/out" 2>"$TMP/err"
has err "W-05: 10 of 40 training recordings were used"
exit 0
