/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects of the commonest types, straight out of the blocks of memory that the
 * target has at hand: most of any heap. What is whole and as it should be
 * becomes the node that the readers of the families make of it; all else, and
 * what is not at hand, is left to them.
 */
#ifndef PYD_READ_QUICK_H
#define PYD_READ_QUICK_H

#include "read/type.h"

/* How instances of the type may be read; after all else of it is known. */
enum pyd_quick pyd_quick_of(const struct pyd_layout *lay,
			    const struct pyd_type *type);
/* False: pyd_read_node() is to do it, and n holds nothing of use. */
bool pyd_quick_read(struct pyd_reader *r, pyd_addr addr, struct pyd_node *n);

#endif
