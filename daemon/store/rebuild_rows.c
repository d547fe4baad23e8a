/* SPDX-License-Identifier: BSD-2-Clause */
/* rebuild_rows.c - rows of a day that is made anew, see rebuild_internal.h */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "store/rebuild_internal.h"
#include "store/rowcopy.h"
#include "store/segment.h"
#include "store/slots.h"
#include "store/store_call.h"

#define PACKET_MS 20 /* nearly all codecs */

/* ---- from copies ---- */

/* A wrap of the call may still be opened. */
static bool wrap_lives(struct rebuild *b, const struct lost_day *d, const struct uid *uid, unsigned p, uint32_t day, uint32_t slot)
{
	struct why why;
	struct bucket k;
	struct slot s;
	int rc = slot_read(&b->root, d->controller, p, day, slot, &s, &why);

	if (rc || s.empty || !uid_equal(&s.uid, uid))
		return rc == -EBADMSG; /* nobody can tell: fsck names it */
	rc = bucket_read(&b->root, d->controller, p, day, &k, &why);
	sodium_memzero(k.key, sizeof(k.key));
	return rc == -EBADMSG || (!rc && k.state == BUCKET_LIVE);
}

/*
 * A copy whose row never became durable, of a call that was forgotten then, has live wraps for nothing that it says is kept,
 * and nobody destroyed them later.
 */
static int may_come_back(struct rebuild *b, const struct lost_day *d, const struct uid *uid, const uint8_t *p, size_t n)
{
	bool kept = false, back = false;

	if (d->held)
		return 1;
	for (unsigned i = 0; i < STORE_PURPOSES; i++) {
		char state[16], day_name[16], reason[LATER_REASON];
		enum store_state s = STORE_S_GRANTED;
		uint64_t slot;
		uint32_t day;
		int rc;

		if (!rowcopy_text(p, n, ROWCOPY_STATE + i * ROWCOPY_PURPOSE, state, sizeof(state)) ||
		    (strcmp(state, store_state_names[STORE_S_GRANTED]) && strcmp(state, store_state_names[STORE_S_OBJECTED])))
			continue;
		kept = true;
		if (!rowcopy_text(p, n, ROWCOPY_DAY + i * ROWCOPY_PURPOSE, day_name, sizeof(day_name)) ||
		    day_parse(day_name, strlen(day_name), &day) || !rowcopy_int(p, n, ROWCOPY_SLOT + i * ROWCOPY_PURPOSE, &slot))
			continue;
		rc = overlay_state(b->overlay, d->controller, uid, (enum store_purpose)i, day, (uint32_t)slot, &s, reason, b->why);
		if (rc == -ENOMEM)
			return rc;
		back |= rc == 1 || day == DAY_HOLD || wrap_lives(b, d, uid, i, day, (uint32_t)slot);
	}
	return !kept || back;
}

static int fail(struct rebuild *b, sqlite3 *sql, int rc)
{
	return why_set(b->why, rc == SQLITE_MISMATCH ? -EPROTO : sql_errno(sql, rc), "a row cannot be made anew: %s",
		       rc == SQLITE_MISMATCH ? "of a later version of optag" : sqlite3_errmsg(sql));
}

static int add_copy(struct filling *f, sqlite3 *sql, const struct piece *piece, struct buf *bytes)
{
	struct rebuild *b = f->b;
	int rc = piece_read(b, f->d, piece, bytes);

	if (rc)
		return rc;
	rc = may_come_back(b, f->d, &piece->uid, bytes->p + ROW_HEAD, bytes->len - ROW_HEAD);
	if (rc <= 0) {
		b->rep.over += !rc;
		return rc;
	}
	rc = rowcopy_insert(sql, bytes->p + ROW_HEAD, bytes->len - ROW_HEAD);
	if (rc != SQLITE_OK)
		return fail(b, sql, rc);
	b->rep.copied++;
	return 0;
}

/* ---- without ---- */

struct poor { /* a row of which little is known */
	const struct uid *uid;
	uint64_t start_ns, end_ns;
	const char *rule, *policy, *outcome, *end, *gap;
	const char *state[STORE_PURPOSES], *reason[STORE_PURPOSES];
	struct wrap wrap[STORE_PURPOSES];
	struct buf extents, parts;
	uint64_t packets[2];
};

static const char poor_call[] =
	"INSERT INTO calls(uid,start_ns,answer_ns,end_ns,rule,policy_hash,scenario,sip_call_id,outcome,end,gap,zone,"
	"documentation_state,documentation_reason,documentation_until,documentation_day,documentation_slot,"
	"training_state,training_reason,training_until,training_day,training_slot,extents,parts) "
	"VALUES(?,?,0,?,?,?,'','',?,?,?,'',?,?,?,?,?,?,?,?,?,?,?,?)";
static const char poor_leg[] =
	"INSERT INTO legs(uid,leg,codec,clock,channels,pt,fmtp,packets,lost,duplicates,reordered,events,audio_ms,jitter_us,blocked) "
	"VALUES(?,?,'',0,0,0,'',?,0,0,0,0,?,0,0)";

static void bind_text(sqlite3_stmt *st, int *i, const char *s)
{
	sqlite3_bind_text(st, (*i)++, s ? s : "", -1, SQLITE_TRANSIENT);
}

static void bind_int(sqlite3_stmt *st, int *i, uint64_t v)
{
	sqlite3_bind_int64(st, (*i)++, (sqlite3_int64)v);
}

static int step(sqlite3 *sql, sqlite3_stmt *st)
{
	int rc = sqlite3_step(st) == SQLITE_DONE ? SQLITE_OK : sqlite3_errcode(sql);

	sqlite3_finalize(st);
	return rc;
}

static int poor_legs(sqlite3 *sql, const struct poor *r, const char *uid)
{
	int rc = SQLITE_OK;

	for (int leg = 0; rc == SQLITE_OK && leg < 2; leg++) {
		sqlite3_stmt *st;
		int i = 1;

		rc = sqlite3_prepare_v2(sql, poor_leg, -1, &st, NULL);
		if (rc != SQLITE_OK)
			break;
		bind_text(st, &i, uid);
		bind_text(st, &i, leg ? "callee" : "caller");
		bind_int(st, &i, r->packets[leg]);
		bind_int(st, &i, r->packets[leg] * PACKET_MS);
		rc = step(sql, st);
	}
	return rc;
}

static int poor_insert(sqlite3 *sql, const struct poor *r)
{
	char uid[UID_TEXT], day[16];
	sqlite3_stmt *st;
	int i = 1, rc = sqlite3_prepare_v2(sql, poor_call, -1, &st, NULL);

	if (rc != SQLITE_OK)
		return rc;
	uid_format(r->uid, uid);
	bind_text(st, &i, uid);
	bind_int(st, &i, r->start_ns);
	bind_int(st, &i, r->end_ns);
	bind_text(st, &i, r->rule);
	bind_text(st, &i, r->policy);
	bind_text(st, &i, r->outcome);
	bind_text(st, &i, r->end);
	bind_text(st, &i, r->gap);
	for (int p = 0; p < STORE_PURPOSES; p++) {
		day[0] = 0;
		if (r->wrap[p].slot)
			day_text(r->wrap[p].day, day);
		bind_text(st, &i, r->state[p]);
		bind_text(st, &i, r->reason[p]);
		bind_int(st, &i, r->wrap[p].until_ns);
		bind_text(st, &i, day);
		bind_int(st, &i, r->wrap[p].slot);
	}
	sqlite3_bind_blob(st, i++, r->extents.len ? r->extents.p : (const uint8_t *)"", (int)r->extents.len, SQLITE_STATIC);
	if (r->parts.len)
		sqlite3_bind_blob(st, i, r->parts.p, (int)r->parts.len, SQLITE_STATIC);
	rc = step(sql, st);
	return rc == SQLITE_OK ? poor_legs(sql, r, uid) : rc;
}

/* One part for each number; documentation's key leads to all where it has a wrap, else training's (FORMAT.md section 3). */
static int bare_parts(const struct piece *v, size_t n, const struct poor *r, struct parts *parts)
{
	bool live[STORE_PURPOSES] = { r->wrap[0].slot != 0, r->wrap[1].slot != 0 };
	unsigned p = live[0] ? 0 : 1;
	uint32_t last = 0;

	for (size_t i = 0; i < n; i++)
		while (parts->n <= v[i].part) {
			struct part *k = parts_add(parts);

			if (!k)
				return -ENOMEM;
			k->way[p].how = PART_DERIVED;
			k->epoch = UINT32_MAX;
			k->from_ns = v[i].start_ns;
		}
	for (size_t i = 0; i < n; i++) {
		struct part *k = &parts->v[v[i].part];

		k->epoch = v[i].epoch < k->epoch ? v[i].epoch : k->epoch;
		k->from_ns = v[i].start_ns < k->from_ns ? v[i].start_ns : k->from_ns;
		k->leg[v[i].leg].packets += v[i].packets;
		k->leg[v[i].leg].audio_ms += v[i].packets * PACKET_MS;
	}
	for (size_t i = parts->n; i-- > 0;) /* a part without chunks; epochs never go down */
		if (i + 1 < parts->n && parts->v[i].epoch > parts->v[i + 1].epoch)
			parts->v[i].epoch = parts->v[i + 1].epoch;
	for (size_t i = 0; i < parts->n; i++) {
		if (parts->v[i].epoch == UINT32_MAX)
			parts->v[i].epoch = last;
		last = parts->v[i].epoch;
	}
	return 0;
}

static int bare_content(const struct piece *v, size_t n, struct poor *r)
{
	bool live[STORE_PURPOSES] = { r->wrap[0].slot != 0, r->wrap[1].slot != 0 };
	struct extent_state at = { 0 };
	struct parts parts = { 0 };
	int rc;

	for (size_t i = 0; i < n; i++) {
		extent_put(&r->extents, &at, &v[i].at);
		r->packets[v[i].leg] += v[i].packets;
		if (v[i].start_ns < r->start_ns)
			r->start_ns = v[i].start_ns;
		if (v[i].start_ns > r->end_ns)
			r->end_ns = v[i].start_ns;
	}
	rc = bare_parts(v, n, r, &parts);
	if (!rc)
		parts_put(&parts, live, false, &r->parts);
	parts_free(&parts);
	return rc || r->extents.failed || r->parts.failed ? -ENOMEM : 0;
}

/* Restricted for what there is a key for: why it was kept is not known. */
static int add_bare(struct filling *f, sqlite3 *sql, const struct bare *x)
{
	const struct piece *v = (const struct piece *)f->d->pieces.v + x->first;
	struct poor r = { .uid = &x->uid, .start_ns = v->start_ns, .rule = x->rule, .policy = x->policy, .outcome = "kept",
			  .end = "rebuilt", .gap = "rebuilt" };
	bool any = false;
	int rc;

	for (unsigned p = 0; p < STORE_PURPOSES; p++) {
		/* what is on hold has a key of its own */
		bool lives = x->wrap[p].slot && ((f->d->held && p == STORE_DOCUMENTATION) ||
						 wrap_lives(f->b, f->d, &x->uid, p, x->wrap[p].day, x->wrap[p].slot));

		r.state[p] = store_state_names[lives ? STORE_S_OBJECTED : STORE_S_NONE];
		r.reason[p] = lives ? "rebuilt" : "";
		if (lives)
			r.wrap[p] = x->wrap[p];
		any |= lives;
	}
	if (!any) { /* ciphertext that nobody can read, and that nobody keeps */
		f->b->rep.over++;
		return 0;
	}
	rc = bare_content(v, x->n, &r);
	if (!rc) {
		rc = poor_insert(sql, &r);
		rc = rc == SQLITE_OK ? 0 : fail(f->b, sql, rc);
	}
	buf_free(&r.extents);
	buf_free(&r.parts);
	f->b->rep.bare += !rc;
	return rc;
}

static int add_gone(struct filling *f, sqlite3 *sql, const struct gone *g)
{
	struct poor r = { .uid = &g->uid, .start_ns = g->start_ns, .end_ns = g->end_ns, .rule = g->rule, .policy = g->policy,
			  .outcome = "denied", .end = "rebuilt", .gap = "" };
	int rc;

	for (unsigned p = 0; p < STORE_PURPOSES; p++) {
		r.state[p] = store_state_names[*g->reason[p] ? STORE_S_DENIED : STORE_S_NONE];
		r.reason[p] = g->reason[p];
	}
	rc = poor_insert(sql, &r);
	if (rc != SQLITE_OK)
		return fail(f->b, sql, rc);
	f->b->rep.denied++;
	return 0;
}

int rebuild_fill(void *filling, sqlite3 *sql)
{
	struct filling *f = filling;
	uint64_t before = f->b->rep.copied + f->b->rep.bare + f->b->rep.denied;
	struct buf bytes = { 0 };
	int rc = 0;

	for (size_t i = 0; !rc && i < f->d->copies.n; i++)
		rc = add_copy(f, sql, (const struct piece *)f->d->copies.v + i, &bytes);
	for (size_t i = 0; !rc && i < f->d->bares.n; i++)
		rc = add_bare(f, sql, (const struct bare *)f->d->bares.v + i);
	for (size_t i = 0; !rc && i < f->d->gones.n; i++)
		rc = add_gone(f, sql, (const struct gone *)f->d->gones.v + i);
	buf_free(&bytes);
	return rc ? rc : f->b->rep.copied + f->b->rep.bare + f->b->rep.denied == before ? -ENODATA : 0;
}
