/* SPDX-License-Identifier: Apache-2.0 */
/* A few types and objects of one layout in a synthetic image. */
#ifndef PYD_TESTS_WORLD_H
#define PYD_TESTS_WORLD_H

#include <stdlib.h>

#include "image.h"

/* The world of one layout. */
struct world {
	struct image m;
	const struct pyd_layout *lay;
	struct pyd_reader r;
	struct pyd_node n;
	struct pyd_err err;
	pyd_addr type, integer, str, list, tuple, dict, set, floating;
};

static inline void world_init(struct world *w, const struct pyd_layout *lay)
{
	int32_t head = PYD_OFF(lay, object, size);

	memset(w, 0, sizeof(*w));
	image_init(&w->m);
	w->lay = lay;
	w->type = make_type(&w->m, lay, 0, "type", PYD_OFF(lay, heaptype, size),
			    40, PYD_TPFLAG_TYPE_SUBCLASS);
	w->integer = make_type(&w->m, lay, w->type, "int",
			       PYD_OFF(lay, long, ob_digit), 4,
			       PYD_TPFLAG_LONG_SUBCLASS);
	w->str = make_type(&w->m, lay, w->type, "str",
			   PYD_OFF(lay, unicode, data) + 8, 0, 1 << 28);
	w->list = make_type(&w->m, lay, w->type, "list",
			    PYD_OFF(lay, list, allocated) + 8, 0, 1 << 25);
	w->tuple = make_type(&w->m, lay, w->type, "tuple",
			     PYD_OFF(lay, tuple, ob_item), 8, 1 << 26);
	w->dict = make_type(&w->m, lay, w->type, "dict",
			    PYD_OFF(lay, dict, ma_values) + 8, 0, 1 << 29);
	w->set = make_type(&w->m, lay, w->type, "set",
			   PYD_OFF(lay, set, table) + 8, 0, 0);
	w->floating = make_type(&w->m, lay, w->type, "float", head + 8, 0, 0);
	cr_assert_eq(pyd_reader_init(&w->r, &w->m.base, lay, &w->err), PYD_OK);
}

static inline void world_deinit(struct world *w)
{
	pyd_node_deinit(&w->n);
	pyd_reader_deinit(&w->r);
}

static inline pyd_addr make_int(struct world *w, const uint32_t *digits,
				size_t n, bool negative)
{
	const struct pyd_layout *lay = w->lay;
	pyd_addr at = take(&w->m, (size_t)PYD_OFF(lay, long, ob_digit) +
					  (n ? n : 1) * 4);

	header(&w->m, lay, at, w->integer);
	if (lay->model_int == PYD_M_int_tag)
		SET(&w->m, lay, at, long, lv_tag,
		    n << 3 | (n == 0	 ? 1
			      : negative ? 2
					 : 0));
	else
		SET(&w->m, lay, at, object, ob_size, negative ? 0 - n : n);
	put(&w->m, at + (uint64_t)PYD_OFF(lay, long, ob_digit), digits, n * 4);
	return at;
}

static inline pyd_addr make_str(struct world *w, const void *chars, size_t n,
				unsigned int width, bool ascii)
{
	const struct pyd_layout *lay = w->lay;
	size_t head = (size_t)(ascii ? PYD_OFF(lay, unicode, ascii_size)
				     : PYD_OFF(lay, unicode, compact_size));
	size_t room = head + (n + 1) * width;
	size_t least = (size_t)PYD_OFF(lay, unicode, data) + 8;
	pyd_addr at = take(&w->m, room > least ? room : least);
	uint32_t state = width << PYD_OFF(lay, unicode, kind_bit) |
			 1U << PYD_OFF(lay, unicode, compact_bit) |
			 (ascii ? 1U : 0U) << PYD_OFF(lay, unicode, ascii_bit);

	header(&w->m, lay, at, w->str);
	SET(&w->m, lay, at, unicode, length, n);
	put(&w->m, at + (uint64_t)PYD_OFF(lay, unicode, state), &state, 4);
	put(&w->m, at + head, chars, n * width);
	return at;
}

/* A dict of n pairs; entry 1 is deleted when hole is set. */
static inline pyd_addr make_dict(struct world *w, const pyd_addr *pairs,
				 size_t n, bool hole)
{
	const struct pyd_layout *lay = w->lay;
	int32_t head = PYD_OFF(lay, dictkeys, dk_indices);
	pyd_addr at = take(&w->m, (size_t)PYD_OFF(lay, dict, ma_values) + 8);
	pyd_addr keys = take(&w->m, (size_t)head + 8 + n * 24);

	header(&w->m, lay, at, w->dict);
	SET(&w->m, lay, at, dict, ma_used, n - hole);
	SET(&w->m, lay, at, dict, ma_keys, keys);
	if (lay->model_dictkeys == PYD_M_dictkeys_hashed) {
		SET(&w->m, lay, keys, dictkeys, dk_size, 8);
	} else {
		uint8_t three = 3;

		put(&w->m,
		    keys + (uint64_t)PYD_OFF(lay, dictkeys, dk_log2_size),
		    &three, 1);
		put(&w->m,
		    keys + (uint64_t)PYD_OFF(lay, dictkeys,
					     dk_log2_index_bytes),
		    &three, 1);
	}
	SET(&w->m, lay, keys, dictkeys, dk_nentries, n);
	for (size_t i = 0; i < n; i++) {
		const uint64_t entry[3] = {
			0x1234,
			hole && i == 1 ? 0 : pairs[2 * i],
			hole && i == 1 ? 0 : pairs[2 * i + 1],
		};

		put(&w->m, keys + (uint64_t)head + 8 + i * 24, entry, 24);
	}
	return at;
}

static inline void for_each_table(void (*fn)(struct world *w))
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
		world_init(w, lay);
		fn(w);
		world_deinit(w);
		free(w);
	}
	pyd_layouts_deinit(&all);
}

static inline void read_ok(struct world *w, pyd_addr at, enum pyd_kind kind)
{
	enum pyd_code code = pyd_read_node(&w->r, at, &w->n, &w->err);

	cr_assert_eq(code, PYD_OK, "%s: %s", w->lay->name, w->err.msg);
	cr_assert_eq(w->n.kind, kind, "%s: kind %d", w->lay->name, w->n.kind);
}

static inline void check_value(struct world *w, const void *want, size_t n)
{
	cr_assert_eq(w->n.value.len, n, "%s: %zu bytes", w->lay->name,
		     w->n.value.len);
	cr_assert(
		!memcmp(w->n.value.data ? w->n.value.data : (const uint8_t *)"",
			want, n),
		"%s: other bytes", w->lay->name);
}

#endif
