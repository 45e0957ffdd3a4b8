/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much of one object is read. What is left out is marked with the true
 * total; what an object is known by (names, bases, attributes) is not cut:
 * the walker sets pyd_reader.whole for it.
 */
#ifndef PYD_READ_LIMIT_H
#define PYD_READ_LIMIT_H

#include "read/reader.h"

/* Of count items (pairs, entries) of a container, how many are to be read.
 * When that is not all, n gets the mark. */
uint64_t pyd_limit_items(const struct pyd_reader *r, struct pyd_node *n,
			 uint64_t count);
/* Appends the items of a container that lie at addr, as many as are to be
 * read; PYD_CORRUPT or PYD_FAULT when count cannot be true. */
PYD_MUST_CHECK enum pyd_code pyd_limit_pointers(struct pyd_reader *r,
						pyd_addr addr, uint64_t count,
						struct pyd_node *n,
						struct pyd_err *err);
/* True when a table of so many entries, that many of them in use, is to be
 * read in pieces: see pyd_more_count(). */
bool pyd_limit_in_pieces(const struct pyd_reader *r, const struct pyd_node *n,
			 uint64_t used, uint64_t entries);
/* Characters of a str, bytes of memory that are to be read at most. */
uint64_t pyd_limit_string(const struct pyd_reader *r);
uint64_t pyd_limit_blob(const struct pyd_reader *r);
/* For loops over what one object holds: PYD_LIMIT when the time is over.
 * Looks at the clock only now and then. */
PYD_MUST_CHECK enum pyd_code pyd_limit_time(const struct pyd_reader *r,
					    uint64_t done, struct pyd_err *err);

#endif
