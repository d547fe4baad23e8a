#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs the tests: unit and bpf programs, replay of the fuzz corpora, command-line and namespace scripts.
# Arguments pick tests by prefix (unit/test_sip, cli/). Exit 77 of a test is a skip; in CI (CI=true or
# NOSKIP=1) a skip fails. JOBS=N (as many as processors): N tests at once, where they do not load the machine. Last line: N passed, N failed[, N skipped].
set -u
jobs=${JOBS:-$(nproc)}
SRC=$(cd "$(dirname "$0")/.." && pwd)
BUILD=${BUILD:-$SRC/build}
case ${CI:-} in true | 1) NOSKIP=${NOSKIP:-1} ;; esac
export SRC BUILD BIN="$BUILD/bin" SAN="${SAN:-}" GOLDEN="${GOLDEN:-}"
export ASAN_OPTIONS="${ASAN_OPTIONS:-abort_on_error=0:detect_leaks=1}" UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1}"
work=$(mktemp -d "${TMPDIR:-/tmp}/optag-test.XXXXXX") || exit 1
mem= # unit tests write in memory when there is room: they sync thousands of times
[ "$(df -k --output=avail /dev/shm 2>/dev/null | tail -n 1)" -gt 4000000 ] 2>/dev/null && mem=$(mktemp -d /dev/shm/optag-test.XXXXXX)
trap 'rm -rf "$work" $mem' EXIT
passed=0 failed=0 skipped=0 names=

wanted() { # NAME
	[ ${#picks[@]} -eq 0 ] && return 0
	local p
	for p in "${picks[@]}"; do case $1 in "$p"*) return 0 ;; esac; done
	return 1
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
	esac
	mkdir -p "$dir"
	TMP="$dir" timeout -k 10 "${TEST_TIMEOUT:-600}" "$@" >"$at.out" 2>&1 </dev/null
	rc=$?
	echo "$rc $((SECONDS - start))" >"$at.rc"
	chmod -R u+rwX "$dir" 2>/dev/null
	rm -rf "$dir"
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
	else
		failed=$((failed + 1))
		names="$names $name"
		echo "FAIL  $name (status $rc)"
		tail -n 40 "$at.out" | sed 's/^/      | /'
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
	wanted "$1" || return 0
	while [ ${#running[@]} -ge "$most" ]; do settle; done
	run "$@" &
	running[$!]=$1
	[ "$most" -gt 1 ] || settle
}

picks=("$@")
cd "$SRC" || exit 1
for t in "$BUILD"/tests/unit/test_* "$BUILD"/tests/bpf/test_*; do
	case $t in *.d | *.o) continue ;; esac
	[ -f "$t" ] && [ -x "$t" ] && start "$jobs" "$(basename "$(dirname "$t")")/$(basename "$t")" "$t"
done
for t in "$BUILD"/tests/fuzz/replay_*; do
	[ -x "$t" ] || continue
	n=$(basename "$t")
	n=${n#replay_}
	start "$jobs" "fuzz/$n" "$t" "tests/fuzz/corpus/$n"
done
for t in tests/cli/*.sh tests/netns/*.sh; do
	[ -e "$t" ] || continue
	case $(basename "$t") in lib.sh | lib-*.sh) continue ;; esac
	t=${t#tests/}
	case $t in
	netns/story_*) most=2 ;; # stories with calls in real time mostly wait
	netns/*) most=1 ;; # these load the machine
	*) most=$jobs ;;
	esac
	start "$most" "${t%.sh}" bash "tests/$t"
done
while [ ${#running[@]} -gt 0 ]; do settle; done
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
