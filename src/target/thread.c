// SPDX-License-Identifier: Apache-2.0
/* The threads of a process as /proc has them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target/tracee.h"

bool pyd_thread_describe(const struct pyd_process *p, pid_t tid,
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

static int by_tid(const void *a, const void *b)
{
	const struct pyd_thread *x = a;
	const struct pyd_thread *y = b;

	return (x->tid > y->tid) - (x->tid < y->tid);
}

/* Ids can wrap around, so that the main thread is not always the lowest. */
void pyd_threads_sort(struct pyd_threads *t, pid_t pid)
{
	qsort(t->v, t->n, sizeof(*t->v), by_tid);
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
		t.n += pyd_thread_describe(p, (pid_t)tids.data[i], &t.v[t.n]);
	if (!code && !t.n)
		code = pyd_err_set(err, PYD_GONE, "process %d is gone", p->pid);
	pyd_vec_deinit(&tids);
	if (code) {
		pyd_threads_deinit(&t);
		return code;
	}
	pyd_threads_sort(&t, p->pid);
	*ret = t;
	return PYD_OK;
}

void pyd_threads_deinit(struct pyd_threads *t)
{
	free(t->v);
	*t = (struct pyd_threads) { 0 };
}
