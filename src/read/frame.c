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

enum pyd_code pyd_frame_words(struct pyd_reader *r, pyd_addr addr, size_t n,
			      struct pyd_vec *ret, struct pyd_err *err)
{
	size_t first = ret->len;
	enum pyd_code code = pyd_read_pointers(r, addr, n, ret, err);

	for (size_t i = first; !code && i < ret->len; i++)
		ret->data[i] = pyd_untag(r->lay, ret->data[i]);
	return code;
}

/* nvars values at addr, then nstack more. */
static enum pyd_code read_values(struct pyd_reader *r, struct pyd_frame *f,
				 pyd_addr addr, size_t nstack,
				 struct pyd_err *err)
{
	size_t nvars = f->code->nvars;
	enum pyd_code code = pyd_frame_words(r, addr, nvars, &f->vars, err);

	if (code)
		return code;
	return pyd_frame_words(r, addr + nvars * 8, nstack, &f->stack, err);
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
	f->code_addr = pyd_untag(r->lay, IF_U64(f_code));
	if (owner >= OWNER_SHIM) {
		f->shim = f->entry = true;
		return PYD_OK;
	}
	f->function = pyd_untag(r->lay, IF_U64(f_funcobj));
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
