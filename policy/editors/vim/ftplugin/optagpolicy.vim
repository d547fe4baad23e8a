" SPDX-License-Identifier: BSD-2-Clause
" Comments, indentation, and :make, which lists what `optag policy check` finds.
if exists('b:did_ftplugin')
  finish
endif
let b:did_ftplugin = 1

setlocal comments=:# commentstring=#\ %s
setlocal iskeyword+=-
setlocal noexpandtab shiftwidth=8 softtabstop=0
setlocal makeprg=optag\ policy\ check\ %:S
setlocal errorformat=%f:%l:%c:\ %t-%n:\ %m,%-G%.%#
let b:undo_ftplugin = 'setlocal comments< commentstring< iskeyword< expandtab< shiftwidth< softtabstop< makeprg< errorformat<'
