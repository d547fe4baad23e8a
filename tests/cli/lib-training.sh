# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# lib-training.sh - a training line whose agents say by header that callers consent, for scripts that source
# tests/cli/common first: store $TMP/s, policy $TMP/p.policy.
#
#	training SAMPLE CAPS	writes the policy; calls START AGENT:CALLS... replays such calls; rows OUT lists them

O="$BIN/optag"
training() {
	cat >"$TMP/p.policy" <<END
controller c { timezone UTC numbers @own languages en roles coach }
trunk pbx { address 10.90.0.0/16; country +45; national-digits 8; agent-header X-Agent }
set own numbers { +45 7010 30* }
announcement n { language en link https://c.example/calls elements rec train withdraw link access text "x" }
assessment a { kind training-amount scope @own date 2026-01-01 review $(date -u -d '+8 months' +%F) author "Head" approver "Compliance" outcome "what coaches hear" }
rule "sales training" { controller c side called called @own owner "Head of Sales" review $(date -u -d '+8 months' +%F)
 notice n notice-proof attested min-length 2 s
 training { basis consent assessment a consent-source header X-Consent = yes sample $1
  spread first-come
$2
  use-within 30 days retention 1 months }
 roles training coach }
END
	"$O" policy check "$TMP/p.policy" >"$TMP/out" 2>"$TMP/err"
	[ $? -lt 2 ] || fail "policy"
}
calls() {
	python3 "$SRC/tests/gen/agentcalls.py" "$TMP/c.pcap" "$@" || fail "agentcalls"
	run 0 "$O" replay --store "$TMP/s" --policy "$TMP/p.policy" "$TMP/c.pcap"
}
# Call-ID, training, reason: a line a call, in order of start
rows() { "$O" find --store "$TMP/s" --json | jq -r '[.sip_call_id, .training, (.reasons.training // "-"), .call] | @tsv' >"$1"; }
