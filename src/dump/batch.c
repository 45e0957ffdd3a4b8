// SPDX-License-Identifier: Apache-2.0
#include "dump/batch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dump/column.h"
#include "dump/mp.h"
#include "dump/utf8.h"

/* Fixed columns of one object: 8+2+1+2+4+4+4+4+4. */
#define REC_BYTES 33
/* Keys, heads of bins, lists of types and shapes, the shape 0. */
#define HEAD_BYTES 512
/* Of the text of a mark, as nodes have it. */
#define MARK_TEXT sizeof(((struct pyd_node *)0)->mark_text)

/* Columns of 32-bit numbers. */
enum { NUMBERS = 5 };

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
	b->last_shape = 0;
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
	pyd_vec_deinit(&b->types);
	pyd_buf_deinit(&b->shapes);
	free(b->marks);
	pyd_buf_deinit(&b->texts);
	pyd_map_deinit(&b->type_of);
	pyd_map_deinit(&b->shape_of);
	free(b);
}

size_t pyd_batch_cost(const struct pyd_node *node, size_t shape_size)
{
	/* A type of its own: 9 bytes; a mark: keys, numbers and text. */
	return REC_BYTES + 8 * (node->refs.len + node->attrs.len) +
	       node->value.len + 9 + shape_size +
	       (node->mark ? 48 + sizeof(node->mark_text) : 0);
}

static enum pyd_code type_index(struct pyd_batch *b, uint64_t addr,
				uint16_t *ret, struct pyd_err *err)
{
	size_t slot = (size_t)(addr * 0x9E3779B97F4A7C15ULL >> 56);

	/* 0 is the address of no type, and that of an unused slot. */
	if (addr && b->recent[slot].addr == addr) {
		*ret = (uint16_t)b->recent[slot].index;
		return PYD_OK;
	}

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
	*ret = (uint16_t)index;
	return PYD_OK;
}

static enum pyd_code shape_index(struct pyd_batch *b, uint32_t shape,
				 const msgpack_sbuffer *map, uint16_t *ret,
				 struct pyd_err *err)
{
	uint64_t index = 0;
	enum pyd_code code;

	if (!shape || b->last_shape == shape) {
		*ret = shape ? b->last_shape_index : 0;
		return PYD_OK;
	}
	if (!pyd_map_get(&b->shape_of, shape, &index)) {
		index = b->nshapes;
		code = pyd_buf_append(&b->shapes, map->data, map->size, err);
		if (code)
			return code;
		code = pyd_map_put(&b->shape_of, shape, index, err);
		if (code)
			return code;
		b->nshapes++;
		b->raw += map->size;
	}
	b->last_shape = shape;
	b->last_shape_index = (uint16_t)index;
	*ret = (uint16_t)index;
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

enum { SHORT = 16, FEW = 4 };

/* Copies len bytes out of cap. Most are few: then whole of them, a number of
 * bytes that the compiler knows. There is room for it. */
static inline void copy(void *to, const void *from, size_t len, size_t cap,
			size_t whole)
{
	if (len <= whole && cap >= whole)
		memcpy(to, from, whole);
	else
		memcpy(to, from, len);
}

enum pyd_code pyd_batch_add(struct pyd_batch *b, const struct pyd_node *node,
			    uint32_t shape, const msgpack_sbuffer *shape_map,
			    struct pyd_err *err)
{
	size_t nrefs = node->refs.len;
	size_t nattrs = node->attrs.len;
	size_t vlen = node->value.len;
	enum pyd_code code;
	struct pyd_batch_rec rec = {
		.addr = node->addr,
		.size = (uint32_t)(node->size < UINT32_MAX ? node->size
							   : UINT32_MAX),
		.refcnt = node->refcnt,
		.nrefs = (uint32_t)nrefs,
		.nattrs = (uint32_t)nattrs,
		.vlen = (uint32_t)node->value.len,
		.refs_at = (uint32_t)b->refs.len,
		.value_at = (uint32_t)b->values.len,
		.node = (uint8_t)node->kind,
	};

	code = type_index(b, node->type, &rec.type, err);
	if (!code)
		code = shape_index(b, shape, shape_map, &rec.shape, err);
	if (!code && b->n == b->cap)
		code = grow_recs(b, err);
	if (!code)
		code = pyd_vec_reserve(&b->refs, nrefs + nattrs + FEW, err);
	if (!code)
		code = pyd_buf_reserve(&b->values, vlen + SHORT, err);
	if (!code && node->mark)
		code = add_mark(b, b->n, node->mark, node->mark_total,
				node->mark_text, err);
	if (code)
		return code;
	if (vlen)
		copy(b->values.data + b->values.len, node->value.data, vlen,
		     node->value.cap, SHORT);
	b->values.len += vlen;
	if (nrefs)
		copy(b->refs.data + b->refs.len, node->refs.data, 8 * nrefs,
		     8 * node->refs.cap, 8 * FEW);
	b->refs.len += nrefs;
	if (nattrs)
		copy(b->refs.data + b->refs.len, node->attrs.data, 8 * nattrs,
		     8 * node->attrs.cap, 8 * FEW);
	b->refs.len += nattrs;
	b->recs[b->n++] = rec;
	b->raw += REC_BYTES + 8 * (nrefs + nattrs) + vlen;
	return PYD_OK;
}

/* -- packing -- */

/* Room for n objects and so many words of references. */
static enum pyd_code reserve(struct pyd_batch_scratch *s, size_t n,
			     size_t words, struct pyd_err *err)
{
	enum pyd_code code;

	pyd_vec_clear(&s->words);
	pyd_vec_clear(&s->addrs);
	if (s->cap < n) {
		free(s->items);
		free(s->tmp);
		free(s->numbers);
		s->cap = 0;
		s->items = calloc(n, sizeof(*s->items));
		s->tmp = calloc(n, sizeof(*s->tmp));
		s->numbers = calloc(n, NUMBERS * sizeof(*s->numbers));
		if (!s->items || !s->tmp || !s->numbers)
			return pyd_err_set(err, PYD_NOMEM, "out of memory");
		s->cap = n;
	}
	code = pyd_vec_reserve(&s->addrs, n, err);
	return code ? code : pyd_vec_reserve(&s->words, words, err);
}

static void column(struct pyd_mp_out *o, const char *name, size_t len,
		   uint8_t **ret)
{
	pyd_mp_put_str(o, name);
	*ret = pyd_mp_put_bin(o, len);
}

/* The map was reserved as a whole: columns stay where they are. */
static void pack_columns(const struct pyd_batch *b, struct pyd_batch_scratch *s,
			 struct pyd_mp_out *o)
{
	static const char *const names[NUMBERS] = { "size", "refcnt", "nrefs",
						    "nattrs", "vlen" };
	/* One object's references are in order already, and may be many. */
	size_t n = b->n, nwords = n == 1 ? b->refs.len : 0;
	uint8_t *type, *node, *shape, *numbers[NUMBERS], *addr, *refs, *values;
	uint64_t *words = s->words.data;

	column(o, "type", 2 * n, &type);
	column(o, "node", n, &node);
	column(o, "shape", 2 * n, &shape);
	for (size_t k = 0; k < NUMBERS; k++)
		column(o, names[k], 4 * n, &numbers[k]);
	column(o, "addr", 8 * n, &addr);
	column(o, "refs", 8 * b->refs.len, &refs);
	column(o, "values", b->values.len, &values);
	if (o->code)
		return;
	for (size_t i = 0; i < n; i++) {
		const struct pyd_batch_rec *r = &b->recs[s->items[i].tag];
		const uint64_t *from = b->refs.data + r->refs_at;
		size_t more = (size_t)r->nrefs + r->nattrs;

		/* Numbers are little-endian, as this machine's. */
		memcpy(type + 2 * i, &r->type, 2);
		memcpy(shape + 2 * i, &r->shape, 2);
		node[i] = r->node;
		s->numbers[i] = r->size;
		s->numbers[n + i] = r->refcnt;
		s->numbers[2 * n + i] = r->nrefs;
		s->numbers[3 * n + i] = r->nattrs;
		s->numbers[4 * n + i] = r->vlen;
		s->addrs.data[i] = r->addr;
		if (r->vlen)
			memcpy(values, b->values.data + r->value_at, r->vlen);
		values += r->vlen;
		for (size_t k = 0; n > 1 && k < more; k++)
			words[nwords++] = from[k];
	}
	for (size_t k = 0; k < NUMBERS; k++)
		pyd_column_put32(numbers[k], s->numbers + k * n, n);
	pyd_column_put64(addr, s->addrs.data, n, true);
	pyd_column_put64(refs, n > 1 ? words : b->refs.data, nwords, false);
}

static void pack_marks(const struct pyd_batch *b, const uint64_t *place,
		       struct pyd_mp_out *o)
{
	pyd_mp_put_str(o, "marks");
	pyd_mp_put_array(o, (uint32_t)b->nmarks);
	for (size_t i = 0; i < b->nmarks; i++) {
		const struct pyd_batch_mark *m = &b->marks[i];
		const char *text = (const char *)b->texts.data + m->text_at;

		pyd_mp_put_map(o, 2U + !!m->total + !!*text);
		pyd_mp_put_str(o, "i");
		pyd_mp_put_uint(o, place[m->rec]);
		pyd_mp_put_str(o, "mark");
		pyd_mp_put_uint(o, m->mark);
		if (m->total) {
			pyd_mp_put_str(o, "total");
			pyd_mp_put_uint(o, m->total);
		}
		if (*text) {
			pyd_mp_put_str(o, "text");
			pyd_mp_put_str(o, text);
		}
	}
}

enum pyd_code pyd_batch_pack(const struct pyd_batch *b,
			     struct pyd_batch_scratch *scratch,
			     struct pyd_buf *out, struct pyd_err *err)
{
	size_t n = b->n;
	struct pyd_mp_out o = { .buf = out, .err = err };
	enum pyd_code code = reserve(scratch, n, n > 1 ? b->refs.len : 0, err);

	pyd_buf_clear(out);
	if (!code)
		code = pyd_buf_reserve(out, b->raw, err);
	if (code)
		return code;
	for (size_t i = 0; i < n; i++)
		scratch->items[i] = (struct pyd_radix_item) {
			.key = b->recs[i].addr,
			.major = b->recs[i].type,
			.tag = (uint32_t)i,
		};
	pyd_radix_sort(scratch->items, scratch->tmp, n);

	pyd_mp_put_map(&o, 15U + !!b->nmarks);
	pyd_mp_put_str(&o, "kind");
	pyd_mp_put_str(&o, "objects");
	pyd_mp_put_str(&o, "n");
	pyd_mp_put_uint(&o, n);
	pyd_mp_put_str(&o, "types");
	pyd_mp_put_array(&o, (uint32_t)b->types.len);
	for (size_t i = 0; i < b->types.len; i++)
		pyd_mp_put_uint(&o, b->types.data[i]);
	pyd_mp_put_str(&o, "shapes");
	pyd_mp_put_array(&o, b->nshapes);
	pyd_mp_put_array(&o, 0);
	pyd_mp_put_raw(&o, b->shapes.data, b->shapes.len);
	if (!o.code)
		pack_columns(b, scratch, &o);
	if (!o.code && b->nmarks) {
		for (size_t i = 0; i < n; i++)
			scratch->addrs.data[scratch->items[i].tag] = i;
		pack_marks(b, scratch->addrs.data, &o);
	}
	/* Column pointers were taken before the buffer was full. */
	assert(out->len <= b->raw || o.code);
	return o.code;
}

void pyd_batch_forget(struct pyd_batch *b)
{
	pyd_vec_deinit(&b->refs);
	pyd_buf_deinit(&b->values);
}

void pyd_batch_scratch_deinit(struct pyd_batch_scratch *s)
{
	free(s->items);
	free(s->tmp);
	free(s->numbers);
	pyd_vec_deinit(&s->words);
	pyd_vec_deinit(&s->addrs);
	*s = (struct pyd_batch_scratch) { 0 };
}
