// SPDX-License-Identifier: Apache-2.0
/*
 * memoryview: the memory that it shows, in the order in which tobytes() gives
 * it. Objects/memoryobject.c, Include/cpython/memoryobject.h
 */
#include "read/limit.h"
#include "read/record.h"

enum {
	RELEASED = 1, /* of the view, and of the buffer that it shares */
	NDIM_MAX = 64,
	ITEMSIZE_MAX = 1 << 16,
	FORMAT_MAX = 256,
	/* Items that are read one by one, at most. */
	SCATTERED_MAX = 1 << 20,
};

struct view {
	uint64_t ndim, itemsize, nbytes;
	int64_t shape[NDIM_MAX], strides[NDIM_MAX], suboffsets[NDIM_MAX];
	bool indirect; /* suboffsets lead on */
	pyd_addr buf;
};

static enum pyd_code read_sizes(struct pyd_reader *r,
				const struct pyd_record *rec, const char *field,
				uint64_t count, int64_t *ret, bool *ret_there,
				struct pyd_err *err)
{
	pyd_addr at = pyd_record_u64(rec, field);

	*ret_there = at && count;
	if (!*ret_there)
		return PYD_OK;
	return pyd_target_read(r->target, at, ret, count * 8, err);
}

static enum pyd_code take(struct pyd_reader *r, const struct pyd_record *rec,
			  struct view *v, struct pyd_err *err)
{
	uint64_t items = 1;
	bool shaped, strided, indirect;
	enum pyd_code code;

	v->ndim = pyd_record_u64(rec, "ndim");
	v->itemsize = pyd_record_u64(rec, "itemsize");
	v->nbytes = pyd_record_u64(rec, "nbytes");
	v->buf = pyd_record_u64(rec, "buf");
	if (v->ndim > NDIM_MAX || v->itemsize > ITEMSIZE_MAX ||
	    v->nbytes > (1ULL << 46))
		return pyd_err_at(err, PYD_CORRUPT, rec->obj->addr,
				  "impossible dimensions of a memoryview");
	code = read_sizes(r, rec, "shape", v->ndim, v->shape, &shaped, err);
	if (!code)
		code = read_sizes(r, rec, "strides", v->ndim, v->strides,
				  &strided, err);
	if (!code)
		code = read_sizes(r, rec, "suboffsets", v->ndim, v->suboffsets,
				  &indirect, err);
	if (code)
		return code;
	if (v->ndim && (!shaped || !strided))
		return pyd_err_at(err, PYD_CORRUPT, rec->obj->addr,
				  "a memoryview without a shape");
	for (uint64_t i = 0; i < v->ndim; i++) {
		if (v->shape[i] < 0 || v->shape[i] > INT64_C(1) << 40 ||
		    (v->shape[i] &&
		     items > (1ULL << 46) / (uint64_t)v->shape[i]))
			return pyd_err_at(err, PYD_CORRUPT, rec->obj->addr,
					  "impossible shape of a memoryview");
		items *= (uint64_t)v->shape[i];
		if (indirect && v->suboffsets[i] >= 0)
			v->indirect = true;
		if (!indirect)
			v->suboffsets[i] = -1;
	}
	if (items * v->itemsize != v->nbytes)
		return pyd_err_at(err, PYD_CORRUPT, rec->obj->addr,
				  "a memoryview whose shape does not fit its "
				  "length");
	return PYD_OK;
}

/* As tobytes() gives it without moving anything. */
static bool in_one_piece(const struct view *v)
{
	uint64_t stride = v->itemsize;

	if (v->indirect)
		return false;
	if (!v->nbytes)
		return true;
	for (uint64_t i = v->ndim; i--;) {
		if (v->shape[i] != 1 && (uint64_t)v->strides[i] != stride)
			return false;
		stride *= (uint64_t)v->shape[i];
	}
	return true;
}

/* Where the item of these indices is. */
static enum pyd_code locate(struct pyd_reader *r, const struct view *v,
			    const int64_t *at, pyd_addr *ret,
			    struct pyd_err *err)
{
	pyd_addr p = v->buf;

	for (uint64_t i = 0; i < v->ndim; i++) {
		p += (uint64_t)v->strides[i] * (uint64_t)at[i];
		if (v->suboffsets[i] >= 0) {
			enum pyd_code code =
				pyd_target_read_u64(r->target, p, &p, err);

			if (code)
				return code;
			p += (uint64_t)v->suboffsets[i];
		}
	}
	*ret = p;
	return PYD_OK;
}

static enum pyd_code gather(struct pyd_reader *r, const struct view *v,
			    struct pyd_node *n, struct pyd_err *err)
{
	uint64_t max = pyd_limit_blob(r);
	uint64_t items = v->nbytes / v->itemsize;
	int64_t at[NDIM_MAX] = { 0 };
	enum pyd_code code;

	if (items > max / v->itemsize)
		items = max / v->itemsize;
	if (items > SCATTERED_MAX)
		items = SCATTERED_MAX;
	if (items * v->itemsize < v->nbytes)
		pyd_record_cut(n, "data", v->nbytes);
	pyd_buf_clear(&r->bytes);
	code = pyd_buf_reserve(&r->bytes, items * v->itemsize + 1, err);
	if (code)
		return code;
	for (uint64_t k = 0; k < items; k++) {
		pyd_addr p;

		code = locate(r, v, at, &p, err);
		if (!code)
			code = pyd_target_read(r->target, p,
					       r->bytes.data + k * v->itemsize,
					       v->itemsize, err);
		if (code)
			return code;
		for (uint64_t i = v->ndim; i--;) {
			if (++at[i] < v->shape[i])
				break;
			at[i] = 0;
		}
	}
	return pyd_node_blob(n, PYD_ORIGIN_BYTES, "data", r->bytes.data,
			     items * v->itemsize, err);
}

static enum pyd_code add_format(struct pyd_reader *r,
				const struct pyd_record *rec,
				struct pyd_node *n, struct pyd_err *err)
{
	pyd_addr at = pyd_record_u64(rec, "format");
	char text[FORMAT_MAX] = "B";
	uint8_t cut = 0;

	if (at) {
		enum pyd_code code = pyd_target_read_cstr(
			r->target, at, text, sizeof(text), &cut, err);

		if (code)
			return code;
		if (cut)
			pyd_record_cut(n, "format", 0);
	}
	return pyd_record_text(n, "format", text, strlen(text), err);
}

/*
 * Fields: flags, mbuf_flags, buf, nbytes, itemsize, ndim, shape, strides,
 * suboffsets, format. Adds "released", and when it is not: "format", "shape",
 * "strides", "data".
 */
enum pyd_code pyd_record_memoryview(struct pyd_reader *r,
				    const struct pyd_record *rec,
				    struct pyd_node *n, struct pyd_err *err)
{
	bool released = (pyd_record_u64(rec, "flags") & RELEASED) ||
			!pyd_record_has(rec, "mbuf_flags") ||
			(pyd_record_u64(rec, "mbuf_flags") & RELEASED);
	struct view v = { 0 };
	enum pyd_code code;

	code = pyd_node_field(n, PYD_ORIGIN_BOOL, "released", released, err);
	if (code || released)
		return code;
	code = take(r, rec, &v, err);
	if (!code)
		code = pyd_node_field(n, PYD_ORIGIN_FIELD, "obj",
				      pyd_record_u64(rec, "obj"), err);
	if (!code)
		code = pyd_node_field(n, PYD_ORIGIN_INT, "nbytes", v.nbytes,
				      err);
	if (!code)
		code = pyd_node_field(n, PYD_ORIGIN_INT, "itemsize", v.itemsize,
				      err);
	if (!code)
		code = pyd_node_field(n, PYD_ORIGIN_INT, "ndim", v.ndim, err);
	if (!code)
		code = pyd_node_field(n, PYD_ORIGIN_BOOL, "readonly",
				      pyd_record_u64(rec, "readonly") != 0,
				      err);
	if (!code)
		code = add_format(r, rec, n, err);
	if (!code)
		code = pyd_node_blob(n, PYD_ORIGIN_INTS, "shape", v.shape,
				     v.ndim * 8, err);
	if (!code)
		code = pyd_node_blob(n, PYD_ORIGIN_INTS, "strides", v.strides,
				     v.ndim * 8, err);
	if (code)
		return code;
	if (!v.nbytes || in_one_piece(&v))
		return pyd_record_memory(r, n, PYD_ORIGIN_BYTES, "data", v.buf,
					 v.nbytes, err);
	return gather(r, &v, n, err);
}
