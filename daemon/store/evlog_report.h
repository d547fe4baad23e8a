/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evlog_report.h - an inventory in the evidence log: report.made of one time and data, its end last (rule E-13)
 *
 * data of all of its lines is the hash over those before the end, each as it would be written with its place in the report (from 1) as
 * seq, and zeros as prev and data. So what is read whole was written whole. One thread an object.
 *
 * What an inventory counts comes from the catalog, what it is held against from the log: of no rule and day may there be more rows than
 * calls that the log says were matched. A call's day is that of its uid, in both.
 */
#ifndef EVLOG_REPORT_H
#define EVLOG_REPORT_H

#include <sodium.h>
#include <stdint.h>

#include "base/hash.h"
#include "store/evlog.h"

#define EVLOG_REPORT_AGE "inventory.age"
#define EVLOG_REPORT_DAY "inventory.day"
#define EVLOG_REPORT_END "inventory"
#define EVLOG_REPORT_OTHERS "(others)" /* instead of a rule: those that there was no room for */

struct evlog_report_hash {
	crypto_generichash_state state;
	uint64_t n;
};
void evlog_report_hash_begin(struct evlog_report_hash *h);
void evlog_report_hash_line(struct evlog_report_hash *h, const struct evlog_event *e); /* a valid event */
void evlog_report_hash_end(struct evlog_report_hash *h, uint8_t ret[32]);

/* Reads the log's lines in their order. */
struct evlog_reports {
	struct evlog_report_hash hash;
	uint8_t data[32]; /* of the report at hand */
	uint64_t time_ns;
	bool any, begun; /* begun: lines of it were seen */
	int32_t first;	 /* the earliest day of which the log says anything, if a line was `seen` */
	bool seen;
	bool counts;	 /* kept, denied and gap of its lines add up */
	uint64_t whole, missed; /* reports; days between two of them that have none */
	uint64_t day, past, errors; /* of the last one */
	int32_t last;	 /* its day */
	struct htab rules; /* of a day each: matched, and rows at most */
	bool failed;	   /* out of memory */
};
int evlog_reports_init(struct evlog_reports *r); /* -ENOMEM; evlog_reports_free in either case */
void evlog_reports_free(struct evlog_reports *r);
/*
 * NULL, or what is wrong with this line (static text). file, at: where it stands, the file's day and the line. partial: nothing was read
 * before, maybe.
 */
const char *evlog_reports_line(struct evlog_reports *r, const struct evlog_event *e, int32_t file, uint64_t at, bool partial);
/*
 * For each rule and day of which an inventory has more rows than there are calls: where its line stands. Days from `since` on, and behind
 * the first of which the log says anything: the store may be older than its log.
 */
void evlog_reports_end(const struct evlog_reports *r, int32_t since,
		       void (*more)(void *arg, const char *rule, int32_t file, uint64_t line, uint64_t rows, uint64_t calls), void *arg);

#endif
