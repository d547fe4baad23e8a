/* SPDX-License-Identifier: BSD-2-Clause */
/* extent.c - where the chunks of a call lie, as the row says it, see catalog.h */
#include <errno.h>

#include "base/buf.h"
#include "store/catalog.h"
#include "store/segment.h"
#include "store/writer.h"

void extent_put(struct buf *b, struct extent_state *st, const struct extent *e)
{
	if (e->segment != st->segment)
		st->end = 0;
	buf_put_varint(b, zigzag((int64_t)e->segment - (int64_t)st->segment));
	buf_put_varint(b, zigzag(((int64_t)e->off - (int64_t)st->end) / SEGMENT_ALIGN));
	buf_put_varint(b, e->len);
	st->segment = e->segment;
	st->end = e->off + segment_round(e->len);
}

int extent_get(const uint8_t **p, size_t *n, struct extent_state *st, struct extent *ret)
{
	struct rd r = { .p = *p, .left = *n };
	int64_t seg, off;
	uint64_t len;

	if (!r.left)
		return 0;
	seg = unzigzag(rd_varint(&r));
	off = unzigzag(rd_varint(&r));
	len = rd_varint(&r);
	if (r.bad || seg < -(int64_t)st->segment || seg > (int64_t)(99999999 - st->segment) ||
	    len < CHUNK_DISK_MIN || len > CHUNK_DISK_MAX || off > (int64_t)(SEGMENT_MAX / SEGMENT_ALIGN) ||
	    off < -(int64_t)(SEGMENT_MAX / SEGMENT_ALIGN))
		return -EBADMSG;
	if (seg)
		st->end = 0;
	st->segment = (uint32_t)(st->segment + seg);
	off = (int64_t)st->end + off * SEGMENT_ALIGN;
	if (off < SEGMENT_HEAD || (uint64_t)off > SEGMENT_MAX)
		return -EBADMSG;
	*ret = (struct extent){ .segment = st->segment, .off = (uint64_t)off, .len = (uint32_t)len };
	st->end = (uint64_t)off + segment_round(len);
	*p = r.p;
	*n = r.left;
	return 1;
}
