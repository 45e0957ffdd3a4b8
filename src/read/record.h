/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records: instances of C types that offsets/types/ describes. Fields that the
 * description can say all about are taken by it; where a chain is to be walked
 * it names a reader of records.def.
 */
#ifndef PYD_READ_RECORD_H
#define PYD_READ_RECORD_H

#include "layout/ctype.h"
#include "read/object.h"

/* The fields of one object, by one description. */
struct pyd_record {
	const struct pyd_ctype *ct;
	const struct pyd_obj *obj;
	/* Parallel to ct->fields: numbers (float and bytes have none), and
	 * whether the field is there: no NULL pointer on the way, condition
	 * true. */
	uint64_t number[PYD_CTYPE_FIELDS_MAX];
	bool present[PYD_CTYPE_FIELDS_MAX];
	/* Where the field stands in the target. */
	pyd_addr at[PYD_CTYPE_FIELDS_MAX];
};

/* Adds what the descriptions of o's type say to n: fields, items, kind. */
PYD_MUST_CHECK enum pyd_code pyd_record_read(struct pyd_reader *r,
					     const struct pyd_obj *o,
					     struct pyd_node *n,
					     struct pyd_err *err);
/* Adds one declared member, which is of origin SLOT or MEMBER when it is a
 * reference. name: remote address of its C string. */
PYD_MUST_CHECK enum pyd_code pyd_record_member(struct pyd_reader *r,
					       const struct pyd_obj *o,
					       const struct pyd_cfield *f,
					       bool slot, pyd_addr name,
					       struct pyd_node *n,
					       struct pyd_err *err);
/* Whether "reader = name" can be followed. */
bool pyd_record_knows(const char *name);
/* Adds the words of o that point to live objects, as guesses. */
PYD_MUST_CHECK enum pyd_code pyd_guess_read(struct pyd_reader *r,
					    const struct pyd_obj *o,
					    struct pyd_node *n,
					    struct pyd_err *err);

/* -- for readers -- */

/* The number in a field (offsets, counts, pointers, constants), 0 when it is
 * not there or the description has no such field. */
uint64_t pyd_record_u64(const struct pyd_record *rec, const char *field);
int64_t pyd_record_i64(const struct pyd_record *rec, const char *field);
bool pyd_record_has(const struct pyd_record *rec, const char *field);
/* Where the field stands in the target; 0 as above. */
pyd_addr pyd_record_at(const struct pyd_record *rec, const char *field);

/* The same of any object, by the descriptions of its type; *ret_has is false
 * when the field is not there. */
PYD_MUST_CHECK enum pyd_code pyd_obj_field(struct pyd_reader *r,
					   const struct pyd_obj *o,
					   const char *field, uint64_t *ret,
					   bool *ret_has, struct pyd_err *err);

/* Adds len bytes of memory at addr as a field, cut at the limits. name outlives
 * the walk. Memory that is not mapped is PYD_FAULT. */
PYD_MUST_CHECK enum pyd_code pyd_record_memory(
	struct pyd_reader *r, struct pyd_node *n, enum pyd_origin origin,
	const char *name, pyd_addr addr, uint64_t len, struct pyd_err *err);
/* Reads the C string at addr into r->bytes, NUL-terminated, at most max bytes
 * of it; the field of that name is marked when it is longer. */
PYD_MUST_CHECK enum pyd_code pyd_record_cstr(struct pyd_reader *r,
					     struct pyd_node *n,
					     const char *name, pyd_addr addr,
					     uint64_t max, struct pyd_err *err);
/* Adds text that is here (any bytes; what is not UTF-8 becomes surrogates as
 * Python's "surrogateescape" makes them). */
PYD_MUST_CHECK enum pyd_code pyd_record_text(struct pyd_node *n,
					     const char *name, const void *text,
					     size_t len, struct pyd_err *err);
/* Marks the object as truncated: total is what the field has in full. */
void pyd_record_cut(struct pyd_node *n, const char *name, uint64_t total);

/* What a line of records.def names. */
struct pyd_record_reader {
	const char *name;
	enum pyd_code (*read)(struct pyd_reader *r,
			      const struct pyd_record *rec, struct pyd_node *n,
			      struct pyd_err *err);
};

#define PYD_RECORD(name)                                                       \
	enum pyd_code pyd_record_##name(                                       \
		struct pyd_reader *r, const struct pyd_record *rec,            \
		struct pyd_node *n, struct pyd_err *err);
#include "read/records.def"
#undef PYD_RECORD

#endif
