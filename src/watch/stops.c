// SPDX-License-Identifier: Apache-2.0
#include "watch/stops.h"

#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "watch/arming.h"
#include "watch/jobs.h"
#include "watch/triggers.h"

#define MS 1000000ULL

enum {
	FORWARD_MS = 100, /* as in release.c */
	STEPS_MAX = 100,  /* instructions in which a dict gets consistent */
};

/* One instruction on. False: something else came. */
static bool step(const struct pyd_tracing *w, struct pyd_watched_thread *th)
{
	unsigned int hits;
	int status;
	pid_t got;

	if (ptrace(PTRACE_SINGLESTEP, th->e.t.tid, NULL, NULL))
		return false;
	do
		got = waitpid(th->e.t.tid, &status, __WALL);
	while (got < 0 && errno == EINTR);
	if (got != th->e.t.tid || !WIFSTOPPED(status)) {
		pyd_tracee_note(&th->e, got < 0, status);
		return false;
	}
	pyd_tracee_note(&th->e, false, status);
	if (th->e.sig != SIGTRAP &&
	    !pyd_hwbreak_is_hit(&w->breaker, th->e.t.tid, &th->e.info,
				th->events, &hits))
		return false;
	(void)pyd_arch_hwbreaks_hit(th->e.t.tid);
	return pyd_arm_calm(th);
}

static void on_hit(struct pyd_tracing *w, struct pyd_watched_thread *th,
		   unsigned int hits)
{
	struct pyd_watched *p = th->p;

	for (unsigned int reg = 0; reg < PYD_HWBREAKS; reg++) {
		const unsigned int i = pyd_arm_slot(th, reg);
		struct pyd_uncaught u = { 0 };
		struct pyd_regs regs;
		struct pyd_err ignored;
		bool changed = false;

		if (!(hits >> reg & 1))
			continue;
		if (p->python.kinds[i] == PYD_SLOT_PROGRESS) {
			pyd_hang_progress(&p->hang);
			p->python.breaks[i].addr = 0;
			p->python.kinds[i] = PYD_SLOT_NONE;
			pyd_arm_progress(w, th);
			continue;
		}
		if (p->python.kinds[i] == PYD_SLOT_EXIT) {
			if (!pyd_arch_get_regs(th->e.t.tid, &regs, &ignored))
				pyd_trigger_exit(
					w, th,
					(int)(pyd_arch_arg(&regs, 0) & 0xff));
			continue;
		}
		for (int steps = 0; steps < STEPS_MAX; steps++) {
			u = (struct pyd_uncaught) { .steps = steps };
			if (pyd_python_hit(&p->python, i, th->e.t.tid,
					   &w->layouts, w->o, &u, &changed))
				pyd_trigger_uncaught(w, th, &u);
			if (!u.unsettled || !step(w, th))
				break;
		}
		if (!changed)
			continue;
		if (!pyd_arch_get_regs(th->e.t.tid, &regs, &ignored) &&
		    th->e.t.tid == p->pid)
			pyd_python_main(&p->python, &regs);
		pyd_arm_all(w, p);
		return;
	}
}

/* Has the main thread have what was for the process; see release.c. */
static bool forward(struct pyd_watched_thread *th)
{
	struct pyd_watched *p = th->p;
	struct pyd_proc_status status;
	struct pyd_err ignored;

	if (th->e.t.tid == p->pid || !p->released_ns ||
	    pyd_now_ns() - p->released_ns > FORWARD_MS * MS ||
	    p->nforwards == PYD_FORWARDS ||
	    !pyd_signal_is_for_process(th->e.sig, &th->e.info) ||
	    pyd_procfs_status(p->pid, p->pid, &status, &ignored) ||
	    status.sig_blocked >> (th->e.sig - 1) & 1 ||
	    syscall(SYS_tgkill, p->pid, p->pid, th->e.sig))
		return false;
	p->forwards[p->nforwards++] = th->e.info;
	return true;
}

static void complete_forward(struct pyd_watched_thread *th)
{
	struct pyd_watched *p = th->p;

	if (th->e.t.tid != p->pid || th->e.info.si_code != SI_TKILL)
		return;
	for (size_t i = 0; i < p->nforwards; i++) {
		if (p->forwards[i].si_signo != th->e.sig)
			continue;
		th->e.info = p->forwards[i];
		(void)ptrace(PTRACE_SETSIGINFO, th->e.t.tid, NULL,
			     &p->forwards[i]);
		p->forwards[i] = p->forwards[--p->nforwards];
		return;
	}
}

static void on_signal(struct pyd_tracing *w, struct pyd_watched_thread *th)
{
	unsigned int hits = 0;

	if (pyd_hwbreak_is_hit(&w->breaker, th->e.t.tid, &th->e.info,
			       th->events, &hits)) {
		/* Also one that was taken away a moment ago. */
		if (pyd_arm_calm(th))
			on_hit(w, th, hits);
		return;
	}
	if (pyd_tracing_kept_signal(th))
		return;
	complete_forward(th);
	if (forward(th))
		th->e.sig = 0;
	else
		pyd_trigger_fatal(w, th);
}

static void drop(struct pyd_tracing *w, struct pyd_watched_thread *th)
{
	pyd_trigger_lost(th);
	pyd_tree_drop_thread(&w->tree, th);
}

/* The memory is another, and all other threads are gone. */
static void on_exec(struct pyd_tracing *w, struct pyd_watched_thread *th)
{
	struct pyd_watched *p = th->p;

	for (size_t i = p->nthreads; i-- > 0;)
		if (p->threads[i] != th)
			drop(w, p->threads[i]);
	pyd_armed_mark(w, p->pid, false);
	pyd_tree_close_events(th);
	p->hang = (struct pyd_hang) { 0 };
	p->reported = p->crashed = p->borrows = p->by_thread = false;
	p->looks = 0;
	pyd_python_deinit(&p->python);
	if (pyd_tracing_wants_python(w))
		pyd_python_exec(&p->python, p->pid);
	pyd_arm_all(w, p);
}

/* Whose new thread it is, without reading a file: programs may start many.
 * NULL: it is none of a process that is known. */
static struct pyd_watched *process_of(const struct pyd_tracing *w, pid_t tid)
{
	for (struct pyd_watched *p = w->tree.first; p; p = p->next)
		if (!p->ended &&
		    (!syscall(SYS_tgkill, p->pid, tid, 0) || errno == EPERM))
			return p;
	return NULL;
}

/* maker: the thread that made it; NULL when it is not known. Its process is
 * alive then. */
static struct pyd_watched *new_process(struct pyd_tracing *w, pid_t pid,
				       const struct pyd_watched_thread *maker)
{
	const struct pyd_watched *parent = maker ? maker->p : NULL;
	struct pyd_watched *p = pyd_tree_add(&w->tree, pid);
	struct pyd_proc_stat stat;
	struct pyd_regs regs;
	struct pyd_err ignored;

	if (!p)
		return p;
	p->by_thread = true;
	if (pyd_arch_get_regs(pid, &regs, &ignored))
		return p;
	p->borrows = pyd_arch_is_vfork(&regs);
	if (p->borrows)
		return p;
	if (!parent && !pyd_procfs_stat(pid, 0, &stat, &ignored))
		parent = pyd_tree_process(&w->tree, stat.ppid);
	if (!parent || !pyd_tracing_wants_python(w))
		return p;
	pyd_python_fork(&p->python, &parent->python, pid, &regs, w->o);
	/* Its memory tells who made it, where nothing else does yet. */
	if (maker ? maker->e.t.tid == parent->pid
		  : p->python.main_tstate &&
			    p->python.main_tstate == parent->python.main_tstate)
		p->by_thread = parent->by_thread;
	return p;
}

/* The first stop of a thread or process that a tracee made. */
static struct pyd_watched_thread *on_new(struct pyd_tracing *w, pid_t tid,
					 int status,
					 const struct pyd_watched_thread *maker)
{
	struct pyd_watched *p = process_of(w, tid);
	const bool process = !p;
	struct pyd_watched_thread *th;

	/* The first thread of a process has its id. */
	if (process)
		p = new_process(w, tid, maker);
	th = p ? pyd_tree_add_thread(&w->tree, p, tid) : NULL;
	if (!th)
		return NULL;
	pyd_tracee_note(&th->e, false, status);
	if (process)
		pyd_arm_all(w, p);
	else
		pyd_arm(w, th, true);
	return th;
}

/* The child stops before it runs. Until then its parent, which may be about to
 * end (a daemon's), does not run either: whose child it is would be lost. */
static void await_child(struct pyd_tracing *w, struct pyd_watched_thread *th)
{
	struct pyd_watched_thread *child;
	unsigned long pid = 0;
	int status;
	pid_t got;

	if (ptrace(PTRACE_GETEVENTMSG, th->e.t.tid, NULL, &pid) || !pid ||
	    pyd_tree_thread(&w->tree, (pid_t)pid))
		return;
	do
		got = waitpid((pid_t)pid, &status, __WALL);
	while (got < 0 && errno == EINTR);
	if (got < 0 || !WIFSTOPPED(status))
		return;
	child = on_new(w, got, status, th);
	if (child)
		pyd_tracing_go_on(child);
	else
		(void)ptrace(PTRACE_CONT, got, NULL, NULL);
}

static void on_stop(struct pyd_tracing *w, pid_t tid, int status)
{
	struct pyd_watched_thread *th = pyd_tree_thread(&w->tree, tid);
	unsigned long message = 0;

	if (th) {
		pyd_tracee_note(&th->e, false, status);
	} else if (!(th = on_new(w, tid, status, NULL))) {
		(void)ptrace(PTRACE_CONT, tid, NULL, NULL);
		return;
	}
	switch (status >> 16) {
	case 0:
		on_signal(w, th);
		break;
	case PTRACE_EVENT_EXEC:
		on_exec(w, th);
		break;
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
		await_child(w, th);
		break;
	case PTRACE_EVENT_EXIT:
		if (!ptrace(PTRACE_GETEVENTMSG, tid, NULL, &message))
			pyd_trigger_exit(w, th, (int)(message >> 8 & 0xff));
		break;
	case PTRACE_EVENT_STOP:
		if (!th->rearm)
			break;
		pyd_arm_find_main(th);
		pyd_arm(w, th, false);
		break;
	default:
		break;
	}
	if (th->e.state == PYD_TRACEE_GONE)
		drop(w, th);
	else
		pyd_tracing_go_on(th);
}

void pyd_stops_drain(struct pyd_tracing *w)
{
	for (;;) {
		int status;
		pid_t tid = waitpid(-1, &status, __WALL | WNOHANG);
		struct pyd_watched_thread *th;

		if (tid < 0 && errno == EINTR)
			continue;
		if (tid <= 0)
			return;
		if (WIFSTOPPED(status)) {
			on_stop(w, tid, status);
			continue;
		}
		th = pyd_tree_thread(&w->tree, tid);
		if (!th)
			continue;
		if (th->p->nthreads == 1)
			pyd_armed_mark(w, th->p->pid, false);
		drop(w, th);
	}
}
