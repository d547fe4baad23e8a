/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf.c - optagd.conf: statements, blocks, what must fit together
 *
 * The settings stand in three tables (top level, interface, control). After an
 * error the reader goes on at the next line, so that one run shows all of them.
 * All or nothing: *ret is written when there was no error.
 */
#include "conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/chunk.h"
#include "base/clock.h"
#include "conf_internal.h"
#include "policy/approval.h"

#define DIAGS_MAX 20
#define LINE_MAX_SHOWN 400

static const char *const xdp_words[] = { "auto", "native", "generic", "none", NULL };

#define AT(type, f) offsetof(struct type, f), sizeof(((struct type *)0)->f)
#define MIB (1ULL << 20)

static const struct conf_setting interface_table[] = {
	{ "mirror", CK_YESNO, AT(conf_interface, mirror), 0, 0, NULL, 0 },
	{ "xdp", CK_ENUM, AT(conf_interface, xdp), 0, 0, xdp_words, 0 },
	{ "queues", CK_COUNT, AT(conf_interface, queues), 0, CONF_CPUS, NULL, 0 },
	{ "budget", CK_COUNT, AT(conf_interface, budget), 0, 65535, NULL, 0 },
};

static const struct conf_setting control_table[] = {
	{ "socket", CK_PATH, AT(conf, control), 0, 0, NULL, 0 },
	{ "group", CK_NAME, AT(conf, control_group), 0, 0, NULL, CONF_OPTIONAL },
	{ "calls-group", CK_NAME, AT(conf, calls_group), 0, 0, NULL, CONF_OPTIONAL },
	{ "use-group", CK_NAME, AT(conf, use_group), 0, 0, NULL, CONF_OPTIONAL },
};

static const char *const approval_words[] = { "no", "loosening", NULL };

static const struct conf_setting approval_table[] = {
	{ "required", CK_ENUM, AT(conf, approval), 0, 0, approval_words, 0 },
};

static const struct conf_setting top_table[] = {
	{ "sip-ports", CK_PORTS, AT(conf, sip_ports), 0, 0, NULL, 0 },
	{ "ring", CK_BYTES, AT(conf, ring_bytes), 65536, 256 * MIB, NULL, 0 },
	{ "signalling-ring", CK_BYTES, AT(conf, signal_bytes), 65536, 256 * MIB, NULL, 0 },
	{ "exact-time", CK_YESNO, AT(conf, exact_time), 0, 0, NULL, 0 },
	{ "flow-lines", CK_POWER, AT(conf, flow_lines), 64, 1 << 24, NULL, 0 },
	{ "calls", CK_COUNT, AT(conf, calls), 1, CONF_CALLS_MAX, NULL, 0 },
	{ "call-ring", CK_BYTES, AT(conf, call_ring_bytes), 16384, CHUNK_MAX_BYTES, NULL, 0 },
	{ "call-memory", CK_BYTES, AT(conf, call_memory), 16 * MIB, 1024 * 1024 * MIB, NULL, 0 },
	{ "write-memory", CK_BYTES, AT(conf, write_memory), 16 * MIB, 65536 * MIB, NULL, 0 },
	{ "media-timeout", CK_SPAN, AT(conf, media_timeout_ns), NS_PER_S, 3600 * NS_PER_S, NULL, 0 },
	{ "hold-timeout", CK_SPAN, AT(conf, hold_timeout_ns), NS_PER_S, 86400 * NS_PER_S, NULL, 0 },
	{ "setup-timeout", CK_SPAN, AT(conf, setup_timeout_ns), NS_PER_S, 3600 * NS_PER_S, NULL, 0 },
	{ "store", CK_PATH, AT(conf, store), 0, 0, NULL, 0 },
	{ "policy", CK_PATH, AT(conf, policy), 0, 0, NULL, 0 },
	{ "metrics", CK_ENDPOINT, AT(conf, metrics), 0, 0, NULL, 0 },
	{ "user", CK_NAME, AT(conf, user), 0, 0, NULL, 0 },
	{ "group", CK_NAME, AT(conf, group), 0, 0, NULL, 0 },
	{ "seccomp", CK_YESNO, AT(conf, seccomp), 0, 0, NULL, 0 },
	{ "log-level", CK_LEVEL, AT(conf, log_level), 0, 0, NULL, CONF_RELOAD },
	{ "sync", CK_SPAN, AT(conf, sync_ns), 100 * NS_PER_MS, 2 * NS_PER_S, NULL, CONF_RELOAD },
	{ "take-over", CK_SPAN, AT(conf, take_over_ns), 0, 600 * NS_PER_S, NULL, 0 },
	{ "reaper-limit", CK_SPAN, AT(conf, reaper_ns), 0, 86400 * NS_PER_S, NULL, 0 },
	{ "realtime", CK_COUNT, AT(conf, realtime), 0, 10, NULL, 0 },
	{ "cpus", CK_CPUS, AT(conf, cpus), 0, 0, NULL, 0 },
};

#define COUNT(t)	(sizeof(t) / sizeof((t)[0]))
#define SETTINGS_MAX	32
_Static_assert(COUNT(top_table) <= SETTINGS_MAX, "written[]");

void conf_defaults(struct conf *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->sip_ports[0] = 5060;
	ret->ring_bytes = 16 * MIB;
	ret->signal_bytes = 4 * MIB;
	ret->flow_lines = 65536;
	ret->calls = 20000;
	ret->call_ring_bytes = CHUNK_MAX_BYTES;
	ret->call_memory = 2048 * MIB;
	ret->write_memory = 64 * MIB;
	ret->media_timeout_ns = 60 * NS_PER_S;
	ret->hold_timeout_ns = 1800 * NS_PER_S;
	ret->setup_timeout_ns = 200 * NS_PER_S;
	ret->sync_ns = 300 * NS_PER_MS;
	ret->reaper_ns = 600 * NS_PER_S;
	ret->take_over_ns = 30 * NS_PER_S;
	strcpy(ret->store, "/var/lib/optag");
	strcpy(ret->policy, "/etc/optag/policy.d");
	strcpy(ret->control, "/run/optag/control");
	strcpy(ret->user, "optag");
	strcpy(ret->group, "optag");
	ret->realtime = 1;
	ret->seccomp = true;
	ret->log_level = LOG_L_INFO;
}

/* ---- diagnostics ---- */

static char *source_line(const struct conf_reader *r, int line)
{
	const char *s = r->text, *end = r->text + r->len, *e;

	while (--line > 0 && s) {
		s = memchr(s, '\n', (size_t)(end - s));
		s = s ? s + 1 : NULL;
	}
	if (!s)
		return NULL;
	e = memchr(s, '\n', (size_t)(end - s));
	if (!e)
		e = end;
	if (e > s && e[-1] == '\r')
		e--;
	return e == s || e - s > LINE_MAX_SHOWN ? NULL : strndup(s, (size_t)(e - s));
}

static struct policy_diag *new_diag(struct policy_diags *d)
{
	if (d->n == d->cap) {
		struct policy_diag *v = realloc(d->d, (d->cap + DIAGS_MAX) * sizeof(*v));

		if (!v)
			return NULL;
		d->d = v;
		d->cap += DIAGS_MAX;
	}
	memset(&d->d[d->n], 0, sizeof(d->d[0]));
	return &d->d[d->n];
}

int conf_wrong(struct conf_reader *r, struct pos at, const char *code, const char *fix, const char *fmt, ...)
{
	bool warning = strcmp(code, "C-08") == 0;
	struct policy_diag *d;
	va_list ap;

	if (warning)
		r->d->warnings++;
	else
		r->d->errors++;
	if (r->d->n >= DIAGS_MAX) {
		r->d->dropped++;
		return -EINVAL;
	}
	d = new_diag(r->d);
	if (!d)
		goto oom;
	d->severity = warning ? POLICY_WARNING : POLICY_ERROR;
	snprintf(d->code, sizeof(d->code), "%s", code);
	d->line = at.line > 0 ? at.line : 1;
	d->col = at.col > 0 ? at.col : 1;
	d->width = at.width > 0 ? at.width : 1;
	va_start(ap, fmt);
	if (vasprintf(&d->text, fmt, ap) < 0)
		d->text = NULL;
	va_end(ap);
	d->file = strdup(r->name);
	d->fix = fix ? strdup(fix) : NULL;
	d->source = at.line > 0 && r->text ? source_line(r, at.line) : NULL;
	if (d->text && d->file) {
		r->d->n++;
		return -EINVAL;
	}
	free(d->text);
	free(d->file);
	free(d->fix);
	free(d->source);
oom:
	r->d->dropped++;
	r->oom = true;
	return -ENOMEM;
}

int conf_expected(struct conf_reader *r, const struct token *t, const char *what, const char *fix)
{
	if (t->type == T_BAD)
		return conf_wrong(r, t->at, "C-01", NULL, "%s.", t->bad);
	if (t->type == T_NL || t->type == T_EOF)
		return conf_wrong(r, t->at, "C-01", fix, "'%s' needs %s here, but the %s ends.", r->setting, what,
				  t->type == T_NL ? "line" : "file");
	return conf_wrong(r, t->at, "C-03", fix, "'%s' needs %s here.", r->setting, what);
}

/* ---- tokens ---- */

struct token conf_peek(struct conf_reader *r)
{
	if (!r->have)
		r->tok = lex_next(&r->lex);
	r->have = true;
	return r->tok;
}

struct token conf_next(struct conf_reader *r)
{
	struct token t = conf_peek(r);

	r->have = false;
	return t;
}

bool conf_is(const struct token *t, const char *word)
{
	return t->type == T_WORD && t->n == strlen(word) && memcmp(t->s, word, t->n) == 0;
}

/* To the end of the line; a block that begins on it is skipped whole, so its settings are not judged as the outer's. */
static void skip_statement(struct conf_reader *r)
{
	int depth = 0;

	for (;;) {
		struct token t = conf_peek(r);

		if (t.type == T_EOF || (depth == 0 && (t.type == T_NL || t.type == T_SEMI || t.type == T_CLOSE)))
			return;
		depth += t.type == T_OPEN;
		depth -= t.type == T_CLOSE;
		conf_next(r);
	}
}

static void skip_newlines(struct conf_reader *r)
{
	while (conf_peek(r).type == T_NL || conf_peek(r).type == T_SEMI)
		conf_next(r);
}

static int end_of_statement(struct conf_reader *r)
{
	struct token t = conf_peek(r);

	if (t.type == T_NL || t.type == T_SEMI || t.type == T_EOF || t.type == T_CLOSE)
		return 0;
	if (t.type == T_BAD)
		return conf_expected(r, &t, "", NULL);
	return conf_wrong(r, t.at, "C-01", "end the line here.", "'%s' takes nothing more.", r->setting);
}

/* ---- statements ---- */

struct block {
	const struct conf_setting *table;
	size_t n;
	const char *what; /* "an interface", for messages; NULL top level */
	void *obj;
	struct pos written[SETTINGS_MAX];
	/* a setting that the table does not have: may be written several times */
	const char *many;
	int (*many_run)(struct conf_reader *r, void *obj);
};

static int unknown(struct conf_reader *r, const struct token *t, const struct block *b)
{
	const char *words[SETTINGS_MAX + 4] = { 0 };
	size_t n = 0;
	int near;

	for (; n < b->n; n++)
		words[n] = b->table[n].name;
	if (!b->what) {
		words[n++] = "interface";
		words[n++] = "control";
		words[n++] = "approval";
	} else if (b->many) {
		words[n++] = b->many;
	}
	near = did_you_mean(t->s, t->n, words);
	if (near >= 0)
		return conf_wrong(r, t->at, "C-02", NULL, "unknown setting '%.*s'%s%s; did you mean '%s'?", (int)t->n, t->s,
				  b->what ? " of " : "", b->what ? b->what : "", words[near]);
	return conf_wrong(r, t->at, "C-02", "optagd.conf(5) lists the settings.", "unknown setting%s%s.",
			  b->what ? " of " : "", b->what ? b->what : "");
}

/* name value, by the block's table. */
static int setting(struct conf_reader *r, struct block *b)
{
	struct token t = conf_peek(r);
	size_t i;
	int e;

	if (b->many && conf_is(&t, b->many)) {
		r->setting = b->many;
		conf_next(r);
		e = b->many_run(r, b->obj);
		return e ? e : end_of_statement(r);
	}
	for (i = 0; i < b->n && !conf_is(&t, b->table[i].name); i++)
		;
	if (i == b->n)
		return unknown(r, &t, b);
	r->setting = b->table[i].name;
	conf_next(r);
	if (b->written[i].line)
		return conf_wrong(r, t.at, "C-04", "remove one of them.", "'%s' stands on line %d already.", r->setting,
				  b->written[i].line);
	b->written[i] = t.at;
	e = conf_value(r, &b->table[i], b->obj);
	return e ? e : end_of_statement(r);
}

/* { settings } after its head. */
static int body(struct conf_reader *r, struct block *b)
{
	struct token t = conf_peek(r);
	int e = 0;

	if (t.type != T_OPEN)
		return conf_expected(r, &t, "a block in { }", NULL);
	conf_next(r);
	for (;;) {
		skip_newlines(r);
		t = conf_peek(r);
		if (t.type == T_CLOSE) {
			conf_next(r);
			r->setting = b->what;
			return e;
		}
		if (t.type == T_EOF)
			return conf_wrong(r, t.at, "C-01", "write } where the block ends.", "the block of %s is not closed.",
					  b->what);
		if (t.type != T_WORD ? conf_wrong(r, t.at, "C-01", NULL, "%s.", t.bad ? t.bad : "a setting starts with its name") :
				       setting(r, b)) {
			e = -EINVAL;
			skip_statement(r);
		}
	}
}

/* As the kernel's dev_valid_name: what it would refuse cannot be meant. */
static bool interface_name_ok(const char *s)
{
	if (!*s || strcmp(s, ".") == 0 || strcmp(s, "..") == 0)
		return false;
	for (; *s; s++)
		if (*s == '/' || *s == ':' || *s == ' ' || *s == '\t')
			return false;
	return true;
}

static int interface(struct conf_reader *r, struct conf *c)
{
	struct conf_interface new = { .mirror = true, .budget = 200 };
	struct block b = { .table = interface_table, .n = COUNT(interface_table), .what = "interface", .obj = &new };
	struct pos at;
	int e;

	r->setting = "interface";
	conf_next(r);
	at = conf_peek(r).at;
	e = conf_text(r, "the name of a network interface", NULL, new.name, sizeof(new.name));
	if (e)
		return e;
	if (!interface_name_ok(new.name))
		return conf_wrong(r, at, "C-03", "ip link shows the names.", "this cannot be the name of an interface.");
	for (size_t i = 0; i < c->ninterface; i++)
		if (strcmp(c->interface[i].name, new.name) == 0)
			return conf_wrong(r, at, "C-04", "remove one of them.", "this interface stands in the file twice.");
	if (c->ninterface == CONF_INTERFACES)
		return conf_wrong(r, at, "C-03", NULL, "one daemon takes %d interfaces at most.", CONF_INTERFACES);
	if (conf_peek(r).type == T_OPEN) /* without a block all settings have their defaults */
		e = body(r, &b);
	c->interface[c->ninterface++] = new;
	return e ? e : end_of_statement(r);
}

/* approver NAME KEYFILE */
static int approver(struct conf_reader *r, void *obj)
{
	struct conf *c = obj;
	struct conf_approver new;
	struct pos at = conf_peek(r).at;
	int e = conf_text(r, "the name of a person", NULL, new.name, sizeof(new.name));

	if (e)
		return e;
	if (!approval_name_ok(new.name))
		return conf_wrong(r, at, "C-03", "a-z 0-9 . _ -, starting with a letter, without five digits in a row.",
				  "this cannot be an approver's name.");
	for (size_t i = 0; i < c->napprover; i++)
		if (strcmp(c->approver[i].name, new.name) == 0)
			return conf_wrong(r, at, "C-04", "remove one of them.", "this approver stands in the file twice.");
	at = conf_peek(r).at;
	e = conf_text(r, "the file with the approver's public key", NULL, new.key, sizeof(new.key));
	if (e)
		return e;
	if (new.key[0] != '/')
		return conf_wrong(r, at, "C-03", "write the whole path, from / on.", "'approver' needs an absolute path here.");
	if (c->napprover == CONF_APPROVERS)
		return conf_wrong(r, at, "C-03", NULL, "there are %d approvers at most.", CONF_APPROVERS);
	c->approver[c->napprover++] = new;
	return 0;
}

/* control { } and approval { }, once each */
static int once_block(struct conf_reader *r, struct block b, struct pos *seen)
{
	struct pos at = conf_next(r).at;
	int e;

	r->setting = b.what;
	if (seen->line)
		return conf_wrong(r, at, "C-04", "remove one of them.", "'%s' stands on line %d already.", b.what, seen->line);
	*seen = at;
	e = body(r, &b);
	return e ? e : end_of_statement(r);
}

static int control(struct conf_reader *r, struct conf *c, struct pos *seen)
{
	return once_block(r, (struct block){ .table = control_table, .n = COUNT(control_table), .what = "control", .obj = c }, seen);
}

static int approval(struct conf_reader *r, struct conf *c, struct pos *seen)
{
	return once_block(r,
			  (struct block){ .table = approval_table, .n = COUNT(approval_table), .what = "approval", .obj = c,
					  .many = "approver", .many_run = approver },
			  seen);
}

static void statement(struct conf_reader *r, struct block *top, struct conf *c, struct pos seen[2])
{
	struct token t = conf_peek(r);
	int e;

	if (conf_is(&t, "interface"))
		e = interface(r, c);
	else if (conf_is(&t, "control"))
		e = control(r, c, &seen[0]);
	else if (conf_is(&t, "approval"))
		e = approval(r, c, &seen[1]);
	else if (t.type == T_WORD)
		e = setting(r, top);
	else
		e = conf_wrong(r, t.at, "C-01", NULL, "%s.", t.bad ? t.bad : "a setting starts with its name");
	if (!e)
		return;
	skip_statement(r);
	if (conf_peek(r).type == T_CLOSE) /* of no block */
		conf_next(r);
}

/* What single values cannot show. */
static void check(struct conf_reader *r, const struct conf *c, const struct block *top)
{
	struct pos nowhere = { .line = 0 };
	struct pos at = nowhere;

	if (c->ninterface == 0 && r->d->errors == 0)
		conf_wrong(r, nowhere, "C-06", "write: interface NAME { mirror yes }", "no interface is named: nothing would be recorded.");
	for (size_t i = 0; i < top->n; i++)
		if (strcmp(top->table[i].name, "flow-lines") == 0 || (strcmp(top->table[i].name, "calls") == 0 && !at.line))
			at = top->written[i];
	if (c->approval && !c->napprover && r->d->errors == 0)
		conf_wrong(r, nowhere, "C-06", "write: approver NAME KEYFILE", "approval is required, and nobody can give it.");
	/* A call takes four addresses (RTP of two parties, early media or a second hop); a line has two. */
	if ((uint64_t)c->flow_lines < (uint64_t)c->calls * 2)
		conf_wrong(r, at, "C-08", "double flow-lines until it is at least twice calls.",
			   "the flow table is too small for this many calls: some would not be recorded.");
}

static bool plain_text(struct conf_reader *r)
{
	struct pos at = { .line = 1, .width = 1 };
	size_t line = 0, n;

	for (size_t i = 0; i < r->len; i += n) {
		unsigned char ch = (unsigned char)r->text[i];

		n = lex_utf8_len((const unsigned char *)r->text + i, r->len - i);
		if (n == 0 || ch == 0x7f || (ch < ' ' && ch != '\t' && ch != '\n' && ch != '\r')) {
			at.col = (int)(i - line) + 1;
			conf_wrong(r, at, "C-01", NULL, n ? "a control character (byte 0x%02x) is in the text." :
				   "the text is not UTF-8 (byte 0x%02x).", ch);
			return false;
		}
		if (ch == '\n') {
			at.line++;
			line = i + 1;
		}
	}
	return true;
}

int conf_read(const char *name, const char *text, size_t len, struct policy_diags *d, struct conf *ret)
{
	struct conf_reader r = { .name = name, .text = text, .len = len, .d = d, .setting = "" };
	struct conf c;
	struct block top = { .table = top_table, .n = COUNT(top_table), .obj = &c };
	struct pos seen[2] = { { 0 }, { 0 } };
	size_t before = d->errors;

	conf_defaults(&c);
	if (!plain_text(&r))
		return r.oom ? -ENOMEM : -EINVAL;
	lex_text(&r.lex, text, len, 0);
	for (;;) {
		skip_newlines(&r);
		if (conf_peek(&r).type == T_EOF)
			break;
		statement(&r, &top, &c, seen);
	}
	check(&r, &c, &top);
	if (r.oom)
		return -ENOMEM;
	if (d->errors > before)
		return -EINVAL;
	*ret = c;
	return 0;
}

static int read_file(const char *path, char **ret, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), e = 0;
	char *text = NULL;
	struct stat st;
	size_t len = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		e = -errno;
	else if (S_ISDIR(st.st_mode))
		e = -EISDIR;
	text = e ? NULL : malloc(CONF_FILE_MAX + 1);
	if (!e && !text)
		e = -ENOMEM;
	while (!e && len <= CONF_FILE_MAX) {
		ssize_t n = read(fd, text + len, CONF_FILE_MAX + 1 - len);

		if (n < 0 && errno != EINTR)
			e = -errno;
		if (n == 0)
			break;
		len += n > 0 ? (size_t)n : 0;
	}
	if (!e && len > CONF_FILE_MAX)
		e = -EFBIG;
	close(fd);
	if (e) {
		free(text);
		return e;
	}
	*ret = text;
	*ret_len = len;
	return 0;
}

int conf_load(const char *path, struct policy_diags *d, struct conf *ret)
{
	struct conf_reader r = { .name = path, .d = d };
	struct pos nowhere = { .line = 0 };
	char *text = NULL;
	size_t len = 0;
	int e = read_file(path, &text, &len);

	if (e) {
		conf_wrong(&r, nowhere, "C-07", e == -ENOENT ? "optagd -c FILE names another one." : NULL,
			   "the file cannot be read: %s.", e == -EFBIG ? "it is larger than 1 MiB" : strerror(-e));
		return e;
	}
	e = conf_read(path, text, len, d, ret);
	free(text);
	return e;
}

/* ---- printing, comparing ---- */

static void print_table(FILE *f, const struct conf_setting *t, size_t n, const void *obj, const char *indent)
{
	for (size_t i = 0; i < n; i++) {
		if (t[i].flags & CONF_OPTIONAL && !*((const char *)obj + t[i].off))
			continue;
		fprintf(f, "%s%s ", indent, t[i].name);
		conf_value_print(f, &t[i], obj);
		fputc('\n', f);
	}
}

int conf_print(FILE *f, const struct conf *c)
{
	for (size_t i = 0; i < c->ninterface; i++) {
		fputs("interface ", f);
		conf_text_print(f, c->interface[i].name);
		fputs(" {\n", f);
		print_table(f, interface_table, COUNT(interface_table), &c->interface[i], "\t");
		fputs("}\n", f);
	}
	print_table(f, top_table, COUNT(top_table), c, "");
	fputs("control {\n", f);
	print_table(f, control_table, COUNT(control_table), c, "\t");
	fputs("}\n", f);
	if (c->approval || c->napprover) {
		fputs("approval {\n", f);
		print_table(f, approval_table, COUNT(approval_table), c, "\t");
		for (size_t i = 0; i < c->napprover; i++) {
			fputs("\tapprover ", f);
			conf_text_print(f, c->approver[i].name);
			fputc(' ', f);
			conf_text_print(f, c->approver[i].key);
			fputc('\n', f);
		}
		fputs("}\n", f);
	}
	return fflush(f) || ferror(f) ? -EIO : 0;
}

const char *conf_first_change(const struct conf *a, const struct conf *b)
{
	if (a->ninterface != b->ninterface)
		return "interface";
	for (size_t i = 0; i < a->ninterface; i++) {
		if (strcmp(a->interface[i].name, b->interface[i].name) != 0)
			return "interface";
		for (size_t k = 0; k < COUNT(interface_table); k++)
			if (!conf_value_equal(&interface_table[k], &a->interface[i], &b->interface[i]))
				return interface_table[k].name;
	}
	for (size_t k = 0; k < COUNT(top_table); k++)
		if (!(top_table[k].flags & CONF_RELOAD) && !conf_value_equal(&top_table[k], a, b))
			return top_table[k].name;
	for (size_t k = 0; k < COUNT(control_table); k++)
		if (!conf_value_equal(&control_table[k], a, b))
			return "control";
	if (a->approval != b->approval || a->napprover != b->napprover)
		return "approval";
	for (size_t i = 0; i < a->napprover; i++)
		if (strcmp(a->approver[i].name, b->approver[i].name) != 0 || strcmp(a->approver[i].key, b->approver[i].key) != 0)
			return "approval";
	return NULL;
}
