#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Boots another kernel with the built tree and runs tests of tests/run.sh there; ends with their status.
#
#	vm/run.sh [-k VMLINUZ -m MODULES] [-c COMMAND | TEST...]	default: Debian's 6.1 kernel, the oldest that we support
#
# The machine is qemu without acceleration: a root file system in memory, no disk, no network. Nothing of the machine
# that it runs on is changed; needs no root. What it needs is installed by `make deps-vm`.
set -eu
cd "$(dirname "$0")/.."
BUILD=${BUILD:-$PWD/build} kernel='' modules='' command=''
while getopts k:m:c: o; do
	case $o in
	k) kernel=$OPTARG ;;
	m) modules=$OPTARG ;;
	c) command=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || set -- bpf/ netns/live_load netns/live_two netns/live_systemd
for p in qemu-system-x86_64 cpio dpkg-deb ldd busybox; do
	command -v $p >/dev/null || { echo "vm: $p is not installed (make deps-vm)"; exit 77; }
done
work=$BUILD/vm root=$BUILD/vm/root
rm -rf "$root"
mkdir -p "$work" "$root"/{dev,proc,sys,run,tmp,etc,usr/bin,usr/sbin,usr/lib,usr/lib64,usr/local,var/lib,var/tmp}
for d in bin sbin lib lib64; do # as here: links into /usr, or directories
	if [ -L "/$d" ]; then ln -s "usr/$d" "$root/$d"; else mkdir -p "$root/$d"; fi
done

if [ -z "$kernel" ]; then
	if ! ls "$work"/kernel/boot/vmlinuz-6.1.* >/dev/null 2>&1; then
		rm -rf "$work/kernel"
		name=$(apt-cache search --names-only '^linux-image-6\.1\.[0-9-]*-amd64$' | cut -d' ' -f1 | sort -V | tail -n 1)
		[ -n "$name" ] || { echo "vm: no linux-image-6.1 among the packages known (apt-get update?)"; exit 77; }
		(cd "$work" && apt-get download "$name" >/dev/null 2>&1 && dpkg-deb -x "$name"_*.deb kernel && rm -f "$name"_*.deb)
	fi
	kernel=$(ls "$work"/kernel/boot/vmlinuz-6.1.* | tail -n 1)
	modules=$(ls -d "$work"/kernel/lib/modules/6.1.* | tail -n 1)
fi

# A file and the libraries it needs, at the places where they lie here.
put() {
	local f=$1 l
	mkdir -p "$root$(dirname "$f")"
	[ -e "$root$f" ] || cp -L "$f" "$root$f"
	for l in $(ldd "$f" 2>/dev/null | grep -o '/[^ ]*'); do
		[ -e "$root$l" ] || { mkdir -p "$root$(dirname "$l")" && cp -L "$l" "$root$l"; }
	done
}
for p in bash jq ip nsenter unshare awk sed grep perl flock timeout shuf find xargs sha256sum cmp comm sort date stat \
	mount umount nproc head tail cut tr wc cat cp mv rm mkdir ls ln touch sleep seq mktemp chmod env dirname basename tee id \
	pgrep pkill chrt sqlite3 taskset chown readlink uniq printf df diff rmdir true kill systemctl systemd-analyze bpftool; do
	f=$(type -P $p || true)
	case $f in /*) put "$(readlink -f "$f")" && { [ -e "$root$f" ] || { mkdir -p "$root$(dirname "$f")" && ln -sf "$(readlink -f "$f")" "$root$f"; }; } ;; esac
done
put "$(command -v busybox)"
[ ! -x /usr/lib/systemd/systemd ] || put /usr/lib/systemd/systemd # for netns/live_systemd; /init is no systemd
ln -sf "$(readlink -f "$(command -v bash)")" "$root/bin/sh"
for f in "$BUILD"/bin/*; do put "$f"; done
for d in bpf bench gen; do
	for f in "$BUILD/tests/$d"/*; do [ -f "$f" ] && [ "${f%.d}" = "$f" ] && put "$f"; done
done
make --no-print-directory OPTAG_DEPS_OK=1 BUILD="$BUILD" DESTDIR="$root" install >/dev/null
mkdir -p "$root$PWD"
for d in tests tools/demo policy/examples Makefile; do
	mkdir -p "$root$PWD/$(dirname $d)"
	cp -r "$d" "$root$PWD/$d"
done
ln -sfn "$PWD" "$root/src"
mkdir -p "$root/usr/share"
cp -r /usr/share/zoneinfo "$root/usr/share/" 2>/dev/null || :
cp /etc/passwd /etc/group "$root/etc/"
for m in llc stp bridge veth; do
	f=$(find "$modules" -name "$m.ko*" | head -n 1)
	[ -n "$f" ] && cp "$f" "$root/"
done
cat >"$root/init" <<I
#!$(command -v busybox) sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp
busybox mount -t proc proc /proc
busybox mount -t sysfs sys /sys
busybox mount -t devtmpfs dev /dev
busybox mkdir -p /dev/shm /run/netns
busybox mount -t tmpfs tmp /tmp
busybox mount -t tmpfs tmp /var/tmp
busybox mount -t tmpfs run /run
busybox mount -t bpf bpf /sys/fs/bpf
busybox mount -t cgroup2 cgroup2 /sys/fs/cgroup
busybox ln -sf /proc/self/fd /dev/fd
for i in 0:stdin 1:stdout 2:stderr; do busybox ln -sf /proc/self/fd/\${i%:*} /dev/\${i#*:}; done
for m in llc stp bridge veth; do busybox insmod /\$m.ko; done
echo "vm: kernel \$(busybox uname -r), \$(busybox nproc) processors"
ip link set lo up
export BUILD=$BUILD SRC=$PWD TMPDIR=/var/tmp BIN=$BUILD/bin
cd $PWD && ${command:-bash tests/run.sh $*}
echo "vm: status \$?"
busybox poweroff -f
I
chmod +x "$root/init"
(cd "$root" && find . -print0 | cpio --null -o -H newc --quiet) >"$work/root.cpio"
[ -z "${VM_KEEP:-}" ] && rm -rf "$root"
timeout "${VM_TIMEOUT:-1800}" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m "${VM_MEMORY:-4096}" -nographic -no-reboot \
	-nic none -kernel "$kernel" -initrd "$work/root.cpio" -append "console=ttyS0 quiet panic=-1 mitigations=off" </dev/null |
	tr -d '\r\033' | tee "$work/console" | grep -v -e '^\[ ' -e SeaBIOS -e iPXE -e Booting || :
rc=$(sed -n 's/^vm: status //p' "$work/console" | tail -n 1)
exit "${rc:-1}"
