#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 49, two-person rule: given one person with both cards, when approving the own proposal or releasing the own hold,
# refused. And all that an approval must be: of this policy, a step from what runs, in time, signed by an approver; whatever
# way the change comes.
. "$SRC/tests/cli/common"
. "$SRC/tests/cli/lib-policydaemon.sh"
need jq
need setpriv
[ "$(id -u)" = 0 ] || { echo "SKIP: only root can be several persons"; exit 77; }
ops=1501:60 anna=1502:60 third=1503:60
policy '3 months' >"$TMP/a"
policy '3 months' 'mute-dtmf no' >"$TMP/loose"
policy '2 months' >"$TMP/tight"
A=$(file_hash "$TMP/a") L=$(file_hash "$TMP/loose") T=$(file_hash "$TMP/tight")

# ---- keys ----
mkdir -m 777 "$TMP/keys"
for who in anna eve; do
	P() { run "$1" "$BIN/optag" policy "$2" "${@:3}"; }
	P 0 approver-key --name $who "$TMP/keys/$who"
	[ "$(stat -c %a "$TMP/keys/$who" "$TMP/keys/$who.pub" | tr '\n' ' ')" = "600 644 " ] || fail "modes of the keys"
done
P 1 approver-key --name anna "$TMP/keys/anna"
has err 'exists'
P 2 approver-key --name '+4561626364' "$TMP/keys/x"
P() { run "$1" "$BIN/optag" policy "$2" --control "$sock" "${@:3}"; }
chown 1502 "$TMP/keys/anna"
cp "$TMP/keys/anna" "$TMP/keys/ops-has-it-too" # one person with both cards
chown 1501 "$TMP/keys/ops-has-it-too"
cp "$TMP/keys/eve" "$TMP/keys/third"
chown 1503 "$TMP/keys/third"
daemon_() { start group=60 approver="$TMP/keys/anna.pub,1502"; }

# ---- the first policy of all loosens too: nothing is recorded until it is approved ----
cp "$TMP/a" "$live"
daemon_
[ "$(status .rules)" = 0 ] || fail "a first policy without approval"
P 0 status
has out '^ALARM +the files are not put in force, and nothing is recorded: 1 change loosens, and nobody approved it.*live.policy:1[0-9] rule "claims inbound"'
as $ops 0 policy propose --reason "first" "$live"
P 0 status
has out "^proposed  ${A:0:12}, until 20.*Z, by uid 1501: not approved yet"
as $anna 0 policy approve "${A:0:12}" --key "$TMP/keys/anna" --yes
has out '^Reason: first$'
has out '^Proposed by uid 1501 at '
has out '^Approved by anna until 20'
P 0 status
has out "^proposed  ${A:0:12}, until 20.*Z, by uid 1501: approved by anna$"
P 0 apply --yes --reason first "$live"
P 0 status
hasnt out '^proposed'
[ "$(hash)" = "$A" ] || fail "approved, and not in force"
# ---- loosening without approval: apply, SIGHUP, start ----
cp "$TMP/loose" "$live"
P 1 apply --yes --reason r "$live"
one_line err
has err '1 change loosens, and nobody approved it \(optag policy propose\); live.policy:1[0-9] rule "claims inbound", mute-dtmf'
kill -HUP $daemon
for _ in $(seq 1200); do grep -q 'policy.reject: by signal: 1 change loosens' "$TMP/log" && break; sleep 0.05; done
grep -q 'policy.reject: by signal: 1 change loosens' "$TMP/log" || fail "SIGHUP is not refused"
ended
daemon_
[ "$(hash)" = "$A" ] || fail "a start put in force what nobody approved"
P 0 status
has out "^ALARM +the files are not put in force, policy ${A:0:12} is: 1 change loosens"
# ---- approve: own proposal, own key by another hand, a stranger's key, nothing proposed ----
as $anna 1 policy approve "${L:0:12}" --key "$TMP/keys/anna" --yes
has err 'nobody proposed'
as $ops 0 policy propose --reason "callers asked for it" --ticket CHG-9 "$live"
has out "optag policy approve ${L:0:12}"
as $ops 1 policy approve "$L" --key "$TMP/keys/ops-has-it-too" --yes
has err 'only root, the daemon.s user and approvers may read' # who may not read it cannot sign blindly either
as $third 1 policy approve "$L" --key "$TMP/keys/third" --yes
chmod 644 "$TMP/keys/anna"
as $anna 1 policy approve "$L" --key "$TMP/keys/anna" --yes
has err 'others may read the key'
chmod 600 "$TMP/keys/anna"
as $anna 1 policy approve "$L" --key "$TMP/keys/anna.pub" --yes
# by the socket alone, with the approver's key in the proposer's hand: refused, and logged
"$BUILD/tests/gen/mkapproval" "$TMP/keys/anna" "$L" "$A" 1501 9999999999 >"$TMP/forged"
send() { # UID:GID, approval on stdin; prints the answer
	jq -Rsc '{do: "policy-approve", approval: .}' | setpriv --reuid "${1%:*}" --regid "${1#*:}" --clear-groups \
		perl -MIO::Socket::UNIX -e 'local $/; my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die; print $s <STDIN>; $s->flush; $/ = "\n"; print scalar <$s>' "$sock"
}
need perl
send $ops <"$TMP/forged" >"$TMP/out"
has out 'not of what was proposed' # a time that was not proposed
grep -q 'policy.approve: refused, by uid 150[0-9]: ' "$TMP/log" || fail "not logged"
lines=$(grep -c 'policy.approve: refused' "$TMP/log")
t=$SECONDS
for _ in $(seq 30); do send $ops <"$TMP/forged" >/dev/null; done # as often as somebody likes: the log has it now and then
[ $(($(grep -c 'policy.approve: refused' "$TMP/log") - lines)) -le $(((SECONDS - t) / 10 + 1)) ] || fail "each refused approval has a line in the log"
until=$("$BIN/optag" policy history --control "$sock" --json --limit 1 | jq '.until | sub("\\..*Z"; "Z") | fromdate')
"$BUILD/tests/gen/mkapproval" "$TMP/keys/anna" "$L" "$A" 1501 "$until" >"$TMP/good"
send $ops <"$TMP/good" >"$TMP/out"
has out 'takes a second person'
sed 's/^signature ../signature 00/' "$TMP/good" | send $third >"$TMP/out"
has out 'signature of the approval is not'
"$BUILD/tests/gen/mkapproval" "$TMP/keys/eve" "$L" "$A" 1501 "$until" | send $third >"$TMP/out"
has out 'no approver'
"$BUILD/tests/gen/mkapproval" "$TMP/keys/anna" "$L" "$A" 1502 "$until" | send $third >"$TMP/out"
has out 'not of what was proposed'
P 1 apply --yes --reason r "$live"
# what lies in the store without having come through the daemon is checked all the same
"$BUILD/tests/gen/mkapproval" "$TMP/keys/eve" "$L" "$A" 1501 "$until" >"$store/policies/$L.approval"
P 1 apply --yes --reason r "$live"
has err 'no approver'
"$BUILD/tests/gen/mkapproval" "$TMP/keys/anna" "$L" "$A" 1502 "$until" >"$store/policies/$L.approval"
P 1 apply --yes --reason r "$live"
has err 'takes a second person'
"$BUILD/tests/gen/mkapproval" "$TMP/keys/anna" "$L" "$A" 1501 1000000000 >"$store/policies/$L.approval"
P 1 apply --yes --reason r "$live"
has err 'time of the approval is over'
"$BUILD/tests/gen/mkapproval" "$TMP/keys/anna" "$L" "$T" 1501 "$until" >"$store/policies/$L.approval"
P 1 apply --yes --reason r "$live"
has err 'step from another policy'
echo nonsense >"$store/policies/$L.approval"
P 1 apply --yes --reason r "$live"
has err 'cannot be read'
# ---- the second person says yes ----
as $anna 0 policy approve "$L" --key "$TMP/keys/anna" --yes
has out 'LOOSENS +.*mute-dtmf'
has out '^Ticket: CHG-9$'
P 0 apply --yes --reason "callers asked for it" "$live"
[ "$(hash)" = "$L" ] || fail "approved, and not in force"
P 0 history
has out "load +apply +${L:0:12}.*approved by anna"
has out "approve +${L:0:12}.*approved by anna"
grep -q '^done approve' "$TMP/ready" || fail "not told to the evidence log"
[ -f "$store/policies/$L.approval" ] || fail "the signature is not kept"
# ---- tightening needs nobody; back again is loosening, and an old approval does not count twice ----
cp "$TMP/tight" "$live"
P 0 apply --yes --reason r "$live"
[ "$(hash)" = "$T" ] || fail "tightening was refused"
cp "$TMP/loose" "$live"
P 1 apply --yes --reason r "$live"
has err 'step from another policy'
n=$("$BIN/optag" policy history --control "$sock" --json --limit 100 | jq -s '[.[] | select(.policy == "'"$L"'" and .what == "load")][0].n')
P 1 rollback "$n" --yes --reason r
has err 'loosen'
# a change that nobody confirmed comes back without approval: it ran before
policy '1 months' >"$live"
P 0 apply --yes --reason r --confirm 1s "$live"
wait_for "$T" hash
# ---- the start of a stopped rule takes two as well ----
as $ops 0 rule stop "claims inbound"
as $ops 1 rule start "claims inbound" --reason "it is over"
has err 'proposed now: optag policy approve [0-9a-f]{12}'
id=$(sed -n 's/.*approve \([0-9a-f]*\).*/\1/p' "$TMP/err")
as $ops 1 rule start "claims inbound" --reason "it is over"
has err 'nobody approved it'
as $anna 0 policy approve "$id" --key "$TMP/keys/anna" --yes
has out '^Starts again: rule claims inbound$'
as $ops 0 rule start "claims inbound" --reason "it is over"
as $ops 0 rule stop "claims inbound"
as $ops 1 rule start "claims inbound" --reason "again" # the approval was of the start before
ended

# ---- the end of a hold: who asks for it does not confirm it, whatever he says who he is ----
run 0 "$BIN/optag" init --store "$TMP/held" --keys "$TMP/heldkeys"
run 0 "$BUILD/tests/gen/mkheld" "$TMP/held" c:1:90:0
call=$(cut -d' ' -f2 "$TMP/out")
hold() { run "$2" setpriv --ruid "$1" --euid 0 "$BIN/optag" hold "${@:3}"; }
hold 1501 0 add --store "$TMP/held" --reason dispute --reference D --review "$(date -u -d '+1 month' +%F)" "$call"
hold 1501 0 release --store "$TMP/held" --reason settled "$call"
for who in SUDO_UID=1502 SUDO_USER=anna USER=anna LOGNAME=anna; do
	run 1 env "$who" setpriv --ruid 1501 --euid 0 "$BIN/optag" hold release --store "$TMP/held" --reason settled "$call"
	has err 'takes a second person'
done
[ "$("$BIN/optag" hold list --store "$TMP/held" | wc -l)" = 2 ] || fail "one person ended a hold"
hold 1502 0 release --store "$TMP/held" --reason settled "$call"
[ "$("$BIN/optag" hold list --store "$TMP/held" | wc -l)" = 0 ] || fail "two persons did not end a hold"
exit 0
