/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wire constants of the dump file. The normative text is doc/FORMAT.md.
 */
#ifndef PYDUMPD_FORMAT_H
#define PYDUMPD_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#define PYD_FORMAT_MAGIC "pydump" /* header key "magic" */
#define PYD_FORMAT_VERSION 1
#define PYD_FORMAT_OLDEST_READER 1
/* No frame holds more than this many raw bytes, but for one object that is
 * larger by itself. */
#define PYD_FORMAT_FRAME_TARGET (1U << 20)
/* And none more than this, whatever is in it: readers refuse it. */
#define PYD_FORMAT_FRAME_MAX (1U << 30)

/*
 * Columns of "objects" and "index" frames.
 *
 * PYD_COLUMN(id, name, encoding)
 */
/* clang-format off */
#define PYD_COLUMNS(PYD_COLUMN) \
	PYD_COLUMN(addr,   "addr",   "u64 delta shuffle") \
	PYD_COLUMN(type,   "type",   "u16 raw") \
	PYD_COLUMN(node,   "node",   "u8 raw") \
	PYD_COLUMN(shape,  "shape",  "u16 raw") \
	PYD_COLUMN(size,   "size",   "u32 shuffle") \
	PYD_COLUMN(refcnt, "refcnt", "u32 shuffle") \
	PYD_COLUMN(nrefs,  "nrefs",  "u32 shuffle") \
	PYD_COLUMN(nattrs, "nattrs", "u32 shuffle") \
	PYD_COLUMN(refs,   "refs",   "u64 shuffle") \
	PYD_COLUMN(vlen,   "vlen",   "u32 shuffle") \
	PYD_COLUMN(values, "values", "bytes raw") \
	PYD_COLUMN(index_addr,  "index.addr",  "u64 delta shuffle") \
	PYD_COLUMN(index_batch, "index.batch", "u16 raw")

enum pyd_column {
#define PYD_COLUMN(id, name, encoding) PYD_COLUMN_##id,
	PYD_COLUMNS(PYD_COLUMN)
#undef PYD_COLUMN
	PYD_NCOLUMNS
};
/* clang-format on */

/*
 * Node kinds: what an object's references and value bytes mean.
 *
 * PYD_KIND(id, name, fields, rest)
 *   fields  names of the leading references, "" for none; a reference of 0 is
 *           NULL (absent)
 *   rest    what the references after them are: "" none, "items", "pairs"
 *           (key, value, ...), "frame" (localsplus, then the evaluation stack)
 * The value bytes of each kind are in doc/FORMAT.md.
 */
/* clang-format off */
#define PYD_KINDS(PYD_KIND) \
	PYD_KIND(0,  placeholder, "", "") \
	PYD_KIND(1,  none, "", "") \
	PYD_KIND(2,  bool, "", "") \
	PYD_KIND(3,  int, "", "") \
	PYD_KIND(4,  float, "", "") \
	PYD_KIND(5,  complex, "", "") \
	PYD_KIND(6,  str, "", "") \
	PYD_KIND(7,  bytes, "", "") \
	PYD_KIND(8,  bytearray, "", "") \
	PYD_KIND(9,  list, "", "items") \
	PYD_KIND(10, tuple, "", "items") \
	PYD_KIND(11, dict, "", "pairs") \
	PYD_KIND(12, set, "", "items") \
	PYD_KIND(13, frozenset, "", "items") \
	PYD_KIND(14, object, "", "") \
	PYD_KIND(15, type, "bases mro dict qualname", "") \
	PYD_KIND(16, module, "dict name", "") \
	PYD_KIND(17, function, "code globals defaults kwdefaults closure doc name qualname dict module annotations builtins", "") \
	PYD_KIND(18, method, "func self", "") \
	PYD_KIND(19, builtin, "self module", "") \
	PYD_KIND(20, cell, "contents", "") \
	PYD_KIND(21, code, "filename name qualname varnames cellvars freevars names consts localsplusnames localspluskinds", "") \
	PYD_KIND(22, frame, "back code globals builtins locals function generator trace", "frame") \
	PYD_KIND(23, traceback, "next frame", "") \
	PYD_KIND(24, exception, "args traceback context cause notes dict", "") \
	PYD_KIND(25, generator, "name qualname code frame awaiting origin globals builtins locals function", "frame") \
	PYD_KIND(26, coroutine, "name qualname code frame awaiting origin globals builtins locals function", "frame") \
	PYD_KIND(27, async_generator, "name qualname code frame awaiting origin globals builtins locals function", "frame") \
	PYD_KIND(28, property, "fget fset fdel doc", "") \
	PYD_KIND(29, staticmethod, "callable dict", "") \
	PYD_KIND(30, classmethod, "callable dict", "") \
	PYD_KIND(31, mappingproxy, "mapping", "") \
	PYD_KIND(32, weakref, "object callback", "") \
	PYD_KIND(33, ellipsis, "", "") \
	PYD_KIND(34, notimplemented, "", "") \
	PYD_KIND(35, slice, "start stop step", "") \
	PYD_KIND(36, range, "start stop step length", "") \
	PYD_KIND(37, descriptor, "owner name qualname", "") \
	PYD_KIND(38, methodwrapper, "descr self", "") \
	PYD_KIND(39, super, "type obj", "") \
	PYD_KIND(40, record, "", "items") \
	PYD_KIND(41, mapping, "", "pairs")

enum pyd_kind {
#define PYD_KIND(id, name, fields, rest) PYD_KIND_##name = id,
	PYD_KINDS(PYD_KIND)
#undef PYD_KIND
	PYD_NKINDS
};

/* Where an attribute of an object lives (column "shapes"). */
enum pyd_origin {
	PYD_ORIGIN_INLINE = 0,	/* instance attribute; the object has no dict
				 * object yet (inline or split values) */
	PYD_ORIGIN_SLOT = 1,	/* __slots__ */
	PYD_ORIGIN_DICT = 2,	/* the object's __dict__, a dict object; the
				 * name is "__dict__" */
	PYD_ORIGIN_MEMBER = 3,	/* a C member that the type declares
				 * (tp_members) */
	PYD_ORIGIN_GUESS = 4,	/* a word that points to a live object; the
				 * name is "+BYTES", where it stands */
	PYD_ORIGIN_FIELD = 5,	/* a reference in a described C struct */
	/* Fields of a described C struct that are no references: the value of
	 * the attribute is the number itself, or the length of what stands at
	 * the end of the object's value bytes, in the order of the shape. */
	PYD_ORIGIN_INT = 6,	/* signed */
	PYD_ORIGIN_UINT = 7,
	PYD_ORIGIN_FLOAT = 8,	/* the bits of an IEEE 754 double */
	PYD_ORIGIN_BOOL = 9,
	PYD_ORIGIN_TEXT = 10,	/* length in bytes; UTF-8 as of str */
	PYD_ORIGIN_BYTES = 11,	/* length in bytes */
	PYD_ORIGIN_INTS = 12,	/* length in bytes; i64 each */
	PYD_ORIGIN_ADDRESS = 13, /* of what is no object; never followed */
};

static inline bool pyd_origin_is_ref(uint8_t origin)
{
	return origin <= PYD_ORIGIN_FIELD;
}

/* Its bytes stand at the end of the value bytes. */
static inline bool pyd_origin_has_bytes(uint8_t origin)
{
	return origin >= PYD_ORIGIN_TEXT && origin <= PYD_ORIGIN_INTS;
}

/* Marks: what is wrong or cut in an object (column "marks"). */
enum pyd_mark {
	PYD_MARK_UNREADABLE = 1,
	PYD_MARK_CORRUPT = 2,
	PYD_MARK_TORN = 3,
	PYD_MARK_TRUNCATED = 4,	/* total says how much there was */
	PYD_MARK_REDACTED = 5,
	PYD_MARK_LIMIT = 6,
};

/* Kinds of frame variables. */
enum pyd_var {
	PYD_VAR_ARG = 0,
	PYD_VAR_LOCAL = 1,
	PYD_VAR_CELL = 2,	/* the reference is the cell object */
	PYD_VAR_FREE = 3,	/* likewise */
	PYD_VAR_HIDDEN = 4,	/* of an inlined comprehension in a module or
				 * class body (3.12+) */
	PYD_VAR_CELLARG = 5,	/* an argument that lives in a cell */
};
/* clang-format on */

#endif
