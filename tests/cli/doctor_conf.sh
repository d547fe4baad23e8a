#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# optag doctor reads optagd.conf: interfaces, store, policy and user are those of the daemon that is to start, and where that would not
# start something is missing.
set -u
command -v jq >/dev/null || { echo "SKIP: jq is not installed"; exit 77; }
bad=0
fail() { echo "FAIL: $*"; bad=1; }
level() { jq -r --arg c "$1" 'select(.check == $c) | .level' "$TMP/out" | head -1; }
found() { jq -r --arg c "$1" 'select(.check == $c) | .found' "$TMP/out" | head -1; }
conf() { # XDP [MIRROR]: of v0
	printf 'interface v0 { mirror %s; xdp %s }\nstore "%s"\npolicy "%s"\nuser %s\ngroup root\n' "${2:-yes}" "$1" "$TMP/s" "$TMP/vlan.policy" "${user:-root}" >"$TMP/conf"
}
look() { # [COMMAND...] before it
	"$@" "$BIN/optag-doctor" --json --config "$TMP/conf" >"$TMP/out" 2>"$TMP/err"
}
"$BIN/optag-init" --store "$TMP/s" --keys "$TMP/k" >/dev/null 2>&1 || fail init
cp "$SRC"/tools/demo/*.txt "$TMP/"
sed '/^trunk/a\	vlan 100' "$SRC/tools/demo/demo.policy" >"$TMP/vlan.policy"

# None, and one with an error: optagd ends at once.
look && fail "no settings: exit code"
[ "$(level settings)" = missing ] || fail "no settings: $(grep settings "$TMP/out")"
conf auto
echo 'calls 12 zebras' >>"$TMP/conf"
look && fail "settings with an error: exit code"
[ "$(level settings)" = missing ] && found settings | grep -q "conf:6:10: 'calls' takes nothing more" || fail "settings with an error: $(grep settings "$TMP/out")"

# Who the daemon is to become.
user=no-such-user conf auto
look && fail "no user: exit code"
[ "$(level settings)" = ok ] && [ "$(level user)" = missing ] && [ "$(level store)" = ok ] || fail "no user: $(grep -E 'settings|user|store' "$TMP/out")"
conf auto
look
[ "$(level user)" = ok ] || fail "user root: $(grep user "$TMP/out")"

[ "$(id -u)" = 0 ] && ip netns add "optag$$d" 2>/dev/null || exit $bad
trap 'ip netns del "optag$$d"' EXIT
ip -n "optag$$d" link add v0 type veth peer name v1 && ip -n "optag$$d" link set v0 up && ip -n "optag$$d" link set v1 up
in_ns() { nsenter --net="/run/netns/optag$$d" "$@"; }

# The interface is that of the settings, and the policy, too.
look in_ns
[ "$(jq -r 'select(.check == "interface") | .about' "$TMP/out")" = v0 ] || fail "interface: $(grep interface "$TMP/out")"
[ "$(level "vlan tags")" = costs ] || fail "vlan tags: $(grep vlan "$TMP/out")"
[ "$(level xdp)" = ok ] || fail "xdp: $(grep '"xdp"' "$TMP/out")"

# Packets that are longer than drivers take natively. A mode that is named and does not work is an error at start.
ip -n "optag$$d" link set v0 mtu 9000 && ip -n "optag$$d" link set v1 mtu 9000
look in_ns
[ "$(level xdp)" = costs ] && found xdp | grep -q 'MTU 9000' || fail "auto, MTU 9000: $(grep '"xdp"' "$TMP/out")"
conf native
look in_ns && fail "native, MTU 9000: exit code"
[ "$(level xdp)" = missing ] || fail "native, MTU 9000: $(grep '"xdp"' "$TMP/out")"
ip -n "optag$$d" link set v0 mtu 1500 && ip -n "optag$$d" link set v1 mtu 1500
look in_ns
[ "$(level xdp)" = ok ] || fail "native: $(grep '"xdp"' "$TMP/out")"
sed -i 's/^interface v0/interface lo/' "$TMP/conf"
look in_ns && fail "native on lo: exit code"
[ "$(level xdp)" = missing ] || fail "native on lo: $(grep '"xdp"' "$TMP/out")"
conf none
look in_ns
[ "$(level xdp)" = costs ] && found xdp | grep -q libpcap || fail "none: $(grep '"xdp"' "$TMP/out")"

# A mirror port is nobody's but ours: what is sent to the machine there is dropped. An address that the kernel gives itself is none.
mirror() { # LEVEL WARNED...: of doctor, and whether optagd -n says it
	look in_ns
	[ "$(level mirror)" = "$1" ] || fail "$2: $(grep mirror "$TMP/out")"
	in_ns "$BIN/optagd" -n -c "$TMP/conf" 2>"$TMP/err" # the policy's sets are elsewhere
	[ "$(grep -c 'v0: .*mirror no' "$TMP/err")" = "$3" ] || fail "$2: optagd -n says $(cat "$TMP/err")"
}
conf auto
mirror ok "no address" 0
ip -n "optag$$d" addr add fe80::9/64 dev v0
mirror ok "an address of the link's" 0
ip -n "optag$$d" addr add 192.0.2.9/24 label v0:a dev v0
mirror costs "an address" 1
conf none
mirror '' "an address, libpcap" 0
conf auto no
mirror '' "an address, no mirror" 0
ip -n "optag$$d" addr del 192.0.2.9/24 dev v0
ip -n "optag$$d" addr add 2001:db8::9/64 dev v0
conf auto
mirror costs "an address of IPv6" 1

# Without BPF, or a place for pins, XDP does not start; libpcap does.
no_bpf() { setpriv --bounding-set=-bpf,-perfmon,-sys_admin "$@"; }
if unshare -m true 2>/dev/null && no_bpf true 2>/dev/null; then
	# shellcheck disable=SC2016
	bare() { unshare -m --propagation private sh -c 'while umount /sys/fs/bpf 2>/dev/null; do :; done; exec "$@"' sh "$@"; }
	conf auto
	look bare && fail "no bpf file system: exit code"
	[ "$(level bpffs)" = missing ] || fail "no bpf file system: $(grep bpffs "$TMP/out")"
	look no_bpf && fail "no CAP_BPF: exit code"
	[ "$(level bpf)" = missing ] && grep -q 'xdp none' "$TMP/out" || fail "no CAP_BPF: $(grep '"bpf"' "$TMP/out")"
	conf none
	look bare
	[ "$(level bpffs)" = ok ] || fail "no bpf file system, xdp none: $(grep bpffs "$TMP/out")"
	look no_bpf
	[ "$(level bpf)" = ok ] || fail "no CAP_BPF, xdp none: $(grep '"bpf"' "$TMP/out")"
fi
exit $bad
