#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Vim, where it is installed with its syntax files: the type is found, words have their colours, # after a key word is
# a key, indentation follows braces, and :make lists what the linter finds.
# shellcheck source=tests/cli/common
. "$SRC/tests/cli/common"
need vim
vim --version | grep -q '+syntax' && vim --version | grep -q '+eval' || { echo "SKIP: this vim has no syntax highlighting"; exit 77; }
E="$SRC/policy/editors/vim"

cat >"$TMP/t.policy" <<'END'
# a comment, rule
controller example {
	name "Example # A/S" # said so
	numbers @own, +45 7010 20*
}
rule "x" {
	called +45 8812 3400-8812 3499
	notice notice-da
	training {
		consent-key # # the hash key
		opt-out agent key *7, #, 9
		withdraw-key 0 any-time
		retention 3 months
		sample 2.5%
		window notice-start+3s to notice-end+10s
		elements rec key:1 optout-key:#
		text "We record [rec] this"
	}
}
END
cat >"$TMP/t.vim" <<'END'
set nocompatible
let &runtimepath = $E . ',' . &runtimepath
filetype plugin indent on
syntax on
edit $TMP/t.policy
let out = [&filetype . ' ' . &commentstring . ' ' . &expandtab]
function Look(line, text)
  call cursor(a:line, 1)
  let col = stridx(getline(a:line), a:text) + 1
  call add(g:out, a:line . ' ' . a:text . ' ' . synIDattr(synID(a:line, col, 1), 'name') . (synIDtrans(synID(a:line, col, 1)) == synID(a:line, col, 1) ? ' -' : ''))
endfunction
call Look(1, 'comment')
call Look(2, 'controller')
call Look(2, 'example')
call Look(3, '# A/S')
call Look(3, '# said')
call Look(4, '@own')
call Look(4, '+45')
call Look(6, 'rule')
call Look(7, '8812 3499')
call Look(8, 'notice ')
call Look(8, 'notice-da')
call Look(9, 'training')
call Look(10, 'consent-key')
call Look(10, '# #')
call Look(10, '# the')
call Look(11, '*7')
call Look(11, '#')
call Look(11, '9')
call Look(12, '0 any')
call Look(12, 'any-time')
call Look(13, '3 months')
call Look(14, '2.5%')
call Look(15, 'notice-end')
call Look(16, 'rec')
call Look(16, 'key:1')
call Look(16, 'optout-key')
call Look(16, ':#')
call Look(17, '[rec]')
%s/^\s*//
normal gg=G
silent write! $TMP/indented.policy
call writefile(out, $TMP . '/seen')
edit! $TMP/t.policy
let &makeprg = $BIN . '/optag-policy check %:S'
silent! make
call writefile(map(filter(getqflist(), 'v:val.valid'), 'v:val.lnum . ":" . v:val.col . " " . v:val.type . " " . v:val.nr'), $TMP . '/quickfix')
qall!
END
run 0 env HOME="$TMP" TERM=dumb E="$E" TMP="$TMP" BIN="$BIN" vim -n -i NONE -u NONE -e -s -S "$TMP/t.vim"
cat >"$TMP/want" <<'END'
optagpolicy # %s 0
1 comment optagPolicyComment
2 controller optagPolicyObject
2 example  -
3 # A/S optagPolicyString
3 # said optagPolicyComment
4 @own optagPolicySet
4 +45 optagPolicyNumber
6 rule optagPolicyObject
7 8812 3499 optagPolicyNumber
8 notice  optagPolicySetting
8 notice-da  -
9 training optagPolicySetting
10 consent-key optagPolicySetting
10 # # optagPolicyKey
10 # the optagPolicyComment
11 *7 optagPolicyKey
11 # optagPolicyKey
11 9 optagPolicyKey
12 0 any optagPolicyKey
12 any-time optagPolicyValue
13 3 months optagPolicySpan
14 2.5% optagPolicyPercent
15 notice-end optagPolicyWindow
16 rec optagPolicyValue
16 key:1 optagPolicyElement
16 optout-key optagPolicyElement
16 :# optagPolicyElement
17 [rec] optagPolicyTag
END
diff "$TMP/want" "$TMP/seen" >"$TMP/out" || fail "other colours"
cmp -s "$TMP/t.policy" "$TMP/indented.policy" || { diff "$TMP/t.policy" "$TMP/indented.policy" >"$TMP/out"; fail "other indentation"; }
"$BIN/optag-policy" check "$TMP/t.policy" 2>&1 | sed -nE 's/^[^:]*:([0-9]+):([0-9]+): ([LW])-0*([0-9]+): .*/\1:\2 \3 \4/p' >"$TMP/linter"
[ -s "$TMP/linter" ] || fail "the linter is content"
diff "$TMP/linter" "$TMP/quickfix" >"$TMP/out" || fail ":make lists something else"
exit 0
