// SPDX-License-Identifier: Apache-2.0
#include "read/frame.h"

#include <stdio.h>

#include "read/family.h"

enum {
	/* Owners of an interpreter frame that stand for no Python code:
	 * FRAME_OWNED_BY_CSTACK, FRAME_OWNED_BY_INTERPRETER. */
	OWNER_GENERATOR = 1,
	OWNER_FRAME_OBJECT = 2,
	OWNER_SHIM = 3,
	STACK_MAX = 1 << 20,
	IFRAME_HEAD_MAX = 256,
	/* YIELD_FROM of every version whose generators have gi_frame. */
	OP_YIELD_FROM = 72,
};

void pyd_frame_deinit(struct pyd_frame *f)
{
	pyd_vec_deinit(&f->vars);
	pyd_vec_deinit(&f->stack);
	*f = (struct pyd_frame) { 0 };
}

static void frame_clear(struct pyd_frame *f, pyd_addr addr)
{
	struct pyd_vec vars = f->vars, stack = f->stack;

	vars.len = 0;
	stack.len = 0;
	*f = (struct pyd_frame) {
		.addr = addr,
		.vars = vars,
		.stack = stack,
		.lasti = -1,
		.pos = { -1, -1, -1, -1 },
		.state = PYD_FRAME_RUNNING,
	};
}

/* _PyStackRef: bits of the pointer are flags; both set is a small integer,
 * which is kept as it is; 1 alone is NULL. */
static uint64_t untag(const struct pyd_reader *r, uint64_t ref)
{
	if (r->lay->model_stackref == PYD_M_stackref_plain)
		return ref;
	if ((ref & 3) == 3 || ref == 0)
		return ref;
	ref &= ~3ULL;
	return ref;
}

/* nvars values at addr, then nstack more. */
static enum pyd_code read_values(struct pyd_reader *r, struct pyd_frame *f,
				 pyd_addr addr, size_t nstack,
				 struct pyd_err *err)
{
	size_t nvars = f->code->nvars;
	enum pyd_code code = pyd_read_pointers(r, addr, nvars, &f->vars, err);

	if (code)
		return code;
	code = pyd_read_pointers(r, addr + nvars * 8, nstack, &f->stack, err);
	if (code)
		return code;
	for (size_t i = 0; i < f->vars.len; i++)
		f->vars.data[i] = untag(r, f->vars.data[i]);
	for (size_t i = 0; i < f->stack.len; i++)
		f->stack.data[i] = untag(r, f->stack.data[i]);
	return PYD_OK;
}

/* A variable that should be in a cell may still hold the bare value: the
 * frame has not run its MAKE_CELL yet; and a free variable may not be copied
 * out of the function's closure yet. Only in a frame that has just begun. */
static enum pyd_code begin_fix(struct pyd_reader *r, struct pyd_frame *f,
			       struct pyd_err *err)
{
	struct pyd_vec cells = { 0 };
	struct pyd_obj fn, closure;
	size_t next = 0;
	enum pyd_code code;

	for (size_t i = 0; i < f->code->nvars; i++)
		if (f->code->vars[i].kind == PYD_VAR_FREE && !f->vars.data[i])
			next++;
	if (!next || !f->function)
		return PYD_OK;

	code = pyd_obj_read(r, f->function, &fn, err);
	if (code)
		return code;
	if (!pyd_obj_is(&fn, PYD_KIND_function))
		return PYD_OK;

	pyd_addr at = PYD_OBJ_U64(r, &fn, function, func_closure);

	if (!at)
		return PYD_OK;
	code = pyd_obj_read(r, at, &closure, err);
	if (code)
		return code;
	if (!pyd_obj_is(&closure, PYD_KIND_tuple))
		return PYD_OK;
	code = pyd_read_pointers(
		r, at + (uint64_t)PYD_OFF(r->lay, tuple, ob_item),
		PYD_OBJ_U64(r, &closure, object, ob_size), &cells, err);
	if (!code) {
		next = 0;
		for (size_t i = 0; i < f->code->nvars; i++) {
			if (f->code->vars[i].kind != PYD_VAR_FREE)
				continue;
			if (!f->vars.data[i] && next < cells.len)
				f->vars.data[i] = cells.data[next];
			next++;
		}
	}
	pyd_vec_deinit(&cells);
	return code;
}

static uint64_t word_at(const uint8_t *p, size_t n, int32_t off)
{
	uint64_t v = 0;

	if (off >= 0 && (size_t)off + sizeof(v) <= n)
		memcpy(&v, p + off, sizeof(v));
	return v;
}

#define IF_U64(f) word_at(head, n, PYD_OFF(lay, iframe, f))

static enum pyd_code read_iframe(struct pyd_reader *r, pyd_addr addr,
				 struct pyd_frame *f, struct pyd_err *err)
{
	const struct pyd_layout *lay = r->lay;
	size_t n = (size_t)PYD_OFF(lay, iframe, localsplus);
	uint8_t head[IFRAME_HEAD_MAX];
	enum pyd_code code;

	if (n > sizeof(head))
		return pyd_err_set(err, PYD_CORRUPT,
				   "table %s: a frame is too large", lay->name);
	code = pyd_target_read(r->target, addr, head, n, err);
	if (code)
		return code;

	uint8_t owner = head[PYD_OFF(lay, iframe, owner)];

	f->previous = IF_U64(previous);
	f->code_addr = untag(r, IF_U64(f_code));
	if (owner >= OWNER_SHIM) {
		f->shim = f->entry = true;
		return PYD_OK;
	}
	f->function = untag(r, IF_U64(f_funcobj));
	f->globals = IF_U64(f_globals);
	f->builtins = IF_U64(f_builtins);
	f->locals = IF_U64(f_locals);
	f->frame_obj = IF_U64(frame_obj);
	if (owner == OWNER_GENERATOR)
		f->generator = addr - (uint64_t)PYD_OFF(lay, gen, gi_iframe);

	/* f_executable need not be code (3.13+). */
	struct pyd_obj o;

	code = pyd_obj_read(r, f->code_addr, &o, err);
	if (code)
		return pyd_err_prefix(err, "code of a frame");
	if (!pyd_obj_is(&o, PYD_KIND_code)) {
		f->shim = true;
		return PYD_OK;
	}
	code = pyd_codeobj_get(r, f->code_addr, &f->code, err);
	if (code)
		return code;
	/* Of a function it is what locals() once gave, and may be old (3.11,
	 * 3.12). */
	if (f->code->flags & PYD_CO_OPTIMIZED)
		f->locals = 0;
	/* Where the frame is not of the thread, its function may be gone. */
	if (owner == OWNER_FRAME_OBJECT) {
		f->previous = 0;
		f->state = PYD_FRAME_FINISHED;
	}

	uint64_t instr = IF_U64(instr_ptr);

	if (instr >= f->code->first && instr - f->code->first < f->code->size)
		f->lasti = (int64_t)(instr - f->code->first);
	else
		f->lasti = -1;
	pyd_codeobj_position(r, f->code, f->lasti, &f->pos);

	pyd_addr values = addr + n;
	uint64_t nstack = 0;

	if (PYD_OFF(lay, iframe, stackpointer) != PYD_ABSENT) {
		uint64_t sp = IF_U64(stackpointer);
		uint64_t base = values + f->code->nvars * 8;

		if (sp >= base && (sp - base) % 8 == 0 &&
		    (sp - base) / 8 <= (uint64_t)f->code->stacksize) {
			nstack = (sp - base) / 8;
			f->stack_known = true;
		}
	} else {
		int32_t top;

		memcpy(&top, head + PYD_OFF(lay, iframe, stacktop),
		       sizeof(top));
		if (top >= 0 && (size_t)top >= f->code->nvars &&
		    (size_t)top - f->code->nvars <=
			    (uint64_t)f->code->stacksize) {
			nstack = (size_t)top - f->code->nvars;
			f->stack_known = true;
		}
	}
	code = read_values(r, f, values, nstack, err);
	if (code)
		return code;
	return begin_fix(r, f, err);
}

/* Up to 3.10. */
static enum pyd_code read_frameobj(struct pyd_reader *r, pyd_addr addr,
				   struct pyd_frame *f, struct pyd_err *err)
{
	const struct pyd_layout *lay = r->lay;
	struct pyd_obj o;
	enum pyd_code code = pyd_obj_read(r, addr, &o, err);

	if (code)
		return code;
	if (!pyd_obj_is(&o, PYD_KIND_frame))
		return pyd_err_at(err, PYD_CORRUPT, addr,
				  "expected a frame, found a %s", o.type->name);
	f->frame_obj = addr;
	f->previous = PYD_OBJ_U64(r, &o, frameobj, f_back);
	f->code_addr = PYD_OBJ_U64(r, &o, frameobj, f_code);
	f->builtins = PYD_OBJ_U64(r, &o, frameobj, f_builtins);
	f->globals = PYD_OBJ_U64(r, &o, frameobj, f_globals);
	f->generator = PYD_OBJ_U64(r, &o, frameobj, f_gen);
	f->trace = PYD_OBJ_U64(r, &o, frameobj, f_trace);
	code = pyd_codeobj_get(r, f->code_addr, &f->code, err);
	if (code)
		return code;
	/* A function's frame has f_locals only as a cache of locals(). */
	if (!(f->code->flags & PYD_CO_OPTIMIZED))
		f->locals = PYD_OBJ_U64(r, &o, frameobj, f_locals);

	f->lasti = (int32_t)PYD_OBJ_U32(r, &o, frameobj, f_lasti);
	if (f->lasti >= 0 && lay->model_lasti == PYD_M_lasti_units)
		f->lasti *= 2;
	pyd_codeobj_position(r, f->code, f->lasti, &f->pos);

	pyd_addr values = addr + (uint64_t)PYD_OFF(lay, frameobj, f_localsplus);
	pyd_addr bottom = PYD_OBJ_U64(r, &o, frameobj, f_valuestack);
	uint64_t nstack = 0;

	if (PYD_OFF(lay, frameobj, f_stacktop) != PYD_ABSENT) {
		pyd_addr top = PYD_OBJ_U64(r, &o, frameobj, f_stacktop);

		f->stack_known = top >= bottom && top - bottom <= STACK_MAX &&
				 (top - bottom) % 8 == 0;
		if (f->stack_known)
			nstack = (top - bottom) / 8;
	} else {
		int32_t depth =
			(int32_t)PYD_OBJ_U32(r, &o, frameobj, f_stackdepth);

		f->stack_known = depth >= 0;
		if (f->stack_known)
			nstack = (uint64_t)depth;
	}
	if (nstack > (uint64_t)f->code->stacksize ||
	    bottom != values + f->code->nvars * 8) {
		f->stack_known = false;
		nstack = 0;
	}
	return read_values(r, f, values, nstack, err);
}

/* Arguments that moved into a cell: their own slot is NULL up to 3.10. */
static void drop_moved(struct pyd_frame *f)
{
	for (size_t i = 0; i < f->code->nvars; i++) {
		int32_t cell = f->code->vars[i].cell;

		if (cell >= 0 && (size_t)cell < f->vars.len &&
		    f->vars.data[cell])
			f->vars.data[i] = 0;
	}
}

enum pyd_code pyd_read_frame(struct pyd_reader *r, pyd_addr addr,
			     struct pyd_frame *f, struct pyd_err *err)
{
	enum pyd_code code;

	frame_clear(f, addr);
	if (addr % PYD_OBJ_ALIGN)
		return pyd_err_at(err, PYD_CORRUPT, addr,
				  "a frame is not aligned");
	if (pyd_has_iframes(r->lay))
		return read_iframe(r, addr, f, err);
	code = read_frameobj(r, addr, f, err);
	if (code)
		return code;
	drop_moved(f);
	return PYD_OK;
}

/* -- as objects -- */

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

/* Values, stack and the numbers of a frame or generator node. */
static enum pyd_code append_frame(const struct pyd_reader *r,
				  struct pyd_node *n, const struct pyd_frame *f,
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
	enum pyd_code code = push_all(&n->refs, f->vars.data, f->vars.len, err);

	/* An interpreter frame has no ob_size that tells of its items. */
	if (f->code && PYD_OFF(r->lay, iframe, localsplus) != PYD_ABSENT &&
	    f->state != PYD_FRAME_FINISHED)
		n->size += (f->code->nvars + (uint64_t)f->code->stacksize) * 8;

	if (code)
		return code;
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

	code = push_all(&n->refs, fields, sizeof(fields) / sizeof(fields[0]),
			err);
	if (!code)
		code = append_frame(r, n, &f, err);
out:
	pyd_frame_deinit(&f);
	return code;
}

void pyd_frame_position(struct pyd_reader *r, pyd_addr frame_obj, int64_t lasti,
			struct pyd_position *ret)
{
	struct pyd_frame f = { 0 };
	struct pyd_err ignored;
	struct pyd_obj o;

	*ret = (struct pyd_position) { -1, -1, -1, -1 };
	if (pyd_obj_read(r, frame_obj, &o, &ignored) ||
	    !pyd_obj_is(&o, PYD_KIND_frame))
		return;

	pyd_addr at = pyd_has_iframes(r->lay)
			      ? PYD_OBJ_U64(r, &o, frameobj, f_frame)
			      : frame_obj;

	if (!pyd_read_frame(r, at, &f, &ignored) && f.code)
		pyd_codeobj_position(r, f.code, lasti, ret);
	pyd_frame_deinit(&f);
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
				code_addr = untag(r, word);
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

	code = push_all(&n->refs, fields, sizeof(fields) / sizeof(fields[0]),
			err);
	if (!code)
		code = append_frame(r, n, &f, err);
out:
	pyd_frame_deinit(&f);
	return code;
}
