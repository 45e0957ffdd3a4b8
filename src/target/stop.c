// SPDX-License-Identifier: Apache-2.0
#include "target/stop.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/map.h"

#define DEFAULT_TIMEOUT_MS 5000U
#define RELEASE_TIMEOUT_NS 200000000U
#define SIGNAL_TIMEOUT_NS 5000000U

enum tracee_state {
	TRACEE_SEIZED,	/* ours, running */
	TRACEE_STOPPED, /* ours, in a ptrace stop */
	TRACEE_DYING,	/* killed, not reaped yet */
	TRACEE_GONE,	/* ended, or let go */
};

struct tracee {
	struct pyd_thread t;
	enum tracee_state state;
	int sig; /* to deliver when it is let go; 0: none */
};

struct pyd_stop {
	const struct pyd_process *p;
	struct tracee *v;
	size_t n;
	size_t cap;
	struct pyd_map known; /* tid -> 1 */
	struct pyd_threads threads;
	uint64_t begin_ns;
	uint64_t end_ns;
	uint64_t timeout_ns;
	uint64_t deadline_ns; /* from the first interrupt on */
	int old_nice;
	uint8_t released;
};

static void nap(uint64_t ns)
{
	struct timespec ts = { 0, (long)ns };

	nanosleep(&ts, NULL);
}

/* -- what /proc says about a thread -- */

static bool describe(const struct pyd_process *p, pid_t tid,
		     struct pyd_thread *ret)
{
	struct pyd_thread t = { .tid = tid, .ns_tid = tid, .state = '?' };
	struct pyd_proc_status status;
	struct pyd_proc_stat stat;
	struct pyd_err ignored;

	if (pyd_procfs_stat(p->pid, tid, &stat, &ignored))
		return false;
	snprintf(t.comm, sizeof(t.comm), "%.19s", stat.comm);
	t.state = stat.state;
	if (p->other_pid_ns &&
	    !pyd_procfs_status(p->pid, tid, &status, &ignored) &&
	    status.n_ns_pids)
		t.ns_tid = status.ns_pids[status.n_ns_pids - 1];
	*ret = t;
	return true;
}

static int main_first(const void *a, const void *b)
{
	const struct pyd_thread *x = a;
	const struct pyd_thread *y = b;

	return (x->tid > y->tid) - (x->tid < y->tid);
}

/* Ids can wrap around, so that the main thread is not always the lowest. */
static void sort_threads(struct pyd_threads *t, pid_t pid)
{
	qsort(t->v, t->n, sizeof(*t->v), main_first);
	for (size_t i = 0; i < t->n; i++) {
		if (t->v[i].tid != pid)
			continue;

		struct pyd_thread first = t->v[i];

		memmove(t->v + 1, t->v, i * sizeof(*t->v));
		t->v[0] = first;
		break;
	}
}

enum pyd_code pyd_threads_list(const struct pyd_process *p,
			       struct pyd_threads *ret, struct pyd_err *err)
{
	struct pyd_vec tids = { 0 };
	struct pyd_threads t = { 0 };
	enum pyd_code code = pyd_procfs_tasks(p->pid, &tids, err);

	if (!code) {
		t.v = calloc(tids.len, sizeof(*t.v));
		if (!t.v)
			code = pyd_err_set(err, PYD_NOMEM, "out of memory");
	}
	for (size_t i = 0; !code && i < tids.len; i++)
		t.n += describe(p, (pid_t)tids.data[i], &t.v[t.n]);
	if (!code && !t.n)
		code = pyd_err_set(err, PYD_GONE, "process %d is gone", p->pid);
	pyd_vec_deinit(&tids);
	if (code) {
		pyd_threads_deinit(&t);
		return code;
	}
	sort_threads(&t, p->pid);
	*ret = t;
	return PYD_OK;
}

void pyd_threads_deinit(struct pyd_threads *t)
{
	free(t->v);
	*t = (struct pyd_threads) { 0 };
}

/* -- seizing -- */

static enum pyd_code add(struct pyd_stop *s, pid_t tid, struct pyd_err *err)
{
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 64;
		struct tracee *v = realloc(s->v, cap * sizeof(*v));

		if (!v)
			return pyd_err_set(err, PYD_NOMEM, "out of memory");
		s->v = v;
		s->cap = cap;
	}

	struct tracee *e = &s->v[s->n];

	*e = (struct tracee) { .state = TRACEE_GONE };
	if (!describe(s->p, tid, &e->t))
		return PYD_OK;

	enum pyd_code code = pyd_map_put(&s->known, (uint64_t)tid, 1, err);

	if (code)
		return code;
	s->n++;
	return PYD_OK;
}

static bool thread_is_dead(const struct pyd_process *p, pid_t tid)
{
	struct pyd_proc_stat stat;
	struct pyd_err ignored;

	return pyd_procfs_stat(p->pid, tid, &stat, &ignored) ||
	       stat.state == 'Z' || stat.state == 'X';
}

static enum pyd_code seize(struct pyd_stop *s, struct tracee *e,
			   struct pyd_err *err)
{
	/* No options: EXITKILL would make our death its death. */
	if (!ptrace(PTRACE_SEIZE, e->t.tid, NULL, NULL)) {
		e->state = TRACEE_SEIZED;
		return PYD_OK;
	}

	int e_num = errno;

	/* A thread that has ended: also the main thread, which stays as a
	 * zombie while others run on. Not an error. */
	if (e_num == ESRCH || thread_is_dead(s->p, e->t.tid))
		return PYD_OK;
	return pyd_process_explain(s->p, e_num, err);
}

/* Seizes threads that are not known yet, the main thread or all others;
 * *ret_new counts them. */
static enum pyd_code seize_new(struct pyd_stop *s, bool main, size_t *ret_new,
			       struct pyd_err *err)
{
	struct pyd_vec tids = { 0 };
	size_t first = s->n;
	enum pyd_code code = pyd_procfs_tasks(s->p->pid, &tids, err);

	for (size_t i = 0; !code && i < tids.len; i++) {
		uint64_t known;

		if (main == (tids.data[i] == (uint64_t)s->p->pid) &&
		    !pyd_map_get(&s->known, tids.data[i], &known))
			code = add(s, (pid_t)tids.data[i], err);
	}
	pyd_vec_deinit(&tids);
	for (size_t i = first; !code && i < s->n; i++)
		code = seize(s, &s->v[i], err);
	if (!code)
		*ret_new = s->n - first;
	return code;
}

/* All are asked before any is waited for: they stop side by side. */
static void interrupt_from(struct pyd_stop *s, size_t first)
{
	if (!s->begin_ns) {
		s->begin_ns = pyd_now_ns();
		s->deadline_ns = s->begin_ns + s->timeout_ns;
	}
	for (size_t i = first; i < s->n; i++)
		if (s->v[i].state == TRACEE_SEIZED &&
		    ptrace(PTRACE_INTERRUPT, s->v[i].t.tid, NULL, NULL))
			s->v[i].state = TRACEE_DYING;
}

/* Looks once whether a thread has stopped or ended. */
static void poll_tracee(struct tracee *e)
{
	int status;
	pid_t got;

	do
		got = waitpid(e->t.tid, &status, __WALL | WNOHANG);
	while (got < 0 && errno == EINTR);
	if (!got)
		return;
	if (got < 0 || WIFEXITED(status) || WIFSIGNALED(status)) {
		e->state = TRACEE_GONE;
		return;
	}
	if (!WIFSTOPPED(status))
		return;
	e->state = TRACEE_STOPPED;
	e->sig = 0;
	if (status >> 16 == PTRACE_EVENT_STOP) {
		/* SIGTRAP: our interrupt. A stop signal: job control had
		 * stopped it, and the kernel resumes that stop after the
		 * detach. */
		if (WSTOPSIG(status) != SIGTRAP)
			e->t.in_job_stop = 1;
	} else if (!(status >> 16)) {
		/* A signal is about to be delivered. It stays with the
		 * thread (siginfo too) and goes on its way at the detach. */
		e->sig = WSTOPSIG(status);
	}
}

static enum pyd_code late(const struct pyd_stop *s, struct pyd_err *err)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct tracee *e = &s->v[i];
		struct pyd_thread now;

		if (e->state != TRACEE_SEIZED)
			continue;
		if (!describe(s->p, e->t.tid, &now))
			now = e->t;
		return pyd_err_set(
			err, PYD_BUSY,
			"thread %d (%s) of process %d did not stop in time; "
			"its state is %c%s; try again later, or use "
			"--capture=live",
			e->t.tid, e->t.comm, s->p->pid, now.state,
			now.state == 'D'
				? ", it waits in the kernel (a disk, a network "
				  "file system, vfork) and cannot be stopped"
				: "");
	}
	return pyd_err_set(err, PYD_BUSY,
			   "process %d starts threads faster than they can be "
			   "stopped; try again, or use --capture=live",
			   s->p->pid);
}

static enum pyd_code wait_from(struct pyd_stop *s, size_t first,
			       struct pyd_err *err)
{
	uint64_t pause = 20000;

	for (;;) {
		size_t pending = 0;

		for (size_t i = first; i < s->n; i++) {
			if (s->v[i].state == TRACEE_SEIZED)
				poll_tracee(&s->v[i]);
			pending += s->v[i].state == TRACEE_SEIZED;
		}
		if (!pending)
			return PYD_OK;
		if (pyd_interrupted)
			return pyd_err_set(err, PYD_INTERRUPTED, "interrupted");
		if (pyd_now_ns() > s->deadline_ns)
			return late(s, err);
		/* The threads need the processor to come to a stop. */
		nap(pause);
		pause = pause < 1000000 ? pause * 3 / 2 : pause;
	}
}

/*
 * The main thread comes last. The kernel gives it the signals that are sent to
 * the process, unless it is stopped: then some other thread gets them, and a
 * Python whose main thread waits in a system call would not run its handler
 * before that call returns.
 */
static enum pyd_code stop_rounds(struct pyd_stop *s, struct pyd_err *err)
{
	enum { OTHERS, MAIN, LATECOMERS } round = OTHERS;

	for (;;) {
		size_t first = s->n;
		size_t found;
		enum pyd_code code = seize_new(s, round == MAIN, &found, err);

		if (code)
			return code;
		/* Threads that run can start others; when all have stopped
		 * and none is new, there are no more. */
		if (!found && round == LATECOMERS)
			return PYD_OK;
		if (round != LATECOMERS)
			round++;
		if (!found)
			continue;
		interrupt_from(s, first);
		if (pyd_now_ns() > s->deadline_ns)
			return late(s, err);
		code = wait_from(s, first, err);
		if (code)
			return code;
	}
}

static enum pyd_code save_registers(struct pyd_stop *s, struct pyd_err *err)
{
	struct pyd_threads *t = &s->threads;

	t->v = calloc(s->n ? s->n : 1, sizeof(*t->v));
	if (!t->v)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	for (size_t i = 0; i < s->n; i++) {
		struct tracee *e = &s->v[i];

		if (e->state != TRACEE_STOPPED)
			continue;

		enum pyd_code code =
			pyd_arch_get_regs(e->t.tid, &e->t.regs, err);

		if (code == PYD_GONE) { /* SIGKILL ends ptrace stops */
			e->state = TRACEE_DYING;
			continue;
		}
		if (code)
			return code;
		t->v[t->n++] = e->t;
	}
	if (!t->n)
		return pyd_err_set(err, PYD_GONE, "process %d has ended",
				   s->p->pid);
	sort_threads(t, s->p->pid);
	return PYD_OK;
}

/*
 * Ahead of others while the target stands: a hundred busy threads of it would
 * else leave us a hundredth of the processor. Of this thread only, and only
 * where we may.
 */
static void hurry(struct pyd_stop *s)
{
	s->old_nice = getpriority(PRIO_PROCESS, 0);
	(void)setpriority(PRIO_PROCESS, 0, -20);
}

static void calm_down(const struct pyd_stop *s)
{
	(void)setpriority(PRIO_PROCESS, 0, s->old_nice);
}

enum pyd_code pyd_stop_all(const struct pyd_process *p,
			   const struct pyd_stop_options *opts,
			   struct pyd_stop **ret, struct pyd_err *err)
{
	unsigned int ms = opts && opts->timeout_ms ? opts->timeout_ms
						   : DEFAULT_TIMEOUT_MS;
	enum pyd_code code = pyd_process_untraced(p, err);

	if (code)
		return code;

	struct pyd_stop *s = calloc(1, sizeof(*s));

	if (!s)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	s->p = p;
	s->timeout_ns = (uint64_t)ms * 1000000U;
	hurry(s);
	code = stop_rounds(s, err);
	/* What is traced cannot be recycled any more: now it is certain. */
	if (!code)
		code = pyd_process_check(p, err);
	if (!code)
		code = save_registers(s, err);
	if (code) {
		pyd_stop_destroy(s);
		return code;
	}
	pyd_log_debug("stopped %zu threads in %.1f ms", s->threads.n,
		      (double)(pyd_now_ns() - s->begin_ns) / 1e6);
	*ret = s;
	return PYD_OK;
}

const struct pyd_threads *pyd_stop_threads(const struct pyd_stop *s)
{
	return &s->threads;
}

uint64_t pyd_stop_begin_ns(const struct pyd_stop *s)
{
	return s->begin_ns;
}

uint64_t pyd_stop_end_ns(const struct pyd_stop *s)
{
	return s->end_ns;
}

static void detach(struct tracee *e)
{
	if (!ptrace(PTRACE_DETACH, e->t.tid, NULL, (void *)(intptr_t)e->sig))
		e->state = TRACEE_GONE;
	else
		e->state = TRACEE_DYING;
}

/*
 * Whether another thread could still be given a signal that is meant for the
 * main one, which was let go: such a signal waits, or the main thread has not
 * run yet. Until it has, the kernel takes it for busy with a signal.
 */
static bool main_unsettled(const struct pyd_stop *s, const struct tracee *e)
{
	struct pyd_proc_status status;
	struct pyd_proc_stat stat;
	struct pyd_err ignored;

	if (pyd_procfs_status(s->p->pid, s->p->pid, &status, &ignored) ||
	    pyd_procfs_stat(s->p->pid, s->p->pid, &stat, &ignored))
		return false;
	return status.sig_pending & status.sig_caught & ~status.sig_blocked ||
	       (e->t.state == 'S' && (stat.state == 'R' || stat.state == 't'));
}

/* Lets the main thread go first, and a moment before the others. */
static void release_main(struct pyd_stop *s)
{
	uint64_t deadline = pyd_now_ns() + SIGNAL_TIMEOUT_NS;

	for (size_t i = 0; i < s->n; i++) {
		struct tracee *e = &s->v[i];

		if (e->t.tid != s->p->pid || e->state != TRACEE_STOPPED)
			continue;
		detach(e);
		while (s->n > 1 && !e->t.in_job_stop && main_unsettled(s, e) &&
		       pyd_now_ns() < deadline)
			nap(20000);
		return;
	}
}

void pyd_stop_release(struct pyd_stop *s)
{
	uint64_t deadline = pyd_now_ns() + RELEASE_TIMEOUT_NS;
	size_t pending;

	if (s->released)
		return;
	s->released = 1;
	release_main(s);
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].state == TRACEE_STOPPED)
			detach(&s->v[i]);
	s->end_ns = pyd_now_ns();

	/* The stragglers: threads that were asked to stop and did not yet
	 * (only a stopped one can be detached), and threads that were killed,
	 * which stay zombies until their tracer has waited for them. What is
	 * left at the end the kernel lets go when we exit. */
	do {
		pending = 0;
		for (size_t i = 0; i < s->n; i++) {
			struct tracee *e = &s->v[i];

			if (e->state == TRACEE_SEIZED ||
			    e->state == TRACEE_DYING)
				poll_tracee(e);
			if (e->state == TRACEE_STOPPED)
				detach(e);
			pending += e->state != TRACEE_GONE;
		}
		if (pending)
			nap(500000);
	} while (pending && pyd_now_ns() < deadline);
	calm_down(s);
	if (pending)
		pyd_log_debug("%zu threads of %d are let go when pydumpd ends",
			      pending, s->p->pid);
}

void pyd_stop_destroy(struct pyd_stop *s)
{
	if (!s)
		return;
	pyd_stop_release(s);
	pyd_map_deinit(&s->known);
	pyd_threads_deinit(&s->threads);
	free(s->v);
	free(s);
}
