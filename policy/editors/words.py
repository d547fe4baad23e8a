#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""words.py - writes the words of the policy language into the editors' files, or says that they differ (--check)

The words come from the tables themselves: settings and choices from tools/policy_json_shape.c, which a test holds
equal to the parser's tables, objects from policy/parse.c, categories and elements from policy/*.c.
"""
import json
import os
import re
import sys

here = os.path.dirname(os.path.abspath(__file__))
root = os.path.join(here, '..', '..')


def source(path):
    return open(os.path.join(root, path), encoding='utf-8').read()


def names(path, array):
    """The strings of a `const char *const ARRAY[] = {...}`."""
    body = re.search(r'\b%s\[\w*\] = \{(.*?)\}' % array, source(path), re.S).group(1)
    return set(re.findall(r'"([a-z-]+)"', body))


def words():
    shapes = source('tools/policy_json_shape.c')
    shapes = shapes[shapes.index('shapes_controller[]'):shapes.index('const struct kind_of')]
    settings = set(re.findall(r'\{"([a-z-]+)",', shapes))
    values = set()
    for way in re.findall(r'"([^"]*)"', shapes):
        for item in way.split():
            if item.startswith("'"):
                values.add(item.strip("'"))
            elif ':' in item and len(item.split(':')[1].rstrip('*,')) > 1:
                values.update(item.split(':')[1].rstrip('*,').split('|'))
            elif item.endswith(':!'):
                values.add(item[:-2])
    values.discard('=')
    values |= names('policy/tables.c', 'category_names') | names('policy/tables.c', 'element_names')
    values |= names('policy/tables.c', 'set_kind_names')
    values |= {'yes', 'no', 'withheld', 'dynamic', 'sensitive', 'codec', 'encrypted', 'basis'}
    values |= {'mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'}
    objects = set(re.findall(r'^\t\{"([a-z]+)", parse_\w+\},', source('policy/parse.c'), re.M))
    settings |= {'proof'}  # short for notice-proof
    # a word has one colour: a setting that is also a choice is a setting, an object's name an object
    return sorted(objects), sorted(settings - objects), sorted(values - settings - objects)


# Words after which # is no comment.
KEYWORDS = ['consent-key', 'withdraw-key', 'pause-key', 'resume-key', 'menu-keys', 'key']


def vim(objects, settings, values):
    def lines(group, ws, more=''):
        out, line = [], ''
        for w in ws:
            if len(line) + len(w) > 90:
                out.append(line)
                line = ''
            line += ' ' + w
        out.append(line)
        return ['syn keyword %s%s%s' % (group, l, more) for l in out]
    text = lines('optagPolicyObject', objects)
    text += lines('optagPolicySetting', [s for s in settings if s not in KEYWORDS])
    text += lines('optagPolicyValue', [v for v in values if v not in KEYWORDS])
    text += lines('optagPolicySetting', [k for k in KEYWORDS if k != 'key'], ' nextgroup=optagPolicyKey skipwhite')
    path = os.path.join(here, 'vim', 'syntax', 'optagpolicy.vim')
    old = open(path, encoding='utf-8').read()
    begin, end = '" words.py: begin\n', '" words.py: end\n'
    new = old[:old.index(begin) + len(begin)] + '\n'.join(text) + '\n' + old[old.index(end):]
    return path, old, new


def vscode(objects, settings, values):
    def match(ws):
        return '(?<![\\w@.-])(?:%s)(?![\\w.-])' % '|'.join(sorted(ws, key=lambda w: (-len(w), w)))
    path = os.path.join(here, 'vscode', 'syntaxes', 'optag-policy.tmLanguage.json')
    old = open(path, encoding='utf-8').read()
    grammar = json.loads(old)
    repo = grammar['repository']
    repo['object']['match'] = match(objects)
    repo['setting']['match'] = match(settings)
    repo['value']['match'] = match(values)
    key = '(?:[0-9*#A-D]{1,6}|hash|star)(?![\\w])'
    repo['key']['match'] = '(?<![\\w@.-])(%s)\\s+(%s(?:\\s*,\\s*%s)*)' % ('|'.join(KEYWORDS), key, key)
    return path, old, json.dumps(grammar, indent=2, ensure_ascii=False) + '\n'


def main():
    check = sys.argv[1:] == ['--check']
    if not check and sys.argv[1:]:
        sys.exit('usage: words.py [--check]')
    lists = words()
    if min(len(l) for l in lists) < 9:
        sys.exit('words.py: the tables were not understood')
    bad = []
    for path, old, new in (vim(*lists), vscode(*lists)):
        if old == new:
            continue
        if check:
            bad.append(os.path.relpath(path, root))
        else:
            open(path, 'w', encoding='utf-8').write(new)
    if bad:
        sys.exit('these lack words of the language, or have more (run policy/editors/words.py): ' + ' '.join(bad))
    print('%d objects, %d settings, %d other words' % tuple(len(l) for l in lists))


main()
