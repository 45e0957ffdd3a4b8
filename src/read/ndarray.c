// SPDX-License-Identifier: Apache-2.0
/*
 * numpy.ndarray and numpy.void: the items' bytes in C order, and the objects
 * that items refer to. Facts: numpy's ndarraytypes.h.
 */
#include <stdio.h>
#include <stdlib.h>

#include "read/chars.h"
#include "read/dtype.h"
#include "read/limit.h"

enum {
	CHUNK = 64 << 10, /* bytes read at once of items with gaps */
	GAP_MAX = 512,	  /* bytes between such items */
	OWNS_DATA = 4,	  /* NPY_ARRAY_OWNDATA of ndarray.flags */
};

/* What is gathered: axes of stride 0 repeat the same items and count once. */
struct gather {
	pyd_addr data;
	uint64_t itemsize;
	size_t naxes;
	uint64_t count[PYD_NPY_MAXDIMS];
	int64_t stride[PYD_NPY_MAXDIMS];
	uint64_t bytes; /* of all items */
	uint64_t take;	/* of these, within limits; whole items */
};

/* -- gathering -- */

/* Everything is checked here: counts, overflow, and that the memory between
 * the lowest and the highest item is there. */
static enum pyd_code plan(struct pyd_reader *r, const struct pyd_record *rec,
			  struct gather *g, struct pyd_err *err)
{
	int64_t ndim = pyd_record_i64(rec, "ndim");
	pyd_addr at = rec->obj->addr;
	int64_t shape[PYD_NPY_MAXDIMS], strides[PYD_NPY_MAXDIMS];
	uint64_t low = 0, high = 0;
	bool empty = false;
	enum pyd_code code;

	if (ndim < 0 || ndim > PYD_NPY_MAXDIMS)
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
	uint64_t index[PYD_NPY_MAXDIMS] = { 0 };
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

/* The items as UTF-8, each with a 0 behind it, so that what looks at texts sees
 * them. False when an item is no text that can be told so. */
static bool as_text(const uint8_t *data, uint64_t len,
		    const struct pyd_dtype *d, uint8_t *out, size_t *ret_len)
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
			n += pyd_utf8_put(out + n, c);
		}
		out[n++] = 0;
	}
	*ret_len = n;
	return true;
}

static enum pyd_code add_text(struct pyd_node *n, const struct pyd_dtype *d,
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
	struct pyd_dtype d;
	struct pyd_err why = { 0 };
	enum pyd_code code = pyd_read_dtype(r, dtype, &o, &d, &why);

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
		     d.num == PYD_NPY_UNICODE ? "field text" : "field data");
	if (pyd_record_u64(rec, "flags") & OWNS_DATA)
		n->size += g.bytes;
	if (d.num == PYD_NPY_OBJECT && d.itemsize == 8) {
		uint64_t end = 8 * pyd_limit_items(r, n, g.take / 8);

		code = pyd_vec_reserve(&n->refs, end / 8, err);
		for (uint64_t i = 0; i < end && !code; i += 8) {
			uint64_t ref;

			memcpy(&ref, r->bytes.data + i, sizeof(ref));
			code = pyd_vec_push(&n->refs, ref, err);
		}
		return code;
	}
	if (d.num == PYD_NPY_UNICODE && d.itemsize && d.itemsize % 4 == 0) {
		bool done = false;

		code = add_text(n, &d, r->bytes.data, g.take, &done, err);
		if (code || done)
			return code;
	}
	code = pyd_node_blob(n, PYD_ORIGIN_BYTES, "data", r->bytes.data, g.take,
			     err);
	if (!code && d.has_objects)
		code = pyd_dtype_objects(r, dtype, &d, r->bytes.data, g.take, n,
					 err);
	return code;
}

/* Fields: data, dtype. Adds the objects that it refers to. */
enum pyd_code pyd_record_npvoid(struct pyd_reader *r,
				const struct pyd_record *rec,
				struct pyd_node *n, struct pyd_err *err)
{
	pyd_addr dtype = pyd_record_u64(rec, "dtype");
	struct pyd_obj o;
	struct pyd_dtype d;
	struct pyd_err why = { 0 };
	enum pyd_code code = pyd_read_dtype(r, dtype, &o, &d, &why);

	if (!code && d.has_objects && pyd_record_has(rec, "data")) {
		pyd_buf_clear(&r->bytes);
		code = pyd_buf_reserve(&r->bytes, d.itemsize + 1, &why);
		if (!code)
			code = pyd_target_read(r->target,
					       pyd_record_at(rec, "data"),
					       r->bytes.data, d.itemsize, &why);
		if (!code)
			code = pyd_dtype_objects(r, dtype, &d, r->bytes.data,
						 d.itemsize, n, &why);
	}
	if (code && !pyd_code_is_local(code)) {
		*err = why;
		return code;
	}
	return PYD_OK;
}
