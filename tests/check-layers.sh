#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Which layer may include which (design: libc <- base <- store <- tools; libc <- policy). The link line enforces it for
# functions; this names the #include that crosses. Only daemon/*.c knows all.
cd "$(dirname "$0")/.." || exit 1
bad=0
layer() { # DIR FORBIDDEN-REGEX
	out=$(grep -nE "^#include \"($2)" "$1"/*.c "$1"/*.h 2>/dev/null)
	if [ -n "$out" ]; then
		echo "$out" | sed "s|^|layer: $1 must not include: |"
		bad=1
	fi
}
layer daemon/base 'store/|sip/|media/|capture/|call/|policy/|record|cli'
layer daemon/store 'sip/|media/|capture/|call/|policy/|record|cli'
layer daemon/sip 'store/|media/|capture/|call/|policy/|record|cli'
layer daemon/media 'store/|sip/|capture/|call/|policy/|record|cli'
layer daemon/capture 'store/|sip/|media/|call/|policy/|record|cli'
layer daemon/call 'store/|media/|capture/|record|cli'
layer policy 'store/|sip/|media/|capture/|call/|record|cli|base/'
for f in tools/*.c; do
	# optag audit calculates draws again, by the sampler's own arithmetic; optag why and simulate run the law over a call's log
	case $f in tools/replay*.c | tools/policy*.c | tools/announcement*.c | tools/audit_sample*.c | tools/why*.[ch] | tools/simulate*.c | tools/doctor_nic.c | tools/doctor_conf.c) continue ;; esac
	out=$(grep -nE '^#include "(sip/|media/|capture/|call/|policy/|record)' "$f")
	[ -n "$out" ] && { echo "$out" | sed "s|^|layer: $f must not include: |"; bad=1; }
done
out=$(grep -ln 'liburing\.h' daemon/*/*.c daemon/*.c tools/*.c policy/*.c 2>/dev/null | grep -vE '^daemon/store/(writer|reap_ring)')
[ -n "$out" ] && { echo "layer: only daemon/store/writer*.c and reap_ring.c may include liburing.h: $out"; bad=1; }
# optag-export reads, and what deletes or records must not decrypt
for p in find fsck audit why hold reap erase withdraw report; do
	[ -x "${BUILD:-build}/bin/optag-$p" ] || continue
	nm -C "${BUILD:-build}/bin/optag-$p" 2>/dev/null | grep -qE ' [tT] store_read_open$' && {
		echo "layer: optag-$p links decryption (store_read_open)"
		bad=1
	}
done
# ... and what destroys has nothing of it at all: no wrap, no chunk, no sealed number can be opened with what it links
p="${BUILD:-build}/bin/optag-reap"
if [ -x "$p" ]; then
	out=$(nm -C "$p" 2>/dev/null | grep -oE ' (T wrap_open|T unseal|T chunk_decode|T codec_decode|T store_read_[a-z]+|U crypto_box_(seal_)?open[a-z_]*|U crypto_(aead|secretbox)[a-z0-9_]*(decrypt|open)[a-z_]*|U EVP_(Decrypt|Open)[A-Za-z_]*)$')
	[ -n "$out" ] && { echo "$out" | sed "s|^|layer: optag-reap links decryption:|"; bad=1; }
fi
# ... and what reads audio from the network with foreign code has no key near it
b="${BUILD:-build}/bin"
if [ -x "$b/optag-export" ] && readelf -d "$b/optag-export" | grep -qE 'NEEDED.*lib(av|sw)'; then
	echo "layer: optag-export links libavcodec"
	bad=1
fi
if [ -x "$b/optag-decode" ] && readelf -d "$b/optag-decode" | grep -qE 'NEEDED.*lib(sodium|crypto|sqlite3|uring)'; then
	echo "layer: optag-decode links what the store needs"
	bad=1
fi
[ $bad = 0 ] && echo "layers: clean"
exit $bad
