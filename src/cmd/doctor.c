// SPDX-License-Identifier: Apache-2.0
#include <argp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/describe.h"
#include "cmd/options.h"
#include "runtime/runtime.h"
#include "target/capture.h"
#include "walk/snapshot.h"

enum { OPT_OFFSETS = 256, MAX_LISTED = 40 };

struct args {
	pid_t pid;
	bool json;
	const char *offsets;
};

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "Print JSON", 0 },
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
		if (a->pid)
			argp_error(state, "one PID at a time");
		a->pid = pyd_parse_pid(state, arg);
		return 0;
	case ARGP_KEY_END:
		if (!a->pid)
			argp_error(state, "which process? give its PID; "
					  "'pydumpd ps' lists them");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "PID",
	.doc = "Go through every step of finding the interpreter in a process, "
	       "without stopping it, and say what was found, or why a dump "
	       "would fail and what to do."
	       "\vExit status: 0 when the process can be dumped, 1 when not.",
};

/* -- the report -- */

enum mark { MARK_OK, MARK_NOTE, MARK_BAD };

static const char *const mark_names[] = { "ok", "note", "no" };

/* Steps are printed as they are made, or collected for JSON. */
struct report {
	struct json_object *json; /* NULL: text */
	struct json_object *steps;
	bool bad;
};

static void step(struct report *r, enum mark mark, const char *name,
		 const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static void step(struct report *r, enum mark mark, const char *name,
		 const char *fmt, ...)
{
	char raw[2048];
	char text[3 * sizeof(raw)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	pyd_describe_text(raw, strlen(raw), text, sizeof(text));
	r->bad |= mark == MARK_BAD;
	if (!r->json) {
		printf("%-4s  %-11s  %s\n", mark_names[mark], name, text);
		fflush(stdout);
		return;
	}

	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "step", json_object_new_string(name));
	json_object_object_add(o, "result",
			       json_object_new_string(mark_names[mark]));
	json_object_object_add(o, "text", json_object_new_string(text));
	json_object_array_add(r->steps, o);
}

static void fact(struct report *r, const char *key, struct json_object *value)
{
	if (r->json)
		json_object_object_add(r->json, key, value);
	else
		json_object_put(value);
}

/* -- steps -- */

struct patient {
	struct report *r;
	struct pyd_process p;
	struct pyd_layouts tables;
	struct pyd_target *t;
	struct pyd_runtime rt;
	struct pyd_candidates seen;
	struct pyd_threads os;
	struct pyd_reader reader;
	bool has_reader;
};

enum same { SAME, OTHER, NOT_KNOWN };

static enum same same_ns(pid_t pid, const char *name)
{
	char ours[64];
	char theirs[64];
	struct pyd_err ignored;

	if (pyd_procfs_link(getpid(), name, ours, sizeof(ours), &ignored) ||
	    pyd_procfs_link(pid, name, theirs, sizeof(theirs), &ignored))
		return NOT_KNOWN;
	return strcmp(ours, theirs) ? OTHER : SAME;
}

static void show_process(struct patient *x)
{
	struct pyd_process *p = &x->p;
	char user[64];
	char command[200];
	char exe[1024];
	struct pyd_err ignored;

	pyd_describe_user(p->status.uid, user, sizeof(user));
	pyd_describe_command(p->pid, p->stat.comm, command, sizeof(command));
	if (pyd_procfs_link(p->pid, "exe", exe, sizeof(exe), &ignored))
		snprintf(exe, sizeof(exe), "?");
	step(x->r, MARK_OK, "process",
	     "%d, user %s, state %c, %llu threads: %s", p->pid, user,
	     p->stat.state, (unsigned long long)p->stat.threads, command);
	step(x->r, MARK_OK, "program", "%s", exe);
	fact(x->r, "command", pyd_describe_json(command));
	fact(x->r, "user", pyd_describe_json(user));
	fact(x->r, "exe", pyd_describe_json(exe));
}

static void show_container(struct patient *x)
{
	static const struct {
		const char *ns;
		const char *name;
	} all[] = {
		{ "ns/pid", "pid" },
		{ "ns/mnt", "mount" },
		{ "ns/user", "user" },
	};
	char list[64] = "";
	char ids[128] = "";
	char root[1024];
	struct pyd_err ignored;
	bool known = true;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		size_t n = strlen(list);
		enum same same = same_ns(x->p.pid, all[i].ns);

		known &= same != NOT_KNOWN;
		if (same == OTHER)
			snprintf(list + n, sizeof(list) - n, "%s%s",
				 n ? ", " : "", all[i].name);
	}
	if (x->p.other_pid_ns && x->p.status.n_ns_pids > 1)
		snprintf(ids, sizeof(ids), "; inside it is process %d",
			 x->p.status.ns_pids[x->p.status.n_ns_pids - 1]);
	if (list[0])
		step(x->r, MARK_NOTE, "container",
		     "it has its own namespaces: %s%s", list, ids);
	else if (known)
		step(x->r, MARK_OK, "container", "same namespaces as pydumpd");
	else
		step(x->r, MARK_NOTE, "container",
		     "you may not read which namespaces it has");
	if (!pyd_procfs_link(x->p.pid, "root", root, sizeof(root), &ignored) &&
	    strcmp(root, "/"))
		step(x->r, MARK_NOTE, "container", "its root folder is %s",
		     root);
}

static enum pyd_code show_permission(struct patient *x, struct pyd_err *err)
{
	struct pyd_proc_status me;
	struct pyd_err ignored;
	enum pyd_code code;
	bool capable = !pyd_procfs_status(getpid(), 0, &me, &ignored) &&
		       me.cap_effective >> 19 & 1; /* CAP_SYS_PTRACE */
	FILE *f = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int scope = -1;

	if (f && fscanf(f, "%d", &scope) != 1)
		scope = -1;
	if (f)
		fclose(f);
	if (scope < 0)
		step(x->r, MARK_OK, "yama",
		     "no ptrace_scope here: the owner "
		     "of a process may trace it");
	else
		step(x->r, scope && !capable ? MARK_NOTE : MARK_OK, "yama",
		     "kernel.yama.ptrace_scope is %d", scope);
	step(x->r, MARK_OK, "rights", "you are user %u, %s CAP_SYS_PTRACE",
	     (unsigned int)geteuid(), capable ? "with" : "without");
	code = pyd_target_process_create(&x->p, &x->t, err);
	if (code) {
		step(x->r, MARK_BAD, "permission", "%s", err->msg);
		return code;
	}
	step(x->r, MARK_OK, "permission", "its memory can be read");
	if (pyd_process_ptrace(&x->p, err))
		step(x->r, MARK_BAD, "ptrace", "%s", err->msg);
	code = pyd_process_untraced(&x->p, err);
	if (code)
		step(x->r, MARK_BAD, "tracer", "%s", err->msg);
	else
		step(x->r, MARK_OK, "tracer", "nobody traces it");
	return PYD_OK; /* all else can be told nevertheless */
}

static void show_candidates(struct patient *x)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < x->seen.n; i++) {
		const struct pyd_candidate *c = &x->seen.v[i];
		struct json_object *o = json_object_new_object();
		char address[32];

		step(x->r, c->code ? MARK_NOTE : MARK_OK, "candidate",
		     "_PyRuntime at 0x%llx in %s (%s%s%s): %s",
		     (unsigned long long)c->addr, c->module,
		     pyd_candidate_source_name(c->source),
		     c->cookie ? ", with debug offsets" : "",
		     c->is_exe ? ", the executable" : "", c->verdict);
		snprintf(address, sizeof(address), "0x%llx",
			 (unsigned long long)c->addr);
		json_object_object_add(o, "address",
				       json_object_new_string(address));
		json_object_object_add(o, "module",
				       pyd_describe_json(c->module));
		json_object_object_add(
			o, "source",
			json_object_new_string(
				pyd_candidate_source_name(c->source)));
		json_object_object_add(o, "debug_offsets",
				       json_object_new_boolean(c->cookie));
		json_object_object_add(
			o, "taken",
			json_object_new_boolean(x->rt.addr && !c->code &&
						c->addr == x->rt.addr));
		json_object_object_add(o, "verdict",
				       pyd_describe_json(c->verdict));
		json_object_array_add(list, o);
	}
	fact(x->r, "candidates", list);
}

static enum pyd_code show_runtime(struct patient *x, struct pyd_err *err)
{
	struct pyd_runtime *rt = &x->rt;
	enum pyd_code code = pyd_runtime_search(x->t, &x->p, &x->tables, false,
						rt, &x->seen, err);

	step(x->r, MARK_OK, "modules", "%zu ELF files are mapped",
	     x->seen.nmodules);
	show_candidates(x);
	if (code) {
		step(x->r, MARK_BAD, "python", "%s", err->msg);
		return code;
	}
	step(x->r, MARK_OK, "python", "%s%s%s, in %s%s%s", rt->version,
	     rt->debug ? ", debug build" : "",
	     rt->free_threaded ? ", free-threaded" : "",
	     rt->shared ? "the library " : "the executable ", rt->module,
	     rt->finalizing ? "; it is about to end" : "");
	if (rt->full_version[0])
		step(x->r, MARK_OK, "build", "%s", rt->full_version);
	step(x->r, MARK_OK, "table", "%s (%s)%s", rt->lay.name,
	     rt->lay.provenance,
	     rt->debug_offsets ? "; overlaid by the process's own debug "
				 "offsets"
			       : "");
	if (rt->notes[0])
		step(x->r, MARK_NOTE, "notes", "%s", rt->notes);
	fact(x->r, "version", json_object_new_string(rt->version));
	fact(x->r, "debug", json_object_new_boolean(rt->debug));
	fact(x->r, "free_threaded", json_object_new_boolean(rt->free_threaded));
	fact(x->r, "module", pyd_describe_json(rt->module));
	fact(x->r, "table", json_object_new_string(rt->lay.name));
	fact(x->r, "provenance", pyd_describe_json(rt->lay.provenance));
	fact(x->r, "debug_offsets", json_object_new_boolean(rt->debug_offsets));
	return PYD_OK;
}

static struct json_object *thread_json(const struct pyd_runtime *rt,
				       const struct pyd_pythread *t)
{
	struct json_object *o = json_object_new_object();
	char state[2] = { t->state, 0 };

	json_object_object_add(o, "name",
			       t->name[0] ? pyd_describe_json(t->name) : NULL);
	json_object_object_add(o, "ident", json_object_new_uint64(t->ident));
	json_object_object_add(o, "native_id",
			       t->native_id ? json_object_new_int(t->native_id)
					    : NULL);
	json_object_object_add(
		o, "interpreter",
		json_object_new_int64(rt->interps[t->interp].id));
	json_object_object_add(o, "gil", json_object_new_boolean(t->gil));
	json_object_object_add(o, "main", json_object_new_boolean(t->main));
	json_object_object_add(o, "state", json_object_new_string(state));
	json_object_object_add(o, "os_name",
			       t->os_name[0] ? pyd_describe_json(t->os_name)
					     : NULL);
	return o;
}

static enum pyd_code list_threads(struct patient *x, struct pyd_err *err)
{
	enum pyd_code code = pyd_threads_list(&x->p, &x->os, err);

	if (!code)
		code = pyd_reader_init(&x->reader, x->t, &x->rt.lay, err);
	if (code)
		return code;
	x->has_reader = true;
	/* The process runs: a list can change under the walk. */
	for (int i = 0; i < 5; i++) {
		code = pyd_runtime_threads(&x->rt, &x->reader, &x->os, err);
		if (!code || !pyd_code_is_local(code))
			break;
		usleep(3000);
		code = pyd_target_process_refresh(x->t, err);
		if (code)
			break;
	}
	return code;
}

static void show_threads(struct patient *x)
{
	struct pyd_err err = { 0 };
	struct json_object *list;

	if (list_threads(x, &err)) {
		step(x->r, MARK_NOTE, "threads",
		     "cannot be listed while it runs: %s", err.msg);
		return;
	}
	step(x->r, MARK_OK, "interpreters", "%zu", x->rt.ninterps);
	step(x->r, MARK_OK, "threads", "%zu of Python, %zu of the kernel",
	     x->rt.nthreads, x->os.n);
	list = json_object_new_array();
	for (size_t i = 0; i < x->rt.nthreads; i++) {
		const struct pyd_pythread *t = &x->rt.threads[i];
		char native[32] = "id not known while it runs";

		json_object_array_add(list, thread_json(&x->rt, t));
		if (i > MAX_LISTED)
			continue;
		if (i == MAX_LISTED) {
			step(x->r, MARK_OK, "thread", "... and %zu more",
			     x->rt.nthreads - i);
			continue;
		}
		if (t->native_id)
			snprintf(native, sizeof(native), "%d, %c", t->native_id,
				 t->state);
		step(x->r, MARK_OK, "thread", "%s (%s)%s%s",
		     t->name[0] ? t->name : "without a name", native,
		     t->gil ? ", holds the GIL" : "",
		     t->main ? ", main thread" : "");
	}
	fact(x->r, "interpreters",
	     json_object_new_int64((int64_t)x->rt.ninterps));
	fact(x->r, "threads", list);
}

static void show_memory(struct patient *x)
{
	struct pyd_limits limits = { 0 };
	struct pyd_err err = { 0 };
	const char *why = "";
	const char *mode;
	uint64_t bytes;
	struct pyd_capture_room room;

	pyd_capture_room(x->p.pid, &room);
	if (x->p.no_vm_readv)
		step(x->r, MARK_NOTE, "reading",
		     "process_vm_readv is refused (a seccomp filter?); "
		     "/proc/%d/mem is read, which is slower",
		     x->p.pid);
	if (pyd_capture_estimate(&x->p, &bytes, &err)) {
		step(x->r, MARK_BAD, "memory", "%s", err.msg);
		return;
	}
	step(x->r, MARK_OK, "memory", "%.1f MiB to copy, %llu MiB free here",
	     (double)bytes / 1048576, (unsigned long long)(room.ours >> 20));
	/* A filter can be asked only when it is stopped. */
	mode = pyd_capture_mode_name(
		pyd_capture_choose(bytes, &limits, true, &room, NULL, &why));
	step(x->r, MARK_OK, "capture", "auto chooses %s%s: %s", mode,
	     x->p.status.seccomp ? ", if its seccomp filter lets it" : "", why);
	fact(x->r, "copy_bytes", json_object_new_int64((int64_t)bytes));
	fact(x->r, "capture", json_object_new_string(mode));
}

static void examine(struct patient *x, const struct args *a)
{
	struct pyd_err err = { 0 };

	if (pyd_layouts_load(a->offsets, &x->tables, &err)) {
		step(x->r, MARK_BAD, "tables", "%s", err.msg);
		return;
	}
	if (pyd_process_open(a->pid, &x->p, &err)) {
		step(x->r, MARK_BAD, "process", "%s", err.msg);
		return;
	}
	show_process(x);
	show_container(x);
	if (show_permission(x, &err) || show_runtime(x, &err))
		return;
	show_threads(x);
	show_memory(x);
	if (pyd_process_check(&x->p, &err))
		step(x->r, MARK_BAD, "process", "%s", err.msg);
}

static void dismiss(struct patient *x)
{
	if (x->has_reader)
		pyd_reader_deinit(&x->reader);
	pyd_threads_deinit(&x->os);
	pyd_candidates_deinit(&x->seen);
	pyd_runtime_deinit(&x->rt);
	pyd_target_destroy(x->t);
	pyd_process_close(&x->p);
	pyd_layouts_deinit(&x->tables);
}

static int run(int argc, char **argv)
{
	struct args a = { 0 };
	struct report r = { 0 };
	struct patient x = { .r = &r };

	argp_err_exit_status = PYD_EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	if (a.json) {
		r.json = json_object_new_object();
		r.steps = json_object_new_array();
		fact(&r, "pid", json_object_new_int(a.pid));
	}
	examine(&x, &a);
	dismiss(&x);
	if (r.json) {
		fact(&r, "dumpable", json_object_new_boolean(!r.bad));
		fact(&r, "steps", r.steps);
		printf("%s\n",
		       json_object_to_json_string_ext(
			       r.json, JSON_C_TO_STRING_PRETTY |
					       JSON_C_TO_STRING_SPACED |
					       JSON_C_TO_STRING_NOSLASHESCAPE));
		json_object_put(r.json);
	} else if (r.bad) {
		printf("process %d cannot be dumped; see above\n", a.pid);
	} else {
		printf("process %d can be dumped: pydumpd attach %d\n", a.pid,
		       a.pid);
	}
	return r.bad ? PYD_EXIT_FAILED : PYD_EXIT_OK;
}

const struct pyd_cmd pyd_cmd_doctor = {
	.name = "doctor",
	.summary = "say whether a process can be dumped, and why not",
	.run = run,
};
