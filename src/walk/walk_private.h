/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the walk share: walk.c, follow.c. */
#ifndef PYD_WALK_WALK_PRIVATE_H
#define PYD_WALK_WALK_PRIVATE_H

#include "walk/walk.h"

/* Objects of a level that keep their order. */
enum { PYD_WALK_NEAR_MAX = 4096 };

/* True when what is met now goes to the visited set's queue. */
static inline bool pyd_walk_by_address(const struct pyd_walk *w,
				       const struct pyd_vec *queue)
{
	return !w->ordered &&
	       (queue->len >= PYD_WALK_NEAR_MAX || w->visited.nqueued);
}

/* Adds what was not met before to the queue, or to that of the visited set. */
PYD_MUST_CHECK enum pyd_code pyd_walk_meet(struct pyd_walk *w,
					   struct pyd_vec *queue, uint64_t ref,
					   struct pyd_err *err);
/* The same for what the next level has. */
PYD_MUST_CHECK static inline enum pyd_code pyd_walk_meet_next(
	struct pyd_walk *w, uint64_t ref, struct pyd_err *err)
{
	if (!ref || (pyd_walk_by_address(w, &w->next) &&
		     pyd_visited_quick(&w->visited, ref)))
		return PYD_OK;
	return pyd_walk_meet(w, &w->next, ref, err);
}

/* Of the last types, which most objects have. */
static inline size_t pyd_walk_slot(pyd_addr type)
{
	_Static_assert(sizeof(((struct pyd_walk *)0)->noted) ==
			       256 * sizeof(pyd_addr),
		       "a slot is eight bits");
	return (size_t)(type * 0x9E3779B97F4A7C15ULL >> 56);
}

/* Meets what w->node refers to. */
PYD_MUST_CHECK enum pyd_code pyd_walk_follow(struct pyd_walk *w,
					     struct pyd_err *err);

#endif
