// SPDX-License-Identifier: Apache-2.0
#include "read/record.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "read/chars.h"
#include "read/limit.h"

enum {
	CSTR_MAX = 64 << 10, /* of a C string, bytes */
	SHORT = 256,	     /* bytes of a field that is never cut */
};

static const struct pyd_record_reader readers[] = {
#define PYD_RECORD(n) { .name = #n, .read = pyd_record_##n },
#include "read/records.def"
#undef PYD_RECORD
};

/* -- what readers ask for -- */

static int find(const struct pyd_record *rec, const char *field)
{
	for (size_t i = 0; i < rec->ct->nfields; i++)
		if (!strcmp(rec->ct->fields[i].name, field))
			return rec->present[i] ? (int)i : -1;
	return -1;
}

bool pyd_record_has(const struct pyd_record *rec, const char *field)
{
	return find(rec, field) >= 0;
}

uint64_t pyd_record_u64(const struct pyd_record *rec, const char *field)
{
	int i = find(rec, field);

	return i < 0 ? 0 : rec->number[i];
}

int64_t pyd_record_i64(const struct pyd_record *rec, const char *field)
{
	return (int64_t)pyd_record_u64(rec, field);
}

pyd_addr pyd_record_at(const struct pyd_record *rec, const char *field)
{
	int i = find(rec, field);

	return i < 0 ? 0 : rec->at[i];
}

/* -- text and memory -- */

enum pyd_code pyd_record_text(struct pyd_node *n, const char *name,
			      const void *text, size_t len, struct pyd_err *err)
{
	const uint8_t *s = text;
	size_t before = n->value.len;
	enum pyd_code code = PYD_OK;

	for (size_t i = 0; i < len && !code;) {
		uint32_t c;
		size_t k = pyd_utf8_char(s + i, len - i, &c);

		if (k) {
			code = pyd_buf_append(&n->value, s + i, k, err);
			i += k;
		} else {
			/* U+DC80 to U+DCFF */
			const uint8_t escape[3] = {
				0xed,
				(uint8_t)(0xb0 | s[i] >> 6),
				(uint8_t)(0x80 | (s[i] & 0x3f)),
			};

			code = pyd_buf_append(&n->value, escape, 3, err);
			i++;
		}
	}
	if (code)
		return code;
	return pyd_node_field(n, PYD_ORIGIN_TEXT, name, n->value.len - before,
			      err);
}

void pyd_record_cut(struct pyd_node *n, const char *name, uint64_t total)
{
	size_t len = strlen(n->mark_text);

	/* One mark for all; the total is the first one's. */
	if (len) {
		snprintf(n->mark_text + len, sizeof(n->mark_text) - len,
			 ", field %s of %llu", name, (unsigned long long)total);
		return;
	}
	if (n->mark)
		return;
	n->mark = PYD_MARK_TRUNCATED;
	n->mark_total = total;
	snprintf(n->mark_text, sizeof(n->mark_text), "field %s", name);
}

enum pyd_code pyd_record_memory(struct pyd_reader *r, struct pyd_node *n,
				enum pyd_origin origin, const char *name,
				pyd_addr addr, uint64_t len,
				struct pyd_err *err)
{
	uint64_t max = origin == PYD_ORIGIN_TEXT ? r->max_string : r->max_blob;
	uint64_t take = len;
	enum pyd_code code;

	if (!max || max > PYD_BLOB_MAX)
		max = PYD_BLOB_MAX;
	/* Short fields are what the object is known by. */
	if (max < SHORT)
		max = SHORT;
	if (take > max) {
		if (!pyd_is_mapped(r->target, addr, len))
			return pyd_err_at(err, PYD_FAULT, addr,
					  "%s is not mapped", name);
		take = max;
		/* Whole numbers only. */
		if (origin == PYD_ORIGIN_INTS)
			take -= take % 8;
		pyd_record_cut(n, name, len);
	}
	if (take && !pyd_is_mapped(r->target, addr, take))
		return pyd_err_at(err, PYD_FAULT, addr, "%s is not mapped",
				  name);
	pyd_buf_clear(&r->bytes);
	code = pyd_buf_reserve(&r->bytes, take + 1, err);
	if (code)
		return code;
	if (take) {
		code = pyd_target_read(r->target, addr, r->bytes.data, take,
				       err);
		if (code)
			return code;
	}
	if (origin == PYD_ORIGIN_TEXT)
		return pyd_record_text(n, name, r->bytes.data, take, err);
	return pyd_node_blob(n, origin, name, r->bytes.data, take, err);
}

/* -- fields -- */

/* Where the field stands; 0 when a pointer on the way is NULL. */
static enum pyd_code locate(struct pyd_reader *r, const struct pyd_obj *o,
			    const struct pyd_cfield *f, pyd_addr *ret,
			    struct pyd_err *err)
{
	pyd_addr at = o->addr + (uint64_t)f->steps[0];
	enum pyd_code code;

	for (size_t i = 1; i < f->nsteps; i++) {
		uint64_t off = at - o->addr;
		uint64_t to;

		if (i == 1 && off + 8 <= o->len) {
			memcpy(&to, o->bytes + off, 8);
		} else {
			code = pyd_target_read_u64(r->target, at, &to, err);
			if (code)
				return code;
		}
		*ret = 0;
		if (!to)
			return PYD_OK;
		at = to + (uint64_t)f->steps[i];
	}
	*ret = at;
	return PYD_OK;
}

static enum pyd_code read_number(struct pyd_reader *r, const struct pyd_obj *o,
				 const struct pyd_cfield *f, pyd_addr at,
				 uint64_t *ret, struct pyd_err *err)
{
	uint8_t raw[8] = { 0 };
	uint64_t off = at - o->addr, v = 0;
	enum pyd_code code;

	if (off < o->len && f->width <= o->len - off) {
		memcpy(raw, o->bytes + off, f->width);
	} else {
		code = pyd_target_read(r->target, at, raw, f->width, err);
		if (code)
			return code;
	}
	if (f->big_endian)
		for (size_t i = 0; i < f->width; i++)
			v = v << 8 | raw[i];
	else
		memcpy(&v, raw, sizeof(v));
	if (f->value == PYD_CVALUE_INT && f->width < 8) {
		unsigned int shift = 64 - 8U * f->width;

		v = (uint64_t)((int64_t)(v << shift) >> shift);
	}
	if (f->bit >= 0)
		v = v >> f->bit & 1;
	*ret = v;
	return PYD_OK;
}

enum pyd_code pyd_obj_field(struct pyd_reader *r, const struct pyd_obj *o,
			    const char *field, uint64_t *ret, bool *ret_has,
			    struct pyd_err *err)
{
	*ret = 0;
	*ret_has = false;
	for (size_t k = 0; k < o->type->nrecords; k++) {
		const struct pyd_ctype *ct = o->type->records[k];

		for (size_t i = 0; i < ct->nfields; i++) {
			const struct pyd_cfield *f = &ct->fields[i];
			pyd_addr at;
			enum pyd_code code;

			if (strcmp(f->name, field))
				continue;
			code = locate(r, o, f, &at, err);
			if (code || !at)
				return code;
			code = read_number(r, o, f, at, ret, err);
			*ret_has = !code;
			return code;
		}
	}
	return PYD_OK;
}

static enum pyd_code count_of(struct pyd_reader *r,
			      const struct pyd_record *rec,
			      const struct pyd_cfield *f, uint64_t *ret,
			      struct pyd_err *err)
{
	uint64_t n = 1, factor = (uint64_t)f->number;

	switch (f->count_of) {
	case PYD_CCOUNT_FIELD:
		n = rec->present[f->count_field] ? rec->number[f->count_field]
						 : 0;
		break;
	case PYD_CCOUNT_OB_SIZE:
		n = pyd_obj_nitems(r, rec->obj);
		break;
	default:
		break;
	}
	if (n > 1ULL << 40 || (factor && n > (1ULL << 46) / factor))
		return pyd_err_at(err, PYD_CORRUPT, rec->obj->addr,
				  "impossible length of %s", f->name);
	*ret = n * factor;
	return PYD_OK;
}

enum pyd_code pyd_record_cstr(struct pyd_reader *r, struct pyd_node *n,
			      const char *name, pyd_addr addr, uint64_t max,
			      struct pyd_err *err)
{
	uint8_t cut = 0;
	enum pyd_code code;

	pyd_buf_clear(&r->bytes);
	code = pyd_buf_reserve(&r->bytes, max + 1, err);
	if (code)
		return code;
	code = pyd_target_read_cstr(r->target, addr, (char *)r->bytes.data,
				    max + 1, &cut, err);
	if (!code && cut)
		pyd_record_cut(n, name, 0);
	return code;
}

static enum pyd_code add_cstr(struct pyd_reader *r, const struct pyd_cfield *f,
			      pyd_addr at, struct pyd_node *n,
			      struct pyd_err *err)
{
	uint64_t max = CSTR_MAX;
	enum pyd_code code;

	if (r->max_string && r->max_string < max)
		max = r->max_string > SHORT ? r->max_string : SHORT;
	code = pyd_record_cstr(r, n, f->name, at, max, err);
	if (code)
		return code;
	return pyd_record_text(n, f->name, r->bytes.data,
			       strlen((const char *)r->bytes.data), err);
}

/* Of count references, pairs of them. */
static enum pyd_code add_pairs(struct pyd_reader *r, pyd_addr at,
			       uint64_t count, struct pyd_node *n,
			       struct pyd_err *err)
{
	uint64_t pairs = pyd_limit_items(r, n, count / 2);

	return pyd_read_pointers(r, at, pairs < count / 2 ? pairs * 2 : count,
				 &n->refs, err);
}

static enum pyd_code add_float(const struct pyd_cfield *f, uint64_t bits,
			       struct pyd_node *n, struct pyd_err *err)
{
	double v;
	float narrow;

	if (f->width == 4) {
		memcpy(&narrow, &bits, sizeof(narrow));
		v = (double)narrow;
		memcpy(&bits, &v, sizeof(bits));
	}
	return pyd_node_field(n, PYD_ORIGIN_FLOAT, f->name, bits, err);
}

static enum pyd_code add_char(const struct pyd_cfield *f, uint64_t c,
			      struct pyd_node *n, struct pyd_err *err)
{
	uint8_t text[4];

	return pyd_node_blob(n, PYD_ORIGIN_TEXT, f->name, text,
			     pyd_utf8_put(text, (uint32_t)c), err);
}

/* Adds what stands at a field's place to the node; v is the number there, or
 * the count of what is there. */
static enum pyd_code add_value(struct pyd_reader *r, const struct pyd_cfield *f,
			       pyd_addr at, uint64_t v, struct pyd_node *n,
			       struct pyd_err *err)
{
	if (f->bit >= 0)
		return pyd_node_field(n, PYD_ORIGIN_BOOL, f->name, v, err);
	switch (f->value) {
	case PYD_CVALUE_OBJECT:
		return pyd_node_field(n, PYD_ORIGIN_FIELD, f->name, v, err);
	case PYD_CVALUE_CONST:
	case PYD_CVALUE_INT:
		return pyd_node_field(n, PYD_ORIGIN_INT, f->name, v, err);
	case PYD_CVALUE_UINT:
		return pyd_node_field(n, PYD_ORIGIN_UINT, f->name, v, err);
	case PYD_CVALUE_BOOL:
		return pyd_node_field(n, PYD_ORIGIN_BOOL, f->name, v != 0, err);
	case PYD_CVALUE_ADDRESS:
		return pyd_node_field(n, PYD_ORIGIN_ADDRESS, f->name, v, err);
	case PYD_CVALUE_FLOAT:
		return add_float(f, v, n, err);
	case PYD_CVALUE_CHAR:
		return add_char(f, v & 0xff, n, err);
	case PYD_CVALUE_CSTR:
		/* A NULL text is a field that is not there. */
		if (!v)
			return PYD_OK;
		return add_cstr(r, f, v, n, err);
	case PYD_CVALUE_TEXT:
		return pyd_record_memory(r, n, PYD_ORIGIN_TEXT, f->name, at, v,
					 err);
	case PYD_CVALUE_BYTES:
		return pyd_record_memory(r, n, PYD_ORIGIN_BYTES, f->name, at, v,
					 err);
	case PYD_CVALUE_INTS:
		return pyd_record_memory(r, n, PYD_ORIGIN_INTS, f->name, at,
					 v * 8, err);
	case PYD_CVALUE_OBJECTS:
		if (f->pairs)
			n->kind = PYD_KIND_mapping;
		if (f->pairs)
			return add_pairs(r, at, v, n, err);
		return pyd_limit_pointers(r, at, v, n, err);
	}
	return PYD_OK;
}

/* True when a description nearer to the type, one of the first k, has shown a
 * field of that name: a base says the same again. */
static bool is_shown(const struct pyd_obj *o, size_t k, const char *name)
{
	for (size_t j = 0; j < k; j++) {
		const struct pyd_ctype *ct = o->type->records[j];

		for (size_t i = 0; i < ct->nfields; i++)
			if (!ct->fields[i].hidden &&
			    !strcmp(ct->fields[i].name, name))
				return true;
	}
	return false;
}

static bool has_run(const struct pyd_obj *o, size_t k, const char *reader)
{
	for (size_t j = 0; j < k; j++)
		if (!strcmp(o->type->records[j]->reader, reader))
			return true;
	return false;
}

/* Takes field i into the record, and into the node unless it is hidden. */
static enum pyd_code take_field(struct pyd_reader *r, struct pyd_record *rec,
				size_t i, size_t k, struct pyd_node *n,
				struct pyd_err *err)
{
	const struct pyd_cfield *f = &rec->ct->fields[i];
	uint64_t v = 0, count = 0;
	pyd_addr at = 0;
	enum pyd_code code;

	rec->present[i] = false;
	rec->number[i] = 0;
	rec->at[i] = 0;
	if (f->condition >= 0 &&
	    !(rec->present[f->condition] && rec->number[f->condition]))
		return PYD_OK;
	if (f->value == PYD_CVALUE_CONST) {
		v = (uint64_t)f->number;
	} else {
		code = locate(r, rec->obj, f, &at, err);
		if (code || !at)
			return code;
		if (f->count_of) {
			code = count_of(r, rec, f, &count, err);
			v = count;
		} else {
			code = read_number(r, rec->obj, f, at, &v, err);
		}
		if (code)
			return code;
	}
	rec->present[i] = true;
	rec->number[i] = v;
	rec->at[i] = at;
	if (f->hidden || is_shown(rec->obj, k, f->name))
		return PYD_OK;
	return add_value(r, f, at, v, n, err);
}

enum pyd_code pyd_record_member(struct pyd_reader *r, const struct pyd_obj *o,
				const struct pyd_cfield *f, bool slot,
				pyd_addr name, struct pyd_node *n,
				struct pyd_err *err)
{
	pyd_addr at = o->addr + (uint64_t)f->steps[0];
	size_t i = n->attrs.len;
	uint64_t v;
	enum pyd_code code = read_number(r, o, f, at, &v, err);

	if (!code)
		code = add_value(r, f, at, v, n, err);
	/* A pointer to text is no more than that: the object stays. */
	if (f->value == PYD_CVALUE_CSTR && pyd_code_is_local(code))
		return PYD_OK;
	if (code || n->attrs.len == i)
		return code;
	if (n->names[i].origin == PYD_ORIGIN_FIELD)
		n->names[i].origin = slot ? PYD_ORIGIN_SLOT : PYD_ORIGIN_MEMBER;
	n->names[i].where = PYD_NAME_CSTR;
	n->names[i].name = name;
	return PYD_OK;
}

static const struct pyd_record_reader *find_reader(const char *name)
{
	for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++)
		if (!strcmp(readers[i].name, name))
			return &readers[i];
	return NULL;
}

bool pyd_record_knows(const char *name)
{
	return find_reader(name) != NULL;
}

enum pyd_code pyd_record_read(struct pyd_reader *r, const struct pyd_obj *o,
			      struct pyd_node *n, struct pyd_err *err)
{
	struct pyd_record rec = { .obj = o };
	enum pyd_code code;

	if (n->kind == PYD_KIND_object)
		n->kind = PYD_KIND_record;
	for (size_t k = 0; k < o->type->nrecords; k++) {
		rec.ct = o->type->records[k];
		for (size_t i = 0; i < rec.ct->nfields; i++) {
			code = take_field(r, &rec, i, k, n, err);
			if (code)
				return code;
		}
		if (*rec.ct->reader && !has_run(o, k, rec.ct->reader)) {
			code = find_reader(rec.ct->reader)
				       ->read(r, &rec, n, err);
			if (code)
				return code;
		}
	}
	return PYD_OK;
}

/* -- guesses -- */

/* True when there is a live object at addr, as far as a look at it and at its
 * type can tell. */
static bool looks_live(struct pyd_reader *r, pyd_addr addr)
{
	const struct pyd_layout *lay = r->lay;
	const struct pyd_region *region = pyd_target_region(r->target, addr);
	const struct pyd_type *type;
	uint64_t type_addr, meta, count;
	struct pyd_err ignored;

	if (addr % 16 && addr % PYD_OBJ_ALIGN)
		return false;
	if (!addr || (r->target->nregions && !region))
		return false;
	if (pyd_target_read_u64(r->target,
				addr + (uint64_t)PYD_OFF(lay, object, ob_type),
				&type_addr, &ignored) ||
	    !type_addr || type_addr % PYD_OBJ_ALIGN)
		return false;
	/* Before the type is looked at in full, and remembered: its type must
	 * be one that is known. */
	if (pyd_target_read_u64(r->target,
				type_addr +
					(uint64_t)PYD_OFF(lay, object, ob_type),
				&meta, &ignored) ||
	    (meta != r->type_type && !pyd_map_get(&r->types, meta, &count)))
		return false;
	if (pyd_type_get(r, type_addr, &type, &ignored))
		return false;
	if (PYD_OFF(lay, object, ob_refcnt) == PYD_ABSENT)
		return true;
	if (pyd_target_read_u64(
		    r->target, addr + (uint64_t)PYD_OFF(lay, object, ob_refcnt),
		    &count, &ignored))
		return false;
	/* Immortal ones have flags in the upper half (3.12+). */
	return (count & UINT32_MAX) != 0;
}

enum pyd_code pyd_guess_read(struct pyd_reader *r, const struct pyd_obj *o,
			     struct pyd_node *n, struct pyd_err *err)
{
	const struct pyd_type *type = o->type;

	for (size_t i = 0; i < type->nguesses; i++) {
		uint64_t word = pyd_obj_u64(o, type->guesses[i]);
		enum pyd_code code;

		if (!looks_live(r, word))
			continue;
		code = pyd_node_attr(n, PYD_ORIGIN_GUESS, PYD_NAME_WORD,
				     type->guesses[i], word, err);
		if (code)
			return code;
	}
	return PYD_OK;
}
