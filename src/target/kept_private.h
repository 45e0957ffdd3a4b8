/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the kept target share: kept.c, kept_ahead.c. */
#ifndef PYD_TARGET_KEPT_PRIVATE_H
#define PYD_TARGET_KEPT_PRIVATE_H

#include "target/bulk.h"
#include "target/kept.h"

enum {
	PYD_KEPT_BLOCK = PYD_WINDOW_BYTES,
	PYD_KEPT_PAGE = 4096, /* what is readable is known by this much */
	PYD_KEPT_PAGES = PYD_KEPT_BLOCK / PYD_KEPT_PAGE,
	PYD_KEPT_NONE = -1,
	/* What is said of so many pages that were not readable. */
	PYD_KEPT_REASONS = 64,
};

struct pyd_kept_block {
	uint64_t number; /* address / PYD_KEPT_BLOCK */
	int32_t chain;	 /* next in the same bucket */
	uint8_t tried;	 /* one bit a page */
	uint8_t valid;	 /* of them, those that could be read */
	uint8_t recent;	 /* for the windows; nobody looks at it */
};

/* Pages of one block that were asked for. */
struct pyd_kept_want {
	uint64_t number;
	int32_t chain;
	uint8_t pages;
};

struct pyd_kept {
	struct pyd_target base;
	struct pyd_target *inner;
	uint64_t until_ns;
	uint64_t own_until_ns; /* processor time of the thread */
	bool closed, full;
	bool code;  /* after the close: what is constant is read */
	bool notes; /* what is asked for becomes wanted */
	struct pyd_kept_block *blocks;
	uint8_t *data; /* of mmap; block i is at i * PYD_KEPT_BLOCK */
	size_t nblocks;
	size_t used;
	int32_t *buckets;
	size_t nbuckets; /* power of two */
	int32_t last;	 /* the block of the last read */
	uint64_t bytes, missed;
	uint8_t *late; /* by region: it was read after the close */
	struct {
		pyd_addr page;
		char text[160];
	} reasons[PYD_KEPT_REASONS];
	size_t nreasons;
	/* Of all openings; nblocks at most. */
	struct pyd_kept_want *wants;
	size_t nwants;
	int32_t *want_buckets;
	/* What is to be read ahead; its pages are marked as valid. */
	struct pyd_piece *pieces;
	size_t npieces, pieces_cap;
	bool planned;
	struct pyd_bulk_crew *crew; /* for them; NULL: none */
};

/* -- kept.c -- */

size_t pyd_kept_bucket(const struct pyd_kept *k, uint64_t number);
/* The block of that number, or PYD_KEPT_NONE. */
int32_t pyd_kept_lookup(const struct pyd_kept *k, uint64_t number);
/* There has to be room for it. */
int32_t pyd_kept_add_block(struct pyd_kept *k, uint64_t number);
/* Reads those pages of block i that are wanted and have not been tried. */
PYD_MUST_CHECK enum pyd_code pyd_kept_complete(struct pyd_kept *k, int32_t i,
					       unsigned int wanted,
					       struct pyd_err *err);
/* What of a range, len bytes at addr, is in the first of its blocks. */
struct pyd_kept_part {
	uint64_t number;    /* of the block */
	size_t at, n;	    /* bytes in it */
	unsigned int pages; /* one bit a page */
};
struct pyd_kept_part pyd_kept_first(pyd_addr addr, size_t len);
/* Of this opening. */
void pyd_kept_forget(struct pyd_kept *k);

/* -- kept_ahead.c -- */

void pyd_kept_want(struct pyd_kept *k, uint64_t number, unsigned int pages);

#endif
