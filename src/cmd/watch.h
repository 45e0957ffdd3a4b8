/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of run and watch: triggers, and how many dumps.
 */
#ifndef PYD_CMD_WATCH_H
#define PYD_CMD_WATCH_H

#include "cmd/options.h"
#include "watch/watch.h"

struct pyd_watch_args {
	struct pyd_dump_options dump;
	struct pyd_watch_options watch;
	bool has_triggers;
};

/* An argp child with a struct pyd_watch_args as its input. */
extern const struct argp pyd_watch_argp;

void pyd_watch_args_init(struct pyd_watch_args *a);
/* After the parsing. False: it cannot be, which was said; *ret_status is to
 * be the exit status. */
bool pyd_watch_args_ready(struct pyd_watch_args *a, int *ret_status);
void pyd_watch_args_deinit(struct pyd_watch_args *a);

#endif
