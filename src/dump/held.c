// SPDX-License-Identifier: Apache-2.0
#include "dump/held.h"

#include <stdlib.h>
#include <string.h>

enum {
	CHUNK = PYD_LARGE_PAGE,
	LARGE = CHUNK / 8, /* such a text is not worth its memory */
	TYPES_MAX = 1 << 12,
	VARINT_MAX = 10,
	/* Of the first byte: what is as with the text before. */
	SAME_TYPE = 1,
	SAME_REFCNT = 2,
	SAME_EXTRA = 4,
	/* Where it begins is counted in eights from there. */
	ALIGNED = 8,
	KIND_SHIFT = 4,
	/* The first byte, type, reference count, extra, distance, length. */
	HEAD_MAX = 1 + 5 * VARINT_MAX,
};

static const enum pyd_kind kinds[] = {
	PYD_KIND_str,
	PYD_KIND_bytes,
	PYD_KIND_bytearray,
};

static uint8_t *put(uint8_t *to, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*to++ = (uint8_t)(v | 0x80);
	*to++ = (uint8_t)v;
	return to;
}

static uint64_t get(const uint8_t **from)
{
	const uint8_t *p = *from;
	uint64_t v = 0;
	unsigned int shift = 0;

	/* What put() wrote: it ends. */
	for (; *p & 0x80; p++, shift += 7)
		v |= (uint64_t)(*p & 0x7f) << shift;
	v |= (uint64_t)*p++ << shift;
	*from = p;
	return v;
}

/* A difference that may be below 0, small when it is near. */
static uint64_t fold(uint64_t d)
{
	return d << 1 ^ (0 - (d >> 63));
}

static uint64_t unfold(uint64_t v)
{
	return v >> 1 ^ (0 - (v & 1));
}

static uint8_t *put_head(struct pyd_held_text *last,
			 const struct pyd_held_text *t, unsigned int kind,
			 uint8_t *to)
{
	uint8_t *first = to++;
	uint64_t distance = t->addr - last->addr;
	unsigned int flags = kind << KIND_SHIFT;

	if (t->type == last->type)
		flags |= SAME_TYPE;
	else
		to = put(to, t->type);
	if (t->refcnt == last->refcnt)
		flags |= SAME_REFCNT;
	else
		to = put(to, t->refcnt);
	if (t->extra == last->extra)
		flags |= SAME_EXTRA;
	else
		to = put(to, fold(t->extra));
	if (distance % 8 == 0) {
		flags |= ALIGNED;
		distance = (uint64_t)((int64_t)distance / 8);
	}
	to = put(to, fold(distance));
	to = put(to, t->len);
	*first = (uint8_t)flags;
	*last = *t;
	return to;
}

/* The other way round: makes *last the next one. */
static const uint8_t *get_head(struct pyd_held_text *last, enum pyd_kind *kind,
			       const uint8_t *from)
{
	unsigned int flags = *from++;
	uint64_t distance;

	*kind = kinds[flags >> KIND_SHIFT];
	if (!(flags & SAME_TYPE))
		last->type = (size_t)get(&from);
	if (!(flags & SAME_REFCNT))
		last->refcnt = (uint32_t)get(&from);
	if (!(flags & SAME_EXTRA))
		last->extra = unfold(get(&from));
	distance = unfold(get(&from));
	last->addr += flags & ALIGNED ? 8 * distance : distance;
	last->len = (size_t)get(&from);
	return from;
}

/* TYPES_MAX in *ret: there are too many. */
static enum pyd_code type_index(struct pyd_held *h, pyd_addr type, size_t *ret,
				struct pyd_err *err)
{
	size_t i = h->last;

	if (i >= h->types.len || h->types.data[i] != type)
		for (i = 0; i < h->types.len && h->types.data[i] != type; i++)
			;
	*ret = i;
	if (i == TYPES_MAX)
		return PYD_OK;
	h->last = i;
	return i < h->types.len ? PYD_OK : pyd_vec_push(&h->types, type, err);
}

static enum pyd_code open_chunk(struct pyd_held *h, struct pyd_err *err)
{
	struct pyd_buf *v = reallocarray(h->chunks, h->n + 1, sizeof(*v));
	enum pyd_code code;

	if (!v)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	h->chunks = v;
	code = pyd_buf_large(&v[h->n], CHUNK, h->n ? 0 : CHUNK, err);
	if (!code)
		h->n++;
	return code;
}

/* Which of kinds, or their number. */
static unsigned int index_of(enum pyd_kind kind)
{
	const unsigned int n = sizeof(kinds) / sizeof(kinds[0]);
	unsigned int i = 0;

	while (i < n && kinds[i] != kind)
		i++;
	return i;
}

enum pyd_code pyd_held_add(struct pyd_held *h, const struct pyd_node *node,
			   size_t max, bool *ret_done, struct pyd_err *err)
{
	size_t need = HEAD_MAX + node->value.len;
	unsigned int kind = index_of(node->kind);
	struct pyd_held_text t = {
		.addr = node->addr,
		.refcnt = node->refcnt,
		.extra = node->size - node->value.len,
		.len = node->value.len,
	};
	struct pyd_buf *b;
	uint8_t *to;
	enum pyd_code code;

	*ret_done = false;
	if (node->mark || node->attrs.len || node->refs.len || node->text.len ||
	    node->value.len > LARGE || kind == sizeof(kinds) / sizeof(kinds[0]))
		return PYD_OK;
	if (!h->n || h->chunks[h->n - 1].cap - h->chunks[h->n - 1].len < need) {
		if (h->n >= max / CHUNK)
			return PYD_OK;
		code = open_chunk(h, err);
		if (code)
			return code;
	}
	code = type_index(h, node->type, &t.type, err);
	if (code || t.type == TYPES_MAX)
		return code;
	b = &h->chunks[h->n - 1];
	to = put_head(&h->last_text, &t, kind, b->data + b->len);
	if (t.len)
		memcpy(to, node->value.data, t.len);
	b->len = (size_t)(to - b->data) + t.len;
	*ret_done = true;
	return PYD_OK;
}

enum pyd_code pyd_held_take(struct pyd_held *h,
			    enum pyd_code (*fn)(void *ctx,
						struct pyd_node *node,
						struct pyd_err *err),
			    void *ctx, struct pyd_err *err)
{
	struct pyd_held_text t = { 0 };
	struct pyd_node node = { 0 };

	for (size_t i = 0; i < h->n; i++) {
		struct pyd_buf *b = &h->chunks[i];
		const uint8_t *at = b->data, *end = at + b->len;

		while (at < end) {
			enum pyd_code code;

			at = get_head(&t, &node.kind, at);
			node.addr = t.addr;
			node.type = h->types.data[t.type];
			node.size = t.len + t.extra;
			node.refcnt = t.refcnt;
			node.mark = 0;
			node.value = (struct pyd_buf) {
				.data = b->data + (at - b->data),
				.len = t.len,
				.cap = t.len,
			};
			at += t.len;
			code = fn(ctx, &node, err);
			if (code)
				return code;
		}
		pyd_buf_deinit(b);
	}
	h->n = 0;
	h->last_text = (struct pyd_held_text) { 0 };
	return PYD_OK;
}

void pyd_held_deinit(struct pyd_held *h)
{
	for (size_t i = 0; i < h->n; i++)
		pyd_buf_deinit(&h->chunks[i]);
	free(h->chunks);
	pyd_vec_deinit(&h->types);
	*h = (struct pyd_held) { 0 };
}
