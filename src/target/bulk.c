// SPDX-License-Identifier: Apache-2.0
#include "target/bulk.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/pace.h"

enum {
	IOVS = 1024, /* UIO_MAXIOV */
	MAX_WORKERS = 8,
	STACK_BYTES = 256 << 10,
};

/* What one call reads: enough to be fast, little enough to share evenly. */
#define SHARE_MAX ((size_t)16 << 20)
#define SHARE_MIN ((size_t)512 << 10)
/* A thread costs some 50 us, in which a tenth of this is read. */
#define ALONE ((size_t)2 << 20)
/* To wake one that waits, and is real-time, some 30 us. */
#define ALONE_WITH_CREW ((size_t)192 << 10)
#define CREW_SHARE_MIN ((size_t)64 << 10)

struct bulk {
	const struct pyd_process *p;
	const struct pyd_piece *pieces;
	size_t n;
	uint64_t deadline_ns;
	size_t page;
	size_t share;
	pthread_mutex_t lock; /* of all below */
	size_t next;
	struct pyd_vec *bad;
	enum pyd_code code; /* the first failure ends all workers */
	struct pyd_err err;
};

struct work {
	struct bulk *b;
	struct iovec local[IOVS];
	struct iovec remote[IOVS];
	size_t n;
};

static void fail(struct bulk *b, enum pyd_code code, const struct pyd_err *err)
{
	pthread_mutex_lock(&b->lock);
	if (!b->code) {
		b->code = code;
		b->err = *err;
	}
	pthread_mutex_unlock(&b->lock);
}

/* Takes the next pieces; false: there are none. */
static bool take(struct work *w)
{
	struct bulk *b = w->b;
	size_t bytes = 0;

	w->n = 0;
	pthread_mutex_lock(&b->lock);
	while (!b->code && b->next < b->n && w->n < IOVS && bytes < b->share) {
		const struct pyd_piece *p = &b->pieces[b->next++];

		w->local[w->n] = (struct iovec) { p->to, p->len };
		w->remote[w->n] = (struct iovec) {
			(void *)(uintptr_t)p->start,
			p->len,
		};
		w->n++;
		bytes += p->len;
	}
	pthread_mutex_unlock(&b->lock);
	return w->n;
}

static bool add_bad(struct bulk *b, pyd_addr start, pyd_addr end)
{
	struct pyd_err err;
	enum pyd_code code;

	pthread_mutex_lock(&b->lock);
	code = pyd_vec_reserve(b->bad, 2, &err);
	if (!code) {
		b->bad->data[b->bad->len++] = start;
		b->bad->data[b->bad->len++] = end;
	}
	pthread_mutex_unlock(&b->lock);
	if (code)
		fail(b, code, &err);
	return !code;
}

static void advance(struct iovec *v, size_t n)
{
	v->iov_base = (uint8_t *)v->iov_base + n;
	v->iov_len -= n;
}

/* The bytes read from the range at i on; 0: a fault at its first one; -1: the
 * bulk has failed. */
static ssize_t read_from(struct work *w, size_t i)
{
	const struct pyd_process *p = w->b->p;
	struct pyd_err err;
	ssize_t n;

	if (!p->no_vm_readv) {
		n = process_vm_readv(p->pid, &w->local[i], w->n - i,
				     &w->remote[i], w->n - i, 0);
		if (n > 0)
			return n;
		if (n < 0 && errno == ESRCH) {
			fail(w->b,
			     pyd_err_set(&err, PYD_GONE,
					 "process %d ended while it was copied",
					 p->pid),
			     &err);
			return -1;
		}
		if (n < 0 && errno == ENOMEM) {
			fail(w->b,
			     pyd_err_set(&err, PYD_NOMEM, "out of memory"),
			     &err);
			return -1;
		}
		if (!n ||
		    (errno != EPERM && errno != ENOSYS && errno != EACCES))
			return 0;
	}
	/* Where that is refused, and only there: it heeds no protection. */
	do
		n = pread(p->memfd, w->local[i].iov_base, w->local[i].iov_len,
			  (off_t)(uintptr_t)w->remote[i].iov_base);
	while (n < 0 && errno == EINTR);
	if (!n) {
		fail(w->b,
		     pyd_err_set(&err, PYD_GONE,
				 "process %d ended while it was copied",
				 p->pid),
		     &err);
		return -1;
	}
	return n < 0 ? 0 : n;
}

static bool read_work(struct work *w)
{
	size_t i = 0;

	while (i < w->n) {
		ssize_t n = read_from(w, i);
		size_t left = n > 0 ? (size_t)n : 0;

		if (n < 0)
			return false;
		while (i < w->n && left) {
			size_t len = w->local[i].iov_len;

			len = len < left ? len : left;
			advance(&w->local[i], len);
			advance(&w->remote[i], len);
			left -= len;
			i += !w->local[i].iov_len;
		}
		if (n)
			continue;

		/* The rest of this page cannot be had. */
		pyd_addr at = (pyd_addr)(uintptr_t)w->remote[i].iov_base;
		size_t skip = w->b->page - (size_t)(at % w->b->page);

		if (skip > w->local[i].iov_len)
			skip = w->local[i].iov_len;
		if (!add_bad(w->b, at, at + skip))
			return false;
		advance(&w->local[i], skip);
		advance(&w->remote[i], skip);
		i += !w->local[i].iov_len;
	}
	return true;
}

static bool in_time(struct bulk *b)
{
	struct pyd_err err;

	if (!b->deadline_ns || pyd_now_ns() < b->deadline_ns)
		return true;
	fail(b,
	     pyd_err_set(&err, PYD_LIMIT,
			 "the time is over before the memory was copied"),
	     &err);
	return false;
}

static void work_on(struct work *w)
{
	while (in_time(w->b) && take(w) && read_work(w))
		;
}

static void *run(void *arg)
{
	/* 32 KiB of a stack. */
	struct work w = { .b = arg };

	work_on(&w);
	return NULL;
}

/* How many threads are worth it. */
static size_t threads_for(uint64_t bytes, size_t alone)
{
	cpu_set_t cpus;
	size_t n = 1;

	/* Not sysconf(), which reads a file for it. */
	if (!sched_getaffinity(0, sizeof(cpus), &cpus))
		n = (size_t)CPU_COUNT(&cpus);
	if (n > MAX_WORKERS)
		n = MAX_WORKERS;
	if (n > bytes / alone)
		n = (size_t)(bytes / alone);
	return n ? n : 1;
}

/* -- a crew -- */

struct pyd_bulk_crew {
	pthread_t threads[MAX_WORKERS];
	size_t n;
	sem_t ready;	      /* once from each: it waits from here on */
	sem_t go;	      /* once for each */
	pthread_mutex_t lock; /* of what follows */
	struct bulk *job;
	size_t at_work;
	bool slow; /* others can keep one of them from working */
};

static void *help(void *arg)
{
	struct pyd_bulk_crew *c = arg;
	struct pyd_pace old;
	struct work w;
	int policy;

	pyd_pace_hurry(true, &old);
	policy = sched_getscheduler(0);
	/* Its pages are there before they are needed. */
	memset(&w, 0, sizeof(w));
	pthread_mutex_lock(&c->lock);
	c->slow |= policy != SCHED_RR && policy != SCHED_FIFO;
	pthread_mutex_unlock(&c->lock);
	sem_post(&c->ready);
	while (sem_wait(&c->go))
		;
	pthread_mutex_lock(&c->lock);
	w.b = c->job;
	c->at_work += w.b != NULL;
	pthread_mutex_unlock(&c->lock);
	if (w.b) {
		work_on(&w);
		pthread_mutex_lock(&c->lock);
		c->at_work--;
		pthread_mutex_unlock(&c->lock);
	}
	/* From here on it is the target that is in a hurry. */
	pyd_pace_restore(&old);
	return NULL;
}

static size_t start(pthread_t *threads, size_t n, void *(*fn)(void *),
		    void *arg)
{
	pthread_attr_t attr;
	sigset_t all;
	sigset_t old;
	size_t started = 0;

	/* Signals are for the thread that looks at the flag they set. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	while (started < n &&
	       !pthread_create(&threads[started], &attr, fn, arg))
		started++;
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return started;
}

struct pyd_bulk_crew *pyd_bulk_crew_create(uint64_t bytes)
{
	size_t n = threads_for(bytes, ALONE_WITH_CREW) - 1;
	struct pyd_bulk_crew *c = n ? calloc(1, sizeof(*c)) : NULL;

	if (!c)
		return NULL;
	sem_init(&c->ready, 0, 0);
	sem_init(&c->go, 0, 0);
	pthread_mutex_init(&c->lock, NULL);
	c->n = start(c->threads, n, help, c);
	for (size_t i = 0; i < c->n; i++)
		while (sem_wait(&c->ready))
			;
	return c;
}

void pyd_bulk_crew_destroy(struct pyd_bulk_crew *c)
{
	if (!c)
		return;
	/* For those that were never asked; once more harms none. */
	for (size_t i = 0; i < c->n; i++)
		sem_post(&c->go);
	for (size_t i = 0; i < c->n; i++)
		pthread_join(c->threads[i], NULL);
	pthread_mutex_destroy(&c->lock);
	sem_destroy(&c->go);
	sem_destroy(&c->ready);
	free(c);
}

static void set_job(struct pyd_bulk_crew *c, struct bulk *b)
{
	pthread_mutex_lock(&c->lock);
	c->job = b;
	pthread_mutex_unlock(&c->lock);
}

static bool is_at_work(struct pyd_bulk_crew *c)
{
	size_t n;

	pthread_mutex_lock(&c->lock);
	n = c->at_work;
	pthread_mutex_unlock(&c->lock);
	return n;
}

static void read_with(struct pyd_bulk_crew *c, struct bulk *b)
{
	set_job(c, b);
	for (size_t i = 0; i < c->n; i++)
		sem_post(&c->go);
	run(b);
	/* Who has not begun has nothing to do any more. The others have a few
	 * microseconds left, less than it takes to fall asleep and wake up. */
	set_job(c, NULL);
	while (is_at_work(c))
		sched_yield();
}

/* -- reading -- */

static void read_alone(struct bulk *b, size_t nthreads)
{
	pthread_t threads[MAX_WORKERS];
	size_t started = start(threads, nthreads - 1, run, b);

	run(b);
	for (size_t i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
}

enum pyd_code pyd_bulk_read(const struct pyd_process *p,
			    const struct pyd_piece *pieces, size_t n,
			    uint64_t deadline_ns, struct pyd_bulk_crew *crew,
			    struct pyd_vec *bad, struct pyd_err *err)
{
	struct bulk b = {
		.p = p,
		.pieces = pieces,
		.n = n,
		.deadline_ns = deadline_ns,
		.page = (size_t)sysconf(_SC_PAGESIZE),
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.bad = bad,
	};
	uint64_t bytes = 0;
	size_t least = crew ? CREW_SHARE_MIN : SHARE_MIN;
	size_t nthreads;

	for (size_t i = 0; i < n; i++)
		bytes += pieces[i].len;
	if (crew &&
	    (bytes < (crew->slow ? ALONE : ALONE_WITH_CREW) * 2 || !crew->n))
		crew = NULL;
	nthreads = crew ? crew->n + 1 : threads_for(bytes, ALONE);
	b.share = (size_t)(bytes / (4 * nthreads));
	b.share = b.share < SHARE_MAX ? b.share : SHARE_MAX;
	b.share = b.share > least ? b.share : least;
	if (crew)
		read_with(crew, &b);
	else
		read_alone(&b, nthreads);
	if (b.code && err)
		*err = b.err;
	return b.code;
}
