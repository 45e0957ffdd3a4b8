// SPDX-License-Identifier: Apache-2.0
/* pydumpd watch: stand by running programs, as run does. */
#include <stdlib.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/watch.h"

enum {
	OPT_FOLLOW = 256,
};

static const struct argp_option options[] = {
	{ "follow", OPT_FOLLOW, NULL, 0,
	  "Watch the processes that they start, too", 1 },
	{ 0 },
};

struct args {
	struct pyd_watch_args watch;
	pid_t *pids;
	size_t n;
};

static void add_pid(struct argp_state *state, struct args *a, const char *text)
{
	pid_t pid = pyd_parse_pid(state, text);
	pid_t *v = reallocarray(a->pids, a->n + 1, sizeof(*v));

	if (pid == getpid())
		argp_error(state,
			   "%d is pydumpd itself; give the id of another "
			   "process",
			   pid);

	if (!v) {
		argp_failure(state, PYD_EXIT_FAILED, 0, "out of memory");
		return;
	}
	a->pids = v;
	for (size_t i = 0; i < a->n; i++)
		if (v[i] == pid)
			return;
	v[a->n++] = pid;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &a->watch;
		break;
	case OPT_FOLLOW:
		a->watch.watch.follow = true;
		break;
	case ARGP_KEY_ARG:
		add_pid(state, a, arg);
		break;
	case ARGP_KEY_END:
		if (!a->n)
			argp_error(state, "which processes? give their PIDs; "
					  "'pydumpd ps' lists them");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp_child children[] = {
	{ &pyd_watch_argp, 0, NULL, 0 },
	{ 0 },
};

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.children = children,
	.args_doc = "PID...",
	.doc = "Stand by running Python processes, and dump them when a "
	       "trigger fires. ^C or SIGTERM ends the watch; the processes run "
	       "on.\v"
	       "Of the capture modes, fork is for 'pydumpd attach' alone: what "
	       "is watched is traced for good, and cannot be made to fork.\n\n"
	       "Exit status: 0 all have ended, or the watch was ended; 1 "
	       "failed, 2 usage.",
};

static int run(int argc, char **argv)
{
	struct args a = { 0 };
	int status;

	pyd_watch_args_init(&a.watch);
	argp_err_exit_status = PYD_EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	if (pyd_watch_args_ready(&a.watch, &status))
		status = pyd_watch_pids(&a.watch.watch, a.pids, a.n);
	pyd_watch_args_deinit(&a.watch);
	free(a.pids);
	return status;
}

const struct pyd_cmd pyd_cmd_watch = {
	.name = "watch",
	.summary = "stand by running processes, as run does",
	.run = run,
};
