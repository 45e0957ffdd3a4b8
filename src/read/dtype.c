// SPDX-License-Identifier: Apache-2.0
#include "read/dtype.h"

#include <stdlib.h>

enum {
	ITEM_MAX = 1 << 30,
	OFFSETS_MAX = 1024, /* objects in one item */
	NESTED_MAX = 4096,  /* dtypes in a dtype */
	HAS_OBJECTS = 1,    /* NPY_ITEM_REFCOUNT of dtype.flags */
};

enum pyd_code pyd_read_dtype(struct pyd_reader *r, pyd_addr addr,
			     struct pyd_obj *o, struct pyd_dtype *ret,
			     struct pyd_err *err)
{
	uint64_t size = 0, num = 0, flags = 0, order = 0;
	bool has;
	enum pyd_code code = pyd_obj_read(r, addr, o, err);

	if (!code)
		code = pyd_obj_field(r, o, "itemsize", &size, &has, err);
	if (code)
		return code;
	if (!has || size > ITEM_MAX)
		return pyd_err_at(err, PYD_CORRUPT, addr,
				  has ? "impossible itemsize of a dtype"
				      : "not a dtype that is known");
	code = pyd_obj_field(r, o, "num", &num, &has, err);
	if (!code)
		code = pyd_obj_field(r, o, "flags", &flags, &has, err);
	if (!code)
		code = pyd_obj_field(r, o, "byteorder", &order, &has, err);
	if (code)
		return code;
	*ret = (struct pyd_dtype) {
		.itemsize = size,
		.num = (int64_t)num,
		.has_objects = flags & HAS_OBJECTS,
		.big_endian = (order & 0xff) == '>',
	};
	return PYD_OK;
}

/* Where objects are in an item. */
struct nested {
	pyd_addr dtype;
	uint64_t offset;
};

struct offsets {
	uint64_t v[OFFSETS_MAX];
	size_t n;
	struct nested todo[NESTED_MAX];
	size_t ntodo;
};

static void later(struct offsets *s, pyd_addr dtype, uint64_t offset)
{
	if (s->ntodo < NESTED_MAX)
		s->todo[s->ntodo++] = (struct nested) { dtype, offset };
}

/* Items of a tuple, appended to v. */
static enum pyd_code tuple_items(struct pyd_reader *r, pyd_addr addr,
				 struct pyd_obj *o, struct pyd_vec *v,
				 struct pyd_err *err)
{
	enum pyd_code code = pyd_obj_read(r, addr, o, err);

	if (code)
		return code;
	if (!pyd_obj_is(o, PYD_KIND_tuple) ||
	    pyd_obj_nitems(r, o) > PYD_NPY_MAXDIMS)
		return pyd_err_at(err, PYD_CORRUPT, addr,
				  "not a tuple of a dtype");
	return pyd_read_pointers(
		r, addr + (uint64_t)PYD_OFF(r->lay, tuple, ob_item),
		pyd_obj_nitems(r, o), v, err);
}

/* {name: (dtype, offset[, title])}; a title is a second key of its field. */
static enum pyd_code add_fields(struct pyd_reader *r, pyd_addr fields,
				uint64_t base, struct pyd_obj *o,
				struct offsets *s, struct pyd_err *err)
{
	struct pyd_vec *pairs = &r->pairs;
	uint64_t used;
	enum pyd_code code = pyd_obj_read(r, fields, o, err);

	if (code)
		return code;
	if (!pyd_obj_is(o, PYD_KIND_dict))
		return pyd_err_at(err, PYD_CORRUPT, fields,
				  "fields of a dtype are no dict");
	pyd_vec_clear(pairs);
	code = pyd_obj_dict_pairs(r, o, pairs, &used, err);
	if (code)
		return code;

	size_t n = pairs->len;

	for (size_t i = 1; i < n && !code; i += 2) {
		int64_t offset = 0;

		code = tuple_items(r, pairs->data[i], o, pairs, err);
		if (!code && pairs->len - n < 2)
			code = pyd_err_at(err, PYD_CORRUPT, fields,
					  "a field of a dtype is cut");
		if (!code)
			code = pyd_read_i64(r, pairs->data[n + 1], &offset,
					    err);
		if (!code && offset >= 0)
			later(s, pairs->data[n], base + (uint64_t)offset);
		pairs->len = n;
	}
	return code;
}

/* The base of a subarray, as often as its shape says. */
static enum pyd_code add_subarray(struct pyd_reader *r, pyd_addr base,
				  pyd_addr shape, uint64_t offset,
				  struct pyd_obj *o, struct offsets *s,
				  struct pyd_err *err)
{
	struct pyd_vec *v = &r->pairs;
	struct pyd_dtype d;
	uint64_t count = 1;
	enum pyd_code code;

	pyd_vec_clear(v);
	code = tuple_items(r, shape, o, v, err);
	for (size_t i = 0; i < v->len && !code; i++) {
		int64_t n;

		code = pyd_read_i64(r, v->data[i], &n, err);
		if (!code && n >= 0 && n <= ITEM_MAX)
			count *= (uint64_t)n;
		if (count > NESTED_MAX)
			count = NESTED_MAX;
	}
	if (!code)
		code = pyd_read_dtype(r, base, o, &d, err);
	for (uint64_t i = 0; i < count && !code; i++)
		later(s, base, offset + i * d.itemsize);
	return code;
}

/* Where the pointers to objects are in an item of a dtype. */
static enum pyd_code find_objects(struct pyd_reader *r, pyd_addr dtype,
				  struct offsets *s, struct pyd_err *err)
{
	struct pyd_obj o;

	s->n = 0;
	s->ntodo = 0;
	later(s, dtype, 0);
	for (size_t i = 0; i < s->ntodo; i++) {
		struct nested at = s->todo[i];
		uint64_t fields, names, base, shape;
		bool has, has_base;
		struct pyd_dtype d;
		enum pyd_code code = pyd_read_dtype(r, at.dtype, &o, &d, err);

		if (code)
			return code;
		if (!d.has_objects)
			continue;
		if (d.num == PYD_NPY_OBJECT) {
			for (size_t k = 0; k < s->n; k++)
				if (s->v[k] == at.offset)
					at.dtype = 0;
			if (at.dtype && s->n < OFFSETS_MAX)
				s->v[s->n++] = at.offset;
			continue;
		}
		code = pyd_obj_field(r, &o, "fields", &fields, &has, err);
		if (!code)
			code = pyd_obj_field(r, &o, "names", &names, &has, err);
		if (!code)
			code = pyd_obj_field(r, &o, "subdtype", &base,
					     &has_base, err);
		if (!code)
			code = pyd_obj_field(r, &o, "subshape", &shape, &has,
					     err);
		if (code)
			return code;
		if (has_base && base)
			code = add_subarray(r, base, shape, at.offset, &o, s,
					    err);
		else if (fields && names)
			code = add_fields(r, fields, at.offset, &o, s, err);
		if (code)
			return code;
	}
	return PYD_OK;
}

enum pyd_code pyd_dtype_objects(struct pyd_reader *r, pyd_addr dtype,
				const struct pyd_dtype *d, const uint8_t *data,
				uint64_t len, struct pyd_node *n,
				struct pyd_err *err)
{
	struct offsets *s = malloc(sizeof(*s));
	struct pyd_err why = { 0 };
	enum pyd_code code;

	if (!s)
		return pyd_err_set(err, PYD_NOMEM, "out of memory for a dtype");
	code = find_objects(r, dtype, s, &why);
	/* The bytes are right without them; what they refer to is then shown
	 * as not dumped. */
	if (code && pyd_code_is_local(code))
		code = PYD_OK;
	else if (code)
		*err = why;
	if (!d->itemsize)
		s->n = 0;
	for (uint64_t at = 0; !code && s->n && d->itemsize <= len - at;
	     at += d->itemsize) {
		for (size_t i = 0; i < s->n && !code; i++) {
			uint64_t ref;

			if (s->v[i] > d->itemsize ||
			    d->itemsize - s->v[i] < sizeof(ref))
				continue;
			memcpy(&ref, data + at + s->v[i], sizeof(ref));
			if (ref)
				code = pyd_vec_push(&n->refs, ref, err);
		}
	}
	free(s);
	return code;
}
