// SPDX-License-Identifier: Apache-2.0
#include "pydumpd/dump.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dump/lookup.h"

/* -- metadata -- */

void pyd_dump_get_info(const struct pyd_dump *d, struct pyd_dump_info *ret)
{
	struct pyd_dump_iter it;
	struct pyd_dump_value v;

	*ret = (struct pyd_dump_info) {
		.complete = d->c.complete,
		.size = d->c.size,
		.readable = d->c.readable,
		.objects = d->nobjects,
		.format = d->format,
	};
	memcpy(ret->damage, d->c.damage, sizeof(ret->damage));
	it = pyd_dump_value_iter(pyd_dump_value_get(d->threads, "threads"));
	while (!it.map && pyd_dump_iter_next(&it, NULL, &v)) {
		uint64_t n;

		ret->threads++;
		if (pyd_dump_value_u64(pyd_dump_value_get(v, "nframes"), &n) &&
		    n <= UINT32_MAX)
			ret->frames += n;
	}
}

struct pyd_dump_value pyd_dump_header(const struct pyd_dump *d)
{
	return d->header;
}

struct pyd_dump_value pyd_dump_threads(const struct pyd_dump *d)
{
	return d->threads;
}

struct pyd_dump_value pyd_dump_waits(const struct pyd_dump *d)
{
	return d->waits;
}

struct pyd_dump_value pyd_dump_end(const struct pyd_dump *d)
{
	return d->end;
}

enum pyd_code pyd_dump_frames_each(
	struct pyd_dump *d, uint64_t thread, uint64_t first,
	enum pyd_code (*fn)(void *ctx, uint64_t number,
			    struct pyd_dump_value frame, struct pyd_err *err),
	void *ctx, struct pyd_err *err)
{
	struct pyd_buf raw = { 0 };
	struct pyd_dump_value map, v;
	enum pyd_code code = PYD_OK;

	for (size_t i = 0; !code && i < d->c.nframes; i++) {
		const struct pyd_frame_entry *f = &d->c.frames[i];
		struct pyd_dump_iter it;
		uint64_t number = f->b;

		if (f->kind != PYD_FRAME_FRAMES || f->a != thread)
			continue;
		code = pyd_container_load(&d->c, i, &raw, &map, err);
		if (code)
			break;
		it = pyd_dump_value_iter(pyd_dump_value_get(map, "frames"));
		for (; !code && !it.map && pyd_dump_iter_next(&it, NULL, &v);
		     number++)
			if (number >= first)
				code = fn(ctx, number, v, err);
	}
	pyd_buf_deinit(&raw);
	return code;
}

enum pyd_code pyd_dump_sources_each(
	struct pyd_dump *d,
	enum pyd_code (*fn)(void *ctx, struct pyd_dump_value source,
			    struct pyd_err *err),
	void *ctx, struct pyd_err *err)
{
	struct pyd_buf raw = { 0 };
	struct pyd_dump_value map;
	enum pyd_code code = PYD_OK;

	for (size_t i = 0; !code && i < d->c.nframes; i++) {
		if (d->c.frames[i].kind != PYD_FRAME_SOURCE)
			continue;
		code = pyd_container_load(&d->c, i, &raw, &map, err);
		if (!code)
			code = fn(ctx, map, err);
	}
	pyd_buf_deinit(&raw);
	return code;
}

/* -- batches -- */

uint64_t pyd_dump_nbatches(const struct pyd_dump *d)
{
	return d->nbatches;
}

/* A free place in the cache, made by dropping what was longest unused and is
 * not held; PYD_CACHE_BATCHES when all are held. */
static size_t cache_place(struct pyd_dump *d, size_t more)
{
	for (;;) {
		size_t oldest = PYD_CACHE_BATCHES, empty = PYD_CACHE_BATCHES;
		size_t bytes = more;

		for (size_t i = 0; i < PYD_CACHE_BATCHES; i++) {
			if (!d->cache[i].batch) {
				empty = i;
				continue;
			}
			bytes += d->cache[i].batch->bytes;
			if (!d->cache[i].batch->refs_held &&
			    (oldest == PYD_CACHE_BATCHES ||
			     d->cache[i].used < d->cache[oldest].used))
				oldest = i;
		}
		if (empty < PYD_CACHE_BATCHES &&
		    (bytes <= PYD_CACHE_BYTES || oldest == PYD_CACHE_BATCHES))
			return empty;
		if (oldest == PYD_CACHE_BATCHES)
			return PYD_CACHE_BATCHES;
		pyd_objects_destroy(d->cache[oldest].batch);
		d->cache[oldest].batch = NULL;
	}
}

enum pyd_code pyd_dump_load_frame(struct pyd_dump *d, uint32_t frame,
				  struct pyd_dump_batch **ret,
				  struct pyd_err *err)
{
	struct pyd_buf raw = { 0 };
	struct pyd_dump_value map;
	struct pyd_dump_batch *b;
	enum pyd_code code;
	size_t place;
	char what[64];

	for (size_t i = 0; i < PYD_CACHE_BATCHES; i++) {
		if (!d->cache[i].batch || d->cache[i].frame != frame)
			continue;
		d->cache[i].used = ++d->clock;
		d->cache[i].batch->refs_held++;
		*ret = d->cache[i].batch;
		return PYD_OK;
	}
	code = pyd_container_load(&d->c, frame, &raw, &map, err);
	if (code) {
		pyd_buf_deinit(&raw);
		return code;
	}
	snprintf(what, sizeof(what), "the frame at byte %llu",
		 (unsigned long long)d->c.frames[frame].offset);
	code = pyd_objects_decode(d->specs, &raw, map, what, &b, err);
	if (code == PYD_FORMAT)
		d->c.frames[frame].bad = true;
	if (code)
		return code;
	place = cache_place(d, b->bytes);
	/* Refused rather than kept outside of the cache: it is a caller that
	 * forgets to release. */
	if (place == PYD_CACHE_BATCHES) {
		pyd_objects_destroy(b);
		return pyd_err_set(err, PYD_LIMIT,
				   "more than %d batches are held",
				   PYD_CACHE_BATCHES);
	}
	d->cache[place].batch = b;
	d->cache[place].frame = frame;
	d->cache[place].used = ++d->clock;
	b->refs_held = 1;
	*ret = b;
	return PYD_OK;
}

enum pyd_code pyd_dump_batch_load(struct pyd_dump *d, uint64_t i,
				  struct pyd_dump_batch **ret,
				  struct pyd_err *err)
{
	if (i >= d->nbatches)
		return pyd_err_set(err, PYD_NOTFOUND, "%s has %zu batches",
				   d->name, d->nbatches);
	return pyd_dump_load_frame(d, d->batches[i], ret, err);
}

void pyd_dump_batch_release(struct pyd_dump *d, struct pyd_dump_batch *b)
{
	(void)d; /* dropped when the cache needs the room */
	if (b && b->refs_held)
		b->refs_held--;
}

uint32_t pyd_dump_batch_len(const struct pyd_dump_batch *b)
{
	return b->n;
}

static const struct pyd_dump_mark *mark_of(const struct pyd_dump_batch *b,
					   uint32_t i)
{
	uint32_t lo = 0, hi = b->nmarks;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (b->marks[mid].i < i)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < b->nmarks && b->marks[lo].i == i ? &b->marks[lo] : NULL;
}

/* Bytes of the i-th object's attributes; 0 when they are more than its value
 * bytes, which then are all the kind's. */
static uint32_t attr_bytes(const struct pyd_dump_batch *b, uint32_t i)
{
	const struct pyd_dump_shape *s = &b->shapes[b->shape[i]];
	const uint64_t *attrs = b->refs + b->refs_at[i + 1] - b->nattrs[i];
	uint64_t sum = 0, max = b->value_at[i + 1] - b->value_at[i];

	for (uint32_t k = 0; s->has_bytes && k < s->n; k++) {
		if (!pyd_origin_has_bytes(b->entries[s->at + k].origin))
			continue;
		if (attrs[k] > max - sum)
			return 0;
		sum += attrs[k];
	}
	return (uint32_t)sum;
}

void pyd_dump_batch_object(const struct pyd_dump *d, struct pyd_dump_batch *b,
			   uint32_t i, struct pyd_dump_object *ret)
{
	const struct pyd_dump_kind *kind = pyd_dump_kind(d, b->node[i]);
	const struct pyd_dump_mark *mark = mark_of(b, i);
	uint32_t refs = b->refs_at[i + 1] - b->refs_at[i];

	*ret = (struct pyd_dump_object) {
		.addr = b->addr[i],
		.type = b->types[b->type[i]],
		.kind = kind ? kind->kind : PYD_KIND_object,
		.kind_id = b->node[i],
		.size = b->size[i],
		.refcnt = b->refcnt[i],
		.nrefs = refs - b->nattrs[i],
		.nattrs = b->nattrs[i],
		.refs = b->refs + b->refs_at[i],
		.value = b->values + b->value_at[i],
		.value_len =
			b->value_at[i + 1] - b->value_at[i] - attr_bytes(b, i),
		.batch = b,
		.index = i,
	};
	if (!mark)
		return;
	ret->mark = mark->mark;
	ret->mark_total = mark->total;
	ret->mark_text = mark->text;
	ret->mark_len = mark->text_len;
}

/* -- objects by address -- */

enum pyd_code pyd_dump_object_get(struct pyd_dump *d, pyd_addr addr,
				  struct pyd_dump_object *ret,
				  struct pyd_err *err)
{
	struct pyd_dump_batch *b;
	uint32_t frame, i;
	enum pyd_code code = pyd_lookup_frame(d, addr, &frame, err);

	if (code)
		return code;
	if (frame == UINT32_MAX)
		return pyd_err_at(err, PYD_NOTFOUND, addr,
				  "%s holds no object at 0x%llx", d->name,
				  (unsigned long long)addr);
	code = pyd_dump_load_frame(d, frame, &b, err);
	if (code)
		return code;
	i = pyd_objects_find(b, addr);
	if (i == UINT32_MAX) {
		pyd_dump_batch_release(d, b);
		return pyd_err_at(err, PYD_FORMAT, addr,
				  "%s is damaged: its index has an object at "
				  "0x%llx that is not there",
				  d->name, (unsigned long long)addr);
	}
	pyd_dump_batch_object(d, b, i, ret);
	return PYD_OK;
}

void pyd_dump_object_release(struct pyd_dump *d, struct pyd_dump_object *o)
{
	pyd_dump_batch_release(d, o->batch);
	*o = (struct pyd_dump_object) { 0 };
}

/* -- what an object's references mean -- */

const struct pyd_dump_kind *pyd_dump_kind(const struct pyd_dump *d, uint8_t id)
{
	return d->kinds[id].pub.name ? &d->kinds[id].pub : NULL;
}

uint64_t pyd_dump_object_field(const struct pyd_dump *d,
			       const struct pyd_dump_object *o,
			       const char *name)
{
	struct pyd_dump_iter it =
		pyd_dump_value_iter(d->kinds[o->kind_id].fields);
	struct pyd_dump_value v;
	size_t len = strlen(name);

	for (uint32_t i = 0;
	     i < o->nrefs && !it.map && pyd_dump_iter_next(&it, NULL, &v);
	     i++) {
		const char *s;
		size_t n;

		if (pyd_dump_value_text(v, &s, &n) && n == len &&
		    !memcmp(s, name, n))
			return o->refs[i];
	}
	return 0;
}

const uint64_t *pyd_dump_object_rest(const struct pyd_dump *d,
				     const struct pyd_dump_object *o,
				     uint32_t *ret_n)
{
	const struct pyd_dump_kind *k = pyd_dump_kind(d, o->kind_id);
	uint32_t skip = k ? k->nfields : 0;

	if (skip > o->nrefs)
		skip = o->nrefs;
	*ret_n = o->nrefs - skip;
	return o->refs + skip;
}

void pyd_dump_object_attr(const struct pyd_dump_object *o, uint32_t i,
			  struct pyd_dump_attr *ret)
{
	const struct pyd_dump_batch *b = o->batch;
	const struct pyd_dump_shape *s = &b->shapes[b->shape[o->index]];

	*ret = b->entries[s->at + i];
	ret->value = o->refs[o->nrefs + i];
	if (!pyd_origin_has_bytes(ret->origin))
		return;

	/* Behind the kind's own value stand the attributes' bytes in order. */
	ret->bytes = o->value + o->value_len;
	if (!attr_bytes(b, o->index)) {
		ret->value = 0;
		return;
	}
	for (uint32_t k = 0; k < i; k++)
		if (pyd_origin_has_bytes(b->entries[s->at + k].origin))
			ret->bytes += o->refs[o->nrefs + k];
}
