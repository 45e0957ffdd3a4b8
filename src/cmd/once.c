// SPDX-License-Identifier: Apache-2.0
#include "cmd/once.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/report.h"
#include "dump/file.h"
#include "target/procfs.h"

static bool is_stream(const char *path)
{
	return path && !strcmp(path, PYD_FILE_STDOUT);
}

void pyd_once_check(struct argp_state *state, const struct pyd_once *once)
{
	if (once->output && once->dir)
		argp_error(state, "give -o or --dir, not both");
	if (is_stream(once->output) && isatty(STDOUT_FILENO))
		argp_error(state, "-o -: standard output is a terminal; give "
				  "it a file or a pipe");
}

static void on_signal(int sig)
{
	(void)sig;
	pyd_interrupted = 1;
}

/* Unless it is to be ignored: by nohup, say. */
static void stop_at(int sig)
{
	struct sigaction sa = { .sa_handler = on_signal }, old;

	if (!sigaction(sig, NULL, &old) && old.sa_handler != SIG_IGN)
		sigaction(sig, &sa, NULL);
}

/* ^C lets the target go and leaves no file. */
static void catch_signals(void)
{
	stop_at(SIGINT);
	stop_at(SIGTERM);
	stop_at(SIGHUP);
	/* Ignored, as whoever started us may have it, threads that end while
	 * they are traced could not be waited for. */
	signal(SIGCHLD, SIG_DFL);
	/* The end of who reads a dump is an error with a message. */
	signal(SIGPIPE, SIG_IGN);
}

int pyd_once_run(struct pyd_once *once, pyd_once_prepare *prepare, void *ctx)
{
	struct pyd_snapshot_options *snapshot = &once->dump.snapshot;
	struct pyd_progress progress = { .began = pyd_now_ns() };
	struct pyd_snapshot_stats stats;
	struct pyd_err err = { 0 };
	int status = PYD_EXIT_FAILED;
	char path[4096];
	enum pyd_code code;

	if (isatty(STDERR_FILENO) && pyd_log_level >= PYD_LOG_NOTICE) {
		snapshot->progress = pyd_report_progress;
		snapshot->progress_ctx = &progress;
	}
	catch_signals();

	/* Rules that do not parse must not cost the process a pause. */
	code = pyd_dump_options_rules(&once->dump, &err);
	if (code == PYD_USAGE)
		status = PYD_EXIT_USAGE;
	if (!code)
		code = prepare(ctx, path, sizeof(path), &err);
	if (!code) {
		if (once->output)
			snprintf(path, sizeof(path), "%s", once->output);
		snapshot->path = path;
		code = pyd_snapshot_take(snapshot, &stats, &err);
	}
	pyd_dump_options_deinit(&once->dump);
	if (progress.shown)
		fprintf(stderr, "\r\033[K");
	if (code) {
		pyd_log_error("%s", err.msg);
		return status;
	}
	pyd_report_dump(is_stream(path) ? NULL : path, &stats);
	return PYD_EXIT_OK;
}
