// SPDX-License-Identifier: Apache-2.0
/*
 * Letting a stopped process go without a trace in what it sees of signals.
 *
 * A thread that leaves a ptrace stop takes with it any signal that waits for
 * the process as a whole, though the kernel would rather give it to the main
 * thread. In Python that matters: another thread only notes the signal, and a
 * main thread that sleeps in a system call does not run the handler before
 * that call returns. Detaching needs a stop, and so has this gap.
 *
 * So threads are not detached. They are let run while still traced, and what
 * another thread takes meanwhile goes to the main thread instead, as it was.
 * When all are on their way, the tracer thread ends, by which the kernel lets
 * running threads go without a stop.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "target/fork.h"
#include "target/tracee.h"

#define SETTLE_TIMEOUT_NS 300000000U
/* After this long nothing is forwarded any more: what was must arrive. */
#define FORWARD_TIMEOUT_NS 100000000U
/* A thread that can collect the snapshot may have to wake up first. */
#define COLLECT_TIMEOUT_NS 5000000000U

enum { MAX_FORWARDS = 64 };

struct release {
	const struct pyd_process *p;
	struct pyd_tracee *v;
	size_t n;
	struct pyd_tracee *main; /* NULL: it has ended */
	uint64_t main_blocks;	 /* signals; bit n - 1 for number n */
	uint64_t begin_ns;
	/* Sent to the main thread, which has not stopped with them yet. */
	siginfo_t forwards[MAX_FORWARDS];
	size_t nforwards;
};

void pyd_tracee_note(struct pyd_tracee *e, bool failed, int status)
{
	if (failed || WIFEXITED(status) || WIFSIGNALED(status)) {
		e->state = PYD_TRACEE_GONE;
		return;
	}
	if (!WIFSTOPPED(status))
		return;
	e->state = PYD_TRACEE_STOPPED;
	e->sig = 0;
	e->t.in_job_stop = 0;
	if (status >> 16 == PTRACE_EVENT_STOP) {
		/* SIGTRAP: our interrupt. A stop signal: job control had
		 * stopped it, and the kernel resumes that stop when it is
		 * not traced any more. */
		e->t.in_job_stop = WSTOPSIG(status) != SIGTRAP;
	} else if (!(status >> 16)) {
		/* A signal is about to be delivered. */
		e->sig = WSTOPSIG(status);
		memset(&e->info, 0, sizeof(e->info));
		(void)ptrace(PTRACE_GETSIGINFO, e->t.tid, NULL, &e->info);
	}
}

void pyd_tracee_poll(struct pyd_tracee *e)
{
	int status;
	pid_t got;

	do
		got = waitpid(e->t.tid, &status, __WALL | WNOHANG);
	while (got < 0 && errno == EINTR);
	if (got)
		pyd_tracee_note(e, got < 0, status);
}

bool pyd_tracee_restart(struct pyd_tracee *e, bool interrupt)
{
	int status;
	pid_t got;

	if ((interrupt && ptrace(PTRACE_INTERRUPT, e->t.tid, NULL, NULL)) ||
	    ptrace(PTRACE_CONT, e->t.tid, NULL, NULL)) {
		e->state = PYD_TRACEE_DYING;
		return false;
	}
	do
		got = waitpid(e->t.tid, &status, __WALL);
	while (got < 0 && errno == EINTR);
	pyd_tracee_note(e, got < 0, status);
	return e->state == PYD_TRACEE_STOPPED;
}

static void let_run(struct pyd_tracee *e, int sig)
{
	e->sig = 0;
	e->state = ptrace(PTRACE_CONT, e->t.tid, NULL, (void *)(intptr_t)sig)
			   ? PYD_TRACEE_DYING
			   : PYD_TRACEE_RUNS;
}

bool pyd_signal_is_for_process(int sig, const siginfo_t *info)
{
	switch (sig) {
	case SIGSEGV:
	case SIGBUS:
	case SIGFPE:
	case SIGILL:
	case SIGTRAP:
	case SIGSYS:
		return info->si_code == SI_USER;
	case SIGCHLD:
		return info->si_code != SI_TKILL;
	default:
		return info->si_code == SI_USER || info->si_code == SI_QUEUE ||
		       info->si_code == SI_KERNEL;
	}
}

/* Gives the signal that e is stopped with to the main thread. */
static bool forward(struct release *r, const struct pyd_tracee *e)
{
	if (!r->main || e == r->main || r->main->state == PYD_TRACEE_GONE ||
	    r->nforwards == MAX_FORWARDS ||
	    !pyd_signal_is_for_process(e->sig, &e->info) ||
	    r->main_blocks >> (e->sig - 1) & 1 ||
	    pyd_now_ns() - r->begin_ns > FORWARD_TIMEOUT_NS ||
	    syscall(SYS_tgkill, r->p->pid, r->p->pid, e->sig))
		return false;
	r->forwards[r->nforwards++] = e->info;
	return true;
}

/* The main thread is stopped with a signal: is it one that we sent? Then it
 * gets the information of the original. */
static void complete_forward(struct release *r)
{
	struct pyd_tracee *m = r->main;

	/* Our id is 0 where the target's PID namespace does not have us. */
	if (m->info.si_code != SI_TKILL ||
	    m->info.si_pid != (r->p->other_pid_ns ? 0 : getpid()))
		return;
	for (size_t i = 0; i < r->nforwards; i++) {
		if (r->forwards[i].si_signo != m->sig)
			continue;
		(void)ptrace(PTRACE_SETSIGINFO, m->t.tid, NULL,
			     &r->forwards[i]);
		r->nforwards--;
		memmove(&r->forwards[i], &r->forwards[i + 1],
			(r->nforwards - i) * sizeof(r->forwards[0]));
		return;
	}
}

/* A stop of a thread that was let run, or is to be. */
static void serve(struct release *r, struct pyd_tracee *e)
{
	if (e->t.in_job_stop) {
		/* It waits for SIGCONT, and tells it. */
		e->settled = true;
		e->state = ptrace(PTRACE_LISTEN, e->t.tid, NULL, NULL)
				   ? PYD_TRACEE_DYING
				   : PYD_TRACEE_RUNS;
		return;
	}
	if (e->sig && e == r->main)
		complete_forward(r);
	let_run(e, e->sig && forward(r, e) ? 0 : e->sig);
}

static uint64_t run_time_of(const struct pyd_process *p, pid_t tid)
{
	struct pyd_buf buf = { 0 };
	struct pyd_err ignored;
	unsigned long long ns = 0;
	char name[64];

	snprintf(name, sizeof(name), "task/%d/schedstat", tid);
	if (pyd_procfs_read(p->pid, name, 4096, &buf, &ignored) ||
	    sscanf((const char *)buf.data, "%llu", &ns) != 1)
		ns = 0;
	pyd_buf_deinit(&buf);
	return ns;
}

/* It sleeps again, or has run for a while. */
static bool has_settled(const struct pyd_process *p, struct pyd_tracee *e)
{
	struct pyd_proc_stat stat;
	struct pyd_err ignored;
	uint64_t now;

	if (pyd_procfs_stat(p->pid, e->t.tid, &stat, &ignored))
		return true;
	if (stat.state == 't')
		return false;
	if (stat.state != 'R')
		return true;
	now = run_time_of(p, e->t.tid);
	if (!e->run_time)
		e->run_time = now;
	return now != e->run_time;
}

/* One look at each thread. Gives how many are not yet on their way, and
 * whether any had stopped. */
static size_t look(struct release *r, bool *ret_any)
{
	size_t pending = 0;

	*ret_any = false;
	for (size_t i = 0; i < r->n; i++) {
		struct pyd_tracee *e = &r->v[i];

		if (e->state == PYD_TRACEE_GONE)
			continue;
		pyd_tracee_poll(e);
		if (e->state == PYD_TRACEE_STOPPED) {
			serve(r, e);
			*ret_any = true;
		}
		if (e->state == PYD_TRACEE_RUNS && !e->settled)
			e->settled = has_settled(r->p, e);
		pending += e->state == PYD_TRACEE_DYING ||
			   (e->state == PYD_TRACEE_RUNS && !e->settled);
	}
	return pending + r->nforwards;
}

static void watch(struct release *r)
{
	uint64_t pause = 20000;
	bool once_more = true;

	while (pyd_now_ns() - r->begin_ns < SETTLE_TIMEOUT_NS) {
		bool any;
		size_t pending = look(r, &any);

		if (any) {
			/* Signals come one at a time, each with a stop. */
			pause = 20000;
			once_more = true;
			continue;
		}
		if (!pending && !once_more)
			return;
		/* A thread may have stopped with a signal after it was asked
		 * and before its state was looked at. */
		once_more = pending;
		if (!pending)
			continue;
		nanosleep(&(struct timespec) { 0, (long)pause }, NULL);
		pause = pause < 1000000 ? pause * 3 / 2 : pause;
	}
	pyd_log_debug("not all threads of %d went on in time", r->p->pid);
}

/* -- with a forked snapshot -- */

/* Until the snapshot has ended. Signals of the target stop it for a moment
 * each, as long as it is traced. */
static void serve_until(struct release *r, pid_t snapshot)
{
	for (;;) {
		int status;
		pid_t got = waitpid(-1, &status, __WALL | __WNOTHREAD);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 || (got == snapshot && !WIFSTOPPED(status)))
			return;
		for (size_t i = 0; i < r->n; i++) {
			if (r->v[i].t.tid != got)
				continue;
			pyd_tracee_note(&r->v[i], false, status);
			if (r->v[i].state == PYD_TRACEE_STOPPED)
				serve(r, &r->v[i]);
			break;
		}
	}
}

static bool is_asleep(const struct release *r, const struct pyd_tracee *e)
{
	struct pyd_proc_stat stat;
	struct pyd_err ignored;

	return pyd_procfs_stat(r->p->pid, e->t.tid, &stat, &ignored) ||
	       stat.state == 'D';
}

/* Some thread stopped, in which a call can be made; NULL when there is none. */
static struct pyd_tracee *stop_one(struct release *r,
				   const struct pyd_fork *snapshot)
{
	uint64_t begin = pyd_now_ns();
	struct pyd_err ignored;

	for (size_t i = 0; i < r->n; i++) {
		struct pyd_tracee *e = &r->v[i];

		if (e->state != PYD_TRACEE_RUNS || e->t.in_job_stop ||
		    is_asleep(r, e) ||
		    ptrace(PTRACE_INTERRUPT, e->t.tid, NULL, NULL))
			continue;
		while (e->state == PYD_TRACEE_RUNS &&
		       pyd_now_ns() - begin < SETTLE_TIMEOUT_NS) {
			pyd_tracee_poll(e);
			if (e->state == PYD_TRACEE_RUNS)
				nanosleep(&(struct timespec) { 0, 20000 },
					  NULL);
			else if (e->state == PYD_TRACEE_STOPPED && e->sig)
				serve(r, e); /* the interrupt comes next */
		}
		if (e->state != PYD_TRACEE_STOPPED)
			continue;
		if (!pyd_arch_get_regs(e->t.tid, &e->t.regs, NULL) &&
		    !pyd_fork_may(r->p, snapshot, e, &ignored))
			return e;
		serve(r, e);
	}
	return NULL;
}

static bool any_left(const struct release *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->v[i].state == PYD_TRACEE_RUNS ||
		    r->v[i].state == PYD_TRACEE_STOPPED)
			return true;
	return false;
}

static void collect(struct release *r, const struct pyd_fork *snapshot)
{
	uint64_t begin = pyd_now_ns();
	struct pyd_tracee *e = stop_one(r, snapshot);
	struct pyd_err err = { 0 };

	/* Of a process that has ended meanwhile, init collects it. */
	while (!e && any_left(r) && pyd_now_ns() - begin < COLLECT_TIMEOUT_NS) {
		bool ignored;

		nanosleep(&(struct timespec) { 0, 5000000 }, NULL);
		(void)look(r, &ignored);
		e = stop_one(r, snapshot);
	}
	if (!e) {
		pyd_log_debug("no thread of %d can collect the snapshot",
			      r->p->pid);
		return;
	}
	if (pyd_fork_reap(snapshot, e, &err))
		pyd_log_debug("%s", err.msg);
	r->begin_ns = pyd_now_ns();
	for (size_t i = 0; i < r->n; i++) {
		r->v[i].settled = &r->v[i] != e;
		r->v[i].run_time = 0;
	}
	if (e->state == PYD_TRACEE_STOPPED)
		serve(r, e);
	watch(r);
}

static void ask_main(struct release *r)
{
	struct pyd_proc_status status;
	struct pyd_err ignored;

	if (r->main &&
	    !pyd_procfs_status(r->p->pid, r->p->pid, &status, &ignored))
		r->main_blocks = status.sig_blocked;
}

/* Is there a signal that the main thread might be given? */
static bool has_signal(const struct release *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->v[i].state == PYD_TRACEE_STOPPED && r->v[i].sig &&
		    &r->v[i] != r->main)
			return true;
	return false;
}

void pyd_tracees_resume(const struct pyd_process *p, struct pyd_tracee *v,
			size_t n, const struct pyd_fork *snapshot,
			void (*resumed)(void *ctx), void *ctx)
{
	struct release r = {
		.p = p,
		.v = v,
		.n = n,
		.begin_ns = pyd_now_ns(),
	};
	bool early;

	for (size_t i = 0; i < n; i++)
		if (v[i].t.tid == p->pid && v[i].state != PYD_TRACEE_GONE)
			r.main = &v[i];
	early = has_signal(&r);
	if (early)
		ask_main(&r);

	/* The main thread first: it is likely to win. */
	if (r.main && r.main->state == PYD_TRACEE_STOPPED)
		serve(&r, r.main);
	for (size_t i = 0; i < n; i++)
		if (v[i].state == PYD_TRACEE_STOPPED)
			serve(&r, &v[i]);
	resumed(ctx);
	if (!early)
		ask_main(&r);
	watch(&r);
	if (!snapshot->child)
		return;
	serve_until(&r, snapshot->child);
	collect(&r, snapshot);
}
