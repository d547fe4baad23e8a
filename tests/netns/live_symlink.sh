#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The daemon's store is its group's, and somebody of it has put symbolic links in the place of directories: nothing is written
# where they lead, and the daemon says what is in its way.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
load_up || fail "no network"
for where in segments keys catalog outbox evidence; do
	rm -rf "$TMP/s" "$TMP/k" "$TMP/policy"
	load_store && load_conf || fail "no store"
	rm -rf "$TMP/s/$where" && mkdir "$TMP/out.$where" && ln -s "$TMP/out.$where" "$TMP/s/$where"
	: >"$TMP/optagd.err"
	if load_daemon; then
		load_begin "$TMP/sent" --kind 'kept:1:+4520######:+45701020##' --calls 3 --rate 10 --duration 3
		load_wait >/dev/null 2>&1
		for _ in $(seq 300); do # what it writes at the end of calls, too
			grep -q 'symbolic link' "$TMP/optagd.err" && break
			sleep 0.1
		done
		sleep 1
		kill -TERM "$load_daemon_pid" && wait "$load_daemon_pid" 2>/dev/null
		load_daemon_pid=''
	fi
	find "$TMP/out.$where" -mindepth 1 | grep . && fail "$where: written through a link"
	grep -q 'symbolic link' "$TMP/optagd.err" || fail "$where: the daemon does not say it: $(cat "$TMP/optagd.err")"
done
exit 0
