/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tracer: a process of its own, that does all the ptracing in its only
 * lasting thread, and dumps in others.
 */
#ifndef PYD_WATCH_TRACER_H
#define PYD_WATCH_TRACER_H

#include "watch/watch.h"

enum { PYD_ARMED_MAX = 4096 };

/* Shared with the guard, which cleans up after a tracer that died: processes
 * whose threads may have hardware breakpoints. 0: a free place. */
struct pyd_armed {
	pid_t pids[PYD_ARMED_MAX];
};

struct pyd_tracer_job {
	const struct pyd_watch_options *o;
	const pid_t *pids; /* to be watched; running, or about to exec */
	size_t n;
	bool starts; /* they are ours and about to exec */
	struct pyd_armed *armed;
	int ready_fd; /* gets "" or why it cannot be, once; then closed */
};

/* The whole of the tracer process; all signals are blocked. SIGTERM: let
 * everything go and end. SIGUSR2: a request. Returns its exit status. */
int pyd_tracer_main(const struct pyd_tracer_job *job);

#endif
