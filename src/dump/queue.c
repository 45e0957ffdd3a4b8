// SPDX-License-Identifier: Apache-2.0
#include "dump/queue.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "base/pace.h"
#include "dump/column.h"
#include "dump/mp.h"

#define MAX_THREADS 4
/* Of memory that is kept to be used again. */
#define KEEP_BYTES ((size_t)16 * PYD_FORMAT_FRAME_TARGET)
/* Bytes of a column that are made at once for a huge object. */
#define STEP_BYTES 16384U
/* Bytes of the list of batches in one index frame. */
#define INDEX_BATCH_BYTES 65536U

/* What became of a job: frames one behind the other in "data". */
struct frame_out {
	uint32_t csize;
	uint32_t rsize;
	size_t extra_len; /* of the packed elements in "extra" */
	uint32_t nextra;
};

struct slot {
	struct pyd_job *job; /* NULL: free */
	bool taken, done;
	struct pyd_buf data;
	struct pyd_buf extra;
	struct frame_out *frames;
	size_t nframes;
	size_t frames_cap;
};

struct frame_size {
	uint32_t csize;
	uint32_t rsize;
};

struct worker {
	struct pyd_queue *q;
	pthread_t thread;
	ZSTD_CCtx *cctx;
	struct pyd_batch_scratch scratch;
	struct pyd_buf raw;
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
	struct frame_size *sizes;
	size_t nsizes, sizes_cap;
	struct pyd_buf toc;
	uint32_t ntoc;

	struct pyd_job *spare[4]; /* batches */
	size_t nspare;
	struct pyd_job *spare_run;

	/* One for each thread, then the caller's. */
	struct worker *workers;
	unsigned int nworkers;
	unsigned int nthreads;
};

uint32_t pyd_queue_index_frames(size_t n, size_t nbatches)
{
	(void)nbatches; /* bounded by the writer */
	return (uint32_t)((n + PYD_INDEX_ENTRIES - 1) / PYD_INDEX_ENTRIES);
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

	if (job)
		return job;
	job = calloc(1, sizeof(*job));
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

/* -- making frames: in a worker, without the lock -- */

static enum pyd_code cannot_compress(size_t n, struct pyd_err *err)
{
	return pyd_err_set(err, PYD_NOMEM, "cannot compress: %s",
			   ZSTD_getErrorName(n));
}

/* What goes into one frame is packed, and compressed, in steps: what may come
 * of it at most would take as much memory again. */
static enum pyd_code feed(struct worker *w, struct slot *s, const void *data,
			  size_t len, ZSTD_EndDirective end,
			  struct pyd_err *err)
{
	ZSTD_inBuffer in = { data, len, 0 };

	for (;;) {
		enum pyd_code code =
			pyd_buf_reserve(&s->data, ZSTD_CStreamOutSize(), err);
		size_t n;

		if (code)
			return code;

		ZSTD_outBuffer out = { s->data.data, s->data.cap, s->data.len };

		n = ZSTD_compressStream2(w->cctx, &out, &in, end);
		s->data.len = out.pos;
		if (ZSTD_isError(n))
			return cannot_compress(n, err);
		/* Not 0 until all is out. */
		if (end == ZSTD_e_end ? !n : in.pos == in.size)
			return PYD_OK;
	}
}

/* The byte planes of so many words. */
static enum pyd_code feed_words(struct worker *w, struct slot *s,
				const struct pyd_vec *words,
				struct pyd_err *err)
{
	uint8_t step[STEP_BYTES];

	for (unsigned int k = 0; k < 8; k++)
		for (size_t i = 0; i < words->len; i += STEP_BYTES) {
			size_t n = words->len - i;
			enum pyd_code code;

			n = n < STEP_BYTES ? n : STEP_BYTES;
			pyd_column_plane64(step, words->data + i, n, k);
			code = feed(w, s, step, n, ZSTD_e_continue, err);
			if (code)
				return code;
		}
	return PYD_OK;
}

static enum pyd_code add_frame(struct slot *s, size_t csize, size_t rsize,
			       struct pyd_err *err)
{
	if (s->nframes == s->frames_cap) {
		size_t cap = s->frames_cap ? 2 * s->frames_cap : 4;
		void *p = reallocarray(s->frames, cap, sizeof(*s->frames));

		if (!p)
			return pyd_err_set(err, PYD_NOMEM, "out of memory");
		s->frames = p;
		s->frames_cap = cap;
	}
	s->frames[s->nframes++] = (struct frame_out) {
		.csize = (uint32_t)csize,
		.rsize = (uint32_t)rsize,
	};
	return PYD_OK;
}

static enum pyd_code too_large(size_t len, struct pyd_err *err)
{
	return pyd_err_set(err, PYD_LIMIT, "a frame of %zu bytes is too large",
			   len);
}

/* One object that is not copied. */
static enum pyd_code make_huge(struct worker *w, struct slot *s,
			       struct pyd_err *err)
{
	const struct pyd_batch *b = s->job->batch;
	const struct pyd_buf *raw = &w->raw;
	struct pyd_batch_holes at = { 0 };
	enum pyd_code code =
		pyd_batch_pack_huge(b, &w->scratch, &w->raw, &at, err);
	size_t size = raw->len + 8 * b->refs.len + b->values.len, n;

	if (!code && size > PYD_FORMAT_FRAME_MAX)
		code = too_large(size, err);
	if (code)
		return code;
	n = ZSTD_CCtx_setPledgedSrcSize(w->cctx, size);
	if (ZSTD_isError(n))
		return cannot_compress(n, err);
	code = feed(w, s, raw->data, at.refs_at, ZSTD_e_continue, err);
	if (!code)
		code = feed_words(w, s, &b->refs, err);
	if (!code)
		code = feed(w, s, raw->data + at.refs_at,
			    at.values_at - at.refs_at, ZSTD_e_continue, err);
	if (!code)
		code = feed(w, s, b->values.data, b->values.len,
			    ZSTD_e_continue, err);
	if (!code)
		code = feed(w, s, raw->data + at.values_at,
			    raw->len - at.values_at, ZSTD_e_end, err);
	return code ? code : add_frame(s, s->data.len, size, err);
}

static enum pyd_code compress(struct worker *w, struct slot *s,
			      const struct pyd_buf *raw, struct pyd_err *err)
{
	size_t bound = ZSTD_compressBound(raw->len), n;
	enum pyd_code code;

	if (raw->len > PYD_FORMAT_FRAME_MAX)
		return too_large(raw->len, err);
	code = pyd_buf_reserve(&s->data, bound, err);
	if (code)
		return code;
	n = ZSTD_compress2(w->cctx, s->data.data + s->data.len, bound,
			   raw->data, raw->len);
	if (ZSTD_isError(n))
		return cannot_compress(n, err);
	s->data.len += n;
	return add_frame(s, n, raw->len, err);
}

static enum pyd_code pack_index(const struct pyd_job *job,
				const struct pyd_radix_item *run, size_t from,
				size_t to, struct worker *w,
				struct pyd_err *err)
{
	size_t n = to - from;
	struct pyd_mp_out o = { .buf = &w->raw, .err = err };
	struct pyd_vec *words = &w->scratch.words;
	uint8_t *addr, *batch;

	pyd_buf_clear(&w->raw);
	pyd_vec_clear(words);
	o.code = pyd_vec_reserve(words, n, err);
	if (!o.code)
		o.code = pyd_buf_reserve(&w->raw,
					 10 * n + INDEX_BATCH_BYTES + 256, err);
	pyd_mp_put_map(&o, 6);
	pyd_mp_put_str(&o, "kind");
	pyd_mp_put_str(&o, "index");
	pyd_mp_put_str(&o, "lo");
	pyd_mp_put_uint(&o, run[from].key);
	pyd_mp_put_str(&o, "hi");
	pyd_mp_put_uint(&o, run[to - 1].key);
	pyd_mp_put_str(&o, "batches");
	pyd_mp_put_array(&o, (uint32_t)job->batches.len / 2);
	for (size_t i = 0; i < job->batches.len; i += 2)
		pyd_mp_put_uint(&o, job->batches.data[i]);
	pyd_mp_put_str(&o, "addr");
	addr = pyd_mp_put_bin(&o, 8 * n);
	if (o.code)
		return o.code;
	for (size_t i = 0; i < n; i++)
		words->data[i] = run[from + i].key;
	pyd_column_put64(addr, words->data, n, true);
	pyd_mp_put_str(&o, "batch");
	batch = pyd_mp_put_bin(&o, 2 * n);
	if (o.code)
		return o.code;
	for (size_t i = 0; i < n; i++) {
		batch[2 * i] = (uint8_t)run[from + i].tag;
		batch[2 * i + 1] = (uint8_t)(run[from + i].tag >> 8);
	}
	return PYD_OK;
}

/* The run with the batch that each address is in, by address. Owned by the
 * caller. */
static enum pyd_code sort_run(const struct pyd_job *job,
			      struct pyd_radix_item **ret, struct pyd_err *err)
{
	struct pyd_radix_item *run = malloc(job->nrun * sizeof(*run));
	struct pyd_radix_item *tmp = malloc(job->nrun * sizeof(*tmp));
	size_t i = 0;

	if (!run || !tmp) {
		free(run);
		free(tmp);
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	}
	for (size_t k = 0; k < job->batches.len; k += 2)
		for (uint64_t n = job->batches.data[k + 1]; n; n--, i++)
			run[i] = (struct pyd_radix_item) {
				.key = job->run[i],
				.tag = (uint32_t)(k / 2),
			};
	pyd_radix_sort(run, tmp, i);
	free(tmp);
	*ret = run;
	return PYD_OK;
}

static enum pyd_code pack_indexes(struct worker *w, struct slot *s,
				  const struct pyd_radix_item *run,
				  struct pyd_err *err)
{
	const struct pyd_job *job = s->job;

	for (size_t i = 0; i < job->nrun; i += PYD_INDEX_ENTRIES) {
		size_t end = job->nrun - i < PYD_INDEX_ENTRIES
				     ? job->nrun
				     : i + PYD_INDEX_ENTRIES;
		struct pyd_mp_out o = { .buf = &s->extra, .err = err };
		size_t before = s->extra.len;
		enum pyd_code code = pack_index(job, run, i, end, w, err);

		if (!code)
			code = compress(w, s, &w->raw, err);
		if (code)
			return code;
		pyd_mp_put_uint(&o, run[i].key);
		pyd_mp_put_uint(&o, run[end - 1].key);
		if (o.code)
			return o.code;
		s->frames[s->nframes - 1].nextra = 2;
		s->frames[s->nframes - 1].extra_len = s->extra.len - before;
	}
	return PYD_OK;
}

static enum pyd_code make_index(struct worker *w, struct slot *s,
				struct pyd_err *err)
{
	struct pyd_radix_item *run = NULL;
	enum pyd_code code = sort_run(s->job, &run, err);

	if (code)
		return code;
	code = pack_indexes(w, s, run, err);
	free(run);
	return code;
}

static enum pyd_code make(struct worker *w, struct slot *s, struct pyd_err *err)
{
	struct pyd_job *job = s->job;
	struct pyd_mp_out o = { .buf = &s->extra, .err = err };
	enum pyd_code code;

	pyd_buf_clear(&s->data);
	pyd_buf_clear(&s->extra);
	s->nframes = 0;
	switch (job->type) {
	case PYD_JOB_RAW:
		return pyd_buf_append(&s->data, job->raw.data, job->raw.len,
				      err);
	case PYD_JOB_INDEX:
		return make_index(w, s, err);
	case PYD_JOB_BATCH:
		if (pyd_batch_is_huge(job->batch)) {
			code = make_huge(w, s, err);
		} else {
			code = pyd_batch_pack(job->batch, &w->scratch, &w->raw,
					      err);
			if (!code)
				code = compress(w, s, &w->raw, err);
		}
		if (code)
			return code;
		pyd_mp_put_uint(&o, job->batch->n);
		s->frames[0].nextra = 1;
		break;
	case PYD_JOB_FRAME:
		code = compress(w, s, &job->raw, err);
		if (code)
			return code;
		pyd_mp_put_raw(&o, job->extra.data, job->extra.len);
		s->frames[0].nextra = job->nextra;
		break;
	}
	s->frames[0].extra_len = s->extra.len;
	return o.code;
}

/* -- writing: one thread at a time, without the lock -- */

static enum pyd_code note_frames(struct pyd_queue *q, const struct slot *s,
				 struct pyd_err *err)
{
	struct pyd_mp_out o = { .buf = &q->toc, .err = err };
	uint64_t offset = q->bytes;
	size_t extra = 0;

	for (size_t i = 0; i < s->nframes; i++) {
		const struct frame_out *f = &s->frames[i];

		if (q->nsizes == q->sizes_cap) {
			size_t cap = q->sizes_cap ? 2 * q->sizes_cap : 256;
			void *p =
				reallocarray(q->sizes, cap, sizeof(*q->sizes));

			if (!p)
				return pyd_err_set(err, PYD_NOMEM,
						   "out of memory");
			q->sizes = p;
			q->sizes_cap = cap;
		}
		q->sizes[q->nsizes++] = (struct frame_size) {
			.csize = f->csize,
			.rsize = f->rsize,
		};
		pyd_mp_put_array(&o, 4 + f->nextra);
		pyd_mp_put_uint(&o, offset);
		pyd_mp_put_uint(&o, f->csize);
		pyd_mp_put_uint(&o, f->rsize);
		pyd_mp_put_str(&o, s->job->kind);
		if (f->extra_len)
			pyd_mp_put_raw(&o, s->extra.data + extra, f->extra_len);
		extra += f->extra_len;
		offset += f->csize;
		q->ntoc++;
	}
	return o.code;
}

static void recycle(struct pyd_queue *q, struct slot *s)
{
	struct pyd_job *job = s->job;

	s->job = NULL;
	s->taken = false;
	s->done = false;
	/* One huge object must not keep its memory for the rest of the run. */
	if (s->data.cap > KEEP_BYTES)
		pyd_buf_deinit(&s->data);
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
			code = pyd_file_write(q->file, s->data.data,
					      s->data.len, &err);
			pthread_mutex_lock(&q->lock);
			q->writing = false;
		}
		if (!code && !q->failed) {
			code = note_frames(q, s, &err);
			q->bytes += s->data.len;
		}
		if (code)
			fail(q, &err);
		recycle(q, s);
		q->written++;
		pthread_cond_broadcast(&q->room);
	}
}

/* Makes one job. Called with the lock, which is let go meanwhile. */
static void work_one(struct pyd_queue *q, struct worker *w)
{
	struct slot *s = &q->slots[q->taken++ % q->nslots];
	struct pyd_err err = { .code = PYD_OK };
	enum pyd_code code = PYD_OK;
	bool failed = q->failed;

	s->taken = true;
	pthread_mutex_unlock(&q->lock);
	if (!failed)
		code = make(w, s, &err);
	if (w->raw.cap > KEEP_BYTES)
		pyd_buf_deinit(&w->raw);
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
	work_one(q, &q->workers[q->nworkers - 1]);
	if (!sigismember(&before, SIGXFSZ))
		(void)sigtimedwait(&limit, NULL, &now);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct pyd_queue *q = w->q;
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
			work_one(q, w);
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
	uint32_t frames = 1;
	enum pyd_code code = PYD_OK;

	if (job->type == PYD_JOB_RAW)
		frames = 0;
	else if (job->type == PYD_JOB_INDEX)
		frames =
			pyd_queue_index_frames(job->nrun, job->batches.len / 2);

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
	struct pyd_mp_out o = { .buf = out, .err = err };

	pyd_mp_put_map(&o, 2);
	pyd_mp_put_str(&o, "kind");
	pyd_mp_put_str(&o, "toc");
	pyd_mp_put_str(&o, "frames");
	pyd_mp_put_array(&o, q->ntoc);
	pyd_mp_put_raw(&o, q->toc.data, q->toc.len);
	return o.code;
}

static void put32(struct pyd_buf *b, uint32_t v)
{
	for (unsigned int k = 0; k < 4; k++)
		b->data[b->len++] = (uint8_t)(v >> (8 * k));
}

enum pyd_code pyd_queue_seek_table(struct pyd_queue *q, struct pyd_buf *out,
				   struct pyd_err *err)
{
	/* zstd's contrib/seekable_format: a skippable frame of entries and a
	 * footer of 9 bytes; no checksums, the frames have theirs. */
	size_t payload = 8 * q->nsizes + 9;
	enum pyd_code code;

	if (q->nsizes > 0x8000000)
		return PYD_OK; /* more than the table may hold */
	code = pyd_buf_reserve(out, payload + 8, err);
	if (code)
		return code;
	put32(out, 0x184D2A5E);
	put32(out, (uint32_t)payload);
	for (size_t i = 0; i < q->nsizes; i++) {
		put32(out, q->sizes[i].csize);
		put32(out, q->sizes[i].rsize);
	}
	put32(out, (uint32_t)q->nsizes);
	out->data[out->len++] = 0;
	put32(out, 0x8F92EAB1);
	return PYD_OK;
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
		struct worker *w = &q->workers[q->nthreads];

		/* Without threads the caller does the work itself. */
		if (pthread_create(&w->thread, NULL, work, w))
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

	if (!q)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	if (!threads)
		threads = threads_that_pay();
	q->file = file;
	q->nslots = 2 * threads + 1;
	q->nworkers = threads + 1;
	q->slots = calloc(q->nslots, sizeof(*q->slots));
	q->workers = calloc(q->nworkers, sizeof(*q->workers));
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->work, NULL);
	pthread_cond_init(&q->room, NULL);

	bool ok = q->slots && q->workers;

	for (unsigned int i = 0; ok && i < q->nworkers; i++) {
		struct worker *w = &q->workers[i];

		w->q = q;
		w->cctx = ZSTD_createCCtx();
		ok = w->cctx &&
		     !ZSTD_isError(ZSTD_CCtx_setParameter(
			     w->cctx, ZSTD_c_compressionLevel, level)) &&
		     !ZSTD_isError(ZSTD_CCtx_setParameter(
			     w->cctx, ZSTD_c_checksumFlag, 1));
	}
	if (!ok) {
		pyd_queue_destroy(q);
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
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
		pthread_join(q->workers[i].thread, NULL);
	for (unsigned int i = 0; q->workers && i < q->nworkers; i++) {
		struct worker *w = &q->workers[i];

		ZSTD_freeCCtx(w->cctx);
		pyd_batch_scratch_deinit(&w->scratch);
		pyd_buf_deinit(&w->raw);
	}
	free(q->workers);
	for (uint64_t i = 0; q->slots && i < q->nslots; i++) {
		struct slot *s = &q->slots[i];

		pyd_job_destroy(s->job);
		pyd_buf_deinit(&s->data);
		pyd_buf_deinit(&s->extra);
		free(s->frames);
	}
	free(q->slots);
	for (size_t i = 0; i < q->nspare; i++)
		pyd_job_destroy(q->spare[i]);
	pyd_job_destroy(q->spare_run);
	free(q->sizes);
	pyd_buf_deinit(&q->toc);
	pthread_cond_destroy(&q->room);
	pthread_cond_destroy(&q->work);
	pthread_mutex_destroy(&q->lock);
	free(q);
}
