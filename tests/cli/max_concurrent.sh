#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# max-concurrent: beyond so many calls of a rule at once none is recorded, and the log and `why` say so; who hung up, or was
# refused, takes no place; a statute's documentation is recorded all the same.
# shellcheck source=tests/cli/story
. "$SRC/tests/cli/story"
a3=+4570102003
story_policy '/^rule "A1"/a max-concurrent 2' '/^rule "A3"/a max-concurrent 1'
# 10 s each, 4 s from one to the next
story_calls --interleave 4000 <<C
first from=+4520304050 to=$a1 $heard
second from=+4520304051 to=$a1 $heard
third from=+4520304052 to=$a1 $heard
fourth from=+4520304053 to=$a1 $heard
fifth from=+4520304054 to=$a1 $heard
law-1 from=+4520304055 to=$a3 $heard
law-2 from=+4520304056 to=$a3 $heard
C
story_replay
for n in first second fourth law-1 law-2; do is $n '.outcome == "kept" and .documentation == "GRANTED"'; done
for n in first second fourth; do opens $n documentation answer..end; done
is third '.outcome == "denied" and .documentation == "DENIED" and .reasons.documentation == "max-concurrent"'
opens_nothing third
[ "$(told third purpose.deny)" -ge 1 ] && grep -q '"reason":"max-concurrent"' "$TMP/told" || fail "the log does not say why: $(cat "$TMP/told")"
is fifth '.outcome == "kept"' # the second has hung up, the third took no place
run 0 "$BIN/optag" why --store "$s" "$(row third | jq -r .call)"
has out 'as many calls of the rule as it allows'
whole
exit 0
