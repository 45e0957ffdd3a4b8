// SPDX-License-Identifier: Apache-2.0
#include "dump/toc.h"

#include <stdlib.h>

#include "dump/mp.h"

/* That a table may have (zstd's contrib/seekable_format). */
#define TABLE_MAX 0x8000000U

void pyd_toc_deinit(struct pyd_toc *t)
{
	free(t->sizes);
	pyd_buf_deinit(&t->list);
	*t = (struct pyd_toc) { 0 };
}

static enum pyd_code grow(struct pyd_toc *t, struct pyd_err *err)
{
	size_t cap = t->cap ? 2 * t->cap : 256;
	void *p = reallocarray(t->sizes, cap, sizeof(*t->sizes));

	if (!p)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	t->sizes = p;
	t->cap = cap;
	return PYD_OK;
}

enum pyd_code pyd_toc_add(struct pyd_toc *t, const struct pyd_made *m,
			  const char *kind, uint64_t offset,
			  struct pyd_err *err)
{
	struct pyd_mp_out o = { .buf = &t->list, .err = err };
	size_t extra = 0;

	for (size_t i = 0; i < m->n; i++) {
		const struct pyd_made_frame *f = &m->frames[i];

		if (t->n == t->cap) {
			enum pyd_code code = grow(t, err);

			if (code)
				return code;
		}
		t->sizes[t->n++] = (struct pyd_toc_size) {
			.csize = f->csize,
			.rsize = f->rsize,
		};
		pyd_mp_put_array(&o, 4 + f->nextra);
		pyd_mp_put_uint(&o, offset);
		pyd_mp_put_uint(&o, f->csize);
		pyd_mp_put_uint(&o, f->rsize);
		pyd_mp_put_str(&o, kind);
		if (f->extra_len)
			pyd_mp_put_raw(&o, m->extra.data + extra, f->extra_len);
		extra += f->extra_len;
		offset += f->csize;
	}
	return o.code;
}

enum pyd_code pyd_toc_pack(const struct pyd_toc *t, struct pyd_buf *out,
			   struct pyd_err *err)
{
	struct pyd_mp_out o = { .buf = out, .err = err };

	pyd_mp_put_map(&o, 2);
	pyd_mp_put_str(&o, "kind");
	pyd_mp_put_str(&o, "toc");
	pyd_mp_put_str(&o, "frames");
	pyd_mp_put_array(&o, (uint32_t)t->n);
	pyd_mp_put_raw(&o, t->list.data, t->list.len);
	return o.code;
}

static void put32(struct pyd_buf *b, uint32_t v)
{
	for (unsigned int k = 0; k < 4; k++)
		b->data[b->len++] = (uint8_t)(v >> (8 * k));
}

enum pyd_code pyd_toc_seek_table(const struct pyd_toc *t, struct pyd_buf *out,
				 struct pyd_err *err)
{
	/* A skippable frame of entries and a footer of 9 bytes; no checksums,
	 * the frames have theirs. */
	size_t payload = 8 * t->n + 9;
	enum pyd_code code;

	if (t->n > TABLE_MAX)
		return PYD_OK;
	code = pyd_buf_reserve(out, payload + 8, err);
	if (code)
		return code;
	put32(out, 0x184D2A5E);
	put32(out, (uint32_t)payload);
	for (size_t i = 0; i < t->n; i++) {
		put32(out, t->sizes[i].csize);
		put32(out, t->sizes[i].rsize);
	}
	put32(out, (uint32_t)t->n);
	out->data[out->len++] = 0;
	put32(out, 0x8F92EAB1);
	return PYD_OK;
}
