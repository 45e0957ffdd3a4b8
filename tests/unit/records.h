/* SPDX-License-Identifier: Apache-2.0 */
/* A layout, described C types and memory with their instances. */
#ifndef PYD_TESTS_RECORDS_H
#define PYD_TESTS_RECORDS_H

#include <stdio.h>
#include <stdlib.h>

#include "image.h"
#include "layout/ctype.h"

/* Fields begin here: behind the header that objects have in any layout. */
enum { F = 64 };

struct world {
	struct image m;
	const struct pyd_layout *lay;
	struct pyd_reader r;
	struct pyd_ctypes types;
	struct pyd_region region;
	struct pyd_node n;
	struct pyd_err err;
	pyd_addr type, str, list, dict;
};

/* text describes types, in the order of their names. */
static inline void world_init(struct world *w, const struct pyd_layout *lay,
			      const char *text)
{
	memset(w, 0, sizeof(*w));
	image_init(&w->m);
	w->m.whole_pages = true;
	w->lay = lay;
	w->region = (struct pyd_region) { .start = BASE,
					  .end = BASE + ROOM,
					  .path = "" };
	w->m.base.regions = &w->region;
	w->m.base.nregions = 1;
	w->type = make_type(&w->m, lay, 0, "type", PYD_OFF(lay, heaptype, size),
			    40, PYD_TPFLAG_TYPE_SUBCLASS);
	w->str = make_type(&w->m, lay, w->type, "str",
			   PYD_OFF(lay, unicode, data) + 8, 0, 1 << 28);
	w->list = make_type(&w->m, lay, w->type, "list",
			    PYD_OFF(lay, list, allocated) + 8, 0, 1 << 25);
	w->dict = make_type(&w->m, lay, w->type, "dict",
			    PYD_OFF(lay, dict, ma_values) + 8, 0, 1 << 29);
	cr_assert_eq(pyd_reader_init(&w->r, &w->m.base, lay, &w->err), PYD_OK);
	cr_assert_eq(
		pyd_ctypes_parse(&w->types, "t", text, strlen(text), &w->err),
		PYD_OK, "%s", w->err.msg);
	w->r.ctypes = &w->types;
}

static inline void world_deinit(struct world *w)
{
	pyd_node_deinit(&w->n);
	pyd_reader_deinit(&w->r);
	pyd_ctypes_deinit(&w->types);
}

static inline void for_each_table(const char *text, void (*fn)(struct world *w))
{
	struct pyd_layouts all;
	struct pyd_err err;

	cr_assert_eq(pyd_layouts_load(NULL, &all, &err), PYD_OK);
	cr_assert_geq(all.n, 9);
	for (size_t i = 0; i < all.n; i++) {
		struct world *w = malloc(sizeof(*w));
		struct pyd_layout *lay;

		cr_assert(w);
		cr_assert_eq(pyd_layouts_get(&all, i, &lay, &err), PYD_OK);
		world_init(w, lay, text);
		fn(w);
		world_deinit(w);
		free(w);
	}
	pyd_layouts_deinit(&all);
}

/* An instance of a new type of that name and size, zeroed but for its header.
 */
static inline pyd_addr make(struct world *w, const char *name, size_t size)
{
	pyd_addr type =
		make_type(&w->m, w->lay, w->type, name, (int64_t)size, 0, 0);
	pyd_addr at = take(&w->m, size);

	header(&w->m, w->lay, at, type);
	return at;
}

static inline void set(struct world *w, pyd_addr at, int32_t off, uint64_t v)
{
	put64(&w->m, at, F + off, v);
}

static inline pyd_addr put_words(struct world *w, const uint64_t *v, size_t n)
{
	pyd_addr at = take(&w->m, n * 8);

	put(&w->m, at, v, n * 8);
	return at;
}

static inline pyd_addr put_str(struct world *w, const char *text)
{
	const struct pyd_layout *lay = w->lay;
	size_t head = (size_t)PYD_OFF(lay, unicode, ascii_size);
	size_t n = strlen(text);
	size_t least = (size_t)PYD_OFF(lay, unicode, data) + 8;
	pyd_addr at = take(&w->m, head + n + 1 > least ? head + n + 1 : least);
	uint32_t state = 1U << PYD_OFF(lay, unicode, kind_bit) |
			 1U << PYD_OFF(lay, unicode, compact_bit) |
			 1U << PYD_OFF(lay, unicode, ascii_bit);

	header(&w->m, lay, at, w->str);
	SET(&w->m, lay, at, unicode, length, n);
	put(&w->m, at + (uint64_t)PYD_OFF(lay, unicode, state), &state, 4);
	put(&w->m, at + head, text, n);
	return at;
}

static inline pyd_addr put_list(struct world *w, const uint64_t *v, size_t n)
{
	const struct pyd_layout *lay = w->lay;
	pyd_addr at = take(&w->m, (size_t)PYD_OFF(lay, list, allocated) + 8);

	header(&w->m, lay, at, w->list);
	SET(&w->m, lay, at, object, ob_size, n);
	SET(&w->m, lay, at, list, allocated, n);
	SET(&w->m, lay, at, list, ob_item, put_words(w, v, n));
	return at;
}

/* Makes the memory at `at` a dict of n pairs; its header is there. */
static inline void put_dict(struct world *w, pyd_addr at, const uint64_t *pairs,
			    size_t n)
{
	const struct pyd_layout *lay = w->lay;
	int32_t head = PYD_OFF(lay, dictkeys, dk_indices);
	pyd_addr keys = take(&w->m, (size_t)head + 8 + n * 24);

	SET(&w->m, lay, at, dict, ma_used, n);
	SET(&w->m, lay, at, dict, ma_keys, keys);
	SET(&w->m, lay, keys, dictkeys, dk_nentries, n);
	if (lay->model_dictkeys == PYD_M_dictkeys_hashed) {
		SET(&w->m, lay, keys, dictkeys, dk_size, 8);
	} else {
		const uint8_t three = 3;

		put(&w->m,
		    keys + (uint64_t)PYD_OFF(lay, dictkeys, dk_log2_size),
		    &three, 1);
		put(&w->m,
		    keys + (uint64_t)PYD_OFF(lay, dictkeys,
					     dk_log2_index_bytes),
		    &three, 1);
	}
	for (size_t i = 0; i < n; i++) {
		const uint64_t entry[3] = { 1, pairs[2 * i], pairs[2 * i + 1] };

		put(&w->m, keys + (uint64_t)head + 8 + i * 24, entry, 24);
	}
}

static inline void read_ok(struct world *w, pyd_addr at, enum pyd_kind kind)
{
	enum pyd_code code = pyd_read_node(&w->r, at, &w->n, &w->err);

	cr_assert_eq(code, PYD_OK, "%s: %s", w->lay->name, w->err.msg);
	cr_assert_eq(w->n.kind, kind, "%s: kind %d", w->lay->name, w->n.kind);
}

/* Nothing half-read is shown of what does not hold up. */
static inline void read_fails(struct world *w, pyd_addr at, enum pyd_code want)
{
	enum pyd_code code = pyd_read_node(&w->r, at, &w->n, &w->err);

	cr_assert_eq(code, want, "%s: %d %s", w->lay->name, code, w->err.msg);
	cr_assert_eq(w->n.refs.len, 0);
	cr_assert_eq(w->n.attrs.len, 0);
	cr_assert_eq(w->n.value.len, 0);
	cr_assert_neq(w->err.msg[0], '\0');
}

/* Whatever word of the memory is wrong: the reading ends, within it, and fails
 * as an object's does. Run under the sanitizers too. */
static inline void survives(struct world *w, pyd_addr at)
{
	const uint64_t odd[] = {
		0,	    1,		7,	     at,
		at + 8,	    BASE,	BASE + ROOM, UINT64_MAX,
		1ULL << 32, 1ULL << 62, 0x7fffffff,  at - 16,
	};
	uint64_t seed = 88172645463325252ULL;

	for (int i = 0; i < 400; i++) {
		uint64_t kept;
		size_t off;
		enum pyd_code code;

		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		/* Behind the types that every world begins with. */
		off = (w->dict - BASE) +
		      seed % (w->m.len - (w->dict - BASE) - 8);
		off -= seed >> 60 ? off % 8 : 0;
		memcpy(&kept, w->m.bytes + off, 8);
		memcpy(w->m.bytes + off,
		       &odd[(seed >> 32) % (sizeof(odd) / sizeof(odd[0]))], 8);
		code = pyd_read_node(&w->r, at, &w->n, &w->err);
		cr_assert(!code || pyd_code_is_local(code), "%s", w->err.msg);
		memcpy(w->m.bytes + off, &kept, 8);
	}
}

/* The field's index, or -1. */
static inline int find_field(const struct world *w, const char *name)
{
	for (size_t i = 0; i < w->n.attrs.len; i++)
		if (w->n.names[i].where == PYD_NAME_LOCAL &&
		    !strcmp((const char *)(uintptr_t)w->n.names[i].name, name))
			return (int)i;
	return -1;
}

static inline void has_number(struct world *w, const char *name,
			      enum pyd_origin origin, uint64_t v)
{
	int i = find_field(w, name);

	cr_assert_geq(i, 0, "%s: no %s", w->lay->name, name);
	cr_assert_eq(w->n.names[i].origin, origin, "%s: origin %d", name,
		     w->n.names[i].origin);
	cr_assert_eq(w->n.attrs.data[i], v, "%s: %s is %llx", w->lay->name,
		     name, (unsigned long long)w->n.attrs.data[i]);
}

static inline void has_bytes(struct world *w, const char *name,
			     enum pyd_origin origin, const void *v, size_t len)
{
	size_t at = 0;

	has_number(w, name, origin, len);
	for (int i = 0; i < find_field(w, name); i++)
		if (pyd_origin_has_bytes(w->n.names[i].origin))
			at += w->n.attrs.data[i];
	cr_assert_leq(at + len, w->n.value.len);
	cr_assert(!len || !memcmp(w->n.value.data + at, v, len),
		  "%s: other bytes of %s: %.*s", w->lay->name, name, (int)len,
		  (const char *)w->n.value.data + at);
}

static inline void has_text(struct world *w, const char *name, const char *v)
{
	has_bytes(w, name, PYD_ORIGIN_TEXT, v, strlen(v));
}

static inline void has_refs(struct world *w, const uint64_t *v, size_t n)
{
	cr_assert_eq(w->n.refs.len, n, "%s: %zu references", w->lay->name,
		     w->n.refs.len);
	for (size_t i = 0; i < n; i++)
		cr_assert_eq(w->n.refs.data[i], v[i], "%s: reference %zu",
			     w->lay->name, i);
}

#endif
