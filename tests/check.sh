#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# make check: both compilers without a warning, static analysis, layers, structures without holes, man pages,
# tests under ASan and UBSan. CHECK=name,name picks; names: gcc clang abi layers tidy cppcheck man san
set -u
cd "$(dirname "$0")/.." || exit 1
want=${CHECK:-gcc,clang,abi,layers,tidy,cppcheck,man,san}
bad=0
step() { case ",$want," in *",$1,"*) echo "== $1" ;; *) return 1 ;; esac; }
fail() { echo "FAILED: $1"; bad=1; }
j=-j$(nproc)
log=$(mktemp)
trap 'rm -f "$log"' EXIT

for cc in gcc clang; do
	step $cc || continue
	if ! make $j CC=$cc WERROR=1 BUILD=build-check-$cc testprogs >"$log" 2>&1; then tail -n 30 "$log"; fail "$cc"; fi
done
if step abi; then
	for c in gcc clang; do
		echo '#include "optag.h"' | $c -Ibpf -std=gnu11 -Wall -Wextra -Wpadded -Werror -fsyntax-only -x c - || fail "abi ($c): a structure of bpf/optag.h has a hole"
	done
fi
if step layers; then BUILD=build-check-gcc tests/check-layers.sh || fail layers; fi
if step tidy; then
	if command -v clang-tidy >/dev/null; then
		# the generated header first: nothing else of a build is needed
		{ make BUILD=build-check-gcc build-check-gcc/gen/optag.skel.h && BUILD=build-check-gcc tests/tidy.sh; } >"$log" 2>&1 || { grep -E 'warning|error|not found' "$log" | head -n 40; fail clang-tidy; }
	else echo "SKIP clang-tidy is not installed"; [ -n "${NOSKIP:-}" ] && fail clang-tidy; fi
fi
if step cppcheck; then
	if command -v cppcheck >/dev/null; then
		srcs=$(ls daemon/*.c daemon/*/*.c policy/*.c tools/*.c)
		mkdir -p build-check-gcc/cppcheck # what it knows of files that did not change since
		# ctuuninitvar: it takes snprintf into an out-parameter of another file for a reader, in another place each run
		# shellcheck disable=SC2086
		cppcheck -q --cppcheck-build-dir=build-check-gcc/cppcheck $j --std=c11 --error-exitcode=1 --enable=warning,portability --inline-suppr \
			--suppress=missingInclude --suppress=unusedFunction --suppress=ctuuninitvar --suppress=normalCheckLevelMaxBranches -D_GNU_SOURCE -Ibpf -Idaemon -I. -Itools $srcs >"$log" 2>&1 || { head -n 40 "$log"; fail cppcheck; }
	else echo "SKIP cppcheck is not installed"; [ -n "${NOSKIP:-}" ] && fail cppcheck; fi
fi
if step man; then
	if command -v mandoc >/dev/null; then
		for m in tools/*.[158] daemon/*.[158] policy/*.[158]; do
			[ -e "$m" ] || continue
			mandoc -T lint -W warning "$m" || fail "$m"
		done
	else echo "SKIP mandoc is not installed"; [ -n "${NOSKIP:-}" ] && fail man; fi
fi
if step san; then
	make $j SAN=address,undefined WERROR=1 testprogs >"$log" 2>&1 || { tail -n 30 "$log"; fail "sanitizer build"; }
	# In memory: the tests wait for the disk most of their time, and which one it is makes no difference here.
	mem=/dev/shm
	[ -w $mem ] && [ "$(df -Pm $mem | awk 'NR == 2 {print $4}')" -ge 4096 ] && export TMPDIR=${TMPDIR:-$mem}
	BUILD=$PWD/build-address-undefined SAN=address,undefined JOBS=$(nproc) TEST_TIMEOUT=1800 tests/run.sh || fail "tests under ASan and UBSan"
fi
[ $bad = 0 ] && echo "check: clean"
exit $bad
