// SPDX-License-Identifier: Apache-2.0
/* Who holds plain locks: the one thread that is inside a "with" of it. */
#include <string.h>

#include "read/object.h"
#include "walk/waits.h"

enum {
	INSIDE_MAX = 100000, /* words on what a thread is inside of */
};

/* The lock that a "with" of the object takes: itself, or that of a
 * threading.Condition. */
static pyd_addr lock_of(struct pyd_waits *w, pyd_addr object)
{
	struct pyd_err ignored;
	struct pyd_obj o;
	pyd_addr inner = 0;

	if (!pyd_waits_object(w, object, &o))
		return 0;
	if (!strcmp(o.type->name, "_thread.lock") ||
	    !strcmp(o.type->name, "_thread.RLock"))
		return object;
	if (pyd_read_attr(w->r, object, "_waiters", &inner, &ignored) ||
	    !inner || pyd_read_attr(w->r, object, "_lock", &inner, &ignored) ||
	    !inner || !pyd_waits_object(w, inner, &o))
		return 0;
	return !strcmp(o.type->name, "_thread.lock") ||
			       !strcmp(o.type->name, "_thread.RLock")
		       ? inner
		       : 0;
}

/* Condition.wait() lets the lock go that the thread is inside a "with" of. */
static bool let_go(struct pyd_waits *w, const struct pyd_waiter *t,
		   pyd_addr lock, uint64_t number)
{
	struct pyd_frame f = { 0 };
	bool ret = false;

	for (size_t k = 0; k < t->frames.len && k < number && !ret; k++) {
		struct pyd_err ignored;
		char module[64];

		if (pyd_read_frame(w->r, t->frames.data[k], &f, &ignored) ||
		    !f.code || strcmp(f.code->name_text, "wait") != 0)
			continue;
		pyd_waits_module(w->r, f.globals, module, sizeof(module));
		ret = !strcmp(module, "threading") &&
		      lock_of(w, pyd_waits_var(w->r, &f, "self")) == lock;
	}
	pyd_frame_deinit(&f);
	return ret;
}

/* A function of contextlib.contextmanager is a generator, which is inside of
 * its own "with" as long as the frame is: those are added. */
static enum pyd_code through_generators(struct pyd_waits *w,
					struct pyd_waiter *t,
					struct pyd_err *err)
{
	struct pyd_frame f = { 0 };
	struct pyd_vec inner = { 0 };
	enum pyd_code code = PYD_OK;

	/* What is added is looked at too: they can be nested. */
	for (size_t k = 0; k + 1 < t->inside.len && k < INSIDE_MAX && !code;
	     k += 2) {
		uint64_t number = t->inside.data[k + 1];
		struct pyd_err ignored;
		struct pyd_obj o;
		pyd_addr gen = 0;

		if (pyd_read_attr(w->r, t->inside.data[k], "gen", &gen,
				  &ignored) ||
		    !gen || !pyd_waits_object(w, gen, &o) ||
		    !pyd_obj_is(&o, PYD_KIND_generator))
			continue;
		pyd_vec_clear(&inner);
		if (pyd_read_suspended(w->r, &o, &f, &ignored) ||
		    pyd_frame_inside(w->r, &f, &inner, &ignored))
			continue;
		for (size_t i = 0; i < inner.len && !code; i++) {
			code = pyd_vec_push(&t->inside, inner.data[i], err);
			if (!code)
				code = pyd_vec_push(&t->inside, number, err);
		}
	}
	pyd_vec_deinit(&inner);
	pyd_frame_deinit(&f);
	return code;
}

enum pyd_code pyd_waits_holders(struct pyd_waits *w, struct pyd_err *err)
{
	for (size_t i = 0; i < w->npy; i++) {
		struct pyd_waiter *t = &w->v[i];
		enum pyd_code made = through_generators(w, t, err);

		if (made)
			return made;
		for (size_t k = 0; k + 1 < t->inside.len; k += 2) {
			pyd_addr at = lock_of(w, t->inside.data[k]);
			struct pyd_lock l = { 0 };
			struct pyd_obj o;
			int index;
			enum pyd_code code;

			if (!at || !pyd_waits_object(w, at, &o))
				continue;
			pyd_waits_read_lock(w, &o, &l);
			if (!l.locked)
				continue;
			/* Only what is waited for, or held by this one. */
			if (l.kind == PYD_LOCK_PLAIN &&
			    let_go(w, t, at, t->inside.data[k + 1]))
				continue;
			if (l.kind == PYD_LOCK_RLOCK && l.owner != (int)i)
				continue;
			code = pyd_waits_lock(w, &l, &index, err);
			if (code)
				return code;

			struct pyd_lock *held = &w->locks[index];

			if (held->kind != PYD_LOCK_PLAIN || held->many)
				continue;
			if (held->owner != PYD_WAITS_NONE &&
			    held->owner != (int)i) {
				held->owner = PYD_WAITS_NONE;
				held->many = true;
			} else {
				held->owner = (int)i;
			}
		}
	}
	return PYD_OK;
}
