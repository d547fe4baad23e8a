/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gencap.c - makes captures of calls, and says what is in them
 *
 *   gencap [options] OUT.pcap [OUT.truth.json]
 *
 *   gencap [options] --script FILE OUT.pcap [OUT.truth.json]	calls written down in FILE (gencap_script.h)
 *
 * Same options, same bytes: everything random comes from --seed. Calls are full
 * SIP dialogs with G.711 both ways; the scenarios are defined in
 * gencap_scenario.h. The truth is worked out from what was written, by no code of
 * the daemon. Truth, one object:
 *
 *   frames       in the file
 *   calls[]      by their number; each begins --interleave after the one before (port-reuse: see there)
 *     sip_call_id, caller, callee, scenario, answered,
 *     end        "bye", "cancel", "reject", "bye-response" (the BYE itself is missing), "none"
 *     srtp       media is encrypted; packets and sha256 are of the cipher text
 *     legs[]     "caller" is audio sent by the caller; none when no media was sent
 *       codec      of the first stream's first packet
 *       packets    distinct audio packets (no telephone-event, comfort noise, video, none cut short)
 *       lost       numbers missing between the first and the last packet of each stream
 *       duplicates packets of any type that came again
 *       rtp        distinct packets of any type
 *       cut        packets the capture holds only a part of
 *       events     telephone-events begun
 *       streams    SSRCs, with their audio packets, in order of appearance
 *       sha256     of the audio payloads: streams in order of appearance, each in order of
 *                  extended sequence number, first copy wins
 *       packets_until_end, sha256_until_end   the same without what came after the call's end
 */
#include <getopt.h>

#include "gencap_script.h"

static struct call **calls;
static const struct scenario *chosen[256];
static unsigned nchosen;
static bool want_truth;

static int word(const char *s, const char *const *names, const char *option)
{
	for (int i = 0; names[i]; i++) {
		if (!strcmp(s, names[i]))
			return i;
	}
	errx(2, "--%s: '%s' is not known", option, s);
}

static double number(const char *s, double min, double max, const char *option)
{
	char *end;
	double v = strtod(s, &end);

	if (end == s || *end || !(v >= min && v <= max))
		errx(2, "--%s: '%s' is not a number from %g to %g", option, s, min, max);
	return v;
}

static void choose(const char *list)
{
	size_t n;

	nchosen = 0;
	for (; *list; list += n + (list[n] == ',')) {
		size_t i = 0;

		n = strcspn(list, ",");
		while (i < SCENARIOS && (strlen(scenarios[i].name) != n || strncmp(scenarios[i].name, list, n)))
			i++;
		if (n == 3 && !strncmp(list, "mix", 3)) {
			for (i = 0; i < SCENARIOS; i++) {
				if (scenarios[i].apart)
					continue;
				chosen[nchosen++] = &scenarios[i];
				if (!strcmp(scenarios[i].name, "port-reuse")) /* takes two */
					chosen[nchosen++] = &scenarios[i];
			}
			return;
		}
		if (i == SCENARIOS || nchosen == 256)
			errx(2, "--scenario: '%.*s' is not known", (int)n, list);
		chosen[nchosen++] = &scenarios[i];
	}
}

/* S:KEYS */
static void keys(const char *s, int side)
{
	char *end;
	unsigned long at = strtoul(s, &end, 10);

	if (end == s || *end != ':' || !end[1] || end[1 + strspn(end + 1, "0123456789*# ")] || at > 86400)
		errx(2, "--keys: '%s' is not SECONDS:KEYS", s);
	opt.keys_at[side] = (unsigned)at;
	opt.keys[side] = end + 1;
}

static void header(const char *s)
{
	static char lines[1024];
	size_t n = strlen(lines);

	if (snprintf(lines + n, sizeof(lines) - n, "%s\r\n", s) >= (int)(sizeof(lines) - n))
		errx(2, "--header: too many");
	opt.headers = lines;
}

static _Noreturn void usage(int status)
{
	fprintf(status ? stderr : stdout,
		"usage: gencap [options] OUT.pcap [OUT.truth.json]\n"
		"  --calls N --seconds S         number and length of the calls\n"
		"  --interleave MS               from the start of one call to the next (250)\n"
		"  --concurrent N                instead: so that about N run at once\n"
		"  --scenario A,B,...|mix        taken by turns\n"
		"  --script FILE                 the calls of FILE instead\n"
		"  --codec pcmu|pcma|both        both: by turns\n"
		"  --seed N --start SECONDS      of all that is random; Unix time of the first call\n"
		"  --speech DIR                  wav files (8 kHz, 16 bit, mono) instead of a synthetic voice\n"
		"  --notice FILE.wav             the announcement of the scenarios that have one\n"
		"  --loss P --dup P --reorder P  of RTP packets, 0 to 1\n"
		"  --keys S:KEYS --callee-keys S:KEYS  pressed from second S of the audio on, one a second; a blank: none\n"
		"  --header LINE                 in the first INVITE; again for more\n"
		"  --swap-numbers                who calls has the number of who is called otherwise\n"
		"  --recordpref-off              in the caller's description\n"
		"  --ip 4|6 --transport udp|tcp --tcp-split BYTES --tcp-retrans P --tcp-shared\n"
		"  --fragment MTU                larger IP packets become fragments\n"
		"  --link ethernet|sll|sll2|raw|null\n"
		"  --encap none|vlan|qinq|mpls|gre|erspan2|erspan3|vxlan|ipip\n"
		"  --nano --pcapng               the file's format\n"
		"scenarios:");
	for (size_t i = 0; i < SCENARIOS; i++)
		fprintf(status ? stderr : stdout, " %s", scenarios[i].name);
	fputc('\n', status ? stderr : stdout);
	exit(status);
}

static void options(int argc, char **argv)
{
	static const struct option known[] = {
		{"calls", 1, NULL, 'c'}, {"seconds", 1, NULL, 's'}, {"interleave", 1, NULL, 'i'},
		{"concurrent", 1, NULL, 'C'}, {"scenario", 1, NULL, 'S'}, {"codec", 1, NULL, 'k'},
		{"seed", 1, NULL, 'r'}, {"start", 1, NULL, 'T'}, {"speech", 1, NULL, 'w'},
		{"loss", 1, NULL, 'l'}, {"dup", 1, NULL, 'd'}, {"reorder", 1, NULL, 'o'},
		{"ip", 1, NULL, '4'}, {"transport", 1, NULL, 't'}, {"tcp-split", 1, NULL, 'x'},
		{"tcp-retrans", 1, NULL, 'X'}, {"tcp-shared", 0, NULL, 'h'}, {"fragment", 1, NULL, 'f'},
		{"link", 1, NULL, 'L'}, {"encap", 1, NULL, 'e'}, {"nano", 0, NULL, 'n'},
		{"pcapng", 0, NULL, 'p'}, {"script", 1, NULL, 'F'}, {"notice", 1, NULL, 'N'},
		{"keys", 1, NULL, 'K'}, {"callee-keys", 1, NULL, 'A'}, {"header", 1, NULL, 'E'},
		{"recordpref-off", 0, NULL, 'R'}, {"swap-numbers", 0, NULL, 'W'},
		{"help", 0, NULL, 'H'}, {NULL, 0, NULL, 0},
	};
	static const char *const ips[] = {"4", "6", NULL}, *const transports[] = {"udp", "tcp", NULL};
	static const char *const codecs[] = {"pcmu", "pcma", "both", NULL};
	int o, i;

	opt.start_ns = 1700000000ULL * 1000 * MS;
	while ((o = getopt_long(argc, argv, "", known, &i)) != -1) {
		const char *a = optarg;

		switch (o) {
		case 'c': opt.calls = (unsigned)number(a, 1, 1e6, "calls"); break;
		case 's': opt.seconds = (unsigned)number(a, 1, 86400, "seconds"); break;
		case 'i': opt.stagger_ms = (unsigned)number(a, 0, 1e6, "interleave"); break;
		case 'C': opt.concurrent = (int)number(a, 1, 1e6, "concurrent"); break;
		case 'S': choose(a); break;
		case 'k': opt.codec = word(a, codecs, "codec"); break;
		case 'r': opt.seed = (uint64_t)number(a, 0, 1e15, "seed"); break;
		case 'T': opt.start_ns = (uint64_t)number(a, 0, 4e9, "start") * 1000 * MS; break;
		case 'w': opt.speech = a; break;
		case 'l': opt.loss = number(a, 0, 1, "loss"); break;
		case 'd': opt.dup = number(a, 0, 1, "dup"); break;
		case 'o': opt.reorder = number(a, 0, 1, "reorder"); break;
		case '4': net.v6 = word(a, ips, "ip"); break;
		case 't': opt.tcp = word(a, transports, "transport"); break;
		case 'x': opt.tcp_split = (unsigned)number(a, 1, 1400, "tcp-split"); break;
		case 'X': opt.tcp_retrans = number(a, 0, 1, "tcp-retrans"); break;
		case 'h': opt.tcp_shared = true; break;
		case 'f': net.fragment = (unsigned)number(a, 100, 65000, "fragment"); break;
		case 'L': net.link = (enum link)word(a, link_names, "link"); break;
		case 'e': net.encap = (enum encap)word(a, encap_names, "encap"); break;
		case 'n': net.nano = true; break;
		case 'K': keys(a, 0); break;
		case 'A': keys(a, 1); break;
		case 'E': header(a); break;
		case 'W': opt.swap = true; break;
		case 'R': opt.recordpref_off = true; break;
		case 'p': net.pcapng = true; break;
		case 'F': script_read(a); break;
		case 'N': opt.notice = a; break;
		case 'H': usage(0);
		default: usage(2);
		}
	}
	if (argc - optind < 1 || argc - optind > 2)
		usage(2);
	if ((net.encap == ENCAP_VLAN || net.encap == ENCAP_QINQ || net.encap == ENCAP_MPLS) &&
	    net.link != LINK_ETHERNET)
		errx(2, "--encap %s needs --link ethernet", encap_names[net.encap]);
	if (opt.concurrent)
		opt.stagger_ms = (unsigned)((opt.seconds + 2) * 1000 / (unsigned)opt.concurrent);
}

/* ---- calls ---- */

static void set_host(struct host *h, int side, unsigned n)
{
	static const uint8_t v4[2][4] = {{192, 0, 2, 10}, {198, 51, 100, 10}};
	static const uint8_t v6[2][8] = {{0x20, 1, 0xd, 0xb8, 0, 0xa}, {0x20, 1, 0xd, 0xb8, 0, 0xb}};

	memset(h, 0, sizeof(*h));
	if (net.v6) {
		memcpy(h->ip, v6[side], 8);
		be16enc(h->ip + 14, (uint16_t)(0x10 + n));
	} else {
		memcpy(h->ip, v4[side], 4);
		h->ip[3] = (uint8_t)(h->ip[3] + n);
	}
}

static bool reuses(const struct call *c)
{
	return c->idx % 2 && is_scenario(c, "port-reuse") &&
	       is_scenario(calls[c->idx - 1], "port-reuse");
}

/* Media ports: 10000 and on, 16 a call, 2,500 calls an address; moved ones lie between (+2, +1000s). */
static void set_ports(struct call *c)
{
	unsigned slot = reuses(c) ? c->idx - 1 : c->idx;

	for (int i = 0; i < 2; i++) {
		set_host(&c->sig[i].host, i, 0);
		c->sig[i].port = 5060;
		set_host(&c->rtp[i].host, i, 1 + slot / 2500 % 200);
		c->rtp[i].port = (uint16_t)(10000 + slot % 2500 * 16 + (unsigned)i * 4);
	}
}

static struct call *call_new(unsigned idx, uint64_t *rng)
{
	struct call *c = need(sizeof(*c));

	c->idx = idx;
	c->sc = scripts ? &script_scenario : chosen[idx % nchosen];
	c->rng = rng_next(rng);
	c->t0 = opt.start_ns + (uint64_t)idx * opt.stagger_ms * MS;
	if (reuses(c)) /* the BYE is at MEDIA_END + 100 */
		c->t0 = calls[idx - 1]->t0 + (MEDIA_END + 500) * MS;
	c->alaw = opt.codec == 2 ? idx % 2 : opt.codec == 1;
	set_ports(c);
	if (scripts) {
		c->number[0] = scripts[idx].from;
		c->number[1] = scripts[idx].to;
	}
	snprintf(c->id, sizeof(c->id), "%016" PRIx64 "-%u@gencap", rng_next(&c->rng), idx);
	for (int i = 0; i < 2; i++)
		snprintf(c->tag[i], sizeof(c->tag[i]), "%c%08x", "ab"[i], (unsigned)rng_next(&c->rng));
	snprintf(c->fork_tag, sizeof(c->fork_tag), "f%08x", (unsigned)rng_next(&c->rng));
	return c;
}

static void call_start(struct call *c)
{
	if (opt.tcp) {
		c->conn = opt.tcp_shared ? &shared_conn : need(sizeof(*c->conn));
		if (!c->conn->open) {
			c->conn->sport = (uint16_t)(20000 + c->idx % 40000);
			c->conn->seq[0] = (uint32_t)rng_next(&c->rng);
			c->conn->seq[1] = (uint32_t)rng_next(&c->rng);
		}
	}
	for (int i = 0; i < 2 && want_truth; i++) {
		c->leg[i].sha = EVP_MD_CTX_new();
		if (!c->leg[i].sha || !EVP_DigestInit_ex(c->leg[i].sha, EVP_sha256(), NULL))
			errx(1, "SHA-256");
	}
	c->sc->run(c);
}

static void run(void)
{
	struct event e;

	while (next(&e)) {
		now = e.t;
		switch (e.kind) {
		case EV_CALL:
			call_start(e.p);
			break;
		case EV_MESSAGE:
			run_message(e.p);
			break;
		case EV_STREAM:
			run_stream(e.p);
			break;
		case EV_PENDING:
			send_pending(e.p);
			free(e.p);
			break;
		}
	}
}

/* ---- truth ---- */

static void hex(FILE *f, const char *name, EVP_MD_CTX *ctx)
{
	uint8_t d[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (!EVP_DigestFinal_ex(ctx, d, &n))
		errx(1, "SHA-256");
	fprintf(f, "\"%s\": \"", name);
	for (unsigned i = 0; i < n; i++)
		fprintf(f, "%02x", d[i]);
	fputc('"', f);
}

struct leg_sums {
	uint64_t packets, lost, dup, rtp, cut, events, until;
};

static struct leg_sums leg_close(struct leg *l, bool ended)
{
	struct leg_sums r = {0};

	for (unsigned i = 0; i < l->n; i++) {
		struct stream *s = l->stream[i];

		r.packets += s->audio;
		r.until += ended ? s->audio_at_end : s->audio;
		r.lost += s->last - s->first + s->any - s->distinct;
		r.dup += s->copies;
		r.rtp += s->distinct;
		r.cut += s->cut;
		r.events += s->events;
		if (i) {
			EVP_DigestUpdate(l->sha, s->buf, s->buflen);
			if (l->sha_end)
				EVP_DigestUpdate(l->sha_end, s->buf, s->buflen_at_end);
		}
	}
	return r;
}

static void truth_leg(FILE *f, struct call *c, unsigned i)
{
	struct leg *l = &c->leg[i];
	struct leg_sums r = leg_close(l, l->sha_end);

	fprintf(f, "%s\n   {\"leg\": \"%s\", \"codec\": \"%s\", ", i && c->leg[0].n ? "," : "",
		i ? "callee" : "caller", l->stream[0]->pt ? "PCMA" : "PCMU");
	fprintf(f, "\"packets\": %" PRIu64 ", \"lost\": %" PRIu64 ", \"duplicates\": %" PRIu64
		   ", \"rtp\": %" PRIu64 ", \"cut\": %" PRIu64 ", \"events\": %" PRIu64 ",\n    \"streams\": [",
		r.packets, r.lost, r.dup, r.rtp, r.cut, r.events);
	for (unsigned k = 0; k < l->n; k++)
		fprintf(f, "%s{\"ssrc\": %u, \"packets\": %" PRIu64 "}", k ? ", " : "",
			l->stream[k]->ssrc, l->stream[k]->audio);
	fprintf(f, "],\n    ");
	hex(f, "sha256", l->sha);
	fprintf(f, ",\n    \"packets_until_end\": %" PRIu64 ", ", r.until);
	if (!l->sha_end) /* never ended: all of it */
		fprintf(f, "\"sha256_until_end\": null}");
	else
		hex(f, "sha256_until_end", l->sha_end), fputc('}', f);
}

static void truth_call(FILE *f, struct call *c)
{
	char n[2][24];

	number_text(c, 0, n[0]);
	number_text(c, 1, n[1]);
	fprintf(f, "%s\n {\"sip_call_id\": \"%s\", \"caller\": \"%s\", \"callee\": \"%s\", ",
		c->idx ? "," : "", c->id, n[0], n[1]);
	fprintf(f, "\"scenario\": \"%s\", \"answered\": %s, \"end\": \"%s\", \"srtp\": %s,\n  \"legs\": [",
		c->sc->name, c->answered ? "true" : "false", c->end, c->srtp ? "true" : "false");
	for (unsigned i = 0; i < 2; i++) {
		if (c->leg[i].n)
			truth_leg(f, c, i);
	}
	fprintf(f, "]}");
}

static void truth(const char *path)
{
	FILE *f = fopen(path, "w");

	if (!f)
		err(1, "%s", path);
	fprintf(f, "{\"frames\": %" PRIu64 ", \"calls\": [", net.frames);
	for (unsigned i = 0; i < opt.calls; i++)
		truth_call(f, calls[i]);
	fprintf(f, "]}\n");
	if (ferror(f) || fclose(f))
		err(1, "%s", path);
}

/* Nothing above frees what lives as long as the program except the heap's own pieces. */
static void release(void)
{
	for (unsigned i = 0; i < opt.calls; i++) {
		struct call *c = calls[i];

		for (int k = 0; k < 2; k++) {
			for (unsigned j = 0; j < STREAMS && c->leg[k].stream[j]; j++) {
				free(c->leg[k].stream[j]->buf);
				free(c->leg[k].stream[j]);
			}
			EVP_MD_CTX_free(c->leg[k].sha);
			EVP_MD_CTX_free(c->leg[k].sha_end);
		}
		if (c->conn != &shared_conn)
			free(c->conn);
		free(c);
	}
	script_free();
	free(calls);
	free(heap);
	free(audio.law[0]);
	free(audio.law[1]);
}

int main(int argc, char **argv)
{
	uint64_t rng;

	choose("basic");
	options(argc, argv);
	net.path = argv[optind];
	want_truth = argv[optind + 1];
	rng = opt.seed;
	calls = need(opt.calls * sizeof(*calls));
	for (unsigned i = 0; i < opt.calls; i++) {
		calls[i] = call_new(i, &rng);
		at(calls[i]->t0, EV_CALL, calls[i]);
	}
	audio_init(&audio, opt.speech, opt.seed);
	if (opt.notice)
		notice_n = wav_read(opt.notice, notice, sizeof(notice) / sizeof(*notice));
	if (opt.notice && !notice_n)
		errx(1, "%s: no wav file of 8 kHz, 16 bit, mono", opt.notice);
	file_open(&net);
	run();
	file_close(&net);
	if (want_truth)
		truth(argv[optind + 1]);
	release();
	return 0;
}
