#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# optag policy explain: the nine situations in English and in Danish, word for word (GOLDEN=1 rewrites); what no
# situation shows; no sentence without its words.
set -u
# shellcheck source=tests/cli/common
. "$SRC/tests/cli/common"
cd "$SRC/policy/examples" || exit 1
P="$BIN/optag-policy"
today=2026-11-30
golden=$SRC/tests/golden/explain

for f in [a-g]*.policy; do
	for l in en da; do
		run 0 "$P" explain --today $today --lang $l "$f"
		[ -n "${GOLDEN:-}" ] && cp "$TMP/out" "$golden/${f%.policy}.$l"
		diff "$golden/${f%.policy}.$l" "$TMP/out" >"$TMP/diff" || fail "$f in $l: $(head -6 "$TMP/diff")"
		grep -E '\{[0-9]\}|\(null\)|  +$' "$TMP/out" && fail "$f in $l: a sentence without its words"
		# Nothing but words of a policy is wider than a terminal.
		LC_ALL=C.UTF-8 grep -E '^.{81,}' "$TMP/out" | grep -v '(' && fail "$f in $l: a line too long"
	done
done
[ "$(ls "$golden" | wc -l)" = 18 ] || fail "goldens without an example"

# The date that is hard: 30 November and three months, also in a leap year; days, years.
text() { run 0 "$P" explain "$@"; tr -s '\n ' ' ' <"$TMP/out" >"$TMP/text"; }
unsaid() { grep -q "$1" "$TMP/text" && fail "said: $1"; }
said() { grep -qF "$1" "$TMP/text" || fail "not said: $1"; }
text --today 2027-05-01 a1*.policy
said 'a call on 30 November 2027 at 10:00 is erased before 29 February 2028 at 10:00'
text --today $today a3*.policy
said 'a call on 30 November 2026 at 10:00 is erased before 30 November 2031 at 10:00'
text --today $today -l da b*.policy
said 'En samtale den 30. november 2026 kl. 10.00 er slettet inden den 30. december 2026 kl. 10.00.'
sed 's/retention 3 months/retention 89 days/' a1*.policy >"$TMP/d.policy"
text --today $today "$TMP/d.policy"
said 'Erased 89 days after the call began'
said '30 November 2026 at 10:00 is erased before 27 February 2027 at 10:00'

# Every criterion and every setting that says something of its own.
cat >"$TMP/all.policy" <<'END'
controller c { name "C A/S" timezone Europe/Copenhagen languages da numbers +45 7010 20*, +45 8812 3450 lab yes }
trunk t { vlan 7 country +45 queue-header X-Queue agent-header X-Agent }
set qs queues { claims }
set closed holidays { 2026-12-24 }
announcement n { language da link https://c.example/telefon elements rec train key:1 text "Vi [rec] [train] tryk 1 [key:1]" }
announcement m { language da link https://c.example/telefon elements rec doc link object access text "Vi [rec] [doc] [link] [object] [access]" }
assessment amount { kind training-amount scope @own review 2027-05-01 }
assessment doc { kind documentation scope @own review 2027-05-01 no-other-way "n" factor 1 relied-on "a"
 factor 2 relied-on "a"
 factor 3 relied-on "a"
 factor 4 relied-on "a"
 factor 5 relied-on "a"
 factor 6 relied-on "a" }
set own numbers { +45 7010 20*, +45 8812 3450 }
rule "all" { controller c side calling calling +45 8812 3450 trunk t queue one-of @qs agent prefix 7 header X-Dept = sales
 sip-domain c.example direction outbound time mon-fri 08:00-16:00, sat except @closed
 media codec PCMA PCMU
 media encrypted no
 tag vip
 owner "Somebody" review 2027-05-01 notice n notice-proof attested sms tpl timeout 20 min on-review-missed consent
 training { basis consent assessment amount consent-key 1 consent-source api
  consent-source header X-Yes = 1
  window notice-start+4s to notice-end+90s reopen agent
  sample 12.5% cap 3 per hour
  cap 9 per queue per week
  spread first-come use-target 70% throttle 1.30 floor 3 retention 36 h use-within 1 days }
 exclude-leg agent record-hold-music yes roles training a, b, c
 play-reason optional }
rule "doc" { controller c side called called +45 7010 20* owner "Somebody" review 2027-05-01 notice m notice-proof api
 notice-timeout 45 s on-missing-notice discard early-media yes mute-dtmf no exclude-leg subject
 pause api
 pause header X-Pause
 pause-max 2 min
 documentation { basis interest assessment doc on-objection pause not-needed api review every 30 days retention 4 months
  retention-reason "the board takes half a year" } }
END
text --today $today -r all "$TMP/all.policy"
for s in 'C A/S is the calling party' 'trunk t' 'the queue is in the set qs' 'the agent begins with 7' 'SIP header X-Dept is sales' \
	'SIP domain is c.example' 'the call goes out' 'it begins mon-fri 08:00-16:00, sat except @closed' 'coded as PCMA and PCMU' \
	'not encrypted' 'tagged the call vip' 'Whose decision counts: the person called' 'Only the person called is recorded' \
	'Nobody checks' 'sent by SMS (tpl)' 'after 20 minutes' '[withdraw] is left to the SMS' 'Key 1 from the person called means yes' \
	'from 4 seconds to 90 seconds after the answer' 'When the agent asks again' 'can report the yes' 'SIP header X-Yes' \
	'12.5 % of the calls' '3 an hour' '9 a week for each queue' 'first calls' 'less than 70 %' 'times 1.30, at least 3' 'Erased 36 hours after' \
	'Who may listen: a, b and c' 'need not give a reason' 'Music on hold' 'cannot be paused' 'it goes on with consent only' \
	'The rest comes in a text message' 'W-10, line' 'W-18, line'; do said "$s"; done
text --today $today -l da -r all "$TMP/all.policy"
for s in 'opkaldet begynder man-fre 08:00-16:00, lør undtagen @closed' '12,5 % af samtalerne' 'gange 1,30' '[withdraw] står i SMS' \
	'W-10, linje' 'Kun den registrerede optages' '3 i timen'; do said "$s"; done
text --today $today -r doc "$TMP/all.policy"
for s in 'Not proven 45 seconds after' 'documentation is erased' 'from the first sound on' 'recording pauses' 'program can pause' \
	'SIP header X-Pause' 'lasts 2 minutes at most; then the recording goes on' 'Tones in the sound stay' 'Only the agent is recorded' \
	'marked as not needed' 'Reason given: the board takes' 'Who may listen: nobody'; do said "$s"; done
unsaid 'Every 30 days' 'W-10'

# What comes before a rule: the nevers and rules that can have calls in common with it, counted when they are many.
R=$SRC/tests/golden/why/rules.policy
text --today $today -r 'claims by Opus' "$R"
said 'Nothing is recorded of a call that one of these matches: - "asked not to be recorded" (line 32) - "the doctor'"'"'s line" (line 33) - "staff council" (line 34)'
said 'asked first, and take the calls that they match: "evening", "vip caller", "one agent'"'"'s".' # and not vip, which is another queue
unsaid '"sales"'
text --today $today -l da -r 'claims by Opus' "$R"
said 'optages slet ikke: - "asked not to be recorded" (linje 32)'
said 'tager de opkald, de passer på: "evening", "vip caller"'
text --today $today -r claims "$R" # other numbers are called
unsaid 'staff council'
text --today $today -r evening "$R"
unsaid 'asked first'
{
	cat a3*.policy
	echo 'set wishes dynamic numbers'
	echo 'never "do not record list" { calling @wishes }'
	for i in $(seq 10 24); do echo "never \"n$i\" { header X-N = n$i }"; done
} >"$TMP/law.policy"
text --today $today "$TMP/law.policy"
said 'Lists of people who asked not to be recorded do not stop what the statute demands: "do not record list".'
said '"n21" (line'
unsaid '"n22"'
said '(line 84) - 3 more'
text --today $today -l da "$TMP/law.policy"
said 'standser ikke det, som loven kræver: "do not record list".'
said '(linje 84) - 3 til'

# When a key counts, and where the sound is until then: as the call decides it, whatever proves the announcement.
proof() { sed "s/notice-proof header .*/notice-proof $1/" "$2" >"$TMP/p.policy" && text --today $today "$TMP/p.policy"; }
proof 'header X-Notice-Played = yes' b*.policy
said 'if pressed from 3 seconds to 10 seconds after the announcement is known to have begun (no sound says how long it is).'
unsaid 'after it ends'
proof api b*.policy
said 'to 10 seconds after its end, or, unless the end is told, after its beginning (no sound'
proof attested b*.policy
said 'if pressed from 3 seconds to 10 seconds after the answer.'
proof 'header X-Notice-Played = yes' c*.policy
said 'Until 10 seconds after the announcement ends the sound waits in memory'
sed 's/^		opt-out key .*/&\n		pre-decision block/' c*.policy >"$TMP/p.policy"
text --today $today "$TMP/p.policy"
said 'Until 10 seconds after the announcement ends no sound is kept, not even in memory: recording begins then.'
unsaid 'waits in memory'
text --today $today -l da "$TMP/p.policy"
said 'Indtil 10 sekunder efter speakets slutning gemmes ingen lyd, heller ikke i hukommelsen'
sed 's/^		opt-out key .*/&\n		window answer+3s to answer+30s/' c*.policy >"$TMP/p.policy"
text --today $today "$TMP/p.policy"
said 'Until 30 seconds after the answer the sound waits in memory'
unsaid 'No sound says'
# The sound says how long it is.
head -c 80000 /dev/zero >"$TMP/n.alaw"
sed 's|^	language ..|&\n	audio file "n.alaw"|' b*.policy >"$TMP/p.policy"
text --today $today "$TMP/p.policy"
said 'from 3 seconds after the announcement begins to 10 seconds after it ends'

# When its purposes have been spoken: one, the same, not the same, and no later than the window begins.
after() { # DA EN
	sed -e "s|^	language da|&\n	keys-after $1|; s|^	language en|&\n	keys-after $2|" "$TMP/p.policy" >"$TMP/k.policy"
}
after '7 s' '7 s'
text --today $today "$TMP/k.policy"
said 'to 10 seconds after it ends, but not sooner than 7 seconds after the announcement begins, when its purposes have been said'
text --today $today -l da "$TMP/k.policy"
said 'dog tidligst 7 sekunder efter speakets begyndelse, når dets formål er sagt'
after '7 s' '1 min'
sed -i 's/notice-end+10s/notice-end+60s/' "$TMP/k.policy"
text --today $today "$TMP/k.policy"
said 'not sooner than 7 seconds (notice-da) or 1 minute (notice-en) after'
after '3 s' '2 s'
text --today $today "$TMP/k.policy"
unsaid 'not sooner than'

# As data; nothing to say; wrong language.
run 0 "$P" explain --json --lang da --today $today b*.policy
jq -e '.lang == "da" and .scenario == "B" and (.text | startswith("Regel"))' "$TMP/out" >/dev/null || fail "json"
: >"$TMP/empty.policy"
run 0 "$P" explain -l da "$TMP/empty.policy"
has out 'optages ikke noget'
run 2 "$P" explain -l sv b*.policy
exit 0
