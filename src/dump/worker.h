/* SPDX-License-Identifier: Apache-2.0 */
/* Packs and compresses jobs, one after the other. One for each thread. */
#ifndef PYD_DUMP_WORKER_H
#define PYD_DUMP_WORKER_H

#include <zstd.h>

#include "dump/job.h"

/* Of memory that is kept to be used again. */
#define PYD_KEEP_BYTES ((size_t)16 * PYD_FORMAT_FRAME_TARGET)

struct pyd_worker {
	ZSTD_CCtx *cctx;
	struct pyd_batch_scratch scratch;
	struct pyd_buf raw;
	struct pyd_vec run; /* to sort an index in */
	/* Has what m's data hold of a frame written, and clears them; or NULL.
	 * It is not a whole frame yet. */
	enum pyd_code (*spill)(void *ctx, struct pyd_made *m,
			       struct pyd_err *err);
	void *spill_ctx;
};

PYD_MUST_CHECK enum pyd_code pyd_worker_init(struct pyd_worker *w, int level,
					     struct pyd_err *err);
/* Accepts zeros. */
void pyd_worker_deinit(struct pyd_worker *w);
/* Makes the frames of the job, in place of what m has. */
PYD_MUST_CHECK enum pyd_code pyd_worker_make(struct pyd_worker *w,
					     struct pyd_job *job,
					     struct pyd_made *m,
					     struct pyd_err *err);

#endif
