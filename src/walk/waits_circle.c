// SPDX-License-Identifier: Apache-2.0
/* Circles of threads that wait for each other. */
#include <stdlib.h>

#include "walk/waits.h"

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
	d->threads = calloc(n, sizeof(*d->threads));
	d->n = n;
	if (!d->threads)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	w->ndeadlocks++;
	for (size_t k = 0; k < n; k++, i = next_of(w, i))
		d->threads[k] = i;
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
	free(seen);
	return code;
}
