#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# why: the life of calls that were kept, denied, not drawn, gaps; log and catalog that do not agree; what is not there.
# shellcheck source=tests/cli/common
. "$SRC/tests/cli/common" || exit 1
# shellcheck source=tests/cli/labpolicy
. "$SRC/tests/cli/labpolicy" || exit 1
need jq
need sqlite3
gen="$BUILD/tests/gen/gencap"
cd "$TMP" || exit 1
why() { run "$1" "$BIN/optag" why --store "$2" "${@:3}"; }
uid() { # STORE N: of its Nth call
	"$BIN/optag" find --store "$1" --json | jq -r .call | sed -n "$2p"
}
nobody=01KDVDNA00SYWF0W4VW9FAS3YK

run 0 "$BIN/optag" init --store s --keys k
why 1 s $nobody
has err 'no such call'
why 2 s
why 2 s not-an-identifier
why 2 s $nobody --sip-call-id x
why 2 s --lang xx $nobody
why 1 none $nobody
why 1 s --sip-call-id nobody@nowhere
one_line err

# ---- E: documentation for all, training for who presses 1 ----
lab_policy e e.policy
"$gen" --calls 6 --seconds 9 --scenario consent,basic,cancel,consent,srtp,hold --start 1795000000 c.pcap || fail gencap
run 0 "$BIN/optag" replay --store s --policy e.policy c.pcap
run 0 "$BIN/optag" audit verify s
for n in 1 2 3 4 5 6; do # by the law run over the log again they are all as the catalog says
	why 0 s --json "$(uid s $n)"
	[ "$(jq -c '[.calculated_again, .disagreements]' out)" = '[true,[]]' ] || fail "call $n: $(jq -c .disagreements out)"
	jq -e '.events|map(select(.event=="call.match" or .event=="call.kept" or .event=="call.denied" or .event=="call.gap"))|length==2' out \
		>/dev/null || fail "call $n: match and outcome"
	jq -e '.events|all(.text|length>3)' out >/dev/null || fail "an event without a word"
	grep -Eq '45(33|70)[0-9]{6}|5 ?33 ?00' out && fail "a number"
done
first=$(uid s 1)
why 0 s "$first"
has out '^Call [0-9A-Z]{26}  \(Call-ID '
has out 'situation +E: documentation, and training by consent'
has out "policies/[0-9a-f]{64}.policy:[0-9]+, first in force"
has out 'assessment +documentation-2026 for documentation'
has out 'assessment +amount-2026 for training'
[ "$(grep -cE '^ {15}[0-9a-f]{64}$' out)" = 2 ] || fail "hashes of assessments"
has out 'the caller agreed with key 1, by a telephone-event packet, 1\.[0-9] s after the announcement began \[N-20\]'
has out '^Training: GRANTED, basis consent'
has out 'drawn for the sample: [0-9]+ is below the threshold 4294967296'
has out 'kept until 20[0-9-]+ [0-9:]+ UTC at the latest'
has out '^Who listened: no line of the evidence log says that somebody did'
has out '^    not known: what was decrypted from a copy of the store, or by another program than optag export'
has out 'run over the evidence log once more, comes to what the catalog says'
why 0 s --json "$first"
[ "$(jq -c '[.assessments[]|.hash|length]' out)" = '[64,64]' ] || fail "hashes in JSON"
[ "$(jq -c '[.purposes.documentation.state,.purposes.training.state,.purposes.training.needed]' out)" = '["GRANTED","GRANTED",null]' ] ||
	fail "states"
# the hash of an assessment is of its words: another policy that has the same says the same
a=$(jq -r '.assessments[0].hash' out)
why 0 s --sip-call-id "$(jq -r .sip_call_id out)" --json
[ "$(jq -r .call out)" = "$first" ] || fail "by Call-ID"
why 0 s "$(uid s 2)"
has out '^Training: DENIED, basis consent'
has out 'because nobody agreed: silence is no consent \[N-21\]'
has out 'what it would have taken: the consent key, pressed by the data subject within the window: key 1$'
why 0 s "$(uid s 3)"
has out 'because nobody answered'
why 0 s "$(uid s 5)"
has out 'gap: srtp'

# ---- who got it: known when the log has taken it from the outbox ----
cp -a s played
run 0 "$BIN/optag" export --store played --keys k --purpose documentation --call "$first" -o first.wav --reason complaint
run 0 "$BIN/optag" reap --store played --quiet
why 0 played "$first"
has out '^Who listened: see above, by the evidence log'
has out 'somebody listened.*complaint.* \[N-06\]'
why 0 played --json "$first"
[ "$(jq -c '[.events[] | select(.event == "play") | .who]' out)" = "[\"$(id -un)\"]" ] || fail "who: $(jq -c '.events[] | select(.event == "play")' out)"

# ---- calls that are one conversation, third parties, gaps: in words, and with the other call's identifier ----
lab_policy f conv.policy -e 's/optout-key:9/optout-key:2/g; s/press 9/press 2/; s/tryk 9/tryk 2/; s/opt-out key 9/opt-out key 2/'
"$gen" --calls 12 --seconds 8 --scenario transfer-queue,b2bua-session,conference,srtp --start 1795000000 conv.pcap || fail gencap
run 0 "$BIN/optag" init --store conv --keys convk
run 0 "$BIN/optag" replay --store conv --policy conv.policy conv.pcap
for c in $("$BIN/optag" find --store conv --json | jq -r .call); do
	why 0 conv "$c"
	cp out "of.$c"
	grep -E 'because [a-z.-]+( \[|$)|(not allowed|over|kept|missing): [a-z]+[.-]?[a-z]+( \[|$)|call\.link|  [a-z]+\.[a-z]+(:|$)' out && fail "a word of ours stands for itself"
	o=$("$BIN/optag" find --store conv --call "$c" --json | jq -r 'if .relation == "duplicate-of" then .other_call else empty end')
	[ -z "$o" ] && continue
	has out "^    [0-9:.]+  the same audio is kept as call $o \[X-5\]$"
	has out 'because another call of the conversation has this audio, and keeps it \[X-5\]'
	why 0 conv --json "$c"
	[ "$(jq -r '.events[]|select(.event=="call.link").other_call' out)" = "$o" ] || fail "other_call"
done
cat of.* >out
has out 'the same audio is kept as call'
has out 'because somebody joined who had heard no announcement \[X-7\]'
has out '^    gap: srtp: the sound is encrypted$'

# ---- works on a copy, without keys, without writing ----
rm -rf k copy && cp -a s copy && chmod -R a-w copy
find copy -type f -exec sha256sum {} + | sort >before
why 0 copy "$first"
find copy -type f -exec sha256sum {} + | sort | cmp -s - before || fail "something was written"
chmod -R u+w copy

# ---- C: not drawn; and what other policies say of the same assessment ----
lab_policy e e2.policy -e 's/sample 100%/sample 0.1%/; s/retention 1 months/retention 2 months/'
run 0 "$BIN/optag" init --store s2 --keys k2
run 0 "$BIN/optag" replay --store s2 --policy e2.policy c.pcap
why 0 s2 --json "$(uid s2 1)"
[ "$(jq -r '.assessments[0].hash' out)" = "$a" ] || fail "the same assessment has another hash"
[ "$(jq -c '[.purposes.training.reason,.draw.why,.draw.threshold]' out)" = '["sample.draw","sample.draw",4294967]' ] || fail "draw: $(jq -c .draw out)"
why 0 s2 "$(uid s2 1)"
has out 'not of the sample: draw [0-9]+, threshold 4294967 '
has out 'the draw stands in sampling/[0-9-]+.jsonl:[0-9]+; 0 of 15 a day taken before it'
has out 'what it would have taken: a draw below the threshold; and then consent'

# ---- without the policy; with another; with the right one ----
mv s2/policies p2
why 0 s2 "$(uid s2 1)"
has out 'is not in the store \(give it by --policy\)'
has out 'without the policy the decision was not calculated again'
why 1 s2 "$(uid s2 1)" --policy e.policy
has err 'its hash is'
why 0 s2 "$(uid s2 1)" --policy e2.policy
has out 'comes to what the catalog says'
mkdir s2/policies
sed 's/sample 0.1%/sample 0.2%/' p2/*.policy >"s2/policies/$(basename p2/*.policy)"
why 3 s2 "$(uid s2 1)"
has err 'not the policy that its name says'

# ---- log and catalog do not agree ----
forge() { # SQL CALL TEXT
	rm -rf copy && cp -a s copy
	for db in copy/catalog/*/*.db; do sqlite3 "$db" "$1" || fail sqlite3; done
	why 3 copy "$2"
	has err "$3"
	has out 'do NOT agree'
	why 3 copy --json "$2"
	[ "$(jq '.disagreements|length' out)" -ge 1 ] || fail "no disagreement in JSON"
}
forge "UPDATE calls SET training_state='GRANTED', training_reason=''" "$(uid s 2)" \
	'training: the catalog has GRANTED, by the evidence log and the rule it is DENIED consent.none'
forge "UPDATE calls SET training_reason='optout'" "$(uid s 2)" 'training: the catalog has DENIED optout'
forge "UPDATE calls SET outcome='denied'" "$first" "outcome: the catalog has 'denied', the evidence log call.kept"
forge "UPDATE calls SET rule='other'" "$first" 'rule: the evidence log has another'
forge "UPDATE calls SET documentation_until=documentation_until+86400000000000" "$first" 'documentation: the catalog keeps it longer'
# after a failure the row is what was found, whatever the log said before
rm -rf copy && cp -a s copy
for db in copy/catalog/*/*.db; do sqlite3 "$db" "UPDATE calls SET end='disk', outcome='gap', gap='disk'" || fail sqlite3; done
why 0 copy "$first"
has out 'The recorder or its disk failed in this call'
rm -rf copy && cp -a s copy
for db in copy/catalog/*/*.db; do sqlite3 "$db" "DELETE FROM calls"; done
why 3 copy "$first"
has err 'kept by the evidence log, and the catalog does not have the call'
why 0 copy "$(sed -n 's/.*"call.denied".*"call":"\([0-9A-Z]*\)".*/\1/p' copy/evidence/*.log | head -1)"
has out 'The catalog does not list the call'
rm -rf copy && cp -a s copy
sed -i '/"event":"consent.given"/d' copy/evidence/*.log
why 3 copy "$first"
has err 'training: the catalog has GRANTED, by the evidence log and the rule it is DENIED consent.none'
has err 'evidence log: damaged or does not add up'
rm -rf copy && cp -a s copy && rm -r copy/evidence
why 3 copy "$first"
has err 'the store has no evidence log, so nothing proves what the catalog says of the call'
cp -a "$SRC/tests/golden/store/v1" v1 # of before there was one
why 3 v1 "$("$BIN/optag" find --store v1 --json | jq -r .call | head -1)"
has err 'or a version wrote the store that had none yet'

# ---- a store by hand: no log, hostile texts ----
run 0 "$BIN/optag" init --store m --keys mk
run 0 "$MKSTORE" m denied
why 3 m "$(uid m 1)"
LC_ALL=C grep -q $'\x1b' out && fail "an escape sequence reached the terminal"
"$BIN/optag" why --store s "$first" >/dev/full 2>err && fail "a full device is no success"
has err 'standard output'
exit 0
