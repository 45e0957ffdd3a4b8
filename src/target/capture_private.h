/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of a capture share: capture.c, capture_plan.c. */
#ifndef PYD_TARGET_CAPTURE_PRIVATE_H
#define PYD_TARGET_CAPTURE_PRIVATE_H

#include "target/bulk.h"
#include "target/capture.h"
#include "target/copy.h"
#include "target/maps.h"
#include "target/pagemap.h"

struct pyd_capture_run {
	pyd_addr start;
	pyd_addr end;
};

struct pyd_capture {
	struct pyd_process *p;
	struct pyd_pagemap pm;
	struct pyd_page_runs pages;   /* of one region, reused */
	struct pyd_capture_run *runs; /* of all regions */
	size_t nruns;
	size_t cap;
	struct pyd_copy_parts parts;
	struct pyd_vec unread; /* pairs; other than guard pages */
	/* As it was before the stop: what is mapped, and what is written to of
	 * files that can only be read. */
	struct pyd_maps before;
	struct pyd_buf text; /* that before was read from */
	struct pyd_capture_run *file_runs;
	size_t nfile_runs;
	size_t file_cap;
	struct pyd_buf now;
	int *files; /* by region of before, -1: none */
	int *fds;   /* those in files, once each */
	size_t nfds;
	struct pyd_capture_stats stats;
	uint64_t planned;	    /* bytes, before the stop */
	struct pyd_bulk_crew *crew; /* NULL: none */
	size_t used;		    /* of the last chunk, bytes */
	uint64_t deadline_ns;
	uint8_t taken;
	uint8_t same; /* what was mapped when it was taken is what is in before
		       */
};

/* What is to be taken of regions: c->runs, and how many bytes it is. */
PYD_MUST_CHECK enum pyd_code pyd_capture_plan(struct pyd_capture *c,
					      const struct pyd_maps *maps,
					      uint64_t *ret_bytes,
					      struct pyd_err *err);
PYD_MUST_CHECK enum pyd_code pyd_capture_add_unread(struct pyd_capture *c,
						    pyd_addr start,
						    pyd_addr end,
						    struct pyd_err *err);
/* When it runs again: what was planned before the stop, and is not certain to
 * have been so in it, is left out. */
PYD_MUST_CHECK enum pyd_code pyd_capture_check_files(struct pyd_capture *c,
						     struct pyd_err *err);

#endif
