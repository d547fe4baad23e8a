#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs the tests: unit and bpf programs, replay of the fuzz corpora, command-line and namespace scripts.
# Arguments pick tests by prefix (unit/test_sip, cli/). Exit 77 of a test is a skip; in CI (CI=true or
# NOSKIP=1) a skip fails. Last line: N passed, N failed[, N skipped].
set -u
SRC=$(cd "$(dirname "$0")/.." && pwd)
BUILD=${BUILD:-$SRC/build}
case ${CI:-} in true | 1) NOSKIP=${NOSKIP:-1} ;; esac
export SRC BUILD BIN="$BUILD/bin" SAN="${SAN:-}" GOLDEN="${GOLDEN:-}"
export ASAN_OPTIONS="${ASAN_OPTIONS:-abort_on_error=0:detect_leaks=1}" UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1}"
work=$(mktemp -d "${TMPDIR:-/tmp}/optag-test.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 skipped=0 names=

wanted() { # NAME
	[ ${#picks[@]} -eq 0 ] && return 0
	local p
	for p in "${picks[@]}"; do case $1 in "$p"*) return 0 ;; esac; done
	return 1
}

one() { # NAME COMMAND...
	local name=$1 rc start=$SECONDS
	shift
	wanted "$name" || return 0
	local dir="$work/${name//\//_}"
	mkdir -p "$dir"
	TMP="$dir" timeout -k 10 "${TEST_TIMEOUT:-600}" "$@" >"$work/out" 2>&1 </dev/null
	rc=$?
	if [ $rc = 0 ]; then
		passed=$((passed + 1))
		echo "ok    $name ($((SECONDS - start)) s)"
	elif [ $rc = 77 ] && [ -z "${NOSKIP:-}" ]; then
		skipped=$((skipped + 1))
		echo "SKIP  $name: $(grep -h -m1 -o 'SKIP.*' "$work/out" | sed 's/^SKIP[: ]*//')"
	else
		failed=$((failed + 1))
		names="$names $name"
		echo "FAIL  $name (status $rc)"
		tail -n 40 "$work/out" | sed 's/^/      | /'
	fi
	chmod -R u+rwX "$dir" 2>/dev/null
	rm -rf "$dir"
}

picks=("$@")
cd "$SRC" || exit 1
for t in "$BUILD"/tests/unit/test_* "$BUILD"/tests/bpf/test_*; do
	case $t in *.d | *.o) continue ;; esac
	[ -f "$t" ] && [ -x "$t" ] && one "$(basename "$(dirname "$t")")/$(basename "$t")" "$t"
done
for t in "$BUILD"/tests/fuzz/replay_*; do
	[ -x "$t" ] || continue
	n=$(basename "$t")
	n=${n#replay_}
	one "fuzz/$n" "$t" "tests/fuzz/corpus/$n"
done
for t in tests/cli/*.sh tests/netns/*.sh; do
	[ -e "$t" ] || continue
	case $(basename "$t") in lib.sh | lib-*.sh) continue ;; esac
	t=${t#tests/}
	one "${t%.sh}" bash "tests/$t"
done
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
