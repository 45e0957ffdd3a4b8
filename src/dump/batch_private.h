/* SPDX-License-Identifier: Apache-2.0 */
/* Of batch.c and batch_pack.c. */
#ifndef PYD_DUMP_BATCH_PRIVATE_H
#define PYD_DUMP_BATCH_PRIVATE_H

#include <string.h>

#include "dump/batch.h"

/* Bytes of a value, and references, that are copied as a whole. */
enum { PYD_BATCH_SHORT = PYD_BATCH_LEAF, PYD_BATCH_FEW = 4 };

/* Copies len bytes out of cap. Most are few: then whole of them, a number of
 * bytes that the compiler knows. There is room for it. */
static inline void pyd_batch_copy(void *to, const void *from, size_t len,
				  size_t cap, size_t whole)
{
	if (len <= whole && cap >= whole)
		memcpy(to, from, whole);
	else
		memcpy(to, from, len);
}

#endif
