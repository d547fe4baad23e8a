/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * quota_tell.h - what is used up of the caps of rules with training, over the control socket
 *
 *	{"do":"quota"} -> {"rules":[{"rule":R,"sample":PERMILLE,"recorded30":N,"used30":N,"throttled":bool,
 *		"caps":[{"of":"rule","per":"day","policy":40,"cap":13,"used":5,"left":8}
 *			{"of":"agent","per":"month","policy":6,"cap":6,"used":6,"left":0,"seen":3,"full":1}]}]}
 *
 * Of a cap per agent or queue: `used` by the one that used most, `seen` that used some, `full` that used all; who they
 * are is not known here. A rule that never drew has "drawn": false and no figures. No numbers: for the group.
 */
#ifndef QUOTA_TELL_H
#define QUOTA_TELL_H

#include <stddef.h>

#include <jansson.h>

struct evidence;
struct policy;

int quota_tell(struct evidence *ev, const struct policy *p, json_t *answer, char *why, size_t n);

#endif
