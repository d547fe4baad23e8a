#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 20, withdrawal after the call: given S-B consent, when the caller withdraws on the web form next day, then the whole
# recording is gone; given S-E, then only training is gone.
# shellcheck source=tests/cli/story
. "$SRC/tests/cli/story"
a2=+4570102002 e=+4570102008
story_policy
story_calls --start $(($(date +%s) - 86400)) <<END # next day
sb from=+4520304050 to=$b answer=200 bye=12000 key=caller:1:4000 $heard
sb2 from=+4520304051 to=$b answer=200 bye=12000 key=caller:1:4000 $heard
se from=+4520304052 to=$e answer=200 bye=12000 key=caller:1:4000 $heard
se2 from=+4520304053 to=$e answer=200 bye=12000 key=caller:1:4000 $heard
doc from=+4520304054 to=$a2 answer=200 bye=12000 key=caller:1:4000 $heard
held from=+4520304055 to=$a2 answer=200 bye=12000 key=caller:1:4000 $heard
interest from=+4520304056 to=$c answer=200 bye=12000 $heard
law from=+4520304057 to=$a1 answer=200 bye=12000 $heard
never from=+4520304058 to=$b answer=200 bye=12000 $heard
END
story_replay
is sb '.documentation == "NONE" and .training == "GRANTED"'
is se '.documentation == "GRANTED" and .training == "GRANTED"'
opens sb training press..end
opens se training answer..end
opens se documentation answer..end
idof() { row "$1" | jq -r .call; }
wraps() { # of the live slots of a purpose, one a line, hex
	local f
	for f in "$s"/keys/*/"$1"/*.slots; do
		od -An -v -tx1 -w256 "$f" | tail -n +2 | tr -d ' ' | grep '^4f534c54' | cut -c 129-416
	done | sort
}
kept() { od -An -v -tx1 $(find "$s" -type f) | tr -d ' \n' | grep -q "$1"; }
withdraw() { run "$1" "$BIN/optag" withdraw --store "$s" "${@:2}"; }

# ---- S-B: all of it goes, and nothing of anybody else ----
blocks=$(cat <(du -s --block-size=1 "$s/segments") | cut -f1)
wraps training >"$TMP/before"
withdraw 0 --via web "$(idof sb)"
has out 'training is WITHDRAWN: its key is destroyed$'
is sb '.training == "WITHDRAWN" and .documentation == "NONE"'
opens_nothing sb
wraps training >"$TMP/after"
gone=$(comm -23 "$TMP/before" "$TMP/after")
[ "$(wc -l <<<"$gone")" = 1 ] && [ ${#gone} = 288 ] || fail "wraps that are gone: $gone"
kept "$gone" && fail "the wrap is still in a file"
[ "$(du -s --block-size=1 "$s/segments" | cut -f1)" -lt "$blocks" ] || fail "its audio takes as much space as before"
run 1 "$BIN/optag" export --store "$s" --keys "$k" --purpose training --call "$(idof sb)" --format payload -o "$TMP/x"
opens sb2 training press..end
opens se training answer..end
# ---- S-E: training alone ----
cp -a "$s/keys" "$TMP/keys-before"
withdraw 0 --json "$(idof se)"
jq -es --arg id "$(idof se)" 'length == 1 and .[0] == {"call":$id,"purpose":"training","state":"WITHDRAWN","destroyed":true}' "$TMP/out" >/dev/null || fail "json: $(cat "$TMP/out")"
is se '.training == "WITHDRAWN" and .documentation == "GRANTED"'
opens se training -
opens se documentation answer..end
diff -r "$TMP/keys-before/"*/documentation "$s/keys/"*/documentation || fail "documentation was touched"
opens se2 training answer..end
# ---- documentation by consent, S-A with it; on hold it waits, and training would not ----
withdraw 0 "$(idof doc)"
is doc '.documentation == "WITHDRAWN"'
opens_nothing doc
run 0 "$BIN/optag" hold add --store "$s" --reason "dispute D" --reference D --review "$(date -u -d '+1 month' +%F)" "$(idof held)"
withdraw 0 "$(idof held)"
has out 'documentation ends with the next run of the reaper, or the end of its hold'
is held '.documentation == "GRANTED"'
# ---- what rests on no consent is not withdrawn ----
for n in interest law; do
	withdraw 1 "$(idof $n)"
	has err 'rests on no consent'
	is $n '.documentation == "GRANTED" or .training == "GRANTED"'
done
withdraw 1 --purpose documentation "$(idof se2)"
withdraw 1 "$(idof never)"
has err 'nothing is kept of it by a consent'
withdraw 0 "$(idof sb)" # once more, as a web form may
has out 'training is WITHDRAWN'
withdraw 1 01ARZ3NDEKTSV4RRFFQ69G5FAV
has err 'no such call'
withdraw 2 nonsense
withdraw 2 --via 'from 45201234' "$(idof sb2)"
withdraw 2
opens sb2 training press..end
# ---- who, what, when: the log ----
[ "$(told sb consent.withdrawn)" = 1 ] || fail "not told: $(cat "$TMP/told")"
jq -e --argjson uid "$(id -u)" '.purpose == "training" and .source == "operator" and .reason == "web" and .n.uid == $uid' "$TMP/told" >/dev/null || fail "told: $(cat "$TMP/told")"
[ "$(told sb key.destroy)" = 1 ] && jq -e '.reason == "withdrawn" and .purpose == "training"' "$TMP/told" >/dev/null || fail "key.destroy: $(cat "$TMP/told")"
[ "$(told se consent.withdrawn)" = 1 ] && [ "$(told sb2 consent.withdrawn)" = 0 ] && [ "$(told interest consent.withdrawn)" = 0 ] || fail "told of others"
run 0 "$BIN/optag" why --store "$s" --policy "$p" "$(idof sb)"
has out 'consent was withdrawn'
whole
run 0 "$BIN/optag" report inventory --store "$s"
exit 0
