// SPDX-License-Identifier: Apache-2.0
/*
 * Functions, methods, descriptors, modules, cells, weak references, types:
 * mostly fields in a row. The order of the references is that of PYD_KINDS.
 */
#include <stdio.h>

#include "read/family.h"
#include "read/frame.h"

#define F(s, f) PYD_F_##s##_##f
#define FIELDS(r, o, n, err, ...)                                              \
	pyd_obj_fields(r, o, (const enum pyd_field[]) { __VA_ARGS__ },         \
		       sizeof((const enum pyd_field[]) { __VA_ARGS__ }) /      \
			       sizeof(enum pyd_field),                         \
		       n, err)

/* Instead of a name that lies where nothing can be read: constants of a library
 * that a core leaves out, and that is not there to read from. */
#define UNREADABLE "<unreadable name>"

/* Appends a text that was read with code; why is what is wrong. */
static enum pyd_code append(const char *text, enum pyd_code code,
			    const struct pyd_err *why, struct pyd_buf *out,
			    struct pyd_err *err)
{
	if (code && !pyd_code_is_local(code))
		return pyd_err_set(err, code, "%s", why->msg);
	if (code && code != PYD_FAULT)
		return PYD_OK;
	if (code)
		text = UNREADABLE;
	return pyd_buf_append(out, text, strlen(text), err);
}

/* Appends the UTF-8 of the str at addr; anything else appends nothing. */
static enum pyd_code append_str(struct pyd_reader *r, pyd_addr addr,
				struct pyd_buf *out, struct pyd_err *err)
{
	char text[512];
	struct pyd_err why;
	enum pyd_code code = pyd_read_str(r, addr, text, sizeof(text), &why);

	return append(text, code, &why, out, err);
}

static enum pyd_code append_cstr(struct pyd_reader *r, pyd_addr addr,
				 struct pyd_buf *out, struct pyd_err *err)
{
	char text[512];
	struct pyd_err why;

	if (!addr)
		return PYD_OK;

	enum pyd_code code = pyd_target_read_cstr(r->target, addr, text,
						  sizeof(text), NULL, &why);

	return append(text, code, &why, out, err);
}

enum pyd_code pyd_read_function(struct pyd_reader *r, const struct pyd_obj *o,
				struct pyd_node *n, struct pyd_err *err)
{
	enum pyd_code code = FIELDS(
		r, o, n, err, F(function, func_code), F(function, func_globals),
		F(function, func_defaults), F(function, func_kwdefaults),
		F(function, func_closure), F(function, func_doc),
		F(function, func_name), F(function, func_qualname),
		F(function, func_dict), F(function, func_module),
		F(function, func_annotations), F(function, func_builtins));

	if (code)
		return code;
	return append_str(r, PYD_OBJ_U64(r, o, function, func_qualname),
			  &n->value, err);
}

enum pyd_code pyd_read_method(struct pyd_reader *r, const struct pyd_obj *o,
			      struct pyd_node *n, struct pyd_err *err)
{
	return FIELDS(r, o, n, err, F(method, im_func), F(method, im_self));
}

enum pyd_code pyd_read_builtin(struct pyd_reader *r, const struct pyd_obj *o,
			       struct pyd_node *n, struct pyd_err *err)
{
	pyd_addr ml = PYD_OBJ_U64(r, o, cfunction, m_ml), name = 0;
	struct pyd_err ignored;
	enum pyd_code code = FIELDS(r, o, n, err, F(cfunction, m_self),
				    F(cfunction, m_module));

	if (code)
		return code;
	code = pyd_target_read_u64(
		r->target, ml + (uint64_t)PYD_OFF(r->lay, methoddef, ml_name),
		&name, &ignored);
	if (code && !pyd_code_is_local(code))
		return pyd_err_set(err, code, "%s", ignored.msg);
	if (code)
		return pyd_buf_append(&n->value, UNREADABLE,
				      sizeof(UNREADABLE) - 1, err);
	return append_cstr(r, name, &n->value, err);
}

enum pyd_code pyd_read_cell(struct pyd_reader *r, const struct pyd_obj *o,
			    struct pyd_node *n, struct pyd_err *err)
{
	return FIELDS(r, o, n, err, F(cell, ob_ref));
}

enum pyd_code pyd_read_property(struct pyd_reader *r, const struct pyd_obj *o,
				struct pyd_node *n, struct pyd_err *err)
{
	return FIELDS(r, o, n, err, F(property, prop_get),
		      F(property, prop_set), F(property, prop_del),
		      F(property, prop_doc));
}

enum pyd_code pyd_read_staticmethod(struct pyd_reader *r,
				    const struct pyd_obj *o, struct pyd_node *n,
				    struct pyd_err *err)
{
	return FIELDS(r, o, n, err, F(staticmethod, sm_callable),
		      F(staticmethod, sm_dict));
}

enum pyd_code pyd_read_classmethod(struct pyd_reader *r,
				   const struct pyd_obj *o, struct pyd_node *n,
				   struct pyd_err *err)
{
	return FIELDS(r, o, n, err, F(classmethod, cm_callable),
		      F(classmethod, cm_dict));
}

enum pyd_code pyd_read_mappingproxy(struct pyd_reader *r,
				    const struct pyd_obj *o, struct pyd_node *n,
				    struct pyd_err *err)
{
	return FIELDS(r, o, n, err, F(mappingproxy, mapping));
}

enum pyd_code pyd_read_weakref(struct pyd_reader *r, const struct pyd_obj *o,
			       struct pyd_node *n, struct pyd_err *err)
{
	return FIELDS(r, o, n, err, F(weakref, wr_object),
		      F(weakref, wr_callback));
}

enum pyd_code pyd_read_module(struct pyd_reader *r, const struct pyd_obj *o,
			      struct pyd_node *n, struct pyd_err *err)
{
	enum pyd_code code =
		FIELDS(r, o, n, err, F(module, md_dict), F(module, md_name));

	if (code)
		return code;
	return append_str(r, PYD_OBJ_U64(r, o, module, md_name), &n->value,
			  err);
}

static enum pyd_code descriptor(struct pyd_reader *r, const struct pyd_obj *o,
				struct pyd_node *n, const char *what,
				struct pyd_err *err)
{
	enum pyd_code code = FIELDS(r, o, n, err, F(descr, d_type),
				    F(descr, d_name), F(descr, d_qualname));

	if (code)
		return code;
	code = pyd_buf_append(&n->value, what, strlen(what) + 1, err);
	if (code)
		return code;
	return append_str(r, PYD_OBJ_U64(r, o, descr, d_name), &n->value, err);
}

#define DESCRIPTOR(name, what)                                                 \
	enum pyd_code name(struct pyd_reader *r, const struct pyd_obj *o,      \
			   struct pyd_node *n, struct pyd_err *err)            \
	{                                                                      \
		return descriptor(r, o, n, what, err);                         \
	}
DESCRIPTOR(pyd_read_memberdescr, "member")
DESCRIPTOR(pyd_read_getsetdescr, "getset")
DESCRIPTOR(pyd_read_methoddescr, "method")
DESCRIPTOR(pyd_read_clsmethoddescr, "classmethod")
DESCRIPTOR(pyd_read_wrapperdescr, "wrapper")

enum pyd_code pyd_read_methodwrapper(struct pyd_reader *r,
				     const struct pyd_obj *o,
				     struct pyd_node *n, struct pyd_err *err)
{
	return FIELDS(r, o, n, err, F(methodwrapper, descr),
		      F(methodwrapper, self));
}

enum pyd_code pyd_read_super(struct pyd_reader *r, const struct pyd_obj *o,
			     struct pyd_node *n, struct pyd_err *err)
{
	return FIELDS(r, o, n, err, F(super, type), F(super, obj));
}

static enum pyd_code append_i64(struct pyd_buf *out, uint64_t v,
				struct pyd_err *err)
{
	return pyd_buf_append(out, &v, sizeof(v), err);
}

/* "module\0qualname\0" of a class statement's type, or of tp_name. */
static enum pyd_code append_type_names(struct pyd_reader *r,
				       const struct pyd_type *t, pyd_addr dict,
				       pyd_addr qualname, struct pyd_buf *out,
				       struct pyd_err *err)
{
	const char *dot = strrchr(t->name, '.');
	struct pyd_err ignored;
	enum pyd_code code;

	if (t->flags & PYD_TPFLAG_HEAPTYPE) {
		pyd_addr module = 0;
		size_t before = out->len;

		if (dict) {
			code = pyd_read_dict_str(r, dict, "__module__", &module,
						 &ignored);
			if (code && !pyd_code_is_local(code))
				return pyd_err_set(err, code, "%s",
						   ignored.msg);
		}
		if (module) {
			code = append_str(r, module, out, err);
			if (code)
				return code;
		}
		if (out->len == before && dot) {
			code = pyd_buf_append(out, t->name,
					      (size_t)(dot - t->name), err);
			if (code)
				return code;
		}
		code = pyd_buf_append(out, "", 1, err);
		if (code)
			return code;
		code = append_str(r, qualname, out, err);
		if (code)
			return code;
		return pyd_buf_append(out, "", 1, err);
	}
	if (dot) {
		code = pyd_buf_append(out, t->name, (size_t)(dot - t->name),
				      err);
		if (code)
			return code;
		code = pyd_buf_append(out, "", 1, err);
		if (code)
			return code;
		return pyd_buf_append(out, dot + 1, strlen(dot + 1) + 1, err);
	}
	code = pyd_buf_append(out, "builtins", 9, err);
	if (code)
		return code;
	return pyd_buf_append(out, t->name, strlen(t->name) + 1, err);
}

enum pyd_code pyd_read_typeobj(struct pyd_reader *r, const struct pyd_obj *o,
			       struct pyd_node *n, struct pyd_err *err)
{
	const struct pyd_type *self;
	pyd_addr dict, bases, mro, qualname = 0;
	enum pyd_code code;

	code = pyd_type_get(r, o->addr, &self, err);
	if (code)
		return code;
	code = pyd_type_dict(r, o->addr, &dict, err);
	if (code)
		return code;
	/* A metaclass may make the object smaller than what is read at once;
	 * these lie in the part that every type has. */
	bases = PYD_OBJ_U64(r, o, type, tp_bases);
	mro = PYD_OBJ_U64(r, o, type, tp_mro);
	if (self->flags & PYD_TPFLAG_HEAPTYPE)
		qualname = PYD_OBJ_U64(r, o, heaptype, ht_qualname);

	const uint64_t refs[] = { bases, mro, dict, qualname };

	for (size_t i = 0; i < sizeof(refs) / sizeof(refs[0]); i++) {
		code = pyd_vec_push(&n->refs, refs[i], err);
		if (code)
			return code;
	}
	code = append_type_names(r, self, dict, qualname, &n->value, err);
	if (code)
		return code;
	code = append_i64(&n->value, (uint64_t)self->basicsize, err);
	if (code)
		return code;
	code = append_i64(&n->value, (uint64_t)self->itemsize, err);
	if (code)
		return code;
	return append_i64(&n->value, self->flags, err);
}

enum pyd_code pyd_read_exception(struct pyd_reader *r, const struct pyd_obj *o,
				 struct pyd_node *n, struct pyd_err *err)
{
	enum pyd_code code = FIELDS(r, o, n, err, F(exception, args),
				    F(exception, traceback),
				    F(exception, context), F(exception, cause),
				    F(exception, notes), F(exception, dict));

	if (code)
		return code;

	uint8_t suppress = PYD_OBJ_U8(r, o, exception, suppress_context);

	return pyd_buf_append(&n->value, &suppress, 1, err);
}

enum pyd_code pyd_read_traceback(struct pyd_reader *r, const struct pyd_obj *o,
				 struct pyd_node *n, struct pyd_err *err)
{
	enum pyd_code code = FIELDS(r, o, n, err, F(traceback, tb_next),
				    F(traceback, tb_frame));

	if (code)
		return code;

	const int32_t lasti = (int32_t)PYD_OBJ_U32(r, o, traceback, tb_lasti);
	int32_t line = (int32_t)PYD_OBJ_U32(r, o, traceback, tb_lineno);

	struct pyd_position pos;

	pyd_frame_position(r, PYD_OBJ_U64(r, o, traceback, tb_frame), lasti,
			   &pos);
	/* From 3.11 on the line is made from lasti when someone asks. */
	if (line < 0)
		line = pos.line;
	else if (line != pos.line)
		pos.end_line = pos.col = pos.end_col = -1;

	const int32_t at[] = { lasti, line, pos.end_line, pos.col,
			       pos.end_col };

	return pyd_buf_append(&n->value, at, sizeof(at), err);
}
