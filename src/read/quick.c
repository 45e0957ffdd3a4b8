// SPDX-License-Identifier: Apache-2.0
#include "read/quick.h"

#include "read/dictkeys.h"
#include "read/family.h"

enum {
	/* Of an object, at once: the fixed part of these types. */
	BYTES = 64,
	DIGIT_BITS = 30,
	VALUE_MIN = 64, /* room in a node's value that is always enough for a
			 * number */
	TEXT_MAX = PYD_WINDOW_BYTES,
};

/* -- types -- */

/* True when all of these fields lie in the fixed part. */
static bool have(const struct pyd_layout *lay, const struct pyd_type *type,
		 const enum pyd_field *fields, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int32_t off = lay->off[fields[i]];

		if (off < 0 || off > BYTES - 8 || off + 8 > type->basicsize)
			return false;
	}
	return true;
}

#define HAVE(...)                                                              \
	have(lay, type, (const enum pyd_field[]) { __VA_ARGS__ },              \
	     sizeof((const enum pyd_field[]) { __VA_ARGS__ }) /                \
		     sizeof(enum pyd_field))

enum pyd_quick pyd_quick_of(const struct pyd_layout *lay,
			    const struct pyd_type *type)
{
	bool managed = type->flags & PYD_TPFLAG_MANAGED_DICT &&
		       lay->model_attrs != PYD_M_attrs_dictoffset;
	bool dict = type->dictoffset || type->flags & PYD_TPFLAG_MANAGED_DICT;

	if (type->bad || type->nmembers || type->nguesses || type->nrecords)
		return PYD_QUICK_NO;
	if (type->family == &pyd_family_object)
		return type->itemsize || (type->dictoffset < 0 && !managed)
			       ? PYD_QUICK_NO
			       : PYD_QUICK_INSTANCE;
	if (dict)
		return PYD_QUICK_NO;
	/* Digits begin in the fixed part or right behind it. */
	if (type->family->read == pyd_read_int &&
	    PYD_OFF(lay, long, ob_digit) <= BYTES - 8)
		return PYD_QUICK_INT;
	if (type->family->read == pyd_read_float && HAVE(PYD_F_float_ob_fval))
		return PYD_QUICK_FLOAT;
	if (type->family->read == pyd_read_unicode &&
	    HAVE(PYD_F_unicode_length) &&
	    PYD_OFF(lay, unicode, state) <= BYTES - 4 && !type->itemsize)
		return PYD_QUICK_STR;
	if (type->family->read == pyd_read_bytes)
		return PYD_QUICK_BYTES;
	if (type->family->read == pyd_read_tuple)
		return PYD_QUICK_TUPLE;
	if (type->family->read == pyd_read_list &&
	    HAVE(PYD_F_list_ob_item, PYD_F_list_allocated) && !type->itemsize)
		return PYD_QUICK_LIST;
	if (type->family->read == pyd_read_dict &&
	    HAVE(PYD_F_dict_ma_used, PYD_F_dict_ma_keys,
		 PYD_F_dict_ma_values) &&
	    !type->itemsize)
		return PYD_QUICK_DICT;
	return PYD_QUICK_NO;
}

/* -- bytes -- */

static inline uint64_t u64(const uint8_t *p, int64_t off)
{
	uint64_t v;

	memcpy(&v, p + off, sizeof(v));
	return v;
}

static inline uint32_t u32(const uint8_t *p, int64_t off)
{
	uint32_t v;

	memcpy(&v, p + off, sizeof(v));
	return v;
}

#define U64(r, p, s, f) u64(p, PYD_OFF((r)->lay, s, f))

/* Room for so many words; the readers find out why there is none. */
static inline bool room(struct pyd_vec *v, size_t n)
{
	return n <= v->cap || !pyd_vec_reserve(v, n, NULL);
}

static inline bool refcount(const struct pyd_layout *lay, const uint8_t *at,
			    uint32_t *ret)
{
	uint64_t n;

	switch (lay->model_refcount) {
	case PYD_M_refcount_split:
		n = u32(at, PYD_OFF(lay, object, ob_refcnt));
		*ret = n >= (1U << 30) ? UINT32_MAX : (uint32_t)n;
		return n;
	case PYD_M_refcount_plain:
		n = u64(at, PYD_OFF(lay, object, ob_refcnt));
		*ret = (uint32_t)n;
		return n && n < UINT32_MAX;
	case PYD_M_refcount_biased:
		break;
	}
	return false;
}

/* -- families; at: the object's first bytes -- */

/* Two's complement, little-endian, shortest form. */
static void put_int(struct pyd_buf *out, int64_t v)
{
	uint64_t bits = v < 0 ? ~(uint64_t)v : (uint64_t)v;
	size_t n = bits ? (64 - (size_t)__builtin_clzll(bits)) / 8 + 1 : 1;

	memcpy(out->data, &v, sizeof(v));
	out->len = v ? n : 0;
}

static bool read_int(const struct pyd_reader *r, const uint8_t *at,
		     struct pyd_node *n)
{
	const uint8_t *digits = at + PYD_OFF(r->lay, long, ob_digit);
	uint64_t size, tag, v = 0;
	bool negative;

	if (r->lay->model_int == PYD_M_int_tag) {
		tag = U64(r, at, long, lv_tag);
		size = tag >> 3;
		negative = (tag & 3) == 2;
		if ((tag & 3) == 3 || ((tag & 3) == 1) != (size == 0))
			return false;
	} else {
		size = U64(r, at, object, ob_size);
		negative = size >> 63;
		size = negative ? 0 - size : size;
	}
	if (size > 2)
		return false;
	if (size) {
		uint32_t high = u32(digits, 4 * ((int64_t)size - 1));

		if (!high)
			return false;
		v = size == 1 ? high
			      : (uint64_t)high << DIGIT_BITS | u32(digits, 0);
		if (high >> DIGIT_BITS || u32(digits, 0) >> DIGIT_BITS)
			return false;
	}
	put_int(&n->value, negative ? -(int64_t)v : (int64_t)v);
	n->size = (uint64_t)PYD_OFF(r->lay, long, ob_digit) +
		  (size ? size : 1) * 4;
	return true;
}

static bool is_ascii(const uint8_t *p, size_t n)
{
	uint64_t bits = 0;
	size_t i = 0;

	for (; i + 8 <= n; i += 8)
		bits |= u64(p, (int64_t)i);
	for (; i < n; i++)
		bits |= p[i];
	return !(bits & 0x8080808080808080ULL);
}

/* Bytes that lie at addr become the value. */
static bool read_bytes(const struct pyd_reader *r, pyd_addr addr, uint64_t len,
		       struct pyd_node *n)
{
	const uint8_t *from;

	if (len > TEXT_MAX)
		return false;
	from = pyd_target_at(r->target, addr, len);
	if (!from ||
	    (n->value.cap < len && pyd_buf_reserve(&n->value, len, NULL)))
		return false;
	memcpy(n->value.data, from, len);
	n->value.len = len;
	return true;
}

/* Those of which all characters are ASCII, right behind the object. */
static bool read_str(const struct pyd_reader *r, pyd_addr addr,
		     const uint8_t *at, struct pyd_node *n)
{
	const struct pyd_layout *lay = r->lay;
	uint32_t state = u32(at, PYD_OFF(lay, unicode, state));
	uint64_t len = U64(r, at, unicode, length);
	int32_t off = PYD_OFF(lay, unicode, ascii_size);

	if ((state >> PYD_OFF(lay, unicode, kind_bit) & 7) != 1 ||
	    !(state >> PYD_OFF(lay, unicode, compact_bit) & 1) ||
	    !(state >> PYD_OFF(lay, unicode, ascii_bit) & 1) ||
	    (r->max_string && !r->whole && len > r->max_string))
		return false;
	if (!read_bytes(r, addr + (uint64_t)off, len, n) ||
	    !is_ascii(n->value.data, len))
		return false;
	n->size += len + 1;
	n->size -= (uint64_t)PYD_OFF(lay, unicode, compact_size) -
		   (uint64_t)off + 8;
	return true;
}

/* References that lie at addr. */
static bool read_refs(const struct pyd_reader *r, pyd_addr addr, uint64_t count,
		      struct pyd_node *n)
{
	const uint8_t *from;

	if (count > PYD_WINDOW_BYTES / 8 ||
	    (r->max_items && !r->whole && count > r->max_items))
		return false;
	if (!count)
		return true;
	from = pyd_target_at(r->target, addr, count * 8);
	if (!from || !room(&n->refs, count))
		return false;
	memcpy(n->refs.data, from, count * 8);
	n->refs.len = count;
	return true;
}

static bool read_list(const struct pyd_reader *r, const uint8_t *at,
		      struct pyd_node *n)
{
	uint64_t count = U64(r, at, object, ob_size);
	int64_t allocated = (int64_t)U64(r, at, list, allocated);

	if (allocated < 0 || count > (uint64_t)allocated)
		return false;
	n->size += (uint64_t)allocated * 8;
	return read_refs(r, U64(r, at, list, ob_item), count, n);
}

/* -- dicts, and attributes without one -- */

/* Shared keys and the values of one object. */
struct split {
	const uint8_t *entries;
	size_t stride; /* bytes of an entry */
	const uint8_t *values;
	size_t nvalues;
	/* The order in which they were set: a byte each, the next one step
	 * away. NULL: that of the keys. */
	const uint8_t *order;
	int step;
	size_t n;
};

static const uint8_t *keys_at(const struct pyd_reader *r, pyd_addr addr,
			      struct pyd_dict_keys *ret)
{
	const uint8_t *head =
		pyd_target_at(r->target, addr, pyd_dict_head_bytes(r->lay));

	if (!head || pyd_dict_keys_parse(r->lay, addr, head, ret) ||
	    ret->n > PYD_WINDOW_BYTES / 16)
		return NULL;
	return pyd_target_at(r->target, ret->entries, ret->n * ret->words * 8);
}

static bool split_at(const struct pyd_reader *r, pyd_addr keys, pyd_addr values,
		     struct split *s)
{
	const struct pyd_layout *lay = r->lay;
	struct pyd_dict_keys k;
	const uint8_t *p;
	size_t capacity, items;

	p = keys_at(r, keys, &k);
	if (!p)
		return false;
	/* To the key, which stands before the value. */
	s->entries = p + (k.words - 2) * 8;
	s->stride = k.words * 8;
	s->nvalues = k.n;
	s->order = NULL;
	s->n = k.n;
	switch (lay->model_dictvalues) {
	case PYD_M_dictvalues_array:
		s->values = pyd_target_at(r->target, values, k.n * 8);
		return s->values;
	case PYD_M_dictvalues_prefixed:
		/* [-1]: size of the prefix, [-2]: how many, [-3 - i]: order. */
		p = pyd_target_at(r->target, values - 2, 2);
		if (!p)
			return false;
		s->n = p[0];
		p = pyd_target_at(r->target, values - 2 - s->n,
				  s->n + 2 + k.n * 8);
		if (!p)
			return false;
		s->values = p + s->n + 2;
		s->order = s->values - 3;
		s->step = -1;
		return true;
	case PYD_M_dictvalues_header:
		p = pyd_target_at(r->target, values, 4);
		if (!p)
			return false;
		capacity = p[PYD_OFF(lay, dictvalues, capacity)];
		s->n = p[PYD_OFF(lay, dictvalues, size)];
		items = (size_t)PYD_OFF(lay, dictvalues, values);
		p = pyd_target_at(r->target, values,
				  items + capacity * 8 + s->n);
		if (!p || s->n > capacity)
			return false;
		if (s->nvalues > capacity)
			s->nvalues = capacity;
		s->values = p + items;
		s->order = s->values + capacity * 8;
		s->step = 1;
		return true;
	}
	return false;
}

/* Value i in order, and its key; 0 in *ret_value: it is not set. */
static inline bool split_get(const struct split *s, size_t i, uint64_t *ret_key,
			     uint64_t *ret_value)
{
	size_t at = s->order ? s->order[s->step * (ptrdiff_t)i] : i;

	if (at >= s->nvalues)
		return false;
	*ret_value = u64(s->values, (int64_t)(8 * at));
	*ret_key = u64(s->entries, (int64_t)(s->stride * at));
	return true;
}

static bool read_split(const struct pyd_reader *r, pyd_addr keys,
		       pyd_addr values, struct pyd_node *n)
{
	struct split s;

	if (!split_at(r, keys, values, &s) || !room(&n->refs, 2 * s.n))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		uint64_t key, value;

		if (!split_get(&s, i, &key, &value))
			return false;
		n->refs.data[n->refs.len] = key;
		n->refs.data[n->refs.len + 1] = value;
		n->refs.len += value ? 2 : 0;
	}
	return true;
}

static bool read_combined(const struct pyd_reader *r, pyd_addr keys,
			  struct pyd_node *n)
{
	struct pyd_dict_keys k;
	const uint8_t *p = keys_at(r, keys, &k);

	if (!p || !room(&n->refs, 2 * k.n))
		return false;
	p += (k.words - 2) * 8;
	for (size_t i = 0; i < k.n; i++, p += k.words * 8) {
		uint64_t key = u64(p, 0), value = u64(p, 8);

		/* A deleted entry has no value. */
		n->refs.data[n->refs.len] = key;
		n->refs.data[n->refs.len + 1] = value;
		n->refs.len += key && value ? 2 : 0;
	}
	n->size += k.bytes;
	return true;
}

static bool read_dict(const struct pyd_reader *r, const uint8_t *at,
		      struct pyd_node *n)
{
	uint64_t used = U64(r, at, dict, ma_used);
	pyd_addr keys = U64(r, at, dict, ma_keys);
	pyd_addr values = U64(r, at, dict, ma_values);

	if (r->max_items && !r->whole && used > r->max_items)
		return false;
	return (values ? read_split(r, keys, values, n)
		       : read_combined(r, keys, n)) &&
	       n->refs.len / 2 == used;
}

static bool inline_attrs(const struct pyd_reader *r,
			 const struct pyd_type *type, pyd_addr values,
			 struct pyd_node *n)
{
	struct split s;

	if (!split_at(r, type->cached_keys, values, &s) || s.n > n->names_cap ||
	    !room(&n->attrs, s.n))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		uint64_t key, value;

		if (!split_get(&s, i, &key, &value))
			return false;
		if (!value)
			continue;
		n->names[n->attrs.len] = (struct pyd_attr_name) {
			.origin = PYD_ORIGIN_INLINE,
			.where = PYD_NAME_STR,
			.name = key,
		};
		n->attrs.data[n->attrs.len++] = value;
	}
	return true;
}

static bool dict_attr(struct pyd_node *n, pyd_addr dict)
{
	return !dict ||
	       !pyd_node_attr(n, PYD_ORIGIN_DICT, PYD_NAME_CSTR, 0, dict, NULL);
}

/* A word of the object, or before it. */
static bool word_at(const struct pyd_reader *r, pyd_addr addr, uint64_t *ret)
{
	const uint8_t *p = pyd_target_at(r->target, addr, 8);

	if (p)
		*ret = u64(p, 0);
	return p;
}

/* See pyd_obj_attrs(). */
static bool read_instance(const struct pyd_reader *r,
			  const struct pyd_type *type, pyd_addr addr,
			  struct pyd_node *n)
{
	const struct pyd_layout *lay = r->lay;
	bool ft = lay->flags & PYD_LAYOUT_FREE_THREADED;
	uint64_t word;
	pyd_addr values;

	if (!(type->flags & PYD_TPFLAG_MANAGED_DICT) ||
	    lay->model_attrs == PYD_M_attrs_dictoffset) {
		if (!type->dictoffset)
			return true;
		return word_at(r, addr + (uint64_t)type->dictoffset, &word) &&
		       dict_attr(n, word);
	}
	switch (lay->model_attrs) {
	case PYD_M_attrs_dictoffset:
		break;
	case PYD_M_attrs_split311:
		if (!word_at(r, addr - 32, &word))
			return false;
		if (word)
			return inline_attrs(r, type, word, n);
		return word_at(r, addr - 24, &word) && dict_attr(n, word);
	case PYD_M_attrs_tagged312:
		if (!word_at(r, addr - 24, &word))
			return false;
		if (word & 1)
			return inline_attrs(r, type, word + 1, n);
		return dict_attr(n, word);
	case PYD_M_attrs_inline313:
	case PYD_M_attrs_inline314: {
		const uint8_t *valid;

		if (!word_at(r, addr - (ft ? 8 : 24), &word))
			return false;
		if (word || !(type->flags & PYD_TPFLAG_INLINE_VALUES))
			return dict_attr(n, word);
		values = addr +
			 (uint64_t)(lay->model_attrs == PYD_M_attrs_inline313
					    ? PYD_OFF(lay, object, size)
					    : type->basicsize);
		valid = pyd_target_at(
			r->target,
			values + (uint64_t)PYD_OFF(lay, dictvalues, valid), 1);
		if (!valid)
			return false;
		return !*valid || inline_attrs(r, type, values, n);
	}
	}
	return false;
}

/* -- all of them -- */

bool pyd_quick_read(struct pyd_reader *r, pyd_addr addr, struct pyd_node *n)
{
	const struct pyd_layout *lay = r->lay;
	const uint8_t *at = pyd_target_at(r->target, addr, BYTES);
	const struct pyd_type *type;
	uint64_t count;
	pyd_addr t;
	size_t slot;

	if (!at || addr % PYD_OBJ_ALIGN)
		return false;
	t = U64(r, at, object, ob_type);
	slot = (size_t)(t * 0x9E3779B97F4A7C15ULL >> 56);
	if (!t || r->recent[slot].addr != t)
		return false;
	type = r->recent[slot].type;
	if (!type->quick || n->value.cap < VALUE_MIN ||
	    !refcount(lay, at, &n->refcnt))
		return false;
	n->addr = addr;
	n->type = t;
	n->kind = type->family->kind;
	n->size = (uint64_t)type->basicsize;
	n->refs.len = n->attrs.len = 0;
	n->more.n = 0;
	if (n->text.raw)
		pyd_long_deinit(&n->text);
	n->value.len = 0;
	n->mark = 0;
	n->mark_total = 0;
	n->mark_text[0] = '\0';
	switch (type->quick) {
	case PYD_QUICK_NO:
		break;
	case PYD_QUICK_INT:
		return read_int(r, at, n);
	case PYD_QUICK_FLOAT:
		memcpy(n->value.data, at + PYD_OFF(lay, float, ob_fval), 8);
		n->value.len = 8;
		return !type->itemsize;
	case PYD_QUICK_STR:
		return read_str(r, addr, at, n);
	case PYD_QUICK_BYTES:
		count = U64(r, at, object, ob_size);
		n->size += count * (uint64_t)type->itemsize;
		return (!r->max_blob || r->whole || count <= r->max_blob) &&
		       read_bytes(r,
				  addr + (uint64_t)PYD_OFF(lay, bytes, ob_sval),
				  count, n);
	case PYD_QUICK_TUPLE:
		count = U64(r, at, object, ob_size);
		n->size += count * (uint64_t)type->itemsize;
		return read_refs(r,
				 addr + (uint64_t)PYD_OFF(lay, tuple, ob_item),
				 count, n);
	case PYD_QUICK_LIST:
		return read_list(r, at, n);
	case PYD_QUICK_DICT:
		return read_dict(r, at, n);
	case PYD_QUICK_INSTANCE:
		return read_instance(r, type, addr, n);
	}
	return false;
}
