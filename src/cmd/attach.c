// SPDX-License-Identifier: Apache-2.0
/* pydumpd attach: dump a live process. */
#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "dump/file.h"
#include "target/procfs.h"
#include "walk/snapshot.h"

enum {
	OPT_DIR = 256,
	OPT_DESCRIPTION,
	OPT_DEPTH,
	OPT_MAX_OBJECTS,
	OPT_MAX_BYTES,
	OPT_MAX_STRING,
	OPT_MAX_ITEMS,
	OPT_MAX_BLOB,
	OPT_INCLUDE,
	OPT_EXCLUDE,
	OPT_GC,
	OPT_TIMEOUT,
	OPT_NO_GLOBALS,
	OPT_CAPTURE,
	OPT_NO_INJECT,
	OPT_OFFSETS,
	OPT_REDACT,
	OPT_NO_REDACT,
	OPT_TYPES,
	OPT_COMPRESS,
};

enum {
	PATTERNS_MAX = 1000,
	PATTERN_BYTES = 250,
};

static const struct argp_option options[] = {
	{ "output", 'o', "FILE", 0,
	  "Write the dump to FILE, which must not exist; - is standard output",
	  1 },
	{ "dir", OPT_DIR, "DIR", 0,
	  "Write PROGRAM-PID-TIME.pydump to DIR (default: the current "
	  "directory)",
	  1 },
	{ "description", OPT_DESCRIPTION, "TEXT", 0,
	  "Keep TEXT in the dump: why it was taken", 1 },
	{ "compress", OPT_COMPRESS, "N", 0,
	  "Compress with zstd at level N, from 1 (fastest, default) to 19 "
	  "(smallest)",
	  1 },
	{ "depth", OPT_DEPTH, "N", 0,
	  "Follow at most N references from a frame; 1 is the values of its "
	  "variables alone",
	  2 },
	{ "max-objects", OPT_MAX_OBJECTS, "N", 0, "Dump about N objects", 2 },
	{ "max-bytes", OPT_MAX_BYTES, "SIZE", 0,
	  "Dump objects of about SIZE bytes together (K, M, G)", 2 },
	{ "max-string", OPT_MAX_STRING, "N", 0,
	  "Cut strings after N characters; their true length is kept", 2 },
	{ "max-items", OPT_MAX_ITEMS, "N", 0,
	  "Cut lists, tuples, sets, dicts and the like after N items; their "
	  "true length is kept",
	  2 },
	{ "max-blob", OPT_MAX_BLOB, "SIZE", 0,
	  "Cut bytes, bytearrays and other memory of one object after SIZE "
	  "bytes (K, M, G; default 16M), or \"none\"",
	  2 },
	{ "exclude", OPT_EXCLUDE, "PATTERN", 0,
	  "Leave out objects whose type's full name (\"numpy.ndarray\") "
	  "matches the glob, and the contents of modules whose name does; may "
	  "be given again",
	  2 },
	{ "include", OPT_INCLUDE, "PATTERN", 0,
	  "Leave out objects and modules' contents that match none of these, "
	  "but for builtins; --exclude wins",
	  2 },
	{ "timeout", OPT_TIMEOUT, "SECONDS", 0,
	  "Stop following references after SECONDS; the dump is complete but "
	  "for what is far from the frames",
	  2 },
	{ "no-globals", OPT_NO_GLOBALS, NULL, 0,
	  "Leave out globals, builtins and the contents of modules", 2 },
	{ "gc", OPT_GC, NULL, 0,
	  "Add every object that the garbage collector tracks, after what the "
	  "frames reach",
	  2 },
	{ "capture", OPT_CAPTURE, "MODE", 0,
	  "How memory is taken: auto (default), copy (stops the process for "
	  "milliseconds), fork (likewise, for large ones; it makes a copy of "
	  "itself that never runs), stop (stops it for the whole dump, needs "
	  "no memory), "
	  "live (does not stop it; values may be torn)",
	  3 },
	{ "no-inject", OPT_NO_INJECT, NULL, 0,
	  "Never have the process make a system call: no fork", 3 },
	{ "offsets", OPT_OFFSETS, "PATH", 0,
	  "A table, or a directory of them, that adds to the built-in ones",
	  3 },
	{ "types", OPT_TYPES, "PATH", 0,
	  "Descriptions of C types, or a directory of them, that add to the "
	  "built-in ones",
	  3 },
	{ "redact", OPT_REDACT, "FILE", 0,
	  "Rules about secrets, in addition to the built-in ones and those of "
	  "/etc/pydumpd/redact.conf and ~/.config/pydumpd/redact.conf",
	  3 },
	{ "no-redact", OPT_NO_REDACT, NULL, 0,
	  "Keep secrets in the dump: passwords, tokens, environment", 3 },
	{ "verbose", 'v', NULL, 0, "Say what is done", 4 },
	{ "quiet", 'q', NULL, 0, "Say nothing but errors", 4 },
	{ 0 },
};

struct args {
	struct pyd_snapshot_options snapshot;
	const char *output;
	const char *dir;
	const char *redact;
	bool no_redact;
	bool has_pid;
};

/* A whole number with an optional binary suffix. */
static uint64_t parse_size(struct argp_state *state, const char *name,
			   const char *text, bool suffix)
{
	char *end;
	uint64_t v;
	unsigned int shift = 0;

	errno = 0;
	v = strtoull(text, &end, 10);
	if (suffix && *end) {
		switch (toupper((unsigned char)*end)) {
		case 'K':
			shift = 10;
			break;
		case 'M':
			shift = 20;
			break;
		case 'G':
			shift = 30;
			break;
		case 'T':
			shift = 40;
			break;
		}
		if (shift)
			end++;
	}
	if (errno || end == text || *end || !isdigit((unsigned char)*text) ||
	    !v || v > UINT64_MAX >> shift)
		argp_error(state, "--%s: '%s' is not a positive whole number%s",
			   name, text, suffix ? " (with K, M, G, T)" : "");
	return v << shift;
}

static int parse_level(struct argp_state *state, const char *text)
{
	uint64_t v = parse_size(state, "compress", text, false);

	if (v > PYD_LEVEL_MAX)
		argp_error(state, "--compress: %s is more than %d", text,
			   PYD_LEVEL_MAX);
	return (int)v;
}

static uint64_t parse_seconds(struct argp_state *state, const char *text)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end || !isfinite(v) || v <= 0 || v > 1e9)
		argp_error(
			state,
			"--timeout: '%s' is not a positive number of seconds",
			text);
	return (uint64_t)(v * 1e9);
}

static pid_t parse_pid(struct argp_state *state, const char *text)
{
	char *end;
	long v;

	errno = 0;
	v = strtol(text, &end, 10);
	if (errno || end == text || *end || v <= 0 || v > INT32_MAX)
		argp_error(state, "'%s' is not a process id", text);
	return (pid_t)v;
}

static enum pyd_capture_mode parse_mode(struct argp_state *state,
					const char *text)
{
	const enum pyd_capture_mode modes[] = {
		PYD_CAPTURE_AUTO, PYD_CAPTURE_COPY, PYD_CAPTURE_FORK,
		PYD_CAPTURE_STOP, PYD_CAPTURE_LIVE,
	};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (!strcmp(text, pyd_capture_mode_name(modes[i])))
			return modes[i];
	argp_error(state,
		   "--capture: '%s' is none of auto, copy, fork, stop, live",
		   text);
	return PYD_CAPTURE_AUTO;
}

static void add_pattern(struct argp_state *state, const char *name,
			const char *text, struct pyd_patterns *p)
{
	const char **v;

	if (!*text || strlen(text) > PATTERN_BYTES || p->n >= PATTERNS_MAX)
		argp_error(state, "--%s: %s", name,
			   !*text		  ? "the pattern is empty"
			   : p->n >= PATTERNS_MAX ? "too many patterns"
						  : "the pattern is too long");
	v = reallocarray(p->v, p->n + 1, sizeof(*v));
	if (!v)
		argp_failure(state, PYD_EXIT_FAILED, 0, "out of memory");
	else
		(p->v = v)[p->n++] = text;
}

static bool is_stream(const char *output)
{
	return output && !strcmp(output, PYD_FILE_STDOUT);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;
	struct pyd_limits *l = &a->snapshot.limits;

	switch (key) {
	case 'o':
		a->output = arg;
		break;
	case OPT_DIR:
		a->dir = arg;
		break;
	case OPT_DESCRIPTION:
		a->snapshot.description = arg;
		break;
	case OPT_COMPRESS:
		a->snapshot.level = parse_level(state, arg);
		break;
	case OPT_DEPTH:
		l->depth = parse_size(state, "depth", arg, false);
		break;
	case OPT_MAX_OBJECTS:
		l->max_objects = parse_size(state, "max-objects", arg, true);
		break;
	case OPT_MAX_BYTES:
		l->max_bytes = parse_size(state, "max-bytes", arg, true);
		break;
	case OPT_MAX_STRING:
		l->max_string = parse_size(state, "max-string", arg, true);
		break;
	case OPT_MAX_ITEMS:
		l->max_items = parse_size(state, "max-items", arg, true);
		break;
	case OPT_MAX_BLOB:
		l->max_blob =
			!strcmp(arg, "none")
				? 0
				: parse_size(state, "max-blob", arg, true);
		break;
	case OPT_INCLUDE:
		add_pattern(state, "include", arg, &l->include);
		break;
	case OPT_EXCLUDE:
		add_pattern(state, "exclude", arg, &l->exclude);
		break;
	case OPT_TIMEOUT:
		l->timeout_ns = parse_seconds(state, arg);
		break;
	case OPT_NO_GLOBALS:
		l->no_globals = true;
		break;
	case OPT_GC:
		l->gc = true;
		break;
	case OPT_CAPTURE:
		a->snapshot.capture = parse_mode(state, arg);
		break;
	case OPT_NO_INJECT:
		a->snapshot.no_inject = true;
		break;
	case OPT_OFFSETS:
		a->snapshot.offsets = arg;
		break;
	case OPT_TYPES:
		a->snapshot.types = arg;
		break;
	case OPT_REDACT:
		a->redact = arg;
		break;
	case OPT_NO_REDACT:
		a->no_redact = true;
		break;
	case 'v':
		pyd_log_level = PYD_LOG_DEBUG;
		break;
	case 'q':
		pyd_log_level = PYD_LOG_ERROR;
		break;
	case ARGP_KEY_ARG:
		if (a->has_pid)
			argp_error(state, "one PID at a time");
		a->snapshot.pid = parse_pid(state, arg);
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
		if (a->snapshot.no_inject &&
		    a->snapshot.capture == PYD_CAPTURE_FORK)
			argp_error(state, "--capture=fork needs what "
					  "--no-inject forbids");
		if (a->redact && a->no_redact)
			argp_error(state,
				   "give --redact or --no-redact, not both");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "PID",
	.doc = "Dump the Python process PID: all threads, their frames and "
	       "every object they reach. The process runs on.\v"
	       "Exit status: 0 done, 1 failed, 2 usage.",
};

/* What the process is called, fit for a file name. */
static void program_name(pid_t pid, char *buf, size_t cap)
{
	struct pyd_buf cmdline = { 0 };
	struct pyd_proc_stat stat;
	struct pyd_err ignored;
	const char *name = NULL;

	/* The script, when an interpreter runs one. */
	if (!pyd_procfs_read(pid, "cmdline", 1 << 16, &cmdline, &ignored)) {
		const char *arg = (const char *)cmdline.data;
		const char *end = arg + cmdline.len;

		for (arg += strlen(arg) + 1; arg < end;
		     arg += strlen(arg) + 1) {
			if (arg[0] == '-' &&
			    (!strcmp(arg, "-m") || !strcmp(arg, "-c"))) {
				const char *next = arg + strlen(arg) + 1;

				if (arg[1] == 'm' && next < end)
					name = next;
				break;
			}
			if (arg[0] == '-' &&
			    (!strcmp(arg, "-X") || !strcmp(arg, "-W"))) {
				arg += strlen(arg) + 1;
				continue;
			}
			if (arg[0] && arg[0] != '-') {
				name = arg;
				break;
			}
		}
	}
	if (name && strrchr(name, '/'))
		name = strrchr(name, '/') + 1;
	if ((!name || !name[0]) && !pyd_procfs_stat(pid, 0, &stat, &ignored))
		name = stat.comm;
	snprintf(buf, cap, "%s", name && name[0] ? name : "python");
	pyd_buf_deinit(&cmdline);

	size_t n = strlen(buf);

	if (n > 3 && !strcmp(buf + n - 3, ".py"))
		buf[n - 3] = '\0';
	for (char *p = buf; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("._+-", *p))
			*p = '_';
	if (buf[0] == '.' || buf[0] == '-')
		buf[0] = '_';
}

static void default_path(const struct args *a, char *buf, size_t cap)
{
	char name[128], stamp[32];
	time_t now = time(NULL);
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%S", &tm);
	program_name(a->snapshot.pid, name, sizeof(name));
	snprintf(buf, cap, "%s%s%.100s-%d-%s.pydump", a->dir ? a->dir : "",
		 a->dir ? "/" : "", name, (int)a->snapshot.pid, stamp);
}

/* "1.2 M" */
static const char *scaled(double v, char *buf, size_t cap)
{
	static const char *const units[] = { "", "k", "M", "G", "T" };
	size_t u = 0;

	while (v >= 1000 && u + 1 < sizeof(units) / sizeof(units[0])) {
		v /= 1000;
		u++;
	}
	snprintf(buf, cap, u ? "%.1f %s" : "%.0f", v, units[u]);
	return buf;
}

/* "1.2 MB" */
static const char *human(uint64_t bytes, char *buf, size_t cap)
{
	scaled((double)bytes, buf, cap - 2);
	return strcat(buf, bytes < 1000 ? " B" : "B");
}

struct progress {
	uint64_t began, shown;
};

/* "at most 12 s left": what the process has in use may hold no more objects
 * than that. "" while that cannot be told. */
static void time_left(const struct pyd_walk *w, double elapsed, char *buf,
		      size_t cap)
{
	double left = w->memory > w->bytes ? (double)(w->memory - w->bytes) : 0;

	buf[0] = '\0';
	if (w->phase == PYD_WALK_OBJECTS && w->bytes && left > 0)
		snprintf(buf, cap, ", at most %.0f s left",
			 ceil(left * elapsed / (double)w->bytes));
}

static void show_progress(void *ctx, const struct pyd_walk *w)
{
	struct progress *p = ctx;
	uint64_t now = pyd_now_ns();
	char size[32], rate[32], left[64];
	/* The walk may begin anew: the dump of a running one. */
	double elapsed = (double)(now - w->began_ns) / 1e9 + 1e-9;

	if (now - p->began < 1000000000ULL || now - p->shown < 200000000ULL)
		return;
	p->shown = now;
	human(w->bytes, size, sizeof(size));
	scaled((double)w->objects / elapsed, rate, sizeof(rate));
	time_left(w, elapsed, left, sizeof(left));
	fprintf(stderr,
		"\rpydumpd: %s%" PRIu64 " objects, %s, %s objects/s%s\033[K",
		w->phase == PYD_WALK_TEXTS ? "writing texts of " : "",
		w->objects, size, rate, left);
}

static void on_signal(int sig)
{
	(void)sig;
	pyd_interrupted = 1;
}

static void shell_quoted(const char *s, char *buf, size_t cap)
{
	bool plain = *s != '\0';
	size_t n = 0;

	for (const char *p = s; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("._+-/:@%=,", *p))
			plain = false;
	if (plain) {
		snprintf(buf, cap, "%s", s);
		return;
	}
	buf[n++] = '\'';
	for (const char *p = s; *p && n + 6 < cap; p++) {
		if (*p == '\'') {
			memcpy(buf + n, "'\\''", 4);
			n += 4;
		} else {
			buf[n++] = *p;
		}
	}
	buf[n++] = '\'';
	buf[n] = '\0';
}

static void report_cuts(const struct pyd_cuts *c)
{
	const struct {
		const char *option;
		uint64_t n;
	} cuts[] = {
		{ "--depth", c->depth },
		{ "--max-objects", c->max_objects },
		{ "--max-bytes", c->max_bytes },
		{ "--timeout", c->timeout },
		{ "--no-globals", c->globals },
	};
	const struct {
		const char *option;
		uint64_t n;
		const char *what;
	} objects[] = {
		{ "--max-string", c->strings, "cut" },
		{ "--max-items", c->items, "cut" },
		{ "--max-blob", c->blobs, "cut" },
		{ "--exclude", c->excluded, "left out" },
		{ "--include", c->not_included, "left out" },
	};

	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++)
		if (cuts[i].n)
			pyd_log_notice("%s left out %" PRIu64 " references",
				       cuts[i].option, cuts[i].n);
	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++)
		if (objects[i].n)
			pyd_log_notice("%s %s %" PRIu64 " values",
				       objects[i].option, objects[i].what,
				       objects[i].n);
}

static void report(const char *path, const struct pyd_snapshot_stats *s)
{
	char bytes[32], file[32], quoted[8192];

	const uint64_t unread =
		s->placeholders - s->cuts.excluded - s->cuts.not_included;

	report_cuts(&s->cuts);
	if (unread)
		pyd_log_notice("%" PRIu64 " objects could not be read; the "
			       "dump says why at each",
			       unread);
	if (s->redacted)
		pyd_log_notice("%" PRIu64 " secrets redacted", s->redacted);
	pyd_log_notice("%" PRIu64 " thread%s, %" PRIu64 " frame%s, %" PRIu64
		       " objects of %s; paused %.1f ms (%s), took %.2f s; "
		       "file %s",
		       s->threads, s->threads == 1 ? "" : "s", s->frames,
		       s->frames == 1 ? "" : "s", s->objects,
		       human(s->bytes, bytes, sizeof(bytes)),
		       (double)s->pause_ns / 1e6, s->capture,
		       (double)s->total_ns / 1e9,
		       human(s->file_bytes, file, sizeof(file)));
	if (pyd_log_level >= PYD_LOG_NOTICE && !is_stream(path)) {
		shell_quoted(path, quoted, sizeof(quoted));
		printf("pydumpd load %s\n", quoted);
	}
}

static int run(int argc, char **argv)
{
	struct args a = { .snapshot.limits.max_blob = PYD_MAX_BLOB_DEFAULT };
	struct pyd_snapshot_stats stats;
	struct pyd_err err = { 0 };
	struct progress progress = { .began = pyd_now_ns() };
	struct sigaction sa = { .sa_handler = on_signal };
	char path[4096];

	argp_err_exit_status = PYD_EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	if (a.output)
		snprintf(path, sizeof(path), "%s", a.output);
	else
		default_path(&a, path, sizeof(path));
	a.snapshot.path = path;
	if (isatty(STDERR_FILENO) && pyd_log_level >= PYD_LOG_NOTICE) {
		a.snapshot.progress = show_progress;
		a.snapshot.progress_ctx = &progress;
	}
	/* ^C lets the target go and leaves no file. */
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	/* The end of who reads a dump is an error with a message. */
	signal(SIGPIPE, SIG_IGN);

	/* Rules that do not parse must not cost the process a pause. */
	struct pyd_rules *rules = NULL;
	int status = PYD_EXIT_FAILED;
	enum pyd_code code = PYD_OK;

	if (a.no_redact)
		pyd_log_notice("--no-redact: secrets stay in the dump");
	else
		code = pyd_rules_load(a.redact, &rules, &err);
	a.snapshot.rules = rules;
	if (code == PYD_USAGE)
		status = PYD_EXIT_USAGE;
	if (!code)
		code = pyd_snapshot_take(&a.snapshot, &stats, &err);
	pyd_rules_destroy(rules);
	free(a.snapshot.limits.include.v);
	free(a.snapshot.limits.exclude.v);
	if (progress.shown)
		fprintf(stderr, "\r\033[K");
	if (code) {
		pyd_log_error("%s", err.msg);
		return status;
	}
	report(path, &stats);
	return PYD_EXIT_OK;
}

const struct pyd_cmd pyd_cmd_attach = {
	.name = "attach",
	.summary = "dump a live process",
	.run = run,
};
