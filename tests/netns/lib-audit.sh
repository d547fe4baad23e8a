# SPDX-License-Identifier: BSD-2-Clause
# lib-audit.sh - what the evidence log of a store must show after any test: chain and signatures whole, one outcome for
# every call that matched, every draw as it is calculated, and calls whose rule, log and row come to the same. needs O (front), fail

audit_whole() { # STORE
	"$O" audit verify --store "$1" >"$TMP/audit" 2>&1 || fail "audit verify: $(head -n 5 "$TMP/audit")"
	"$O" audit sums --store "$1" --json >"$TMP/sums" 2>"$TMP/audit" || fail "audit sums: $(head -n 5 "$TMP/audit")"
	jq -es 'length > 0 and all(.[]; .matched == .kept + .denied + .gap and .open == 0)' "$TMP/sums" >/dev/null ||
		fail "audit sums do not balance: $(cat "$TMP/sums")"
	"$O" audit recompute-sample --store "$1" >"$TMP/audit" 2>&1 || fail "audit recompute-sample: $(head -n 5 "$TMP/audit")"
	local call
	for call in $("$O" find --store "$1" --json | jq -r .call | awk 'NR % 7 == 1' | head -n 40); do
		"$O" why --store "$1" "$call" >"$TMP/audit" 2>"$TMP/why.err" || fail "why: $(head -n 5 "$TMP/why.err")"
	done
}
