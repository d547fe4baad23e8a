#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The generator's captures and truth, judged by tshark: nothing malformed, the calls, streams and packets
# that the truth names, and the same SHA-256 of the audio, worked out here from tshark's fields.
set -u
for p in tshark jq perl; do
	command -v $p >/dev/null || { echo "SKIP: $p is not installed"; exit 77; }
done
. "$SRC/tests/cli/lib-kinds.sh"
gen="$BUILD/tests/gen/gencap"
bad=0
# Only SIP says what is RTP; late segments are put in their place.
prefs=(-o rtp.heuristic_rtp:FALSE -o tcp.reassemble_out_of_order:TRUE)

fail() {
	echo "FAIL $name: $*"
	bad=1
}

# stdin: ssrc, seq, payload type, frame length, captured length, payload. Per stream in order of appearance:
# ssrc, packets, copies, lost, distinct audio, payload in hex by extended number (first copy wins).
streams() {
	perl -ne '
		chomp; my ($ssrc, $seq, $pt, $len, $cap, $pay) = split /\t/;
		next if $pt == 96;
		$ssrc = hex $ssrc;
		my $s = $s{$ssrc} //= do { push @order, $ssrc; { max => $seq } };
		my $e = $s->{max} + (($seq - $s->{max} + 32768) & 65535) - 32768;
		$s->{max} = $e if $e > $s->{max};
		if (exists $s->{had}{$e}) { $s->{dup}++; next }
		$s->{had}{$e} = 1;
		$pay //= "";
		$pay =~ s/://g;
		$pay = substr $pay, 24; # the header is 12 bytes, always
		$s->{audio}{$e} = $pay if ($pt == 0 || $pt == 8) && $len == $cap;
		END {
			for (@order) {
				my $s = $s{$_}; my @e = sort { $a <=> $b } keys %{$s->{had}};
				printf "%u %d %d %d %d %s\n", $_, scalar @e, $s->{dup} // 0, $e[-1] - $e[0] + 1 - @e,
					scalar keys %{$s->{audio}},
					join "", map { $s->{audio}{$_} } sort { $a <=> $b } keys %{$s->{audio}};
			}
		}'
}

# What tshark's streams say of the SSRCs of one leg, as the truth would put it.
leg() { # SSRC...
	local s
	for s; do grep "^$s " "$TMP/streams"; done >"$TMP/leg"
	printf '%s %s ' "$(awk '{ p += $5; l += $4; d += $3; r += $2 } END { print p + 0, l + 0, d + 0, r + 0 }' "$TMP/leg")" \
		"$(awk '{ printf "%s", $6 }' "$TMP/leg" | perl -ne 'print pack "H*", $_' | sha256sum | cut -d' ' -f1)"
}

judge() { # NAME gencap options...
	name=$1
	shift
	local f="$TMP/c.pcap" t="$TMP/t.json" n want got scenario leg p l d r sha ssrcs
	"$gen" "$@" "$f" "$t" || { fail "gencap exits with $?"; return; }
	# One reading of the file for everything. RTP payload from UDP's: tshark gives none for SRTP.
	tshark -n -r "$f" "${prefs[@]}" -T fields -E occurrence=l -e sip.Call-ID -e sip.Method -e rtp.ssrc -e rtp.seq \
		-e rtp.p_type -e frame.len -e frame.cap_len -e udp.payload -e _ws.malformed >"$TMP/all" 2>"$TMP/err" ||
		fail "tshark: $(head -1 "$TMP/err")"
	n=$(wc -l <"$TMP/all")
	want=$(jq .frames "$t")
	[ "$n" = "$want" ] || fail "$n frames, the truth says $want"
	n=$(awk -F'\t' '$9 != "" && $6 == $7' "$TMP/all" | wc -l)
	[ "$n" = 0 ] || fail "$n malformed"
	n=$(awk -F'\t' '$1 != "" { print $1 }' "$TMP/all" | sort -u | md5sum)
	want=$(jq -r '.calls[].sip_call_id' "$t" | sort -u | md5sum)
	[ "$n" = "$want" ] || fail "not the calls of the truth"
	n=$(awk -F'\t' '$2 == "INVITE" && !($1 in seen) { seen[$1]; n++ } END { print n + 0 }' "$TMP/all")
	want=$(jq '.calls | length' "$t")
	[ "$n" = "$want" ] || fail "INVITEs of $n calls, not $want"
	awk -F'\t' -v OFS='\t' '$3 != "" { print $3, $4, $5, $6, $7, $8 }' "$TMP/all" | streams >"$TMP/streams"
	jq -r '.calls[] as $c | $c.legs[] | [$c.scenario, .leg, .packets, .lost, .duplicates, .rtp, .sha256, (.streams | map(.ssrc))[]] | @tsv' \
		"$t" >"$TMP/want"
	n=$(wc -l <"$TMP/streams")
	want=$(awk '{ n += NF - 7 } END { print n + 0 }' "$TMP/want")
	[ "$n" = "$want" ] || fail "$n streams, the truth says $want"
	while read -r scenario leg p l d r sha ssrcs; do
		# shellcheck disable=SC2086
		got=$(leg $ssrcs)
		[ "$got" = "$p $l $d $r $sha " ] || fail "$scenario $leg: tshark has $got, the truth $p $l $d $r $sha"
	done <"$TMP/want"
	[ $bad = 1 ] || echo "ok $name: $(wc -l <"$TMP/want") legs"
}

# Every scenario, clean and under bad weather; every file format, link layer and encapsulation.
judge scenarios --calls 24 --scenario mix --seconds 10
judge scenarios-tcp --calls 24 --scenario mix --seconds 6 --transport tcp --tcp-split 100 --seed 2
judge weather --calls 24 --scenario mix --seconds 6 --loss 0.03 --dup 0.05 --reorder 0.05 --seed 3
judge ipv6 --calls 4 --scenario basic,dtmf --seconds 6 --ip 6
judge_kinds

# The same options give the same bytes, another seed others.
"$gen" --calls 3 --seconds 2 "$TMP/1" && "$gen" --calls 3 --seconds 2 "$TMP/2" && "$gen" --calls 3 --seconds 2 --seed 9 "$TMP/3"
name=seed
cmp -s "$TMP/1" "$TMP/2" || fail "the same seed gives another file"
cmp -s "$TMP/1" "$TMP/3" && fail "another seed gives the same file"

# No two legs sound alike, so a recorder that mixes calls up is caught.
"$gen" --calls 300 --seconds 1 --interleave 3 "$TMP/1" "$TMP/t.json"
name=alike
[ "$(jq -r '.calls[].legs[].sha256' "$TMP/t.json" | sort -u | wc -l)" = 600 ] || fail "legs with the same audio"

# Usage errors.
name=usage
"$gen" 2>/dev/null
[ $? = 2 ] || fail "no file is not refused"
"$gen" --scenario nonsense "$TMP/1" 2>/dev/null
[ $? = 2 ] || fail "an unknown scenario is not refused"
"$gen" --link raw --encap vlan "$TMP/1" 2>/dev/null
[ $? = 2 ] || fail "vlan on raw IP is not refused"
exit $bad
