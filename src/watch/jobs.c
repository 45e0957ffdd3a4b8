// SPDX-License-Identifier: Apache-2.0
#include "watch/jobs.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "walk/name.h"
#include "watch/dumping.h"
#include "watch/triggers.h"

#define MS 1000000ULL

enum {
	JOBS_MAX = 2,	      /* dumps at a time */
	HOLD_MS = 5000,	      /* until all threads must have stopped */
	HOLD_ASLEEP_MS = 100, /* then sleepers in the kernel are left */
};

static void free_path(const struct pyd_tracing *w, struct pyd_dumping *j)
{
	char base[sizeof(j->path)];
	size_t n;

	pyd_dump_path(w->o->dir, j->p->pid, base, sizeof(base) - 32);
	n = strlen(base) - strlen(".pydump");
	snprintf(j->path, sizeof(j->path), "%s", base);
	for (int i = 2; i < 1000 && !access(j->path, F_OK); i++)
		snprintf(j->path, sizeof(j->path), "%.*s-%d.pydump", (int)n,
			 base, i);
}

void pyd_job_kill(const struct pyd_watched *p)
{
	pyd_log_notice("%s (%d): killed", p->name, p->pid);
	(void)kill(p->pid, SIGKILL);
}

/* NULL: there is to be none, and that has been said. */
struct pyd_dumping *pyd_job_begin(struct pyd_tracing *w, struct pyd_watched *p,
				  const char *kind, const char *what)
{
	const char *why = NULL;
	struct pyd_dumping *j;

	if (p->job || p->ended)
		return NULL;
	pyd_program_name(p->pid, p->name, sizeof(p->name));
	why = w->ending ? "pydumpd is ending" : pyd_budget_take(&w->budget);
	if (why) {
		if (*why)
			pyd_log_notice("%s (%d): %s; no dump: %s", p->name,
				       p->pid, what, why);
		return NULL;
	}
	j = pyd_dumping_create(p, w->o, &w->breaker);
	if (!j) {
		pyd_log_error("%s (%d): %s; no dump: out of memory", p->name,
			      p->pid, what);
		return NULL;
	}
	j->trigger.kind = kind;
	snprintf(j->what, sizeof(j->what), "%s", what);
	free_path(w, j);
	p->job = j;
	j->next = w->jobs;
	w->jobs = j;
	return j;
}

/* The thread that it is about waits until the dump is done. */
void pyd_job_thread(struct pyd_dumping *j, struct pyd_watched_thread *th)
{
	struct pyd_err ignored;

	th->parked = true;
	pyd_tracing_keep_signal(th);
	j->trigger.thread = th->e.t.tid;
	j->trigger.has_regs =
		!pyd_arch_get_regs(th->e.t.tid, &j->trigger.regs, &ignored);
}

void pyd_job_await(struct pyd_watched_thread *th, const char *what,
		   const struct pyd_uncaught *u, int status)
{
	th->parked = th->awaits = true;
	snprintf(th->what, sizeof(th->what), "%s", what);
	th->status = status;
	th->uncaught = u ? *u : (struct pyd_uncaught) { 0 };
	pyd_tracing_keep_signal(th);
}

static enum pyd_code held_threads(const struct pyd_watched *p,
				  struct pyd_threads *ret, struct pyd_err *err)
{
	struct pyd_threads t = { 0 };
	struct pyd_process process;
	enum pyd_code code = pyd_process_open(p->pid, &process, err);

	if (code)
		return code;
	t.v = calloc(p->nthreads + 1, sizeof(*t.v));
	if (!t.v) {
		pyd_process_close(&process);
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	}
	for (size_t i = 0; i < p->nthreads; i++) {
		const struct pyd_watched_thread *th = p->threads[i];
		struct pyd_thread *to = &t.v[t.n];
		struct pyd_err ignored;

		if (!pyd_thread_describe(&process, th->e.t.tid, to))
			continue;
		/* It cannot be stopped, and runs nothing before it is. */
		to->asleep = th->e.state == PYD_TRACEE_RUNS;
		if (th->e.state == PYD_TRACEE_STOPPED &&
		    pyd_arch_get_regs(th->e.t.tid, &to->regs, &ignored))
			continue;
		/* What it was before we stopped it is not known. */
		if (to->state == 't')
			to->state = th->e.t.in_job_stop		  ? 'T'
				    : th->parked		  ? 'R'
				    : pyd_arch_in_call(&to->regs) ? 'S'
								  : 'R';
		t.n++;
	}
	pyd_process_close(&process);
	if (!t.n) {
		free(t.v);
		return pyd_err_set(err, PYD_GONE, "process %d has ended",
				   p->pid);
	}
	pyd_threads_sort(&t, p->pid);
	*ret = t;
	return PYD_OK;
}

static void release(struct pyd_watched *p)
{
	p->hold = false;
	pyd_tracing_release(p);
}

static void serve_hold(struct pyd_tracing *w, struct pyd_dumping *j)
{
	struct pyd_watched *p = j->p;
	struct pyd_threads threads = { 0 };
	struct pyd_err err = { 0 };
	uint64_t now = pyd_now_ns();
	enum pyd_code code = PYD_OK;
	bool asleep;

	if (!p->hold) {
		p->hold = true;
		j->deadline_ns = now + HOLD_MS * MS;
		pyd_tracing_interrupt_all(p);
	}
	if (!pyd_tracing_all_stopped(w, p, &asleep) &&
	    !(asleep &&
	      now + (HOLD_MS - HOLD_ASLEEP_MS) * MS > j->deadline_ns)) {
		if (now < j->deadline_ns)
			return;
		code = pyd_err_set(&err, PYD_BUSY,
				   "not all threads of process %d stopped in "
				   "time",
				   p->pid);
	}
	if (!code)
		code = held_threads(p, &threads, &err);
	if (code)
		release(p);
	pyd_dumping_held(j, &threads, code, &err);
}

static void report(struct pyd_tracing *w, const struct pyd_dumping *j)
{
	const struct pyd_watched *p = j->p;

	if (!j->code) {
		pyd_log_notice("%s (%d): %s; %llu threads, %llu objects; to "
			       "open it: pydumpd load %s",
			       p->name, p->pid, j->what,
			       (unsigned long long)j->stats.threads,
			       (unsigned long long)j->stats.objects, j->path);
		pyd_budget_done(&w->budget, j->path);
		return;
	}
	/* Others of the tree are not our business. */
	pyd_budget_give_back(&w->budget, j->code == PYD_NOTPYTHON);
	if (j->code == PYD_NOTPYTHON && p->python.state != PYD_PYTHON_READY)
		pyd_log_debug("%s (%d): %s; no dump: %s", p->name, p->pid,
			      j->what, j->err.msg);
	else
		pyd_log_error("%s (%d): %s; no dump: %s", p->name, p->pid,
			      j->what, j->err.msg);
}

static void end_job(struct pyd_tracing *w, struct pyd_dumping *j)
{
	struct pyd_watched *p = j->p;

	report(w, j);
	p->job = NULL;
	for (size_t i = 0; i < p->nthreads; i++)
		p->threads[i]->parked = false;
	if (j->kill && !p->ended) {
		pyd_job_kill(p);
		pyd_trigger_forget(w, p);
	} else {
		pyd_trigger_again(w, p);
	}
	release(p);
	w->running--;
	pyd_dumping_destroy(j);
}

void pyd_jobs_serve(struct pyd_tracing *w)
{
	for (struct pyd_dumping **at = &w->jobs; *at;) {
		struct pyd_dumping *j = *at;

		switch (pyd_dumping_phase(j)) {
		case PYD_DUMPING_QUEUED:
			if (w->running >= JOBS_MAX)
				break;
			w->running++;
			pyd_dumping_start(j);
			break;
		case PYD_DUMPING_WANTS_HOLD:
			serve_hold(w, j);
			break;
		case PYD_DUMPING_WANTS_RELEASE:
			release(j->p);
			pyd_dumping_released(j);
			break;
		case PYD_DUMPING_DONE:
			*at = j->next;
			end_job(w, j);
			continue;
		default:
			break;
		}
		at = &j->next;
	}
}
