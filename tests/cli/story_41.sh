#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Story 41: an opt-out in queue A still holds after a transfer to queue B with another rule; a consent in A does not
# count for B of another controller, nor for another rule. By re-INVITE, attended (Replaces) and blind (REFER).
# shellcheck source=tests/cli/common
. "$SRC/tests/cli/common"
# shellcheck source=tests/cli/peers_common
. "$SRC/tests/cli/peers_common"
f='controller c side called called @own'
policy "$TMP/optout" "$(rule first "$f queue = first" nf "$DOC $OPTOUT"; rule second "$f queue = second" nf "$DOC $OPTOUT")"
policy "$TMP/consent" "$(rule first "$f queue = first" nc "$CONSENT"; rule second "$f queue = second" nc "$CONSENT")"
policy "$TMP/other" "$(rule first "$f queue = first" nc "$CONSENT"; rule second 'controller k side called called @own queue = second' nc "$CONSENT")"
policy "$TMP/late" "$(rule second "$f queue = second" nd "$DOC")"
policy "$TMP/away" "$(rule first "$f queue = first" nd "$DOC")"

told() { # WHAT POLICY gencap options... : compared with stdin
	local what=$1 policy=$2
	shift 2
	fresh
	"$gen" --seconds 16 --header 'X-Queue: first' --header 'X-Agent: anna' "$@" "$TMP/c.pcap" "$TMP/t.json"
	replay "$TMP/$policy" "$TMP/c.pcap"
	is "$what" "$(cat)"
	sound "$what"
}

for how in transfer-queue transfer-attended transfer-blind; do
	told "$how: opted out before" optout --scenario $how --keys 4:9 <<-'END'
		first kept GRANTED OPTED_OUT  optout -
		second kept GRANTED OPTED_OUT  optout transfer-of
	END
	[ "$(jq -r .other_call "$TMP/rows" | sed -n 2p)" = "$(jq -r .call "$TMP/rows" | sed -n 1p)" ] || fail "$how: no link"
	# an opt-out is one for the whole conversation: what was recorded for training before goes, too
	told "$how: opts out at the end" optout --scenario $how --keys 14:9 <<-'END'
		first kept GRANTED OPTED_OUT  optout -
		second kept GRANTED OPTED_OUT  optout transfer-of
	END
	told "$how: nobody says no" optout --scenario $how <<-'END'
		first kept GRANTED GRANTED   -
		second kept GRANTED GRANTED   transfer-of
	END
	told "$how: consent to another rule" consent --scenario $how --keys 4:1 <<-'END'
		first kept NONE GRANTED   -
		second denied NONE DENIED  consent.none transfer-of
	END
	told "$how: consent to another controller" other --scenario $how --keys 4:1 <<-'END'
		first kept NONE GRANTED   -
		second denied NONE DENIED  consent.none -
	END
done

# the same re-INVITE from who calls in transfers nothing, and names no agent
told "by the outside party" optout --scenario transfer-outside <<-'END'
	first kept GRANTED GRANTED   -
END
told "by the outside party, to what would record" late --scenario transfer-outside <<<''

# to a queue of which nothing may be recorded: that part is not, by no rule
told "to a queue of nobody" away --scenario transfer-queue <<-'END'
	first kept GRANTED NONE   -
END
jq -e '.duration < 8.5 and .end == "transfer" and (.legs | all(.audio_ms < 8500))' "$TMP/rows" >/dev/null || fail "recorded beyond"
# the header comes with the transfer: what was said before is not recovered
told "from a queue of nobody" late --scenario transfer-queue <<-'END'
	second kept GRANTED NONE   -
END
jq -e '.duration < 8.5 and (.legs | all(.audio_ms > 7000 and .audio_ms < 8500))' "$TMP/rows" >/dev/null || fail "not from the transfer on"

# both parts together are the whole conversation, and say who was spoken to
told "agents" optout --scenario transfer-queue <<-'END'
	first kept GRANTED GRANTED   -
	second kept GRANTED GRANTED   transfer-of
END
[ "$(jq -s '[.[].legs[0].packets] | add' "$TMP/rows")" = "$(jq '.calls[0].legs[0].packets' "$TMP/t.json")" ] || fail "packets are missing"
exit $bad
