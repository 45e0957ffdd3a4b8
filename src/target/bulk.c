// SPDX-License-Identifier: Apache-2.0
#include "target/bulk.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	IOVS = 1024, /* UIO_MAXIOV */
	MAX_WORKERS = 8,
};

/* What one call reads: enough to be fast, little enough to share evenly. */
#define SHARE ((size_t)16 << 20)
/* Threads cost some 100 us, in which this much is read. */
#define ALONE ((size_t)32 << 20)

struct bulk {
	const struct pyd_process *p;
	const struct pyd_piece *pieces;
	size_t n;
	uint64_t deadline_ns;
	size_t page;
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
	while (!b->code && b->next < b->n && w->n < IOVS && bytes < SHARE) {
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
	/* 32 KiB: fits on the stack of any thread. */
	struct work w = { .b = arg };

	while (in_time(w.b) && take(&w) && read_work(&w))
		;
	return NULL;
}

static size_t workers_for(const struct pyd_piece *pieces, size_t n)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	size_t bytes = 0;

	for (size_t i = 0; i < n && bytes <= ALONE; i++)
		bytes += pieces[i].len;
	if (bytes <= ALONE || cpus < 2)
		return 1;
	return cpus < MAX_WORKERS ? (size_t)cpus : MAX_WORKERS;
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
	size_t wanted = workers_for(pieces, n);
	size_t started = 0;
	sigset_t all;
	sigset_t old;

	/* Signals are for the thread that looks at the flag they set. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (started + 1 < wanted &&
	       !pthread_create(&threads[started], NULL, run, &b))
		started++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	run(&b);
	for (size_t i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	if (b.code && err)
		*err = b.err;
	return b.code;
}
