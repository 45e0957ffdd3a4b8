// SPDX-License-Identifier: Apache-2.0
#include "walk/native_private.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "target/procfs.h"
#include "walk/pack.h"

enum {
	/* Frames of one thread that are written: of a recursion that went too
	 * far both ends tell something. */
	KEEP_NEWEST = 1500,
	KEEP_OLDEST = 500,
	CHUNK_BYTES = 512 << 10,
};

const char *pyd_native_mode_name(enum pyd_native_mode mode)
{
	static const char *const names[] = {
		[PYD_NATIVE_AUTO] = "auto",
		[PYD_NATIVE_ALL] = "all",
		[PYD_NATIVE_OFF] = "off",
	};

	return names[mode];
}

void pyd_native_deinit(struct pyd_native *s)
{
	pyd_native_cancel(s);
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i].v);
	free(s->v);
	pyd_places_destroy(s->places);
	pyd_nmodules_deinit(&s->modules);
	*s = (struct pyd_native) { 0 };
}

/* -- taking -- */

static struct pyd_native_stack *add(struct pyd_native *s,
				    const struct pyd_thread *os, int64_t thread)
{
	struct pyd_native_stack *st;

	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 16;

		st = reallocarray(s->v, cap, sizeof(*st));
		if (!st)
			return NULL;
		s->v = st;
		s->cap = cap;
	}
	st = &s->v[s->n++];
	*st = (struct pyd_native_stack) { .thread = thread };
	st->os.tid = os->tid;
	st->os.ns_tid = os->ns_tid;
	st->os.state = os->state;
	memcpy(st->os.comm, os->comm, sizeof(st->os.comm));
	return st;
}

static void add_note(struct pyd_native_stack *st, const char *label,
		     const char *text)
{
	size_t n = strlen(st->note);

	if (text[0])
		snprintf(st->note + n, sizeof(st->note) - n, "%s%s%s",
			 n ? "; " : "", label, text);
}

/* Both ends of the stack, with the Python frames that they run. */
static enum pyd_code keep(struct pyd_native_stack *st,
			  const struct pyd_calls *calls,
			  const struct pyd_merge *m, struct pyd_err *err)
{
	size_t n = calls->n, skip = 0, at = 0;

	st->total = n;
	if (n > KEEP_NEWEST + KEEP_OLDEST) {
		skip = n - KEEP_NEWEST - KEEP_OLDEST;
		st->cut_at = KEEP_NEWEST;
	}
	st->v = calloc(n - skip + 1, sizeof(*st->v));
	if (!st->v)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		const struct pyd_call *c;
		struct pyd_native_call *to;

		if (skip && i == KEEP_NEWEST)
			i += skip;
		c = &calls->v[i];
		while (at < m->n && m->v[at].call < i)
			at++;
		to = &st->v[st->n++];
		*to = (struct pyd_native_call) {
			.pc = c->pc,
			.sp = c->sp,
			.how = c->how,
			.exact = c->exact,
			.signal = c->signal,
		};
		if (at < m->n && m->v[at].call == i) {
			to->runs = true;
			to->first = m->v[at].first;
			to->n = m->v[at].n;
		}
	}
	return PYD_OK;
}

struct taker {
	struct pyd_native *s;
	struct pyd_target *t;
	const struct pyd_runtime *rt;
	const struct pyd_stacks *stacks;
	struct pyd_unwinder *u;
	struct pyd_eval_code code;
	struct pyd_calls calls;
	uint64_t deadline_ns;
};

/* One entry for each thread state that runs on this thread of the kernel, or
 * one by itself. */
static enum pyd_code take_thread(struct taker *k, const struct pyd_thread *os,
				 struct pyd_err *err)
{
	const struct pyd_evals none = { 0 };
	bool late = k->deadline_ns && pyd_now_ns() > k->deadline_ns;
	enum pyd_code code = PYD_OK;
	bool any = false;

	k->calls.n = 0;
	if (!late && !os->asleep)
		code = pyd_unwind(k->u, &os->regs, k->deadline_ns, &k->calls,
				  err);
	for (size_t i = 0; !code && i <= k->rt->nthreads; i++) {
		bool own = i < k->rt->nthreads;
		struct pyd_native_stack *st;
		struct pyd_merge m;

		if (own ? k->rt->threads[i].native_id != os->tid : any)
			continue;
		any = true;
		st = add(k->s, os, own ? (int64_t)i : -1);
		if (!st)
			return pyd_err_set(err, PYD_NOMEM, "out of memory");
		if (os->asleep)
			add_note(st, "",
				 "no registers: it slept in the kernel (state "
				 "D) and could not be stopped");
		else if (late) {
			add_note(st, "",
				 "left out: the time for native stacks was "
				 "over; --native=all takes them all");
			continue;
		}
		code = pyd_merge(k->t, &k->rt->lay, &k->code, &k->calls,
				 own ? &k->stacks->evals[i] : &none, &m, err);
		if (code)
			break;
		st->whole = k->calls.whole;
		st->merged = own && m.merged;
		add_note(st, "it ends early: ", k->calls.note);
		if (own)
			add_note(st,
				 m.merged ? ""
					  : "not merged with the Python "
					    "frames: ",
				 m.note);
		code = keep(st, &k->calls, &m, err);
		k->s->frames += st->n;
		pyd_merge_deinit(&m);
	}
	return code;
}

/* Where the evaluation loop is. */
static void find_eval(struct taker *k)
{
	const struct pyd_modules *elf = &k->s->modules.elf;
	const struct pyd_layout *lay = &k->rt->lay;
	struct pyd_symbol sym;
	struct pyd_err ignored;

	if (lay->model_evalcall != PYD_M_evalcall_frame)
		return;
	for (size_t i = 0; i < elf->n; i++) {
		const struct pyd_module *m = &elf->v[i];

		if (k->rt->addr < m->start || k->rt->addr >= m->end)
			continue;
		if (pyd_module_symbol(elf, m, "_PyEval_EvalFrameDefault", &sym,
				      &ignored) ||
		    !sym.size)
			continue;
		k->code = (struct pyd_eval_code) {
			.start = sym.addr,
			.end = sym.addr + sym.size,
			.module_start = m->start,
			.module_end = m->end,
		};
		return;
	}
}

enum pyd_code pyd_native_take(struct pyd_native *s, struct pyd_target *t,
			      const struct pyd_process *p,
			      const struct pyd_threads *os,
			      const struct pyd_runtime *rt,
			      const struct pyd_stacks *stacks,
			      uint64_t budget_ns, struct pyd_err *err)
{
	uint64_t began = pyd_now_ns();
	struct taker k = {
		.s = s,
		.t = t,
		.rt = rt,
		.stacks = stacks,
		.deadline_ns = budget_ns ? began + budget_ns : 0,
	};
	enum pyd_code code = pyd_nmodules_load(t, p, &s->modules, err);

	if (code)
		return code;
	s->taken = true;
	s->target = t;
	s->budget_ns = budget_ns;
	find_eval(&k);
	code = pyd_unwinder_create(t, &s->modules, &k.u, err);
	for (size_t i = 0; !code && i < os->n; i++)
		code = take_thread(&k, &os->v[i], err);
	if (!code)
		code = pyd_places_create(t, &s->modules, &s->places, err);
	pyd_unwinder_destroy(k.u);
	pyd_calls_deinit(&k.calls);
	s->took_ns = pyd_now_ns() - began;
	pyd_log_debug("native stacks: %zu threads, %llu frames in %.1f ms",
		      os->n, (unsigned long long)s->frames,
		      (double)s->took_ns / 1e6);
	return code;
}

/* -- writing -- */

/* A part that is written as one frame of the file. */
struct chunk {
	struct pyd_pack threads;
	struct pyd_pack places;
	struct pyd_map numbers; /* place -> its number, from 1 */
	uint64_t nthreads;
	uint64_t nplaces;
};

static void chunk_init(struct chunk *c)
{
	*c = (struct chunk) { 0 };
	pyd_pack_init(&c->threads);
	pyd_pack_init(&c->places);
}

static void chunk_deinit(struct chunk *c)
{
	pyd_pack_deinit(&c->threads);
	pyd_pack_deinit(&c->places);
	pyd_map_deinit(&c->numbers);
}

static void pack_clean(struct pyd_redact *r, struct pyd_pack *p,
		       const char *key, const char *text)
{
	pyd_pack_text(p, key);
	pyd_redact_pack(r, p, text);
}

static void pack_line(struct pyd_redact *r, struct pyd_pack *p,
		      const char *file, int line)
{
	pack_clean(r, p, "file", file);
	pyd_pack_kv_opt(p, "line", line ? line : -1);
}

static enum pyd_code place_number(struct pyd_native *s, struct chunk *c,
				  struct pyd_redact *r,
				  const struct pyd_native_call *call,
				  uint64_t *ret, struct pyd_err *err)
{
	const struct pyd_place *at;
	struct pyd_pack *p = &c->places;
	enum pyd_code code =
		pyd_places_find(s->places, call->pc, call->exact, &at, err);
	char id[129] = "";

	if (code)
		return code;
	if (pyd_map_get(&c->numbers, (uintptr_t)at, ret))
		return PYD_OK;
	code = pyd_map_put(&c->numbers, (uintptr_t)at, c->nplaces, err);
	if (code)
		return code;
	*ret = c->nplaces++;
	if (at->module)
		pyd_module_build_id_hex(&at->module->mod, id, sizeof(id));
	pyd_pack_map(p, 9);
	pack_clean(r, p, "module", at->module ? at->module->mod.path : NULL);
	pyd_pack_kv_text(p, "build_id", id[0] ? id : NULL);
	pyd_pack_kv_u64(p, "address", at->address);
	pack_clean(r, p, "function", at->function);
	pack_clean(r, p, "symbol", at->symbol);
	pyd_pack_text(p, "offset");
	if (at->function)
		pyd_pack_u64(p, at->offset);
	else
		pyd_pack_nil(p);
	pack_line(r, p, at->file, at->line);
	pyd_pack_text(p, "inlined");
	pyd_pack_array(p, at->ninlined);
	for (size_t i = 0; i < at->ninlined; i++) {
		pyd_pack_map(p, 3);
		pack_clean(r, p, "function", at->inlined[i].function);
		pack_line(r, p, at->inlined[i].file, at->inlined[i].line);
	}
	return PYD_OK;
}

static enum pyd_code pack_stack(struct pyd_native *s, struct chunk *c,
				struct pyd_redact *r,
				const struct pyd_native_stack *st,
				struct pyd_err *err)
{
	const char state[2] = { st->os.state, '\0' };
	struct pyd_pack *p = &c->threads;

	pyd_pack_map(p, 11);
	pyd_pack_kv_opt(p, "thread", st->thread);
	pyd_pack_kv_i64(p, "native_id", st->os.tid);
	pyd_pack_kv_i64(p, "ns_native_id", st->os.ns_tid);
	pack_clean(r, p, "os_name", st->os.comm[0] ? st->os.comm : NULL);
	pyd_pack_kv_text(p, "state",
			 st->os.state && st->os.state != '?' ? state : NULL);
	pyd_pack_kv_bool(p, "merged", st->merged);
	pyd_pack_kv_bool(p, "whole", st->whole);
	pack_clean(r, p, "note", st->note[0] ? st->note : NULL);
	pyd_pack_kv_u64(p, "total", st->total);
	pyd_pack_kv_opt(p, "cut_at",
			st->total > st->n ? (int64_t)st->cut_at : -1);
	pyd_pack_text(p, "frames");
	pyd_pack_array(p, st->n);
	for (size_t i = 0; i < st->n; i++) {
		const struct pyd_native_call *call = &st->v[i];
		uint64_t number;
		enum pyd_code code = place_number(s, c, r, call, &number, err);

		if (code)
			return code;
		pyd_pack_array(p, 6);
		pyd_pack_u64(p, number);
		pyd_pack_u64(p, call->pc);
		pyd_pack_u64(p, call->sp);
		pyd_pack_u64(p, call->how);
		pyd_pack_bool(p, call->signal);
		if (!call->runs) {
			pyd_pack_nil(p);
			continue;
		}
		pyd_pack_array(p, 2);
		pyd_pack_u64(p, call->first);
		pyd_pack_u64(p, call->n);
	}
	c->nthreads++;
	return PYD_OK;
}

static void join(struct pyd_pack *p, const struct pyd_pack *part)
{
	if (part->failed ||
	    (part->buf.size &&
	     msgpack_sbuffer_write(&p->buf, part->buf.data, part->buf.size)))
		p->failed = true;
}

static enum pyd_code emit(struct chunk *c, struct pyd_writer *w,
			  struct pyd_err *err)
{
	struct pyd_pack p;
	enum pyd_code code;

	pyd_pack_init(&p);
	pyd_pack_map(&p, 3);
	pyd_pack_kv_text(&p, "kind", "native");
	pyd_pack_text(&p, "places");
	pyd_pack_array(&p, c->nplaces);
	join(&p, &c->places);
	pyd_pack_text(&p, "threads");
	pyd_pack_array(&p, c->nthreads);
	join(&p, &c->threads);
	code = pyd_pack_check(&p, err);
	if (!code)
		code = pyd_writer_frame(w, "native", &p.buf, NULL, 0, err);
	pyd_pack_deinit(&p);
	return code;
}

enum pyd_code pyd_native_write(struct pyd_native *s, struct pyd_redact *redact,
			       struct pyd_writer *w, struct pyd_err *err)
{
	enum pyd_code code = PYD_OK;
	struct chunk c;

	if (!s->taken)
		return PYD_OK;
	code = pyd_native_look_up(s, err);
	chunk_init(&c);
	for (size_t i = 0; i < s->n && !code; i++) {
		code = pack_stack(s, &c, redact, &s->v[i], err);
		if (code ||
		    c.threads.buf.size + c.places.buf.size < CHUNK_BYTES)
			continue;
		code = emit(&c, w, err);
		chunk_deinit(&c);
		chunk_init(&c);
	}
	if (!code && c.nthreads)
		code = emit(&c, w, err);
	chunk_deinit(&c);
	/* Debug information takes as much memory as the walk, which has not
	 * begun. */
	pyd_places_destroy(s->places);
	s->places = NULL;
	malloc_trim(0);
	return code;
}
