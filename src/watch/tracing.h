/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of the tracer process, which its files share, and what its only
 * lasting thread does with a traced thread that has stopped.
 */
#ifndef PYD_WATCH_TRACING_H
#define PYD_WATCH_TRACING_H

#include "target/hwbreak.h"
#include "watch/budget.h"
#include "watch/tracer.h"
#include "watch/tree.h"

struct pyd_tracing {
	const struct pyd_watch_options *o;
	struct pyd_tree tree;
	struct pyd_layouts layouts;
	struct pyd_budget budget;
	struct pyd_hwbreaker breaker;
	struct pyd_armed *armed;
	struct pyd_dumping *jobs;
	size_t running;	   /* jobs */
	uintptr_t options; /* of ptrace */
	bool no_breaks;	   /* there are no hardware breakpoints */
	bool ending;
	bool timed_out;
	uint64_t began_ns, hang_ns, rss_ns;
};

/* True when a trigger asks for what the interpreter does. */
bool pyd_tracing_wants_python(const struct pyd_tracing *w);
/* Lets a stopped thread run, unless something holds it. */
void pyd_tracing_go_on(struct pyd_watched_thread *th);
/*
 * A stopped thread is to wait with its signal. Once wait4() has told of the
 * stop the kernel has the signal nowhere, and a tracer that is killed takes it
 * along: so it is queued again, and the thread will stop with it once more.
 * Not of faults, which come again by themselves.
 */
void pyd_tracing_keep_signal(struct pyd_watched_thread *th);
/* True: a thread is stopped with the one that was kept, and is to have it. */
bool pyd_tracing_kept_signal(struct pyd_watched_thread *th);
/* Stops a running one; it reports when it has. */
void pyd_tracing_interrupt(struct pyd_watched_thread *th);
void pyd_tracing_interrupt_all(struct pyd_watched *p);
/* True when all threads of a process have stopped, also those that have still
 * to report. *ret_asleep: all that have not sleep in the kernel, where nothing
 * stops them. */
bool pyd_tracing_all_stopped(struct pyd_tracing *w, struct pyd_watched *p,
			     bool *ret_asleep);
/* All of them go on, as far as nothing else holds them. */
void pyd_tracing_release(struct pyd_watched *p);

#endif
