/* SPDX-License-Identifier: Apache-2.0 */
/* Sorting of addresses with something attached: linear, stable. */
#ifndef PYD_DUMP_RADIX_H
#define PYD_DUMP_RADIX_H

#include <stddef.h>
#include <stdint.h>

struct pyd_radix_item {
	uint64_t key;
	uint32_t major; /* sorts before the key */
	uint32_t tag;	/* carried along */
};

/* Sorts by (major, key). tmp holds n items as well; the result is in items. */
void pyd_radix_sort(struct pyd_radix_item *items, struct pyd_radix_item *tmp,
		    size_t n);

#endif
