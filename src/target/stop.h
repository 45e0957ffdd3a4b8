/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stops all threads of a process and lets them go again. PTRACE_SEIZE, never
 * PTRACE_ATTACH: whenever we die, the kernel lets the target run on. The
 * tracing is done by a thread of its own, so that any thread may call these.
 */
#ifndef PYD_TARGET_STOP_H
#define PYD_TARGET_STOP_H

#include "target/arch.h"
#include "target/process.h"

struct pyd_thread {
	pid_t tid;
	pid_t ns_tid;  /* in the innermost PID namespace; tid if the same */
	char comm[20]; /* name that the kernel shows */
	char state;    /* /proc state letter before the stop; '?' unknown */
	uint8_t in_job_stop; /* it was stopped (T) and stays so */
	/* It sleeps in the kernel (D) and cannot be stopped: it will be before
	 * it runs again. There are no registers. */
	uint8_t asleep;
	/* Valid in pyd_stop_threads(); zero in pyd_threads_list(). */
	struct pyd_regs regs;
};

struct pyd_threads {
	struct pyd_thread *v; /* the main thread first, then by tid */
	size_t n;
};

struct pyd_gadgets;
struct pyd_stop;

/*
 * Who traces the process already, and stops it for us: a tracer elsewhere in
 * our own process (a watchdog).
 */
struct pyd_stop_owner {
	/* Stops all threads, and gives them with registers and sorted. Failures
	 * as those of pyd_stop_all(). */
	enum pyd_code (*hold)(void *ctx, struct pyd_threads *ret,
			      struct pyd_err *err);
	/* They may go on, as far as the owner lets them. Called once after a
	 * hold() that did not fail. */
	void (*release)(void *ctx);
	void *ctx;
};

struct pyd_stop_options {
	unsigned int timeout_ms;	    /* for threads that run; 0: 2000 */
	const struct pyd_stop_owner *owner; /* NULL: nobody */
	/* Takes away hardware breakpoints that a dead tracer left. */
	bool disarm;
};

/*
 * Stops every thread. One that sleeps in the kernel, where nothing stops it (a
 * disk, a network file system, vfork), is waited for 100 ms while the others
 * stand still, and then left asleep. PYD_BUSY: traced by another (named), or a
 * thread does not stop in time (named); PYD_PERM: with reason and cure;
 * PYD_GONE; PYD_INTERRUPTED. On failure everything is let go again.
 */
PYD_MUST_CHECK enum pyd_code pyd_stop_all(const struct pyd_process *p,
					  const struct pyd_stop_options *opts,
					  struct pyd_stop **ret,
					  struct pyd_err *err);
/* Valid until pyd_stop_destroy(), also after the release. */
const struct pyd_threads *pyd_stop_threads(const struct pyd_stop *s);
/* When the first thread was asked to stop, and when the last was let go (0:
 * not yet), CLOCK_MONOTONIC ns. */
uint64_t pyd_stop_begin_ns(const struct pyd_stop *s);
uint64_t pyd_stop_end_ns(const struct pyd_stop *s);
/*
 * Makes the stopped process fork a snapshot of itself that never runs, which
 * is there until pyd_stop_destroy(); the process is traced meanwhile. t is
 * the process, live, and outlives it. PYD_UNSUPPORTED, PYD_NOMEM, PYD_BUSY: it
 * cannot, with the reason; nothing has changed. A stop with an owner cannot.
 */
PYD_MUST_CHECK enum pyd_code pyd_stop_fork(struct pyd_stop *s,
					   struct pyd_target *t,
					   const struct pyd_gadgets *gadgets,
					   pid_t *ret, struct pyd_err *err);
/* Lets all threads go, with the signals that arrived. Returns when they run;
 * for a moment they are still traced, so that no signal goes astray. */
void pyd_stop_release(struct pyd_stop *s);
/* Releases first, ends the snapshot, and waits until nothing is traced any
 * more. Accepts NULL. */
void pyd_stop_destroy(struct pyd_stop *s);

/* The threads without stopping them (for capture mode live). */
PYD_MUST_CHECK enum pyd_code pyd_threads_list(const struct pyd_process *p,
					      struct pyd_threads *ret,
					      struct pyd_err *err);
void pyd_threads_deinit(struct pyd_threads *t);

#endif
