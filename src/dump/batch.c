// SPDX-License-Identifier: Apache-2.0
#include "dump/batch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "dump/column.h"
#include "dump/mp.h"

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

enum { SHORT = PYD_BATCH_LEAF, FEW = 4 };

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
	if (!code &&
	    (b->n == b->cap || words + FEW > b->refs.cap - b->refs.len ||
	     vlen + SHORT > b->values.cap - b->values.len))
		code = grow(b, words + FEW, vlen + SHORT, err);
	if (!code && node->mark)
		code = add_mark(b, b->n, node->mark, node->mark_total,
				node->mark_text, err);
	if (code)
		return code;
	add_rec(b, node, type, own_shape);
	if (vlen)
		copy(b->values.data + b->values.len, node->value.data, vlen,
		     node->value.cap, SHORT);
	b->values.len += vlen;
	refs = b->refs.data + b->refs.len;
	if (nrefs)
		copy(refs, node->refs.data, 8 * nrefs, 8 * node->refs.cap,
		     8 * FEW);
	if (nattrs)
		copy(refs + nrefs, node->attrs.data, 8 * nattrs,
		     8 * node->attrs.cap, 8 * FEW);
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

/* -- packing -- */

/* Room for n objects and so many words of references. */
static enum pyd_code reserve(struct pyd_batch_scratch *s, size_t n,
			     size_t words, struct pyd_err *err)
{
	enum pyd_code code;

	pyd_vec_clear(&s->words);
	pyd_vec_clear(&s->addrs);
	pyd_vec_clear(&s->order);
	if (s->cap < n) {
		free(s->numbers);
		free(s->places);
		s->cap = 0;
		s->numbers = calloc(n, NUMBERS * sizeof(*s->numbers));
		s->places = calloc(n, sizeof(*s->places));
		if (!s->numbers || !s->places)
			return pyd_err_set(err, PYD_NOMEM, "out of memory");
		s->cap = n;
	}
	code = pyd_vec_reserve(&s->addrs, n, err);
	if (!code)
		code = pyd_vec_reserve(&s->order, 2 * n, err);
	return code ? code : pyd_vec_reserve(&s->words, words + FEW, err);
}

/* Attributes of an object with that shape. */
static uint32_t len_of(const struct pyd_batch *b, uint16_t shape)
{
	return shape ? (uint32_t)b->lens.data[shape] : 0;
}

/* The order of the objects, by type, then by address: object i is number
 * words[i] & mask. */
struct order {
	const uint64_t *words;
	uint64_t mask;
};

static inline size_t nth(const struct order *o, size_t i)
{
	return (size_t)(o->words[i] & o->mask);
}

/* For addresses that are too far apart: any at all. */
static enum pyd_code sort_wide(const struct pyd_batch *b,
			       struct pyd_batch_scratch *s, struct pyd_err *err)
{
	struct pyd_radix_item *items = calloc(b->n, 2 * sizeof(*items));

	if (!items)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	for (size_t i = 0; i < b->n; i++)
		items[i] = (struct pyd_radix_item) {
			.key = b->recs[i].addr,
			.major = b->recs[i].type,
			.tag = (uint32_t)i,
		};
	pyd_radix_sort(items, items + b->n, b->n);
	for (size_t i = 0; i < b->n; i++)
		s->order.data[i] = items[i].tag;
	free(items);
	return PYD_OK;
}

/* Finds out each object's place, by the lengths of those before it, and the
 * order. Type, address and number fit into one word where objects lie
 * together. */
static enum pyd_code sort(const struct pyd_batch *b,
			  struct pyd_batch_scratch *s, struct order *ret,
			  struct pyd_err *err)
{
	uint64_t low = UINT64_MAX, high = 0, differ = 0, *words = s->order.data;
	unsigned int shift, width, type, number = pyd_radix_width(b->n);
	uint32_t refs = 0, value = 0;

	for (size_t i = 0; i < b->n; i++) {
		const struct pyd_batch_rec *r = &b->recs[i];

		s->places[i] = (struct pyd_batch_place) { refs, value };
		refs += r->nrefs + len_of(b, r->shape);
		value += r->vlen;
		low = r->addr < low ? r->addr : low;
		high = r->addr > high ? r->addr : high;
		differ |= r->addr ^ b->recs[0].addr;
	}
	shift = differ ? (unsigned int)__builtin_ctzll(differ) : 0;
	width = pyd_radix_width((high - low) >> shift);
	type = pyd_radix_width(b->types.len);
	ret->words = words;
	ret->mask = UINT64_MAX;
	if (type + width + number > 64)
		return sort_wide(b, s, err);
	for (size_t i = 0; i < b->n; i++)
		words[i] = (uint64_t)b->recs[i].type << (width + number) |
			   (b->recs[i].addr - low) >> shift << number | i;
	ret->words = pyd_radix_words(words, words + b->n, b->n,
				     number + width + type);
	ret->mask = (1ULL << number) - 1;
	return PYD_OK;
}

static void column(struct pyd_mp_out *o, const char *name, size_t len,
		   uint8_t **ret)
{
	pyd_mp_put_str(o, name);
	*ret = pyd_mp_put_bin(o, len);
}

/* A column that is left out; *ret: where it belongs. */
static void hole(struct pyd_mp_out *o, const char *name, size_t len,
		 size_t *ret)
{
	pyd_mp_put_str(o, name);
	pyd_mp_put_bin_head(o, len);
	*ret = o->buf->len;
}

/* The map was reserved as a whole: columns stay where they are. holes: see
 * pyd_batch_pack_huge(), else NULL. */
static void pack_columns(const struct pyd_batch *b, struct pyd_batch_scratch *s,
			 const struct order *order, struct pyd_mp_out *o,
			 struct pyd_batch_holes *holes)
{
	static const char *const names[NUMBERS] = { "size", "refcnt", "nrefs",
						    "nattrs", "vlen" };
	size_t n = b->n, nwords = 0;
	uint8_t *type, *node, *shape, *numbers[NUMBERS], *addr;
	uint8_t *refs = NULL, *values = NULL;
	uint64_t *words = s->words.data;

	column(o, "type", 2 * n, &type);
	column(o, "node", n, &node);
	column(o, "shape", 2 * n, &shape);
	for (size_t k = 0; k < NUMBERS; k++)
		column(o, names[k], 4 * n, &numbers[k]);
	column(o, "addr", 8 * n, &addr);
	if (holes) {
		hole(o, "refs", 8 * pyd_batch_nrefs(b), &holes->refs_at);
		hole(o, "values", pyd_batch_nbytes(b), &holes->values_at);
	} else {
		column(o, "refs", 8 * b->refs.len, &refs);
		column(o, "values", b->values.len, &values);
	}
	if (o->code)
		return;
	for (size_t i = 0; i < n; i++) {
		size_t number = nth(order, i);
		const struct pyd_batch_rec *r = &b->recs[number];
		const struct pyd_batch_place *at = &s->places[number];
		uint32_t nattrs = len_of(b, r->shape);
		size_t more = (size_t)r->nrefs + nattrs;

		/* Numbers are little-endian, as this machine's. */
		memcpy(type + 2 * i, &r->type, 2);
		memcpy(shape + 2 * i, &r->shape, 2);
		node[i] = (uint8_t)r->node;
		s->numbers[i] = r->size;
		s->numbers[n + i] = r->refcnt;
		s->numbers[2 * n + i] = r->nrefs;
		s->numbers[3 * n + i] = nattrs;
		s->numbers[4 * n + i] = r->vlen;
		s->addrs.data[i] = r->addr;
		if (holes)
			continue;
		/* There is room behind both, here and there. */
		copy(values, b->values.data + at->value, r->vlen, SHORT, SHORT);
		values += r->vlen;
		copy(words + nwords, b->refs.data + at->refs, 8 * more, 8 * FEW,
		     8 * FEW);
		nwords += more;
	}
	for (size_t k = 0; k < NUMBERS; k++)
		pyd_column_put32(numbers[k], s->numbers + k * n, n);
	pyd_column_put64(addr, s->addrs.data, n, true);
	if (!holes)
		pyd_column_put64(refs, words, nwords, false);
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

static enum pyd_code pack(const struct pyd_batch *b,
			  struct pyd_batch_scratch *scratch,
			  struct pyd_buf *out, struct pyd_batch_holes *holes,
			  struct pyd_err *err)
{
	size_t n = b->n;
	size_t left_out =
		holes ? 8 * pyd_batch_nrefs(b) + pyd_batch_nbytes(b) : 0;
	struct order order = { 0 };
	struct pyd_mp_out o = { .buf = out, .err = err };
	enum pyd_code code = reserve(scratch, n, holes ? 0 : b->refs.len, err);

	pyd_buf_clear(out);
	if (!code)
		code = pyd_buf_reserve(out, b->raw - left_out + SHORT, err);
	if (!code)
		code = sort(b, scratch, &order, err);
	if (code)
		return code;

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
		pack_columns(b, scratch, &order, &o, holes);
	if (!o.code && b->nmarks) {
		for (size_t i = 0; i < n; i++)
			scratch->addrs.data[nth(&order, i)] = i;
		pack_marks(b, scratch->addrs.data, &o);
	}
	/* Column pointers were taken before the buffer was full. */
	assert(out->len + left_out <= b->raw || o.code);
	return o.code;
}

enum pyd_code pyd_batch_pack(const struct pyd_batch *b,
			     struct pyd_batch_scratch *scratch,
			     struct pyd_buf *out, struct pyd_err *err)
{
	return pack(b, scratch, out, NULL, err);
}

enum pyd_code pyd_batch_pack_huge(const struct pyd_batch *b,
				  struct pyd_batch_scratch *scratch,
				  struct pyd_buf *out,
				  struct pyd_batch_holes *ret,
				  struct pyd_err *err)
{
	return pack(b, scratch, out, ret, err);
}

void pyd_batch_scratch_deinit(struct pyd_batch_scratch *s)
{
	free(s->numbers);
	free(s->places);
	pyd_vec_deinit(&s->order);
	pyd_vec_deinit(&s->words);
	pyd_vec_deinit(&s->addrs);
	*s = (struct pyd_batch_scratch) { 0 };
}
