/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gencap_script.h - of gencap.c: calls written down one a line (--script FILE)
 *
 *	NAME WORD=VALUE...	'#' begins a comment
 *
 * NAME is in the Call-ID: NAME@script. Times are ms from the INVITE; LEG is caller or callee.
 *
 *	from=NUMBER to=NUMBER	of the parties
 *	answer=MS		the 200 (1000); audio both ways 20 ms later, until 20 ms before the BYE
 *	bye=MS			by the caller (10000); 0: nothing ends the call
 *	key=LEG:DIGITS:MS	telephone-events instead of audio: per digit 5 packets and 3 ends, a digit each 250 ms
 *	info=LEG:DIGITS:MS	the same as SIP INFO (application/dtmf-relay), audio goes on
 *	header=LEG:MS:LINE	an INFO with this header; "_" in LINE is a blank
 *	lose=LEG:MS:MS		what is sent from the first time to before the second is not in the capture
 *	te=MS:PT		re-INVITE by which telephone-event gets this payload type on both sides
 *	unseen=LEG:MS		a request was sent then that is not in the capture: its number is left out
 *	forge=MS:WHAT		of somebody who knows the Call-ID and no tag: BYE, CANCEL, INVITE (the caller's description),
 *				HOLD (a re-INVITE with its 200)
 *	off			a=recordpref:off in the offer
 *	in=HEADER:VALUE		a header of the INVITE
 */
#ifndef GENCAP_SCRIPT_H
#define GENCAP_SCRIPT_H

#include "gencap_scenario.h"

#define SCRIPT_WORDS 24

struct script {
	char *line, *name, *from, *to;
	struct { char *key, *value; } word[SCRIPT_WORDS + 1];
	unsigned n;
};

static struct script *scripts;

static uint64_t script_ms(const char *s, char **end)
{
	char *e;
	unsigned long long v = strtoull(s, &e, 10);

	if (e == s || v > 86400000ULL)
		errx(2, "--script: '%s' is no time in ms", s);
	if (end)
		*end = e;
	return v;
}

static const char *script_word(const struct script *s, const char *key)
{
	for (unsigned i = 0; i < s->n; i++)
		if (!strcmp(s->word[i].key, key))
			return s->word[i].value;
	return NULL;
}

/* "caller:REST": the leg, and *v at REST. */
static unsigned script_leg(char **v)
{
	char *colon = strchr(*v, ':');
	unsigned leg = !strncmp(*v, "callee:", 7);

	if (!colon || (!leg && strncmp(*v, "caller:", 7) != 0))
		errx(2, "--script: '%s' does not begin with caller: or callee:", *v);
	*v = colon + 1;
	return leg;
}

/* Each party numbers its own requests. */
static unsigned script_number(struct call *c, unsigned leg)
{
	return leg ? ++c->cseq_back : ++c->cseq;
}

/* When the word has a request sent, 0 it has none: they are numbered in the order of time. */
static uint64_t script_when(const char *key, const char *v)
{
	const char *colon = v ? strchr(v, ':') : NULL;

	if (colon && !strcmp(key, "te"))
		return script_ms(v, NULL);
	if (colon && !strcmp(key, "info"))
		return script_ms(strrchr(v, ':') + 1, NULL);
	return colon && (!strcmp(key, "header") || !strcmp(key, "unseen")) ? script_ms(colon + 1, NULL) : 0;
}

static void script_sort(struct script *x)
{
	for (unsigned i = 1; i < x->n; i++)
		for (unsigned k = i; k && script_when(x->word[k].key, x->word[k].value) < script_when(x->word[k - 1].key, x->word[k - 1].value); k--) {
			x->word[SCRIPT_WORDS] = x->word[k];
			x->word[k] = x->word[k - 1];
			x->word[k - 1] = x->word[SCRIPT_WORDS];
		}
}

/* A request within the dialog, and its copies. */
static void script_info(struct call *c, uint64_t ms, const struct sip_want *w)
{
	const char *v = script_word(&scripts[c->idx], "copies");
	char *end;

	sip(c, ms, w);
	for (; v; v = *end ? end + 1 : NULL)
		sip(c, ms + script_ms(v, &end), w);
}

static void script_keys(struct call *c, struct stream *s[2], char *v, bool info)
{
	unsigned leg = script_leg(&v);
	size_t n = strcspn(v, ":");
	uint64_t ms = script_ms(v + n + (v[n] == ':'), NULL);

	for (size_t i = 0; i < n; i++, ms += 250) {
		struct sip_want w = { .method = "INFO", .from = (int)leg, .asker = (int)leg, .branch = ++c->branch,
				      .to_tag = c->tag[1] };

		if (info) {
			snprintf(c->info, sizeof(c->info), "Signal=%c\r\nDuration=160\r\n", v[i]);
			w.body = c->info;
			w.headers = "Content-Type: application/dtmf-relay\r\n";
			w.cseq = script_number(c, leg);
			script_info(c, ms, &w);
		} else if (s[leg]->npress < PRESSES) {
			s[leg]->press[s[leg]->npress].digit = v[i];
			s[leg]->press[s[leg]->npress++].at = c->t0 + ms * MS;
		}
	}
}

static void script_lose(struct call *c, struct stream *s[2], char *v)
{
	unsigned leg = script_leg(&v);
	char *end;

	s[leg]->lose_from = c->t0 + script_ms(v, &end) * MS;
	s[leg]->lose_to = c->t0 + script_ms(end + (*end == ':'), NULL) * MS;
}

static void script_header(struct call *c, char *v)
{
	unsigned leg = script_leg(&v);
	struct sip_want w = { .method = "INFO", .from = (int)leg, .asker = (int)leg, .cseq = script_number(c, leg), .branch = ++c->branch,
			      .to_tag = c->tag[1], .headers = c->info };
	char *line;
	uint64_t ms = script_ms(v, &line);

	snprintf(c->info, sizeof(c->info), "%s\r\n", line + (*line == ':'));
	for (char *p = c->info; *p; p++)
		if (*p == '_')
			*p = ' ';
	script_info(c, ms, &w);
}

static void script_te(struct call *c, struct stream *s[2], char *v)
{
	struct sdp_want o = side(c, 0), a = side(c, 1);
	char *end;
	uint64_t ms = script_ms(v, &end);

	o.te_pt = a.te_pt = (uint8_t)script_ms(end + (*end == ':'), NULL);
	renegotiate(c, ms, "INVITE", &o, &a);
	for (int i = 0; i < 2; i++) {
		s[i]->te_from = c->t0 + (ms + 45) * MS;
		s[i]->te_pt = o.te_pt;
	}
}

static void script_forge(struct call *c, char *v)
{
	struct sdp_want o = side(c, 0);
	struct sip_want w = { .cseq = 100 + ++c->branch, .branch = c->branch, .sdp = &o };
	char tag[2][sizeof(c->tag[0])], *what;
	uint64_t ms = script_ms(v, &what);
	bool hold = !strcmp(what, ":HOLD");

	memcpy(tag, c->tag, sizeof(tag));
	snprintf(c->tag[0], sizeof(c->tag[0]), "nobody");
	snprintf(c->tag[1], sizeof(c->tag[1]), "none");
	w.method = hold ? "INVITE" : what + (*what == ':');
	w.to_tag = hold || !strcmp(w.method, "BYE") ? c->tag[1] : NULL;
	if (strcmp(w.method, "INVITE") != 0)
		w.sdp = NULL;
	o.direction = hold ? "inactive" : NULL;
	sip(c, ms, &w);
	if (hold) {
		w.from = 1;
		w.code = 200;
		w.reason = "OK";
		o.side = 1;
		sip(c, ms + 20, &w);
	}
	memcpy(c->tag, tag, sizeof(tag));
}

static void script_run(struct call *c)
{
	const struct script *x = &scripts[c->idx];
	const char *a = script_word(x, "answer"), *b = script_word(x, "bye"), *in = script_word(x, "in");
	uint64_t ans = a ? script_ms(a, NULL) : 1000, bye_ms = b ? script_ms(b, NULL) : 10000, until = bye_ms ? bye_ms - 20 : 10000;
	struct sdp_want o = side(c, 0), r = side(c, 1);
	struct sip_want w = { .method = "INVITE", .cseq = 1, .sdp = &o, .branch = ++c->branch };
	struct stream *s[2];

	snprintf(c->id, sizeof(c->id), "%s@script", x->name);
	o.off = script_word(x, "off") != NULL;
	if (in) {
		snprintf(c->info, sizeof(c->info), "%.*s: %s\r\n", (int)strcspn(in, ":"), in, in + strcspn(in, ":") + 1);
		w.headers = c->info;
	}
	sip(c, 0, &w);
	answer(c, 5, "INVITE", 1, 1, 100, "Trying", NULL);
	c->cseq = 1;
	ok(c, ans, &r);
	s[1] = stream(c, 1, ans + 20, until);
	s[0] = stream(c, 0, ans + 20, until);
	script_sort(&scripts[c->idx]);
	for (unsigned i = 0; i < x->n; i++) {
		const char *k = x->word[i].key;
		char *v = x->word[i].value;

		if (!strcmp(k, "key") || !strcmp(k, "info"))
			script_keys(c, s, v, *k == 'i');
		else if (!strcmp(k, "lose"))
			script_lose(c, s, v);
		else if (!strcmp(k, "header"))
			script_header(c, v);
		else if (!strcmp(k, "unseen"))
			(void)script_number(c, script_leg(&v));
		else if (!strcmp(k, "te"))
			script_te(c, s, v);
		else if (!strcmp(k, "forge"))
			script_forge(c, v);
		else if (!strstr(" answer bye off in copies ", k))
			errx(2, "--script: '%s' is not known", k);
	}
	if (!bye_ms) {
		c->end = "none";
		return;
	}
	request(c, bye_ms, "BYE", 0, ++c->cseq, NULL)->end = true;
	answer(c, bye_ms + 20, "BYE", 1, c->cseq, 200, "OK", NULL)->last = true;
	c->end = "bye";
}

static const struct scenario script_scenario = { "script", script_run, false };

static void script_line(char *line)
{
	struct script *x;
	char *word, *save = NULL;

	word = strtok_r(line, " \t\n", &save);
	if (!word || *word == '#')
		return;
	scripts = realloc(scripts, (opt.calls + 1) * sizeof(*scripts));
	if (!scripts)
		err(1, NULL);
	x = &scripts[opt.calls++];
	*x = (struct script){ .line = line, .name = word };
	while ((word = strtok_r(NULL, " \t\n", &save)) && *word != '#') {
		char *eq = strchr(word, '=');

		if (eq)
			*eq++ = 0;
		if (eq && !strcmp(word, "from")) {
			x->from = eq;
			continue;
		}
		if (eq && !strcmp(word, "to")) {
			x->to = eq;
			continue;
		}
		if (x->n == SCRIPT_WORDS)
			errx(2, "--script: more than %d words in a line", SCRIPT_WORDS);
		x->word[x->n].key = word;
		x->word[x->n++].value = eq ? eq : word + strlen(word);
	}
}

static void script_read(const char *path)
{
	FILE *f = fopen(path, "r");
	char *line = NULL;
	size_t cap = 0;

	if (!f)
		err(1, "%s", path);
	opt.calls = 0;
	while (getline(&line, &cap, f) > 0) {
		unsigned before = opt.calls;

		script_line(line);
		if (opt.calls == before)
			continue; /* a comment: the line is used again */
		line = NULL;
		cap = 0;
	}
	free(line);
	fclose(f);
	if (!opt.calls)
		errx(2, "--script: no call in %s", path);
}

static void script_free(void)
{
	for (unsigned i = 0; scripts && i < opt.calls; i++)
		free(scripts[i].line);
	free(scripts);
}

#endif
