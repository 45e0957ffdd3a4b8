// SPDX-License-Identifier: Apache-2.0
#include "dump/worker.h"

#include <stdlib.h>
#include <string.h>

#include "dump/column.h"
#include "dump/mp.h"
#include "dump/run.h"

/* Bytes of a column that are made at once for a huge object. */
#define STEP_BYTES 16384U
enum {
	/* Up to this level zstd looks for matches of seven bytes and more.
	 * Columns have many of five: a quarter smaller, for the same time. */
	FAST_LEVEL = 2,
	MIN_MATCH = 5,
};
/* So much of a huge object's frame goes to the file before it is whole. */
#define SPILL_BYTES ((size_t)4 << 20)
/* Of columns of references that are read more than once. */
#define KEPT_BYTES ((size_t)24 << 20)

static enum pyd_code cannot_compress(size_t n, struct pyd_err *err)
{
	return pyd_err_set(err, PYD_NOMEM, "cannot compress: %s",
			   ZSTD_getErrorName(n));
}

/* What goes into one frame is packed, and compressed, in steps: what may come
 * of it at most would take as much memory again. */
static enum pyd_code feed(struct pyd_worker *w, struct pyd_made *m,
			  const void *data, size_t len, ZSTD_EndDirective end,
			  struct pyd_err *err)
{
	ZSTD_inBuffer in = { data, len, 0 };

	for (;;) {
		enum pyd_code code =
			pyd_buf_reserve(&m->data, ZSTD_CStreamOutSize(), err);
		size_t n;

		if (code)
			return code;

		ZSTD_outBuffer out = { m->data.data, m->data.cap, m->data.len };

		n = ZSTD_compressStream2(w->cctx, &out, &in, end);
		m->data.len = out.pos;
		if (ZSTD_isError(n))
			return cannot_compress(n, err);
		if (m->data.len >= SPILL_BYTES && w->spill) {
			code = w->spill(w->spill_ctx, m, err);
			if (code)
				return code;
		}
		/* Not 0 until all is out. */
		if (end == ZSTD_e_end ? !n : in.pos == in.size)
			return PYD_OK;
	}
}

/* Byte k of so many words. */
static enum pyd_code feed_plane(struct pyd_worker *w, struct pyd_made *m,
				const uint64_t *words, size_t len,
				unsigned int k, struct pyd_err *err)
{
	uint8_t step[STEP_BYTES];

	for (size_t i = 0; i < len; i += STEP_BYTES) {
		size_t n = len - i < STEP_BYTES ? len - i : STEP_BYTES;
		enum pyd_code code;

		pyd_column_plane64(step, words + i, n, k);
		code = feed(w, m, step, n, ZSTD_e_continue, err);
		if (code)
			return code;
	}
	return PYD_OK;
}

/* Bytes of words that are read once more: what was kept of the last time, from
 * byte `first` on. */
struct kept {
	uint8_t *bytes; /* owned; of one place all, then of the next one */
	unsigned int first, n;
};

/* The same in all words? */
static bool is_same(const struct pyd_more *more, unsigned int k)
{
	return !((more->all ^ more->any) >> (8 * k) & 0xff);
}

/* Where bytes behind byte k are kept, as far as there is room. */
static void keep(struct kept *kept, const struct pyd_more *more, unsigned int k)
{
	size_t most = KEPT_BYTES / more->n;

	free(kept->bytes);
	*kept = (struct kept) { .first = k + 1 };
	while (kept->n < most && kept->first + kept->n < 8 &&
	       !is_same(more, kept->first + kept->n))
		kept->n++;
	if (kept->n)
		kept->bytes = malloc(kept->n * more->n);
	/* Without it they are read more often. */
	if (!kept->bytes)
		kept->n = 0;
}

/* Byte k of all words. */
static enum pyd_code read_plane(struct pyd_worker *w, struct pyd_made *m,
				const struct pyd_more *more, unsigned int k,
				struct kept *kept, struct pyd_err *err)
{
	uint64_t words[PYD_MORE_WORDS], at = 0;
	size_t done = 0, n;

	keep(kept, more, k);
	for (; done < more->n; done += n) {
		enum pyd_code code = pyd_more_next(more, &at, words, &n, err);

		if (!code && !n)
			code = pyd_err_set(err, PYD_IO,
					   "memory of the target changed while "
					   "it was read; dump it again");
		if (code)
			return code;
		n = n < more->n - done ? n : (size_t)more->n - done;
		code = feed_plane(w, m, words, n, k, err);
		if (code)
			return code;
		for (unsigned int i = 0; i < kept->n; i++)
			pyd_column_plane64(kept->bytes + i * more->n + done,
					   words, n, kept->first + i);
	}
	return PYD_OK;
}

static enum pyd_code same_plane(struct pyd_worker *w, struct pyd_made *m,
				const struct pyd_more *more, unsigned int k,
				struct pyd_err *err)
{
	uint8_t step[STEP_BYTES];

	memset(step, (int)(more->all >> (8 * k) & 0xff), sizeof(step));
	for (uint64_t left = more->n, n; left; left -= n) {
		enum pyd_code code;

		n = left < STEP_BYTES ? left : STEP_BYTES;
		code = feed(w, m, step, n, ZSTD_e_continue, err);
		if (code)
			return code;
	}
	return PYD_OK;
}

/* The byte planes of all references. */
static enum pyd_code feed_refs(struct pyd_worker *w, struct pyd_made *m,
			       const struct pyd_batch *b, struct pyd_err *err)
{
	const struct pyd_more *more = &b->more;
	struct kept kept = { 0 };
	enum pyd_code code = PYD_OK;

	for (unsigned int k = 0; k < 8 && !code; k++) {
		if (more->n && is_same(more, k))
			code = same_plane(w, m, more, k, err);
		else if (k - kept.first < kept.n)
			code = feed(w, m,
				    kept.bytes + (k - kept.first) * more->n,
				    more->n, ZSTD_e_continue, err);
		else if (more->n)
			code = read_plane(w, m, more, k, &kept, err);
		if (!code)
			code = feed_plane(w, m, b->refs.data, b->refs.len, k,
					  err);
	}
	free(kept.bytes);
	return code;
}

/* The value that is read in pieces, as it is written. */
static enum pyd_code feed_text(struct pyd_worker *w, struct pyd_made *m,
			       struct pyd_long *text, struct pyd_err *err)
{
	uint8_t step[PYD_LONG_STEP];
	struct pyd_long_pos pos = { 0 };
	size_t n = 0;
	enum pyd_code code;

	if (!text->len)
		return PYD_OK;
	do {
		code = pyd_long_next(text, &pos, step, &n, err);
		if (!code && n)
			code = feed(w, m, step, n, ZSTD_e_continue, err);
	} while (!code && n);
	return code;
}

static enum pyd_code too_large(size_t len, struct pyd_err *err)
{
	return pyd_err_set(err, PYD_LIMIT, "a frame of %zu bytes is too large",
			   len);
}

/* One object that is not copied. */
static enum pyd_code make_huge(struct pyd_worker *w, struct pyd_batch *b,
			       struct pyd_made *m, struct pyd_err *err)
{
	const struct pyd_buf *raw = &w->raw;
	struct pyd_batch_holes at = { 0 };
	enum pyd_code code =
		pyd_batch_pack_huge(b, &w->scratch, &w->raw, &at, err);
	size_t size = raw->len + 8 * pyd_batch_nrefs(b) + pyd_batch_nbytes(b);
	size_t n;

	if (!code && size > PYD_FORMAT_FRAME_MAX)
		code = too_large(size, err);
	if (code)
		return code;
	n = ZSTD_CCtx_setPledgedSrcSize(w->cctx, size);
	if (ZSTD_isError(n))
		return cannot_compress(n, err);
	code = feed(w, m, raw->data, at.refs_at, ZSTD_e_continue, err);
	if (!code)
		code = feed_refs(w, m, b, err);
	if (!code)
		code = feed(w, m, raw->data + at.refs_at,
			    at.values_at - at.refs_at, ZSTD_e_continue, err);
	if (!code)
		code = feed_text(w, m, &b->text, err);
	if (!code)
		code = feed(w, m, b->values.data, b->values.len,
			    ZSTD_e_continue, err);
	if (!code)
		code = feed(w, m, raw->data + at.values_at,
			    raw->len - at.values_at, ZSTD_e_end, err);
	return code ? code
		    : pyd_made_frame(m, m->written + m->data.len, size, err);
}

static enum pyd_code compress(struct pyd_worker *w, struct pyd_made *m,
			      const struct pyd_buf *raw, struct pyd_err *err)
{
	size_t bound = ZSTD_compressBound(raw->len), n;
	enum pyd_code code;

	if (raw->len > PYD_FORMAT_FRAME_MAX)
		return too_large(raw->len, err);
	code = pyd_buf_reserve(&m->data, bound, err);
	if (code)
		return code;
	n = ZSTD_compress2(w->cctx, m->data.data + m->data.len, bound,
			   raw->data, raw->len);
	if (ZSTD_isError(n))
		return cannot_compress(n, err);
	m->data.len += n;
	return pyd_made_frame(m, n, raw->len, err);
}

static enum pyd_code make_index(struct pyd_worker *w, struct pyd_job *job,
				struct pyd_made *m, struct pyd_err *err)
{
	struct pyd_run_order order = { 0 };
	struct pyd_mp_out o = { .buf = &m->extra, .err = err };
	enum pyd_code code = pyd_run_sort(job, &w->run, &order, err);

	for (size_t i = 0, end; i < job->nrun && !code; i = end) {
		size_t before = m->extra.len;

		end = job->nrun - i < PYD_INDEX_ENTRIES ? job->nrun
							: i + PYD_INDEX_ENTRIES;
		code = pyd_run_pack(job, &order, i, end, &w->scratch.words,
				    &w->raw, err);
		if (!code)
			code = compress(w, m, &w->raw, err);
		if (code)
			break;
		pyd_mp_put_uint(&o, pyd_run_addr(&order, i));
		pyd_mp_put_uint(&o, pyd_run_addr(&order, end - 1));
		code = o.code;
		m->frames[m->n - 1].nextra = 2;
		m->frames[m->n - 1].extra_len = m->extra.len - before;
	}
	pyd_run_order_deinit(&order);
	return code;
}

static enum pyd_code make_batch(struct pyd_worker *w, struct pyd_batch *b,
				struct pyd_made *m, struct pyd_err *err)
{
	struct pyd_mp_out o = { .buf = &m->extra, .err = err };
	enum pyd_code code;

	if (pyd_batch_is_huge(b)) {
		code = make_huge(w, b, m, err);
	} else {
		code = pyd_batch_pack(b, &w->scratch, &w->raw, err);
		if (!code)
			code = compress(w, m, &w->raw, err);
	}
	if (code)
		return code;
	pyd_mp_put_uint(&o, b->n);
	m->frames[0].nextra = 1;
	m->frames[0].extra_len = m->extra.len;
	return o.code;
}

static enum pyd_code make(struct pyd_worker *w, struct pyd_job *job,
			  struct pyd_made *m, struct pyd_err *err)
{
	enum pyd_code code;

	switch (job->type) {
	case PYD_JOB_RAW:
		return pyd_buf_append(&m->data, job->raw.data, job->raw.len,
				      err);
	case PYD_JOB_INDEX:
		return make_index(w, job, m, err);
	case PYD_JOB_BATCH:
		return make_batch(w, job->batch, m, err);
	case PYD_JOB_FRAME:
		break;
	}
	code = compress(w, m, &job->raw, err);
	if (code)
		return code;
	m->frames[0].nextra = job->nextra;
	m->frames[0].extra_len = job->extra.len;
	return pyd_buf_append(&m->extra, job->extra.data, job->extra.len, err);
}

enum pyd_code pyd_worker_make(struct pyd_worker *w, struct pyd_job *job,
			      struct pyd_made *m, struct pyd_err *err)
{
	enum pyd_code code;

	pyd_made_clear(m);
	code = make(w, job, m, err);
	/* One huge object must not keep its memory for the rest of the run. */
	if (w->raw.cap > PYD_KEEP_BYTES)
		pyd_buf_deinit(&w->raw);
	return code;
}

/* -- life -- */

enum pyd_code pyd_worker_init(struct pyd_worker *w, int level,
			      struct pyd_err *err)
{
	*w = (struct pyd_worker) { .cctx = ZSTD_createCCtx() };
	if (!w->cctx ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(
		    w->cctx, ZSTD_c_compressionLevel, level)) ||
	    (level <= FAST_LEVEL &&
	     ZSTD_isError(ZSTD_CCtx_setParameter(w->cctx, ZSTD_c_minMatch,
						 MIN_MATCH))) ||
	    ZSTD_isError(
		    ZSTD_CCtx_setParameter(w->cctx, ZSTD_c_checksumFlag, 1)))
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	return PYD_OK;
}

void pyd_worker_deinit(struct pyd_worker *w)
{
	ZSTD_freeCCtx(w->cctx);
	pyd_batch_scratch_deinit(&w->scratch);
	pyd_buf_deinit(&w->raw);
	pyd_vec_deinit(&w->run);
	*w = (struct pyd_worker) { 0 };
}
