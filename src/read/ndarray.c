// SPDX-License-Identifier: Apache-2.0
/*
 * numpy.ndarray and numpy.void: the items' bytes in C order, and the objects
 * that items refer to. Facts: numpy's ndarraytypes.h.
 */
#include <stdio.h>
#include <stdlib.h>

#include "read/limit.h"
#include "read/record.h"

enum {
	DIMS_MAX = 64, /* NPY_MAXDIMS of 2.x; 32 before */
	ITEM_MAX = 1 << 30,
	CHUNK = 64 << 10,   /* bytes read at once of items with gaps */
	GAP_MAX = 512,	    /* bytes between such items */
	OFFSETS_MAX = 1024, /* objects in one item */
	NESTED_MAX = 4096,  /* dtypes in a dtype */
	HAS_OBJECTS = 1,    /* NPY_ITEM_REFCOUNT of dtype.flags */
	OWNS_DATA = 4,	    /* NPY_ARRAY_OWNDATA of ndarray.flags */
	NUM_OBJECT = 17,    /* NPY_OBJECT */
	NUM_UNICODE = 19,   /* NPY_UNICODE: UTF-32, padded with 0 */
};

/* What of a dtype matters here. */
struct dtype {
	uint64_t itemsize;
	int64_t num;
	bool has_objects;
	bool big_endian;
};

/* What is gathered: axes of stride 0 repeat the same items and count once. */
struct gather {
	pyd_addr data;
	uint64_t itemsize;
	size_t naxes;
	uint64_t count[DIMS_MAX];
	int64_t stride[DIMS_MAX];
	uint64_t bytes; /* of all items */
	uint64_t take;	/* of these, within limits; whole items */
};

static enum pyd_code read_dtype(struct pyd_reader *r, pyd_addr addr,
				struct pyd_obj *o, struct dtype *ret,
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
	*ret = (struct dtype) {
		.itemsize = size,
		.num = (int64_t)num,
		.has_objects = flags & HAS_OBJECTS,
		.big_endian = (order & 0xff) == '>',
	};
	return PYD_OK;
}

/* -- where objects are in an item -- */

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
	if (!pyd_obj_is(o, PYD_KIND_tuple) || pyd_obj_nitems(r, o) > DIMS_MAX)
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
	struct dtype d;
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
		code = read_dtype(r, base, o, &d, err);
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
		struct dtype d;
		enum pyd_code code = read_dtype(r, at.dtype, &o, &d, err);

		if (code)
			return code;
		if (!d.has_objects)
			continue;
		if (d.num == NUM_OBJECT) {
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

/* Appends the objects of the items in data. */
static enum pyd_code add_objects(struct pyd_reader *r, pyd_addr dtype,
				 const struct dtype *d, const uint8_t *data,
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

/* -- gathering -- */

/* Everything is checked here: counts, overflow, and that the memory between
 * the lowest and the highest item is there. */
static enum pyd_code plan(struct pyd_reader *r, const struct pyd_record *rec,
			  struct gather *g, struct pyd_err *err)
{
	int64_t ndim = pyd_record_i64(rec, "ndim");
	pyd_addr at = rec->obj->addr;
	int64_t shape[DIMS_MAX], strides[DIMS_MAX];
	uint64_t low = 0, high = 0;
	bool empty = false;
	enum pyd_code code;

	if (ndim < 0 || ndim > DIMS_MAX)
		return pyd_err_at(err, PYD_CORRUPT, at,
				  "impossible number of dimensions: %lld",
				  (long long)ndim);
	if (ndim) {
		if (!pyd_record_has(rec, "shape") ||
		    !pyd_record_has(rec, "strides"))
			return pyd_err_at(err, PYD_CORRUPT, at,
					  "an array without a shape");
		code = pyd_target_read(r->target, pyd_record_at(rec, "shape"),
				       shape, (size_t)ndim * 8, err);
		if (!code)
			code = pyd_target_read(r->target,
					       pyd_record_at(rec, "strides"),
					       strides, (size_t)ndim * 8, err);
		if (code)
			return code;
	}
	g->data = pyd_record_u64(rec, "data");
	g->naxes = 0;
	g->bytes = g->itemsize;
	for (int64_t i = 0; i < ndim; i++) {
		uint64_t n = (uint64_t)shape[i], reach;
		int64_t s = strides[i];

		if (shape[i] < 0)
			return pyd_err_at(err, PYD_CORRUPT, at,
					  "an impossible shape");
		empty |= !n;
		if (n <= 1 || !s)
			continue;
		if (__builtin_mul_overflow(g->bytes, n, &g->bytes) ||
		    __builtin_mul_overflow(
			    n - 1, s < 0 ? 0 - (uint64_t)s : (uint64_t)s,
			    &reach) ||
		    reach > 1ULL << 47 || g->bytes > 1ULL << 47)
			return pyd_err_at(err, PYD_CORRUPT, at,
					  "an impossible shape");
		if (s < 0)
			low += reach;
		else
			high += reach;
		g->count[g->naxes] = n;
		g->stride[g->naxes++] = s;
	}
	if (empty)
		g->bytes = 0;
	g->take = g->bytes;
	if (g->bytes &&
	    !pyd_is_mapped(r->target, g->data - low, low + high + g->itemsize))
		return pyd_err_at(err, PYD_FAULT, g->data,
				  "the data is not mapped");

	uint64_t max = pyd_limit_blob(r);

	if (g->take > max)
		g->take = g->itemsize ? max - max % g->itemsize : 0;
	return PYD_OK;
}

/* Copies want bytes of items of one axis, which has gaps. */
static enum pyd_code copy_row(struct pyd_reader *r, const struct gather *g,
			      pyd_addr at, int64_t stride, uint64_t want,
			      uint8_t *out, struct pyd_err *err)
{
	uint8_t chunk[CHUNK];
	uint64_t gap = stride < 0 ? 0 - (uint64_t)stride : (uint64_t)stride;
	uint64_t many = 1;
	enum pyd_code code;

	if (gap <= GAP_MAX && g->itemsize <= GAP_MAX && gap)
		many = (CHUNK - g->itemsize) / gap + 1;
	while (want) {
		uint64_t n = want / g->itemsize;

		if (n > many)
			n = many;
		if (n <= 1) {
			code = pyd_target_read(r->target, at, out, g->itemsize,
					       err);
			if (code)
				return code;
			n = 1;
			out += g->itemsize;
		} else {
			uint64_t reach = (n - 1) * gap;

			code = pyd_target_read(r->target,
					       stride < 0 ? at - reach : at,
					       chunk, reach + g->itemsize, err);
			if (code)
				return code;
			for (uint64_t i = 0; i < n; i++) {
				uint64_t o =
					stride < 0 ? reach - i * gap : i * gap;

				memcpy(out, chunk + o, g->itemsize);
				out += g->itemsize;
			}
		}
		want -= n * g->itemsize;
		at += n * (uint64_t)stride;
	}
	return PYD_OK;
}

/* Reads g->take bytes of items in C order. */
static enum pyd_code copy_items(struct pyd_reader *r, const struct gather *g,
				uint8_t *out, struct pyd_err *err)
{
	uint64_t index[DIMS_MAX] = { 0 };
	uint64_t run = g->itemsize; /* bytes that follow each other */
	size_t outer = g->naxes;
	int64_t stride = 0;
	pyd_addr at = g->data;
	uint64_t left = g->take;

	while (outer && g->stride[outer - 1] == (int64_t)run)
		run *= g->count[--outer];
	/* Nothing follows: a row of items with gaps. */
	if (outer && run == g->itemsize) {
		outer--;
		stride = g->stride[outer];
		run *= g->count[outer];
	}
	while (left) {
		uint64_t want = run < left ? run : left;
		enum pyd_code code;

		if (stride)
			code = copy_row(r, g, at, stride, want, out, err);
		else
			code = pyd_target_read(r->target, at, out, want, err);
		if (code)
			return code;
		out += want;
		left -= want;

		size_t axis = outer;

		while (axis) {
			axis--;
			at += (uint64_t)g->stride[axis];
			if (++index[axis] < g->count[axis])
				break;
			at -= (uint64_t)g->stride[axis] * index[axis];
			index[axis] = 0;
			if (!axis)
				return PYD_OK;
		}
		if (!outer)
			break;
	}
	return PYD_OK;
}

/* -- text -- */

static uint32_t code_point(const uint8_t *p, bool big_endian)
{
	uint32_t c;

	memcpy(&c, p, sizeof(c));
	return big_endian ? __builtin_bswap32(c) : c;
}

static size_t utf8_of(uint32_t c, uint8_t *out)
{
	if (c < 0x80) {
		out[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (uint8_t)(0xc0 | c >> 6);
		out[1] = (uint8_t)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (uint8_t)(0xe0 | c >> 12);
		out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		out[2] = (uint8_t)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (uint8_t)(0xf0 | c >> 18);
	out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
	out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	out[3] = (uint8_t)(0x80 | (c & 0x3f));
	return 4;
}

/* The items as UTF-8, each with a 0 behind it, so that what looks at texts sees
 * them. False when an item is no text that can be told so. */
static bool as_text(const uint8_t *data, uint64_t len, const struct dtype *d,
		    uint8_t *out, size_t *ret_len)
{
	size_t n = 0;

	for (uint64_t at = 0; at < len; at += d->itemsize) {
		uint64_t chars = d->itemsize / 4;

		while (chars &&
		       !code_point(data + at + (chars - 1) * 4, d->big_endian))
			chars--;
		for (uint64_t i = 0; i < chars; i++) {
			uint32_t c =
				code_point(data + at + i * 4, d->big_endian);

			if (!c || c > 0x10ffff)
				return false;
			n += utf8_of(c, out + n);
		}
		out[n++] = 0;
	}
	*ret_len = n;
	return true;
}

static enum pyd_code add_text(struct pyd_node *n, const struct dtype *d,
			      const uint8_t *data, uint64_t len, bool *ret_done,
			      struct pyd_err *err)
{
	/* A character takes no more than in UTF-32; one more for each item. */
	uint8_t *out = malloc(len + len / d->itemsize + 1);
	size_t size = 0;
	enum pyd_code code = PYD_OK;

	if (!out)
		return pyd_err_set(err, PYD_NOMEM, "out of memory for text");
	*ret_done = as_text(data, len, d, out, &size);
	if (*ret_done)
		code = pyd_node_blob(n, PYD_ORIGIN_TEXT, "text", out, size,
				     err);
	free(out);
	return code;
}

static void mark(struct pyd_node *n, enum pyd_mark word, uint64_t total,
		 const char *text)
{
	if (n->mark)
		return;
	n->mark = (uint8_t)word;
	n->mark_total = total;
	snprintf(n->mark_text, sizeof(n->mark_text), "%.150s", text);
}

/*
 * Fields: data (address), ndim, shape, strides, dtype, flags. Adds: data, the
 * items' bytes; for a dtype of objects items instead, and for one of str text.
 */
enum pyd_code pyd_record_ndarray(struct pyd_reader *r,
				 const struct pyd_record *rec,
				 struct pyd_node *n, struct pyd_err *err)
{
	pyd_addr dtype = pyd_record_u64(rec, "dtype");
	struct gather g = { 0 };
	struct pyd_obj o;
	struct dtype d;
	struct pyd_err why = { 0 };
	enum pyd_code code = read_dtype(r, dtype, &o, &d, &why);

	if (!code) {
		g.itemsize = d.itemsize;
		code = plan(r, rec, &g, &why);
	}
	if (!code) {
		pyd_buf_clear(&r->bytes);
		code = pyd_buf_reserve(&r->bytes, g.take + 1, &why);
	}
	if (!code)
		code = copy_items(r, &g, r->bytes.data, &why);
	if (code && pyd_code_is_local(code)) {
		/* What the array is can be told without its items. */
		mark(n,
		     code == PYD_FAULT ? PYD_MARK_UNREADABLE : PYD_MARK_CORRUPT,
		     g.bytes, why.msg);
		return PYD_OK;
	}
	if (code) {
		*err = why;
		return code;
	}
	if (g.take < g.bytes)
		mark(n, PYD_MARK_TRUNCATED, g.bytes,
		     d.num == NUM_UNICODE ? "field text" : "field data");
	if (pyd_record_u64(rec, "flags") & OWNS_DATA)
		n->size += g.bytes;
	if (d.num == NUM_OBJECT && d.itemsize == 8) {
		uint64_t end = 8 * pyd_limit_items(r, n, g.take / 8);

		code = pyd_vec_reserve(&n->refs, end / 8, err);
		for (uint64_t i = 0; i < end && !code; i += 8) {
			uint64_t ref;

			memcpy(&ref, r->bytes.data + i, sizeof(ref));
			code = pyd_vec_push(&n->refs, ref, err);
		}
		return code;
	}
	if (d.num == NUM_UNICODE && d.itemsize && d.itemsize % 4 == 0) {
		bool done = false;

		code = add_text(n, &d, r->bytes.data, g.take, &done, err);
		if (code || done)
			return code;
	}
	code = pyd_node_blob(n, PYD_ORIGIN_BYTES, "data", r->bytes.data, g.take,
			     err);
	if (!code && d.has_objects)
		code = add_objects(r, dtype, &d, r->bytes.data, g.take, n, err);
	return code;
}

/* Fields: data, dtype. Adds the objects that it refers to. */
enum pyd_code pyd_record_npvoid(struct pyd_reader *r,
				const struct pyd_record *rec,
				struct pyd_node *n, struct pyd_err *err)
{
	pyd_addr dtype = pyd_record_u64(rec, "dtype");
	struct pyd_obj o;
	struct dtype d;
	struct pyd_err why = { 0 };
	enum pyd_code code = read_dtype(r, dtype, &o, &d, &why);

	if (!code && d.has_objects && pyd_record_has(rec, "data")) {
		pyd_buf_clear(&r->bytes);
		code = pyd_buf_reserve(&r->bytes, d.itemsize + 1, &why);
		if (!code)
			code = pyd_target_read(r->target,
					       pyd_record_at(rec, "data"),
					       r->bytes.data, d.itemsize, &why);
		if (!code)
			code = add_objects(r, dtype, &d, r->bytes.data,
					   d.itemsize, n, &why);
	}
	if (code && !pyd_code_is_local(code)) {
		*err = why;
		return code;
	}
	return PYD_OK;
}
