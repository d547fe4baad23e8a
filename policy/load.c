/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load.c - files to policy: reading, includes, the order of the steps
 *
 * All or nothing: whatever fails, the half-made policy is freed and only the
 * diagnostics remain.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "internal.h"
#include "lint.h"

struct load {
	int depth;
	int err;			 /* first error of the system */
	uint16_t stack[INCLUDE_MAX + 1]; /* files being read, against circles */
};

static int add_source(struct policy *p, const char *name, uint16_t *ret)
{
	struct source *v;

	if (p->nsrc == p->src_cap) {
		size_t cap = p->src_cap ? p->src_cap * 2 : 4;

		v = realloc(p->src, cap * sizeof(*v));
		if (!v)
			return -ENOMEM;
		p->src = v;
		p->src_cap = cap;
	}
	v = &p->src[p->nsrc];
	memset(v, 0, sizeof(*v));
	v->name = strdup(name);
	if (!v->name)
		return -ENOMEM;
	*ret = (uint16_t)p->nsrc++;
	return 0;
}

static int read_all(int fd, size_t size_hint, struct source *s)
{
	size_t cap = size_hint + 1;
	ssize_t got;

	s->text = malloc(cap);
	if (!s->text)
		return -ENOMEM;
	for (;;) {
		if (s->len == cap) {
			char *t = cap > FILE_MAX_BYTES ? NULL : realloc(s->text, cap * 2);

			if (!t)
				return cap > FILE_MAX_BYTES ? -EFBIG : -ENOMEM;
			s->text = t;
			cap *= 2;
		}
		got = read(fd, s->text + s->len, cap - s->len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return 0;
		s->len += (size_t)got;
	}
}

/* The file itself, and W-15 when others than its owner decide what is in it. */
static int read_source(struct policy *p, uint16_t file)
{
	struct source *s = &p->src[file];
	struct pos at = {.file = file};
	struct stat st, link;
	int fd = open(s->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		err = -errno;
	else if (S_ISDIR(st.st_mode))
		err = -EISDIR;
	else if (S_ISREG(st.st_mode) && st.st_size > (off_t)FILE_MAX_BYTES)
		err = -EFBIG;
	else
		err = read_all(fd, S_ISREG(st.st_mode) ? (size_t)st.st_size : 4096, s);
	close(fd);
	if (err)
		return err;
	if (S_ISREG(st.st_mode) && st.st_mode & S_IWOTH)
		diag_add(p, at, "W-15", "whoever can write this file decides what is recorded.",
			 "chmod o-w.", "the file can be written by everybody.");
	if (!lstat(s->name, &link) && S_ISLNK(link.st_mode))
		diag_add(p, at, "W-15", "whoever can move the link decides what is recorded.",
			 "name the file itself.", "the file is a symbolic link.");
	return 0;
}

/* ---- the text as such ---- */

/* Characters that show nothing, or show the text in another order than it is read: never, not even in quotes. */
static bool hidden(unsigned c)
{
	return (c >= 0x80 && c < 0xa0) || c == 0xad || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
}

/* Where reading has come to. */
struct reading {
	struct pos at;
	size_t line; /* where it begins */
	bool blank, quoted, comment;
};

static bool refuse_text(struct policy *p, struct reading *r, size_t i, const char *why, const char *fix, const char *text)
{
	r->at.col = (int)(i - r->line) + 1;
	diag_add(p, r->at, "L-01", why, fix, "%s", text);
	return false;
}

static bool check_char(struct policy *p, struct reading *r, const struct source *src, size_t i, size_t len)
{
	const unsigned char *s = (const unsigned char *)src->text + i;
	unsigned c = len ? lex_code_point(s, len) : s[0];
	const char *like;
	char text[80];

	if (len == 0) {
		bool utf16 = i == 0 && src->len > 1 && s[0] >= 0xfe && (s[0] ^ s[1]) == 1;

		snprintf(text, sizeof(text), "the text is not UTF-8 (byte 0x%02x).", c);
		return refuse_text(p, r, i, NULL, utf16 ? "save the file as UTF-8, it is UTF-16." : "save the file as UTF-8.",
				   text);
	}
	if (c == 0x7f || (c < ' ' && c != '\t' && c != '\n' && c != '\r')) {
		snprintf(text, sizeof(text), "a control character (byte 0x%02x) is in the text.", c);
		return refuse_text(p, r, i, NULL, NULL, text);
	}
	if (c == '\r' && (i + 1 == src->len || s[1] != '\n'))
		return refuse_text(p, r, i, "a comment would go on to the end of the file.", "save the file with LF, or CR LF.",
				   "a line ends with CR alone.");
	if (hidden(c)) {
		snprintf(text, sizeof(text), "an invisible character (U+%04X) is in the text.", c);
		return refuse_text(p, r, i, "a policy is what people read in it.",
				   i == 0 && c == 0xfeff ? "save the file without byte order mark." : "remove it.", text);
	}
	like = r->quoted || r->comment ? NULL : lex_looks_like(c);
	if (!like)
		return true;
	snprintf(text, sizeof(text), "this looks like %s and is another character (U+%04X).", like, c);
	return refuse_text(p, r, i, NULL, "type it on the keyboard.", text);
}

/* The first byte that is no plain text, with its place; and how many comments there are. */
static bool check_text(struct policy *p, uint16_t file)
{
	const struct source *src = &p->src[file];
	struct reading r = {.at = {.line = 1, .width = 1, .file = file}, .blank = true};
	size_t len;

	for (size_t i = 0; i < src->len; i += len) {
		unsigned char c = (unsigned char)src->text[i];

		if (c > '#' && c < 0x7f && c != '\\') {
			len = 1;
			r.blank = false;
			continue;
		}
		len = lex_utf8_len((const unsigned char *)src->text + i, src->len - i);
		if (!check_char(p, &r, src, i, len))
			return false;
		if (c == '\n') {
			r.at.line++;
			r.line = i + 1;
			r.quoted = r.comment = false;
		} else if (c == '"' && !r.comment) {
			r.quoted = !r.quoted;
		} else if (c == '\\' && r.quoted && i + 1 < src->len && (src->text[i + 1] == '"' || src->text[i + 1] == '\\')) {
			len = 2;
		} else if (c == '#' && r.blank && !r.quoted && !r.comment) {
			p->comments++;
			r.comment = true;
		}
		r.blank = c == '\n' || c == ' ' || c == '\t' || c == '\r';
	}
	return true;
}

static int load_file(struct policy *p, const char *name, const struct pos *from, struct load *ld);

static int include(struct policy *p, const char *name, struct pos at, void *arg)
{
	const char *slash = strrchr(p->src[at.file].name, '/');
	char *path;
	int err;

	if (name[0] == '/' || !slash)
		path = strdup(name);
	else if (asprintf(&path, "%.*s/%s", (int)(slash - p->src[at.file].name),
			  p->src[at.file].name, name) < 0)
		path = NULL;
	if (!path) {
		p->oom = true;
		return -ENOMEM;
	}
	err = load_file(p, path, &at, arg);
	free(path);
	return err == -ENOMEM ? err : 0;
}

static void cannot_read(struct policy *p, const struct pos *from, uint16_t file, const char *name,
			int err)
{
	struct pos at = {.file = file};

	diag_add(p, from ? *from : at, "L-08", NULL, NULL, "'%s' cannot be read: %s.", name,
		 err == -EFBIG ? "it is larger than 64 MiB" : strerror(-err));
}

static int load_file(struct policy *p, const char *name, const struct pos *from, struct load *ld)
{
	uint16_t file;
	int err;

	if (from && (ld->depth >= INCLUDE_MAX || p->nsrc >= FILES_MAX)) {
		diag_add(p, *from, "L-08", NULL, NULL,
			 "includes go %d deep and read %d files at most.", INCLUDE_MAX, FILES_MAX);
		return -EINVAL;
	}
	for (int i = 0; from && i < ld->depth; i++)
		if (!strcmp(p->src[ld->stack[i]].name, name)) {
			diag_add(p, *from, "L-08", NULL, "remove this include.",
				 "the file includes itself.");
			return -EINVAL;
		}
	err = add_source(p, name, &file);
	if (err)
		return err;
	err = read_source(p, file);
	if (err) {
		cannot_read(p, from, file, name, err);
		if (!ld->err)
			ld->err = err;
		return err;
	}
	if (!check_text(p, file))
		return -EINVAL;
	ld->stack[ld->depth++] = file;
	err = parse_source(p, file, include, ld);
	ld->depth--;
	return err;
}

static int is_policy(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return n > 7 && d->d_name[0] != '.' && !strcmp(d->d_name + n - 7, ".policy");
}

static int load_dir(struct policy *p, const char *dir, struct load *ld)
{
	struct dirent **list;
	int n = scandir(dir, &list, is_policy, alphasort), err = 0;
	uint16_t file;
	char *path;

	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		if (!err && !p->oom) {
			if (asprintf(&path, "%s/%s", dir, list[i]->d_name) < 0)
				err = -ENOMEM;
			else {
				err = load_file(p, path, NULL, ld);
				free(path);
			}
			if (err != -ENOMEM)
				err = 0; /* told; the other files are still checked */
		}
		free(list[i]);
	}
	free(list);
	if (n == 0 && !err && !(err = add_source(p, dir, &file))) {
		struct pos at = {.file = file};

		diag_add(p, at, "L-08", NULL, NULL, "there is no *.policy file in this directory.");
	}
	return err;
}

static int diag_cmp(const void *a, const void *b, void *arg)
{
	const struct policy *p = arg;
	const struct policy_diag *x = a, *y = b;
	size_t i, j;

	for (i = 0; i < p->nsrc && strcmp(p->src[i].name, x->file); i++)
		;
	for (j = 0; j < p->nsrc && strcmp(p->src[j].name, y->file); j++)
		;
	if (i != j)
		return i < j ? -1 : 1;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->col != y->col)
		return x->col < y->col ? -1 : 1;
	return strcmp(x->code, y->code);
}

static ssize_t to_hash(void *cookie, const char *s, size_t n)
{
	crypto_generichash_update(cookie, (const unsigned char *)s, n);
	return (ssize_t)n;
}

/* Of the canonical text, which is nowhere as a whole: with sets it has megabytes. */
static int hash_policy(struct policy *p)
{
	unsigned char h[32];
	crypto_generichash_state st;
	FILE *f = fopencookie(&st, "w", (cookie_io_functions_t){ .write = to_hash });
	int err;

	if (!f)
		return -ENOMEM;
	crypto_generichash_init(&st, NULL, 0, sizeof(h));
	(void)setvbuf(f, NULL, _IOFBF, 32768); /* else smaller pieces */
	err = policy_print(f, p);
	if (fclose(f) || err)
		return -ENOMEM;
	crypto_generichash_final(&st, h, sizeof(h));
	sodium_bin2hex(p->hash, sizeof(p->hash), h, sizeof(h));
	return 0;
}

static struct policy *new_policy(int64_t today, struct policy_diags *d)
{
	struct policy *p = calloc(1, sizeof(*p));

	if (!p || sodium_init() < 0) {
		free(p);
		return NULL;
	}
	p->diags = d;
	p->first_diag = d->n;
	p->first_errors = d->errors;
	p->today = today;
	return p;
}

/* The second half: names, checks, index, hash. Takes p. */
static int finish(struct policy *p, size_t errors_before, int err, int io_err, struct policy **ret)
{
	struct policy_diags *d = p->diags;

	if (!err && p->nsrc)
		err = lint_policy(p);
	if (p->oom)
		err = -ENOMEM;
	if (d->n > p->first_diag)
		qsort_r(d->d + p->first_diag, d->n - p->first_diag, sizeof(*d->d), diag_cmp, p);
	if (!err && d->errors > errors_before && !p->forgiving)
		err = io_err ? io_err : -EINVAL;
	if (!err && p->forgiving && !kept_refuse(p))
		err = -EINVAL;
	if (!err)
		publish_policy(p);
	if (!err)
		err = p->oom ? -ENOMEM : index_build(p);
	if (!err)
		err = hash_policy(p);
	for (size_t i = 0; i < p->nsrc;
	     i++) { /* positions are kept, texts are not needed any more */
		free(p->src[i].text);
		p->src[i].text = NULL;
	}
	p->diags = NULL;
	p->past = NULL;
	if (err) {
		policy_free(p);
		return err;
	}
	*ret = p;
	return 0;
}

int policy_load(const char *const *paths, size_t n, int64_t today, struct policy_diags *d,
		struct policy **ret_policy)
{
	return policy_load_past(paths, n, today, NULL, d, ret_policy);
}

int policy_load_past(const char *const *paths, size_t n, int64_t today, const struct policy_past_log *past,
		     struct policy_diags *d, struct policy **ret_policy)
{
	size_t errors = d->errors;
	struct policy *p = new_policy(today, d);
	struct load ld = {0};
	struct stat st;
	uint16_t file;
	int err = 0;

	if (!p)
		return -ENOMEM;
	p->past = past;
	for (size_t i = 0; i < n && !err; i++) {
		if (!stat(paths[i], &st) && S_ISDIR(st.st_mode)) {
			err = load_dir(p, paths[i], &ld);
			if (err && err != -ENOMEM) {
				if (!ld.err)
					ld.err = err;
				if (!add_source(p, paths[i], &file))
					cannot_read(p, NULL, file, paths[i], err);
				err = 0;
			}
		} else {
			err = load_file(p, paths[i], NULL, &ld);
			if (err != -ENOMEM)
				err = 0;
		}
	}
	return finish(p, errors, err, ld.err, ret_policy);
}

static int load_text(const char *name, const char *text, size_t len, int64_t today, bool kept, struct policy_diags *d,
		     struct policy **ret_policy)
{
	size_t errors = d->errors;
	struct policy *p = new_policy(today, d);
	uint16_t file;
	int err;

	if (!p)
		return -ENOMEM;
	p->kept = kept;
	err = len > FILE_MAX_BYTES ? -EFBIG : add_source(p, name, &file);
	if (!err) {
		p->src[file].text = malloc(len + 1);
		if (!p->src[file].text)
			err = -ENOMEM;
	}
	if (!err) {
		memcpy(p->src[file].text, text, len);
		p->src[file].len = len;
		p->src[file].in_memory = true;
		if (check_text(p, file))
			err = parse_source(p, file, NULL, NULL);
	}
	return finish(p, errors, err, 0, ret_policy);
}

int policy_load_mem(const char *name, const char *text, size_t len, int64_t today, struct policy_diags *d, struct policy **ret_policy)
{
	return load_text(name, text, len, today, false, d, ret_policy);
}

int policy_load_kept(const char *name, const char *text, size_t len, int64_t today, struct policy_diags *d, struct policy **ret_policy)
{
	return load_text(name, text, len, today, true, d, ret_policy);
}

static void free_all(struct policy *p)
{
	struct list *const lists[] = {&p->controllers, &p->trunks, &p->sets, &p->announcements, &p->assessments, &p->nevers, &p->rules};

	for (size_t i = 0; i < p->nsrc; i++) {
		free(p->src[i].name);
		free(p->src[i].text);
	}
	free(p->src);
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		list_free(lists[i]);
	arena_free(&p->arena);
	free(p);
}

void policy_free(struct policy *p)
{
	if (p)
		free_all(p);
}

const char *policy_hash(const struct policy *p)
{
	return p->hash;
}

size_t policy_rules(const struct policy *p)
{
	return p->rules.n;
}

const struct policy_rule *policy_rule(const struct policy *p, size_t i)
{
	return i < p->rules.n ? &p->rule_array[i]->pub : NULL;
}

size_t policy_headers(const struct policy *p, const char *ret_names[POLICY_HEADERS_MAX])
{
	for (size_t i = 0; i < p->nheaders; i++)
		ret_names[i] = p->headers[i];
	return p->nheaders;
}

bool policy_names_vlan(const struct policy *p)
{
	for (const struct obj *o = p->trunks.first; o; o = o->next)
		if (((const struct trunk *)o)->vlan)
			return true;
	return false;
}
