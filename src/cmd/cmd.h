/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A subcommand: one file each, one const struct pyd_cmd. main.c lists them.
 */
#ifndef PYD_CMD_CMD_H
#define PYD_CMD_CMD_H

enum {
	PYD_EXIT_OK = 0,
	PYD_EXIT_FAILED = 1,
	PYD_EXIT_USAGE = 2,
};

struct pyd_cmd {
	const char *name;
	const char *summary; /* one line for "pydumpd --help" */
	/* argv[0] is "pydumpd NAME". Returns an exit status. */
	int (*run)(int argc, char **argv);
};

extern const struct pyd_cmd pyd_cmd_attach, pyd_cmd_core, pyd_cmd_doctor,
	pyd_cmd_handler, pyd_cmd_load, pyd_cmd_peek, pyd_cmd_ps, pyd_cmd_run,
	pyd_cmd_show, pyd_cmd_watch;

#endif
