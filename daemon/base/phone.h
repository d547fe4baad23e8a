/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * phone.h - whether a text that people wrote holds what looks like a telephone number
 *
 * Reasons, references, tickets and notes go into journals that many may read and that live for years, where no number may
 * stand. Whoever takes such a text asks here and says PHONE_REFUSED. A number is PHONE_DIGITS digits or more, with or without +, of any
 * script that people type numbers in, between which nothing stands but separators as people write them (blanks, - . / ( ) _ and dashes, and
 * what is not seen; three at most). Not one are, but behind + or 00, dates and file numbers with a year (2026-11-24, 24.11.2026, 2026-11-0042,
 * 2026/0042, 1234/2026; phone.c has the forms); nor UUIDs and hashes of 16 hexadecimal digits or more, with a letter; nor what follows
 * a capital in a word of capitals and digits (CHG0030052, a call's identifier). It is for the careless: who wants to write one down can spell it.
 * Pure function, any thread, any bytes.
 */
#ifndef PHONE_H
#define PHONE_H

#include <stdbool.h>
#include <stddef.h>

#define PHONE_DIGITS 7 /* shorter ones are extensions and service numbers, and name nobody */
#define PHONE_REFUSED                                                                                           \
	"looks as if a telephone number stands in it, and it goes where no number may be kept: name the call by " \
	"its identifier (optag find), the matter by its file number (2026-11-0042, CHG0030052)"

/* s: n bytes. *ret_at (may be NULL): where its digits begin. */
bool phone_in(const char *s, size_t n, size_t *ret_at);

#endif
