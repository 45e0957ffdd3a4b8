// SPDX-License-Identifier: Apache-2.0
/* A batch becomes columns: sorted by type and address, then packed. */
#include "dump/batch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dump/batch_private.h"
#include "dump/column.h"
#include "dump/mp.h"

/* Columns of 32-bit numbers. */
enum { NUMBERS = 5 };

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
	return code ? code
		    : pyd_vec_reserve(&s->words, words + PYD_BATCH_FEW, err);
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
		pyd_batch_copy(values, b->values.data + at->value, r->vlen,
			       PYD_BATCH_SHORT, PYD_BATCH_SHORT);
		values += r->vlen;
		pyd_batch_copy(words + nwords, b->refs.data + at->refs,
			       8 * more, 8 * PYD_BATCH_FEW, 8 * PYD_BATCH_FEW);
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
		code = pyd_buf_reserve(out, b->raw - left_out + PYD_BATCH_SHORT,
				       err);
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
