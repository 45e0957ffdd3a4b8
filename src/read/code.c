// SPDX-License-Identifier: Apache-2.0
/* Code objects. Include/cpython/code.h */
#include "read/code.h"

#include <stdio.h>
#include <stdlib.h>

#include "read/family.h"
#include "read/linetable.h"

enum {
	VARS_MAX = 1 << 20,
	TABLE_MAX = 64 << 20,
	CODE_MAX = 256 << 20,
	/* co_localspluskinds (Include/internal/pycore_code.h). */
	FAST_HIDDEN = 0x10,
	FAST_LOCAL = 0x20,
	FAST_CELL = 0x40,
	FAST_FREE = 0x80,
};

static enum pyd_code text_of(struct pyd_reader *r, pyd_addr str, char **ret,
			     struct pyd_err *err)
{
	char buf[PYD_NAME_MAX];
	enum pyd_code code = pyd_read_str(r, str, buf, sizeof(buf), err);
	char *text;

	if (code)
		return code;
	text = strdup(buf);
	if (!text)
		return pyd_err_set(err, PYD_NOMEM, "out of memory for a name");

	*ret = text;
	return PYD_OK;
}

/* The items of a tuple object; 0 means an empty one. */
static enum pyd_code tuple_items(struct pyd_reader *r, pyd_addr tuple,
				 struct pyd_vec *out, struct pyd_err *err)
{
	struct pyd_obj o;
	enum pyd_code code;

	pyd_vec_clear(out);
	if (!tuple)
		return PYD_OK;
	code = pyd_obj_read(r, tuple, &o, err);
	if (code)
		return code;
	if (!pyd_obj_is(&o, PYD_KIND_tuple))
		return pyd_err_at(err, PYD_CORRUPT, tuple,
				  "names of a code object are a %s",
				  o.type->name);

	uint64_t n = PYD_OBJ_U64(r, &o, object, ob_size);

	if (n > VARS_MAX)
		return pyd_err_at(err, PYD_CORRUPT, tuple,
				  "too many names in a code object");
	return pyd_read_pointers(
		r, tuple + (uint64_t)PYD_OFF(r->lay, tuple, ob_item), n, out,
		err);
}

/* The contents of a bytes object, on the heap. */
static enum pyd_code bytes_of(struct pyd_reader *r, pyd_addr bytes,
			      uint8_t **ret, size_t *ret_len,
			      struct pyd_err *err)
{
	struct pyd_obj o;
	enum pyd_code code = pyd_obj_read(r, bytes, &o, err);

	if (code)
		return code;
	if (!pyd_obj_is(&o, PYD_KIND_bytes))
		return pyd_err_at(err, PYD_CORRUPT, bytes,
				  "a table of a code object is a %s",
				  o.type->name);

	uint64_t n = PYD_OBJ_U64(r, &o, object, ob_size);

	if (n > TABLE_MAX)
		return pyd_err_at(err, PYD_CORRUPT, bytes,
				  "a table of a code object is too long");

	uint8_t *data = malloc(n + 1);

	if (!data)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	code = pyd_target_read(
		r->target, bytes + (uint64_t)PYD_OFF(r->lay, bytes, ob_sval),
		data, n, err);
	if (code) {
		free(data);
		return code;
	}
	*ret = data;
	*ret_len = n;
	return PYD_OK;
}

static size_t count_args(const struct pyd_codeobj *c)
{
	/* The sums cannot overflow: each was checked to be below VARS_MAX. */
	return (size_t)(c->argcount + c->kwonly) +
	       !!(c->flags & PYD_CO_VARARGS) +
	       !!(c->flags & PYD_CO_VARKEYWORDS);
}

/* 3.11+: one tuple of names and a byte of kind for each. */
static enum pyd_code vars_plus(struct pyd_reader *r, const struct pyd_obj *o,
			       struct pyd_codeobj *c, struct pyd_err *err)
{
	struct pyd_vec names = { 0 };
	uint8_t *kinds = NULL;
	size_t nkinds = 0;
	enum pyd_code code;

	code = tuple_items(r, PYD_OBJ_U64(r, o, code, co_localsplusnames),
			   &names, err);
	if (code)
		goto out;
	code = bytes_of(r, PYD_OBJ_U64(r, o, code, co_localspluskinds), &kinds,
			&nkinds, err);
	if (code)
		goto out;
	if (nkinds != names.len ||
	    names.len != PYD_OBJ_U32(r, o, code, co_nlocalsplus)) {
		code = pyd_err_at(err, PYD_CORRUPT, o->addr,
				  "names of a code object do not fit");
		goto out;
	}
	c->vars = calloc(names.len + 1, sizeof(*c->vars));
	if (!c->vars) {
		code = pyd_err_set(err, PYD_NOMEM, "out of memory");
		goto out;
	}
	c->nvars = names.len;
	for (size_t i = 0; i < names.len; i++) {
		struct pyd_codevar *v = &c->vars[i];
		bool arg = i < count_args(c);

		v->name = names.data[i];
		v->cell = -1;
		if (kinds[i] & FAST_FREE)
			v->kind = PYD_VAR_FREE;
		else if (kinds[i] & FAST_CELL)
			v->kind = arg ? PYD_VAR_CELLARG : PYD_VAR_CELL;
		else if (kinds[i] & FAST_HIDDEN)
			v->kind = PYD_VAR_HIDDEN;
		else
			v->kind = arg ? PYD_VAR_ARG : PYD_VAR_LOCAL;
	}
out:
	pyd_vec_deinit(&names);
	free(kinds);
	return code;
}

/* Up to 3.10: varnames, cellvars, freevars. */
static enum pyd_code vars_tuples(struct pyd_reader *r, const struct pyd_obj *o,
				 struct pyd_codeobj *c, struct pyd_err *err)
{
	const pyd_addr tuples[3] = {
		PYD_OBJ_U64(r, o, code, co_varnames),
		PYD_OBJ_U64(r, o, code, co_cellvars),
		PYD_OBJ_U64(r, o, code, co_freevars),
	};
	const uint8_t kinds[3] = { PYD_VAR_LOCAL, PYD_VAR_CELL, PYD_VAR_FREE };
	struct pyd_vec names[3] = { 0 };
	enum pyd_code code = PYD_OK;
	size_t n = 0;

	for (size_t k = 0; k < 3 && !code; k++) {
		code = tuple_items(r, tuples[k], &names[k], err);
		n += names[k].len;
	}
	if (!code && names[0].len != (size_t)c->nlocals)
		code = pyd_err_at(err, PYD_CORRUPT, o->addr,
				  "names of a code object do not fit");
	if (!code) {
		c->vars = calloc(n + 1, sizeof(*c->vars));
		if (!c->vars)
			code = pyd_err_set(err, PYD_NOMEM, "out of memory");
	}
	for (size_t k = 0; k < 3 && !code; k++)
		for (size_t i = 0; i < names[k].len; i++) {
			struct pyd_codevar *v = &c->vars[c->nvars++];

			v->name = names[k].data[i];
			v->kind = kinds[k];
			v->cell = -1;
			if (k == 0 && i < count_args(c))
				v->kind = PYD_VAR_ARG;
			/* A cell of the same name as an argument holds it:
			 * names are interned. */
			if (k == 1)
				for (size_t a = 0;
				     a < count_args(c) && a < names[0].len; a++)
					if (names[0].data[a] == v->name) {
						v->kind = PYD_VAR_CELLARG;
						c->vars[a].cell =
							(int32_t)c->nvars - 1;
					}
		}
	for (size_t k = 0; k < 3; k++)
		pyd_vec_deinit(&names[k]);
	return code;
}

static enum pyd_code load(struct pyd_reader *r, pyd_addr addr,
			  struct pyd_codeobj *c, struct pyd_err *err)
{
	struct pyd_obj o;
	enum pyd_code code = pyd_obj_read(r, addr, &o, err);

	if (code)
		return code;
	if (!pyd_obj_is(&o, PYD_KIND_code))
		return pyd_err_at(err, PYD_CORRUPT, addr,
				  "a frame's code is a %s", o.type->name);

	int32_t *const numbers[] = { &c->argcount,   &c->posonly,   &c->kwonly,
				     &c->nlocals,    &c->stacksize, &c->flags,
				     &c->firstlineno };
	const int32_t offsets[] = {
		PYD_OFF(r->lay, code, co_argcount),
		PYD_OFF(r->lay, code, co_posonlyargcount),
		PYD_OFF(r->lay, code, co_kwonlyargcount),
		PYD_OFF(r->lay, code, co_nlocals),
		PYD_OFF(r->lay, code, co_stacksize),
		PYD_OFF(r->lay, code, co_flags),
		PYD_OFF(r->lay, code, co_firstlineno),
	};

	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
		*numbers[i] = (int32_t)pyd_obj_u32(&o, offsets[i]);
	if (c->argcount < 0 || c->argcount > VARS_MAX || c->kwonly < 0 ||
	    c->kwonly > VARS_MAX || c->nlocals < 0 || c->nlocals > VARS_MAX ||
	    c->stacksize < 0)
		return pyd_err_at(err, PYD_CORRUPT, addr,
				  "impossible counts in a code object");

	c->filename = PYD_OBJ_U64(r, &o, code, co_filename);
	c->name = PYD_OBJ_U64(r, &o, code, co_name);
	c->qualname = PYD_OBJ_U64(r, &o, code, co_qualname);
	code = text_of(r, c->filename, &c->filename_text, err);
	if (code)
		return code;
	code = text_of(r, c->name, &c->name_text, err);
	if (code)
		return code;
	if (c->qualname) {
		code = text_of(r, c->qualname, &c->qualname_text, err);
		if (code)
			return code;
	}
	code = bytes_of(r, PYD_OBJ_U64(r, &o, code, co_linetable), &c->table,
			&c->table_len, err);
	if (code)
		return code;

	if (PYD_OFF(r->lay, code, co_code_adaptive) != PYD_ABSENT) {
		/* ob_size counts code units of two bytes. */
		c->first = addr +
			   (uint64_t)PYD_OFF(r->lay, code, co_code_adaptive);
		c->size = PYD_OBJ_U64(r, &o, object, ob_size) * 2;
	} else {
		pyd_addr bytes = PYD_OBJ_U64(r, &o, code, co_code);
		uint64_t size;

		code = pyd_target_read_u64(
			r->target,
			bytes + (uint64_t)PYD_OFF(r->lay, object, ob_size),
			&size, err);
		if (code)
			return code;
		c->first = bytes + (uint64_t)PYD_OFF(r->lay, bytes, ob_sval);
		c->size = size;
	}
	if (PYD_OFF(r->lay, code, co_exceptiontable) != PYD_ABSENT) {
		code = bytes_of(r, PYD_OBJ_U64(r, &o, code, co_exceptiontable),
				&c->handlers, &c->handlers_len, err);
		if (code)
			return code;
	}
	if (c->size > CODE_MAX)
		return pyd_err_at(err, PYD_CORRUPT, addr,
				  "impossible size of a code object");
	if (PYD_OFF(r->lay, code, co_localsplusnames) != PYD_ABSENT)
		return vars_plus(r, &o, c, err);
	return vars_tuples(r, &o, c, err);
}

enum pyd_code pyd_codeobj_get(struct pyd_reader *r, pyd_addr addr,
			      const struct pyd_codeobj **ret,
			      struct pyd_err *err)
{
	uint64_t found;
	struct pyd_codeobj *c;
	struct pyd_err why = { 0 };
	enum pyd_code code;

	if (!addr)
		return pyd_err_at(err, PYD_CORRUPT, addr,
				  "a frame has no code");
	if (pyd_map_get(&r->codes, addr, &found)) {
		c = (struct pyd_codeobj *)(uintptr_t)found;
		if (c->bad)
			return pyd_err_at(err, c->bad, addr, "%s", c->bad_text);
		*ret = c;
		return PYD_OK;
	}
	c = calloc(1, sizeof(*c));
	if (!c)
		return pyd_err_set(err, PYD_NOMEM, "out of memory for code");
	c->addr = addr;
	code = load(r, addr, c, &why);
	if (code && !pyd_code_is_local(code)) {
		pyd_codeobj_destroy(c);
		if (err)
			*err = why;
		return code;
	}
	if (code) {
		c->bad = code;
		snprintf(c->bad_text, sizeof(c->bad_text), "%.119s", why.msg);
	}
	code = pyd_map_put(&r->codes, addr, (uint64_t)(uintptr_t)c, err);
	if (code) {
		pyd_codeobj_destroy(c);
		return code;
	}
	if (c->bad)
		return pyd_err_at(err, c->bad, addr, "%s", c->bad_text);
	*ret = c;
	return PYD_OK;
}

void pyd_codeobj_destroy(struct pyd_codeobj *c)
{
	if (!c)
		return;
	free(c->filename_text);
	free(c->name_text);
	free(c->qualname_text);
	free(c->vars);
	free(c->table);
	free(c->handlers);
	free(c);
}

void pyd_codeobj_position(const struct pyd_reader *r,
			  const struct pyd_codeobj *c, int64_t lasti,
			  struct pyd_position *ret)
{
	*ret = (struct pyd_position) { -1, -1, -1, -1 };
	switch (r->lay->model_linetable) {
	case PYD_M_linetable_lnotab:
		pyd_linetable_lnotab(c->table, c->table_len, c->firstlineno,
				     lasti, ret);
		break;
	case PYD_M_linetable_deltas:
		pyd_linetable_deltas(c->table, c->table_len, c->firstlineno,
				     lasti, ret);
		break;
	case PYD_M_linetable_locations:
		pyd_linetable_locations(c->table, c->table_len, c->firstlineno,
					lasti, ret);
		break;
	}
}

/* Objects/exception_handling_notes.txt: six bits a byte, the most significant
 * first; 0x40: more follow; 0x80: the first of an entry. */
static bool entry_number(const struct pyd_codeobj *c, size_t *at, uint64_t *ret)
{
	uint64_t v = 0;

	for (size_t n = 0; *at < c->handlers_len && n < 6; n++) {
		uint8_t b = c->handlers[(*at)++];

		v = v << 6 | (b & 0x3f);
		if (!(b & 0x40)) {
			*ret = v;
			return true;
		}
	}
	return false;
}

uint32_t pyd_codeobj_depth(const struct pyd_codeobj *c, int64_t lasti)
{
	uint64_t start, length, target, depth;
	size_t at = 0;

	if (lasti < 0)
		return 0;
	while (entry_number(c, &at, &start) && entry_number(c, &at, &length) &&
	       entry_number(c, &at, &target) && entry_number(c, &at, &depth)) {
		uint64_t unit = (uint64_t)lasti / 2;

		if (unit < start || unit - start >= length)
			continue;
		depth >>= 1; /* the lowest bit: lasti is pushed too */
		return depth <= (uint64_t)c->stacksize ? (uint32_t)depth : 0;
	}
	return 0;
}

enum pyd_code pyd_read_code(struct pyd_reader *r, const struct pyd_obj *o,
			    struct pyd_node *n, struct pyd_err *err)
{
	static const enum pyd_field fields[] = {
		PYD_F_code_co_filename,	       PYD_F_code_co_name,
		PYD_F_code_co_qualname,	       PYD_F_code_co_varnames,
		PYD_F_code_co_cellvars,	       PYD_F_code_co_freevars,
		PYD_F_code_co_names,	       PYD_F_code_co_consts,
		PYD_F_code_co_localsplusnames, PYD_F_code_co_localspluskinds,
	};
	static const enum pyd_field numbers[] = {
		PYD_F_code_co_argcount,	      PYD_F_code_co_posonlyargcount,
		PYD_F_code_co_kwonlyargcount, PYD_F_code_co_nlocals,
		PYD_F_code_co_stacksize,      PYD_F_code_co_flags,
		PYD_F_code_co_firstlineno,
	};
	enum pyd_code code = pyd_obj_fields(
		r, o, fields, sizeof(fields) / sizeof(fields[0]), n, err);

	if (code)
		return code;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		uint32_t v = pyd_obj_u32(o, r->lay->off[numbers[i]]);

		code = pyd_buf_append(&n->value, &v, sizeof(v), err);
		if (code)
			return code;
	}
	return PYD_OK;
}
