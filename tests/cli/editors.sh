#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Files for editors: their words are those of the language, their JSON is JSON, and the TextMate grammar tells keys
# from comments in every example.
# shellcheck source=tests/cli/common
. "$SRC/tests/cli/common"
need python3
E="$SRC/policy/editors"

run 0 python3 "$E/words.py" --check
# The check notices a word that is missing, and one too many.
cp -r "$SRC/policy" "$TMP/policy"
mkdir "$TMP/tools"
cp "$SRC/tools/policy_json_shape.c" "$TMP/tools"
sed -i 's/ retention-reason / /' "$TMP/policy/editors/vim/syntax/optagpolicy.vim"
run 1 python3 "$TMP/policy/editors/words.py" --check
has err 'vim/syntax/optagpolicy.vim'
sed -i 's/{"use-within", /{"use-by", /' "$TMP/tools/policy_json_shape.c"
run 0 python3 "$TMP/policy/editors/words.py"
grep -q 'use-by' "$TMP/policy/editors/vscode/syntaxes/optag-policy.tmLanguage.json" || fail "a new word is not written"

for f in "$E"/vscode/*.json "$E"/vscode/syntaxes/*.json; do
	jq -e . "$f" >/dev/null || fail "${f##*/} is no JSON"
done
jq -r '.contributes.grammars[].path, .contributes.languages[].configuration' "$E/vscode/package.json" | while read -r f; do
	[ -f "$E/vscode/$f" ] || fail "package.json names $f"
done

cat >"$TMP/grammar.py" <<'END'
import json, re, sys
g = json.load(open(sys.argv[1]))
repo = g['repository']

def rules(r):
    return [x for p in r['patterns'] for x in rules(p)] if 'patterns' in r and 'begin' not in r else [r]

top = []
for inc in g['patterns']:
    top += rules(repo[inc['include'][1:]])
for r in top:
    r['re'] = re.compile(r.get('match') or r['begin'])

def scopes(line):
    """What a TextMate engine does on one line: the leftmost match, of several the first rule's."""
    at, out = 0, []
    while at <= len(line):
        best = None
        for r in top:
            m = r['re'].search(line, at)
            if m and (best is None or m.start() < best[0].start()):
                best = (m, r)
        if not best:
            break
        m, r = best
        end = m.end()
        if 'begin' in r:
            m2 = re.compile(r'(?:\\.|[^"\\])*"?').match(line, m.end())
            end = m2.end()
        if 'captures' in r:
            for k, c in sorted(r['captures'].items()):
                out.append((m.group(int(k)), c['name']))
        else:
            out.append((line[m.start():end], r['name']))
        at = max(end, at + 1)
    return out

def scope(line, text):
    return [s.rsplit('.optag-policy', 1)[0] for t, s in scopes(line) if t == text]

KEY, COMMENT = 'constant.character.key', 'comment.line.number-sign'
want = [
    ('\topt-out key #', '#', KEY), ('\tconsent-key # # yes', '#', KEY), ('\tconsent-key # # yes', '# yes', COMMENT),
    ('\topt-out agent key *7, #', '*7, #', KEY), ('\tmenu-keys 1, *2, # ; ', '1, *2, #', KEY), ('withdraw-key hash', 'hash', KEY),
    ('# a comment', '# a comment', COMMENT), ('\towner "a # b" # c', '# c', COMMENT), ('\towner "a # b" # c', '"a # b"', 'string.quoted.double'),
    ('\tlink https://x/#y', 'https://x/#y', 'markup.underline.link'), ('\tretention 3 months', '3 months', 'constant.numeric.span'),
    ('\tretention 3 months', 'retention', 'support.type.property-name'), ('\tsample 2.5%', '2.5%', 'constant.numeric.percent'),
    ('\tcalled +45 7010 20*', '+45 7010 20*', 'constant.numeric.telephone'), ('\tcalled @own, withheld', '@own', 'variable.other.set'),
    ('\tcalled @own, withheld', 'withheld', 'constant.language'), ('rule "x" {', 'rule', 'keyword.control.object'),
    ('\tnotice notice-da, notice-en', 'notice', 'support.type.property-name'), ('\telements rec key:#', 'key:#', 'support.constant.element'),
    ('\twindow notice-start+3s to notice-end+10s', 'notice-end+10s', 'support.constant.window'),
    ('\treview 2027-06-01', '2027-06-01', 'constant.numeric.date'), ('\ttime mon-fri 08:00-16:00', '08:00-16:00', 'constant.numeric.time'),
]
for line, text, s in want:
    if scope(line, text) != [s]:
        sys.exit('%r: %r is %r, not %s: %r' % (line, text, scope(line, text), s, scopes(line)))
if scope('\tnotice notice-da', 'notice-da') or len(scopes('\tnotice notice-da')) != 1:
    sys.exit('a name is taken for a word: %r' % scopes('\tnotice notice-da'))
# Every first word of a line in the examples is known.
for path in sys.argv[2:]:
    for line in open(path, encoding='utf-8'):
        m = re.match(r'\s*([a-z-]+) [^ ]', line)
        if m and not any(t == m.group(1) for t, s in scopes(line.rstrip('\n'))):
            sys.exit('%s: %r: %r' % (path, line, scopes(line)))
END
run 0 python3 "$TMP/grammar.py" "$E/vscode/syntaxes/optag-policy.tmLanguage.json" "$SRC"/policy/examples/*.policy
exit 0
