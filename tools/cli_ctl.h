/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli_ctl.h - asking the daemon over its control socket (daemon/ctl.h is the other end)
 *
 *	cli_ctl_open(path, &c)			says on stderr what is wrong
 *	cli_ctl_ask(c, json_pack(...), &answer)	one request, one answer
 *	cli_ctl_next(c, &answer)		further lines of an answer with "more"
 *	cli_ctl_close(c)
 *
 * Waits CLI_CTL_TIMEOUT_S for an answer, no longer. One thread.
 */
#ifndef CLI_CTL_H
#define CLI_CTL_H

#include <stdbool.h>

#include <jansson.h>

#define CLI_CTL_PATH	  "/run/optag/control"
#define CLI_CTL_TIMEOUT_S 10
#define CLI_CTL_LINE_MAX  (16u << 20)

struct cli_ctl;

/* One line is said on failure: no daemon, no permission. */
int cli_ctl_open(const char *path, struct cli_ctl **ret);
void cli_ctl_close(struct cli_ctl *c); /* NULL-tolerant */

/*
 * Takes the request (NULL: out of memory). 0: *ret_answer has "ok": true and is
 * the caller's. Else -errno and one line is said: the daemon's own reason, or
 * what happened to the connection.
 */
int cli_ctl_ask(struct cli_ctl *c, json_t *request, json_t **ret_answer);
/* One question over a connection of its own: an exit code, and the answer without its "ok". */
int cli_ctl_once(const char *path, json_t *request, json_t **ret_answer);
/*
 * The two halves, for who passes answers on: they come in the order of the requests, several of which may be under way.
 * Whatever the daemon answered is the caller's, refusals too; nothing is said unless there is none (-errno).
 */
int cli_ctl_send(struct cli_ctl *c, json_t *request);
int cli_ctl_receive(struct cli_ctl *c, json_t **ret_answer);
/* The daemon has closed the connection, or something came that was not asked for. */
bool cli_ctl_stale(const struct cli_ctl *c);
int cli_ctl_next(struct cli_ctl *c, json_t **ret_answer);

/* Number at a path of names, "calls.active"; 0 when it is not there or no number. */
double cli_ctl_num(const json_t *o, const char *path);
/* Text at a path; "" when it is not there. */
const char *cli_ctl_str(const json_t *o, const char *path);

#endif
