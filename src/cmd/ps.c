// SPDX-License-Identifier: Apache-2.0
#include <argp.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/describe.h"
#include "runtime/runtime.h"

enum { OPT_OFFSETS = 256 };

struct args {
	bool json;
	const char *offsets;
};

/* One Python process. */
struct row {
	pid_t pid;
	char version[64]; /* "?" when it may not be read */
	char build[64];
	char user[64];
	char command[4096];
	char why[480]; /* why it cannot be dumped; "" if it can */
	char cure[480];
};

struct rows {
	struct row *v;
	size_t n;
	size_t cap;
};

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "Print a JSON list instead of a table", 0 },
	{ "offsets", OPT_OFFSETS, "PATH", 0,
	  "Offset table, or folder of them, that adds to the built-in ones",
	  0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	switch (key) {
	case 'j':
		a->json = true;
		return 0;
	case OPT_OFFSETS:
		a->offsets = arg;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "no argument is expected; 'pydumpd doctor "
				  "PID' looks at one process");
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "List the Python processes here, and whether they can be "
	       "dumped."
	       "\v'pydumpd doctor PID' tells more about one of them.",
};

/* Of a process whose memory we may not read: only its names are left. */
static bool looks_like_python(const struct pyd_process *p, const char *command)
{
	const char *end = strchr(command, ' ');
	const char *name = command;

	for (const char *c = command; *c && c != end; c++)
		if (*c == '/')
			name = c + 1;
	return !strncmp(p->stat.comm, "python", 6) ||
	       !strncmp(name, "python", 6);
}

/* "cannot attach to 1: it belongs to...; run as...": the cause and the cure. */
static void split_reason(struct row *r, const char *msg)
{
	const char *from = strstr(msg, ": ");
	const char *cure;

	from = from ? from + 2 : msg;
	cure = strstr(from, "; ");
	snprintf(r->why, sizeof(r->why), "%.*s",
		 cure ? (int)(cure - from) : (int)strlen(from), from);
	snprintf(r->cure, sizeof(r->cure), "%s", cure ? cure + 2 : "");
}

static void describe(struct row *r, const struct pyd_runtime *rt)
{
	snprintf(r->version, sizeof(r->version), "%s", rt->version);
	snprintf(r->build, sizeof(r->build), "%s%s%s",
		 rt->debug ? "debug" : "release",
		 rt->free_threaded ? " free-threaded" : "",
		 rt->shared ? " shared" : "");
}

/* False: not Python, or gone; not worth a word. */
static bool look_at(struct pyd_process *p, const struct pyd_layouts *tables,
		    struct row *r)
{
	struct pyd_target *t = NULL;
	struct pyd_runtime rt = { 0 };
	struct pyd_candidates seen = { 0 };
	struct pyd_err err = { 0 };
	bool python = true;
	enum pyd_code code;

	r->pid = p->pid;
	snprintf(r->version, sizeof(r->version), "?");
	snprintf(r->build, sizeof(r->build), "?");
	pyd_describe_user(p->status.uid, r->user, sizeof(r->user));
	pyd_describe_command(p->pid, p->stat.comm, r->command,
			     sizeof(r->command));
	code = pyd_target_process_create(p, &t, &err);
	if (code == PYD_PERM || code == PYD_BUSY) {
		split_reason(r, err.msg);
		return looks_like_python(p, r->command);
	}
	if (code)
		return false;
	code = pyd_runtime_search(t, p, tables, true, &rt, &seen, &err);
	if (!code) {
		describe(r, &rt);
		if (pyd_process_untraced(p, &err))
			split_reason(r, err.msg);
	} else if (code == PYD_UNSUPPORTED || seen.n) {
		/* It is one, but. */
		split_reason(r, err.msg);
		snprintf(r->why, sizeof(r->why), "%.479s", err.msg);
		python = code != PYD_GONE;
	} else {
		python = false;
	}
	pyd_candidates_deinit(&seen);
	pyd_runtime_deinit(&rt);
	pyd_target_destroy(t);
	return python;
}

static enum pyd_code add(struct rows *rows, const struct row *r,
			 struct pyd_err *err)
{
	if (rows->n == rows->cap) {
		size_t cap = rows->cap ? rows->cap * 2 : 16;
		struct row *v = realloc(rows->v, cap * sizeof(*v));

		if (!v)
			return pyd_err_set(err, PYD_NOMEM, "out of memory");
		rows->v = v;
		rows->cap = cap;
	}
	rows->v[rows->n++] = *r;
	return PYD_OK;
}

static int by_pid(const void *a, const void *b)
{
	const struct row *x = a;
	const struct row *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static enum pyd_code collect(const struct pyd_layouts *tables,
			     struct rows *rows, struct pyd_err *err)
{
	DIR *dir = opendir("/proc");
	enum pyd_code code = PYD_OK;
	struct dirent *e;

	if (!dir)
		return pyd_err_set(err, PYD_IO,
				   "cannot read /proc; is it mounted?");
	while (!code && (e = readdir(dir))) {
		struct pyd_process p;
		struct pyd_err ignored;
		struct row r = { 0 };
		char *end;
		long pid = strtol(e->d_name, &end, 10);

		if (*end || pid <= 0 ||
		    pyd_process_open((pid_t)pid, &p, &ignored))
			continue;
		if (look_at(&p, tables, &r))
			code = add(rows, &r, err);
		pyd_process_close(&p);
	}
	closedir(dir);
	qsort(rows->v, rows->n, sizeof(*rows->v), by_pid);
	return code;
}

static void print_json(const struct rows *rows)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < rows->n; i++) {
		const struct row *r = &rows->v[i];
		struct json_object *o = json_object_new_object();
		bool known = r->version[0] != '?';

		json_object_object_add(o, "pid", json_object_new_int(r->pid));
		json_object_object_add(
			o, "version",
			known ? json_object_new_string(r->version) : NULL);
		json_object_object_add(o, "build",
				       known ? json_object_new_string(r->build)
					     : NULL);
		json_object_object_add(o, "user", pyd_describe_json(r->user));
		json_object_object_add(o, "command",
				       pyd_describe_json(r->command));
		json_object_object_add(o, "dumpable",
				       json_object_new_boolean(!r->why[0]));
		json_object_object_add(o, "reason",
				       r->why[0] ? pyd_describe_json(r->why)
						 : NULL);
		json_object_object_add(o, "cure",
				       r->cure[0] ? pyd_describe_json(r->cure)
						  : NULL);
		json_object_array_add(list, o);
	}
	printf("%s\n",
	       json_object_to_json_string_ext(
		       list, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
				     JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(list);
}

static size_t width_of(const struct rows *rows, const char *title,
		       size_t member)
{
	size_t width = strlen(title);

	for (size_t i = 0; i < rows->n; i++) {
		size_t n = strlen((const char *)&rows->v[i] + member);

		width = n > width ? n : width;
	}
	return width;
}

/* Columns of the terminal; 0: not one, nothing is cut. */
static size_t terminal_width(void)
{
	struct winsize ws;

	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) ||
	    ws.ws_col < 40)
		return 0;
	return ws.ws_col;
}

static void print_table(const struct rows *rows)
{
	int version =
		(int)width_of(rows, "VERSION", offsetof(struct row, version));
	int build = (int)width_of(rows, "BUILD", offsetof(struct row, build));
	int user = (int)width_of(rows, "USER", offsetof(struct row, user));
	size_t columns = terminal_width();
	size_t refused = 0;

	if (!rows->n) {
		pyd_log_notice("no Python process here that you can see%s",
			       geteuid() ? "; root sees all" : "");
		return;
	}
	printf("%7s  %-*s  %-*s  %-*s  %-4s  COMMAND\n", "PID", version,
	       "VERSION", build, "BUILD", user, "USER", "DUMP");
	for (size_t i = 0; i < rows->n; i++) {
		const struct row *r = &rows->v[i];
		char line[8192];
		int n = snprintf(line, sizeof(line),
				 "%7d  %-*s  %-*s  %-*s  %-4s  %s", r->pid,
				 version, r->version, build, r->build, user,
				 r->user, r->why[0] ? "no" : "yes", r->command);

		if (columns && n > 0 && (size_t)n > columns) {
			/* Not in the middle of a character. */
			size_t cut = columns;

			while (cut > 1 && (line[cut] & 0xc0) == 0x80)
				cut--;
			line[cut] = 0;
		}
		puts(line);
		if (r->why[0])
			printf("%7s  %s\n", "", r->why);
		refused += r->why[0] != 0;
	}
	if (refused && isatty(STDOUT_FILENO))
		pyd_log_notice("'pydumpd doctor PID' says what to do");
}

static int run(int argc, char **argv)
{
	struct args a = { 0 };
	struct pyd_layouts tables = { 0 };
	struct rows rows = { 0 };
	struct pyd_err err = { 0 };
	enum pyd_code code;

	argp_err_exit_status = PYD_EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	code = pyd_layouts_load(a.offsets, &tables, &err);
	if (!code)
		code = collect(&tables, &rows, &err);
	if (code)
		pyd_log_error("%s", err.msg);
	else if (a.json)
		print_json(&rows);
	else
		print_table(&rows);
	free(rows.v);
	pyd_layouts_deinit(&tables);
	return code ? PYD_EXIT_FAILED : PYD_EXIT_OK;
}

const struct pyd_cmd pyd_cmd_ps = {
	.name = "ps",
	.summary = "list the Python processes here",
	.run = run,
};
