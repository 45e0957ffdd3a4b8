// SPDX-License-Identifier: Apache-2.0
#include "watch/arming.h"

#include <string.h>

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

/* Of a stopped thread. */
void pyd_arm(struct pyd_tracing *w, struct pyd_watched_thread *th)
{
	struct pyd_watched *p = th->p;
	struct pyd_hwbreak v[PYD_HWBREAKS];
	struct pyd_err err = { 0 };
	enum pyd_code code;
	bool any = false;

	memcpy(v, p->python.breaks, sizeof(v));
	if (p->python.kinds[3] == PYD_SLOT_PROGRESS &&
	    p->hang.tid != th->e.t.tid)
		v[3].addr = 0;
	for (size_t i = 0; i < PYD_HWBREAKS; i++)
		any = any || v[i].addr;
	if (w->no_breaks || (!any && !th->rearm))
		return;
	th->rearm = false;
	pyd_armed_mark(w, p->pid, true);
	code = pyd_arch_set_hwbreaks(th->e.t.tid, v, &err);
	if (code != PYD_UNSUPPORTED)
		return;
	w->no_breaks = true;
	if (w->o->triggers & PYD_ON_EXCEPTION)
		pyd_log_notice("this machine gives no hardware breakpoints "
			       "(%s): exceptions that nobody catches are not "
			       "noticed",
			       err.msg);
}

/* Of all threads of a process; running ones are stopped for it. */
void pyd_arm_all(struct pyd_tracing *w, struct pyd_watched *p)
{
	for (size_t i = 0; i < p->nthreads; i++) {
		struct pyd_watched_thread *th = p->threads[i];

		th->rearm = true;
		if (th->e.state == PYD_TRACEE_STOPPED)
			pyd_arm(w, th);
		else
			pyd_tracing_interrupt(th);
	}
}
