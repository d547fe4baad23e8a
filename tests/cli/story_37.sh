#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 37, broken file: given a truncated file on disk and a restart, the daemon starts with the policy that ran last (with
# approval required: the last that was approved); when that is missing it records nothing, and alarms.
. "$SRC/tests/cli/common"
. "$SRC/tests/cli/lib-policydaemon.sh"
need jq
policy '3 months' >"$TMP/whole"
head -c -60 "$TMP/whole" >"$TMP/torn"
cp "$TMP/whole" "$live"
start
last=$(hash)
ended
cp "$TMP/torn" "$live"
start
[ "$(hash)" = "$last" ] || fail "it did not start with what ran last"
[ "$(status .rules)" = 1 ] || fail "without its rule"
P 0 status
has out '^ALARM +.*live.policy:[0-9]+:[0-9]+: L-.*, which ran last, is in force$'
grep -q 'policy.alarm: ' "$TMP/log" || fail "no alarm in the log"
P 1 drift
has out 'do not load'
cp "$TMP/whole" "$live"
kill -HUP $daemon
wait_for null status .alarm
ended
# ---- it is missing, or damaged: nothing is recorded ----
cp "$TMP/torn" "$live"
mv "$store/policies/$last.policy" "$TMP/kept"
start
[ "$(status .rules)" = 0 ] || fail "rules from nowhere"
P 0 status
has out '^ALARM +.*nothing is recorded$'
ended
sed 's/3 months/9 months/' "$TMP/kept" >"$store/policies/$last.policy"
start
[ "$(status .rules)" = 0 ] || fail "a kept policy that somebody edited was put in force"
# and when the file is whole again, it is recorded by
cp "$TMP/whole" "$live"
P 0 apply --yes --reason repaired "$live"
[ "$(hash)" = "$last" ] || fail "not repaired"
[ "$(status .alarm)" = null ] || fail "the alarm stays"
ended
# ---- no store that knows anything ----
rm -r "$store/policies"
cp "$TMP/torn" "$live"
start
[ "$(status .rules)" = 0 ] || fail "rules from a broken file"
P 0 status
has out '^ALARM '
ended
exit 0
