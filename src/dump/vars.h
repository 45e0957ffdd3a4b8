/* SPDX-License-Identifier: Apache-2.0 */
/* Variables as the objects of a dump have them: cells, the names of a module
 * or class body, the slots of a frame object. All of it is untrusted. */
#ifndef PYD_DUMP_VARS_H
#define PYD_DUMP_VARS_H

#include "pydumpd/dump.h"

/* *ret: the contents of a cell, 0 when it is empty. False, and *ret untouched,
 * when ref is none, or was not dumped. */
bool pyd_vars_cell(struct pyd_dump *d, uint64_t ref, uint64_t *ret);

struct pyd_variable {
	uint64_t name;	   /* a reference, to a str when the dump is sound */
	uint64_t value;	   /* a reference: what the name stands for, 0 when a
			    * cell is empty */
	uint64_t cell;	   /* the cell, or 0 */
	enum pyd_var kind; /* of a function's variable */
};

/*
 * Calls back for each entry of a module's or class body's mapping, but for
 * those whose name begins with two underscores. False
 * when that is not all of it, or nothing: the mapping was not dumped, was cut,
 * or is no dict.
 */
bool pyd_vars_names(struct pyd_dump *d, uint64_t mapping,
		    void (*each)(void *ctx, const struct pyd_variable *var),
		    void *ctx);

/*
 * Calls back for the variables of a function's frame object that are set, in
 * the order of its code. False when that may not be all of them: the names
 * were not dumped, or not all slots.
 */
bool pyd_vars_slots(struct pyd_dump *d, const struct pyd_dump_object *frame,
		    const struct pyd_dump_object *code,
		    void (*each)(void *ctx, const struct pyd_variable *var),
		    void *ctx);

/* The mapping of a frame object of a module or class body; 0 of a function,
 * where it is but a copy of the variables, perhaps an old one. */
uint64_t pyd_vars_mapping(struct pyd_dump *d,
			  const struct pyd_dump_object *frame,
			  const struct pyd_dump_object *code);

#endif
