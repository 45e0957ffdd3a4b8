// SPDX-License-Identifier: Apache-2.0
/* Frames as objects: those that have a frame object, and generators,
 * coroutines and asynchronous generators with theirs. */
#include "read/family.h"
#include "read/frame.h"

enum {
	/* YIELD_FROM of every version whose generators have gi_frame. */
	OP_YIELD_FROM = 72,
};

static enum pyd_code push_all(struct pyd_vec *v, const uint64_t *items,
			      size_t n, struct pyd_err *err)
{
	enum pyd_code code = pyd_vec_reserve(v, n, err);

	if (code)
		return code;
	if (n)
		memcpy(v->data + v->len, items, n * sizeof(*items));
	v->len += n;
	return PYD_OK;
}

static int32_t clamp32(int64_t v)
{
	return v > INT32_MAX ? INT32_MAX : v < -1 ? -1 : (int32_t)v;
}

/* The fields of a frame or generator node, then its values, stack and
 * numbers. */
static enum pyd_code append_frame(const struct pyd_reader *r,
				  struct pyd_node *n, const uint64_t *fields,
				  size_t nfields, const struct pyd_frame *f,
				  struct pyd_err *err)
{
	const int32_t numbers[] = {
		(int32_t)f->state,
		clamp32(f->lasti),
		f->pos.line,
		f->pos.end_line,
		f->pos.col,
		f->pos.end_col,
		(int32_t)f->vars.len,
		f->stack_known ? (int32_t)f->stack.len : -1,
	};
	enum pyd_code code = push_all(&n->refs, fields, nfields, err);

	/* An interpreter frame has no ob_size that tells of its items. */
	if (f->code && PYD_OFF(r->lay, iframe, localsplus) != PYD_ABSENT &&
	    f->state != PYD_FRAME_FINISHED)
		n->size += (f->code->nvars + (uint64_t)f->code->stacksize) * 8;

	if (!code)
		code = push_all(&n->refs, f->vars.data, f->vars.len, err);
	if (!code)
		code = push_all(&n->refs, f->stack.data, f->stack.len, err);
	if (code)
		return code;
	return pyd_buf_append(&n->value, numbers, sizeof(numbers), err);
}

enum pyd_code pyd_read_frameobj(struct pyd_reader *r, const struct pyd_obj *o,
				struct pyd_node *n, struct pyd_err *err)
{
	struct pyd_frame f = { 0 };
	pyd_addr back = PYD_OBJ_U64(r, o, frameobj, f_back);
	pyd_addr trace = PYD_OBJ_U64(r, o, frameobj, f_trace);
	pyd_addr at = o->addr;
	enum pyd_code code;

	if (pyd_has_iframes(r->lay))
		at = PYD_OBJ_U64(r, o, frameobj, f_frame);
	code = pyd_read_frame(r, at, &f, err);
	if (code)
		goto out;
	if (f.shim) {
		code = pyd_err_at(err, PYD_CORRUPT, o->addr,
				  "a frame without code");
		goto out;
	}
	if (pyd_has_iframes(r->lay)) {
		/* f_back is set once the frame is finished; before that the
		 * chain is the thread's, which the dump has by itself. */
		if (f.state != PYD_FRAME_FINISHED)
			back = 0;
	} else {
		/* Up to 3.9 only "executing" tells; 3.10 has f_state with
		 * FRAME_CREATED -2 ... FRAME_CLEARED 4. */
		if (PYD_OFF(r->lay, frameobj, f_state) != PYD_ABSENT) {
			int8_t s = (int8_t)PYD_OBJ_U8(r, o, frameobj, f_state);

			f.state = s < -1    ? PYD_FRAME_CREATED
				  : s == -1 ? PYD_FRAME_SUSPENDED
				  : s == 0  ? PYD_FRAME_RUNNING
					    : PYD_FRAME_FINISHED;
		} else if (!PYD_OBJ_U8(r, o, frameobj, f_executing)) {
			f.state = !f.stack_known ? PYD_FRAME_FINISHED
				  : f.lasti < 0	 ? PYD_FRAME_CREATED
						 : PYD_FRAME_SUSPENDED;
		}
	}
	const uint64_t fields[] = {
		back,	  f.code_addr, f.globals,   f.builtins,
		f.locals, f.function,  f.generator, trace,
	};

	code = append_frame(r, n, fields, sizeof(fields) / sizeof(fields[0]),
			    &f, err);
out:
	pyd_frame_deinit(&f);
	return code;
}

/* What the numbering of gi_frame_state means. */
static enum pyd_frame_state gen_state(const struct pyd_reader *r, int8_t s,
				      bool *ret_yield_from)
{
	*ret_yield_from = false;
	switch (r->lay->model_genstate) {
	case PYD_M_genstate_v311:
		/* -2 created, -1 suspended, 0 executing */
		return s == -2	 ? PYD_FRAME_CREATED
		       : s == -1 ? PYD_FRAME_SUSPENDED
		       : s == 0	 ? PYD_FRAME_RUNNING
				 : PYD_FRAME_FINISHED;
	case PYD_M_genstate_v313:
		/* -3 created, -2 suspended, -1 suspended in yield from */
		*ret_yield_from = s == -1;
		return s == -3		    ? PYD_FRAME_CREATED
		       : s == -2 || s == -1 ? PYD_FRAME_SUSPENDED
		       : s == 0		    ? PYD_FRAME_RUNNING
					    : PYD_FRAME_FINISHED;
	case PYD_M_genstate_v315:
		/* 0 created, 1 suspended, 2 and 3 in yield from (3: locked),
		 * 4 executing, 5 cleared */
		*ret_yield_from = s == 2 || s == 3;
		return s == 0		  ? PYD_FRAME_CREATED
		       : s >= 1 && s <= 3 ? PYD_FRAME_SUSPENDED
		       : s == 4		  ? PYD_FRAME_RUNNING
					  : PYD_FRAME_FINISHED;
	case PYD_M_genstate_frame:
		break;
	}
	return PYD_FRAME_FINISHED;
}

/* What a suspended generator waits for, or 0. */
static pyd_addr awaiting(struct pyd_reader *r, const struct pyd_frame *f,
			 bool yield_from)
{
	size_t top = f->stack.len;
	uint8_t next[2];
	struct pyd_err ignored;

	if (!f->stack_known || !top || f->lasti < 0)
		return 0;
	switch (r->lay->model_genstate) {
	case PYD_M_genstate_frame:
		if (pyd_target_read(r->target,
				    f->code->first + (uint64_t)f->lasti + 2,
				    next, 2, &ignored) ||
		    next[0] != OP_YIELD_FROM)
			return 0;
		return f->stack.data[top - 1];
	case PYD_M_genstate_v311:
		/* The next instruction is RESUME; its argument says why. */
		if (pyd_target_read(r->target,
				    f->code->first + (uint64_t)f->lasti + 2,
				    next, 2, &ignored) ||
		    (next[1] & 3) < 2)
			return 0;
		return f->stack.data[top - 1];
	case PYD_M_genstate_v313:
		return yield_from ? f->stack.data[top - 1] : 0;
	case PYD_M_genstate_v315:
		/* An index lies above what is awaited. */
		return yield_from && top >= 2 ? f->stack.data[top - 2] : 0;
	}
	return 0;
}

/* The state of a generator that has a frame object: its own gi_running up to
 * 3.9, the frame's f_state in 3.10. */
static enum pyd_code gen_frame_state(struct pyd_reader *r,
				     const struct pyd_obj *o,
				     pyd_addr frame_obj, struct pyd_frame *f,
				     struct pyd_err *err)
{
	bool running = PYD_OBJ_U8(r, o, gen, gi_running);

	if (PYD_OFF(r->lay, frameobj, f_state) != PYD_ABSENT) {
		struct pyd_obj frame;
		enum pyd_code code = pyd_obj_read(r, frame_obj, &frame, err);

		if (code)
			return code;
		running = PYD_OBJ_U8(r, &frame, frameobj, f_state) == 0;
	}
	f->state = running	  ? PYD_FRAME_RUNNING
		   : f->lasti < 0 ? PYD_FRAME_CREATED
				  : PYD_FRAME_SUSPENDED;
	return PYD_OK;
}

enum pyd_code pyd_read_suspended(struct pyd_reader *r,
				 const struct pyd_obj *gen, struct pyd_frame *f,
				 struct pyd_err *err)
{
	const struct pyd_layout *lay = r->lay;
	pyd_addr frame_obj = PYD_OBJ_U64(r, gen, gen, gi_frame);
	enum pyd_frame_state state = PYD_FRAME_FINISHED;
	bool ignored;
	enum pyd_code code;

	if (pyd_has_iframes(lay)) {
		state = gen_state(
			r, (int8_t)PYD_OBJ_U8(r, gen, gen, gi_frame_state),
			&ignored);
		frame_obj = gen->addr + (uint64_t)PYD_OFF(lay, gen, gi_iframe);
		if (state != PYD_FRAME_SUSPENDED)
			frame_obj = 0;
	}
	if (!frame_obj)
		return pyd_err_at(err, PYD_CORRUPT, gen->addr,
				  "a generator that is not suspended");
	code = pyd_read_frame(r, frame_obj, f, err);
	if (!code && !pyd_has_iframes(lay))
		code = gen_frame_state(r, gen, frame_obj, f, err);
	else if (!code)
		f->state = state;
	if (!code && f->state != PYD_FRAME_SUSPENDED)
		code = pyd_err_at(err, PYD_CORRUPT, gen->addr,
				  "a generator that is not suspended");
	return code;
}

enum pyd_code pyd_read_generator(struct pyd_reader *r, const struct pyd_obj *o,
				 struct pyd_node *n, struct pyd_err *err)
{
	const struct pyd_layout *lay = r->lay;
	struct pyd_frame f = { 0 };
	bool yield_from = false;
	pyd_addr frame_obj = 0, waits = 0, code_addr, origin = 0;
	enum pyd_code code = PYD_OK;

	f.state = PYD_FRAME_FINISHED;
	f.pos = (struct pyd_position) { -1, -1, -1, -1 };
	f.lasti = -1;
	code_addr = PYD_OBJ_U64(r, o, gen, gi_code);
	if (pyd_has_iframes(lay)) {
		int8_t s = (int8_t)PYD_OBJ_U8(r, o, gen, gi_frame_state);
		enum pyd_frame_state state = gen_state(r, s, &yield_from);

		if (state != PYD_FRAME_FINISHED) {
			code = pyd_read_frame(
				r,
				o->addr +
					(uint64_t)PYD_OFF(lay, gen, gi_iframe),
				&f, err);
			if (code)
				goto out;
			if (f.shim) {
				code = pyd_err_at(err, PYD_CORRUPT, o->addr,
						  "a generator without code");
				goto out;
			}
			f.state = state;
			frame_obj = f.frame_obj;
			code_addr = f.code_addr;
		} else if (!code_addr) {
			struct pyd_err ignored;
			uint64_t word;

			/* Its frame is gone, the code is kept. */
			if (!pyd_target_read_u64(
				    r->target,
				    o->addr +
					    (uint64_t)PYD_OFF(lay, gen,
							      gi_iframe) +
					    (uint64_t)PYD_OFF(lay, iframe,
							      f_code),
				    &word, &ignored))
				code_addr = pyd_untag(lay, word);
		}
	} else {
		frame_obj = PYD_OBJ_U64(r, o, gen, gi_frame);
		if (frame_obj) {
			code = pyd_read_frame(r, frame_obj, &f, err);
			if (code)
				goto out;
			code = gen_frame_state(r, o, frame_obj, &f, err);
			if (code)
				goto out;
		}
	}
	if (f.state == PYD_FRAME_SUSPENDED)
		waits = awaiting(r, &f, yield_from);
	if (o->type->family->kind == PYD_KIND_coroutine)
		origin = PYD_OBJ_U64(r, o, gen, cr_origin);

	const uint64_t fields[] = {
		PYD_OBJ_U64(r, o, gen, gi_name),
		PYD_OBJ_U64(r, o, gen, gi_qualname),
		code_addr,
		frame_obj,
		waits & 3 ? 0 : waits,
		origin,
		f.globals,
		f.builtins,
		f.locals,
		f.function,
	};

	code = append_frame(r, n, fields, sizeof(fields) / sizeof(fields[0]),
			    &f, err);
out:
	pyd_frame_deinit(&f);
	return code;
}
