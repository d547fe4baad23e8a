#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# optag reap: what it says, its options, the clock, two at once, a full disk, whose files are whose, and that nothing of a destroyed
# key is left in any file.
. "$SRC/tests/cli/common" || exit 1
need jq
cd "$TMP" || exit 1
O="$BIN/optag"
run 1 "$O" reap --store s
one_line err
run 0 "$O" init --store s --keys k
run 0 "$O" reap --store s
has out '^0 calls destroyed, 0 late, 0 held, 0.0 MB freed'
run 0 "$O" reap --store s --quiet
[ -s out ] && fail "quiet says: $(cat out)"
rm -rf s k # its clock knows today
run 0 "$O" init --store s --keys k
run 2 "$O" reap --store s --until 2100-01-01
run 2 "$O" reap --store s x
run 0 "$MKSTORE" s g711 overlap denied training # deadlines on 1 April 2026, Copenhagen
key=$(od -An -v -tx1 -j 40 -N 32 s/keys/acme/documentation/*.bucket | tr -d ' \n')
wrap=$(od -An -v -tx1 -j $((256 + 64)) -N 144 s/keys/acme/documentation/*.slots | tr -d ' \n')
hex() { find s -type f -exec cat {} + | od -An -v -tx1 | tr -d ' \n'; }
hex | grep -q "$key" || fail "the key is not where it should be"

# what will be, and nothing is changed
cp -a s before
run 0 "$O" reap --store s --now 2026-01-02 --dry-run --until 2026-05-01 --json
[ "$(jq -rs 'map(.would // "sum") | join(" ")' out)" = "bucket bucket day sum" ] || fail "dry run: $(cat out)"
[ "$(tail -1 out | jq -c '[.dry_run,.destroyed,.held,.days]')" = '[true,3,0,1]' ] || fail "summary"
diff -r s before || fail "a dry run changed something"
run 0 "$O" reap --store s --now 2026-03-31T21:59:59Z
has out '^0 calls'
run 0 "$O" reap --store s --now 2026-03-31T22:00:00Z --json
[ "$(head -1 out | jq -c 'keys_unsorted')" = '["did","controller","purpose","day","due","late_s","calls","held","late"]' ] || fail "json of a bucket"
[ "$(head -1 out | jq -c '[.did,.controller,.day,.due,.late_s == 0,.late]')" = '["bucket","acme","2026-04-01","2026-03-31T22:00:00.000000Z",true,0]' ] || fail "values: $(head -1 out)"
[ "$(tail -1 out | jq -c '[.destroyed,.buckets,.late,.held,.days,.faults]')" = '[3,2,0,0,1,0]' ] || fail "summary"
[ "$(tail -1 out | jq '.bytes > 0 and .files >= 2 and .dead_s <= .seconds')" = true ] || fail "space"
hex >h
grep -q "$key" h && fail "the key is still in a file"
grep -q "$wrap" h && fail "the wrap is still in a file"
find s/segments s/catalog -type f | grep . && fail "files are left"
run 0 "$O" fsck --store s
run 0 "$O" audit verify --store s
run 0 "$O" audit show --store s --json
[ "$(jq -rs 'map(select(.event == "bucket.destroy")) | length' out)" = 2 ] || fail "events"
[ "$(jq -c 'select(.event == "reaper.run") | .n | [.count, .calls, .late_s]' out)" = '[2,3,0]' ] || fail "event of the run: $(jq -c 'select(.event == "reaper.run")' out)"
run 0 "$O" find --store s --json
[ -s out ] && fail "find lists what is gone"

# what is none of the store's lies in the way: it stays, all else goes, and once
rm -rf s k && run 0 "$O" init --store s --keys k && run 0 "$MKSTORE" s g711
long=$(printf 'x%.0s' {1..80})
mkdir s/catalog/acme/2026-04-01.d s/segments/acme/2026-04-01/00000009.seg
touch "s/catalog/acme/2026-04-01.$long" s/segments/acme/2026-04-01/notes
run 0 "$O" reap --store s --now 2026-04-01 --confirm
[ "$(find s/segments s/catalog -type f -printf '%f ' | wc -w)" = 2 ] || fail "left: $(find s/segments s/catalog -type f)"
run 0 "$O" reap --store s --now 2026-04-01T00:01:00Z --json
[ "$(tail -1 out | jq -c '[.days,.files,.faults]')" = '[0,0,0]' ] || fail "a day that is gone: $(cat out)"
run 0 "$O" audit show --store s --json
[ "$(jq -rs 'map(select(.event == "reaper.run")) | length' out)" = 1 ] || fail "a run that did nothing is told of"
rm -rf s k && run 0 "$O" init --store s --keys k && run 0 "$MKSTORE" s g711 overlap denied training
run 0 "$O" reap --store s --now 2026-03-31T22:00:00Z --confirm

# a late import of that day: nothing of it is kept, and the next run takes its row away
"$MKSTORE" s g711 >out 2>err && fail "a call of a dead day begins"
has err 'destroyed already'

# the clock: back lengthens nothing, far ahead destroys nothing, --confirm
rm -rf s k && run 0 "$O" init --store s --keys k && run 0 "$MKSTORE" s g711
run 0 "$O" reap --store s --now 2026-02-01 --confirm
[ -s s/reap.clock ] || fail "no mark"
run 1 "$O" reap --store s # the machine's clock is long after
has err 'days ahead of what it can be.*--confirm'
has out '^0 calls'
run 0 "$O" reap --store s --now 2026-05-01 --confirm
has out '^1 call destroyed'
rm -rf s k && run 0 "$O" init --store s --keys k && run 0 "$MKSTORE" s g711
run 0 "$O" reap --store s --now 2026-03-30 --confirm
run 0 "$O" reap --store s --now 2025-01-01
has out '^0 calls'
rm -rf s k && run 0 "$O" init --store s --keys k
run 0 "$O" reap --store s --now 2026-05-01 --confirm
run 0 "$MKSTORE" s g711
run 0 "$O" reap --store s --now 2025-01-01 # it was May
has out '^1 call destroyed'

# the mark is damaged or gone, and the clock long after: not the first run, nothing dies without a person
rm -rf s k && run 0 "$O" init --store s --keys k && run 0 "$MKSTORE" s g711
sed -i 's/^created .*/created 2026-01-01T00:00:00Z/' s/optag.store
for how in damaged gone; do
	run 0 "$O" reap --store s --now 2026-01-15 --confirm
	[ $how = damaged ] && printf 9 | dd of=s/reap.clock bs=1 seek=25 conv=notrunc 2>/dev/null
	[ $how = gone ] && rm s/reap.clock
	cp -a s/keys before.keys
	for _ in 1 2; do # nor the minute after
		run 1 "$O" reap --store s
		has err 'days ahead of .*--confirm'
		has out '^0 calls'
		diff -r s/keys before.keys || fail "$how: keys changed"
	done
	rm -r before.keys
	[ $how = damaged ] && printf 9 | dd of=s/reap.clock bs=1 seek=25 conv=notrunc 2>/dev/null
	[ $how = gone ] && rm s/reap.clock
	run 1 "$O" reap --store s --dry-run --json
	if [ $how = damaged ]; then
		has err '/reap.clock: damaged: '
	else
		has err 'days ahead of 2026-[0-9-]*, the last that the store itself bears out \(reap.clock is not there\)'
	fi
	[ "$(tail -1 out | jq -c '[.held_back, .destroyed]')" = '[true,0]' ] || fail "$how: $(cat out)"
done
run 0 "$O" reap --store s --confirm
has out '^1 call destroyed'

# a time given by hand: who, and when; it leaves no mark, and nothing is written down as of the future
rm -rf s k && run 0 "$O" init --store s --keys k && run 0 "$MKSTORE" s g711
ahead=$(date -u -d '+20 years' +%FT%TZ)
run 0 "$O" reap --store s --now "$ahead"
has out "^1 call destroyed.*, as of ${ahead%Z}Z, given by hand$"
[ -e s/reap.clock ] && fail "it is remembered"
run 0 "$O" audit show --store s --json
jq -se --argjson uid "$(id -u)" --argjson t "$(date -d "$ahead" +%s)" 'map(select(.event | test("^reaper|^bucket"))) |
	.[0].event == "reaper.told" and .[0].source == "operator" and .[0].n.as_of_s == $t and .[0].n.uid == $uid and
	(now - .[0].n.clock_s) < 600 and (map(.event) == ["reaper.told", "bucket.destroy", "reaper.run"])' out >/dev/null || fail "not told: $(cat out)"
grep -q "\"time\":\"$(date -u -d "$ahead" +%Y)" s/evidence/*.log && fail "the log has events of the future"
run 0 "$O" reap --store s # and the clock is believed as before
[ -s err ] && fail "it says $(cat err)"
run 0 "$O" reap --store s --now "$ahead" --confirm
run 0 "$O" reap --store s
[ -s err ] && fail "a time ahead was remembered: $(cat err)"
run 0 "$O" audit verify --store s

# single calls, before their time
rm -rf s k && run 0 "$O" init --store s --keys k && run 0 "$MKSTORE" s g711 overlap denied training
g=$(call g711)
run 2 "$O" erase --store s --purpose both "$g"
run 2 "$O" erase --store s --purpose both --reason 'my number is 45201234' "$g"
run 2 "$O" erase --store s --purpose both --reason erased x
run 1 "$O" erase --store s --purpose both --reason erased 01ARZ3NDEKTSV4RRFFQ69G5FAV
run 1 "$O" erase --store s --purpose training --reason erased "$g"
has err 'nothing is kept of it for training'
cp -r s/keys keys.before
run 0 "$O" erase --store s --purpose both --reason withdrawn "$g"
has out 'documentation ends with the next run'
run 0 "$O" reap --store s --now 2026-01-02 --json
[ "$(head -1 out | jq -c '[.did,.call,.purpose,.reason]')" = "[\"call\",\"$g\",\"documentation\",\"withdrawn\"]" ] || fail "single: $(cat out)"
[ "$(tail -1 out | jq -c '[.destroyed,.single,.buckets,.bytes > 0]')" = '[1,1,0,true]' ] || fail "summary: $(tail -1 out)"
run 0 "$O" find --store s --json
[ "$(jq -r "select(.call == \"$g\") | .documentation" out)" = WITHDRAWN ] || fail "find"
run 1 "$O" export --store s --keys k --purpose documentation --call "$g" --format payload -o x
run 0 "$O" export --store s --keys k --purpose documentation --call "$(call overlap)" --format payload -o y
run 0 "$O" fsck --store s
# its keys are put back from a copy: told, and destroyed again; nothing else is said of the call
run 1 "$O" erase --store s --purpose both --reason erased "$g"
cp -r keys.before/. s/keys/
run 3 "$O" report inventory --store s
has out "key of call $g, which later.db says is destroyed"
run 0 "$O" erase --store s --purpose both --reason erased "$g"
has out 'documentation ends with the next run'
run 0 "$O" reap --store s --now 2026-01-02
run 1 "$O" erase --store s --purpose both --reason erased "$g"
run 3 "$O" report inventory --store s # by the clock all of it is due
grep -q 'says is destroyed' out && fail "the key is there still"
run 0 "$O" find --store s --json
[ "$(jq -r "select(.call == \"$g\") | .documentation" out)" = WITHDRAWN ] || fail "state of a call whose key came back"

# two at once
rm -rf s k && run 0 "$O" init --store s --keys k && run 0 "$MKSTORE" s g711
exec 9>>s/reap.lock
flock 9
run 0 "$O" reap --store s --now 2026-05-01
has err 'another reaper is at work'
[ -s out ] && fail "two reapers"
("$O" reap --store s --now 2026-05-01 --wait >waited 2>&1) 9>&- &
sleep 0.5
exec 9>&-
wait $!
grep -q '^1 call destroyed' waited || fail "--wait: $(cat waited)"

# the file system is full: keys die, and are told of later; so does what nobody used
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
	mkdir m
	unshare -m bash -ec 'mount -t tmpfs -o size=24m t m && exec "$0" "$@"' bash -ec '
		O=$1 M=$2
		"$O" init --store m/s --keys m/k >/dev/null && "$M" m/s g711 unused training >m.ids
		u=$(sed -n "s/^unused //p" m.ids)
		hear() { rm -f x; "$O" export --store m/s --keys m/k --purpose training --call "$u" --format payload -o x >/dev/null 2>m.why; }
		hear || exit 8
		dd if=/dev/zero of=m/fill bs=4k 2>/dev/null || :
		"$O" reap --store m/s --now 2026-02-02 >m.out 2>m.err && exit 9
		grep -q "erase: cannot write: No space" m.err || exit 14
		hear && exit 10
		grep -q "was destroyed" m.why || exit 11
		rm m/fill
		"$O" reap --store m/s --now 2026-02-03 >m.out 2>m.err || exit 12
		[ "$("$O" audit show --store m/s --json | grep -c "purpose.expire.*unused")" = 1 ] || exit 13
		dd if=/dev/zero of=m/fill bs=4k 2>/dev/null || :
		"$O" reap --store m/s --now 2026-05-01 >m.out 2>m.err && exit 3
		[ "$(od -An -tu1 -j 11 -N 1 m/s/keys/acme/documentation/*.bucket | tr -d " ")" = 2 ] || exit 4
		"$O" export --store m/s --keys m/k --purpose documentation --call "$("$O" find --store m/s --json | jq -r .call)" --format payload -o x 2>/dev/null && exit 5
		rm m/fill
		"$O" reap --store m/s --now 2026-05-01T00:01:00Z >>m.out 2>m.err || exit 6
		"$O" audit show --store m/s --json | grep -c bucket.destroy >m.told
		"$O" fsck --store m/s >/dev/null || exit 7' bash "$O" "$MKSTORE"
	rc=$?
	[ $rc = 0 ] || fail "full: step $rc: $(cat m.out m.err)"
	[ "$(cat m.told)" = 2 ] || fail "told $(cat m.told) times"
fi

# pipes in place of files: nothing waits for who would write to them
rm -rf s k && run 0 "$O" init --store s --keys k && run 0 "$MKSTORE" s g711
mkfifo s/keys/acme/documentation/2026-01-01.bucket s/keys/acme/documentation/2026-01-01.slots
run 1 timeout 60 "$O" reap --store s --now 2026-05-01
has out '^1 call destroyed'
has err '2026-01-01.bucket: cannot read'

# whose files: a store of a group's is the group's, and never anybody else's
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	P=$(mktemp -d /tmp/optag-reap.XXXXXX) || exit 1 # $TMP is root's alone
	trap 'rm -rf "$P"' EXIT
	chmod 755 "$P"
	install -d -o 1501 -g 1500 -m 3770 "$P/s"
	d() { (umask 077 && setpriv --reuid 1501 --regid 1500 --clear-groups "$@"); }
	r() { setpriv --reuid 1502 --regid 1500 --clear-groups "$@"; }
	install -d -o 1501 "$P/k"
	run 0 d "$O" init --store "$P/s" --keys "$P/k/k"
	run 0 d "$MKSTORE" "$P/s" g711 training
	[ -z "$(find "$P/s" -perm /007)" ] || fail "others may: $(find "$P/s" -perm /007 | head -3)"
	[ -z "$(find "$P/s/keys" "$P/s/segments" "$P/s/catalog" -type f ! -perm -060)" ] || fail "the group may not: $(find "$P/s" -type f ! -perm -060)"
	run 1 setpriv --reuid 1503 --regid 1503 --clear-groups "$O" reap --store "$P/s"
	run 0 r "$O" reap --store "$P/s" --now 2026-05-01
	has out '^2 calls destroyed'
	[ -z "$(find "$P/s" -perm /007)" ] || fail "others may: $(find "$P/s" -perm /007 | head -3)"
	run 0 d "$O" fsck --store "$P/s"
	[ -n "$(ls "$P/s/outbox")" ] && [ ! -e "$P/s/evidence" ] || fail "the reaper wrote an evidence log of its own"
	run 0 d "$O" reap --store "$P/s" --now 2026-05-01T00:01:00Z # its owner may write the log
	[ -z "$(ls "$P/s/outbox")" ] || fail "nobody took the outbox"
	run 0 d "$O" audit show --store "$P/s" --json
	[ "$(grep -c bucket.destroy out)" = 2 ] || fail "evidence"
fi
exit 0
