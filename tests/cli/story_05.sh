#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 5, opt-out keeps documentation: given S-F, when the caller opts out, then documentation continues without gap and the
# training role cannot see or play the call.
# shellcheck source=tests/cli/story
. "$SRC/tests/cli/story"
story_policy
story_calls <<C
out from=+4520304050 to=$f bye=30000 key=caller:9:15000 $heard
in from=+4520304051 to=$f bye=30000 $heard
C
story_replay
is out '.documentation == "GRANTED" and .training == "OPTED_OUT" and .gap == null and .training_until == null and ([.legs[].lost] | add) == 0'
opens out documentation answer..end
opens out training -
mkdir -m 700 "$TMP/coach" && cp -p "$k/training.key" "$TMP/coach" # all that the training role has
for q in documentation training; do
	truth audio "$TMP/c.pcap" "$s" "$TMP/coach" out $q - || fail "the training key opens $q"
done
truth audio "$TMP/c.pcap" "$s" "$TMP/coach" in training answer..end || fail "the training key does not open what it may"
[ "$(told out optout)" = 1 ] && jq -e '.purpose == "training" and .source == "caller"' "$TMP/told" >/dev/null || fail "optout: $(cat "$TMP/told")"
whole
