/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shapes: lists of attribute names, interned, with their text for the dump.
 */
#ifndef PYD_WALK_SHAPES_H
#define PYD_WALK_SHAPES_H

#include <msgpack.h>

#include "read/reader.h"

struct pyd_shape {
	struct pyd_attr_name *names;
	size_t n;
	msgpack_sbuffer map; /* packed list of [origin, name] */
};

struct pyd_redact;

struct pyd_shapes {
	struct pyd_redact *redact; /* not owned; may be NULL */
	struct pyd_shape *v;	   /* [0] is the empty shape */
	size_t n, cap;
	struct pyd_map index; /* hash of names -> position */
	uint32_t last[64];    /* the last ones, by a hash of the type */
};

/* The id of the names of node; its text is read on first sight. */
PYD_MUST_CHECK enum pyd_code pyd_shapes_get(struct pyd_shapes *s,
					    struct pyd_reader *r,
					    const struct pyd_node *node,
					    uint32_t *ret, struct pyd_err *err);
void pyd_shapes_deinit(struct pyd_shapes *s);

#endif
