#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 4, opt-out late, live: given training unless opted out (S-C), when the caller presses 9 one second before hang-up, then
# within 1 s no tool with all keys of the box can decrypt any byte of that call and optout is logged with the actor.
# And guidance 6: kill -9 of the daemon one second before the hang-up of such a call, and no tool can decrypt any byte of it.
# What is on the disk is copied at these moments and looked at: of three calls that were written only the one that ended
# without an objection has a wrap, and opens.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
# shellcheck source=tests/netns/lib-story.sh
. "$SRC/tests/netns/lib-story.sh"
story_live <<C || fail "no network or store"
done from=+4520304050 to=+4570102006 bye=8000 header=callee:1500:X-Notice-Played:_yes
late from=+4520304051 to=+4570102006 bye=12000 key=caller:9:10900 header=callee:1500:X-Notice-Played:_yes
dies from=+4520304052 to=+4570102006 bye=17000 header=callee:1500:X-Notice-Played:_yes
C
load_daemon || fail "optagd does not start"
load_in "$BUILD/tests/gen/play" tx0 "$TMP/c.pcap" >"$TMP/played" &
player=$!
state() { "$O" call list --control "$TMP/control" --json 2>/dev/null | jq -s "$1" 2>/dev/null; }
until_state() { # JQ: holds for the list of calls
	for _ in $(seq 1200); do [ "$(state "$1")" = true ] && return 0; sleep 0.02; done
	return 1
}
until_state 'length == 3 and all(.training == "GRANTED" and .recording)' || fail "not three recorded: $(state .)"
until_state 'any(.training == "OPTED_OUT")' || fail "no opt-out: $(state .)"
sleep 1
cp -a "$TMP/s" "$TMP/pressed" # a second after it, the daemon running
[ "$(state 'map(select(.training == "GRANTED" and .recording and .state == "answered")) | length')" = 1 ] || fail "the third call does not go on: $(state .)"
kill -9 "$load_daemon_pid" # in the last seconds of it
wait "$load_daemon_pid" 2>/dev/null
load_daemon_pid=''
cp -a "$TMP/s" "$TMP/killed"
wait $player || fail play
written=$(find "$TMP/killed/segments" -type f -size +100k | wc -l)
[ "$written" -ge 1 ] || fail "nothing was written at all"

wraps() { # STORE: slots of 256 bytes that are not empty
	python3 - "$1" <<'PY'
import glob, sys
n = 0
for f in glob.glob(sys.argv[1] + "/keys/**/*.slots", recursive=True):
    b = open(f, "rb").read()
    n += sum(any(b[i:i + 256]) for i in range(256, len(b), 256))
print(n)
PY
}
for s in pressed killed; do
	[ "$(wraps "$TMP/$s")" = 1 ] || fail "$s: $(wraps "$TMP/$s") wraps"
	"$O" find --store "$TMP/$s" --json | grep script >"$TMP/rows"
	[ "$(jq -r 'select(.outcome == "kept") | .sip_call_id' "$TMP/rows")" = done@script ] || fail "$s: $(cat "$TMP/rows")"
	for u in $(jq -r .call "$TMP/rows") $("$O" audit show --store "$TMP/$s" --json 2>/dev/null | jq -r 'select(.event == "call.match") | .call' | sort -u); do
		for p in documentation training; do
			"$O" export --store "$TMP/$s" --keys "$TMP/k" --purpose $p --call "$u" --format payload --force -o "$TMP/x" >/dev/null 2>&1 && echo "$u $p"
		done
	done | sort -u >"$TMP/opened"
	[ "$(cat "$TMP/opened")" = "$(jq -r 'select(.sip_call_id == "done@script") | .call' "$TMP/rows") training" ] || fail "$s opens: $(cat "$TMP/opened")"
	"$O" audit show --store "$TMP/$s" --json --event optout | jq -es 'length == 1 and .[0].source == "caller" and .[0].purpose == "training"' >/dev/null ||
		fail "$s: optout is not in the log"
done
exit 0
