/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of 512 bits: one for each 16 bytes of two pages. */
#ifndef PYD_WALK_BITS_H
#define PYD_WALK_BITS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
	PYD_BITS_WORDS = 8,	   /* of 64 bits, in a block */
	PYD_BITS_CHUNK_SHIFT = 15, /* blocks in one piece of memory */
	PYD_BITS_MAX = 1 << 28,
};

struct pyd_bits {
	uint64_t **chunks; /* owned, and so are they */
	size_t nchunks;
	uint32_t n;    /* blocks that were handed out once, and number 0 */
	uint32_t free; /* one that was given back; 0: none */
};

/* A block by its number. Valid until deinit. */
static inline uint64_t *pyd_bits_at(const struct pyd_bits *b, uint32_t number)
{
	const uint32_t low = (1U << PYD_BITS_CHUNK_SHIFT) - 1;

	return b->chunks[number >> PYD_BITS_CHUNK_SHIFT] +
	       (size_t)(number & low) * PYD_BITS_WORDS;
}

/* Zeros. No block has number 0; all are below PYD_BITS_MAX. */
PYD_MUST_CHECK enum pyd_code pyd_bits_take(struct pyd_bits *b, uint32_t *ret,
					   struct pyd_err *err);
void pyd_bits_give(struct pyd_bits *b, uint32_t number);
void pyd_bits_deinit(struct pyd_bits *b);

#endif
