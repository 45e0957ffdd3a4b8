// SPDX-License-Identifier: Apache-2.0
/* pydumpd show: header, threads, frames and locals of a dump as text or JSON.
 */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "dump/render.h"

enum {
	OPT_JSON = 256,
	OPT_NO_LOCALS,
	OPT_NATIVE,
	OPT_MAX_FRAMES,
	OPT_CHARS,
	OPT_ITEMS,
	OPT_BYTES,
};

static const struct argp_option options[] = {
	{ "json", OPT_JSON, NULL, 0, "One JSON object", 1 },
	{ "thread", 't', "N", 0, "Only thread N, from 0", 1 },
	{ "no-locals", OPT_NO_LOCALS, NULL, 0, "Frames without variables", 1 },
	{ "native", OPT_NATIVE, NULL, 0,
	  "Native frames (C, C++, Rust) between the Python ones that they "
	  "called or were called by",
	  1 },
	{ "max-frames", OPT_MAX_FRAMES, "N", 0,
	  "At most N frames of each thread, the newest", 1 },
	{ "chars", OPT_CHARS, "N", 0,
	  "Characters of a string that are shown (default 120)", 2 },
	{ "items", OPT_ITEMS, "N", 0,
	  "Items of a container that are shown (default 8)", 2 },
	{ "value-bytes", OPT_BYTES, "N", 0,
	  "About how long the text of one value may be (default 300)", 2 },
	{ 0 },
};

struct args {
	const char *path;
	bool json;
	struct pyd_render_options render;
};

static uint64_t number(struct argp_state *state, const char *name,
		       const char *text, uint64_t max)
{
	char *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || v > max)
		argp_error(state, "--%s takes a number up to %llu, not '%s'",
			   name, (unsigned long long)max, text);
	return v;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	switch (key) {
	case OPT_JSON:
		a->json = true;
		return 0;
	case OPT_NO_LOCALS:
		a->render.no_locals = true;
		return 0;
	case OPT_NATIVE:
		a->render.native = true;
		return 0;
	case OPT_MAX_FRAMES:
		a->render.max_frames =
			number(state, "max-frames", arg, INT64_MAX);
		return 0;
	case OPT_CHARS:
		a->render.limits.chars =
			(unsigned int)number(state, "chars", arg, 1000000);
		return 0;
	case OPT_ITEMS:
		a->render.limits.items =
			(unsigned int)number(state, "items", arg, 1000000);
		return 0;
	case OPT_BYTES:
		a->render.limits.bytes = (unsigned int)number(
			state, "value-bytes", arg, 100000000);
		return 0;
	case 't':
		a->render.thread =
			(int64_t)number(state, "thread", arg, INT64_MAX);
		return 0;
	case ARGP_KEY_ARG:
		if (a->path)
			argp_error(state, "one dump at a time");
		a->path = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which dump?");
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static enum pyd_code to_stdout(void *ctx, const char *s, size_t len,
			       struct pyd_err *err)
{
	(void)ctx;
	if (fwrite(s, 1, len, stdout) != len)
		return pyd_err_errno(err, PYD_IO, errno,
				     "cannot write the output");
	return PYD_OK;
}

static int run(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "FILE",
		.doc = "Show a dump: what was dumped, and every thread, frame "
		       "and variable.\vValues are shortened; 'pydumpd load "
		       "FILE' looks into them with pdb.",
	};
	struct args a = {
		.render = { .thread = -1, .limits = pyd_repr_default },
	};
	const struct pyd_sink sink = { .write = to_stdout };
	struct pyd_dump *d;
	struct pyd_err err;
	enum pyd_code code;

	argp_err_exit_status = PYD_EXIT_USAGE;
	if (argp_parse(&argp, argc, argv, 0, NULL, &a))
		return PYD_EXIT_USAGE;
	code = pyd_dump_open(a.path, &d, &err);
	if (code) {
		pyd_log_error("%s", err.msg);
		return PYD_EXIT_FAILED;
	}
	code = a.json ? pyd_render_json(d, a.path, &a.render, &sink, &err)
		      : pyd_render_text(d, a.path, &a.render, &sink, &err);
	pyd_dump_close(d);
	if (!code && fflush(stdout))
		code = pyd_err_errno(&err, PYD_IO, errno,
				     "cannot write the output");
	if (code) {
		pyd_log_error("%s", err.msg);
		return code == PYD_USAGE ? PYD_EXIT_USAGE : PYD_EXIT_FAILED;
	}
	return PYD_EXIT_OK;
}

const struct pyd_cmd pyd_cmd_show = {
	.name = "show",
	.summary = "show the threads, frames and locals of a dump",
	.run = run,
};
