// SPDX-License-Identifier: Apache-2.0
#include "walk/waits.h"

#include <stdio.h>
#include <stdlib.h>

enum pyd_code pyd_waits_begin(struct pyd_waits *w,
			      const struct pyd_subject *subject,
			      const struct pyd_runtime *rt,
			      struct pyd_reader *r, struct pyd_err *err)
{
	const struct pyd_threads *os = subject->threads;
	size_t nos = os ? os->n : 0;
	bool *used = calloc(nos + 1, sizeof(*used));

	*w = (struct pyd_waits) { .subject = subject, .rt = rt, .r = r };
	w->v = calloc(rt->nthreads + nos + 1, sizeof(*w->v));
	if (!w->v || !used) {
		free(used);
		return pyd_err_set(err, PYD_NOMEM, "out of memory for threads");
	}
	w->npy = w->n = rt->nthreads;
	for (size_t i = 0; i < w->npy; i++) {
		w->v[i].py = &rt->threads[i];
		for (size_t k = 0; k < nos; k++)
			if (rt->threads[i].native_id == os->v[k].tid) {
				w->v[i].os = &os->v[k];
				used[k] = true;
			}
	}
	for (size_t k = 0; k < nos; k++)
		if (!used[k])
			w->v[w->n++].os = &os->v[k];
	free(used);
	for (size_t i = 0; i < w->n; i++) {
		struct pyd_waiter *t = &w->v[i];

		t->lock = t->on = PYD_WAITS_NONE;
		if (!t->os)
			continue;
		if (subject->calls)
			t->call = subject->calls[t->os - os->v];
		else
			pyd_call_of_regs(&t->os->regs, &t->call);
		pyd_call_restarted(&t->call, r->target);
	}
	return PYD_OK;
}

void pyd_waits_deinit(struct pyd_waits *w)
{
	for (size_t i = 0; i < w->n; i++) {
		pyd_vec_deinit(&w->v[i].frames);
		pyd_vec_deinit(&w->v[i].inside);
	}
	for (size_t i = 0; i < w->ndeadlocks; i++)
		free(w->deadlocks[i].threads);
	free(w->v);
	free(w->locks);
	free(w->deadlocks);
	pyd_map_deinit(&w->ends);
	pyd_map_deinit(&w->seen_spaces);
	pyd_vec_deinit(&w->spaces);
	pyd_map_deinit(&w->index);
	pyd_vec_deinit(&w->entries);
	*w = (struct pyd_waits) { 0 };
}

enum pyd_code pyd_waits_frame(struct pyd_waits *w, size_t thread,
			      uint64_t number, const struct pyd_frame *f,
			      struct pyd_err *err)
{
	struct pyd_waiter *t = &w->v[thread];
	struct pyd_vec inside = { 0 };
	struct pyd_err why = { 0 };
	enum pyd_code code;

	if (thread >= w->npy)
		return PYD_OK;
	if (number < PYD_WAITS_FRAMES) {
		uint64_t known;

		code = pyd_vec_push(&t->frames, f->addr, err);
		if (!code && f->globals &&
		    !pyd_map_get(&w->seen_spaces, f->globals, &known)) {
			code = pyd_map_put(&w->seen_spaces, f->globals, 1, err);
			if (!code)
				code = pyd_vec_push(&w->spaces, f->globals,
						    err);
		}
		if (code)
			return code;
	}
	code = pyd_frame_inside(w->r, f, &inside, &why);
	if (code && pyd_code_is_local(code))
		code = PYD_OK;
	else if (code && err)
		*err = why;
	for (size_t i = 0; i < inside.len && !code; i++) {
		code = pyd_vec_push(&t->inside, inside.data[i], err);
		if (!code)
			code = pyd_vec_push(&t->inside, number, err);
	}
	pyd_vec_deinit(&inside);
	return code;
}

/* -- writing -- */

static const char *wait_name(enum pyd_wait wait)
{
	static const char *const names[] = {
		[PYD_WAIT_NOTHING] = NULL,
		[PYD_WAIT_SYSCALL] = "syscall",
		[PYD_WAIT_GIL] = "gil",
		[PYD_WAIT_LOCK] = "lock",
		[PYD_WAIT_MUTEX] = "mutex",
		[PYD_WAIT_CONDITION] = "condition",
		[PYD_WAIT_EVENT] = "event",
		[PYD_WAIT_SEMAPHORE] = "semaphore",
		[PYD_WAIT_BARRIER] = "barrier",
		[PYD_WAIT_QUEUE] = "queue",
		[PYD_WAIT_FUTURE] = "future",
		[PYD_WAIT_JOIN] = "join",
		[PYD_WAIT_IMPORT] = "import",
		[PYD_WAIT_FUTEX] = "futex",
	};

	return names[wait];
}

static const char *lock_name(enum pyd_lock_kind kind)
{
	static const char *const names[] = {
		[PYD_LOCK_PLAIN] = "lock",    [PYD_LOCK_RLOCK] = "rlock",
		[PYD_LOCK_OBJECT] = "object", [PYD_LOCK_MUTEX] = "mutex",
		[PYD_LOCK_GIL] = "gil",	      [PYD_LOCK_END] = "end",
		[PYD_LOCK_OTHER] = "other",
	};

	return names[kind];
}

static void pack_clean(struct pyd_pack *p, struct pyd_redact *redact,
		       const char *key, const char *text)
{
	pyd_pack_text(p, key);
	pyd_redact_pack(redact, p, *text ? text : NULL);
}

static bool is_held_by(const struct pyd_lock *l, size_t i)
{
	return l->owner == (int)i && l->kind != PYD_LOCK_END;
}

static void pack_thread(const struct pyd_waits *w, size_t i,
			struct pyd_redact *redact, struct pyd_pack *p)
{
	const struct pyd_waiter *t = &w->v[i];
	char text[PYD_WAITS_SENTENCE];
	size_t n = 0;

	pyd_waits_say_wait(w, i, text, sizeof(text));
	for (size_t k = 0; k < w->nlocks; k++)
		n += is_held_by(&w->locks[k], i);
	pyd_pack_map(p, 11);
	pyd_pack_kv_opt(p, "thread", t->py ? (int64_t)i : -1);
	pyd_pack_kv_opt(p, "native_id", t->os ? t->os->tid : -1);
	pack_clean(p, redact, "os_name", t->os ? t->os->comm : "");
	pyd_pack_text(p, "syscall");
	pyd_waits_pack_call(w, t, redact, p);
	pyd_pack_kv_text(p, "wait", wait_name(t->wait));
	pyd_pack_kv_u64(p, "object", t->object);
	pyd_pack_kv_opt(p, "lock", t->lock);
	pyd_pack_kv_opt(p, "on", t->on);
	pyd_pack_kv_bool(p, "timed", t->timed);
	pyd_pack_text(p, "holds");
	pyd_pack_array(p, n);
	for (size_t k = 0; k < w->nlocks; k++)
		if (is_held_by(&w->locks[k], i))
			pyd_pack_u64(p, k);
	pack_clean(p, redact, "text", text);
}

static void pack_lock(const struct pyd_waits *w, size_t k,
		      struct pyd_redact *redact, struct pyd_pack *p)
{
	const struct pyd_lock *l = &w->locks[k];
	char text[PYD_WAITS_TEXT];
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++)
		n += w->v[i].lock == (int)k;
	pyd_waits_lock_text(l, text, sizeof(text));
	pyd_pack_map(p, 12);
	pyd_pack_kv_text(p, "kind", lock_name(l->kind));
	pyd_pack_kv_u64(p, "object", l->object);
	pyd_pack_kv_u64(p, "word", l->word);
	pyd_pack_kv_text(p, "type", l->type);
	pack_clean(p, redact, "name", l->name);
	pyd_pack_kv_bool(p, "locked", l->locked);
	pyd_pack_kv_u64(p, "count", l->count);
	pyd_pack_kv_opt(p, "owner", l->owner);
	pyd_pack_kv_bool(p, "several", l->many);
	pyd_pack_kv_bool(p, "orphan", l->orphan);
	pyd_pack_text(p, "waiters");
	pyd_pack_array(p, n);
	for (size_t i = 0; i < w->n; i++)
		if (w->v[i].lock == (int)k)
			pyd_pack_u64(p, i);
	pack_clean(p, redact, "text", text);
}

static void pack_deadlock(const struct pyd_waits *w,
			  const struct pyd_deadlock *d,
			  struct pyd_redact *redact, struct pyd_pack *p)
{
	char text[PYD_WAITS_SENTENCE];

	pyd_waits_say_deadlock(w, d, text, sizeof(text));
	pyd_pack_map(p, 2);
	pyd_pack_text(p, "threads");
	pyd_pack_array(p, d->n);
	for (size_t k = 0; k < d->n; k++)
		pyd_pack_u64(p, (uint64_t)d->threads[k]);
	pack_clean(p, redact, "text", text);
}

static void pack_notes(const struct pyd_waits *w, struct pyd_redact *redact,
		       struct pyd_pack *p)
{
	size_t n = 0;

	for (int pass = 0; pass < 2; pass++) {
		for (size_t k = 0; k < w->nlocks; k++) {
			char text[PYD_WAITS_SENTENCE];

			if (!pyd_waits_say_gil(w, k, text, sizeof(text)))
				continue;
			if (pass)
				pyd_redact_pack(redact, p, text);
			n++;
		}
		if (!pass)
			pyd_pack_array(p, n);
	}
}

static enum pyd_code name_locks(struct pyd_waits *w, struct pyd_err *err)
{
	enum pyd_code code = PYD_OK;

	for (size_t k = 0; k < w->nlocks && !code; k++) {
		struct pyd_lock *l = &w->locks[k];

		if (l->object && !*l->name && l->owner != PYD_WAITS_NONE)
			code = pyd_waits_name(w, (size_t)l->owner, l->object,
					      l->name, sizeof(l->name), err);
	}
	return code;
}

enum pyd_code pyd_waits_write(struct pyd_waits *w, struct pyd_redact *redact,
			      struct pyd_writer *writer, struct pyd_err *err)
{
	struct pyd_pack p;
	enum pyd_code code = pyd_waits_find(w, err);

	for (size_t i = 0; i < w->n && !code; i++)
		code = pyd_waits_explain(w, i, err);
	if (!code)
		code = name_locks(w, err);
	if (!code)
		code = pyd_waits_circles(w, err);
	if (code)
		return code;
	pyd_pack_init(&p);
	pyd_pack_map(&p, 5);
	pyd_pack_kv_text(&p, "kind", "waits");
	pyd_pack_text(&p, "threads");
	pyd_pack_array(&p, w->n);
	for (size_t i = 0; i < w->n; i++)
		pack_thread(w, i, redact, &p);
	pyd_pack_text(&p, "locks");
	pyd_pack_array(&p, w->nlocks);
	for (size_t k = 0; k < w->nlocks; k++)
		pack_lock(w, k, redact, &p);
	pyd_pack_text(&p, "deadlocks");
	pyd_pack_array(&p, w->ndeadlocks);
	for (size_t k = 0; k < w->ndeadlocks; k++)
		pack_deadlock(w, &w->deadlocks[k], redact, &p);
	pyd_pack_text(&p, "notes");
	pack_notes(w, redact, &p);
	code = pyd_pack_check(&p, err);
	if (!code)
		code = pyd_writer_frame(writer, "waits", &p.buf, NULL, 0, err);
	pyd_pack_deinit(&p);
	return code;
}
