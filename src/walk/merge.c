// SPDX-License-Identifier: Apache-2.0
#include "walk/merge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "native/regs.h"

enum {
	/* Words of one native frame that are searched. */
	FRAME_WORDS = 1024,
};

void pyd_merge_deinit(struct pyd_merge *m)
{
	free(m->v);
	*m = (struct pyd_merge) { 0 };
}

static void add(struct pyd_merge *m, size_t call, uint64_t first, uint64_t end)
{
	m->v[m->n++] = (struct pyd_merge_at) {
		.call = call,
		.first = first,
		.n = end - first,
	};
}

static void refuse(struct pyd_merge *m, const char *why)
{
	m->n = 0;
	snprintf(m->note, sizeof(m->note), "%s", why);
}

/* -- something of the call lies in its frame -- */

static bool frame_has(const struct pyd_calls *c, size_t i, pyd_addr at)
{
	return i + 1 < c->n && at >= c->v[i].sp && at < c->v[i + 1].sp;
}

static void merge_places(const struct pyd_calls *c, const struct pyd_evals *e,
			 struct pyd_merge *m)
{
	uint64_t first = 0;
	size_t from = 0;

	for (size_t k = 0; k < e->places.len; k++) {
		uint64_t end = e->ends.data[k];
		size_t i = from;

		while (i < c->n && !frame_has(c, i, e->places.data[k]))
			i++;
		if (i < c->n) {
			add(m, i, first, end);
			from = i + 1;
			first = end;
			continue;
		}
		/* A root, or a call that begins or ends in this moment. */
		if (end == first)
			continue;
		if (!c->whole)
			break; /* older than what is known */
		refuse(m, "some Python frames are run by no native frame");
		return;
	}
	if (first < e->nframes && c->whole) {
		refuse(m, "it is not known which native frames run the oldest "
			  "Python frames");
		return;
	}
	m->merged = true;
}

/* -- the address of the frame object is somewhere in its frame -- */

struct finder {
	struct pyd_target *t;
	const struct pyd_eval_code *code;
	const struct pyd_calls *c;
};

static bool is_eval(const struct finder *f, size_t i)
{
	pyd_addr at = f->c->v[i].pc - !f->c->v[i].exact;

	return at >= f->code->start && at < f->code->end;
}

static bool holds(const struct finder *f, size_t i, pyd_addr object)
{
	const struct pyd_call *v = f->c->v;
	uint64_t words[FRAME_WORDS];
	struct pyd_err ignored;
	size_t n;

	for (size_t k = 0; k < pyd_unw_nsaved; k++)
		if (v[i].saved[k] == object)
			return true;
	if (i + 1 >= f->c->n || v[i + 1].sp <= v[i].sp || v[i].sp % 8)
		return false;
	n = (v[i + 1].sp - v[i].sp) / 8;
	n = n < FRAME_WORDS ? n : FRAME_WORDS;
	if (pyd_target_read(f->t, v[i].sp, words, n * 8, &ignored))
		return false;
	for (size_t k = 0; k < n; k++)
		if (words[k] == object)
			return true;
	return false;
}

static size_t next_eval(const struct finder *f, size_t i)
{
	while (i < f->c->n && !is_eval(f, i))
		i++;
	return i;
}

/* Compilers move rare parts of a function elsewhere, under a name of which a
 * stripped file knows nothing. */
static size_t split_off(const struct finder *f, size_t from, size_t end,
			pyd_addr object)
{
	size_t found = end;

	for (size_t i = from; i < end; i++) {
		pyd_addr pc = f->c->v[i].pc;

		if (pc >= f->code->module_start && pc < f->code->module_end &&
		    holds(f, i, object))
			found = i;
	}
	return found;
}

/* True when each frame was found in a native one, in order. */
static bool find_frames(const struct finder *f, const struct pyd_evals *e,
			struct pyd_merge *m)
{
	size_t from = 0, split;

	for (size_t k = 0; k < e->places.len;) {
		pyd_addr object = e->places.data[k];
		size_t i = next_eval(f, from);

		if (i >= f->c->n || !holds(f, i, object)) {
			split = split_off(f, from, i, object);
			if (split < i) {
				snprintf(m->note, sizeof(m->note),
					 "where Python frame %zu is run was "
					 "told by its frame object alone",
					 k);
				i = split;
			} else if (i < f->c->n) {
				/* It has just begun, is about to return, or is
				 * of another interpreter's thread state. */
				from = i + 1;
				continue;
			} else {
				return !f->c->whole;
			}
		}
		add(m, i, k, k + 1);
		from = i + 1;
		k++;
	}
	return true;
}

static void merge_frames(const struct finder *f, const struct pyd_evals *e,
			 struct pyd_merge *m)
{
	size_t n = 0;

	if (!f->code->start) {
		refuse(m, "the evaluation loop was not found in the "
			  "interpreter's symbols");
		return;
	}
	m->merged = find_frames(f, e, m);
	if (m->merged)
		return;
	m->n = 0;
	for (size_t i = next_eval(f, 0); i < f->c->n; i = next_eval(f, i + 1))
		n++;
	if (n != e->places.len || !f->c->whole) {
		refuse(m, "");
		snprintf(m->note, sizeof(m->note),
			 "the native stack has %zu evaluations for %zu Python "
			 "frames",
			 n, e->places.len);
		return;
	}
	n = 0;
	for (size_t i = next_eval(f, 0); i < f->c->n; i = next_eval(f, i + 1)) {
		add(m, i, n, n + 1);
		n++;
	}
	m->merged = true;
	snprintf(m->note, sizeof(m->note), "merged by counting");
}

enum pyd_code pyd_merge(struct pyd_target *t, const struct pyd_layout *lay,
			const struct pyd_eval_code *code_at,
			const struct pyd_calls *calls,
			const struct pyd_evals *evals, struct pyd_merge *ret,
			struct pyd_err *err)
{
	struct pyd_merge m = { 0 };
	struct finder f = { .t = t, .code = code_at, .c = calls };

	m.v = calloc(evals->places.len + 1, sizeof(*m.v));
	if (!m.v)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	if (lay->model_evalcall == PYD_M_evalcall_frame)
		merge_frames(&f, evals, &m);
	else
		merge_places(calls, evals, &m);
	*ret = m;
	return PYD_OK;
}
