// SPDX-License-Identifier: Apache-2.0
#include "walk/whole.h"

enum {
	SELF = 1,  /* its characters or items */
	NAMES = 2, /* and those of its keys or items */
};

/* Fields of kinds (see PYD_KINDS), as bits by their place. */
struct fields {
	uint32_t self, names;
};

static struct fields fields_of(enum pyd_kind kind)
{
	switch (kind) {
	case PYD_KIND_type: /* bases mro dict qualname */
		return (struct fields) { 0x0b, 0x04 };
	case PYD_KIND_module: /* dict name */
		return (struct fields) { 0x02, 0x01 };
	case PYD_KIND_function:
		/* defaults closure name qualname module; globals kwdefaults
		 * dict annotations builtins */
		return (struct fields) { 0x2d4, 0xd0a };
	case PYD_KIND_code:
		/* filename name qualname localspluskinds; the names */
		return (struct fields) { 0x207, 0x178 };
	case PYD_KIND_frame: /* globals builtins locals */
		return (struct fields) { 0, 0x1c };
	case PYD_KIND_generator:
	case PYD_KIND_coroutine:
	case PYD_KIND_async_generator:
		/* name qualname; globals builtins locals */
		return (struct fields) { 0x03, 0x1c0 };
	case PYD_KIND_exception: /* args; dict */
		return (struct fields) { 0x01, 0x20 };
	case PYD_KIND_staticmethod:
	case PYD_KIND_classmethod:
		return (struct fields) { 0, 0x02 };
	case PYD_KIND_descriptor:
		return (struct fields) { 0x06, 0 };
	default:
		return (struct fields) { 0, 0 };
	}
}

void pyd_whole_deinit(struct pyd_whole *w)
{
	pyd_map_deinit(&w->map);
	*w = (struct pyd_whole) { 0 };
}

bool pyd_whole_has(const struct pyd_whole *w, pyd_addr addr)
{
	uint64_t flags;

	return w->on && pyd_map_get(&w->map, addr, &flags);
}

static enum pyd_code add(struct pyd_whole *w, uint64_t ref, uint64_t flags,
			 struct pyd_err *err)
{
	uint64_t had = 0;

	if (!ref || (ref & 3) == 3)
		return PYD_OK;
	if (pyd_map_get(&w->map, ref, &had) && (had & flags) == flags)
		return PYD_OK;
	return pyd_map_put(&w->map, ref, had | flags, err);
}

enum pyd_code pyd_whole_names(struct pyd_whole *w, pyd_addr addr,
			      struct pyd_err *err)
{
	return w->on ? add(w, addr, SELF | NAMES, err) : PYD_OK;
}

enum pyd_code pyd_whole_note(struct pyd_whole *w, const struct pyd_node *n,
			     struct pyd_err *err)
{
	struct fields f;
	uint64_t flags = 0;
	enum pyd_code code = PYD_OK;

	if (!w->on)
		return PYD_OK;
	f = fields_of(n->kind);
	for (size_t i = 0; i < n->refs.len && i < 32 && !code; i++) {
		if (f.self >> i & 1)
			code = add(w, n->refs.data[i], SELF, err);
		else if (f.names >> i & 1)
			code = add(w, n->refs.data[i], SELF | NAMES, err);
	}
	for (size_t i = 0; i < n->attrs.len && !code; i++)
		if (n->names[i].origin == PYD_ORIGIN_DICT)
			code = add(w, n->attrs.data[i], SELF | NAMES, err);
	if (code || !pyd_map_get(&w->map, n->addr, &flags) || !(flags & NAMES))
		return code;
	if (n->kind == PYD_KIND_dict || n->kind == PYD_KIND_tuple) {
		size_t step = n->kind == PYD_KIND_dict ? 2 : 1;

		for (size_t i = 0; i < n->refs.len && !code; i += step)
			code = add(w, n->refs.data[i], SELF, err);
	}
	return code;
}
