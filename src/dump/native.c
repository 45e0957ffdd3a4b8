// SPDX-License-Identifier: Apache-2.0
/* Native stacks out of a dump. */
#include <stdlib.h>

#include "dump/lookup.h"

/* The values of a list, for access by number. NULL: no memory. */
static struct pyd_dump_value *list_values(struct pyd_dump_value list,
					  size_t *ret)
{
	struct pyd_dump_iter it = pyd_dump_value_iter(list);
	struct pyd_dump_value v;
	size_t n = it.map ? 0 : pyd_dump_value_len(list), i = 0;
	struct pyd_dump_value *values = calloc(n + 1, sizeof(*values));

	while (values && i < n && pyd_dump_iter_next(&it, NULL, &v))
		values[i++] = v;
	*ret = i;
	return values;
}

static uint64_t next_u64(struct pyd_dump_iter *it)
{
	struct pyd_dump_value v;
	uint64_t ret = 0;

	if (pyd_dump_iter_next(it, NULL, &v))
		(void)pyd_dump_value_u64(v, &ret);
	return ret;
}

static void read_frame(struct pyd_dump_value list,
		       const struct pyd_dump_value *places, size_t nplaces,
		       struct pyd_dump_native_frame *ret)
{
	struct pyd_dump_iter it = pyd_dump_value_iter(list);
	struct pyd_dump_native_frame f = { 0 };
	struct pyd_dump_value v;
	uint64_t place;

	*ret = f;
	if (it.map || pyd_dump_value_type(list) != PYD_DUMP_LIST)
		return;
	place = next_u64(&it);
	if (place < nplaces)
		f.place = places[place];
	f.pc = next_u64(&it);
	f.sp = next_u64(&it);
	f.how = next_u64(&it);
	if (pyd_dump_iter_next(&it, NULL, &v))
		(void)pyd_dump_value_bool(v, &f.signal);
	if (pyd_dump_iter_next(&it, NULL, &v) &&
	    pyd_dump_value_type(v) == PYD_DUMP_LIST &&
	    pyd_dump_value_len(v) == 2) {
		it = pyd_dump_value_iter(v);
		f.first = next_u64(&it);
		f.n = next_u64(&it);
		/* Sums of both are not to wrap. */
		f.runs = f.first <= UINT32_MAX && f.n <= UINT32_MAX;
	}
	*ret = f;
}

static enum pyd_code each_thread(
	struct pyd_dump_value thread, const struct pyd_dump_value *places,
	size_t nplaces,
	enum pyd_code (*fn)(void *ctx, const struct pyd_dump_native *native,
			    struct pyd_err *err),
	void *ctx, struct pyd_err *err)
{
	struct pyd_dump_native native = { .thread = thread, .index = -1 };
	struct pyd_dump_native_frame *frames;
	struct pyd_dump_value *lists;
	uint64_t cut;
	size_t n;
	enum pyd_code code;

	lists = list_values(pyd_dump_value_get(thread, "frames"), &n);
	frames = calloc(n + 1, sizeof(*frames));
	if (!lists || !frames) {
		free(lists);
		free(frames);
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	}
	for (size_t i = 0; i < n; i++)
		read_frame(lists[i], places, nplaces, &frames[i]);
	free(lists);
	native.frames = frames;
	native.nframes = native.cut_at = n;
	native.total = n;
	(void)pyd_dump_value_i64(pyd_dump_value_get(thread, "thread"),
				 &native.index);
	(void)pyd_dump_value_bool(pyd_dump_value_get(thread, "merged"),
				  &native.merged);
	(void)pyd_dump_value_u64(pyd_dump_value_get(thread, "total"),
				 &native.total);
	if (native.total > n &&
	    pyd_dump_value_u64(pyd_dump_value_get(thread, "cut_at"), &cut) &&
	    cut < n)
		native.cut_at = (size_t)cut;
	code = fn(ctx, &native, err);
	free(frames);
	return code;
}

void pyd_native_chunk_deinit(struct pyd_native_chunk *c)
{
	free(c->places);
	free(c->threads);
	pyd_buf_deinit(&c->raw);
	*c = (struct pyd_native_chunk) { 0 };
}

/* Makes frame number i the one that is decoded. */
static enum pyd_code load_chunk(struct pyd_dump *d, size_t i,
				struct pyd_err *err)
{
	struct pyd_native_chunk c = { .frame = i + 1 };
	struct pyd_dump_value map;
	enum pyd_code code;

	if (d->native.frame == i + 1)
		return PYD_OK;
	code = pyd_container_load(&d->c, i, &c.raw, &map, err);
	if (!code) {
		c.places = list_values(pyd_dump_value_get(map, "places"),
				       &c.nplaces);
		c.threads = list_values(pyd_dump_value_get(map, "threads"),
					&c.nthreads);
		if (!c.places || !c.threads)
			code = pyd_err_set(err, PYD_NOMEM, "out of memory");
	}
	if (code) {
		pyd_native_chunk_deinit(&c);
		return code;
	}
	pyd_native_chunk_deinit(&d->native);
	d->native = c;
	return PYD_OK;
}

static bool is_native(const struct pyd_dump *d, size_t i)
{
	return d->c.frames[i].kind == PYD_FRAME_NATIVE;
}

enum pyd_code pyd_dump_native_each(
	struct pyd_dump *d,
	enum pyd_code (*fn)(void *ctx, const struct pyd_dump_native *native,
			    struct pyd_err *err),
	void *ctx, struct pyd_err *err)
{
	enum pyd_code code = PYD_OK;

	for (size_t i = 0; !code && i < d->c.nframes; i++) {
		if (!is_native(d, i))
			continue;
		code = load_chunk(d, i, err);
		for (size_t k = 0; !code && k < d->native.nthreads; k++)
			code = each_thread(d->native.threads[k],
					   d->native.places, d->native.nplaces,
					   fn, ctx, err);
	}
	return code;
}

static enum pyd_code list_natives(struct pyd_dump *d, struct pyd_err *err)
{
	d->natives_listed = true;
	for (size_t i = 0; i < d->c.nframes; i++) {
		enum pyd_code code;

		if (!is_native(d, i))
			continue;
		code = load_chunk(d, i, err);
		if (code == PYD_FORMAT)
			continue; /* told when all are gone through */
		for (size_t k = 0; !code && k < d->native.nthreads; k++) {
			uint64_t thread;

			if (!pyd_dump_value_u64(
				    pyd_dump_value_get(d->native.threads[k],
						       "thread"),
				    &thread))
				continue;
			code = pyd_vec_push(&d->natives, thread, err);
			if (!code)
				code = pyd_vec_push(&d->natives, i, err);
			if (!code)
				code = pyd_vec_push(&d->natives, k, err);
		}
		if (code)
			return code;
	}
	return PYD_OK;
}

enum pyd_code pyd_dump_native_get(
	struct pyd_dump *d, uint64_t thread,
	enum pyd_code (*fn)(void *ctx, const struct pyd_dump_native *native,
			    struct pyd_err *err),
	void *ctx, struct pyd_err *err)
{
	enum pyd_code code = d->natives_listed ? PYD_OK : list_natives(d, err);

	for (size_t i = 0; !code && i + 2 < d->natives.len; i += 3) {
		if (d->natives.data[i] != thread)
			continue;
		code = load_chunk(d, d->natives.data[i + 1], err);
		if (!code)
			code = each_thread(
				d->native.threads[d->natives.data[i + 2]],
				d->native.places, d->native.nplaces, fn, ctx,
				err);
		return code;
	}
	return code;
}
