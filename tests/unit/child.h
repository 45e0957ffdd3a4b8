/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A forked child for tests of src/target: what it does, and how it is told.
 * One page of shared memory in front, and pipes both ways for the order of
 * events (no sleeps).
 */
#ifndef PYD_TESTS_UNIT_CHILD_H
#define PYD_TESTS_UNIT_CHILD_H

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct shared {
	_Atomic uint64_t count[2048]; /* one a thread, or as the test likes */
	_Atomic uint64_t self[2048];  /* pthread_self() */
	_Atomic uint64_t addr[16];
	_Atomic uint64_t signals;
	_Atomic uint64_t sum; /* of what signals carried */
};

struct child {
	pid_t pid;
	int to;	  /* the test writes */
	int from; /* the test reads */
	struct shared *shared;
};

/* In the child: tells the test, waits for the test. */
static inline void child_tell(struct child *c)
{
	if (write(c->from, "x", 1) != 1)
		_exit(70);
}

static inline void child_wait(struct child *c)
{
	char byte;

	/* The end of the file is the end of the test. */
	if (read(c->to, &byte, 1) != 1)
		_exit(0);
}

/* In the test. */
static inline void child_listen(struct child *c)
{
	char byte;

	cr_assert_eq(read(c->from, &byte, 1), 1, "the child has ended");
}

static inline void child_go(struct child *c)
{
	cr_assert_eq(write(c->to, "x", 1), 1);
}

static inline struct child child_start(void (*fn)(struct child *c))
{
	struct child c;
	int down[2];
	int up[2];

	c.shared = mmap(NULL, sizeof(*c.shared), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(c.shared, MAP_FAILED);
	cr_assert_eq(pipe(down), 0);
	cr_assert_eq(pipe(up), 0);
	c.pid = fork();
	cr_assert_geq(c.pid, 0);
	if (!c.pid) {
		/* A test that fails or times out must not leave it. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(down[1]);
		close(up[0]);
		c.to = down[0];
		c.from = up[1];
		fn(&c);
		_exit(0);
	}
	close(down[0]);
	close(up[1]);
	c.to = down[1];
	c.from = up[0];
	return c;
}

/* Ends it and gives its wait status. */
static inline int child_end(struct child *c)
{
	int status = 0;

	kill(c->pid, SIGKILL);
	cr_assert_eq(waitpid(c->pid, &status, 0), c->pid);
	close(c->to);
	close(c->from);
	munmap(c->shared, sizeof(*c->shared));
	return status;
}

static inline void nap_ms(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

/* The number of the first n counters that does not move within ten seconds, or
 * n when all do. */
static inline size_t first_still(struct shared *s, size_t n)
{
	uint64_t before[2048];
	size_t still = 0;

	for (size_t i = 0; i < n; i++)
		before[i] = s->count[i];
	for (int i = 0; i < 10000; i++) {
		while (still < n && s->count[still] != before[still])
			still++;
		if (still == n)
			break;
		nap_ms(1);
	}
	return still;
}

#endif
