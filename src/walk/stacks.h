/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads, their frames and exceptions: the "threads" and "frames" parts of a
 * dump, and the roots that the walk begins with.
 */
#ifndef PYD_WALK_STACKS_H
#define PYD_WALK_STACKS_H

#include "read/frame.h"
#include "runtime/runtime.h"
#include "walk/evals.h"
#include "walk/trigger.h"
#include "walk/walk.h"

struct pyd_waits;

struct pyd_stacks {
	struct pyd_redact *redact; /* not owned; may be NULL */
	struct pyd_waits *waits;   /* likewise: is given each frame */
	/* Not owned; may be NULL. Its exception is shown as raised. */
	const struct pyd_trigger *trigger;
	uint64_t threads;
	uint64_t frames;
	/* Roots in order: exceptions and variables; functions, code, threads;
	 * then globals, builtins and modules. */
	struct pyd_vec near;
	struct pyd_vec far;
	struct pyd_vec globals;
	/* Namespaces of modules and class bodies that frames run. */
	struct pyd_vec spaces;
	/* Of each thread, in the order of the runtime's. */
	struct pyd_evals *evals;
	size_t nevals;
	/* Code objects of all frames, each once. */
	struct pyd_vec codes;
	struct pyd_map seen_codes;
};

/* Reads all stacks and writes the frames. A thread that cannot be read keeps
 * its place, with a note. */
PYD_MUST_CHECK enum pyd_code pyd_stacks_write(struct pyd_stacks *s,
					      const struct pyd_runtime *rt,
					      struct pyd_reader *r,
					      struct pyd_writer *w,
					      struct pyd_err *err);
void pyd_stacks_deinit(struct pyd_stacks *s);

/* Where the newest frame of a thread state is; 0 when it runs no Python. */
PYD_MUST_CHECK enum pyd_code pyd_stack_newest(struct pyd_reader *r,
					      pyd_addr tstate, pyd_addr *ret,
					      struct pyd_err *err);

#endif
