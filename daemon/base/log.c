/* SPDX-License-Identifier: BSD-2-Clause */
/* log.c - messages to stderr, one write(2) a line so that threads do not mix */
#include "base/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *log_name = "optag";
static enum log_level log_least = LOG_L_INFO;
static bool log_no_wait;
static unsigned long log_lost;
static int log_journal; /* stderr is the journal's socket (sd-daemon(3)) */

void log_init(const char *name, enum log_level level)
{
	log_name = name;
	log_least = level;
	log_journal = getenv("JOURNAL_STREAM") != NULL && !isatty(STDERR_FILENO);
}

void log_set_level(enum log_level level)
{
	__atomic_store_n(&log_least, level, __ATOMIC_RELAXED);
}

void log_never_wait(void)
{
	log_no_wait = true;
}

/* A pipe says so when it has room for a whole line (PIPE_BUF), a socket long before it is full, a file always. */
static bool would_wait(void)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };

	return log_no_wait && !(poll(&p, 1, 0) == 1 && p.revents & POLLOUT);
}

static void put_line(const char *line, size_t n)
{
	/* stderr gone: there is nowhere left to say so */
	(void)!write(STDERR_FILENO, line, n);
}

static int begin_line(char *line, size_t n, enum log_level level)
{
	return log_journal ? snprintf(line, n, "<%d>", (int)level) : snprintf(line, n, "%s: ", log_name);
}

static void say_lost(void)
{
	unsigned long lost = __atomic_exchange_n(&log_lost, 0, __ATOMIC_RELAXED);
	char line[128];
	int n = begin_line(line, sizeof(line), LOG_L_WARN);

	n += snprintf(line + n, sizeof(line) - (size_t)n, "%lu lines are not here: nobody took them\n", lost);
	if (lost && (size_t)n < sizeof(line))
		put_line(line, (size_t)n);
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n, m;

	if (level > __atomic_load_n(&log_least, __ATOMIC_RELAXED))
		return;
	if (would_wait()) {
		__atomic_fetch_add(&log_lost, 1, __ATOMIC_RELAXED);
		return;
	}
	if (__atomic_load_n(&log_lost, __ATOMIC_RELAXED))
		say_lost();
	n = begin_line(line, sizeof(line), level);
	va_start(ap, fmt);
	m = vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
	va_end(ap);
	if (m < 0)
		return;
	n += m;
	if ((size_t)n > sizeof(line) - 2) /* cut, never split over two lines */
		n = (int)sizeof(line) - 2;
	line[n++] = '\n';
	put_line(line, (size_t)n);
}
