// SPDX-License-Identifier: Apache-2.0
#include "watch/tracing.h"

#include <sys/ptrace.h>

bool pyd_tracing_wants_python(const struct pyd_tracing *w)
{
	return !w->no_breaks &&
	       w->o->triggers & (PYD_ON_EXCEPTION | PYD_ON_EXIT | PYD_ON_HANG);
}

static void let_run(struct pyd_watched_thread *th)
{
	struct pyd_tracee *e = &th->e;
	const bool listen = e->t.in_job_stop;
	const int sig = e->sig;

	e->sig = 0;
	e->state = PYD_TRACEE_RUNS;
	/* A stopped one waits for SIGCONT, and tells it. */
	if (ptrace(listen ? PTRACE_LISTEN : PTRACE_CONT, e->t.tid, NULL,
		   (void *)(intptr_t)(listen ? 0 : sig)))
		e->state = PYD_TRACEE_DYING;
}

void pyd_tracing_go_on(struct pyd_watched_thread *th)
{
	if (!th->p->hold && !th->parked)
		let_run(th);
}

void pyd_tracing_interrupt(struct pyd_watched_thread *th)
{
	if (th->e.state == PYD_TRACEE_RUNS &&
	    ptrace(PTRACE_INTERRUPT, th->e.t.tid, NULL, NULL))
		th->e.state = PYD_TRACEE_DYING;
}
