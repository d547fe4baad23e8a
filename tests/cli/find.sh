#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# find: fields, order, filters, denied calls, hostile Call-IDs.
. "$SRC/tests/cli/common" || exit 1
need jq
cd "$TMP" || exit 1
run 1 "$BIN/optag" find --store s
has err "'?s'?"
mkdir empty
run 1 "$BIN/optag" find --store empty
run 0 "$BIN/optag" init --store s --keys k
run 0 "$BIN/optag" find --store s
[ -s out ] && fail "an empty store has rows"
run 0 "$MKSTORE" s g711 denied training

run 0 "$BIN/optag" find --store s --json
[ "$(wc -l <out)" = 3 ] || fail "not three calls"
jq -e . out >/dev/null || fail "not JSON"
[ "$(head -1 out | jq -c 'keys_unsorted[:10]')" = '["call","sip_call_id","rule","start","duration","documentation","training","documentation_until","training_until","legs"]' ] ||
	fail "fields"
want='["g711@test","service","2026-01-01T00:00:00.000000Z",10.345,"GRANTED","NONE","2026-04-01T00:00:00.000000Z",null]'
# 90 days after 2026-01-01 UTC
[ "$(head -1 out | jq -c '[.sip_call_id,.rule,.start,.duration,.documentation,.training,.documentation_until,.training_until]')" = "$want" ] ||
	fail "values"
[ "$(head -1 out | jq -c '[.legs[]|[.leg,.codec,.packets,.lost,.audio_ms]]')" = '[["caller","PCMU",490,10,9800],["callee","PCMA",450,0,9000]]' ] ||
	fail "legs"
[ "$(sed -n 2p out | jq -c '[.sip_call_id,.outcome,.documentation,.reasons.documentation,.legs[0].packets]')" = \
	"$(printf '["denied\xef\xbf\xbd\\u001b[2J@test","denied","DENIED","caller-opted-out",0]')" ] || fail "denied call"
[ "$(sed -n 3p out | jq -c '[.documentation_until,.training_until,.training]')" = '[null,"2026-04-01T00:02:00.000000Z","GRANTED"]' ] ||
	fail "training call"
[ "$(sed -n 2p out | jq -c '[.documentation_until,.training_until]')" = '[null,null]' ] ||
	fail "a denied call has a deadline"
grep -q 33123456 out && fail "a number is shown"

count() { # N FILTER...
	local n=$1
	shift
	run 0 "$BIN/optag" find --store s --json "$@"
	[ "$(wc -l <out)" = "$n" ] || fail "$(wc -l <out) calls, not $n: $*"
}
count 3 --rule service
count 0 --rule other
count 1 --since 2026-01-01T00:02:00Z
count 2 --until 2026-01-01T00:02:00Z
count 1 --since 2026-01-01T00:01:00Z --until 2026-01-01T00:02:00Z
count 0 --since 2h
count 3 --since 2026-01-01 --until now
count 2 --state granted
count 2 --state DENIED
count 1 --sip-call-id g711@test
count 1 --call "$(call training)"
count 0 --call 01KDVDNA00SYWF0W4VW9FAS3YK
count 3 --controller acme
count 0 --controller other
count 3 --number +4533123456 # a denied call too: its number is there as a keyed hash
count 3 --number +4570101010
count 0 --number +4599999999

run 0 "$BIN/optag" find --store s
[ "$(wc -l <out)" = 4 ] || fail "a header and three rows"
has out '^CALL +START'
has out 'caller-opted-out'
LC_ALL=C grep -q $'\x1b' out && fail "an escape sequence reached the terminal"
"$BIN/optag" find --store s 2>err >/dev/full && fail "a full device is no success"
has err 'standard output'
# One that is there and may not be read is not called missing.
run 1 "$BIN/optag" find --store nowhere
has err 'nowhere: no store: No such file'
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then # root reads everything: without that power
	run 1 setpriv --bounding-set -dac_override,-dac_read_search --inh-caps -all --reuid 65534 --clear-groups "$BIN/optag-find" --store "$PWD/s"
	has err 's: cannot open the store: Permission denied'
fi
run 3 sh -c 'printf broken >s/optag.store; exec "$0" find --store s' "$BIN/optag"
exit 0
