// SPDX-License-Identifier: Apache-2.0
/* Thread states, and which thread of the kernel each one is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/interp.h"

enum { MAX_THREADS = 1 << 20 };

struct list {
	struct pyd_pythread *v;
	size_t n;
	size_t cap;
};

static enum pyd_code push(struct list *l, struct pyd_pythread t,
			  struct pyd_err *err)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 16;
		struct pyd_pythread *v = realloc(l->v, cap * sizeof(*v));

		if (!v)
			return pyd_err_set(err, PYD_NOMEM, "out of memory");
		l->v = v;
		l->cap = cap;
	}
	l->v[l->n++] = t;
	return PYD_OK;
}

/* -- who holds the GIL -- */

struct gil {
	pyd_addr holder; /* thread state, 0: nobody */
};

static struct gil read_gil(struct pyd_target *t, const struct pyd_runtime *rt,
			   const struct pyd_interpreter *in)
{
	const struct pyd_layout *lay = &rt->lay;
	int32_t locked_off = PYD_OFF(lay, runtime, gil_locked);
	int32_t holder_off = PYD_OFF(lay, runtime, gil_last_holder);
	int32_t gil_off = PYD_OFF(lay, interp, gil);
	pyd_addr base = rt->addr;
	struct gil none = { 0 };
	struct pyd_err ignored;
	int32_t locked;
	uint64_t holder;

	/* One for the runtime until 3.11, then one that interpreters point
	 * to, their own or a shared one. */
	if (locked_off < 0 || holder_off < 0) {
		if (gil_off < 0 ||
		    pyd_target_read_u64(t, in->addr + (uint64_t)gil_off, &base,
					&ignored) ||
		    !base)
			return none;
		locked_off = PYD_OFF(lay, gil, locked);
		holder_off = PYD_OFF(lay, gil, last_holder);
		if (locked_off < 0 || holder_off < 0)
			return none;
	}
	if (pyd_target_read(t, base + (uint64_t)locked_off, &locked,
			    sizeof(locked), &ignored) ||
	    locked != 1 ||
	    pyd_target_read_u64(t, base + (uint64_t)holder_off, &holder,
				&ignored))
		return none;
	return (struct gil) { holder };
}

/* -- names, by threading._active -- */

struct names {
	struct pyd_reader *r;
	struct pyd_map by_ident; /* ident -> Thread object */
};

static enum pyd_code add_name(void *ctx, pyd_addr key, pyd_addr value,
			      struct pyd_err *err)
{
	struct names *n = ctx;
	struct pyd_err ignored;
	int64_t ident;

	if (pyd_read_i64(n->r, key, &ident, &ignored) || !ident)
		return PYD_OK;
	return pyd_map_put(&n->by_ident, (uint64_t)ident, value, err);
}

/* Nothing here is an error: a program need not import threading, and may
 * have replaced anything in it. */
static enum pyd_code read_names(struct names *n,
				const struct pyd_interpreter *in,
				struct pyd_err *err)
{
	const struct pyd_layout *lay = n->r->lay;
	pyd_addr module = 0;
	pyd_addr dict = 0;
	pyd_addr active = 0;
	struct pyd_err inner = { 0 };
	enum pyd_code code;

	pyd_map_clear(&n->by_ident);
	code = pyd_read_dict_str(n->r, in->modules, "threading", &module,
				 &inner);
	if (!code && module)
		code = pyd_target_read_u64(
			n->r->target,
			module + (uint64_t)PYD_OFF(lay, module, md_dict), &dict,
			&inner);
	if (!code && dict)
		code = pyd_read_dict_str(n->r, dict, "_active", &active,
					 &inner);
	if (!code && active)
		code = pyd_read_dict_each(n->r, active, add_name, n, &inner);
	if (!code || pyd_code_is_local(code))
		return PYD_OK;
	if (err)
		*err = inner;
	return code;
}

static void name_thread(struct names *n, struct pyd_pythread *t)
{
	struct pyd_err ignored;
	pyd_addr name = 0;

	if (!pyd_map_get(&n->by_ident, t->ident, &t->thread))
		return;
	if (pyd_read_attr(n->r, t->thread, "_name", &name, &ignored) || !name ||
	    pyd_read_str(n->r, name, t->name, sizeof(t->name), &ignored))
		t->name[0] = 0;
}

/* -- the kernel's threads -- */

static const struct pyd_thread *find_os(const struct pyd_threads *os,
					const struct pyd_pythread *t)
{
	if (!os)
		return NULL;
	/* The thread pointer cannot be stale, as a native id is after a fork
	 * in some versions; it is known when threads were stopped. */
	for (size_t i = 0; t->ident && i < os->n; i++)
		if (pyd_arch_is_pthread_self(&os->v[i].regs, t->ident))
			return &os->v[i];
	for (size_t i = 0; t->ns_native_id && i < os->n; i++)
		if (os->v[i].ns_tid == t->ns_native_id)
			return &os->v[i];
	return NULL;
}

static void set_os(struct pyd_pythread *t, const struct pyd_thread *os)
{
	t->native_id = os->tid;
	t->ns_native_id = os->ns_tid;
	snprintf(t->os_name, sizeof(t->os_name), "%s", os->comm);
	t->state = os->state;
}

/* -- listing -- */

static enum pyd_code read_thread(struct pyd_runtime *rt, struct pyd_target *t,
				 pyd_addr addr, size_t interp,
				 struct pyd_pythread *ret, pyd_addr *ret_next,
				 uint64_t *ret_id, struct pyd_err *err)
{
	const struct pyd_layout *lay = &rt->lay;
	struct pyd_pythread th = { .addr = addr,
				   .interp = interp,
				   .state = '?' };
	int32_t native_off = PYD_OFF(lay, tstate, native_thread_id);
	uint64_t native = 0;
	uint64_t next = 0;
	uint64_t id = 0;
	uint64_t back = 0;
	enum pyd_code code;

	code = pyd_target_read_u64(
		t, addr + (uint64_t)PYD_OFF(lay, tstate, interp), &back, err);
	if (!code && back != rt->interps[interp].addr)
		code = pyd_err_at(err, PYD_CORRUPT, addr,
				  "thread state at 0x%llx belongs to another "
				  "interpreter",
				  (unsigned long long)addr);
	if (!code)
		code = pyd_target_read_u64(
			t, addr + (uint64_t)PYD_OFF(lay, tstate, next), &next,
			err);
	if (!code)
		code = pyd_target_read_u64(
			t, addr + (uint64_t)PYD_OFF(lay, tstate, thread_id),
			&th.ident, err);
	if (!code)
		code = pyd_target_read_u64(
			t, addr + (uint64_t)PYD_OFF(lay, tstate, id), &id, err);
	if (!code && native_off >= 0)
		code = pyd_target_read_u64(t, addr + (uint64_t)native_off,
					   &native, err);
	if (code)
		return code;
	if (native <= INT32_MAX)
		th.ns_native_id = (pid_t)native;
	*ret = th;
	*ret_next = next;
	*ret_id = id;
	return PYD_OK;
}

struct main_thread {
	size_t index;
	uint64_t id; /* lowest in the main interpreter */
	bool sure;   /* the kernel says so */
	bool any;
};

static enum pyd_code list_interp(struct pyd_runtime *rt, struct pyd_reader *r,
				 const struct pyd_threads *os, size_t interp,
				 struct list *l, struct pyd_map *seen,
				 struct names *names, struct main_thread *mt,
				 struct pyd_err *err)
{
	const struct pyd_interpreter *in = &rt->interps[interp];
	struct gil gil = read_gil(r->target, rt, in);
	enum pyd_code code = read_names(names, in, err);
	pyd_addr at = 0;

	if (!code)
		code = pyd_target_read_u64(
			r->target,
			in->addr +
				(uint64_t)PYD_OFF(r->lay, interp, threads_head),
			&at, err);
	while (at && !code) {
		struct pyd_pythread th;
		const struct pyd_thread *found;
		pyd_addr next;
		uint64_t id;
		uint64_t known;

		if (at % 8 || l->n >= MAX_THREADS ||
		    pyd_map_get(seen, at, &known))
			return pyd_err_at(err, PYD_CORRUPT, at,
					  "the list of threads does not hold "
					  "up");
		code = pyd_map_put(seen, at, 1, err);
		if (!code)
			code = read_thread(rt, r->target, at, interp, &th,
					   &next, &id, err);
		if (code)
			break;
		found = find_os(os, &th);
		if (found)
			set_os(&th, found);
		th.gil = gil.holder == at;
		name_thread(names, &th);

		/* The kernel's main thread comes first in os. */
		bool sure = found && found == &os->v[0];

		if (in->main && !mt->sure &&
		    (sure || !mt->any || id < mt->id)) {
			*mt = (struct main_thread) { l->n, id, sure, true };
		}
		code = push(l, th, err);
		at = next;
	}
	return code;
}

/* Not stopped and 3.10 or older: nothing tells which thread of the kernel a
 * thread state is, but for the main one. */
static void guess_main(struct pyd_pythread *t, const struct pyd_threads *os)
{
	if (!t->native_id && os && os->n)
		set_os(t, &os->v[0]);
}

static void put_first(struct list *l, size_t index)
{
	struct pyd_pythread first = l->v[index];

	memmove(l->v + 1, l->v, index * sizeof(*l->v));
	first.main = true;
	l->v[0] = first;
}

enum pyd_code pyd_runtime_threads(struct pyd_runtime *rt, struct pyd_reader *r,
				  const struct pyd_threads *os,
				  struct pyd_err *err)
{
	struct list l = { 0 };
	struct pyd_map seen = { 0 };
	struct names names = { .r = r };
	struct main_thread mt = { 0 };
	enum pyd_code code = pyd_interps_list(r->target, rt, err);

	if (code)
		return code;
	pyd_vec_clear(&r->interps);
	for (size_t i = 0; i < rt->ninterps && !code; i++)
		code = pyd_vec_push(&r->interps, rt->interps[i].addr, err);
	for (size_t i = 0; i < rt->ninterps && !code; i++)
		code = list_interp(rt, r, os, i, &l, &seen, &names, &mt, err);
	pyd_map_deinit(&seen);
	pyd_map_deinit(&names.by_ident);
	if (code) {
		free(l.v);
		return code;
	}
	if (mt.any) {
		put_first(&l, mt.index);
		guess_main(&l.v[0], os);
	}
	free(rt->threads);
	rt->threads = l.v;
	rt->nthreads = l.n;
	return PYD_OK;
}
