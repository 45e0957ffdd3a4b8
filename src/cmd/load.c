// SPDX-License-Identifier: Apache-2.0
/*
 * pydumpd load: finds a Python that has the loader and becomes it. What is
 * tried comes from the environment, from where this binary lies and from PATH,
 * never from the dump, which is not even opened here.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/cmd.h"

extern char **environ;

/*
 * Both run in a Python of any version. The first argument is the folder that
 * holds the package, or "" when it is installed in that Python. The current
 * folder is taken off the path: "python -m" and "-c" would import a
 * msgpack.py that lies beside a dump from elsewhere.
 */
#define PATH_SETUP                                                             \
	"import sys\n"                                                         \
	"folder = sys.argv.pop(1)\n"                                           \
	"sys.path[:] = ([folder] if folder else []) + "                        \
	"[p for p in sys.path if p]\n"
static const char probe[] =
	PATH_SETUP "if sys.version_info < (3, 8): sys.exit(3)\n"
		   "try:\n"
		   "    import importlib.util as u, msgpack\n"
		   "    if not u.find_spec('pydumpd'): sys.exit(4)\n"
		   "    try: from compression import zstd\n"
		   "    except ImportError: import zstandard\n"
		   "except Exception: sys.exit(4)\n"
		   "sys.exit(0)\n";
static const char start[] = PATH_SETUP "from pydumpd.cli import main\n"
				       "sys.exit(main(sys.argv[1:]))\n";

enum {
	PROBE_OLD = 3,
	PROBE_LACKS = 4,
	PROBE_ABSENT = 127,
};

/* The exit status of the probe in this Python; PROBE_ABSENT when there is
 * none. */
static int probe_python(const char *python, const char *folder)
{
	char *const argv[] = { (char *)python, (char *)"-c", (char *)probe,
			       (char *)folder, NULL };
	posix_spawn_file_actions_t files;
	int status;
	pid_t pid;

	if (posix_spawn_file_actions_init(&files))
		return PROBE_ABSENT;

	int failed = posix_spawn_file_actions_addopen(&files, 0, "/dev/null",
						      O_RDONLY, 0) ||
		     posix_spawn_file_actions_addopen(&files, 1, "/dev/null",
						      O_WRONLY, 0) ||
		     posix_spawn_file_actions_addopen(&files, 2, "/dev/null",
						      O_WRONLY, 0) ||
		     posix_spawnp(&pid, python, &files, NULL, argv, environ);

	posix_spawn_file_actions_destroy(&files);
	if (failed)
		return PROBE_ABSENT;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return PROBE_ABSENT;
	return WIFEXITED(status) ? WEXITSTATUS(status) : PROBE_LACKS;
}

/* The folder that this binary lies in. */
static bool own_folder(char *buf, size_t cap)
{
	ssize_t n = readlink("/proc/self/exe", buf, cap - 1);

	if (n <= 0 || (size_t)n >= cap - 1)
		return false;
	buf[n] = '\0';

	char *slash = strrchr(buf, '/');

	if (!slash)
		return false;
	*slash = '\0';
	return true;
}

/* folder + tail into buf when that holds the package, else "". */
static void package_folder(const char *folder, const char *tail, char *buf,
			   size_t cap)
{
	char file[PATH_MAX + 64];

	if (buf[0])
		return;
	snprintf(buf, cap, "%s%s", folder, tail);
	snprintf(file, sizeof(file), "%s/pydumpd/cli.py", buf);
	if (access(file, R_OK))
		buf[0] = '\0';
}

/* Becomes python, when that has what it takes. Returns the probe's status
 * when not. */
static int try_python(const char *python, const char *folder, int argc,
		      char **argv)
{
	int status = probe_python(python, folder);

	pyd_log_debug("%s: %s", python,
		      !status		       ? "has the loader"
		      : status == PROBE_OLD    ? "older than 3.8"
		      : status == PROBE_ABSENT ? "not there"
					       : "lacks packages");
	if (status)
		return status;

	char **args = calloc((size_t)argc + 5, sizeof(*args));

	if (!args)
		return PROBE_ABSENT;
	args[0] = (char *)python;
	args[1] = (char *)"-c";
	args[2] = (char *)start;
	args[3] = (char *)folder;
	for (int i = 1; i < argc; i++)
		args[3 + i] = argv[i];
	setenv("PYDUMPD_PROG", "pydumpd load", 1);
	execvp(python, args);
	free(args);
	return PROBE_ABSENT;
}

static int run_load(int argc, char **argv)
{
	char own[PATH_MAX], folder[PATH_MAX + 32] = "";
	char built[PATH_MAX + 32], installed[PATH_MAX + 32];
	const char *candidates[5];
	const char *asked = getenv("PYDUMPD_PYTHON");
	size_t n = 0;

	if (argc < 2) {
		fprintf(stderr, "Usage: pydumpd load FILE [OPTION...]\n");
		return PYD_EXIT_USAGE;
	}
	if (own_folder(own, sizeof(own))) {
		package_folder(own, "/loader", folder, sizeof(folder));
		package_folder(own, "/../lib/pydumpd", folder, sizeof(folder));
		snprintf(built, sizeof(built), "%s/venv/bin/python", own);
		snprintf(installed, sizeof(installed),
			 "%s/../libexec/pydumpd/bin/python", own);
		candidates[n++] = built;
		candidates[n++] = installed;
	}
	candidates[n++] = "python3";
	candidates[n++] = "python";
	candidates[n++] = "/usr/bin/python3";

	if (asked && asked[0]) {
		int status = try_python(asked, folder, argc, argv);

		pyd_log_error("PYDUMPD_PYTHON=%s: %s", asked,
			      status == PROBE_ABSENT ? "cannot be run"
			      : status == PROBE_OLD  ? "older than 3.8"
						     : "lacks packages; run: "
						       "$PYDUMPD_PYTHON -m pip "
						       "install msgpack "
						       "zstandard");
		return PYD_EXIT_FAILED;
	}
	for (size_t i = 0; i < n; i++)
		try_python(candidates[i], folder, argc, argv);

	if (folder[0])
		pyd_log_error("no Python 3.8 or later with msgpack and "
			      "zstandard; run: python3 -m pip install msgpack "
			      "zstandard, or set PYDUMPD_PYTHON");
	else
		pyd_log_error("no Python 3.8 or later with the loader; run: "
			      "python3 -m pip install ./tools/loader (in "
			      "the source tree), or set PYDUMPD_PYTHON");
	return PYD_EXIT_FAILED;
}

const struct pyd_cmd pyd_cmd_load = {
	.name = "load",
	.summary = "open a dump in pdb",
	.run = run_load,
};
