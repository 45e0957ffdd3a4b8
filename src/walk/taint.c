// SPDX-License-Identifier: Apache-2.0
/* What is under a secret's name: keys, attributes, variables, arguments. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "read/quick.h"
#include "walk/redact_state.h"

enum {
	TODO_MAX = 1 << 24,
	/* Beside the class of a name: it is __annotations__. */
	ANNOTATIONS = 1 << 7,
};

enum pyd_code pyd_redact_note(struct pyd_redact *rd, uint64_t ref,
			      enum pyd_rule rule, unsigned int class,
			      unsigned int depth, struct pyd_err *err)
{
	uint64_t seen = 0, bit = 1ULL << (class & 31);
	enum pyd_code code;

	if (!ref || (ref & 3) || rd->rules->off[rule] ||
	    rd->todo.len > TODO_MAX)
		return PYD_OK;
	if (pyd_map_get(&rd->seen, ref, &seen) && seen & bit)
		return PYD_OK;
	code = pyd_map_put(&rd->seen, ref, seen | bit, err);
	if (!code)
		code = pyd_vec_push(&rd->todo, ref, err);
	return code ? code
		    : pyd_vec_push(&rd->todo,
				   rule | (uint64_t) class << 16 |
					   (uint64_t)depth << 32,
				   err);
}

/* -- names -- */

static size_t name_slot(uint64_t name)
{
	return (name >> 4 ^ name >> 18) & (PYD_REDACT_NAMES - 1);
}

enum pyd_code pyd_redact_only_fatal(enum pyd_code code,
				    const struct pyd_err *why,
				    struct pyd_err *err)
{
	if (!code || pyd_code_is_local(code))
		return PYD_OK;
	*err = *why;
	return code;
}

enum pyd_code pyd_redact_short(struct pyd_redact *rd, struct pyd_reader *r,
			       uint64_t ref, struct pyd_buf *out, bool *ret_is,
			       struct pyd_err *err)
{
	struct pyd_node *name = &rd->name;
	struct pyd_obj *o = &rd->obj;
	struct pyd_err why = { 0 };
	uint64_t total;
	bool cut;
	enum pyd_code code;

	*ret_is = false;
	pyd_buf_clear(out);
	if (!ref || (ref & 3))
		return PYD_OK;
	if (pyd_quick_read(r, ref, name)) {
		*ret_is = (name->kind == PYD_KIND_str ||
			   name->kind == PYD_KIND_bytes) &&
			  name->value.len <= PYD_REDACT_NAME_BYTES;
		return *ret_is ? pyd_buf_append(out, name->value.data,
						name->value.len, err)
			       : PYD_OK;
	}
	code = pyd_obj_read(r, ref, o, &why);
	if (code)
		return pyd_redact_only_fatal(code, &why, err);
	if (pyd_obj_is(o, PYD_KIND_str)) {
		code = pyd_obj_utf8(r, o, PYD_REDACT_NAME_BYTES, out, &total,
				    &cut, &why);
		*ret_is = !code && !cut;
	} else if (pyd_obj_is(o, PYD_KIND_bytes)) {
		total = PYD_OBJ_U64(r, o, object, ob_size);
		if (total > PYD_REDACT_NAME_BYTES)
			return PYD_OK;
		code = pyd_buf_reserve(out, total + 1, err);
		if (code)
			return code;
		code = pyd_target_read(
			r->target,
			ref + (uint64_t)PYD_OFF(r->lay, bytes, ob_sval),
			out->data, total, &why);
		out->len = total;
		*ret_is = !code;
	}
	return pyd_redact_only_fatal(code, &why, err);
}

/* What __annotations__ is kept under in a class, 3.14 on under the other. */
static bool is_annotations(const struct pyd_buf *name)
{
	static const char *const names[] = { "__annotations__",
					     "__annotations_cache__" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (name->len == strlen(names[i]) &&
		    !memcmp(name->data, names[i], name->len))
			return true;
	return false;
}

enum pyd_code pyd_redact_class(struct pyd_redact *rd, struct pyd_reader *r,
			       uint64_t name, enum pyd_name_class *ret,
			       uint32_t *ret_env, struct pyd_err *err)
{
	size_t slot = name_slot(name);
	uint32_t class = 0;

	if (rd->names[slot].addr != name || !name) {
		bool is;
		enum pyd_code code =
			pyd_redact_short(rd, r, name, &rd->text, &is, err);

		if (code)
			return code;
		if (is && rd->text.len) {
			class = pyd_match_name(&rd->matcher, rd->text.data,
					       rd->text.len);
			if (is_annotations(&rd->text))
				class = ANNOTATIONS;
			class |= pyd_redact_env_find(rd, rd->text.data,
						     rd->text.len)
				 << 8;
		}
		rd->names[slot].addr = name;
		rd->names[slot].class = class;
	}
	class = rd->names[slot].class;
	*ret = (enum pyd_name_class)(class & (ANNOTATIONS - 1));
	if (ret_env)
		*ret_env = class >> 8;
	return PYD_OK;
}

static bool names_annotations(const struct pyd_redact *rd, uint64_t name)
{
	size_t slot = name_slot(name);

	return rd->names[slot].addr == name &&
	       rd->names[slot].class & ANNOTATIONS;
}

/* -- annotations -- */

/* Their values tell types, as text where their evaluation is postponed: under
 * "password" is "str | None", and no password. */
enum pyd_code pyd_redact_annotations(struct pyd_redact *rd, uint64_t ref,
				     struct pyd_err *err)
{
	return ref && !(ref & 3) ? pyd_map_put(&rd->annotations, ref, 1, err)
				 : PYD_OK;
}

/* Whether the value under a secret's name in that container is the text of a
 * type and no more. */
static enum pyd_code is_type_text(struct pyd_redact *rd, struct pyd_reader *r,
				  pyd_addr container, uint64_t value, bool *ret,
				  struct pyd_err *err)
{
	enum pyd_code code;
	uint64_t found;

	*ret = false;
	if (!rd->annotations.len ||
	    !pyd_map_get(&rd->annotations, container, &found))
		return PYD_OK;
	code = pyd_redact_short(rd, r, value, &rd->text, ret, err);
	if (code || !*ret)
		return code;
	for (size_t i = 0; i < rd->text.len && *ret; i++)
		*ret = isalpha(rd->text.data[i]) ||
		       (rd->text.data[i] &&
			strchr("_ .,|[]\"'", rd->text.data[i]));
	return PYD_OK;
}

/* A name that is a str or bytes object in that container, and what it stands
 * for. */
static enum pyd_code pair(struct pyd_redact *rd, struct pyd_reader *r,
			  pyd_addr container, uint64_t name, uint64_t value,
			  bool sequence, struct pyd_err *err)
{
	enum pyd_name_class class;
	uint32_t env;
	bool type = false;
	enum pyd_code code = pyd_redact_class(rd, r, name, &class, &env, err);

	if (!code && names_annotations(rd, name))
		return pyd_redact_annotations(rd, value, err);
	if (!code && class)
		code = is_type_text(rd, r, container, value, &type, err);
	if (code || type || (!class && !env))
		return code;
	if (class)
		code = pyd_redact_note(rd, value, PYD_RULE_NAME,
				       sequence && class == PYD_CLASS_SECRET
					       ? (unsigned int)PYD_CLASS_PAIR
					       : class,
				       0, err);
	if (code || !env)
		return code;

	/* A copy of the environment: the name and its very value. */
	bool is;

	code = pyd_redact_short(rd, r, value, &rd->text, &is, err);
	if (code || !is ||
	    rd->env_v[env - 1].value !=
		    pyd_siphash(&rd->tag_key, rd->text.data, rd->text.len))
		return code;
	return pyd_redact_note(rd, value, PYD_RULE_ENV, PYD_CLASS_ENV, 0, err);
}

enum pyd_code pyd_redact_var(struct pyd_redact *rd, struct pyd_reader *r,
			     pyd_addr name, uint64_t value, struct pyd_err *err)
{
	enum pyd_name_class class;
	enum pyd_code code = pyd_redact_class(rd, r, name, &class, NULL, err);

	if (code || !class)
		return code;
	return pyd_redact_note(rd, value, PYD_RULE_NAME, class, 0, err);
}

/* -- attributes -- */

static enum pyd_code shape_classes(struct pyd_redact *rd, struct pyd_reader *r,
				   const struct pyd_node *n, uint32_t shape,
				   struct pyd_err *err)
{
	struct pyd_redact_shape *s;

	if (shape >= rd->nshapes) {
		size_t cap = 2 * (size_t)shape + 64;
		struct pyd_redact_shape *v =
			reallocarray(rd->shapes, cap, sizeof(*v));

		if (!v)
			return pyd_err_set(err, PYD_NOMEM, "out of memory");
		memset(v + rd->nshapes, 0, (cap - rd->nshapes) * sizeof(*v));
		rd->shapes = v;
		rd->nshapes = cap;
	}
	s = &rd->shapes[shape];
	s->seen = true;
	s->classes = calloc(n->attrs.len, 1);
	if (!s->classes)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	for (size_t i = 0; i < n->attrs.len; i++) {
		const struct pyd_attr_name *name = &n->names[i];
		enum pyd_name_class class = PYD_CLASS_PLAIN;
		char text[PYD_REDACT_NAME_BYTES];
		struct pyd_err why = { 0 };
		const char *s_name = text;
		enum pyd_code code = PYD_OK;

		switch ((enum pyd_name)name->where) {
		case PYD_NAME_STR:
			code = pyd_redact_class(rd, r, name->name, &class, NULL,
						err);
			if (code)
				return code;
			break;
		case PYD_NAME_CSTR:
			code = pyd_target_read_cstr(r->target, name->name, text,
						    sizeof(text), NULL, &why);
			break;
		case PYD_NAME_LOCAL:
			s_name = (const char *)(uintptr_t)name->name;
			break;
		case PYD_NAME_WORD:
			continue;
		}
		if (code && !pyd_code_is_local(code)) {
			*err = why;
			return code;
		}
		if (!code && name->where != PYD_NAME_STR)
			class = pyd_match_name(&rd->matcher,
					       (const uint8_t *)s_name,
					       strlen(s_name));
		s->classes[i] = (uint8_t) class;
		s->any |= class != PYD_CLASS_PLAIN;
	}
	return PYD_OK;
}

static enum pyd_code attributes(struct pyd_redact *rd, struct pyd_reader *r,
				const struct pyd_node *n, uint32_t shape,
				struct pyd_err *err)
{
	const struct pyd_redact_shape *s;

	if (shape >= rd->nshapes || !rd->shapes[shape].seen) {
		enum pyd_code code = shape_classes(rd, r, n, shape, err);

		if (code)
			return code;
	}
	s = &rd->shapes[shape];
	for (size_t i = 0; s->any && i < n->attrs.len; i++) {
		enum pyd_code code;

		if (!s->classes[i] || !pyd_origin_is_ref(n->names[i].origin))
			continue;
		code = pyd_redact_note(rd, n->attrs.data[i], PYD_RULE_NAME,
				       s->classes[i], 0, err);
		if (code)
			return code;
	}
	return PYD_OK;
}

/* -- every node -- */

/* Pairs that are read in pieces. */
static enum pyd_code more_pairs(struct pyd_redact *rd, struct pyd_reader *r,
				const struct pyd_node *n, struct pyd_err *err)
{
	uint64_t words[PYD_MORE_WORDS], at = 0;
	size_t len;

	for (;;) {
		enum pyd_code code =
			pyd_more_next(&n->more, &at, words, &len, err);

		for (size_t i = 0; i + 1 < len && !code; i += 2)
			code = pair(rd, r, n->addr, words[i], words[i + 1],
				    false, err);
		if (code || !len)
			return code;
	}
}

enum pyd_code pyd_redact_node(struct pyd_redact *rd, struct pyd_reader *r,
			      struct pyd_node *n, uint32_t shape,
			      bool *ret_later, struct pyd_err *err)
{
	const struct pyd_vec *refs = &n->refs;
	enum pyd_code code = PYD_OK;

	if (n->attrs.len)
		code = attributes(rd, r, n, shape, err);
	switch (n->kind) {
	case PYD_KIND_dict:
	case PYD_KIND_mapping:
		for (size_t i = 0; i + 1 < refs->len && !code; i += 2)
			code = pair(rd, r, n->addr, refs->data[i],
				    refs->data[i + 1], false, err);
		if (n->more.n && !code)
			code = more_pairs(rd, r, n, err);
		break;
	case PYD_KIND_tuple:
	case PYD_KIND_list:
		if (refs->len == 2 && !code)
			code = pair(rd, r, n->addr, refs->data[0],
				    refs->data[1], true, err);
		break;
	case PYD_KIND_code:
		if (!code)
			code = pyd_redact_code(rd, r, n, err);
		break;
	case PYD_KIND_function:
		if (!code)
			code = pyd_redact_function(rd, n, err);
		break;
	case PYD_KIND_frame:
		if (!code)
			code = pyd_redact_frame(rd, r, n, 1, 8, err);
		break;
	case PYD_KIND_generator:
	case PYD_KIND_coroutine:
	case PYD_KIND_async_generator:
		if (!code)
			code = pyd_redact_frame(rd, r, n, 2, 10, err);
		break;
	default:
		break;
	}
	return code ? code : pyd_redact_keep(rd, r, n, ret_later, err);
}
