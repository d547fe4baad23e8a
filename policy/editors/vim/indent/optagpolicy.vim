" SPDX-License-Identifier: BSD-2-Clause
" One step a brace.
if exists('b:did_indent')
  finish
endif
let b:did_indent = 1

setlocal indentexpr=OptagPolicyIndent() indentkeys=0},o,O,!^F
let b:undo_indent = 'setlocal indentexpr< indentkeys<'

if exists('*OptagPolicyIndent')
  finish
endif

" Braces outside of quotes and comments, as a sum.
function s:braces(lnum)
  let sum = 0
  let line = getline(a:lnum)
  for i in range(len(line))
    if line[i] =~# '[{}]' && synIDattr(synID(a:lnum, i + 1, 0), 'name') !~# 'String\|Comment'
      let sum += line[i] ==# '{' ? 1 : sum > 0 ? -1 : 0
    endif
  endfor
  return sum
endfunction

function OptagPolicyIndent()
  let prev = prevnonblank(v:lnum - 1)
  if prev == 0
    return 0
  endif
  let ind = indent(prev) + s:braces(prev) * shiftwidth()
  if getline(v:lnum) =~# '^\s*}'
    let ind -= shiftwidth()
  endif
  return ind < 0 ? 0 : ind
endfunction
