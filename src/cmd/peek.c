// SPDX-License-Identifier: Apache-2.0
/* pydumpd peek: a line a dump: what, where, when, why. */
#include <argp.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "dump/render.h"

struct args {
	char **paths;
	size_t n;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	(void)arg;
	switch (key) {
	case ARGP_KEY_ARGS:
		a->paths = state->argv + state->next;
		a->n = (size_t)(state->argc - state->next);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which dumps?");
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void put(struct pyd_text *t, const char *s)
{
	pyd_text_raw(t, s, strlen(s));
}

/* "label value" when there is one. */
static void field(struct pyd_text *t, const char *label,
		  struct pyd_dump_value v)
{
	if (pyd_dump_value_type(v) == PYD_DUMP_NIL)
		return;
	put(t, "  ");
	put(t, label);
	if (!pyd_render_value(v, t))
		put(t, "?");
}

/* The first exception that any thread had, raised ones before handled. */
static void exception(struct pyd_dump *d, struct pyd_text *t)
{
	static const struct pyd_repr_limits limits = {
		.depth = 1, .items = 3, .chars = 60, .bytes = 200
	};
	struct pyd_dump_value v =
		pyd_dump_value_get(pyd_dump_threads(d), "threads");
	struct pyd_dump_iter it = pyd_dump_value_iter(v);
	uint64_t ref = 0, handled = 0;

	while (!ref && !it.map && pyd_dump_iter_next(&it, NULL, &v)) {
		struct pyd_dump_iter each = pyd_dump_value_iter(
			pyd_dump_value_get(v, "exceptions"));
		struct pyd_dump_value e;
		const char *role;
		size_t len;

		while (!ref && !each.map &&
		       pyd_dump_iter_next(&each, NULL, &e)) {
			uint64_t addr;

			if (!pyd_dump_value_u64(pyd_dump_value_get(e, "value"),
						&addr))
				continue;
			if (pyd_dump_value_text(pyd_dump_value_get(e, "role"),
						&role, &len) &&
			    len == 6 && !memcmp(role, "raised", 6))
				ref = addr;
			else if (!handled)
				handled = addr;
		}
	}
	if (!ref)
		ref = handled;
	if (!ref)
		return;
	put(t, "  ");
	pyd_repr(d, ref, &limits, t);
}

static void line(struct pyd_dump *d, const char *path, struct pyd_text *t)
{
	struct pyd_dump_value h = pyd_dump_header(d);
	struct pyd_dump_info info;

	pyd_dump_get_info(d, &info);
	pyd_text_escaped(t, path, strlen(path), 0, 4096);
	field(t, "", pyd_dump_value_get(h, "time"));
	field(t, "",
	      pyd_dump_value_get(pyd_dump_value_get(h, "host"), "hostname"));
	put(t, "  ");
	pyd_render_program(h, t);
	field(t, "pid ",
	      pyd_dump_value_get(pyd_dump_value_get(h, "process"), "pid"));
	field(t, "python ",
	      pyd_dump_value_get(pyd_dump_value_get(h, "python"), "version"));
	field(t, "",
	      pyd_dump_value_get(pyd_dump_value_get(h, "trigger"), "kind"));
	field(t, "",
	      pyd_dump_value_get(pyd_dump_value_get(h, "trigger"), "signal"));
	pyd_text_printf(t, "  %llu threads  %llu objects  ",
			(unsigned long long)info.threads,
			(unsigned long long)info.objects);
	pyd_render_size(info.size, t);
	put(t, "  ");
	if (info.complete && !*info.damage)
		put(t, "complete");
	else
		put(t, info.damage);
	exception(d, t);
	put(t, "\n");
}

/* False when the file is no dump that can be read; told. */
static bool peek(const char *path)
{
	struct pyd_err err;
	struct pyd_text t = { .err = &err };
	struct pyd_dump *d;

	if (pyd_dump_open(path, &d, &err)) {
		pyd_log_error("%s", err.msg);
		return false;
	}
	line(d, path, &t);
	pyd_dump_close(d);
	if (t.code)
		pyd_log_error("%s", err.msg);
	else
		fwrite(t.buf.data, 1, t.buf.len, stdout);
	pyd_text_deinit(&t);
	return !t.code;
}

static bool has_end(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n > m && !strcmp(name + n - m, end);
}

/* Dumps, and what a dumper that died left of one. */
static int is_dump(const struct dirent *e)
{
	return has_end(e->d_name, ".pydump") ||
	       (e->d_name[0] == '.' && has_end(e->d_name, ".part"));
}

static bool peek_dir(const char *dir)
{
	struct dirent **names;
	int n = scandir(dir, &names, is_dump, alphasort);
	bool ok = true;

	if (n < 0) {
		pyd_log_error("cannot read directory %s: %s", dir,
			      strerror(errno));
		return false;
	}
	if (!n)
		pyd_log_notice("no dumps (*.pydump) in %s", dir);
	for (int i = 0; i < n; i++) {
		char *path;

		if (asprintf(&path, "%s%s%s", dir, has_end(dir, "/") ? "" : "/",
			     names[i]->d_name) < 0) {
			pyd_log_error("out of memory");
			ok = false;
		} else {
			ok &= peek(path);
			free(path);
		}
		free(names[i]);
	}
	free(names);
	return ok;
}

static int run(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse,
		.args_doc = "FILE|DIR...",
		.doc = "One line for each dump: file, time, host, program, "
		       "pid, Python, why it was taken, threads, objects, size, "
		       "whether it is complete, and the exception if there was "
		       "one.",
	};
	struct args a = { 0 };
	bool ok = true;

	argp_err_exit_status = PYD_EXIT_USAGE;
	if (argp_parse(&argp, argc, argv, 0, NULL, &a))
		return PYD_EXIT_USAGE;
	for (size_t i = 0; i < a.n; i++) {
		struct stat st;

		if (!stat(a.paths[i], &st) && S_ISDIR(st.st_mode))
			ok &= peek_dir(a.paths[i]);
		else
			ok &= peek(a.paths[i]);
	}
	if (fflush(stdout)) {
		pyd_log_error("cannot write the output: %s", strerror(errno));
		ok = false;
	}
	return ok ? PYD_EXIT_OK : PYD_EXIT_FAILED;
}

const struct pyd_cmd pyd_cmd_peek = {
	.name = "peek",
	.summary = "one line a dump: what, where, when, why",
	.run = run,
};
