#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The truth table (tests/golden/truth): every situation of the guidance with every reaction, as real SIP and RTP through
# replay. What each purpose's key opens afterwards is compared with the table packet by packet, with states, reasons and
# what stayed in the classifier. Once with a notice proven by a header, once with an attested one: then the audio of one
# situation in three is opened, of others at each run (OPTAG_FULL=1: of each).
# shellcheck source=tests/cli/common
. "$SRC/tests/cli/common"
need python3
export BIN
bad=0
for proof in header attested; do
	mkdir "$TMP/$proof"
	d="$TMP/$proof"
	python3 "$SRC/tests/truth.py" policy "$d" $proof && python3 "$SRC/tests/truth.py" script $proof >"$d/script" || fail "truth.py"
	"$BUILD/tests/gen/gencap" --script "$d/script" --interleave 50 "$d/c.pcap" || fail gencap
	"$BIN/optag" init --store "$d/s" --keys "$d/k" >/dev/null 2>&1 || fail init
	"$BIN/optag" replay --store "$d/s" --policy "$d/truth.policy" "$d/c.pcap" >"$d/out" 2>&1 || fail "replay: $(tail -n 5 "$d/out")"
	every=1
	[ $proof = header ] || [ -n "${OPTAG_FULL:-}" ] || every=3
	python3 "$SRC/tests/truth.py" check "$d/c.pcap" "$d/s" "$d/k" $proof --every $every || bad=1
	"$BIN/optag" fsck --store "$d/s" >/dev/null || fail fsck
done
exit $bad
