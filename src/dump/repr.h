/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A short text for an object, as Python's repr() would begin: bounded in depth,
 * width and length; true, or it says what is missing. Escaped for terminals.
 */
#ifndef PYD_DUMP_REPR_H
#define PYD_DUMP_REPR_H

#include "dump/text.h"
#include "pydumpd/dump.h"

struct pyd_repr_limits {
	unsigned int depth; /* of containers in containers, at most 8 */
	unsigned int items; /* of one container */
	unsigned int chars; /* of one str or bytes */
	unsigned int bytes; /* of the whole text, about */
};

extern const struct pyd_repr_limits pyd_repr_default;

/* Appends. Failures of the file become part of the text; what sticks in out is
 * memory and I/O. */
void pyd_repr(struct pyd_dump *d, uint64_t ref,
	      const struct pyd_repr_limits *limits, struct pyd_text *out);
/* Appends "module.qualname" of a type, or its address. */
void pyd_repr_type(struct pyd_dump *d, pyd_addr type, struct pyd_text *out);

#endif
