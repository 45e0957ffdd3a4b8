// SPDX-License-Identifier: Apache-2.0
/* pydumpd run: run a program and dump it when it goes wrong. */
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/watch.h"

enum {
	OPT_NO_FOLLOW = 256,
};

static const struct argp_option options[] = {
	{ "no-follow", OPT_NO_FOLLOW, NULL, 0,
	  "Watch the program alone, not the processes that it starts", 1 },
	{ 0 },
};

struct args {
	struct pyd_watch_args watch;
	char **command;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	(void)arg;
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &a->watch;
		break;
	case OPT_NO_FOLLOW:
		a->watch.watch.follow = false;
		break;
	case ARGP_KEY_ARGS:
		a->command = state->argv + state->next;
		state->next = state->argc;
		break;
	case ARGP_KEY_END:
		if (!a->command)
			argp_error(state, "which program? give it as in "
					  "'pydumpd run -- python app.py'");
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
	.args_doc = "[--] COMMAND [ARGUMENT...]",
	.doc = "Run COMMAND, and dump its Python processes when a trigger "
	       "fires: when it crashes, or an exception is about to end it. "
	       "Then things take their course.\v"
	       "Of the capture modes, fork is for 'pydumpd attach' alone: what "
	       "is watched is traced for good, and cannot be made to fork.\n\n"
	       "Exit status: COMMAND's; when a signal ends it, pydumpd ends by "
	       "that signal too. 126, 127: COMMAND cannot be executed, is not "
	       "found; 1: it cannot be watched, and was not run; 2: usage.",
};

/* As a shell would see it without us. */
static int end_by(int sig, int status)
{
	const struct rlimit no_core = { 0, 0 };
	sigset_t set;

	setrlimit(RLIMIT_CORE, &no_core);
	signal(sig, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	(void)kill(getpid(), sig);
	return status;
}

static int run(int argc, char **argv)
{
	struct args a = { 0 };
	int status, sig = 0;

	pyd_watch_args_init(&a.watch);
	a.watch.watch.follow = true;
	argp_err_exit_status = PYD_EXIT_USAGE;
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &a);
	if (pyd_watch_args_ready(&a.watch, &status))
		status = pyd_watch_run(&a.watch.watch, a.command, &sig);
	pyd_watch_args_deinit(&a.watch);
	return sig ? end_by(sig, status) : status;
}

const struct pyd_cmd pyd_cmd_run = {
	.name = "run",
	.summary = "run a program and dump it when it goes wrong",
	.run = run,
};
