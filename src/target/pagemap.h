/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which pages of a process are in use: by the PAGEMAP_SCAN request where the
 * kernel has it (6.7), else by reading /proc/PID/pagemap.
 */
#ifndef PYD_TARGET_PAGEMAP_H
#define PYD_TARGET_PAGEMAP_H

#include <stddef.h>

#include "target/process.h"

struct pyd_page_run {
	pyd_addr start;
	pyd_addr end;
	uint8_t guard; /* faults for the process itself: a guard page */
	uint8_t file;  /* still the mapped file's; only with want_file */
	uint8_t zero;  /* the kernel's page of zeros */
};

struct pyd_page_runs {
	struct pyd_page_run *v;
	size_t n;
	size_t cap;
};

struct pyd_pagemap {
	int fd; /* -1: cannot be read */
	uint64_t page;
	uint64_t *entries; /* buffer of the slow way */
	uint8_t no_scan;   /* PAGEMAP_SCAN is not known here */
	uint8_t no_guard;  /* it does not know guard pages */
	uint8_t want_file; /* by the caller: runs are to tell file */
};

/* Never fails for lack of permission: then fd is -1. */
PYD_MUST_CHECK enum pyd_code pyd_pagemap_open(pid_t pid,
					      struct pyd_pagemap *ret,
					      struct pyd_err *err);
void pyd_pagemap_close(struct pyd_pagemap *pm);
/*
 * Appends the pages between start and end that are resident or swapped, in
 * order. PYD_LIMIT: too large for the slow way (64 GiB); PYD_PERM: fd is -1.
 */
PYD_MUST_CHECK enum pyd_code pyd_pagemap_scan(struct pyd_pagemap *pm,
					      pyd_addr start, pyd_addr end,
					      struct pyd_page_runs *runs,
					      struct pyd_err *err);
void pyd_page_runs_deinit(struct pyd_page_runs *runs);

#endif
