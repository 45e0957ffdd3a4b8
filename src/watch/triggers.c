// SPDX-License-Identifier: Apache-2.0
#include "watch/triggers.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "watch/arming.h"
#include "watch/dumping.h"
#include "watch/fatal.h"
#include "watch/jobs.h"

#define MS 1000000ULL

enum { RSS_LOOK_MS = 500 };

/* -- what happened, in words -- */

static void say_signal(char *buf, size_t cap, int sig, bool faulthandler,
		       const siginfo_t *info)
{
	char at[32] = "";

	if (pyd_is_fault(sig, info))
		snprintf(at, sizeof(at), " at 0x%llx",
			 (unsigned long long)(uintptr_t)info->si_addr);
	snprintf(buf, cap, "%s%s%s",
		 pyd_signal_name(sig) ? pyd_signal_name(sig) : "a signal",
		 faulthandler ? " (faulthandler)" : "", at);
}

static const char asked_for[] = "asked for";
static const char ended[] = "it has ended meanwhile";

static void say_timeout(char *buf, size_t cap,
			const struct pyd_watch_options *o)
{
	snprintf(buf, cap, "it runs for %.1f s", (double)o->timeout_ns / 1e9);
}

static void say_lost(const struct pyd_watched *p, const char *what,
		     const char *why)
{
	pyd_log_notice("%s (%d): %s; no dump: %s", p->name, p->pid, what, why);
}

/* -- threads that are about to end -- */

void pyd_trigger_fatal(struct pyd_tracing *w, struct pyd_watched_thread *th)
{
	struct pyd_watched *p = th->p;
	const int sig = th->e.sig;
	const siginfo_t *info = &th->e.info;
	const bool fault = pyd_is_fault(sig, info);
	enum pyd_fate fate;
	struct pyd_dumping *j;
	char what[128];

	if (!(w->o->triggers & PYD_ON_SIGNAL) ||
	    !(w->o->signals >> (sig - 1) & 1))
		return;
	fate = pyd_fate_of(p->pid, th->e.t.tid, sig);
	if (fate == PYD_FATE_HANDLED)
		return;
	/* After faulthandler's the same comes again. */
	if (p->crashed)
		return;
	say_signal(what, sizeof(what), sig, fate == PYD_FATE_FAULTHANDLER,
		   info);
	if (p->job) {
		pyd_job_await(th, what, NULL, 0);
		return;
	}
	j = pyd_job_begin(w, p, "signal", what);
	if (!j)
		return;
	p->reported = p->crashed = true;
	j->final = true;
	j->trigger.signo = sig;
	j->trigger.has_info = true;
	j->trigger.si_code = info->si_code;
	j->trigger.has_address = fault;
	j->trigger.address = fault ? (pyd_addr)(uintptr_t)info->si_addr : 0;
	j->trigger.faulthandler = fate == PYD_FATE_FAULTHANDLER;
	pyd_job_thread(j, th);
}

void pyd_trigger_uncaught(struct pyd_tracing *w, struct pyd_watched_thread *th,
			  const struct pyd_uncaught *u)
{
	char what[256];
	struct pyd_dumping *j;

	snprintf(what, sizeof(what), "%.128s in %s", u->type,
		 u->main ? "the main program" : "a thread");
	if (th->p->job) {
		pyd_job_await(th, what, u, 0);
		return;
	}
	j = pyd_job_begin(w, th->p, "exception", what);
	if (!j)
		return;
	th->p->reported = th->p->reported || u->main;
	j->final = u->main;
	j->trigger.exception = u->value;
	j->trigger.exception_class = u->class;
	j->trigger.traceback = u->traceback;
	snprintf(j->trigger.exception_type, sizeof(j->trigger.exception_type),
		 "%s", u->type);
	pyd_job_thread(j, th);
}

/* A child whose program could not be executed, which subprocess tells its
 * parent as an exception. */
static bool is_no_program(struct pyd_watched_thread *th)
{
	struct pyd_regs regs;
	struct pyd_err ignored;

	return th->p->borrows ||
	       (!pyd_arch_get_regs(th->e.t.tid, &regs, &ignored) &&
		pyd_python_is_before_exec(&th->p->python, &regs));
}

void pyd_trigger_exit(struct pyd_tracing *w, struct pyd_watched_thread *th,
		      int status)
{
	struct pyd_watched *p = th->p;
	struct pyd_dumping *j;
	char what[64];

	/* A signal has been dumped before, or was not to be. */
	if (!(w->o->triggers & PYD_ON_EXIT) || !status || p->reported ||
	    is_no_program(th))
		return;
	snprintf(what, sizeof(what), "exit status %d", status);
	if (p->job) {
		/* What it waits for already is nearer to the cause. */
		if (!th->awaits)
			pyd_job_await(th, what, NULL, status);
		return;
	}
	j = pyd_job_begin(w, p, "exit", what);
	if (!j)
		return;
	p->reported = true;
	j->final = true;
	j->trigger.has_status = true;
	j->trigger.status = status;
	pyd_job_thread(j, th);
}

/* -- the whole process, which goes on, or is killed -- */

static void on_process(struct pyd_tracing *w, struct pyd_watched *p,
		       const char *kind, const char *what, bool kill)
{
	struct pyd_dumping *j = pyd_job_begin(w, p, kind, what);

	if (j)
		j->kill = kill;
	else if (kill)
		pyd_job_kill(p);
}

static void on_request(struct pyd_tracing *w, struct pyd_watched *p)
{
	if (p->job)
		p->later |= PYD_ON_REQUEST;
	else
		on_process(w, p, "request", asked_for, false);
}

static void on_timeout(struct pyd_tracing *w, struct pyd_watched *p)
{
	char what[64];

	if (p->job) {
		p->later |= PYD_ON_TIMEOUT;
		return;
	}
	say_timeout(what, sizeof(what), w->o);
	on_process(w, p, "timeout", what, w->o->kill);
}

void pyd_trigger_request(struct pyd_tracing *w)
{
	if (!(w->o->triggers & PYD_ON_REQUEST))
		return;
	for (struct pyd_watched *p = w->tree.first; p; p = p->next)
		if (!p->ended)
			on_request(w, p);
}

static void look_for_timeout(struct pyd_tracing *w, uint64_t now)
{
	if (!(w->o->triggers & PYD_ON_TIMEOUT) || w->timed_out ||
	    now - w->began_ns < w->o->timeout_ns)
		return;
	w->timed_out = true;
	for (struct pyd_watched *p = w->tree.first; p; p = p->next)
		if (!p->ended)
			on_timeout(w, p);
}

static void look_for_size(struct pyd_tracing *w, uint64_t now)
{
	if (!(w->o->triggers & PYD_ON_RSS) ||
	    now - w->rss_ns < RSS_LOOK_MS * MS)
		return;
	w->rss_ns = now;
	for (struct pyd_watched *p = w->tree.first; p; p = p->next) {
		struct pyd_proc_stat stat;
		struct pyd_err ignored;
		char what[64];

		/* While it is dumped: its size is looked at afterwards. */
		if (p->ended || p->job ||
		    pyd_procfs_stat(p->pid, 0, &stat, &ignored))
			continue;
		if (stat.rss < w->o->rss) {
			/* Not again for every page. */
			if (stat.rss < w->o->rss / 10 * 9)
				p->rss_over = false;
			continue;
		}
		if (p->rss_over)
			continue;
		p->rss_over = true;
		snprintf(what, sizeof(what), "%llu MB in memory",
			 (unsigned long long)stat.rss / 1000000);
		on_process(w, p, "rss", what, false);
	}
}

static void guard(struct pyd_tracing *w, struct pyd_watched *p,
		  const struct pyd_hwbreak *slot)
{
	struct pyd_watched_thread *th = pyd_tree_thread(&w->tree, p->hang.tid);

	if (!th || th->p != p ||
	    (p->python.kinds[3] && p->python.kinds[3] != PYD_SLOT_PROGRESS))
		return;
	p->python.breaks[3] = *slot;
	p->python.kinds[3] = PYD_SLOT_PROGRESS;
	pyd_arm_progress(w, th);
}

/* Without breakpoints nothing tells when Python has started: it is looked for,
 * ever more rarely. */
static void find_late(struct pyd_tracing *w, struct pyd_watched *p)
{
	struct pyd_watched_thread *th = pyd_tree_thread(&w->tree, p->pid);
	struct pyd_err err = { 0 };

	p->looks++;
	if (p->looks & (p->looks - 1))
		return;
	if (pyd_python_find(&p->python, p->pid, &w->layouts, w->o, &err)) {
		pyd_log_debug("%s", err.msg);
		pyd_python_deinit(&p->python);
		return;
	}
	/* Its stop tells which thread state is the main one. */
	if (th) {
		th->rearm = true;
		pyd_tracing_interrupt(th);
	}
}

static void look_for_hang(struct pyd_tracing *w, uint64_t now)
{
	if (!(w->o->triggers & PYD_ON_HANG) ||
	    now - w->hang_ns < pyd_hang_period(w->o))
		return;
	w->hang_ns = now;
	for (struct pyd_watched *p = w->tree.first; p; p = p->next) {
		struct pyd_hwbreak slot = { 0 };
		char what[320];

		if (p->ended || p->job)
			continue;
		if (w->no_breaks && p->python.state == PYD_PYTHON_NONE)
			find_late(w, p);
		if (p->python.state != PYD_PYTHON_READY)
			continue;
		switch (pyd_hang_look(&p->hang, &p->python, w->o, &slot)) {
		case PYD_HANG_GUARD:
			guard(w, p, &slot);
			break;
		case PYD_HANG_HUNG:
			snprintf(what, sizeof(what),
				 "%s%.200s at one instruction for %.1f s",
				 w->o->thread ? "thread " : "the main thread",
				 w->o->thread ? w->o->thread : "",
				 (double)w->o->hang_ns / 1e9);
			on_process(w, p, "hang", what, w->o->kill);
			break;
		default:
			break;
		}
	}
}

/* -- those that had to wait -- */

void pyd_trigger_lost(const struct pyd_watched_thread *th)
{
	if (th->awaits)
		say_lost(th->p, th->what, ended);
}

void pyd_trigger_forget(const struct pyd_tracing *w, struct pyd_watched *p)
{
	char what[64];

	if (p->later & PYD_ON_REQUEST)
		say_lost(p, asked_for, ended);
	say_timeout(what, sizeof(what), w->o);
	if (p->later & PYD_ON_TIMEOUT)
		say_lost(p, what, ended);
	p->later = 0;
}

static void fatal_again(struct pyd_tracing *w, struct pyd_watched_thread *th)
{
	if (th->kept.si_signo) {
		th->e.sig = th->kept.si_signo;
		th->e.info = th->kept;
	}
	pyd_trigger_fatal(w, th);
	if (th->kept.si_signo)
		th->e.sig = 0;
}

void pyd_trigger_again(struct pyd_tracing *w, struct pyd_watched *p)
{
	const unsigned int later = p->later;

	for (size_t i = 0; i < p->nthreads; i++) {
		struct pyd_watched_thread *th = p->threads[i];

		if (!th->awaits)
			continue;
		th->awaits = false;
		if (th->uncaught.type[0])
			pyd_trigger_uncaught(w, th, &th->uncaught);
		else if (th->status)
			pyd_trigger_exit(w, th, th->status);
		else if (th->e.state == PYD_TRACEE_STOPPED &&
			 (th->e.sig || th->kept.si_signo))
			fatal_again(w, th);
		else
			say_lost(p, th->what, ended);
	}
	if (p->ended) {
		pyd_trigger_forget(w, p);
		return;
	}
	p->later = 0;
	if (later & PYD_ON_REQUEST)
		on_request(w, p);
	if (later & PYD_ON_TIMEOUT)
		on_timeout(w, p);
}

void pyd_triggers_look(struct pyd_tracing *w)
{
	uint64_t now = pyd_now_ns();

	look_for_timeout(w, now);
	look_for_size(w, now);
	look_for_hang(w, now);
}

uint64_t pyd_triggers_next(const struct pyd_tracing *w)
{
	uint64_t at = UINT64_MAX;
	const struct {
		unsigned int trigger;
		uint64_t at;
	} looks[] = {
		{ PYD_ON_HANG, w->hang_ns + pyd_hang_period(w->o) },
		{ PYD_ON_RSS, w->rss_ns + RSS_LOOK_MS * MS },
		{ w->timed_out ? 0 : PYD_ON_TIMEOUT,
		  w->began_ns + w->o->timeout_ns },
	};

	for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++)
		if (w->o->triggers & looks[i].trigger && looks[i].at < at)
			at = looks[i].at;
	return at;
}
