// SPDX-License-Identifier: Apache-2.0
#include "watch/tracer.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "target/fork.h"
#include "walk/name.h"
#include "watch/budget.h"
#include "watch/dumping.h"
#include "watch/fatal.h"
#include "watch/tree.h"

#define MS 1000000ULL

enum {
	JOBS_MAX = 2,	      /* dumps at a time */
	HOLD_MS = 5000,	      /* until all threads must have stopped */
	HOLD_ASLEEP_MS = 100, /* then sleepers in the kernel are left */
	HOLD_LOOK_MS = 5,     /* between looks at threads that do not stop */
	FORWARD_MS = 100,     /* as in release.c */
	RSS_LOOK_MS = 500,
	TASKS_ROUNDS = 100,
	STEPS_MAX = 100, /* instructions in which a dict gets consistent */
};

struct tracer {
	const struct pyd_watch_options *o;
	struct pyd_tree tree;
	struct pyd_layouts layouts;
	struct pyd_budget budget;
	struct pyd_armed *armed;
	struct pyd_dumping *jobs;
	size_t running;	   /* jobs */
	uintptr_t options; /* of ptrace */
	bool no_breaks;	   /* there are no hardware breakpoints */
	bool ending;
	bool timed_out;
	uint64_t began_ns, hang_ns, rss_ns;
};

static bool wants_python(const struct tracer *w)
{
	return !w->no_breaks &&
	       w->o->triggers & (PYD_ON_EXCEPTION | PYD_ON_EXIT | PYD_ON_HANG);
}

/* -- letting threads go on, and not -- */

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

static void go_on(struct pyd_watched_thread *th)
{
	if (!th->p->hold && !th->parked)
		let_run(th);
}

static void interrupt(struct pyd_watched_thread *th)
{
	if (th->e.state == PYD_TRACEE_RUNS &&
	    ptrace(PTRACE_INTERRUPT, th->e.t.tid, NULL, NULL))
		th->e.state = PYD_TRACEE_DYING;
}

/* -- hardware breakpoints -- */

static void mark_armed(struct tracer *w, pid_t pid, bool armed)
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
static void arm(struct tracer *w, struct pyd_watched_thread *th)
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
	mark_armed(w, p->pid, true);
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
static void rearm(struct tracer *w, struct pyd_watched *p)
{
	for (size_t i = 0; i < p->nthreads; i++) {
		struct pyd_watched_thread *th = p->threads[i];

		th->rearm = true;
		if (th->e.state == PYD_TRACEE_STOPPED)
			arm(w, th);
		else
			interrupt(th);
	}
}

/* -- dumps -- */

static void free_path(const struct tracer *w, struct pyd_dumping *j)
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

static void kill_it(const struct pyd_watched *p)
{
	pyd_log_notice("%s (%d): killed", p->name, p->pid);
	(void)kill(p->pid, SIGKILL);
}

/* NULL: there is to be none, and that has been said. */
static struct pyd_dumping *begin(struct tracer *w, struct pyd_watched *p,
				 const char *kind, const char *what)
{
	const char *why = NULL;
	struct pyd_dumping *j;

	pyd_program_name(p->pid, p->name, sizeof(p->name));
	if (p->job || p->ended)
		return NULL;
	why = pyd_budget_take(&w->budget);
	if (why) {
		if (*why)
			pyd_log_notice("%s (%d): %s; no dump: %s", p->name,
				       p->pid, what, why);
		return NULL;
	}
	j = pyd_dumping_create(p, w->o);
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
static void set_thread(struct pyd_dumping *j, struct pyd_watched_thread *th)
{
	struct pyd_err ignored;

	th->parked = true;
	j->trigger.thread = th->e.t.tid;
	j->trigger.has_regs =
		!pyd_arch_get_regs(th->e.t.tid, &j->trigger.regs, &ignored);
}

static bool all_held(struct tracer *w, struct pyd_dumping *j, bool *ret_asleep)
{
	struct pyd_watched *p = j->p;
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
	struct pyd_watched_thread *main = NULL;

	p->hold = false;
	p->released_ns = pyd_now_ns();
	p->nforwards = 0;
	/* The main thread first: it is likely to win; see release.c. */
	for (size_t i = 0; i < p->nthreads; i++)
		if (p->threads[i]->e.t.tid == p->pid)
			main = p->threads[i];
	if (main && main->e.state == PYD_TRACEE_STOPPED)
		go_on(main);
	for (size_t i = 0; i < p->nthreads; i++)
		if (p->threads[i]->e.state == PYD_TRACEE_STOPPED)
			go_on(p->threads[i]);
}

static void serve_hold(struct tracer *w, struct pyd_dumping *j)
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
		for (size_t i = 0; i < p->nthreads; i++)
			interrupt(p->threads[i]);
	}
	if (!all_held(w, j, &asleep) &&
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

static void report(struct tracer *w, const struct pyd_dumping *j)
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
	pyd_budget_give_back(&w->budget);
	/* Others of the tree are not our business. */
	if (j->code == PYD_NOTPYTHON)
		pyd_log_debug("%s (%d): %s; no dump: %s", p->name, p->pid,
			      j->what, j->err.msg);
	else
		pyd_log_error("%s (%d): %s; no dump: %s", p->name, p->pid,
			      j->what, j->err.msg);
}

static void end_job(struct tracer *w, struct pyd_dumping *j)
{
	struct pyd_watched *p = j->p;

	report(w, j);
	p->job = NULL;
	for (size_t i = 0; i < p->nthreads; i++)
		p->threads[i]->parked = false;
	if (j->kill && !p->ended)
		kill_it(p);
	release(p);
	w->running--;
	pyd_dumping_destroy(j);
}

static void serve_jobs(struct tracer *w)
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

/* -- triggers -- */

static void on_fatal(struct tracer *w, struct pyd_watched_thread *th)
{
	struct pyd_watched *p = th->p;
	const int sig = th->e.sig;
	const siginfo_t *info = &th->e.info;
	const bool fault = (sig == SIGSEGV || sig == SIGBUS || sig == SIGFPE ||
			    sig == SIGILL) &&
			   info->si_code > 0 && info->si_code != SI_KERNEL;
	enum pyd_fate fate;
	struct pyd_dumping *j;
	char what[128];

	if (!(w->o->triggers & PYD_ON_SIGNAL) ||
	    !(w->o->signals >> (sig - 1) & 1))
		return;
	fate = pyd_fate_of(p->pid, th->e.t.tid, sig);
	if (fate == PYD_FATE_HANDLED)
		return;
	if (p->job) {
		/* That dump has this thread, too. */
		th->parked = true;
		return;
	}
	/* After faulthandler's the same comes again. */
	if (p->reported)
		return;
	snprintf(what, sizeof(what), "%s%s",
		 pyd_signal_name(sig) ? pyd_signal_name(sig) : "a signal",
		 fate == PYD_FATE_FAULTHANDLER ? " (faulthandler)" : "");
	if (fault)
		snprintf(what + strlen(what), sizeof(what) - strlen(what),
			 " at 0x%llx",
			 (unsigned long long)(uintptr_t)info->si_addr);
	j = begin(w, p, "signal", what);
	if (!j)
		return;
	p->reported = true;
	j->final = true;
	j->trigger.signo = sig;
	j->trigger.has_info = true;
	j->trigger.si_code = info->si_code;
	j->trigger.has_address = fault;
	j->trigger.address = fault ? (pyd_addr)(uintptr_t)info->si_addr : 0;
	j->trigger.faulthandler = fate == PYD_FATE_FAULTHANDLER;
	set_thread(j, th);
}

static void on_uncaught(struct tracer *w, struct pyd_watched_thread *th,
			const struct pyd_uncaught *u)
{
	char what[256];
	struct pyd_dumping *j;

	snprintf(what, sizeof(what), "%.128s in %s", u->type,
		 u->main ? "the main program" : "a thread");
	j = begin(w, th->p, "exception", what);
	if (!j)
		return;
	th->p->reported = th->p->reported || u->main;
	j->final = u->main;
	j->trigger.exception = u->value;
	snprintf(j->trigger.exception_type, sizeof(j->trigger.exception_type),
		 "%s", u->type);
	set_thread(j, th);
}

static void on_exit_code(struct tracer *w, struct pyd_watched_thread *th,
			 unsigned long status)
{
	struct pyd_watched *p = th->p;
	const int code = (int)(status >> 8 & 0xff);
	struct pyd_dumping *j;
	char what[64];

	/* A signal has been dumped before, or was not to be. */
	if (!(w->o->triggers & PYD_ON_EXIT) || !code || p->reported)
		return;
	snprintf(what, sizeof(what), "exit status %d", code);
	j = begin(w, p, "exit", what);
	if (!j)
		return;
	p->reported = true;
	j->final = true;
	j->trigger.has_status = true;
	j->trigger.status = code;
	set_thread(j, th);
}

/* Of the whole process, which goes on, or is killed. */
static void on_process(struct tracer *w, struct pyd_watched *p,
		       const char *kind, const char *what, bool kill)
{
	struct pyd_dumping *j = begin(w, p, kind, what);

	if (j)
		j->kill = kill;
	else if (kill && !p->job)
		kill_it(p);
	else if (kill)
		p->job->kill = true;
}

static void on_request(struct tracer *w)
{
	if (!(w->o->triggers & PYD_ON_REQUEST))
		return;
	for (struct pyd_watched *p = w->tree.first; p; p = p->next)
		if (!p->ended)
			on_process(w, p, "request", "asked for", false);
}

static void look_for_timeout(struct tracer *w, uint64_t now)
{
	char what[64];

	if (!(w->o->triggers & PYD_ON_TIMEOUT) || w->timed_out ||
	    now - w->began_ns < w->o->timeout_ns)
		return;
	w->timed_out = true;
	snprintf(what, sizeof(what), "it runs for %.1f s",
		 (double)w->o->timeout_ns / 1e9);
	for (struct pyd_watched *p = w->tree.first; p; p = p->next)
		if (!p->ended)
			on_process(w, p, "timeout", what, w->o->kill);
}

static void look_for_size(struct tracer *w, uint64_t now)
{
	if (!(w->o->triggers & PYD_ON_RSS) ||
	    now - w->rss_ns < RSS_LOOK_MS * MS)
		return;
	w->rss_ns = now;
	for (struct pyd_watched *p = w->tree.first; p; p = p->next) {
		struct pyd_proc_stat stat;
		struct pyd_err ignored;
		char what[64];

		if (p->ended || pyd_procfs_stat(p->pid, 0, &stat, &ignored))
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

static void guard(struct tracer *w, struct pyd_watched *p,
		  const struct pyd_hwbreak *slot)
{
	struct pyd_watched_thread *th = pyd_tree_thread(&w->tree, p->hang.tid);

	if (!th || th->p != p ||
	    (p->python.kinds[3] && p->python.kinds[3] != PYD_SLOT_PROGRESS))
		return;
	p->python.breaks[3] = *slot;
	p->python.kinds[3] = PYD_SLOT_PROGRESS;
	th->rearm = true;
	interrupt(th);
}

static void look_for_hang(struct tracer *w, uint64_t now)
{
	if (!(w->o->triggers & PYD_ON_HANG) ||
	    now - w->hang_ns < pyd_hang_period(w->o))
		return;
	w->hang_ns = now;
	for (struct pyd_watched *p = w->tree.first; p; p = p->next) {
		struct pyd_hwbreak slot = { 0 };
		char what[320];

		if (p->ended || p->job || p->python.state != PYD_PYTHON_READY)
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

/* -- what happens to threads -- */

/* One instruction on. False: something else came. */
static bool step(struct pyd_watched_thread *th)
{
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
	if (th->e.sig != SIGTRAP)
		return false;
	th->e.sig = 0;
	(void)pyd_arch_hwbreaks_hit(th->e.t.tid);
	return true;
}

static void on_hit(struct tracer *w, struct pyd_watched_thread *th,
		   unsigned int hits)
{
	struct pyd_watched *p = th->p;

	for (unsigned int i = 0; i < PYD_HWBREAKS; i++) {
		struct pyd_uncaught u = { 0 };
		struct pyd_regs regs;
		struct pyd_err ignored;
		bool changed = false;

		if (!(hits >> i & 1))
			continue;
		if (p->python.kinds[i] == PYD_SLOT_PROGRESS) {
			pyd_hang_progress(&p->hang);
			p->python.breaks[i].addr = 0;
			p->python.kinds[i] = PYD_SLOT_NONE;
			th->rearm = true;
			arm(w, th);
			continue;
		}
		if (p->python.kinds[i] == PYD_SLOT_EXIT) {
			if (!pyd_arch_get_regs(th->e.t.tid, &regs, &ignored))
				on_exit_code(w, th,
					     (pyd_arch_arg(&regs, 0) & 0xff)
						     << 8);
			continue;
		}
		for (int steps = 0; steps < STEPS_MAX; steps++) {
			u = (struct pyd_uncaught) { .steps = steps };
			if (pyd_python_hit(&p->python, i, th->e.t.tid,
					   &w->layouts, w->o, &u, &changed))
				on_uncaught(w, th, &u);
			if (!u.unsettled || !step(th))
				break;
		}
		if (!changed)
			continue;
		if (!pyd_arch_get_regs(th->e.t.tid, &regs, &ignored) &&
		    th->e.t.tid == p->pid)
			pyd_python_main(&p->python, &regs);
		rearm(w, p);
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

static void on_signal(struct tracer *w, struct pyd_watched_thread *th)
{
	if (th->e.sig == SIGTRAP && th->e.info.si_code == TRAP_HWBKPT) {
		unsigned int hits = pyd_arch_hwbreaks_hit(th->e.t.tid);

		/* Also one that was taken away a moment ago. */
		th->e.sig = 0;
		on_hit(w, th, hits);
		return;
	}
	complete_forward(th);
	if (forward(th))
		th->e.sig = 0;
	else
		on_fatal(w, th);
}

/* The memory is another, and all other threads are gone. */
static void on_exec(struct tracer *w, struct pyd_watched_thread *th)
{
	struct pyd_watched *p = th->p;

	for (size_t i = p->nthreads; i-- > 0;)
		if (p->threads[i] != th)
			pyd_tree_drop_thread(&w->tree, p->threads[i]);
	mark_armed(w, p->pid, false);
	p->hang = (struct pyd_hang) { 0 };
	p->reported = false;
	pyd_python_deinit(&p->python);
	if (wants_python(w))
		pyd_python_exec(&p->python, p->pid);
	arm(w, th);
}

/* The first stop of a thread or process that a tracee made. */
static struct pyd_watched_thread *on_new(struct tracer *w, pid_t tid)
{
	struct pyd_proc_status status;
	struct pyd_proc_stat stat;
	struct pyd_watched_thread *th;
	struct pyd_watched *p, *parent;
	struct pyd_regs regs;
	struct pyd_err ignored;

	if (pyd_procfs_status(tid, 0, &status, &ignored))
		return NULL;
	p = pyd_tree_process(&w->tree, status.tgid);
	if (!p) {
		p = pyd_tree_add(&w->tree, status.tgid);
		if (!p)
			return NULL;
		parent = pyd_procfs_stat(tid, 0, &stat, &ignored)
				 ? NULL
				 : pyd_tree_process(&w->tree, stat.ppid);
		if (parent && wants_python(w) &&
		    !pyd_arch_get_regs(tid, &regs, &ignored) &&
		    !pyd_arch_is_vfork(&regs))
			pyd_python_fork(&p->python, &parent->python, p->pid,
					&regs, w->o);
	}
	th = pyd_tree_add_thread(&w->tree, p, tid);
	if (th)
		arm(w, th);
	return th;
}

static void on_stop(struct tracer *w, pid_t tid, int status)
{
	struct pyd_watched_thread *th = pyd_tree_thread(&w->tree, tid);
	unsigned long message = 0;
	struct pyd_regs regs;
	struct pyd_err ignored;

	if (!th)
		th = on_new(w, tid);
	if (!th) {
		(void)ptrace(PTRACE_CONT, tid, NULL, NULL);
		return;
	}
	pyd_tracee_note(&th->e, false, status);
	switch (status >> 16) {
	case 0:
		on_signal(w, th);
		break;
	case PTRACE_EVENT_EXEC:
		on_exec(w, th);
		break;
	case PTRACE_EVENT_EXIT:
		if (!ptrace(PTRACE_GETEVENTMSG, tid, NULL, &message))
			on_exit_code(w, th, message);
		break;
	case PTRACE_EVENT_STOP:
		if (!th->rearm)
			break;
		if (tid == th->p->pid && !th->p->python.main_tstate &&
		    !pyd_arch_get_regs(tid, &regs, &ignored))
			pyd_python_main(&th->p->python, &regs);
		arm(w, th);
		break;
	default:
		break;
	}
	if (th->e.state == PYD_TRACEE_GONE)
		pyd_tree_drop_thread(&w->tree, th);
	else
		go_on(th);
}

static void drain(struct tracer *w)
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
			mark_armed(w, th->p->pid, false);
		pyd_tree_drop_thread(&w->tree, th);
	}
}

/* -- beginning and end -- */

/* A thread that one of ours has made, which is still to report. */
static bool is_ours(pid_t pid, pid_t tid)
{
	struct pyd_proc_status status;
	struct pyd_err ignored;

	return !pyd_procfs_status(pid, tid, &status, &ignored) &&
	       status.tracer == getpid();
}

static enum pyd_code seize_all(struct tracer *w, struct pyd_watched *p,
			       struct pyd_err *err)
{
	struct pyd_process process;
	bool found = true;
	enum pyd_code code = pyd_process_open(p->pid, &process, err);

	if (code)
		return code;
	code = pyd_process_access(&process, err);
	if (!code)
		code = pyd_process_untraced(&process, err);
	for (int i = 0; !code && found && i < TASKS_ROUNDS; i++) {
		struct pyd_vec tids = { 0 };

		found = false;
		code = pyd_procfs_tasks(p->pid, &tids, err);
		for (size_t k = 0; !code && k < tids.len; k++) {
			pid_t tid = (pid_t)tids.data[k];

			if (pyd_tree_thread(&w->tree, tid))
				continue;
			if (ptrace(PTRACE_SEIZE, tid, NULL,
				   (void *)w->options)) {
				if (errno != ESRCH && !is_ours(p->pid, tid))
					code = pyd_process_explain(&process,
								   errno, err);
				continue;
			}
			found = true;
			if (!pyd_tree_add_thread(&w->tree, p, tid))
				code = pyd_err_set(err, PYD_NOMEM,
						   "out of memory");
		}
		pyd_vec_deinit(&tids);
	}
	if (!code && !p->nthreads)
		code = pyd_err_set(err, PYD_GONE, "process %d has ended",
				   p->pid);
	pyd_process_close(&process);
	return code;
}

static enum pyd_code begin_all(struct tracer *w,
			       const struct pyd_tracer_job *job,
			       struct pyd_err *err)
{
	enum pyd_code code =
		pyd_layouts_load(w->o->snapshot->offsets, &w->layouts, err);

	for (size_t i = 0; i < job->n && !code; i++) {
		struct pyd_watched *p = pyd_tree_add(&w->tree, job->pids[i]);
		struct pyd_err why = { 0 };

		if (!p)
			return pyd_err_set(err, PYD_NOMEM, "out of memory");
		pyd_program_name(p->pid, p->name, sizeof(p->name));
		code = seize_all(w, p, err);
		if (code || job->starts)
			continue;
		if (pyd_python_find(&p->python, p->pid, &w->layouts, w->o,
				    &why))
			pyd_log_notice("%s (%d) is watched, though: %s",
				       p->name, p->pid, why.msg);
		else if (wants_python(w))
			rearm(w, p);
	}
	return code;
}

static void on_resumed(void *ctx)
{
	(void)ctx;
}

/* Breakpoints outlive us: they are taken away. Then our end lets go. */
static void let_go(struct pyd_watched *p)
{
	struct pyd_process process;
	const struct pyd_fork none = { 0 };
	struct pyd_tracee *v;
	struct pyd_err ignored;

	if (!p->nthreads || pyd_process_open(p->pid, &process, &ignored))
		return;
	v = calloc(p->nthreads, sizeof(*v));
	for (size_t i = 0; v && i < p->nthreads; i++) {
		v[i] = p->threads[i]->e;
		if (v[i].state == PYD_TRACEE_STOPPED &&
		    pyd_arch_set_hwbreaks(v[i].t.tid, NULL, &ignored))
			pyd_log_debug("%s", ignored.msg);
	}
	if (v)
		pyd_tracees_resume(&process, v, p->nthreads, &none, on_resumed,
				   NULL);
	free(v);
	pyd_process_close(&process);
}

static void end_all(struct tracer *w)
{
	uint64_t deadline = pyd_now_ns() + HOLD_MS * MS;
	bool pending = true;

	for (struct pyd_watched *p = w->tree.first; p; p = p->next) {
		p->hold = true;
		for (size_t i = 0; i < p->nthreads; i++)
			interrupt(p->threads[i]);
	}
	while (pending && pyd_now_ns() < deadline) {
		const struct timespec pause = { 0, 100000 };

		pending = false;
		drain(w);
		for (struct pyd_watched *p = w->tree.first; p; p = p->next)
			for (size_t i = 0; i < p->nthreads; i++)
				pending |= p->threads[i]->e.state ==
					   PYD_TRACEE_RUNS;
		if (pending)
			nanosleep(&pause, NULL);
	}
	for (struct pyd_watched *p = w->tree.first; p; p = p->next)
		let_go(p);
}

/* Until something is due without an event; 0: nothing is. */
static uint64_t next_look(const struct tracer *w, uint64_t now)
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
	for (const struct pyd_dumping *j = w->jobs; j; j = j->next)
		if (j->p->hold && now + HOLD_LOOK_MS * MS < at)
			at = now + HOLD_LOOK_MS * MS;
	if (at == UINT64_MAX)
		return 0;
	return at > now ? at - now : 1;
}

static void wait_for_signal(struct tracer *w)
{
	uint64_t ns = next_look(w, pyd_now_ns());
	struct timespec pause = { (time_t)(ns / 1000000000U),
				  (long)(ns % 1000000000U) };
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR2);
	sig = ns ? sigtimedwait(&set, NULL, &pause) : sigwaitinfo(&set, NULL);
	if (sig == SIGTERM)
		w->ending = true;
	else if (sig == SIGUSR2)
		on_request(w);
}

static void serve(struct tracer *w)
{
	for (;;) {
		uint64_t now;

		drain(w);
		serve_jobs(w);
		pyd_tree_sweep(&w->tree);
		if (!w->jobs && (w->ending || !w->tree.n))
			return;
		wait_for_signal(w);
		if (w->ending)
			continue;
		now = pyd_now_ns();
		look_for_timeout(w, now);
		look_for_size(w, now);
		look_for_hang(w, now);
	}
}

int pyd_tracer_main(const struct pyd_tracer_job *job)
{
	const struct pyd_watch_options *o = job->o;
	struct tracer w = {
		.o = o,
		.budget.o = o,
		.armed = job->armed,
		.began_ns = pyd_now_ns(),
		.options = PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC |
			   (o->follow ? PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK
				      : 0) |
			   (o->triggers & PYD_ON_EXIT ? PTRACE_O_TRACEEXIT : 0),
	};
	struct pyd_err err = { 0 };
	enum pyd_code code = begin_all(&w, job, &err);

	if (!code)
		err.msg[0] = '\0';
	if (write(job->ready_fd, err.msg, strlen(err.msg) + 1) < 0)
		pyd_log_debug("%s", strerror(errno));
	close(job->ready_fd);
	if (!code) {
		serve(&w);
		end_all(&w);
	}
	pyd_budget_deinit(&w.budget);
	pyd_layouts_deinit(&w.layouts);
	pyd_tree_deinit(&w.tree);
	return code ? 1 : 0;
}
