/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a dump is called when nobody says it.
 */
#ifndef PYD_WALK_NAME_H
#define PYD_WALK_NAME_H

#include <stddef.h>
#include <sys/types.h>

/* What the process is called, fit for a file name: its script, module or
 * program. */
void pyd_program_name(pid_t pid, char *buf, size_t cap);
/* DIR/PROGRAM-PID-TIME.pydump; dir NULL: the current directory. */
void pyd_dump_path(const char *dir, pid_t pid, char *buf, size_t cap);

#endif
