/* SPDX-License-Identifier: BSD-2-Clause */
/* log.c - messages to stderr, one write(2) a line so that threads do not mix */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *log_name = "optag";
static enum log_level log_least = LOG_L_INFO;
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

void log_msg(enum log_level level, const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n, m;

	if (level > __atomic_load_n(&log_least, __ATOMIC_RELAXED))
		return;
	if (log_journal)
		n = snprintf(line, sizeof(line), "<%d>", (int)level);
	else
		n = snprintf(line, sizeof(line), "%s: ", log_name);
	va_start(ap, fmt);
	m = vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
	va_end(ap);
	if (m < 0)
		return;
	n += m;
	if ((size_t)n > sizeof(line) - 2) /* cut, never split over two lines */
		n = (int)sizeof(line) - 2;
	line[n++] = '\n';
	/* stderr gone: there is nowhere left to say so */
	(void)!write(STDERR_FILENO, line, (size_t)n);
}
