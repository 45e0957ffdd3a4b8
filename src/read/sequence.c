// SPDX-License-Identifier: Apache-2.0
/* list, tuple, slice, range, set, frozenset. */
#include "read/family.h"

#include <stdio.h>

#include "read/limit.h"

/* Entries of a table that are read at once. */
enum { CHUNK = 1 << 16 };

/* The items of a list or tuple. */
static enum pyd_code read_items(struct pyd_reader *r, pyd_addr at,
				uint64_t count, struct pyd_node *n,
				struct pyd_err *err)
{
	if (!pyd_limit_in_pieces(r, n, count, count))
		return pyd_limit_pointers(r, at, count, n, err);
	n->more = (struct pyd_more) {
		.target = r->target,
		.at = at,
		.entries = count,
		.kind = PYD_MORE_ITEMS,
		.words = 1,
	};
	return pyd_more_count(&n->more, err);
}

enum pyd_code pyd_read_list(struct pyd_reader *r, const struct pyd_obj *o,
			    struct pyd_node *n, struct pyd_err *err)
{
	uint64_t count = PYD_OBJ_U64(r, o, object, ob_size);
	int64_t allocated = PYD_OBJ_I64(r, o, list, allocated);

	/* list.sort() empties the list and sets -1 while it runs. */
	if (allocated >= 0 && count > (uint64_t)allocated)
		return pyd_err_at(err, PYD_CORRUPT, o->addr,
				  "a list has more items than room");
	if (allocated > 0)
		n->size += (uint64_t)allocated * 8;
	return read_items(r, PYD_OBJ_U64(r, o, list, ob_item), count, n, err);
}

enum pyd_code pyd_read_tuple(struct pyd_reader *r, const struct pyd_obj *o,
			     struct pyd_node *n, struct pyd_err *err)
{
	return read_items(r,
			  o->addr + (uint64_t)PYD_OFF(r->lay, tuple, ob_item),
			  PYD_OBJ_U64(r, o, object, ob_size), n, err);
}

/* start, stop and step lie side by side; so does the length of a range. */
enum pyd_code pyd_read_slice(struct pyd_reader *r, const struct pyd_obj *o,
			     struct pyd_node *n, struct pyd_err *err)
{
	return pyd_read_pointers(
		r, o->addr + (uint64_t)PYD_OFF(r->lay, slice, start), 3,
		&n->refs, err);
}

enum pyd_code pyd_read_range(struct pyd_reader *r, const struct pyd_obj *o,
			     struct pyd_node *n, struct pyd_err *err)
{
	return pyd_read_pointers(
		r, o->addr + (uint64_t)PYD_OFF(r->lay, range, start), 4,
		&n->refs, err);
}

/* Adds the items of k entries to n, as long as there are fewer than stop. */
static enum pyd_code set_entries(struct pyd_reader *r, pyd_addr entries,
				 uint64_t k, uint64_t stop, struct pyd_node *n,
				 struct pyd_err *err)
{
	enum pyd_code code;

	/* Entries are {key, hash}. */
	pyd_vec_clear(&r->pairs);
	code = pyd_read_pointers(r, entries, k * 2, &r->pairs, err);
	if (code)
		return code;
	for (size_t i = 0; i + 1 < r->pairs.len && n->refs.len < stop; i += 2) {
		uint64_t key = r->pairs.data[i];

		/* Hash -1 marks a deleted entry. */
		if (!key || r->pairs.data[i + 1] == UINT64_MAX)
			continue;
		code = pyd_vec_push(&n->refs, key, err);
		if (code)
			return code;
	}
	return PYD_OK;
}

/* As many as there should be? */
static void check_set(struct pyd_node *n, uint64_t used, uint64_t want,
		      uint64_t shown)
{
	if (shown == want)
		return;
	n->mark = PYD_MARK_TORN;
	n->mark_total = used;
	snprintf(n->mark_text, sizeof(n->mark_text),
		 "has %llu items, its table shows %llu",
		 (unsigned long long)used, (unsigned long long)shown);
}

enum pyd_code pyd_read_set(struct pyd_reader *r, const struct pyd_obj *o,
			   struct pyd_node *n, struct pyd_err *err)
{
	uint64_t used = PYD_OBJ_U64(r, o, set, used);
	uint64_t mask = PYD_OBJ_U64(r, o, set, mask);
	pyd_addr table = PYD_OBJ_U64(r, o, set, table);
	uint64_t want, stop;
	enum pyd_code code;

	if (mask > (1ULL << 31) || (mask & (mask + 1)) || used > mask + 1)
		return pyd_err_at(err, PYD_CORRUPT, o->addr,
				  "impossible table of a set");
	n->size += (mask + 1) * 16;

	if (pyd_limit_in_pieces(r, n, used, mask + 1)) {
		n->more = (struct pyd_more) {
			.target = r->target,
			.at = table,
			.entries = mask + 1,
			.kind = PYD_MORE_KEYS,
			.words = 2,
		};
		code = pyd_more_count(&n->more, err);
		if (!code)
			check_set(n, used, used, n->more.n);
		return code;
	}
	want = pyd_limit_items(r, n, used);
	/* A table that shows more than there should be is to be noticed. */
	stop = want < used ? want : UINT64_MAX;
	for (uint64_t at = 0; at <= mask && n->refs.len < stop;) {
		uint64_t k = mask + 1 - at < CHUNK ? mask + 1 - at : CHUNK;

		code = pyd_limit_time(r, at, err);
		if (code)
			return code;
		code = set_entries(r, table + at * 16, k, stop, n, err);
		if (code)
			return code;
		at += k;
	}
	check_set(n, used, want, n->refs.len);
	return PYD_OK;
}
