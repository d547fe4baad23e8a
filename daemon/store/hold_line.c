/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hold_line.c - a line of the journal of holds: writing it, and reading any bytes as one
 *
 * A line has one spelling: the reader takes members in their order, writes them again and compares; that checks its checksum,
 * too, which lines of before have none of.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "store/hold_internal.h"

static const char *const whats[HOLD_WHATS] = { "hold", "change", "ask", "cancel", "release" };

/* Length of a UTF-8 sequence that may stand in a text, 0: none. */
static size_t utf8_len(const unsigned char *s)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;

	if (s[0] < ' ' || s[0] == 0x7f)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80) /* the terminating zero is none */
			return 0;
	if ((s[0] == 0xc2 && s[1] < 0xa0) || (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

const char *hold_text_check(const char *s, size_t size)
{
	size_t at = 0, n;

	if (!*s)
		return "is empty";
	for (; s[at]; at += n) {
		n = utf8_len((const unsigned char *)s + at);
		if (!n)
			return "is not one line of UTF-8";
		if (at + n >= size)
			return "is too long";
	}
	return strspn(s, " ") == at ? "is empty" : NULL;
}

bool hold_name_ok(const char *s)
{
	unsigned digits = 0;
	size_t n = 0;

	if (s[0] < 'a' || s[0] > 'z')
		return false;
	for (; s[n]; n++) {
		digits = s[n] >= '0' && s[n] <= '9' ? digits + 1 : 0;
		if (n == HOLD_NAME - 1 || digits == 5 || !strchr("abcdefghijklmnopqrstuvwxyz0123456789._-", s[n]))
			return false;
	}
	return true;
}

/* ---- writing ---- */

static void put_text(struct buf *b, const char *key, const char *s)
{
	buf_printf(b, ",\"%s\":\"", key);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			buf_put8(b, '\\');
		buf_put8(b, (uint8_t)*s);
	}
	buf_put8(b, '"');
}

size_t hold_line_format(const struct hold_line *l, char out[HOLD_LINE_MAX])
{
	struct buf b = { 0 };
	char uid[UID_TEXT], day[16];
	size_t n;

	uid_format(&l->uid, uid);
	buf_printf(&b, "{\"%s\":\"%s\"", whats[l->what], uid);
	if (l->what == HOLD_SET)
		buf_printf(&b, ",\"controller\":\"%s\",\"day\":%" PRIu32 ",\"slot\":%" PRIu32 ",\"key\":%" PRIu32 ",\"until\":%" PRIu64,
			   l->controller, l->day, l->slot, l->index, l->until_ns);
	if (l->what != HOLD_CANCEL)
		put_text(&b, "reason", l->reason);
	if (l->what == HOLD_SET || l->what == HOLD_CHANGE) {
		day_text(l->review, day);
		put_text(&b, "reference", l->reference);
		put_text(&b, "review", day);
	}
	buf_printf(&b, ",\"at\":%" PRIu64 ",\"uid\":%" PRIu32 ",\"by\":\"%s\"", l->at_ns, l->by.uid, l->by.name);
	if (!l->plain && !b.failed)
		buf_printf(&b, ",\"crc\":\"%08" PRIx32 "\"", crc32c(0, b.p, b.len));
	buf_printf(&b, "}\n");
	/* the longest that hold_line_parse lets through has less than 1,700 bytes */
	n = b.failed || b.len > HOLD_LINE_MAX ? 0 : b.len;
	if (n)
		memcpy(out, b.p, n);
	buf_free(&b);
	return n;
}

/* ---- reading ---- */

struct in {
	const char *p;
	size_t left;
	bool bad;
};

static void lit(struct in *c, const char *s)
{
	size_t n = strlen(s);

	c->bad |= c->left < n || memcmp(c->p, s, n) != 0;
	if (!c->bad) {
		c->p += n;
		c->left -= n;
	}
}

static void key(struct in *c, const char *name)
{
	lit(c, ",\"");
	lit(c, name);
	lit(c, "\":");
}

static uint64_t number(struct in *c, uint64_t max)
{
	uint64_t v = 0;
	size_t n = 0;

	for (; n < c->left && c->p[n] >= '0' && c->p[n] <= '9'; n++) {
		unsigned d = (unsigned)(c->p[n] - '0');

		if (v > (max - d) / 10) {
			c->bad = true;
			return 0;
		}
		v = v * 10 + d;
	}
	c->bad |= !n;
	c->p += n;
	c->left -= n;
	return v;
}

static void text(struct in *c, char *out, size_t size)
{
	size_t n = 0;

	lit(c, "\"");
	while (!c->bad && c->left && *c->p != '"') {
		size_t skip = *c->p == '\\';

		if (c->left < skip + 1 || n == size - 1 || !c->p[skip]) {
			c->bad = true;
			break;
		}
		out[n++] = c->p[skip];
		c->p += skip + 1;
		c->left -= skip + 1;
	}
	out[n] = 0;
	lit(c, "\"");
}

static uint32_t day_of_text(struct in *c)
{
	struct clock_date d;
	char s[16];

	text(c, s, sizeof(s));
	if (!c->bad && !clock_date_parse(s, strlen(s), &d))
		return day_number(&d);
	c->bad = true;
	return 0;
}

static void take_set(struct in *c, struct hold_line *l)
{
	struct clock_date d;
	char day[16];

	key(c, "controller");
	text(c, l->controller, sizeof(l->controller));
	key(c, "day");
	l->day = (uint32_t)number(c, 99991231);
	key(c, "slot");
	l->slot = (uint32_t)number(c, UINT32_MAX);
	key(c, "key");
	l->index = (uint32_t)number(c, HOLD_SLOT_COUNT - 1);
	key(c, "until");
	l->until_ns = number(c, UINT64_MAX);
	if (c->bad)
		return;
	day_text(l->day, day);
	c->bad = name_check(l->controller) || !l->slot || clock_date_parse(day, strlen(day), &d);
}

int hold_line_parse(const char *p, size_t n, struct hold_line *ret)
{
	struct hold_line l = { .what = HOLD_WHATS };
	struct in c = { p, n, false };
	char again[HOLD_LINE_MAX], uid[UID_TEXT], crc[9];

	for (int i = 0; i < HOLD_WHATS; i++) {
		struct in try = c;

		lit(&try, "{\"");
		lit(&try, whats[i]);
		lit(&try, "\":");
		if (!try.bad) {
			l.what = (enum hold_what)i;
			c = try;
			break;
		}
	}
	if (l.what == HOLD_WHATS)
		return -EBADMSG;
	text(&c, uid, sizeof(uid));
	c.bad = c.bad || uid_parse(uid, &l.uid);
	if (l.what == HOLD_SET)
		take_set(&c, &l);
	if (l.what != HOLD_CANCEL) {
		key(&c, "reason");
		text(&c, l.reason, sizeof(l.reason));
		c.bad = c.bad || hold_text_check(l.reason, sizeof(l.reason));
	}
	if (l.what == HOLD_SET || l.what == HOLD_CHANGE) {
		key(&c, "reference");
		text(&c, l.reference, sizeof(l.reference));
		c.bad = c.bad || hold_text_check(l.reference, sizeof(l.reference));
		key(&c, "review");
		l.review = day_of_text(&c);
	}
	key(&c, "at");
	l.at_ns = number(&c, UINT64_MAX);
	key(&c, "uid");
	l.by.uid = (uint32_t)number(&c, UINT32_MAX);
	key(&c, "by");
	text(&c, l.by.name, sizeof(l.by.name));
	l.plain = c.left == 1;
	if (!l.plain) { /* written again it must be the same */
		key(&c, "crc");
		text(&c, crc, sizeof(crc));
	}
	lit(&c, "}");
	if (c.bad || c.left || !l.at_ns || !hold_name_ok(l.by.name))
		return -EBADMSG;
	if (hold_line_format(&l, again) != n + 1 || memcmp(again, p, n) != 0)
		return -EBADMSG;
	*ret = l;
	return 0;
}
