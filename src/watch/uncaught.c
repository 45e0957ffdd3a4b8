// SPDX-License-Identifier: Apache-2.0
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "watch/exits.h"
#include "watch/frames.h"
#include "watch/watch.h"

enum {
	LOADER_HITS_MAX = 200, /* of the loader of a program without Python */
	BASES_MAX = 64,
	STATE_TRIES = 10, /* looks for a thread state */
};

/* Include/object.h: Py_TPFLAGS_HEAPTYPE */
#define TP_HEAPTYPE (1UL << 9)

static pyd_addr type_of(struct pyd_reader *r, pyd_addr object)
{
	return pyd_read_field(r, object, PYD_F_object_ob_type);
}

/* Item i of a tuple, or of a struct sequence. */
static pyd_addr item(struct pyd_reader *r, pyd_addr tuple, unsigned int i)
{
	struct pyd_err ignored;
	uint64_t v = 0;

	if (!tuple ||
	    pyd_target_read_u64(
		    r->target,
		    tuple + (uint64_t)PYD_OFF(r->lay, tuple, ob_item) + 8 * i,
		    &v, &ignored))
		return 0;
	return v;
}

static bool type_name(struct pyd_reader *r, pyd_addr type, char *buf,
		      size_t cap)
{
	struct pyd_err ignored;

	return !pyd_target_read_cstr(
		r->target, pyd_read_field(r, type, PYD_F_type_tp_name), buf,
		cap, NULL, &ignored);
}

/* With its module, which a class statement's type has in its namespace. */
static void full_name(struct pyd_reader *r, pyd_addr type, char *buf,
		      size_t cap)
{
	pyd_addr module = 0;
	char text[128], qualname[128];
	struct pyd_err ignored;

	buf[0] = '\0';
	if (pyd_read_field(r, type, PYD_F_type_tp_flags) & TP_HEAPTYPE &&
	    !pyd_read_dict_str(r, pyd_read_field(r, type, PYD_F_type_tp_dict),
			       "__module__", &module, &ignored) &&
	    module && !pyd_read_str(r, module, text, sizeof(text), &ignored) &&
	    !pyd_read_str(r,
			  pyd_read_field(r, type, PYD_F_heaptype_ht_qualname),
			  qualname, sizeof(qualname), &ignored))
		snprintf(buf, cap, "%s.%s", text, qualname);
}

/* By its name, with its module or without. */
static bool matches(struct pyd_reader *r, pyd_addr type, const char *name,
		    const struct pyd_patterns *p)
{
	const char *last = strrchr(name, '.');
	char full[256];

	if (!p->n)
		return false;
	full_name(r, type, full, sizeof(full));
	last = last ? last + 1 : name;
	for (size_t i = 0; i < p->n; i++)
		if (!fnmatch(p->v[i], name, 0) || !fnmatch(p->v[i], last, 0) ||
		    !fnmatch(p->v[i], full, 0))
			return true;
	return false;
}

/* Types of a program's own may be named alike. */
static bool is_an_end(struct pyd_reader *r, pyd_addr type, const char *name)
{
	return !(pyd_read_field(r, type, PYD_F_type_tp_flags) & TP_HEAPTYPE) &&
	       (!strcmp(name, "SystemExit") ||
		!strcmp(name, "KeyboardInterrupt"));
}

/* It, or what it is derived from, was asked to be left out, or is by
 * default; and nothing nearer to it was asked for. */
static bool is_excluded(struct pyd_reader *r, pyd_addr type,
			const struct pyd_watch_options *o)
{
	const pyd_addr mro = pyd_read_field(r, type, PYD_F_type_tp_mro);
	const uint64_t n = pyd_read_field(r, mro, PYD_F_object_ob_size);
	char name[256];

	for (unsigned int i = 0; i < n && i < BASES_MAX; i++) {
		const pyd_addr base = item(r, mro, i);

		if (!base || !type_name(r, base, name, sizeof(name)) ||
		    matches(r, base, name, &o->include))
			return false;
		if (is_an_end(r, base, name) ||
		    matches(r, base, name, &o->exclude))
			return true;
	}
	return false;
}

/* Another thread's may be where an earlier one has been. */
static bool is_seen(const struct pyd_python *y, pyd_addr value)
{
	return value == y->seen && y->hit_in == y->seen_in;
}

static bool tell(struct pyd_python *y, struct pyd_reader *r, pyd_addr value,
		 bool main, const struct pyd_watch_options *o,
		 struct pyd_uncaught *ret)
{
	pyd_addr type = type_of(r, value);

	if (!value || !type || is_seen(y, value) || is_excluded(r, type, o) ||
	    !type_name(r, type, ret->type, sizeof(ret->type)) ||
	    !strcmp(ret->type, "NoneType"))
		return false;
	y->seen = value;
	y->seen_in = y->hit_in;
	ret->value = value;
	ret->main = main;
	return true;
}

/* What a thread handles, as sys.exc_info() has it. */
static pyd_addr handled(struct pyd_reader *r, pyd_addr tstate)
{
	pyd_addr item = pyd_read_field(r, tstate, PYD_F_tstate_exc_info);
	char name[32];

	for (int i = 0; item && i < BASES_MAX; i++) {
		pyd_addr value =
			pyd_read_field(r, item, PYD_F_excinfo_exc_value);

		if (value &&
		    type_name(r, type_of(r, value), name, sizeof(name)) &&
		    strcmp(name, "NoneType"))
			return value;
		item = pyd_read_field(r, item, PYD_F_excinfo_previous_item);
	}
	return 0;
}

static enum pyd_code last_exception(struct pyd_python *y, struct pyd_reader *r,
				    pyd_addr *ret)
{
	const pyd_addr used =
		y->sysdict + (uint64_t)PYD_OFF(r->lay, dict, ma_used);
	struct pyd_err ignored;
	enum pyd_code code;

	if (y->breaks[0].addr != used)
		return pyd_target_read_u64(r->target, y->breaks[0].addr, ret,
					   &ignored);
	code = pyd_read_dict_str(r, y->sysdict, "last_exc", ret, &ignored);

	if (!code && !*ret)
		code = pyd_read_dict_str(r, y->sysdict, "last_value", ret,
					 &ignored);
	return code;
}

/* The frame of the first entry of a traceback. */
static pyd_addr first_frame(struct pyd_reader *r, pyd_addr traceback)
{
	pyd_addr frame = pyd_read_field(r, traceback, PYD_F_traceback_tb_frame);

	return r->lay->off[PYD_F_frameobj_f_frame] == PYD_ABSENT
		       ? frame
		       : pyd_read_field(r, frame, PYD_F_frameobj_f_frame);
}

/* "<stdin>"; at a prompt "<stdin>-3" from 3.13 on, "<stdin-3>" in later
 * releases of it. */
static bool is_stdin(const char *file)
{
	return !strncmp(file, "<stdin>", 7) || !strncmp(file, "<stdin-", 7);
}

/* The interpreter's own prompt prints exceptions, and goes on. What it
 * executes is named as what comes by standard input is, and it has set a
 * prompt: neither alone tells. */
static bool is_at_prompt(struct pyd_python *y, struct pyd_reader *r,
			 pyd_addr value)
{
	pyd_addr traceback =
		pyd_read_field(r, value, PYD_F_exception_traceback);
	struct pyd_frame f = { 0 };
	struct pyd_err ignored;
	pyd_addr prompt = 0, frame;
	bool is = true;

	if (pyd_read_dict_str(r, y->sysdict, "ps1", &prompt, &ignored) ||
	    !prompt)
		return false;
	/* A line that is no Python has no traceback. */
	frame = first_frame(r, traceback);
	if (frame && !pyd_read_frame(r, frame, &f, &ignored) && f.code)
		is = is_stdin(f.code->filename_text);
	pyd_frame_deinit(&f);
	return is;
}

/* The number of items is written in the middle of a change: what does not hold
 * up does so some instructions later. */
static bool on_last(struct pyd_python *y, struct pyd_reader *r, pyd_addr tstate,
		    const struct pyd_watch_options *o, struct pyd_uncaught *ret)
{
	pyd_addr value = 0;

	if (!tstate)
		return false;
	if (last_exception(y, r, &value)) {
		if (!ret->steps)
			pyd_py_refresh(y);
		if (last_exception(y, r, &value)) {
			ret->unsettled = true;
			return false;
		}
	}
	if (!value || is_seen(y, value))
		return false;
	/* Code that sets them itself has a frame: test runners, debuggers. */
	pyd_py_refresh(y);
	return !pyd_py_has_frames(r, tstate) && !is_at_prompt(y, r, value) &&
	       tell(y, r, value, true, o, ret);
}

static bool is_hook_args(const char *name)
{
	static const char end[] = "ExceptHookArgs";
	size_t n = strlen(name), m = sizeof(end) - 1;

	return n >= m && !strcmp(name + n - m, end);
}

/* A thread's; or the main program's, which on_last() has told, or not. */
static bool on_excepthook(struct pyd_python *y, struct pyd_reader *r,
			  pyd_addr tstate, pyd_addr args,
			  const struct pyd_watch_options *o,
			  struct pyd_uncaught *ret)
{
	const pyd_addr value = item(r, args, 1);

	if (!tstate || pyd_py_has_frames(r, tstate) ||
	    (y->hit_in == y->process.pid && is_at_prompt(y, r, value)))
		return false;
	return tell(y, r, value, false, o, ret);
}

static bool on_hook_args(struct pyd_python *y, struct pyd_reader *r,
			 pyd_addr tstate, pyd_addr type,
			 const struct pyd_watch_options *o,
			 struct pyd_uncaught *ret)
{
	char name[64];

	if (type != y->hook_args) {
		if (!type_name(r, type, name, sizeof(name)) ||
		    !is_hook_args(name))
			return false;
		y->hook_args = type;
	}
	pyd_py_refresh(y);
	return tell(y, r, handled(r, tstate), false, o, ret);
}

static bool on_unraisable(struct pyd_python *y, struct pyd_reader *r,
			  pyd_addr args, const struct pyd_watch_options *o,
			  struct pyd_uncaught *ret)
{
	struct pyd_err ignored;
	char text[128];

	/* type, value, traceback, message, object */
	if (pyd_read_str(r, item(r, args, 3), text, sizeof(text), &ignored) ||
	    !strstr(text, "in thread started by"))
		return false;
	return tell(y, r, item(r, args, 1), false, o, ret);
}

/* fflush() begins. Where C code of the program calls it there are frames. */
static bool on_flush(struct pyd_python *y, struct pyd_reader *r,
		     pyd_addr tstate, const struct pyd_regs *regs,
		     const struct pyd_watch_options *o,
		     struct pyd_uncaught *ret)
{
	struct pyd_exits found;

	pyd_py_refresh(y);
	if (pyd_py_has_frames(r, tstate) ||
	    !pyd_exits_find(r, tstate, regs, &found) ||
	    is_excluded(r, found.class, o) ||
	    !type_name(r, found.class, ret->type, sizeof(ret->type)))
		return false;
	ret->value = found.value;
	ret->class = found.class;
	ret->traceback = found.traceback;
	ret->main = true;
	return true;
}

enum caller {
	CALLER_UNREADABLE,
	CALLER_OTHER,
	CALLER_THREAD,	/* threading, at the end of a thread (3.7) */
	CALLER_PROCESS, /* multiprocessing, at the end of a process */
};

/* For whom is the module traceback about to print an exception? */
static enum caller caller_of_traceback(struct pyd_reader *r, pyd_addr tstate)
{
	struct pyd_frame f = { 0 };
	enum caller c = CALLER_OTHER;

	if (!pyd_py_newest_frame(r, tstate, &f))
		c = CALLER_UNREADABLE;
	else if (!pyd_py_is_frame(&f, "/traceback.py", NULL))
		/* Without sys.stderr threading asks for it by itself. */
		c = pyd_py_is_frame(&f, "/threading.py", "_bootstrap_inner")
			    ? CALLER_THREAD
			    : CALLER_OTHER;
	else if (!pyd_py_next_frame(r, &f))
		c = CALLER_UNREADABLE;
	else if (pyd_py_is_frame(&f, "/threading.py", "_bootstrap_inner"))
		c = CALLER_THREAD;
	else if (pyd_py_is_frame(&f, "/multiprocessing/process.py",
				 "_bootstrap"))
		c = CALLER_PROCESS;
	pyd_frame_deinit(&f);
	return c;
}

static bool on_exc_info(struct pyd_python *y, struct pyd_reader *r,
			pyd_addr tstate, const struct pyd_watch_options *o,
			struct pyd_uncaught *ret)
{
	enum caller c = caller_of_traceback(r, tstate);
	struct pyd_err ignored;

	if (c == CALLER_UNREADABLE) {
		/* A reader keeps what it could not read. */
		pyd_py_refresh(y);
		pyd_reader_deinit(r);
		if (pyd_python_reader(y, r, &ignored))
			return false;
		c = caller_of_traceback(r, tstate);
	}
	if (c < CALLER_THREAD)
		return false;
	return tell(y, r, handled(r, tstate), c == CALLER_PROCESS, o, ret);
}

bool pyd_python_hit(struct pyd_python *y, unsigned int i, pid_t tid,
		    const struct pyd_layouts *tables,
		    const struct pyd_watch_options *o, struct pyd_uncaught *ret,
		    bool *ret_changed)
{
	const enum pyd_slot_kind kind = y->kinds[i];
	struct pyd_err err = { 0 };
	struct pyd_regs regs;
	struct pyd_reader r;
	pyd_addr tstate;
	bool told = false;

	if (kind == PYD_SLOT_LOADER) {
		pyd_python_await(y);
		if (y->kinds[1] == PYD_SLOT_LOADER &&
		    ++y->loader_hits > LOADER_HITS_MAX)
			pyd_python_deinit(y);
		*ret_changed = y->kinds[1] != PYD_SLOT_LOADER;
		return false;
	}
	if (kind == PYD_SLOT_STARTED) {
		if (pyd_python_find(y, y->process.pid, tables, o, &err)) {
			pyd_log_debug("%s", err.msg);
			pyd_python_deinit(y);
		}
		*ret_changed = true;
		return false;
	}
	if (kind == PYD_SLOT_NONE || kind == PYD_SLOT_PROGRESS ||
	    pyd_arch_get_regs(tid, &regs, &err))
		return false;
	/* Most of these make other things: nothing is opened for them. */
	if (kind == PYD_SLOT_HOOKARGS && y->hook_args &&
	    pyd_arch_arg(&regs, 0) != y->hook_args)
		return false;
	if (pyd_python_reader(y, &r, &err))
		return false;
	y->hit_in = tid;
	tstate = pyd_py_thread_state(y, &r, &regs);
	/* Its memory may be new, and other threads, which run, may be about to
	 * leave the list. */
	for (int n = 0; !tstate && n < STATE_TRIES; n++) {
		pyd_py_refresh(y);
		tstate = pyd_py_thread_state(y, &r, &regs);
	}
	pyd_log_debug("thread %d: breakpoint of kind %d", tid, (int)kind);
	switch (kind) {
	case PYD_SLOT_LAST:
		told = on_last(y, &r, tstate, o, ret);
		if (!told && !ret->unsettled)
			*ret_changed = pyd_python_await_last(y, &r);
		break;
	case PYD_SLOT_HOOKARGS:
		told = tstate && on_hook_args(y, &r, tstate,
					      pyd_arch_arg(&regs, 0), o, ret);
		break;
	case PYD_SLOT_UNRAISABLE:
		told = on_unraisable(y, &r, pyd_arch_arg(&regs, 1), o, ret);
		break;
	case PYD_SLOT_EXCEPTHOOK:
		told = on_excepthook(y, &r, tstate, pyd_arch_arg(&regs, 1), o,
				     ret);
		break;
	case PYD_SLOT_EXC_INFO:
		told = tstate && on_exc_info(y, &r, tstate, o, ret);
		break;
	case PYD_SLOT_FLUSH:
		told = tstate && on_flush(y, &r, tstate, &regs, o, ret);
		break;
	default:
		break;
	}
	pyd_reader_deinit(&r);
	return told;
}
