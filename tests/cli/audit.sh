#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# audit: verify, show, sums; a log that is whole, tampered with in every way, of another key, half written.
. "$SRC/tests/cli/common" || exit 1
need jq
need openssl
MKEV="$BUILD/tests/gen/mkevidence"
cd "$TMP" || exit 1
run 1 "$BIN/optag" audit verify s
one_line err
run 2 "$BIN/optag" audit
run 2 "$BIN/optag" audit verfy s
has err 'did you mean verify'
run 0 "$BIN/optag" init --store s --keys k
run 1 "$BIN/optag" audit verify s
has err 'no evidence log there yet'
run 0 "$MKEV" s
day=s/evidence/2026-11-23.log

# ---- a whole log ----
run 0 "$BIN/optag" audit verify s
has out '^3 days, 2 of them signed, 58 events, 18 calls, 0 in progress: whole, and it adds up$'
root=$(sed -n 's/^newest root: //p' out)
[ ${#root} = 64 ] || fail "no root"
run 0 "$BIN/optag" audit verify --json --store s
want='{"days":3,"sealed":2,"events":58,"calls":18,"open":0,"torn_bytes":0,"recovered":0,"backwards":0,"damaged":0,"outbox":0,"outbox_bad":0,"expired":0,"inventories":0,"inventory_day":null,"inventory_missed":0,"inventory_past":0,"inventory_problems":0}'
[ "$(jq -c 'del(.root)' out)" = "$want" ] || fail "summary"
[ "$(jq -r .root out)" = "$root" ] || fail "root in JSON"
run 0 "$BIN/optag" audit verify --root "$root" --public-key s/evidence/root.pub s
run 3 "$BIN/optag" audit verify --root "${root//[0-7]/8}" s
has out '^evidence: E-8: '
run 2 "$BIN/optag" audit verify --root 12 s

# ---- another person's view of the chain: b2sum makes the links, openssl checks the signature ----
sed -n 2p "$day" | tr -d '\n' | b2sum -l 256 | cut -d' ' -f1 >link
[ "$(sed -n 3p "$day" | jq -r .prev)" = "$(cat link)" ] || fail "a link is not BLAKE2b-256 of the line before"
[ "$(head -1 "$day" | jq -r .prev)" = "$(b2sum -l 256 <s/evidence/root.pub | cut -d' ' -f1)" ] || fail "the first link"
[ "$(head -1 s/evidence/2026-11-24.log | jq -r .prev)" = "$(b2sum -l 256 <s/evidence/2026-11-23.root | cut -d' ' -f1)" ] ||
	fail "a day does not begin with the root before"
unhex() { sed 's/../\\x&/g' | xargs -0 printf '%b'; }
{ printf '302a300506032b6570032100' && sed -n 's/^key //p' s/evidence/root.pub; } | tr -d '\n' | unhex >pub.der
sed -n 's/^signature //p' s/evidence/2026-11-23.root | tr -d '\n' | unhex >sig
grep -v '^signature' s/evidence/2026-11-23.root >signed
openssl pkeyutl -verify -pubin -keyform DER -inkey pub.der -rawin -in signed -sigfile sig >out 2>err || fail "openssl refuses the signature"

# ---- sums ----
run 0 "$BIN/optag" audit sums s
has out '^2026-11-23 +4 +2 +1 +1 +0  support$'
has out '^2026-11-25 +2 +0 +2 +0 +0  sales$'
has out '^sum +18 +6 +9 +3 +0$'
run 0 "$BIN/optag" audit sums --json --rule support --since 2026-11-24 --until 2026-11-25 s
[ "$(cat out)" = '{"day":"2026-11-24","rule":"support","matched":4,"kept":2,"denied":1,"gap":1,"open":0}' ] || fail "sums in JSON"

# ---- show ----
run 0 "$BIN/optag" audit show --json s
cat s/evidence/*.log | cmp - out || fail "--json is not the log"
uid=$(jq -r 'select(.event == "call.denied") | .call' out | head -1)
run 0 "$BIN/optag" audit show --call "$uid" --json s
[ "$(jq -r .event out | tr '\n' ' ')" = "call.match purpose.deny call.denied " ] || fail "a call's events"
run 0 "$BIN/optag" audit show --call "$uid" s
has out 'call\.denied .* reason consent\.none  packets=0  blocked=1500$'
run 0 "$BIN/optag" audit show --rule sales --from 2026-11-25 --json s
[ "$(jq -r '.rule + " " + .time[:10]' out | sort -u)" = "sales 2026-11-25" ] || fail "filter by rule and time"
[ "$(wc -l <out)" = 6 ] || fail "six events"
run 0 "$BIN/optag" audit show --to 2026-11-23T08:00:01Z --event policy.load --json s
[ "$(wc -l <out)" = 1 ] || fail "filter by kind"
run 2 "$BIN/optag" audit show --event call.macth s
"$BIN/optag" audit show s >/dev/full 2>err && fail "a full device is no success"

# ---- nothing that could be a number: no field but times, hashes and calls has many digits ----
cat s/evidence/*.log | jq -c 'del(.prev, .time, .call, .policy, .data, .n)' | grep -E '[0-9]{5}' && fail "digits in the log"

# ---- beside a writer ----
mkfifo hold
"$MKEV" s hold <hold >held &
pid=$!
exec 9>hold
for _ in $(seq 600); do grep -q open held && break; sleep 0.1; done
run 0 "$BIN/optag" audit verify s
run 1 "$MKEV" s hold
has err 'another process writes the evidence log'
exec 9>&-
wait $pid || fail "the writer"

# ---- tampered with: status 3, and the place ----
damaged() { # WHERE-REGEX; the tampered copy is t
	run 3 "$BIN/optag" audit verify t
	has out "$1"
	has out ' findings?$'
	run 3 "$BIN/optag" audit verify --json t
	[ "$(head -1 out | jq -c 'keys_unsorted')" = '["file","line","rule","text"]' ] || fail "json of a finding"
	run 3 "$BIN/optag" audit sums t
	has err 'damaged or does not add up'
	run 3 "$BIN/optag" audit show t
	rm -rf t && cp -a s t
}
cp -a s t
t=t/evidence/2026-11-23.log
sed -i '6s/call.match/call.matched/' $t && damaged '^evidence/2026-11-23.log:6: E-2: '
sed -i '11s/consent.none/consent.gone/' $t && damaged '^evidence/2026-11-23.log:11: E-3: '
sed -i 4d $t && damaged '^evidence/2026-11-23.log:4: E-4: event 4 is missing before this line$'
sed -i 4p $t && damaged '^evidence/2026-11-23.log:5: E-4: '
sed -i '4{h;d};5G' $t && damaged '^evidence/2026-11-23.log:4: E-4: '
truncate -s -1 $t && damaged '^evidence/2026-11-23.log:20: E-2: not a whole line$'
rm t/evidence/2026-11-24.* && damaged '^evidence/2026-11-25.log:1: E-4: events 21 to 39 are missing'
rm t/evidence/2026-11-23.root && damaged '^evidence/2026-11-23.root: E-6: missing$'
sed -i 's/^last 20$/last 21/' t/evidence/2026-11-23.root && damaged '^evidence/2026-11-23.root: E-7: '
sed -i '$d' t/evidence/2026-11-25.log && damaged '^evidence/head: E-9: event 58 '
truncate -s -40 t/evidence/2026-11-25.log && damaged '^evidence/2026-11-25.log:19: E-2: '
# no writer goes on behind it, and it names the place as well
sed -i 3d t/evidence/2026-11-25.log
run 1 "$MKEV" t
has err '^mkevidence: evidence/2026-11-25.log:3: .*rule E-4'
rm -rf t

# ---- a whole new log by another key: whole by itself, not by what was noted ----
run 0 "$BIN/optag" init --store other --keys k2
cp -a s t && rm -r t/evidence && run 0 "$MKEV" t && run 0 "$BIN/optag" audit verify t
run 3 "$BIN/optag" audit verify --public-key s/evidence/root.pub t
has out ': E-7: '
run 3 "$BIN/optag" audit verify --root "$root" t
rm -rf t

# ---- half a line after the last durable one: no damage; the next start cuts and tells ----
cp -a s t
printf '{"seq":59,"prev":"00' >>t/evidence/2026-11-25.log
run 0 "$BIN/optag" audit verify t
has out '^20 bytes at the end are half written'
run 0 "$MKEV" t 0
run 0 "$BIN/optag" audit show --event log.recovered t
has out 'log\.recovered  source daemon  bytes=20  count=1$'
run 0 "$BIN/optag" audit verify t
has out '^half-written ends were cut 1 time$'
[ "$(stat -c %a t/evidence/root.key)" = 600 ] || fail "mode of the signing key"

# ---- events in the outbox are told, and a bad file ----
run 0 "$MKEV" t outbox 3
run 0 "$BIN/optag" audit verify t
has out '^3 events in the outbox, not in the log yet$'
echo x >t/outbox/x.bad
run 0 "$BIN/optag" audit verify --json t
[ "$(jq -c '[.outbox, .outbox_bad]' out)" = '[3,1]' ] || fail "outbox in JSON"
exit 0
