/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * audit_sample.h - what the files of `optag audit recompute-sample` share
 *
 * audit_sample.c the command and what it prints, audit_sample_events.c what the evidence log says of sampling,
 * audit_sample_match.c each draw against its event. One thread.
 */
#ifndef AUDIT_SAMPLE_H
#define AUDIT_SAMPLE_H

#include "audit.h"
#include "base/hash.h"
#include "call/sample_log.h"

/* ---- the evidence log ---- */

/* A rule's name by its id; controller "" where an event gave none. */
struct rule_name {
	struct hnode node;
	uint8_t id[SAMPLE_ID];
	char controller[EVLOG_NAME], rule[EVLOG_NAME];
};

/* A draw as it was logged. */
struct drawn {
	uint8_t link[SAMPLE_LOG_LINK];
	const struct rule_name *name;
	int32_t day;  /* since 1970 */
	int32_t file; /* day of the evidence log's file */
	uint64_t line;
	uint64_t draw, threshold;
	bool in, used; /* used: its record was found */
	uint8_t why;   /* enum sample_why; 0 none of them */
};

/* A day's seed: where its events stand. */
struct seed_at {
	struct sample_published pub;
	int32_t commit_file, reveal_file;
	uint64_t commit_line, reveal_line;
	uint64_t over_ns; /* first event after the day was over everywhere; 0 none */
	bool overdue;	  /* it should have been published long since */
	bool told;	  /* that its draws cannot be calculated */
};

struct events {
	struct htab names;
	struct drawn *v; /* in their order */
	size_t n, cap;
	size_t *slot; /* by link, open addressing: index + 1 */
	size_t slots;
	struct seed_at *seed;
	struct sample_published *pub; /* of seed, the same index; what recomputing takes */
	size_t seeds;
	uint64_t newest_ns;
	/* for what is wrong with the events themselves */
	void (*fault)(void *arg, const char *file, uint64_t line, int32_t day, const char *text);
	void *arg;
};

/* Days before `from` (0 all) are left out but for the seeds. CLI_OK, or the exit code; then it was told. */
int events_read(const char *store, int32_t from, struct events *e);
void events_free(struct events *e);
const struct rule_name *events_name(const struct events *e, const uint8_t rule[SAMPLE_ID]); /* NULL unknown */
struct drawn *events_find(const struct events *e, const uint8_t link[SAMPLE_LOG_LINK]);	     /* NULL */
struct seed_at *events_seed(const struct events *e, int32_t day);			     /* NULL */
void events_file(int32_t day, char out[32]); /* "evidence/2026-11-24.log" */

/* ---- draws and events ---- */

/* A rule while its records are read. */
struct rule_state {
	struct hnode node;
	uint8_t id[SAMPLE_ID];
	bool opened;
	int32_t day;	 /* of its latest draw or state */
	uint64_t starts; /* how often it was opened with `start` */
	size_t lost;	 /* its latest draw without an event that may yet be a crash's; index + 1 */
};

/* A draw that the evidence log does not have by its link. */
struct lost_draw {
	uint8_t rule[SAMPLE_ID];
	int32_t day, file;
	uint64_t line, threshold;
	uint32_t draw;
	uint8_t why;
	bool wrong;	 /* no crash can have left it */
	uint64_t starts; /* of all rules, and its own, when it came */
	uint64_t own;
	uint64_t anchored; /* draws with an event before it */
	size_t next;	   /* the rule's one before; index + 1 */
	struct drawn *with; /* its event, as far as rule, day and draw tell; NULL none */
};

struct match {
	struct events *e;
	struct lost_draw *v;
	size_t n, cap, from; /* from: later ones had no event after them yet */
	uint64_t starts, anchored;
	void (*fault)(void *arg, const char *file, uint64_t line, int32_t day, const uint8_t rule[SAMPLE_ID],
		      const char *text);
	void (*crashed)(void *arg, int32_t day, const uint8_t rule[SAMPLE_ID]); /* a crash kept this draw from the evidence log */
	void *arg;
};

/* Each record in its order; the rule's state before it. -ENOMEM. */
int match_record(struct match *m, struct rule_state *rs, const struct sample_record *r,
		 const uint8_t link[SAMPLE_LOG_LINK], const char *file, uint64_t line, int32_t day);
/* What has no partner. */
void match_end(struct match *m);

#endif
