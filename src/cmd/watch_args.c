// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/watch.h"

enum {
	OPT_ON = 500,
	OPT_DIR,
	OPT_THREAD,
	OPT_THEN,
	OPT_EXCLUDE_EXCEPTION,
	OPT_INCLUDE_EXCEPTION,
	OPT_MAX_DUMPS,
	OPT_COOLDOWN,
	OPT_KEEP,
	OPT_LOG,

	MAX_DUMPS = 10, /* unless asked for otherwise */
	TYPES_MAX = 100,
};

static const struct argp_option options[] = {
	{ "on", OPT_ON, "TRIGGER", 0,
	  "When to dump; may be given again. signal[=NAMES] (default: SEGV, "
	  "ABRT, BUS, FPE, ILL, SYS), exception, exit (with a status other "
	  "than 0), hang=SECONDS, timeout=SECONDS, rss=SIZE, request (SIGUSR2 "
	  "to pydumpd). Default: signal, exception and request",
	  1 },
	{ "exclude-exception", OPT_EXCLUDE_EXCEPTION, "TYPE", 0,
	  "Do not dump for exceptions of this type and those derived from it; "
	  "a glob; may be given again. Of SystemExit and KeyboardInterrupt "
	  "there is no dump by default",
	  1 },
	{ "include-exception", OPT_INCLUDE_EXCEPTION, "TYPE", 0,
	  "Do dump for them (KeyboardInterrupt, SystemExit), though a type "
	  "that they are derived from is excluded",
	  1 },
	{ "thread", OPT_THREAD, "NAME", 0,
	  "The thread whose hang counts (default: the main thread)", 1 },
	{ "then", OPT_THEN, "WHAT", 0,
	  "After the dump of a hang or timeout: kill or continue (default)",
	  1 },
	{ "dir", OPT_DIR, "DIR", 0,
	  "Write PROGRAM-PID-TIME.pydump to DIR (default: the current "
	  "directory)",
	  2 },
	{ "max-dumps", OPT_MAX_DUMPS, "N", 0,
	  "Write at most N dumps (default 10, with --keep no limit), or "
	  "\"none\" for no limit",
	  2 },
	{ "cooldown", OPT_COOLDOWN, "SECONDS", 0,
	  "No dump until SECONDS after the last one began", 2 },
	{ "keep", OPT_KEEP, "N", 0,
	  "Keep the N newest of the dumps written; remove older ones", 2 },
	{ "log", OPT_LOG, "FILE", 0,
	  "Append messages to FILE instead of standard error", 2 },
	{ 0 },
};

static uint64_t parse_signals(struct argp_state *state, char *list)
{
	uint64_t set = 0;
	char *save = NULL;

	for (char *name = strtok_r(list, ",", &save); name;
	     name = strtok_r(NULL, ",", &save)) {
		int found = 0;

		if (!strncmp(name, "SIG", 3))
			name += 3;
		for (int sig = 1; sig < 32 && !found; sig++) {
			const char *known = pyd_signal_name(sig);

			if (known && !strcmp(known + 3, name))
				found = sig;
		}
		if (!found || found == SIGKILL || found == SIGSTOP)
			argp_error(state, "--on=signal: %s%s", name,
				   found ? " cannot be seen by anybody"
					 : " is no signal");
		set |= 1ULL << (found - 1);
	}
	if (!set)
		argp_error(state, "--on=signal: which signals?");
	return set;
}

static void parse_trigger(struct argp_state *state, struct pyd_watch_args *a,
			  char *text)
{
	struct pyd_watch_options *w = &a->watch;
	char *value = strchr(text, '=');
	static const struct {
		const char *name;
		enum pyd_watch_trigger trigger;
		bool may, must; /* have a value */
	} triggers[] = {
		{ "signal", PYD_ON_SIGNAL, true, false },
		{ "exception", PYD_ON_EXCEPTION, false, false },
		{ "exit", PYD_ON_EXIT, false, false },
		{ "hang", PYD_ON_HANG, true, true },
		{ "timeout", PYD_ON_TIMEOUT, true, true },
		{ "rss", PYD_ON_RSS, true, true },
		{ "request", PYD_ON_REQUEST, false, false },
	};
	unsigned int trigger = 0;

	if (value)
		*value++ = '\0';
	for (size_t i = 0; i < sizeof(triggers) / sizeof(triggers[0]); i++) {
		if (strcmp(text, triggers[i].name))
			continue;
		trigger = triggers[i].trigger;
		if (value && !triggers[i].may)
			argp_error(state, "--on=%s takes no value", text);
		if (!value && triggers[i].must)
			argp_error(state,
				   "--on=%s needs a value, as in "
				   "--on=%s=%s",
				   text, text,
				   trigger == PYD_ON_RSS ? "2G" : "60");
	}
	switch (trigger) {
	case 0:
		argp_error(state,
			   "--on=%s is none of signal, exception, exit, hang, "
			   "timeout, rss, request",
			   text);
		break;
	case PYD_ON_SIGNAL:
		if (value)
			w->signals = parse_signals(state, value);
		break;
	case PYD_ON_HANG:
		w->hang_ns = pyd_parse_seconds(state, "on=hang", value);
		break;
	case PYD_ON_TIMEOUT:
		w->timeout_ns = pyd_parse_seconds(state, "on=timeout", value);
		break;
	case PYD_ON_RSS:
		w->rss = pyd_parse_size(state, "on=rss", value, true);
		break;
	default:
		break;
	}
	if (!a->has_triggers)
		w->triggers = 0;
	a->has_triggers = true;
	w->triggers |= trigger;
}

static void add_type(struct argp_state *state, struct pyd_patterns *p,
		     const char *option, const char *name)
{
	const char **v;

	if (!*name || p->n >= TYPES_MAX)
		argp_error(state, "--%s: %s", option,
			   *name ? "too many types" : "the type is empty");
	v = reallocarray(p->v, p->n + 1, sizeof(*v));
	if (!v)
		argp_failure(state, PYD_EXIT_FAILED, 0, "out of memory");
	else
		(p->v = v)[p->n++] = name;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct pyd_watch_args *a = state->input;
	struct pyd_watch_options *w = &a->watch;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &a->dump;
		state->child_inputs[1] = &a->dump;
		break;
	case OPT_ON:
		parse_trigger(state, a, arg);
		break;
	case OPT_EXCLUDE_EXCEPTION:
		add_type(state, &w->exclude, "exclude-exception", arg);
		break;
	case OPT_INCLUDE_EXCEPTION:
		add_type(state, &w->include, "include-exception", arg);
		break;
	case OPT_THREAD:
		w->thread = arg;
		break;
	case OPT_THEN:
		w->kill = !strcmp(arg, "kill");
		if (!w->kill && strcmp(arg, "continue"))
			argp_error(state,
				   "--then: '%s' is neither kill nor "
				   "continue",
				   arg);
		break;
	case OPT_DIR:
		w->dir = arg;
		break;
	case OPT_MAX_DUMPS:
		w->max_dumps = !strcmp(arg, "none")
				       ? 0
				       : pyd_parse_size(state, "max-dumps", arg,
							false);
		break;
	case OPT_COOLDOWN:
		w->cooldown_ns = pyd_parse_seconds(state, "cooldown", arg);
		break;
	case OPT_KEEP:
		w->keep = pyd_parse_size(state, "keep", arg, false);
		break;
	case OPT_LOG:
		w->log = arg;
		break;
	case ARGP_KEY_END:
		if (w->thread && !(w->triggers & PYD_ON_HANG))
			argp_error(state, "--thread needs --on=hang=SECONDS");
		if (w->kill && !(w->triggers & (PYD_ON_HANG | PYD_ON_TIMEOUT)))
			argp_error(state, "--then=kill needs --on=hang=SECONDS "
					  "or --on=timeout=SECONDS");
		if (a->dump.snapshot.capture == PYD_CAPTURE_FORK)
			argp_error(state,
				   "--capture=fork cannot be had of a process "
				   "that is watched, which is traced for good. "
				   "Leave it out (what ends is then stopped, "
				   "the rest copied) or give --capture=copy; "
				   "for one dump: pydumpd attach "
				   "--capture=fork PID");
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

const struct argp pyd_watch_argp = {
	.options = options,
	.parser = parse,
	.children = children,
};

void pyd_watch_args_init(struct pyd_watch_args *a)
{
	*a = (struct pyd_watch_args) {
		.watch.triggers =
			PYD_ON_SIGNAL | PYD_ON_EXCEPTION | PYD_ON_REQUEST,
		.watch.signals = 1ULL << (SIGSEGV - 1) | 1ULL << (SIGABRT - 1) |
				 1ULL << (SIGBUS - 1) | 1ULL << (SIGFPE - 1) |
				 1ULL << (SIGILL - 1) | 1ULL << (SIGSYS - 1),
		.watch.max_dumps = UINT64_MAX,
	};
	pyd_dump_options_init(&a->dump);
	a->watch.snapshot = &a->dump.snapshot;
}

/* A folder that is not there is known before the crash. */
static bool check_dir(const char *dir)
{
	struct stat st;
	const char *name = dir ? dir : ".";

	if (stat(name, &st) ||
	    (S_ISDIR(st.st_mode) && access(name, W_OK | X_OK)))
		pyd_log_error("cannot write in directory %s: %s; choose "
			      "another one with --dir",
			      name, strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		pyd_log_error("--dir: %s is not a directory", name);
	else
		return true;
	return false;
}

bool pyd_watch_args_ready(struct pyd_watch_args *a, int *ret_status)
{
	struct pyd_err err = { 0 };
	enum pyd_code code;

	if (a->watch.max_dumps == UINT64_MAX)
		a->watch.max_dumps = a->watch.keep ? 0 : MAX_DUMPS;
	*ret_status = PYD_EXIT_FAILED;
	if (!check_dir(a->watch.dir))
		return false;
	code = pyd_dump_options_rules(&a->dump, &err);
	if (!code)
		return true;
	if (code == PYD_USAGE)
		*ret_status = PYD_EXIT_USAGE;
	pyd_log_error("%s", err.msg);
	return false;
}

void pyd_watch_args_deinit(struct pyd_watch_args *a)
{
	free(a->watch.exclude.v);
	free(a->watch.include.v);
	pyd_dump_options_deinit(&a->dump);
}
