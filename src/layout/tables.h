/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The texts of offsets/, put into the library by tools/offsets/embed.sh at
 * build time.
 */
#ifndef PYD_LAYOUT_TABLES_H
#define PYD_LAYOUT_TABLES_H

#include <stddef.h>

struct pyd_table_text {
	const char *file; /* "cpython-3.11.offsets" */
	const char *text; /* NUL-terminated */
	size_t len;
};

/* offsets/NAME.offsets */
extern const struct pyd_table_text pyd_table_texts[];
extern const size_t pyd_ntable_texts;
/* offsets/types/NAME.types */
extern const struct pyd_table_text pyd_type_texts[];
extern const size_t pyd_ntype_texts;

#endif
