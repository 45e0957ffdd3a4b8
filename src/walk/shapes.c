// SPDX-License-Identifier: Apache-2.0
#include "walk/shapes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "walk/redact.h"

enum { NAME_MAX_BYTES = 1024 };

static uint64_t hash_names(const struct pyd_node *node)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < node->attrs.len; i++) {
		h = (h ^ node->names[i].name) * 0x100000001b3ULL;
		h = (h ^ node->names[i].origin ^
		     (uint64_t)node->names[i].where << 8) *
		    0x100000001b3ULL;
		h ^= h >> 29;
	}
	return h ? h : 1;
}

static bool same(const struct pyd_shape *s, const struct pyd_node *node)
{
	if (s->n != node->attrs.len)
		return false;
	for (size_t i = 0; i < s->n; i++)
		if (s->names[i].name != node->names[i].name ||
		    s->names[i].where != node->names[i].where ||
		    s->names[i].origin != node->names[i].origin)
			return false;
	return true;
}

static enum pyd_code name_text(struct pyd_reader *r,
			       const struct pyd_attr_name *name, char *text,
			       size_t cap, struct pyd_err *err)
{
	switch ((enum pyd_name)name->where) {
	case PYD_NAME_STR:
		return pyd_read_str(r, name->name, text, cap, err);
	case PYD_NAME_CSTR:
		return pyd_target_read_cstr(r->target, name->name, text, cap,
					    NULL, err);
	case PYD_NAME_LOCAL:
		snprintf(text, cap, "%s", (const char *)(uintptr_t)name->name);
		break;
	case PYD_NAME_WORD:
		snprintf(text, cap, "+%llu", (unsigned long long)name->name);
		break;
	}
	return PYD_OK;
}

static enum pyd_code pack_name(struct pyd_shapes *s, struct pyd_reader *r,
			       const struct pyd_attr_name *name,
			       msgpack_packer *pk, struct pyd_err *err)
{
	char text[NAME_MAX_BYTES];
	struct pyd_err why = { 0 };
	enum pyd_code code = PYD_OK;

	if (name->origin == PYD_ORIGIN_DICT)
		snprintf(text, sizeof(text), "__dict__");
	else
		code = name_text(r, name, text, sizeof(text), &why);
	if (code && !pyd_code_is_local(code)) {
		*err = why;
		return code;
	}
	if (code)
		snprintf(text, sizeof(text), "<%s name at 0x%llx>",
			 code == PYD_FAULT ? "unreadable" : "corrupt",
			 (unsigned long long)name->name);
	if (s->redact)
		pyd_redact_name(s->redact, text, strlen(text));
	msgpack_pack_array(pk, 2);
	msgpack_pack_uint8(pk, name->origin);
	msgpack_pack_str_with_body(pk, text, strlen(text));
	return PYD_OK;
}

static enum pyd_code add(struct pyd_shapes *s, struct pyd_reader *r,
			 const struct pyd_node *node, struct pyd_err *err)
{
	size_t n = node->attrs.len;
	struct pyd_shape shape = { .n = n };
	msgpack_packer pk;
	enum pyd_code code = PYD_OK;

	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 256;
		struct pyd_shape *v = realloc(s->v, cap * sizeof(*v));

		if (!v)
			return pyd_err_set(err, PYD_NOMEM,
					   "out of memory for shapes");
		s->v = v;
		s->cap = cap;
	}
	msgpack_sbuffer_init(&shape.map);
	msgpack_packer_init(&pk, &shape.map, msgpack_sbuffer_write);
	msgpack_pack_array(&pk, n);
	for (size_t i = 0; i < n && !code; i++)
		code = pack_name(s, r, &node->names[i], &pk, err);
	if (!code && n) {
		shape.names = malloc(n * sizeof(*shape.names));
		if (shape.names)
			memcpy(shape.names, node->names,
			       n * sizeof(*shape.names));
		else
			code = pyd_err_set(err, PYD_NOMEM,
					   "out of memory for shapes");
	}
	if (code) {
		msgpack_sbuffer_destroy(&shape.map);
		return code;
	}
	s->v[s->n++] = shape;
	return PYD_OK;
}

enum pyd_code pyd_shapes_get(struct pyd_shapes *s, struct pyd_reader *r,
			     const struct pyd_node *node, uint32_t *ret,
			     struct pyd_err *err)
{
	enum pyd_code code;
	uint64_t found, h;
	uint32_t *last;

	if (!s->n) {
		const struct pyd_node empty = { 0 };

		code = add(s, r, &empty, err);
		if (code)
			return code;
	}
	if (!node->attrs.len) {
		*ret = 0;
		return PYD_OK;
	}
	/* Most instances of a type have the names of the one before. */
	last = &s->last[node->type * 0x9E3779B97F4A7C15ULL >> 58];
	if (*last && same(&s->v[*last], node)) {
		*ret = *last;
		return PYD_OK;
	}
	/* Two lists with one hash stand one behind the other. */
	for (h = hash_names(node); pyd_map_get(&s->index, h, &found); h++)
		if (same(&s->v[found], node)) {
			*last = *ret = (uint32_t)found;
			return PYD_OK;
		}
	if (s->n >= UINT32_MAX)
		return pyd_err_set(err, PYD_LIMIT, "too many shapes");
	code = add(s, r, node, err);
	if (code)
		return code;
	code = pyd_map_put(&s->index, h, s->n - 1, err);
	if (code)
		return code;
	*last = *ret = (uint32_t)(s->n - 1);
	return PYD_OK;
}

void pyd_shapes_deinit(struct pyd_shapes *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->v[i].names);
		msgpack_sbuffer_destroy(&s->v[i].map);
	}
	free(s->v);
	pyd_map_deinit(&s->index);
	*s = (struct pyd_shapes) { 0 };
}
