/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Native stacks: libunwind over a target's memory and registers that were
 * saved at the stop. Works after the target runs again, and never stops it.
 *
 * Memory is untrusted: a stack that does not hold up ends, with the reason.
 * What has no unwind tables in memory is unwound by .debug_frame of its file.
 * What has none at all (JIT, assembly) is stepped over only by its own
 * instructions up to a return, or by a frame pointer; both have to lead to an
 * instruction behind a call, and it is marked.
 */
#ifndef PYD_NATIVE_UNWIND_H
#define PYD_NATIVE_UNWIND_H

#include "native/module.h"
#include "target/arch.h"

enum pyd_call_how {
	PYD_CALL_REGS = 0,  /* the innermost: by the thread's registers */
	PYD_CALL_TABLE = 1, /* by unwind tables */
	PYD_CALL_FP = 2,    /* by a frame pointer, checked */
	PYD_CALL_TOP = 3,   /* the word on top of the stack, checked: something
			     * that is no code was called */
	PYD_CALL_END = 4,   /* by the callee's last instructions, checked: they
			     * take words off the stack and return */
};

enum {
	/* Of one thread; a stack of 8 MB has no more. */
	PYD_CALLS_MAX = 1 << 19,
	PYD_CALL_SAVED = 12,
};

/* One call: a native frame. */
struct pyd_call {
	pyd_addr pc; /* where it goes on: behind a call, but for .exact */
	pyd_addr sp; /* its part of the stack begins here */
	uint8_t how; /* enum pyd_call_how */
	bool exact;  /* pc was interrupted by a signal or by the stop */
	bool signal; /* the kernel's frame of a signal handler */
	/* Registers that a function saves for its caller, as this one left
	 * them: pyd_unw_nsaved of them. */
	uint64_t saved[PYD_CALL_SAVED];
};

struct pyd_calls {
	struct pyd_call *v; /* the innermost first */
	size_t n;
	size_t cap;
	bool whole;	/* ended where the thread begins */
	char note[160]; /* why it ended else; "" if whole */
};

void pyd_calls_deinit(struct pyd_calls *c);

struct pyd_unwinder;
/* t and m must outlive it. t must not change meanwhile. */
PYD_MUST_CHECK enum pyd_code pyd_unwinder_create(struct pyd_target *t,
						 const struct pyd_nmodules *m,
						 struct pyd_unwinder **ret,
						 struct pyd_err *err);
/* Accepts NULL. */
void pyd_unwinder_destroy(struct pyd_unwinder *u);
/*
 * The stack of a thread with these registers; replaces what ret holds. Stops
 * at deadline_ns (CLOCK_MONOTONIC; 0: none), with a note. Fails only when the
 * run ends: PYD_NOMEM, PYD_GONE, PYD_INTERRUPTED.
 */
PYD_MUST_CHECK enum pyd_code pyd_unwind(struct pyd_unwinder *u,
					const struct pyd_regs *regs,
					uint64_t deadline_ns,
					struct pyd_calls *ret,
					struct pyd_err *err);

#endif
