// SPDX-License-Identifier: Apache-2.0
/* pydumpd attach: dump a live process. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/report.h"
#include "dump/file.h"
#include "target/procfs.h"
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
	struct pyd_dump_options dump;
	const char *output;
	const char *dir;
	bool has_pid;
};

static bool is_stream(const char *output)
{
	return output && !strcmp(output, PYD_FILE_STDOUT);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &a->dump;
		break;
	case 'o':
		a->output = arg;
		break;
	case OPT_DIR:
		a->dir = arg;
		break;
	case ARGP_KEY_ARG:
		if (a->has_pid)
			argp_error(state, "one PID at a time");
		a->dump.snapshot.pid = pyd_parse_pid(state, arg);
		a->has_pid = true;
		break;
	case ARGP_KEY_END:
		if (!a->has_pid)
			argp_error(state, "which process? give its PID; "
					  "'pydumpd ps' lists them");
		if (a->output && a->dir)
			argp_error(state, "give -o or --dir, not both");
		if (is_stream(a->output) && isatty(STDOUT_FILENO))
			argp_error(state,
				   "-o -: standard output is a terminal; "
				   "give it a file or a pipe");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp_child children[] = {
	{ &pyd_dump_argp, 0, NULL, 0 },
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

static void on_signal(int sig)
{
	(void)sig;
	pyd_interrupted = 1;
}

static int run(int argc, char **argv)
{
	struct args a = { 0 };
	struct pyd_snapshot_stats stats;
	struct pyd_err err = { 0 };
	struct pyd_progress progress = { .began = pyd_now_ns() };
	struct sigaction sa = { .sa_handler = on_signal };
	int status = PYD_EXIT_FAILED;
	char path[4096];
	enum pyd_code code;

	pyd_dump_options_init(&a.dump);
	argp_err_exit_status = PYD_EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &a);

	struct pyd_snapshot_options *snapshot = &a.dump.snapshot;

	if (a.output)
		snprintf(path, sizeof(path), "%s", a.output);
	else
		pyd_dump_path(a.dir, snapshot->pid, path, sizeof(path));
	snapshot->path = path;
	if (isatty(STDERR_FILENO) && pyd_log_level >= PYD_LOG_NOTICE) {
		snapshot->progress = pyd_report_progress;
		snapshot->progress_ctx = &progress;
	}
	/* ^C lets the target go and leaves no file. */
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	/* The end of who reads a dump is an error with a message. */
	signal(SIGPIPE, SIG_IGN);

	/* Rules that do not parse must not cost the process a pause. */
	code = pyd_dump_options_rules(&a.dump, &err);
	if (code == PYD_USAGE)
		status = PYD_EXIT_USAGE;
	if (!code)
		code = pyd_snapshot_take(snapshot, &stats, &err);
	pyd_dump_options_deinit(&a.dump);
	if (progress.shown)
		fprintf(stderr, "\r\033[K");
	if (code) {
		pyd_log_error("%s", err.msg);
		return status;
	}
	pyd_report_dump(is_stream(path) ? NULL : path, &stats);
	return PYD_EXIT_OK;
}

const struct pyd_cmd pyd_cmd_attach = {
	.name = "attach",
	.summary = "dump a live process",
	.run = run,
};
