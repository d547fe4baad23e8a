#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# One person alone makes no more training recordings: not by a rule beside another one or a new name for it, whose caps
# would count from nothing (N-51, INV-10), nor by looking later at the reasoning again (N-18). Amounts take a reason.
. "$SRC/tests/cli/common"
. "$SRC/tests/cli/lib-policydaemon.sh"
need jq
review=$(date -u -d '+8 months' +%F)

rule() { # NAME NUMBERS CAP
	cat <<END
rule "$1" { controller c side called called $2 owner O review $review notice n notice-proof api
 training { basis interest assessment a opt-out key 9 opt-out agent api sample 5% cap $3 per day } roles training coach }
END
}
head_() { # REVIEW OF THE ASSESSMENT
	cat <<END
set own numbers { +45 7010 20* }
announcement n { language da link https://c.example/telefon elements rec train link access optout then optout-key:9
 text "[rec] [train] [link] [access] [optout] [then] [optout-key:9]" }
assessment a { kind training-amount scope @own date 2026-01-01 author A approver B outcome ok review ${1:-$review} without-consent "w" }
controller c { timezone UTC languages da numbers @own roles coach }
END
}
diff_() { run 0 "$BIN/optag" policy diff "$TMP/a" "$TMP/b"; }

{ head_; rule claims @own 40; } >"$TMP/a"
# ---- a rule beside it, on a part of its numbers ----
{ head_; rule first '+45 7010 2000-7010 2049' 40; rule claims @own 40; } >"$TMP/b"
cp "$TMP/b" "$TMP/beside"
diff_
has out '^LOOSENS +.*: rule "first": - -> added$'
has out 'its caps count from nothing'
has out '^0 tighten, 0 shorten, 1 loosen'
# ---- another name ----
{ head_; rule claims-2 @own 40; } >"$TMP/b"
cp "$TMP/b" "$TMP/renamed"
diff_
has out '^LOOSENS +.*: rule "claims-2": - -> added$'
# ---- without a share nothing is counted ----
{ head_; rule first '+45 7010 2000-7010 2049' 40 | sed 's/sample 5%/sample 0%/'; rule claims @own 40; } >"$TMP/b"
diff_
has out '^tightens +.*: rule "first": - -> added$'
# ---- the reasoning is looked at again later, sooner ----
{ head_ "$(date -u -d '+11 months' +%F)"; rule claims @own 40; } >"$TMP/later"
cp "$TMP/later" "$TMP/b"
diff_
has out '^LOOSENS +.*: assessment a, review: '
{ head_ "$(date -u -d '+3 months' +%F)"; rule claims @own 40; } >"$TMP/b"
diff_
has out '^tightens +.*: assessment a, review: '

# ---- the daemon: nobody asks why at a signal, so a signal changes no amount ----
hup() { # WANT: in the log's next line about it
	local n
	n=$(grep -c 'policy\.\(load\|reject\)' "$TMP/log")
	kill -HUP $daemon
	for _ in $(seq 1200); do [ "$(grep -c 'policy\.\(load\|reject\)' "$TMP/log")" -gt "$n" ] && break; sleep 0.05; done
	grep 'policy\.\(load\|reject\)' "$TMP/log" | tail -1 | grep -q "$1" || fail "SIGHUP: not $1 but $(tail -1 "$TMP/log")"
}
cp "$TMP/a" "$live"
start
A=$(hash)
for f in beside renamed; do
	cp "$TMP/$f" "$live"
	hup 'policy.reject: by signal: live.policy:[0-9]* rule "[a-z0-9-]*": amounts change with a reason only'
	[ "$(hash)" = "$A" ] || fail "$f: in force without a reason"
done
# the same as a purpose of a rule that had none, and under another controller
{ head_; rule claims @own 40 | sed 's/controller c /controller d /'; sed -n 's/^controller c/controller d/p' "$TMP/a"; } >"$live"
hup 'rule "claims", controller: amounts change with a reason only'
cp "$TMP/later" "$live" # no amount
hup 'policy.load: .*1 loosen'
cp "$TMP/a" "$live"
hup 'policy.load: .*1 tighten'
cp "$TMP/renamed" "$live"
P 0 apply --yes --reason "as it is called now" "$live"
has out '1 loosen'
ended

# ---- where approval is required nobody does so alone ----
[ "$(id -u)" = 0 ] || exit 0
need setpriv
store="$TMP/two"
mkdir -m 750 "$store"
cp "$TMP/a" "$live"
start
[ "$(hash)" = "$A" ] || fail "not in force"
ended
run 0 "$BIN/optag" policy approver-key --name anna "$TMP/anna"
start group=60 approver="$TMP/anna.pub"
[ "$(hash)" = "$A" ] || fail "not in force"
for f in beside renamed later; do
	cp "$TMP/$f" "$live"
	P 1 apply --yes --reason r "$live"
	has err '1 change loosens, and nobody approved it'
	[ "$(hash)" = "$A" ] || fail "$f: in force by one person"
done
ended
exit 0
