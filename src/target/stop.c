// SPDX-License-Identifier: Apache-2.0
#include "target/stop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/map.h"
#include "base/pace.h"
#include "target/fork.h"
#include "target/tracee.h"

/* Threads that run and are not stopped wait for a processor: at nice 19 on a
 * machine with a load of ten a core that was more than 2 s. */
#define DEFAULT_TIMEOUT_MS 5000U
/* How long others stand still for one that sleeps in the kernel. */
#define ASLEEP_NS 100000000U
#define DETACH_TIMEOUT_NS 1000000000U

enum phase {
	PHASE_STOPPING,
	PHASE_STOPPED,
	PHASE_RELEASE, /* asked for by pyd_stop_release() */
	PHASE_RESUMED,
};

/*
 * ptrace belongs to a thread, so that one of our own does nothing else: it
 * stops the target, waits, lets it go, and ends, by which the kernel detaches
 * whatever is left, in any state.
 */
struct pyd_stop {
	const struct pyd_process *p;
	struct pyd_stop_options opts;
	/* Of the tracer thread until PHASE_STOPPED. */
	struct pyd_tracee *v;
	size_t n;
	size_t cap;
	struct pyd_map known; /* tid -> 1 */
	struct pyd_threads threads;
	uint64_t timeout_ns;
	uint64_t asleep_ns;   /* how long others stand still for one asleep */
	uint64_t deadline_ns; /* from the first interrupt on */
	uint64_t begin_ns;
	uint64_t end_ns;
	struct pyd_pace old; /* of the thread that asked for the stop */

	pthread_t tracer;
	bool started;
	pthread_mutex_t lock; /* of what follows, and end_ns */
	pthread_cond_t change;
	enum phase phase;
	bool expired;
	enum pyd_code code;
	struct pyd_err err;
	struct pyd_fork fork;
};

static void nap(uint64_t ns)
{
	struct timespec ts = { 0, (long)ns };

	nanosleep(&ts, NULL);
}

/* -- seizing -- */

static enum pyd_code add(struct pyd_stop *s, pid_t tid, struct pyd_err *err)
{
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 64;
		struct pyd_tracee *v = realloc(s->v, cap * sizeof(*v));

		if (!v)
			return pyd_err_set(err, PYD_NOMEM, "out of memory");
		s->v = v;
		s->cap = cap;
	}

	struct pyd_tracee *e = &s->v[s->n];

	*e = (struct pyd_tracee) { .state = PYD_TRACEE_GONE };
	if (!pyd_thread_describe(s->p, tid, &e->t))
		return PYD_OK;

	enum pyd_code code = pyd_map_put(&s->known, (uint64_t)tid, 1, err);

	if (code)
		return code;
	s->n++;
	return PYD_OK;
}

bool pyd_thread_has_ended(const struct pyd_process *p, pid_t tid)
{
	struct pyd_proc_stat stat;
	struct pyd_err ignored;

	return pyd_procfs_stat(p->pid, tid, &stat, &ignored) ||
	       stat.state == 'Z' || stat.state == 'X';
}

static enum pyd_code seize(struct pyd_stop *s, struct pyd_tracee *e,
			   struct pyd_err *err)
{
	/* No options: EXITKILL would make our death its death. */
	if (!ptrace(PTRACE_SEIZE, e->t.tid, NULL, NULL)) {
		e->state = PYD_TRACEE_RUNS;
		return PYD_OK;
	}

	int e_num = errno;

	/* A thread that has ended: also the main thread, which stays as a
	 * zombie while others run on. Not an error. */
	if (e_num == ESRCH || pyd_thread_has_ended(s->p, e->t.tid))
		return PYD_OK;
	return pyd_process_explain(s->p, e_num, err);
}

/* Seizes threads that are not known yet; *ret_new counts them. */
static enum pyd_code seize_new(struct pyd_stop *s, size_t *ret_new,
			       struct pyd_err *err)
{
	struct pyd_vec tids = { 0 };
	size_t first = s->n;
	enum pyd_code code = pyd_procfs_tasks(s->p->pid, &tids, err);

	for (size_t i = 0; !code && i < tids.len; i++) {
		uint64_t known;

		if (!pyd_map_get(&s->known, tids.data[i], &known))
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
		if (s->v[i].state == PYD_TRACEE_RUNS &&
		    ptrace(PTRACE_INTERRUPT, s->v[i].t.tid, NULL, NULL))
			s->v[i].state = PYD_TRACEE_DYING;
}

static enum pyd_code late(const struct pyd_stop *s, struct pyd_err *err)
{
	bool bounded = s->timeout_ns == s->opts.max_pause_ns;

	for (size_t i = 0; i < s->n; i++) {
		const struct pyd_tracee *e = &s->v[i];
		struct pyd_thread now;

		if (e->state != PYD_TRACEE_RUNS || e->t.asleep)
			continue;
		if (!pyd_thread_describe(s->p, e->t.tid, &now))
			now = e->t;
		return pyd_err_set(
			err, PYD_BUSY,
			"thread %d (%s) of process %d did not stop in time; "
			"its state is %c; %s, or use --capture=live",
			e->t.tid, e->t.comm, s->p->pid, now.state,
			bounded ? "allow more with --max-pause"
				: "try again later");
	}
	return pyd_err_set(err, PYD_BUSY,
			   "process %d starts threads faster than they can be "
			   "stopped; try again, or use --capture=live",
			   s->p->pid);
}

/* It sleeps where only its own business wakes it. When that comes it stops
 * before it runs any code of the program. */
static bool is_asleep(const struct pyd_stop *s, struct pyd_tracee *e)
{
	struct pyd_proc_stat stat;
	struct pyd_err ignored;

	if (pyd_now_ns() - s->begin_ns < s->asleep_ns ||
	    pyd_procfs_stat(s->p->pid, e->t.tid, &stat, &ignored) ||
	    stat.state != 'D')
		return false;
	e->t.asleep = 1;
	e->t.state = 'D';
	pyd_log_debug("thread %d (%s) sleeps in the kernel: not stopped",
		      e->t.tid, e->t.comm);
	return true;
}

static enum pyd_code wait_from(struct pyd_stop *s, size_t first,
			       struct pyd_err *err)
{
	uint64_t pause = 20000;

	for (;;) {
		size_t pending = 0;

		for (size_t i = first; i < s->n; i++) {
			struct pyd_tracee *e = &s->v[i];

			if (e->state != PYD_TRACEE_RUNS || e->t.asleep)
				continue;
			pyd_tracee_poll(e);
			pending +=
				e->state == PYD_TRACEE_RUNS && !is_asleep(s, e);
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

/* For what save_registers() gives, before any stands still: its pages too. */
static enum pyd_code make_room(struct pyd_stop *s, struct pyd_err *err)
{
	size_t bytes = (s->n + 1) * sizeof(*s->threads.v);
	struct pyd_thread *v = realloc(s->threads.v, bytes);

	if (!v)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	memset(v, 0, bytes);
	s->threads.v = v;
	return PYD_OK;
}

/* As many as have not ended, or not been waited for: none is new. */
static bool are_all_known(const struct pyd_stop *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += s->v[i].state != PYD_TRACEE_GONE;
	return n && pyd_procfs_count_tasks(s->p->pid) == n;
}

static enum pyd_code stop_rounds(struct pyd_stop *s, struct pyd_err *err)
{
	for (;;) {
		size_t first = s->n;
		size_t found;
		enum pyd_code code;

		if (first && are_all_known(s))
			return PYD_OK;
		code = seize_new(s, &found, err);
		/* What is traced cannot be recycled any more: now it is
		 * certain. */
		if (!code && !first)
			code = pyd_process_check(s->p, err);
		if (!code)
			code = make_room(s, err);
		if (code)
			return code;
		/* Threads that run can start others; when all have stopped
		 * and none is new, there are no more. */
		if (!found)
			return PYD_OK;
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

	for (size_t i = 0; i < s->n; i++) {
		struct pyd_tracee *e = &s->v[i];

		if (e->state == PYD_TRACEE_RUNS) {
			pyd_tracee_poll(e); /* it may have come since */
			if (e->state == PYD_TRACEE_RUNS)
				t->v[t->n++] = e->t;
		}
		if (e->state != PYD_TRACEE_STOPPED)
			continue;
		e->t.asleep = 0;

		enum pyd_code code =
			pyd_arch_get_regs(e->t.tid, &e->t.regs, err);

		if (code == PYD_GONE) { /* SIGKILL ends ptrace stops */
			e->state = PYD_TRACEE_DYING;
			continue;
		}
		if (code)
			return code;
		t->v[t->n++] = e->t;
	}
	if (!t->n)
		return pyd_err_set(err, PYD_GONE, "process %d has ended",
				   s->p->pid);
	pyd_threads_sort(t, s->p->pid);
	return PYD_OK;
}

static void disarm_all(struct pyd_stop *s)
{
	struct pyd_err why = { 0 };

	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].state == PYD_TRACEE_STOPPED &&
		    pyd_arch_set_hwbreaks(s->v[i].t.tid, NULL, &why))
			pyd_log_debug("%s", why.msg);
}

static void enter(struct pyd_stop *s, enum phase phase)
{
	pthread_mutex_lock(&s->lock);
	if (phase == PHASE_RESUMED)
		s->end_ns = pyd_now_ns();
	s->phase = phase;
	pthread_cond_broadcast(&s->change);
	pthread_mutex_unlock(&s->lock);
}

/* Until it is that phase or a later one. */
static void await(struct pyd_stop *s, enum phase phase)
{
	pthread_mutex_lock(&s->lock);
	while (s->phase < phase)
		pthread_cond_wait(&s->change, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

/* Until the release is asked for, or has to be. */
static void await_release(struct pyd_stop *s)
{
	const uint64_t until = s->begin_ns + s->opts.max_pause_ns;
	const struct timespec ts = { (time_t)(until / 1000000000U),
				     (long)(until % 1000000000U) };
	bool late = false;

	enter(s, PHASE_STOPPED);
	pthread_mutex_lock(&s->lock);
	while (s->phase < PHASE_RELEASE && !late)
		if (!s->opts.max_pause_ns)
			pthread_cond_wait(&s->change, &s->lock);
		else
			late = pthread_cond_timedwait(&s->change, &s->lock,
						      &ts) == ETIMEDOUT;
	s->expired = s->phase < PHASE_RELEASE;
	pthread_mutex_unlock(&s->lock);
}

/* All stand still. True: it is done, and they may go on at once. */
static bool work(struct pyd_stop *s)
{
	const struct pyd_stop_work *w = s->opts.work;

	if (!w)
		return false;
	if (w->fork) {
		s->fork.target = w->fork;
		s->fork.gadgets = *w->gadgets;
		s->code = pyd_fork_make(s->p, s->v, s->n, &s->fork, &s->err);
		if (s->code)
			return true;
	}
	return w->run(w->ctx, &s->threads, s->begin_ns, s->fork.child);
}

struct tracing {
	struct pyd_stop *s;
	struct pyd_pace old;
};

static void resumed(void *ctx)
{
	struct tracing *t = ctx;

	enter(t->s, PHASE_RESUMED);
	pyd_pace_restore(&t->old);
	if (t->s->fork.child)
		pyd_fork_settle(&t->s->fork);
}

static void *tracer(void *arg)
{
	struct pyd_stop *s = arg;
	struct tracing t = { .s = s };

	/* A hundred busy threads of the target, or others, would else leave us
	 * a hundredth of the processor. */
	pyd_pace_hurry(s->opts.work && s->opts.work->brief, &t.old);
	s->code = stop_rounds(s, &s->err);
	/* It may have replaced itself since. */
	if (!s->code)
		s->code = pyd_process_check_memory(s->p, &s->err);
	if (!s->code)
		s->code = save_registers(s, &s->err);
	if (s->opts.disarm)
		disarm_all(s);
	if (!s->code && !work(s))
		await_release(s);
	pyd_tracees_resume(s->p, s->v, s->n, &s->fork, resumed, &t);
	return NULL;
}

static enum pyd_code start_tracer(struct pyd_stop *s, struct pyd_err *err)
{
	sigset_t all;
	sigset_t old;
	int e;

	/* Signals are for the thread that looks at the flag they set. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	e = pthread_create(&s->tracer, NULL, tracer, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (e)
		return pyd_err_errno(err, PYD_NOMEM, e, "no thread to trace");
	s->started = true;
	return PYD_OK;
}

static enum pyd_code hold_by_owner(struct pyd_stop *s, struct pyd_err *err)
{
	const struct pyd_stop_work *w = s->opts.work;
	enum pyd_code code;

	if (w && w->fork)
		return pyd_err_set(err, PYD_UNSUPPORTED,
				   "process %d is watched, and cannot be "
				   "forked meanwhile",
				   s->p->pid);
	s->begin_ns = pyd_now_ns();
	code = s->opts.owner->hold(s->opts.owner->ctx, &s->threads, err);
	s->phase = code ? PHASE_RESUMED : PHASE_STOPPED;
	if (!code && w && w->run(w->ctx, &s->threads, s->begin_ns, 0))
		pyd_stop_release(s);
	return code;
}

enum pyd_code pyd_stop_all(const struct pyd_process *p,
			   const struct pyd_stop_options *opts,
			   struct pyd_stop **ret, struct pyd_err *err)
{
	unsigned int ms = opts && opts->timeout_ms ? opts->timeout_ms
						   : DEFAULT_TIMEOUT_MS;
	bool owned = opts && opts->owner;
	pthread_condattr_t attr;
	enum pyd_code code = owned ? PYD_OK : pyd_process_untraced(p, err);

	if (code)
		return code;

	struct pyd_stop *s = calloc(1, sizeof(*s));

	if (!s)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	s->p = p;
	if (opts)
		s->opts = *opts;
	s->timeout_ns = (uint64_t)ms * 1000000U;
	s->asleep_ns = ASLEEP_NS;
	if (s->opts.max_pause_ns) {
		if (s->opts.max_pause_ns < s->timeout_ns)
			s->timeout_ns = s->opts.max_pause_ns;
		if (s->opts.max_pause_ns / 4 < s->asleep_ns)
			s->asleep_ns = s->opts.max_pause_ns / 4;
	}
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->change, &attr);
	pthread_condattr_destroy(&attr);
	/* It works while they stand, as owner or when the tracer is done. */
	if (owned || !s->opts.work)
		pyd_pace_hurry(false, &s->old);
	code = owned ? hold_by_owner(s, err) : start_tracer(s, err);
	if (!code && !owned) {
		/* The tracer does not inherit that. */
		if (s->opts.work && s->opts.work->yields)
			pyd_pace_yield();
		await(s, PHASE_STOPPED);
		code = s->code;
		if (code && err)
			*err = s->err;
	}
	if (code) {
		pyd_stop_destroy(s);
		return code;
	}
	pyd_log_debug("stopped %zu threads", s->threads.n);
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

bool pyd_stop_expired(struct pyd_stop *s)
{
	bool expired;

	pthread_mutex_lock(&s->lock);
	expired = s->expired;
	pthread_mutex_unlock(&s->lock);
	return expired;
}

void pyd_stop_release(struct pyd_stop *s)
{
	if (s->opts.owner) {
		if (s->phase != PHASE_STOPPED)
			return;
		s->opts.owner->release(s->opts.owner->ctx);
		s->phase = PHASE_RESUMED;
		s->end_ns = pyd_now_ns();
		pyd_pace_restore(&s->old);
		return;
	}
	if (!s->started)
		return;
	pthread_mutex_lock(&s->lock);
	if (s->phase == PHASE_STOPPED) {
		s->phase = PHASE_RELEASE;
		pthread_cond_broadcast(&s->change);
	}
	pthread_mutex_unlock(&s->lock);
	await(s, PHASE_RESUMED);
	pyd_pace_restore(&s->old);
}

/* The end of a thread is seen a moment before the kernel has detached what it
 * traced. Another trace could begin right after. */
static void await_detached(const struct pyd_stop *s)
{
	uint64_t deadline = pyd_now_ns() + DETACH_TIMEOUT_NS;
	struct pyd_proc_status status;
	struct pyd_err ignored;

	while (pyd_now_ns() < deadline &&
	       !pyd_procfs_status(s->p->pid, 0, &status, &ignored) &&
	       status.tracer)
		nap(20000);
}

void pyd_stop_destroy(struct pyd_stop *s)
{
	if (!s)
		return;
	pyd_stop_release(s);
	if (s->started) {
		/* The tracer thread waits for its end. */
		if (s->fork.child)
			(void)kill(s->fork.child, SIGKILL);
		pthread_join(s->tracer, NULL);
		await_detached(s);
	}
	pyd_pace_restore(&s->old);
	pthread_cond_destroy(&s->change);
	pthread_mutex_destroy(&s->lock);
	pyd_map_deinit(&s->known);
	pyd_threads_deinit(&s->threads);
	free(s->v);
	free(s);
}
