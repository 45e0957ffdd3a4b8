// SPDX-License-Identifier: Apache-2.0
#include "dump/objects.h"

#include <stdlib.h>
#include <string.h>

bool pyd_column_parse(const char *s, size_t len, struct pyd_column_spec *ret)
{
	struct pyd_column_spec spec = { 0 };

	while (len) {
		size_t n = 0;

		while (n < len && s[n] != ' ')
			n++;
		if (n == 2 && !memcmp(s, "u8", 2) && !spec.width)
			spec.width = 1;
		else if (n == 3 && !memcmp(s, "u16", 3) && !spec.width)
			spec.width = 2;
		else if (n == 3 && !memcmp(s, "u32", 3) && !spec.width)
			spec.width = 4;
		else if (n == 3 && !memcmp(s, "u64", 3) && !spec.width)
			spec.width = 8;
		else if (n == 5 && !memcmp(s, "bytes", 5) && !spec.width)
			spec.width = 1;
		else if (n == 5 && !memcmp(s, "delta", 5))
			spec.delta = true;
		else if (n == 7 && !memcmp(s, "shuffle", 7))
			spec.shuffle = true;
		else if (n && !(n == 3 && !memcmp(s, "raw", 3)))
			return false;
		s += n;
		len -= n;
		if (len) {
			s++;
			len--;
		}
	}
	if (!spec.width)
		return false;
	*ret = spec;
	return true;
}

enum pyd_code pyd_column_decode(const struct pyd_column_spec *spec,
				const uint8_t *data, size_t len,
				const char *name, struct pyd_vec *ret,
				struct pyd_err *err)
{
	size_t width = spec->width;
	size_t n = width ? len / width : 0;
	size_t plane = spec->shuffle ? n : 1;
	size_t step = spec->shuffle ? 1 : width;
	uint64_t mask = width == 8 ? UINT64_MAX : (1ULL << (8 * width)) - 1;
	uint64_t sum = 0;
	enum pyd_code code;

	if (!width || n * width != len)
		return pyd_err_set(err, PYD_FORMAT, "column %s does not fit",
				   name);
	pyd_vec_clear(ret);
	code = pyd_vec_reserve(ret, n, err);
	if (code)
		return code;
	for (size_t i = 0; i < n; i++) {
		uint64_t v = 0;

		for (size_t k = 0; k < width; k++)
			v |= (uint64_t)data[i * step + k * plane] << (8 * k);
		if (spec->delta)
			v = sum = (sum + v) & mask;
		ret->data[i] = v;
	}
	ret->len = n;
	return PYD_OK;
}

/* -- a batch -- */

struct decode {
	const struct pyd_column_spec *specs;
	struct pyd_dump_value map;
	struct pyd_vec words;
	struct pyd_dump_batch *b;
	struct pyd_err *err;
};

static enum pyd_code bad(struct decode *d, const char *why)
{
	return pyd_err_set(d->err, PYD_FORMAT, "%s", why);
}

static enum pyd_code nomem(struct decode *d)
{
	return pyd_err_set(d->err, PYD_NOMEM, "out of memory");
}

/* One column into d->words. n elements, unless n is UINT64_MAX. */
static enum pyd_code column(struct decode *d, enum pyd_column col, uint64_t n)
{
	static const char *const names[] = {
#define PYD_COLUMN(id, name, encoding) [PYD_COLUMN_##id] = name,
		PYD_COLUMNS(PYD_COLUMN)
#undef PYD_COLUMN
	};
	struct pyd_dump_value v = pyd_dump_value_get(d->map, names[col]);
	const char *data;
	size_t len;
	enum pyd_code code;

	if (!pyd_dump_value_text(v, &data, &len))
		return pyd_err_set(d->err, PYD_FORMAT, "column %s is missing",
				   names[col]);
	code = pyd_column_decode(&d->specs[col], (const uint8_t *)data, len,
				 names[col], &d->words, d->err);
	if (!code && n != UINT64_MAX && d->words.len != n)
		code = pyd_err_set(d->err, PYD_FORMAT, "column %s does not fit",
				   names[col]);
	return code;
}

static enum pyd_code words64(struct decode *d, uint64_t **ret)
{
	uint64_t *p = malloc(8 * d->words.len + 8);

	if (!p)
		return nomem(d);
	if (d->words.len)
		memcpy(p, d->words.data, 8 * d->words.len);
	d->b->bytes += 8 * d->words.len;
	*ret = p;
	return PYD_OK;
}

/* A column of numbers up to max, and below it. */
static enum pyd_code column32(struct decode *d, enum pyd_column col,
			      uint64_t max, uint32_t **ret)
{
	enum pyd_code code = column(d, col, d->b->n);
	uint32_t *p;

	if (code)
		return code;
	p = malloc(4 * d->words.len + 4);
	if (!p)
		return nomem(d);
	*ret = p;
	for (size_t i = 0; i < d->words.len; i++) {
		if (d->words.data[i] > max)
			return bad(d, "a number in it is out of range");
		p[i] = (uint32_t)d->words.data[i];
	}
	d->b->bytes += 4 * d->words.len;
	return PYD_OK;
}

/* A column of lengths, as n + 1 beginnings; their sum must be total. other is
 * added to each, or NULL. */
static enum pyd_code lengths(struct decode *d, enum pyd_column col,
			     const uint32_t *other, uint64_t total,
			     uint32_t **ret)
{
	enum pyd_code code = column(d, col, d->b->n);
	uint64_t sum = 0;
	uint32_t *p;

	if (code)
		return code;
	p = malloc(4 * d->words.len + 4);
	if (!p)
		return nomem(d);
	*ret = p;
	/* total is below 2**30: what a frame can hold. */
	for (size_t i = 0; i < d->words.len; i++) {
		uint64_t len = d->words.data[i];

		p[i] = (uint32_t)sum;
		if (len > total)
			return bad(d, "a length in it is out of range");
		sum += len + (other ? other[i] : 0);
		if (sum > total)
			return bad(d, "its lengths are more than is there");
	}
	p[d->words.len] = (uint32_t)sum;
	if (sum != total)
		return bad(d, "its lengths are less than is there");
	d->b->bytes += 4 * d->words.len;
	return PYD_OK;
}

static enum pyd_code types(struct decode *d, uint64_t *ret_n)
{
	struct pyd_dump_value v = pyd_dump_value_get(d->map, "types");
	struct pyd_dump_iter it = pyd_dump_value_iter(v);
	size_t n = pyd_dump_value_len(v);
	enum pyd_code code;

	if (pyd_dump_value_type(v) != PYD_DUMP_LIST)
		return bad(d, "types are missing");
	pyd_vec_clear(&d->words);
	while (pyd_dump_iter_next(&it, NULL, &v)) {
		uint64_t addr;

		if (!pyd_dump_value_u64(v, &addr))
			return bad(d, "a type is no address");
		code = pyd_vec_push(&d->words, addr, d->err);
		if (code)
			return code;
	}
	*ret_n = n;
	return words64(d, &d->b->types);
}

/* A name as text of the raw bytes. False when it is none. */
static bool shape_entry(struct pyd_dump_value v, struct pyd_dump_attr *ret)
{
	struct pyd_dump_iter it = pyd_dump_value_iter(v);
	struct pyd_dump_value e;
	uint64_t origin;
	const char *s;
	size_t len;

	if (it.map || !pyd_dump_iter_next(&it, NULL, &e) ||
	    !pyd_dump_value_u64(e, &origin) || origin > UINT8_MAX ||
	    !pyd_dump_iter_next(&it, NULL, &e) ||
	    !pyd_dump_value_text(e, &s, &len))
		return false;
	*ret = (struct pyd_dump_attr) { .origin = (uint8_t)origin,
					.name = s,
					.name_len = (uint32_t)len };
	return true;
}

static enum pyd_code shapes(struct decode *d, uint64_t *ret_n)
{
	struct pyd_dump_value list = pyd_dump_value_get(d->map, "shapes");
	struct pyd_dump_value v, e;
	struct pyd_dump_iter it = pyd_dump_value_iter(list);
	struct pyd_dump_iter inner;
	size_t n = pyd_dump_value_len(list);
	size_t total = 0, at = 0, i = 0;

	if (pyd_dump_value_type(list) != PYD_DUMP_LIST)
		return bad(d, "shapes are missing");
	/* Every element counted is a byte at least of what was checked. */
	while (pyd_dump_iter_next(&it, NULL, &v)) {
		if (pyd_dump_value_type(v) != PYD_DUMP_LIST)
			return bad(d, "a shape is no list");
		total += pyd_dump_value_len(v);
	}
	d->b->shapes = calloc(n + 1, sizeof(*d->b->shapes));
	d->b->entries = calloc(total + 1, sizeof(*d->b->entries));
	if (!d->b->shapes || !d->b->entries)
		return nomem(d);
	it = pyd_dump_value_iter(list);
	while (pyd_dump_iter_next(&it, NULL, &v)) {
		d->b->shapes[i].at = (uint32_t)at;
		inner = pyd_dump_value_iter(v);
		while (pyd_dump_iter_next(&inner, NULL, &e)) {
			struct pyd_dump_attr *a = &d->b->entries[at++];

			if (!shape_entry(e, a))
				return bad(d, "a shape does not parse");
			d->b->shapes[i].has_bytes |=
				pyd_origin_has_bytes(a->origin);
		}
		d->b->shapes[i].n = (uint32_t)(at - d->b->shapes[i].at);
		i++;
	}
	d->b->bytes += total * sizeof(*d->b->entries);
	*ret_n = n;
	return PYD_OK;
}

static int by_index(const void *a, const void *b)
{
	uint32_t x = ((const struct pyd_dump_mark *)a)->i;
	uint32_t y = ((const struct pyd_dump_mark *)b)->i;

	return (x > y) - (x < y);
}

static enum pyd_code marks(struct decode *d)
{
	struct pyd_dump_value v = pyd_dump_value_get(d->map, "marks");
	struct pyd_dump_iter it = pyd_dump_value_iter(v);
	size_t n = pyd_dump_value_len(v);

	if (pyd_dump_value_type(v) != PYD_DUMP_LIST || !n)
		return PYD_OK;
	d->b->marks = calloc(n, sizeof(*d->b->marks));
	if (!d->b->marks)
		return nomem(d);
	while (pyd_dump_iter_next(&it, NULL, &v)) {
		struct pyd_dump_mark *m = &d->b->marks[d->b->nmarks++];
		uint64_t i, mark;
		size_t len = 0;

		if (!pyd_dump_value_u64(pyd_dump_value_get(v, "i"), &i) ||
		    !pyd_dump_value_u64(pyd_dump_value_get(v, "mark"), &mark) ||
		    i >= d->b->n || mark > UINT8_MAX)
			return bad(d, "a mark does not parse");
		m->i = (uint32_t)i;
		m->mark = (uint8_t)mark;
		(void)pyd_dump_value_u64(pyd_dump_value_get(v, "total"),
					 &m->total);
		if (pyd_dump_value_text(pyd_dump_value_get(v, "text"), &m->text,
					&len))
			m->text_len = (uint32_t)len;
	}
	qsort(d->b->marks, d->b->nmarks, sizeof(*d->b->marks), by_index);
	d->b->bytes += n * sizeof(*d->b->marks);
	return PYD_OK;
}

static uint32_t slot_of(const struct pyd_dump_batch *b, pyd_addr addr)
{
	return (uint32_t)(addr * 0x9E3779B97F4A7C15ULL >> 32) & b->mask;
}

static enum pyd_code hash(struct decode *d)
{
	struct pyd_dump_batch *b = d->b;
	uint32_t cap = 16;

	while (cap < 2 * (uint64_t)b->n)
		cap *= 2;
	b->slots = calloc(cap, sizeof(*b->slots));
	if (!b->slots)
		return nomem(d);
	b->mask = cap - 1;
	b->bytes += 4UL * cap;
	for (uint32_t i = 0; i < b->n; i++) {
		uint32_t s = slot_of(b, b->addr[i]);

		while (b->slots[s] && b->addr[b->slots[s] - 1] != b->addr[i])
			s = (s + 1) & b->mask;
		if (!b->slots[s])
			b->slots[s] = i + 1;
	}
	return PYD_OK;
}

/* Each object has as many attributes as its shape has names. */
static enum pyd_code check_attrs(struct decode *d)
{
	const struct pyd_dump_batch *b = d->b;

	for (uint32_t i = 0; i < b->n; i++)
		if (b->nattrs[i] != b->shapes[b->shape[i]].n)
			return bad(d, "an object does not fit its shape");
	return PYD_OK;
}

static enum pyd_code fill(struct decode *d)
{
	struct pyd_dump_batch *b = d->b;
	uint64_t n, ntypes = 0, nshapes = 0, nrefs;
	const char *data;
	size_t len;
	enum pyd_code code;

	if (!pyd_dump_value_u64(pyd_dump_value_get(d->map, "n"), &n) ||
	    n > PYD_FORMAT_FRAME_MAX)
		return bad(d, "it does not say how many objects it has");
	b->n = (uint32_t)n;
	/* From here on b->n is no more than the bytes of this column. */
	code = column(d, PYD_COLUMN_addr, n);
	if (!code)
		code = words64(d, &b->addr);
	if (!code)
		code = types(d, &ntypes);
	if (!code)
		code = shapes(d, &nshapes);
	if (code)
		return code;
	if (n && (!ntypes || !nshapes))
		return bad(d, "its tables are empty");
	code = column32(d, PYD_COLUMN_type, ntypes ? ntypes - 1 : 0, &b->type);
	if (!code)
		code = column32(d, PYD_COLUMN_shape, nshapes ? nshapes - 1 : 0,
				&b->shape);
	if (!code)
		code = column32(d, PYD_COLUMN_size, UINT32_MAX, &b->size);
	if (!code)
		code = column32(d, PYD_COLUMN_refcnt, UINT32_MAX, &b->refcnt);
	if (!code)
		code = column32(d, PYD_COLUMN_nattrs, UINT32_MAX, &b->nattrs);
	if (!code)
		code = check_attrs(d);
	if (!code)
		code = column(d, PYD_COLUMN_refs, UINT64_MAX);
	if (!code)
		code = words64(d, &b->refs);
	if (code)
		return code;
	nrefs = d->words.len;
	code = lengths(d, PYD_COLUMN_nrefs, b->nattrs, nrefs, &b->refs_at);
	if (code)
		return code;
	if (!pyd_dump_value_text(pyd_dump_value_get(d->map, "values"), &data,
				 &len))
		return bad(d, "column values is missing");
	b->values = (const uint8_t *)data;
	code = lengths(d, PYD_COLUMN_vlen, NULL, len, &b->value_at);
	if (!code)
		code = column(d, PYD_COLUMN_node, n);
	if (code)
		return code;
	b->node = malloc(n + 1);
	if (!b->node)
		return nomem(d);
	for (size_t i = 0; i < n; i++) {
		if (d->words.data[i] > UINT8_MAX)
			return bad(d, "a kind is out of range");
		b->node[i] = (uint8_t)d->words.data[i];
	}
	code = marks(d);
	if (!code)
		code = hash(d);
	return code;
}

enum pyd_code pyd_objects_decode(const struct pyd_column_spec *specs,
				 struct pyd_buf *raw, struct pyd_dump_value map,
				 const char *what, struct pyd_dump_batch **ret,
				 struct pyd_err *err)
{
	struct decode d = { .specs = specs, .map = map, .err = err };
	enum pyd_code code;

	d.b = calloc(1, sizeof(*d.b));
	if (!d.b) {
		pyd_buf_deinit(raw);
		return nomem(&d);
	}
	d.b->raw = *raw;
	d.b->bytes = raw->cap;
	*raw = (struct pyd_buf) { 0 };
	code = fill(&d);
	pyd_vec_deinit(&d.words);
	if (code) {
		pyd_objects_destroy(d.b);
		if (code == PYD_FORMAT)
			pyd_err_prefix(err, "%s is damaged", what);
		return code;
	}
	*ret = d.b;
	return PYD_OK;
}

uint32_t pyd_objects_find(const struct pyd_dump_batch *b, pyd_addr addr)
{
	uint32_t s = slot_of(b, addr);

	while (b->slots[s]) {
		if (b->addr[b->slots[s] - 1] == addr)
			return b->slots[s] - 1;
		s = (s + 1) & b->mask;
	}
	return UINT32_MAX;
}

void pyd_objects_destroy(struct pyd_dump_batch *b)
{
	if (!b)
		return;
	pyd_buf_deinit(&b->raw);
	free(b->addr);
	free(b->refs);
	free(b->types);
	free(b->type);
	free(b->shape);
	free(b->size);
	free(b->refcnt);
	free(b->nattrs);
	free(b->refs_at);
	free(b->value_at);
	free(b->node);
	free(b->shapes);
	free(b->entries);
	free(b->marks);
	free(b->slots);
	free(b);
}
