/* SPDX-License-Identifier: BSD-2-Clause */
/* audit.h - what the files of `optag audit` share. One thread. */
#ifndef AUDIT_H
#define AUDIT_H

#include "cli.h"
#include "store/evlog.h"

/* The store that an operand names, else --store, else the default. */
const char *audit_store(const struct cli_args *a, const char *option);
/*
 * evlog_look with its error told. For commands that show: findings are one line on stderr and
 * make the exit code 3. CLI_OK, or the exit code.
 */
int audit_look(const char *store, const struct evlog_look *how);

int audit_show(int argc, char **argv);
int audit_recompute_sample(int argc, char **argv);
int audit_certificate(int argc, char **argv);
int audit_sms(int argc, char **argv);

#endif
