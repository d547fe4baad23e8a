#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 7, no silent policy: training by interest without a way to opt out is L-30, with line, column and the
# guidance's statement, and status 2; in the running daemon nothing changes. With the caller's key alone and a notice
# that says "tell us" it is L-31.
# shellcheck source=tests/cli/common
. "$SRC/tests/cli/common"
. "$SRC/tests/cli/lib-policydaemon.sh"
need jq
P="$BIN/optag-policy"
good=$live
cp "$SRC"/policy/examples/c-*.policy "$good"
run 1 "$P" check "$good"
cp "$good" "$TMP/good.policy"

start
before=$(hash)
[ "$before" = "$("$P" explain --json "$good" | jq -r .policy_hash)" ] || fail "the daemon runs something else"

refused() { # FILE CODE WHY: at the line of the basis or of the notice
	run 2 "$P" check "$TMP/$1.policy"
	grep -qE "^$TMP/$1\.policy:[0-9]+:[0-9]+: $2: .* Why: $3.* Fix: .*opt-out" "$TMP/err" || fail "$1: no $2 by $3"
	cp "$TMP/err" "$TMP/told"
	run 2 "$P" check --json "$TMP/$1.policy"
	jq -se --arg c "$2" 'map(select(.code == $c)) | length >= 1 and all(.severity == "error" and .line > 0 and .col > 0)' "$TMP/out" >/dev/null ||
		fail "$1: --json"
	line=$(jq -sr --arg c "$2" 'map(select(.code == $c))[0].line' "$TMP/out")
	sed -n "${line}p" "$TMP/$1.policy" | grep -qE "$4" || fail "$1: line $line is not where it is wrong"
	grep -qF "    $(sed -n "${line}p" "$TMP/$1.policy")" "$TMP/told" && grep -q '^    	*.*\^' "$TMP/told" || fail "$1: line and caret are not shown"
	cp "$TMP/$1.policy" "$good"
	run 2 "$BIN/optag" policy apply --yes --control "$sock" "$good"
	has err "$2: "
	n=$(grep -c 'policy\.reject: by signal: .*live\.policy:[0-9]*:[0-9]*: L-' "$TMP/log")
	kill -HUP $daemon
	for _ in $(seq 1200); do [ "$(grep -c 'policy\.reject: by signal: .*: L-' "$TMP/log")" -gt "$n" ] && break; sleep 0.05; done
	[ "$(grep -c 'policy\.reject: by signal: .*: L-' "$TMP/log")" -gt "$n" ] || fail "$1: the daemon does not say that it refuses: $(tail -1 "$TMP/log")"
	[ "$(hash)" = "$before" ] || fail "$1: the running policy is another"
	# who explains, prints or converts it gets nothing either
	for c in explain fmt show 'convert --to json'; do
		# shellcheck disable=SC2086
		run 2 "$P" $c "$TMP/$1.policy"
		[ ! -s "$TMP/out" ] || fail "$1: $c prints it"
	done
	cp "$TMP/good.policy" "$good"
}

# No path at all; the announcement is silent, too.
sed '/^		opt-out/d; /on-opt-out/d; s/ optout then optout-key:9//; s/\[optout-key:9\]//; s/\[optout\]//; s/\[then\]//' "$TMP/good.policy" >"$TMP/none.policy"
refused none L-30 'N-41' 'training|basis interest'
# The announcement alone promises it.
sed '/^		opt-out/d; /on-opt-out/d' "$TMP/good.policy" >"$TMP/promised.policy"
refused promised L-30 'N-41' 'training|basis interest'
# The caller's key alone, and "tell us" in the notice.
sed '/^		opt-out agent/d' "$TMP/good.policy" >"$TMP/key.policy"
refused key L-31 'N-41' 'notice notice-da'
# The agent's way alone, and a key in the notice.
sed '/^		opt-out key/d' "$TMP/good.policy" >"$TMP/agent.policy"
refused agent L-31 'N-41' 'notice notice-da'
# The same beside documentation.
sed '/^		opt-out/d' "$SRC"/policy/examples/f-*.policy >"$TMP/f.policy"
refused f L-30 'N-41' 'training|basis interest'
# Silence cannot be made a consent instead (L-25).
for s in 'default-consent yes' 'silence grant' 'on-timeout grant'; do
	sed "s/^		sample 2%/		$s\n&/" "$TMP/good.policy" >"$TMP/silence.policy"
	run 2 "$P" check "$TMP/silence.policy"
	has err ': L-25: .*N-21'
done
# With each path that the notice promises it loads.
sed '/^		opt-out agent/d; s/ optout then optout-key:9/ then optout-key:9/; s/ eller sig det til os \[optout\]//; s/ or tell us \[optout\]//' "$TMP/good.policy" >"$TMP/one.policy"
run 1 "$P" check "$TMP/one.policy"
[ "$(hash)" = "$before" ] || fail "the policy changed in the end"
exit 0
