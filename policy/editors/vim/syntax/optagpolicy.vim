" SPDX-License-Identifier: BSD-2-Clause
" Vim syntax file: optag policies (optag-policy(5)), *.policy
" The words are written by policy/editors/words.py.

if exists('b:current_syntax')
  finish
endif
let s:cpo_save = &cpo
set cpo&vim

syn case match
syn iskeyword @,48-57,192-255,-,_

" A comment begins at the start of a line or after a blank, except where a key stands.
syn match optagPolicyComment '\%(^\|\s\)\@1<=#.*$' contains=optagPolicyTodo,@Spell
syn keyword optagPolicyTodo contained TODO FIXME XXX
syn region optagPolicyString start=+"+ skip=+\\["\\]+ end=+"+ oneline contains=optagPolicyTag,@Spell
syn match optagPolicyTag contained '\[\%(rec\|doc\|train\|withdraw\|link\|object\|access\|optout\|then\|\%(optout-\)\=key:[0-9*#A-D]\{1,6}\)\]'

syn match optagPolicySet '@[^ \t{};,"]\+'
syn match optagPolicyNumber '+\d[0-9 ]*\d\%(\*\|-\d[0-9 ]*\d\)\='
syn match optagPolicyDate '\<\d\{4}-\d\d-\d\d\>'
syn match optagPolicyTime '\<\d\d:\d\d-\d\d:\d\d\>'
syn match optagPolicySpan '\<\d\+\s*\%(s\|min\|h\|d\|days\=\|months\=\|years\=\)\>'
syn match optagPolicyPercent '\<\d\{1,3}\%(\.\d\)\=%'
syn match optagPolicyWindow '\<\%(notice-start\|notice-end\|answer\)+\d\+s\>'
syn match optagPolicyElement '\<\%(optout-\)\=key:[0-9*#A-D]\{1,6}'
syn match optagPolicyUrl '\<https\=://[^ \t{};,"]\+'

" `key` on its own; key:1 is an element.
syn match optagPolicySetting '\<key\>:\@!' nextgroup=optagPolicyKey skipwhite
" A key, or several; # is one of its signs.
syn match optagPolicyKey contained '\%([0-9*#A-D]\{1,6}\|hash\|star\)\%([[:alnum:]_]\)\@!' nextgroup=optagPolicyKeyComma skipwhite
syn match optagPolicyKeyComma contained ',' nextgroup=optagPolicyKey skipwhite skipnl

" words.py: begin
syn keyword optagPolicyObject announcement assessment controller defaults include never rule set trunk
syn keyword optagPolicySetting address agent agent-header alarm approver audio author basis called calling cap commit
syn keyword optagPolicySetting consent-source contact correlate-header country cvr date decision-record dedicated
syn keyword optagPolicySetting direction disk-share documentation dtmf early-media elements exclude-leg factor file
syn keyword optagPolicySetting header identity interface international-prefix key-ring keys keys-after kind lab language
syn keyword optagPolicySetting languages leg link link-is-specific max-concurrent max-length media min-length mute-dtmf
syn keyword optagPolicySetting name national-digits national-prefix no-other-way not-needed notice notice-proof
syn keyword optagPolicySetting notice-timeout numbers on-loss on-missing-notice on-objection on-opt-out on-review-missed
syn keyword optagPolicySetting opt-out outcome owner pause pause-max play-reason port pre-decision proof queue
syn keyword optagPolicySetting queue-header reason record-hold-music retention retention-reason review roles sample
syn keyword optagPolicySetting sample-seed scope second-approver sensitive sip-domain sms special-circumstances spread
syn keyword optagPolicySetting tag text ticket time timezone training training-from transport trunks use-target
syn keyword optagPolicySetting use-within valid-from valid-until version vlan window without-consent worm zstd
syn keyword optagPolicyValue access agents any any-time api asserted at-end at-grant attested biometric block bucket
syn keyword optagPolicyValue call callback-unrecorded card codec consent continue-restricted cpr daily day deadline
syn keyword optagPolicyValue deny discard doc dynamic encrypted ethnicity even every except fingerprint first-come
syn keyword optagPolicyValue floor fri from genetic health hold holidays hour immutable-until inband inbound info
syn keyword optagPolicyValue inspect interest keep min mon month no none not-applicable not-relied-on object obligation
syn keyword optagPolicyValue off offences one-of optional optout outbound per per-leg politics prefix present press
syn keyword optagPolicyValue quarantine queues rec relied-on religion reopen required resume rfc4733 ring sat sexuality
syn keyword optagPolicyValue side special stop subject sun tcp then throttle thu timeout to train training-amount tue
syn keyword optagPolicyValue udp union wed week withdraw withheld yes
syn keyword optagPolicySetting consent-key withdraw-key pause-key resume-key menu-keys nextgroup=optagPolicyKey skipwhite
" words.py: end

hi def link optagPolicyComment Comment
hi def link optagPolicyTodo Todo
hi def link optagPolicyString String
hi def link optagPolicyTag Special
hi def link optagPolicySet Identifier
hi def link optagPolicyNumber Number
hi def link optagPolicyDate Number
hi def link optagPolicyTime Number
hi def link optagPolicySpan Number
hi def link optagPolicyPercent Number
hi def link optagPolicyWindow Special
hi def link optagPolicyElement Special
hi def link optagPolicyUrl Underlined
hi def link optagPolicyKey Character
hi def link optagPolicyObject Statement
hi def link optagPolicySetting Type
hi def link optagPolicyValue Constant

let b:current_syntax = 'optagpolicy'
let &cpo = s:cpo_save
unlet s:cpo_save
