/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One remote object's own bytes, read once, and the families of readers that
 * take nodes out of them. Adding a type: one file here, one line in
 * families.def.
 */
#ifndef PYD_READ_OBJECT_H
#define PYD_READ_OBJECT_H

#include <string.h>

#include "read/type.h"

enum {
	/* Bytes of an object that are read at once: more than any built-in
	 * type's tp_basicsize. */
	PYD_OBJ_BYTES = 1024,
	/* Objects have at least this alignment on every LP64 build. */
	PYD_OBJ_ALIGN = 8,
};

struct pyd_obj {
	pyd_addr addr;
	const struct pyd_type *type;
	size_t len; /* valid bytes, >= object header + ob_size */
	uint8_t bytes[PYD_OBJ_BYTES];
};

/* How the instances of one built-in type, and of types derived from it,
 * become nodes. */
struct pyd_family {
	const char *tp_name; /* of the built-in static type */
	enum pyd_kind kind;
	/* Fills kind-specific references and value; NULL: nothing to fill. */
	enum pyd_code (*read)(struct pyd_reader *r, const struct pyd_obj *o,
			      struct pyd_node *n, struct pyd_err *err);
	/* The family decodes the object's dict by itself. */
	bool owns_dict;
};

const struct pyd_family *pyd_family_find(const char *tp_name);
extern const struct pyd_family pyd_family_object;

/* Reads header, type and fixed part of the object at addr. On a local
 * failure *ret holds what was found. */
PYD_MUST_CHECK enum pyd_code pyd_obj_read(struct pyd_reader *r, pyd_addr addr,
					  struct pyd_obj *ret,
					  struct pyd_err *err);

/* Members of the object's bytes. An offset that is absent from the layout or
 * lies beyond the bytes read gives 0: such a field does not exist. */
static inline uint64_t pyd_obj_u64(const struct pyd_obj *o, int64_t off)
{
	uint64_t v = 0;

	if (off >= 0 && (size_t)off + sizeof(v) <= o->len)
		memcpy(&v, o->bytes + off, sizeof(v));
	return v;
}

static inline int64_t pyd_obj_i64(const struct pyd_obj *o, int64_t off)
{
	return (int64_t)pyd_obj_u64(o, off);
}

static inline uint32_t pyd_obj_u32(const struct pyd_obj *o, int64_t off)
{
	uint32_t v = 0;

	if (off >= 0 && (size_t)off + sizeof(v) <= o->len)
		memcpy(&v, o->bytes + off, sizeof(v));
	return v;
}

static inline uint8_t pyd_obj_u8(const struct pyd_obj *o, int64_t off)
{
	return off >= 0 && (size_t)off < o->len ? o->bytes[off] : 0;
}

#define PYD_OBJ_U64(r, o, s, f) pyd_obj_u64(o, PYD_OFF((r)->lay, s, f))
#define PYD_OBJ_I64(r, o, s, f) pyd_obj_i64(o, PYD_OFF((r)->lay, s, f))
#define PYD_OBJ_U32(r, o, s, f) pyd_obj_u32(o, PYD_OFF((r)->lay, s, f))
#define PYD_OBJ_U8(r, o, s, f) pyd_obj_u8(o, PYD_OFF((r)->lay, s, f))

/* True when the object is, or derives from, the named family. */
bool pyd_obj_is(const struct pyd_obj *o, enum pyd_kind kind);

/* Appends the pointers at n field ids of the object to n->refs. */
PYD_MUST_CHECK enum pyd_code pyd_obj_fields(struct pyd_reader *r,
					    const struct pyd_obj *o,
					    const enum pyd_field *fields,
					    size_t nfields, struct pyd_node *n,
					    struct pyd_err *err);

/* True when regions that follow each other without a hole hold it all. */
bool pyd_is_mapped(const struct pyd_target *t, pyd_addr addr, uint64_t len);

/* Reads count pointers at addr and appends them to v. An absurd count is
 * PYD_CORRUPT. */
PYD_MUST_CHECK enum pyd_code pyd_read_pointers(struct pyd_reader *r,
					       pyd_addr addr, uint64_t count,
					       struct pyd_vec *v,
					       struct pyd_err *err);

/* Text and blobs are cut here even when no limit is asked for. */
#define PYD_BLOB_MAX (512ULL << 20)

/* -- shared by families -- */

/* Signed value of an int object; PYD_CORRUPT beyond 64 bits. */
PYD_MUST_CHECK enum pyd_code pyd_obj_int(struct pyd_reader *r,
					 const struct pyd_obj *o, int64_t *ret,
					 struct pyd_err *err);
/* Digits of an int, or the item count of a var-sized object. */
uint64_t pyd_obj_nitems(struct pyd_reader *r, const struct pyd_obj *o);
/* UTF-8 of a str object, appended to out. *ret_total is its length in
 * characters; *ret_cut true when max (characters, 0: none) cut it. */
PYD_MUST_CHECK enum pyd_code pyd_obj_utf8(struct pyd_reader *r,
					  const struct pyd_obj *o, uint64_t max,
					  struct pyd_buf *out,
					  uint64_t *ret_total, bool *ret_cut,
					  struct pyd_err *err);
/* Key, value, key, value... of a dict, in order, appended to out. *ret_used
 * is ma_used. */
PYD_MUST_CHECK enum pyd_code pyd_obj_dict_pairs(struct pyd_reader *r,
						const struct pyd_obj *o,
						struct pyd_vec *out,
						uint64_t *ret_used,
						struct pyd_err *err);
/* Pairs of an instance that keeps values without a dict object, or its dict
 * object. *ret_dict is 0 when there is none (then out has the pairs). */
PYD_MUST_CHECK enum pyd_code pyd_obj_attrs(struct pyd_reader *r,
					   const struct pyd_obj *o,
					   struct pyd_vec *out,
					   pyd_addr *ret_dict,
					   struct pyd_err *err);
/* Where a dict that shares no keys keeps the value of a key, which is told by
 * its address; until it grows. 0: nowhere. */
PYD_MUST_CHECK enum pyd_code pyd_obj_dict_place(struct pyd_reader *r,
						const struct pyd_obj *o,
						pyd_addr key, pyd_addr *ret,
						struct pyd_err *err);

#endif
