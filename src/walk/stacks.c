// SPDX-License-Identifier: Apache-2.0
#include "walk/stacks.h"

#include <stdio.h>
#include <stdlib.h>

#include "walk/stacks_private.h"
#include "walk/waits.h"

enum {
	/* Raw bytes after which a "frames" frame is closed. */
	CHUNK_BYTES = 512 << 10,
	FRAMES_MAX = 1 << 22,	  /* of one thread */
	EXCEPTIONS_MAX = 1 << 10, /* of one thread */
	SPACES_MAX = 256,	  /* namespaces of module bodies */
};

static void stack_deinit(struct pyd_stack *s)
{
	for (size_t i = 0; i < s->nchunks; i++)
		pyd_pack_deinit(&s->chunks[i]);
	free(s->chunks);
	free(s->firsts);
	free(s->exceptions);
}

static enum pyd_code root(struct pyd_vec *v, uint64_t ref, struct pyd_err *err)
{
	return ref ? pyd_vec_push(v, ref, err) : PYD_OK;
}

/* -- frames -- */

static enum pyd_code next_chunk(struct pyd_stack *s, struct pyd_err *err)
{
	struct pyd_pack *chunks;
	uint64_t *firsts;

	if (s->nchunks && s->chunks[s->nchunks - 1].buf.size < CHUNK_BYTES)
		return PYD_OK;
	chunks = reallocarray(s->chunks, s->nchunks + 1, sizeof(*chunks));
	if (chunks)
		s->chunks = chunks;
	firsts = reallocarray(s->firsts, s->nchunks + 1, sizeof(*firsts));
	if (firsts)
		s->firsts = firsts;
	if (!chunks || !firsts)
		return pyd_err_set(err, PYD_NOMEM, "out of memory for frames");
	for (size_t i = 0; i < s->nchunks; i++)
		/* The packer points at its own struct, which has moved. */
		chunks[i].pk.data = &chunks[i];
	pyd_pack_init(&chunks[s->nchunks]);
	firsts[s->nchunks] = s->nframes;
	s->nchunks++;
	return PYD_OK;
}

static enum pyd_code add_space(struct pyd_stacks *s, pyd_addr space,
			       struct pyd_err *err)
{
	if (!space)
		return PYD_OK;
	for (size_t i = 0; i < s->spaces.len; i++)
		if (s->spaces.data[i] == space)
			return PYD_OK;
	return s->spaces.len < SPACES_MAX ? pyd_vec_push(&s->spaces, space, err)
					  : PYD_OK;
}

static enum pyd_code frame_roots(struct pyd_stacks *s, struct pyd_reader *r,
				 const struct pyd_frame *f, struct pyd_err *err)
{
	uint64_t found;
	enum pyd_code code;

	for (size_t i = 0; i < f->vars.len; i++) {
		uint64_t value = f->vars.data[i], inner = 0;
		struct pyd_err ignored;

		code = root(&s->near, value, err);
		if (!code && s->redact && value)
			code = pyd_redact_var(s->redact, r,
					      f->code->vars[i].name, value,
					      err);
		if (code)
			return code;
		/* What is in a cell is as near as what is in a variable. */
		if (!value || f->code->vars[i].kind < PYD_VAR_CELL ||
		    f->code->vars[i].kind == PYD_VAR_HIDDEN)
			continue;
		if (!pyd_target_read_u64(
			    r->target,
			    value + (uint64_t)PYD_OFF(r->lay, cell, ob_ref),
			    &inner, &ignored)) {
			code = root(&s->near, inner, err);
			if (code)
				return code;
		}
	}
	for (size_t i = 0; i < f->stack.len; i++) {
		code = root(&s->near, f->stack.data[i], err);
		if (code)
			return code;
	}

	code = add_space(s, f->locals, err);
	if (code)
		return code;

	const uint64_t near[] = { f->locals, f->generator };
	const uint64_t far[] = { f->function, f->code_addr, f->frame_obj };
	const uint64_t globals[] = { f->globals, f->builtins };

	for (size_t i = 0; i < sizeof(near) / sizeof(near[0]); i++) {
		code = root(&s->near, near[i], err);
		if (code)
			return code;
	}
	for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
		code = root(&s->far, far[i], err);
		if (code)
			return code;
	}
	for (size_t i = 0; i < sizeof(globals) / sizeof(globals[0]); i++) {
		code = root(&s->globals, globals[i], err);
		if (code)
			return code;
	}
	if (!pyd_map_get(&s->seen_codes, f->code_addr, &found)) {
		code = pyd_map_put(&s->seen_codes, f->code_addr, 1, err);
		if (code)
			return code;
		return pyd_vec_push(&s->codes, f->code_addr, err);
	}
	return PYD_OK;
}

enum pyd_code pyd_stack_newest(struct pyd_reader *r, pyd_addr tstate,
			       pyd_addr *ret, struct pyd_err *err)
{
	const struct pyd_layout *lay = r->lay;
	pyd_addr cframe;
	enum pyd_code code;

	if (PYD_OFF(lay, tstate, current_frame) != PYD_ABSENT)
		return pyd_target_read_u64(
			r->target,
			tstate + (uint64_t)PYD_OFF(lay, tstate, current_frame),
			ret, err);
	if (PYD_OFF(lay, tstate, cframe) == PYD_ABSENT)
		return pyd_target_read_u64(
			r->target,
			tstate + (uint64_t)PYD_OFF(lay, tstate, frame), ret,
			err);
	code = pyd_target_read_u64(
		r->target, tstate + (uint64_t)PYD_OFF(lay, tstate, cframe),
		&cframe, err);
	if (code)
		return code;
	if (PYD_OFF(lay, cframe, current_frame) == PYD_ABSENT || !cframe) {
		/* 3.10 has a cframe without frames in it. */
		if (PYD_OFF(lay, tstate, frame) != PYD_ABSENT)
			return pyd_target_read_u64(
				r->target,
				tstate + (uint64_t)PYD_OFF(lay, tstate, frame),
				ret, err);
		*ret = 0;
		return PYD_OK;
	}
	return pyd_target_read_u64(
		r->target,
		cframe + (uint64_t)PYD_OFF(lay, cframe, current_frame), ret,
		err);
}

static enum pyd_code read_stack(struct pyd_stacks *s, struct pyd_stack *st,
				struct pyd_reader *r, pyd_addr tstate,
				size_t thread, struct pyd_evals *evals,
				struct pyd_err *err)
{
	struct pyd_frame f = { 0 };
	struct pyd_err why = { 0 };
	pyd_addr at = 0, mark = 0;
	uint64_t steps = 0, lap = 1;
	enum pyd_code code = pyd_stack_newest(r, tstate, &at, &why);

	if (code && !pyd_code_is_local(code)) {
		*err = why;
		return code;
	}
	if (code)
		snprintf(st->note, sizeof(st->note), "no frames: %.180s",
			 why.msg);
	code = pyd_evals_begin(evals, r, tstate, err);
	for (; at && !code; at = f.previous) {
		/* Brent: a chain that closes on itself meets its mark. */
		if (at == mark || st->nframes >= FRAMES_MAX) {
			snprintf(st->note, sizeof(st->note),
				 at == mark ? "the chain of frames is corrupt: "
					      "it closes on itself"
					    : "too many frames; the oldest are "
					      "left out");
			break;
		}
		if (++steps == lap) {
			mark = at;
			lap *= 2;
			steps = 0;
		}

		enum pyd_code got = pyd_read_frame(r, at, &f, &why);

		if (got && !pyd_code_is_local(got)) {
			*err = why;
			code = got;
			break;
		}
		code = pyd_evals_add(evals, r->lay, at, st->nframes,
				     !got && f.shim, !got && f.entry, err);
		if (!code && !got && f.shim)
			continue;
		if (!code)
			code = next_chunk(st, err);
		if (code)
			break;

		struct pyd_pack *p = &st->chunks[st->nchunks - 1];

		if (got) {
			pyd_stack_pack_bad_frame(p, &f, &why);
			/* Its link may still be good; a loop is noticed. */
			if (!f.previous)
				snprintf(st->note, sizeof(st->note),
					 "older frames are missing: %.160s",
					 why.msg);
		} else {
			pyd_stack_pack_frame(s, p, r, &f);
			code = frame_roots(s, r, &f, err);
			if (!code && s->waits)
				code = pyd_waits_frame(s->waits, thread,
						       st->nframes, &f, err);
		}
		st->nframes++;
	}
	pyd_frame_deinit(&f);
	return code ? code : pyd_evals_end(evals, r->lay, st->nframes, err);
}

/* -- exceptions -- */

static enum pyd_code add_exception(struct pyd_stacks *s, struct pyd_stack *st,
				   struct pyd_reader *r, bool raised,
				   pyd_addr value, pyd_addr type,
				   pyd_addr traceback, struct pyd_err *err)
{
	struct pyd_err ignored;
	char name[32];
	struct pyd_stack_exception *v;

	/* None stands for no exception in places. */
	if (!value && !type)
		return PYD_OK;
	if (value &&
	    !pyd_read_type_name(r, value, name, sizeof(name), &ignored) &&
	    !strcmp(name, "NoneType"))
		return PYD_OK;
	if (value && !type &&
	    pyd_target_read_u64(
		    r->target,
		    value + (uint64_t)PYD_OFF(r->lay, object, ob_type), &type,
		    &ignored))
		type = 0;
	if (value && !traceback &&
	    pyd_target_read_u64(
		    r->target,
		    value + (uint64_t)PYD_OFF(r->lay, exception, traceback),
		    &traceback, &ignored))
		traceback = 0;
	/* What the dump is about is first, and once. */
	if (s->trigger && value && s->trigger->exception == value &&
	    st->nexceptions && st->exceptions[0].value == value)
		return PYD_OK;
	v = reallocarray(st->exceptions, st->nexceptions + 1, sizeof(*v));
	if (!v)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	st->exceptions = v;
	v[st->nexceptions++] = (struct pyd_stack_exception) {
		.raised = raised,
		.value = value,
		.type = type,
		.traceback = traceback,
	};

	/* What has not been made is told by its type. */
	enum pyd_code code = root(&s->near, value ? value : type, err);

	if (!code)
		code = root(&s->near, traceback, err);
	return code;
}

static enum pyd_code read_exceptions(struct pyd_stacks *s, struct pyd_stack *st,
				     struct pyd_reader *r, pyd_addr tstate,
				     struct pyd_err *err)
{
	enum pyd_code code;
	pyd_addr item;

	if (PYD_OFF(r->lay, tstate, current_exception) != PYD_ABSENT)
		code = add_exception(
			s, st, r, true,
			pyd_read_field(r, tstate,
				       PYD_F_tstate_current_exception),
			0, 0, err);
	else
		code = add_exception(
			s, st, r, true,
			pyd_read_field(r, tstate, PYD_F_tstate_curexc_value),
			pyd_read_field(r, tstate, PYD_F_tstate_curexc_type),
			pyd_read_field(r, tstate,
				       PYD_F_tstate_curexc_traceback),
			err);
	if (code)
		return code;

	item = pyd_read_field(r, tstate, PYD_F_tstate_exc_info);
	for (int i = 0; item && i < EXCEPTIONS_MAX; i++) {
		bool triple = r->lay->model_excinfo == PYD_M_excinfo_triple;
		pyd_addr value =
			pyd_read_field(r, item, PYD_F_excinfo_exc_value);
		pyd_addr previous =
			pyd_read_field(r, item, PYD_F_excinfo_previous_item);

		code = add_exception(
			s, st, r, false, value,
			/* A type alone is None or a stale one. */
			triple && value ? pyd_read_field(r, item,
							 PYD_F_excinfo_exc_type)
					: 0,
			triple ? pyd_read_field(r, item,
						PYD_F_excinfo_exc_traceback)
			       : 0,
			err);
		if (code)
			return code;
		if (previous == item)
			break;
		item = previous;
	}
	return PYD_OK;
}

/* The thread that the trigger's exception ends; nthreads: none. */
static size_t thread_of_trigger(const struct pyd_stacks *s,
				const struct pyd_runtime *rt)
{
	if (!s->trigger || !s->trigger->exception_type[0])
		return rt->nthreads;
	for (size_t i = 0; i < rt->nthreads; i++)
		if (rt->threads[i].native_id == s->trigger->thread)
			return i;
	return 0;
}

enum pyd_code pyd_stacks_write(struct pyd_stacks *s,
			       const struct pyd_runtime *rt,
			       struct pyd_reader *r, struct pyd_writer *w,
			       struct pyd_err *err)
{
	struct pyd_stack *stacks = calloc(rt->nthreads + 1, sizeof(*stacks));
	const size_t ends = thread_of_trigger(s, rt);
	enum pyd_code code = PYD_OK;

	s->evals = calloc(rt->nthreads + 1, sizeof(*s->evals));
	if (!stacks || !s->evals) {
		free(stacks);
		return pyd_err_set(err, PYD_NOMEM, "out of memory for threads");
	}
	s->nevals = rt->nthreads;
	for (size_t i = 0; i < rt->nthreads && !code; i++) {
		if (i == ends)
			code = add_exception(s, &stacks[i], r, true,
					     s->trigger->exception,
					     s->trigger->exception_class,
					     s->trigger->traceback, err);
		if (!code)
			code = read_exceptions(s, &stacks[i], r,
					       rt->threads[i].addr, err);
		if (!code)
			code = read_stack(s, &stacks[i], r, rt->threads[i].addr,
					  i, &s->evals[i], err);
		if (!code)
			code = root(&s->far, rt->threads[i].thread, err);
		s->frames += stacks[i].nframes;
	}
	s->threads = rt->nthreads;
	for (size_t i = 0; i < rt->ninterps && !code; i++) {
		code = root(&s->globals, rt->interps[i].modules, err);
		if (!code)
			code = root(&s->globals, rt->interps[i].sysdict, err);
		if (!code)
			code = root(&s->globals, rt->interps[i].builtins, err);
	}
	if (!code)
		code = pyd_stacks_emit(s, rt, stacks, w, err);
	for (size_t i = 0; i < rt->nthreads; i++)
		stack_deinit(&stacks[i]);
	free(stacks);
	return code;
}

void pyd_stacks_deinit(struct pyd_stacks *s)
{
	for (size_t i = 0; i < s->nevals; i++)
		pyd_evals_deinit(&s->evals[i]);
	free(s->evals);
	pyd_vec_deinit(&s->near);
	pyd_vec_deinit(&s->far);
	pyd_vec_deinit(&s->globals);
	pyd_vec_deinit(&s->spaces);
	pyd_vec_deinit(&s->codes);
	pyd_map_deinit(&s->seen_codes);
	*s = (struct pyd_stacks) { 0 };
}
