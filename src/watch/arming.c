// SPDX-License-Identifier: Apache-2.0
#include "watch/arming.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

#define MS 1000000ULL

enum {
	ASLEEP_MS = 100, /* then sleepers in the kernel are left */
	STOP_MS = 5000,	 /* then all others, too */
	FLUSH_MAX = 8,
};

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

static bool by_event(const struct pyd_tracing *w)
{
	return w->breaker.way != PYD_HWBREAK_NO_EVENT;
}

static bool has_breaks(const struct pyd_watched *p)
{
	for (size_t i = 0; i < PYD_HWBREAKS; i++)
		if (p->python.breaks[i].addr)
			return true;
	return false;
}

/* -- by debug registers, a thread at a time -- */

static void set_registers(struct pyd_tracing *w, struct pyd_watched_thread *th)
{
	struct pyd_watched *p = th->p;
	struct pyd_hwbreak v[PYD_HWBREAKS];
	struct pyd_err err = { 0 };

	if (w->no_breaks || (!has_breaks(p) && !th->rearm))
		return;
	memcpy(v, p->python.breaks, sizeof(v));
	if (p->python.kinds[3] == PYD_SLOT_PROGRESS &&
	    p->hang.tid != th->e.t.tid)
		v[3].addr = 0;
	th->rearm = false;
	pyd_armed_mark(w, p->pid, true);
	if (pyd_arch_set_hwbreaks(th->e.t.tid, v, &err) == PYD_UNSUPPORTED)
		none_here(w, &err);
}

static void set_all_registers(struct pyd_tracing *w, struct pyd_watched *p)
{
	for (size_t i = 0; i < p->nthreads; i++) {
		struct pyd_watched_thread *th = p->threads[i];

		th->rearm = true;
		if (th->e.state == PYD_TRACEE_STOPPED)
			set_registers(w, th);
		else
			pyd_tracing_interrupt(th);
	}
}

/* -- by events, which new threads inherit -- */

static enum pyd_code open_events(struct pyd_tracing *w, struct pyd_watched *p,
				 pid_t tid, struct pyd_err *err)
{
	enum pyd_code code = pyd_vec_reserve(&p->events, PYD_HWBREAKS, err);

	if (!code)
		code = pyd_vec_reserve(&p->writes, PYD_HWBREAKS, err);
	for (unsigned int i = 0; i < PYD_HWBREAKS && !code; i++) {
		const struct pyd_hwbreak *v = &p->python.breaks[i];
		/* What threads start later does not end the main program; each
		 * event makes a thread some microseconds dearer. */
		const bool inherit = p->python.kinds[i] != PYD_SLOT_LAST;
		int fd = -1;

		if (!v->addr || p->python.kinds[i] == PYD_SLOT_PROGRESS)
			continue;
		code = pyd_hwbreak_open(&w->breaker, tid, i, v, inherit, &fd,
					err);
		if (code)
			break;
		p->events.data[p->events.len++] = (uint64_t)fd;
		if (v->write)
			p->writes.data[p->writes.len++] = (uint64_t)fd;
	}
	return code;
}

static void find_main(struct pyd_watched *p)
{
	for (size_t i = 0; i < p->nthreads; i++)
		if (p->threads[i]->e.t.tid == p->pid)
			pyd_arm_find_main(p->threads[i]);
}

static void set_all_events(struct pyd_tracing *w, struct pyd_watched *p)
{
	struct pyd_err err = { 0 };
	enum pyd_code code = PYD_OK;

	find_main(p);
	for (size_t i = 0; i < p->nthreads && (!code || code == PYD_GONE); i++)
		code = open_events(w, p, p->threads[i]->e.t.tid, &err);
	p->arming = false;
	if (code && code != PYD_GONE) {
		pyd_log_debug("%s", err.msg);
		pyd_tree_close_events(p);
		if (by_event(w))
			none_here(w, &err);
		else
			set_all_registers(w, p);
	}
	pyd_tracing_release(p);
}

/* -- of whatever kind -- */

void pyd_arm_find_main(struct pyd_watched_thread *th)
{
	struct pyd_regs regs;
	struct pyd_err ignored;

	if (th->e.t.tid == th->p->pid && !th->p->python.main_tstate &&
	    th->e.state == PYD_TRACEE_STOPPED &&
	    !pyd_arch_get_regs(th->e.t.tid, &regs, &ignored))
		pyd_python_main(&th->p->python, &regs);
}

void pyd_arm(struct pyd_tracing *w, struct pyd_watched_thread *th)
{
	if (!by_event(w))
		set_registers(w, th);
}

/* Events are opened while all stand still: then each new thread is certain to
 * have them, and none has them twice. */
void pyd_arm_all(struct pyd_tracing *w, struct pyd_watched *p)
{
	if (w->no_breaks)
		return;
	if (!by_event(w)) {
		set_all_registers(w, p);
		return;
	}
	pyd_tree_close_events(p);
	if (!has_breaks(p)) {
		if (p->arming) {
			p->arming = false;
			pyd_tracing_release(p);
		}
		return;
	}
	p->arming = true;
	p->arming_ns = pyd_now_ns();
	pyd_tracing_interrupt_all(p);
	pyd_arm_serve(w, p);
}

void pyd_arm_serve(struct pyd_tracing *w, struct pyd_watched *p)
{
	bool asleep = false;
	uint64_t since;

	if (!p->arming)
		return;
	since = pyd_now_ns() - p->arming_ns;
	/* One that sleeps in the kernel makes no thread. */
	if (pyd_tracing_all_stopped(w, p, &asleep) ||
	    (asleep && since > ASLEEP_MS * MS) || since > STOP_MS * MS)
		set_all_events(w, p);
}

void pyd_arm_progress(struct pyd_tracing *w, struct pyd_watched_thread *th)
{
	struct pyd_watched *p = th->p;
	struct pyd_err err = { 0 };

	if (!by_event(w)) {
		th->rearm = true;
		if (th->e.state == PYD_TRACEE_STOPPED)
			set_registers(w, th);
		else
			pyd_tracing_interrupt(th);
		return;
	}
	if (p->progress >= 0) {
		p->hits += pyd_hwbreak_hits(p->progress);
		close(p->progress);
	}
	p->progress = -1;
	if (p->python.breaks[3].addr &&
	    pyd_hwbreak_open(&w->breaker, th->e.t.tid, 3, &p->python.breaks[3],
			     false, &p->progress, &err))
		pyd_log_debug("%s", err.msg);
}

bool pyd_arm_was_hit(struct pyd_watched *p)
{
	const uint64_t hits = pyd_tree_hits(p);
	const bool was = hits > p->taken;

	p->taken = hits;
	return was;
}

void pyd_arm_flush(struct pyd_watched_thread *th)
{
	for (int i = 0; i < FLUSH_MAX; i++) {
		uint64_t mask;

		if (th->e.state != PYD_TRACEE_STOPPED || th->e.sig ||
		    !pyd_hwbreak_pending(th->e.t.tid, &mask))
			return;
		if (!pyd_tracee_restart(&th->e, false))
			return;
		if (th->e.sig == SIGTRAP)
			th->e.sig = 0;
		pyd_hwbreak_block(th->e.t.tid, mask);
	}
}

bool pyd_arm_calm(struct pyd_watched_thread *th)
{
	th->e.sig = 0;
	return pyd_tracee_restart(&th->e, true);
}
