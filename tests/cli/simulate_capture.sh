#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# policy simulate on captures: what replay would keep, with nothing kept, nothing left behind, also after failures.
# shellcheck source=tests/cli/common
. "$SRC/tests/cli/common" || exit 1
# shellcheck source=tests/cli/labpolicy
. "$SRC/tests/cli/labpolicy" || exit 1
need jq
gen="$BUILD/tests/gen/gencap"
cd "$TMP" || exit 1
mkdir tmp
export TMPDIR="$TMP/tmp"
clean() { [ -z "$(ls -A tmp)" ] || fail "left behind: $(ls tmp)"; }
sim() { # STATUS ARGUMENTS...
	run "$1" "$BIN/optag" policy simulate "${@:2}"
	clean
}
# as replay decides (no draws in these: every call of the sample)
lab_policy e e.policy
"$gen" --calls 12 --seconds 6 --scenario consent,basic,cancel,srtp,reject,hold c.pcap || fail gencap
run 0 "$BIN/optag" init --store s --keys k
run 0 "$BIN/optag" replay --store s --policy e.policy c.pcap
run 0 "$BIN/optag" find --store s --json
cp out rows
sim 0 --policy e.policy --json c.pcap
count() { jq -s "[.[]|select(.$1==\"$2\")]|length" rows; }
[ "$(jq -c 'select(.rule)|[.matched,.kept.documentation,.kept.training]' out)" = "[12,$(count documentation GRANTED),$(count training GRANTED)]" ] ||
	fail "not what replay does: $(head -1 out)"
[ "$(jq 'select(.rule)|.kept.training' out)" -gt 0 ] || fail "nobody agreed"
[ "$(jq -c 'select(.rule)|[.denied[]|select(.purpose=="training")|[.reason,.calls]]|sort' out)" = \
	"$(jq -s -c '[.[]|select(.training=="DENIED")|.reasons.training]|group_by(.)|map([.[0],length])|sort' rows)" ] || fail "reasons"
[ "$(tail -1 out | jq -c '[.captures,.changed,.unmatched_then]')" = '[true,0,0]' ] || fail "summary"
sim 0 --policy "$SRC/tools/demo/demo.policy" "$SRC/tests/pcap/demo.pcap"
has out '^4 matched calls'
has out 'documentation: would record 2$'
has out '^No rule matched 2 calls$'
hasnt out 'was [0-9]'
grep -Eq '45[0-9]{8}' out && fail "a number"
# what goes wrong leaves nothing either
sim 1 --policy e.policy c.pcap none.pcap
has err none.pcap
printf 'no capture' >bad.pcap
sim 1 --policy e.policy bad.pcap
head -c 30000 c.pcap >cut.pcap
sim 0 --policy e.policy cut.pcap
has err 'what came before it counts'
sim 1 --policy none.policy c.pcap
sim 2 --policy e.policy --keys k c.pcap
exit 0
