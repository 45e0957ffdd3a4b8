// SPDX-License-Identifier: Apache-2.0
#include "read/object.h"

#include <stdlib.h>

#include "read/family.h"
#include "read/quick.h"
#include "read/record.h"

/* Pointers of one object: more than any address space of today holds. */
#define COUNT_MAX (1ULL << 40)
/* As many are read without a look at the maps. */
#define COUNT_SMALL 512

void pyd_node_clear(struct pyd_node *n)
{
	n->addr = 0;
	n->type = 0;
	n->kind = PYD_KIND_placeholder;
	n->size = 0;
	n->refcnt = 0;
	pyd_vec_clear(&n->refs);
	n->more.n = 0;
	pyd_vec_clear(&n->attrs);
	pyd_buf_clear(&n->value);
	if (n->text.raw)
		pyd_long_deinit(&n->text);
	n->mark = 0;
	n->mark_total = 0;
	n->mark_text[0] = '\0';
}

void pyd_node_deinit(struct pyd_node *n)
{
	pyd_vec_deinit(&n->refs);
	pyd_vec_deinit(&n->attrs);
	pyd_buf_deinit(&n->value);
	pyd_long_deinit(&n->text);
	free(n->names);
	*n = (struct pyd_node) { 0 };
}

enum pyd_code pyd_node_attr(struct pyd_node *n, enum pyd_origin origin,
			    enum pyd_name where, uint64_t name, uint64_t value,
			    struct pyd_err *err)
{
	if (n->attrs.len == n->names_cap) {
		size_t cap = n->names_cap ? n->names_cap * 2 : 32;
		struct pyd_attr_name *names =
			realloc(n->names, cap * sizeof(*names));

		if (!names)
			return pyd_err_set(err, PYD_NOMEM,
					   "out of memory for attributes");
		n->names = names;
		n->names_cap = cap;
	}
	n->names[n->attrs.len] = (struct pyd_attr_name) {
		.origin = (uint8_t)origin,
		.where = (uint8_t)where,
		.name = name,
	};
	return pyd_vec_push(&n->attrs, value, err);
}

enum pyd_code pyd_node_field(struct pyd_node *n, enum pyd_origin origin,
			     const char *name, uint64_t value,
			     struct pyd_err *err)
{
	return pyd_node_attr(n, origin, PYD_NAME_LOCAL,
			     (uint64_t)(uintptr_t)name, value, err);
}

enum pyd_code pyd_node_blob(struct pyd_node *n, enum pyd_origin origin,
			    const char *name, const void *data, size_t len,
			    struct pyd_err *err)
{
	enum pyd_code code = pyd_node_field(n, origin, name, len, err);

	if (code)
		return code;
	return pyd_buf_append(&n->value, data, len, err);
}

bool pyd_obj_is(const struct pyd_obj *o, enum pyd_kind kind)
{
	return o->type->family->kind == kind;
}

enum pyd_code pyd_obj_fields(struct pyd_reader *r, const struct pyd_obj *o,
			     const enum pyd_field *fields, size_t nfields,
			     struct pyd_node *n, struct pyd_err *err)
{
	for (size_t i = 0; i < nfields; i++) {
		enum pyd_code code = pyd_vec_push(
			&n->refs, pyd_obj_u64(o, r->lay->off[fields[i]]), err);

		if (code)
			return code;
	}
	return PYD_OK;
}

bool pyd_is_mapped(const struct pyd_target *t, pyd_addr addr, uint64_t len)
{
	const struct pyd_region *end = t->regions + t->nregions;
	const struct pyd_region *at = pyd_target_region(t, addr);

	if (!t->nregions)
		return true;
	for (; at && at < end && addr >= at->start && addr < at->end; at++) {
		if (len <= at->end - addr)
			return true;
		len -= at->end - addr;
		addr = at->end;
	}
	return false;
}

enum pyd_code pyd_read_pointers(struct pyd_reader *r, pyd_addr addr,
				uint64_t count, struct pyd_vec *v,
				struct pyd_err *err)
{
	enum pyd_code code;

	if (!count)
		return PYD_OK;
	/* A corrupt count must not become our own memory. */
	if (count > COUNT_MAX)
		return pyd_err_at(err, PYD_CORRUPT, addr,
				  "impossible item count %llu",
				  (unsigned long long)count);
	if (count > COUNT_SMALL &&
	    !pyd_is_mapped(r->target, addr, count * sizeof(uint64_t)))
		return pyd_err_at(err, PYD_FAULT, addr, "items are not mapped");
	code = pyd_vec_reserve(v, count, err);
	if (code)
		return code;
	code = pyd_target_read(r->target, addr, v->data + v->len,
			       count * sizeof(uint64_t), err);
	if (code)
		return code;
	v->len += count;
	return PYD_OK;
}

enum {
	PYD_PAGE = 4096,
	/* What is taken of an object at once where its block is at hand: all
	 * of most objects. */
	AT_ONCE = 64,
};

/* Types met last stand in front of the map of all. */
static inline enum pyd_code type_of(struct pyd_reader *r, pyd_addr addr,
				    const struct pyd_type **ret,
				    struct pyd_err *err)
{
	size_t slot = (size_t)(addr * 0x9E3779B97F4A7C15ULL >> 56);
	enum pyd_code code;

	_Static_assert(sizeof(r->recent) / sizeof(r->recent[0]) == 256,
		       "a slot is eight bits");
	if (addr && r->recent[slot].addr == addr) {
		*ret = r->recent[slot].type;
		return PYD_OK;
	}
	code = pyd_type_get(r, addr, ret, err);
	if (code)
		return code;
	r->recent[slot].addr = addr;
	r->recent[slot].type = *ret;
	return PYD_OK;
}

/* Makes the first want bytes of the object, as far as there is room, known. */
static enum pyd_code read_on(struct pyd_reader *r, struct pyd_obj *o,
			     size_t want, struct pyd_err *err)
{
	enum pyd_code code;

	if (want > sizeof(o->bytes))
		want = sizeof(o->bytes);
	if (want <= o->len)
		return PYD_OK;
	code = pyd_target_read(r->target, o->addr + o->len, o->bytes + o->len,
			       want - o->len, err);
	if (code)
		return code;
	o->len = want;
	return PYD_OK;
}

enum pyd_code pyd_obj_read(struct pyd_reader *r, pyd_addr addr,
			   struct pyd_obj *ret, struct pyd_err *err)
{
	const struct pyd_layout *lay = r->lay;
	size_t head = (size_t)PYD_OFF(lay, object, size);
	size_t have = head;
	const uint8_t *at;
	enum pyd_code code;

	ret->addr = addr;
	ret->type = NULL;
	ret->len = 0;
	if (addr % PYD_OBJ_ALIGN)
		return pyd_err_at(err, PYD_CORRUPT, addr,
				  "address is not aligned");
	at = pyd_target_at(r->target, addr, AT_ONCE);
	if (at) {
		memcpy(ret->bytes, at, AT_ONCE);
		have = AT_ONCE;
	} else {
		code = pyd_target_read(r->target, addr, ret->bytes, head, err);
		if (code)
			return code;
	}
	ret->len = head;

	pyd_addr type = PYD_OBJ_U64(r, ret, object, ob_type);

	code = type_of(r, type, &ret->type, err);
	if (code)
		return code;

	size_t want = (size_t)ret->type->basicsize;

	if (have > want)
		have = want > head ? want : head;
	ret->len = have;

	/* A static type ends before what only classes of Python code have,
	 * although its own type's tp_basicsize includes that. */
	if (ret->type->family->kind == PYD_KIND_type) {
		code = read_on(r, ret, (size_t)PYD_OFF(lay, type, size), err);
		if (code)
			return code;
		if (!(PYD_OBJ_U64(r, ret, type, tp_flags) &
		      PYD_TPFLAG_HEAPTYPE))
			return PYD_OK;
	}
	code = read_on(r, ret, want, err);
	/* Some types leave out the last fields when they allocate (datetime
	 * without a tzinfo), which may be where the memory ends. */
	if (code == PYD_FAULT && ret->type->nrecords)
		code = read_on(r, ret, (size_t)(PYD_PAGE - addr % PYD_PAGE),
			       err);
	return code;
}

uint64_t pyd_obj_nitems(struct pyd_reader *r, const struct pyd_obj *o)
{
	if ((o->type->flags & PYD_TPFLAG_LONG_SUBCLASS) &&
	    r->lay->model_int == PYD_M_int_tag)
		return PYD_OBJ_U64(r, o, long, lv_tag) >> 3;

	int64_t n = PYD_OBJ_I64(r, o, object, ob_size);

	return n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
}

/* The reference count as a node shows it; 0 is impossible for a live one. */
static enum pyd_code refcount(struct pyd_reader *r, const struct pyd_obj *o,
			      uint32_t *ret, struct pyd_err *err)
{
	const struct pyd_layout *lay = r->lay;

	switch (lay->model_refcount) {
	case PYD_M_refcount_biased: {
		uint64_t local = PYD_OBJ_U32(r, o, object, ob_ref_local);
		uint64_t shared = PYD_OBJ_U64(r, o, object, ob_ref_shared) >> 2;

		if (local == UINT32_MAX)
			*ret = UINT32_MAX;
		else
			*ret = (uint32_t)(local + shared);
		return PYD_OK;
	}
	case PYD_M_refcount_split: {
		uint32_t n = PYD_OBJ_U32(r, o, object, ob_refcnt);

		/* Immortal objects count from 2**30 up, by version. */
		*ret = n >= (1U << 30) ? UINT32_MAX : n;
		break;
	}
	case PYD_M_refcount_plain: {
		int64_t n = PYD_OBJ_I64(r, o, object, ob_refcnt);

		if (n < 0 || n > UINT32_MAX - 1)
			return pyd_err_at(err, PYD_CORRUPT, o->addr,
					  "impossible reference count %lld",
					  (long long)n);
		*ret = (uint32_t)n;
		break;
	}
	}
	if (*ret == 0)
		return pyd_err_at(err, PYD_CORRUPT, o->addr,
				  "reference count is 0 (freed)");
	return PYD_OK;
}

/* T_* of Include/structmember.h, Include/descrobject.h (3.12+). */
enum member_type {
	T_SHORT = 0,
	T_INT = 1,
	T_LONG = 2,
	T_FLOAT = 3,
	T_DOUBLE = 4,
	T_STRING = 5,
	T_OBJECT = 6,
	T_CHAR = 7,
	T_BYTE = 8,
	T_UBYTE = 9,
	T_USHORT = 10,
	T_UINT = 11,
	T_ULONG = 12,
	T_STRING_INPLACE = 13,
	T_BOOL = 14,
	T_OBJECT_EX = 16,
	T_LONGLONG = 17,
	T_ULONGLONG = 18,
	T_PYSSIZET = 19,
	NMEMBER_TYPES,
};

/* How a member is kept: as a field of a described struct would be. */
static const struct pyd_cfield member_fields[NMEMBER_TYPES] = {
	[T_SHORT] = { .value = PYD_CVALUE_INT, .width = 2, .bit = -1 },
	[T_INT] = { .value = PYD_CVALUE_INT, .width = 4, .bit = -1 },
	[T_LONG] = { .value = PYD_CVALUE_INT, .width = 8, .bit = -1 },
	[T_FLOAT] = { .value = PYD_CVALUE_FLOAT, .width = 4, .bit = -1 },
	[T_DOUBLE] = { .value = PYD_CVALUE_FLOAT, .width = 8, .bit = -1 },
	[T_STRING] = { .value = PYD_CVALUE_CSTR, .width = 8, .bit = -1 },
	[T_OBJECT] = { .value = PYD_CVALUE_OBJECT, .width = 8, .bit = -1 },
	[T_CHAR] = { .value = PYD_CVALUE_CHAR, .width = 1, .bit = -1 },
	[T_BYTE] = { .value = PYD_CVALUE_INT, .width = 1, .bit = -1 },
	[T_UBYTE] = { .value = PYD_CVALUE_UINT, .width = 1, .bit = -1 },
	[T_USHORT] = { .value = PYD_CVALUE_UINT, .width = 2, .bit = -1 },
	[T_UINT] = { .value = PYD_CVALUE_UINT, .width = 4, .bit = -1 },
	[T_ULONG] = { .value = PYD_CVALUE_UINT, .width = 8, .bit = -1 },
	[T_BOOL] = { .value = PYD_CVALUE_BOOL, .width = 1, .bit = -1 },
	[T_OBJECT_EX] = { .value = PYD_CVALUE_OBJECT, .width = 8, .bit = -1 },
	[T_LONGLONG] = { .value = PYD_CVALUE_INT, .width = 8, .bit = -1 },
	[T_ULONGLONG] = { .value = PYD_CVALUE_UINT, .width = 8, .bit = -1 },
	[T_PYSSIZET] = { .value = PYD_CVALUE_INT, .width = 8, .bit = -1 },
};

/* Slots and C members. */
static enum pyd_code read_members(struct pyd_reader *r, const struct pyd_obj *o,
				  struct pyd_node *n, struct pyd_err *err)
{
	for (size_t i = 0; i < o->type->nmembers; i++) {
		const struct pyd_member *m = &o->type->members[i];
		struct pyd_cfield f;
		enum pyd_code code;

		/* Text in place has no length of its own. */
		if (m->type < 0 || m->type >= NMEMBER_TYPES ||
		    !member_fields[m->type].width)
			continue;
		f = member_fields[m->type];
		f.name = "(member)";
		f.nsteps = 1;
		f.steps[0] = (int32_t)m->offset;
		code = pyd_record_member(r, o, &f, m->slot, m->name, n, err);
		if (code)
			return code;
	}
	return PYD_OK;
}

static enum pyd_code read_attrs(struct pyd_reader *r, const struct pyd_obj *o,
				struct pyd_node *n, struct pyd_err *err)
{
	enum pyd_code code;

	if (!o->type->family->owns_dict &&
	    (o->type->dictoffset || o->type->flags & PYD_TPFLAG_MANAGED_DICT)) {
		pyd_addr dict = 0;

		pyd_vec_clear(&r->pairs);
		code = pyd_obj_attrs(r, o, &r->pairs, &dict, err);
		if (code)
			return code;
		if (dict) {
			code = pyd_node_attr(n, PYD_ORIGIN_DICT, PYD_NAME_CSTR,
					     0, dict, err);
			if (code)
				return code;
		}
		for (size_t i = 0; i + 1 < r->pairs.len; i += 2) {
			code = pyd_node_attr(n, PYD_ORIGIN_INLINE, PYD_NAME_STR,
					     r->pairs.data[i],
					     r->pairs.data[i + 1], err);
			if (code)
				return code;
		}
	}
	return read_members(r, o, n, err);
}

/* Frames and generators have items, but their code object counts them. */
static bool has_ob_size(const struct pyd_reader *r, const struct pyd_obj *o)
{
	switch (o->type->family->kind) {
	case PYD_KIND_frame:
	case PYD_KIND_generator:
	case PYD_KIND_coroutine:
	case PYD_KIND_async_generator:
		return PYD_OFF(r->lay, iframe, localsplus) == PYD_ABSENT;
	default:
		return true;
	}
}

enum pyd_code pyd_read_node(struct pyd_reader *r, pyd_addr addr,
			    struct pyd_node *n, struct pyd_err *err)
{
	struct pyd_obj *o = r->obj;
	enum pyd_code code;

	if (pyd_quick_read(r, addr, n))
		return PYD_OK;
	pyd_node_clear(n);
	n->addr = addr;
	code = pyd_obj_read(r, addr, o, err);
	if (code) {
		if (o->type)
			n->type = o->type->addr;
		return code;
	}
	n->type = o->type->addr;
	n->size = (uint64_t)o->type->basicsize;
	if (o->type->family->kind == PYD_KIND_type && o->len < n->size)
		n->size = o->len;
	if (o->type->itemsize > 0 && has_ob_size(r, o)) {
		uint64_t more = pyd_obj_nitems(r, o);

		if (more > (1ULL << 40))
			return pyd_err_at(err, PYD_CORRUPT, addr,
					  "impossible size %llu of a %s",
					  (unsigned long long)more,
					  o->type->name);
		n->size += more * (uint64_t)o->type->itemsize;
	}
	code = refcount(r, o, &n->refcnt, err);
	if (code)
		return code;

	n->kind = o->type->family->kind;
	if (o->type->family->read) {
		code = o->type->family->read(r, o, n, err);
		if (code)
			goto fail;
	}
	code = read_attrs(r, o, n, err);
	if (code)
		goto fail;
	if (o->type->nguesses) {
		code = pyd_guess_read(r, o, n, err);
		if (code)
			goto fail;
	}
	/* Last, for their bytes stand behind all others. */
	if (o->type->nrecords) {
		code = pyd_record_read(r, o, n, err);
		if (code)
			goto fail;
	}
	return PYD_OK;
fail:
	/* Nothing half-read is shown. */
	pyd_vec_clear(&n->refs);
	n->more.n = 0;
	pyd_vec_clear(&n->attrs);
	pyd_buf_clear(&n->value);
	pyd_long_deinit(&n->text);
	n->kind = PYD_KIND_placeholder;
	n->mark = 0;
	return code;
}
