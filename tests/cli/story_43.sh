#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 43, changed payload type: given re-INVITE moving telephone-event from 101 to 96, then the next key is still recognised.
# shellcheck source=tests/cli/story
. "$SRC/tests/cli/story"
story_policy
story_calls <<C
yes from=+4520304050 to=$b te=2500:96 key=caller:1:4000 $heard
out from=+4520304051 to=$c te=6500:96 key=caller:9:8000 $heard
stays from=+4520304052 to=$f te=6500:96 $heard
C
story_replay
is yes '.training == "GRANTED" and .legs[0].events == 1'
opens yes training press..end
is out '.training == "OPTED_OUT"'
opens_nothing out
is stays '.training == "GRANTED" and .documentation == "GRANTED"' # the re-INVITE itself is no loss
opens stays training answer..end
whole
