#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# optag policy diff, apply and status, optag set: against the daemon's policy module behind its socket and its
# system-call filter.
. "${0%/*}/common"
need jq
. "${0%/*}/lib-policydaemon.sh"
number=+4561626364

policy() { # RETENTION [MORE]
	cat <<END
set own numbers { +45 7010 20* }
set no-record dynamic numbers
set back dynamic numbers
set fixed numbers { +45 1111 1111 }
announcement n { language da link https://c.example/telefon elements rec doc link object access text "x" }
assessment d { kind documentation scope @own review $(date -u -d '+8 months' +%F) no-other-way "n"
 factor 1 relied-on "a"
 factor 2 relied-on "a"
 factor 3 relied-on "a"
 factor 4 relied-on "a"
 factor 5 relied-on "a"
 factor 6 relied-on "a"
}
controller c { timezone UTC numbers @own }
never "list" { calling @no-record }
rule "r" { controller c side called called @own calling @back, +46 81 23*
 owner O review $(date -u -d '+8 months' +%F) notice n notice-proof api
 documentation { basis interest assessment d retention $1 } ${2-}
}
END
}
apply() { run "$1" "$BIN/optag" policy apply --control "$sock" "${@:2}"; }
set_() { run "$1" "$BIN/optag" set "$2" --control "$sock" "${@:3}"; }

# ---- diff, without a daemon ----
policy '2 months' >"$TMP/a.policy"
policy '1 months' 'mute-dtmf no' >"$TMP/b.policy"
run 0 "$BIN/optag" policy diff "$TMP/a.policy" "$TMP/b.policy"
has out '^shortens +.*b\.policy:[0-9]+: rule "r", documentation retention: retention 2 months -> retention 1 months$'
has out '^LOOSENS +.*b\.policy:[0-9]+: rule "r", mute-dtmf: - -> mute-dtmf no$'
has out '^0 tighten, 1 shorten, 1 loosen, 0 neutral$'
run 0 "$BIN/optag" policy diff --json "$TMP/b.policy" "$TMP/a.policy"
[ "$(jq -rc '[.change, .setting] | join(" ")' "$TMP/out" | sort | tr '\n' ',')" = "loosen documentation retention,tighten mute-dtmf," ] || fail "diff --json"
# what is said of a setting is so in both directions
policy '2 months' 'min-length 6 s' | sed "s/ owner O review [0-9-]*/ owner O review $(date -u -d '+7 months' +%F)/" >"$TMP/d.policy"
for d in 'a d' 'd a'; do
	run 0 "$BIN/optag" policy diff "$TMP/${d% *}.policy" "$TMP/${d#* }.policy"
	grep -A1 'min-length: ' "$TMP/out" | grep -q 'which calls are too short to be kept' || fail "diff $d: min-length"
	grep -A1 'review: ' "$TMP/out" | grep -q 'by when the rule is to be looked at again (N-18)' || fail "diff $d: review"
done
run 0 "$BIN/optag" policy diff "$TMP/a.policy" "$TMP/a.policy"
has out '^No difference\.$'
run 2 "$BIN/optag" policy diff "$TMP/a.policy" /dev/null/none
run 2 "$BIN/optag" policy diff "$TMP/a.policy"

# ---- nobody there ----
run 1 "$BIN/optag" policy status --control "$sock"
one_line err
has err 'is optagd running'

# ---- apply ----
cp "$TMP/a.policy" "$live"
start
old=$(hash)
[ -f "$store/policies/$old.policy" ] || fail "the first policy is not kept"
[ "$(stat -c %a "$store/policies/$old.policy")" = 640 ] || fail "mode of a kept policy"
[ "$(stat -c %a "$store/sets")" = 600 ] || fail "mode of the sets"
"$BIN/optag" policy fmt "$live" | cmp -s - "$store/policies/$old.policy" || fail "what is kept is not the canonical text"
run 0 "$BIN/optag" policy status --control "$sock"
has out '^files +hold what runs$'
apply 0 "$live"
has out 'in force already'
apply 0 --json "$live"
jq -e --arg h "$old" '. == {"hash": $h, "unchanged": true}' "$TMP/out" >/dev/null || fail "in force already, --json: $(cat "$TMP/out")"
# the daemon's own file is another one: nothing changes
apply 1 --yes --reason test "$TMP/b.policy"
has err 'is not the policy given'
has err "nothing changed; the daemon reads '$live'"
[ "$(hash)" = "$old" ] || fail "a policy from elsewhere was taken"
cp "$TMP/b.policy" "$live"
run 0 "$BIN/optag" policy status --control "$sock"
has out '^files +differ from what runs: [0-9a-f]{12}'
apply 0 --dry-run "$live"
has out '^0 tighten, 1 shorten, 1 loosen, 0 neutral\. What loosens'
[ "$(hash)" = "$old" ] || fail "--dry-run changed something"
# what is gone is named by its place in the text that runs
sed '/^never/d' "$TMP/b.policy" >"$live"
apply 0 --dry-run "$live"
has out '^LOOSENS +running:[0-9]+ \(old\): never "list": there -> -$'
apply 0 --dry-run --json "$live"
jq -se 'any(.[]; .removed and .file == "running" and .object == "never \"list\"")' "$TMP/out" >/dev/null || fail "what is gone, --json: $(cat "$TMP/out")"
cp "$TMP/b.policy" "$live"
apply 1 --reason test "$live" # nobody to ask
has err 'yes says yes'
[ "$(hash)" = "$old" ] || fail "changed without a yes"
apply 0 --yes --reason test "$live"
has out '^In force: policy [0-9a-f]{12}, for new calls after [0-9]+ ms\.$'
has out '^Calls in progress: 2 of 7 tightened, 2 purposes ended'
new=$(hash)
[ "$new" != "$old" ] || fail "not in force"
[ "$(ls "$store/policies" | grep -c "\.policy$")" = 2 ] || fail "both policies are not kept"
grep -q 'policy.load: .*by uid .*0 tighten, 1 shorten, 1 loosen' "$TMP/log" || fail "the log does not say who did what"
run 0 "$BIN/optag" policy status --json --control "$sock"
[ "$(jq -c '[.uid, .drift, .loads, .rules, has("ok")]' "$TMP/out")" = "[$(id -u),false,1,1,false]" ] || fail "status --json"
# as JSON: items, then the answer
cp "$TMP/a.policy" "$live"
apply 0 --yes --reason test --json "$live"
[ "$(tail -1 "$TMP/out" | jq -r .hash)" = "$old" ] || fail "apply --json"
[ "$(tail -1 "$TMP/out" | jq -r .was)" = "$new" ] || fail "apply --json: was"

# ---- files that do not load ----
echo "rule \"x\" { called $number }" >>"$live"
apply 2 --yes --reason test "$live"
has err 'L-0[0-9]'
kill -HUP $daemon
for _ in $(seq 1200); do grep -q 'policy.reject: by signal' "$TMP/log" && break; sleep 0.05; done
grep -q 'policy.reject: by signal: .*live.policy:[0-9]*:[0-9]*: L-' "$TMP/log" || fail "a bad file at SIGHUP: no line"
[ "$(hash)" = "$old" ] || fail "a bad file was taken"
run 0 "$BIN/optag" policy status --control "$sock"
has out '^refused +20'
has out 'do not load'
cp "$TMP/b.policy" "$live"
kill -HUP $daemon
for _ in $(seq 1200); do [ "$(hash)" = "$new" ] && break; sleep 0.05; done
[ "$(hash)" = "$new" ] || fail "SIGHUP does not take a good file"

# a hundred swaps in a row, each answered
for i in $(seq 100); do
	[ $((i % 2)) = 1 ] && cp "$TMP/a.policy" "$live" || cp "$TMP/b.policy" "$live"
	"$BIN/optag" policy apply --yes --reason test --control "$sock" "$live" >/dev/null || fail "swap $i"
done
[ "$(hash)" = "$new" ] || fail "after a hundred swaps"
for _ in $(seq 1200); do # each old policy is looked at in turn
	[ "$("$BIN/optag" policy status --json --control "$sock" | jq .older_policies)" = 0 ] && break
	sleep 0.1
done
[ "$("$BIN/optag" policy status --json --control "$sock" | jq .older_policies)" = 0 ] || fail "old policies stay"

# ---- sets ----
set_ 0 add no-record "+45 61-62 63.64" --note "asked on the telephone" --for 90d
set_ 0 add back +4670000001
set_ 0 list
has out '^no-record +1  forbids recording$'
has out '^back +1  allows recording$'
set_ 0 list no-record
has out "^\\$number +20[0-9-]+T.*Z +$(id -u)  asked on the telephone$"
set_ 0 list no-record --json
[ "$(jq -r .number "$TMP/out")" = "$number" ] || fail "list --json"
set_ 1 add fixed $number
has err 'not dynamic'
set_ 1 add nothing $number
has err 'no such set'
set_ 2 add no-record 61626364
set_ 2 add no-record "+45 6162 6364" --until 2040-01-01 --for 1d
set_ 1 add no-record $number --until 2001-01-01
set_ 1 del no-record +4561626365
has err 'no such member'
set_ 1 list nothing
hasnt err "$number"
# what was answered is on disk; the next daemon knows it, and not what was deleted
set_ 0 add no-record +4561626366
set_ 0 del no-record +4561626366
ended
grep -q 61626366 "$store/sets" && fail "a deleted number is still in the file"
start
[ "$(hash)" = "$new" ] || fail "after a restart"
set_ 0 list no-record
has out "^\\$number "
one_line out
# a torn last line is nobody's; anything else wrong stops the start
ended
printf '{"add":"no-record","numb' >>"$store/sets"
start
set_ 0 list no-record
one_line out
ended
cp "$store/sets" "$TMP/sets"
sed -i '2s/number/nummer/' "$store/sets"
"$BUILD/tests/gen/policydaemon" "$sock" "$live" "$store" >"$TMP/out" 2>"$TMP/err" && fail "damaged sets: it starts"
has err 'sets: line 2 is no member'
hasnt err "$number"
cp "$TMP/sets" "$store/sets"

# ---- one of the group: stricter, and no numbers ----
start guest
set_ 0 add no-record +4561626367
set_ 1 del no-record +4561626367
has err 'only root'
set_ 1 add no-record +4561626367 --for 1h # it had no end
set_ 1 add back +4561626367
set_ 1 list no-record
has err 'only root'
set_ 0 list
has out '^no-record +2 '
set_ 0 del back +4670000001
ended
grep -qE '[0-9]{8}' <(grep -vE 'policy [0-9a-f]{12}|was [0-9a-f]{12}' "$TMP/log" | sed 's/[0-9a-f]\{12\}//g') && { cat "$TMP/log"; fail "a number in the log"; }

# ---- the store cannot be written: nothing changes ----
start
policy '3 months' >"$live"
if [ "$(id -u)" != 0 ]; then
	chmod 500 "$store/policies"
	apply 1 --yes --reason test "$live"
	chmod 750 "$store/policies"
else
	mkdir "$store/policies/$("$BIN/optag" policy fmt "$live" | b2sum -l 256 | cut -d' ' -f1).policy"
	apply 1 --yes --reason test "$live"
fi
has err 'cannot be kept'
[ "$(hash)" = "$new" ] || fail "in force without being kept"
ended
exit 0
