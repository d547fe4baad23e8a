#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Where approval is required, nobody alone takes a number off the list of those who are not recorded, lets it end sooner
# there, or puts one into a set that allows: it is proposed, approved by a second person who sees the number, and made once.
# What forbids is done at once by whoever may. No number is in the history, the log or an approval.
. "$SRC/tests/cli/common"
. "$SRC/tests/cli/lib-policydaemon.sh"
need jq
need setpriv
[ "$(id -u)" = 0 ] || { echo "SKIP: only root can be several persons"; exit 77; }
ops=1501:60 anna=1502:60 third=1503:60
number=+4561626364 other=+4571727374
{
	policy '3 months' | sed 's/calling +46 81 23\*/calling @back, +46 81 23*/'
	printf 'set no-record dynamic numbers\nset back dynamic numbers\nnever "list" { calling @no-record }\n'
} >"$live"
start
A=$(hash)
ended
mkdir -m 777 "$TMP/keys"
for who in anna eve; do run 0 "$BIN/optag" policy approver-key --name $who "$TMP/keys/$who"; done
chown 1502 "$TMP/keys/anna"
cp "$TMP/keys/eve" "$TMP/keys/third"
chown 1503 "$TMP/keys/third"
daemon_() { start group=60 approver="$TMP/keys/anna.pub,1502"; }
S() { run "$1" "$BIN/optag" set "$2" --control "$sock" "${@:3}"; }
members() { "$BIN/optag" set list --control "$sock" --json "$1" | jq -r '[.number, .until // "-"] | join(" ")' | sort | tr '\n' ','; }
proposed() { sed -n 's/.*approve \([0-9a-f]\{12\}\).*/\1/p' "$TMP/err"; }
daemon_
[ "$(hash)" = "$A" ] || fail "not in force"

# ---- stricter: at once ----
as $ops 0 set add no-record $number
S 0 add no-record $other
[ "$(members no-record)" = "$number -,$other -," ] || fail "members: $(members no-record)"
# ---- off the list: not even root alone ----
S 1 del no-record $number
has err 'a change needs a reason'
[ "$(status '.proposed | length')" = 0 ] || fail "proposed without a reason"
S 1 del no-record $number --reason 'written down wrongly' --ticket CHG-3
has err 'not changed: it takes a second person, and is proposed now: optag policy approve [0-9a-f]{12}$'
id=$(proposed)
[ "$(members no-record)" = "$number -,$other -," ] || fail "off the list by one person"
S 1 del no-record $number --reason again
has err "nobody approved it \\(optag policy approve $id\\)"
S 1 del no-record +4561626300 --reason r
has err 'no such member'
P 0 status
has out "^proposed  $id, a change of set no-record, until 20.*Z, by uid 0: not approved yet"
# ---- the second person sees what it is ----
as $third 1 policy approve "$id" --key "$TMP/keys/third" --yes
has err 'which number it is, is not known here'
as $ops 0 set add no-record $number # a third one meanwhile: nothing changes
as $anna 0 policy approve "$id" --key "$TMP/keys/anna" --yes
has out '^Reason: written down wrongly$'
has out '^Ticket: CHG-3$'
has out "^Takes \\$number out of set no-record\$"
has out 'It is made with: optag set, as before'
P 0 status
has out "^proposed  $id, a change of set no-record, until 20.*Z, by uid 0: approved by anna$"
# ---- of that number, and of no other; once ----
S 1 del no-record $other --reason r
[ "$(proposed)" != "$id" ] || fail "one approval for two numbers"
S 0 del no-record $number
[ "$(members no-record)" = "$other -," ] || fail "members: $(members no-record)"
P 0 status
hasnt out "^proposed  $id"
as $ops 0 set add no-record $number
S 1 del no-record $number --reason r
has err 'is proposed now'
[ "$(proposed)" != "$id" ] || fail "used twice"
as $anna 1 policy approve "$id" --key "$TMP/keys/anna" --yes
# ---- sooner, where it had no end ----
S 1 add no-record $other --for 90d --reason 'only this quarter'
id=$(proposed)
as $anna 0 policy approve "$id" --key "$TMP/keys/anna" --yes
has out "^Puts \\$other into set no-record, until 20"
S 0 add no-record $other --for 1d # it ends as it was proposed, not sooner
members no-record | grep -q "$other $(date -u -d '+90 days' +%Y-%m)" || fail "another end than was approved: $(members no-record)"
# ---- into a set that allows; one of the group asks ----
as $ops 1 set add back $number --reason 'rings from a new number'
id=$(proposed)
S 1 add back $number --reason r
has err "approve $id"
as $anna 0 policy approve "$id" --key "$TMP/keys/anna" --yes
as $ops 0 set add back $number
[ "$(members back)" = "$number -," ] || fail "members: $(members back)"
as $ops 0 set del back $number # stricter
# ---- it ends with the daemon, and with the policy ----
S 1 del no-record $number --reason r
id=$(proposed)
as $anna 0 policy approve "$id" --key "$TMP/keys/anna" --yes
ended
daemon_
P 0 status
hasnt out '^proposed'
S 1 del no-record $number --reason r
has err 'is proposed now'
id=$(proposed)
as $anna 0 policy approve "$id" --key "$TMP/keys/anna" --yes
sed -i 's/retention 3 months/retention 2 months/' "$live"
P 0 apply --yes --reason stricter "$live"
S 1 del no-record $number --reason r
has err 'is proposed now'
[ "$(members no-record | tr ',' '\n' | grep -c "$number -")" = 1 ] || fail "an approval under another policy"
# ---- what is written down ----
P 0 history --limit 100
has out 'propose .* set no-record +until .*CHG-3  written down wrongly'
has out 'approve .* approved by anna  set back'
ended
for f in "$store"/policies/* "$TMP/log" "$TMP/ready"; do
	grep -qE '6162|7172' "$f" && grep -qF -e 61626364 -e 71727374 "$f" && fail "a number in ${f##*/}"
done
exit 0
