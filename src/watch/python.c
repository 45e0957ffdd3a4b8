// SPDX-License-Identifier: Apache-2.0
#include "watch/python.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "read/frame.h"
#include "target/elf.h"
#include "walk/stacks.h"
#include "watch/watch.h"

enum {
	LOADER_HITS_MAX = 200, /* of the loader of a program without Python */
	BASES_MAX = 64,
	THREADS_MAX = 1 << 16,
	SHIMS_MAX = 8,
	FORK_FRAMES = 16,
};

/* Include/cpython/object.h: tp_dictoffset, tp_init, tp_alloc, tp_new; and
 * Include/methodobject.h: ml_name, ml_meth. So in 3.7 to 3.15. */
#define TP_NEW_AFTER_DICTOFFSET 24U
#define ML_METH 8U

static void close_target(struct pyd_python *y)
{
	pyd_target_destroy(y->target);
	y->target = NULL;
	pyd_process_close(&y->process);
}

void pyd_python_init(struct pyd_python *y)
{
	memset(y, 0, sizeof(*y));
	y->process.pidfd = y->process.memfd = -1;
}

void pyd_python_deinit(struct pyd_python *y)
{
	close_target(y);
	pyd_python_init(y);
}

static enum pyd_code open_target(struct pyd_python *y, pid_t pid,
				 struct pyd_err *err)
{
	enum pyd_code code;

	close_target(y);
	code = pyd_process_open(pid, &y->process, err);
	if (!code)
		code = pyd_target_process_create(&y->process, &y->target, err);
	if (code)
		close_target(y);
	return code;
}

static void set_slot(struct pyd_python *y, unsigned int i, pyd_addr addr,
		     bool write, enum pyd_slot_kind kind)
{
	y->breaks[i] = (struct pyd_hwbreak) { addr, write };
	y->kinds[i] = addr ? kind : PYD_SLOT_NONE;
}

static void clear_slots(struct pyd_python *y)
{
	for (unsigned int i = 0; i < PYD_HWBREAKS; i++)
		set_slot(y, i, 0, false, PYD_SLOT_NONE);
}

/* -- a program that starts -- */

static pyd_addr find_symbol(const struct pyd_modules *m, const char *name)
{
	struct pyd_symbol symbol;
	struct pyd_err ignored;

	for (size_t i = 0; i < m->n; i++)
		if (!pyd_module_dynsym(m, &m->v[i], name, &symbol, &ignored))
			return symbol.addr;
	return 0;
}

/* Waits where Python makes _io, when it is mapped; else where the loader tells
 * that more is. */
static void await_start(struct pyd_python *y)
{
	struct pyd_modules modules = { 0 };
	struct pyd_err err = { 0 };
	pyd_addr addr;

	if (pyd_target_process_refresh(y->target, &err) ||
	    pyd_modules_load(y->target, &y->process, &modules, &err)) {
		pyd_log_debug("%s", err.msg);
		return;
	}
	addr = find_symbol(&modules, "PyInit__io");
	if (addr) {
		set_slot(y, 1, addr, false, PYD_SLOT_STARTED);
	} else if (y->kinds[1] != PYD_SLOT_LOADER) {
		addr = find_symbol(&modules, "_dl_debug_state");
		set_slot(y, 1, addr, false, PYD_SLOT_LOADER);
	}
	pyd_modules_deinit(&modules);
	y->state = addr || y->kinds[1] ? PYD_PYTHON_STARTING : PYD_PYTHON_NONE;
}

void pyd_python_exec(struct pyd_python *y, pid_t pid)
{
	struct pyd_err err = { 0 };

	pyd_python_deinit(y);
	if (open_target(y, pid, &err)) {
		pyd_log_debug("%s", err.msg);
		return;
	}
	await_start(y);
}

/* -- where to wait for exceptions -- */

/* The C function of a builtin that a namespace has; 0: it has none. */
static pyd_addr builtin(struct pyd_reader *r, pyd_addr dict, const char *name)
{
	struct pyd_err ignored;
	pyd_addr object = 0, def = 0, meth = 0;

	if (pyd_read_dict_str(r, dict, name, &object, &ignored) || !object ||
	    pyd_target_read_u64(
		    r->target,
		    object + (uint64_t)PYD_OFF(r->lay, cfunction, m_ml), &def,
		    &ignored) ||
	    pyd_target_read_u64(r->target, def + ML_METH, &meth, &ignored))
		return 0;

	const struct pyd_region *g = pyd_target_region(r->target, meth);

	return g && g->prot & PYD_PROT_X ? meth : 0;
}

/* What makes an object of the type of a struct sequence. */
static pyd_addr maker(struct pyd_reader *r, pyd_addr dict, const char *name)
{
	struct pyd_err ignored;
	pyd_addr object = 0, type = 0, make = 0;

	if (pyd_read_dict_str(r, dict, name, &object, &ignored) || !object ||
	    pyd_target_read_u64(
		    r->target,
		    object + (uint64_t)PYD_OFF(r->lay, object, ob_type), &type,
		    &ignored) ||
	    pyd_target_read_u64(
		    r->target,
		    type + (uint64_t)PYD_OFF(r->lay, type, tp_dictoffset) +
			    TP_NEW_AFTER_DICTOFFSET,
		    &make, &ignored))
		return 0;

	const struct pyd_region *g = pyd_target_region(r->target, make);

	return g && g->prot & PYD_PROT_X ? make : 0;
}

static bool has_key(struct pyd_reader *r, pyd_addr dict, const char *name)
{
	struct pyd_err ignored;
	pyd_addr value = 0;

	return !pyd_read_dict_str(r, dict, name, &value, &ignored) && value;
}

enum pyd_code pyd_python_reader(struct pyd_python *y, struct pyd_reader *r,
				struct pyd_err *err)
{
	enum pyd_code code = pyd_reader_init(r, y->target, &y->lay, err);

	return code ? code : pyd_vec_push(&r->interps, y->interp, err);
}

/* Slot 3, for which there are several uses. */
static void set_last_slot(struct pyd_python *y, struct pyd_reader *r,
			  const struct pyd_watch_options *o)
{
	bool new_threads = has_key(r, y->sysdict, "unraisablehook");

	if (o->triggers & PYD_ON_EXCEPTION &&
	    (y->multiprocessing || !new_threads)) {
		pyd_addr addr = builtin(r, y->sysdict, "exc_info");

		/* Lib/traceback.py asks for the exception alone since there is
		 * sys.monitoring. */
		if (has_key(r, y->sysdict, "monitoring"))
			addr = builtin(r, y->sysdict, "exception");
		set_slot(y, 3, addr, false, PYD_SLOT_EXC_INFO);
	} else if (o->triggers & PYD_ON_EXIT && !(o->triggers & PYD_ON_HANG)) {
		struct pyd_modules modules = { 0 };
		struct pyd_err ignored;

		if (pyd_modules_load(y->target, &y->process, &modules,
				     &ignored))
			return;
		set_slot(y, 3, find_symbol(&modules, "Py_Exit"), false,
			 PYD_SLOT_EXIT);
		pyd_modules_deinit(&modules);
	}
}

static void set_slots(struct pyd_python *y, const struct pyd_watch_options *o)
{
	struct pyd_reader r;
	struct pyd_err err = { 0 };
	pyd_addr hook;

	clear_slots(y);
	if (!(o->triggers & (PYD_ON_EXCEPTION | PYD_ON_EXIT)))
		return;
	if (pyd_python_reader(y, &r, &err)) {
		pyd_log_debug("%s", err.msg);
		return;
	}
	set_slot(y, 0, y->sysdict + (uint64_t)PYD_OFF(&y->lay, dict, ma_used),
		 true, PYD_SLOT_LAST);
	if (o->triggers & PYD_ON_EXCEPTION) {
		hook = builtin(&r, y->sysdict, "__unraisablehook__");
		if (hook) {
			set_slot(y, 1, maker(&r, y->sysdict, "hash_info"),
				 false, PYD_SLOT_HOOKARGS);
			set_slot(y, 2, hook, false, PYD_SLOT_UNRAISABLE);
		} else {
			set_slot(y, 2,
				 builtin(&r, y->sysdict, "__excepthook__"),
				 false, PYD_SLOT_EXCEPTHOOK);
		}
	}
	set_last_slot(y, &r, o);
	pyd_reader_deinit(&r);
}

enum pyd_code pyd_python_find(struct pyd_python *y, pid_t pid,
			      const struct pyd_layouts *tables,
			      const struct pyd_watch_options *o,
			      struct pyd_err *err)
{
	struct pyd_runtime rt = { 0 };
	struct pyd_buf cmdline = { 0 };
	struct pyd_err ignored;
	enum pyd_code code;

	code = y->target ? pyd_target_process_refresh(y->target, err)
			 : open_target(y, pid, err);
	if (!code)
		code = pyd_runtime_find(y->target, &y->process, tables, &rt,
					err);
	if (code)
		return code;
	y->lay = rt.lay;
	y->interp = rt.interps[0].addr;
	y->sysdict = rt.interps[0].sysdict;
	y->modules = rt.interps[0].modules;
	pyd_runtime_deinit(&rt);
	if (!pyd_procfs_read(pid, "cmdline", 1 << 16, &cmdline, &ignored))
		y->multiprocessing = memmem(cmdline.data, cmdline.len,
					    "multiprocessing.spawn", 21) ||
				     memmem(cmdline.data, cmdline.len,
					    "--multiprocessing-fork", 22);
	pyd_buf_deinit(&cmdline);
	y->state = PYD_PYTHON_READY;
	set_slots(y, o);
	for (unsigned int i = 0; i < PYD_HWBREAKS; i++)
		pyd_log_debug("process %d: breakpoint %u, kind %d, at 0x%llx",
			      pid, i, (int)y->kinds[i],
			      (unsigned long long)y->breaks[i].addr);
	return PYD_OK;
}

/* -- thread states -- */

static uint64_t field(struct pyd_reader *r, pyd_addr base, enum pyd_field f)
{
	struct pyd_err ignored;
	uint64_t v = 0;

	if (r->lay->off[f] == PYD_ABSENT || !base ||
	    pyd_target_read_u64(r->target, base + (uint64_t)r->lay->off[f], &v,
				&ignored))
		return 0;
	return v;
}

/* The thread state of the main interpreter that a stopped thread has. */
static pyd_addr thread_state(struct pyd_python *y, struct pyd_reader *r,
			     const struct pyd_regs *regs)
{
	pyd_addr at = field(r, y->interp, PYD_F_interp_threads_head);

	for (int i = 0; at && i < THREADS_MAX; i++) {
		if (pyd_arch_is_pthread_self(
			    regs, field(r, at, PYD_F_tstate_thread_id)))
			return at;
		at = field(r, at, PYD_F_tstate_next);
	}
	return 0;
}

void pyd_python_main(struct pyd_python *y, const struct pyd_regs *regs)
{
	struct pyd_reader r;
	struct pyd_err ignored;

	if (y->state != PYD_PYTHON_READY || pyd_python_reader(y, &r, &ignored))
		return;
	y->main_tstate = thread_state(y, &r, regs);
	pyd_reader_deinit(&r);
}

/* Memory that was mapped since is not known to be there. */
static void refresh(struct pyd_python *y)
{
	struct pyd_err err = { 0 };

	if (pyd_target_process_refresh(y->target, &err))
		pyd_log_debug("%s", err.msg);
}

/* The newest frame of Python code. False: there is none. */
static bool newest_frame(struct pyd_reader *r, pyd_addr tstate,
			 struct pyd_frame *f)
{
	struct pyd_err ignored;
	pyd_addr at = 0;

	if (pyd_stack_newest(r, tstate, &at, &ignored))
		return false;
	for (int i = 0; at && i < SHIMS_MAX; i++) {
		if (pyd_read_frame(r, at, f, &ignored))
			return false;
		if (!f->shim)
			return true;
		at = f->previous;
	}
	return false;
}

static bool next_frame(struct pyd_reader *r, struct pyd_frame *f)
{
	struct pyd_err ignored;
	pyd_addr at = f->previous;

	for (int i = 0; at && i < SHIMS_MAX; i++) {
		if (pyd_read_frame(r, at, f, &ignored))
			return false;
		if (!f->shim)
			return true;
		at = f->previous;
	}
	return false;
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && !strcmp(text + n - m, end);
}

static bool is_frame(const struct pyd_frame *f, const char *file,
		     const char *name)
{
	return f->code && ends_with(f->code->filename_text, file) &&
	       (!name || !strcmp(f->code->name_text, name));
}

/* A process that multiprocessing forks runs the code of it. */
static bool is_forked_worker(struct pyd_reader *r, pyd_addr tstate)
{
	struct pyd_frame f = { 0 };
	bool found = false;
	bool more = newest_frame(r, tstate, &f);

	for (int i = 0; more && i < FORK_FRAMES && !found; i++) {
		found = is_frame(&f, "/multiprocessing/popen_fork.py", NULL) ||
			is_frame(&f, "/multiprocessing/forkserver.py", NULL);
		more = next_frame(r, &f);
	}
	pyd_frame_deinit(&f);
	return found;
}

void pyd_python_fork(struct pyd_python *y, const struct pyd_python *parent,
		     pid_t pid, const struct pyd_regs *regs,
		     const struct pyd_watch_options *o)
{
	struct pyd_reader r;
	struct pyd_err err = { 0 };

	pyd_python_deinit(y);
	if (parent->state == PYD_PYTHON_NONE)
		return;
	*y = *parent;
	y->process = (struct pyd_process) { .pidfd = -1, .memfd = -1 };
	y->target = NULL;
	y->main_tstate = 0;
	if (open_target(y, pid, &err)) {
		pyd_log_debug("%s", err.msg);
		y->state = PYD_PYTHON_NONE;
		clear_slots(y);
		return;
	}
	if (y->kinds[3] == PYD_SLOT_PROGRESS)
		set_slot(y, 3, 0, false, PYD_SLOT_NONE);
	if (y->state != PYD_PYTHON_READY || pyd_python_reader(y, &r, &err))
		return;
	y->main_tstate = thread_state(y, &r, regs);
	if (!y->multiprocessing && y->main_tstate &&
	    o->triggers & PYD_ON_EXCEPTION &&
	    is_forked_worker(&r, y->main_tstate)) {
		y->multiprocessing = true;
		set_last_slot(y, &r, o);
	}
	pyd_reader_deinit(&r);
}

/* -- exceptions -- */

static pyd_addr type_of(struct pyd_reader *r, pyd_addr object)
{
	return field(r, object, PYD_F_object_ob_type);
}

static bool type_name(struct pyd_reader *r, pyd_addr type, char *buf,
		      size_t cap)
{
	struct pyd_err ignored;

	return !pyd_target_read_cstr(r->target,
				     field(r, type, PYD_F_type_tp_name), buf,
				     cap, NULL, &ignored);
}

static bool matches(const char *name, const struct pyd_watch_options *o)
{
	static const char *const always[] = { "SystemExit",
					      "KeyboardInterrupt" };
	const char *last = strrchr(name, '.');

	last = last ? last + 1 : name;
	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		if (!strcmp(last, always[i]))
			return true;
	for (size_t i = 0; i < o->exclude.n; i++)
		if (!fnmatch(o->exclude.v[i], name, 0) ||
		    !fnmatch(o->exclude.v[i], last, 0))
			return true;
	return false;
}

/* It, or what it is derived from, was asked to be left out. */
static bool is_excluded(struct pyd_reader *r, pyd_addr type,
			const struct pyd_watch_options *o)
{
	char name[256];

	for (int i = 0; type && i < BASES_MAX; i++) {
		if (!type_name(r, type, name, sizeof(name)))
			return false;
		if (matches(name, o))
			return true;
		type = field(r, type, PYD_F_type_tp_base);
	}
	return false;
}

static bool tell(struct pyd_python *y, struct pyd_reader *r, pyd_addr value,
		 bool main, const struct pyd_watch_options *o,
		 struct pyd_uncaught *ret)
{
	pyd_addr type = type_of(r, value);

	if (!value || !type || value == y->seen || is_excluded(r, type, o) ||
	    !type_name(r, type, ret->type, sizeof(ret->type)) ||
	    !strcmp(ret->type, "NoneType"))
		return false;
	y->seen = value;
	ret->value = value;
	ret->main = main;
	return true;
}

/* What a thread handles, as sys.exc_info() has it. */
static pyd_addr handled(struct pyd_reader *r, pyd_addr tstate)
{
	pyd_addr item = field(r, tstate, PYD_F_tstate_exc_info);
	char name[32];

	for (int i = 0; item && i < BASES_MAX; i++) {
		pyd_addr value = field(r, item, PYD_F_excinfo_exc_value);

		if (value &&
		    type_name(r, type_of(r, value), name, sizeof(name)) &&
		    strcmp(name, "NoneType"))
			return value;
		item = field(r, item, PYD_F_excinfo_previous_item);
	}
	return 0;
}

static bool has_frames(struct pyd_reader *r, pyd_addr tstate)
{
	struct pyd_frame f = { 0 };
	bool has = newest_frame(r, tstate, &f);

	pyd_frame_deinit(&f);
	return has;
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

static enum pyd_code last_exception(struct pyd_python *y, struct pyd_reader *r,
				    pyd_addr *ret)
{
	struct pyd_err ignored;
	enum pyd_code code =
		pyd_read_dict_str(r, y->sysdict, "last_exc", ret, &ignored);

	if (!code && !*ret)
		code = pyd_read_dict_str(r, y->sysdict, "last_value", ret,
					 &ignored);
	return code;
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
			refresh(y);
		if (last_exception(y, r, &value)) {
			ret->unsettled = true;
			return false;
		}
	}
	if (!value || value == y->seen)
		return false;
	/* Code that sets them itself has a frame: test runners, shells. */
	refresh(y);
	return !has_frames(r, tstate) && tell(y, r, value, true, o, ret);
}

static bool on_hook_args(struct pyd_python *y, struct pyd_reader *r,
			 pyd_addr tstate, pyd_addr type,
			 const struct pyd_watch_options *o,
			 struct pyd_uncaught *ret)
{
	char name[64];

	if (type != y->hook_args) {
		if (!type_name(r, type, name, sizeof(name)) ||
		    !ends_with(name, "ExceptHookArgs"))
			return false;
		y->hook_args = type;
	}
	refresh(y);
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

	if (!newest_frame(r, tstate, &f))
		c = CALLER_UNREADABLE;
	else if (!is_frame(&f, "/traceback.py", NULL))
		c = CALLER_OTHER;
	else if (!next_frame(r, &f))
		c = CALLER_UNREADABLE;
	else if (is_frame(&f, "/threading.py", "_bootstrap_inner"))
		c = CALLER_THREAD;
	else if (is_frame(&f, "/multiprocessing/process.py", "_bootstrap"))
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
		refresh(y);
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
		await_start(y);
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
	tstate = thread_state(y, &r, &regs);
	pyd_log_debug("thread %d: breakpoint of kind %d", tid, (int)kind);
	switch (kind) {
	case PYD_SLOT_LAST:
		told = on_last(y, &r, tstate, o, ret);
		break;
	case PYD_SLOT_HOOKARGS:
		told = tstate && on_hook_args(y, &r, tstate,
					      pyd_arch_arg(&regs, 0), o, ret);
		break;
	case PYD_SLOT_UNRAISABLE:
		told = on_unraisable(y, &r, pyd_arch_arg(&regs, 1), o, ret);
		break;
	case PYD_SLOT_EXCEPTHOOK:
		told = tstate && !has_frames(&r, tstate) &&
		       tell(y, &r, item(&r, pyd_arch_arg(&regs, 1), 1), false,
			    o, ret);
		break;
	case PYD_SLOT_EXC_INFO:
		told = tstate && on_exc_info(y, &r, tstate, o, ret);
		break;
	default:
		break;
	}
	pyd_reader_deinit(&r);
	return told;
}
