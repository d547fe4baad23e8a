#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# What people do to a running policy: reason, confirm, cancel, rollback, history, drift; rules stopped and started.
# All of it over restarts of the daemon, one of them by kill -9.
. "$SRC/tests/cli/common"
. "$SRC/tests/cli/lib-policydaemon.sh"
need jq
policy '3 months' >"$TMP/a"
policy '2 months' >"$TMP/b"
policy '1 months' >"$TMP/c"
A=$(file_hash "$TMP/a") B=$(file_hash "$TMP/b") C=$(file_hash "$TMP/c")
cp "$TMP/a" "$live"
start

# ---- reason ----
cp "$TMP/b" "$live"
P 2 apply --yes "$live"
has err 'needs a reason'
P 1 apply --yes --reason "$(printf 'x%.0s' $(seq 300))" "$live"
has err 'up to 200 bytes'
P 1 apply --yes --reason 'line
line' "$live"
P 2 apply --yes --reason x --confirm 10m --effective 1h "$live"
P 2 apply --yes --reason x --confirm 0s "$live"
[ "$(hash)" = "$A" ] || fail "changed without a reason"
P 0 apply --yes --reason "counsel's note" --ticket CHG-17 "$live"
[ "$(hash)" = "$B" ] || fail "not applied"
P 0 drift
has out "hold what runs: policy ${B:0:12}"
P 0 history --json
jq -se '(.[0] | .n == 2 and .what == "load" and .how == "apply" and .reason == "counsel'"'"'s note" and .ticket == "CHG-17"
	and .shortens == 1 and .uid == '"$(id -u)"') and (.[1] | .n == 1 and .how == "start" and .uid == null) and length == 2' "$TMP/out" >/dev/null ||
	fail "history: $(cat "$TMP/out")"
grep -q '^done load apply' "$TMP/ready" || fail "the evidence log was not told: $(cat "$TMP/ready")"
grep -q "counsel" "$TMP/log" && fail "the reason is in the log"

# ---- confirm ----
P 1 confirm
has err 'nothing waits'
cp "$TMP/c" "$live"
P 0 apply --yes --reason r --confirm 10m "$live"
has out 'unless it is confirmed in time'
P 0 status
has out '^confirm +until 20'
cp "$TMP/a" "$live"
P 1 apply --yes --reason r "$live"
has err 'waits to be confirmed'
kill -HUP $daemon
for _ in $(seq 1200); do grep -q 'policy.reject: by signal: a change waits' "$TMP/log" && break; sleep 0.05; done
[ "$(hash)" = "$C" ] || fail "SIGHUP changed what waits to be confirmed"
P 0 confirm
has out "${C:0:12} is confirmed"
[ "$(status .confirm_until)" = null ] || fail "still to be confirmed"
ended
start
[ "$(hash)" = "$A" ] || fail "the files' change was not taken at the start" # longer, and nobody asks for approval here
P 2 rollback 0 --yes --reason r
# ---- not confirmed: back, whether the daemon lives or not ----
cp "$TMP/b" "$live"
P 0 apply --yes --reason r --confirm 1s "$live"
has out "^In force: policy ${B:0:12}"
wait_for "$A" hash
until_told 'load revert' "the switch back was not told to the evidence log"
P 0 history --limit 2
has out "load +revert +${A:0:12}"
has out "load +apply +${B:0:12}.* until "
P 1 drift
has out "files hold policy ${B:0:12}, and ${A:0:12} runs"
ended # the files still hold what was reverted: a restart does not bring it back
start
[ "$(hash)" = "$A" ] || fail "a restart brings back what was reverted"
P 0 apply --yes --reason 'meant this time' --confirm 4s "$live"
ended -KILL
sleep 4.2
start
[ "$(hash)" = "$A" ] || fail "the daemon died, and what nobody confirmed stays"
until_told 'load revert' "the revert at the start was not told"
P 0 apply --yes --reason r --confirm 1h "$live"
ended -KILL
start
[ "$(hash)" = "$B" ] || fail "reverted too early"
[ "$(status .confirm_until)" != null ] || fail "the daemon forgot that it waits"
P 0 confirm
ended
start
[ "$(hash)" = "$B" ] || fail "confirmed, and gone after a restart"

# ---- rollback ----
n=$("$BIN/optag" policy history --control "$sock" --json --limit 100 | jq -s '[.[] | select(.policy == "'"$C"'" and .what == "load")][0].n')
P 0 rollback "$n" --yes --reason 'as it was'
has out "^In force: policy ${C:0:12}, was ${B:0:12}: 0 tighten, 1 shorten, 0 loosen"
[ "$(hash)" = "$C" ] || fail "not rolled back"
P 1 rollback 9999 --yes --reason r
has err 'put no policy in force'
P 2 rollback x --yes --reason r
P 2 rollback "$n" --yes
ended
start
[ "$(hash)" = "$C" ] || fail "a restart undoes the rollback"
policy '20 days' >"$live" # edited since: what the files hold is meant again
ended
start
[ "$(hash)" = "$(file_hash "$live")" ] || fail "edited files are not taken at the start"

# ---- later ----
cp "$TMP/b" "$live"
P 0 apply --yes --reason r --effective 24h "$live"
has out "${B:0:12} comes in force at 20.*unless optag policy cancel"
[ "$(hash)" != "$B" ] || fail "in force at once"
ended
start
[ "$(hash)" = "$B" ] && fail "a restart puts in force what was to come tomorrow" # the files hold it: it waits all the same
P 0 status
has out "^staged +${B:0:12} comes in force at "
kill -HUP $daemon
for _ in $(seq 1200); do grep -q 'policy.reject: by signal: the files hold what comes in force later' "$TMP/log" && break; sleep 0.05; done
[ "$(hash)" = "$B" ] && fail "SIGHUP puts in force what was to come tomorrow"
P 0 cancel
ended
start
[ "$(hash)" = "$B" ] && fail "a restart puts in force what was cancelled"
P 1 cancel
has err 'no change waits'
P 0 apply --yes --reason r --effective 1s "$live"
wait_for "$B" hash
until_told 'load effective' "not told when it came in force"

# ---- stop and start a rule ----
wait_for false status .tightening_now # what came in force is through all calls
R 1 stop "no such rule"
has err 'no such rule'
R 0 stop 'claims inbound'
# the made-up calls are tightened by each sweep: by two, when the line is durable only after the first
has out '^Stopped. Calls in progress: [24] of 7 tightened, [24] purposes ended'
R 1 stop 'claims inbound' --reason again
has err 'stopped already'
P 0 status
has out '^STOPPED +rule claims inbound, since 20.*by uid'
ended -KILL
start
R 0 list
has out '^claims inbound +since'
cp "$TMP/c" "$live"
P 0 apply --yes --reason r "$live"
kill -HUP $daemon
P 0 status
has out '^STOPPED +rule claims inbound'
R 2 start 'claims inbound'
R 0 start 'claims inbound' --reason 'the supplier fixed it'
has out '^Started'
R 0 list
[ ! -s "$TMP/out" ] || fail "still stopped"
R 1 start 'claims inbound' --reason r
P 0 history --limit 3
has out 'stop +.* rule claims inbound'
has out 'start +.* rule claims inbound +the supplier fixed it'
grep -q '^done start' "$TMP/ready" || fail "the start was not told to the evidence log"
# what the log and the file say
P 0 history --limit 100 --json
[ "$(jq -s 'map(.n) == [range(length; 0; -1)]' "$TMP/out")" = true ] || fail "numbers of the history: $(jq -c .n "$TMP/out" | tr '\n' ' ')"
[ "$(stat -c %a "$store/policies/history")" = 640 ] || fail "mode of the history"
# ---- one of the group may stop a rule and not start it ----
ended
start guest
R 0 stop 'claims inbound' --reason r
R 1 start 'claims inbound' --reason r
has err 'only root'
ended
# ---- a torn last line is nobody's; anything else wrong stops the start ----
printf '{"n":99,"at":12' >>"$store/policies/history"
start
R 0 list
has out '^claims inbound'
ended
sed -i '2s/"load"/"laod"/' "$store/policies/history"
"$BUILD/tests/gen/policydaemon" "$sock" "$live" "$store" >"$TMP/out" 2>"$TMP/err" && fail "damaged history: it starts"
has err 'history: line 2 is damaged'
exit 0
