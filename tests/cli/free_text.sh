#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# What persons write for those who look later: no text with a telephone number is taken, by a command or by the daemon's socket.
# shellcheck source=tests/cli/common
. "$SRC/tests/cli/common"
# shellcheck source=tests/cli/lib-policydaemon.sh
. "$SRC/tests/cli/lib-policydaemon.sh"
need jq
need python3
O="$BIN/optag"
call=01ARZ3NDEKTSV4RRFFQ69G5FAV
run 0 "$O" init --store "$TMP/s" --keys "$TMP/k"
find "$TMP/s" -type f -exec sha256sum {} + | sort >"$TMP/before"
listed() { policy "$1" && printf 'set no-record dynamic numbers\nnever "asked" { calling @no-record }\n'; }
listed '3 months' >"$live"

# ---- every option of every command that takes words: OPTION|COMMAND, refused before anything is asked or opened ----
refused() { # OPTION COMMAND...
	local opt=$1 text
	shift
	for text in 'he rang from +45 20 30 40 50' 20304050 '2030-4050' '010190-1234' 'case 2026-11-0042, 20304050'; do
		run 2 "$O" "$@" "$opt" "$text"
		has err "^optag [a-z -]+: $opt: looks as if a telephone number stands in it.*2026-11-0042"
		one_line err
		hasnt err '30 40 50|20304050|4050|1234'
		hasnt out .
	done
}
refused --reason hold add --store "$TMP/s" --reference D-1 --review 2027-01-01 $call
refused --reference hold add --store "$TMP/s" --reason r --review 2027-01-01 $call
refused --reason hold release --store "$TMP/s" $call
refused --reason erase --store "$TMP/s" --purpose both $call
refused --reason export --store "$TMP/s" --keys "$TMP/k" --purpose training --output "$TMP/x" --call $call
for t in a.20-30-40-50 anna_2030_4050; do # words of the evidence log, but for the number in pieces
	run 2 "$O" export --store "$TMP/s" --keys "$TMP/k" --purpose training --output "$TMP/x" --call $call --reason "$t"
	has err 'telephone number'
	hasnt err '20-30|2030'
done
refused --via withdraw --store "$TMP/s" $call
refused --by use --control "$sock" $call
refused --reason rule stop --control "$sock" r
refused --ticket rule stop --control "$sock" r
refused --reason rule start --control "$sock" r
refused --note set add --control "$sock" no-record +4561626364
refused --reason set add --control "$sock" no-record +4561626364
refused --reason set del --control "$sock" no-record +4561626364
refused --ticket set del --control "$sock" no-record +4561626364
refused --name policy approver-key "$TMP/key"
for c in apply propose; do
	refused --reason policy $c --control "$sock" "$live"
	refused --ticket policy $c --reason r --control "$sock" "$live"
done
refused --reason policy rollback --control "$sock" 1
refused --ticket policy rollback --reason r --control "$sock" 1
find "$TMP/s" -type f -exec sha256sum {} + | sort | cmp -s - "$TMP/before" || fail "a refused command wrote something"
# no command has another option for words: CLI_STR with TEXT is --grounds alone, which is sealed
[ "$(grep -hE 'CLI_STR,.*"(TEXT|REF|PERSON|WORD)"' "$SRC"/tools/*.c | grep -vc '"grounds"')" = 0 ] || fail "an option for words that nobody checks"

# ---- the same words over the socket, from a client of somebody else's ----
start
ask() { # JSON
	python3 - "$sock" "$1" >"$TMP/out" <<-'EOP' || fail "no answer"
	import socket, sys
	s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
	s.settimeout(20)
	s.connect(sys.argv[1])
	s.sendall(sys.argv[2].encode() + b"\n")
	print(s.makefile().readline())
	EOP
}
was=$(hash)
listed '2 months' >"$live"
new=$(file_hash "$live")
for t in 'he rang from 20 30 40 50' +4520304050; do
	ask "{\"do\":\"policy-apply\",\"hash\":\"$new\",\"reason\":\"$t\"}"
	has out '"the reason: looks as if a telephone number stands in it'
	ask "{\"do\":\"policy-apply\",\"hash\":\"$new\",\"reason\":\"r\",\"ticket\":\"$t\"}"
	has out '"the ticket: looks as if'
	ask "{\"do\":\"rule-stop\",\"rule\":\"claims inbound\",\"reason\":\"$t\"}"
	has out '"the reason: looks as if'
	ask "{\"do\":\"set-add\",\"set\":\"no-record\",\"number\":\"+4561626364\",\"note\":\"$t\"}"
	has out '"the note: looks as if'
done
[ "$(hash)" = "$was" ] || fail "a policy was changed by a refused text"
grep -rqE '20304050|20 30 40 50' "$store" "$TMP/log" && fail "a number is in the history or the log"

# ---- what a case is called goes in ----
P 0 apply --yes --reason "complaint of 24.11.2026, case 2026-11-0042" --ticket CHG0030052 "$live"
[ "$(hash)" = "$new" ] || fail "a file number was refused"
P 0 history --json
has out 'case 2026-11-0042'
has out '"ticket": ?"CHG0030052"'
exit 0
