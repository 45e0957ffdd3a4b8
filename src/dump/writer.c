// SPDX-License-Identifier: Apache-2.0
#include "dump/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "dump/file.h"
#include "dump/held.h"
#include "dump/mp.h"
#include "dump/queue.h"

/* Batches in one run: their list stands in each of its frames. */
#define RUN_BATCHES 8192
/* An object that weighs more is written before anything else is done. */
#define ALONE_BYTES ((size_t)4 * PYD_FORMAT_FRAME_TARGET)
/* Objects of one batch, whose columns have PYD_BATCH_REC_BYTES of each. */
#define BATCH_OBJECTS (PYD_FORMAT_FRAME_TARGET / PYD_BATCH_REC_BYTES + 1)

struct pyd_writer {
	struct pyd_file file;
	struct pyd_queue *queue;
	struct pyd_job *batch; /* the open one, or NULL */
	struct pyd_job *run;   /* likewise */
	struct pyd_held held;
	size_t frame_max;
	bool nowhere; /* all is dropped */
	struct pyd_writer_totals totals;
	struct pyd_buf placeholder_text;
};

/* -- the header's part of the format -- */

static void pack_str(msgpack_packer *pk, const char *s, size_t n)
{
	msgpack_pack_str(pk, n);
	msgpack_pack_str_body(pk, s, n);
}

static void pack_cstr(msgpack_packer *pk, const char *s)
{
	pack_str(pk, s, strlen(s));
}

/* "a b c" as a list. */
static void pack_words(msgpack_packer *pk, const char *s)
{
	size_t n = *s != 0;

	for (const char *p = s; *p; p++)
		n += *p == ' ';
	msgpack_pack_array(pk, n);
	while (*s) {
		size_t len = strcspn(s, " ");

		pack_str(pk, s, len);
		s += len + (s[len] == ' ');
	}
}

static void pack_kind(msgpack_packer *pk, unsigned int id, const char *name,
		      const char *fields, const char *rest)
{
	msgpack_pack_map(pk, 4);
	pack_cstr(pk, "id");
	msgpack_pack_unsigned_int(pk, id);
	pack_cstr(pk, "name");
	pack_cstr(pk, name);
	pack_cstr(pk, "fields");
	pack_words(pk, fields);
	pack_cstr(pk, "rest");
	pack_cstr(pk, rest);
}

void pyd_writer_pack_format(msgpack_packer *pk)
{
	pack_cstr(pk, "magic");
	pack_cstr(pk, PYD_FORMAT_MAGIC);
	pack_cstr(pk, "format");
	msgpack_pack_int(pk, PYD_FORMAT_VERSION);
	pack_cstr(pk, "oldest_reader");
	msgpack_pack_int(pk, PYD_FORMAT_OLDEST_READER);
	pack_cstr(pk, "writer");
	pack_cstr(pk, "pydumpd " PYD_VERSION);
	pack_cstr(pk, "columns");
	msgpack_pack_map(pk, PYD_NCOLUMNS);
#define PYD_COLUMN(id, name, encoding)                                         \
	pack_cstr(pk, name);                                                   \
	pack_cstr(pk, encoding);
	PYD_COLUMNS(PYD_COLUMN)
#undef PYD_COLUMN
	pack_cstr(pk, "kinds");
	msgpack_pack_array(pk, PYD_NKINDS);
#define PYD_KIND(id, name, fields, rest) pack_kind(pk, id, #name, fields, rest);
	PYD_KINDS(PYD_KIND)
#undef PYD_KIND
}

/* -- life -- */

enum pyd_code pyd_writer_create(const struct pyd_writer_options *opts,
				struct pyd_writer **ret, struct pyd_err *err)
{
	struct pyd_writer *w = calloc(1, sizeof(*w));
	enum pyd_code code;

	if (!w)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	if (!opts->path) {
		w->nowhere = true;
		*ret = w;
		return PYD_OK;
	}
	w->frame_max = opts->frame_max ? opts->frame_max : PYD_FORMAT_FRAME_MAX;
	code = pyd_file_create(&w->file, opts->path, err);
	if (!code)
		code = pyd_queue_create(&w->file, opts->level ? opts->level : 1,
					opts->threads, &w->queue, err);
	if (code) {
		pyd_writer_destroy(w);
		return code;
	}
	*ret = w;
	return PYD_OK;
}

void pyd_writer_destroy(struct pyd_writer *w)
{
	if (!w)
		return;
	if (w->nowhere) {
		free(w);
		return;
	}
	/* Before the file: its threads write to it. */
	pyd_queue_destroy(w->queue);
	pyd_job_destroy(w->batch);
	pyd_held_deinit(&w->held);
	pyd_job_destroy(w->run);
	pyd_buf_deinit(&w->placeholder_text);
	pyd_file_deinit(&w->file);
	free(w);
}

void pyd_writer_yield(struct pyd_writer *w)
{
	pyd_queue_yield(w->queue);
}

enum pyd_code pyd_writer_settle(struct pyd_writer *w, struct pyd_err *err)
{
	/* After it no other thread is at the file. */
	enum pyd_code code = pyd_queue_drain(w->queue, err);

	return code ? code : pyd_file_settle(&w->file, err);
}

/* -- frames -- */

enum pyd_code pyd_writer_frame(struct pyd_writer *w, const char *kind,
			       const msgpack_sbuffer *map,
			       const msgpack_sbuffer *extra, uint32_t nextra,
			       struct pyd_err *err)
{
	struct pyd_job *job;
	enum pyd_code code;

	if (w->nowhere)
		return PYD_OK;
	job = pyd_queue_job(w->queue, PYD_JOB_FRAME);
	if (!job)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	snprintf(job->kind, sizeof(job->kind), "%s", kind);
	code = pyd_buf_append(&job->raw, map->data, map->size, err);
	if (!code && extra && nextra) {
		job->nextra = nextra;
		code = pyd_buf_append(&job->extra, extra->data, extra->size,
				      err);
	}
	if (code) {
		pyd_job_destroy(job);
		return code;
	}
	return pyd_queue_submit(w->queue, job, NULL, err);
}

static enum pyd_code submit_run(struct pyd_writer *w, struct pyd_err *err)
{
	struct pyd_job *job = w->run;

	w->run = NULL;
	if (!job)
		return PYD_OK;
	if (!job->nrun) {
		pyd_job_destroy(job);
		return PYD_OK;
	}
	return pyd_queue_submit(w->queue, job, NULL, err);
}

/* An open run with room for another batch. */
static enum pyd_code open_run(struct pyd_writer *w, struct pyd_err *err)
{
	if (w->run && (BATCH_OBJECTS > PYD_RUN_OBJECTS - w->run->nrun ||
		       w->run->batches.len >= 2 * RUN_BATCHES)) {
		enum pyd_code code = submit_run(w, err);

		if (code)
			return code;
	}
	if (w->run)
		return PYD_OK;
	w->run = pyd_queue_job(w->queue, PYD_JOB_INDEX);
	if (!w->run)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	snprintf(w->run->kind, sizeof(w->run->kind), "index");
	return PYD_OK;
}

static enum pyd_code open_batch(struct pyd_writer *w, struct pyd_err *err)
{
	enum pyd_code code = open_run(w, err);

	if (code)
		return code;
	w->batch = pyd_queue_job(w->queue, PYD_JOB_BATCH);
	if (!w->batch)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	snprintf(w->batch->kind, sizeof(w->batch->kind), "objects");
	return PYD_OK;
}

static enum pyd_code submit_batch(struct pyd_writer *w, struct pyd_err *err)
{
	struct pyd_job *job = w->batch;
	struct pyd_vec *batches;
	size_t n;
	uint32_t frame;
	enum pyd_code code;

	if (!job || !job->batch->n)
		return PYD_OK;
	n = job->batch->n;
	batches = &w->run->batches;
	w->run->nrun += n;
	w->batch = NULL; /* the queue's, from here on */
	code = pyd_queue_submit(w->queue, job, &frame, err);
	if (!code)
		code = pyd_vec_push(batches, frame, err);
	return code ? code : pyd_vec_push(batches, n, err);
}

/* -- objects -- */

/* True when the open batch has no room for so many bytes more. */
static bool is_full(const struct pyd_batch *b, size_t cost)
{
	return b->n &&
	       (cost > PYD_FORMAT_FRAME_TARGET ||
		b->raw > PYD_FORMAT_FRAME_TARGET - cost || pyd_batch_full(b));
}

/* Adds to the open batch, which is written out first when this would make it
 * too large. cost: see pyd_batch_cost(). */
static enum pyd_code add(struct pyd_writer *w, struct pyd_node *node,
			 size_t cost, uint32_t shape,
			 const msgpack_sbuffer *shape_map, struct pyd_err *err)
{
	struct pyd_batch *b;
	enum pyd_code code = PYD_OK;
	bool huge;

	/* Its memory is read by whoever packs it, and by nobody else then,
	 * whatever is left of it. */
	if (node->text.len && cost <= ALONE_BYTES)
		cost = ALONE_BYTES + 1;
	huge = cost > PYD_BATCH_HUGE;
	if (w->batch && is_full(w->batch->batch, cost))
		code = submit_batch(w, err);
	if (!code && !w->batch)
		code = open_batch(w, err);
	if (code)
		return code;
	b = w->batch->batch;
	w->run->run[w->run->nrun + b->n] = node->addr;
	code = huge ? pyd_batch_take(b, node, shape, shape_map, err)
		    : pyd_batch_add(b, node, shape, shape_map, err);
	if (code)
		return code;
	w->totals.objects++;
	w->totals.object_bytes += node->size;
	w->totals.placeholders += node->kind == PYD_KIND_placeholder;
	if (cost <= ALONE_BYTES)
		return PYD_OK;
	code = submit_batch(w, err);
	return code ? code : pyd_queue_drain(w->queue, err);
}

static bool is_text(enum pyd_kind k)
{
	return k == PYD_KIND_str || k == PYD_KIND_bytes ||
	       k == PYD_KIND_bytearray;
}

static bool is_items(enum pyd_kind k)
{
	return k == PYD_KIND_list || k == PYD_KIND_tuple ||
	       k == PYD_KIND_dict || k == PYD_KIND_set ||
	       k == PYD_KIND_frozenset;
}

static void cut_mark(struct pyd_node *n, uint64_t total)
{
	if (n->mark)
		return; /* what the reader found out matters more */
	n->mark = PYD_MARK_TRUNCATED;
	n->mark_total = total;
	snprintf(n->mark_text, sizeof(n->mark_text),
		 "more than a frame of the dump holds");
}

/* Characters, for the mark of a str. */
static uint64_t count_chars(const struct pyd_buf *b)
{
	uint64_t n = 0;

	for (size_t i = 0; i < b->len; i++)
		n += (b->data[i] & 0xc0) != 0x80;
	return n;
}

/* An object that no frame can hold: cut when it is text or a container, else
 * replaced by a placeholder. */
static enum pyd_code add_cut(struct pyd_writer *w, struct pyd_node *node,
			     uint32_t shape, const msgpack_sbuffer *shape_map,
			     struct pyd_err *err)
{
	size_t half = w->frame_max / 2 - w->frame_max / 64;
	bool cut_text = node->text.len > half;
	enum pyd_code code =
		cut_text ? pyd_long_cut(&node->text, half, err) : PYD_OK;
	struct pyd_node n = *node;
	size_t cost;

	if (code)
		return code;
	if (is_text(n.kind) && n.value.len > half) {
		uint64_t total = n.kind == PYD_KIND_str ? count_chars(&n.value)
							: n.value.len;

		n.value.len =
			n.kind == PYD_KIND_str
				? pyd_utf8_cut(n.value.data, n.value.len, half)
				: half;
		cut_mark(&n, total);
	}
	if (cut_text)
		cut_mark(&n, n.text.units);
	if (is_items(n.kind) && n.refs.len > half / 8) {
		uint64_t unit = n.kind == PYD_KIND_dict ? 2 : 1;

		cut_mark(&n, n.refs.len / unit);
		n.refs.len = half / 8 / 2 * 2;
	}
	if (is_items(n.kind) && n.more.n > half / 8) {
		uint64_t unit = n.kind == PYD_KIND_dict ? 2 : 1;

		cut_mark(&n, n.more.n / unit);
		n.more.n = half / 8 / 2 * 2;
	}
	cost = pyd_batch_cost(&n, shape ? shape_map->size : 0);
	if (cost <= w->frame_max - 4096) {
		code = add(w, &n, cost, shape, shape_map, err);
		/* Perhaps others, by now. */
		node->refs = n.refs;
		node->value = n.value;
		node->text = n.text;
		node->more.n = 0;
		return code;
	}

	static const char why[] = "larger than a frame of the dump holds";

	pyd_buf_clear(&w->placeholder_text);
	code = pyd_buf_append(&w->placeholder_text, why, sizeof(why) - 1, err);
	if (code)
		return code;
	n.kind = PYD_KIND_placeholder;
	n.mark = PYD_MARK_LIMIT;
	n.mark_total = n.size;
	n.mark_text[0] = 0;
	n.refs.len = 0;
	n.more.n = 0;
	n.text = (struct pyd_long) { 0 };
	n.attrs.len = 0;
	n.value = w->placeholder_text;
	return add(w, &n, pyd_batch_cost(&n, 0), 0, NULL, err);
}

enum pyd_code pyd_writer_object(struct pyd_writer *w, struct pyd_node *node,
				uint32_t shape,
				const msgpack_sbuffer *shape_map,
				struct pyd_err *err)
{
	size_t cost;

	if (w->nowhere)
		return PYD_OK;
	cost = pyd_batch_cost(node, shape ? shape_map->size : 0);
	/* 4096: heads and keys, and the lists of types and shapes. */
	if (cost > w->frame_max - 4096)
		return add_cut(w, node, shape, shape_map, err);
	return add(w, node, cost, shape, shape_map, err);
}

enum pyd_code pyd_writer_leaf(struct pyd_writer *w, struct pyd_node *node,
			      struct pyd_err *err)
{
	struct pyd_batch *b;
	enum pyd_code code;

	if (!w->batch || is_full(w->batch->batch, PYD_BATCH_LEAF_COST))
		return pyd_writer_object(w, node, 0, NULL, err);
	b = w->batch->batch;
	w->run->run[w->run->nrun + b->n] = node->addr;
	code = pyd_batch_add_leaf(b, node, err);
	if (code)
		return code;
	w->totals.objects++;
	w->totals.object_bytes += node->size;
	return PYD_OK;
}

/* -- texts that are kept back -- */

enum pyd_code pyd_writer_hold(struct pyd_writer *w, const struct pyd_node *node,
			      size_t max, bool *ret_held, struct pyd_err *err)
{
	*ret_held = w->nowhere;
	if (w->nowhere || !is_text(node->kind))
		return PYD_OK;
	return pyd_held_add(&w->held, node, max, ret_held, err);
}

struct release {
	struct pyd_writer *writer;
	enum pyd_code (*fn)(void *ctx, struct pyd_writer_text *t,
			    struct pyd_err *err);
	void *ctx;
};

static enum pyd_code release_one(void *ctx, struct pyd_node *node,
				 struct pyd_err *err)
{
	struct release *r = ctx;
	struct pyd_writer_text t = {
		.addr = node->addr,
		.kind = node->kind,
		.value = node->value.data,
		.len = node->value.len,
	};
	enum pyd_code code = r->fn(r->ctx, &t, err);

	if (code)
		return code;
	node->value.len = t.len;
	if (t.redacted) {
		node->mark = PYD_MARK_REDACTED;
		node->mark_total = t.total;
		snprintf(node->mark_text, sizeof(node->mark_text), "%s",
			 t.mark);
	}
	return pyd_writer_object(r->writer, node, 0, NULL, err);
}

enum pyd_code pyd_writer_release(struct pyd_writer *w,
				 enum pyd_code (*fn)(void *ctx,
						     struct pyd_writer_text *t,
						     struct pyd_err *err),
				 void *ctx, struct pyd_err *err)
{
	struct release r = { .writer = w, .fn = fn, .ctx = ctx };

	return pyd_held_take(&w->held, release_one, &r, err);
}

void pyd_writer_totals(const struct pyd_writer *w,
		       struct pyd_writer_totals *ret)
{
	*ret = w->totals;
	ret->file_bytes = pyd_queue_bytes(w->queue);
}

/* -- the end -- */

enum pyd_code pyd_writer_flush(struct pyd_writer *w, uint64_t *ret_toc,
			       struct pyd_err *err)
{
	struct pyd_job *job;
	enum pyd_code code = submit_batch(w, err);

	if (!code)
		code = submit_run(w, err);
	if (!code)
		code = pyd_queue_drain(w->queue, err);
	if (code)
		return code;

	uint64_t toc = pyd_queue_bytes(w->queue);

	job = pyd_queue_job(w->queue, PYD_JOB_FRAME);
	if (!job)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	snprintf(job->kind, sizeof(job->kind), "toc");
	code = pyd_queue_pack_toc(w->queue, &job->raw, err);
	if (code) {
		pyd_job_destroy(job);
		return code;
	}
	code = pyd_queue_submit(w->queue, job, NULL, err);
	if (!code)
		*ret_toc = toc;
	return code;
}

enum pyd_code pyd_writer_finish(struct pyd_writer *w, struct pyd_err *err)
{
	struct pyd_job *job;
	enum pyd_code code = pyd_queue_drain(w->queue, err);

	if (code)
		return code;
	job = pyd_queue_job(w->queue, PYD_JOB_RAW);
	if (!job)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	code = pyd_queue_seek_table(w->queue, &job->raw, err);
	if (code) {
		pyd_job_destroy(job);
		return code;
	}
	code = pyd_queue_submit(w->queue, job, NULL, err);
	if (!code)
		code = pyd_queue_drain(w->queue, err);
	if (!code)
		code = pyd_file_commit(&w->file, err);
	return code;
}
