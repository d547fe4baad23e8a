#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 1, silence is not consent: given training by consent alone (S-B) and a caller who hears the notice, when no key is pressed
# until the window closes and the call lasts 10 minutes, then no audio byte of the call was delivered to user space (counter
# 0), nothing is on disk, and the log says consent.none reason=timeout (b presses a key that is none of ours: other-key).
# Live, for 20 s a call; ten minutes through replay.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
# shellcheck source=tests/netns/lib-story.sh
. "$SRC/tests/netns/lib-story.sh"
story_live <<C || fail "no network or store"
a from=+4520304050 to=+4570102005 bye=20000 header=callee:1500:X-Notice-Played:_yes
b from=+4520304051 to=+4570102005 bye=20000 header=callee:1500:X-Notice-Played:_yes key=caller:5:4000
C
load_daemon || fail "optagd does not start"
story_play
load_status "$TMP/status"
# 1,896 packets of four voices, four of one press less: eight of it, that went up (it was none of ours)
jq -e '.packets.audio == 0 and .packets.events == 8 and .packets.gated + .packets.blocked > 3700 and ([.losses[]] | add) == 0' "$TMP/status" >/dev/null ||
	fail "audio came up: $(jq -c .packets "$TMP/status")"
load_stop || fail "optagd's status"
no_trace() { # STORE CALL...: denied by silence, and not one byte of sound is there
	local store=$1 n uid
	shift
	for n in "$@"; do
		uid=$("$O" find --store "$store" --json | jq -r --arg n "$n@script" 'select(.sip_call_id == $n and .training == "DENIED" and
			.reasons.training == "consent.none" and .outcome == "denied" and ([.legs[] | .packets] | add) == 0) | .call')
		[ -n "$uid" ] || fail "call $n: $("$O" find --store "$store" --json)"
		"$O" audit show --store "$store" --json --call "$uid" >"$TMP/log"
		jq -es --arg why "$([ "$n" = b ] && echo other-key || echo timeout)" 'map(select(.event == "consent.none")) | length == 1 and .[0].reason == $why and .[0].purpose == "training"' "$TMP/log" >/dev/null ||
			fail "call $n: $(cat "$TMP/log")"
		grep -qE '"(consent.given|key.create|audio.start)"' "$TMP/log" && fail "call $n: $(cat "$TMP/log")"
	done
	# (a day's bucket, and its slots without any, are there before a call may need them)
	[ -z "$(find "$store/segments" -type f -size +0 2>/dev/null; find "$store/keys" -type f ! -name '*.bucket' -size +256c)" ] || fail "something is on disk: $(find "$store")"
}
no_trace "$TMP/s" a b
# ten minutes
echo "long from=+4520304050 to=+4570102005 bye=601000 header=callee:1500:X-Notice-Played:_yes" >"$TMP/script"
"$BUILD/tests/gen/gencap" --script "$TMP/script" "$TMP/long.pcap" && "$O" init --store "$TMP/s2" --keys "$TMP/k2" >/dev/null 2>&1 || fail "the long call"
"$O" replay --store "$TMP/s2" --policy "$TMP/policy/demo.policy" "$TMP/long.pcap" >"$TMP/out" 2>&1 || fail "$(cat "$TMP/out")"
grep -q ' 0 of them audio that was let through' "$TMP/out" || fail "the long call: $(cat "$TMP/out")"
no_trace "$TMP/s2" long
exit 0
