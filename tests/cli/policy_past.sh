#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# optag policy check --past: warnings that the evidence log gives rise to. A golden NAME.past says which calls
# there were; the log is made of it here. GOLDEN=1 rewrites the expected texts.
set -u
cd "$SRC/tests/golden/policy/past" || exit 1
fail=0
say() { echo "FAIL: $*"; fail=1; }
cat >"$TMP/make.py" <<'EOF'
# Lines of the evidence log, as FORMAT.md has them; links are not looked at by who sums.
import datetime, json, sys
seq, calls, batches = 0, 0, []
for line in sys.stdin:
    w = line.split()
    if w and w[0] != '#':
        batches.append(w)
events = []
for w in batches:
    if w[0] == 'policy':
        events.append((datetime.datetime.fromisoformat(w[1]), {'event': 'policy.load', 'policy': w[2] * 64}))
        continue
    day, n = datetime.datetime.fromisoformat(w[1]), 0
    for d in range(int(w[2])):
        for k in range(int(w[3])):
            at = day + datetime.timedelta(days=d, hours=8, seconds=k)
            uid = '01M83' + '%021d' % calls
            calls, n = calls + 1, n + 1
            events.append((at, {'event': 'call.match', 'call': uid, 'rule': w[0], 'controller': 'example'}))
            for e in w[4:]:
                name, _, each = e.partition('/')
                name, _, purpose = name.partition(':')
                if n % int(each or 1) == 0:
                    events.append((at, {'event': name, 'call': uid} | ({'purpose': purpose} if purpose else {})))
events.sort(key=lambda e: e[0])
for at, e in events:
    seq += 1
    print(json.dumps({'seq': seq, 'prev': '0' * 64, 'time': at.isoformat() + '.000000000Z'} | e, separators=(',', ':')))
EOF
for f in *.policy; do
	name=${f%.policy}
	python3 "$TMP/make.py" <"$name.past" >"$TMP/log" || say "$name: no log"
	timeout 60 "$BIN/optag-policy" check --today 2026-11-30 --past "$TMP/log" "$f" >"$TMP/out" 2>"$TMP/err"
	rc=$?
	case $name in clean-*) code='' want=0 ;; *) code=${name:0:4} want=1 ;; esac
	[ $rc = $want ] || say "$name: exit $rc instead of $want"
	[ -z "$code" ] || grep -q "^$f:[0-9]*:[0-9]*: $code: " "$TMP/err" || say "$name: no $code"
	[ -n "${GOLDEN:-}" ] && cp "$TMP/err" "$name.expected"
	cmp -s "$TMP/err" "$name.expected" || { say "$name: other diagnostics"; diff "$name.expected" "$TMP/err" | head; }
	"$BIN/optag-policy" check --today 2026-11-30 "$f" 2>/dev/null || say "$name: not clean without a past"
done
[ "$(ls ./*.policy | wc -l)" -ge 8 ] || say "policies are missing"

# What is no log: told with its line, nothing checked.
f=clean-as-it-should-be.policy
cd "$TMP" || exit 1
cp "$SRC/tests/golden/policy/past/$f" p.policy
bad() { # LINE WANTED
	printf '%s\n' "$1" >bad
	timeout 20 "$BIN/optag-policy" check --past bad p.policy >out 2>err
	[ $? = 2 ] && grep -q "$2" err || say "bad past '$(head -c 60 bad)': $(head -c 200 err)"
}
bad '{"event":"call.match"' '^optag policy check: bad:1: no line of the evidence log'
bad '[]' 'bad:1: '
bad '{"event":"call.match","time":"yesterday"}' 'bad:1: '
bad '{"event":"call.match","time":"2026-11-24T08:00:00Z","rule":"x","call":"12"}' 'bad:1: '
bad "$(head -c 5000 /dev/zero | tr '\0' x)" 'bad:1: '
printf '\0\0\n' >bad
timeout 20 "$BIN/optag-policy" check --past bad p.policy 2>err
[ $? = 2 ] || say "zeros"
"$BIN/optag-policy" check --past /nowhere p.policy 2>err
[ $? = 2 ] && grep -q '/nowhere: No such file' err || say "no such log: $(cat err)"

# A real log, by a pipe: rules that are not in the policy are no matter.
"$BIN/optag" init --store s --keys k >/dev/null && "$BUILD/tests/gen/mkevidence" s || say "no log"
"$BIN/optag" audit show --json s | "$BIN/optag-policy" check --today 2026-11-30 --past - p.policy || say "a real log"
"$BIN/optag-policy" check --today 2026-11-30 --past /dev/null p.policy || say "an empty log"
exit $fail
