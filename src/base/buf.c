// SPDX-License-Identifier: Apache-2.0
#include "base/buf.h"

#include <stdlib.h>
#include <sys/mman.h>

/* The new capacity for len + more elements of the given width, or 0. */
static size_t grown(size_t len, size_t cap, size_t more, size_t width)
{
	if (more > SIZE_MAX / width / 2 - len)
		return 0;

	size_t want = len + more;
	size_t next = cap ? cap : 64;

	while (next < want)
		next *= 2;
	return next;
}

enum pyd_code pyd_buf_grow(struct pyd_buf *b, size_t more, struct pyd_err *err)
{
	size_t cap = grown(b->len, b->cap, more, 1);
	uint8_t *data = cap ? realloc(b->data, cap) : NULL;

	if (!data)
		return pyd_err_set(err, PYD_NOMEM,
				   "out of memory for %zu bytes", more);
	b->data = data;
	b->cap = cap;
	return PYD_OK;
}

void pyd_buf_deinit(struct pyd_buf *b)
{
	free(b->data);
	*b = (struct pyd_buf) { 0 };
}

enum pyd_code pyd_buf_large(struct pyd_buf *b, size_t cap, size_t small,
			    struct pyd_err *err)
{
	size_t size =
		(cap + PYD_LARGE_PAGE - 1) & ~((size_t)PYD_LARGE_PAGE - 1);

	*b = (struct pyd_buf) { .data = aligned_alloc(PYD_LARGE_PAGE, size) };
	if (!b->data)
		return pyd_err_set(err, PYD_NOMEM,
				   "out of memory for %zu bytes", cap);
	/* Pages of any size do. */
	small &= ~((size_t)PYD_LARGE_PAGE - 1);
	if (small < size)
		(void)madvise(b->data + small, size - small, MADV_HUGEPAGE);
	b->cap = cap;
	return PYD_OK;
}

enum pyd_code pyd_vec_grow(struct pyd_vec *v, size_t more, struct pyd_err *err)
{
	size_t cap = grown(v->len, v->cap, more, sizeof(*v->data));
	uint64_t *data = cap ? realloc(v->data, cap * sizeof(*data)) : NULL;

	if (!data)
		return pyd_err_set(err, PYD_NOMEM,
				   "out of memory for %zu words", more);
	v->data = data;
	v->cap = cap;
	return PYD_OK;
}

void pyd_vec_deinit(struct pyd_vec *v)
{
	free(v->data);
	*v = (struct pyd_vec) { 0 };
}
