#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# clang-tidy over the sources (or those named), JOBS at once (as many as processors), one process for each: the
# analyzer takes from a second to minutes for a file. What passed leaves a stamp in $BUILD/tidy: a hash of all that the
# answer depends on (file, every header it includes with those of the system, checks, options, clang-tidy itself),
# by content, so that a stamp is good in another checkout too. Exit 1 with the findings on stdout, which leave no stamp.
set -u
cd "$(dirname "$0")/.." || exit 1
export BUILD=${BUILD:-build-check-gcc}
export CHECKS='-*,bugprone-*,clang-analyzer-*,cert-err34-c,misc-redundant-expression'
for off in bugprone-{easily-swappable-parameters,narrowing-conversions,implicit-widening-of-multiplication-result} \
	bugprone-{reserved-identifier,assignment-in-if-condition,branch-clone,macro-parentheses,suspicious-include} \
	bugprone-{suspicious-string-compare,sizeof-expression,not-null-terminated-result,suspicious-missing-comma} \
	clang-analyzer-{valist.Uninitialized,security.insecureAPI.\*,optin.performance.\*}; do
	CHECKS+=",-$off"
done
# The generated skeleton of the capture program is the only thing that a build must have made before.
export FLAGS="-std=gnu11 -D_GNU_SOURCE -Ibpf -Idaemon -I. -Itools -isystem $BUILD/gen"
VERSION=$(clang-tidy --version) || exit 1
export VERSION

one() { # FILE
	local stamp="$BUILD/tidy/$1.ok" deps hash out
	# shellcheck disable=SC2086
	deps=$(clang -M $FLAGS "$1") || { echo "$1: its headers are not found"; return 1; }
	# "name.o: file \<newline> file ..." to one file a line; no name here has a space
	hash=$({ echo "$VERSION $CHECKS $FLAGS"; tr -s ' \\' '\n' <<<"${deps#*:}" | grep . | xargs sha256sum; } | sha256sum)
	[ "$(cat "$stamp" 2>/dev/null)" = "$hash" ] && return 0
	rm -f "$stamp"
	# shellcheck disable=SC2086
	if ! out=$(clang-tidy --quiet --warnings-as-errors='*' --checks="$CHECKS" "$1" -- $FLAGS 2>&1); then
		grep -vE '^[0-9]+ warnings? (generated|treated as errors?)' <<<"$out"
		return 1
	fi
	mkdir -p "${stamp%/*}" && echo "$hash" >"$stamp"
}
export -f one

[ $# -gt 0 ] || set -- daemon/*.c daemon/*/*.c policy/*.c tools/*.c
printf '%s\n' "$@" | xargs -P "${JOBS:-$(nproc)}" -n 1 bash -c 'one "$1"' one || exit 1
