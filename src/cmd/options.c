// SPDX-License-Identifier: Apache-2.0
#include "cmd/options.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "dump/file.h"

/* Beyond those of the commands. */
enum {
	OPT_DESCRIPTION = 1000,
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
	OPT_MAX_PAUSE,
	OPT_NATIVE,
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
	{ "native", OPT_NATIVE, "MODE", 0,
	  "Native stacks (C, C++, Rust) of all threads: auto (default; as "
	  "long as they take less than a second, 0.2 s with --capture=stop), "
	  "all, off",
	  3 },
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

/* A whole number with an optional binary suffix. */
uint64_t pyd_parse_size(struct argp_state *state, const char *name,
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
	uint64_t v = pyd_parse_size(state, "compress", text, false);

	if (v > PYD_LEVEL_MAX)
		argp_error(state, "--compress: %s is more than %d", text,
			   PYD_LEVEL_MAX);
	return (int)v;
}

uint64_t pyd_parse_seconds(struct argp_state *state, const char *name,
			   const char *text)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end || !isfinite(v) || v <= 0 || v > 1e9)
		argp_error(state,
			   "--%s: '%s' is not a positive number of seconds",
			   name, text);
	return (uint64_t)(v * 1e9);
}

static uint64_t parse_ms(struct argp_state *state, const char *name,
			 const char *text)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end || !isfinite(v) || v <= 0 || v > 1e9)
		argp_error(state,
			   "--%s: '%s' is not a positive number of "
			   "milliseconds",
			   name, text);
	return (uint64_t)(v * 1e6);
}

pid_t pyd_parse_pid(struct argp_state *state, const char *text)
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

static enum pyd_native_mode parse_native(struct argp_state *state,
					 const char *text)
{
	const enum pyd_native_mode modes[] = {
		PYD_NATIVE_AUTO,
		PYD_NATIVE_ALL,
		PYD_NATIVE_OFF,
	};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (!strcmp(text, pyd_native_mode_name(modes[i])))
			return modes[i];
	argp_error(state, "--native: '%s' is none of auto, all, off", text);
	return PYD_NATIVE_AUTO;
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

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct pyd_dump_options *d = state->input;
	struct pyd_limits *l = &d->snapshot.limits;

	switch (key) {
	case OPT_DESCRIPTION:
		d->snapshot.description = arg;
		break;
	case OPT_COMPRESS:
		d->snapshot.level = parse_level(state, arg);
		break;
	case OPT_DEPTH:
		l->depth = pyd_parse_size(state, "depth", arg, false);
		break;
	case OPT_MAX_OBJECTS:
		l->max_objects =
			pyd_parse_size(state, "max-objects", arg, true);
		break;
	case OPT_MAX_BYTES:
		l->max_bytes = pyd_parse_size(state, "max-bytes", arg, true);
		break;
	case OPT_MAX_STRING:
		l->max_string = pyd_parse_size(state, "max-string", arg, true);
		break;
	case OPT_MAX_ITEMS:
		l->max_items = pyd_parse_size(state, "max-items", arg, true);
		break;
	case OPT_MAX_BLOB:
		l->max_blob =
			!strcmp(arg, "none")
				? 0
				: pyd_parse_size(state, "max-blob", arg, true);
		break;
	case OPT_INCLUDE:
		add_pattern(state, "include", arg, &l->include);
		break;
	case OPT_EXCLUDE:
		add_pattern(state, "exclude", arg, &l->exclude);
		break;
	case OPT_TIMEOUT:
		l->timeout_ns = pyd_parse_seconds(state, "timeout", arg);
		break;
	case OPT_NO_GLOBALS:
		l->no_globals = true;
		break;
	case OPT_GC:
		l->gc = true;
		break;
	case OPT_NATIVE:
		d->snapshot.native = parse_native(state, arg);
		break;
	case OPT_OFFSETS:
		d->snapshot.offsets = arg;
		break;
	case OPT_TYPES:
		d->snapshot.types = arg;
		break;
	case OPT_REDACT:
		d->redact = arg;
		break;
	case OPT_NO_REDACT:
		d->no_redact = true;
		break;
	case 'v':
		pyd_log_level = PYD_LOG_DEBUG;
		break;
	case 'q':
		pyd_log_level = PYD_LOG_ERROR;
		break;
	case ARGP_KEY_END:
		if (d->redact && d->no_redact)
			argp_error(state,
				   "give --redact or --no-redact, not both");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

const struct argp pyd_dump_argp = {
	.options = options,
	.parser = parse,
};

/* -- of a process that runs -- */

static const struct argp_option live_options[] = {
	{ "capture", OPT_CAPTURE, "MODE", 0,
	  "How memory is taken: auto (default), copy (stops the process for "
	  "milliseconds), fork (likewise, for large ones; it makes a copy of "
	  "itself that never runs), stop (stops it for the whole dump, or with "
	  "--depth and --max-objects until all of it is read; needs no "
	  "memory), live (does not stop it; values may be torn)",
	  3 },
	{ "no-inject", OPT_NO_INJECT, NULL, 0,
	  "Have the process make no system call: no fork", 3 },
	{ "max-pause", OPT_MAX_PAUSE, "MS", 0,
	  "Let the process go after MS milliseconds: --capture=stop follows "
	  "references for a part of them, and what is not done then, or not "
	  "copied, is no dump; a fork is not interrupted (20 to 50 ms a GB)",
	  3 },
	{ 0 },
};

static error_t parse_live(int key, char *arg, struct argp_state *state)
{
	struct pyd_dump_options *d = state->input;

	switch (key) {
	case OPT_CAPTURE:
		d->snapshot.capture = parse_mode(state, arg);
		break;
	case OPT_NO_INJECT:
		d->snapshot.no_inject = true;
		break;
	case OPT_MAX_PAUSE:
		d->snapshot.stop.max_pause_ns =
			parse_ms(state, "max-pause", arg);
		break;
	case ARGP_KEY_END:
		if (d->snapshot.no_inject &&
		    d->snapshot.capture == PYD_CAPTURE_FORK)
			argp_error(state, "--capture=fork needs what "
					  "--no-inject forbids");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

const struct argp pyd_live_argp = {
	.options = live_options,
	.parser = parse_live,
};

static const struct argp_option ended_options[] = {
	{ "capture", OPT_CAPTURE, "MODE", OPTION_HIDDEN, NULL, 3 },
	{ "no-inject", OPT_NO_INJECT, NULL, OPTION_HIDDEN, NULL, 3 },
	{ "max-pause", OPT_MAX_PAUSE, "MS", OPTION_HIDDEN, NULL, 3 },
	{ 0 },
};

static error_t parse_ended(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	switch (key) {
	case OPT_CAPTURE:
	case OPT_NO_INJECT:
	case OPT_MAX_PAUSE:
		argp_error(state, "--capture, --no-inject and --max-pause are "
				  "about processes that run on; see 'pydumpd "
				  "attach'");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp pyd_ended_argp = {
	.options = ended_options,
	.parser = parse_ended,
};

void pyd_dump_options_init(struct pyd_dump_options *d)
{
	*d = (struct pyd_dump_options) {
		.snapshot.limits.max_blob = PYD_MAX_BLOB_DEFAULT,
	};
}

enum pyd_code pyd_dump_options_rules(struct pyd_dump_options *d,
				     struct pyd_err *err)
{
	if (d->no_redact) {
		pyd_log_notice("--no-redact: secrets stay in the dump");
		return PYD_OK;
	}
	return pyd_rules_load(d->redact, &d->snapshot.rules, err);
}

void pyd_dump_options_deinit(struct pyd_dump_options *d)
{
	pyd_rules_destroy(d->snapshot.rules);
	free(d->snapshot.limits.include.v);
	free(d->snapshot.limits.exclude.v);
}
