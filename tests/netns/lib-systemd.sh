# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# A systemd of its own, process 1 of a PID namespace, in $load_ns (lib-load.sh), with the unit as `make install` leaves it.
# Sourced by tests/netns/live_systemd.sh. Nothing of the machine's is changed: /etc is a copy, /usr/local, /run and /var/lib are
# the namespace's; systemd finds no other units and runs no generators.
#
#	sd_need && sd_install && sd_boot && sd systemctl start optagd ... sd_down

sd_pid='' sd_group='' sd_systemd=/usr/lib/systemd/systemd

sd_need() { # prints why it cannot be; 1 then
	[ -x $sd_systemd ] && command -v systemctl >/dev/null || { echo "systemd is not installed"; return 1; }
	sd_groups=$(awk '$3 == "cgroup2" {print $2; exit}' /proc/mounts)
	[ -n "$sd_groups" ] && [ -w "$sd_groups" ] || { echo "no version 2 of control groups here"; return 1; }
	unshare -m -p -f -C -i -u true 2>/dev/null || { echo "no namespaces for a process 1"; return 1; }
}

sd_install() { # $TMP/root: what make install makes, under /usr/local; in a machine without make it is there already
	mkdir -p "$TMP/root/usr/local" "$TMP/root/units" "$TMP/root/lib"
	if [ -e /usr/local/lib/systemd/system/optagd.service ] && ! command -v make >/dev/null; then
		cp -a /usr/local/. "$TMP/root/usr/local/"
	else
		(unset MAKEFLAGS MFLAGS MAKELEVEL && cd "$SRC" &&
			make --no-print-directory OPTAG_DEPS_OK=1 BUILD="$BUILD" DESTDIR="$TMP/root" PREFIX=/usr/local install) >"$TMP/install" 2>&1 ||
			{ cat "$TMP/install"; return 1; }
	fi
	cp -a /etc "$TMP/root/etc"
	grep -q '^optag:' "$TMP/root/etc/passwd" || {
		echo 'optag:x:964:964::/nonexistent:/usr/sbin/nologin' >>"$TMP/root/etc/passwd"
		echo 'optag:x:964:' >>"$TMP/root/etc/group"
	}
	grep -q '^optag-reap:' "$TMP/root/etc/passwd" || # the reaper's, in the same group
		echo "optag-reap:x:963:$(awk -F: '$1 == "optag" {print $3}' "$TMP/root/etc/group")::/nonexistent:/usr/sbin/nologin" >>"$TMP/root/etc/passwd"
	rm -rf "$TMP/root/etc/optag" "$TMP/root/etc/systemd/system"
	local t
	for t in sysinit basic shutdown local-fs umount network-pre time-sync multi-user timers; do
		printf '[Unit]\nDescription=%s\nDefaultDependencies=no\n' $t >"$TMP/root/units/$t.target"
	done
	cp "$TMP/root"/usr/local/lib/systemd/system/optag* "$TMP/root/units/"
	# (there is no journal in here)
	mkdir "$TMP/root/units/optagd.service.d"
	printf '[Service]\nStandardOutput=append:%s\nStandardError=append:%s\n' "$TMP/optagd.err" "$TMP/optagd.err" >"$TMP/root/units/optagd.service.d/log.conf"
	mkdir "$TMP/root/units/optag-reap.service.d"
	printf '[Service]\nStandardOutput=append:%s\nStandardError=append:%s\n' "$TMP/reap.log" "$TMP/reap.log" >"$TMP/root/units/optag-reap.service.d/log.conf"
	chmod 755 "$TMP/root"
}

sd_boot() {
	sd_group=$sd_groups/optag-test$$
	mkdir "$sd_group" || return 1
	cat >"$TMP/boot" <<B
set -e
mount --bind "$TMP/root/etc" /etc
mount --bind "$TMP/root/usr/local" /usr/local
mount --bind "$TMP/root/lib" /var/lib
mount -t tmpfs -o mode=755 run /run
mkdir /run/lock
umount -R /sys/fs/cgroup 2>/dev/null || :
mount -t cgroup2 cgroup2 /sys/fs/cgroup
export container=optag SYSTEMD_UNIT_PATH="$TMP/root/units" SYSTEMD_GENERATOR_PATH=/nonexistent SYSTEMD_ENVIRONMENT_GENERATOR_PATH=/nonexistent
export SYSTEMD_LOG_TARGET=console PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
exec env -u NOTIFY_SOCKET -u TMPDIR $sd_systemd --unit=multi-user.target --show-status=no
B
	nsenter --net="/run/netns/$load_ns" bash -c 'echo $$ >"$1/cgroup.procs" && exec unshare -m -p -f -C -i -u --kill-child --propagation private \
		--mount-proc bash "$2"' sh "$sd_group" "$TMP/boot" >"$TMP/systemd.log" 2>&1 </dev/null &
	sd_parent=$!
	for _ in $(seq 200); do
		sd_pid=$(cat /proc/$sd_parent/task/$sd_parent/children 2>/dev/null | tr -d ' ')
		[ -n "$sd_pid" ] && [ "$(cat /proc/"$sd_pid"/comm 2>/dev/null)" = systemd ] && [ "$(sd systemctl is-system-running 2>/dev/null)" = running ] && return 0
		kill -0 $sd_parent 2>/dev/null || break
		sleep 0.1
	done
	cat "$TMP/systemd.log"
	return 1
}

# -r: under a root of our own (chroot) theirs is that, too
sd() { PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin nsenter -t "$sd_pid" -m -p -C -i -u -n -r "$@"; }
sd_show() { sd systemctl show -P "$1" optagd; }
sd_main() { # its main process, as we see it
	local inner
	inner=$(sd_show MainPID)
	[ "${inner:-0}" != 0 ] && grep -l "^NSpid:.*[[:space:]]$inner\$" /proc/[0-9]*/status 2>/dev/null | while read -r f; do
		[ "$(readlink "${f%/status}/ns/pid")" = "$(readlink /proc/"$sd_pid"/ns/pid)" ] && basename "${f%/status}"
	done | head -n 1
}

sd_down() { # safe at any time
	[ -n "$sd_pid" ] && kill -9 "$sd_pid" 2>/dev/null
	[ -n "${sd_parent:-}" ] && wait "$sd_parent" 2>/dev/null
	if [ -n "$sd_group" ]; then
		for _ in $(seq 50); do
			find "$sd_group" -depth -type d -exec rmdir {} + 2>/dev/null
			[ -e "$sd_group" ] || break
			sleep 0.1
		done
	fi
	sd_pid='' sd_parent='' sd_group=''
	return 0
}
