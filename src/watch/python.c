// SPDX-License-Identifier: Apache-2.0
#include "watch/python.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "target/elf.h"
#include "watch/frames.h"
#include "watch/watch.h"

enum { FORK_FRAMES = 16 };

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
	for (unsigned int i = 0; i < PYD_SLOTS; i++)
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

void pyd_python_await(struct pyd_python *y)
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
	pyd_python_await(y);
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

/* Is there a type that SystemExit or one derived from it may be? */
static bool wants_exits(const struct pyd_watch_options *o)
{
	for (size_t i = 0; i < o->include.n; i++)
		if (strcmp(o->include.v[i], "KeyboardInterrupt"))
			return o->triggers & PYD_ON_EXCEPTION;
	return false;
}

static void set_slot_of_main(struct pyd_python *y,
			     const struct pyd_watch_options *o)
{
	struct pyd_modules modules = { 0 };
	struct pyd_err err = { 0 };

	if (!wants_exits(o))
		return;
	if (!pyd_modules_load(y->target, &y->process, &modules, &err)) {
		set_slot(y, PYD_SLOT_OF_MAIN, find_symbol(&modules, "fflush"),
			 false, PYD_SLOT_FLUSH);
		pyd_modules_deinit(&modules);
	}
	if (!y->kinds[PYD_SLOT_OF_MAIN])
		pyd_log_notice("process %d: no fflush() of a C library is "
			       "found: SystemExit is noticed in threads alone, "
			       "and by --on=exit",
			       y->process.pid);
}

bool pyd_python_await_last(struct pyd_python *y, struct pyd_reader *r)
{
	static const char *const names[] = { "last_exc", "last_value" };
	pyd_addr at = 0;
	struct pyd_err ignored;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !at; i++)
		if (pyd_read_dict_place(r, y->sysdict, names[i], &at, &ignored))
			return false;
	if (!at)
		at = y->sysdict + (uint64_t)PYD_OFF(&y->lay, dict, ma_used);
	if (at == y->breaks[0].addr)
		return false;
	set_slot(y, 0, at, true, PYD_SLOT_LAST);
	return true;
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
	if (!pyd_python_await_last(y, &r))
		pyd_log_debug("process %d: the namespace of sys cannot be read",
			      y->process.pid);
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
	set_slot_of_main(y, o);
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
	for (unsigned int i = 0; i < PYD_SLOTS; i++)
		pyd_log_debug("process %d: breakpoint %u, kind %d, at 0x%llx",
			      pid, i, (int)y->kinds[i],
			      (unsigned long long)y->breaks[i].addr);
	return PYD_OK;
}

/* -- thread states -- */

void pyd_python_main(struct pyd_python *y, const struct pyd_regs *regs)
{
	struct pyd_reader r;
	struct pyd_err ignored;

	if (y->state != PYD_PYTHON_READY || pyd_python_reader(y, &r, &ignored))
		return;
	y->main_tstate = pyd_py_thread_state(y, &r, regs);
	pyd_reader_deinit(&r);
}

/* A process that multiprocessing forks runs the code of it. */
static bool is_forked_worker(struct pyd_reader *r, pyd_addr tstate)
{
	struct pyd_frame f = { 0 };
	bool found = false;
	bool more = pyd_py_newest_frame(r, tstate, &f);

	for (int i = 0; more && i < FORK_FRAMES && !found; i++) {
		found = pyd_py_is_frame(&f, "/multiprocessing/popen_fork.py",
					NULL) ||
			pyd_py_is_frame(&f, "/multiprocessing/forkserver.py",
					NULL);
		more = pyd_py_next_frame(r, &f);
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
	y->main_tstate = pyd_py_thread_state(y, &r, regs);
	if (!y->multiprocessing && y->main_tstate &&
	    o->triggers & PYD_ON_EXCEPTION &&
	    is_forked_worker(&r, y->main_tstate)) {
		y->multiprocessing = true;
		set_last_slot(y, &r, o);
	}
	pyd_reader_deinit(&r);
}

bool pyd_python_is_before_exec(struct pyd_python *y,
			       const struct pyd_regs *regs)
{
	struct pyd_frame f = { 0 };
	struct pyd_err ignored;
	struct pyd_reader r;
	pyd_addr tstate;
	bool is = false;

	if (y->state != PYD_PYTHON_READY || pyd_python_reader(y, &r, &ignored))
		return false;
	pyd_py_refresh(y);
	tstate = pyd_py_thread_state(y, &r, regs);
	if (tstate && pyd_py_newest_frame(&r, tstate, &f))
		is = pyd_py_is_frame(&f, "/subprocess.py", "_execute_child") ||
		     pyd_py_is_frame(&f, "/multiprocessing/util.py",
				     "spawnv_passfds");
	pyd_frame_deinit(&f);
	pyd_reader_deinit(&r);
	return is;
}
