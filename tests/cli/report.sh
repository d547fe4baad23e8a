#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# optag report inventory: what replayed calls leave balances; whatever is planted, lost or overdue is named, with exit status 3.
. "$SRC/tests/cli/common" || exit 1
need jq
need python3
cd "$TMP" || exit 1
O="$BIN/optag"
inv() { # STATUS [OPTIONS]
	local want=$1
	shift
	run "$want" "$O" report inventory --store t "$@"
}
run 1 "$O" report inventory --store t
one_line err
for word in regulator complaint utilisation; do
	run 2 "$O" report $word
	one_line err
done
run 2 "$O" report
run 0 "$O" init --store s --keys k
cp -a s t
inv 0
has out '^balanced$'
inv 2 --by rule,nothing
inv 2 x

"$BUILD/tests/gen/gencap" --calls 24 --scenario mix --seconds 5 c.pcap truth.json || fail gencap
run 0 "$O" replay --store s --policy "$SRC/policy/examples/lab.policy" c.pcap
"$O" find --store s --json >found || fail find
start=$(jq -r .start found | sort | head -1)
end=$(date -u -d "$start + 10 days" +%FT%TZ)
again() { rm -rf t && cp -a s t; }
again
inv 0 --now "$end"
has out '^balanced$'
inv 0 --now "$end" --json --by purpose,state
tail -1 out >sum
[ "$(jq '[.rows, .kept, .past, .problems, .in_progress] | @csv' sum)" = "$(jq -s '[length, (map(select(.outcome == "kept")) | length), 0, 0, 0] | @csv' found)" ] ||
	fail "counts: $(cat sum)"
[ "$(jq '.segment_bytes == .heads + .named + .unreadable + .other and .named > 0 and .disk_bytes > .named' sum)" = true ] || fail "bytes: $(cat sum)"
[ "$(jq -r .oldest sum)" = "$(jq -rs 'map(select(.outcome == "kept")) | sort_by(.start)[0].call' found)" ] || fail "oldest: $(cat sum)"
for state in GRANTED DENIED; do
	[ "$(jq -s --arg s $state 'map(select(.purpose == "documentation" and .state == $s) | .calls) | add // 0' out)" = \
		"$(jq -s --arg s $state 'map(select(.documentation == $s)) | length' found)" ] || fail "$state: $(cat out)"
done
inv 0 --now "$end" --by age --json
[ "$(jq -r 'select(.age) | .age' out)" = 8-30 ] || fail "age: $(cat out)"
diff -r s t || fail "looking changed the store"

# ---- planted files ----
acme=$(ls t/keys)
day=$(ls "t/segments/$acme")
for stray in keys/x "keys/$acme/documentation/copy.slots" "keys/$acme/training/hold.slots" "keys/$acme/other/" "segments/$acme/$day/.hidden" \
	"segments/$acme/$day/00000009.copy" "segments/$acme/x" "catalog/$acme/$day.db.bak" "catalog/$acme/other.db" evidence/notes outbox/x.txt .copy holds.old \
	public/acme/documentation.key public/x "policies/$(printf '%064d' 0).bucket" sampling/x; do
	again
	mkdir -p "$(dirname "t/$stray")"
	case $stray in
	*/) rm -rf "t/${stray%/}" && mkdir "t/${stray%/}" ;;
	*) echo secret >"t/$stray" ;;
	esac
	inv 3 --now "$end"
	grep -qF "${stray%/}: is none of the store's files" out || fail "$stray is not named"
done
again
bucket=$(cd t && ls "keys/$acme/documentation/"*.bucket | head -1) # copies of keys, by names that a writer makes
cp "t/$bucket" "t/$bucket.tmp"
inv 3 --now "$end"
has out "$bucket.tmp: K-7: a copy beside the file itself"
run 3 "$BIN/optag" fsck --store t
has out 'K-7'
mv "t/$bucket.tmp" "t/${bucket%/*}/2026-12-24.bucket.tmp" # as one that is just being made
rm -f t/keys/*/*/2026-12-24.bucket
inv 0 --now "$end"
touch -d '-1 hour' "t/${bucket%/*}/2026-12-24.bucket.tmp"
inv 3 --now "$end"
has out '2026-12-24.bucket.tmp: K-7: begun, and not finished for minutes'
again
cp "t/$bucket" t/epoch.tmp
inv 0 --now "$end"
touch -d '-1 hour' t/epoch.tmp
inv 3 --now "$end"
has out '^epoch.tmp: begun, and not finished'
again
ln -s /etc/passwd "t/segments/$acme/$day/00000099.seg"
inv 3 --now "$end"
has out '00000099.seg: is none'
again # a segment of another place
seg=$(cd t && ls "segments/$acme/$day/"*.seg | head -1)
cp "t/$seg" "t/segments/$acme/$day/00000777.seg"
inv 3 --now "$end"
has out '00000777.seg: S-1: segment of another place'

# ---- planted and changed rows ----
sql() { # SCRIPT: the partition is writable for it
	chmod u+w "t/catalog/$acme/"*.db
	python3 - "t/catalog/$acme/$day.db" "$@" <<'P' || fail "sqlite3: $1"
import sqlite3, sys
c = sqlite3.connect(sys.argv[1])
c.executescript(sys.argv[2])
c.commit()
c.execute("PRAGMA wal_checkpoint(TRUNCATE)")
c.close()
P
}
uid=$(jq -rs 'map(select(.documentation == "GRANTED"))[0].call' found)
new=01KDVDNA00SYWF0W4VW9FAS3YJ
copy="create temp table x as select * from calls where uid='$uid'; update x set uid='$new'"
again
sql "$copy; insert into calls select * from x"
inv 3 --now "$end"
has out "^catalog/$acme/$day.db: row of call $new: its key for documentation is not there"
again
sql "$copy, documentation_slot=0; insert into calls select * from x"
inv 3 --now "$end"
has out "row of call $new: documentation is GRANTED, and it names no key"
again # a row that is taken away leaves a key
sql "delete from calls where uid='$uid'"
inv 3 --now "$end"
has out "documentation/[0-9-]*.slots: offset [0-9]+: key of call $uid, which no row and no call in progress has"
again
sql "update calls set documentation_state='SOLD' where uid='$uid'"
inv 3 --now "$end"
has out "row $uid: values of another kind"
again
head -c 30000 /dev/urandom >"t/catalog/$acme/$day.db"
inv 3 --now "$end"
has out "^catalog/$acme/$day.db: "

# ---- keys ----
slots=$(cd t && ls "keys/$acme/documentation/"*.slots | head -1)
again
dd if=/dev/zero of="t/$slots" bs=256 seek=1 count=1 conv=notrunc 2>/dev/null
inv 3 --now "$end"
has out "row of call $(jq -rs --argjson n 0 'map(select(.documentation == "GRANTED"))[$n].call' found | cut -c1-6).*: its key for documentation is not there"
again
printf 'xx' | dd of="t/$slots" bs=1 seek=300 conv=notrunc 2>/dev/null
inv 3 --now "$end"
has out "^$slots: offset 256: K-3"
again
rm "t/${slots%.slots}.bucket"
inv 3 --now "$end"
has out "^${slots%.slots}.bucket: K-6"

# ---- segments ----
again
rm "t/$seg"
inv 3 --now "$end"
has out "^$seg: rows name [0-9]+ bytes of it, and it is not there"
again
truncate -s 20000 "t/$seg"
inv 3 --now "$end"
has out "^$seg: rows name more of it than it has"

# ---- deadlines: due and alive is told, then the reaper does it ----
again
late=$(jq -rs 'map(.documentation_until, .training_until) | map(select(.)) | max' found)
late=$(date -u -d "$late + 2 days" +%FT%TZ)
inv 3 --now "$late"
has out "^keys/$acme/documentation/[0-9-]*.bucket: is due: [1-9][0-9]* of its keys live, [1-9]"
run 0 "$O" reap --store t --now "$late" --confirm
inv 0 --now "$late"
has out '^0 calls kept of 0 rows'
"$O" report inventory --store t >/dev/full 2>err && fail "a full device is no success"
has err 'standard output'
exit 0
