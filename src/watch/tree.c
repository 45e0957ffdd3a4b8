// SPDX-License-Identifier: Apache-2.0
#include "watch/tree.h"

#include <stdlib.h>
#include <unistd.h>

struct pyd_watched *pyd_tree_process(const struct pyd_tree *t, pid_t pid)
{
	for (struct pyd_watched *p = t->first; p; p = p->next)
		if (p->pid == pid && !p->ended)
			return p;
	return NULL;
}

struct pyd_watched_thread *pyd_tree_thread(const struct pyd_tree *t, pid_t tid)
{
	uint64_t v = 0;

	if (!pyd_map_get(&t->by_tid, (uint64_t)tid, &v))
		return NULL;
	return (struct pyd_watched_thread *)(uintptr_t)v;
}

struct pyd_watched *pyd_tree_add(struct pyd_tree *t, pid_t pid)
{
	struct pyd_watched *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->pid = pid;
	pyd_python_init(&p->python);
	p->next = t->first;
	t->first = p;
	t->n++;
	return p;
}

struct pyd_watched_thread *pyd_tree_add_thread(struct pyd_tree *t,
					       struct pyd_watched *p, pid_t tid)
{
	struct pyd_watched_thread *th = calloc(1, sizeof(*th));

	if (!th)
		return NULL;
	if (p->nthreads == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 4;
		struct pyd_watched_thread **v =
			reallocarray(p->threads, cap, sizeof(*v));

		if (!v) {
			free(th);
			return NULL;
		}
		p->threads = v;
		p->cap = cap;
	}
	if (pyd_map_put(&t->by_tid, (uint64_t)tid, (uint64_t)(uintptr_t)th,
			NULL)) {
		free(th);
		return NULL;
	}
	th->p = p;
	th->at = p->nthreads;
	th->e.t.tid = tid;
	th->e.t.ns_tid = tid;
	th->e.state = PYD_TRACEE_RUNS;
	for (size_t i = 0; i < PYD_HWBREAKS; i++)
		th->events[i] = -1;
	p->threads[p->nthreads++] = th;
	return th;
}

void pyd_tree_close_events(struct pyd_watched_thread *th)
{
	for (size_t i = 0; i < PYD_HWBREAKS; i++) {
		if (th->events[i] >= 0)
			close(th->events[i]);
		th->events[i] = -1;
	}
}

static void free_thread(struct pyd_watched_thread *th)
{
	pyd_tree_close_events(th);
	free(th);
}

void pyd_tree_drop_thread(struct pyd_tree *t, struct pyd_watched_thread *th)
{
	struct pyd_watched *p = th->p;

	/* The map has no removal; 0 is as good as none, and puts replace it. */
	if (pyd_map_put(&t->by_tid, (uint64_t)th->e.t.tid, 0, NULL))
		return;
	p->threads[th->at] = p->threads[--p->nthreads];
	p->threads[th->at]->at = th->at;
	free_thread(th);
	if (p->nthreads)
		return;
	p->ended = true;
	t->n--;
}

static void destroy(struct pyd_watched *p)
{
	for (size_t i = 0; i < p->nthreads; i++)
		free_thread(p->threads[i]);
	free(p->threads);
	pyd_python_deinit(&p->python);
	free(p);
}

/* Ids that have ended pile up in the map of a program that starts threads
 * without end; it is made anew now and then. */
static void tidy_map(struct pyd_tree *t)
{
	size_t live = 0;

	for (struct pyd_watched *p = t->first; p; p = p->next)
		live += p->nthreads;
	if (t->by_tid.len < 4096 || t->by_tid.len < 4 * live)
		return;
	pyd_map_clear(&t->by_tid);
	for (struct pyd_watched *p = t->first; p; p = p->next)
		for (size_t i = 0; i < p->nthreads; i++)
			if (pyd_map_put(&t->by_tid,
					(uint64_t)p->threads[i]->e.t.tid,
					(uint64_t)(uintptr_t)p->threads[i],
					NULL))
				return; /* its size was there before */
}

void pyd_tree_sweep(struct pyd_tree *t)
{
	for (struct pyd_watched **at = &t->first; *at;) {
		struct pyd_watched *p = *at;

		if (p->ended && !p->job) {
			*at = p->next;
			destroy(p);
		} else {
			at = &p->next;
		}
	}
	tidy_map(t);
}

void pyd_tree_deinit(struct pyd_tree *t)
{
	while (t->first) {
		struct pyd_watched *p = t->first;

		t->first = p->next;
		destroy(p);
	}
	pyd_map_deinit(&t->by_tid);
}
