#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# R-22: the reaper's first run of a day leaves an inventory in the evidence log. It is what optag report inventory counts and what
# optag audit sums has of the day before; a row that was planted, and a problem, are found without anybody asking.
. "$SRC/tests/cli/common" || exit 1
need jq
need sqlite3
cd "$TMP" || exit 1
O="$BIN/optag"
run 0 "$O" init --store s --keys k
# calls of yesterday; not in the minutes around midnight, when "yesterday" changes under the test
[ "$(date -u +%H%M)" -ge 2355 ] && sleep 330
yesterday=$(date -u -d yesterday +%F)
"$BUILD/tests/gen/gencap" --calls 24 --scenario mix --seconds 5 --start "$(date -u -d "$yesterday 09:00" +%s)" c.pcap truth.json || fail gencap
# and one of the day before: what a log was not there to know is not asked of it
"$BUILD/tests/gen/gencap" --calls 1 --scenario mix --seconds 5 --start "$(date -u -d "$yesterday 09:00 1 day ago" +%s)" b.pcap truth.json || fail gencap
for c in b c; do
	run 0 "$O" replay --store s --policy "$SRC/policy/examples/lab.policy" $c.pcap
done
run 0 "$O" reap --store s --dry-run
run 0 "$O" reap --store s --now "$(date -u +%FT%TZ)"
run 0 "$O" audit show --store s --event report.made
[ -s out ] && fail "an inventory that nobody's clock asked for"
run 0 "$O" report inventory --store s --json --by controller,rule,purpose,age,state
cp out asked
run 0 "$O" reap --store s --quiet
run 0 "$O" audit show --store s --event report.made --json
cp out made
[ "$(jq -r .source made | sort -u)" = reaper ] || fail "source"
[ "$(jq -s 'map(.n.day) | unique == ['"$(date -u +%Y%m%d)"']' made)" = true ] || fail "day: $(cat made)"
# calls by rule, purpose and age, as a person is told
jq -r 'select(.state == "GRANTED" or .state == "OBJECTED") | [.controller, .rule, .purpose, .calls] | @tsv' asked | sort >want
jq -r 'select(.reason == "inventory.age") | [.controller, .rule, .purpose, (.n.age_7 + .n.age_30 + .n.age_60 + .n.age_92 + .n.age_more)] | @tsv' made |
	sort >got
[ -s want ] && cmp want got || fail "by age: $(diff want got)"
[ "$(jq 'select(.reason == "inventory.age") | .n.age_30 + .n.age_60 + .n.age_92 + .n.age_more' made | sort -u)" = 0 ] || fail "they began yesterday"
# matched = kept + denied + gap, as the log's own sums have it
run 0 "$O" audit sums --store s --json
jq -r "select(.day == \"$yesterday\") | [.rule, .matched, .kept, .denied, .gap] | @tsv" out | sort >want
jq -r 'select(.reason == "inventory.day") | [.rule, .n.calls, .n.kept, .n.denied, .n.gap] | @tsv' made | sort >got
[ -s want ] && cmp want got || fail "of yesterday: $(diff want got)"
[ "$(jq -c 'select(.reason == "inventory") | [.n.count, .n.past, .n.errors, .n.missed]' made)" = "[$(($(wc -l <made) - 1)),0,0,0]" ] ||
	fail "the end: $(tail -1 made)"
[ "$(tail -1 made | jq .n.calls)" = "$(tail -1 asked | jq .kept)" ] || fail "calls that can be read"
jq -c '[.controller, .rule, .who, .n]' made | grep -qE '\+?45[0-9]{8}' && fail "a number"
run 0 "$O" audit verify s
has out "^the store was counted 1 time, the last time on $(date -u +%F): 0 keys past their deadline, 0 problems"
run 0 "$O" audit verify --json s
[ "$(tail -1 out | jq -c '[.inventories, .inventory_day, .inventory_missed, .inventory_past, .inventory_problems]')" = \
	"[1,\"$(date -u +%F)\",0,0,0]" ] || fail "summary: $(tail -1 out)"
# once a day; what a person asks for is none of it
run 0 "$O" reap --store s
run 0 "$O" report inventory --store s
run 0 "$O" audit show --store s --event report.made
[ "$(wc -l <out)" = "$(wc -l <made)" ] || fail "twice in a day"
run 0 "$O" fsck --store s

# ---- as it is installed: the reaper is another user of the store's group, and may not read the evidence ----
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	P=$(mktemp -d /tmp/optag-inventory.XXXXXX) || exit 1 # $TMP is root's alone
	trap 'rm -rf "$P"' EXIT
	chmod 755 "$P"
	install -d -o 1500 -g 1500 -m 3770 "$P/s"
	run 0 "$O" init --store "$P/s" --keys "$P/k"
	chown -R 1500:1500 "$P/s"
	install -m 644 c.pcap "$SRC/policy/examples/lab.policy" "$P"
	as() { local u=$1; shift; (umask 007 && exec setpriv --reuid "$u" --regid 1500 --clear-groups "$@"); }
	run 0 as 1500 "$BIN/optag-replay" --store "$P/s" --policy "$P/lab.policy" "$P/c.pcap"
	run 0 as 1502 "$BIN/optag-reap" --store "$P/s" --quiet
	[ "$(cat "$P"/s/outbox/*.jsonl | grep -c '"event":"report.made"')" = "$(wc -l <made)" ] || fail "no inventory by a reaper of another user"
	run 0 as 1502 "$BIN/optag-reap" --store "$P/s" --quiet
	[ "$(cat "$P"/s/outbox/*.jsonl | grep -c '"event":"report.made"')" = "$(wc -l <made)" ] || fail "twice in a day"
fi

# ---- a row that nobody's call is, planted: one too many for what the log has ----
cp -a s t
db=$(ls t/catalog/*/*.db | head -1)
row=$(sqlite3 "$db" "SELECT uid FROM calls WHERE outcome='denied' LIMIT 1")
[ -n "$row" ] || fail "no denied call"
sqlite3 "$db" "CREATE TEMP TABLE x AS SELECT * FROM calls WHERE uid='$row'; UPDATE x SET uid=substr(uid,1,25)||(CASE substr(uid,26) WHEN '0' THEN '1' ELSE '0' END), sip_call_id='planted@x'; INSERT INTO calls SELECT * FROM x" ||
	fail sqlite3
run 0 "$O" report inventory --store t
rm t/reap.inventory
run 0 "$O" reap --store t --quiet
run 3 "$O" audit verify t
has out "E-13: rule .*: the catalog has [0-9]+ calls of the day before, the log [0-9]+"
one=$(grep -c E-13 out)
[ "$one" = 1 ] || fail "$one findings"

# ---- a problem: the run says so, and the log has it ----
cp -a s u
echo secret >u/.copy
rm u/reap.inventory
run 3 "$O" reap --store u --quiet
has err 'inventory: 1 problem \(optag report inventory\)'
run 0 "$O" reap --store u --quiet
run 0 "$O" audit verify u
has out ', 1 problem$'

# ---- an inventory of which a line is missing, or was changed, breaks the chain as any; see unit/test_reap_report for whole lines ----
log=$(ls s/evidence/*.log | tail -1)
sed -i '/inventory.day/s/"denied":[0-9]*/"denied":0/' "$log"
run 3 "$O" audit verify s
has out 'E-3: changed|E-9: changed'
exit 0
