#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The policy is made stricter while no daemon runs: calls in progress that were left, or whose daemon was killed, lose by
# it as they do by SIGHUP, and a restart with the same policy takes nothing.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
policy=$TMP/policy/demo.policy
calls() { # OUT PREFIX
	load_begin "$1" --kind "kept:1:+45$2######:+45701020##" --calls 5 --total 5 --rate 50 --duration 60 --first-rtp 300 --seed "$2"
	load_answered 5
	sleep 2.5 # more than min-length
}
said() { # TEXT
	for _ in $(seq 600); do
		grep -q -- "$1" "$TMP/optagd.err" && return 0
		sleep 0.02
	done
	fail "the log does not say '$1'"
}
over() { # calls end with the daemon
	kill "${load_pids[@]}" 2>/dev/null
	load_wait
	load_stop || fail "optagd's status"
}
stricter() { sed -i "s/^\t+45 2211 0033\$/&\n\t+45 $1*/" "$policy" && grep -q "+45 $1\*" "$policy" || fail "the demo's policy is another one now"; }

load_ready
calls "$TMP/left" 20
load_stop TERM && load_daemon || fail "no restart"
said 'took over from a daemon that left: 5 calls go on, 0 do not'
sleep 0.3
grep -q 'policy.tightened' "$TMP/optagd.err" && fail "the same policy took something"
load_stop TERM || fail "optagd's status"
stricter 20
load_daemon || fail "no restart"
said 'policy.tightened: 5 of 5 calls in progress'
load_status "$TMP/a" && sleep 1 && load_status "$TMP/b" || fail status
[ "$(jq .packets.audio "$TMP/a")" = "$(jq .packets.audio "$TMP/b")" ] || fail "audio leaves the kernel: $(jq -c .packets "$TMP/b")"
over
"$O" find --store "$TMP/s" --json | jq -s -e 'length == 5 and all(.[]; .outcome == "kept" and .reasons.documentation == "policy.tightened" and ([.legs[].blocked] | min) > 20)' \
	>/dev/null || fail "rows: $("$O" find --store "$TMP/s" --json | head -n 2)"

rm -rf "$TMP/s" "$TMP/k"
: >"$TMP/optagd.err"
"$O" init --store "$TMP/s" --keys "$TMP/k" >/dev/null 2>&1
load_daemon || fail "optagd does not start"
calls "$TMP/killed" 21
load_stop KILL
stricter 21
load_daemon || fail "no restart"
said 'took over from a daemon that was killed: 5 calls go on, 0 do not'
said 'policy.tightened: 5 of 5 calls in progress'
over
"$O" find --store "$TMP/s" --json | jq -s -e 'length == 5 and all(.[]; .reasons.documentation == "policy.tightened")' >/dev/null ||
	fail "rows: $("$O" find --store "$TMP/s" --json | head -n 2)"
"$O" fsck --store "$TMP/s" >/dev/null || fail fsck
exit 0
