// SPDX-License-Identifier: Apache-2.0
/*
 * pydumpd load: finds a Python that has the loader and becomes it. An
 * interpreter is not asked first, which would take as long as its start: it
 * runs this binary again when it lacks something. What is tried comes from the
 * environment, from where this binary lies and from PATH, never from the dump,
 * which is not even opened here.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/cmd.h"

extern char **environ;

/* Which Python lacked what, when this binary is run again. */
#define TRIED "PYDUMPD_LOAD_TRIED"

enum {
	PYTHON_OLD = 3,
	PYTHON_LACKS = 4,
	PYTHON_ABSENT = 127,
};

/*
 * Both run in a Python of any version. Of the arguments one is the folder that
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
/*
 * Where something lacks, this binary is run again, and goes on behind that
 * Python: arguments 2 and 3 are its path and which Python this is.
 */
static const char start[] =
	PATH_SETUP "own, number = sys.argv[1:3]\n"
		   "del sys.argv[1:3]\n"
		   "def leave(why):\n"
		   "    import os\n"
		   "    os.environ['" TRIED "'] = number + ' %d' % why\n"
		   "    os.execv(own, [own, 'load'] + sys.argv[1:])\n"
		   "if sys.version_info < (3, 8): leave(3)\n"
		   "try:\n"
		   "    import msgpack\n"
		   "    try: from compression import zstd\n"
		   "    except ImportError: import zstandard\n"
		   "    if not folder: import pydumpd\n"
		   "except Exception: leave(4)\n"
		   "from pydumpd.cli import main\n"
		   "sys.exit(main(sys.argv[1:]))\n";

/* The exit status of the probe in this Python; PYTHON_ABSENT when there is
 * none. */
static int probe_python(const char *python, const char *folder)
{
	char *const argv[] = { (char *)python, (char *)"-c", (char *)probe,
			       (char *)folder, NULL };
	posix_spawn_file_actions_t files;
	int status;
	pid_t pid;

	signal(SIGCHLD, SIG_DFL); /* ignored, it cannot be waited for */
	if (posix_spawn_file_actions_init(&files))
		return PYTHON_ABSENT;

	int failed = posix_spawn_file_actions_addopen(&files, 0, "/dev/null",
						      O_RDONLY, 0) ||
		     posix_spawn_file_actions_addopen(&files, 1, "/dev/null",
						      O_WRONLY, 0) ||
		     posix_spawn_file_actions_addopen(&files, 2, "/dev/null",
						      O_WRONLY, 0) ||
		     posix_spawn(&pid, python, &files, NULL, argv, environ);

	posix_spawn_file_actions_destroy(&files);
	if (failed)
		return PYTHON_ABSENT;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return PYTHON_ABSENT;
	return WIFEXITED(status) ? WEXITSTATUS(status) : PYTHON_LACKS;
}

/* Where this binary lies. */
static bool own_path(char *buf, size_t cap)
{
	ssize_t n = readlink("/proc/self/exe", buf, cap - 1);

	if (n <= 0 || (size_t)n >= cap - 1)
		return false;
	buf[n] = '\0';
	return strchr(buf, '/') != NULL;
}

/* The program of that name: name itself when it is a path, else out of PATH. */
static bool find_program(const char *name, char *buf, size_t cap)
{
	const char *path = getenv("PATH");

	if (strchr(name, '/')) {
		snprintf(buf, cap, "%s", name);
		return strlen(name) < cap && !access(name, X_OK);
	}
	for (const char *at = path ? path : "/usr/bin:/bin"; *at;) {
		size_t n = strcspn(at, ":");
		int len = n ? snprintf(buf, cap, "%.*s/%s", (int)n, at, name)
			    : snprintf(buf, cap, "./%s", name);
		struct stat st;

		if (len > 0 && (size_t)len < cap && !access(buf, X_OK) &&
		    !stat(buf, &st) && S_ISREG(st.st_mode))
			return true;
		at += n + (at[n] == ':');
	}
	return false;
}

/* Whether the program is the interpreter itself: a script in its place, such
 * as pyenv's, may do anything but run it. */
static bool is_elf(const char *program)
{
	char magic[4] = "";
	int fd = open(program, O_RDONLY | O_CLOEXEC);
	bool elf = fd >= 0 && read(fd, magic, sizeof(magic)) == 4 &&
		   !memcmp(magic, "\177ELF", 4);

	if (fd >= 0)
		close(fd);
	return elf;
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

/* What is the same for all Pythons that are tried. */
struct loader {
	const char *own; /* this binary */
	const char *folder;
	int argc;
	char **argv;
};

/*
 * Becomes a Python, the number of which is what TRIED says when it turns out
 * to lack something. Returns what it lacks when that is known at once.
 */
static int try_python(const struct loader *l, const char *python, size_t number)
{
	char program[PATH_MAX], digits[24];

	if (!find_program(python, program, sizeof(program)))
		return PYTHON_ABSENT;

	int status = is_elf(program) ? 0 : probe_python(program, l->folder);

	if (status)
		return status;

	char **args = calloc((size_t)l->argc + 7, sizeof(*args));

	if (!args)
		return PYTHON_ABSENT;
	snprintf(digits, sizeof(digits), "%zu", number);
	args[0] = program;
	args[1] = (char *)"-c";
	args[2] = (char *)start;
	args[3] = (char *)l->folder;
	args[4] = (char *)l->own;
	args[5] = digits;
	for (int i = 1; i < l->argc; i++)
		args[5 + i] = l->argv[i];
	setenv("PYDUMPD_PROG", "pydumpd load", 1);
	execv(program, args);
	free(args);
	return PYTHON_ABSENT;
}

/* What TRIED says, and takes it out of the environment: the first Python that
 * was not tried yet, and what the last one lacked. */
static size_t tried(int *ret_lacked)
{
	const char *text = getenv(TRIED);
	size_t next = 0;

	if (text && sscanf(text, "%zu %d", &next, ret_lacked) == 2)
		next++;
	else
		next = 0;
	unsetenv(TRIED);
	return next;
}

static int run_load(int argc, char **argv)
{
	char own[PATH_MAX], beside[PATH_MAX], folder[PATH_MAX + 32] = "";
	char built[PATH_MAX + 32], installed[PATH_MAX + 32];
	const char *candidates[5];
	const char *asked = getenv("PYDUMPD_PYTHON");
	int lacked = 0;
	size_t n = 0, first = tried(&lacked);

	if (argc < 2) {
		fprintf(stderr, "Usage: pydumpd load FILE [OPTION...]\n");
		return PYD_EXIT_USAGE;
	}
	if (own_path(own, sizeof(own))) {
		memcpy(beside, own, sizeof(beside));
		*strrchr(beside, '/') = '\0';
		package_folder(beside, "/loader", folder, sizeof(folder));
		package_folder(beside, "/../lib/pydumpd", folder,
			       sizeof(folder));
		snprintf(built, sizeof(built), "%s/venv/bin/python", beside);
		snprintf(installed, sizeof(installed),
			 "%s/../libexec/pydumpd/bin/python", beside);
	} else {
		own[0] = built[0] = installed[0] = '\0';
	}
	candidates[n++] = built;
	candidates[n++] = installed;
	candidates[n++] = "python3";
	candidates[n++] = "python";
	candidates[n++] = "/usr/bin/python3";

	struct loader loader = { own, folder, argc, argv };

	if (asked && asked[0]) {
		if (!first)
			lacked = try_python(&loader, asked, 0);
		pyd_log_error("PYDUMPD_PYTHON=%s: %s", asked,
			      lacked == PYTHON_ABSENT ? "cannot be run"
			      : lacked == PYTHON_OLD  ? "older than 3.8"
						      : "lacks packages; run: "
							"$PYDUMPD_PYTHON -m pip "
							"install msgpack "
							"zstandard");
		return PYD_EXIT_FAILED;
	}
	for (size_t i = first; i < n; i++)
		if (candidates[i][0])
			try_python(&loader, candidates[i], i);

	if (folder[0])
		pyd_log_error("no Python 3.8 or later with msgpack and "
			      "zstandard; run: apt install python3-msgpack "
			      "python3-zstandard, or: python3 -m pip install "
			      "msgpack zstandard, or set PYDUMPD_PYTHON");
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
