/* SPDX-License-Identifier: Apache-2.0 */
/*
 * References of one object that are not in memory here: so many that they are
 * read again, in pieces, each time somebody goes through them. Only of a target
 * whose memory does not change.
 */
#ifndef PYD_READ_MORE_H
#define PYD_READ_MORE_H

#include <stddef.h>

#include "base/err.h"

struct pyd_target;

enum {
	/* References of an object from which on it is read so: 32 MB. */
	PYD_MORE_MIN = 4 << 20,
	PYD_MORE_WORDS = 1 << 14, /* of memory that are read at once */
};

/* A table of entries, in the order of which they stand. */
struct pyd_more {
	uint64_t n;		   /* references in all; 0: there are none */
	struct pyd_target *target; /* not owned */
	pyd_addr at;
	uint64_t entries;
	enum pyd_more_kind {
		PYD_MORE_ITEMS, /* a word each */
		PYD_MORE_PAIRS, /* the last two words, unless one is 0 */
		PYD_MORE_KEYS,	/* the first one, unless it is 0 or the second
				 * one -1 */
	} kind;
	unsigned int words; /* of an entry */
	/* Bits that all references have, and those that any has. */
	uint64_t all, any;
};

/* Looks at all of them: n, all and any. Fails when something of the table
 * cannot be read. */
PYD_MUST_CHECK enum pyd_code pyd_more_count(struct pyd_more *m,
					    struct pyd_err *err);
/* The next ones, at most PYD_MORE_WORDS, into words. *at begins with 0; at the
 * end *ret is 0. */
PYD_MUST_CHECK enum pyd_code pyd_more_next(const struct pyd_more *m,
					   uint64_t *at, uint64_t *words,
					   size_t *ret, struct pyd_err *err);

#endif
