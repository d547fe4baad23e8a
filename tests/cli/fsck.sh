#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# fsck: clean store, flipped bytes, cut and missing files; status 0, 3, 1.
. "$SRC/tests/cli/common" || exit 1
need jq
cd "$TMP" || exit 1
run 1 "$BIN/optag" fsck --store s
one_line err
run 0 "$BIN/optag" init --store s --keys k
run 0 "$BIN/optag" fsck --store s
run 0 "$MKSTORE" s g711 overlap denied
run 0 "$BIN/optag" fsck --store s --json
[ "$(tail -1 out | jq -c '[.calls,.rows,.damaged,.orphan_chunks]')" = '[2,3,0,0]' ] || fail "summary"
mv k k.away # needs no key
run 0 "$BIN/optag" fsck --store s
has out 'clean$'
mv k.away k
seg=$(find s/segments -type f | head -1)
size=$(stat -c %s "$seg")

# a flipped byte in the middle of a segment is named with file, offset and rule
cp -a s t
f=t/${seg#s/}
used=$(tr -d '\0' <"$f" | wc -c)
[ "$used" -gt 10000 ] || fail "segment holds nothing"
at=9000
printf '\x5a\xa5\x5a\xa5' | dd of="$f" bs=1 seek=$at conv=notrunc 2>/dev/null
run 3 "$BIN/optag" fsck --store t
has out "^${seg#s/}: offset [0-9]+: [A-Z]+-?[0-9]+[a-z]?: ."
has out 'damaged$'
run 3 "$BIN/optag" fsck --store t --json
[ "$(head -1 out | jq -c 'keys_unsorted')" = '["file","offset","rule","text"]' ] || fail "json of a finding"
# ... and export says so, gives the rest, and ends with 3
id=$(call g711)
run 3 "$BIN/optag" export --store t --keys k --purpose documentation --call "$id" --format payload -o "$TMP/x"
has err "going on after it"
has err "missing in what was written"
[ -s x.callee ] || fail "the rest was not exported"
[ $(($(stat -c %s x.caller) + $(stat -c %s x.callee))) -lt 150240 ] || fail "damage, and nothing is missing"

# a segment that is gone
rm -rf t && cp -a s t && rm "t/${seg#s/}"
run 3 "$BIN/optag" fsck --store t
# cut in the middle of a chunk
rm -rf t && cp -a s t && truncate -s 20000 "t/${seg#s/}"
[ "$size" -gt 20000 ] || fail "segment too small for this test"
run 3 "$BIN/optag" fsck --store t
# ---- a catalog that is lost, and made anew ----
rows() { "$BIN/optag" find --store "$1" --json | jq -cS . >"$TMP/rows.$1" || fail "find in $1"; }
sound() { "$BIN/optag" export --store "$1" --keys k --purpose documentation --call "$id" --format payload -o "$TMP/$1" 2>/dev/null || fail "export from $1"; }
rows s
sound s
db=$(find s/catalog -name '*.db')
db=${db#s/}
for harm in missing cut garbage; do
	rm -rf t rows.t t.caller t.callee && cp -a s t
	case $harm in
	missing) rm "t/$db" ;;
	cut) truncate -s 9000 "t/$db" ;;
	garbage) head -c 30000 /dev/urandom >"t/$db" && printf x >"t/$db-wal" ;;
	esac
	"$BIN/optag" export --store t --keys k --purpose documentation --call "$id" --format payload -o "$TMP/none" 2>/dev/null && fail "$harm: there is a call"
	run 0 "$BIN/optag" fsck --store t --rebuild
	has out "^${db}: made anew: 3 rows from copies"
	has out '1 partition made anew: 3 rows from copies, 0 from chunks and slots'
	has out 'clean$'
	[ $harm = missing ] || has out "set aside as ${db##*/}\.damaged"
	[ $harm = missing ] || [ -e "t/$db.damaged" ] || fail "$harm: the damaged one is gone"
	"$BIN/optag" report inventory --store t >inv 2>&1 # has more to say: these calls are due
	grep 'none of the store' inv && fail "$harm: the inventory does not know what was set aside"
	grep -q 'calls kept' inv || fail "$harm: no inventory: $(cat inv)"
	rows t
	diff rows.s rows.t || fail "$harm: other rows than before"
	sound t
	cmp s.caller t.caller && cmp s.callee t.callee || fail "$harm: other sound than before"
	run 0 "$BIN/optag" fsck --store t --rebuild --json
	[ "$(sed -n 1p out | jq -c '[.made,.from_copies,.set_aside]')" = '[0,0,0]' ] || fail "$harm: there is more to do the second time: $(cat out)"
done
# ---- rows that are made of chunks do not say what a call was kept for, and who withdraws is told what to do ----
rm -rf t && cp -a s t && rm "t/$db"
f=t/${seg#s/}
for at in $(grep -abo ORow "$f" | cut -d: -f1); do # without the copies of rows
	dd if=/dev/zero of="$f" bs=1 seek="$at" count="$(od -An -tu4 -j $((at + 8)) -N 4 "$f" | tr -d ' ')" conv=notrunc 2>/dev/null
done
run 0 "$BIN/optag" fsck --store t --rebuild
has out '0 rows from copies, 2 from chunks and slots'
"$BIN/optag" find --store t --json | jq -es --arg c "$id" 'map(select(.call == $c))[0].documentation == "OBJECTED"' >/dev/null || fail "not restricted"
run 1 "$BIN/optag" withdraw --store t "$id"
one_line err
has err "$id: its row was rebuilt, so nobody knows"
has err "'optag erase --purpose both --reason withdrawn $id' destroys all of it"
run 1 "$BIN/optag" withdraw --store t --purpose training "$id"
has err 'nothing is kept of it by a consent'
run 0 "$BIN/optag" erase --store t --purpose both --reason withdrawn "$id"
run 0 "$BIN/optag" reap --store t --now "$("$BIN/optag" find --store t --json | jq -er -s '.[0].start')" # before its day
run 0 "$BIN/optag" withdraw --store t "$id"
has out 'documentation is WITHDRAWN: its key is destroyed$'
run 0 "$BIN/optag" fsck --store t
rm -rf t && cp -a s t
exec 9>t/lock
flock 9
run 1 "$BIN/optag" fsck --store t --rebuild 9>&-
one_line err
has err 'stop it first'
exec 9>&-
# nothing was changed by looking
rm -rf t && cp -a s t && run 0 "$BIN/optag" fsck --store t
diff -r s t || fail "fsck changed the store"
"$BIN/optag" fsck --store s >/dev/full 2>err && fail "a full device is no success"
has err 'standard output'

# ---- memory: what a day's calls refer to, not the whole store's. 800,000 chunks in ten days, whose segments are not there ----
if [ -z "$SAN" ]; then
	CALL_BYTES=2000000 "$BUILD/tests/bench/bench_reap" make many many.keys 2000 200 5 >/dev/null || fail "bench_reap"
	rm -rf many/segments/*/*
	(ulimit -v 60000 && exec "$BIN/optag" fsck --store many) >told 2>err
	rc=$?
	[ $rc = 3 ] || fail "status $rc, not 3: $(tail -n 2 err)"
	tail -n 1 told | grep -q '^0 segments, 0 chunks, 2000 calls, .*: 798000 damaged' || fail "$(tail -n 1 told)"
	rm -rf many many.keys told
fi
exit 0
