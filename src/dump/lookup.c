// SPDX-License-Identifier: Apache-2.0
#include "dump/lookup.h"

#include <stdlib.h>

static void index_clear(struct pyd_lookup_index *x)
{
	free(x->addr);
	free(x->batch);
	*x = (struct pyd_lookup_index) { 0 };
}

static enum pyd_code index_fill(struct pyd_dump *d, struct pyd_dump_value map,
				struct pyd_lookup_index *x, struct pyd_err *err)
{
	struct pyd_dump_value v = pyd_dump_value_get(map, "batches");
	struct pyd_dump_iter it = pyd_dump_value_iter(v);
	struct pyd_vec batches = { 0 }, words = { 0 };
	enum pyd_code code = PYD_OK;
	const char *s;
	size_t len, n;

	while (!code && !it.map && pyd_dump_iter_next(&it, NULL, &v)) {
		uint64_t frame;

		/* One that is no batch stays in the list: positions count. */
		if (!pyd_dump_value_u64(v, &frame))
			frame = UINT64_MAX;
		code = pyd_vec_push(&batches, frame, err);
	}
	if (!code &&
	    !pyd_dump_value_text(pyd_dump_value_get(map, "addr"), &s, &len))
		code = pyd_err_set(err, PYD_FORMAT, "column addr is missing");
	if (!code)
		code = pyd_column_decode(&d->specs[PYD_COLUMN_index_addr],
					 (const uint8_t *)s, len, "addr",
					 &words, err);
	if (code)
		goto out;
	n = words.len;
	x->n = n;
	x->addr = words.data;
	words = (struct pyd_vec) { 0 };
	x->batch = calloc(n + 1, sizeof(*x->batch));
	if (!x->batch) {
		code = pyd_err_set(err, PYD_NOMEM, "out of memory");
		goto out;
	}
	if (!pyd_dump_value_text(pyd_dump_value_get(map, "batch"), &s, &len))
		code = pyd_err_set(err, PYD_FORMAT, "column batch is missing");
	else
		code = pyd_column_decode(&d->specs[PYD_COLUMN_index_batch],
					 (const uint8_t *)s, len, "batch",
					 &words, err);
	if (!code && words.len != n)
		code = pyd_err_set(err, PYD_FORMAT, "columns do not fit");
	for (size_t i = 0; !code && i < n; i++) {
		uint64_t frame = words.data[i] < batches.len
					 ? batches.data[words.data[i]]
					 : UINT64_MAX;

		if (frame >= d->c.nframes ||
		    d->c.frames[frame].kind != PYD_FRAME_OBJECTS)
			frame = UINT32_MAX; /* told when it is asked for */
		x->batch[i] = (uint32_t)frame;
	}
out:
	pyd_vec_deinit(&batches);
	pyd_vec_deinit(&words);
	return code;
}

static enum pyd_code index_load(struct pyd_dump *d, size_t frame,
				struct pyd_lookup_index **ret,
				struct pyd_err *err)
{
	struct pyd_lookup_index *x = &d->indexes[0];
	struct pyd_buf raw = { 0 };
	struct pyd_dump_value map;
	enum pyd_code code;

	for (size_t i = 0; i < PYD_CACHE_INDEXES; i++) {
		if (d->indexes[i].frame == frame + 1) {
			*ret = &d->indexes[i];
			(*ret)->used = ++d->clock;
			return PYD_OK;
		}
		if (d->indexes[i].used < x->used)
			x = &d->indexes[i];
	}
	code = pyd_container_load(&d->c, frame, &raw, &map, err);
	if (!code) {
		index_clear(x);
		code = index_fill(d, map, x, err);
		d->c.frames[frame].bad = code == PYD_FORMAT;
		if (code == PYD_FORMAT)
			pyd_err_prefix(
				err, "the index at byte %llu is damaged",
				(unsigned long long)d->c.frames[frame].offset);
	}
	pyd_buf_deinit(&raw);
	if (code) {
		/* Half of one; the frame number of a whole one is kept. */
		if (!x->frame)
			index_clear(x);
		return code;
	}
	x->frame = frame + 1;
	x->used = ++d->clock;
	*ret = x;
	return PYD_OK;
}

static int by_addr(const void *a, const void *b)
{
	const struct pyd_lookup_found *x = a, *y = b;

	return (x->addr > y->addr) - (x->addr < y->addr);
}

static enum pyd_code found_add(struct pyd_dump *d, uint32_t frame,
			       struct pyd_err *err)
{
	struct pyd_dump_batch *b;
	enum pyd_code code = pyd_dump_load_frame(d, frame, &b, err);

	if (code == PYD_FORMAT)
		return PYD_OK; /* its objects are lost, not the others */
	if (code)
		return code;
	if (b->n > d->found_cap - d->nfound) {
		size_t cap = (d->nfound + b->n) * 2;
		void *p = reallocarray(d->found, cap, sizeof(*d->found));

		if (!p) {
			pyd_dump_batch_release(d, b);
			return pyd_err_set(err, PYD_NOMEM, "out of memory");
		}
		d->found = p;
		d->found_cap = cap;
	}
	for (uint32_t i = 0; i < b->n; i++)
		d->found[d->nfound++] =
			(struct pyd_lookup_found) { .addr = b->addr[i],
						    .frame = frame };
	pyd_dump_batch_release(d, b);
	return PYD_OK;
}

/* Looks through the batches that no readable index describes: those after the
 * last index of a file that was cut short, or of damaged index frames. */
static enum pyd_code search_rest(struct pyd_dump *d, struct pyd_err *err)
{
	uint8_t *covered = calloc(d->c.nframes + 1, 1);
	enum pyd_code code = PYD_OK;

	if (!covered)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	for (size_t i = 0; !code && i < d->c.nframes; i++) {
		struct pyd_lookup_index *x;

		if (d->c.frames[i].kind != PYD_FRAME_INDEX)
			continue;
		code = index_load(d, i, &x, err);
		for (size_t k = 0; !code && k < x->n; k++)
			if (x->batch[k] != UINT32_MAX)
				covered[x->batch[k]] = 1;
		if (code == PYD_FORMAT)
			code = PYD_OK;
	}
	for (size_t i = 0; !code && i < d->nbatches; i++)
		if (!covered[d->batches[i]])
			code = found_add(d, d->batches[i], err);
	free(covered);
	if (code)
		return code;
	if (d->nfound)
		qsort(d->found, d->nfound, sizeof(*d->found), by_addr);
	d->searched = true;
	return PYD_OK;
}

/* The frame that holds the object, by the index frames; UINT32_MAX when none
 * names it. A damaged index gives PYD_FORMAT if no other one knows. */
static enum pyd_code by_index(struct pyd_dump *d, pyd_addr addr, uint32_t *ret,
			      struct pyd_err *err)
{
	enum pyd_code failed = PYD_OK;

	for (size_t i = 0; i < d->c.nframes; i++) {
		const struct pyd_frame_entry *f = &d->c.frames[i];
		struct pyd_lookup_index *x;
		enum pyd_code code;
		size_t lo = 0, hi;

		if (f->kind != PYD_FRAME_INDEX || addr < f->a || addr > f->b)
			continue;
		code = index_load(d, i, &x, err);
		if (code == PYD_FORMAT)
			failed = code;
		else if (code)
			return code;
		if (code)
			continue;
		hi = x->n;
		while (lo < hi) {
			size_t mid = lo + (hi - lo) / 2;

			if (x->addr[mid] < addr)
				lo = mid + 1;
			else
				hi = mid;
		}
		if (lo < x->n && x->addr[lo] == addr &&
		    x->batch[lo] != UINT32_MAX) {
			*ret = x->batch[lo];
			return PYD_OK;
		}
	}
	*ret = UINT32_MAX;
	return failed;
}

enum pyd_code pyd_lookup_frame(struct pyd_dump *d, pyd_addr addr, uint32_t *ret,
			       struct pyd_err *err)
{
	enum pyd_code code = by_index(d, addr, ret, err);
	size_t lo = 0, hi;

	if (code && code != PYD_FORMAT)
		return code;
	if (*ret != UINT32_MAX || (d->c.complete && !code))
		return PYD_OK;
	if (!d->searched) {
		code = search_rest(d, err);
		if (code)
			return code;
	}
	hi = d->nfound;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (d->found[mid].addr < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < d->nfound && d->found[lo].addr == addr)
		*ret = d->found[lo].frame;
	return PYD_OK;
}

void pyd_lookup_deinit(struct pyd_dump *d)
{
	for (size_t i = 0; i < PYD_CACHE_INDEXES; i++)
		index_clear(&d->indexes[i]);
	free(d->found);
}
