#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The front: dispatch, help, versions, wrong words, completion, a full standard output.
. "$SRC/tests/cli/common" || exit 1

run 0 "$BIN/optag" --version
has out '^optag [0-9]+\.[0-9]+'
run 0 "$BIN/optag" --help
has out '^  find '
has out '^  export '
hasnt out '^  case ' # not in this version: not listed
run 0 "$BIN/optag" help find
has out '^Usage: optag find'
run 0 "$BIN/optag" find --help
has out '[-]-sip-call-id ID'
run 0 "$BIN/optag" find --version
# an option of another event is wrong usage, whether a daemon is there or not
for e in "pause --grounds x" "opt-out --grounds x" "resume --purpose training" "notice --purpose training" "object --ended" "consent --notice n"; do
	# shellcheck disable=SC2086
	run 2 "$BIN/optag" call $e 01KDVDNA008D7SP9G3MP590SE7
	one_line err
done
run 2 "$BIN/optag"
one_line err
run 2 "$BIN/optag" fnd
has err "did you mean find\?"
run 2 "$BIN/optag" ../../bin/sh
has err "unknown command"
run 2 "$BIN/optag" xyzzy
hasnt err "did you mean"
run 1 "$BIN/optag" case
has err "not in this version"
run 2 "$BIN/optag" find --stroe x
has err "^optag find: unknown option '--stroe' \(did you mean --store\?\)$"
run 2 "$BIN/optag" find --s
has err "could mean several"
run 2 "$BIN/optag" find --store
has err "[-]-store needs DIR"
run 2 "$BIN/optag" find --json=1
run 2 "$BIN/optag" find operand
run 2 "$BIN/optag" find --since "half past nine"
run 2 "$BIN/optag" find --since 99999999999999999999d
has err "out of range"
run 2 "$BIN/optag" find --since 2h --until 3h
has err "before"
run 2 "$BIN/optag" find --call 123
run 2 "$BIN/optag" find --state GRANTD
has err "did you mean GRANTED\?"
run 2 "$BIN/optag" export --store x
has err "is missing"
run 2 "$BIN/optag" find -x
# a number is not repeated in a message
run 2 "$BIN/optag" find --number 4533123456 --since 4533123456x
hasnt err 4533123456

# completion asks the programs; its script is valid and offers options and words
run 0 "$BIN/optag" --completion bash
bash -n "$TMP/out" || fail "completion script has a syntax error"
got=$(PATH="$BIN:$PATH" bash -c '. "$1"; COMP_WORDS=(optag find --nu); COMP_CWORD=2; _optag; echo "${COMPREPLY[*]}"
	COMP_WORDS=(optag find --state GR); COMP_CWORD=3; _optag; echo "${COMPREPLY[*]}"
	COMP_WORDS=(optag ex); COMP_CWORD=1; _optag; echo "${COMPREPLY[*]}"' - "$TMP/out")
[ "$got" = "--number
GRANTED
export" ] || fail "completion gave: $got"

# what cannot be written is an error
if [ -e /dev/full ]; then
	"$BIN/optag" --help >/dev/full 2>"$TMP/err"
	[ $? = 1 ] || fail "--help to a full device"
	has err "standard output: No space left"
fi

# beside its own program first, then libexec, then PATH; never the current directory
mkdir -p "$TMP/a/bin" "$TMP/a/libexec/optag" "$TMP/p"
cp "$BIN/optag" "$TMP/a/bin"
say() { printf '#!/bin/sh\necho %s "$@"\n' "$2" >"$1" && chmod 755 "$1"; }
say "$TMP/p/optag-where" path
export PATH="$TMP/p:$PATH"
run 0 "$TMP/a/bin/optag" where a "b c"
has out '^path a b c$'
say "$TMP/a/libexec/optag/optag-where" libexec
run 0 "$TMP/a/bin/optag" where
has out '^libexec'
say "$TMP/a/bin/optag-where" beside
run 0 "$TMP/a/bin/optag" where
has out '^beside'
cd "$TMP/p" && say "$TMP/p/optag-here" here
PATH=":/usr/bin:/bin" run 2 "$TMP/a/bin/optag" here
exit 0
