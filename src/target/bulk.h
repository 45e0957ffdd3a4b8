/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many ranges of a process into our memory at once, by all processors: the
 * target stands still meanwhile.
 */
#ifndef PYD_TARGET_BULK_H
#define PYD_TARGET_BULK_H

#include "base/buf.h"
#include "target/process.h"

struct pyd_piece {
	pyd_addr start;
	size_t len; /* at most PYD_PIECE_MAX */
	uint8_t *to;
};

#define PYD_PIECE_MAX ((size_t)4 << 20)

/*
 * Threads that wait to help: to make one takes 0.2 ms, which a target that
 * stands should not wait for.
 */
struct pyd_bulk_crew;
/* For a read of about so many bytes. NULL where there are no processors for it,
 * or no memory. */
struct pyd_bulk_crew *pyd_bulk_crew_create(uint64_t bytes);
/* Best when the target runs. Accepts NULL. */
void pyd_bulk_crew_destroy(struct pyd_bulk_crew *c);

/*
 * Reads all pieces. Pages that cannot be read are left out: their start and
 * end are appended to bad, in any order. PYD_GONE, PYD_PERM, PYD_NOMEM;
 * PYD_LIMIT when deadline_ns (CLOCK_MONOTONIC, 0: none) is over before. A crew
 * (NULL: none) helps once.
 */
PYD_MUST_CHECK enum pyd_code pyd_bulk_read(const struct pyd_process *p,
					   const struct pyd_piece *pieces,
					   size_t n, uint64_t deadline_ns,
					   struct pyd_bulk_crew *crew,
					   struct pyd_vec *bad,
					   struct pyd_err *err);

#endif
