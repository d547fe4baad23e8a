/* SPDX-License-Identifier: BSD-2-Clause */
/* test_sample_log.c - the sampler's records on disk: every value there and back, torn, cut, full disks, tampered with */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "call/sample_internal.h"
#include "call/sample_log_internal.h"

#define DAY (DAY_S * NS_PER_S)
#define D0  (20780 * DAY) /* 23 November 2026 */

static char dir[256], path[512];
static uint64_t rnd_state = 1;

static uint64_t rnd(void)
{
	uint64_t z = rnd_state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static int fresh(void **state)
{
	const char *tmp = getenv("TMP");

	(void)state;
	snprintf(dir, sizeof(dir), "%.200s/optag-slog-XXXXXX", tmp ? tmp : "/tmp");
	return mkdtemp(dir) && sodium_init() >= 0 ? 0 : -1;
}

static int remove_dir(void **state)
{
	char cmd[512];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return system(cmd);
}

static const char *file(int32_t day)
{
	char name[SAMPLE_FILE];

	sample_file_name(day, name);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static off_t size_of(const char *p)
{
	struct stat st;

	return stat(p, &st) ? -1 : st.st_size;
}

static struct buf slurp(const char *p)
{
	struct buf b = { 0 };
	FILE *f = fopen(p, "rb");
	int c;

	assert_non_null(f);
	while ((c = getc(f)) != EOF)
		buf_put8(&b, (uint8_t)c);
	fclose(f);
	return b;
}

static void spill(const char *p, const void *bytes, size_t n)
{
	FILE *f = fopen(p, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

/* ---- records ---- */

static void fill(uint8_t *p, size_t n, int v)
{
	for (size_t i = 0; i < n; i++)
		p[i] = v < 0 ? (uint8_t)rnd() : (uint8_t)v;
}

/* how: 0 the smallest values, 1 the largest, else random ones. */
static uint64_t value(int how, uint64_t min, uint64_t max)
{
	return how == 0 ? min : how == 1 ? max : min + rnd() % (max - min + 1);
}

static void make_count(struct sample_count *c, int how)
{
	for (int k = 0; k < SAMPLE_KINDS; k++) {
		c->key[k] = (int32_t)value(how, 0, 70000000);
		c->used[k] = (uint32_t)value(how, 0, UINT32_MAX);
	}
}

static void make_open(struct sample_open *o, const uint8_t rule[SAMPLE_ID], int how)
{
	static const char *const zones[] = { "UTC", "America/Argentina/ComodRivadavia_1234+-", "Europe/Copenhagen" };
	struct sample_rule *r = &o->set;

	memset(o, 0, sizeof(*o));
	memcpy(r->id, rule, SAMPLE_ID);
	strcpy(r->zone, zones[how > 2 ? 2 : how]);
	r->permille = (int)value(how, 0, 1001) - 1;
	r->ncap = (int)value(how, 0, POLICY_CAPS_MAX);
	for (int i = 0; i < r->ncap; i++) {
		r->cap[i].n = (int)value(how, 0, INT32_MAX);
		r->cap[i].per = (enum policy_cap_per)value(how, 0, SAMPLE_KINDS - 1);
		r->cap[i].of = (enum policy_cap_of)value(how, 0, 2);
	}
	r->first_come = value(how, 0, 1);
	r->use_target_percent = (int)value(how, 1, 100);
	r->throttle_percent = (int)value(how, 1, 1000);
	r->use_floor = (int)value(how, 1, 1000000);
	r->grace = (uint8_t)value(how, 0, SAMPLE_GRACE - 1);
	o->start = value(how, 0, 1);
	o->plan = (uint32_t)value(how, 0, UINT32_MAX);
	make_count(&o->count, how);
	o->day = (int32_t)value(how, 0, 2932896);
	o->since_s = (uint32_t)value(how, 0, DAY_S - 1);
	for (int h = 0; h < 24; h++) {
		o->arrived[h] = (uint32_t)value(how, 0, 1U << 26);
		o->expect[0][h] = (uint32_t)value(how, 0, 1U << 30);
		o->expect[1][h] = (uint32_t)value(how, 0, 1U << 30);
	}
	o->learned[0] = (uint32_t)value(how, 0, UINT32_MAX);
	o->learned[1] = (uint32_t)value(how, 0, UINT32_MAX);
	for (int k = 0; k < SAMPLE_KINDS; k++)
		o->limit[k] = how == 1 && k % 2 ? SAMPLE_NONE : (uint32_t)value(how, 0, INT32_MAX);
	for (int i = 0; i < SAMPLE_RING; i++) {
		o->use[i].day = how ? (int32_t)value(how, 1, 90000) * SAMPLE_RING + i : 0;
		o->use[i].recorded = (uint32_t)value(how, 0, UINT32_MAX);
		o->use[i].used = (uint32_t)value(how, 0, UINT32_MAX);
	}
}

static struct sample_record make(enum sample_kind kind, struct sample_open *o, int how)
{
	struct sample_record r = { .kind = kind };
	int byte = how == 0 ? 0 : how == 1 ? 255 : -1;

	r.seq = value(how, 0, SAMPLE_LOG_NUM_MAX);
	r.time_ns = value(how, 0, UINT64_MAX - 1);
	fill(r.rule, SAMPLE_ID, byte);
	if (kind == SAMPLE_R_OPEN) {
		make_open(o, r.rule, how);
		r.open = o;
		return r;
	}
	if (kind == SAMPLE_R_USE) {
		r.of = value(how, 0, SAMPLE_LOG_NUM_MAX);
		return r;
	}
	fill(r.call, SAMPLE_ID, byte);
	if (kind == SAMPLE_R_RELEASE) {
		r.of = value(how, 0, SAMPLE_LOG_NUM_MAX);
		return r;
	}
	r.day = (int32_t)value(how, 0, 2932896);
	r.draw = (uint32_t)value(how, 0, UINT32_MAX);
	r.threshold = value(how, 0, 1ULL << 32);
	r.arrivals = (uint32_t)value(how, 0, UINT32_MAX);
	make_count(&r.before, how);
	if (how != 3) { /* agent and queue not counted */
		fill(r.agent, SAMPLE_ID, byte);
		fill(r.queue, SAMPLE_ID, byte);
		make_count(&r.agent_before, how);
		make_count(&r.queue_before, how);
	}
	r.why = (enum sample_why)value(how, 1, SAMPLE_WHY_N - 1);
	return r;
}

static void same(const struct sample_record *a, const struct sample_record *b)
{
	struct sample_record x = *a, y = *b;

	assert_int_equal(!x.open, !y.open);
	if (x.open)
		assert_memory_equal(x.open, y.open, sizeof(*x.open));
	assert_int_equal(x.kind, y.kind);
	assert_int_equal(x.seq, y.seq);
	assert_int_equal(x.time_ns, y.time_ns);
	assert_memory_equal(x.rule, y.rule, SAMPLE_ID);
	assert_memory_equal(x.call, y.call, SAMPLE_ID);
	assert_memory_equal(x.agent, y.agent, SAMPLE_ID);
	assert_memory_equal(x.queue, y.queue, SAMPLE_ID);
	assert_int_equal(x.day, y.day);
	assert_int_equal(x.draw, y.draw);
	assert_int_equal(x.threshold, y.threshold);
	assert_int_equal(x.arrivals, y.arrivals);
	assert_memory_equal(&x.before, &y.before, sizeof(x.before));
	assert_memory_equal(&x.agent_before, &y.agent_before, sizeof(x.before));
	assert_memory_equal(&x.queue_before, &y.queue_before, sizeof(x.before));
	assert_int_equal(x.why, y.why);
	assert_int_equal(x.of, y.of);
}

/* ---- lines ---- */

static void there_and_back(void **state)
{
	static struct sample_line l;
	char text[SAMPLE_TEXT];
	size_t longest = 0;

	(void)state;
	for (int how = 0; how < 2000; how++) {
		for (int kind = SAMPLE_R_OPEN; kind <= SAMPLE_R_USE; kind++) {
			struct sample_open o;
			struct sample_record r = make((enum sample_kind)kind, &o, how);
			uint64_t n = value(how, 1, SAMPLE_LOG_NUM_MAX);
			uint8_t prev[SAMPLE_LOG_LINK];
			struct buf b = { 0 };

			fill(prev, sizeof(prev), how == 0 ? 0 : how == 1 ? 255 : -1);
			assert_int_equal(sample_line_format(n, prev, &r, &b), 0);
			longest = b.len > longest ? b.len : longest;
			if (sample_line_parse((char *)b.p, b.len - 1, &l, text))
				fail_msg("%s: %.*s", text, (int)b.len, b.p);
			assert_int_equal(l.n, n);
			assert_memory_equal(l.prev, prev, sizeof(prev));
			same(&r, &l.r);
			buf_free(&b);
		}
	}
	assert_true(longest < 6000);
}

static void refused_records(void **state)
{
	struct sample_open o;
	struct sample_record r = make(SAMPLE_R_OPEN, &o, 2), d = make(SAMPLE_R_DRAW, NULL, 2), x;
	uint8_t prev[SAMPLE_LOG_LINK] = { 0 };
	struct buf b = { 0 };

	(void)state;
	buf_put(&b, "before", 6);
#define REFUSED(rec) assert_int_equal(sample_line_format(1, prev, &(rec), &b), -EINVAL)
	r.open = NULL;
	REFUSED(r);
	r.open = &o;
	r.rule[3] ^= 1;
	REFUSED(r);
	r.rule[3] ^= 1;
	o.set.zone[0] = '"';
	REFUSED(r);
	x = d;
	x.seq = SAMPLE_LOG_NUM_MAX + 1;
	REFUSED(x);
	x = d;
	x.threshold = (1ULL << 32) + 1;
	REFUSED(x);
	x = d;
	x.why = (enum sample_why)0;
	REFUSED(x);
	x = d;
	x.why = SAMPLE_WHY_N;
	REFUSED(x);
	x = d;
	x.agent_before.key[2] = -1;
	REFUSED(x);
	x = d;
	x.day = -1;
	REFUSED(x);
	x = d;
	x.kind = (enum sample_kind)5;
	REFUSED(x);
	assert_int_equal(sample_line_format(0, prev, &d, &b), -EINVAL);
	assert_int_equal(b.len, 6);
	buf_free(&b);
}

/* s with the first `from` replaced. */
static char *edit(const char *s, const char *from, const char *to)
{
	const char *at = strstr(s, from);
	size_t n = strlen(s) + strlen(to) + 1;
	char *out = malloc(n);

	assert_non_null(at);
	assert_non_null(out);
	snprintf(out, n, "%.*s%s%s", (int)(at - s), s, to, at + strlen(from));
	return out;
}

static void refused_lines(void **state)
{
	static const struct {
		enum sample_kind kind;
		const char *from, *to, *says;
	} t[] = {
		{ SAMPLE_R_USE, "}", "", "is not a JSON object" },
		{ SAMPLE_R_USE, "{\"n\"", "{\"more\":1,\"n\"", "has members that no such record has" },
		{ SAMPLE_R_USE, "\"seq\"", "\"sequence\"", "member 'seq' is missing" },
		{ SAMPLE_R_USE, "{\"n\":1,", "{\"n\":1,\"n\":1,", "has a member twice" },
		{ SAMPLE_R_USE, "{\"n\":1,", "{\"n\":1.0,", "'n' is not a number from 1 to" },
		{ SAMPLE_R_USE, "{\"n\":1,", "{\"n\":0,", "'n' is not a number from 1 to" },
		{ SAMPLE_R_USE, "{\"n\":1,", "{\"n\": 1,", "is not as records are written" },
		{ SAMPLE_R_USE, "{\"n\":1,", "{\"n\":99999999999999999999,", "is not a JSON object" },
		{ SAMPLE_R_USE, "\"record\":\"use\"", "\"record\":\"\"", "'record' is an unknown word" },
		{ SAMPLE_R_USE, "\"record\":\"use\"", "\"record\":7", "'record' is not a string" },
		{ SAMPLE_R_USE, "000Z", "000z", "" },
		{ SAMPLE_R_USE, "00:00:00.", "00:00:60.", "is not as records are written" },
		{ SAMPLE_R_USE, "\"rule\":\"00", "\"rule\":\"0", "'rule' is not a hash of 16 bytes" },
		{ SAMPLE_R_USE, "\"rule\":\"00", "\"rule\":\"0g", "'rule' is not a hash of 16 bytes" },
		{ SAMPLE_R_USE, "\"rule\":\"00", "\"rule\":\"0\\u0000", "is not a JSON object" },
		{ SAMPLE_R_RELEASE, "\"of\":0", "\"of\":-1", "'of' is not a number from 0" },
		{ SAMPLE_R_RELEASE, "\"of\":0", "\"of\":9007199254740992", "'of' is not a number from 0" },
		{ SAMPLE_R_DRAW, "\"threshold\":0", "\"threshold\":4294967297", "'threshold' is not a number from 0 to 4294967296" },
		{ SAMPLE_R_DRAW, "\"draw\":0", "\"draw\":4294967296", "'draw' is not a number" },
		{ SAMPLE_R_DRAW, "sample.in", "sample.inn", "'why' is an unknown word" },
		{ SAMPLE_R_DRAW, "[[0,0],", "[[0,0,0],", "'before' is not a list of 2" },
		{ SAMPLE_R_DRAW, "[[0,0],", "[", "'before' is not a list of 4" },
		{ SAMPLE_R_DRAW, "[[0,0],", "[[-1,0],", "'before' is not a number" },
		{ SAMPLE_R_DRAW, ",\"why\"", ",\"agent\":\"00000000000000000000000000000000\",\"why\"", "'agent_before' is missing" },
		{ SAMPLE_R_DRAW, ",\"why\"", ",\"queue_before\":[[0,0],[0,0],[0,0],[0,0]],\"why\"", "has members" },
		{ SAMPLE_R_OPEN, "\"start\":false", "\"start\":0", "'start' is not true or false" },
		{ SAMPLE_R_OPEN, "\"zone\":\"UTC\"", "\"zone\":\"../x y\"", "'zone' is not the name of one" },
		{ SAMPLE_R_OPEN, "\"caps\":[]", "\"caps\":[[1,\"year\",\"rule\"]]", "'caps' is an unknown word" },
		{ SAMPLE_R_OPEN, "\"caps\":[]", "\"caps\":[[1,\"day\",1]]", "'caps' holds what is no cap" },
		{ SAMPLE_R_OPEN, "\"caps\":[]", "\"caps\":[1]", "'caps' is not a list of 3" },
		{ SAMPLE_R_OPEN, "\"caps\":[]", "\"caps\":[1,2,3,4,5,6,7,8,9]", "'caps' is not a list of at most 8" },
		{ SAMPLE_R_OPEN, "\"days\":[[0,", "\"days\":[[32,", "holds values that no record has" },
		{ SAMPLE_R_OPEN, "\"arrived\":[0", "\"arrived\":[67108865", "holds values that no record has" },
	};
	static struct sample_line l;
	char text[SAMPLE_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct sample_open o;
		struct sample_record r = make(t[i].kind, &o, 0);
		uint8_t prev[SAMPLE_LOG_LINK] = { 0 };
		struct buf b = { 0 };
		char *s;

		assert_int_equal(sample_line_format(1, prev, &r, &b), 0);
		b.p[b.len - 1] = 0;
		s = edit((char *)b.p, t[i].from, t[i].to);
		assert_int_equal(sample_line_parse(s, strlen(s), &l, text), -EBADMSG);
		if (!strstr(text, t[i].says))
			fail_msg("%zu: '%s', not '%s'", i, text, t[i].says);
		free(s);
		buf_free(&b);
	}
}

/* ---- files ---- */

static struct sample_log *open_ok(void)
{
	struct sample_log *l;
	char why[256] = "";

	if (sample_log_open(dir, &l, why, sizeof(why)))
		fail_msg("%s", why);
	return l;
}

static void refuses(const char *want)
{
	struct sample_log *l;
	char why[256] = "";

	assert_int_equal(sample_log_open(dir, &l, why, sizeof(why)), -EBADMSG);
	if (!strstr(why, want))
		fail_msg("'%s', not '%s'", why, want);
}

static struct sample_record numbered(uint64_t seq)
{
	struct sample_record r = make(SAMPLE_R_RELEASE, NULL, 0);

	r.seq = seq;
	r.of = seq / 2;
	return r;
}

static void append(struct sample_log *l, uint64_t seq, uint64_t now, uint8_t link[SAMPLE_LOG_LINK])
{
	struct sample_record r = numbered(seq);
	uint8_t drop[SAMPLE_LOG_LINK];

	assert_int_equal(sample_log_append(l, &r, now, link ? link : drop), 0);
}

struct seen {
	uint64_t n, findings, stop;
	uint64_t seq[64];
	uint8_t link[SAMPLE_LOG_LINK];
	char all[4096], file[SAMPLE_FILE];
};

static int on_record(void *arg, const struct sample_record *r, const uint8_t link[SAMPLE_LOG_LINK], const char *name,
		     uint64_t line)
{
	struct seen *s = arg;

	assert_true(line > 0);
	if (s->n < 64)
		s->seq[s->n] = r->seq;
	s->n++;
	memcpy(s->link, link, SAMPLE_LOG_LINK);
	snprintf(s->file, sizeof(s->file), "%s", name);
	return s->stop && s->n == s->stop ? 7 : 0;
}

static void on_finding(void *arg, const char *name, uint64_t line, const char *text)
{
	struct seen *s = arg;
	size_t n = strlen(s->all);

	s->findings++;
	snprintf(s->all + n, sizeof(s->all) - n, "%s:%llu: %s\n", name, (unsigned long long)line, text);
}

static struct seen look_days(int32_t from, int32_t to)
{
	struct seen s = { 0 };
	char why[256] = "";

	if (sample_log_read(dir, from, to, on_record, on_finding, &s, why, sizeof(why)))
		fail_msg("%s", why);
	return s;
}

static struct seen look(void)
{
	return look_days(0, 0);
}

static void whole(uint64_t n)
{
	struct seen s = look();

	if (s.findings)
		fail_msg("%s", s.all);
	assert_int_equal(s.n, n);
	for (uint64_t i = 0; i < n && i < 64; i++)
		assert_int_equal(s.seq[i], i + 1);
}

/* Lines 1..n, the days as they come; flushed and closed. */
static void write_days(const unsigned *lines, unsigned days)
{
	struct sample_log *l = open_ok();
	uint64_t seq = 0;

	for (unsigned d = 0; d < days; d++)
		for (unsigned i = 0; i < lines[d]; i++)
			append(l, ++seq, D0 + d * DAY + i * NS_PER_S, NULL);
	assert_int_equal(sample_log_flush(l), 0);
	assert_int_equal(sample_log_waiting(l), 0);
	sample_log_close(l);
}

static void days_and_links(void **state)
{
	struct sample_log *l, *other;
	uint8_t link[SAMPLE_LOG_LINK], want[SAMPLE_LOG_LINK] = { 0 };
	char why[256], *text;
	struct stat st;
	struct seen s;
	struct buf b;

	(void)state;
	assert_int_equal(sample_log_read(dir, 0, 0, NULL, NULL, NULL, why, sizeof(why)), -ENOENT);
	l = open_ok();
	whole(0);
	assert_int_equal(sample_log_open(dir, &other, why, sizeof(why)), -EBUSY);
	append(l, 1, D0, NULL);
	append(l, 2, D0 + 5, NULL);
	assert_true(sample_log_waiting(l) > 0);
	whole(0); /* nothing before the flush */
	assert_int_equal(sample_log_flush(l), 0);
	assert_int_equal(sample_log_flush(l), 0);
	whole(2);
	append(l, 3, D0 + 2 * DAY, NULL);
	append(l, 4, D0 + DAY, link); /* a clock that went back */
	assert_int_equal(sample_log_flush(l), 0);
	sample_log_close(l);
	whole(4);
	s = look_days(20782, 0);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.findings, 0); /* from there on the link to the file before is checked as well */
	assert_string_equal(s.file, "sampling/2026-11-25.jsonl");
	assert_memory_equal(s.link, link, sizeof(link));
	s = look_days(0, 20781);
	assert_int_equal(s.n, 2);
	l = open_ok();
	append(l, 5, D0, NULL); /* goes to the newest, and its day never goes back */
	assert_int_equal(sample_log_flush(l), 0);
	sample_log_close(l);
	whole(5);
	/* as anybody can check it */
	b = slurp(file(20780));
	text = (char *)b.p;
	assert_int_equal(strncmp(text, "{\"n\":1,\"prev\":\"0000000000", 25), 0);
	(void)crypto_generichash(want, 32, b.p, (size_t)(strchr(text, '\n') - text), NULL, 0);
	text = strchr(text, '\n') + 1;
	for (int i = 0; i < 32; i++) {
		char hex[3];

		snprintf(hex, sizeof(hex), "%02x", want[i]);
		assert_int_equal(strncmp(text + strlen("{\"n\":2,\"prev\":\"") + 2 * i, hex, 2), 0);
	}
	buf_free(&b);
	assert_int_equal(stat(file(20780), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	snprintf(path, sizeof(path), "%s/sampling", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	s = (struct seen){ .stop = 2 };
	assert_int_equal(sample_log_read(dir, 0, 0, on_record, NULL, &s, why, sizeof(why)), 7);
}

static void torn(void **state)
{
	struct sample_log *l;
	struct buf b;
	size_t last;

	(void)state;
	write_days((unsigned[]){ 2, 3 }, 2);
	b = slurp(file(20781));
	last = (size_t)((uint8_t *)memrchr(b.p, '\n', b.len - 1) - b.p) + 1;
	for (size_t n = 0; n < b.len; n++) {
		uint64_t lines = 2;

		spill(file(20781), b.p, n);
		for (size_t i = 0; i < n; i++)
			lines += b.p[i] == '\n';
		whole(lines);
		l = open_ok();
		append(l, lines + 1, D0 + DAY, NULL);
		assert_int_equal(sample_log_flush(l), 0);
		sample_log_close(l);
		whole(lines + 1);
		l = open_ok();
		sample_log_close(l);
	}
	/* blocks that never reached the disk, before others that did */
	for (size_t n = last; n < b.len - 1; n++) {
		struct buf z = { 0 };

		buf_put(&z, b.p, n);
		buf_put8(&z, 0);
		buf_put(&z, b.p + n + 1, b.len - n - 1);
		buf_put(&z, b.p, b.len);
		spill(file(20781), z.p, z.len);
		whole(4);
		l = open_ok();
		sample_log_close(l);
		assert_int_equal(size_of(file(20781)), last);
		buf_free(&z);
	}
	buf_free(&b);
}

/* A file that was made and never written; then later days come. */
static void empty_files(void **state)
{
	struct sample_log *l;

	(void)state;
	write_days((unsigned[]){ 2 }, 1);
	spill(file(20781), "", 0);
	l = open_ok();
	append(l, 3, D0 + 2 * DAY, NULL);
	assert_int_equal(sample_log_flush(l), 0);
	sample_log_close(l);
	whole(3);
	l = open_ok();
	append(l, 4, D0 + 2 * DAY, NULL);
	assert_int_equal(sample_log_flush(l), 0);
	sample_log_close(l);
	whole(4);
	assert_int_equal(look_days(20782, 0).findings, 0);
}

static void limit_files(rlim_t n)
{
	struct rlimit r;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &r), 0);
	r.rlim_cur = n;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &r), 0);
}

/* Writing fails at every byte: nothing half written stays, and all comes with the next flush, or with none after a kill. */
static void full_disk(void **state)
{
	struct sample_log *l;
	off_t one, have;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	write_days((unsigned[]){ 1 }, 1);
	one = size_of(file(20780));
	for (off_t room = 0; room < 3 * one; room++) {
		l = open_ok();
		have = size_of(file(20780));
		assert_int_equal(have, one);
		append(l, 2, D0, NULL);
		append(l, 3, D0 + DAY, NULL);
		append(l, 4, D0 + DAY, NULL);
		append(l, 5, D0 + DAY, NULL);
		limit_files((rlim_t)room);
		assert_int_equal(sample_log_flush(l), -EFBIG);
		assert_true(sample_log_waiting(l) > 0);
		limit_files(RLIM_INFINITY);
		whole(room < 2 * one ? 1 : 2);
		assert_int_equal(size_of(file(20780)), room < 2 * one ? one : 2 * one);
		assert_true(size_of(file(20781)) <= 0);
		if (room % 2) {
			append(l, 6, D0 + 2 * DAY, NULL);
			assert_int_equal(sample_log_flush(l), 0);
			assert_int_equal(sample_log_waiting(l), 0);
			whole(6);
		}
		sample_log_close(l);
		l = open_ok();
		sample_log_close(l);
		if (room % 2)
			whole(6);
		unlink(file(20781));
		unlink(file(20782));
		assert_int_equal(truncate(file(20780), one), 0);
	}
}

/* One line of the file by its number, tampered with. */
struct text {
	struct buf line[16];
	size_t n;
};

static struct text lines_of(const char *p)
{
	struct text t = { .n = 0 };
	struct buf b = slurp(p);

	for (size_t i = 0; i < b.len; i++) {
		buf_put8(&t.line[t.n], b.p[i]);
		t.n += b.p[i] == '\n';
	}
	buf_free(&b);
	return t;
}

static void lines_to(const char *p, struct text *t)
{
	struct buf b = { 0 };

	for (size_t i = 0; i < t->n; i++) {
		buf_put(&b, t->line[i].p, t->line[i].len);
		buf_free(&t->line[i]);
	}
	spill(p, b.p, b.len);
	buf_free(&b);
}

static void finds(const char *want, uint64_t records)
{
	struct seen s = look();

	if (s.findings != 1 || !strstr(s.all, want))
		fail_msg("%llu findings: %s, not %s", (unsigned long long)s.findings, s.all, want);
	assert_int_equal(s.n, records);
}

static void tampered(void **state)
{
	struct text t;
	struct buf b, keep;

	(void)state;
	write_days((unsigned[]){ 6, 4 }, 2);
	keep = slurp(file(20780));
#define AGAIN spill(file(20780), keep.p, keep.len)
	t = lines_of(file(20780));
	*strstr((char *)t.line[2].p, "\"of\":1") = '\''; /* one byte */
	lines_to(file(20780), &t);
	finds("sampling/2026-11-23.jsonl:3: is not a JSON object", 9);
	AGAIN;
	t = lines_of(file(20780));
	strstr((char *)t.line[2].p, "\"of\":1")[5] = '3';
	lines_to(file(20780), &t);
	finds("sampling/2026-11-23.jsonl:3: changed: the next line does not follow from it", 10);
	AGAIN;
	t = lines_of(file(20780));
	strstr((char *)t.line[5].p, "\"of\":3")[5] = '4';
	lines_to(file(20780), &t);
	finds("sampling/2026-11-24.jsonl:1: does not follow from the last line of the file before", 10);
	refuses("sampling/2026-11-24.jsonl:1: does not follow from the line before");
	AGAIN;
	t = lines_of(file(20780));
	t.line[3].len = 0;
	lines_to(file(20780), &t);
	finds("sampling/2026-11-23.jsonl:4: line number 4 is missing before this one", 9);
	AGAIN;
	t = lines_of(file(20780));
	t.line[3].len = t.line[4].len = 0;
	lines_to(file(20780), &t);
	finds("sampling/2026-11-23.jsonl:4: lines number 4 to 5 are missing before this one", 8);
	AGAIN;
	t = lines_of(file(20780));
	b = t.line[3];
	t.line[3] = (struct buf){ 0 };
	buf_put(&t.line[3], b.p, b.len);
	buf_put(&t.line[3], b.p, b.len);
	buf_free(&b);
	lines_to(file(20780), &t);
	finds("sampling/2026-11-23.jsonl:5: number 4 stands behind number 4: copied or moved", 11);
	AGAIN;
	/* half a line is legal at the end of the newest file only */
	spill(file(20780), keep.p, keep.len - 1);
	finds("sampling/2026-11-23.jsonl:6: is not a whole line", 9);
	refuses("sampling/2026-11-23.jsonl: does not end with a record");
	AGAIN;
	/* a line as long as a line may not be, and what comes after it is found */
	t = lines_of(file(20780));
	b = t.line[2];
	t.line[2] = (struct buf){ 0 };
	for (size_t i = 0; i < 3 * SAMPLE_LINE_MAX + 5; i++)
		buf_put8(&t.line[2], 'x');
	buf_put8(&t.line[2], '\n');
	buf_free(&b);
	lines_to(file(20780), &t);
	finds("sampling/2026-11-23.jsonl:3: is longer than a line may be", 9);
	AGAIN;
	assert_int_equal(unlink(file(20780)), 0);
	finds("sampling/2026-11-24.jsonl:1: lines number 1 to 6 are missing before this one", 4);
	refuses("sampling/2026-11-24.jsonl:1: does not follow");
	assert_int_equal(symlink("/etc/passwd", file(20780)), 0);
	finds("sampling/2026-11-23.jsonl:0: cannot be read", 4);
	assert_int_equal(unlink(file(20780)), 0);
	AGAIN;
	/* the newest file's last line: nothing follows from it */
	b = slurp(file(20781));
	t = lines_of(file(20781));
	strstr((char *)t.line[3].p, "\"record\"")[1] = 'R';
	lines_to(file(20781), &t);
	finds("sampling/2026-11-24.jsonl:4: member 'record' is missing", 9);
	refuses("sampling/2026-11-24.jsonl:4: member 'record' is missing");
	assert_int_equal(size_of(file(20781)), b.len);
	spill(file(20781), b.p, b.len);
	whole(10);
	buf_free(&b);
	buf_free(&keep);
}

/* What else lies there is left alone, and no store is no store. */
static void strangers(void **state)
{
	struct sample_log *l;
	char why[256];

	(void)state;
	write_days((unsigned[]){ 1 }, 1);
	snprintf(path, sizeof(path), "%s/sampling/2026-02-31.jsonl", dir);
	spill(path, "x", 1);
	snprintf(path, sizeof(path), "%s/sampling/state", dir);
	spill(path, "x", 1);
	whole(1);
	l = open_ok();
	sample_log_close(l);
	sample_log_close(NULL);
	assert_int_equal(sample_log_open("/nowhere/at/all", &l, why, sizeof(why)), -ENOENT);
	assert_int_equal(sample_log_read("/nowhere/at/all", 0, 0, NULL, NULL, NULL, why, sizeof(why)), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(refused_records),
		cmocka_unit_test(refused_lines),
		cmocka_unit_test_setup_teardown(days_and_links, fresh, remove_dir),
		cmocka_unit_test_setup_teardown(torn, fresh, remove_dir),
		cmocka_unit_test_setup_teardown(empty_files, fresh, remove_dir),
		cmocka_unit_test_setup_teardown(full_disk, fresh, remove_dir),
		cmocka_unit_test_setup_teardown(tampered, fresh, remove_dir),
		cmocka_unit_test_setup_teardown(strangers, fresh, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
