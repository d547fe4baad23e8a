/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli_out.c - messages, JSON, text for terminals, times, progress
 *
 * Strings that came from the wire pass through here before they reach a
 * terminal or a JSON reader: both get valid UTF-8, the terminal no control
 * characters. One thread.
 */
#include "cli.h"

#include <errno.h>
#include <inttypes.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

static const char *prog = "optag";

static struct {
	bool on;    /* stderr is a terminal and work goes on */
	bool shown; /* a line stands there */
	const char *what;
	uint64_t total;
	uint64_t start_ms, last_ms;
} progress;

void cli_start(const char *name)
{
	prog = name;
	/* `optag find | head` then ends with a message and exit 1, not by a signal in mid-write. */
	(void)signal(SIGPIPE, SIG_IGN);
}

void cli_no_dump(void)
{
	const struct rlimit none = { 0, 0 };

	/* The limit holds for files; what is piped to a crash handler is stopped by the other. */
	(void)setrlimit(RLIMIT_CORE, &none);
#ifndef __SANITIZE_ADDRESS__ /* its leak check traces the process */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

/* ---- messages ---- */

static void wipe(void)
{
	if (progress.shown)
		fputs("\r\033[K", stderr);
	progress.shown = false;
}

static void message(const char *fmt, va_list ap)
{
	char text[1024];

	wipe();
	vsnprintf(text, sizeof(text), fmt, ap);
	fprintf(stderr, "%s: ", prog);
	cli_text(stderr, text, 0, false);
	fputc('\n', stderr);
}

void cli_err(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message(fmt, ap);
	va_end(ap);
}

int cli_usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message(fmt, ap);
	va_end(ap);
	return CLI_USAGE;
}

int cli_exit_code(int err)
{
	if (!err)
		return CLI_OK;
	return err == -EBADMSG || err == -EPROTO ? CLI_DAMAGED : CLI_FAILED;
}

int cli_finish(int rc)
{
	int err = 0;

	errno = 0;
	if (fflush(stdout) != 0 || ferror(stdout))
		err = errno ? errno : EIO;
	if (!err)
		return rc;
	cli_err("standard output: %s", strerror(err));
	return rc == CLI_OK ? CLI_FAILED : rc;
}

/* ---- UTF-8 ---- */

/* Length of the valid sequence at s (RFC 3629: no overlong, no surrogates), 0 none. s ends with 0. */
static unsigned utf8_len(const uint8_t *s)
{
	unsigned n, min;
	uint32_t c;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		n = 2, c = s[0] & 0x1f, min = 0x80;
	else if ((s[0] & 0xf0) == 0xe0)
		n = 3, c = s[0] & 0x0f, min = 0x800;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		n = 4, c = s[0] & 0x07, min = 0x10000;
	else
		return 0;
	for (unsigned i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	return c < min || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : n;
}

/* C1 controls (0x80-0x9f) move cursors too on some terminals. */
static bool is_control(const uint8_t *s, unsigned len)
{
	return (len == 1 && (*s < 0x20 || *s == 0x7f)) || (len == 2 && s[0] == 0xc2 && s[1] < 0xa0);
}

const char *cli_s(double n)
{
	return n == 1 ? "" : "s";
}

void cli_text(FILE *f, const char *s, unsigned columns, bool pad)
{
	const uint8_t *p = (const uint8_t *)s;
	unsigned width = 0, n = 0;

	for (const uint8_t *q = p; *q; width++) {
		unsigned len = utf8_len(q);

		q += len ? len : 1;
	}
	while (*p) {
		unsigned len = utf8_len(p);

		if (columns > 2 && width > columns && n == columns - 2) {
			fputs("..", f);
			n += 2;
			break;
		}
		if (!len || is_control(p, len))
			fputc('?', f);
		else
			fwrite(p, 1, len, f);
		p += len ? len : 1;
		n++;
	}
	for (; pad && n < columns; n++)
		fputc(' ', f);
}

/* ---- JSON ---- */

json_t *cli_json_str(const char *s)
{
	struct buf b = { 0 };
	json_t *ret = NULL;

	if (!s)
		return json_null();
	for (const uint8_t *p = (const uint8_t *)s; *p;) {
		unsigned len = utf8_len(p);

		if (len)
			buf_put(&b, p, len);
		else
			buf_put(&b, "\xef\xbf\xbd", 3);
		p += len ? len : 1;
	}
	if (!b.failed)
		ret = json_stringn(b.p ? (const char *)b.p : "", b.len);
	buf_free(&b);
	return ret;
}

json_t *cli_json_time(uint64_t ns)
{
	char text[32];

	if (!ns)
		return json_null();
	clock_format(ns, text);
	return json_string(text);
}

int cli_json_line(FILE *f, json_t *obj)
{
	int rc = 0;

	if (!obj) {
		cli_err("out of memory");
		return -ENOMEM;
	}
	/* A failed write shows in ferror(), which cli_finish tells once. */
	if (json_dumpf(obj, f, JSON_COMPACT | JSON_REAL_PRECISION(15)) != 0 || fputc('\n', f) == EOF)
		rc = ferror(f) ? -EIO : -ENOMEM;
	json_decref(obj);
	if (rc == -ENOMEM)
		cli_err("out of memory");
	return rc;
}

/* ---- times ---- */

static uint64_t unit_ns(const char *s, size_t n)
{
	static const struct {
		const char *name;
		uint64_t s;
	} unit[] = {
		{ "s", 1 },	  { "sec", 1 },	   { "second", 1 }, { "seconds", 1 },	{ "m", 60 },
		{ "min", 60 },	  { "minute", 60 }, { "minutes", 60 }, { "h", 3600 },	{ "hour", 3600 },
		{ "hours", 3600 }, { "d", 86400 }, { "day", 86400 }, { "days", 86400 }, { "w", 604800 },
		{ "week", 604800 }, { "weeks", 604800 },
	};

	for (size_t i = 0; i < sizeof(unit) / sizeof(unit[0]); i++)
		if (strlen(unit[i].name) == n && memcmp(unit[i].name, s, n) == 0)
			return unit[i].s * NS_PER_S;
	return 0;
}

int cli_duration(const char *s, uint64_t *ret_ns)
{
	uint64_t sum = 0;

	if (!*s)
		return -EINVAL;
	while (*s) {
		uint64_t v = 0, unit;
		size_t digits = strspn(s, "0123456789"), word;

		if (!digits || digits > 19)
			return digits ? -ERANGE : -EINVAL;
		for (; digits; digits--)
			v = v * 10 + (uint64_t)(*s++ - '0');
		s += strspn(s, " ");
		word = strspn(s, "abcdefghijklmnopqrstuvwxyz");
		unit = unit_ns(s, word);
		if (!unit)
			return -EINVAL;
		if (__builtin_mul_overflow(v, unit, &v) || __builtin_add_overflow(sum, v, &sum))
			return -ERANGE;
		s += word;
		s += strspn(s, " ");
	}
	*ret_ns = sum;
	return 0;
}

int cli_time(const char *s, uint64_t *ret_ns)
{
	static const char ago[] = "ago";
	char text[64];
	uint64_t back, now = clock_now_ns();
	size_t n = strlen(s);
	int rc;

	if (strcmp(s, "now") == 0) {
		*ret_ns = now;
		return 0;
	}
	if (clock_parse(s, ret_ns) == 0)
		return 0;
	if (n >= sizeof(text))
		return -EINVAL;
	memcpy(text, s, n + 1);
	if (n > sizeof(ago) && strcmp(text + n - 3, ago) == 0)
		text[n - 3] = 0;
	rc = cli_duration(text, &back);
	if (rc)
		return rc;
	if (back > now)
		return -ERANGE;
	*ret_ns = now - back;
	return 0;
}

/* ---- progress ---- */

/* Real time, not base/clock: in a replay that one shows the capture's time. */
static uint64_t real_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void cli_progress_start(const char *what, uint64_t total_bytes)
{
	progress.on = isatty(STDERR_FILENO) == 1;
	progress.shown = false;
	progress.what = what;
	progress.total = total_bytes;
	progress.start_ms = progress.last_ms = real_ms();
}

static void show(uint64_t done, uint64_t calls, uint64_t now)
{
	double mib = (double)done / (1 << 20), s = (double)(now - progress.start_ms) / 1000;

	fprintf(stderr, "\r\033[K%s: ", progress.what);
	if (progress.total)
		fprintf(stderr, "%3.0f %% of ", 100.0 * (double)done / (double)progress.total);
	fprintf(stderr, "%.1f MiB, %" PRIu64 " call%s, %.1f MiB/s",
		progress.total ? (double)progress.total / (1 << 20) : mib, calls, calls == 1 ? "" : "s",
		s > 0 ? mib / s : 0);
	if (done && done < progress.total)
		fprintf(stderr, ", %.0f s left", s * (double)(progress.total - done) / (double)done);
	fflush(stderr);
	progress.shown = true;
}

void cli_progress(uint64_t done_bytes, uint64_t calls)
{
	static unsigned every; /* the clock is asked for each 16th call only */
	uint64_t now;

	if (!progress.on || ++every % 16)
		return;
	now = real_ms();
	if (now - progress.last_ms < 200)
		return;
	progress.last_ms = now;
	show(done_bytes, calls, now);
}

void cli_progress_end(void)
{
	wipe();
	fflush(stderr);
	progress.on = false;
}

const char *cli_n(uint64_t n, const char *one)
{
	static char text[8][64];
	static unsigned at;

	at = (at + 1) % 8;
	snprintf(text[at], sizeof(text[at]), "%" PRIu64 " %s%s", n, one, n == 1 ? "" : "s");
	return text[at];
}
