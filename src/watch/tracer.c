// SPDX-License-Identifier: Apache-2.0
#include "watch/tracer.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "target/fork.h"
#include "walk/name.h"
#include "watch/arming.h"
#include "watch/dumping.h"
#include "watch/jobs.h"
#include "watch/stops.h"
#include "watch/triggers.h"

#define MS 1000000ULL

enum {
	END_MS = 5000,	  /* until all threads must have stopped */
	HOLD_LOOK_MS = 5, /* between looks at threads that do not stop */
	TASKS_ROUNDS = 100,
};

/* A thread that one of ours has made, which is still to report. */
static bool is_ours(pid_t pid, pid_t tid)
{
	struct pyd_proc_status status;
	struct pyd_err ignored;

	return !pyd_procfs_status(pid, tid, &status, &ignored) &&
	       status.tracer == getpid();
}

static enum pyd_code seize_all(struct pyd_tracing *w, struct pyd_watched *p,
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
				int e = errno;

				/* EPERM: also of one that is ending. */
				if (e != ESRCH && !is_ours(p->pid, tid) &&
				    !pyd_thread_has_ended(&process, tid))
					code = pyd_process_explain(&process, e,
								   err);
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

static enum pyd_code begin_all(struct pyd_tracing *w,
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
			pyd_log_notice("%s; it is watched all the same",
				       why.msg);
		else if (pyd_tracing_wants_python(w))
			pyd_arm_all(w, p);
	}
	return code;
}

static void on_resumed(void *ctx)
{
	(void)ctx;
}

/* Breakpoints in registers outlive us: they are taken away. Then our end lets
 * go. */
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

static void end_all(struct pyd_tracing *w)
{
	uint64_t deadline = pyd_now_ns() + END_MS * MS;
	bool pending = true;

	for (struct pyd_watched *p = w->tree.first; p; p = p->next) {
		p->hold = true;
		for (size_t i = 0; i < p->nthreads; i++)
			pyd_tree_close_events(p->threads[i]);
		pyd_tracing_interrupt_all(p);
	}
	while (pending && pyd_now_ns() < deadline) {
		const struct timespec pause = { 0, 100000 };

		pending = false;
		pyd_stops_drain(w);
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
static uint64_t next_look(const struct pyd_tracing *w)
{
	uint64_t at = pyd_triggers_next(w);
	bool holds = false;
	uint64_t now;

	for (const struct pyd_dumping *j = w->jobs; j; j = j->next)
		holds = holds || j->p->hold;
	if (at == UINT64_MAX && !holds)
		return 0;
	now = pyd_now_ns();
	if (holds && now + HOLD_LOOK_MS * MS < at)
		at = now + HOLD_LOOK_MS * MS;
	return at > now ? at - now : 1;
}

static void wait_for_signal(struct pyd_tracing *w)
{
	uint64_t ns = next_look(w);
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
		pyd_trigger_request(w);
}

static void serve(struct pyd_tracing *w)
{
	for (;;) {
		pyd_stops_drain(w);
		pyd_jobs_serve(w);
		pyd_tree_sweep(&w->tree);
		if (!w->jobs && (w->ending || !w->tree.n))
			return;
		wait_for_signal(w);
		if (w->ending)
			continue;
		pyd_triggers_look(w);
	}
}

int pyd_tracer_main(const struct pyd_tracer_job *job)
{
	const struct pyd_watch_options *o = job->o;
	struct pyd_tracing w = {
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
	enum pyd_code code;

	if (pyd_tracing_wants_python(&w))
		pyd_hwbreaker_init(&w.breaker);
	code = begin_all(&w, job, &err);
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
