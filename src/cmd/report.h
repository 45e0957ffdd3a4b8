/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What commands that dump tell: how far it is, and what was done.
 */
#ifndef PYD_CMD_REPORT_H
#define PYD_CMD_REPORT_H

#include "walk/snapshot.h"

struct pyd_progress {
	uint64_t began; /* CLOCK_MONOTONIC ns */
	uint64_t shown; /* 0: nothing was shown, and nothing is to be wiped */
};

/* For pyd_snapshot_options.progress; ctx is a struct pyd_progress. */
void pyd_report_progress(void *ctx, const struct pyd_walk *w);
/* Notices about the dump, and on standard output how to open it. path NULL: it
 * is no file. */
void pyd_report_dump(const char *path, const struct pyd_snapshot_stats *s);

#endif
