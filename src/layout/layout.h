/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layout: every offset and model of one CPython version and build. The only
 * place in the project that compares versions. Tables are the text files in
 * offsets/, embedded at build time; a directory or file given at run time adds
 * or overrides one.
 */
#ifndef PYD_LAYOUT_LAYOUT_H
#define PYD_LAYOUT_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct pyd_table_text;

/* clang-format off */
enum pyd_field {
#define PYD_FIELD(s, f, width, presence, where) PYD_F_##s##_##f,
#include "../../offsets/fields.def"
#undef PYD_FIELD
	PYD_NFIELDS
};
/* clang-format on */

/* Model values, one enum each: PYD_M_int_size, PYD_M_int_tag, ... and
 * struct members lay->model_int etc.; see offsets/models.def. */
#define PYD_E(m, v) PYD_M_##m##_##v
enum pyd_model_int { PYD_E(int, size), PYD_E(int, tag) };
enum pyd_model_dictkeys { PYD_E(dictkeys, hashed), PYD_E(dictkeys, kinded) };
enum pyd_model_dictvalues {
	PYD_E(dictvalues, array),
	PYD_E(dictvalues, prefixed),
	PYD_E(dictvalues, header),
};
enum pyd_model_attrs {
	PYD_E(attrs, dictoffset),
	PYD_E(attrs, split311),
	PYD_E(attrs, tagged312),
	PYD_E(attrs, inline313),
	PYD_E(attrs, inline314),
};
enum pyd_model_linetable {
	PYD_E(linetable, lnotab),
	PYD_E(linetable, deltas),
	PYD_E(linetable, locations),
};
enum pyd_model_lasti { PYD_E(lasti, bytes), PYD_E(lasti, units) };
enum pyd_model_stackref { PYD_E(stackref, plain), PYD_E(stackref, tagged) };
enum pyd_model_excinfo { PYD_E(excinfo, triple), PYD_E(excinfo, value) };
enum pyd_model_genstate {
	PYD_E(genstate, frame),
	PYD_E(genstate, v311),
	PYD_E(genstate, v313),
	PYD_E(genstate, v315),
};
enum pyd_model_refcount {
	PYD_E(refcount, plain),
	PYD_E(refcount, split),
	PYD_E(refcount, biased),
};
enum pyd_model_typedict { PYD_E(typedict, plain), PYD_E(typedict, perinterp) };
enum pyd_model_evalcall {
	PYD_E(evalcall, frame),
	PYD_E(evalcall, cframe),
	PYD_E(evalcall, shim),
};
#undef PYD_E

enum {
	PYD_LAYOUT_DEBUG = 1,	      /* Py_DEBUG (abiflags has d) */
	PYD_LAYOUT_FREE_THREADED = 2, /* Py_GIL_DISABLED */
	PYD_ABSENT = -1,	      /* a field that does not exist */
};

struct pyd_layout {
	char name[64];	      /* "cpython-3.11", "cpython-3.11-debug" */
	char provenance[256]; /* one line: interpreter and how it was made */
	uint32_t hex_min;     /* first sys.hexversion it is right for */
	uint32_t hex_max;     /* last */
	unsigned int flags;   /* PYD_LAYOUT_*, ored */
	int32_t off[PYD_NFIELDS]; /* bytes, or PYD_ABSENT */
	/* Where _Py_DebugOffsets has that offset, and the size of the struct
	 * that it is in; PYD_ABSENT where it does not (offsets/debug.def). */
	int16_t debug_pos[PYD_NFIELDS];
	int16_t debug_size_pos[PYD_NFIELDS];
	uint32_t debug_size; /* of _Py_DebugOffsets; 0: there is none */
	enum pyd_model_int model_int;
	enum pyd_model_dictkeys model_dictkeys;
	enum pyd_model_dictvalues model_dictvalues;
	enum pyd_model_attrs model_attrs;
	enum pyd_model_linetable model_linetable;
	enum pyd_model_lasti model_lasti;
	enum pyd_model_stackref model_stackref;
	enum pyd_model_excinfo model_excinfo;
	enum pyd_model_genstate model_genstate;
	enum pyd_model_refcount model_refcount;
	enum pyd_model_typedict model_typedict;
	enum pyd_model_evalcall model_evalcall;
};

/* The offset of struct s, field f, in bytes, or PYD_ABSENT. */
#define PYD_OFF(lay, s, f) ((lay)->off[PYD_F_##s##_##f])

/* One table: what it is for. Embedded ones are parsed when they are asked for:
 * of some two dozens a dump takes one. */
struct pyd_table {
	char name[64];
	uint32_t hex_min, hex_max;
	unsigned int flags;
	const struct pyd_table_text *text; /* embedded; else NULL */
	struct pyd_layout *lay;		   /* owned; NULL: not parsed yet */
};

/* All tables: the embedded ones, and those of a file or directory (path, may
 * be NULL), which override an embedded one of the same name, and are parsed as
 * they are loaded. Not to be used by two threads at once. */
struct pyd_layouts {
	struct pyd_table *tables;
	size_t n;
};
PYD_MUST_CHECK enum pyd_code pyd_layouts_load(const char *path,
					      struct pyd_layouts *ret,
					      struct pyd_err *err);
void pyd_layouts_deinit(struct pyd_layouts *l);
/* The parsed table number i; owned by l. PYD_FORMAT, PYD_NOMEM. */
PYD_MUST_CHECK enum pyd_code pyd_layouts_get(const struct pyd_layouts *l,
					     size_t i, struct pyd_layout **ret,
					     struct pyd_err *err);
/* Whether table number i is for the version that a file's name tells:
 * "/usr/bin/python3.9", "libpython3.8m.so.1.0". A hint. */
bool pyd_layouts_is_named(const struct pyd_layouts *l, size_t i,
			  const char *path);

/*
 * Chooses the table for a version and build (flags: PYD_LAYOUT_*) and copies
 * it to *ret. hex is sys.hexversion. PYD_UNSUPPORTED, with a message that says
 * which tables there are and what to do, when there is none.
 */
PYD_MUST_CHECK enum pyd_code pyd_layout_select(const struct pyd_layouts *l,
					       uint32_t hex, unsigned int flags,
					       struct pyd_layout *ret,
					       struct pyd_err *err);

/* True when the table is for that sys.hexversion. */
bool pyd_layout_covers(const struct pyd_layout *lay, uint32_t hex);
/* "3.14.8", "3.15.0rc1": what people call a sys.hexversion. */
void pyd_version_text(uint32_t hex, char *buf, size_t cap);

/* Bytes of _Py_DebugOffsets to read at _PyRuntime: at most this many. */
#define PYD_DEBUG_OFFSETS_MAX 1024
/* True when bytes begin with the cookie of _Py_DebugOffsets (3.13+); gives
 * its version hex and whether the build is free-threaded. */
bool pyd_debug_offsets_probe(const uint8_t *bytes, size_t len,
			     uint32_t *ret_hex, bool *ret_free_threaded);
/*
 * Overlays lay with the target's own _Py_DebugOffsets (3.13+) after validating
 * every one as untrusted input. An implausible one is PYD_CORRUPT and leaves
 * lay as it was. Disagreements with the static table are written to notes
 * (cap bytes, may be cut), "" when there are none.
 */
PYD_MUST_CHECK enum pyd_code pyd_layout_apply_debug_offsets(
	struct pyd_layout *lay, const uint8_t *bytes, size_t len, char *notes,
	size_t cap, struct pyd_err *err);

/* Parses one table from memory; where is what messages call it. PYD_FORMAT
 * with "where:LINE:COLUMN: " in front. */
PYD_MUST_CHECK enum pyd_code pyd_layout_parse(const char *where,
					      const char *text, size_t len,
					      struct pyd_layout *ret,
					      struct pyd_err *err);
/* Only its head: what stands above the first model or field. Members of what
 * follows are not set. PYD_FORMAT, as above. */
PYD_MUST_CHECK enum pyd_code pyd_layout_parse_head(const char *where,
						   const char *text, size_t len,
						   struct pyd_layout *ret,
						   struct pyd_err *err);
/* "struct.field" */
const char *pyd_field_name(enum pyd_field f);

/* Checks a table for required fields, spans, overlaps and alignment:
 * PYD_FORMAT. */
PYD_MUST_CHECK enum pyd_code pyd_layout_validate(const struct pyd_layout *lay,
						 struct pyd_err *err);

#endif
