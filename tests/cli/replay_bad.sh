#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Replay under bad conditions: each refusal is one clear line with the right status and nothing half-written; what was
# complete before stays whole. And what may not be in a store, its listings or messages: numbers, digits, audio.
# shellcheck source=tests/cli/common
. "$SRC/tests/cli/common"
need jq
gen="$BUILD/tests/gen/gencap"
lab="$SRC/policy/examples/lab.policy"
s="$TMP/s" k="$TMP/k"
O="$BIN/optag"

umount_later=
trap '[ -z "$umount_later" ] || umount "$umount_later"' EXIT

new_store() {
	rm -rf "$s" "$k"
	run 0 "$O" init --store "$s" --keys "$k"
}
replay() { # STATUS FILES...
	local want=$1
	shift
	run "$want" "$O" replay --store "$s" --policy "$lab" --json "$@"
}
sum() { jq -e "$1" "$TMP/out" >/dev/null || fail "the summary is not $1"; }
clean() { run 0 "$O" fsck --store "$s"; }
same_tree() { find "$s" -type f -exec sha256sum {} + | sort; }
# The whole of every kept call can be exported, and it is what the truth says. EVERY: of one call in so many, others at each
# run (SEED; OPTAG_FULL=1: of each). `exported` is how many are kept.
seed=${SEED:-$$} && echo "SEED=$seed"
exports() { # TRUTH [EVERY]
	local id uid sha n=0 every=${2:-1}
	[ -z "${OPTAG_FULL:-}" ] || every=1
	"$O" find --store "$s" --json >"$TMP/rows" || fail "find: $?"
	jq -r 'select(.outcome == "kept") | "\(.sip_call_id) \(.call)"' "$TMP/rows" >"$TMP/list"
	while read -r id uid; do
		n=$((n + 1))
		[ $(((n + seed) % every)) = 0 ] || [ $n = 1 ] || continue
		run 0 "$O" export --store "$s" --keys "$k" --purpose documentation --call "$uid" --format payload -o "$TMP/x" --force
		for leg in caller callee; do
			sha=$(sha256sum <"$TMP/x.$leg" | cut -d' ' -f1)
			jq -e --arg id "$id" --arg leg $leg --arg sha "$sha" \
				'.calls[] | select(.sip_call_id == $id) | .legs[] | select(.leg == $leg) | .sha256 == $sha' "$1" >/dev/null ||
				fail "$leg of $id is not what was sent"
		done
	done <"$TMP/list"
	exported=$n
}

"$gen" --calls 12 --seconds 5 --interleave 1000 --scenario basic,dtmf "$TMP/c.pcap" "$TMP/t.json" || fail gencap

# ---- refused before anything is written ----
new_store
same_tree >"$TMP/before"
replay 1 "$TMP/nothing.pcap" && one_line err && has err 'nothing\.pcap'
replay 1 "$TMP" && one_line err && has err "$TMP"
echo 'this is not a capture, whatever it is called' >"$TMP/text.pcap"
replay 1 "$TMP/text.pcap" && one_line err && has err 'text\.pcap'
: >"$TMP/empty.pcap"
replay 1 "$TMP/empty.pcap" && one_line err && has err 'empty\.pcap'
# A good file before a bad one: nothing is written either.
replay 1 "$TMP/c.pcap" "$TMP/text.pcap" && one_line err && has err 'text\.pcap'
if [ "$(id -u)" != 0 ]; then
	cp "$TMP/c.pcap" "$TMP/secret.pcap" && chmod 0 "$TMP/secret.pcap"
	replay 1 "$TMP/secret.pcap" && one_line err && has err 'secret\.pcap.*[Pp]ermission'
fi
sed 's/basis interest/basis intrest/' "$lab" >"$TMP/bad.policy"
run 1 "$O" replay --store "$s" --policy "$TMP/bad.policy" "$TMP/c.pcap"
has err 'bad\.policy:[0-9]+:[0-9]+: L-[0-9]+' && hasnt out .
grep -v '^rule' "$lab" | sed '/^\tcontroller lab side/,$d' >"$TMP/norule.policy"
run 1 "$O" replay --store "$s" --policy "$TMP/norule.policy" "$TMP/c.pcap"
has err 'no rule'
run 1 "$O" replay --store "$s" --policy "$TMP/nowhere.policy" "$TMP/c.pcap"
has err 'nowhere\.policy'
same_tree >"$TMP/after"
cmp "$TMP/before" "$TMP/after" || fail "a refused replay changed the store"
run 1 "$O" replay --store "$TMP/nostore" --policy "$lab" "$TMP/c.pcap"
one_line err && has err nostore
[ -e "$TMP/nostore" ] && fail "a replay made a store"
run 2 "$O" replay --store "$s" --policy "$lab"
one_line err
run 2 "$O" replay --store "$s" --policy "$lab" --sip-port 99999 "$TMP/c.pcap"
one_line err
clean

# ---- the same capture twice: all known, nothing doubled ----
replay 0 "$TMP/c.pcap" && sum '.calls == 12 and .kept == 12 and .known == 0'
"$O" find --store "$s" --json | sort >"$TMP/rows1"
replay 0 "$TMP/c.pcap" && sum '.calls == 12 and .kept == 0 and .known == 12 and .matched == 12'
"$O" find --store "$s" --json | sort >"$TMP/rows2"
cmp "$TMP/rows1" "$TMP/rows2" || fail "the second replay changed the rows"
[ "$(wc -l <"$TMP/rows2")" = 12 ] || fail "not 12 rows"
clean
exports "$TMP/t.json"
[ "$exported" = 12 ] || fail "$exported of 12 exported"

# ---- nothing readable: no number, no audio, no key ----
jq -r '.calls[] | .caller, .callee' "$TMP/t.json" | sed 's/^+//' | sort -u >"$TMP/numbers"
[ -s "$TMP/numbers" ] || fail "no numbers to look for"
grep -rqaFf "$TMP/numbers" "$s" && fail "a number is readable in $(grep -rlaFf "$TMP/numbers" "$s" | head -1)"
"$O" find --store "$s" >"$TMP/out" 2>&1 && "$O" find --store "$s" --json >>"$TMP/out"
grep -qFf "$TMP/numbers" "$TMP/out" && fail "find tells a number"
"$O" replay --store "$s" --policy "$lab" "$TMP/c.pcap" >"$TMP/out" 2>&1
grep -qFf "$TMP/numbers" "$TMP/out" && fail "replay tells a number"
# 20 ms pieces of the exported speech, looked for in every file of the store and (so that the search can fail) in the capture.
cat >"$TMP/seek.pl" <<'PL'
open my $f, "<:raw", shift or die; local $/; my $a = <$f>; my $all = "";
for (@ARGV) { open my $g, "<:raw", $_ or die; $all .= <$g> }
my @p = grep { my %c = map { $_ => 1 } split //; %c > 20 } unpack "(a160)*", $a;
die "no speech\n" unless @p;
print scalar(grep { index($all, $_) >= 0 } @p), "\n";
PL
[ "$(perl "$TMP/seek.pl" "$TMP/x.caller" "$TMP/c.pcap")" -gt 20 ] || fail "the search finds nothing in the capture"
mapfile -d '' -t files < <(find "$s" -type f -print0)
[ "$(perl "$TMP/seek.pl" "$TMP/x.caller" "${files[@]}")" = 0 ] || fail "audio lies readable in the store"

# ---- two writers ----
new_store
mkfifo "$TMP/slow"
"$O" replay --store "$s" --policy "$lab" - <"$TMP/slow" >/dev/null 2>"$TMP/first.err" &
first=$!
exec 9>"$TMP/slow"
head -c 200000 "$TMP/c.pcap" >&9 # it has opened the store once it took what a pipe does not hold
replay 1 "$TMP/c.pcap" && one_line err && has err 'another process'
tail -c +200001 "$TMP/c.pcap" >&9
exec 9>&-
wait $first || fail "the first writer: $? $(cat "$TMP/first.err")"
[ "$("$O" find --store "$s" --json | wc -l)" = 12 ] || fail "the first writer's calls are not whole"
clean

# ---- kill -9 in the middle: what is listed is whole, the rest comes with the next replay ----
"$gen" --calls 60 --seconds 4 --interleave 300 "$TMP/k.pcap" "$TMP/kt.json" || fail gencap
size=$(stat -c %s "$TMP/k.pcap")
for part in 30 60 95; do
	new_store
	"$O" replay --store "$s" --policy "$lab" - <"$TMP/slow" >/dev/null 2>"$TMP/first.err" &
	first=$!
	exec 9>"$TMP/slow"
	head -c $((size * part / 200)) "$TMP/k.pcap" >&9
	[ $part = 30 ] || sleep 2.2 # then what is complete is made durable with the next packets
	head -c $((size * part / 100)) "$TMP/k.pcap" | tail -c +$((size * part / 200 + 1)) >&9
	kill -9 $first
	exec 9>&-
	wait $first 2>/dev/null
	"$O" fsck --store "$s" >"$TMP/out" 2>&1 || fail "fsck after kill -9: $?"
	exports "$TMP/kt.json" 4
	killed=$exported
	[ $part = 30 ] || [ "$killed" -gt 0 ] || fail "nothing was durable after two seconds"
	replay 0 "$TMP/k.pcap" && sum ".calls == 60 and .kept + .known == 60 and .known == $killed"
	clean
	exports "$TMP/kt.json" 4
	[ "$exported" = 60 ] || fail "$exported of 60 after the second replay"
	[ "$("$O" find --store "$s" --json | jq -r .sip_call_id | sort | uniq -d | wc -l)" = 0 ] || fail "a call twice"
	echo "ok kill -9 at $part %: $killed of 60 were complete"
done

# ---- a capture cut anywhere ----
new_store
head -c $((size * 2 / 3)) "$TMP/k.pcap" >"$TMP/cut.pcap"
replay 0 "$TMP/cut.pcap" && sum '.cut_files == 1 and .kept > 10' && has err 'cut\.pcap'
clean

# ---- no core dumps: they would hold keys and audio ----
mkfifo "$TMP/fifo"
(
	ulimit -c 1000 2>/dev/null
	exec "$BIN/optag-replay" --store "$s" --policy "$lab" "$TMP/fifo" >/dev/null 2>&1
) &
pid=$!
core= i=0 # before it opens the pipe it may not have come so far yet
exec 9>"$TMP/fifo"
while [ "$core" != '0 0' ] && [ $((i += 1)) -lt 1000 ]; do
	core=$(awk '/^Max core/ { print $5, $6 }' /proc/$pid/limits)
done
[ "$core" = '0 0' ] || fail "replay may dump core: limit $core"
exec 9>&-
wait $pid || :

# ---- a full disk ----
if [ "$(id -u)" = 0 ] && mkdir "$TMP/small" && mount -t tmpfs -o size=3m optag-test "$TMP/small" 2>/dev/null; then
	umount_later="$TMP/small"
	s="$TMP/small/s"
	rm -rf "$k"
	if run 0 "$O" init --store "$s" --keys "$k"; then
		"$gen" --calls 400 --seconds 20 --interleave 2000 "$TMP/big.pcap" "$TMP/bt.json" || fail gencap
		replay 1 "$TMP/big.pcap"
		has err 'No space left on device'
		[ "$(grep -c 'No space' "$TMP/err")" = 1 ] || fail "the full disk is told more than once"
		clean
		exports "$TMP/bt.json" 8
		[ "$exported" -gt 3 ] || fail "only $exported calls before the disk was full"
		echo "ok full disk: $exported of 400 calls are whole"
		replay 1 "$TMP/big.pcap"
		clean
	fi
	umount "$TMP/small" && umount_later=
else
	echo "full disk: not tried (needs root and a tmpfs)"
fi
