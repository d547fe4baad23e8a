#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# optagd -n and its exit codes: 0 right, 2 settings or policy have an error, which stands with file, line and column;
# nothing is made or attached. A daemon that cannot start says why in one line and ends with 1.
# shellcheck source=tests/cli/common
. "$SRC/tests/cli/common"
D="$BIN/optagd"
good() { # FILE: minimal settings with the example policy
	cat >"$1" <<C
interface eth9 { mirror yes }
store "$TMP/s"
policy "$TMP/p.policy"
C
}
cp "$SRC/policy/examples/lab.policy" "$TMP/p.policy"
good "$TMP/good.conf"

# Good. A warning of the policy is no error; -v prints what reads back to itself.
run 0 "$D" -n -c "$TMP/good.conf"
[ ! -s "$TMP/out" ] || fail "-n prints something"
hasnt err ': error|C-[0-9]'
run 0 "$D" -nv -c "$TMP/good.conf"
cp "$TMP/out" "$TMP/canon.conf"
run 0 "$D" -nv -c "$TMP/canon.conf"
cmp -s "$TMP/out" "$TMP/canon.conf" || fail "-nv does not read back to itself"
[ ! -e "$TMP/s" ] || fail "-n makes a store"

# A store that is not there is no error of the settings (init comes later), and is told.
has err 's: no store is here yet'
"$BIN/optag-init" --store "$TMP/s" --keys "$TMP/k" >/dev/null 2>&1 || fail init
run 0 "$D" -n -c "$TMP/good.conf"
hasnt err "no store"

# An error: file:line:col, and code. Each of several is told.
good "$TMP/bad.conf"
printf '\ncalls 12 zebras\n  ring 3 elephants\n' >>"$TMP/bad.conf"
run 2 "$D" -n -c "$TMP/bad.conf"
has err "$TMP/bad.conf:5:[0-9]+: C-[0-9]+: "
has err "$TMP/bad.conf:6:[0-9]+: C-[0-9]+: "
good "$TMP/unknown.conf"
echo 'colour blue' >>"$TMP/unknown.conf"
run 2 "$D" -n -c "$TMP/unknown.conf"
has err "$TMP/unknown.conf:4:1: C-[0-9]+: unknown setting. Fix: "
one_line err
run 2 "$D" -c "$TMP/unknown.conf" # and without -n nothing starts
has err "$TMP/unknown.conf:4:1: C-[0-9]+: "
good "$TMP/inner.conf"
sed -i 's/mirror yes/mirror yes; speed 3/' "$TMP/inner.conf"
run 2 "$D" -n -c "$TMP/inner.conf"
has err "$TMP/inner.conf:1:30: C-[0-9]+: unknown setting of interface. Fix: "
good "$TMP/twice.conf"
echo 'calls 100
calls 200' >>"$TMP/twice.conf"
run 2 "$D" -n -c "$TMP/twice.conf"
has err "$TMP/twice.conf:5:1: C-[0-9]+: "
# No more calls than a start would take.
good "$TMP/many.conf"
echo 'calls 2000000
flow-lines 4194304' >>"$TMP/many.conf"
run 2 "$D" -n -c "$TMP/many.conf"
has err "$TMP/many.conf:4:[0-9]+: C-[0-9]+: "
sed -i 's/^calls .*/calls 600000/' "$TMP/many.conf"
run 0 "$D" -n -c "$TMP/many.conf"
echo 'store /tmp' >"$TMP/noif.conf"
run 2 "$D" -n -c "$TMP/noif.conf"
has err 'interface'

# Files that cannot be read.
run 2 "$D" -n -c "$TMP/nosuch.conf"
has err "$TMP/nosuch.conf:1:1: C-07: .*No such file"
run 2 "$D" -n -c "$TMP"
has err "C-07: .*directory"
head -c 1100000 /dev/zero | tr '\0' '#' >"$TMP/big.conf"
run 2 "$D" -n -c "$TMP/big.conf"
has err 'larger than 1 MiB'
printf 'interface eth9\nstore "/tmp/\xff"\n' >"$TMP/bytes.conf"
run 2 "$D" -n -c "$TMP/bytes.conf"
has err "$TMP/bytes.conf:2:[0-9]+: C-01: "
chmod 0 "$TMP/good.conf"
if [ "$(id -u)" != 0 ]; then
	run 2 "$D" -n -c "$TMP/good.conf"
	has err 'C-07: .*Permission denied'
elif command -v setpriv >/dev/null; then # root reads everything: without that power
	run 2 setpriv --bounding-set -dac_override,-dac_read_search --inh-caps -all --reuid 65534 --clear-groups "$D" -n -c "$TMP/good.conf"
	has err 'C-07: .*Permission denied'
fi
chmod 644 "$TMP/good.conf"

# The policy is checked too.
echo 'rule nonsense { colour blue }' >"$TMP/p.policy"
run 2 "$D" -n -c "$TMP/good.conf"
has err "$TMP/p.policy:1:[0-9]+: "
rm "$TMP/p.policy"
run 2 "$D" -n -c "$TMP/good.conf"
has err 'p.policy.*(No such file|cannot be read)'

# Usage.
run 2 "$D" -n -c "$TMP/good.conf" more
has err 'usage: optagd'
run 2 "$D" -z
has err 'usage: optagd'
one_line err
run 0 "$D" --help
has out '^  -n '
run 0 "$D" --version
has out '^optagd [0-9]'

# No store, no interface: the daemon itself ends with 1 and says which.
[ "$(id -u)" = 0 ] && unshare -n -m true 2>/dev/null || exit 0
cp "$SRC/policy/examples/lab.policy" "$TMP/p.policy"
cat >"$TMP/live.conf" <<C
interface mon9
store "$TMP/none"
policy "$TMP/p.policy"
control { socket "$TMP/control" }
user root
group root
C
run 0 "$D" -n -c "$TMP/live.conf"
run 1 timeout 30 unshare -n "$D" -c "$TMP/live.conf"
has err 'mon9: no such interface'
run 1 timeout 30 unshare -n -m sh -c "mount -t bpf bpf /sys/fs/bpf 2>/dev/null; ip link add mon9 type veth peer name mon8 && exec '$D' -c '$TMP/live.conf'"
has err 'cannot start: .*none'
# Where memory cannot be locked nothing of a call may be in it.
run 1 timeout 30 unshare -n prlimit --memlock=1048576:1048576 setpriv --bounding-set=-ipc_lock,-sys_resource "$D" -c "$TMP/live.conf"
has err 'cannot start: memory cannot be locked'
run 1 timeout 30 unshare -n prlimit --memlock=1048576:1048576 setpriv --bounding-set=-sys_resource "$D" -c "$TMP/live.conf"
has err 'mon9: no such interface'
if unshare -r true 2>/dev/null; then # the root of a container has the capability, and it locks nothing
	run 1 timeout 30 unshare -r -n prlimit --memlock=1048576:1048576 "$D" -c "$TMP/live.conf"
	has err 'cannot start: memory cannot be locked'
fi
only "$TMP" big.conf bad.conf bytes.conf canon.conf err good.conf inner.conf k live.conf many.conf noif.conf out p.policy s twice.conf unknown.conf
exit 0
