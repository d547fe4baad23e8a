/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_certificate.c - what counts as proof that a call was deleted, and what does not
 */
#include "store/certificate.h"
#include "store/evlog_internal.h"
#include "store_util.h"

#define DAY   (86400ULL * NS_PER_S)
#define D0    (20780ULL * DAY) /* 2026-11-23T00:00Z */
#define DOC   EVLOG_P_DOCUMENTATION
#define TRAIN EVLOG_P_TRAINING
static const char policy_hash[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
static struct evlog *l;
static uint64_t t;

static int fresh(void **state)
{
	char why[512];

	t = D0 + 3600 * NS_PER_S;
	clock_set_ns(t);
	if (make_store(state) || evlog_open(store_dir, &l, why, sizeof(why)))
		return -1;
	return 0;
}

static int gone(void **state)
{
	clock_set_ns(0);
	return drop_store(state);
}

static struct uid call_of(unsigned i)
{
	struct uid u;

	uid_make(D0 + 3600 * NS_PER_S, &i, sizeof(i), &u);
	return u;
}

static void put(const struct evlog_event *e)
{
	assert_int_equal(evlog_append(l, e, NULL), 0);
	t += NS_PER_S;
}

static void say(enum evlog_kind k, unsigned call, enum evlog_purpose p, enum evlog_source by)
{
	struct evlog_event e = { .kind = k, .time_ns = t, .has_call = true, .call = call_of(call), .purpose = p, .source = by,
				 .controller = "acme", .rule = "support", .policy = policy_hash, .reason = "consent.none", .who = "anna" };

	put(&e);
}

static void commit(unsigned call, enum evlog_purpose p, uint64_t day)
{
	struct evlog_event e = { .kind = EVLOG_KEY_COMMIT, .time_ns = t, .has_call = true, .call = call_of(call), .purpose = p,
				 .source = EVLOG_S_DAEMON, .controller = "acme" };

	if (day)
		evlog_num_add(&e, EVLOG_N_DAY, day);
	put(&e);
}

static void bucket(const char *controller, enum evlog_purpose p, uint64_t day, uint64_t held)
{
	struct evlog_event e = { .kind = EVLOG_BUCKET_DESTROY, .time_ns = t, .purpose = p, .source = EVLOG_S_REAPER,
				 .controller = controller };

	evlog_num_add(&e, EVLOG_N_DAY, day);
	evlog_num_add(&e, EVLOG_N_HELD, held);
	put(&e);
}

static void kept(unsigned call, uint64_t doc_day, uint64_t train_day)
{
	say(EVLOG_CALL_MATCH, call, 0, EVLOG_S_POLICY);
	say(EVLOG_PURPOSE_GRANT, call, DOC, EVLOG_S_POLICY);
	if (doc_day)
		commit(call, DOC, doc_day);
	if (train_day)
		commit(call, TRAIN, train_day);
	say(EVLOG_CALL_KEPT, call, 0, EVLOG_S_DAEMON);
}

static void next_day(unsigned n)
{
	t += n * DAY;
	assert_int_equal(evlog_flush(l, t), 0);
}

static struct certificate *get(unsigned call)
{
	struct uid u = call_of(call);
	struct certificate *c;
	char why[512] = "";
	int rc;

	assert_int_equal(evlog_flush(l, 0), 0);
	clock_set_ns(t);
	rc = certificate_make(store_dir, &u, &c, why, sizeof(why));
	if (rc)
		fail_msg("certificate_make: %d %s", rc, why);
	return c;
}

static void expect(unsigned call, enum certificate_state s, const char *text)
{
	struct certificate *c = get(call);

	if (c->state != s || !strstr(c->text, text))
		fail_msg("state %d '%s', not %d '%s'", c->state, c->text, s, text);
	certificate_free(c);
}

/* The line, by its path, under the merkle of the root that it names. */
static void line_holds(const struct certificate *c, const struct certificate_line *x)
{
	struct root r;
	struct evlog_pub pub;
	struct evlog_root root;
	struct why why;
	uint8_t hash[32], got[32];

	assert_int_equal(root_open(store_dir, &r, &why), 0);
	assert_int_equal(evlog_pub_load(&r, NULL, &pub, &why), 0);
	assert_int_equal(evlog_root_parse(c->root[x->root], strlen(c->root[x->root]), &pub, &root, hash), 0);
	assert_int_equal(root.day, x->day);
	assert_true(merkle_path_root(x->line, strlen(x->line), x->index, root.last - root.first + 1, x->hash, x->hashes, got));
	assert_memory_equal(got, root.merkle, 32);
	root_close(&r);
}

static void by_buckets(void **state)
{
	struct certificate *c;

	(void)state;
	kept(1, 20270223, 20270101);
	kept(2, 20270224, 0);
	next_day(1);
	expect(1, CERTIFICATE_ALIVE, "for documentation was destroyed");
	bucket("other", DOC, 20270223, 0);
	bucket("acme", TRAIN, 20270223, 0);
	bucket("acme", DOC, 20270224, 0);
	bucket("acme", TRAIN, 20270101, 0);
	expect(1, CERTIFICATE_ALIVE, "for documentation was destroyed");
	bucket("acme", DOC, 20270223, 3);
	expect(1, CERTIFICATE_UNSIGNED, "the root of 2026-11-24");
	next_day(2);
	say(EVLOG_NOTICE_MISSING, 2, 0, EVLOG_S_DAEMON); /* another day with a root in between */
	next_day(1);
	c = get(1);
	assert_int_equal(c->state, CERTIFICATE_PROVEN);
	assert_int_equal(c->roots, 3);
	for (int p = 0; p < 2; p++) {
		assert_true(c->purpose[p].had && c->purpose[p].by_bucket);
		assert_int_equal(c->purpose[p].bucket, CERTIFICATE_GONE);
		line_holds(c, &c->purpose[p].committed);
		line_holds(c, &c->purpose[p].destroyed);
		assert_non_null(strstr(c->purpose[p].destroyed.line, "bucket.destroy"));
	}
	assert_int_equal(c->purpose[0].held, 3);
	assert_int_equal(c->purpose[1].held, 0);
	certificate_free(c);
	c = get(2);
	assert_int_equal(c->state, CERTIFICATE_PROVEN);
	assert_false(c->purpose[1].had);
	certificate_free(c);
	evlog_close(l);
}

static void one_call(void **state)
{
	(void)state;
	kept(1, 20270223, 20270101);
	say(EVLOG_KEY_DESTROY, 1, TRAIN, EVLOG_S_OPERATOR);
	expect(1, CERTIFICATE_ALIVE, "for documentation");
	say(EVLOG_KEY_DESTROY, 1, 0, EVLOG_S_OPERATOR); /* of all purposes */
	next_day(1);
	expect(1, CERTIFICATE_PROVEN, "deleted");
	expect(2, CERTIFICATE_UNKNOWN, "no such call");
	/* a key that is destroyed in the call, before the one that is kept is stored, proves nothing of it */
	say(EVLOG_CALL_MATCH, 3, 0, EVLOG_S_POLICY);
	expect(3, CERTIFICATE_ALIVE, "in progress");
	say(EVLOG_PURPOSE_GRANT, 3, DOC, EVLOG_S_POLICY);
	say(EVLOG_KEY_DESTROY, 3, DOC, EVLOG_S_DAEMON);
	commit(3, DOC, 20270223);
	say(EVLOG_CALL_KEPT, 3, 0, EVLOG_S_DAEMON);
	expect(3, CERTIFICATE_ALIVE, "for documentation");
	say(EVLOG_CALL_DESTROY, 3, 0, EVLOG_S_REAPER);
	next_day(1);
	expect(3, CERTIFICATE_PROVEN, "deleted");
	say(EVLOG_CALL_MATCH, 4, 0, EVLOG_S_POLICY);
	say(EVLOG_CALL_DENIED, 4, 0, EVLOG_S_DAEMON);
	expect(4, CERTIFICATE_NEVER, "consent.none");
	kept(5, 0, 0); /* its process died before it told where */
	expect(5, CERTIFICATE_UNPROVEN, "does not say where");
	say(EVLOG_CALL_MATCH, 6, 0, EVLOG_S_POLICY);
	say(EVLOG_PURPOSE_GRANT, 6, DOC, EVLOG_S_POLICY);
	commit(6, DOC, 0);
	say(EVLOG_CALL_KEPT, 6, 0, EVLOG_S_DAEMON);
	bucket("acme", DOC, 20270223, 0);
	expect(6, CERTIFICATE_UNPROVEN, "which day's bucket");
	evlog_close(l);
}

/* A held call outlives its bucket: only its own event tells its end, in whatever order the outbox brought them. */
static void on_hold(void **state)
{
	char path[400];

	(void)state;
	for (unsigned i = 1; i <= 3; i++)
		kept(i, 20270223, 0);
	say(EVLOG_HOLD_SET, 1, 0, EVLOG_S_OPERATOR);
	say(EVLOG_HOLD_SET, 3, 0, EVLOG_S_OPERATOR);
	say(EVLOG_HOLD_RELEASE, 3, 0, EVLOG_S_OPERATOR); /* before its time: it goes with the others */
	bucket("acme", DOC, 20270223, 2);
	say(EVLOG_HOLD_SET, 2, 0, EVLOG_S_OPERATOR); /* set before, told after */
	next_day(1);
	expect(1, CERTIFICATE_ALIVE, "on hold");
	expect(2, CERTIFICATE_ALIVE, "on hold");
	expect(3, CERTIFICATE_PROVEN, "deleted");
	for (unsigned i = 1; i <= 2; i++)
		say(EVLOG_HOLD_RELEASE, i, 0, EVLOG_S_OPERATOR);
	expect(1, CERTIFICATE_ALIVE, "no event says");
	expect(2, CERTIFICATE_ALIVE, "no event says");
	for (unsigned i = 1; i <= 2; i++)
		say(EVLOG_KEY_DESTROY, i, DOC, EVLOG_S_OPERATOR);
	next_day(1);
	expect(1, CERTIFICATE_PROVEN, "deleted");
	expect(2, CERTIFICATE_PROVEN, "deleted");
	/* whatever the log says: the file of held calls names it */
	shell("mkdir -p '%s/keys/acme/documentation'", store_dir);
	snprintf(path, sizeof(path), "%s/keys/acme/documentation/hold.slots", store_dir);
	FILE *f = fopen(path, "w");
	struct uid u = call_of(1);

	for (unsigned i = 0; i < 1048569; i++) /* across the reader's blocks */
		fputc(7, f);
	fwrite(u.b, 1, sizeof(u.b), f);
	fclose(f);
	expect(1, CERTIFICATE_ALIVE, "the file of held calls has one");
	expect(2, CERTIFICATE_PROVEN, "deleted");
	evlog_close(l);
}

static unsigned findings;
static char text_found[300];

static void on_log_finding(void *arg, const char *file, uint64_t line, const char *rule, const char *text)
{
	(void)arg;
	if (!findings++)
		snprintf(text_found, sizeof(text_found), "%s:%u: %s: %s", file, (unsigned)line, rule, text);
}

/* What is released was set, and not released since. */
static void holds_in_sums(void **state)
{
	struct evlog_look how = { .finding = on_log_finding };
	struct evlog_report r;
	char why[512];

	(void)state;
	kept(1, 20270223, 0);
	say(EVLOG_HOLD_SET, 1, 0, EVLOG_S_OPERATOR);
	say(EVLOG_HOLD_SET, 1, 0, EVLOG_S_OPERATOR);
	say(EVLOG_HOLD_RELEASE, 1, 0, EVLOG_S_OPERATOR);
	assert_int_equal(evlog_flush(l, 0), 0);
	assert_int_equal(evlog_look(store_dir, &how, &r, why, sizeof(why)), 0);
	assert_int_equal(findings, 0);
	say(EVLOG_HOLD_RELEASE, 1, 0, EVLOG_S_OPERATOR);
	assert_int_equal(evlog_flush(l, 0), 0);
	assert_int_equal(evlog_look(store_dir, &how, &r, why, sizeof(why)), 0);
	assert_int_equal(findings, 1);
	assert_non_null(strstr(text_found, "2026-11-23.log:9: E-10: call "));
	assert_non_null(strstr(text_found, "never set"));
	evlog_close(l);
}

static void outcome(unsigned call, enum evlog_kind kind, uint64_t keys)
{
	struct evlog_event e = { .kind = kind, .time_ns = t, .has_call = true, .call = call_of(call), .source = EVLOG_S_DAEMON, .controller = "acme",
				 .rule = "support", .policy = policy_hash, .reason = "crash" };

	evlog_num_add(&e, EVLOG_N_KEYS, keys);
	put(&e);
}

/* A call with a key for both, whose outcome says how many it had. */
static void counted_call(unsigned call, enum evlog_kind kind, uint64_t keys)
{
	say(EVLOG_CALL_MATCH, call, 0, EVLOG_S_POLICY);
	say(EVLOG_PURPOSE_GRANT, call, DOC, EVLOG_S_POLICY);
	commit(call, DOC, 20270223);
	commit(call, TRAIN, 20270101);
	outcome(call, kind, keys);
}

/* The outcome counts the keys: what a certificate leaves out is missed. */
static void counted(void **state)
{
	struct evlog_look how = { .finding = on_log_finding };
	struct uid u = call_of(1);
	struct evlog_report r;
	struct certificate *c;
	char why[512];

	(void)state;
	counted_call(1, EVLOG_CALL_KEPT, 2);
	counted_call(2, EVLOG_CALL_GAP, 2);
	kept(3, 20270223, 0);
	findings = 0;
	assert_int_equal(evlog_flush(l, 0), 0);
	assert_int_equal(evlog_look(store_dir, &how, &r, why, sizeof(why)), 0);
	assert_int_equal(findings, 0);
	say(EVLOG_CALL_MATCH, 7, 0, EVLOG_S_POLICY);
	say(EVLOG_PURPOSE_GRANT, 7, DOC, EVLOG_S_POLICY);
	commit(7, DOC, 20270222);
	commit(7, DOC, 20270223); /* the first one would be left out */
	outcome(7, EVLOG_CALL_KEPT, 2);
	bucket("acme", DOC, 20270223, 0);
	bucket("acme", TRAIN, 20270101, 0);
	next_day(2);
	for (unsigned i = 1; i <= 3; i++) {
		c = get(i);
		assert_int_equal(c->state, CERTIFICATE_PROVEN);
		assert_int_equal(c->counted, i < 3);
		line_holds(c, &c->ended);
		assert_non_null(strstr(c->ended.line, i == 2 ? "call.gap" : "call.kept"));
		certificate_free(c);
	}
	expect(7, CERTIFICATE_UNPROVEN, "counts other keys");
	/* another number than there are is damage */
	counted_call(4, EVLOG_CALL_KEPT, 3);
	counted_call(5, EVLOG_CALL_KEPT, 1);
	assert_int_equal(evlog_flush(l, 0), 0);
	assert_int_equal(certificate_make(store_dir, &u, &c, why, sizeof(why)), -EBADMSG);
	assert_int_equal(evlog_look(store_dir, &how, &r, why, sizeof(why)), 0);
	assert_int_equal(findings, 2);
	assert_non_null(strstr(text_found, "E-10"));
	assert_non_null(strstr(text_found, "other key.commits"));
	evlog_close(l);
}

/* A key.commit behind the outcome that does not count it is found where it stands; by programs of before outcomes counted it is none. */
static void behind(void **state)
{
	struct evlog_look how = { .finding = on_log_finding };
	struct evlog_report r;
	char why[512];

	(void)state;
	findings = 0;
	kept(1, 20270223, 0);
	commit(1, TRAIN, 20270101);
	commit(9, DOC, 20270223); /* of a call that is nowhere */
	next_day(1);
	counted_call(2, EVLOG_CALL_KEPT, 2);
	say(EVLOG_CALL_MATCH, 3, 0, EVLOG_S_POLICY);
	say(EVLOG_CALL_DENIED, 3, 0, EVLOG_S_DAEMON);
	assert_int_equal(evlog_flush(l, 0), 0);
	assert_int_equal(evlog_look(store_dir, &how, &r, why, sizeof(why)), 0);
	assert_int_equal(r.damaged, 0);
	next_day(1);
	commit(2, DOC, 20270224);
	commit(3, TRAIN, 20270224);
	assert_int_equal(evlog_flush(l, 0), 0);
	assert_int_equal(evlog_look(store_dir, &how, &r, why, sizeof(why)), 0);
	assert_true(findings == 2 && r.damaged == 2);
	assert_non_null(strstr(text_found, "2026-11-25.log:1: E-10: call "));
	assert_non_null(strstr(text_found, "behind the call's outcome"));
	how.from_day = evlog_day(D0) + 2; /* who reads from there on cannot know */
	assert_int_equal(evlog_look(store_dir, &how, &r, why, sizeof(why)), 0);
	assert_int_equal(r.damaged, 0);
	evlog_close(l);
}

/* Of damage nothing is certified; a root of before there were trees proves no line. */
static void no_proof(void **state)
{
	struct uid u = call_of(1);
	struct certificate *c = NULL;
	struct evlog_root root;
	struct evlog_pub pub;
	struct root r;
	struct why w;
	uint8_t secret[64], hash[32];
	char why[512] = "", text[EVLOG_TEXT];
	size_t n;

	(void)state;
	kept(1, 20270223, 0);
	bucket("acme", DOC, 20270223, 0);
	next_day(1);
	expect(1, CERTIFICATE_PROVEN, "deleted");
	evlog_close(l);
	shell("cp -r '%s' '%s/s0'; sed -i 's/support/supporu/' '%s/evidence/2026-11-23.log'", store_dir, base_dir, store_dir);
	assert_int_equal(certificate_make(store_dir, &u, &c, why, sizeof(why)), -EBADMSG);
	assert_null(c);
	assert_non_null(strstr(why, "E-3"));
	shell("rm -r '%s' && mv '%s/s0' '%s'", store_dir, base_dir, store_dir);
	assert_int_equal(root_open(store_dir, &r, &w), 0);
	assert_int_equal(evlog_key_open(&r, secret, &pub, &w), 0);
	assert_int_equal(evlog_root_load(&r, evlog_day(D0), &pub, &root, hash, &w), 0);
	root.version = 1;
	n = evlog_root_make(&root, secret, text, hash);
	assert_int_equal(write_over(&r, "evidence/2026-11-23.root", text, n, 0644, &w), 0);
	root_close(&r);
	assert_int_equal(certificate_make(store_dir, &u, &c, why, sizeof(why)), 0);
	assert_int_equal(c->state, CERTIFICATE_UNPROVEN);
	certificate_free(c);
	shell("rm -r '%s/evidence'", store_dir);
	assert_int_equal(certificate_make(store_dir, &u, &c, why, sizeof(why)), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(by_buckets, fresh, gone),
		cmocka_unit_test_setup_teardown(one_call, fresh, gone),
		cmocka_unit_test_setup_teardown(on_hold, fresh, gone),
		cmocka_unit_test_setup_teardown(holds_in_sums, fresh, gone),
		cmocka_unit_test_setup_teardown(counted, fresh, gone),
		cmocka_unit_test_setup_teardown(behind, fresh, gone),
		cmocka_unit_test_setup_teardown(no_proof, fresh, gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
