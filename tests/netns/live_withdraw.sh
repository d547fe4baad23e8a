#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Consents are taken back in calls that go on, on a disk whose every sync takes two seconds: each is answered and
# acted on at once, no other call loses a packet, the thread that takes packets waits for no sync, and the evidence log
# says that a key is destroyed when the disk has that and not before. Then the daemon is killed right behind a withdrawal: nothing
# of that consent can be read afterwards.
set -u
# shellcheck source=tests/netns/lib-load.sh
. "$SRC/tests/netns/lib-load.sh"
load_or_skip
cc=$(command -v cc || command -v gcc || command -v clang) || { echo "SKIP: no compiler"; exit 77; }
"$cc" -O2 -shared -fPIC -o "$TMP/slowdisk.so" "$SRC/tests/netns/slowdisk.c" || fail slowdisk.c
[ -z "${SAN:-}" ] || export ASAN_OPTIONS="${ASAN_OPTIONS:-}:verify_asan_link_order=0"
c="$TMP/control"
slow() { # MILLISECONDS; counts anew
	python3 -c 'import struct, sys; open(sys.argv[1], "r+b" if sys.argv[3] else "wb").write(struct.pack("=QQQ", int(sys.argv[2]), 0, 0))' "$TMP/slow" "$1" "${2-}"
}
syncs() { python3 -c 'import struct, sys; print(*struct.unpack("=QQQ", open(sys.argv[1], "rb").read())[1:])' "$TMP/slow"; } # of the first thread, of all

load_up && load_store && load_consent || fail "no network or store"
# sales: a notice and a consent told by api
sed -i '/^rule "sales training"/,/^}/ { s/notice-proof attested/notice-proof api/
	s/consent-key 1/consent-key 1\n\t\tconsent-source api/ }' "$TMP/policy/demo.policy"
"$O" policy check "$TMP/policy/demo.policy" >"$TMP/check" 2>&1
[ $? -lt 2 ] || fail "policy: $(cat "$TMP/check")"
load_conf || fail conf
slow 0
chmod 666 "$TMP/slow"
load_daemon env LD_PRELOAD="$TMP/slowdisk.so" SLOWDISK="$TMP/slow" || fail "optagd does not start"
load_begin "$TMP/load" --kind 'kept:1:+4520######:+45701020##' --kind 'sales:1:+4521######:+45701030##' --calls 24 --rate 100 --duration 60

list() { "$O" call list --rule "$1" --json --control "$c" | jq -r 'select(.state == "answered") | .call'; }
destroyed() { cat "$TMP"/s/evidence/*.log | grep -c '"key.destroy"'; }
for _ in $(seq 200); do
	[ "$(list claims | wc -l)" = 12 ] && [ "$(list 'sales training' | wc -l)" = 12 ] && break
	sleep 0.05
done
mapfile -t sale < <(list 'sales training')
[ ${#sale[@]} = 12 ] || fail "not 12 calls: $("$O" call list --control "$c")"
for s in "${sale[@]}"; do
	printf '{"event":"consent","call":"%s"}\n{"event":"notice","call":"%s","notice":"sales-en"}\n' "$s" "$s"
done | "$O" call - --control "$c" >"$TMP/out" || fail "consent: $(cat "$TMP/out")"
sleep 5 # their window is open after three, all are recorded, and the disk has their keys
n=$(destroyed)

# ---- taken back on a slow disk ----
slow 2000 in-place
sleep 0.1
began=$(date +%s%N)
for s in "${sale[@]:0:8}"; do echo "{\"event\":\"withdraw\",\"call\":\"$s\"}"; done | "$O" call - --control "$c" >"$TMP/out" || fail "withdraw: $(cat "$TMP/out")"
ms=$((($(date +%s%N) - began) / 1000000))
soon=$(destroyed)
jq -se 'map(.documentation) == [range(8) | "WITHDRAWN"]' "$TMP/out" >/dev/null || fail "withdraw: $(cat "$TMP/out")"
echo "8 withdrawals and their answers in $ms ms; syncs so far: $(syncs)"
[ $ms -lt 2000 ] || fail "withdrawals wait for the disk: $ms ms"
[ "$soon" = "$n" ] || fail "told before the disk has it"
for _ in $(seq 300); do
	[ "$(destroyed)" = $((n + 8)) ] && break
	sleep 0.1
done
[ "$(destroyed)" = $((n + 8)) ] || fail "$(destroyed) keys are told as destroyed, not $((n + 8))"
ms=$((($(date +%s%N) - began) / 1000000))
echo "in the log after $ms ms"
read -r own all < <(syncs)
load_status "$TMP/status" || fail status
[ "$own" = 0 ] || fail "the thread that takes packets waited for $own of $all syncs"
[ "$all" -ge 1 ] && [ $ms -ge 2000 ] || fail "nothing was slow: $all syncs, $ms ms"

# ---- killed right behind one ----
"$O" call withdraw "${sale[8]}" --control "$c" >"$TMP/out" || fail withdraw
load_stop KILL
slow 0 in-place
load_daemon || fail "optagd does not start again"
load_wait || fail "optag-load: $(cat "$TMP/load")"
sleep 1
load_settle || fail "the counters do not come to rest"
load_stop || fail "optagd's status"
"$O" find --store "$TMP/s" --json >"$TMP/rows" || fail find
for s in "${sale[@]:0:9}"; do
	jq -se --arg s "$s" 'map(select(.call == $s and .outcome == "kept")) | length == 0' "$TMP/rows" >/dev/null ||
		fail "a call is kept whose consent was taken back: $(jq -c --arg s "$s" 'select(.call == $s)' "$TMP/rows")"
done
for s in "${sale[@]:9}"; do
	jq -se --arg s "$s" 'map(select(.call == $s and .outcome == "kept")) | length == 1' "$TMP/rows" >/dev/null ||
		fail "a call is not kept: $(jq -c --arg s "$s" 'select(.call == $s)' "$TMP/rows")"
done
"$O" fsck --store "$TMP/s" >"$TMP/fsck" || fail "fsck: $(cat "$TMP/fsck")"
"$O" audit verify --store "$TMP/s" >"$TMP/verify" 2>&1 || fail "audit: $(cat "$TMP/verify")"
jq -e '.packets.balanced and ([.losses[]] | add) == 0 and .media.stale == 0' "$TMP/status" >/dev/null ||
	fail "losses: $(jq -c '.packets, .losses, .media' "$TMP/status")"
exit 0
