#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Who knows a Call-ID, and no tag, ends nothing: after a BYE of no dialog (a telephone answers 481), a CANCEL, an INVITE with a tag of his
# own, or a hold that nobody asked for, the call is recorded on, an opt-out is heard, documentation has all. And a call whose end nobody
# saw is not for training by silence: what people pressed while nothing was captured nobody knows (guidance X-4, INV-7).
# shellcheck source=tests/cli/common
. "$SRC/tests/cli/common"
need python3
need jq
O="$BIN/optag"
python3 "$SRC/tests/truth.py" policy "$TMP" header || fail "truth.py"
replay() { # CAPTURE: rows to $TMP/rows
	rm -rf "$TMP/s" "$TMP/k"
	run 0 "$O" init --store "$TMP/s" --keys "$TMP/k"
	run 0 "$O" replay --store "$TMP/s" --policy "$TMP/truth.policy" "$1"
	"$O" find --store "$TMP/s" --json | jq -r '[.sip_call_id, .end, .documentation, .training, (.reasons.training | if . == "" or . == null then "-" else . end), (.duration | tostring),
		([.legs[].packets] | map(tostring) | join("/"))] | join(" ")' | sed 's/@script//' | sort >"$TMP/rows"
}
seen="header=callee:1500:X-Notice-Played:_yes"

# ---- foreign messages ----
n=0
: >"$TMP/forged"
: >"$TMP/plain"
for what in BYE CANCEL INVITE HOLD; do
	for rule in 2003 2006 2009; do
		n=$((n + 1))
		key=
		[ $rule = 2003 ] || key="key=caller:9:20000"
		line="$(echo $what | tr '[:upper:]' '[:lower:]')-$rule from=+45203040$((n + 10)) to=+457010$rule bye=30000 $seen $key"
		echo "$line" >>"$TMP/plain"
		echo "$line forge=15000:$what" >>"$TMP/forged"
	done
done
# nor does it end an attempt: it rings on, and is answered
line="ring from=+4520304030 to=+4570102003 answer=40000 bye=60000"
echo "$line" >>"$TMP/plain"
echo "$line forge=5000:CANCEL" >>"$TMP/forged"
for k in plain forged; do
	"$BUILD/tests/gen/gencap" --script "$TMP/$k" --interleave 50 "$TMP/$k.pcap" || fail gencap
	replay "$TMP/$k.pcap"
	cp "$TMP/rows" "$TMP/$k.rows"
done
# the INVITE is a call of its own, which nobody answered
grep -v ' capture-end .* 0 0/0$' "$TMP/forged.rows" >"$TMP/forged.own" || true
diff "$TMP/plain.rows" "$TMP/forged.own" || fail "a message of nobody changed a call"
[ "$(grep -c '2006 bye .* OPTED_OUT' "$TMP/plain.rows")" = 4 ] || fail "no opt-out: $(cat "$TMP/plain.rows")"
[ "$(grep -c '2009 bye GRANTED OPTED_OUT' "$TMP/plain.rows")" = 4 ] || fail "no opt-out: $(cat "$TMP/plain.rows")"

# ---- an end that nobody saw ----
gone="lose=caller:15000:290000 lose=callee:15000:290000"
cat >"$TMP/script" <<END
c from=+4520304051 to=+4570102006 bye=310000 $seen $gone key=caller:9:295000
f from=+4520304052 to=+4570102009 bye=310000 $seen $gone key=caller:9:295000
d from=+4520304053 to=+4570102004 bye=310000 $seen $gone
cut-c from=+4520304054 to=+4570102006 bye=0 $seen
other from=+4520304055 to=+4570102003 bye=320000 $seen
END
"$BUILD/tests/gen/gencap" --script "$TMP/script" --interleave 50 "$TMP/gone.pcap" || fail gencap
replay "$TMP/gone.pcap"
cut -d' ' -f1-5 "$TMP/rows" >"$TMP/got"
cat >"$TMP/want" <<END
c timeout NONE DENIED optout.uncertain
cut-c timeout NONE DENIED optout.uncertain
d timeout NONE GRANTED -
f timeout GRANTED DENIED optout.uncertain
other bye GRANTED NONE -
END
diff "$TMP/want" "$TMP/got" || fail "an end that nobody saw"
# nor is the end of the capture one
"$BUILD/tests/gen/gencap" --script <(echo "c from=+4520304051 to=+4570102006 bye=0 $seen") "$TMP/cut.pcap" || fail gencap
replay "$TMP/cut.pcap"
grep -q '^c capture-end NONE DENIED optout.uncertain' "$TMP/rows" || fail "capture-end: $(cat "$TMP/rows")"
