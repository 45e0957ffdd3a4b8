// SPDX-License-Identifier: Apache-2.0
#include "watch/arming.h"

#include <signal.h>
#include <unistd.h>

#include "base/log.h"

void pyd_armed_mark(struct pyd_tracing *w, pid_t pid, bool armed)
{
	pid_t *v = w->armed->pids;
	pid_t *free_place = NULL;

	for (size_t i = 0; i < PYD_ARMED_MAX; i++) {
		if (v[i] == pid) {
			if (!armed)
				v[i] = 0;
			return;
		}
		if (!v[i] && !free_place)
			free_place = &v[i];
		if (!v[i] && armed)
			break;
	}
	if (armed && free_place)
		*free_place = pid;
}

static void none_here(struct pyd_tracing *w, const struct pyd_err *err)
{
	if (!w->no_breaks && w->o->triggers & PYD_ON_EXCEPTION)
		pyd_log_notice("no hardware breakpoints (%s): exceptions that "
			       "nobody catches are not noticed, other triggers "
			       "are; a sandbox, virtual machine or debugger "
			       "may keep them from pydumpd",
			       err->msg);
	w->no_breaks = true;
	/* What waits for one waits in vain. */
	for (struct pyd_watched *p = w->tree.first; p; p = p->next)
		if (p->python.state == PYD_PYTHON_STARTING)
			pyd_python_deinit(&p->python);
}

/* A fork's main thread may be a copy of one that Python had started. */
static bool is_main(const struct pyd_watched_thread *th)
{
	return th->e.t.tid == th->p->pid && !th->p->by_thread;
}

unsigned int pyd_arm_slot(const struct pyd_watched_thread *th, unsigned int i)
{
	return i == PYD_SLOT_SHARED && is_main(th) &&
			       th->p->python.kinds[PYD_SLOT_OF_MAIN]
		       ? PYD_SLOT_OF_MAIN
		       : i;
}

static bool has_breaks(const struct pyd_watched *p)
{
	for (size_t i = 0; i < PYD_SLOTS; i++)
		if (p->python.breaks[i].addr)
			return true;
	return false;
}

/* What a register of the thread is to have. None where it cannot meet it: each
 * one costs whenever the processor goes from thread to thread. */
static struct pyd_hwbreak break_of(const struct pyd_watched_thread *th,
				   unsigned int i)
{
	const struct pyd_watched *p = th->p;
	const unsigned int slot = pyd_arm_slot(th, i);
	bool met = true;

	switch (p->python.kinds[slot]) {
	case PYD_SLOT_PROGRESS:
		met = p->hang.tid == th->e.t.tid;
		break;
	case PYD_SLOT_HOOKARGS:
	case PYD_SLOT_UNRAISABLE:
		/* They are for threads that Python has started. */
		met = !is_main(th);
		break;
	default:
		break;
	}
	return met ? p->python.breaks[slot] : (struct pyd_hwbreak) { 0 };
}

static void set_registers(struct pyd_tracing *w, struct pyd_watched_thread *th)
{
	struct pyd_watched *p = th->p;
	struct pyd_hwbreak v[PYD_HWBREAKS];
	struct pyd_err err = { 0 };

	if (w->no_breaks || (!has_breaks(p) && !th->rearm))
		return;
	for (unsigned int i = 0; i < PYD_HWBREAKS; i++)
		v[i] = break_of(th, i);
	th->rearm = false;
	pyd_armed_mark(w, p->pid, true);
	if (pyd_arch_set_hwbreaks(th->e.t.tid, v, &err) == PYD_UNSUPPORTED)
		none_here(w, &err);
}

static enum pyd_code open_event(struct pyd_tracing *w,
				struct pyd_watched_thread *th, unsigned int i,
				struct pyd_err *err)
{
	const struct pyd_hwbreak v = break_of(th, i);

	return v.addr ? pyd_hwbreak_open(&w->breaker, th->e.t.tid, &v,
					 &th->events[i], err)
		      : PYD_OK;
}

void pyd_arm_find_main(struct pyd_watched_thread *th)
{
	struct pyd_regs regs;
	struct pyd_err ignored;

	if (th->e.t.tid == th->p->pid && !th->p->python.main_tstate &&
	    th->e.state == PYD_TRACEE_STOPPED &&
	    !pyd_arch_get_regs(th->e.t.tid, &regs, &ignored))
		pyd_python_main(&th->p->python, &regs);
}

void pyd_arm(struct pyd_tracing *w, struct pyd_watched_thread *th, bool fresh)
{
	struct pyd_err err = { 0 };
	enum pyd_code code = PYD_OK;

	if (w->no_breaks)
		return;
	pyd_tree_close_events(th);
	for (unsigned int i = 0; i < PYD_HWBREAKS && w->breaker.events && !code;
	     i++) {
		/* What is started later does not end the main program; each
		 * event makes a thread some microseconds dearer. */
		if (!fresh || th->p->python.kinds[i] != PYD_SLOT_LAST)
			code = open_event(w, th, i, &err);
	}
	if (w->breaker.events)
		th->rearm = false;
	if (!code || code == PYD_GONE) {
		if (!w->breaker.events)
			set_registers(w, th);
		return;
	}
	pyd_log_debug("%s", err.msg);
	pyd_tree_close_events(th);
	if (w->breaker.events)
		none_here(w, &err);
	else
		set_registers(w, th);
}

void pyd_arm_all(struct pyd_tracing *w, struct pyd_watched *p)
{
	if (w->no_breaks)
		return;
	for (size_t i = 0; i < p->nthreads; i++) {
		struct pyd_watched_thread *th = p->threads[i];

		th->rearm = true;
		if (th->e.state == PYD_TRACEE_STOPPED)
			pyd_arm(w, th, false);
		else
			pyd_tracing_interrupt(th);
	}
}

void pyd_arm_progress(struct pyd_tracing *w, struct pyd_watched_thread *th)
{
	struct pyd_err err = { 0 };

	if (!w->breaker.events) {
		th->rearm = true;
		if (th->e.state == PYD_TRACEE_STOPPED)
			set_registers(w, th);
		else
			pyd_tracing_interrupt(th);
		return;
	}
	if (th->events[3] >= 0)
		close(th->events[3]);
	th->events[3] = -1;
	if (open_event(w, th, 3, &err))
		pyd_log_debug("%s", err.msg);
}

bool pyd_arm_calm(struct pyd_watched_thread *th)
{
	th->e.sig = 0;
	return pyd_tracee_restart(&th->e, true);
}
