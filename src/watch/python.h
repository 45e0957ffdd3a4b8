/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Noticing that nobody catches an exception, from outside, without a change to
 * the program: by hardware breakpoints, of which each thread has four.
 *
 * - The interpreter keeps an exception that ends the main program as
 *   sys.last_exc (sys.last_value), before any hook runs. These are new keys of
 *   the namespace of sys, so that its number of items (ma_used) is written to:
 *   slot 0. Where a program has set them itself, as shells and debuggers do,
 *   slot 0 is at the place where the namespace keeps the value.
 * - threading passes an exception that ends a thread on as an
 *   _thread._ExceptHookArgs, which the function that makes all struct
 *   sequences makes: slot 1. In 3.7 it calls sys.exc_info: slot 3.
 * - One that ends a thread of _thread.start_new_thread() goes to
 *   sys.unraisablehook, in 3.7 to sys.excepthook: slot 2.
 * - One that ends a process of multiprocessing is fetched by sys.exc_info or
 *   sys.exception: slot 3, in such processes alone.
 * - SystemExit, where it is asked for, is none of these: the interpreter calls
 *   fflush(stdout) before it ends the main program by one. Slot 4, which has
 *   the register of slot 1 in the main thread.
 * - A program that is being started has slot 1 at the function that makes
 *   module _io, or where the dynamic loader tells debuggers of libraries: no
 *   code of the program has run by then.
 *
 * All are reached by pointers that Python objects hold, or by exported names,
 * so that stripped and inlined builds are no different. Lib/threading.py,
 * Lib/multiprocessing/process.py, Python/pythonrun.c of CPython 3.7 to 3.15.
 */
#ifndef PYD_WATCH_PYTHON_H
#define PYD_WATCH_PYTHON_H

#include "runtime/runtime.h"
#include "target/arch.h"

enum pyd_python_state {
	PYD_PYTHON_NONE,     /* not looked for, or there is none */
	PYD_PYTHON_STARTING, /* a breakpoint waits for it */
	PYD_PYTHON_READY,
};

/* What a hit of a slot may mean. */
enum pyd_slot_kind {
	PYD_SLOT_NONE,
	PYD_SLOT_LOADER,
	PYD_SLOT_STARTED,
	PYD_SLOT_LAST,	   /* sys has a new key */
	PYD_SLOT_HOOKARGS, /* a struct sequence is made */
	PYD_SLOT_UNRAISABLE,
	PYD_SLOT_EXCEPTHOOK,
	PYD_SLOT_EXC_INFO,
	PYD_SLOT_EXIT,	   /* Py_Exit() */
	PYD_SLOT_PROGRESS, /* of hang.h */
	PYD_SLOT_FLUSH,	   /* fflush() */
};

enum {
	PYD_SLOT_SHARED = 1, /* whose register is that of */
	PYD_SLOT_OF_MAIN = PYD_HWBREAKS,
	PYD_SLOTS,
};

struct pyd_python {
	enum pyd_python_state state;
	bool multiprocessing;
	unsigned int loader_hits;
	struct pyd_process process; /* pid 0: not open */
	struct pyd_target *target;  /* the process, live; NULL: not open */
	/* When READY. */
	struct pyd_layout lay;
	pyd_addr interp, sysdict, modules; /* of the main interpreter */
	pyd_addr hook_args;   /* type _ExceptHookArgs; 0: not seen yet */
	pyd_addr main_tstate; /* 0: not known */
	pyd_addr seen;	      /* exception that was told last */
	pid_t seen_in;	      /* of that thread */
	pid_t hit_in;	      /* thread that was hit last */
	struct pyd_hwbreak breaks[PYD_SLOTS];
	enum pyd_slot_kind kinds[PYD_SLOTS];
};

/* An exception that nobody catches. */
struct pyd_uncaught {
	pyd_addr value; /* 0: it has not been made, or is not known */
	/* What is not the value's own; 0: is, or is not known. */
	pyd_addr class, traceback;
	char type[128]; /* its name, with the module where the type has it */
	bool main;	/* it ends the main program, or the whole process */
	/* It cannot be told yet: ask again after an instruction. */
	bool unsettled;
	int steps; /* set by who asks: instructions since the hit */
};

struct pyd_watch_options;

void pyd_python_init(struct pyd_python *y);
void pyd_python_deinit(struct pyd_python *y);
/*
 * A program has just replaced itself (exec) and is stopped: waits for Python
 * in it. What can be said of it is no failure.
 */
void pyd_python_exec(struct pyd_python *y, pid_t pid);
/* Waits where Python makes _io, when it is mapped; else where the loader tells
 * that more is. */
void pyd_python_await(struct pyd_python *y);
/* A running process. PYD_NOTPYTHON and others, when it has none (yet). */
PYD_MUST_CHECK enum pyd_code pyd_python_find(struct pyd_python *y, pid_t pid,
					     const struct pyd_layouts *tables,
					     const struct pyd_watch_options *o,
					     struct pyd_err *err);
/* Sets slot 0 to where an exception that ends the main program will be. True:
 * it has changed. */
bool pyd_python_await_last(struct pyd_python *y, struct pyd_reader *r);
/* A fork of a process that y is of; its thread is stopped. */
void pyd_python_fork(struct pyd_python *y, const struct pyd_python *parent,
		     pid_t pid, const struct pyd_regs *regs,
		     const struct pyd_watch_options *o);
/*
 * uncaught.c: a thread is stopped in slot i. True: ret is told. Sets
 * *ret_changed when the breakpoints of all threads are to be set anew.
 */
bool pyd_python_hit(struct pyd_python *y, unsigned int i, pid_t tid,
		    const struct pyd_layouts *tables,
		    const struct pyd_watch_options *o, struct pyd_uncaught *ret,
		    bool *ret_changed);
/* A reader of the running process; y is READY. To be released. */
PYD_MUST_CHECK enum pyd_code pyd_python_reader(struct pyd_python *y,
					       struct pyd_reader *r,
					       struct pyd_err *err);
/* The process's main thread is stopped with these registers: which thread
 * state is its? */
void pyd_python_main(struct pyd_python *y, const struct pyd_regs *regs);

/* It is a child of modules subprocess or multiprocessing, stopped with these
 * registers in the call that is to execute its program. */
bool pyd_python_is_before_exec(struct pyd_python *y,
			       const struct pyd_regs *regs);

#endif
