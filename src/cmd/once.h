/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One dump in the foreground, as attach and core make it: -o and --dir,
 * progress, ^C, and what is said at the end.
 */
#ifndef PYD_CMD_ONCE_H
#define PYD_CMD_ONCE_H

#include "cmd/options.h"

struct pyd_once {
	struct pyd_dump_options dump;
	const char *output; /* of -o, not owned; NULL: a name of our own */
	const char *dir;    /* of --dir, likewise */
};

/* At the end of the parsing: ends the program with a usage error when -o and
 * --dir cannot be. */
void pyd_once_check(struct argp_state *state, const struct pyd_once *once);

/* Puts the dump's path into path unless -o gave it (output), and whatever else
 * the snapshot's options lack. */
typedef enum pyd_code pyd_once_prepare(void *ctx, char *path, size_t cap,
				       struct pyd_err *err);

/* Takes the dump and reports. Frees the options. Returns the exit status. */
int pyd_once_run(struct pyd_once *once, pyd_once_prepare *prepare, void *ctx);

#endif
