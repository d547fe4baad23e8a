#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Packages. install PKG...: install what is missing (root). auto PKG...: the same, quietly and only when something is
# missing. check PKG...: name what is missing. pkg "LIB..." PKG...: before a build, ask pkg-config, list all at once.
mode=$1
shift
missing() {
	for p in "$@"; do
		case $(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null) in installed*) ;; *) printf '%s ' "$p" ;; esac
	done
}
install_them() {
	[ -n "$1" ] || return 0
	echo "installing: $1"
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq >/dev/null 2>&1
	# Wireshark asks a question otherwise; the documents of the packages are not needed.
	# shellcheck disable=SC2086
	apt-get install -y -qq --no-install-recommends $1 >/tmp/optag-apt.$$ 2>&1 || {
		tail -n 20 /tmp/optag-apt.$$ >&2
		rm -f /tmp/optag-apt.$$
		echo "could not install: $1" >&2
		exit 1
	}
	rm -f /tmp/optag-apt.$$
}
case $mode in
install | auto)
	if ! command -v dpkg-query >/dev/null; then
		echo "this is not Debian; needed are the equivalents of: $*" >&2
		exit 0
	fi
	m=$(missing "$@")
	if [ -n "$m" ] && [ "$(id -u)" != 0 ]; then
		echo "missing packages; as root: apt-get install $m" >&2
		exit 1
	fi
	install_them "$m"
	[ "$mode" = auto ] || echo "all packages are installed"
	;;
check)
	command -v dpkg-query >/dev/null || exit 0
	m=$(missing "$@")
	if [ -n "$m" ]; then
		echo "missing packages (tests that need them are skipped); as root: apt-get install $m" >&2
	fi
	;;
pkg)
	libs=$1
	shift
	bad=
	command -v pkg-config >/dev/null || bad="pkg-config "
	for l in $libs; do
		pkg-config --exists "$l" 2>/dev/null || bad="$bad$l "
	done
	[ -z "$bad" ] && exit 0
	echo "cannot build: not found: $bad" >&2
	if command -v dpkg-query >/dev/null; then
		echo "on Debian 12, as root: apt-get install $(missing "$@")   (or: make deps)" >&2
	fi
	exit 1
	;;
esac
