// SPDX-License-Identifier: Apache-2.0
/* pydumpd core: dump out of a core file. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/once.h"

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
	struct pyd_once once;
	struct pyd_core_options core;
	char chosen[4096]; /* of a folder of cores */
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &a->once.dump;
		break;
	case 'o':
		a->once.output = arg;
		break;
	case OPT_DIR:
		a->once.dir = arg;
		break;
	case OPT_EXE:
		a->core.exe = arg;
		break;
	case OPT_SYSROOT:
		a->core.sysroot = arg;
		break;
	case OPT_PID:
		a->once.dump.snapshot.pid = pyd_parse_pid(state, arg);
		break;
	case ARGP_KEY_ARG:
		if (a->core.path)
			argp_error(state, "one COREFILE at a time");
		a->core.path = arg;
		break;
	case ARGP_KEY_END:
		if (!a->core.path)
			argp_error(state, "which core file?");
		pyd_once_check(state, &a->once);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp_child children[] = {
	{ &pyd_dump_argp, 0, NULL, 0 },
	{ &pyd_ended_argp, 0, NULL, 0 },
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

static enum pyd_code prepare(void *ctx, char *path, size_t cap,
			     struct pyd_err *err)
{
	struct args *a = ctx;
	struct pyd_snapshot_options *snapshot = &a->once.dump.snapshot;
	enum pyd_code code = choose(a->core.path, snapshot->pid, a->chosen,
				    sizeof(a->chosen), err);

	if (code)
		return code;
	if (strcmp(a->chosen, a->core.path))
		pyd_log_notice("the core is %s", a->chosen);
	a->core.path = a->chosen;
	snapshot->core = &a->core;
	dump_path(a->once.dir, a->chosen, path, cap);
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

const struct pyd_cmd pyd_cmd_core = {
	.name = "core",
	.summary = "the same dump out of a core file",
	.run = run,
};
