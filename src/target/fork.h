/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A forked snapshot: a copy of the target, by copy on write, that never runs.
 * In the tracer thread only; stop.h has what others call.
 */
#ifndef PYD_TARGET_FORK_H
#define PYD_TARGET_FORK_H

#include "target/inject.h"

struct pyd_fork {
	pid_t child;		   /* 0: there is none */
	pid_t ns_child;		   /* as the target knows it */
	struct pyd_target *target; /* the process, live; not owned */
	struct pyd_gadgets gadgets;
};

/*
 * Makes a thread of the stopped target clone it. The child shares the table of
 * open files (nothing is closed when it ends), sends no signal when it ends,
 * and waits in a ptrace stop. Should we die, it dies; would it ever run, its
 * stack pointer is nowhere. f has target and gadgets. PYD_UNSUPPORTED,
 * PYD_NOMEM, PYD_BUSY: no, with the reason, and the target is as before.
 */
PYD_MUST_CHECK enum pyd_code pyd_fork_make(const struct pyd_process *p,
					   struct pyd_tracee *v, size_t n,
					   struct pyd_fork *f,
					   struct pyd_err *err);
/* What of it can wait until the target runs again: it is the first to go when
 * memory is short, its end comes after what others do, and ns_child. */
void pyd_fork_settle(struct pyd_fork *f);
/* PYD_OK when a stopped thread can be made to fork, to collect, and to return
 * from both when left alone. PYD_UNSUPPORTED: seccomp forbids it; PYD_BUSY: not
 * this one, not now. */
PYD_MUST_CHECK enum pyd_code pyd_fork_may(const struct pyd_process *p,
					  const struct pyd_fork *f,
					  const struct pyd_tracee *e,
					  struct pyd_err *err);
/* Makes a stopped thread collect the zombie. */
PYD_MUST_CHECK enum pyd_code pyd_fork_reap(const struct pyd_fork *f,
					   struct pyd_tracee *e,
					   struct pyd_err *err);

#endif
