/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log.h - messages to stderr
 *
 * On a terminal or pipe a line is `name: text`; under systemd (JOURNAL_STREAM
 * set) it is `<N>text` with the sd-daemon(3) priority. Never a phone number,
 * SIP URI, DTMF digit or key above debug. Whoever acts on an error logs it,
 * once, with the object and the consequence. Thread-safe: one write(2) a line.
 */
#ifndef LOG_H
#define LOG_H

enum log_level {
	LOG_L_ERR = 3,
	LOG_L_WARN = 4,
	LOG_L_NOTICE = 5,
	LOG_L_INFO = 6,
	LOG_L_DEBUG = 7,
};

/* `name` must outlive the program; level: the least urgent that is printed. */
void log_init(const char *name, enum log_level level);
void log_set_level(enum log_level level); /* at any time, any thread */
/* From now on a line that stderr does not take at once is lost, and counted in the next one that it takes: who reads slowly,
 * or a journal that hangs, must not stop capture. */
void log_never_wait(void);
void log_msg(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_err(...)	log_msg(LOG_L_ERR, __VA_ARGS__)
#define log_warn(...)	log_msg(LOG_L_WARN, __VA_ARGS__)
#define log_notice(...) log_msg(LOG_L_NOTICE, __VA_ARGS__)
#define log_info(...)	log_msg(LOG_L_INFO, __VA_ARGS__)
#define log_debug(...)	log_msg(LOG_L_DEBUG, __VA_ARGS__)

#endif
