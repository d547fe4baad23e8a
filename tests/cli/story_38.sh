#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 38: given yesterday's metadata and yesterday's policy, when simulated, then decisions equal those in the log, call by
# call. And what another policy changes is named. (Draws are different in each run; what is looked for does not depend on it.)
# shellcheck source=tests/cli/common
. "$SRC/tests/cli/common" || exit 1
# shellcheck source=tests/cli/labpolicy
. "$SRC/tests/cli/labpolicy" || exit 1
need jq
need sqlite3
gen="$BUILD/tests/gen/gencap"
cd "$TMP" || exit 1
sim() { # STATUS POLICY [ARGUMENTS...]
	run "$1" "$BIN/optag" policy simulate --store s --policy "$2" --json "${@:3}"
	[ "$1" != 0 ] || tail -1 out | jq -e .calls >/dev/null || fail "no summary"
}
sum() { tail -1 out | jq -c "$1"; }
all_same() { # CALLS
	[ "$(sum '[.calls,.compared,.same,.changed,.assumed,.not_comparable]')" = "[$1,$1,$1,0,0,{}]" ] || fail "not as it was: $(tail -1 out)"
	grep -q '"change"' out && fail "a change"
}
edit() { # SED...: another policy in new.policy
	sed "$@" two.policy >new.policy
	cmp -s two.policy new.policy && fail "nothing edited"
}

run 2 "$BIN/optag" policy simulate --since 2026-11-19 --until 2026-11-18
lab_two two.policy
run 0 "$BIN/optag" init --store s --keys k
sim 1 two.policy # no evidence yet
for d in 0 1 2; do
	"$gen" --calls 34 --seconds 14 --scenario consent,basic,basic,cancel,consent,basic,srtp --seed $d --start $((1795000000 + d * 86400)) \
		--interleave 600000 c.pcap || fail gencap
	run 0 "$BIN/optag" replay --store s --policy two.policy c.pcap
done
rm c.pcap
run 0 "$BIN/optag" find --store s --json
cp out rows
[ "$(wc -l <rows)" = 90 ] || fail "not 90 calls"
find s -type f -exec sha256sum {} + | sort >before

# ---- the same policy: every decision as it was ----
sim 0 two.policy
all_same 90
[ "$(sum '[.opened,.unmatched_then,.rows_without_log]')" = '[0,12,0]' ] || fail "unmatched"
for p in documentation training; do # and the sums are those of the catalog
	[ "$(jq -s "[.[]|select(.matched)|.kept.$p]|add" out)" = "$(jq -s "[.[]|select(.$p==\"GRANTED\" or .$p==\"OBJECTED\")]|length" rows)" ] || fail "sum $p"
	[ "$(jq -s "[.[]|select(.matched)|.denied[]|select(.purpose==\"$p\")|.calls]|add" out)" = \
		"$(jq -s "[.[]|select(.$p==\"DENIED\" or .$p==\"OPTED_OUT\")]|length" rows)" ] || fail "denials $p"
done
[ "$(jq -s '[.[]|select(.matched)|.draws|add]|add' out)" = 90 ] || fail "draws"
sim 0 two.policy --since 2026-11-19 --until 2026-11-20 # draws of the day before count, and are not drawn again
all_same 30
sim 0 two.policy --keys k
all_same 90
[ "$(sum .opened)" = 0 ] || fail "a number was opened without need"

# ---- a change that decides nothing then ----
edit 's/retention 1 months/retention 2 months/; s/owner "Head/owner "New head/'
sim 0 new.policy
all_same 90

# ---- fewer: only what was drawn, and never more than the cap ----
edit 's/sample 60%/sample 5%/; s/cap 12 per day/cap 1 per day/'
sim 0 new.policy
[ "$(sum '[.compared,.assumed]')" = '[90,0]' ] || fail "fewer: $(tail -1 out)"
jq -s -e '[.[]|select(.change)]|all(.change=="training" and .to_rule==.rule and (.is_reason|test("^(sample|quota)[.]")) and (.examples|length)>0)' out \
	>/dev/null || fail "fewer: another change"
[ "$(jq -s '[.[]|select(.change)|.calls]|add // 0' out)" = "$(sum .changed)" ] || fail "fewer: calls that changed"
[ "$(jq -s '[.[]|select(.matched and .rule=="documentation by interest, training with consent")|.draws["sample.in"] // 0]|add' out)" -le 27 ] || fail "cap"
# an example is a call, and why it was otherwise then is one command away
id=$(jq -r 'select(.change)|.examples[0]' out | head -1)
[ -z "$id" ] || run 0 "$BIN/optag" why --store s "$id"
sim 0 new.policy --examples 0
[ "$(jq -s '[.[]|select(.change)|.examples|length]|add // 0' out)" = 0 ] || fail "examples"

# ---- more: who was not asked then is not invented ----
edit 's/sample 70%/sample 100%/; s/cap 12 per day/cap 15 per day\n\t\tspread first-come/'
sim 0 new.policy
# (recordings that nobody uses throttle after a week, so fewer may come of it)
e='select(.matched and .rule=="documentation by interest, training with consent")'
jq -s -e "any(.[]; $e|(.draws[\"sample.in\"]>0) and .assumed.training <= .kept.training)" out >/dev/null || fail "more"
[ "$(sum .assumed)" -gt 0 ] || fail "nobody is assumed to have been asked"
jq -s -e '[.[]|select(.change and .was_reason=="consent.none" and .is!="DENIED")]|length==0' out >/dev/null || fail "silence became something else"

# ---- settings of the recording ----
edit 's/notice-proof attested/&\n\tmin-length 1 h/'
sim 0 new.policy
# one line alone would be of the first rule only; sed changed both
jq -s -e '[.[]|select(.matched)|.kept]|all(.documentation==0 and .training==0)' out >/dev/null || fail "min-length"
[ "$(jq -s '[.[]|select(.change=="documentation" and .is_reason=="too-short")|.calls]|add' out)" = \
	"$(jq -s '[.[]|select(.documentation=="GRANTED")]|length' rows)" ] || fail "too short"
edit 's/review 2027-06-01/review 2026-11-20/' # on the third day it is past; laboratories are not bound by that
sim 0 new.policy --today 2026-11-18
all_same 90

# ---- what callers were asked is another: nobody knows what they would have said ----
edit -e 's/consent-key 1/consent-key 5/; s/key:1/key:5/g; s/tryk 1/tryk 5/; s/press 1/press 5/'
sim 0 new.policy
[ "$(sum '.not_comparable|keys')" = '["another announcement is played"]' ] || fail "key: $(sum .not_comparable)"
[ "$(sum '.not_comparable|add')" = 60 ] || fail "key: how many"
edit 's/window notice-start+0s to notice-end+10s/window notice-start+2s to notice-end+10s/'
sim 0 new.policy
# who was not drawn stays so, whatever the window
[ "$(sum '.not_comparable|keys')" = '["the window is another"]' ] || fail "window: $(sum .not_comparable)"

# ---- the match is another ----
edit 's/called +45 3300 001\*, /called /' # no rule for 0010 to 0019
sim 0 new.policy
[ "$(sum .no_rule)" = 0 ] || fail "known without numbers"
u='"whether a rule matches needs the numbers of the call, which were not opened (--keys) or not kept"'
[ "$(sum ".not_comparable[$u]")" = 60 ] || fail "match: $(tail -1 out)"
sim 0 new.policy --keys k
# kept calls of 0010 to 0019 come to no rule, kept ones of 0020 to 0029 to theirs; what was not kept stays unknown
kept() { "$BIN/optag" find --store s --json --number "$1" | jq -s '[.[]|select(.documentation=="GRANTED")]|length'; }
n=0 m=0
for i in 0 1 2 3 4 5 6 7 8 9; do n=$((n + $(kept "+453300001$i"))) m=$((m + $(kept "+453300002$i"))); done
[ "$(sum '[.no_rule,.opened]')" = "[$n,$((n + m))]" ] || fail "with keys: $(tail -1 out), not $n and $m"
[ "$(sum ".not_comparable[$u]")" = $((60 - n - m)) ] || fail "with keys: unknown"
[ "$(jq -s '[.[]|select(.change=="rule" and .to_rule==null and (.never|not))|.calls]|add' out)" = $n ] || fail "no rule"
edit 's/^rule "documentation by/never "one caller" {\n\tcalling +45 7000 0012\n}\n&/'
sim 0 new.policy --keys k
[ "$(jq -s '[.[]|select(.change=="rule" and .never)|.calls]|add' out)" = "$(kept +4533000012)" ] || fail "never"
edit '/^rule "documentation by/,$d'
sim 0 new.policy
[ "$(sum '[.same,.no_rule]')" = '[30,0]' ] || fail "the first rule stays: $(tail -1 out)"
sim 1 two.policy --keys nowhere
mkdir -m 700 empty
sim 0 new.policy --keys empty
[ "$(sum .opened)" = 0 ] || fail "opened without a key"

# ---- three weeks: days whose seeds are published, spreading that has learned, caps lowered by low use ----
lab_policy b b.policy -e '/spread first-come/d; s/sample 100%/sample 10%/; s/cap [0-9]* per day/cap 30 per day/'
run 0 "$BIN/optag" init --store weeks --keys wk
run 0 "$BUILD/tests/gen/mkpast" weeks b.policy 6000 21
run 0 "$BIN/optag" audit verify weeks
run 0 "$BIN/optag" policy simulate --store weeks --policy b.policy --json
all_same 6000
jq -s -e '.[0]|.draws["sample.spread"]>0 and .pseudo_draws==0 and .throttled_from!=null' out >/dev/null || fail "weeks: draws"
run 0 "$BIN/optag" policy simulate --store weeks --policy b.policy --json --since 2026-11-25 --until 2026-12-02
[ "$(sum '.same==.calls and .calls>1000')" = true ] || fail "a week of them: $(tail -1 out)"
# without the sampler's records: by the published seeds and the calls' own Call-IDs it comes to the same
mv weeks/sampling sampling.away
run 0 "$BIN/optag" policy simulate --store weeks --policy b.policy --json --until 2026-12-05
[ "$(sum '.changed==0 and .same==.calls and .calls>4000')" = true ] || fail "by seeds alone: $(tail -1 out)"
[ "$(jq -s '.[0].pseudo_draws' out)" = 0 ] || fail "by seeds alone: pseudo-seeds"
run 0 "$BIN/optag" policy simulate --store weeks --policy b.policy --json
[ "$(jq -s '.[0].pseudo_draws' out)" -gt 0 ] || fail "the last days' seeds are not public"
mv sampling.away weeks/sampling
sed 's/sample 10%/sample 3%/; s/cap 30 per day/cap 8 per day/' b.policy >b2.policy
run 0 "$BIN/optag" policy simulate --store weeks --policy b2.policy --json
[ "$(jq -s '.[0].draws["sample.in"]' out)" -le $((22 * 8 * 4)) ] || fail "weeks: cap" # released slots are drawn again
jq -s -e '[.[]|select(.change=="training" and .was_reason=="consent.none" and .is=="GRANTED")]|length==0' out >/dev/null || fail "weeks: silence"

# ---- nothing was written, no number said ----
find s -type f -exec sha256sum {} + | sort | cmp -s - before || fail "something was written"
for f in two.policy new.policy; do
	run 0 "$BIN/optag" policy simulate --store s --policy $f --keys k
	cat out err >>said
done
grep -Eq '45(33|70)0000' said && fail "a number"
has out 'can be compared'
"$BIN/optag" policy simulate --store s --policy two.policy >/dev/full 2>err && fail "a full device is no success"

# ---- a catalog that says otherwise is found out, call by call ----
id=$(jq -r 'select(.training=="DENIED" and .reasons.training=="consent.none" and .documentation=="GRANTED")|.call' rows | head -1)
rm -rf copy && cp -a s copy
for db in copy/catalog/*/*.db; do sqlite3 "$db" "UPDATE calls SET training_state='GRANTED', training_reason='' WHERE uid='$id'" || fail sqlite3; done
run 0 "$BIN/optag" policy simulate --store copy --policy two.policy --json
[ "$(tail -1 out | jq -c '[.same,.changed]')" = '[89,1]' ] || fail "a forged row: $(tail -1 out)"
[ "$(jq -c 'select(.change)|[.change,.was,.is,.is_reason,.examples]' out)" = "[\"training\",\"GRANTED\",\"DENIED\",\"consent.none\",[\"$id\"]]" ] || fail "which"
# without rows the log alone says the same; without the policy of then nothing can be said
rm -rf copy && cp -a s copy
for db in copy/catalog/*/*.db; do sqlite3 "$db" "DELETE FROM calls" || fail sqlite3; done
run 0 "$BIN/optag" policy simulate --store copy --policy two.policy --json
[ "$(tail -1 out | jq -c '[.same,.changed]')" = '[90,0]' ] || fail "without rows: $(tail -1 out)"
rm copy/policies/*
run 0 "$BIN/optag" policy simulate --store copy --policy two.policy --json
[ "$(tail -1 out | jq -c '[.compared,(.not_comparable|add)]')" = '[0,90]' ] || fail "without the policy: $(tail -1 out)"
# a log that was changed is told
sed -i '0,/"event":"call.kept"/s/"packets":/"packets":1/' copy/evidence/*.log
run 3 "$BIN/optag" policy simulate --store copy --policy two.policy --json
has err 'damaged or does not add up'
exit 0
