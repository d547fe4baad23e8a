/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parts_model.h - a model of a few lines that says who may read each chunk of a call, and what compares it with the store
 *
 * The store's reader and the one that was made from FORMAT.md alone must agree with it, chunk by chunk.
 */
#ifndef PARTS_MODEL_H
#define PARTS_MODEL_H

#include "format_reader.h"
#include "store_util.h"

#define DOC	  1u
#define TR	  2u
#define CHUNKS	  400

static const char *const purpose_names[2] = { "documentation", "training" };

/* ---- a call and its model ---- */

struct model {
	struct store *st;
	struct store_call *sc;
	unsigned call, n; /* chunks so far, of both legs in turn */
	unsigned may[CHUNKS]; /* who may read it */
	bool alive[CHUNKS];   /* some key is left, or may be given still */
	unsigned set, keyed, gone, slot;
};

static void meta_both(unsigned i, struct store_call_meta *m)
{
	meta_of(i, m);
	m->until_ns[1] = m->until_ns[0] - 30 * 86400 * NS_PER_S;
	m->commit[0] = false;
	m->now.state[0] = m->now.state[1] = STORE_S_GRANTED;
	m->now.answer_ns = m->start_ns;
}

static void m_begin(struct model *m, struct store *st, unsigned call, unsigned covers, unsigned commit)
{
	struct store_call_meta meta;

	*m = (struct model){ .st = st, .call = call, .set = covers | commit, .keyed = covers | commit, .slot = commit };
	meta_both(call, &meta);
	for (int p = 0; p < 2; p++) {
		meta.covers[p] = covers >> p & 1;
		meta.commit[p] = commit >> p & 1;
	}
	ok(st, store_call_begin(st, &meta, &m->sc));
}

static void m_chunk(struct model *m)
{
	struct chunk *c = chunk_new();
	unsigned leg = m->n & 1;

	chunk_of(c, m->call, leg, m->n / 2);
	c->npkt = 10;
	c->nbytes = 1600;
	assert_true(m->n < CHUNKS);
	assert_int_equal(store_call_for(m->sc, leg), m->set);
	ok(m->st, store_call_append(m->sc, leg, c));
	m->may[m->n] = m->set;
	m->alive[m->n] = true;
	m->n++;
	chunk_free(c);
}

static void m_chunks(struct model *m, unsigned n)
{
	while (n--)
		m_chunk(m);
}

static uint64_t m_now(const struct model *m)
{
	return T0 + m->n / 2 * 2000 * NS_PER_MS;
}

static void m_part(struct model *m, unsigned set)
{
	ok(m->st, store_call_part(m->sc, set, m_now(m)));
	store_call_enter(m->sc, 0);
	store_call_enter(m->sc, 1);
	m->set = set;
	m->keyed |= set;
}

static void m_cover(struct model *m, unsigned p)
{
	int rc = store_call_cover(m->sc, (enum store_purpose)p);

	if (m->gone >> p & 1) {
		assert_int_equal(rc, -EINVAL);
		return;
	}
	ok(m->st, rc);
	for (unsigned i = 0; i < m->n; i++)
		if (m->alive[i])
			m->may[i] |= 1u << p;
	m->set |= 1u << p;
	m->keyed |= 1u << p;
}

static void m_commit(struct model *m, unsigned p)
{
	int rc;

	if (!(m->keyed >> p & 1)) {
		m_cover(m, p);
		if (!(m->keyed >> p & 1)) {
			assert_int_equal(store_call_commit(m->sc, (enum store_purpose)p), -EINVAL);
			return;
		}
	}
	rc = store_call_commit(m->sc, (enum store_purpose)p);
	ok(m->st, rc);
	m->slot |= 1u << p;
}

static void m_drop(struct model *m, unsigned p)
{
	bool other = !(m->keyed >> !p & 1) && !(m->gone >> !p & 1);

	ok(m->st, store_call_drop(m->sc, (enum store_purpose)p));
	assert_false(store_call_keyed(m->sc, (enum store_purpose)p));
	assert_false(store_call_committed(m->sc, (enum store_purpose)p));
	for (unsigned i = 0; i < m->n; i++) {
		m->may[i] &= ~(1u << p);
		m->alive[i] = m->alive[i] && (m->may[i] || other);
	}
	m->keyed &= ~(1u << p);
	m->slot &= ~(1u << p);
	m->gone |= 1u << p;
	/* the recorder begins a new part before the next packet */
	m_part(m, m->set & ~(1u << p));
}

/* Purposes in `want` are kept; -1 who has a key. */
static void m_end(struct model *m)
{
	struct store_call_result r;

	result_of(m->call, &r);
	for (unsigned p = 0; p < 2; p++) {
		r.state[p] = m->keyed >> p & 1 ? STORE_S_GRANTED : m->gone >> p & 1 ? STORE_S_WITHDRAWN : STORE_S_DENIED;
		if (m->keyed >> p & 1)
			m_commit(m, p);
	}
	for (unsigned leg = 0; leg < 2; leg++) {
		r.leg[leg].packets = (m->n + !leg) / 2 * 10;
		r.leg[leg].audio_ms = r.leg[leg].packets * 20;
	}
	if (!m->keyed)
		r.outcome = STORE_O_DENIED;
	ok(m->st, store_call_end(m->sc, &r));
	ok(m->st, store_sync(m->st));
}

/* ---- what is really readable ---- */

struct got {
	unsigned call, n;
	unsigned read[CHUNKS];
};

static unsigned number_of(int64_t seq, unsigned leg)
{
	return (unsigned)((seq - 65500) / 100) * 2 + leg;
}

static void take(void *arg, const struct fr_chunk *c)
{
	struct got *g = arg;
	unsigned n = number_of(c->pkt[0].seq, c->leg);
	struct chunk *want = chunk_new();

	assert_true(n < CHUNKS && c->npkt == 10);
	chunk_of(want, g->call, c->leg, n / 2);
	assert_memory_equal(c->data, want->data, 1600);
	g->read[n]++;
	g->n++;
	chunk_free(want);
}

static int take_row(void *arg, const struct store_row *row)
{
	*(struct store_row *)arg = *row;
	return 1;
}

static void check_row(struct store *st, const struct model *m, const struct uid *uid, struct store_row *row)
{
	struct store_filter f = { .state = -1, .uid = uid };
	uint64_t all[2] = { 0, 0 }, mine[2][2] = { { 0 } };

	assert_int_equal(store_find(st, &f, take_row, row), 1);
	for (unsigned i = 0; i < m->n; i++) {
		all[i & 1] += m->may[i] ? 10 : 0;
		for (int p = 0; p < 2; p++)
			mine[p][i & 1] += m->may[i] >> p & 1 ? 10 : 0;
	}
	for (int leg = 0; m->keyed && leg < 2; leg++) {
		assert_int_equal(row->leg[leg].packets, all[leg]);
		for (int p = 0; p < 2; p++) {
			assert_int_equal(row->share[p].packets[leg], mine[p][leg]);
			assert_int_equal(row->share[p].audio_ms[leg], mine[p][leg] * 20);
		}
	}
	for (int p = 0; p < 2; p++) {
		assert_int_equal(row->state[p] == STORE_S_GRANTED, m->keyed >> p & 1);
		if (m->keyed >> p & 1)
			assert_int_equal(row->share[p].whole, mine[p][0] == all[0] && mine[p][1] == all[1]);
	}
}

/* The second reader, which knows nothing of the project. */
static void check_format(const struct model *m, unsigned p, const struct store_row *row, struct got *g)
{
	char id[UID_TEXT], day[16], key[300], caller[64], callee[64], want[64];

	*g = (struct got){ .call = m->call };
	uid_format(&row->uid, id);
	snprintf(day, sizeof(day), "%04d-%02d-%02d", row->day.year, row->day.month, row->day.day);
	snprintf(key, sizeof(key), "%s/%s.key", keys_dir, purpose_names[p]);
	fr_read_call(store_dir, "acme", day, id, purpose_names[p], (int)p, key, caller, callee, take, g);
	snprintf(want, sizeof(want), "+4520%06u", m->call);
	assert_string_equal(caller, want);
	assert_string_equal(callee, "+4570000000");
	for (unsigned i = 0; i < CHUNKS; i++)
		assert_int_equal(g->read[i], i < m->n && m->may[i] >> p & 1);
}

static void check_reader(struct store *st, const struct model *m, unsigned p, const struct uid *uid)
{
	struct got g = { .call = m->call };
	struct chunk *want = chunk_new();
	struct store_gap gap[70];
	const char *caller, *callee;
	struct store_reader *r;
	const struct chunk *c;
	uint64_t missing = 0, kept = 0;
	unsigned leg;
	int rc;

	ok(st, store_read_open(st, uid, (enum store_purpose)p, keys_dir, &r));
	while ((rc = store_read_next(r, &leg, &c)) == 1) {
		unsigned n = number_of(c->pkt[0].seq, leg);

		assert_true(n < m->n);
		chunk_of(want, m->call, leg, n / 2);
		want->npkt = 10;
		assert_chunk(c, want);
		g.read[n]++;
	}
	ok(st, rc);
	for (unsigned i = 0; i < m->n; i++)
		assert_int_equal(g.read[i], m->may[i] >> p & 1);
	ok(st, store_read_numbers(r, &caller, &callee));
	assert_string_equal(callee, "+4570000000");
	for (size_t i = store_read_gaps(r, gap, 70); i-- > 0;) {
		missing += gap[i].packets[0] + gap[i].packets[1];
		assert_true(!gap[i].to_ns || gap[i].to_ns >= gap[i].from_ns || gap[i].from_ns == T0 + m->call * NS_PER_S);
	}
	for (unsigned i = 0; i < m->n; i++)
		kept += m->may[i] && !(m->may[i] >> p & 1) ? 10 : 0;
	assert_int_equal(missing, kept);
	store_read_close(r);
	chunk_free(want);
}

static void check(const struct model *m)
{
	struct store *st = open_store(STORE_RO);
	struct store_call_meta meta;
	struct store_reader *r;
	struct store_row row;
	struct got g;

	meta_both(m->call, &meta);
	check_row(st, m, &meta.uid, &row);
	for (unsigned p = 0; p < 2; p++) {
		if (!(m->keyed >> p & 1)) {
			assert_int_equal(store_read_open(st, &meta.uid, (enum store_purpose)p, keys_dir, &r), -EACCES);
			continue;
		}
		check_reader(st, m, p, &meta.uid);
		check_format(m, p, &row, &g);
	}
	store_close(st);
}

static void step(struct model *m)
{
	unsigned p = rnd() % 2;

	switch (rnd() % 8) {
	case 0:
		m_part(m, rnd() % 4);
		break;
	case 1:
		if (m->keyed >> p & 1)
			m_drop(m, p);
		break;
	case 2:
		if (m->keyed >> p & 1)
			m_commit(m, p);
		break;
	case 3:
		if (!(rnd() % 3))
			m_cover(m, p);
		break;
	default:
		m_chunks(m, rnd() % 4);
	}
}

#endif
