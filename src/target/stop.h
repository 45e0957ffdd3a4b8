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
struct pyd_target;

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

/* What is to be done while all stand still, in the thread that stopped them: a
 * target that stands waits for no other thread to wake up. */
struct pyd_stop_work {
	/* The process, live, which outlives the stop: it is made to fork a
	 * snapshot of itself first. That never runs, and is there until
	 * pyd_stop_destroy(); the process is traced meanwhile. NULL: no. */
	struct pyd_target *fork;
	const struct pyd_gadgets *gadgets; /* with fork */
	/* True lets all go on at once; false leaves them stopped, until
	 * pyd_stop_release(). threads are those of pyd_stop_threads();
	 * begin_ns: of the stop; snapshot is 0 without fork. */
	bool (*run)(void *ctx, const struct pyd_threads *threads,
		    uint64_t begin_ns, pid_t snapshot);
	void *ctx;
	bool brief; /* all of it takes milliseconds */
	/* Who calls pyd_stop_all() has nothing to do before the process runs
	 * again, and lets it go first from then on (pyd_pace_yield()). */
	bool yields;
};

struct pyd_stop_options {
	unsigned int timeout_ms;	    /* for threads that run; 0: 5000 */
	const struct pyd_stop_owner *owner; /* NULL: nobody */
	const struct pyd_stop_work *work;   /* NULL: none; until it is run */
	/* Whatever is done then, they are let go; 0: no bound. What a work does
	 * is its own business, and an owner's stop is the owner's. */
	uint64_t max_pause_ns;
	/* Takes away hardware breakpoints that a dead tracer left. */
	bool disarm;
};

/*
 * Stops every thread. One that sleeps in the kernel, where nothing stops it (a
 * disk, a network file system, vfork), is waited for 100 ms while the others
 * stand still, and then left asleep. PYD_BUSY: traced by another (named), or a
 * thread does not stop in time (named); PYD_PERM: with reason and cure;
 * PYD_GONE; PYD_INTERRUPTED. With a fork also PYD_UNSUPPORTED, PYD_NOMEM: it
 * cannot be forked, or not while an owner has it. On failure everything is let
 * go again, and nothing has changed.
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
/* max_pause_ns was over before the release. */
bool pyd_stop_expired(struct pyd_stop *s);
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
