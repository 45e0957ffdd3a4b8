// SPDX-License-Identifier: Apache-2.0
#include "dump/repr_state.h"

#include <string.h>

#include "dump/number.h"

const struct pyd_repr_limits pyd_repr_default = {
	.depth = 3,
	.items = 8,
	.chars = 120,
	.bytes = 300,
};

void pyd_repr_put(struct pyd_repr_state *r, const char *s)
{
	pyd_text_raw(r->out, s, strlen(s));
}

bool pyd_repr_full(const struct pyd_repr_state *r)
{
	return r->out->code || r->out->buf.len - r->start >= r->lim.bytes;
}

static void put_exception(struct pyd_repr_state *r,
			  const struct pyd_dump_object *o)
{
	struct pyd_dump_object args;
	uint64_t ref = pyd_dump_object_field(r->d, o, "args");
	uint32_t n;
	const uint64_t *items;

	pyd_repr_put_type(r, o->type, false);
	if (!pyd_repr_enter(r, o, "(...)"))
		return;
	pyd_repr_put(r, "(");
	if (ref && !pyd_dump_object_get(r->d, ref, &args, NULL)) {
		items = pyd_dump_object_rest(r->d, &args, &n);
		for (uint32_t i = 0; i < n; i++) {
			if (i)
				pyd_repr_put(r, ", ");
			if (i >= r->lim.items || pyd_repr_full(r)) {
				pyd_repr_put(r, "...");
				break;
			}
			pyd_repr_ref(r, items[i]);
		}
		pyd_dump_object_release(r->d, &args);
	} else if (ref) {
		pyd_repr_put(r, "...");
	}
	pyd_repr_put(r, ")");
	pyd_repr_leave(r);
}

static void put_field(struct pyd_repr_state *r, const struct pyd_dump_object *o,
		      const char *field)
{
	uint64_t ref = pyd_dump_object_field(r->d, o, field);

	if (ref)
		pyd_repr_ref(r, ref);
	else
		pyd_repr_put(r, "NULL");
}

/* "<cell at 0x...: 3>" and the like. */
static void put_wrapped(struct pyd_repr_state *r,
			const struct pyd_dump_object *o, const char *what,
			const char *field)
{
	pyd_text_printf(r->out, "<%s at 0x%llx: ", what,
			(unsigned long long)o->addr);
	if (pyd_repr_enter(r, o, "...")) {
		put_field(r, o, field);
		pyd_repr_leave(r);
	}
	pyd_repr_put(r, ">");
}

static void put_code(struct pyd_repr_state *r, const struct pyd_dump_object *o)
{
	pyd_repr_put(r, "<code object ");
	if (!pyd_repr_put_name(r, pyd_dump_object_field(r->d, o, "name")))
		pyd_repr_put(r, "?");
	pyd_text_printf(r->out, " at 0x%llx, file \"",
			(unsigned long long)o->addr);
	if (!pyd_repr_put_name(r, pyd_dump_object_field(r->d, o, "filename")))
		pyd_repr_put(r, "?");
	pyd_text_printf(r->out, "\", line %d>", pyd_value_i32(o, 24));
}

static void put_named(struct pyd_repr_state *r, const struct pyd_dump_object *o,
		      const char *what, const char *field)
{
	pyd_text_printf(r->out, "<%s ", what);
	if (!pyd_repr_put_name(r, pyd_dump_object_field(r->d, o, field)))
		pyd_repr_put(r, "?");
	pyd_repr_put_at(r, o);
}

static void put_method(struct pyd_repr_state *r,
		       const struct pyd_dump_object *o)
{
	uint64_t func = pyd_dump_object_field(r->d, o, "func");
	struct pyd_dump_object f;

	pyd_repr_put(r, "<bound method ");
	if (!func || pyd_dump_object_get(r->d, func, &f, NULL)) {
		pyd_repr_put(r, "?");
	} else {
		pyd_repr_put_value_name(r, &f);
		pyd_dump_object_release(r->d, &f);
	}
	pyd_repr_put(r, " of ");
	if (pyd_repr_enter(r, o, "...")) {
		put_field(r, o, "self");
		pyd_repr_leave(r);
	}
	pyd_repr_put(r, ">");
}

/* Fields as arguments, those that are NULL left out at the end. */
static void put_call(struct pyd_repr_state *r, const struct pyd_dump_object *o,
		     const char *name, const char *const *fields, size_t n)
{
	pyd_text_printf(r->out, "%s(", name);
	if (pyd_repr_enter(r, o, "...")) {
		for (size_t i = 0; i < n; i++) {
			if (i)
				pyd_repr_put(r, ", ");
			put_field(r, o, fields[i]);
		}
		pyd_repr_leave(r);
	}
	pyd_repr_put(r, ")");
}

static void put_descriptor(struct pyd_repr_state *r,
			   const struct pyd_dump_object *o)
{
	const char *s = (const char *)o->value;
	const char *nul = o->value_len ? memchr(s, 0, o->value_len) : NULL;

	pyd_repr_put(r, "<");
	if (nul) {
		pyd_text_escaped(r->out, s, (size_t)(nul - s), 0, 40);
		pyd_repr_put(r, " '");
		nul++;
		pyd_text_escaped(r->out, nul, o->value_len - (size_t)(nul - s),
				 0, 200);
		pyd_repr_put(r, "' of ");
	}
	pyd_repr_put_type(r, pyd_dump_object_field(r->d, o, "owner"), true);
	pyd_repr_put(r, ">");
}

static void put_placeholder(struct pyd_repr_state *r,
			    const struct pyd_dump_object *o)
{
	pyd_repr_put(r, "<");
	pyd_repr_put_mark(r, o);
	if (o->value_len) {
		pyd_repr_put(r, ": ");
		pyd_text_escaped(r->out, (const char *)o->value, o->value_len,
				 0, 200);
	}
	pyd_repr_put_at(r, o);
}

static void plain(struct pyd_repr_state *r, const struct pyd_dump_object *o)
{
	static const char *const slice[] = { "start", "stop", "step" };
	double v;

	if (pyd_repr_put_redacted(r, o))
		return;
	switch (o->kind) {
	case PYD_KIND_placeholder:
		put_placeholder(r, o);
		break;
	case PYD_KIND_none:
		pyd_repr_put(r, "None");
		break;
	case PYD_KIND_ellipsis:
		pyd_repr_put(r, "Ellipsis");
		break;
	case PYD_KIND_notimplemented:
		pyd_repr_put(r, "NotImplemented");
		break;
	case PYD_KIND_bool:
		pyd_repr_put(r, o->value_len && o->value[0] ? "True" : "False");
		break;
	case PYD_KIND_int:
		pyd_text_int(r->out, o->value, o->value_len);
		break;
	case PYD_KIND_float:
		if (pyd_repr_get_double(o, 0, &v))
			pyd_text_double(r->out, v, true);
		else
			pyd_repr_put(r, "<float without a value>");
		break;
	case PYD_KIND_complex:
		pyd_repr_put_complex(r, o);
		break;
	case PYD_KIND_str:
		pyd_repr_put_str(r, o);
		break;
	case PYD_KIND_bytes:
		pyd_repr_put_bytes(r, o);
		break;
	case PYD_KIND_bytearray:
		pyd_repr_put_bytearray(r, o);
		break;
	case PYD_KIND_list:
	case PYD_KIND_tuple:
	case PYD_KIND_dict:
	case PYD_KIND_set:
	case PYD_KIND_frozenset:
		pyd_repr_put_container(r, o);
		break;
	case PYD_KIND_type:
		pyd_repr_put(r, "<class '");
		pyd_repr_put_type(r, o->addr, true);
		pyd_repr_put(r, "'>");
		break;
	case PYD_KIND_module:
		pyd_repr_put(r, "<module '");
		pyd_repr_put_value_name(r, o);
		pyd_repr_put(r, "'>");
		break;
	case PYD_KIND_function:
		pyd_repr_put(r, "<function ");
		pyd_repr_put_value_name(r, o);
		pyd_repr_put_at(r, o);
		break;
	case PYD_KIND_builtin:
		pyd_repr_put(r, "<built-in function ");
		pyd_repr_put_value_name(r, o);
		pyd_repr_put(r, ">");
		break;
	case PYD_KIND_method:
		put_method(r, o);
		break;
	case PYD_KIND_cell:
		put_wrapped(r, o, "cell", "contents");
		break;
	case PYD_KIND_code:
		put_code(r, o);
		break;
	case PYD_KIND_frame:
		pyd_text_printf(r->out, "<frame, line %d", pyd_value_i32(o, 8));
		pyd_repr_put_at(r, o);
		break;
	case PYD_KIND_traceback:
		pyd_text_printf(r->out, "<traceback, line %d",
				pyd_value_i32(o, 4));
		pyd_repr_put_at(r, o);
		break;
	case PYD_KIND_exception:
		put_exception(r, o);
		break;
	case PYD_KIND_generator:
		put_named(r, o, "generator object", "qualname");
		break;
	case PYD_KIND_coroutine:
		put_named(r, o, "coroutine object", "qualname");
		break;
	case PYD_KIND_async_generator:
		put_named(r, o, "async_generator object", "qualname");
		break;
	case PYD_KIND_staticmethod:
		put_wrapped(r, o, "staticmethod", "callable");
		break;
	case PYD_KIND_classmethod:
		put_wrapped(r, o, "classmethod", "callable");
		break;
	case PYD_KIND_mappingproxy:
		pyd_repr_put(r, "mappingproxy(");
		if (pyd_repr_enter(r, o, "...")) {
			put_field(r, o, "mapping");
			pyd_repr_leave(r);
		}
		pyd_repr_put(r, ")");
		break;
	case PYD_KIND_weakref:
		put_wrapped(r, o, "weakref", "object");
		break;
	case PYD_KIND_slice:
		put_call(r, o, "slice", slice, 3);
		break;
	case PYD_KIND_range:
		put_call(r, o, "range", slice, 3);
		break;
	case PYD_KIND_descriptor:
		put_descriptor(r, o);
		break;
	case PYD_KIND_record:
	case PYD_KIND_mapping:
		pyd_repr_put_record(r, o);
		break;
	default:
		pyd_repr_put_instance(r, o);
		break;
	}
}

/* The name of the builtin type of a kind that classes inherit from and whose
 * plain text would hide the class. */
static const char *base_of(enum pyd_kind kind)
{
	switch (kind) {
	case PYD_KIND_int:
		return "int";
	case PYD_KIND_float:
		return "float";
	case PYD_KIND_complex:
		return "complex";
	case PYD_KIND_str:
		return "str";
	case PYD_KIND_bytes:
		return "bytes";
	case PYD_KIND_bytearray:
		return "bytearray";
	case PYD_KIND_list:
		return "list";
	case PYD_KIND_tuple:
		return "tuple";
	case PYD_KIND_dict:
		return "dict";
	case PYD_KIND_set:
		return "set";
	case PYD_KIND_frozenset:
		return "frozenset";
	default:
		return NULL;
	}
}

void pyd_repr_ref(struct pyd_repr_state *r, uint64_t ref)
{
	struct pyd_dump_object o;
	struct pyd_err err;
	const char *base;
	int64_t small;
	enum pyd_code code;

	/* Items of containers in containers multiply: what has begun is closed,
	 * nothing more is begun. */
	if (pyd_repr_full(r)) {
		pyd_repr_put(r, "...");
		return;
	}
	if (!ref) {
		pyd_repr_put(r, "<NULL>");
		return;
	}
	if (pyd_dump_ref_is_int(ref, &small)) {
		pyd_text_printf(r->out, "%lld", (long long)small);
		return;
	}
	code = pyd_dump_object_get(r->d, ref, &o, &err);
	if (code == PYD_NOTFOUND || code == PYD_LIMIT) {
		pyd_text_printf(r->out, "<not dumped: 0x%llx>",
				(unsigned long long)ref);
		return;
	}
	if (code == PYD_FORMAT) {
		pyd_text_printf(r->out, "<lost, the dump is damaged: 0x%llx>",
				(unsigned long long)ref);
		return;
	}
	if (code) {
		r->out->code = code;
		if (r->out->err)
			*r->out->err = err;
		return;
	}
	base = base_of(o.kind);
	if (base && !pyd_repr_is_builtin(r, o.type, base)) {
		pyd_repr_put_type(r, o.type, false);
		pyd_repr_put(r, "(");
		plain(r, &o);
		pyd_repr_put(r, ")");
	} else {
		plain(r, &o);
	}
	if (o.mark && o.mark != PYD_MARK_TRUNCATED &&
	    !(o.mark == PYD_MARK_REDACTED && base && !o.value_len) &&
	    o.kind != PYD_KIND_placeholder) {
		pyd_repr_put(r, " <");
		pyd_repr_put_mark(r, &o);
		pyd_repr_put(r, ">");
	}
	pyd_dump_object_release(r->d, &o);
}

void pyd_repr(struct pyd_dump *d, uint64_t ref,
	      const struct pyd_repr_limits *limits, struct pyd_text *out)
{
	struct pyd_repr_state r = {
		.d = d, .lim = *limits, .out = out, .start = out->buf.len
	};

	if (r.lim.depth > PYD_REPR_DEPTH_MAX)
		r.lim.depth = PYD_REPR_DEPTH_MAX;
	pyd_repr_ref(&r, ref);
}

void pyd_repr_type(struct pyd_dump *d, pyd_addr type, struct pyd_text *out)
{
	struct pyd_repr_state r = { .d = d,
				    .lim = pyd_repr_default,
				    .out = out };

	pyd_repr_put_type(&r, type, true);
}
