/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The set of addresses that the walk has met: a bit for each 8 bytes, in
 * pieces that exist once an address of theirs is met. Only addresses inside
 * mapped regions go in, so a target full of wild pointers cannot make it grow.
 */
#ifndef PYD_WALK_VISITED_H
#define PYD_WALK_VISITED_H

#include "base/map.h"
#include "target/target.h"

struct pyd_visited {
	struct pyd_map pieces; /* address >> 20 -> bitmap */
	uint64_t last_key;     /* of the piece met last */
	uint64_t *last;
	const struct pyd_region *region; /* that held the last address */
	/* Addresses outside all regions, or unaligned; bounded. */
	struct pyd_map wild;
};

/* True in *ret_new when addr was not in the set; now it is. */
PYD_MUST_CHECK enum pyd_code pyd_visited_add(struct pyd_visited *v,
					     const struct pyd_target *t,
					     pyd_addr addr, bool *ret_new,
					     struct pyd_err *err);
bool pyd_visited_has(const struct pyd_visited *v, pyd_addr addr);
void pyd_visited_deinit(struct pyd_visited *v);

#endif
