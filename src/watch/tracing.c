// SPDX-License-Identifier: Apache-2.0
#include "watch/tracing.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "watch/fatal.h"

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
	if (th->e.state == PYD_TRACEE_STOPPED && !th->p->hold && !th->parked)
		let_run(th);
}

void pyd_tracing_keep_signal(struct pyd_watched_thread *th)
{
	struct pyd_tracee *e = &th->e;
	siginfo_t info = e->info;

	if (!e->sig || e->sig >= SIGRTMIN || pyd_is_fault(e->sig, &info))
		return;
	/* What the kernel takes from another process; the rest is put back
	 * when it comes. */
	info.si_code = SI_QUEUE;
	if (!th->kept.si_signo &&
	    syscall(SYS_rt_tgsigqueueinfo, th->p->pid, e->t.tid, e->sig, &info))
		return;
	th->kept = e->info;
	e->sig = 0;
}

bool pyd_tracing_kept_signal(struct pyd_watched_thread *th)
{
	struct pyd_tracee *e = &th->e;

	if (!e->sig || th->kept.si_signo != e->sig)
		return false;
	e->info = th->kept;
	th->kept.si_signo = 0;
	(void)ptrace(PTRACE_SETSIGINFO, e->t.tid, NULL, &e->info);
	return true;
}

void pyd_tracing_interrupt(struct pyd_watched_thread *th)
{
	if (th->e.state == PYD_TRACEE_RUNS &&
	    ptrace(PTRACE_INTERRUPT, th->e.t.tid, NULL, NULL))
		th->e.state = PYD_TRACEE_DYING;
}

void pyd_tracing_interrupt_all(struct pyd_watched *p)
{
	for (size_t i = 0; i < p->nthreads; i++)
		pyd_tracing_interrupt(p->threads[i]);
}

bool pyd_tracing_all_stopped(struct pyd_tracing *w, struct pyd_watched *p,
			     bool *ret_asleep)
{
	const struct pyd_process process = { .pid = p->pid };
	struct pyd_vec tids = { 0 };
	struct pyd_err ignored;
	bool all = true;

	*ret_asleep = true;
	for (size_t i = 0; i < p->nthreads; i++) {
		const struct pyd_watched_thread *th = p->threads[i];
		struct pyd_thread now;

		if (th->e.state != PYD_TRACEE_RUNS)
			continue;
		all = false;
		if (pyd_thread_describe(&process, th->e.t.tid, &now) &&
		    now.state != 'D')
			*ret_asleep = false;
	}
	if (!all || pyd_procfs_tasks(p->pid, &tids, &ignored))
		return all;
	/* One that was started just now has still to report. */
	for (size_t i = 0; i < tids.len; i++)
		if (!pyd_tree_thread(&w->tree, (pid_t)tids.data[i])) {
			all = *ret_asleep = false;
			(void)ptrace(PTRACE_SEIZE, (pid_t)tids.data[i], NULL,
				     (void *)w->options);
		}
	pyd_vec_deinit(&tids);
	return all;
}

void pyd_tracing_release(struct pyd_watched *p)
{
	struct pyd_watched_thread *main = NULL;

	p->released_ns = pyd_now_ns();
	p->nforwards = 0;
	/* The main thread first: it is likely to win; see release.c. */
	for (size_t i = 0; i < p->nthreads; i++)
		if (p->threads[i]->e.t.tid == p->pid)
			main = p->threads[i];
	if (main)
		pyd_tracing_go_on(main);
	for (size_t i = 0; i < p->nthreads; i++)
		pyd_tracing_go_on(p->threads[i]);
}
