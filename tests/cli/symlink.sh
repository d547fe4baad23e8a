#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A store that its group may write to: who plants a symbolic link in the place of a directory or file of it gets nothing read,
# written or removed elsewhere. Reader, reaper, recorder and who takes the outbox say what is in their way.
. "$SRC/tests/cli/common" || exit 1
need jq
cd "$TMP" || exit 1
O="$BIN/optag"
made() { # a store with a call, and a place outside
	rm -rf s k out.d
	run 0 "$O" init --store s --keys k
	run 0 "$MKSTORE" s g711
	mkdir out.d
}
aside() { # NAME: it lies outside, and a link is in its place
	local name=${1//\//_}
	mv "s/$1" "out.d/$name"
	ln -s "$TMP/out.d/$name" "s/$1"
	(cd out.d && find . -type f -exec md5sum {} + | sort) >outside
}
untouched() { (cd out.d && find . -type f -exec md5sum {} + | sort) | diff outside - || fail "$1: what lies outside changed"; }
LINK='symbolic link|Too many levels of symbolic links|not a directory of the store'

# ---- reader ----
made
g=$(call g711)
day=$(ls s/segments/acme)
for where in segments segments/acme "segments/acme/$day" "segments/acme/$day/00000001.seg" keys keys/acme keys/acme/documentation \
	"keys/acme/documentation/$(ls s/keys/acme/documentation | grep bucket)" "keys/acme/documentation/$(ls s/keys/acme/documentation | grep slots)"; do
	made
	g=$(call g711)
	run 0 "$O" export --store s --keys k --purpose documentation --call "$g" --format payload --force -o good
	aside "$where"
	"$O" export --store s --keys k --purpose documentation --call "$g" --format payload -o x >out 2>err && fail "$where: read through a link"
	has err "$LINK"
	ls x* 2>/dev/null | grep . && fail "$where: something was written"
	untouched "$where"
done
for where in catalog catalog/acme "catalog/acme/$(ls s/catalog/acme | head -n 1)"; do
	made
	aside "$where"
	"$O" find --store s --json >out 2>err && [ -s out ] && fail "$where: find goes through a link"
	untouched "$where"
done

# ---- reaper ----
for where in keys keys/acme keys/acme/documentation segments segments/acme "segments/acme/$day" catalog/acme \
	"keys/acme/documentation/$day.bucket" "keys/acme/documentation/$day.slots" outbox erase reap.lock; do
	made
	case $where in
	outbox) mkdir s/outbox ;;
	erase | reap.lock) : >"s/$where" ;;
	esac
	aside "$where"
	"$O" reap --store s --now 2026-05-01 >out 2>err && [ "$where" != "keys/acme/documentation/$day.slots" ] && fail "$where: the reaper sees nothing wrong"
	[ "$where" = "keys/acme/documentation/$day.slots" ] || has err "$LINK"
	untouched "$where"
done

# ---- recorder ----
for where in segments/acme catalog/acme keys/acme; do
	made
	aside "$where"
	"$MKSTORE" s overlap denied training >out 2>err && fail "$where: recorded through a link"
	has err "$LINK"
	untouched "$where"
done
exit 0
