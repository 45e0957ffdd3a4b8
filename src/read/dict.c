// SPDX-License-Identifier: Apache-2.0
/*
 * dict in every key layout, and instances that keep their attributes without
 * one. Objects/dict-common.h (3.7), Include/internal/pycore_dict.h (3.11+).
 */
#include <stdio.h>

#include "read/dictkeys.h"
#include "read/family.h"
#include "read/limit.h"

enum {
	CHUNK = 1 << 16, /* entries that are read at once */
};

static enum pyd_code read_keys(struct pyd_reader *r, pyd_addr addr,
			       struct pyd_dict_keys *k, struct pyd_err *err)
{
	uint8_t head[PYD_DICT_HEAD_MAX] = { 0 };
	const char *wrong;
	enum pyd_code code = pyd_target_read(r->target, addr, head,
					     pyd_dict_head_bytes(r->lay), err);

	if (code)
		return code;
	wrong = pyd_dict_keys_parse(r->lay, addr, head, k);
	if (wrong)
		return pyd_err_at(err, PYD_CORRUPT, addr, "%s", wrong);
	return PYD_OK;
}

/* The values of a split table and the order in which they were set. */
struct values {
	uint8_t order[256];
	size_t norder;
	bool ordered; /* false: in the order of the keys */
};

static enum pyd_code read_values(struct pyd_reader *r, pyd_addr addr,
				 uint64_t nkeys, struct values *v,
				 struct pyd_err *err)
{
	const struct pyd_layout *lay = r->lay;
	uint64_t capacity = nkeys;
	pyd_addr items = addr;
	pyd_addr order = 0;
	enum pyd_code code;

	v->norder = 0;
	v->ordered = false;
	switch (lay->model_dictvalues) {
	case PYD_M_dictvalues_array:
		break;
	case PYD_M_dictvalues_prefixed: {
		uint8_t tail[2];

		/* [-1]: size of the prefix, [-2]: how many, [-3 - i]: order. */
		code = pyd_target_read(r->target, addr - 2, tail, 2, err);
		if (code)
			return code;
		v->norder = tail[0];
		v->ordered = true;
		order = addr - 2 - v->norder;
		break;
	}
	case PYD_M_dictvalues_header: {
		uint8_t head[4];

		code = pyd_target_read(r->target, addr, head, sizeof(head),
				       err);
		if (code)
			return code;
		capacity = head[PYD_OFF(lay, dictvalues, capacity)];
		v->norder = head[PYD_OFF(lay, dictvalues, size)];
		v->ordered = true;
		items = addr + (uint64_t)PYD_OFF(lay, dictvalues, values);
		order = items + capacity * 8;
		if (v->norder > capacity)
			return pyd_err_at(err, PYD_CORRUPT, addr,
					  "more values than room");
		break;
	}
	}
	/* Keys may be shared with objects that have more room. */
	if (nkeys > capacity)
		nkeys = capacity;
	pyd_vec_clear(&r->split_values);
	code = pyd_read_pointers(r, items, nkeys, &r->split_values, err);
	if (code)
		return code;
	if (v->ordered && v->norder) {
		code = pyd_target_read(r->target, order, v->order, v->norder,
				       err);
		if (code)
			return code;
	}
	/* The prefix grows downwards: turn it round. */
	if (lay->model_dictvalues == PYD_M_dictvalues_prefixed)
		for (size_t i = 0; i < v->norder / 2; i++) {
			uint8_t t = v->order[i];

			v->order[i] = v->order[v->norder - 1 - i];
			v->order[v->norder - 1 - i] = t;
		}
	return PYD_OK;
}

/* Pairs out of shared keys and a values array (dictvalues model). */
static enum pyd_code split_pairs(struct pyd_reader *r, pyd_addr keys,
				 pyd_addr values, struct pyd_vec *out,
				 struct pyd_err *err)
{
	struct pyd_dict_keys k;
	struct values v;
	enum pyd_code code = read_keys(r, keys, &k, err);

	if (code)
		return code;
	if (k.n > PYD_DICT_SPLIT_MAX)
		return pyd_err_at(err, PYD_CORRUPT, keys,
				  "too many shared keys");
	code = read_values(r, values, k.n, &v, err);
	if (code)
		return code;

	pyd_vec_clear(&r->split_keys);
	code = pyd_read_pointers(r, k.entries, k.n * k.words, &r->split_keys,
				 err);
	if (code)
		return code;

	const uint64_t *entries = r->split_keys.data;
	size_t n = v.ordered ? v.norder : r->split_values.len;

	for (size_t i = 0; i < n; i++) {
		size_t at = v.ordered ? v.order[i] : i;

		if (at >= r->split_values.len)
			return pyd_err_at(err, PYD_CORRUPT, values,
					  "impossible index of a value");

		uint64_t value = r->split_values.data[at];

		if (!value)
			continue;
		code = pyd_vec_push(out, entries[at * k.words + k.words - 2],
				    err);
		if (code)
			return code;
		code = pyd_vec_push(out, value, err);
		if (code)
			return code;
	}
	return PYD_OK;
}

/* Appends the pairs of n entries of a combined table, at most stop words. */
static enum pyd_code add_entries(struct pyd_reader *r,
				 const struct pyd_dict_keys *k, uint64_t first,
				 uint64_t n, size_t stop, struct pyd_vec *out,
				 struct pyd_err *err)
{
	/* Read behind what is there already, then close the gaps. */
	size_t start = out->len;
	enum pyd_code code = pyd_read_pointers(
		r, k->entries + first * k->words * 8, n * k->words, out, err);

	if (code)
		return code;

	const uint64_t *from = out->data + start;
	uint64_t *to = out->data + start;

	for (uint64_t i = 0; i < n; i++, from += k->words) {
		uint64_t key = from[k->words - 2], value = from[k->words - 1];

		if ((size_t)(to - out->data) >= stop)
			break;
		/* A deleted entry has no value. */
		if (!value || !key)
			continue;
		*to++ = key;
		*to++ = value;
	}
	out->len = (size_t)(to - out->data);
	return PYD_OK;
}

/* At most max pairs. */
static enum pyd_code dict_pairs(struct pyd_reader *r, const struct pyd_obj *o,
				uint64_t max, struct pyd_vec *out,
				struct pyd_err *err)
{
	pyd_addr keys = PYD_OBJ_U64(r, o, dict, ma_keys);
	pyd_addr values = PYD_OBJ_U64(r, o, dict, ma_values);
	struct pyd_dict_keys k;
	enum pyd_code code;

	size_t stop = max < SIZE_MAX / 4 ? out->len + max * 2 : SIZE_MAX;

	if (values) {
		code = split_pairs(r, keys, values, out, err);
		if (!code && out->len > stop)
			out->len = stop;
		return code;
	}
	code = read_keys(r, keys, &k, err);
	for (uint64_t at = 0; !code && at < k.n && out->len < stop;) {
		uint64_t n = k.n - at < CHUNK ? k.n - at : CHUNK;

		code = pyd_limit_time(r, at, err);
		if (!code)
			code = add_entries(r, &k, at, n, stop, out, err);
		at += n;
	}
	return code;
}

enum pyd_code pyd_obj_dict_pairs(struct pyd_reader *r, const struct pyd_obj *o,
				 struct pyd_vec *out, uint64_t *ret_used,
				 struct pyd_err *err)
{
	*ret_used = PYD_OBJ_U64(r, o, dict, ma_used);
	return dict_pairs(r, o, UINT64_MAX, out, err);
}

enum pyd_code pyd_obj_dict_place(struct pyd_reader *r, const struct pyd_obj *o,
				 pyd_addr key, pyd_addr *ret,
				 struct pyd_err *err)
{
	struct pyd_vec words = { 0 };
	struct pyd_dict_keys k;
	enum pyd_code code;
	pyd_addr place = 0;

	if (PYD_OBJ_U64(r, o, dict, ma_values)) {
		*ret = 0;
		return PYD_OK;
	}
	code = read_keys(r, PYD_OBJ_U64(r, o, dict, ma_keys), &k, err);
	if (!code)
		code = pyd_read_pointers(r, k.entries, k.n * k.words, &words,
					 err);
	for (size_t i = 0; !code && i < k.n && !place; i++)
		if (words.data[(i + 1) * k.words - 2] == key)
			place = k.entries + ((i + 1) * k.words - 1) * 8;
	pyd_vec_deinit(&words);
	if (!code)
		*ret = place;
	return code;
}

/* The pairs, or what is needed to go through them in pieces; *ret_shown: how
 * many there are. */
static enum pyd_code read_pairs(struct pyd_reader *r, const struct pyd_obj *o,
				const struct pyd_dict_keys *k, uint64_t used,
				uint64_t want, struct pyd_node *n,
				uint64_t *ret_shown, struct pyd_err *err)
{
	enum pyd_code code;

	if (k && pyd_limit_in_pieces(r, n, used, k->n)) {
		n->more = (struct pyd_more) {
			.target = r->target,
			.at = k->entries,
			.entries = k->n,
			.kind = PYD_MORE_PAIRS,
			.words = k->words,
		};
		code = pyd_more_count(&n->more, err);
		*ret_shown = n->more.n / 2;
		return code;
	}
	code = dict_pairs(r, o, want < used ? want : UINT64_MAX, &n->refs, err);
	*ret_shown = n->refs.len / 2;
	return code;
}

enum pyd_code pyd_read_dict(struct pyd_reader *r, const struct pyd_obj *o,
			    struct pyd_node *n, struct pyd_err *err)
{
	uint64_t used = PYD_OBJ_U64(r, o, dict, ma_used), shown = 0;
	uint64_t want = pyd_limit_items(r, n, used);
	/* Shared keys belong to the type, the rest to the dict. */
	bool own = !PYD_OBJ_U64(r, o, dict, ma_values);
	struct pyd_dict_keys k;
	enum pyd_code code = PYD_OK;

	if (own)
		code = read_keys(r, PYD_OBJ_U64(r, o, dict, ma_keys), &k, err);
	if (!code)
		code = read_pairs(r, o, own ? &k : NULL, used, want, n, &shown,
				  err);
	if (code)
		return code;
	if (own)
		n->size += k.bytes;
	if (shown != want) {
		n->mark = PYD_MARK_TORN;
		n->mark_total = used;
		snprintf(n->mark_text, sizeof(n->mark_text),
			 "has %llu items, its table shows %llu",
			 (unsigned long long)used, (unsigned long long)shown);
	}
	return PYD_OK;
}

/* The address of the pointer to an instance's dict by tp_dictoffset. */
static enum pyd_code dict_slot(struct pyd_reader *r, const struct pyd_obj *o,
			       pyd_addr *ret, struct pyd_err *err)
{
	int64_t off = o->type->dictoffset;

	if (off < 0) {
		/* From the end of a var-sized object. */
		uint64_t items = pyd_obj_nitems(r, o);

		if (items > (1ULL << 40))
			return pyd_err_at(err, PYD_CORRUPT, o->addr,
					  "impossible size");

		uint64_t size = (uint64_t)o->type->basicsize +
				items * (uint64_t)o->type->itemsize;

		size = (size + 7) & ~7ULL;
		off += (int64_t)size;
		if (off < 0)
			return pyd_err_at(err, PYD_CORRUPT, o->addr,
					  "impossible tp_dictoffset");
	}
	*ret = o->addr + (uint64_t)off;
	return PYD_OK;
}

enum pyd_code pyd_obj_attrs(struct pyd_reader *r, const struct pyd_obj *o,
			    struct pyd_vec *out, pyd_addr *ret_dict,
			    struct pyd_err *err)
{
	enum { WORD = 8 };
	const struct pyd_type *type = o->type;
	uint64_t word;
	pyd_addr slot = 0;
	enum pyd_code code;

	*ret_dict = 0;
	if (!(type->flags & PYD_TPFLAG_MANAGED_DICT) ||
	    r->lay->model_attrs == PYD_M_attrs_dictoffset) {
		if (!type->dictoffset)
			return PYD_OK;
		code = dict_slot(r, o, &slot, err);
		if (code)
			return code;
		return pyd_target_read_u64(r->target, slot, ret_dict, err);
	}

	switch (r->lay->model_attrs) {
	case PYD_M_attrs_dictoffset:
		break;
	case PYD_M_attrs_split311:
		code = pyd_target_read_u64(r->target, o->addr - 4 * WORD, &word,
					   err);
		if (code)
			return code;
		if (word)
			return split_pairs(r, type->cached_keys, word, out,
					   err);
		return pyd_target_read_u64(r->target, o->addr - 3 * WORD,
					   ret_dict, err);
	case PYD_M_attrs_tagged312:
		code = pyd_target_read_u64(r->target, o->addr - 3 * WORD, &word,
					   err);
		if (code)
			return code;
		if (word & 1)
			return split_pairs(r, type->cached_keys, word + 1, out,
					   err);
		*ret_dict = word;
		return PYD_OK;
	case PYD_M_attrs_inline313:
	case PYD_M_attrs_inline314: {
		bool ft = r->lay->flags & PYD_LAYOUT_FREE_THREADED;
		uint8_t valid;

		code = pyd_target_read_u64(r->target,
					   o->addr - (ft ? 1ULL : 3ULL) * WORD,
					   ret_dict, err);
		if (code || *ret_dict ||
		    !(type->flags & PYD_TPFLAG_INLINE_VALUES))
			return code;
		slot = o->addr +
		       (uint64_t)(r->lay->model_attrs == PYD_M_attrs_inline313
					  ? PYD_OFF(r->lay, object, size)
					  : type->basicsize);
		code = pyd_target_read(
			r->target,
			slot + (uint64_t)PYD_OFF(r->lay, dictvalues, valid),
			&valid, 1, err);
		if (code || !valid)
			return code;
		return split_pairs(r, type->cached_keys, slot, out, err);
	}
	}
	return PYD_OK;
}
