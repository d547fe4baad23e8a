/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record_call_save.c - a recording as bytes, for the process that goes on with it
 *
 * The bytes lie in memory that others could have written to: every value is
 * checked, and a recording that does not read to its last byte does not go on.
 * Of digits only that of a key that is being pressed is among them (dtmf.h). Same thread as record_call.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "record_call_internal.h"

#define VERSION	     6 /* 6: a press in progress */
#define COUNT_MAX    (1ULL << 60)

enum { F_KNOWN = 1, F_EXPIRED = 2, F_UNDATED = 4, F_BEGUN = 8, F_FLUSHED = 16, F_ALL = 31 };

/* The few reasons there are; they outlive the recording as static texts do. */
static const char *const gaps[] = { "", "restart", "truncated-packets", "unknown-payload-type", "flow-table-full",
				    "overload", "disk", "memory", "parts", "other", "flow-quarantine", "interface-gone",
				    "transfer.limit" };
#define GAPS  (sizeof(gaps) / sizeof(*gaps))
#define OTHER 9 /* numbers are for good: the daemon before may be older */

bool recording_begun(const struct recording *rc)
{
	return rc->sc;
}

bool recording_durable(const struct recording *rc)
{
	return !rc->sc || store_call_committed(rc->sc, STORE_DOCUMENTATION);
}

bool recording_unsaved(const struct recording *rc)
{
	return rc->unsaved >= RECORDING_SAVE_PACKETS;
}

static void put_text(struct buf *b, const char *s, size_t max)
{
	size_t n = strnlen(s, max - 1);

	buf_put8(b, (uint8_t)n);
	buf_put(b, s, n);
}

static bool get_text(struct rd *r, char *out, size_t max)
{
	size_t n = rd_u8(r);
	const uint8_t *p = n < max ? rd_bytes(r, n) : NULL;

	if (!p || memchr(p, 0, n))
		return false;
	memcpy(out, p, n);
	out[n] = 0;
	return true;
}

static void put_leg(struct buf *b, const struct leg_state *l)
{
	const struct rtp_stream *last = NULL;

	rtp_leg_save(&l->rtp, b);
	for (unsigned i = 0; i < l->rtp.n; i++)
		if (!last || l->rtp.stream[i]->last_ns > last->last_ns)
			last = l->rtp.stream[i];
	buf_put8(b, last != NULL);
	buf_put_le32(b, last ? last->ssrc : 0);
	buf_put_varint(b, zigzag(last ? last->run.max + 1 : 0));
	dtmf_save(&l->dtmf, b);
	buf_put8(b, (uint8_t)l->nfmt);
	for (unsigned i = 0; i < l->nfmt; i++) {
		put_text(b, l->fmt[i].name, sizeof(l->fmt[i].name));
		buf_put_le32(b, l->fmt[i].clock);
		buf_put8(b, l->fmt[i].channels);
		buf_put8(b, l->fmt[i].pt);
		put_text(b, l->fmt[i].fmtp, sizeof(l->fmt[i].fmtp));
		buf_put_varint(b, l->fmt_packets[i]);
	}
	buf_put_varint(b, l->packets);
	buf_put_varint(b, l->noise);
	buf_put_varint(b, l->events);
	buf_put_varint(b, l->blocked);
	buf_put_varint(b, l->blocked_at_first);
	buf_put_varint(b, l->audio_us);
	buf_put_le32(b, l->last_ts);
	buf_put_le32(b, l->last_ssrc);
	buf_put_varint(b, zigzag(l->last_seq));
	buf_put_varint(b, l->blocked_seen);
	buf_put_varint(b, l->inspected);
	buf_put_varint(b, l->muted + (l->chunker ? chunker_muted(l->chunker) : 0));
	buf_put8(b, l->any);
	buf_put8(b, (uint8_t)(l->silent | l->pauses << 1));
	buf_put_le64(b, l->below);
	buf_put_le64(b, l->below_ns);
}

static int get_leg(struct rd *r, struct leg_state *l)
{
	uint8_t any, last, flags;
	uint64_t over;
	int e = rtp_leg_load(r, &l->rtp);

	if (e)
		return e;
	last = rd_u8(r);
	l->resumed = last;
	l->blind = true; /* nobody looked meanwhile */
	l->expect_ssrc = rd_le32(r);
	l->expect = unzigzag(rd_varint(r));
	if (last > 1 || !dtmf_load(r, &l->dtmf))
		return -EBADMSG;
	l->pressing = dtmf_open(&l->dtmf, &over);
	l->nfmt = rd_u8(r);
	if (l->nfmt > FORMATS_MAX)
		return -EBADMSG;
	for (unsigned i = 0; i < l->nfmt; i++) {
		struct media_format *f = &l->fmt[i];

		if (!get_text(r, f->name, sizeof(f->name)))
			return -EBADMSG;
		f->clock = rd_le32(r);
		f->channels = rd_u8(r);
		f->pt = rd_u8(r);
		if (!get_text(r, f->fmtp, sizeof(f->fmtp)))
			return -EBADMSG;
		l->fmt_packets[i] = (uint32_t)rd_varint(r);
	}
	l->packets = rd_varint(r);
	l->noise = rd_varint(r);
	l->events = rd_varint(r);
	l->blocked = rd_varint(r);
	l->blocked_at_first = rd_varint(r);
	l->audio_us = rd_varint(r);
	l->last_ts = rd_le32(r);
	l->last_ssrc = rd_le32(r);
	l->last_seq = unzigzag(rd_varint(r));
	l->blocked_seen = rd_varint(r);
	l->inspected = rd_varint(r);
	l->muted = rd_varint(r);
	any = rd_u8(r);
	l->any = any;
	flags = rd_u8(r);
	l->silent = flags & 1;
	l->pauses = flags & 2;
	l->below = rd_le64(r);
	l->below_ns = rd_le64(r);
	return r->bad || any > 1 || flags > 3 || (l->packets | l->noise | l->events | l->blocked | l->blocked_at_first | l->audio_us | l->inspected |
			l->muted) > COUNT_MAX ?
		       -EBADMSG : 0;
}

static uint8_t gap_number(const char *gap)
{
	for (size_t i = 0; gap && i < GAPS; i++)
		if (strcmp(gap, gaps[i]) == 0)
			return (uint8_t)i;
	return gap ? OTHER : 0;
}

static void save(struct recording *rc, bool all, struct buf *out)
{
	bool flushed = true;

	for (int i = 0; i < 2; i++)
		flushed = flushed && (!rc->leg[i].chunker || chunker_empty(rc->leg[i].chunker));
	buf_put8(out, VERSION);
	buf_put8(out, (uint8_t)((rc->known ? F_KNOWN : 0) | (rc->expired ? F_EXPIRED : 0) | (rc->undated ? F_UNDATED : 0) |
				(rc->sc ? F_BEGUN : 0) | (flushed ? F_FLUSHED : 0)));
	buf_put8(out, gap_number(rc->gap));
	for (int p = 0; p < STORE_PURPOSES; p++) {
		buf_put_le64(out, rc->meta.until_ns[p]);
		buf_put8(out, rc->meta.commit[p]);
	}
	buf_put_le64(out, rc->first_ns);
	put_leg(out, &rc->leg[0]);
	put_leg(out, &rc->leg[1]);
	rc->unsaved = 0;
	if (rc->sc && (all ? store_call_save(rc->sc, out) : store_call_save_durable(rc->sc, out)))
		out->failed = true;
}

void recording_save(struct recording *rc, struct buf *out)
{
	save(rc, false, out);
}

void recording_save_all(struct recording *rc, struct buf *out)
{
	save(rc, true, out);
}

static int load(struct recording *rc, struct rd *r, uint8_t *ret_flags)
{
	uint8_t version = rd_u8(r), flags = rd_u8(r), gap = rd_u8(r);
	int e;

	if (r->bad || version != VERSION || flags > F_ALL || gap >= GAPS)
		return -EBADMSG;
	rc->gap = gap ? gaps[gap] : NULL;
	for (int p = 0; p < STORE_PURPOSES; p++) {
		uint64_t until = rd_le64(r);
		uint8_t commit = rd_u8(r);

		if (commit > 1 || until > INT64_MAX)
			return -EBADMSG;
		rc->meta.until_ns[p] = until;
		rc->meta.commit[p] = commit;
	}
	rc->known = flags & F_KNOWN;
	rc->expired = flags & F_EXPIRED;
	rc->undated = flags & F_UNDATED;
	*ret_flags = flags;
	rc->first_ns = rd_le64(r);
	e = get_leg(r, &rc->leg[0]);
	if (!e)
		e = get_leg(r, &rc->leg[1]);
	if (!e && !(flags & F_BEGUN) && r->left)
		e = -EBADMSG;
	return e;
}

/* The dead process's audio never reached the disk, or nobody knows of it: figures are of what is kept. */
static void begin_anew(struct recording *rc)
{
	for (int i = 0; i < 2; i++) {
		struct leg_state *l = &rc->leg[i];

		l->nfmt = 0;
		l->now.of = 0;
		l->packets = l->noise = l->audio_us = l->muted = 0;
		l->any = false;
	}
	rc->first_ns = 0;
	recording_gap(rc, "restart");
}

int recording_resume(struct store *st, struct call *c, const void *bytes, size_t n, struct recording **ret)
{
	struct recording *rc = line_alloc(sizeof(*rc));
	struct rd r = { .p = bytes, .left = n };
	uint8_t flags = 0;
	int e;

	if (!rc)
		return -ENOMEM;
	recording_init(rc, st, c);
	e = load(rc, &r, &flags);
	if (!e && !(flags & F_BEGUN) && rc->first_ns) /* what was held is gone with who held it */
		begin_anew(rc);
	if (!e && flags & F_BEGUN) {
		e = store_call_resume(st, r.p, r.left, &rc->sc);
		if (e == -ENOENT) {
			begin_anew(rc);
			e = 0;
		}
	}
	if (e) {
		recording_abort(rc);
		return e;
	}
	rc->stale = rc->sc;
	if (rc->sc && !(flags & F_FLUSHED))
		recording_gap(rc, "restart");
	*ret = rc;
	return 0;
}

int recording_leave(struct recording *rc)
{
	int e = rc->sc ? store_call_leave(rc->sc) : 0;

	rc->sc = NULL;
	recording_abort(rc);
	return e;
}
