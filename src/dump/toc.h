/* SPDX-License-Identifier: Apache-2.0 */
/* The list of all frames in the file, and the seekable table behind it. */
#ifndef PYD_DUMP_TOC_H
#define PYD_DUMP_TOC_H

#include "dump/job.h"

struct pyd_toc {
	struct pyd_toc_size {
		uint32_t csize;
		uint32_t rsize;
	} * sizes;
	size_t n, cap;
	struct pyd_buf list; /* packed, n elements */
};

void pyd_toc_deinit(struct pyd_toc *t);
/* Adds frames that stand at offset in the file, one behind the other. */
PYD_MUST_CHECK enum pyd_code pyd_toc_add(struct pyd_toc *t,
					 const struct pyd_made *m,
					 const char *kind, uint64_t offset,
					 struct pyd_err *err);
/* Appends the map of the "toc" frame. */
PYD_MUST_CHECK enum pyd_code pyd_toc_pack(const struct pyd_toc *t,
					  struct pyd_buf *out,
					  struct pyd_err *err);
/* Appends the seekable table, or nothing where there are too many frames for
 * one. */
PYD_MUST_CHECK enum pyd_code pyd_toc_seek_table(const struct pyd_toc *t,
						struct pyd_buf *out,
						struct pyd_err *err);

#endif
