/* SPDX-License-Identifier: BSD-2-Clause */
/* test_sdp.c - session descriptions: what each line means, limits, refused ones */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sip/sdp.h"

#define N	 "\r\n"
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define TOP	 "v=0" N "o=- 7 8 IN IP4 192.0.2.1" N "s=-" N "c=IN IP4 192.0.2.1" N "t=0 0" N

static struct sdp sdp;

/* From memory of exactly its size. */
static int parse(const char *text, const char **ret_why)
{
	size_t n = strlen(text);
	static char *p;

	free(p); /* the last one: sdp points into it */
	p = malloc(n ? n : 1);
	assert_non_null(p);
	memcpy(p, text, n);
	return sdp_parse(p, n, &sdp, ret_why);
}

static struct sdp_media *media(const char *text, unsigned i)
{
	const char *why = "";

	if (parse(text, &why))
		fail_msg("%s", why);
	assert_true(i < sdp.nmedia);
	return &sdp.media[i];
}

static void at_is(const struct sdp_media *m, const char *want)
{
	char text[ENDPOINT_TEXT];

	endpoint_format(&m->at, text);
	assert_string_equal(text, want);
}

static void verdicts(void **state)
{
	static const struct {
		const char *text;
		int ret;
	} t[] = {
		{ "v=0", 0 },	       { "v=0\n", 0 },	     { N "v=0" N, 0 },	 { "v=0 \n", 0 },
		{ "", -EBADMSG },      { "v=", -EBADMSG },   { "v=1\n", -EBADMSG }, { "v=00\n", -EBADMSG },
		{ "o=x\n", -EBADMSG }, { "V=0\n", -EBADMSG }, { "xv=0", -EBADMSG },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		const char *why = NULL;

		if (parse(t[i].text, &why) != t[i].ret || !!why != !!t[i].ret)
			fail_msg("%zu", i);
	}
}

static void plain_offer(void **state)
{
	const struct sdp_media *m = media(
		TOP "m=audio 4000 RTP/AVP 0 8 101" N "a=rtpmap:101 telephone-event/8000" N "a=fmtp:101 0-15" N "a=ptime:20" N, 0);

	(void)state;
	assert_true(sip_str_eq(sdp.origin, "- 7 8 IN IP4 192.0.2.1"));
	assert_int_equal(sdp.nmedia, 1);
	assert_true(m->audio && !m->srtp && !m->dtls && !m->held && !m->rtcp_mux && !m->crypto.p);
	assert_true(sip_str_eq(m->type, "audio") && sip_str_eq(m->proto, "RTP/AVP"));
	at_is(m, "192.0.2.1:4000");
	assert_int_equal(m->nformat, 3);
	assert_string_equal(m->format[0].name, "PCMU");
	assert_string_equal(m->format[1].name, "PCMA");
	assert_string_equal(m->format[2].name, "telephone-event");
	assert_string_equal(m->format[2].fmtp, "0-15");
	assert_true(m->te[0] == 101 && m->te[1] == 0xff);
	assert_true(m->ptime == 20 && m->direction == SDP_SENDRECV);
	assert_int_equal(sdp.recordpref, SDP_PREF_NONE);
	assert_int_equal(sdp.dropped, 0);
}

/* m= line, is audio, is SRTP, where */
static void media_lines(void **state)
{
	static const struct {
		const char *line;
		bool audio, srtp;
		const char *at;
		unsigned formats;
	} t[] = {
		{ "audio 4000/2 RTP/AVP 0", true, false, "192.0.2.1:4000", 1 },
		{ "audio 0 RTP/AVP 0", true, false, "192.0.2.1:0", 1 },
		{ "audio 4000 RTP/AVPF 0", true, false, "192.0.2.1:4000", 1 },
		{ "audio 4000 RTP/SAVP 0", true, true, "192.0.2.1:4000", 1 },
		{ "audio 4000 RTP/SAVPF 0", true, true, "192.0.2.1:4000", 1 },
		{ "audio 4000 UDP/TLS/RTP/SAVP 0", true, true, "192.0.2.1:4000", 1 },
		{ "audio 4000 UDP/TLS/RTP/SAVPF 0", true, true, "192.0.2.1:4000", 1 },
		{ "AUDIO  4000  rtp/avp  0", true, false, "192.0.2.1:4000", 1 },
		{ "video 4000 RTP/AVP 34", false, false, "192.0.2.1:4000", 1 },
		{ "image 4000 udptl t38", false, false, "192.0.2.1:4000", 0 },
		{ "audio 4000 udp 0", false, false, "192.0.2.1:4000", 0 },
		{ "audio 4000 TCP/TLS/RTP/SAVP 0", false, false, "192.0.2.1:4000", 0 },
		{ "audio 4000 RTP/AVPX 0", false, false, "192.0.2.1:4000", 0 },
		{ "audio 65536 RTP/AVP 0", false, false, "192.0.2.1:0", 0 },
		{ "audio -1 RTP/AVP 0", false, false, "192.0.2.1:0", 0 },
		{ "audio x RTP/AVP 0", false, false, "192.0.2.1:0", 0 },
		{ "audio 4000", false, false, "192.0.2.1:0", 0 },
		{ "", false, false, "192.0.2.1:0", 0 },
		{ "audio 4000 RTP/AVP", true, false, "192.0.2.1:4000", 0 },
		{ "audio 4000 RTP/AVP 0 0 8 128 x -1 8", true, false, "192.0.2.1:4000", 2 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		const struct sdp_media *m;
		char text[512];

		/* whatever it is, it keeps its number */
		snprintf(text, sizeof(text), TOP "m=%s" N "m=audio 6000 RTP/AVP 8" N, t[i].line);
		m = media(text, 1);
		assert_true(m->audio && m->at.port == 6000);
		m = &sdp.media[0];
		if (m->audio != t[i].audio || m->srtp != t[i].srtp || m->nformat != t[i].formats)
			fail_msg("m=%s: %d %d %u", t[i].line, m->audio, m->srtp, m->nformat);
		at_is(m, t[i].at);
	}
}

static void addresses(void **state)
{
	static const struct {
		const char *session, *own, *at;
		bool held;
	} t[] = {
		{ "c=IN IP4 192.0.2.1" N, "", "192.0.2.1:4000", false },
		{ "c=IN IP4 192.0.2.1" N, "c=IN IP4 192.0.2.9" N, "192.0.2.9:4000", false },
		{ "", "c=IN IP6 2001:db8::9" N, "[2001:db8::9]:4000", false },
		{ "c=IN IP4 233.252.0.1/127/3" N, "", "233.252.0.1:4000", false },
		{ "c=IN IP4 0.0.0.0" N, "", "0.0.0.0:4000", true },
		{ "c=IN IP4 192.0.2.1" N, "c=IN IP6 ::" N, "[::]:4000", true },
		{ "c=IN IP4 0.0.0.0" N, "c=IN IP4 192.0.2.9" N, "192.0.2.9:4000", false },
		{ "", "", "[::]:4000", false },
		{ "c=IN IP4 media.example.com" N, "", "[::]:4000", false },
		{ "c=IN IP4 192.0.2.1" N, "c=IN IP4 media.example.com" N, "[::]:4000", false },
		{ "c=ATM NSAP 47.0091" N, "", "[::]:4000", false },
		{ "c=IN IP4" N, "", "[::]:4000", false },
		{ "c=IN IP4 192.0.2.1" N, "c=IN IP4 192.0.2.8" N "c=IN IP4 192.0.2.9" N, "192.0.2.8:4000", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		const struct sdp_media *m;
		char text[512];

		snprintf(text, sizeof(text), "v=0" N "%sm=audio 4000 RTP/AVP 0" N "%s", t[i].session, t[i].own);
		m = media(text, 0);
		at_is(m, t[i].at);
		if (m->held != t[i].held)
			fail_msg("%zu: held %d", i, m->held);
	}
}

static void formats(void **state)
{
	static const struct {
		const char *map, *name;
		uint32_t clock;
		unsigned channels;
	} t[] = {
		{ "pcmu/8000", "PCMU", 8000, 1 },	  { "OPUS/48000/2", "opus", 48000, 2 },
		{ "amr-wb/16000/1", "AMR-WB", 16000, 1 }, { "Amr/8000", "AMR", 8000, 1 },
		{ "ILBC/8000", "iLBC", 8000, 1 },	  { "SPEEX/16000", "speex", 16000, 1 },
		{ "g726-32/8000", "G726-32", 8000, 1 },	  { "l16/44100/2", "L16", 44100, 2 },
		{ "cn/16000", "CN", 16000, 1 },		  { "Telephone-Event/8000", "telephone-event", 8000, 1 },
		{ "gsm/8000", "GSM", 8000, 1 },		  { "dvi4/11025", "DVI4", 11025, 1 },
		{ "g729/8000", "G729", 8000, 1 },	  { "x-Odd/8000", "x-Odd", 8000, 1 },
		{ "a-name-much-too-long/8000", "a-name-much-too", 8000, 1 },
		{ "opus", "opus", 0, 1 },		  { "opus/x", "opus", 0, 1 },
		{ "opus/4294967296/2", "opus", 0, 2 },	  { "L16/8000/0", "L16", 8000, 1 },
		{ "L16/8000/256", "L16", 8000, 1 },	  { "ev\x01il/8000", "ev", 8000, 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		const struct media_format *f;
		char text[512];

		snprintf(text, sizeof(text), TOP "m=audio 4000 RTP/AVP 97 96" N "a=rtpmap:96 %s" N "a=rtpmap:98 no/1" N, t[i].map);
		f = &media(text, 0)->format[1];
		if (f->pt != 96 || strcmp(f->name, t[i].name) || f->clock != t[i].clock || f->channels != t[i].channels)
			fail_msg("%s: %s/%u/%u", t[i].map, f->name, f->clock, f->channels);
		assert_string_equal(sdp.media[0].format[0].name, ""); /* 97: never said */
	}
}

static void remapped_static(void **state)
{
	const struct sdp_media *m = media(TOP "m=audio 4000 RTP/AVP 0 9 18" N "a=rtpmap:0 opus/48000/2" N "a=rtpmap:0" N, 0);

	(void)state;
	assert_string_equal(m->format[0].name, "opus");
	assert_string_equal(m->format[1].name, "G722");
	assert_int_equal(m->format[1].clock, 8000);
	assert_string_equal(m->format[2].name, "G729");
}

static void fmtp_cut(void **state)
{
	char text[1024], value[301];
	const struct media_format *f;

	(void)state;
	memset(value, 'x', 300);
	value[300] = 0;
	snprintf(text, sizeof(text), TOP "m=audio 4000 RTP/AVP 96" N "a=fmtp:96 %s" N "a=fmtp:97 y" N, value);
	f = &media(text, 0)->format[0];
	assert_int_equal(strlen(f->fmtp), CHUNK_FMTP - 1);
}

static void events(void **state)
{
	const struct sdp_media *m = media(
		TOP "m=audio 4000 RTP/AVP 96 97 98 99" N "a=rtpmap:97 telephone-event/48000" N "a=rtpmap:96 opus/48000/2" N
		"a=rtpmap:99 telephone-event/16000" N "a=rtpmap:98 telephone-event/8000" N "m=audio 1 RTP/AVP 0" N, 0);

	(void)state;
	assert_true(m->te[0] == 97 && m->te[1] == 98);
	assert_true(sdp.media[1].te[0] == 0xff && sdp.media[1].te[1] == 0xff);
	/* a codec's number is no event's */
	m = media(TOP "m=audio 4000 RTP/AVP 0 8 34 35" N "a=rtpmap:8 telephone-event/8000" N "a=rtpmap:34 telephone-event/8000" N
		  "a=rtpmap:35 telephone-event/8000" N, 0);
	assert_true(m->te[0] == 35 && m->te[1] == 0xff);
}

static void directions(void **state)
{
	static const struct {
		const char *session, *own;
		enum sdp_direction want;
	} t[] = {
		{ "", "", SDP_SENDRECV },	      { "a=sendonly" N, "", SDP_SENDONLY },
		{ "a=sendonly" N, "a=recvonly" N, SDP_RECVONLY },
		{ "a=inactive" N, "a=sendrecv" N, SDP_SENDRECV },
		{ "", "a=inactive" N, SDP_INACTIVE }, { "", "a=inactivex" N, SDP_SENDRECV },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		char text[512];

		snprintf(text, sizeof(text), TOP "%sm=audio 4000 RTP/AVP 0" N "%sm=audio 1 RTP/AVP 0" N "a=recvonly" N,
			 t[i].session, t[i].own);
		assert_int_equal(media(text, 0)->direction, t[i].want);
	}
}

static void recording_wishes(void **state)
{
	static const struct {
		const char *session, *first, *second;
		enum sdp_recordpref want;
	} t[] = {
		{ "", "", "", SDP_PREF_NONE },
		{ "a=recordpref:on" N, "", "", SDP_PREF_ON },
		{ "a=recordpref:off" N, "", "", SDP_PREF_OFF },
		{ "", "", "a=recordpref:pause" N, SDP_PREF_PAUSE },
		{ "", "a=recordpref:nopreference" N, "", SDP_PREF_NOPREFERENCE },
		{ "", "a=recordpref:on" N, "a=recordpref:off" N, SDP_PREF_OFF },
		{ "", "a=recordpref:off" N, "a=recordpref:on" N, SDP_PREF_OFF },
		{ "a=recordpref:pause" N, "a=recordpref:on" N, "", SDP_PREF_PAUSE },
		{ "a=recordpref:on" N, "a=recordpref:pause" N, "a=recordpref:nopreference" N, SDP_PREF_PAUSE },
		{ "a=recordpref:OFF" N, "", "", SDP_PREF_OFF },
		{ "a=recordpref:maybe" N, "", "", SDP_PREF_NONE },
		{ "a=recordpref" N, "", "", SDP_PREF_NONE },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		char text[512];

		snprintf(text, sizeof(text), TOP "%sm=audio 4000 RTP/AVP 0" N "%sm=audio 5000 RTP/AVP 0" N "%s", t[i].session,
			 t[i].first, t[i].second);
		media(text, 0);
		if (sdp.recordpref != t[i].want)
			fail_msg("%zu: %d", i, sdp.recordpref);
	}
}

static void keys_and_ice(void **state)
{
	const struct sdp_media *m = media(
		TOP "m=audio 9 UDP/TLS/RTP/SAVPF 0" N "a=fingerprint:sha-256 AB:CD" N "a=rtcp-mux" N
		"a=candidate:1 1 UDP 2130706431 192.0.2.5 4000 typ host" N "a=candidate:1 2 UDP 2130706430 192.0.2.5 4001 typ host" N
		"a=candidate:2 1 TCP 1 192.0.2.5 9 typ host tcptype active" N "a=candidate:3 1 udp 1 2001:db8::5 4002 typ srflx" N
		"a=candidate:4 1 UDP 1 abc.local 4003 typ host" N "a=candidate:5 1 UDP 1 192.0.2.5 0 typ host" N "a=candidate:6 1 UDP" N
		"m=audio 4000 RTP/SAVP 0" N "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:one" N
		"a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:two" N, 1);
	char text[ENDPOINT_TEXT];

	(void)state;
	assert_true(sip_str_eq(m->crypto, "1 AES_CM_128_HMAC_SHA1_80 inline:one"));
	assert_true(m->srtp && !m->dtls && !m->ncandidate);
	m = &sdp.media[0];
	assert_true(m->srtp && m->dtls && m->rtcp_mux && !m->crypto.p);
	assert_int_equal(m->ncandidate, 2);
	endpoint_format(&m->candidate[0], text);
	assert_string_equal(text, "192.0.2.5:4000");
	endpoint_format(&m->candidate[1], text);
	assert_string_equal(text, "[2001:db8::5]:4002");
	/* the session's fingerprint is every line's */
	m = media(TOP "a=fingerprint:sha-256 AB" N "m=audio 9 UDP/TLS/RTP/SAVPF 0" N, 0);
	assert_true(m->dtls);
}

static void line_ends(void **state)
{
	const struct sdp_media *m = media("v=0\nc=IN IP4 192.0.2.1\n\nnonsense\nx\nm=audio 4000 RTP/AVP 8\r\na=ptime:30\na=sendonly", 0);

	(void)state;
	at_is(m, "192.0.2.1:4000");
	assert_true(m->ptime == 30 && m->direction == SDP_SENDONLY);
}

static void limits(void **state)
{
	static char text[65536];
	size_t n = (size_t)sprintf(text, TOP);
	const struct sdp_media *m;

	(void)state;
	for (int i = 0; i < SDP_MEDIA_MAX + 3; i++)
		n += (size_t)sprintf(text + n, "m=audio %d RTP/AVP 0" N "a=ptime:%d" N "c=IN IP4 192.0.2.%d" N, 4000 + i, i + 1, i + 1);
	n += (size_t)sprintf(text + n, "a=recordpref:off" N); /* counts although its line did not fit */
	m = media(text, SDP_MEDIA_MAX - 1);
	assert_int_equal(sdp.nmedia, SDP_MEDIA_MAX);
	assert_int_equal(sdp.dropped, 3);
	assert_int_equal(sdp.unread, 3);
	assert_int_equal(sdp.recordpref, SDP_PREF_OFF);
	at_is(m, "192.0.2.8:4007"); /* not written over by those that follow */
	assert_int_equal(m->ptime, SDP_MEDIA_MAX);

	n = (size_t)sprintf(text, TOP "m=audio 4000 RTP/AVP");
	for (int i = 0; i < SDP_FORMATS_MAX + 5; i++)
		n += (size_t)sprintf(text + n, " %d", 64 + i);
	n += (size_t)sprintf(text + n, N);
	for (int i = 0; i < SDP_CANDIDATES_MAX + 2; i++)
		n += (size_t)sprintf(text + n, "a=candidate:1 1 UDP 1 192.0.2.1 %d typ host" N, 5000 + i);
	m = media(text, 0);
	assert_int_equal(m->nformat, SDP_FORMATS_MAX);
	assert_int_equal(m->ncandidate, SDP_CANDIDATES_MAX);
	assert_int_equal(sdp.dropped, 7);
	assert_int_equal(sdp.unread, 0);

	/* of video nothing is missed, nor of lines that are refused; audio behind them is */
	n = (size_t)sprintf(text, TOP);
	for (int i = 0; i < SDP_MEDIA_MAX + 3; i++)
		n += (size_t)sprintf(text + n, "m=video 4000 RTP/AVP 96" N);
	n += (size_t)sprintf(text + n, "m=audio 0 RTP/AVP 0" N "m=audio 4001 RTP/AVP 0" N "a=rtpmap:0 PCMU/8000" N "m=audio 1 RTP/SAVP 0" N);
	media(text, 0);
	assert_int_equal(sdp.unread, 2);
	assert_int_equal(sdp.dropped, 2);
	assert_false(sdp.media[SDP_MEDIA_MAX - 1].audio);
	n = (size_t)sprintf(text, TOP "m=video 4000 RTP/AVP");
	for (int i = 0; i < SDP_FORMATS_MAX + 5; i++)
		n += (size_t)sprintf(text + n, " %d", 64 + i);
	media(text, 0);
	assert_int_equal(sdp.dropped, 0);
}

static void static_table(void **state)
{
	static const struct {
		uint8_t pt;
		const char *name;
		uint32_t clock;
	} t[] = { { 0, "PCMU", 8000 },	 { 3, "GSM", 8000 },   { 4, "G723", 8000 }, { 5, "DVI4", 8000 },
		  { 6, "DVI4", 16000 },	 { 8, "PCMA", 8000 },  { 9, "G722", 8000 }, { 10, "L16", 44100 },
		  { 13, "CN", 8000 },	 { 15, "G728", 8000 }, { 17, "DVI4", 22050 }, { 18, "G729", 8000 } };
	struct media_format f = { .pt = 77 };
	unsigned assigned = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		assert_true(sdp_static_format(t[i].pt, &f));
		assert_string_equal(f.name, t[i].name);
		assert_true(f.clock == t[i].clock && f.pt == t[i].pt && f.channels == (t[i].pt == 10 ? 2 : 1));
	}
	assert_false(sdp_static_format(2, &f)); /* reserved */
	assert_false(sdp_static_format(96, &f));
	for (unsigned pt = 0; pt < 256; pt++)
		assigned += sdp_static_format((uint8_t)pt, &f);
	assert_int_equal(assigned, 24); /* RFC 3551 tables 4 and 5 */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts),	   cmocka_unit_test(plain_offer),
		cmocka_unit_test(media_lines),	   cmocka_unit_test(addresses),
		cmocka_unit_test(formats),	   cmocka_unit_test(remapped_static),
		cmocka_unit_test(fmtp_cut),	   cmocka_unit_test(events),
		cmocka_unit_test(directions),	   cmocka_unit_test(recording_wishes),
		cmocka_unit_test(keys_and_ice),	   cmocka_unit_test(line_ends),
		cmocka_unit_test(limits),	   cmocka_unit_test(static_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
