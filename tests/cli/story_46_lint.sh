#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 46, the linter's part: with sms a rule may leave link and rights to the message; without the short spoken notice
# of recording and purposes, or of the key that counts, it does not load. In each situation and both languages.
# shellcheck source=tests/cli/common
. "$SRC/tests/cli/common"
P="$BIN/optag-policy"
today=2026-11-30

for e in A1:a1:rec,doc A2:a2:rec,doc,key A3:a3:rec,doc B:b:rec,train,key C:c:rec,train,then D:d:rec,train E:e:rec,doc,train,key \
	F:f:rec,doc,train,then G:g:rec,doc,train; do
	IFS=: read -r s file need <<<"$e"
	for l in en da; do
		{
			sed "s/^	notice notice-da, notice-en$/	notice spoken\n	sms template-1 timeout 10 min/; s/^	languages da, en$/	languages $l/" \
				"$SRC/policy/examples/$file"-*.policy
			"$BIN/optag" announcement template "$s" --lang $l --sms --object | sed '1s/.*/announcement spoken {/; /^	link /d'
		} >"$TMP/good.policy"
		run 1 "$P" check --today $today "$TMP/good.policy"
		grep -E ': L-' "$TMP/err" && fail "$s: the short text is refused"
		# the same without the message: link and rights are missing
		sed '/^	sms /d' "$TMP/good.policy" >"$TMP/bad.policy"
		run 2 "$P" check --today $today "$TMP/bad.policy"
		has err 'L-80: .*has no link'
		# each thing that must be spoken
		for el in ${need//,/ }; do
			sed -E "/^	elements .*/{/optout|rec/{s/ $el(:[0-9*#]+)?( |$)/ /}}; s/ \[$el(:[0-9*#]+)?\]//" "$TMP/good.policy" >"$TMP/bad.policy"
			run 2 "$P" check --today $today "$TMP/bad.policy"
			case $el in rec | doc | train) code=L-80 ;; key) code='L-8[13]' ;; then) code=L-32 ;; esac
			has err "spoken|notice"
			grep -qE ": $code: .*'spoken' lacks \[$el" "$TMP/err" || fail "$s $l without $el: $(grep -oE ': L-..: .*' "$TMP/err" | head -3)"
			grep -q ': L-80: .*Why: .*N-37' "$TMP/err" || [ $code != L-80 ] || fail "$s: no reason"
		done
	done
done
# Not spoken at all.
sed '/^	notice spoken/d' "$TMP/good.policy" >"$TMP/bad.policy"
run 2 "$P" check --today $today "$TMP/bad.policy"
has err 'L-80: the rule has no announcement'
exit 0
