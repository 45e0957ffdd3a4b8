/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The readers of one object family each. To add a type: write its reader in
 * the file of its family (or a new one), and give it a line in families.def.
 */
#ifndef PYD_READ_FAMILY_H
#define PYD_READ_FAMILY_H

#include "read/object.h"

#define PYD_FAMILY(name, kind, fn, owns_dict)                                  \
	enum pyd_code fn(struct pyd_reader *r, const struct pyd_obj *o,        \
			 struct pyd_node *n, struct pyd_err *err);
#define PYD_FAMILY_PLAIN(name, kind)
#include "read/families.def"
#undef PYD_FAMILY
#undef PYD_FAMILY_PLAIN

#endif
