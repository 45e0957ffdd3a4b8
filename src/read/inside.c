// SPDX-License-Identifier: Apache-2.0
/* Which "with" statements a frame is inside of. Python/ceval.c,
 * Python/compile.c: compiler_with() */
#include "read/frame.h"

#include "read/object.h"

enum {
	BLOCKS_MAX = 20,     /* CO_MAXBLOCKS */
	SETUP_FINALLY = 122, /* of all versions that have blocks */
	DEPTH_MAX = 4096,
};

static pyd_addr bottom(const struct pyd_reader *r, const struct pyd_frame *f)
{
	if (pyd_has_iframes(r->lay))
		return f->addr + (uint64_t)PYD_OFF(r->lay, iframe, localsplus);
	return f->addr + (uint64_t)PYD_OFF(r->lay, frameobj, f_localsplus);
}

enum pyd_code pyd_frame_slots(struct pyd_reader *r, const struct pyd_frame *f,
			      struct pyd_vec *ret, struct pyd_err *err)
{
	size_t n = f->code ? f->code->nvars + (size_t)f->code->stacksize : 0;

	return pyd_frame_words(r, bottom(r, f), n, ret, err);
}

static bool named_exit(struct pyd_reader *r, pyd_addr str)
{
	struct pyd_err ignored;
	char name[16];

	return str && !pyd_read_str(r, str, name, sizeof(name), &ignored) &&
	       !strcmp(name, "__exit__");
}

static bool is_int(struct pyd_reader *r, uint64_t ref)
{
	struct pyd_err ignored;
	struct pyd_obj o;

	if ((ref & 3) == 3)
		return true;
	return ref && !pyd_obj_read(r, ref, &o, &ignored) &&
	       pyd_obj_is(&o, PYD_KIND_int);
}

/* The object whose __exit__ stands at slot i; 0: it is something else. *ret_n:
 * how many slots that takes. */
static pyd_addr exit_at(struct pyd_reader *r, const uint64_t *slots, size_t n,
			size_t i, size_t *ret_n)
{
	struct pyd_err ignored;
	struct pyd_obj o;
	char name[16];
	uint64_t at;
	uint8_t cut;
	bool is = false;

	*ret_n = 1;
	if (!slots[i] || (slots[i] & 7) ||
	    pyd_obj_read(r, slots[i], &o, &ignored))
		return 0;
	if (pyd_obj_is(&o, PYD_KIND_method)) {
		struct pyd_obj fn;
		pyd_addr self = PYD_OBJ_U64(r, &o, method, im_self);

		is = !pyd_obj_read(r, PYD_OBJ_U64(r, &o, method, im_func), &fn,
				   &ignored) &&
		     pyd_obj_is(&fn, PYD_KIND_function) &&
		     named_exit(r, PYD_OBJ_U64(r, &fn, function, func_name));
		return is ? self : 0;
	}
	if (pyd_obj_is(&o, PYD_KIND_builtin)) {
		at = PYD_OBJ_U64(r, &o, cfunction, m_ml);
		is = at &&
		     !pyd_target_read_u64(
			     r->target,
			     at + (uint64_t)PYD_OFF(r->lay, methoddef, ml_name),
			     &at, &ignored) &&
		     !pyd_target_read_cstr(r->target, at, name, sizeof(name),
					   &cut, &ignored) &&
		     !cut && !strcmp(name, "__exit__");
		return is ? PYD_OBJ_U64(r, &o, cfunction, m_self) : 0;
	}
	/* Not bound: the object stands above it (3.14+). */
	if (r->lay->model_stackref == PYD_M_stackref_plain || i + 1 >= n ||
	    !slots[i + 1] || (slots[i + 1] & 3) == 3)
		return 0;
	if (pyd_obj_is(&o, PYD_KIND_function))
		is = named_exit(r, PYD_OBJ_U64(r, &o, function, func_name));
	else if (!strcmp(o.type->name, "method_descriptor"))
		is = named_exit(r, PYD_OBJ_U64(r, &o, descr, d_name));
	if (!is)
		return 0;
	*ret_n = 2;
	return slots[i + 1];
}

/* From 3.11 on: the exception table tells the depth. */
static enum pyd_code inside_depth(struct pyd_reader *r,
				  const struct pyd_frame *f,
				  struct pyd_vec *ret, struct pyd_err *err)
{
	size_t depth = pyd_codeobj_depth(f->code, f->lasti), n = 1;
	struct pyd_vec slots = { 0 };
	enum pyd_code code;

	if (!depth || depth > DEPTH_MAX)
		return PYD_OK;
	code = pyd_frame_words(r, bottom(r, f) + f->code->nvars * 8, depth,
			       &slots, err);
	for (size_t i = 0; !code && i < slots.len; i += n) {
		pyd_addr self = exit_at(r, slots.data, slots.len, i, &n);

		/* Where it was left by an exception, the handler's stack has
		 * the instruction that raised above it. */
		if (self &&
		    !(i + n < slots.len && is_int(r, slots.data[i + n])))
			code = pyd_vec_push(ret, self, err);
	}
	pyd_vec_deinit(&slots);
	return code;
}

/* Up to 3.10: the frame has a block for it, with the level of the stack. */
static enum pyd_code inside_blocks(struct pyd_reader *r,
				   const struct pyd_frame *f,
				   struct pyd_vec *ret, struct pyd_err *err)
{
	const struct pyd_layout *lay = r->lay;
	size_t size = (size_t)PYD_OFF(lay, tryblock, size);
	uint8_t blocks[BLOCKS_MAX * 64];
	int32_t n, last = -1;
	enum pyd_code code;

	if (PYD_OFF(lay, frameobj, f_iblock) == PYD_ABSENT ||
	    PYD_OFF(lay, tryblock, size) < 12 || size > 64)
		return PYD_OK;
	code = pyd_target_read(
		r->target, f->addr + (uint64_t)PYD_OFF(lay, frameobj, f_iblock),
		&n, sizeof(n), err);
	if (code || n <= 0 || n > BLOCKS_MAX)
		return code;
	code = pyd_target_read(
		r->target,
		f->addr + (uint64_t)PYD_OFF(lay, frameobj, f_blockstack),
		blocks, (size_t)n * size, err);
	for (int32_t i = 0; !code && i < n; i++) {
		const uint8_t *b = blocks + (size_t)i * size;
		int32_t type, level;
		uint64_t slot;
		size_t took;
		pyd_addr self;

		memcpy(&type, b + PYD_OFF(lay, tryblock, b_type), 4);
		memcpy(&level, b + PYD_OFF(lay, tryblock, b_level), 4);
		if (type != SETUP_FINALLY || level <= 0 || level == last ||
		    level > f->code->stacksize)
			continue;
		last = level;
		code = pyd_target_read_u64(
			r->target,
			bottom(r, f) + (f->code->nvars + (size_t)level - 1) * 8,
			&slot, err);
		if (code)
			break;
		self = exit_at(r, &slot, 1, 0, &took);
		if (self)
			code = pyd_vec_push(ret, self, err);
	}
	return code;
}

enum pyd_code pyd_frame_inside(struct pyd_reader *r, const struct pyd_frame *f,
			       struct pyd_vec *ret, struct pyd_err *err)
{
	if (!f->code || f->state == PYD_FRAME_FINISHED)
		return PYD_OK;
	if (pyd_has_iframes(r->lay))
		return inside_depth(r, f, ret, err);
	return inside_blocks(r, f, ret, err);
}
