// SPDX-License-Identifier: Apache-2.0
#include "child.h"
#include <errno.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "target/stop.h"

#define THREADS 20

static struct pyd_err err;

/* -- children -- */

struct worker {
	struct child *c;
	size_t i;
};

static void *work(void *arg)
{
	struct worker *w = arg;

	w->c->shared->self[w->i] = (uint64_t)pthread_self();
	for (;;) {
		w->c->shared->count[w->i]++;
		/* One busy, one often in the kernel, the others idle. */
		if (w->i)
			nap_ms(w->i == 1 ? 1 : 20);
	}
	return NULL;
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	extern struct shared *test_shared;

	(void)sig;
	(void)context;
	test_shared->sum += (uint64_t)info->si_value.sival_int;
	test_shared->signals++; /* last: it is waited for */
}

struct shared *test_shared;

static void work_in(struct child *c, size_t threads)
{
	struct worker *w = calloc(threads, sizeof(*w));
	struct sigaction sa = { .sa_sigaction = on_signal,
				.sa_flags = SA_SIGINFO };
	pthread_attr_t attr;
	pthread_t t;

	test_shared = c->shared;
	sigaction(SIGRTMIN, &sa, NULL);
	sigaction(SIGUSR1, &sa, NULL);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	for (size_t i = 0; i < threads; i++) {
		w[i] = (struct worker) { c, i };
		if (i && pthread_create(&t, &attr, work, &w[i]))
			_exit(72);
	}
	for (size_t i = 1; i < threads; i++)
		while (!c->shared->count[i])
			nap_ms(1);
	child_tell(c);
	work(&w[0]);
}

static void workers(struct child *c)
{
	work_in(c, THREADS);
}

static void *nothing(void *arg)
{
	return arg;
}

/* Threads come and go. */
static void churn(struct child *c)
{
	c->shared->count[0] = 1;
	child_tell(c);
	for (;;) {
		pthread_t t[8];

		for (int i = 0; i < 8; i++)
			if (pthread_create(&t[i], NULL, nothing, c))
				_exit(72);
		for (int i = 0; i < 8; i++)
			pthread_join(t[i], NULL);
		c->shared->count[0]++;
	}
}

static struct pyd_process opened(const struct child *c)
{
	struct pyd_process p;

	cr_assert_eq(pyd_process_open(c->pid, &p, &err), PYD_OK, "%s", err.msg);
	return p;
}

static struct pyd_stop *stopped(const struct pyd_process *p)
{
	struct pyd_stop *s = NULL;

	cr_assert_eq(pyd_stop_all(p, NULL, &s, &err), PYD_OK, "%s", err.msg);
	return s;
}

static char state_of(pid_t pid)
{
	struct pyd_proc_stat st;

	cr_assert_eq(pyd_procfs_stat(pid, 0, &st, &err), PYD_OK);
	return st.state;
}

static void wait_state(pid_t pid, char state)
{
	for (int i = 0; i < 5000 && state_of(pid) != state; i++)
		nap_ms(1);
	cr_assert_eq(state_of(pid), state, "state %c, not %c", state_of(pid),
		     state);
}

/* -- tests -- */

Test(stop, all_threads_stand_still_and_go_on, .timeout = 60)
{
	struct child c = child_start(workers);
	uint64_t before[THREADS];
	bool found[THREADS] = { 0 };

	child_listen(&c);

	struct pyd_process p = opened(&c);
	struct pyd_stop *s = stopped(&p);
	const struct pyd_threads *t = pyd_stop_threads(s);

	cr_assert_eq(t->n, THREADS);
	cr_expect_eq(t->v[0].tid, c.pid);
	for (size_t i = 0; i < THREADS; i++)
		before[i] = c.shared->count[i];
	nap_ms(50);
	for (size_t i = 0; i < THREADS; i++)
		cr_expect_eq(before[i], c.shared->count[i], "thread %zu ran",
			     i);
	/* Each thread is known by its pthread_self(). */
	for (size_t i = 0; i < t->n; i++) {
		cr_expect(t->v[i].regs.pc && t->v[i].regs.sp);
		for (size_t j = 0; j < THREADS; j++)
			found[j] |= pyd_arch_is_pthread_self(&t->v[i].regs,
							     c.shared->self[j]);
	}
	for (size_t j = 1; j < THREADS; j++)
		cr_expect(found[j], "thread %zu has no registers", j);
	cr_expect_eq(pyd_stop_end_ns(s), 0);
	pyd_stop_release(s);
	cr_expect_gt(pyd_stop_end_ns(s), pyd_stop_begin_ns(s));
	pyd_stop_release(s);
	cr_expect_eq(first_still(c.shared, THREADS), THREADS);
	pyd_stop_destroy(s);
	pyd_stop_destroy(NULL);
	pyd_process_close(&p);
	child_end(&c);
}

Test(stop, a_hundred_times, .timeout = 60)
{
	struct child c = child_start(workers);

	child_listen(&c);

	struct pyd_process p = opened(&c);

	for (int i = 0; i < 100; i++)
		pyd_stop_destroy(stopped(&p));
	cr_expect_eq(first_still(c.shared, THREADS), THREADS);
	cr_expect_neq(state_of(c.pid), 't');
	pyd_process_close(&p);
	child_end(&c);
}

/* Queued signals must arrive exactly once and with what they carry. */
Test(stop, signals_arrive, .timeout = 60)
{
	struct child c = child_start(workers);
	uint64_t sent = 0;
	uint64_t sum = 0;

	child_listen(&c);

	struct pyd_process p = opened(&c);
	/* Signals before, in and after stops, from another process. */
	pid_t sender = fork();

	if (!sender) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (int i = 1; i <= 2000; i++) {
			union sigval v = { .sival_int = i };

			while (sigqueue(c.pid, SIGRTMIN, v) && errno == EAGAIN)
				nap_ms(1);
			if (i % 16 == 0)
				nap_ms(1);
		}
		_exit(0);
	}
	for (int status; waitpid(sender, &status, WNOHANG) == 0;) {
		struct pyd_stop *s = stopped(&p);
		union sigval v = { .sival_int = 100000 };

		cr_assert_eq(sigqueue(c.pid, SIGRTMIN, v), 0);
		sent++;
		sum += 100000;
		pyd_stop_destroy(s);
	}
	sent += 2000;
	sum += 2000 * 2001 / 2;
	for (int i = 0; i < 5000 && c.shared->signals < sent; i++)
		nap_ms(1);
	cr_expect_eq(c.shared->signals, sent, "%lu of %lu signals",
		     (unsigned long)c.shared->signals, (unsigned long)sent);
	cr_expect_eq(c.shared->sum, sum);
	cr_expect_eq(first_still(c.shared, 1), 1);
	pyd_process_close(&p);
	child_end(&c);
}

static void on_one(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	test_shared->sum += (uint64_t)info->si_value.sival_int;
	if (syscall(SYS_gettid) != getpid())
		test_shared->count[100]++;
	test_shared->signals++;
}

/* The main thread sleeps in a system call; others are busy, or sleep. */
static void main_sleeps(struct child *c)
{
	static struct worker w[7];
	struct sigaction sa = { .sa_sigaction = on_one,
				.sa_flags = SA_SIGINFO };
	pthread_t t;

	test_shared = c->shared;
	sigaction(SIGRTMIN, &sa, NULL);
	for (size_t i = 0; i < 7; i++) {
		w[i] = (struct worker) { c, i };
		pthread_create(&t, NULL, work, &w[i]);
	}
	child_tell(c);
	for (;;)
		pause();
}

/* A signal to the process is the main thread's when that is idle; threads that
 * come out of a stop must not take it. */
Test(stop, signals_reach_the_main_thread, .timeout = 100)
{
	struct child c = child_start(main_sleeps);
	uint64_t sum = 0;
	pid_t tracer;

	child_listen(&c);
	tracer = fork();
	if (!tracer) {
		struct pyd_process p;
		struct pyd_stop *s;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (pyd_process_open(c.pid, &p, &err))
			_exit(1);
		while (!pyd_stop_all(&p, NULL, &s, &err)) {
			usleep((useconds_t)(rand() % 1000));
			pyd_stop_destroy(s);
			usleep((useconds_t)(rand() % 1000));
		}
		_exit(1);
	}
	for (int i = 1; i <= 500; i++) {
		union sigval v = { .sival_int = i };

		usleep((useconds_t)(rand() % 2000));
		cr_assert_eq(sigqueue(c.pid, SIGRTMIN, v), 0);
		sum += (uint64_t)i;
		for (int j = 0; j < 20000 && c.shared->signals < (uint64_t)i;
		     j++)
			usleep(500);
		cr_assert_eq(c.shared->signals, i);
	}

	int status;

	kill(tracer, SIGKILL);
	cr_assert_eq(waitpid(tracer, &status, 0), tracer);
	cr_expect(WIFSIGNALED(status), "the tracer failed");
	cr_expect_eq(c.shared->sum, sum);
	/* Where threads wait a tenth of a second for a processor, some may;
	 * by detaching it were 5 to 20. */
	cr_expect_leq(c.shared->count[100], 2, "%lu of 500 went astray",
		      (unsigned long)c.shared->count[100]);
	child_end(&c);
}

Test(stop, what_was_stopped_stays_stopped, .timeout = 60)
{
	struct child c = child_start(workers);

	child_listen(&c);
	kill(c.pid, SIGSTOP);
	wait_state(c.pid, 'T');

	struct pyd_process p = opened(&c);

	for (int i = 0; i < 20; i++) {
		struct pyd_stop *s = stopped(&p);
		const struct pyd_threads *t = pyd_stop_threads(s);

		cr_assert_eq(t->n, THREADS);
		for (size_t j = 0; j < t->n; j++)
			cr_expect(t->v[j].in_job_stop, "round %d, thread %zu",
				  i, j);
		pyd_stop_destroy(s);
		wait_state(c.pid, 'T');
	}

	uint64_t before = c.shared->count[0];

	nap_ms(20);
	cr_expect_eq(before, c.shared->count[0], "it runs");
	kill(c.pid, SIGCONT);
	cr_expect_eq(first_still(c.shared, THREADS), THREADS);
	pyd_process_close(&p);
	child_end(&c);
}

Test(stop, stop_signal_during_the_stop, .timeout = 60)
{
	struct child c = child_start(workers);

	child_listen(&c);

	struct pyd_process p = opened(&c);
	struct pyd_stop *s = stopped(&p);

	kill(c.pid, SIGSTOP);
	pyd_stop_destroy(s);
	wait_state(c.pid, 'T');
	/* And a continue during the stop. */
	s = stopped(&p);
	kill(c.pid, SIGCONT);
	pyd_stop_destroy(s);
	cr_expect_eq(first_still(c.shared, THREADS), THREADS);
	pyd_process_close(&p);
	child_end(&c);
}

Test(stop, killed_during_the_stop, .timeout = 60)
{
	struct child c = child_start(workers);

	child_listen(&c);

	struct pyd_process p = opened(&c);
	struct pyd_stop *s = stopped(&p);

	kill(c.pid, SIGKILL);
	nap_ms(20);
	pyd_stop_release(s);
	pyd_stop_destroy(s);

	int status = 0;

	/* The release may have reaped it: it is our own child. */
	if (waitpid(c.pid, &status, 0) == c.pid)
		cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	cr_expect_neq(kill(c.pid, 0), 0, "it is still there");
	pyd_process_close(&p);
}

Test(stop, threads_come_and_go, .timeout = 120)
{
	struct child c = child_start(churn);

	child_listen(&c);

	struct pyd_process p = opened(&c);

	for (int i = 0; i < 100; i++) {
		struct pyd_stop *s = stopped(&p);
		struct pyd_vec tids = { 0 };
		uint64_t before = c.shared->count[0];

		/* None was missed. One that sleeps in the kernel (D), in a
		 * queue for the map of memory, stops when it wakes up. */
		cr_assert_eq(pyd_procfs_tasks(c.pid, &tids, &err), PYD_OK);
		for (size_t j = 0; j < tids.len; j++) {
			struct pyd_proc_stat st;

			if (!pyd_procfs_stat(c.pid, (pid_t)tids.data[j], &st,
					     &err))
				cr_expect(strchr("tZXD", st.state),
					  "thread in state %c", st.state);
		}
		cr_expect_eq(before, c.shared->count[0]);
		pyd_vec_deinit(&tids);
		pyd_stop_destroy(s);
	}
	cr_expect_eq(first_still(c.shared, 1), 1);
	pyd_process_close(&p);
	child_end(&c);
}

/* Whenever the tracer dies, the target runs on. */
Test(stop, tracer_killed_at_any_moment, .timeout = 120)
{
	struct child c = child_start(workers);

	child_listen(&c);
	for (int i = 0; i < 50; i++) {
		pid_t tracer = fork();

		if (!tracer) {
			struct pyd_process p;
			struct pyd_stop *s;

			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (pyd_process_open(c.pid, &p, &err))
				_exit(1);
			while (!pyd_stop_all(&p, NULL, &s, &err))
				pyd_stop_destroy(s);
			_exit(1);
		}
		usleep((useconds_t)(rand() % 4000));
		int status;

		kill(tracer, SIGKILL);
		cr_assert_eq(waitpid(tracer, &status, 0), tracer);
		cr_assert(WIFSIGNALED(status), "the tracer failed");
		cr_assert_eq(first_still(c.shared, THREADS), THREADS);
	}
	child_end(&c);
}

Test(stop, already_traced, .timeout = 60)
{
	struct child c = child_start(workers);
	int ready[2];
	char byte;

	child_listen(&c);
	cr_assert_eq(pipe(ready), 0);

	pid_t tracer = fork();

	if (!tracer) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "rival");
		if (ptrace(PTRACE_SEIZE, c.pid, NULL, NULL))
			_exit(1);
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	cr_assert_eq(read(ready[0], &byte, 1), 1);

	struct pyd_process p = opened(&c);
	struct pyd_stop *s;
	char number[16];

	cr_assert_eq(pyd_stop_all(&p, NULL, &s, &err), PYD_BUSY);
	snprintf(number, sizeof(number), "%d", tracer);
	cr_expect(strstr(err.msg, number), "%s", err.msg);
	cr_expect(strstr(err.msg, "rival"), "%s", err.msg);
	cr_expect_eq(first_still(c.shared, 1), 1);
	kill(tracer, SIGKILL);
	waitpid(tracer, NULL, 0);
	pyd_stop_destroy(stopped(&p));
	cr_expect_eq(first_still(c.shared, 1), 1);
	pyd_process_close(&p);
	child_end(&c);
}

/* A thread in a wait that cannot be interrupted: vfork's. */
static void vforked(struct child *c)
{
	pid_t child;

	child_tell(c);
	child = vfork();
	if (!child) {
		nap_ms(1500);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	child_tell(c);
	child_wait(c);
}

Test(stop, thread_that_does_not_stop, .timeout = 60)
{
	struct child c = child_start(vforked);
	/* Before it would be left asleep. */
	struct pyd_stop_options opts = { .timeout_ms = 50 };

	child_listen(&c);
	wait_state(c.pid, 'D');

	struct pyd_process p = opened(&c);
	struct pyd_stop *s;

	cr_assert_eq(pyd_stop_all(&p, &opts, &s, &err), PYD_BUSY);
	cr_expect(strstr(err.msg, "did not stop"), "%s", err.msg);
	pyd_process_close(&p);
	/* What is left in the kernel is let go when the tracer ends; here
	 * the end of the test. */
	child_end(&c);
}

static void thousand(struct child *c)
{
	for (size_t i = 0; i < 2048; i++)
		c->shared->count[i] = 0;
	work_in(c, 1000);
}

Test(stop, thousand_threads, .timeout = 120)
{
	struct child c = child_start(thousand);

	child_listen(&c);

	struct pyd_process p = opened(&c);
	struct pyd_stop *s = stopped(&p);

	cr_expect_eq(pyd_stop_threads(s)->n, 1000);
	pyd_stop_release(s);
	cr_expect_lt(pyd_stop_end_ns(s) - pyd_stop_begin_ns(s), 1000000000U,
		     "%.1f ms",
		     (double)(pyd_stop_end_ns(s) - pyd_stop_begin_ns(s)) / 1e6);
	pyd_stop_destroy(s);
	cr_expect_eq(first_still(c.shared, 1000), 1000);
	pyd_process_close(&p);
	child_end(&c);
}

Test(stop, listing_without_a_stop)
{
	struct child c = child_start(workers);
	struct pyd_threads t;

	child_listen(&c);

	struct pyd_process p = opened(&c);

	cr_assert_eq(pyd_threads_list(&p, &t, &err), PYD_OK);
	cr_expect_eq(t.n, THREADS);
	cr_expect_eq(t.v[0].tid, c.pid);
	cr_expect_eq(t.v[0].ns_tid, c.pid);
	pyd_threads_deinit(&t);
	pyd_process_close(&p);
	child_end(&c);
}

/* -- asleep in the kernel -- */

static void *count_on(void *arg)
{
	struct child *c = arg;

	for (;;) {
		c->shared->count[0]++;
		nap_ms(1);
	}
	return NULL;
}

/* The parent of a vfork waits for its child, and nothing stops it. */
static void forks_and_waits(struct child *c)
{
	pthread_t t;

	if (pthread_create(&t, NULL, count_on, c))
		_exit(72);
	while (!c->shared->count[0])
		nap_ms(1);

	pid_t child = vfork();

	if (!child) {
		char byte;

		c->shared->addr[0] = (uint64_t)getpid();
		(void)!write(c->from, "x", 1);
		(void)!read(c->to, &byte, 1);
		_exit(3);
	}
	if (child > 0)
		child_tell(c);
	child_wait(c);
}

Test(stop, vfork_parent, .timeout = 60)
{
	struct child c = child_start(forks_and_waits);
	struct pyd_process p;

	child_listen(&c); /* the vfork's child */
	while (state_of(c.pid) != 'D')
		nap_ms(1);
	p = opened(&c);
	for (int i = 0; i < 5; i++) {
		struct pyd_stop *s = stopped(&p);
		const struct pyd_threads *t = pyd_stop_threads(s);

		cr_assert_eq(t->n, 2);
		cr_assert_eq(t->v[0].tid, c.pid);
		cr_assert_eq(t->v[0].state, 'D');
		cr_assert(t->v[0].asleep);
		cr_assert(!t->v[1].asleep);
		cr_assert_eq(t->v[0].regs.pc, 0);
		cr_assert_neq(t->v[1].regs.pc, 0);
		/* It wakes up while all stand: it does not run. */
		if (i == 4) {
			struct pyd_err ignored;
			struct pyd_proc_stat st = { 0 };

			child_go(&c);
			for (int n = 0; st.state != 't' && n < 10000; n++) {
				cr_assert_eq(pyd_procfs_stat(c.pid, c.pid, &st,
							     &ignored),
					     PYD_OK);
				nap_ms(1);
			}
			cr_assert_eq(st.state, 't');
		}
		pyd_stop_destroy(s);
		cr_assert_eq(first_still(c.shared, 1), 1);
	}
	child_listen(&c); /* the parent is behind its vfork */
	pyd_process_close(&p);
	child_end(&c);
}
