// SPDX-License-Identifier: Apache-2.0
/* pydumpd core: dump out of a core file. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/report.h"
#include "dump/file.h"
#include "target/procfs.h"

enum {
	OPT_DIR = 256,
	OPT_EXE,
	OPT_SYSROOT,
	OPT_PID,
};

static const struct argp_option options[] = {
	{ "output", 'o', "FILE", 0,
	  "Write the dump to FILE, which must not exist; - is standard output",
	  1 },
	{ "dir", OPT_DIR, "DIR", 0,
	  "Write COREFILE.pydump to DIR (default: the current directory)", 1 },
	{ "exe", OPT_EXE, "FILE", 0,
	  "The program's file, where it is not at its old path; it must have "
	  "the build id that the core tells",
	  1 },
	{ "sysroot", OPT_SYSROOT, "DIR", 0,
	  "Folder below which the program's files are: its libraries and "
	  "sources",
	  1 },
	{ "pid", OPT_PID, "PID", 0,
	  "The core must be process PID's; of a folder of cores, take its", 1 },
	{ 0 },
};

struct args {
	struct pyd_dump_options dump;
	struct pyd_core_options core;
	const char *output;
	const char *dir;
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
	case OPT_EXE:
		a->core.exe = arg;
		break;
	case OPT_SYSROOT:
		a->core.sysroot = arg;
		break;
	case OPT_PID:
		a->dump.snapshot.pid = pyd_parse_pid(state, arg);
		break;
	case ARGP_KEY_ARG:
		if (a->core.path)
			argp_error(state, "one COREFILE at a time");
		a->core.path = arg;
		break;
	case ARGP_KEY_END:
		if (!a->core.path)
			argp_error(state, "which core file?");
		if (a->output && a->dir)
			argp_error(state, "give -o or --dir, not both");
		if (a->dump.snapshot.capture != PYD_CAPTURE_AUTO ||
		    a->dump.snapshot.no_inject)
			argp_error(state, "--capture and --no-inject are about "
					  "live processes; see 'pydumpd "
					  "attach'");
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
	.args_doc = "COREFILE",
	.doc = "Make the dump of a Python process that has ended, out of its "
	       "core: the kernel's, gcore's or systemd-coredump's, plain or "
	       "compressed with zstd, lz4, xz or gzip. COREFILE may be a "
	       "folder of cores: the newest is taken.\v"
	       "Exit status: 0 done, 1 failed, 2 usage.",
};

/* True when a part of the name between dots is the number. */
static bool names_pid(const char *name, pid_t pid)
{
	char text[16];
	size_t n = (size_t)snprintf(text, sizeof(text), "%d", pid);

	for (const char *p = name; p; p = strchr(p, '.')) {
		p += *p == '.';
		if (!strncmp(p, text, n) && (!p[n] || p[n] == '.'))
			return true;
	}
	return false;
}

/* Of a folder the newest core; a file is what it is. */
static enum pyd_code choose(const char *path, pid_t pid, char *ret, size_t cap,
			    struct pyd_err *err)
{
	struct timespec newest = { 0 };
	const struct dirent *e;
	bool found = false;
	struct stat st;
	DIR *dir;

	snprintf(ret, cap, "%s", path);
	if (stat(path, &st) || !S_ISDIR(st.st_mode))
		return PYD_OK;
	dir = opendir(path);
	if (!dir)
		return pyd_err_errno(err, PYD_IO, errno, "cannot open %s",
				     path);
	while ((e = readdir(dir))) {
		if (strncmp(e->d_name, "core", 4) ||
		    strstr(e->d_name, ".pydump") ||
		    (pid && !names_pid(e->d_name, pid)) ||
		    fstatat(dirfd(dir), e->d_name, &st, 0) ||
		    !S_ISREG(st.st_mode))
			continue;
		if (found && (st.st_mtim.tv_sec < newest.tv_sec ||
			      (st.st_mtim.tv_sec == newest.tv_sec &&
			       st.st_mtim.tv_nsec <= newest.tv_nsec)))
			continue;
		found = true;
		newest = st.st_mtim;
		snprintf(ret, cap, "%s/%s", path, e->d_name);
	}
	closedir(dir);
	if (found)
		return PYD_OK;
	if (pid)
		return pyd_err_set(err, PYD_NOTFOUND,
				   "no core in %s has %d in its name", path,
				   pid);
	return pyd_err_set(err, PYD_NOTFOUND,
			   "%s is a folder without a file named core...", path);
}

/* "core.4242.zst" gives "core.4242.pydump". */
static void dump_path(const char *dir, const char *core, char *buf, size_t cap)
{
	static const char *const suffixes[] = { ".zst", ".lz4", ".xz", ".gz" };
	const char *base = strrchr(core, '/');
	size_t n;

	base = base ? base + 1 : core;
	n = strlen(base);
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		size_t k = strlen(suffixes[i]);

		if (n > k && !strcmp(base + n - k, suffixes[i])) {
			n -= k;
			break;
		}
	}
	snprintf(buf, cap, "%s%s%.*s.pydump", dir ? dir : "", dir ? "/" : "",
		 (int)(n < 240 ? n : 240), base);
}

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
	struct pyd_snapshot_options *snapshot = &a.dump.snapshot;
	int status = PYD_EXIT_FAILED;
	char core[4096], path[4096];
	enum pyd_code code;

	pyd_dump_options_init(&a.dump);
	argp_err_exit_status = PYD_EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	if (isatty(STDERR_FILENO) && pyd_log_level >= PYD_LOG_NOTICE) {
		snapshot->progress = pyd_report_progress;
		snapshot->progress_ctx = &progress;
	}
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);

	code = pyd_dump_options_rules(&a.dump, &err);
	if (code == PYD_USAGE)
		status = PYD_EXIT_USAGE;
	if (!code)
		code = choose(a.core.path, snapshot->pid, core, sizeof(core),
			      &err);
	if (!code) {
		if (strcmp(core, a.core.path))
			pyd_log_notice("the core is %s", core);
		a.core.path = core;
		snapshot->core = &a.core;
		if (a.output)
			snprintf(path, sizeof(path), "%s", a.output);
		else
			dump_path(a.dir, core, path, sizeof(path));
		snapshot->path = path;
		code = pyd_snapshot_take(snapshot, &stats, &err);
	}
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

const struct pyd_cmd pyd_cmd_core = {
	.name = "core",
	.summary = "the same dump out of a core file",
	.run = run,
};
