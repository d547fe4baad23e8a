# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# lib-policydaemon.sh - the daemon's policy module behind its socket (tests/gen/policydaemon), for scripts that source
# tests/cli/common first. Files: $live the policy it reads, $store its store, $TMP/log what it logs, $TMP/ready its events.
#
#	policy RETENTION [MORE] [NAME] >"$live"; start [OPTIONS of policydaemon]; ended [SIGNAL]
#	P STATUS COMMAND ARGUMENTS...	optag policy; R for optag rule; both to $TMP/out, $TMP/err
#	as UID:GID STATUS COMMAND...	the same as another user
#	hash, wait_for TEXT COMMAND...
#	until_told WHAT WHY	the daemon has told the evidence log of it (a moment after it is in force)

sock="$TMP/control" store="$TMP/store" live="$TMP/live.policy" daemon=
mkdir -m 750 "$store"
chmod 755 "$TMP" "$TMP/.."
trap '[ -n "$daemon" ] && kill $daemon 2>/dev/null' EXIT

policy() {
	cat <<END
set own numbers { +45 7010 20* }
announcement n { language da link https://c.example/telefon elements rec doc link object access text "x" }
assessment d { kind documentation scope @own review $(date -u -d '+8 months' +%F) no-other-way "n"
 factor 1 relied-on "a"
 factor 2 relied-on "a"
 factor 3 relied-on "a"
 factor 4 relied-on "a"
 factor 5 relied-on "a"
 factor 6 relied-on "a"
}
controller c { timezone UTC numbers @own }
rule "${3:-claims inbound}" { controller c side called called @own calling +46 81 23*
 owner O review $(date -u -d '+8 months' +%F) notice n notice-proof api
 documentation { basis interest assessment d retention $1 } ${2-}
}
END
}
start() {
	: >"$TMP/ready"
	"$BUILD/tests/gen/policydaemon" "$sock" "$live" "$store" "$@" >"$TMP/ready" 2>>"$TMP/log" &
	daemon=$!
	until grep -q ready "$TMP/ready"; do
		kill -0 $daemon 2>/dev/null || { grep -q ready "$TMP/ready" && break; cat "$TMP/log"; fail "the daemon does not start"; }
		sleep 0.05
	done
}
ended() {
	kill "${1:--TERM}" $daemon
	wait $daemon 2>/dev/null || [ -n "${1-}" ] || fail "the daemon ends with $?"
	daemon=
}
P() { run "$1" "$BIN/optag" policy "$2" --control "$sock" "${@:3}"; }
R() { run "$1" "$BIN/optag" rule "$2" --control "$sock" "${@:3}"; }
as() { # UID:GID STATUS COMMAND WORD ARGUMENTS
	local who=$1 want=$2 a=$3 b=$4
	shift 4
	run "$want" setpriv --reuid "${who%:*}" --regid "${who#*:}" --clear-groups "$BIN/optag" "$a" "$b" --control "$sock" "$@"
}
status() { "$BIN/optag" policy status --json --control "$sock" | jq -r "$1"; }
hash() { status .hash; }
file_hash() { "$BIN/optag" policy fmt "$1" | b2sum -l 256 | cut -d' ' -f1; }
wait_for() { # TEXT COMMAND...: until the command prints it
	local want=$1
	shift
	for _ in $(seq 1200); do [ "$("$@")" = "$want" ] && return; sleep 0.05; done
	fail "$*: not $want but $("$@")"
}
until_told() {
	for _ in $(seq 1200); do grep -q "^done $1" "$TMP/ready" && return; sleep 0.05; done
	fail "$2"
}
