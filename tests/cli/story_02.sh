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
whole
