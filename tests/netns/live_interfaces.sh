#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Two mirror ports of one optagd. A rule for one interface's trunk records calls of that interface and none of the
# other; a laboratory's rule (`lab yes`) records nothing live, on whatever interface.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
trap 'load_down; rm -rf /sys/fs/bpf/optag/rx1' EXIT

load_up && load_store && load_conf 'interface rx1 { mirror yes; xdp native }' || fail "no network or store"
ip -n "$load_ns" link add tx1 type veth peer name rx1 && ip -n "$load_ns" link set tx1 up && ip -n "$load_ns" link set rx1 up ||
	fail "no second port"
policy=$TMP/policy/demo.policy
calls() { # PORT SEED: five calls that the claims rule would record, under other numbers of the seed
	load_in "$L" --interface "$1" --truth "$TMP/$1.truth" --kind 'kept:1:+4520######:+45701020##' --calls 5 --rate 20 --duration 3 \
		--first-rtp 300 --seed "$2" >"$TMP/$1.sent" || fail "optag-load: $(cat "$TMP/$1.sent")"
	load_settle || fail "the counters do not come to rest"
}
matched() { "$O" status --socket "$TMP/control" --json | jq .calls.matched; }

sed -i 's/^trunk pbx {/trunk pbx {\n\tinterface rx1/; s/^\tcalled +45 7010 20\*$/\tcalled +45 7010 20*\n\ttrunk pbx/' "$policy"
grep -q 'interface rx1' "$policy" && grep -q $'^\ttrunk pbx' "$policy" || fail "the demo's policy is another one now"
load_daemon || fail "optagd does not start"
# a second daemon there, whatever it captures by: with libpcap it would see nothing behind the first one's program
"$O" init --store "$TMP/s2" --keys "$TMP/k2" >/dev/null 2>&1
sed -e '/^interface rx1/d' -e 's/xdp native/xdp none/' -e "s#^store .*#store \"$TMP/s2\"#" -e "s#socket \"[^\"]*\"#socket \"$TMP/control2\"#" "$TMP/optagd.conf" >"$TMP/second.conf"
load_in timeout -s INT 60 "$BIN/optagd" -c "$TMP/second.conf" 2>"$TMP/second.err" && fail "two daemons on one interface: $(cat "$TMP/second.err")"
grep -q 'rx0: another daemon captures here' "$TMP/second.err" || fail "what the second daemon said: $(cat "$TMP/second.err")"
# nor one on all of them
sed 's/^interface rx0/interface any/' "$TMP/second.conf" >"$TMP/any.conf"
load_in timeout -s INT 60 "$BIN/optagd" -c "$TMP/any.conf" 2>"$TMP/second.err" && fail "a daemon on all interfaces: $(cat "$TMP/second.err")"
grep -q 'any: another daemon captures on one of the interfaces' "$TMP/second.err" || fail "what the daemon on all said: $(cat "$TMP/second.err")"
# /sys is the other namespace's, where these do not exist
load_status "$TMP/up" && jq -e '.interfaces | length == 2 and all(.up and .rx_packets >= 0)' "$TMP/up" >/dev/null || fail "not up: $(jq -c .interfaces "$TMP/up")"
calls tx0 1
[ "$(matched)" = 0 ] || fail "calls of another interface are recorded"
calls tx1 2
[ "$(matched)" = 5 ] || fail "$(matched) of 5 calls of the trunk's interface are recorded"
load_stop || fail "optagd's status"
[ "$("$O" find --store "$TMP/s" --json | jq -r 'select(.outcome == "kept") | .sip_call_id' | sort)" = "$(cut -f1 "$TMP/tx1.truth" | sort)" ] ||
	fail "other calls are in the store than were sent to the second port"

# The same rules, a laboratory's. They are right, and in a file of packets they would match.
sed -i -e '/^\tinterface rx1$/d' -e '/^\ttrunk pbx$/d' -e 's/^controller nordlys {/controller nordlys {\n\tlab yes/' "$policy"
grep -q $'^\tlab yes' "$policy" || fail "the demo's policy is another one now"
load_daemon || fail "optagd does not start"
calls tx0 3
calls tx1 4
[ "$(matched)" = 0 ] || fail "a laboratory's rule matches live traffic"
load_status "$TMP/status" || fail status
jq -e '.packets.audio == 0 and .packets.miss > 0' "$TMP/status" >/dev/null || fail "audio left the kernel: $(jq -c .packets "$TMP/status")"
load_stop || fail "optagd's status"
[ "$("$O" find --store "$TMP/s" --json | wc -l)" = 5 ] || fail "more calls are in the store"

# One that is taken out of the settings is not recorded from by who takes over, nor is its program left there; whichever it was.
cp "$TMP/optagd.conf" "$TMP/both.conf"
for out in rx1 rx0; do
	cp "$TMP/both.conf" "$TMP/optagd.conf"
	load_daemon && load_stop TERM || fail "optagd with both"
	sed -i "/^interface $out/d" "$TMP/optagd.conf"
	load_daemon || fail "optagd without $out"
	grep -q "$out: it is not in the settings any more: nothing captures there now" "$TMP/optagd.err" || fail "nothing is said of $out"
	load_status "$TMP/status" && jq -e '.take_over.from == "left"' "$TMP/status" >/dev/null || fail "no take-over without $out"
	[ ! -e /sys/fs/bpf/optag/$out ] || fail "pins of $out are left"
	ip -n "$load_ns" link show $out | grep -q xdp && fail "the program is still attached to $out"
	seen=$(jq .packets.seen "$TMP/status")
	load_in "$L" --interface "t${out#r}" --truth "$TMP/out.truth" --kind 'none:1:+4520######:+4533######' --calls 2 --rate 20 --duration 1 \
		--seed 5 >"$TMP/out.sent" || fail "optag-load: $(cat "$TMP/out.sent")"
	load_status "$TMP/status" && [ "$(jq .packets.seen "$TMP/status")" = "$seen" ] || fail "packets of $out are seen"
	load_stop || fail "optagd's status"
	[ ! -e /sys/fs/bpf/optag/rx0 ] && [ ! -e /sys/fs/bpf/optag/rx1 ] || fail "pins are left without $out"
done
cp "$TMP/both.conf" "$TMP/optagd.conf"

# The other way round.
nsenter --net="/run/netns/$load_ns" "$BIN/optagd" -c "$TMP/any.conf" 2>"$TMP/any.err" &
load_daemon_pid=$!
for _ in $(seq 1200); do grep -q 'recording from' "$TMP/any.err" && break; sleep 0.05; done
grep -q 'recording from' "$TMP/any.err" || fail "optagd on any: $(cat "$TMP/any.err")"
load_in timeout -s INT 60 "$BIN/optagd" -c "$TMP/optagd.conf" 2>"$TMP/second.err" && fail "a daemon beside one on all: $(cat "$TMP/second.err")"
grep -q 'rx0: another daemon captures on all interfaces (any)' "$TMP/second.err" || fail "what the second daemon said: $(cat "$TMP/second.err")"
load_stop || fail "status of optagd on any"
[ ! -e /sys/fs/bpf/optag/rx0 ] && [ ! -e /sys/fs/bpf/optag/rx1 ] || fail "pins are left"
exit 0
