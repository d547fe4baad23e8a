/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reap_report.h - the daily inventory in the evidence log (R-22, N-22)
 *
 * The first run of a UTC day counts what the store holds (inventory.h) and leaves it in the outbox as one report: events report.made, all
 * with the same time and data, in this order (FORMAT.md, rule E-13):
 *
 *	reason inventory.age	a controller, rule and purpose: how many calls can be read for it, by age; held: of these
 *	reason inventory.day	a controller and rule: the calls that began on the UTC day before, kept + denied + gap
 *	reason inventory	the end: how many lines, calls that can be read, keys past their deadline, problems, days without a report
 *
 * It is the reaper that does it: it runs whether a recorder is alive or not, may read rows and names, and when it is dead training is
 * denied and that is told; what it did not count on a day nobody can count later, so that is told with the next report. Killed before the
 * report is in the outbox it makes it anew, killed right behind that it makes another one: of several of a day the last counts.
 * STORE/reap.inventory says for which day it was done; without it, or damaged, it is done again.
 */
#ifndef REAP_REPORT_H
#define REAP_REPORT_H

#include <stddef.h>
#include <stdint.h>

struct reap;

/* At the end of a run; its failures are the run's faults. A clock that is not believed, or a time that a person gave, makes none. */
void reap_report(struct reap *r);

/* The file, for tests and fuzzing: always REAP_REPORT_SIZE bytes. Any bytes; the day (YYYYMMDD), 0 damaged. */
#define REAP_REPORT_SIZE 128
size_t reap_report_format(uint32_t day, char raw[REAP_REPORT_SIZE]);
uint32_t reap_report_parse(const char *p, size_t n);

#endif
