#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# `make demo`: real calls with real speech, replayed under a policy that keeps some of them.
#
# As root, sipp talks to itself across two network namespaces of its own (tests/netns/lib-sipp.sh) and tcpdump listens.
# Without root, or where that is not possible, a shipped capture of the same calls is used. Everything goes to
# build/demo, which each run replaces. --capture FILE only makes the (shorter) calls: so the shipped one was made.
set -u
top=$(cd "$(dirname "$0")/.." && pwd) || exit 1
cd "$top" || exit 1
BIN=${BIN:-$top/build/bin}
out=$(dirname "$BIN")/demo
out=${out#"$top"/}
policy=tools/demo/demo.policy
shipped=tests/pcap/demo.pcap
PATH=$BIN:$PATH
# shellcheck source=tests/netns/lib-sipp.sh
. tests/netns/lib-sipp.sh

bold='' dim='' off=''
[ -t 1 ] && bold=$'\e[1m' dim=$'\e[2m' off=$'\e[0m'
step_n=0

step() { # TITLE
	step_n=$((step_n + 1))
	printf '\n%s%d. %s%s\n' "$bold" $step_n "$1" "$off"
}
note() { printf '   %s\n' "$@"; }
die() {
	echo "demo: $*" >&2
	exit 1
}
# What a user would type, then what it says. The status is the command's.
run() {
	local rc shown=
	printf -v shown ' %q' "$@"
	printf '   %s$%s%s\n' "$dim" "$shown" "$off"
	"$@" 2>&1 | sed 's/^/   | /'
	rc=${PIPESTATUS[0]}
	return "$rc"
}

fresh_dir() {
	if [ -e "$out" ]; then
		[ -e "$out/.optag-demo" ] || die "'$out' is not from an earlier demo; move it away"
		rm -rf "$out"
	fi
	mkdir -p "$out" && : >"$out/.optag-demo" || die "cannot make '$out'"
}

# Who calls whom. LONG and SHORT are ms of speech.
calls() { # LONG SHORT
	sipp_call "claim, A-law" +4520304050 +4570102001 PCMA "$1" demo-congrats.wav basic-pbx-ivr-main.wav &&
		sipp_call "claim, mu-law, a key is pressed" +4520304051 70102002 PCMU "$((($1 + $2) / 2))" \
			vm-options.wav demo-moreinfo.wav 9 &&
		sipp_call "on the no-record list" +4522110033 +4570102001 PCMA "$2" demo-instruct.wav demo-thanks.wav &&
		sipp_call "between two strangers" +4520304055 +4533112244 PCMA "$2" demo-echotest.wav demo-nogo.wav &&
		sipp_call "sales, nobody presses a key" +4520304056 +4570103005 PCMU "$2" \
			priv-callee-options.wav queue-periodic-announce.wav &&
		sipp_call "claim, nobody answers" +4520304057 +4570102003 cancel 1500 demo-congrats.wav demo-thanks.wav
}

make_capture() { # FILE LONG SHORT
	local rc=0
	trap sipp_down EXIT
	trap 'exit 130' INT TERM HUP
	sipp_up "$out/calls" "$1" && calls "$2" "$3" && sipp_wait || rc=1
	sipp_stop_capture
	sipp_down
	return $rc
}

explain_calls() {
	note "1  a customer reports a claim (A-law)" \
		"2  another one, dialled without +45 (mu-law); somebody presses a key meanwhile" \
		"3  a claim by someone who asked not to be recorded" \
		"4  two people who have nothing to do with the insurer, on the same line" \
		"5  a call to sales: \"if we may record this to train our staff, press 1\", and nobody does" \
		"6  a claim that nobody answers"
}

get_capture() {
	local why
	step "Six calls with real speech"
	explain_calls
	if why=$(sipp_need 2>&1); then
		note "" "sipp plays both ends of each, between two private network namespaces; tcpdump listens (about 10 s) ..."
		make_capture "$out/calls.pcap" 9000 5000 || die "the calls failed; what sipp said is in $out/calls"
	else
		note "" "No calls can be made here ($why), so a shipped capture of the same calls is used."
		cp "$shipped" "$out/calls.pcap" || die "no shipped capture"
	fi
	[ -s "$out/calls.pcap" ] || die "the capture is empty"
	note "$out/calls.pcap: $(($(stat -c %s "$out/calls.pcap") / 1000)) kB, everything anybody said on that line, in the clear"
}

show_policy() {
	step "The policy decides before any audio is taken"
	note "$policy says what may be kept, on which legal basis, and how callers were told."
	run optag policy check "$policy"
	[ $? -le 1 ] || die "the policy has errors"
	note "(Warnings: a laboratory's policy. The recorder refuses a policy with errors.)" ""
	run optag policy explain --rule claims "$policy" || die "explain failed"
}

record() {
	step "An empty store; the private keys lie elsewhere"
	run optag init --store "$out/store" --keys "$out/keys" || die "init failed"
	step "The capture goes through the recorder"
	run optag replay --store "$out/store" --policy "$policy" "$out/calls.pcap" || die "replay failed"
	note "Calls 3 and 4 are only in these sums: of a call that no rule matches, nothing is kept but a count."
}

# One line a call, in plain words; the reasons are the store's own.
why() {
	optag find --store "$out/store" --json | jq -r '
		{ "not-answered": "nobody answered", "consent.none": "nobody pressed 1: silence is no consent",
		  "sample.out": "not drawn for training", "short": "shorter than the rule keeps" } as $plain
		| ([.reasons[] | select(. != "")] | unique | map($plain[.] // .) | join(", ")) as $why
		| (.legs | map("\(.packets) packets \(.codec // "")") | join(" + ")) as $legs
		| (.legs | map(.blocked) | add) as $blocked
		| "\(.rule): \(.outcome)" + (if .outcome == "kept"
			then ", \($legs), until \(.documentation_until // .training_until | .[0:10])"
			else ", \($why)" + (if $blocked > 0 then "; \($blocked) packets of audio never passed the classifier" else "" end) end)'
}

show_calls() {
	step "What was kept, and why the rest was not"
	run optag find --store "$out/store" || die "find failed"
	note "In words:"
	why | sed 's/^/   - /'
}

export_one() {
	call=$(optag find --store "$out/store" --json | jq -r 'select(.outcome == "kept") | .call' | head -n 1)
	[ -n "$call" ] || die "no call was kept"
	step "Its rightful reader listens to the first one"
	run optag export --store "$out/store" --keys "$out/keys" --purpose documentation --call "$call" --format wav \
		-o "$out/call.wav" || die "export failed"
	optag export --store "$out/store" --keys "$out/keys" --purpose documentation --call "$call" --format payload \
		-o "$out/call" >/dev/null || die "export failed"
	note "Listen (caller left, other party right):   aplay $out/call.wav   or   ffplay $out/call.wav   or   vlc" ""
	local who said n
	for who in caller callee; do
		n=$(stat -c %s "$out/call.$who")
		case $who in caller) said=demo-congrats ;; *) said=basic-pbx-ivr-main ;; esac
		said=$out/calls/$said.al
		[ -e "$said" ] || continue
		cmp -s -n "$n" "$out/call.$who" "$said" || die "the $who's recording is not what was said"
		note "The $who's $n bytes of audio are exactly those that were spoken ($said)."
	done
}

# How many packets of that call's speech lie in these files as they were sent; silence is everywhere and does not count.
found_in() { # FILES...
	perl -0777 -e '
		open my $f, "<:raw", shift or die;
		my $audio = <$f>;
		my @speech = grep { my %c = map { $_ => 1 } split //; %c > 20 } unpack "(a160)*", $audio;
		my $files = "";
		for (@ARGV) { open my $g, "<:raw", $_ or die; $files .= <$g> }
		printf "%d of %d\n", scalar(grep { index($files, $_) >= 0 } @speech), scalar @speech;' "$out/call.caller" "$@"
}

show_locked() {
	step "Without the key the store is noise"
	run optag export --store "$out/store" --keys "$out/nobody" --purpose documentation --call "$call" -o "$out/no.wav" &&
		die "export worked without a key"
	optag init --store "$out/other-store" --keys "$out/other-keys" >/dev/null 2>&1 || die "init failed"
	run optag export --store "$out/store" --keys "$out/other-keys" --purpose documentation --call "$call" -o "$out/no.wav" &&
		die "export worked with another key"
	run optag export --store "$out/store" --keys "$out/keys" --purpose training --call "$call" -o "$out/no.wav" &&
		die "export worked for a purpose the call does not have"
	[ -e "$out/no.wav" ] && die "a failed export left a file"
	rm -rf "$out/other-store" "$out/other-keys"
	local in_capture in_store
	mapfile -d '' -t files < <(find "$out/store" -type f -print0)
	in_capture=$(found_in "$out/calls.pcap") && in_store=$(found_in "${files[@]}") || die "cannot compare"
	[ "${in_store%% *}" = 0 ] || die "audio lies readable in the store"
	[ "${in_capture%% *}" -gt 50 ] || die "the audio is not in the capture"
	note "That caller's packets of speech: $in_capture are found in the capture, $in_store in the store's ${#files[@]} files."
	step "Every byte checked, no key needed"
	run optag fsck --store "$out/store" || die "the store is damaged"
}

case ${1:-} in
--capture)
	[ $# = 2 ] || die "usage: demo.sh --capture FILE"
	sipp_need || die "cannot make calls here"
	fresh_dir
	make_capture "$2" 3200 1400
	exit
	;;
'') ;;
*) die "usage: demo.sh [--capture FILE]" ;;
esac
command -v jq >/dev/null || die "jq is not installed (make deps)"
echo "${bold}optag: a call recorder that cannot record what nobody may keep${off}"
fresh_dir
get_capture
show_policy
record
show_calls
export_one
show_locked
printf '\n%sDone.%s The recording: %s   Everything else of this run: %s/   Again: make demo\n' "$bold" "$off" "$out/call.wav" "$out"
