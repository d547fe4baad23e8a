#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Asks a metrics page as Prometheus and as a rude client would, and says what is wrong with it.

    metrics_check.py PORT SOCKET       the page of 127.0.0.1:PORT; SOCKET is the same daemon's control socket

Format: text 0.0.4 as https://prometheus.io/docs/instrumenting/exposition_formats has it, names as its conventions do
(what promtool calls lint). HTTP: methods, paths, broken requests, clients that send or read slowly. Exit 1 with the findings.
"""
import json
import re
import socket
import sys

found = []


def wrong(what):
    found.append(what)


# ---- the format ----

NAME = re.compile(r'(optag|process)_[a-z][a-z0-9]*(_[a-z0-9]+)*')
# Base units only, spelt out: seconds and bytes.
NOT_BASE = re.compile(r'_(ms|us|ns|s|sec|secs|millis|milliseconds|microseconds|nanoseconds|minutes|hours|days|kb|kib|mb|mib|'
                      r'kilobytes|megabytes|bits|percent|pct)(_|$)')
VALUE = re.compile(r'[+-]?([0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?|Inf)|NaN')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')


def labels_of(text, line):
    """'{a="b"}' as a tuple of pairs, or None."""
    pairs, at = [], 1
    while text[at:at + 1] != '}':
        m = LABEL.match(text, at)
        if not m:
            wrong(f'labels: {line!r}')
            return None
        pairs.append((m[1], m[2]))
        at = m.end()
        if text[at:at + 1] == ',':
            at += 1
        elif text[at:at + 1] != '}':
            wrong(f'labels: {line!r}')
            return None
    if len({k for k, _ in pairs}) != len(pairs) or any(k.startswith('__') for k, _ in pairs):
        wrong(f'label names: {line!r}')
    return tuple(sorted(pairs))


class Family:
    def __init__(self, name):
        self.name, self.type, self.series = name, None, {}


def part_of_histogram(family, part, labels, value, line):
    """One without further labels: buckets that grow to +Inf, then sum and count."""
    if labels is None or not VALUE.fullmatch(value) or float(value) < 0:
        return wrong(f'histogram: {line!r}')
    key = (part, labels)
    if key in family.series:
        return wrong(f'twice: {line!r}')
    buckets = [(float(k[1][0][1]), v) for k, v in family.series.items() if k[0] == '_bucket']
    if part == '_bucket':
        if len(labels) != 1 or labels[0][0] != 'le':
            return wrong(f'a bucket has its bound in le: {line!r}')
        if buckets and (float(labels[0][1]) <= buckets[-1][0] or float(value) < buckets[-1][1]):
            wrong(f'buckets must grow: {line!r}')
    elif labels:
        wrong(f'labels: {line!r}')
    elif part == '_count' and (not buckets or buckets[-1] != (float('inf'), float(value))):
        wrong(f'the count is not the +Inf bucket: {line!r}')
    family.series[key] = float(value)
    return None


def sample(family, line):
    m = re.fullmatch(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(\{.*\})? (\S+)', line)
    if not m:
        return wrong(f'not a sample: {line!r}')
    if family and family.type == 'histogram' and m[1] in [family.name + x for x in ('_bucket', '_sum', '_count')]:
        return part_of_histogram(family, m[1][len(family.name):], labels_of(m[2], line) if m[2] else (), m[3], line)
    if not family or m[1] != family.name or not family.type:
        return wrong(f'outside of its family, or before its TYPE: {line!r}')
    labels = labels_of(m[2], line) if m[2] else ()
    if labels is None:
        return None
    if not VALUE.fullmatch(m[3]):
        return wrong(f'value: {line!r}')
    value = float(m[3])
    if family.type == 'counter' and not value >= 0:
        wrong(f'a counter below zero: {line!r}')
    if labels in family.series:
        wrong(f'twice: {line!r}')
    if family.series and {k for k, _ in labels} != {k for k, _ in next(iter(family.series))}:
        wrong(f'other labels than the sample before: {line!r}')
    family.series[labels] = value
    return None


def check_name(f):
    if not NAME.fullmatch(f.name):
        wrong(f'name: {f.name}')
    if NOT_BASE.search(f.name):
        wrong(f'not in base units: {f.name}')
    if f.type not in ('counter', 'gauge', 'histogram'):
        wrong(f'{f.name}: type {f.type}')
    if (f.type == 'counter') != f.name.endswith('_total'):
        wrong(f'{f.name}: counters, and they alone, end in _total')
    if re.search('_(counter|gauge|metric)(_|$)', f.name):
        wrong(f'{f.name}: its type is in its name')


def parse(page):
    """The families by name; what is wrong goes to found."""
    families, now = {}, None
    try:
        text = page.decode('utf-8')
    except UnicodeDecodeError as e:
        wrong(f'not UTF-8: {e}')
        return {}
    if not text.endswith('\n'):
        wrong('the last line has no end')
    for line in text.split('\n')[:-1]:
        m = re.fullmatch(r'# (HELP|TYPE) (\S+) (.*)', line)
        if re.search('[\x00-\x1f\x7f]', line) and not re.search('="', line):
            wrong(f'a control character: {line!r}')
        if m and m[1] == 'HELP':
            if m[2] in families:
                wrong(f'{m[2]} twice')
            if not re.fullmatch(r'[^ ](.*[^ ])?', m[3]) or re.search(r'\\[^\\n]', m[3]):
                wrong(f'{m[2]}: its help')
            now = families[m[2]] = Family(m[2])
        elif m:
            if not now or now.name != m[2] or now.type or now.series:
                wrong(f'{m[2]}: its TYPE is not behind its HELP')
            else:
                now.type = m[3]
                check_name(now)
        else:
            sample(now, line)
    for f in families.values():
        if not f.type:
            wrong(f'{f.name} has no TYPE')
    return families


def grown(a, b):
    """Two pages of one daemon, a before b."""
    for name, f in a.items():
        if name not in b or b[name].type != f.type:
            wrong(f'{name} is gone from the second page')
        elif f.type == 'counter':
            for labels, value in f.series.items():
                if b[name].series.get(labels, -1) < value:
                    wrong(f'{name}{dict(labels)} went down')


# ---- HTTP ----

class Http:
    def __init__(self, port):
        self.port = port

    def open(self):
        return socket.create_connection(('127.0.0.1', self.port), timeout=60)

    def ask(self, request):
        """All that comes back until the server closes."""
        with self.open() as s:
            s.sendall(request)
            return self.rest(s)

    @staticmethod
    def rest(s):
        out = b''
        try:
            while True:
                got = s.recv(65536)
                if not got:
                    return out
                out += got
        except ConnectionResetError:
            return out

    def get(self, method='GET', path='/metrics', body=b'', more=''):
        length = f'Content-Length: {len(body)}\r\n' if body else ''
        answer = self.ask(f'{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{length}{more}\r\n'.encode() + body)
        head, _, rest = answer.partition(b'\r\n\r\n')
        lines = head.decode('latin-1').split('\r\n')
        m = re.fullmatch(r'HTTP/1\.[01] ([0-9]{3}) .*', lines[0])
        if not m:
            wrong(f'{method} {path[:20]}: answered {answer[:60]!r}')
            return 0, {}, b''
        return int(m[1]), {k.lower(): v.strip() for k, _, v in (x.partition(':') for x in lines[1:])}, rest


def alive(http, sock, when):
    """The page, and the control socket, whatever others do."""
    code, _, body = http.get()
    if code != 200 or not body.endswith(b'\n'):
        wrong(f'{when}: the page answers {code}')
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(60)
        s.connect(sock)
        s.sendall(b'{"do":"status"}\n')
        if not json.loads(s.makefile().readline()).get('ok'):
            wrong(f'{when}: no status')


def methods(http):
    code, head, body = http.get()
    if code != 200 or head.get('content-type') != 'text/plain; version=0.0.4; charset=utf-8':
        wrong(f'the page: {code} {head}')
    if head.get('content-length') != str(len(body)):
        wrong(f'the page: {len(body)} bytes came, {head.get("content-length")} were promised')
    code, head, body = http.get('HEAD')
    if code != 200 or body or int(head.get('content-length', 0)) < 1000:
        wrong(f'HEAD: {code} {head} {body[:40]!r}')
    for path in ('/metric', '/metrics/', '/../etc/passwd', '/' + 'a' * 1000):
        code, _, body = http.get(path=path)
        if code != 404 or b'optag_' in body or path[1:].encode() in body.replace(b'/metrics', b''):
            wrong(f'{path[:20]}: {code} {body[:60]!r}')
    if http.get(path='/metrics?name=x')[0] != 200:
        wrong('a query is no other page')
    if http.get(path='/')[0] != 200:
        wrong('/')
    for method in ('POST', 'PUT', 'DELETE', 'OPTIONS', 'BREW'):
        code, head, _ = http.get(method, body=b'x' * 100 if method in ('POST', 'PUT') else b'')
        if code != 405 or head.get('allow') != 'GET, HEAD':
            wrong(f'{method}: {code} {head}')


def broken(http, sock):
    """Not one of these may get a page, or stop the daemon."""
    for request in (b'\r\n\r\n\r\n', b'GARBAGE\r\n\r\n', b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + b'\xff' * 500 + b'\r\n\r\n',
                    b'GET /metrics HTTP/9.9\r\nHost: x\r\n\r\n', b'GET /metrics HTTP/1.1\r\nno colon here\r\nConnection: close\r\n\r\n',
                    b'GET /' + b'a' * 40000 + b' HTTP/1.1\r\nHost: x\r\n\r\n',
                    b'GET / HTTP/1.1\r\nHost: x\r\n' + b'X-Y: z\r\n' * 5000 + b'\r\n',
                    b'POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n',
                    b'POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzzzz\r\n'):
        with http.open() as s:
            try:
                s.sendall(request)
                s.shutdown(socket.SHUT_WR)
            except (BrokenPipeError, ConnectionResetError, OSError):
                pass  # it had enough before we had said all
            answer = http.rest(s)
        if b' 200 ' in answer.split(b'\r\n')[0] and b'no colon' not in request:
            wrong(f'{request[:40]!r}: {answer[:60]!r}')
        alive(http, sock, f'after {request[:20]!r}')


def slow(http, sock):
    """Some never finish their request, some never read the answers: others are served, then as now."""
    writers, readers = [http.open() for _ in range(7)], [http.open() for _ in range(7)]
    for s in writers:
        s.sendall(b'GET /metrics HTTP/1.1\r\nHo')
    for s in readers:
        s.setblocking(False)
        try:
            for _ in range(2000):  # more than the kernel's buffers hold, in answers
                s.send(b'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n')
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            pass
    for _ in range(3):
        alive(http, sock, 'beside slow clients')
    writers[0].sendall(b'st: x\r\nConnection: close\r\n\r\n')
    if not http.rest(writers[0]).startswith(b'HTTP/1.1 200'):
        wrong('a slow client is not served when it has said all')
    for s in writers + readers:
        s.close()
    alive(http, sock, 'after slow clients')
    crowd = []
    try:
        crowd = [http.open() for _ in range(60)]  # more than it takes at once
    except OSError:
        pass
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(60)
        s.connect(sock)
        s.sendall(b'{"do":"status"}\n')
        if not json.loads(s.makefile().readline()).get('ok'):
            wrong('no status in a crowd')
    for s in crowd:
        s.close()
    alive(http, sock, 'after a crowd')


def main():
    http, sock = Http(int(sys.argv[1])), sys.argv[2]
    first = parse(http.get()[2])
    if len(first) < 20:
        wrong(f'{len(first)} families only')
    methods(http)
    broken(http, sock)
    slow(http, sock)
    grown(first, parse(http.get()[2]))
    for line in dict.fromkeys(found):
        print(line)
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
