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

/* The policy in force (which NULL) or a proposed one, by its whole hash, from the daemon; told. then: judged as on that day. */
struct cli_ctl;
int policy_tool_fetch(struct cli_ctl *c, const char *which, int64_t then, struct policy **ret);
/* sure: without asking. `not`: what is said when the answer is no. */
bool policy_tool_confirmed(bool sure, const char *question, const char *not);
/* Asks for it when it is NULL. CLI_USAGE, told: there is none. */
int policy_tool_reason(const char **text);

int policy_cmd_diff(int argc, char **argv);
int policy_cmd_simulate(int argc, char **argv);
int policy_cmd_convert(int argc, char **argv);
int policy_cmd_show(int argc, char **argv);
int policy_cmd_confirm(int argc, char **argv);
int policy_cmd_cancel(int argc, char **argv);
int policy_cmd_rollback(int argc, char **argv);
int policy_cmd_history(int argc, char **argv);
int policy_cmd_quota(int argc, char **argv);
int policy_cmd_drift(int argc, char **argv);
int policy_cmd_propose(int argc, char **argv);
int policy_cmd_approve(int argc, char **argv);
int policy_cmd_approver_key(int argc, char **argv);
int policy_cmd_apply(int argc, char **argv);
int policy_cmd_status(int argc, char **argv);

#endif
