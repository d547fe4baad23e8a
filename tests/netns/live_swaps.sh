#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The policy is changed under load, by `optag policy apply` and by SIGHUP in turn (SWAPS=100; OPTAG_FULL=1: 1000), now and
# then to a file with an error, which must change nothing. No packet is lost and no call torn: every kept call, also those
# that live through a dozen changes, is whole, the sums balance, of the others nothing passed.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
swaps=${SWAPS:-100}
[ -n "${OPTAG_FULL:-}" ] && swaps=${SWAPS:-1000}
policy=$TMP/policy/demo.policy

load_up && load_store && load_conf 'ring 64 MiB' || fail "no network or store"
# The other one: more may not be recorded, and what may is kept for a shorter time.
cp "$policy" "$TMP/policy.a"
sed -e 's/^\t+45 2211 0033$/&\n\t+45 2211 0034/' -e 's/retention 3 months/retention 2 months/' "$policy" >"$TMP/policy.b"
sed -e 's/^rule "claims" {/rule claims claims {/' "$policy" >"$TMP/policy.bad"
cmp -s "$TMP/policy.a" "$TMP/policy.b" && fail "the policies are the same"
put() { cp "$TMP/policy.$1" "$TMP/policy/next" && mv "$TMP/policy/next" "$policy"; } # never half a file
in_force() { "$O" policy status --socket "$TMP/control" --json | jq -r .hash; }
load_daemon || fail "optagd does not start"
declare -A hash
hash[a]=$(in_force)

# Voices begin half a second after the answer: how soon an address is open is for make bench, not for a busy test machine.
load_begin "$TMP/sent" "${load_kinds[@]}" --calls 150 --rate 40 --hold 4 --duration 86400 --first-rtp 500
load_answered 20
now=a
for n in $(seq "$swaps"); do
	if [ $((n % 25)) = 0 ]; then
		put bad
		"$O" policy apply --yes --reason test --socket "$TMP/control" "$policy" >/dev/null 2>&1 && fail "swap $n: a policy with an error was applied"
		n_refused=$(grep -c 'policy.reject: by signal' "$TMP/optagd.err")
		kill -HUP "$load_daemon_pid"
		for _ in $(seq 600); do [ "$(grep -c 'policy.reject: by signal' "$TMP/optagd.err")" -gt "$n_refused" ] && break; sleep 0.05; done
		[ "$(grep -c 'policy.reject: by signal' "$TMP/optagd.err")" -gt "$n_refused" ] || fail "swap $n: it does not say that it refuses"
		[ "$(in_force)" = "${hash[$now]}" ] || fail "swap $n: a policy with an error changed something"
	fi
	[ $now = a ] && now=b || now=a
	put $now
	if [ $((n % 2)) = 1 ]; then
		"$O" policy apply --yes --reason test --socket "$TMP/control" --json "$policy" >"$TMP/applied" 2>"$TMP/err" || fail "swap $n: apply: $(cat "$TMP/applied" "$TMP/err")"
		tail -n 1 "$TMP/applied" >>"$TMP/all-applied"
	else
		kill -HUP "$load_daemon_pid"
		for _ in $(seq 1500); do [ "$(in_force)" = "${hash[$now]:-none}" ] && break; sleep 0.02; done
	fi
	[ -n "${hash[$now]:-}" ] || hash[$now]=$(in_force)
	[ "$(in_force)" = "${hash[$now]}" ] || fail "swap $n: not in force"
done
[ "${hash[a]}" != "${hash[b]}" ] || fail "the policy never changed"
kill -INT "${load_pids[0]}" # no more calls
load_wait || fail "optag-load: $(cat "$TMP/sent")"
load_settle || fail "the counters do not come to rest"
load_status "$TMP/status" || fail status
load_stop || fail "optagd's status"
load_rows "$TMP/sent.truth" "$TMP/rows" || fail find

jq -s -r '"\(length) applied: in force after \(map(.effective_ms) | max) ms, calls in progress after \(map(.done_ms) | max) ms at most"' "$TMP/all-applied"
jq -s -e '.[0] as $sent | .[1].packets as $p | $sent.errors == 0 and $p.balanced and $p.seen == $sent.frames
	and $p.audio == $sent.kinds.kept.caller + $sent.kinds.kept.callee and ([.[1].losses[]] | add) == 0' "$TMP/sent" "$TMP/status" >/dev/null ||
	fail "the sums: $(jq -c . "$TMP/sent") $(jq -c '.packets, .losses' "$TMP/status")"
awk -F'\t' '
	$2 == "kept" && ($6 != "kept" || $7 != $3 || $8 != $4) {print "not whole: " $0; bad++}
	$2 == "sales" && ($6 != "denied" || $7 + $8) {print "not denied: " $0; bad++}
	($2 == "never" || $2 == "none") && $6 != "-" {print "known: " $0; bad++}
	{n[$2]++}
	END {exit bad || n["kept"] < 60}' "$TMP/rows" >"$TMP/bad" || fail "$(wc -l <"$TMP/bad") calls: $(head -n 5 "$TMP/bad")"
[ "$("$O" find --store "$TMP/s" --json | jq -r .policy_hash | sort -u | wc -l)" = 2 ] || fail "calls of one policy only"
"$O" fsck --store "$TMP/s" >/dev/null || fail fsck
. "$SRC/tests/netns/lib-audit.sh"
audit_whole "$TMP/s"
exit 0
