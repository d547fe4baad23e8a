# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Acceptance stories live: the rules of the truth table (tests/golden/truth) in optagd, calls by gencap's script in real time.
# Sourced after lib-load.sh.
#
#	story_live [LINES OF optagd.conf...] <SCRIPT && load_daemon && story_play

command -v python3 >/dev/null || { echo "SKIP: python3 is not installed"; exit 77; }
export BIN

# A day draws by a seed whose hash was published before it began: the store saw a call the day before, which nobody kept.
story_live() {
	mkdir -p "$TMP/policy" && python3 "$SRC/tests/truth.py" policy "$TMP/policy" header || return 1
	mv "$TMP/policy/truth.policy" "$TMP/policy/demo.policy" # as load_conf names it
	cat >"$TMP/script"
	"$O" init --store "$TMP/s" --keys "$TMP/k" >/dev/null 2>&1 || return 1
	echo 'seed from=+4520304050 to=+4570102005 bye=3000' >"$TMP/seed"
	"$BUILD/tests/gen/gencap" --script "$TMP/seed" --start "$(date -d '-1 day' +%s)" "$TMP/seed.pcap" &&
		"$O" replay --store "$TMP/s" --policy "$TMP/policy/demo.policy" "$TMP/seed.pcap" >/dev/null 2>&1 || return 1
	"$BUILD/tests/gen/gencap" --script "$TMP/script" --interleave 30 "$TMP/c.pcap" && load_up && load_conf "$@"
}

story_play() { # until all is taken
	load_in "$BUILD/tests/gen/play" tx0 "$TMP/c.pcap" >"$TMP/played" || fail play
	load_settle || fail "the counters do not come to rest"
}

story_row() { "$O" find --store "$TMP/s" --json | jq -c --arg n "$1@script" 'select(.sip_call_id == $n)'; }
