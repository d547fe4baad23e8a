#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# make install: each file lands in its place with its mode whatever the umask, runs from there, its manual is found, the
# unit is right; make uninstall takes away what install brought and nothing else.
# shellcheck source=tests/cli/common
. "$SRC/tests/cli/common"
unset MAKEFLAGS MFLAGS MAKELEVEL DESTDIR PREFIX
inst() { ( umask 077; cd "$SRC" && make --no-print-directory OPTAG_DEPS_OK=1 BUILD="$BUILD" SAN="$SAN" "$@" ); }

# Under DESTDIR, with a space in it.
R="$TMP/the root"
mkdir "$R"
run 0 inst install DESTDIR="$R" PREFIX=/usr
(cd "$R" && find . -type f -printf '%m %P\n' | sort -k2) >"$TMP/got"
{
	for p in "$BUILD"/bin/*; do echo "755 usr/bin/${p##*/}"; done
	for p in "$SRC"/policy/examples/*.policy "$SRC/daemon/optagd.conf"; do echo "644 usr/share/optag/examples/${p##*/}"; done
	echo "644 usr/share/optag/optag-policy.schema.json"
	echo "644 usr/share/optag/truth.tsv"
	(cd "$SRC/policy" && find editors -name '*.vim' -o -path '*/vscode/*.json') | sed 's|^|644 usr/share/optag/|'
	for p in "$SRC"/tools/*.[158] "$SRC"/daemon/*.[158] "$SRC"/policy/*.[158]; do echo "644 usr/share/man/man${p##*.}/${p##*/}"; done
	for p in "$SRC"/daemon/*.service "$SRC"/daemon/*.timer; do echo "644 usr/lib/systemd/system/${p##*/}"; done
} | sort -k2 >"$TMP/want"
diff "$TMP/want" "$TMP/got" >"$TMP/out" || fail "other files than wanted"
[ -z "$(find "$R/usr" -type d ! -perm 755)" ] || fail "directories others cannot enter: $(find "$R/usr" -type d ! -perm 755)"
[ -z "$(find "$R" -type l -o -perm /7000)" ] || fail "links or set-id files"
cmp -s "$BUILD/bin/optagd" "$R/usr/bin/optagd" || fail "not the program that was built"
grep -q '^ExecStart=/usr/bin/optagd ' "$R/usr/lib/systemd/system/optagd.service" || fail "the unit does not start what was installed"
grep -q '^ExecStart=/usr/bin/optag-reap ' "$R/usr/lib/systemd/system/optag-reap.service" || fail "the reaper's unit does not start what was installed"
grep -q /usr/local "$R"/usr/lib/systemd/system/* && fail "a unit names another prefix"

# Every program that `optag` knows is beside it, and every manual that a manual names is there.
run 0 "$R/usr/bin/optag" --help
for p in "$R"/usr/bin/*; do
	n=${p##*/}
	[ -e "$R/usr/share/man/man1/$n.1" ] || [ -e "$R/usr/share/man/man8/$n.8" ] || fail "$n has no manual"
	[ "$n" = optagd ] || run 0 "$p" --help
done
(cd "$R/usr/share/man" && grep -rhoE '^\.Xr optag[a-z.-]* [0-9]' . | sort -u) >"$TMP/xr"
while read -r _ name section; do
	[ -e "$R/usr/share/man/man$section/$name.$section" ] || fail "a manual names $name($section), which is not there"
done <"$TMP/xr"
run 0 "$R/usr/bin/optag" policy explain "$R/usr/share/optag/examples/lab.policy"

# Twice is once, and what is not ours stays.
echo mine >"$R/usr/share/man/man1/other.1"
run 0 inst install DESTDIR="$R" PREFIX=/usr
run 0 inst uninstall DESTDIR="$R" PREFIX=/usr
(cd "$R" && find . -type f) >"$TMP/out"
[ "$(cat "$TMP/out")" = ./usr/share/man/man1/other.1 ] || fail "uninstall leaves or takes something"
[ ! -e "$R/usr/share/optag" ] || fail "uninstall leaves our directory"
run 0 inst uninstall DESTDIR="$R" PREFIX=/usr

# In place: manuals by man, and the unit as systemd sees it.
P="$TMP/pre"
run 0 inst install PREFIX="$P"
if command -v man >/dev/null && command -v mandb >/dev/null; then
	chmod 755 "$TMP"
	for m in "$P"/share/man/man?/*; do
		MANROFFSEQ='' MANWIDTH=80 LC_ALL=C.UTF-8 run 0 man --warnings -l "$m"
		[ ! -s "$TMP/err" ] || fail "man warns of ${m##*/}"
		has out "$(basename "${m%.*}" | tr "[:lower:]" "[:upper:]")\\([158]\\)"
	done
	MANPATH="$P/share/man" run 0 mandb --user-db --create "$P/share/man"
	sed -i '/MANPATH set/d' "$TMP/err"
	hasnt err 'warning|error'
	has out "^$(find "$P/share/man/"man? -type f | wc -l) manual pages were added"
	MANPATH="$P/share/man" run 0 man -w optag-status
	[ "$(cat "$TMP/out")" = "$P/share/man/man1/optag-status.1" ] || fail "man does not find what was installed"
	MANPATH="$P/share/man" run 0 man -k optagd
	has out 'optagd *\(8\)'
fi
if command -v systemd-analyze >/dev/null; then
	MANPATH="$P/share/man" run 0 systemd-analyze --man=no verify "$P/lib/systemd/system/optagd.service"
	hasnt err 'optagd'
fi
exit 0
