/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames on their way into the file: packed and compressed by worker threads,
 * written in the order in which they were submitted. The queue is bounded:
 * who submits waits while the disk or the compression does not keep up.
 */
#ifndef PYD_DUMP_QUEUE_H
#define PYD_DUMP_QUEUE_H

#include "dump/batch.h"
#include "dump/file.h"

struct pyd_queue;

/* Entries of 10 bytes each in one index frame, beside its list of batches. */
#define PYD_INDEX_ENTRIES 98000U
/* Objects in one run of the index, three frames of it: 2 MB. */
#define PYD_RUN_OBJECTS (3U * PYD_INDEX_ENTRIES)

/* One submission: a batch, a run of the index, or a frame packed already.
 * Whichever it is becomes nframes frames of the file. */
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
	 * PYD_RUN_OBJECTS. */
	uint64_t *run;
	size_t nrun;
	struct pyd_vec batches; /* frame number, then number of objects */
};

/* How many frames the index of n addresses in nbatches batches takes. */
uint32_t pyd_queue_index_frames(size_t n, size_t nbatches);

/* file must outlive the queue. threads 0: as many as pay. */
PYD_MUST_CHECK enum pyd_code pyd_queue_create(struct pyd_file *file, int level,
					      unsigned int threads,
					      struct pyd_queue **ret,
					      struct pyd_err *err);
/* From here on the threads let others go first (pyd_pace_yield). */
void pyd_queue_yield(struct pyd_queue *q);
/* Takes the job over, also when it fails. The number of its first frame in the
 * file goes to *ret_frame (may be NULL). */
PYD_MUST_CHECK enum pyd_code pyd_queue_submit(struct pyd_queue *q,
					      struct pyd_job *job,
					      uint32_t *ret_frame,
					      struct pyd_err *err);
/* An empty job of that type, used before when there is one; a BATCH has an
 * empty batch, an INDEX an empty run. NULL when memory is out. */
struct pyd_job *pyd_queue_job(struct pyd_queue *q, enum pyd_job_type type);
/* Waits until all is written; fails when any of it failed. */
PYD_MUST_CHECK enum pyd_code pyd_queue_drain(struct pyd_queue *q,
					     struct pyd_err *err);
/* Bytes written so far. */
uint64_t pyd_queue_bytes(struct pyd_queue *q);

/* Only on a drained queue: the list for the toc, and the seekable table. */
PYD_MUST_CHECK enum pyd_code pyd_queue_pack_toc(struct pyd_queue *q,
						struct pyd_buf *out,
						struct pyd_err *err);
PYD_MUST_CHECK enum pyd_code pyd_queue_seek_table(struct pyd_queue *q,
						  struct pyd_buf *out,
						  struct pyd_err *err);

/* Stops the threads; what is not written is dropped. Accepts NULL. */
void pyd_queue_destroy(struct pyd_queue *q);
void pyd_job_destroy(struct pyd_job *job);

#endif
