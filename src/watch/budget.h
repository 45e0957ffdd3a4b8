/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many dumps there may be: a program that crashes in a loop does not fill
 * the disk.
 */
#ifndef PYD_WATCH_BUDGET_H
#define PYD_WATCH_BUDGET_H

#include "watch/watch.h"

struct pyd_budget {
	const struct pyd_watch_options *o;
	uint64_t begun;		     /* dumps */
	uint64_t last_ns, before_ns; /* when the last one began, and before */
	bool said;		     /* that there are no more */
	char **paths;		     /* of those written, the oldest first */
	size_t npaths;
};

/* NULL: there may be one, which is counted; else why not, said once. "" when
 * that has been said. */
const char *pyd_budget_take(struct pyd_budget *b);
/* One that was taken was not written; never: it was not to be, and the next
 * need not wait for it. */
void pyd_budget_give_back(struct pyd_budget *b, bool never);
/* It was, under path: removes older ones. */
void pyd_budget_done(struct pyd_budget *b, const char *path);
void pyd_budget_deinit(struct pyd_budget *b);

#endif
