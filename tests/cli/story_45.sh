#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 45: who opts out under C with `callback-unrecorded 48 h` is rung back; nothing of that call is recorded, once, and
# the entry disappears. Between the calls the recorder is started anew each time.
# shellcheck source=tests/cli/common
. "$SRC/tests/cli/common"
# shellcheck source=tests/cli/peers_common
. "$SRC/tests/cli/peers_common"
C="${OPTOUT/opt-out key 9/opt-out key 9 on-opt-out callback-unrecorded 48 h}"
policy "$TMP/C" "$(rule in 'controller o side called called @caller' nt "$C"
	rule out 'controller o side calling calling @caller' nt "$C")"
t0=1700000000
seed=0

ring() { # SECONDS-AFTER gencap options...
	seed=$((seed + 1))
	"$gen" --seconds 12 --seed $seed --start $((t0 + $1)) "${@:2}" "$TMP/c.pcap"
	replay "$TMP/C" "$TMP/c.pcap"
}

fresh
ring 0 --swap-numbers --keys 4:9
is "he rings and opts out" "in denied NONE OPTED_OUT  optout -"
[ "$(stat -c %a "$TMP/s/callback")" = 600 ] || fail "anybody may read it"
! grep -aq 3300 "$TMP/s/callback" || fail "a number in clear"
ring 1800 --scenario reject
is "nobody answers" "in denied NONE OPTED_OUT  optout -
out denied NONE DENIED  callback -"
ring 3600
is "the call-back" "in denied NONE OPTED_OUT  optout -
out denied NONE DENIED  callback -
out denied NONE DENIED  callback -"
[ "$(jq -s '[.[].legs[].packets] | add' "$TMP/rows")" = 0 ] || fail "something was kept"
run 0 "$BIN/optag" audit show --store "$TMP/s" --event purpose.deny
has out "reason callback"
ring 7200
is "the next one is as any other" "in denied NONE OPTED_OUT  optout -
out denied NONE DENIED  callback -
out denied NONE DENIED  callback -
out kept NONE GRANTED   -"
sound "once"

# too late: two days are over
fresh
ring 0 --swap-numbers --keys 4:9
ring $((48 * 3600 + 60))
is "after 48 hours" "in denied NONE OPTED_OUT  optout -
out kept NONE GRANTED   -"

# somebody else is rung
fresh
ring 0 --swap-numbers --keys 4:9
ring 600 --calls 2 --interleave 30000
is "another number" "in denied NONE OPTED_OUT  optout -
out denied NONE DENIED  callback -
out kept NONE GRANTED   -"

# he rings himself: that is not the call-back
fresh
ring 0 --swap-numbers --keys 4:9
ring 600 --swap-numbers
ring 1200
is "he rings again" "in denied NONE OPTED_OUT  optout -
in kept NONE GRANTED   -
out denied NONE DENIED  callback -"

# a capture that is replayed again promises nothing anew
fresh
ring 0 --swap-numbers --keys 4:9
cp "$TMP/c.pcap" "$TMP/first.pcap"
ring 600
replay "$TMP/C" "$TMP/first.pcap"
ring 1200
is "replayed again" "in denied NONE OPTED_OUT  optout -
out denied NONE DENIED  callback -
out kept NONE GRANTED   -"
exit $bad
