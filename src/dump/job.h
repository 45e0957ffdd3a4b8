/* SPDX-License-Identifier: Apache-2.0 */
/* One submission to the queue, and what becomes of it. */
#ifndef PYD_DUMP_JOB_H
#define PYD_DUMP_JOB_H

#include "dump/batch.h"

/* Entries of 10 bytes each in one index frame, beside its list of batches. */
#define PYD_INDEX_ENTRIES 98000U
/* Objects in one run of the index, three frames of it: 2 MB. */
#define PYD_RUN_OBJECTS (3U * PYD_INDEX_ENTRIES)

/* A batch, a run of the index, or a frame packed already. */
struct pyd_job {
	enum pyd_job_type {
		PYD_JOB_FRAME,
		PYD_JOB_BATCH,
		PYD_JOB_INDEX,
		PYD_JOB_RAW, /* bytes for the file, no frame */
	} type;
	char kind[24];
	struct pyd_buf raw;	 /* FRAME, RAW */
	struct pyd_buf extra;	 /* FRAME: packed elements for the toc */
	uint32_t nextra;	 /* FRAME */
	struct pyd_batch *batch; /* BATCH */
	/* INDEX: addresses, those of a batch one behind the other; room for
	 * PYD_RUN_OBJECTS. Sorting them takes their place. */
	uint64_t *run;
	size_t nrun;
	struct pyd_vec batches; /* frame number, then number of objects */
};

/* Empty: a BATCH has an empty batch, an INDEX an empty run. NULL when memory
 * is out. */
struct pyd_job *pyd_job_create(enum pyd_job_type type);
/* Accepts NULL. */
void pyd_job_destroy(struct pyd_job *job);
/* How many frames of the file it becomes. */
uint32_t pyd_job_frames(const struct pyd_job *job);

/* Frames, one behind the other in data. */
struct pyd_made {
	struct pyd_buf data;
	size_t written; /* bytes before data, of the first frame, that are in
			 * the file already */
	struct pyd_buf extra; /* packed elements for the toc, likewise */
	struct pyd_made_frame {
		uint32_t csize;
		uint32_t rsize;
		size_t extra_len; /* of its elements in extra */
		uint32_t nextra;
	} * frames;
	size_t n, cap;
};

void pyd_made_clear(struct pyd_made *m);
void pyd_made_deinit(struct pyd_made *m);
/* Notes a frame whose bytes are in data already. */
PYD_MUST_CHECK enum pyd_code pyd_made_frame(struct pyd_made *m, size_t csize,
					    size_t rsize, struct pyd_err *err);

#endif
