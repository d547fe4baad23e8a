/* SPDX-License-Identifier: BSD-2-Clause */
/* test_store.c - a store from the outside: write, find, read, keys, purposes, two writers */
#include "store_util.h"

#include "base/ipaddr.h"

static void test_round_trip(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct store_fsck_report rep;
	struct store_figures fig;

	(void)state;
	for (unsigned i = 0; i < 12; i++)
		write_call(st, i, 5);
	ok(st, store_sync(st));
	store_figures(st, &fig);
	assert_int_equal(fig.calls, 12);
	assert_int_equal(fig.chunks, 120);
	assert_int_equal(fig.payload_bytes, 120 * 16000);
	assert_int_equal(fig.segments, 1);
	/* beside the writer, from a segment that is still open */
	struct store *ro = open_store(STORE_RO);

	for (unsigned i = 0; i < 12; i++)
		assert_int_equal(read_call(ro, i, 5), 0);
	store_close(ro);
	fsck_clean(&rep);
	store_close(st);
	st = open_store(STORE_RO);
	for (unsigned i = 0; i < 12; i++)
		assert_int_equal(read_call(st, i, 5), 0);
	store_close(st);
	fsck_clean(&rep);
	assert_int_equal(rep.rows, 12);
	assert_int_equal(rep.calls, 12);
	assert_int_equal(rep.chunks, 120);
	assert_int_equal(rep.slots, 12);
	assert_int_equal(rep.buckets, 1);
	assert_int_equal(rep.orphan_chunks, 0);
	assert_int_equal(rep.interrupted, 0);
}

/* Everything a chunk may hold, at its bounds. */
static void odd_chunk(struct chunk *c, unsigned n)
{
	static const char *const names[] = { "PCMU", "PCMA", "G722", "opus", "", "L16" };

	c->ssrc = rnd();
	c->stream = rnd() % 3 ? n : rnd();
	c->format = (struct media_format){ .clock = n % 5 ? 8000 : rnd(), .channels = (uint8_t)rnd(),
					   .pt = (uint8_t)rnd() };
	snprintf(c->format.name, 16, "%s", names[n % 6]);
	memset(c->format.fmtp, 'x', n % 128);
	c->npkt = n % 7 == 0 ? CHUNK_MAX_PACKETS : n % 7 == 1 ? 1 : 1 + rnd() % 300;
	c->nbytes = 0;
	for (uint32_t i = 0; i < c->npkt; i++) {
		uint32_t room = CHUNK_MAX_BYTES - c->nbytes, len = n % 3 ? rnd() % 200 : rnd() % 3000;
		struct chunk_pkt *p = &c->pkt[i];

		len = len > room ? room : len;
		p->arrival_ns = n % 4 ? T0 + i * 20000000ULL + rnd() % 9000000 : T0 + (uint64_t)rnd() * rnd() % (1ULL << 40);
		p->seq = n % 4 ? (int64_t)(i * 3) - 5 : (int64_t)((uint64_t)rnd() << 27) - (1LL << 58);
		p->ts = n % 4 ? i * 160 : rnd();
		p->off = c->nbytes;
		p->len = (uint16_t)len;
		p->flags = (uint8_t)(rnd() & 3);
		p->pt = (uint8_t)(n % 2 ? 13 : rnd());
		c->nbytes += len;
	}
	fill(c->data, c->nbytes, (enum kind)(n % K_KINDS), n);
}

static void test_odd_chunks(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct chunk *c = chunk_new();
	struct store_call_meta m;
	struct store_call_result r;
	struct store_reader *rd;
	const struct chunk *got;
	struct store_call *sc;
	unsigned leg;

	(void)state;
	meta_of(1, &m);
	result_of(1, &r);
	ok(st, store_call_begin(st, &m, &sc));
	rng_state = 4711;
	for (unsigned n = 0; n < 200; n++) {
		odd_chunk(c, n);
		ok(st, store_call_append(sc, n & 1, c));
	}
	/* payloads out of order and with gaps in data[] */
	chunk_stream(c, "PCMA", 8, K_SPEECH, 0, 3, 160);
	c->pkt[0].off = 320, c->pkt[2].off = 0, c->pkt[1].len = 10;
	ok(st, store_call_append(sc, 0, c));
	ok(st, store_call_end(sc, &r));
	ok(st, store_sync(st));
	ok(st, store_read_open(st, &m.uid, STORE_DOCUMENTATION, keys_dir, &rd));
	rng_state = 4711;
	for (unsigned n = 0; n < 200; n++) {
		memset(c->data, 0, CHUNK_MAX_BYTES);
		odd_chunk(c, n);
		assert_int_equal(store_read_next(rd, &leg, &got), 1);
		assert_int_equal(leg, n & 1);
		assert_chunk(got, c);
	}
	chunk_stream(c, "PCMA", 8, K_SPEECH, 0, 3, 160);
	c->pkt[0].off = 320, c->pkt[2].off = 0, c->pkt[1].len = 10;
	assert_int_equal(store_read_next(rd, &leg, &got), 1);
	assert_chunk(got, c);
	assert_int_equal(store_read_next(rd, &leg, &got), 0);
	store_read_close(rd);
	store_close(st);
	chunk_free(c);
	fsck_clean(NULL);
}

static void test_bad_chunks(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct chunk *c = chunk_new();
	struct store_call_meta m;
	struct store_call *sc;

	(void)state;
	meta_of(1, &m);
	ok(st, store_call_begin(st, &m, &sc));
	chunk_stream(c, "PCMA", 8, K_SPEECH, 0, 3, 160);
	c->npkt = 0;
	assert_int_equal(store_call_append(sc, 0, c), -EINVAL);
	c->npkt = CHUNK_MAX_PACKETS + 1;
	assert_int_equal(store_call_append(sc, 0, c), -EINVAL);
	c->npkt = 3;
	assert_int_equal(store_call_append(sc, 2, c), -EINVAL);
	c->pkt[1].off = c->nbytes - 1;
	assert_int_equal(store_call_append(sc, 0, c), -EINVAL);
	c->pkt[1].off = UINT32_MAX;
	assert_int_equal(store_call_append(sc, 0, c), -EINVAL);
	c->pkt[1].off = 0;
	c->pkt[1].seq = INT64_MAX;
	assert_int_equal(store_call_append(sc, 0, c), -EINVAL);
	c->pkt[1].seq = 5;
	ok(st, store_call_append(sc, 0, c)); /* a refused chunk spoils nothing */
	store_call_abort(sc);
	ok(st, store_sync(st));
	store_close(st);
	chunk_free(c);
}

/* ---- finding ---- */

struct list {
	unsigned n;
	struct uid uid[64];
	struct store_row last;
	char rule[64], caller[64], agent[64], gap[64], reason[64];
};

static int on_row(void *arg, const struct store_row *row)
{
	struct list *l = arg;

	l->uid[l->n++ % 64] = row->uid;
	l->last = *row;
	snprintf(l->rule, sizeof(l->rule), "%s", row->rule);
	snprintf(l->agent, sizeof(l->agent), "%s", row->agent ? row->agent : "-");
	snprintf(l->reason, sizeof(l->reason), "%s", row->reason[0]);
	return 0;
}

static unsigned find(struct store *st, struct store_filter f, struct list *l)
{
	*l = (struct list){ 0 };
	ok(st, store_find(st, &f, on_row, l));
	return l->n;
}

static int stop_at_two(void *arg, const struct store_row *row)
{
	(void)row;
	return ++*(int *)arg == 2 ? 42 : 0;
}

static void test_find(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct store_filter any = { .state = -1 }, f;
	struct store_call_meta m;
	struct store_call_result r;
	struct list l;
	int count = 0;

	(void)state;
	assert_int_equal(find(st, any, &l), 0);
	/* several controllers and days, not in order of start */
	for (unsigned i = 0; i < 20; i++) {
		unsigned k = i * 7 % 20;
		struct store_call *sc;

		meta_of(k, &m);
		result_of(k, &r);
		m.controller = k % 3 ? "acme" : "other.dk";
		m.until_ns[0] += k % 4 * 86400 * NS_PER_S;
		if (k == 5) {
			r.outcome = STORE_O_DENIED;
			r.state[0] = STORE_S_DENIED;
			r.reason[0] = "objection";
			m.commit[0] = false;
			ok(st, store_call_denied(st, &m, &r));
			continue;
		}
		ok(st, store_call_begin(st, &m, &sc));
		ok(st, store_call_end(sc, &r));
	}
	meta_of(3, &m);
	assert_int_equal(store_call_known(st, &m.uid, "other.dk"), 1);
	assert_int_equal(store_call_known(st, &m.uid, "acme"), 0);
	ok(st, store_sync(st));
	assert_int_equal(find(st, any, &l), 20);
	for (unsigned i = 0; i < 20; i++) {
		meta_of(i, &m);
		assert_true(uid_equal(&l.uid[i], &m.uid));
	}
	assert_int_equal(l.last.leg[0].packets, 119);
	assert_string_equal(l.last.leg[0].format.name, "PCMA");
	assert_string_equal(l.agent, "agent-7");
	assert_true(l.last.answer_ns == T0 + 19 * NS_PER_S + 5);

	assert_int_equal(store_find(st, &any, stop_at_two, &count), 42);
	f = any, f.number = "+45 20 00.00-07";
	assert_int_equal(find(st, f, &l), 1);
	assert_true(l.last.start_ns == T0 + 7 * NS_PER_S);
	f.number = "004520000007";
	assert_int_equal(find(st, f, &l), 1);
	/* a row is asked whose it is, and by which side; what it has not got is told apart from another number */
	assert_int_equal(store_row_is(st, &l.last, 0, "+4520000007"), 1);
	assert_int_equal(store_row_is(st, &l.last, 0, "+4520000008"), 0);
	assert_int_equal(store_row_is(st, &l.last, 1, "+4520000007"), 0);
	assert_int_equal(store_row_is(st, &l.last, 1, "+4570000000"), 1);
	l.last.has_number[0] = false;
	assert_int_equal(store_row_is(st, &l.last, 0, "+4520000007"), -ENODATA);
	f.number = "+4570000000";
	assert_int_equal(find(st, f, &l), 20);
	f.number = "+45200000";
	assert_int_equal(find(st, f, &l), 0);
	f = any, f.since_ns = T0 + 4 * NS_PER_S, f.until_ns = T0 + 6 * NS_PER_S;
	assert_int_equal(find(st, f, &l), 2);
	assert_int_equal(l.last.outcome, STORE_O_DENIED);
	assert_string_equal(l.agent, "-"); /* nothing readable of a denied call */
	assert_string_equal(l.reason, "objection");
	f = any, f.controller = "other.dk";
	assert_int_equal(find(st, f, &l), 7);
	f = any, f.state = STORE_S_DENIED;
	assert_int_equal(find(st, f, &l), 1);
	f = any, f.rule = "nothing";
	assert_int_equal(find(st, f, &l), 0);
	f = any, f.sip_call_id = "call-9@host";
	assert_int_equal(find(st, f, &l), 1);
	f = any, f.uid = &m.uid;
	assert_int_equal(find(st, f, &l), 1);
	store_close(st);
	fsck_clean(NULL);
}

/* ---- purposes and keys ---- */

static int try_read(struct store *st, const struct store_call_meta *m, enum store_purpose p, const char *keys)
{
	struct store_reader *r;
	int rc = store_read_open(st, &m->uid, p, keys, &r);

	if (!rc) {
		const struct chunk *c;
		unsigned leg;

		rc = store_read_next(r, &leg, &c) == 1 ? 0 : -EPIPE;
		store_read_close(r);
	}
	return rc;
}

static struct store_call *begin_one(struct store *st, unsigned i, struct store_call_meta *m, bool training)
{
	struct chunk *c = chunk_new();
	struct store_call *sc;

	meta_of(i, m);
	m->until_ns[1] = m->start_ns + 30 * 86400 * NS_PER_S;
	m->commit[1] = training;
	ok(st, store_call_begin(st, m, &sc));
	chunk_of(c, i, 0, 0);
	ok(st, store_call_append(sc, 0, c));
	chunk_free(c);
	return sc;
}

static void test_purposes(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct store_call_meta m[7];
	struct store_call_result r;
	struct store_call *sc;

	(void)state;
	/* 0: documentation only at hand, training granted late */
	sc = begin_one(st, 0, &m[0], false);
	result_of(0, &r);
	ok(st, store_call_commit(sc, STORE_TRAINING));
	r.state[1] = STORE_S_GRANTED;
	ok(st, store_call_end(sc, &r));
	/* 1: training dropped during the call */
	sc = begin_one(st, 1, &m[1], true);
	ok(st, store_call_drop(sc, STORE_TRAINING));
	r.state[1] = STORE_S_OPTED_OUT;
	ok(st, store_call_end(sc, &r));
	/* 2: training still wrapped, but the result says denied: the wrap goes */
	sc = begin_one(st, 2, &m[2], true);
	r.state[1] = STORE_S_DENIED;
	ok(st, store_call_end(sc, &r));
	/* 3: granted without a wrap is refused */
	sc = begin_one(st, 3, &m[3], false);
	r.state[1] = STORE_S_GRANTED;
	assert_int_equal(store_call_end(sc, &r), -EINVAL);
	/* 4: restricted */
	sc = begin_one(st, 4, &m[4], false);
	r.state[0] = STORE_S_OBJECTED;
	r.state[1] = STORE_S_NONE;
	ok(st, store_call_end(sc, &r));
	/* 5: aborted */
	sc = begin_one(st, 5, &m[5], false);
	store_call_abort(sc);
	/* 6: its deadline comes nearer, never later; another day's key holds it then */
	sc = begin_one(st, 6, &m[6], false);
	ok(st, store_call_shorten(sc, STORE_DOCUMENTATION, m[6].until_ns[0] - 40 * 86400 * NS_PER_S));
	ok(st, store_call_shorten(sc, STORE_DOCUMENTATION, m[6].until_ns[0] - 30 * 86400 * NS_PER_S));
	ok(st, store_call_shorten(sc, STORE_DOCUMENTATION, 0));
	r.state[0] = STORE_S_GRANTED;
	ok(st, store_call_end(sc, &r));
	ok(st, store_sync(st));
	{
		struct store_filter f = { .uid = &m[6].uid };
		struct list l = { 0 };

		assert_int_equal(find(st, f, &l), 1);
		assert_true(l.last.until_ns[0] == m[6].until_ns[0] - 40 * 86400 * NS_PER_S);
	}
	ok(st, try_read(st, &m[6], STORE_DOCUMENTATION, keys_dir));

	ok(st, try_read(st, &m[0], STORE_DOCUMENTATION, keys_dir));
	ok(st, try_read(st, &m[0], STORE_TRAINING, keys_dir));
	ok(st, try_read(st, &m[1], STORE_DOCUMENTATION, keys_dir));
	assert_int_equal(try_read(st, &m[1], STORE_TRAINING, keys_dir), -EACCES);
	assert_non_null(strstr(store_why(st), "OPTED_OUT"));
	assert_int_equal(try_read(st, &m[2], STORE_TRAINING, keys_dir), -EACCES);
	assert_int_equal(try_read(st, &m[3], STORE_DOCUMENTATION, keys_dir), -ENOENT);
	assert_int_equal(try_read(st, &m[4], STORE_DOCUMENTATION, keys_dir), -EACCES);
	assert_non_null(strstr(store_why(st), "OBJECTED"));
	assert_int_equal(try_read(st, &m[5], STORE_DOCUMENTATION, keys_dir), -ENOENT);
	store_close(st);

	struct store_fsck_report rep;

	fsck_clean(&rep);
	assert_int_equal(rep.slots, 6); /* 0: two, 1, 2, 4 and 6: one each; no key of 3 and 5 is left */
	assert_int_equal(rep.orphan_chunks, 2);
	assert_int_equal(rep.interrupted, 0);
}

static void test_keys(void **state)
{
	struct store *st = open_store(STORE_RW);
	char other[300], other_store[300], why[512] = "";
	struct store_call_meta m;

	(void)state;
	meta_of(1, &m);
	write_call(st, 1, 1);
	ok(st, store_sync(st));
	ok(st, try_read(st, &m, STORE_DOCUMENTATION, keys_dir));
	/* none, another one, one that others may read, the wrong purpose's */
	assert_int_equal(try_read(st, &m, STORE_DOCUMENTATION, base_dir), -ENOKEY);
	snprintf(other, sizeof(other), "%s/other-keys", base_dir);
	snprintf(other_store, sizeof(other_store), "%s/other-store", base_dir);
	assert_int_equal(store_create(other_store, other, NULL, NULL, why, sizeof(why)), 0);
	assert_int_equal(try_read(st, &m, STORE_DOCUMENTATION, other), -EKEYREJECTED);
	assert_non_null(strstr(store_why(st), "documentation.key"));
	shell("cp %s/training.key %s/documentation.key", keys_dir, other);
	assert_int_equal(try_read(st, &m, STORE_DOCUMENTATION, other), -EKEYREJECTED);
	shell("echo garbage > %s/documentation.key", other);
	assert_int_equal(try_read(st, &m, STORE_DOCUMENTATION, other), -EKEYREJECTED);
	shell("chmod 640 %s/documentation.key", keys_dir);
	assert_int_equal(try_read(st, &m, STORE_DOCUMENTATION, keys_dir), -EPERM);
	shell("chmod 600 %s/documentation.key", keys_dir);
	ok(st, try_read(st, &m, STORE_DOCUMENTATION, keys_dir));
	store_close(st);
}

/* As FORMAT.md section 3 says: state 2, key zero, CRC. Here the crude way: any change kills it. */
static void test_bucket_gone(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct store_call_meta m;
	struct finding f;

	(void)state;
	meta_of(1, &m);
	write_call(st, 1, 1);
	ok(st, store_sync(st));
	store_close(st);
	st = open_store(STORE_RO);
	shell("mv %s/keys/acme/documentation/*.bucket %s/bucket", store_dir, base_dir);
	assert_int_equal(try_read(st, &m, STORE_DOCUMENTATION, keys_dir), -ESHUTDOWN);
	assert_int_equal(fsck(&f, NULL), 1);
	assert_string_equal(f.rule, "K-6");
	/* another bucket key of the same day does not open the wrap */
	shell("cp %s/bucket %s/keys/acme/documentation/$(basename $(ls %s/keys/acme/documentation/*.slots) .slots).bucket",
	      base_dir, store_dir, store_dir);
	ok(st, try_read(st, &m, STORE_DOCUMENTATION, keys_dir));
	shell("b=$(ls %s/keys/acme/documentation/*.bucket); printf X | dd of=$b bs=1 seek=50 conv=notrunc 2>/dev/null",
	      store_dir);
	assert_int_equal(try_read(st, &m, STORE_DOCUMENTATION, keys_dir), -EBADMSG);
	assert_int_equal(fsck(&f, NULL), 1);
	assert_string_equal(f.rule, "K-1");
	store_close(st);
}

static void test_controller_keys(void **state)
{
	struct store_call_meta m;
	struct store_call_result r;
	struct store_call *sc;
	char why[512] = "";
	struct store *st;
	struct chunk *c = chunk_new();

	(void)state;
	assert_int_equal(store_create(store_dir, keys_dir, NULL, "acme", why, sizeof(why)), 0);
	assert_int_equal(store_create(store_dir, keys_dir, NULL, "acme", why, sizeof(why)), -EEXIST);
	assert_int_equal(store_create(store_dir, keys_dir, NULL, "../x", why, sizeof(why)), -EINVAL);
	st = open_store(STORE_RW);
	chunk_of(c, 0, 0, 0);
	for (int i = 0; i < 2; i++) {
		meta_of((unsigned)i, &m);
		result_of((unsigned)i, &r);
		m.controller = i ? "other" : "acme";
		ok(st, store_call_begin(st, &m, &sc));
		ok(st, store_call_append(sc, 0, c));
		ok(st, store_call_end(sc, &r));
	}
	ok(st, store_sync(st));
	for (int i = 0; i < 2; i++) {
		meta_of((unsigned)i, &m);
		ok(st, try_read(st, &m, STORE_DOCUMENTATION, keys_dir));
	}
	/* without the controller's own key only the other's calls open */
	shell("rm -r %s/acme", keys_dir);
	ok(st, try_read(st, &m, STORE_DOCUMENTATION, keys_dir));
	meta_of(0, &m);
	assert_int_equal(try_read(st, &m, STORE_DOCUMENTATION, keys_dir), -EKEYREJECTED);
	store_close(st);
	chunk_free(c);
	fsck_clean(NULL);
}

static void test_numbers(void **state)
{
	struct store *st = open_store(STORE_RW);
	const char *caller, *callee;
	struct store_call_meta m;
	struct store_reader *r;

	(void)state;
	write_call(st, 3, 1);
	ok(st, store_sync(st));
	meta_of(3, &m);
	ok(st, store_read_open(st, &m.uid, STORE_DOCUMENTATION, keys_dir, &r));
	ok(st, store_read_numbers(r, &caller, &callee));
	assert_string_equal(caller, "+4520000003");
	assert_string_equal(callee, "+4570000000");
	store_read_close(r);
	store_close(st);
	/* and nowhere in clear */
	shell("! grep -rqaF -e 4520000003 -e 4570000000 -e 20000003 %s", store_dir);
}

struct facts_seen {
	struct store *st;
	const char *want;
	unsigned n;
};

static int facts_row(void *arg, const struct store_row *row)
{
	struct facts_seen *f = arg;
	struct store_reader *r;
	const void *p = NULL;
	size_t len = 0;
	int rc;

	ok(f->st, store_read_row(f->st, row, STORE_DOCUMENTATION, keys_dir, &r));
	rc = store_read_facts(r, &p, &len);
	if (f->want && strlen(f->want) <= STORE_FACTS_MAX) {
		ok(f->st, rc);
		assert_int_equal(len, strlen(f->want));
		assert_memory_equal(p, f->want, len);
	} else {
		assert_int_equal(rc, -ENODATA);
	}
	store_read_close(r);
	f->n++;
	return 0;
}

/* What the policy was asked lies sealed beside the numbers, is read back from the row at hand, and
 * goes with the key. */
static void test_facts(void **state)
{
	static char longest[STORE_FACTS_MAX + 2];
	struct store_filter f = {.state = -1};
	const char *const facts[] = {"asked by +4520000007", NULL, longest, longest + 1};

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	for (unsigned i = 0; i < 4; i++) {
		struct store *st = open_store(STORE_RW);
		struct facts_seen seen = {st, facts[i], 0};
		struct chunk *c = chunk_new();
		struct store_call_meta m;
		struct store_call_result r;
		struct store_reader *rd;
		struct store_call *sc;

		meta_of(i, &m);
		result_of(i, &r);
		m.facts = facts[i];
		m.facts_len = facts[i] ? strlen(facts[i]) : 0;
		ok(st, store_call_begin(st, &m, &sc));
		chunk_of(c, i, 0, 0);
		ok(st, store_call_append(sc, 0, c));
		ok(st, store_call_end(sc, &r));
		ok(st, store_sync(st));
		f.uid = &m.uid;
		assert_int_equal(store_find(st, &f, facts_row, &seen), 0);
		assert_int_equal(seen.n, 1);
		ok(st, store_read_open(st, &m.uid, STORE_DOCUMENTATION, keys_dir, &rd));
		store_read_close(rd);
		chunk_free(c);
		store_close(st);
	}
	fsck_clean(NULL);
	shell("! grep -rqaF -e 4520000007 -e xxxxxxxx %s", store_dir);
}

/* ---- making and opening ---- */

static int entries(const char *dir)
{
	char cmd[400];
	FILE *p;
	int n = -1;

	snprintf(cmd, sizeof(cmd), "find '%s' 2>/dev/null | wc -l", dir);
	p = popen(cmd, "r");
	assert_non_null(p);
	assert_int_equal(fscanf(p, "%d", &n), 1);
	pclose(p);
	return n;
}

static void test_create(void **state)
{
	char a[300], k[300], pub[600], why[512] = "";
	struct stat sb;
	struct store *st;

	(void)state;
	assert_int_equal(store_create(store_dir, keys_dir, NULL, NULL, why, sizeof(why)), -EEXIST);
	snprintf(k, sizeof(k), "%s/documentation.key", keys_dir);
	assert_int_equal(stat(k, &sb), 0);
	assert_int_equal(sb.st_mode & 0777, 0600);
	assert_int_equal(stat(keys_dir, &sb), 0);
	assert_int_equal(sb.st_mode & 0777, 0700);
	/* private keys are never overwritten, and what was made before is gone again */
	snprintf(a, sizeof(a), "%s/a", base_dir);
	assert_int_equal(store_create(a, keys_dir, NULL, NULL, why, sizeof(why)), -EEXIST);
	assert_non_null(strstr(why, "documentation.key"));
	assert_int_equal(entries(a), 0);
	/* only one of the two is in the way: the other must not stay behind */
	snprintf(k, sizeof(k), "%s/half", base_dir);
	shell("mkdir %s && touch %s/training.key", k, k);
	assert_int_equal(store_create(a, k, NULL, NULL, why, sizeof(why)), -EEXIST);
	assert_int_equal(entries(a), 0);
	assert_int_equal(entries(k), 2);
	/* inside the store */
	snprintf(k, sizeof(k), "%s/a/private", base_dir);
	assert_int_equal(store_create(a, k, NULL, NULL, why, sizeof(why)), -EINVAL);
	assert_int_equal(entries(a), 0);
	/* not empty */
	shell("mkdir %s && touch %s/file", a, a);
	snprintf(k, sizeof(k), "%s/keys2", base_dir);
	assert_int_equal(store_create(a, k, NULL, NULL, why, sizeof(why)), -ENOTEMPTY);
	assert_int_equal(entries(k), 0);
	shell("rm %s/file", a);
	/* public halves from elsewhere */
	snprintf(pub, sizeof(pub), "%s/public/default", store_dir);
	assert_int_equal(store_create(a, NULL, pub, NULL, why, sizeof(why)), 0);
	shell("cmp %s/documentation.pub %s/public/default/documentation.pub", pub, a);
	assert_int_equal(store_open(a, STORE_RW, &st, why, sizeof(why)), 0);
	store_close(st);
}

static void test_open(void **state)
{
	char why[512] = "";
	struct store *st, *other;

	(void)state;
	assert_int_equal(store_open("/nonexistent/x", STORE_RO, &st, why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "/nonexistent/x"));
	assert_int_equal(store_open(base_dir, STORE_RO, &st, why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "optag init"));
	st = open_store(STORE_RW);
	assert_int_equal(store_open(store_dir, STORE_RW, &other, why, sizeof(why)), -EBUSY);
	assert_non_null(strstr(why, "another"));
	other = open_store(STORE_RO);
	assert_int_equal(store_sync(other), -EROFS);
	store_close(other);
	store_close(st);
	st = open_store(STORE_RW);
	store_close(st);
	shell("sed -i 's/^optag-store 3/optag-store 4/' %s/optag.store", store_dir);
	assert_int_equal(store_open(store_dir, STORE_RO, &st, why, sizeof(why)), -EPROTO);
	shell("echo rubbish > %s/optag.store", store_dir);
	assert_int_equal(store_open(store_dir, STORE_RO, &st, why, sizeof(why)), -EBADMSG);
	assert_non_null(strstr(why, "T-1"));
}

/* A reader leaves nothing behind and changes nothing. */
static void test_read_only(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct store_filter any = { .state = -1 };
	struct list l;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		write_call(st, i, 1);
	ok(st, store_sync(st));
	store_close(st);
	shell("cd %s && find . -type f -exec sha256sum {} + | sort > %s/before", store_dir, base_dir);
	st = open_store(STORE_RO);
	assert_int_equal(find(st, any, &l), 3);
	assert_int_equal(read_call(st, 1, 1), 0);
	store_close(st);
	fsck_clean(NULL);
	shell("cd %s && find . -type f -exec sha256sum {} + | sort | cmp - %s/before", store_dir, base_dir);
}

/* Many days at once: more than files are kept open. */
static void test_many_days(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct store_filter any = { .state = -1 };
	struct chunk *c = chunk_new();
	struct store_call *sc[90];
	struct store_call_result r;
	struct store_call_meta m;
	struct list l;

	(void)state;
	for (unsigned i = 0; i < 90; i++) {
		meta_of(i, &m);
		m.until_ns[0] += i * 86400 * NS_PER_S;
		ok(st, store_call_begin(st, &m, &sc[i]));
	}
	for (unsigned n = 0; n < 2; n++)
		for (unsigned i = 0; i < 90; i++) {
			chunk_of(c, i, 0, n);
			ok(st, store_call_append(sc[i], 0, c));
			chunk_of(c, i, 1, n);
			ok(st, store_call_append(sc[i], 1, c));
		}
	for (unsigned i = 0; i < 90; i++) {
		result_of(i, &r);
		if (i % 10 == 9) {
			store_call_abort(sc[i]);
			continue;
		}
		ok(st, store_call_end(sc[i], &r));
		meta_of(i, &m);
		m.until_ns[0] += 200 * 86400 * NS_PER_S; /* the policy's retention changed since */
		assert_int_equal(store_call_known(st, &m.uid, m.controller), 1);
	}
	ok(st, store_sync(st));
	assert_int_equal(find(st, any, &l), 81);
	for (unsigned i = 0; i < 90; i++)
		assert_int_equal(read_call(st, i, 2), i % 10 == 9 ? 4 : 0);
	store_close(st);
	chunk_free(c);
	fsck_clean(NULL);
}

/* Whether a call was recorded before: in more databases than stay open, in this process and the next. */
static void test_known(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct store_call_result r;
	struct store_call_meta m;
	struct store_call *sc;
	unsigned gone = 0;

	(void)state;
	for (int again = 0; again < 2; again++) {
		for (unsigned i = 0; i < 100; i++) { /* later calls on earlier days too, so that the ranges overlap */
			meta_of(i, &m);
			result_of(i, &r);
			m.until_ns[0] += i * 37 % 70 * 86400 * NS_PER_S;
			assert_int_equal(store_call_known(st, &m.uid, m.controller), again);
			if (again)
				continue;
			ok(st, store_call_begin(st, &m, &sc));
			ok(st, store_call_end(sc, &r));
			assert_int_equal(store_call_known(st, &m.uid, m.controller), 1);
		}
		meta_of(100, &m);
		assert_int_equal(store_call_known(st, &m.uid, m.controller), 0);
		meta_of(50, &m);
		m.uid.b[15] ^= 1; /* within the range of every day that has more than one */
		assert_int_equal(store_call_known(st, &m.uid, m.controller), 0);
		ok(st, store_sync(st));
		store_close(st);
		st = open_store(STORE_RW);
	}
	/* a day that was destroyed meanwhile knows nothing and stops nothing */
	assert_int_equal(store_call_known(st, &m.uid, m.controller), 0);
	shell("rm '%s'/catalog/*/*", store_dir);
	for (unsigned i = 0; i < 100; i++) {
		int rc;

		meta_of(i, &m);
		rc = store_call_known(st, &m.uid, m.controller);
		assert_true(rc == 0 || rc == 1);
		gone += !rc;
	}
	assert_true(gone > 0); /* the others are still open */
	store_close(st);
}

/* Larger than a segment: rolled over in the middle of calls. */
static void test_roll(void **state)
{
	struct store *st = open_store(STORE_RW);
	struct chunk *c = chunk_new();
	struct store_call_result r;
	struct store_reader *rd;
	struct store_call_meta m;
	const struct chunk *got;
	struct store_figures fig;
	struct store_call *sc;
	unsigned leg, n = 0;

	(void)state;
	meta_of(1, &m);
	result_of(1, &r);
	ok(st, store_call_begin(st, &m, &sc));
	chunk_stream(c, "opus", 111, K_RANDOM, 0, 100, 1300);
	for (unsigned i = 0; i < 1200; i++) {
		memcpy(c->data, &i, sizeof(i));
		ok(st, store_call_append(sc, i & 1, c));
	}
	ok(st, store_call_end(sc, &r));
	ok(st, store_sync(st));
	store_figures(st, &fig);
	assert_int_equal(fig.segments, 3);
	ok(st, store_read_open(st, &m.uid, STORE_DOCUMENTATION, keys_dir, &rd));
	while (store_read_next(rd, &leg, &got) == 1) {
		assert_memory_equal(got->data, &n, sizeof(n));
		assert_memory_equal(got->data + 4, c->data + 4, c->nbytes - 4);
		n++;
	}
	assert_int_equal(n, 1200);
	store_read_close(rd);
	store_close(st);
	chunk_free(c);
	fsck_clean(NULL);
}

/* Nothing of payload or key is readable on disk. */
static void test_plaintext(void **state)
{
	struct store *st = open_store(STORE_RW);
	static const char marker[] = "PAYLOAD-MARKER-THAT-MUST-NOT-BE-SEEN";
	struct chunk *c = chunk_new();
	struct store_call_result r;
	struct store_call_meta m;
	struct store_call *sc;

	(void)state;
	meta_of(1, &m);
	result_of(1, &r);
	ok(st, store_call_begin(st, &m, &sc));
	chunk_stream(c, "opus", 111, K_RANDOM, 0, 10, 100);
	for (uint32_t i = 0; i < 10; i++)
		memcpy(c->data + i * 100, marker, sizeof(marker));
	ok(st, store_call_append(sc, 0, c));
	ok(st, store_call_end(sc, &r));
	ok(st, store_sync(st));
	shell("! grep -rqaF %s %s", marker, store_dir);
	store_close(st);
	shell("! grep -rqaF %s %s", marker, store_dir);
	chunk_free(c);
}

#define T(f) cmocka_unit_test_setup_teardown(f, make_store, drop_store)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_round_trip),  T(test_odd_chunks),
		T(test_bad_chunks),  T(test_find),
		T(test_purposes),    T(test_keys),
		T(test_bucket_gone), T(test_controller_keys),
		T(test_numbers),     T(test_create),
		T(test_open),	     T(test_read_only),
		T(test_many_days),   T(test_known),
		T(test_roll),	     T(test_plaintext),
		T(test_facts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
