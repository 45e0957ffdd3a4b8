/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What no limit cuts: what an object is known by. Names and bases of types,
 * names in code, the attributes of an instance or module and their names are
 * short, and without them the rest of the dump could not be understood.
 */
#ifndef PYD_WALK_WHOLE_H
#define PYD_WALK_WHOLE_H

#include "base/map.h"
#include "read/node.h"

struct pyd_whole {
	bool on;	    /* some limit cuts inside of objects */
	struct pyd_map map; /* address -> flags */
};

void pyd_whole_deinit(struct pyd_whole *w);
bool pyd_whole_has(const struct pyd_whole *w, pyd_addr addr);
/* A namespace: the dict at addr and its keys. */
PYD_MUST_CHECK enum pyd_code pyd_whole_names(struct pyd_whole *w, pyd_addr addr,
					     struct pyd_err *err);
/* Notes what the node refers to and is to be whole. */
PYD_MUST_CHECK enum pyd_code pyd_whole_note(struct pyd_whole *w,
					    const struct pyd_node *n,
					    struct pyd_err *err);

#endif
