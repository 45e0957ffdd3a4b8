// SPDX-License-Identifier: Apache-2.0
/* What a wait is for people: the frames of the standard library say what the
 * lock at the bottom of it stands for. */
#include <stdio.h>

#include "read/object.h"
#include "walk/waits.h"

enum { FRAMES_EXPLAINED = 24 };

static pyd_addr attr(struct pyd_waits *w, pyd_addr object, const char *name)
{
	struct pyd_err ignored;
	pyd_addr ret = 0;

	if (!object || pyd_read_attr(w->r, object, name, &ret, &ignored))
		return 0;
	return ret;
}

static bool number(struct pyd_waits *w, pyd_addr object, const char *name,
		   int64_t *ret)
{
	struct pyd_err ignored;
	pyd_addr at = attr(w, object, name);

	return at && !pyd_read_i64(w->r, at, ret, &ignored);
}

/* What a thread waits for, as found so far: the outermost call that is known
 * counts. */
struct finding {
	enum pyd_wait wait;
	pyd_addr object;
	int on;
	char word[200];	 /* "Event", before its name */
	char after[200]; /* " to be set" */
};

static void queue(struct pyd_waits *w, struct finding *f, const char *call)
{
	struct pyd_err ignored;
	pyd_addr items = attr(w, f->object, "queue");
	int64_t max = 0, tasks = 0;
	uint64_t n = 0;
	struct pyd_obj o;

	f->wait = PYD_WAIT_QUEUE;
	snprintf(f->word, sizeof(f->word), "Queue");
	if (!strcmp(call, "join")) {
		if (number(w, f->object, "unfinished_tasks", &tasks))
			snprintf(f->after, sizeof(f->after),
				 " to be done (join(), %lld tasks unfinished)",
				 (long long)tasks);
		return;
	}
	if (items && !pyd_obj_read(w->r, items, &o, &ignored))
		n = PYD_OBJ_U64(w->r, &o, object, ob_size);
	if (!strcmp(call, "get"))
		snprintf(f->after, sizeof(f->after),
			 n ? " to give an item (get())"
			   : " to have an item (get(); it is empty)");
	else if (number(w, f->object, "maxsize", &max))
		snprintf(f->after, sizeof(f->after),
			 " to have room (put(); %llu of %lld items)",
			 (unsigned long long)n, (long long)max);
}

/* The thread whose work it is to give the future its result: it runs the
 * executor's work item. */
static int runner(struct pyd_waits *w, pyd_addr future)
{
	struct pyd_frame f = { 0 };
	int ret = PYD_WAITS_NONE;

	for (size_t i = 0; i < w->npy && ret == PYD_WAITS_NONE; i++)
		for (size_t k = w->v[i].frames.len; k-- > 0;) {
			struct pyd_err ignored;
			char module[64];

			if (pyd_read_frame(w->r, w->v[i].frames.data[k], &f,
					   &ignored) ||
			    !f.code || strcmp(f.code->name_text, "run") != 0)
				continue;
			pyd_waits_module(w->r, f.globals, module,
					 sizeof(module));
			if (!strcmp(module, "concurrent.futures.thread") &&
			    attr(w, pyd_waits_var(w->r, &f, "self"),
				 "future") == future) {
				ret = (int)i;
				break;
			}
		}
	pyd_frame_deinit(&f);
	return ret;
}

static void future(struct pyd_waits *w, struct finding *f)
{
	struct pyd_err ignored;
	pyd_addr state = attr(w, f->object, "_state");
	char text[32] = "";

	f->wait = PYD_WAIT_FUTURE;
	snprintf(f->word, sizeof(f->word), "the result of Future");
	if (state && !pyd_read_str(w->r, state, text, sizeof(text), &ignored))
		snprintf(f->after, sizeof(f->after), " (%s)", text);
	/* Who waits for a future that is done just wakes up. */
	if (!strcmp(text, "RUNNING"))
		f->on = runner(w, f->object);
}

static void import(struct pyd_waits *w, struct finding *f)
{
	struct pyd_err ignored;
	pyd_addr name = attr(w, f->object, "name");
	char text[128] = "?";
	int64_t owner = 0;

	if (name && pyd_read_str(w->r, name, text, sizeof(text), &ignored))
		snprintf(text, sizeof(text), "?");
	f->wait = PYD_WAIT_IMPORT;
	snprintf(f->word, sizeof(f->word), "module %s to be imported", text);
	if (number(w, f->object, "owner", &owner))
		f->on = pyd_waits_by_ident(w, (uint64_t)owner);
	f->object = 0;
}

static void join(struct pyd_waits *w, struct finding *f)
{
	char text[200];

	f->wait = PYD_WAIT_JOIN;
	snprintf(f->word, sizeof(f->word), "the end of a thread");
	for (size_t i = 0; i < w->npy; i++)
		if (w->v[i].py->thread == f->object)
			f->on = (int)i;
	if (f->on != PYD_WAITS_NONE) {
		pyd_waits_thread_text(w, f->on, text, sizeof(text));
		snprintf(f->word, sizeof(f->word), "the end of %.150s", text);
		f->object = 0;
	}
}

/* What threading.X.wait() and acquire() are of, by the attributes that X
 * keeps its state in. */
static void threading(struct pyd_waits *w, struct finding *f, const char *call)
{
	int64_t n = 0, all = 0;

	if (!strcmp(call, "join")) {
		join(w, f);
	} else if (attr(w, f->object, "_parties")) {
		f->wait = PYD_WAIT_BARRIER;
		snprintf(f->word, sizeof(f->word), "Barrier");
		if (number(w, f->object, "_parties", &all) &&
		    number(w, f->object, "_count", &n))
			snprintf(f->after, sizeof(f->after),
				 " (%lld of %lld are there)", (long long)n,
				 (long long)all);
	} else if (attr(w, f->object, "_flag")) {
		f->wait = PYD_WAIT_EVENT;
		snprintf(f->word, sizeof(f->word), "Event");
		snprintf(f->after, sizeof(f->after), " to be set");
	} else if (number(w, f->object, "_value", &n)) {
		f->wait = PYD_WAIT_SEMAPHORE;
		snprintf(f->word, sizeof(f->word), "Semaphore");
		snprintf(f->after, sizeof(f->after), " (its value is %lld)",
			 (long long)n);
	} else if (attr(w, f->object, "_waiters")) {
		f->wait = PYD_WAIT_CONDITION;
		snprintf(f->word, sizeof(f->word), "Condition");
		snprintf(f->after, sizeof(f->after), " to be notified");
	}
}

static bool one_of(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (!strcmp(*names, name))
			return true;
	return false;
}

/* One call of the standard library; false when it is none that is known, and
 * so the program's own. */
static bool step(struct pyd_waits *w, const struct pyd_frame *frame,
		 struct finding *ret)
{
	static const char *const waits[] = { "wait", "acquire", "join",
					     "__enter__", NULL };
	static const char *const queues[] = { "get", "put", "join", NULL };
	static const char *const results[] = { "result", "exception", NULL };
	const char *name = frame->code->name_text;
	struct finding f = { .on = PYD_WAITS_NONE };
	char module[128];

	pyd_waits_module(w->r, frame->globals, module, sizeof(module));
	f.object = pyd_waits_var(w->r, frame, "self");
	if (!strcmp(module, "threading")) {
		if (f.object && one_of(name, waits))
			threading(w, &f, name);
	} else if (!strcmp(module, "queue")) {
		if (f.object && one_of(name, queues))
			queue(w, &f, name);
	} else if (!strcmp(module, "concurrent.futures._base")) {
		if (f.object && one_of(name, results))
			future(w, &f);
	} else if (!strcmp(module, "importlib._bootstrap") ||
		   !strcmp(module, "_frozen_importlib")) {
		/* Its second name is its first until importlib is imported. */
		if (f.object && !strcmp(name, "acquire"))
			import(w, &f);
	} else {
		return false;
	}
	if (f.wait != PYD_WAIT_NOTHING)
		*ret = f;
	return true;
}

/* Condition.wait() sleeps on a lock that it makes for the purpose. A thread
 * that waits for the Condition's own lock meanwhile has other reasons. */
static bool is_notified(struct pyd_waits *w, const struct pyd_waiter *t,
			const struct pyd_frame *f)
{
	return t->lock == PYD_WAITS_NONE ||
	       pyd_waits_var(w->r, f, "waiter") == w->locks[t->lock].object;
}

enum pyd_code pyd_waits_explain(struct pyd_waits *w, size_t i,
				struct pyd_err *err)
{
	struct pyd_waiter *t = &w->v[i];
	struct finding found = { .on = PYD_WAITS_NONE };
	struct pyd_frame f = { 0 };
	char name[256];
	bool sleeps = false;
	enum pyd_code code;

	/* A lock whose name is not known yet. */
	if (t->lock != PYD_WAITS_NONE && w->locks[t->lock].object &&
	    !*w->locks[t->lock].name) {
		code = pyd_waits_name(w, i, w->locks[t->lock].object,
				      w->locks[t->lock].name,
				      sizeof(w->locks[t->lock].name), err);
		if (code)
			return code;
	}
	if (t->wait != PYD_WAIT_LOCK && t->wait != PYD_WAIT_FUTEX)
		return PYD_OK;
	for (size_t k = 0; k < t->frames.len && k < FRAMES_EXPLAINED; k++) {
		struct pyd_err ignored;

		if (pyd_read_frame(w->r, t->frames.data[k], &f, &ignored) ||
		    !f.code || !step(w, &f, &found))
			break;
		sleeps = sleeps || is_notified(w, t, &f);
	}
	pyd_frame_deinit(&f);
	if (found.wait == PYD_WAIT_NOTHING ||
	    (!sleeps && found.wait != PYD_WAIT_JOIN &&
	     found.wait != PYD_WAIT_IMPORT))
		return PYD_OK;
	t->wait = found.wait;
	t->object = found.object;
	if (found.on != PYD_WAITS_NONE)
		t->on = found.on;
	code = pyd_waits_name(w, i, t->object, name, sizeof(name), err);
	if (code)
		return code;
	if (!*name && t->object)
		snprintf(name, sizeof(name), "at 0x%llx",
			 (unsigned long long)t->object);
	snprintf(t->what, sizeof(t->what), "%s%s%s%s", found.word,
		 *name ? " " : "", name, found.after);
	return PYD_OK;
}
