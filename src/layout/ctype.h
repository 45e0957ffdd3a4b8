/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Described C types: where the fields of an extension type's struct are, as
 * data. The texts are offsets/types/, embedded at build time, and what a user
 * adds; doc/HOWTO_ADD_A_TYPE.md has the syntax.
 */
#ifndef PYD_LAYOUT_CTYPE_H
#define PYD_LAYOUT_CTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
	PYD_CTYPE_FIELDS_MAX = 64, /* of one type */
	PYD_CTYPE_STEPS_MAX = 6,   /* pointers on the way to a field */
	PYD_CTYPE_ANY = -1,	   /* flags: of any build */
};

/* What stands at a field's place. */
enum pyd_cvalue {
	PYD_CVALUE_OBJECT,  /* PyObject * */
	PYD_CVALUE_INT,	    /* width bytes */
	PYD_CVALUE_UINT,    /* width bytes; with bit: a bool */
	PYD_CVALUE_FLOAT,   /* width 4 or 8 */
	PYD_CVALUE_BOOL,    /* width bytes */
	PYD_CVALUE_CHAR,    /* one character */
	PYD_CVALUE_CSTR,    /* char * of a NUL-terminated text */
	PYD_CVALUE_TEXT,    /* UTF-8, begins at the place */
	PYD_CVALUE_BYTES,   /* begin at the place */
	PYD_CVALUE_INTS,    /* i64 each, begin at the place */
	PYD_CVALUE_OBJECTS, /* PyObject * each, begin at the place */
	PYD_CVALUE_ADDRESS, /* a pointer to something else */
	PYD_CVALUE_CONST,   /* stands in the table */
};

/* Where a count comes from. */
enum pyd_ccount {
	PYD_CCOUNT_NONE,
	PYD_CCOUNT_CONST,
	PYD_CCOUNT_FIELD,
	PYD_CCOUNT_OB_SIZE, /* of the object */
};

struct pyd_cfield {
	const char *name;      /* without the dot of a hidden one */
	enum pyd_cvalue value; /* of what it is */
	uint8_t width;	       /* bytes */
	bool big_endian;
	bool hidden; /* for readers and expressions, not for the dump */
	bool pairs;  /* OBJECTS: key, value, key, value... */
	int8_t bit;  /* -1, or which bit of the UINT */
	uint8_t nsteps;
	int8_t condition; /* -1, or the field that must not be 0 */
	/* Bytes from the object, then from where each pointer points. */
	int32_t steps[PYD_CTYPE_STEPS_MAX];
	enum pyd_ccount count_of;
	int8_t count_field;
	int64_t number; /* CONST; else the factor of the count, or the count */
};

struct pyd_ctype {
	const char *name;   /* tp_name */
	int64_t basicsize;  /* tp_basicsize, bytes */
	const char *reader; /* "" when the fields say all */
	uint32_t hex_min, hex_max;
	int flags;    /* PYD_LAYOUT_*, or PYD_CTYPE_ANY */
	size_t order; /* of equal names */
	size_t nfields;
	struct pyd_cfield *fields;
};

struct pyd_ctypes {
	struct pyd_ctype *types; /* by name, then in order of the texts */
	size_t n;
	char **texts; /* names point into them */
	size_t ntexts;
	/* Built-in ones: some 250, of which a program has a dozen. */
	struct pyd_ctype_paragraphs *builtin;
};

/* The descriptions of a user: a file, or a directory of *.types files; path
 * may be NULL. PYD_FORMAT with "FILE:LINE:COLUMN: " in front. */
PYD_MUST_CHECK enum pyd_code pyd_ctypes_load(const char *path,
					     struct pyd_ctypes *ret,
					     struct pyd_err *err);
/* Adds the built-in descriptions for a version and build, which are parsed as
 * they are found, and drops those that are for others. A user's own wins. */
PYD_MUST_CHECK enum pyd_code pyd_ctypes_select(struct pyd_ctypes *c,
					       uint32_t hex, unsigned int flags,
					       struct pyd_err *err);
void pyd_ctypes_deinit(struct pyd_ctypes *c);

/* The description of the type with that tp_name and tp_basicsize, or NULL;
 * owned by c (may be NULL), and stays where it is. *ret_other is true when
 * there is one of another size. */
PYD_MUST_CHECK enum pyd_code pyd_ctypes_find(
	const struct pyd_ctypes *c, const char *name, int64_t basicsize,
	const struct pyd_ctype **ret, bool *ret_other, struct pyd_err *err);

/* Parses one text and adds its types; where is what messages call it. */
PYD_MUST_CHECK enum pyd_code pyd_ctypes_parse(struct pyd_ctypes *c,
					      const char *where,
					      const char *text, size_t len,
					      struct pyd_err *err);
/* What stands above the first type of a text, which it ends before: members
 * hex_min, hex_max and flags. */
PYD_MUST_CHECK enum pyd_code pyd_ctypes_parse_head(const char *where,
						   const char *text, size_t len,
						   struct pyd_ctype *ret,
						   struct pyd_err *err);

#endif
