// SPDX-License-Identifier: Apache-2.0
#include "dump/batch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "dump/batch_private.h"

/* Keys, heads of bins, lists of types and shapes, the shape 0. */
#define HEAD_BYTES 512
/* Of the text of a mark, as nodes have it. */
#define MARK_TEXT sizeof(((struct pyd_node *)0)->mark_text)

struct pyd_batch *pyd_batch_create(void)
{
	struct pyd_batch *b = calloc(1, sizeof(*b));

	if (b)
		pyd_batch_clear(b);
	return b;
}

void pyd_batch_clear(struct pyd_batch *b)
{
	b->n = 0;
	pyd_vec_clear(&b->refs);
	pyd_buf_clear(&b->values);
	pyd_vec_clear(&b->types);
	pyd_buf_clear(&b->shapes);
	b->nshapes = 1;
	pyd_vec_clear(&b->lens);
	b->last_shape = 0;
	b->more.n = 0;
	if (b->text.raw)
		pyd_long_deinit(&b->text);
	b->nmarks = 0;
	pyd_buf_clear(&b->texts);
	b->raw = HEAD_BYTES;
	pyd_map_clear(&b->type_of);
	pyd_map_clear(&b->shape_of);
	memset(b->recent, 0, sizeof(b->recent));
}

void pyd_batch_destroy(struct pyd_batch *b)
{
	if (!b)
		return;
	free(b->recs);
	pyd_vec_deinit(&b->refs);
	pyd_buf_deinit(&b->values);
	pyd_long_deinit(&b->text);
	pyd_vec_deinit(&b->types);
	pyd_buf_deinit(&b->shapes);
	pyd_vec_deinit(&b->lens);
	free(b->marks);
	pyd_buf_deinit(&b->texts);
	pyd_map_deinit(&b->type_of);
	pyd_map_deinit(&b->shape_of);
	free(b);
}

static enum pyd_code new_type(struct pyd_batch *b, uint64_t addr, size_t slot,
			      struct pyd_err *err)
{
	/* Keys of a map are not 0; no type lies at the last address. */
	uint64_t index;
	uint64_t key = addr + 1 ? addr + 1 : 1;

	if (!pyd_map_get(&b->type_of, key, &index)) {
		enum pyd_code code;

		index = b->types.len;
		code = pyd_vec_push(&b->types, addr, err);
		if (code)
			return code;
		code = pyd_map_put(&b->type_of, key, index, err);
		if (code)
			return code;
		b->raw += 9;
	}
	b->recent[slot].addr = addr;
	b->recent[slot].index = (uint32_t)index;
	return PYD_OK;
}

static inline enum pyd_code type_index(struct pyd_batch *b, uint64_t addr,
				       uint16_t *ret, struct pyd_err *err)
{
	size_t slot = (size_t)(addr * 0x9E3779B97F4A7C15ULL >> 56);

	/* 0 is the address of no type, and that of an unused slot. */
	if (!addr || b->recent[slot].addr != addr) {
		enum pyd_code code = new_type(b, addr, slot, err);

		if (code)
			return code;
	}
	*ret = (uint16_t)b->recent[slot].index;
	return PYD_OK;
}

static enum pyd_code new_shape(struct pyd_batch *b, uint32_t shape,
			       const msgpack_sbuffer *map, size_t len,
			       struct pyd_err *err)
{
	uint64_t index = 0;
	enum pyd_code code;

	if (!pyd_map_get(&b->shape_of, shape, &index)) {
		index = b->nshapes;
		code = pyd_buf_append(&b->shapes, map->data, map->size, err);
		if (!code && !b->lens.len) /* of shape 0 */
			code = pyd_vec_push(&b->lens, 0, err);
		if (!code)
			code = pyd_vec_push(&b->lens, len, err);
		if (!code)
			code = pyd_map_put(&b->shape_of, shape, index, err);
		if (code)
			return code;
		b->nshapes++;
		b->raw += map->size;
	}
	b->last_shape = shape;
	b->last_shape_index = (uint16_t)index;
	return PYD_OK;
}

static inline enum pyd_code shape_index(struct pyd_batch *b, uint32_t shape,
					const msgpack_sbuffer *map, size_t len,
					uint16_t *ret, struct pyd_err *err)
{
	*ret = 0;
	if (!shape)
		return PYD_OK;
	if (b->last_shape != shape) {
		enum pyd_code code = new_shape(b, shape, map, len, err);

		if (code)
			return code;
	}
	*ret = b->last_shape_index;
	return PYD_OK;
}

static enum pyd_code grow_recs(struct pyd_batch *b, struct pyd_err *err)
{
	size_t cap = b->cap ? b->cap * 2 : 4096;
	void *p = reallocarray(b->recs, cap, sizeof(*b->recs));

	if (!p)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	b->recs = p;
	b->cap = cap;
	return PYD_OK;
}

static enum pyd_code add_mark(struct pyd_batch *b, size_t i, enum pyd_mark mark,
			      uint64_t total, const char *text,
			      struct pyd_err *err)
{
	if (b->nmarks == b->marks_cap) {
		size_t cap = b->marks_cap ? b->marks_cap * 2 : 64;
		void *p = reallocarray(b->marks, cap, sizeof(*b->marks));

		if (!p)
			return pyd_err_set(err, PYD_NOMEM, "out of memory");
		b->marks = p;
		b->marks_cap = cap;
	}

	struct pyd_batch_mark *m = &b->marks[b->nmarks];

	*m = (struct pyd_batch_mark) {
		.rec = (uint32_t)i,
		.mark = (uint8_t)mark,
		.total = total,
		.text_at = (uint32_t)b->texts.len,
	};

	size_t len = strnlen(text, MARK_TEXT - 1);
	enum pyd_code code = pyd_buf_append(&b->texts, text, len, err);

	if (!code)
		code = pyd_buf_append(&b->texts, "", 1, err);
	if (code)
		return code;
	/* A msgpack str must be UTF-8, and the text may quote the target. */
	pyd_utf8_scrub((char *)b->texts.data + m->text_at);
	b->nmarks++;
	b->raw += 48 + MARK_TEXT;
	return PYD_OK;
}

/* Room for one more object of that many references and bytes. */
static enum pyd_code grow(struct pyd_batch *b, size_t words, size_t bytes,
			  struct pyd_err *err)
{
	enum pyd_code code = b->n == b->cap ? grow_recs(b, err) : PYD_OK;

	if (!code)
		code = pyd_vec_reserve(&b->refs, words, err);
	return code ? code : pyd_buf_reserve(&b->values, bytes, err);
}

/* There is room for it. In place, member by member: to make it elsewhere and
 * copy it waits for each of its stores. */
static inline void add_rec(struct pyd_batch *b, const struct pyd_node *node,
			   uint16_t type, uint16_t shape)
{
	struct pyd_batch_rec *rec = &b->recs[b->n++];

	rec->addr = node->addr;
	rec->size =
		(uint32_t)(node->size < UINT32_MAX ? node->size : UINT32_MAX);
	rec->refcnt = node->refcnt;
	rec->nrefs = (uint32_t)node->refs.len;
	rec->vlen = (uint32_t)node->value.len;
	rec->type = type;
	rec->shape = shape;
	rec->node = (uint32_t)node->kind;
}

enum pyd_code pyd_batch_add(struct pyd_batch *b, const struct pyd_node *node,
			    uint32_t shape, const msgpack_sbuffer *shape_map,
			    struct pyd_err *err)
{
	size_t nrefs = node->refs.len;
	size_t nattrs = node->attrs.len;
	size_t words = nrefs + nattrs;
	size_t vlen = node->value.len;
	uint16_t type, own_shape;
	uint64_t *refs;
	enum pyd_code code = type_index(b, node->type, &type, err);

	if (!code)
		code = shape_index(b, shape, shape_map, nattrs, &own_shape,
				   err);
	if (!code && (b->n == b->cap ||
		      words + PYD_BATCH_FEW > b->refs.cap - b->refs.len ||
		      vlen + PYD_BATCH_SHORT > b->values.cap - b->values.len))
		code = grow(b, words + PYD_BATCH_FEW, vlen + PYD_BATCH_SHORT,
			    err);
	if (!code && node->mark)
		code = add_mark(b, b->n, node->mark, node->mark_total,
				node->mark_text, err);
	if (code)
		return code;
	add_rec(b, node, type, own_shape);
	if (vlen)
		pyd_batch_copy(b->values.data + b->values.len, node->value.data,
			       vlen, node->value.cap, PYD_BATCH_SHORT);
	b->values.len += vlen;
	refs = b->refs.data + b->refs.len;
	if (nrefs)
		pyd_batch_copy(refs, node->refs.data, 8 * nrefs,
			       8 * node->refs.cap, 8 * PYD_BATCH_FEW);
	if (nattrs)
		pyd_batch_copy(refs + nrefs, node->attrs.data, 8 * nattrs,
			       8 * node->attrs.cap, 8 * PYD_BATCH_FEW);
	b->refs.len += words;
	b->raw += PYD_BATCH_REC_BYTES + 8 * words + vlen;
	return PYD_OK;
}

enum pyd_code pyd_batch_add_leaf(struct pyd_batch *b,
				 const struct pyd_node *node,
				 struct pyd_err *err)
{
	size_t vlen = node->value.len;
	uint16_t type = 0;
	enum pyd_code code = type_index(b, node->type, &type, err);

	assert(!node->refs.len && vlen <= PYD_BATCH_LEAF &&
	       node->value.cap >= PYD_BATCH_LEAF);
	if (!code &&
	    (b->n == b->cap || PYD_BATCH_LEAF > b->values.cap - b->values.len))
		code = grow(b, 0, PYD_BATCH_LEAF, err);
	if (code)
		return code;
	add_rec(b, node, type, 0);
	memcpy(b->values.data + b->values.len, node->value.data,
	       PYD_BATCH_LEAF);
	b->values.len += vlen;
	b->raw += PYD_BATCH_REC_BYTES + vlen;
	return PYD_OK;
}

enum pyd_code pyd_batch_take(struct pyd_batch *b, struct pyd_node *node,
			     uint32_t shape, const msgpack_sbuffer *shape_map,
			     struct pyd_err *err)
{
	struct pyd_vec refs = b->refs;
	struct pyd_buf value = b->values;
	size_t nrefs = node->refs.len + node->more.n;
	size_t vlen = node->text.len + node->value.len;
	enum pyd_code code;

	assert(!b->n && (!node->more.n || !node->refs.len));
	b->more = node->more;
	node->more.n = 0;
	b->text = node->text;
	node->text = (struct pyd_long) { 0 };
	b->refs = node->refs;
	b->values = node->value;
	node->refs = refs;
	node->value = value;
	code = pyd_batch_add(b, node, shape, shape_map, err);
	if (code)
		return code;
	b->recs[0].nrefs = (uint32_t)nrefs;
	b->recs[0].vlen = (uint32_t)vlen;
	b->raw += 8 * nrefs + vlen;
	return PYD_OK;
}
