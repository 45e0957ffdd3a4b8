/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A code object as frames need it: names, kinds and the line table, read once
 * and cached in the reader.
 */
#ifndef PYD_READ_CODE_H
#define PYD_READ_CODE_H

#include "read/reader.h"

struct pyd_codevar {
	pyd_addr name; /* str object */
	uint8_t kind;  /* enum pyd_var */
	/* Index of the cell that holds this argument once the function has
	 * begun (before 3.11), or -1. */
	int32_t cell;
};

struct pyd_codeobj {
	pyd_addr addr;
	pyd_addr filename, name, qualname; /* str objects; qualname may be 0 */
	char *filename_text; /* UTF-8, at most PYD_NAME_MAX bytes */
	char *name_text;
	char *qualname_text; /* NULL before 3.11 */
	int32_t argcount, posonly, kwonly, nlocals, stacksize, flags;
	int32_t firstlineno;
	/* Every variable, in the order of localsplus. */
	struct pyd_codevar *vars;
	size_t nvars;
	/* First instruction and bytes of bytecode. */
	pyd_addr first;
	uint64_t size;
	uint8_t *table; /* line table */
	size_t table_len;
	uint8_t *handlers; /* exception table (3.11+), or NULL */
	size_t handlers_len;
	/* A code object that does not hold up. */
	enum pyd_code bad;
	char bad_text[120];
};

enum { PYD_NAME_MAX = 4096 };

/* co_flags (Include/cpython/code.h). */
enum {
	PYD_CO_OPTIMIZED = 0x01,
	PYD_CO_VARARGS = 0x04,
	PYD_CO_VARKEYWORDS = 0x08,
};

/* The code at addr; owned by the reader. PYD_CORRUPT when it is not a code
 * object. */
PYD_MUST_CHECK enum pyd_code pyd_codeobj_get(struct pyd_reader *r,
					     pyd_addr addr,
					     const struct pyd_codeobj **ret,
					     struct pyd_err *err);
void pyd_codeobj_destroy(struct pyd_codeobj *c);

/* Lines are 1-based (0: before a module's first), columns 0-based bytes; -1:
 * none. */
struct pyd_position {
	int32_t line, end_line, col, end_col;
};

/* Where the instruction at byte offset lasti (-1: before the first) is. */
void pyd_codeobj_position(const struct pyd_reader *r,
			  const struct pyd_codeobj *c, int64_t lasti,
			  struct pyd_position *ret);

/*
 * How many values the evaluation stack has for certain while the instruction
 * at byte offset lasti runs: those that the handler of its exceptions keeps.
 * 0: no handler, or none known. From 3.11 on; before, frames have blocks.
 */
uint32_t pyd_codeobj_depth(const struct pyd_codeobj *c, int64_t lasti);

#endif
