/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames on their way into the file: packed and compressed by worker threads,
 * written in the order in which they were submitted. The queue is bounded:
 * who submits waits while the disk or the compression does not keep up.
 */
#ifndef PYD_DUMP_QUEUE_H
#define PYD_DUMP_QUEUE_H

#include "dump/file.h"
#include "dump/job.h"

struct pyd_queue;

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

#endif
