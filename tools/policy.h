/* SPDX-License-Identifier: BSD-2-Clause */
/* policy.h - what the files of optag-policy share: loading, and the commands in files of their own */
#ifndef TOOLS_POLICY_H
#define TOOLS_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "cli.h"
#include "policy/diff.h"
#include "policy/policy.h"

/* Loads a policy; what is wrong goes to stderr. today: UTC seconds. */
int policy_tool_load(const char *const *paths, size_t n, int64_t today, struct policy **ret);

/* The evidence log as `optag audit show --json` prints it ("-": stdin), summed by rule. 0, or -errno, told. free(ret->rule). */
int policy_tool_past(const char *file, struct policy_past_log *ret);

/* Sounds by which announcements cannot be recognised though a rule wants it (L-85); returns how many. */
size_t policy_tool_sounds(const struct policy *p, void (*bad)(const struct policy_diag *d));

/* Items, one a line or one object a line; neutral ones on request. -errno of the output. */
int policy_tool_print_diff(const struct policy_diff *d, bool json, bool neutral);
/* "3 tighten, 1 shorten, 2 loosen, 1 neutral" */
void policy_tool_summary(FILE *f, const struct policy_diff *d);

int policy_cmd_diff(int argc, char **argv);
int policy_cmd_simulate(int argc, char **argv);
int policy_cmd_convert(int argc, char **argv);
int policy_cmd_show(int argc, char **argv);
int policy_cmd_apply(int argc, char **argv);
int policy_cmd_status(int argc, char **argv);

#endif
