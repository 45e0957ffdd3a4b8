/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the readers need to know of a remote type, read once and cached in the
 * reader. Layout facts: CPython Include/cpython/object.h, Include/object.h.
 */
#ifndef PYD_READ_TYPE_H
#define PYD_READ_TYPE_H

#include "read/reader.h"

struct pyd_ctype;
struct pyd_family;

/* Bits of tp_flags (Include/object.h); the ones that moved between versions
 * are used under a model that implies the version. */
enum {
	PYD_TPFLAG_INLINE_VALUES = 1 << 2, /* models inline313, inline314 */
	PYD_TPFLAG_MANAGED_DICT = 1 << 4,  /* models split311 and later */
	PYD_TPFLAG_HEAPTYPE = 1 << 9,
	PYD_TPFLAG_READY = 1 << 12,
	PYD_TPFLAG_LONG_SUBCLASS = 1 << 24,
};
#define PYD_TPFLAG_TYPE_SUBCLASS (1UL << 31)

enum {
	PYD_TYPE_RECORDS_MAX = 8,
	PYD_TYPE_GUESSES_MAX = 64,
};

/* How the instances can be read without the readers of their family; see
 * read/quick.h. */
enum pyd_quick {
	PYD_QUICK_NO,
	PYD_QUICK_INT,
	PYD_QUICK_FLOAT,
	PYD_QUICK_STR,
	PYD_QUICK_BYTES,
	PYD_QUICK_TUPLE,
	PYD_QUICK_LIST,
	PYD_QUICK_DICT,
	PYD_QUICK_INSTANCE,
};

/* Where a declared member of an instance lives. */
struct pyd_member {
	pyd_addr name;	/* C string in the target */
	int64_t offset; /* bytes from the object */
	int32_t type;	/* T_* of structmember.h */
	bool slot;	/* a __slots__ entry, not a C member */
};

struct pyd_type {
	pyd_addr addr;
	pyd_addr metatype;
	pyd_addr base;
	uint64_t flags;
	int64_t basicsize;
	int64_t itemsize;
	int64_t dictoffset;
	pyd_addr cached_keys; /* heap types, else 0 */
	/* The reader for the built-in type that this one is or derives from. */
	const struct pyd_family *family;
	enum pyd_quick quick;
	struct pyd_member *members;
	size_t nmembers;
	/* The descriptions of the type and its bases, the nearest first. */
	const struct pyd_ctype *records[PYD_TYPE_RECORDS_MAX];
	size_t nrecords;
	/* Words of an instance that nothing accounts for: bytes from the
	 * object. */
	uint16_t guesses[PYD_TYPE_GUESSES_MAX];
	size_t nguesses;
	char name[96]; /* tp_name, cut */
	/* When the type itself does not hold up: why; all else is unset. */
	enum pyd_code bad;
	char bad_text[120];
};

/* The type at addr, from the cache or read; owned by the reader. A type that
 * does not hold up is PYD_CORRUPT or PYD_FAULT each time it is asked for. */
PYD_MUST_CHECK enum pyd_code pyd_type_get(struct pyd_reader *r, pyd_addr addr,
					  const struct pyd_type **ret,
					  struct pyd_err *err);
void pyd_type_destroy(struct pyd_type *type);

/* The dict object that holds a type's namespace; 0 when it has none. */
PYD_MUST_CHECK enum pyd_code pyd_type_dict(struct pyd_reader *r, pyd_addr type,
					   pyd_addr *ret, struct pyd_err *err);

#endif
