// SPDX-License-Identifier: Apache-2.0
/* Which lock a thread waits for, by the word that it waits at. */
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "read/record.h"
#include "target/arch.h"
#include "walk/waits.h"

enum {
	FRAMES_SEARCHED = 16, /* for the lock object */
	ATTRS_MAX = 256,      /* of one object */
	INNER_MAX = 512,      /* bytes of an object that hold a lock */
	HANDLE_BYTES = 128,   /* more than struct ThreadHandle */
	PTHREAD_BYTES = 4096, /* more than struct pthread */
	/* pthread_mutex_t of glibc on LP64: nptl/bits/struct_mutex.h */
	MUTEX_OWNER = 8,
	MUTEX_NUSERS = 12,
	MUTEX_KIND = 16,
	MUTEX_BYTES = 40,
	MUTEX_KIND_MASK = 0x3ff,
	LOCK_CONTENDED = 2,
	/* struct wait_entry of the parking lot: park_arg, addr, a sem_t, the
	 * links of a list. Python/parking_lot.c, 3.13 to 3.15 */
	ENTRY_ADDR = -8,
	ENTRY_NODE = 32,
};

/* -- words -- */

static bool u32_at(const struct pyd_waits *w, pyd_addr at, uint32_t *ret)
{
	struct pyd_err ignored;

	return !pyd_target_read(w->r->target, at, ret, sizeof(*ret), &ignored);
}

static bool u64_at(const struct pyd_waits *w, pyd_addr at, uint64_t *ret)
{
	struct pyd_err ignored;

	return !pyd_target_read_u64(w->r->target, at, ret, &ignored);
}

/* The thread that the target knows under a native id. */
static int by_tid(const struct pyd_waits *w, uint32_t tid)
{
	for (size_t i = 0; tid && i < w->n; i++)
		if (w->v[i].os && w->v[i].os->ns_tid == (pid_t)tid)
			return (int)i;
	return PYD_WAITS_NONE;
}

int pyd_waits_by_ident(const struct pyd_waits *w, uint64_t ident)
{
	for (size_t i = 0; ident && i < w->npy; i++)
		if (w->v[i].py->ident == ident)
			return (int)i;
	return PYD_WAITS_NONE;
}

/* Sets who has that threading.get_ident(), or that nobody has: a thread may
 * end without letting go what it holds, and none but one survives a fork. */
static void set_owner(const struct pyd_waits *w, uint64_t ident,
		      struct pyd_lock *l)
{
	l->owner = pyd_waits_by_ident(w, ident);
	if (l->owner != PYD_WAITS_NONE || !ident)
		return;
	for (size_t i = 0; i < w->n; i++) {
		/* Not known of each: nothing is. */
		if (!w->v[i].os || !w->v[i].os->regs.thread_pointer)
			return;
		if (!pyd_arch_is_pthread_self(&w->v[i].os->regs, ident))
			continue;
		l->owner = (int)i;
		return;
	}
	l->orphan = true;
}

/* -- locks -- */

enum pyd_code pyd_waits_lock(struct pyd_waits *w, const struct pyd_lock *like,
			     int *ret, struct pyd_err *err)
{
	struct pyd_lock *v;

	for (size_t i = 0; i < w->nlocks; i++) {
		if (w->locks[i].kind != like->kind ||
		    w->locks[i].object != like->object ||
		    (!like->object && w->locks[i].word != like->word))
			continue;
		if (!w->locks[i].word)
			w->locks[i].word = like->word;
		*ret = (int)i;
		return PYD_OK;
	}
	v = reallocarray(w->locks, w->nlocks + 1, sizeof(*v));
	if (!v)
		return pyd_err_set(err, PYD_NOMEM, "out of memory for locks");
	w->locks = v;
	v[w->nlocks] = *like;
	*ret = (int)w->nlocks++;
	return PYD_OK;
}

static bool has_count(const struct pyd_waits *w, const struct pyd_obj *o)
{
	uint64_t n = PYD_OBJ_U64(w->r, o, object, ob_refcnt);

	/* That of a free object is a link, or 0. */
	if (PYD_OFF(w->r->lay, object, ob_refcnt) == PYD_ABSENT)
		return true;
	if (w->r->lay->model_refcount != PYD_M_refcount_plain)
		n &= UINT32_MAX;
	return n && n <= UINT32_MAX;
}

bool pyd_waits_object(const struct pyd_waits *w, pyd_addr at,
		      struct pyd_obj *ret)
{
	struct pyd_err ignored;

	return at && at % PYD_OBJ_ALIGN == 0 &&
	       !pyd_obj_read(w->r, at, ret, &ignored) && has_count(w, ret);
}

static uint64_t field(const struct pyd_waits *w, const struct pyd_obj *o,
		      const char *name, bool *ret_has)
{
	struct pyd_err ignored;
	uint64_t v = 0;

	*ret_has = false;
	if (pyd_obj_field(w->r, o, name, &v, ret_has, &ignored))
		*ret_has = false;
	return *ret_has ? v : 0;
}

/* Up to 3.12 a thread holds a lock until it ends, which is what join() waits
 * for. */
static enum pyd_code list_ends(struct pyd_waits *w, struct pyd_err *err)
{
	enum pyd_code code = PYD_OK;

	for (size_t i = 0; i < w->npy && !code; i++) {
		struct pyd_err ignored;
		pyd_addr at = 0;

		if (w->v[i].py->thread &&
		    !pyd_read_attr(w->r, w->v[i].py->thread, "_tstate_lock",
				   &at, &ignored) &&
		    at)
			code = pyd_map_put(&w->ends, at, i + 1, err);
	}
	return code;
}

static int thread_of_lock(const struct pyd_waits *w, pyd_addr lock)
{
	uint64_t i;

	return pyd_map_get(&w->ends, lock, &i) ? (int)i - 1 : PYD_WAITS_NONE;
}

void pyd_waits_read_lock(const struct pyd_waits *w, const struct pyd_obj *o,
			 struct pyd_lock *l)
{
	bool has, other;
	uint64_t v;

	l->object = o->addr;
	l->owner = PYD_WAITS_NONE;
	snprintf(l->type, sizeof(l->type), "%.63s", o->type->name);
	l->kind = PYD_LOCK_OBJECT;
	if (!strcmp(o->type->name, "_thread.lock")) {
		l->kind = PYD_LOCK_PLAIN;
		l->locked = field(w, o, "locked", &has);
		if (l->locked)
			l->owner = thread_of_lock(w, o->addr);
		if (l->owner != PYD_WAITS_NONE)
			l->kind = PYD_LOCK_END;
	} else if (!strcmp(o->type->name, "_thread._ThreadHandle")) {
		l->kind = PYD_LOCK_END;
		l->locked = true;
		l->owner = pyd_waits_by_ident(w, field(w, o, "ident", &has));
	} else if (!strcmp(o->type->name, "_thread.RLock")) {
		l->kind = PYD_LOCK_RLOCK;
		v = field(w, o, "owner", &has);
		l->count = field(w, o, "count", &other);
		if (!other) {
			l->locked = field(w, o, "locked", &other);
			l->count = l->locked ? field(w, o, "level", &other) + 1
					     : 0;
		} else {
			l->locked = l->count != 0;
		}
		if (l->locked && has)
			set_owner(w, v, l);
	} else if (!strcmp(o->type->name, "_multiprocessing.SemLock")) {
		/* count: how often a thread of this process has it. */
		l->count = field(w, o, "count", &has);
		v = field(w, o, "value", &other);
		/* In shared memory, which is not always captured. */
		l->locked = !other || !v;
		if (has && (int32_t)l->count > 0)
			l->owner = pyd_waits_by_ident(
				w, field(w, o, "last_tid", &other));
	} else {
		l->locked = true;
	}
}

/* Whether the word lies in the object, or in the lock that it points to. */
static bool holds_word(const struct pyd_obj *o, pyd_addr word)
{
	if (word > o->addr && word - o->addr < (uint64_t)o->type->basicsize)
		return true;
	for (size_t at = 16; at + 8 <= o->len; at += 8)
		if (pyd_obj_u64(o, (int64_t)at) == word)
			return true;
	if (!strcmp(o->type->name, "_thread._ThreadHandle")) {
		uint64_t handle = pyd_obj_u64(o, 16);

		return handle && word > handle && word - handle < HANDLE_BYTES;
	}
	return false;
}

/* -- objects by their words -- */

/* The object of which word is the lock; what a slot of a frame refers to, or
 * the self of a method in it. */
static bool slot_holds(const struct pyd_waits *w, uint64_t ref, pyd_addr word,
		       struct pyd_obj *o)
{
	pyd_addr self = 0;

	if (!ref || (ref & 7) || !pyd_waits_object(w, ref, o))
		return false;
	if (pyd_obj_is(o, PYD_KIND_builtin))
		self = PYD_OBJ_U64(w->r, o, cfunction, m_self);
	else if (pyd_obj_is(o, PYD_KIND_method))
		self = PYD_OBJ_U64(w->r, o, method, im_self);
	else if (pyd_obj_is(o, PYD_KIND_cell))
		self = PYD_OBJ_U64(w->r, o, cell, ob_ref);
	if (self && !pyd_waits_object(w, self, o))
		return false;
	return !pyd_obj_is(o, PYD_KIND_type) && !pyd_obj_is(o, PYD_KIND_int) &&
	       !pyd_obj_is(o, PYD_KIND_str) && holds_word(o, word);
}

static enum pyd_code attrs_hold(struct pyd_waits *w, uint64_t ref,
				pyd_addr word, struct pyd_obj *o, bool *ret,
				struct pyd_err *err)
{
	struct pyd_vec pairs = { 0 };
	struct pyd_err ignored;
	pyd_addr dict = 0;
	struct pyd_obj inner;
	uint64_t used;

	(void)err;
	if (!ref || (ref & 7) || !pyd_waits_object(w, ref, o) ||
	    !(o->type->flags & PYD_TPFLAG_HEAPTYPE))
		return PYD_OK;
	if (!pyd_obj_attrs(w->r, o, &pairs, &dict, &ignored)) {
		if (dict && !pyd_obj_read(w->r, dict, &inner, &ignored) &&
		    pyd_obj_is(&inner, PYD_KIND_dict) &&
		    pyd_obj_dict_pairs(w->r, &inner, &pairs, &used, &ignored))
			pairs.len = 0;
		for (size_t i = 1; i < pairs.len && i < ATTRS_MAX && !*ret;
		     i += 2)
			*ret = slot_holds(w, pairs.data[i], word, o);
	}
	pyd_vec_deinit(&pairs);
	return PYD_OK;
}

static enum pyd_code search_frames(struct pyd_waits *w,
				   const struct pyd_waiter *t, pyd_addr word,
				   struct pyd_obj *o, bool *ret,
				   struct pyd_err *err)
{
	struct pyd_frame f = { 0 };
	struct pyd_vec slots = { 0 };
	enum pyd_code code = PYD_OK;

	for (int deep = 0; deep < 2 && !*ret && !code; deep++)
		for (size_t k = 0;
		     k < t->frames.len && k < FRAMES_SEARCHED && !*ret && !code;
		     k++) {
			struct pyd_err ignored;

			pyd_vec_clear(&slots);
			if (pyd_read_frame(w->r, t->frames.data[k], &f,
					   &ignored) ||
			    pyd_frame_slots(w->r, &f, &slots, &ignored))
				continue;
			for (size_t i = 0; i < slots.len && !*ret && !code; i++)
				if (deep)
					code = attrs_hold(w, slots.data[i],
							  word, o, ret, err);
				else
					*ret = slot_holds(w, slots.data[i],
							  word, o);
		}
	pyd_frame_deinit(&f);
	pyd_vec_deinit(&slots);
	return code;
}

/* A lock that is part of an object: it begins a few bytes before. */
static bool object_around(const struct pyd_waits *w, pyd_addr word,
			  struct pyd_obj *o)
{
	for (uint64_t back = 16; back < INNER_MAX; back += 8) {
		pyd_addr at = (word & ~7ULL) - back;

		if (word > back && pyd_waits_object(w, at, o) &&
		    (o->type->flags & PYD_TPFLAG_READY) &&
		    word - at < (uint64_t)o->type->basicsize)
			return true;
	}
	return false;
}

/* -- what else threads wait at -- */

/* From 3.13 on a thread sleeps on a semaphore of its own stack; the entry
 * around it, which is in a list, has the address that it waits for. */
static bool parked(const struct pyd_waits *w, pyd_addr sem, pyd_addr *ret)
{
	pyd_addr node = sem + ENTRY_NODE, next, prev, back, addr;

	if (PYD_OFF(w->r->lay, tstate, current_frame) == PYD_ABSENT ||
	    !u64_at(w, node, &next) || !u64_at(w, node + 8, &prev) || !next ||
	    !prev || next % 8 || prev % 8 || !u64_at(w, next + 8, &back) ||
	    back != node || !u64_at(w, prev, &back) || back != node ||
	    !u64_at(w, sem + (uint64_t)(int64_t)ENTRY_ADDR, &addr) ||
	    !pyd_target_region(w->r->target, addr))
		return false;
	*ret = addr;
	return true;
}

static bool gil_place(const struct pyd_waits *w, size_t interp, pyd_addr *ret)
{
	const struct pyd_layout *lay = &w->rt->lay;
	const struct pyd_interpreter *in = &w->rt->interps[interp];

	if (PYD_OFF(lay, runtime, gil_cond) >= 0) {
		*ret = w->rt->addr + (uint64_t)PYD_OFF(lay, runtime, gil_cond);
		return true;
	}
	if (PYD_OFF(lay, interp, gil) < 0 || PYD_OFF(lay, gil, cond) < 0 ||
	    !u64_at(w, in->addr + (uint64_t)PYD_OFF(lay, interp, gil), ret) ||
	    !*ret)
		return false;
	*ret += (uint64_t)PYD_OFF(lay, gil, cond);
	return true;
}

static enum pyd_code find_gil(struct pyd_waits *w, struct pyd_waiter *t,
			      pyd_addr word, struct pyd_err *err)
{
	struct pyd_lock l = { .kind = PYD_LOCK_GIL, .owner = PYD_WAITS_NONE };
	enum pyd_code code;

	if (PYD_OFF(&w->rt->lay, gil, cond_bytes) < 0)
		return PYD_OK;
	for (size_t i = 0; i < w->rt->ninterps; i++) {
		pyd_addr cond;

		if (!gil_place(w, i, &cond) || word < cond ||
		    word - cond >=
			    (uint64_t)PYD_OFF(&w->rt->lay, gil, cond_bytes))
			continue;
		l.word = cond;
		/* A GIL may be of several interpreters. */
		for (size_t k = 0; k < w->npy; k++) {
			pyd_addr other;

			if (w->v[k].py->gil &&
			    gil_place(w, w->v[k].py->interp, &other) &&
			    other == cond)
				l.owner = (int)k;
		}
		l.locked = l.owner != PYD_WAITS_NONE;
		snprintf(l.type, sizeof(l.type), "GIL");
		code = pyd_waits_lock(w, &l, &t->lock, err);
		if (code)
			return code;
		t->wait = PYD_WAIT_GIL;
		t->on = l.owner;
		/* It looks again every few milliseconds, but waits on. */
		t->timed = false;
		return PYD_OK;
	}
	return PYD_OK;
}

/* pthread_mutex_t by its own words: held and waited for, by a thread of this
 * process, of a kind that there is. */
static bool find_mutex(const struct pyd_waits *w, const struct pyd_syscall *c,
		       struct pyd_lock *l)
{
	pyd_addr at = c->args[0];
	unsigned int op =
		(unsigned int)c->args[1] & (unsigned int)FUTEX_CMD_MASK;
	uint32_t lock, owner, users, kind;

	if (!u32_at(w, at, &lock) || !u32_at(w, at + MUTEX_OWNER, &owner) ||
	    !u32_at(w, at + MUTEX_NUSERS, &users) ||
	    !u32_at(w, at + MUTEX_KIND, &kind))
		return false;
	*l = (struct pyd_lock) {
		.kind = PYD_LOCK_MUTEX,
		.word = at,
		.locked = true,
	};
	snprintf(l->type, sizeof(l->type), "pthread_mutex_t");
	/* The kernel's own convention: the word is the owner's id. */
	if (op == FUTEX_LOCK_PI || op == 13 || (lock & FUTEX_WAITERS)) {
		l->owner = by_tid(w, lock & FUTEX_TID_MASK);
		return l->owner != PYD_WAITS_NONE;
	}
	l->owner = by_tid(w, owner);
	return lock == LOCK_CONTENDED &&
	       (uint32_t)c->args[2] == LOCK_CONTENDED &&
	       (kind & ~(uint32_t)MUTEX_KIND_MASK) == 0 && users &&
	       users < 1 << 20 && l->owner != PYD_WAITS_NONE;
}

/* pthread_join() waits until the kernel clears the id of the thread that
 * ends, in its struct pthread. */
static int find_pthread(const struct pyd_waits *w, const struct pyd_syscall *c)
{
	uint32_t word;
	int i;

	if (!u32_at(w, c->args[0], &word) || word != (uint32_t)c->args[2])
		return PYD_WAITS_NONE;
	i = by_tid(w, word);
	if (i != PYD_WAITS_NONE && w->v[i].os->regs.thread_pointer &&
	    c->args[0] - w->v[i].os->regs.thread_pointer < PTHREAD_BYTES)
		return i;
	return PYD_WAITS_NONE;
}

static bool waits_at_futex(const struct pyd_syscall *c)
{
	unsigned int op =
		(unsigned int)c->args[1] & (unsigned int)FUTEX_CMD_MASK;

	return c->nr == SYS_futex &&
	       (op == FUTEX_WAIT || op == FUTEX_WAIT_BITSET ||
		op == FUTEX_LOCK_PI || op == 13);
}

static enum pyd_code find_one(struct pyd_waits *w, size_t i,
			      struct pyd_err *err)
{
	struct pyd_waiter *t = &w->v[i];
	struct pyd_obj *o = NULL;
	struct pyd_lock l = { 0 }, mutex;
	pyd_addr word = t->call.args[0], park = 0;
	bool found = false;
	enum pyd_code code;

	if (t->call.state != PYD_CALL_WAITS)
		return PYD_OK;
	t->wait = PYD_WAIT_SYSCALL;
	if (!waits_at_futex(&t->call))
		return PYD_OK;
	t->wait = PYD_WAIT_FUTEX;
	t->timed = pyd_waits_is_timed(&t->call);
	code = find_gil(w, t, word, err);
	if (code || t->wait == PYD_WAIT_GIL)
		return code;
	o = malloc(sizeof(*o));
	if (!o)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	if (parked(w, word, &park)) {
		word = park;
		found = object_around(w, word, o);
	}
	if (!found && t->py)
		code = search_frames(w, t, word, o, &found, err);
	if (code)
		goto out;
	if (found) {
		pyd_waits_read_lock(w, o, &l);
		l.word = word;
		t->wait = PYD_WAIT_LOCK;
		t->object = l.object;
		/* An extension's object may have one in it, which says more. */
		if (l.kind == PYD_LOCK_OBJECT && !park &&
		    find_mutex(w, &t->call, &mutex)) {
			l = mutex;
			t->wait = PYD_WAIT_MUTEX;
		}
	} else if (!park && find_mutex(w, &t->call, &l)) {
		t->wait = PYD_WAIT_MUTEX;
	} else if (park) {
		l = (struct pyd_lock) {
			.kind = PYD_LOCK_OTHER,
			.word = word,
			.locked = true,
			.owner = PYD_WAITS_NONE,
		};
		snprintf(l.type, sizeof(l.type), "PyMutex");
		t->wait = PYD_WAIT_LOCK;
	} else {
		t->on = find_pthread(w, &t->call);
		if (t->on != PYD_WAITS_NONE)
			t->wait = PYD_WAIT_JOIN;
		goto out;
	}
	code = pyd_waits_lock(w, &l, &t->lock, err);
out:
	free(o);
	return code;
}

enum pyd_code pyd_waits_find(struct pyd_waits *w, struct pyd_err *err)
{
	enum pyd_code code = list_ends(w, err);

	for (size_t i = 0; i < w->n && !code; i++)
		code = find_one(w, i, err);
	if (!code)
		code = pyd_waits_holders(w, err);
	for (size_t i = 0; i < w->n && !code; i++) {
		struct pyd_waiter *t = &w->v[i];

		if (t->lock != PYD_WAITS_NONE && w->locks[t->lock].locked)
			t->on = w->locks[t->lock].owner;
	}
	return code;
}
