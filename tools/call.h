/* SPDX-License-Identifier: BSD-2-Clause */
/* call.h - what the files of optag-call share */
#ifndef TOOLS_CALL_H
#define TOOLS_CALL_H

#include "cli.h"

/* argv[0]: the event */
int call_cmd_say(int argc, char **argv);
int call_cmd_batch(int argc, char **argv);

#endif
