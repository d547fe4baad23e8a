/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * diag.c - memory of a policy, and what is wrong with it
 *
 * A diagnostic owns its texts, because it outlives a policy that was refused.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lint.h"

#define DIAGS_MAX	100
#define DIAGS_PER_FILE	20
#define SOURCE_LINE_MAX 400 /* of a source line that is shown; a longer one is not */

/* ---- arena ---- */

struct arena_chunk {
	struct arena_chunk *next;
	size_t used, size;
	_Alignas(16) unsigned char mem[];
};

#define CHUNK_MIN (64u << 10)
#define CHUNK_MAX (512u << 10)
#define ROUND(n)  (((n) + 15) & ~(size_t)15)

void *arena_alloc(struct arena *a, size_t n)
{
	struct arena_chunk *c = a->head;
	size_t size;
	void *m;

	n = ROUND(n);
	if (!c || c->size - c->used < n) {
		/* larger ones as it gets more: fresh pages of the system need no zeroing */
		size = c && c->size >= CHUNK_MIN && c->next ? CHUNK_MAX : CHUNK_MIN;
		size = n > size ? n : size;
		c = calloc(1, sizeof(*c) + size);
		if (!c)
			return NULL;
		c->size = size;
		c->next = a->head;
		a->head = c;
	}
	m = c->mem + c->used;
	c->used += n;
	return m;
}

void *arena_grow(struct arena *a, void *old, size_t old_n, size_t n)
{
	struct arena_chunk *c = a->head, *more;
	char *at = old;
	void *m;

	if (!old)
		return arena_alloc(a, n);
	old_n = ROUND(old_n);
	n = ROUND(n);
	if (at + old_n == (char *)c->mem + c->used) { /* the last one */
		if (c->size - c->used >= n - old_n) {
			c->used += n - old_n;
			return old;
		}
		if (at == (char *)c->mem && old_n >= CHUNK_MAX) { /* and the only one: the system moves its pages */
			more = realloc(c, sizeof(*c) + n);
			if (!more)
				return NULL;
			more->size = more->used = n;
			a->head = more;
			return more->mem;
		}
	}
	m = arena_alloc(a, n);
	return m ? memcpy(m, old, old_n) : NULL;
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *m = arena_alloc(a, n + 1);

	if (m)
		memcpy(m, s, n);
	return m;
}

void arena_free(struct arena *a)
{
	struct arena_chunk *c, *next;

	for (c = a->head; c; c = next) {
		next = c->next;
		free(c);
	}
	a->head = NULL;
}

/* ---- diagnostics ---- */

static char *source_line(const struct source *src, int line)
{
	const char *s = src->text, *end, *e;

	if (!s || line <= 0)
		return NULL;
	end = s + src->len;
	while (--line > 0) {
		s = memchr(s, '\n', (size_t)(end - s));
		if (!s)
			return NULL;
		s++;
	}
	e = memchr(s, '\n', (size_t)(end - s));
	if (!e)
		e = end;
	if (e > s && e[-1] == '\r')
		e--;
	if (e == s || e - s > SOURCE_LINE_MAX)
		return NULL;
	return strndup(s, (size_t)(e - s));
}

static bool take_place(struct policy *p, struct source *src, bool error)
{
	struct policy_diags *ds = p->diags;
	unsigned *count = error ? &src->errors : &src->warnings;

	if (error)
		ds->errors++;
	else
		ds->warnings++;
	if (++*count > DIAGS_PER_FILE || ds->n >= DIAGS_MAX) {
		ds->dropped++;
		return false;
	}
	if (ds->n < ds->cap)
		return true;
	struct policy_diag *d = realloc(ds->d, (ds->cap + 20) * sizeof(*d));
	if (!d) {
		ds->dropped++;
		return false;
	}
	ds->d = d;
	ds->cap += 20;
	return true;
}

/* Statements alone, as in "N-47, N-48". */
static bool bare(const char *why)
{
	return why[strspn(why, "NRSXLIV0123456789ABCDEFG-., b")] == '\0';
}

static char *reason(const struct code *c, const char *why)
{
	const char *ref = why ? why : c->ref;
	char *s;

	if (why && !bare(why))
		return strdup(why);
	if (asprintf(&s, "%s%s%s", ref, *ref ? ": " : "", c->because) < 0)
		return NULL;
	return s;
}

void diag_add(struct policy *p, struct pos at, const char *code, const char *why, const char *fix,
	      const char *fmt, ...)
{
	struct source *src = &p->src[at.file];
	const struct code *known = code_find(code);
	struct policy_diag *d;
	bool error = code[0] == 'L';
	va_list ap;

	assert(known);
	if (error && p->forgiving)
		kept_doubt(p, at);
	if (!take_place(p, src, error))
		return;
	d = &p->diags->d[p->diags->n];
	memset(d, 0, sizeof(*d));
	d->severity = error ? POLICY_ERROR : POLICY_WARNING;
	snprintf(d->code, sizeof(d->code), "%s", code);
	d->line = at.line > 0 ? at.line : 1;
	d->col = at.col > 0 ? at.col : 1;
	d->width = at.width > 0 ? at.width : 1;
	d->file = strdup(src->name);
	d->why = reason(known, why);
	d->fix = strdup(fix ? fix : known->fix);
	d->source = source_line(src, at.line);
	va_start(ap, fmt);
	if (vasprintf(&d->text, fmt, ap) < 0)
		d->text = NULL;
	va_end(ap);
	if (!d->file || !d->text || !d->why || !d->fix) {
		p->oom = true;
		free(d->file);
		free(d->text);
		free(d->why);
		free(d->fix);
		free(d->source);
		p->diags->dropped++;
		return;
	}
	p->diags->n++;
}

void policy_diags_free(struct policy_diags *d)
{
	for (size_t i = 0; i < d->n; i++) {
		free(d->d[i].file);
		free(d->d[i].text);
		free(d->d[i].why);
		free(d->d[i].fix);
		free(d->d[i].source);
	}
	free(d->d);
	memset(d, 0, sizeof(*d));
}

void policy_diag_print(FILE *f, const struct policy_diag *d)
{
	fprintf(f, "%s:%d:%d: %s: %s", d->file, d->line, d->col, d->code, d->text);
	if (d->why)
		fprintf(f, " Why: %s", d->why);
	if (d->fix)
		fprintf(f, " Fix: %s", d->fix);
	fputc('\n', f);
	if (!d->source)
		return;
	/* Control characters must not move the terminal; tabs stay so that the caret stands right.
	 */
	fputs("    ", f);
	for (const char *s = d->source; *s; s++)
		fputc((unsigned char)*s < ' ' && *s != '\t' ? '?' : *s, f);
	fputs("\n    ", f);
	for (int i = 0; i < d->col - 1 && d->source[i]; i++)
		if (((unsigned char)d->source[i] & 0xc0) != 0x80)
			fputc(d->source[i] == '\t' ? '\t' : ' ', f);
	fputc('^', f);
	for (int i = d->col; i < d->col - 1 + d->width && d->source[i]; i++)
		if (((unsigned char)d->source[i] & 0xc0) != 0x80)
			fputc('~', f);
	fputc('\n', f);
}

/* ---- names ---- */

static int distance(const char *a, size_t n, const char *b, size_t m)
{
	int row[NAME_MAX_LEN + 1];

	for (size_t j = 0; j <= m; j++)
		row[j] = (int)j;
	for (size_t i = 1; i <= n; i++) {
		int diag = row[0];

		row[0] = (int)i;
		for (size_t j = 1; j <= m; j++) {
			int up = row[j], best = diag + (a[i - 1] != b[j - 1]);

			if (up + 1 < best)
				best = up + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
			diag = up;
		}
	}
	return row[m];
}

int did_you_mean(const char *s, size_t n, const char *const *words)
{
	int best = -1, best_d = 1 + (int)(n < 6 ? n / 2 : 3), d;

	if (n == 0 || n > NAME_MAX_LEN)
		return -1;
	for (int i = 0; words[i]; i++) {
		size_t m = strlen(words[i]);

		if (m == 0 || m > NAME_MAX_LEN)
			continue;
		d = distance(s, n, words[i], m);
		if (d < best_d) {
			best_d = d;
			best = i;
		}
	}
	return best;
}

#define LIST_PLAIN 16 /* so many are looked through */

static size_t list_place(const struct list *l, const char *name)
{
	uint32_t h = 2166136261u; /* FNV-1a */
	size_t i;

	for (const char *s = name; *s; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	for (i = h & (l->slots - 1); l->slot[i] && strcmp(l->slot[i]->name, name) != 0;)
		i = (i + 1) & (l->slots - 1);
	return i;
}

static void list_put(struct list *l, struct obj *o)
{
	size_t i = list_place(l, o->name);

	if (!l->slot[i])
		l->slot[i] = o;
}

/* Without memory it is looked through, as a short one is. */
static void list_index(struct list *l, struct obj *last)
{
	if (l->n <= LIST_PLAIN)
		return;
	if (l->slot && l->n * 2 <= l->slots) {
		list_put(l, last);
		return;
	}
	free(l->slot);
	l->slots = l->slots ? l->slots * 2 : (size_t)LIST_PLAIN * 4;
	while (l->slots < l->n * 2)
		l->slots *= 2;
	l->slot = calloc(l->slots, sizeof(struct obj *));
	for (struct obj *o = l->first; o && l->slot; o = o->next)
		list_put(l, o);
}

void list_free(struct list *l)
{
	free(l->slot);
	l->slot = NULL;
}

struct obj *list_find(const struct list *l, const char *name)
{
	if (l->slot)
		return l->slot[list_place(l, name)];
	for (struct obj *o = l->first; o; o = o->next)
		if (!strcmp(o->name, name))
			return o;
	return NULL;
}

void list_append(struct list *l, struct obj *o)
{
	if (l->last)
		l->last->next = o;
	else
		l->first = o;
	l->last = o;
	l->n++;
	list_index(l, o);
}
