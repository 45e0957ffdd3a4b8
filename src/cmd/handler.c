// SPDX-License-Identifier: Apache-2.0
/* pydumpd handler: the kernel's core_pattern, for a whole machine. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "watch/handler.h"
#include "watch/install.h"

enum {
	OPT_INSTALL = 256,
	OPT_UNINSTALL,
	OPT_STATUS,
	OPT_DIR,
	OPT_KEEP,
	OPT_RATE,
	OPT_MIN_FREE,
	OPT_PASS,
	OPT_DEADLINE,
	OPT_ETC,
};

/* What the kernel gives: PID TID SIGNAL TIME DUMP_MODE. */
enum { WORDS = 5, LOG_MAX = 1 << 20 };

static const struct argp_option options[] = {
	{ "install", OPT_INSTALL, NULL, 0,
	  "Have the kernel call pydumpd for each crash on this machine, from "
	  "now on and after a restart; the other options are kept for it",
	  1 },
	{ "uninstall", OPT_UNINSTALL, NULL, 0,
	  "Put back what was there before; dumps stay", 1 },
	{ "status", OPT_STATUS, NULL, 0, "Say what is installed", 1 },
	{ "dir", OPT_DIR, "DIR", 0,
	  "Where dumps go (default: " PYD_HANDLER_DIR ")", 1 },
	{ "keep", OPT_KEEP, "N", 0,
	  "Keep the newest N dumps in DIR (default 50)", 1 },
	{ "rate", OPT_RATE, "N", 0, "At most N dumps an hour (default 20)", 1 },
	{ "min-free", OPT_MIN_FREE, "SIZE", 0,
	  "No dump when less than SIZE is free in DIR (default 1G)", 1 },
	{ "deadline", OPT_DEADLINE, "SECONDS", 0,
	  "Give up a dump after that time, and let the process end (default "
	  "120)",
	  1 },
	{ "pass", OPT_PASS, "WHICH", 0,
	  "Which crashes go to what was set before: others (default: those "
	  "without a dump), all, none",
	  1 },
	{ "etc", OPT_ETC, "DIR", OPTION_HIDDEN, NULL, 1 },
	{ 0 },
};

struct args {
	struct pyd_dump_options dump;
	struct pyd_handler_options handler;
	const char *etc;
	int action; /* OPT_INSTALL...; 0: a crash */
	const char *words[WORDS];
	size_t nwords;
	bool from_file; /* an option of the file of options */
};

static void set_action(struct argp_state *state, struct args *a, int action)
{
	if (a->action || a->from_file)
		argp_error(state, "one of --install, --uninstall, --status");
	a->action = action;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;
	struct pyd_handler_options *h = &a->handler;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &a->dump;
		break;
	case OPT_INSTALL:
	case OPT_UNINSTALL:
	case OPT_STATUS:
		set_action(state, a, key);
		break;
	case OPT_DIR:
		if (arg[0] != '/')
			argp_error(state, "--dir: '%s' is no absolute path",
				   arg);
		h->quota.dir = arg;
		break;
	case OPT_KEEP:
		h->quota.keep = pyd_parse_size(state, "keep", arg, false);
		break;
	case OPT_RATE:
		h->quota.rate = pyd_parse_size(state, "rate", arg, false);
		break;
	case OPT_MIN_FREE:
		h->quota.min_free =
			pyd_parse_size(state, "min-free", arg, true);
		break;
	case OPT_DEADLINE:
		h->deadline_ns = pyd_parse_seconds(state, "deadline", arg);
		break;
	case OPT_PASS:
		if (!strcmp(arg, "others"))
			h->pass = PYD_PASS_OTHERS;
		else if (!strcmp(arg, "all"))
			h->pass = PYD_PASS_ALL;
		else if (!strcmp(arg, "none"))
			h->pass = PYD_PASS_NONE;
		else
			argp_error(state,
				   "--pass: '%s' is none of others, all, none",
				   arg);
		break;
	case OPT_ETC:
		a->etc = arg;
		break;
	case ARGP_KEY_ARG:
		if (a->nwords == WORDS || a->from_file)
			argp_error(state, "too many arguments");
		a->words[a->nwords++] = arg;
		break;
	case ARGP_KEY_END:
		if (a->from_file)
			break;
		if (a->action ? a->nwords != 0 : a->nwords != WORDS)
			argp_error(state, "give --install, --uninstall or "
					  "--status; the kernel gives PID TID "
					  "SIGNAL TIME DUMP_MODE");
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
	.args_doc = "--install|--uninstall|--status",
	.doc = "Dump every Python process of this machine that dies of a "
	       "signal, in any container, as the kernel's core_pattern. Other "
	       "programs, and what has no dump, go to the handler that was "
	       "set before.\v"
	       "Exit status: 0 done (--status: installed), 1 failed (not "
	       "installed), 2 usage.",
};

/* The options that --install kept. A line that is wrong is an error as one on
 * the command line. */
static void parse_kept(struct args *a, const struct pyd_install *in)
{
	char **argv = calloc(in->noptions + 2, sizeof(*argv));

	if (!argv)
		return;
	argv[0] = (char *)(uintptr_t) "pydumpd handler";
	for (size_t i = 0; i < in->noptions; i++)
		argv[i + 1] = in->options[i];
	a->from_file = true;
	argp_parse(&argp, (int)in->noptions + 1, argv, 0, NULL, a);
	a->from_file = false;
	free(argv);
}

static int install(struct args *a, int argc, char **argv)
{
	struct pyd_install in = { .etc = a->etc };
	struct pyd_err err = { 0 };
	enum pyd_code code;

	/* Rules that do not parse are known now, and not at a crash. */
	code = pyd_dump_options_rules(&a->dump, &err);
	for (int i = 1; i < argc && !code; i++)
		if (strcmp(argv[i], "--install") &&
		    strncmp(argv[i], "--etc", 5))
			code = pyd_install_add_option(&in, argv[i], &err);
	if (!code)
		code = pyd_install_do(&in, a->handler.quota.dir, &err);
	pyd_install_deinit(&in);
	if (code) {
		pyd_log_error("%s", err.msg);
		return code == PYD_USAGE ? PYD_EXIT_USAGE : PYD_EXIT_FAILED;
	}
	pyd_log_notice("installed; dumps of Python processes that crash go to "
		       "%s",
		       a->handler.quota.dir);
	return PYD_EXIT_OK;
}

static int uninstall(const struct args *a)
{
	struct pyd_install in;
	struct pyd_err err = { 0 };
	enum pyd_code code = pyd_install_load(a->etc, &in, &err);

	if (!code) {
		code = pyd_install_undo(&in, &err);
		pyd_install_deinit(&in);
	}
	if (code) {
		pyd_log_error("%s", err.msg);
		return PYD_EXIT_FAILED;
	}
	pyd_log_notice("the previous core_pattern is back");
	return PYD_EXIT_OK;
}

/* On standard output, for a person. */
static int status(struct args *a, const struct pyd_install *in)
{
	char pattern[256];
	struct pyd_err err = { 0 };
	bool ours;

	if (pyd_core_pattern_read(pattern, sizeof(pattern), &err)) {
		pyd_log_error("%s", err.msg);
		return PYD_EXIT_FAILED;
	}
	ours = pyd_core_pattern_is_ours(pattern);
	printf("core_pattern  %s\n", pattern);
	if (in->is_there)
		printf("before        %s\n", in->previous);
	printf("installed     %s\n",
	       ours && in->is_there ? "yes"
	       : ours		    ? "yes, but what was before is not known; "
				      "install it again"
	       : in->is_there	    ? "no: another pattern was set since; "
				      "--install takes it over, --uninstall "
				      "forgets ours"
				    : "no");
	if (!ours)
		return PYD_EXIT_FAILED;
	printf("dumps         %s, %zu there; at most %llu, %llu an hour\n",
	       a->handler.quota.dir, pyd_quota_count(a->handler.quota.dir),
	       (unsigned long long)a->handler.quota.keep,
	       (unsigned long long)a->handler.quota.rate);
	printf("log           %s/handler.log\n", a->handler.quota.dir);
	return PYD_EXIT_OK;
}

/* The kernel starts us without standard output and error: messages go to a
 * file beside the dumps, or nowhere. */
static void open_log(const char *dir)
{
	char path[4096], older[4104];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "%s/handler.log", dir);
	snprintf(older, sizeof(older), "%s.old", path);
	if (!stat(path, &st) && st.st_size > LOG_MAX)
		(void)!rename(path, older);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);
	if (fd < 0)
		fd = open("/dev/null", O_WRONLY);
	if (fd < 0)
		return;
	for (int to = STDOUT_FILENO; to <= STDERR_FILENO; to++)
		if (fd != to)
			dup2(fd, to);
	if (fd > STDERR_FILENO)
		close(fd);
}

static bool parse_word(const char *text, int64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoll(text, &end, 10);
	return !errno && end != text && !*end && *ret >= 0;
}

static int crash(struct args *a, const struct pyd_install *in)
{
	int64_t v[WORDS];
	struct pyd_crash c = { 0 };
	struct pyd_err err = { 0 };
	enum pyd_code code;

	for (size_t i = 0; i < WORDS; i++) {
		if (parse_word(a->words[i], &v[i]))
			continue;
		pyd_log_error("'%s' is no number; the kernel gives PID TID "
			      "SIGNAL TIME DUMP_MODE",
			      a->words[i]);
		return PYD_EXIT_USAGE;
	}
	c.pid = (pid_t)v[0];
	c.tid = (pid_t)v[1];
	c.sig = (int)v[2];
	c.time = v[3];
	c.dump_mode = (int)v[4];
	a->handler.previous = in->previous;
	code = pyd_dump_options_rules(&a->dump, &err);
	/* Better no dump than one with secrets. */
	if (code)
		pyd_log_error("%d: no dump: %s", c.pid, err.msg);
	return pyd_handler_crash(&a->handler, code ? NULL : &a->dump.snapshot,
				 &c, STDIN_FILENO)
		       ? PYD_EXIT_OK
		       : PYD_EXIT_FAILED;
}

static int run(int argc, char **argv)
{
	struct args a = {
		.etc = "/etc",
		.handler = {
			.quota = {
				.dir = PYD_HANDLER_DIR,
				.keep = 50,
				.rate = 20,
				.min_free = 1ULL << 30,
			},
			.deadline_ns = 120000000000ULL,
		},
	};
	struct pyd_install in = { 0 };
	struct pyd_err err = { 0 };
	int ret;

	pyd_dump_options_init(&a.dump);
	argp_err_exit_status = PYD_EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	/* The kernel starts us there: a path that is not absolute is wrong. */
	if (!a.action || a.action == OPT_INSTALL)
		(void)!chdir("/");
	if (a.action == OPT_INSTALL) {
		ret = install(&a, argc, argv);
	} else if (a.action == OPT_UNINSTALL) {
		ret = uninstall(&a);
	} else if (pyd_install_load(a.etc, &in, &err)) {
		pyd_log_error("%s", err.msg);
		ret = PYD_EXIT_FAILED;
	} else {
		parse_kept(&a, &in);
		if (!a.action)
			open_log(a.handler.quota.dir);
		ret = a.action ? status(&a, &in) : crash(&a, &in);
	}
	pyd_install_deinit(&in);
	pyd_dump_options_deinit(&a.dump);
	return ret;
}

const struct pyd_cmd pyd_cmd_handler = {
	.name = "handler",
	.summary = "dump every Python process of this machine that crashes",
	.run = run,
};
