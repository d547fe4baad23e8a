#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs the tests: unit and bpf programs, replay of the fuzz corpora, command-line and namespace scripts.
# Arguments pick tests by prefix (unit/test_sip, cli/). Exit 77 of a test is a skip; in CI (CI=true or
# NOSKIP=1) a skip fails. JOBS=N (as many as processors): N tests at once, where they do not load the machine; live tests two at a time
# where they mostly wait, and one that fails so runs again alone ("AGAIN"). SAN=...: built so; what a sanitizer reports in any process
# fails the test, whatever that made of it. Last line: N passed, N failed[, N skipped].
set -u
jobs=${JOBS:-$(nproc)}
SRC=$(cd "$(dirname "$0")/.." && pwd)
BUILD=${BUILD:-$SRC/build}
case ${CI:-} in true | 1) NOSKIP=${NOSKIP:-1} ;; esac
export SRC BUILD BIN="$BUILD/bin" SAN="${SAN:-}" GOLDEN="${GOLDEN:-}"
# A status that no program has by itself: many tests expect 1, and that is what a sanitizer ends with else.
export ASAN_OPTIONS="${ASAN_OPTIONS:-abort_on_error=0:detect_leaks=1:exitcode=99}" UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1:exitcode=99}"
work=$(mktemp -d "${TMPDIR:-/tmp}/optag-test.XXXXXX") || exit 1
mem= # unit tests write in memory when there is room: they sync thousands of times
[ "$(df -k --output=avail /dev/shm 2>/dev/null | tail -n 1)" -gt 4000000 ] 2>/dev/null && mem=$(mktemp -d /dev/shm/optag-test.XXXXXX)
reports= # what sanitizers report, in processes of any user
if [ -n "$SAN" ]; then
	reports=$(mktemp -d "${TMPDIR:-/tmp}/optag-san.XXXXXX") && chmod 1777 "$reports" || exit 1
fi
trap 'rm -rf "$work" $mem $reports' EXIT
passed=0 failed=0 skipped=0 again=() first=() company=' ' last=no names=

wanted() { # NAME
	[ ${#picks[@]} -eq 0 ] && return 0
	local p
	for p in "${picks[@]}"; do case $1 in "$p"*) return 0 ;; esac; done
	return 1
}

# A test may expect a failure, look at no status, or throw away what was said. UBSan writes to stderr alone.
report='^[^ ]+:[0-9]+:[0-9]+: runtime error: |ERROR: [A-Za-z]+Sanitizer'
reported() { # NAME DIR OUT: what sanitizers reported, into OUT; 1: nothing
	local f none=1
	grep -qE "$report" "$3" && none=0
	for f in "$reports/${1//\//_}".*; do
		[ -e "$f" ] && { head -n 35 "$f" >>"$3"; rm -f "$f"; none=0; }
	done
	while read -r f; do
		{ echo "in ${f##*/}:"; grep -hE -A 12 "$report" "$f"; } >>"$3"
		none=0
	done < <(find "$2" -type f -size -2048k -exec grep -lE "$report" {} + 2>/dev/null)
	return $none
}

run() { # NAME COMMAND...: leaves status, seconds and output in $work/NAME.*
	local name=$1 at="$work/${1//\//_}" dir rc start=$SECONDS
	shift
	dir=$at
	case $name in
	unit/*)
		[ -n "$mem" ] && dir="$mem/${name#unit/}"
		set -- env TMPDIR="$dir" "$@"
		;;
	netns/live_systemd) # RemoveIPC=yes: when a service ends, what its user has in /dev/shm is taken away
		case $at in /dev/shm/*) dir=$(mktemp -d /tmp/optag-test.XXXXXX) ;; esac
		;;
	esac
	mkdir -p "$dir"
	[ -z "$reports" ] || ASAN_OPTIONS="$ASAN_OPTIONS:log_path=$reports/${name//\//_}"
	TMP="$dir" timeout -k 10 "${TEST_TIMEOUT:-600}" "$@" >"$at.out" 2>&1 </dev/null
	rc=$?
	[ -n "$reports" ] && reported "$name" "$dir" "$at.out" && rc=99
	echo "$rc $((SECONDS - start))" >"$at.rc"
	chmod -R u+rwX "$dir" 2>/dev/null
	rm -rf "$dir"
}

# OUTPUT: its end, and before that the line that says why, where that lies further up; $why is that line
show() {
	why=$(grep -a -m 1 '^FAIL' "$1" || tail -n 1 "$1")
	[ -z "$why" ] || tail -n 40 "$1" | grep -aqxF -e "$why" || printf '      | %s\n      | ...\n' "$why"
	tail -n 40 "$1" | sed 's/^/      | /'
}

tell() { # NAME
	local name=$1 at="$work/${1//\//_}" rc=1 s=0
	read -r rc s <"$at.rc"
	if [ "$rc" = 0 ]; then
		passed=$((passed + 1))
		echo "ok    $name ($s s)"
	elif [ "$rc" = 77 ] && [ -z "${NOSKIP:-}" ]; then
		skipped=$((skipped + 1))
		echo "SKIP  $name: $(grep -h -m1 -o 'SKIP.*' "$at.out" | sed 's/^SKIP[: ]*//')"
	elif kind "$name" && [[ $kind$last = twono && $company = *" $name "* ]]; then
		again+=("$name")
		echo "AGAIN $name (status $rc beside another test; alone in the end)"
		show "$at.out"
		first+=("status $rc: $why")
	else
		failed=$((failed + 1))
		names="$names $name"
		echo "FAIL  $name (status $rc)"
		show "$at.out"
	fi
	rm -f "$at.rc" "$at.out"
}

# Tests that run: their names, by process.
running=()

settle() { # one of them ends
	local pid
	wait -n -p pid
	tell "${running[pid]}"
	unset "running[pid]"
}

start() { # AT-ONCE NAME COMMAND...: so many run at most; 1: it is alone until it ends
	local most=$1
	shift
	while [ ${#running[@]} -ge "$most" ]; do settle; done
	run "$@" &
	running[$!]=$1
	[ ${#running[@]} = 1 ] || company="$company${running[*]} " # names of those that ran beside another
	[ "$most" -gt 1 ] || settle
}

# Those that take longest begin first, so that in the end nobody waits for one.
long=(cli/truth_table cli/gencap cli/decode cli/replay_bad cli/replay unit/test_store_err unit/test_store_told
	unit/test_cuts cli/policy unit/test_reap_hold cli/story_27 cli/story_41 cli/story_11 cli/story_50 netns/live_systemd netns/live_full
	netns/live_clock netns/live_ifgone netns/live_metrics netns/live_interfaces)

every() { # the names of all tests
	local t
	for t in "$BUILD"/tests/unit/test_* "$BUILD"/tests/bpf/test_* "$BUILD"/tests/fuzz/replay_*; do
		case $t in *.d | *.o) continue ;; esac
		if [ -f "$t" ] && [ -x "$t" ]; then
			t=${t#"$BUILD"/tests/}
			echo "${t/fuzz\/replay_/fuzz/}"
		fi
	done
	for t in tests/cli/*.sh tests/netns/*.sh; do
		case $(basename "$t") in lib.sh | lib-*.sh) continue ;; esac
		[ ! -e "$t" ] || { t=${t#tests/} && echo "${t%.sh}"; }
	done
}

kind() { # NAME: into $kind, with whom it runs
	case $1 in
	netns/live_stall_order) kind=alone ;;
	# these load the machine, or what they prove is how it does then
	netns/live_crowd | netns/live_kill | netns/live_load | netns/live_restart | netns/live_restart_draw | netns/live_stall | netns/live_stall_end | \
		netns/live_swaps | netns/live_truth | netns/live_withdraw) kind=alone ;;
	# calls in real time: they mostly wait; one that fails beside another runs again alone, and that counts
	netns/*) kind=two ;;
	*) kind=free ;;
	esac
}

begin() { # AT-ONCE NAME
	case $2 in
	fuzz/*) start "$1" "$2" "$BUILD/tests/fuzz/replay_${2#fuzz/}" "tests/fuzz/corpus/${2#fuzz/}" ;;
	cli/* | netns/*) start "$1" "$2" bash "tests/$2.sh" ;;
	*) start "$1" "$2" "$BUILD/tests/$2" ;;
	esac
}

picks=("$@")
cd "$SRC" || exit 1
mapfile -t tests < <(every)
begun=' '
for k in free two alone; do
	case $k in free) most=$jobs ;; two) most=2 ;; alone) most=1 ;; esac
	for t in "${long[@]}" "${tests[@]}"; do
		kind "$t"
		if [ $kind = $k ] && wanted "$t" && [[ $begun != *" $t "* && " ${tests[*]} " = *" $t "* ]]; then
			begun="$begun$t "
			[ ${#again[@]} -lt 3 ] || most=1 # too slow for two
			begin "$most" "$t"
		fi
	done
done
while [ ${#running[@]} -gt 0 ]; do settle; done
last=yes
for t in "${again[@]}"; do begin 1 "$t"; done
[ ${#again[@]} -eq 0 ] || echo "ran again alone: ${again[*]}"
for i in "${!again[@]}"; do echo "first, ${again[i]}: ${first[i]}"; done # who reads the end only sees why
[ -n "$names" ] && echo "failed:$names"
if [ $((passed + failed)) = 0 ]; then
	echo "no test ran"
	failed=1
fi
if [ $skipped -gt 0 ]; then
	echo "$passed passed, $failed failed, $skipped skipped"
else
	echo "$passed passed, $failed failed"
fi
[ $failed = 0 ]
