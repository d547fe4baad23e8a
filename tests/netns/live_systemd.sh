#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# optagd under a real systemd, as optagd(8) says under INSTALLATION: the unit and programs of `make install`, a user of its
# own. systemctl start waits for READY; the process has what the unit and priv.c leave it; restart and whatever kills it
# (kill -9, a hang that the watchdog finds) go on with calls in progress, of a restart without losing a packet; reload is
# the new policy; stop leaves nothing behind, also when the process is killed meanwhile.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
# shellcheck source=tests/netns/lib-systemd.sh
. "$SRC/tests/netns/lib-systemd.sh"
load_or_skip
sd_need >"$TMP/why" || { echo "SKIP: $(cat "$TMP/why")"; exit 77; }
trap 'sd_down; load_down' EXIT

is() { # FILTER: of the status
	sd optag status --json >"$TMP/status" 2>"$TMP/err" || fail "status: $(cat "$TMP/err")"
	jq -e "$1" "$TMP/status" >/dev/null || fail "status is not $1: $(jq -c '[.take_over, .calls, .policy]' "$TMP/status")"
}
state() { # STATE RESTARTS: soon
	for _ in $(seq 300); do
		[ "$(sd_show ActiveState)/$(sd_show NRestarts)" = "$1/$2" ] && return 0
		sleep 0.1
	done
	fail "the unit is not $1 after $2 restarts: $(sd systemctl status --no-pager optagd | head -n 12)"
}
recording() { # CALLS: soon
	for _ in $(seq 100); do
		sd optag status --json >"$TMP/status" 2>/dev/null && [ "$(jq .calls.recording "$TMP/status")" = "$1" ] && return 0
		sleep 0.2
	done
	fail "not $1 calls are recorded: $(jq -c .calls "$TMP/status")"
}
pinned() { [ -e /sys/fs/bpf/optag/rx0/link ]; }
gone() { # nothing of it is left
	[ "$(sd_show ActiveState)" = inactive ] || fail "$1: $(sd systemctl status --no-pager optagd | head -n 12)"
	[ ! -e /sys/fs/bpf/optag ] || fail "$1: pins are left: $(ls -R /sys/fs/bpf/optag)"
	ip -n "$load_ns" link show rx0 | grep -q xdp && fail "$1: XDP is left attached"
	for _ in $(seq 300); do # systemctl does not wait for this
		[ -e "/proc/$sd_pid/root/run/optag" ] || break
		sleep 0.1
	done
	[ ! -e "/proc/$sd_pid/root/run/optag" ] || fail "$1: /run/optag is left"
	[ -z "$(sd cat /sys/fs/cgroup/system.slice/optagd.service/cgroup.procs 2>/dev/null)" ] || fail "$1: processes are left"
	[ -n "$maps" ] || return 0
	for _ in $(seq 300); do # the kernel frees them a little later
		left=$(for m in $maps; do "$bpftool" map show id "$m" 2>/dev/null; done)
		[ -n "$left" ] || return 0
		sleep 0.1
	done
	fail "$1: maps are left: $left"
}
bpftool=$(command -v bpftool /usr/sbin/bpftool | head -n 1) maps=''
start() {
	sd systemctl start optagd >"$TMP/out" 2>&1 || fail "systemctl start: $(cat "$TMP/out" "$TMP/systemd.log")"
	[ -z "$bpftool" ] || maps=$(for p in /sys/fs/bpf/optag/rx0/*; do "$bpftool" -j map show pinned "$p" 2>/dev/null | jq .id; done)
	pinned || fail "nothing is pinned"
}

# ---- as optagd(8) says ----
load_up && load_store || fail "no network or policy"
sd_install || fail "make install"
etc=$TMP/root/etc/optag
mkdir -p "$etc/policy.d"
cp "$TMP"/policy/* "$etc/policy.d/"
sed -e 's/^interface eth1/interface rx0/' -e 's/^\tgroup optag/\tgroup root/' "$TMP/root/usr/local/share/optag/examples/optagd.conf" >"$etc/optagd.conf"
touch "$TMP/optagd.err"
sd_boot || fail "systemd does not boot"
sd systemctl start optagd 2>"$TMP/out" && fail "it starts without a store"
sd systemctl stop optagd # (it is tried again meanwhile)
sd install -d -o optag -g optag -m 3770 /var/lib/optag
sd optag init --store /var/lib/optag --keys "$TMP/k3" >"$TMP/out" 2>&1 || fail "init: $(cat "$TMP/out")"
"$BUILD/tests/gen/mkstore" "$TMP/root/lib/optag" g711 training >"$TMP/out" 2>&1 || fail "old calls: $(cat "$TMP/out")"
sd chown -R optag:optag /var/lib/optag
start
[ "$(sd_show Type)/$(sd_show ActiveState)/$(sd_show SubState)" = notify/active/running ] || fail "systemctl start did not wait"
sd systemctl status --no-pager optagd | grep -q 'Active: active (running)' || fail "systemctl status"

# ---- the reaper, by its timer, as a user of its own: what was due is gone within a minute or two ----
touch "$TMP/reap.log" && chmod 666 "$TMP/reap.log"
sd systemctl start optag-reap.timer 2>"$TMP/out" || fail "systemctl start optag-reap.timer: $(cat "$TMP/out")"
[ "$(sd systemctl show -P ActiveState optag-reap.timer)" = active ] || fail "the timer"
for _ in $(seq 1500); do
	grep -q 'calls destroyed' "$TMP/reap.log" && break
	sleep 0.1
done
grep -q '^2 calls destroyed, 2 late, 0 held' "$TMP/reap.log" || fail "the reaper said: $(cat "$TMP/reap.log") $(sd systemctl status --no-pager optag-reap | head -n 12)"
for _ in $(seq 300); do
	[ "$(sd systemctl show -P ActiveState optag-reap)" = inactive ] && break
	sleep 0.1
done
[ "$(sd systemctl show -P Result optag-reap)" = success ] || fail "the reaper's unit: $(sd systemctl status --no-pager optag-reap | head -n 12)"
others() { find "$TMP/root/lib/optag/keys" "$TMP/root/lib/optag/segments" "$TMP/root/lib/optag/catalog" -perm /007 | head -n 3; }
[ -z "$(others)" ] || fail "others may: $(others)"
for _ in $(seq 300); do # the daemon takes what it told
	[ "$("$O" audit show --store "$TMP/root/lib/optag" --json --event bucket.destroy 2>/dev/null | wc -l)" = 2 ] && break
	sleep 0.1
done
[ "$("$O" audit show --store "$TMP/root/lib/optag" --json --event bucket.destroy | wc -l)" = 2 ] || fail "the log does not know"
! command -v systemd-analyze >/dev/null || sd systemd-analyze security --no-pager optag-reap 2>/dev/null | tail -n 1

# ---- what the process may ----
main=$(sd_main)
[ -n "$main" ] || fail "no main process"
line() { awk -v k="$1:" '$1 == k {$1 = ""; sub(/^ */, ""); print}' "/proc/$main/status"; }
uid=$(awk -F: '$1 == "optag" {print $3}' "$TMP/root/etc/passwd")
[ "$(line Uid)" = "$uid $uid $uid $uid" ] || fail "user: $(line Uid)"
# CAP_NET_ADMIN (12), CAP_IPC_LOCK (14), CAP_BPF (39)
for c in CapEff CapPrm; do [ "$(line $c)" = 0000008000005000 ] || fail "$c: $(line $c)"; done
[ "$(line CapBnd)/$(line NoNewPrivs)/$(line Seccomp)" = 0000000000000000/1/2 ] || fail "bounding set, privileges, filter: $(line CapBnd) $(line NoNewPrivs) $(line Seccomp)"
sd sh -c "nsenter -t $(sd_show MainPID) -m -r touch /usr/optag-test" 2>/dev/null && fail "the file systems are not read-only"
! command -v systemd-analyze >/dev/null || sd systemd-analyze security --no-pager optagd 2>/dev/null | tail -n 1

# ---- restart: no packet of calls in progress is lost ----
load_begin "$TMP/sent" --kind 'kept:1:+4520######:+45701020##' --calls 20 --rate 50 --hold 20 --duration 10 --first-rtp 300 --sha
recording 20
for n in 1 2; do
	sleep 2
	sd systemctl restart optagd || fail "restart $n"
	is '.take_over | .from == "left" and .calls > 0 and .lost == 0'
done
load_wait || fail "optag-load: $(cat "$TMP/sent")"
for _ in $(seq 100); do
	sd optag status --json >"$TMP/status" && [ "$(jq '.calls | .setup + .answered + .hold + .ending + .unwritten' "$TMP/status")" = 0 ] && break
	sleep 0.2
done
[ "$(sd_show NRestarts)" = 0 ] || fail "a restart counts as a failure"
sd optag find --store /var/lib/optag --json >"$TMP/found" || fail find
jq -r '[.sip_call_id, .outcome, .legs[0].packets, .legs[1].packets, ([.legs[].lost] | add)] | @tsv' "$TMP/found" | sort >"$TMP/got"
awk -F'\t' -v OFS='\t' '{print $1, "kept", $3, $4, 0}' "$TMP/sent.truth" | sort | diff - "$TMP/got" >"$TMP/diff" ||
	fail "$(jq -c .calls "$TMP/status") calls over two restarts are not whole: $(head -n 5 "$TMP/diff")"

shut=$(find "$TMP/root/lib/optag/keys" "$TMP/root/lib/optag/segments" "$TMP/root/lib/optag/catalog" \( -type d -o -name '*.seg' -o -name '*.bucket' -o -name '*.slots' \) ! -perm -060 | head -n 3)
[ -z "$shut" ] || fail "the reaper cannot reach what the daemon made: $shut"

# ---- reload ----
before=$(jq -r .policy.hash "$TMP/status")
sed -i 's/+45 2211 0033/+45 2211 0033 +45 2211 0034/' "$etc/policy.d/demo.policy"
cmp -s "$TMP/policy/demo.policy" "$etc/policy.d/demo.policy" && fail "the demo's policy is another one now"
main=$(sd_main)
sd systemctl reload optagd || fail "systemctl reload"
for _ in $(seq 300); do
	sd optag status --json >"$TMP/status" && [ "$(jq -r .policy.hash "$TMP/status")" != "$before" ] && break
	sleep 0.1
done
[ "$(jq -r .policy.hash "$TMP/status")" != "$before" ] || fail "the policy is the old one"
[ "$(sd_show ActiveState)/$(sd_main)" = "active/$main" ] || fail "after reload: $(sd_show ActiveState)"

# ---- killed, and hanging ----
load_begin "$TMP/long" --kind 'kept:1:+4520######:+45701020##' --calls 10 --rate 50 --duration 86400 --seed 2
recording 10
sleep 1
# also while somebody is in the middle of writing a policy: the one that ran goes on
cp "$etc/policy.d/demo.policy" "$TMP/demo.before"
echo 'rule "half' >>"$etc/policy.d/demo.policy"
kill -9 "$main"
state active 1
[ "$(sd_main)" != "$main" ] || fail "it is the same process"
is '.take_over | .from == "killed" and .calls == 10 and .lost == 0'
is '.policy | .alarm == 1 and .rules > 0'
cp "$TMP/demo.before" "$etc/policy.d/demo.policy"
hang=$SECONDS
kill -STOP "$(sd_main)"
state active 2
is '.take_over | .from == "killed" and .calls == 10 and .lost == 0'
echo "a daemon that hangs is another one after $((SECONDS - hang)) s"

# ---- stopped ----
sd systemctl stop optagd || fail "systemctl stop"
gone "stop"
kill "${load_pids[@]}" 2>/dev/null
load_wait
sd optag fsck --store /var/lib/optag >"$TMP/fsck" 2>&1 || fail "fsck: $(head -n 3 "$TMP/fsck")"
"$O" audit verify --store "$TMP/root/lib/optag" >"$TMP/audit" 2>&1 || fail "audit: $(cat "$TMP/audit")"

# It is killed, and stopped before systemd starts it again: what it left stays for who might come, and not longer.
printf '[Service]\nRestartSec=600\n' >"$TMP/root/units/optagd.service.d/late.conf"
echo 'take-over 1 s' >>"$etc/optagd.conf"
sd systemctl daemon-reload
start
[ "$(sd systemctl show -P ActiveState optagd-release.timer)" = active ] || fail "the timer of what is left does not run"
sd systemctl stop optagd-release.timer # not by chance
kill -9 "$(sd_main)"
for _ in $(seq 100); do
	[ "$(sd_show SubState)" = auto-restart ] && break
	sleep 0.1
done
sd systemctl stop optagd
pinned || fail "a stop between a failure and the next start leaves nothing: this test is for nothing"
sd systemctl start optagd-release || fail "optagd-release: $(sd systemctl status --no-pager optagd-release | head -n 12)"
pinned || fail "what another daemon may take over is removed"
for _ in 1 2 3 4 5; do # 10 s after its last word
	sleep 6
	sd systemctl start optagd-release || fail "optagd-release: $(sd systemctl status --no-pager optagd-release | head -n 12)"
	pinned || break
done
sd systemctl reset-failed optagd 2>/dev/null
sd rm -r /run/optag # systemd keeps it then
gone "killed, and nobody came"
rm "$TMP/root/units/optagd.service.d/late.conf"
sed -i '/^take-over 1 s/d' "$etc/optagd.conf"

# It is killed when it is stopped, and when it is restarted.
printf '[Service]\nKillSignal=SIGKILL\n' >"$TMP/root/units/optagd.service.d/kill.conf"
sd systemctl daemon-reload
start
sd systemctl stop optagd
[ "$(sd_show Result)" = signal ] || fail "it was not killed: $(sd_show Result)"
sd systemctl reset-failed optagd
gone "killed while it stops"
start
sd systemctl restart optagd || fail "restart of one that is killed"
is '.take_over.from == "killed"'
# It ends by itself and as asked: nobody starts it again, so nothing stays.
sd systemctl kill -s INT optagd
state inactive 0
gone "ended by itself"
exit 0
