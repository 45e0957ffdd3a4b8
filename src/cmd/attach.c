// SPDX-License-Identifier: Apache-2.0
/* pydumpd attach: dump a live process. */
#include "cmd/cmd.h"
#include "cmd/once.h"
#include "walk/name.h"

enum {
	OPT_DIR = 256,
};

static const struct argp_option options[] = {
	{ "output", 'o', "FILE", 0,
	  "Write the dump to FILE, which must not exist; - is standard output",
	  1 },
	{ "dir", OPT_DIR, "DIR", 0,
	  "Write PROGRAM-PID-TIME.pydump to DIR (default: the current "
	  "directory)",
	  1 },
	{ 0 },
};

struct args {
	struct pyd_once once;
	bool has_pid;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &a->once.dump;
		state->child_inputs[1] = &a->once.dump;
		break;
	case 'o':
		a->once.output = arg;
		break;
	case OPT_DIR:
		a->once.dir = arg;
		break;
	case ARGP_KEY_ARG:
		if (a->has_pid)
			argp_error(state, "one PID at a time");
		a->once.dump.snapshot.pid = pyd_parse_pid(state, arg);
		a->has_pid = true;
		break;
	case ARGP_KEY_END:
		if (!a->has_pid)
			argp_error(state, "which process? give its PID; "
					  "'pydumpd ps' lists them");
		pyd_once_check(state, &a->once);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp_child children[] = {
	{ &pyd_dump_argp, 0, NULL, 0 },
	{ &pyd_live_argp, 0, NULL, 0 },
	{ 0 },
};

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.children = children,
	.args_doc = "PID",
	.doc = "Dump the Python process PID: all threads, their frames and "
	       "every object they reach. The process runs on.\v"
	       "Exit status: 0 done, 1 failed, 2 usage.",
};

static enum pyd_code prepare(void *ctx, char *path, size_t cap,
			     struct pyd_err *err)
{
	const struct args *a = ctx;

	(void)err;
	pyd_dump_path(a->once.dir, a->once.dump.snapshot.pid, path, cap);
	return PYD_OK;
}

static int run(int argc, char **argv)
{
	struct args a = { 0 };

	pyd_dump_options_init(&a.once.dump);
	argp_err_exit_status = PYD_EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	return pyd_once_run(&a.once, prepare, &a);
}

const struct pyd_cmd pyd_cmd_attach = {
	.name = "attach",
	.summary = "dump a live process",
	.run = run,
};
