/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growable byte and u64 buffers. Zero-initialised is empty and valid.
 * Growth fails with PYD_NOMEM and leaves the contents as they were.
 */
#ifndef PYD_BASE_BUF_H
#define PYD_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

struct pyd_buf {
	uint8_t *data;
	size_t len;
	size_t cap;
};

PYD_MUST_CHECK enum pyd_code pyd_buf_grow(struct pyd_buf *b, size_t more,
					  struct pyd_err *err);
PYD_MUST_CHECK static inline enum pyd_code pyd_buf_reserve(struct pyd_buf *b,
							   size_t more,
							   struct pyd_err *err)
{
	return more <= b->cap - b->len ? PYD_OK : pyd_buf_grow(b, more, err);
}
PYD_MUST_CHECK static inline enum pyd_code pyd_buf_append(struct pyd_buf *b,
							  const void *data,
							  size_t len,
							  struct pyd_err *err)
{
	enum pyd_code code = pyd_buf_reserve(b, len, err);

	if (code)
		return code;
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	return PYD_OK;
}
static inline void pyd_buf_clear(struct pyd_buf *b)
{
	b->len = 0;
}
void pyd_buf_deinit(struct pyd_buf *b);
/* Makes an empty buffer of cap bytes in large pages, where the kernel has some:
 * memory that is written once costs half, and what is read all over less. The
 * first `small` bytes, which are all that a small dump uses, stay in small
 * pages: to clear a large one takes as long as some hundreds of these. */
PYD_MUST_CHECK enum pyd_code pyd_buf_large(struct pyd_buf *b, size_t cap,
					   size_t small, struct pyd_err *err);
/* Bytes of a large page. */
enum { PYD_LARGE_PAGE = 2 << 20 };

struct pyd_vec {
	uint64_t *data;
	size_t len;
	size_t cap;
};

PYD_MUST_CHECK enum pyd_code pyd_vec_grow(struct pyd_vec *v, size_t more,
					  struct pyd_err *err);
PYD_MUST_CHECK static inline enum pyd_code pyd_vec_reserve(struct pyd_vec *v,
							   size_t more,
							   struct pyd_err *err)
{
	return more <= v->cap - v->len ? PYD_OK : pyd_vec_grow(v, more, err);
}
PYD_MUST_CHECK static inline enum pyd_code pyd_vec_push(struct pyd_vec *v,
							uint64_t value,
							struct pyd_err *err)
{
	enum pyd_code code = pyd_vec_reserve(v, 1, err);

	if (code)
		return code;
	v->data[v->len++] = value;
	return PYD_OK;
}
static inline void pyd_vec_clear(struct pyd_vec *v)
{
	v->len = 0;
}
void pyd_vec_deinit(struct pyd_vec *v);

#endif
