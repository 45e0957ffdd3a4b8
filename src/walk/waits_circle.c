// SPDX-License-Identifier: Apache-2.0
/* Circles of threads that wait for each other. */
#include <stdio.h>
#include <stdlib.h>

#include "read/object.h"
#include "walk/waits.h"

enum {
	ITEMS_MAX = 100000, /* of a pool's queue */
};

/* The one that a thread cannot go on without; a wait that ends by itself is
 * none that holds for ever. */
static int next_of(const struct pyd_waits *w, int i)
{
	return w->v[i].timed ? PYD_WAITS_NONE : w->v[i].on;
}

static enum pyd_code add(struct pyd_waits *w, int first, struct pyd_err *err)
{
	struct pyd_deadlock *d, *all;
	size_t n = 0;
	int i = first;

	do {
		n++;
		i = next_of(w, i);
	} while (i != first);
	all = reallocarray(w->deadlocks, w->ndeadlocks + 1, sizeof(*all));
	if (!all)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	w->deadlocks = all;
	d = &all[w->ndeadlocks];
	*d = (struct pyd_deadlock) { .n = n };
	d->threads = calloc(n, sizeof(*d->threads));
	if (!d->threads)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	w->ndeadlocks++;
	for (size_t k = 0; k < n; k++, i = next_of(w, i))
		d->threads[k] = i;
	return PYD_OK;
}

/* -- pools that wait for themselves -- */

/* What concurrent.futures.thread's _worker() of a thread has: the queue that
 * its pool's work waits in, and how many threads the pool may have. */
static bool worker_of(const struct pyd_waits *w, const struct pyd_waiter *t,
		      pyd_addr *ret_queue, int64_t *ret_max)
{
	struct pyd_frame f = { 0 };
	bool ret = false;

	for (size_t k = 0; k < t->frames.len && !ret; k++) {
		pyd_addr executor = 0, max = 0;
		struct pyd_err ignored;
		struct pyd_obj o;
		char module[64];

		if (pyd_read_frame(w->r, t->frames.data[k], &f, &ignored) ||
		    !f.code || strcmp(f.code->name_text, "_worker") != 0)
			continue;
		pyd_waits_module(w->r, f.globals, module, sizeof(module));
		*ret_queue = pyd_waits_var(w->r, &f, "work_queue");
		if (strcmp(module, "concurrent.futures.thread") != 0 ||
		    !*ret_queue ||
		    pyd_obj_read(w->r,
				 pyd_waits_var(w->r, &f, "executor_reference"),
				 &o, &ignored) ||
		    !pyd_obj_is(&o, PYD_KIND_weakref))
			break;
		executor = PYD_OBJ_U64(w->r, &o, weakref, wr_object);
		ret = executor &&
		      !pyd_read_attr(w->r, executor, "_max_workers", &max,
				     &ignored) &&
		      max && !pyd_read_i64(w->r, max, ret_max, &ignored);
	}
	pyd_frame_deinit(&f);
	return ret;
}

/* The items of a pool's queue: work that no thread has begun. */
static bool queued(const struct pyd_waits *w, pyd_addr queue, pyd_addr future)
{
	struct pyd_node n = { 0 };
	struct pyd_err ignored;
	bool ret = false;

	if (!pyd_read_node(w->r, queue, &n, &ignored))
		for (size_t i = 0; i < n.refs.len && i < ITEMS_MAX && !ret;
		     i++) {
			pyd_addr at = 0;

			ret = n.refs.data[i] && !(n.refs.data[i] & 7) &&
			      !pyd_read_attr(w->r, n.refs.data[i], "future",
					     &at, &ignored) &&
			      at == future;
		}
	pyd_node_deinit(&n);
	return ret;
}

/* All threads of the pool of thread first, when each waits for ever for work
 * of the pool that none of them is there to do. */
static enum pyd_code add_pool(struct pyd_waits *w, size_t first,
			      struct pyd_err *err)
{
	struct pyd_deadlock d = { .pool = true };
	struct pyd_deadlock *all;
	pyd_addr queue, other;
	int64_t max, same;
	bool stuck = true;

	if (!worker_of(w, &w->v[first], &queue, &max))
		return PYD_OK;
	d.threads = calloc(w->npy + 1, sizeof(*d.threads));
	if (!d.threads)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	for (size_t i = 0; i < w->npy && stuck; i++) {
		const struct pyd_waiter *t = &w->v[i];

		if (!worker_of(w, t, &other, &same) || other != queue)
			continue;
		/* Each pool is looked at by its first thread alone. */
		stuck = i >= first && t->wait == PYD_WAIT_FUTURE && !t->timed &&
			t->on == PYD_WAITS_NONE && queued(w, queue, t->object);
		d.threads[d.n++] = (int)i;
	}
	all = NULL;
	if (stuck && d.n && (int64_t)d.n == max) {
		all = reallocarray(w->deadlocks, w->ndeadlocks + 1,
				   sizeof(*all));
		if (!all) {
			free(d.threads);
			return pyd_err_set(err, PYD_NOMEM, "out of memory");
		}
		w->deadlocks = all;
		all[w->ndeadlocks++] = d;
	}
	if (!all)
		free(d.threads);
	return PYD_OK;
}

/* Each thread waits for one at most, so that following is enough. */
enum pyd_code pyd_waits_circles(struct pyd_waits *w, struct pyd_err *err)
{
	/* The walk that a thread was met in, from 1 on; 0: not yet. */
	size_t *seen = calloc(w->n + 1, sizeof(*seen));
	enum pyd_code code = PYD_OK;

	if (!seen)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	for (size_t start = 0; start < w->n && !code; start++) {
		int i = (int)start;

		while (i != PYD_WAITS_NONE && !seen[i]) {
			seen[i] = start + 1;
			i = next_of(w, i);
		}
		if (i != PYD_WAITS_NONE && seen[i] == start + 1)
			code = add(w, i, err);
	}
	for (size_t i = 0; i < w->npy && !code; i++)
		if (w->v[i].wait == PYD_WAIT_FUTURE)
			code = add_pool(w, i, err);
	free(seen);
	return code;
}
