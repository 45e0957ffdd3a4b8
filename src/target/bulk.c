// SPDX-License-Identifier: Apache-2.0
#include "target/bulk.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

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

static void *run(void *arg)
{
	/* 32 KiB of a stack. */
	struct work w = { .b = arg };

	while (in_time(w.b) && take(&w) && read_work(&w))
		;
	return NULL;
}

/* How many threads, and how much each takes at a time. */
static size_t divide(struct bulk *b)
{
	cpu_set_t cpus;
	size_t n = 1;
	size_t bytes = 0;

	/* Not sysconf(), which reads a file for it. */
	if (!sched_getaffinity(0, sizeof(cpus), &cpus))
		n = (size_t)CPU_COUNT(&cpus);

	for (size_t i = 0; i < b->n; i++)
		bytes += b->pieces[i].len;
	if (n > MAX_WORKERS)
		n = MAX_WORKERS;
	if (n > bytes / ALONE)
		n = bytes / ALONE;
	n = n ? n : 1;
	b->share = bytes / (4 * n);
	if (b->share > SHARE_MAX)
		b->share = SHARE_MAX;
	if (b->share < SHARE_MIN)
		b->share = SHARE_MIN;
	return n;
}

enum pyd_code pyd_bulk_read(const struct pyd_process *p,
			    const struct pyd_piece *pieces, size_t n,
			    uint64_t deadline_ns, struct pyd_vec *bad,
			    struct pyd_err *err)
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
	pthread_t threads[MAX_WORKERS];
	size_t wanted = divide(&b);
	size_t started = 0;
	pthread_attr_t attr;
	sigset_t all;
	sigset_t old;

	/* Signals are for the thread that looks at the flag they set. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	while (started + 1 < wanted &&
	       !pthread_create(&threads[started], &attr, run, &b))
		started++;
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	run(&b);
	for (size_t i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	if (b.code && err)
		*err = b.err;
	return b.code;
}
