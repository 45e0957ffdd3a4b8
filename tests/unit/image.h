/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Synthetic memory for tests of readers: one segment, and objects laid out in
 * it by hand as a layout says.
 */
#ifndef PYD_TESTS_IMAGE_H
#define PYD_TESTS_IMAGE_H

#include <criterion/criterion.h>
#include <string.h>

#include "layout/layout.h"
#include "read/object.h"

enum { BASE = 0x10000, ROOM = 1 << 16 };

/* One segment; what lies beyond it faults. fail_at counts reads down. */
struct image {
	struct pyd_target base;
	uint8_t bytes[ROOM];
	size_t len;
	long fail_at;
	long reads;
	bool whole_pages; /* as real memory has them */
};

static inline enum pyd_code image_read(struct pyd_target *t, pyd_addr addr,
				       void *buf, size_t len,
				       struct pyd_err *err)
{
	struct image *m = (struct image *)(void *)t;
	size_t end = m->whole_pages ? (m->len + 4095) & ~(size_t)4095 : m->len;

	m->reads++;
	if (m->fail_at && m->reads == m->fail_at)
		return pyd_err_at(err, PYD_FAULT, addr, "made to fail");
	if (addr < BASE || addr - BASE > end || len > end - (addr - BASE))
		return pyd_err_at(err, PYD_FAULT, addr, "not mapped");
	memcpy(buf, m->bytes + (addr - BASE), len);
	return PYD_OK;
}

static const struct pyd_target_ops image_ops = { .name = "test",
						 .read = image_read };

static inline void image_init(struct image *m)
{
	memset(m, 0, sizeof(*m));
	m->base.ops = &image_ops;
}

static inline pyd_addr take(struct image *m, size_t n)
{
	pyd_addr at;

	m->len = (m->len + 15) & ~(size_t)15;
	at = BASE + m->len;
	cr_assert(m->len + n <= ROOM);
	m->len += n;
	return at;
}

static inline void put(struct image *m, pyd_addr at, const void *v, size_t n)
{
	if (n)
		memcpy(m->bytes + (at - BASE), v, n);
}

static inline void put64(struct image *m, pyd_addr at, int32_t off, uint64_t v)
{
	cr_assert(off >= 0);
	put(m, at + (uint64_t)off, &v, sizeof(v));
}

static inline pyd_addr put_text(struct image *m, const char *s)
{
	pyd_addr at = take(m, strlen(s) + 1);

	put(m, at, s, strlen(s) + 1);
	return at;
}

#define SET(m, lay, at, s, f, v) put64(m, at, PYD_OFF(lay, s, f), v)

static inline void header(struct image *m, const struct pyd_layout *lay,
			  pyd_addr at, pyd_addr type)
{
	if (lay->model_refcount == PYD_M_refcount_biased) {
		uint32_t one = 1;

		put(m, at + (uint64_t)PYD_OFF(lay, object, ob_ref_local), &one,
		    4);
	} else {
		SET(m, lay, at, object, ob_refcnt, 1);
	}
	SET(m, lay, at, object, ob_type, type);
}

static inline pyd_addr make_type(struct image *m, const struct pyd_layout *lay,
				 pyd_addr meta, const char *name,
				 int64_t basicsize, int64_t itemsize,
				 uint64_t flags)
{
	pyd_addr at = take(m, (size_t)PYD_OFF(lay, type, size));

	header(m, lay, at, meta ? meta : at);
	SET(m, lay, at, type, tp_name, put_text(m, name));
	SET(m, lay, at, type, tp_basicsize, (uint64_t)basicsize);
	SET(m, lay, at, type, tp_itemsize, (uint64_t)itemsize);
	SET(m, lay, at, type, tp_flags, flags | PYD_TPFLAG_READY);
	return at;
}

#endif
