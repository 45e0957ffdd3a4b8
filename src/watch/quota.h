/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What crashes may take of a folder for dumps: how many an hour, how many at
 * all, how much of the disk. Several handlers look at the same time.
 *
 *	DIR/handler.recent	when dumps of the last hour were begun, seconds
 *				since 1970, a line each
 */
#ifndef PYD_WATCH_QUOTA_H
#define PYD_WATCH_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pyd_quota {
	const char *dir;   /* not owned */
	uint64_t keep;	   /* newest dumps in dir; 0: all */
	uint64_t rate;	   /* dumps an hour; 0: no limit */
	uint64_t min_free; /* bytes in dir; 0: no limit */
};

/* Whether the disk has room. */
bool pyd_quota_has_room(const struct pyd_quota *q);
/*
 * Enters a dump that is about to be made. NULL: there may be one; else why
 * not. *ret is for pyd_quota_give_back().
 */
const char *pyd_quota_take(const struct pyd_quota *q, int64_t *ret);
/* There is no dump after all: it does not count. */
void pyd_quota_give_back(const struct pyd_quota *q, int64_t taken);
/* Removes all but the newest dumps, and what handlers that were killed left of
 * theirs an hour ago or earlier. */
void pyd_quota_tidy(const struct pyd_quota *q);
/* The beginning of a dump under that path, whose writer was killed. */
void pyd_quota_remove_part(const char *path);
/* The dumps in a folder. */
size_t pyd_quota_count(const char *dir);

#endif
