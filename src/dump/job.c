// SPDX-License-Identifier: Apache-2.0
#include "dump/job.h"

#include <stdlib.h>

struct pyd_job *pyd_job_create(enum pyd_job_type type)
{
	struct pyd_job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->type = type;
	if (type == PYD_JOB_BATCH)
		job->batch = pyd_batch_create();
	/* Untouched pages of it cost nothing. */
	if (type == PYD_JOB_INDEX)
		job->run = malloc(PYD_RUN_OBJECTS * sizeof(*job->run));
	if ((type == PYD_JOB_BATCH && !job->batch) ||
	    (type == PYD_JOB_INDEX && !job->run)) {
		pyd_job_destroy(job);
		return NULL;
	}
	return job;
}

void pyd_job_destroy(struct pyd_job *job)
{
	if (!job)
		return;
	pyd_buf_deinit(&job->raw);
	pyd_buf_deinit(&job->extra);
	pyd_batch_destroy(job->batch);
	free(job->run);
	pyd_vec_deinit(&job->batches);
	free(job);
}

uint32_t pyd_job_frames(const struct pyd_job *job)
{
	if (job->type == PYD_JOB_RAW)
		return 0;
	if (job->type == PYD_JOB_INDEX)
		return (uint32_t)((job->nrun + PYD_INDEX_ENTRIES - 1) /
				  PYD_INDEX_ENTRIES);
	return 1;
}

void pyd_made_clear(struct pyd_made *m)
{
	pyd_buf_clear(&m->data);
	m->written = 0;
	pyd_buf_clear(&m->extra);
	m->n = 0;
}

enum pyd_code pyd_made_frame(struct pyd_made *m, size_t csize, size_t rsize,
			     struct pyd_err *err)
{
	if (m->n == m->cap) {
		size_t cap = m->cap ? 2 * m->cap : 4;
		void *p = reallocarray(m->frames, cap, sizeof(*m->frames));

		if (!p)
			return pyd_err_set(err, PYD_NOMEM, "out of memory");
		m->frames = p;
		m->cap = cap;
	}
	m->frames[m->n++] = (struct pyd_made_frame) {
		.csize = (uint32_t)csize,
		.rsize = (uint32_t)rsize,
	};
	return PYD_OK;
}

void pyd_made_deinit(struct pyd_made *m)
{
	pyd_buf_deinit(&m->data);
	pyd_buf_deinit(&m->extra);
	free(m->frames);
	*m = (struct pyd_made) { 0 };
}
