// SPDX-License-Identifier: Apache-2.0
#include "dump/queue.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/pace.h"
#include "dump/toc.h"
#include "dump/worker.h"

#define MAX_THREADS 4
struct slot {
	struct pyd_job *job; /* NULL: free */
	bool taken, done;
	struct pyd_made made;
};

struct thread {
	struct pyd_queue *q;
	pthread_t id;
	struct pyd_worker worker;
};

struct pyd_queue {
	struct pyd_file *file;
	pthread_mutex_t lock;
	pthread_cond_t work; /* something to take, or stop */
	pthread_cond_t room; /* something written, or failed */
	bool stop, yield, writing, failed;
	struct pyd_err err;

	/* Jobs have numbers; job n is in slot n % nslots. */
	struct slot *slots;
	uint64_t nslots, submitted, taken, written;
	uint32_t next_frame;

	uint64_t bytes;
	struct pyd_toc toc;

	struct pyd_job *spare[4]; /* batches */
	size_t nspare;
	struct pyd_job *spare_run;

	/* One for each thread, then the caller's. */
	struct thread *threads;
	unsigned int nworkers;
	unsigned int nthreads; /* that run */
};

/* One that was used before and has its memory still; NULL: there is none. */
static struct pyd_job *used_job(struct pyd_queue *q, enum pyd_job_type type)
{
	struct pyd_job *job = NULL;

	pthread_mutex_lock(&q->lock);
	if (type == PYD_JOB_BATCH && q->nspare) {
		job = q->spare[--q->nspare];
	} else if (type == PYD_JOB_INDEX) {
		job = q->spare_run;
		q->spare_run = NULL;
	}
	pthread_mutex_unlock(&q->lock);
	if (job && type == PYD_JOB_BATCH)
		pyd_batch_clear(job->batch);
	return job;
}

struct pyd_job *pyd_queue_job(struct pyd_queue *q, enum pyd_job_type type)
{
	struct pyd_job *job = used_job(q, type);

	return job ? job : pyd_job_create(type);
}

/* -- writing: one thread at a time, without the lock -- */

static void recycle(struct pyd_queue *q, struct slot *s)
{
	struct pyd_job *job = s->job;

	s->job = NULL;
	s->taken = false;
	s->done = false;
	/* One huge object must not keep its memory for the rest of the run. */
	if (s->made.data.cap > PYD_KEEP_BYTES)
		pyd_made_deinit(&s->made);
	if (job->type == PYD_JOB_BATCH && !q->failed &&
	    !pyd_batch_is_huge(job->batch) &&
	    q->nspare < sizeof(q->spare) / sizeof(q->spare[0])) {
		q->spare[q->nspare++] = job;
	} else if (job->type == PYD_JOB_INDEX && !q->spare_run) {
		job->nrun = 0;
		pyd_vec_clear(&job->batches);
		q->spare_run = job;
	} else {
		pyd_job_destroy(job);
	}
}

static void fail(struct pyd_queue *q, const struct pyd_err *err)
{
	if (!q->failed)
		q->err = *err;
	q->failed = true;
	pthread_cond_broadcast(&q->room);
}

/* Writes what is done and next, unless another thread is at it. Called with
 * the lock, which is let go while writing. */
static void write_done(struct pyd_queue *q)
{
	while (!q->writing && q->written < q->submitted) {
		struct slot *s = &q->slots[q->written % q->nslots];
		struct pyd_err err = { .code = PYD_OK };
		enum pyd_code code = PYD_OK;

		if (!s->done)
			return;
		if (!q->failed) {
			q->writing = true;
			pthread_mutex_unlock(&q->lock);
			code = pyd_file_write(q->file, s->made.data.data,
					      s->made.data.len, &err);
			pthread_mutex_lock(&q->lock);
			q->writing = false;
		}
		if (!code && !q->failed) {
			code = pyd_toc_add(&q->toc, &s->made, s->job->kind,
					   q->bytes, &err);
			q->bytes += s->made.written + s->made.data.len;
		}
		if (code)
			fail(q, &err);
		recycle(q, s);
		q->written++;
		pthread_cond_broadcast(&q->room);
	}
}

/* A part of a frame that is made goes to the file when all that belongs before
 * it is there: those jobs were taken before, by threads that are at them. */
static enum pyd_code spill(void *ctx, struct pyd_made *made,
			   struct pyd_err *err)
{
	struct pyd_queue *q = ctx;
	enum pyd_code code = PYD_OK;
	struct slot *next;

	pthread_mutex_lock(&q->lock);
	next = &q->slots[q->written % q->nslots];
	while (!q->failed && (q->writing || &next->made != made)) {
		pthread_cond_wait(&q->room, &q->lock);
		next = &q->slots[q->written % q->nslots];
	}
	if (q->failed) {
		*err = q->err;
		code = q->err.code;
	}
	pthread_mutex_unlock(&q->lock);
	/* Nobody else writes: this one is next, and not done. */
	if (!code)
		code = pyd_file_write(q->file, made->data.data, made->data.len,
				      err);
	made->written += made->data.len;
	pyd_buf_clear(&made->data);
	return code;
}

/* Makes one job. Called with the lock, which is let go meanwhile. */
static void work_one(struct pyd_queue *q, struct pyd_worker *w)
{
	struct slot *s = &q->slots[q->taken++ % q->nslots];
	struct pyd_err err = { .code = PYD_OK };
	enum pyd_code code = PYD_OK;
	bool failed = q->failed;

	s->taken = true;
	pthread_mutex_unlock(&q->lock);
	if (!failed)
		code = pyd_worker_make(w, s->job, &s->made, &err);
	pthread_mutex_lock(&q->lock);
	if (code)
		fail(q, &err);
	s->done = true;
	write_done(q);
}

/* The same in the caller's thread, where SIGXFSZ would kill us as well. */
static void help(struct pyd_queue *q)
{
	const struct timespec now = { 0, 0 };
	sigset_t limit, before;

	sigemptyset(&limit);
	sigaddset(&limit, SIGXFSZ);
	pthread_sigmask(SIG_BLOCK, &limit, &before);
	work_one(q, &q->threads[q->nworkers - 1].worker);
	if (!sigismember(&before, SIGXFSZ))
		(void)sigtimedwait(&limit, NULL, &now);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void *work(void *arg)
{
	struct thread *t = arg;
	struct pyd_queue *q = t->q;
	bool yields = false;

	pthread_mutex_lock(&q->lock);
	while (!q->stop) {
		if (q->yield && !yields) {
			pyd_pace_yield();
			yields = true;
		}
		if (q->taken == q->submitted)
			pthread_cond_wait(&q->work, &q->lock);
		else
			work_one(q, &t->worker);
	}
	pthread_mutex_unlock(&q->lock);
	return NULL;
}

/* -- the caller's side -- */

static enum pyd_code failure(struct pyd_queue *q, struct pyd_err *err)
{
	if (err)
		*err = q->err;
	return q->err.code;
}

/* Waits until at most that many jobs are there. Called with the lock. Where a
 * job waits for a thread, the caller makes it meanwhile: neither processor is
 * to stand idle. */
static void make_room(struct pyd_queue *q, uint64_t most)
{
	while (!q->failed && q->submitted - q->written > most) {
		if (q->taken < q->submitted)
			help(q);
		else
			pthread_cond_wait(&q->room, &q->lock);
	}
}

enum pyd_code pyd_queue_submit(struct pyd_queue *q, struct pyd_job *job,
			       uint32_t *ret_frame, struct pyd_err *err)
{
	uint32_t frames = pyd_job_frames(job);
	enum pyd_code code = PYD_OK;

	pthread_mutex_lock(&q->lock);
	make_room(q, q->nslots - 1);
	if (q->failed) {
		code = failure(q, err);
		pyd_job_destroy(job);
	} else {
		if (ret_frame)
			*ret_frame = q->next_frame;
		q->next_frame += frames;
		q->slots[q->submitted++ % q->nslots].job = job;
		if (q->nthreads)
			pthread_cond_signal(&q->work);
		else
			help(q);
	}
	pthread_mutex_unlock(&q->lock);
	return code;
}

enum pyd_code pyd_queue_drain(struct pyd_queue *q, struct pyd_err *err)
{
	enum pyd_code code = PYD_OK;

	pthread_mutex_lock(&q->lock);
	make_room(q, 0);
	if (q->failed)
		code = failure(q, err);
	pthread_mutex_unlock(&q->lock);
	return code;
}

uint64_t pyd_queue_bytes(struct pyd_queue *q)
{
	pthread_mutex_lock(&q->lock);

	uint64_t bytes = q->bytes;

	pthread_mutex_unlock(&q->lock);
	return bytes;
}

enum pyd_code pyd_queue_pack_toc(struct pyd_queue *q, struct pyd_buf *out,
				 struct pyd_err *err)
{
	return pyd_toc_pack(&q->toc, out, err);
}

enum pyd_code pyd_queue_seek_table(struct pyd_queue *q, struct pyd_buf *out,
				   struct pyd_err *err)
{
	return pyd_toc_seek_table(&q->toc, out, err);
}

/* -- life -- */

static unsigned int threads_that_pay(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	/* The walk wants one for itself. */
	if (n <= 2)
		return 1;
	return n - 1 < MAX_THREADS ? (unsigned int)(n - 1) : MAX_THREADS;
}

static void start(struct pyd_queue *q, unsigned int threads)
{
	sigset_t all, before;

	/* Signals belong to the caller's thread: ^C too, and SIGXFSZ would
	 * kill us where write() can say what is wrong. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (q->nthreads < threads) {
		struct thread *t = &q->threads[q->nthreads];

		/* Without threads the caller does the work itself. */
		if (pthread_create(&t->id, NULL, work, t))
			break;
		q->nthreads++;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void pyd_queue_yield(struct pyd_queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->yield = true;
	pthread_mutex_unlock(&q->lock);
}

enum pyd_code pyd_queue_create(struct pyd_file *file, int level,
			       unsigned int threads, struct pyd_queue **ret,
			       struct pyd_err *err)
{
	struct pyd_queue *q = calloc(1, sizeof(*q));
	enum pyd_code code = PYD_OK;

	if (!q)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	if (!threads)
		threads = threads_that_pay();
	q->file = file;
	q->nslots = 2 * threads + 1;
	q->nworkers = threads + 1;
	q->slots = calloc(q->nslots, sizeof(*q->slots));
	q->threads = calloc(q->nworkers, sizeof(*q->threads));
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->work, NULL);
	pthread_cond_init(&q->room, NULL);
	if (!q->slots || !q->threads)
		code = pyd_err_set(err, PYD_NOMEM, "out of memory");
	for (unsigned int i = 0; i < q->nworkers && !code; i++) {
		q->threads[i].q = q;
		code = pyd_worker_init(&q->threads[i].worker, level, err);
		q->threads[i].worker.spill = spill;
		q->threads[i].worker.spill_ctx = q;
	}
	if (code) {
		pyd_queue_destroy(q);
		return code;
	}
	start(q, threads);
	*ret = q;
	return PYD_OK;
}

void pyd_queue_destroy(struct pyd_queue *q)
{
	if (!q)
		return;
	pthread_mutex_lock(&q->lock);
	q->stop = true;
	pthread_cond_broadcast(&q->work);
	pthread_mutex_unlock(&q->lock);
	for (unsigned int i = 0; i < q->nthreads; i++)
		pthread_join(q->threads[i].id, NULL);
	for (unsigned int i = 0; q->threads && i < q->nworkers; i++)
		pyd_worker_deinit(&q->threads[i].worker);
	free(q->threads);
	for (uint64_t i = 0; q->slots && i < q->nslots; i++) {
		pyd_job_destroy(q->slots[i].job);
		pyd_made_deinit(&q->slots[i].made);
	}
	free(q->slots);
	for (size_t i = 0; i < q->nspare; i++)
		pyd_job_destroy(q->spare[i]);
	pyd_job_destroy(q->spare_run);
	pyd_toc_deinit(&q->toc);
	pthread_cond_destroy(&q->room);
	pthread_cond_destroy(&q->work);
	pthread_mutex_destroy(&q->lock);
	free(q);
}
