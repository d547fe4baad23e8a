#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# optag hold: who may, what is refused, the two persons, the list, and what find, why, fsck and export say of it.
. "$SRC/tests/cli/common" || exit 1
need jq
need setpriv
[ "$(id -u)" = 0 ] || { echo "SKIP: only root can be several persons"; exit 77; }
P=$(mktemp -d /tmp/optag-hold.XXXXXX) || exit 1 # $TMP is root's alone, and here are others
trap 'rm -rf "$P"' EXIT
chmod 755 "$P"
cd "$TMP" || exit 1
O="$BIN/optag"
held="$BUILD/tests/gen/mkheld"
review=$(date -u -d '+2 months' +%F)
run 0 "$O" init --store s --keys k
run 0 "$held" s near:89:1:1 other:89:1:0 far:1:90:0 train:1:0:90
cp out ids
id() { awk -v n="$1" '$1 == n { print $2 }' ids; }
near=$(id near) far=$(id far)

# ---- usage, refusals ----
run 2 "$O" hold
run 2 "$O" hold add --store s --reason r --review "$review" "$near"
run 2 "$O" hold add --store s --reason r --reference D-1 --review tomorrow "$near"
run 2 "$O" hold release --store s "$near"
run 2 "$O" hold release --store s --cancel --reason r "$near"
run 2 "$O" hold release --store s --reason r x
A() { run "$1" "$O" hold add --store s --reason "${R:-dispute}" --reference "${F:-D-2201}" --review "${D:-$review}" "${@:2}"; }
A 1 01ARZ3NDEKTSV4RRFFQ69G5FAV
has err 'no such call'
# it reads keys: nothing of it is dumped
exec 9>>s/holds
flock 9
"$O" hold add --store s --reason r --reference D-1 --review "$review" 01ARZ3NDEKTSV4RRFFQ69G5FAV >waited 2>&1 9>&- & waiter=$!
for _ in {1..600}; do
	grep -Eq 'Max core file size +0 +0 ' /proc/$waiter/limits && break
	sleep 0.1
done
grep -Eq 'Max core file size +0 +0 ' /proc/$waiter/limits || fail "its memory may be dumped"
exec 9>&-
wait $waiter && fail "there is such a call"
A 1 "$(id train)"
has err 'documentation is NONE'
D=$(date -u +%F) A 1 "$near"
has err 'must be after today'
D=$(date -u -d '+7 months' +%F) A 1 "$near"
has err 'more than 6 months'
R=' ' A 1 "$near"
has err 'the reason is empty'
R=$(printf 'two\nlines') A 1 "$near"
has err 'not one line'
F=$(printf 'x%.0s' $(seq 101)) A 1 "$near"
has err 'too long'
run 0 "$O" hold list --store s
[ -s out ] && fail "something is on hold"
run 1 "$O" hold release --store s --reason r "$near"
has err 'is not on hold'

# ---- on hold; one that is none does not stop the others ----
R='say "æ" \ it' A 1 "$near" 01ARZ3NDEKTSV4RRFFQ69G5FAV "$far"
[ "$(wc -l <out)" = 2 ] || fail "not two on hold"
run 0 "$O" hold list --store s --json
[ "$(jq -rs 'map(.call) | join(" ")' out)" = "$near $far" ] || fail "list"
[ "$(head -1 out | jq -c '[.controller,.by,.uid,.reason,.reference,.review,.overdue,.release_asked]')" = \
	"[\"acme\",\"root\",0,\"say \\\"æ\\\" \\\\ it\",\"D-2201\",\"$review\",false,null]" ] || fail "values"
run 0 "$O" hold list --store s
has out "^$near  $review  .*root .*D-2201 .*say \"æ\""
run 0 "$O" hold list --store s --due 7
[ -s out ] && fail "review is not due"
run 0 "$O" hold list --store s --due 70
[ "$(grep -c "$review" out)" = 2 ] || fail "review is due"
run 0 "$O" find --store s --json
[ "$(jq -c '[.sip_call_id, .held, .hold_review]' out | grep -c ',true,"'"$review")" = 2 ] || fail "find"
[ "$(jq -s 'map(select(.held == false and .hold_review == null)) | length' out)" = 2 ] || fail "find"
run 0 "$O" find --store s
has out "near@test|on hold, review by $review"
jq -e '.event == "hold.set" and .who == "root" and .n.uid == 0' <(tail -n +2 -q s/outbox/* | head -1) >/dev/null || fail "evidence"
grep -qr 'D-2201\|say' s/outbox && fail "people's words are in the evidence"
run 0 "$O" fsck --store s --json
[ "$(jq -c '[.held, .damaged]' out)" = '[2,0]' ] || fail "fsck"
"$O" why --store s "$near" >out 2>err # the store has no evidence log
has out '^On hold since .* by root \(uid 0\): documentation is kept past its time \[N-24\]'
has out "reviewed by $review"
"$O" why --store s --json "$near" >out 2>err
[ "$(jq -c '[.hold.reference, .hold.review]' out)" = "[\"D-2201\",\"$review\"]" ] || fail "why"
"$O" why --store s --json "$(id other)" >out 2>err
[ "$(jq -c .hold out)" = null ] || fail "why of another"

# ---- nobody waits for who does not read what it says: the journal is not locked meanwhile ----
mkfifo p
exec 8<>p
dd if=/dev/zero of=p bs=4096 oflag=nonblock 2>/dev/null # full
"$O" hold add --store s --reason again --reference D-2201 --review "$review" "$near" >p 2>err & writer=$!
for _ in {1..600}; do
	grep -q '"reason":"again"' s/holds && break
	sleep 0.1
done
flock -w 20 s/holds true || fail "locked by who cannot print"
kill -0 $writer || fail "it did print"
dd if=p of=p.out bs=65536 count=1 2>/dev/null
wait $writer || fail "hold add: $(cat err)"
exec 8>&-
R='say "æ" \ it' A 0 "$near" # as it was

# ---- the day goes ----
opens() { # STATUS PURPOSE CALL
	run "$1" "$O" export --store s --keys k --purpose "$2" --call "$3" --format wav -o "o.$RANDOM.wav"
}
opens 0 training "$near"
run 0 "$held" s destroy:documentation:1 destroy:training:1
opens 0 documentation "$near"
opens 1 training "$near"
has err 'was destroyed'
opens 1 documentation "$(id other)"
A 1 "$(id other)"
has err 'destroyed|EXPIRED'
run 0 "$O" fsck --store s

# ---- persons: the program has the rights of the store's user, and knows who runs it ----
cp "$BIN/optag-hold" "$P/hold"
cp "$BIN/optag-hold" "$P/plain"
mv s "$P/s"
ln -s "$P/s" s
chown -R 1500:1500 "$P/s"
chown 1500:1600 "$P/hold"
chmod 4750 "$P/hold"
person() { setpriv --reuid "$1" --regid 1600 --clear-groups "$P/hold" "${@:2}"; }
as() { run "$2" person "$1" "${@:3}" --store "$P/s"; }
if [ "$(person 1501 list --store "$P/s" 2>err | wc -l)" = 3 ]; then
	SUDO_UID=1502 as 1501 0 release --reason "settled in court" "$near"
	has out 'another person confirms'
	SUDO_UID=1502 as 1501 1 release --reason "really" "$near"
	has err 'takes a second person'
	as 1501 0 list --json
	[ "$(jq -c 'select(.release_asked) | [.call, .release_uid, .release_reason]' out)" = "[\"$near\",1501,\"settled in court\"]" ] || fail "asked"
	as 1502 0 release --cancel "$near"
	as 1502 1 release --cancel "$near"
	has err 'nobody asked'
	as 1501 0 release --reason "settled in court" "$near"
	as 1501 0 add --reason "appeal" --reference D-2202 --review "$review" "$near" # who needs it still
	as 1502 0 release --reason "settled in court" "$near"
	has out 'another person confirms'
	opens 0 documentation "$near"
	as 1501 0 release --reason "settled in court" "$near"
	has out 'past its deadline: its key is destroyed'
	opens 1 documentation "$near"
	as 1501 0 list
	[ "$(wc -l <out)" = 2 ] || fail "still on hold"
	tail -n +2 -q s/outbox/* | jq -e 'select(.event == "key.destroy" and .call == "'"$near"'" and .n.uid == 1501)' >/dev/null || fail "evidence of the end"
	# before its deadline a call just goes its way
	as 1501 0 release --reason "no need" "$far"
	as 1502 0 release --reason "no need" "$far"
	has out 'kept until its deadline'
	opens 0 documentation "$far"
	# what a person chose does not get the rights of the store's user
	cp -r "$P/s" "$P/mine"
	chown -R 1501 "$P/mine"
	run 1 person 1501 list --store "$P/mine"
	has err 'not a directory of the user whose rights'
	ln -s "$P/mine" "$P/link"
	run 1 person 1501 list --store "$P/link"
	has err 'not a directory of the user whose rights'
	# beside a reaper of another user: the store is a group's, of which the program is, and nobody who runs it
	chmod -R g+rwX "$P/s"
	chmod 3770 "$P/s"
	install -d -g 1600 -m 750 "$P/d"
	install -o 1500 -g 1500 -m 6755 "$BIN/optag-hold" "$P/d/hold"
	mv s/holds holds.aside # whatever the reaper makes
	mv s/keys/acme/documentation/hold.slots slots.aside
	run 0 setpriv --reuid 1502 --regid 1500 --clear-groups "$BIN/optag-reap" --store "$P/s" --now 2020-01-01
	[ "$(stat -c %u s/holds)" = 1502 ] || fail "the reaper made no journal"
	shared() { setpriv --reuid 1501 --regid "$1" "${@:2}"; }
	run 0 shared 1600 --clear-groups "$P/d/hold" add --store "$P/s" --reason "appeal" --reference D-2203 --review "$review" "$far"
	run 0 shared 1600 --clear-groups "$P/d/hold" list --store "$P/s"
	has out "$far"
	run 1 shared 1600 --groups 1600,1500 "$P/d/hold" list --store "$P/s"
	has err 'or one that you may write to'
	run 1 shared 1500 --groups 1600 "$P/d/hold" list --store "$P/s"
	has err 'or one that you may write to'
	mv -f holds.aside s/holds
	mv -f slots.aside s/keys/acme/documentation/hold.slots
	[ "$(stat -c %u s/holds s/keys/acme/documentation/hold.slots | sort -u)" = 1500 ] || fail "owners"
else
	echo "SKIP: set-user-id does not count here: $(cat err)"
	exit 77
fi
# without its rights nothing works, and nothing changes
run 1 setpriv --reuid 1503 --regid 1603 --clear-groups "$P/plain" list --store "$P/s"
chown -hR 0:0 "$P/s"

# ---- damage ----
cp s/holds h.good
printf '{"hold":"x"}\n' >>s/holds
run 3 "$O" hold list --store s
has err 'holds: line [0-9]*: '
A 3 "$far"
run 3 "$O" find --store s --json
[ "$(jq -sc 'map(.held) | unique' out)" = '[null]' ] || fail "find says something of holds it cannot read"
run 3 "$O" fsck --store s
has out '^holds: offset 0: H-1: '
cp h.good s/holds
printf '{"hold":"01' >>s/holds # torn: never confirmed
run 0 "$O" hold list --store s
run 3 "$O" fsck --store s # or cut: nobody can tell
has out "^holds: .*H-1: the last line is not whole"
A 0 "$far"
run 0 "$O" fsck --store s
cp s/holds h.new
rm s/holds
run 3 "$O" hold list --store s
has err 'is gone'
run 3 "$O" fsck --store s
cp h.good s/holds
run 3 "$O" fsck --store s # the copy of far's key, of which this journal does not know
has out 'hold.slots: offset [0-9]+: H-4: '

# ---- an older copy of the journal: the evidence log knows more, and so does a reaper that went by the newer one ----
cp s/keys/acme/documentation/hold.slots slots.new
dd if=/dev/zero of=s/keys/acme/documentation/hold.slots bs=256 seek=1 count=1 conv=notrunc 2>/dev/null # as it was then
run 0 "$O" fsck --store s
run 1 "$O" audit verify s
has err 'no evidence log there yet'
run 0 "$O" reap --store s --now 2020-01-02 # knows no better yet; what waits goes into the log
cp s/holds h.old
run 3 "$O" audit verify s
has out "^holds: H-7: call $far: put on hold at "
cp h.new s/holds
cp slots.new s/keys/acme/documentation/hold.slots
run 0 "$O" audit verify s
run 0 "$O" reap --store s --now 2020-01-02
run 0 "$O" fsck --store s
cp h.old s/holds
run 3 "$O" audit verify s
has out '^holds: H-1: .*reaper went by'
run 3 "$O" fsck --store s
has out '^holds: offset 0: H-1: .*reaper went by'
A 3 "$far"
mkdir copied
cp -r s/evidence s/optag.store copied
run 0 "$O" audit verify copied # an auditor's copy of the log alone
exit 0
