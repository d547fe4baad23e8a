#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# optag doctor: every check is there with level, cost and remedy; what the machine lacks decides the exit code.
set -u
command -v jq >/dev/null || { echo "SKIP: jq is not installed"; exit 77; }
bad=0
fail() { echo "FAIL: $*"; bad=1; }
level() { jq -r --arg c "$1" 'select(.check == $c) | .level' "$TMP/out" | head -1; }

# No store: missing, exit 1, and nothing left behind by the probe of the disk.
mkdir "$TMP/disk"
"$BIN/optag-doctor" --json --store "$TMP/disk/none" >"$TMP/out" 2>"$TMP/err"
[ $? = 1 ] || fail "no store: exit code"
[ "$(level store)" = missing ] || fail "no store: level"
[ -z "$(ls -A "$TMP/disk")" ] || fail "the probe leaves a file"
for c in kernel bpf bpffs memlock "huge pages" io_uring clock user interface disk space "private keys"; do
	[ -n "$(level "$c")" ] || fail "no check '$c'"
done
jq -e 'select((.level == "costs" or .level == "missing") and .cost == null and .fix == null)' "$TMP/out" >/dev/null &&
	fail "a finding without cost and remedy"
jq -e 'select(.level == "ok" and .fix != null)' "$TMP/out" >/dev/null && fail "a remedy for what is right"

# A store, its private keys beside it.
"$BIN/optag-init" --store "$TMP/s" >/dev/null || fail "init"
"$BIN/optag-doctor" --json --store "$TMP/s" --interface lo >"$TMP/out" 2>"$TMP/err"
rc=$?
[ "$(level store)" = ok ] || fail "store: level"
[ "$(level "public keys")" = ok ] || fail "public keys: level"
[ "$(level "private keys")" = costs ] || fail "private keys beside the store are not told"
grep -q "$(cut -c1-20 "$TMP/s-keys/training.key" | tr -d '\n' | sed 's/[][\.*^$/]/./g')" "$TMP/out" && fail "a key is in the output"
missing=$(jq -s '[.[] | select(.level == "missing")] | length' "$TMP/out")
[ $((missing > 0)) = "$rc" ] || fail "exit $rc with $missing missing"
[ "$(jq -r 'select(.check == "interface") | .about' "$TMP/out")" = lo ] || fail "--interface"
mv "$TMP/s-keys" "$TMP/elsewhere"
"$BIN/optag-doctor" --json --store "$TMP/s" >"$TMP/out" 2>"$TMP/err"
[ "$(level "private keys")" = ok ] || fail "moved keys are still seen"
rm -r "$TMP/s/public"
"$BIN/optag-doctor" --json --store "$TMP/s" >"$TMP/out" 2>"$TMP/err" && fail "without public keys: exit code"
grep -q '"level":"missing"' "$TMP/out" || fail "without public keys: nothing missing"

# An interface that is not there; text form; usage.
"$BIN/optag-doctor" --json --interface nosuch0 >"$TMP/out" && fail "unknown interface: exit code"
[ "$(level interface)" = missing ] || fail "unknown interface: level"
"$BIN/optag-doctor" --store "$TMP/disk/none" >"$TMP/out"
grep -q '^missing  store' "$TMP/out" || fail "text form"
grep -q ' do:   optag init' "$TMP/out" || fail "text form: remedy"
"$BIN/optag-doctor" --nonsense >/dev/null 2>&1; [ $? = 2 ] || fail "usage: exit code"

# VLAN tags: a card that takes them off (veth does) is told where a trunk of the policy needs them, and only there.
if ip netns add "optag$$d" 2>/dev/null; then
	trap 'ip netns del "optag$$d"' EXIT
	ip -n "optag$$d" link add v0 type veth peer name v1
	sed '/^trunk/a\	vlan 100' "$SRC/tools/demo/demo.policy" >"$TMP/vlan.policy"
	cp "$SRC"/tools/demo/*.txt "$TMP/"
	vlan() { ip netns exec "optag$$d" "$BIN/optag-doctor" --json --store "$TMP/disk/none" --interface v0 --policy "$1" >"$TMP/out"; level "vlan tags"; }
	if [ "$(vlan "$TMP/none.policy")" = unknown ]; then # veth's default
		[ "$(vlan "$TMP/vlan.policy")" = costs ] || fail "tags that are taken off, and needed: $(grep vlan "$TMP/out")"
		[ "$(vlan "$SRC/tools/demo/demo.policy")" = ok ] || fail "tags that are taken off, and not needed: $(grep vlan "$TMP/out")"
	else
		fail "tags that are taken off, no policy: $(grep vlan "$TMP/out")"
	fi
	"$BIN/optag-doctor" --json --store "$TMP/disk/none" --interface lo --policy "$TMP/vlan.policy" >"$TMP/out"
	[ "$(level "vlan tags")" = ok ] || fail "tags that stay: $(grep vlan "$TMP/out")"
fi

# The machine: each is told, whatever this one has; the disk's rate only when asked for, and nothing stays.
"$BIN/optag-doctor" --json --store "$TMP/disk/none" >"$TMP/out"
for check in processor swap cgroup; do
	[ -n "$(jq -r "select(.check == \"$check\") | .found" "$TMP/out")" ] || fail "$check is not told"
done
jq -s -e 'any(.[]; .check == "disk rate")' "$TMP/out" >/dev/null && fail "disk rate without --measure"
[ "$(jq -r 'select(.check == "store") | .found' "$TMP/out" | grep -c "$TMP")" = 0 ] || fail "the store's path is told twice"
"$BIN/optag-doctor" --json --measure --store "$TMP/disk/none" >"$TMP/rate"
jq -s -e 'any(.[]; .check == "disk rate" and (.found | test("^[0-9]+ MB/s: some [0-9]+ calls")))' "$TMP/rate" >/dev/null || fail "disk rate: $(grep rate "$TMP/rate")"
[ -z "$(find "$TMP" -name '.optag-doctor*')" ] || fail "the probe left a file"

# The disk's probe on a file system without room or O_DIRECT is a finding, not a failure of the program.
if [ "$(id -u)" = 0 ] && mkdir "$TMP/ro" && mount -t tmpfs -o ro,size=64k none "$TMP/ro" 2>/dev/null; then
	"$BIN/optag-doctor" --json --store "$TMP/ro/s" >"$TMP/out"
	umount "$TMP/ro"
	[ "$(level disk)" = missing ] || fail "read-only disk: $(level disk)"
fi

# A file system that keeps what was overwritten is told; the one that overwrites in place is not.
case $(stat -f -c %T "$TMP") in
ext2/ext3 | xfs | tmpfs)
	jq -r 'select(.check == "overwriting") | .found' "$TMP/out" | grep -qE '^(ext4|XFS|tmpfs): ' || fail "overwriting: $(grep overwriting "$TMP/out")"
	;;
esac
on() { # LEVEL TEXT MOUNT-OPTIONS MKFS...: of a new file system
	truncate -s 0 "$TMP/fs.img" && truncate -s 400M "$TMP/fs.img" && "${@:4}" "$TMP/fs.img" >/dev/null 2>&1 || return 0 # no such program
	mount -o "loop,$3" "$TMP/fs.img" "$TMP/mnt" 2>/dev/null || return 0
	"$BIN/optag-doctor" --json --store "$TMP/mnt/s" >"$TMP/out"
	umount "$TMP/mnt"
	tried="$tried $2"
	jq -se --arg l "$1" --arg t "$2" --arg c "${what:-overwriting}" 'any(.[]; .check == $c and .level == $l and (.found | contains($t)))' "$TMP/out" >/dev/null ||
		fail "$2: $(grep "${what:-overwriting}" "$TMP/out")"
}
if [ "$(id -u)" = 0 ] && mkdir "$TMP/mnt"; then
	tried=
	on ok "in place" data=ordered mkfs.ext4 -q -O ^inline_data
	on costs data=journal data=journal mkfs.ext4 -q
	# shellcheck disable=SC2016
	on costs data=journal rw sh -c 'mkfs.ext4 -q "$1" && tune2fs -o journal_data "$1"' sh
	on costs inline_data rw mkfs.ext4 -q -I 512 -O inline_data
	on ok "XFS: in place" rw mkfs.xfs -q
	what=freed-space on costs discard discard mkfs.ext4 -q
	what=freed-space on ok "not discarded" nodiscard mkfs.ext4 -q
	on costs "btrfs: copy-on-write" rw mkfs.btrfs -q
	echo "tried:$tried"
fi
exit $bad
