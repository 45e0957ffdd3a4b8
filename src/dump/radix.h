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
/* Sorts words that have so many bits. tmp likewise. Returns where the result
 * is: words or tmp. */
uint64_t *pyd_radix_words(uint64_t *words, uint64_t *tmp, size_t n,
			  unsigned int bits);
/* How many bits it takes to tell v from 0. */
static inline unsigned int pyd_radix_width(uint64_t v)
{
	return v ? 64 - (unsigned int)__builtin_clzll(v) : 0;
}

#endif
