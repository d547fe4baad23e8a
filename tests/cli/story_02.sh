#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 2, press 1: given training by consent alone (S-B), when the caller presses 1 inside the window (RFC 4733, 3 end
# packets), then audio from that instant is kept for training only, with one consent.given naming announcement version, key,
# leg and time, and destroy-by = start + 3 months.
# shellcheck source=tests/cli/story
. "$SRC/tests/cli/story"
story_policy
story_calls <<C
yes from=+4520304050 to=$b bye=20000 key=caller:1:4000 $heard
info from=+4520304051 to=$b bye=20000 info=caller:1:4000 $heard
C
story_replay
is yes '.training == "GRANTED" and .documentation == "NONE" and .outcome == "kept" and .start == "2023-11-14T22:13:20.000000Z"
	and .training_until == "2024-02-14T22:13:20.000000Z" and .legs[0].events == 1'
opens yes training press..end
opens yes documentation -
[ "$(told yes consent.given)" = 1 ] || fail "consent.given: $(cat "$TMP/told")"
# announcement, key, leg, way and the moment since the announcement's start (the end packet comes 100 ms after the press begins)
jq -e --arg h "$(row yes | jq -r .policy_hash)" '.purpose == "training" and .source == "caller" and .reason == "rfc4733" and .rule == "B"
	and .policy == $h and .press == "1" and .n.version == 1 and .n.leg == 0 and (.n.offset_ms == 2600) and (.time | startswith("2023-11-14T22:13:24.100"))' "$TMP/told" >/dev/null ||
	fail "consent.given: $(cat "$TMP/told")"
[ "$(told yes notice.played)" = 1 ] && jq -e '.n.version == 1 and .reason == "header"' "$TMP/told" >/dev/null || fail "notice.played: $(cat "$TMP/told")"
[ "$(told yes purpose.grant)" = 1 ] && [ "$(told yes key.commit)" = 1 ] || fail "not one grant and one key"
is info '.training == "GRANTED"' # by SIP INFO
[ "$(told info consent.given)" = 1 ] && jq -e '.reason == "info" and .source == "caller"' "$TMP/told" >/dev/null || fail "INFO: $(cat "$TMP/told")"
# name, language and sound of the announcement stand in the log itself, and basis and assessment of the grant (guidance 1)
sound=$(b2sum -l 256 "$TMP/notice.wav" | cut -d' ' -f1)
for e in notice.played consent.given; do
	[ "$(told yes $e)" = 1 ] && jq -e --arg c "$sound" '.notice == "say-b" and .language == "en" and .content == $c' "$TMP/told" >/dev/null ||
		fail "$e: $(cat "$TMP/told")"
done
weighed=$("$BIN/optag" why --store "$s" --json "$(row yes | jq -r .call)" | jq -r '.assessments[0] | .id + " " + .hash')
[ "$(told yes purpose.grant)" = 1 ] && jq -e --arg w "$weighed" '.basis == "consent" and .assessment + " " + .content == $w' "$TMP/told" >/dev/null ||
	fail "purpose.grant: $(cat "$TMP/told"), not $weighed"
run 0 "$BIN/optag" audit show --store "$s" --event notice.played
grep -q "  notice say-b  language en  content $sound" "$TMP/out" || fail "audit show: $(cat "$TMP/out")"
run 0 "$BIN/optag" why --store "$s" "$(row yes | jq -r .call)"
grep -q 'after the announcement began: say-b' "$TMP/out" && grep -q 'allowed, basis consent, assessment ' "$TMP/out" || fail "why: $(cat "$TMP/out")"
# a second announcement, in another language: the header says that one was played; the log names both with what they say, or the one
# that the header names
awk '/^announcement say-b \{/{p=1} p{print} p&&/^}/{exit}' "$p" | sed 's/say-b/say-b-da/; s/language en/language da/; s/audio file.*//' >"$TMP/da"
{ sed 's/^\(\tnotice \)\(say-b\)$/\1\2, say-b-da/' "$p"; cat "$TMP/da"; } >"$TMP/two.policy"
two() { # VALUE: what the header says; $TMP/heard the two events
	cat >"$TMP/script" <<-C
		two from=+4520304052 to=$b bye=20000 key=caller:1:3000 header=callee:1500:X-Notice-Played:_$1
	C
	"$BUILD/tests/gen/gencap" --script "$TMP/script" "$TMP/two.pcap" || fail gencap
	rm -rf "$TMP/s2" "$TMP/k2"
	"$BIN/optag" init --store "$TMP/s2" --keys "$TMP/k2" >/dev/null 2>&1 || fail init
	run 0 "$BIN/optag" replay --store "$TMP/s2" --policy "$TMP/two.policy" "$TMP/two.pcap"
	run 0 "$BIN/optag" audit verify --store "$TMP/s2"
	"$BIN/optag" audit show --store "$TMP/s2" --json | jq -c 'select(.event == "notice.played" or .event == "consent.given")' >"$TMP/heard"
	[ "$(wc -l <"$TMP/heard")" = 2 ] || fail "two $1: $(cat "$TMP/heard")"
}
sound=$(b2sum -l 256 "$TMP/notice.wav" | cut -d' ' -f1)
two yes
jq -es --arg c "$sound" 'all(.[]; .notice == null and .n.version == null and (.among | map(.notice + " " + .language)) == ["say-b en", "say-b-da da"] and
	.among[0].content == $c and (.among[1].content | test("^[0-9a-f]{64}$")))' "$TMP/heard" >/dev/null || fail "one of two: $(cat "$TMP/heard")"
run 0 "$BIN/optag" audit show --store "$TMP/s2" --event consent.given
grep -q "  one of say-b  language en  content $sound  or say-b-da  language da  content " "$TMP/out" || fail "audit show: $(cat "$TMP/out")"
run 0 "$BIN/optag" why --store "$TMP/s2" "$("$BIN/optag" find --store "$TMP/s2" --json | jq -r .call)"
grep -q 'one of the announcements say-b, say-b-da is proven, it is not known which' "$TMP/out" || fail "why: $(cat "$TMP/out")"
two say-b-da
jq -es 'all(.[]; .notice == "say-b-da" and .language == "da" and .n.version == 2 and .among == null and (.content | length) == 64)' "$TMP/heard" >/dev/null || fail "the one that it names: $(cat "$TMP/heard")"
# before its purposes were spoken, 3 s after it began, nobody was asked (guidance 9.9); behind that the same key is a yes
sed '/^announcement say-b {/a\	keys-after 3 s' "$p" >"$TMP/later.policy"
later() { # MS: after the INVITE, of the press; training
	echo "later from=+4520304053 to=$b bye=20000 key=caller:1:$1 $heard" >"$TMP/script"
	"$BUILD/tests/gen/gencap" --script "$TMP/script" "$TMP/later.pcap" || fail gencap
	rm -rf "$TMP/s3" "$TMP/k3"
	"$BIN/optag" init --store "$TMP/s3" --keys "$TMP/k3" >/dev/null 2>&1 || fail init
	run 0 "$BIN/optag" replay --store "$TMP/s3" --policy "$TMP/later.policy" "$TMP/later.pcap"
	"$BIN/optag" find --store "$TMP/s3" --json | jq -r '"\(.outcome) \(.training)"'
}
[ "$(later 4000)" = "denied DENIED" ] || fail "a key before the purposes: $(later 4000)"
[ "$(later 4800)" = "kept GRANTED" ] || fail "a key behind the purposes: $(later 4800)"
run 0 rm -r "$s/policies" # logs outlive policies
run 0 "$BIN/optag" why --store "$s" --json "$(row yes | jq -r .call)"
jq -e --arg c "$sound" '.announcement | .name == "say-b" and .language == "en" and .content == $c and .hash == null' "$TMP/out" >/dev/null || fail "without the policy: $(cat "$TMP/out")"
whole
