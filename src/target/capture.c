// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "target/capture_private.h"
#include "target/cgroup.h"
#include "target/outside.h"

#define MIB ((uint64_t)1 << 20)

enum {
	MAX_FILES = 256,
	REST_CACHE = 16 << 20,
};

/* -- preparing -- */

static enum pyd_code create(struct pyd_process *p, struct pyd_capture **ret,
			    struct pyd_err *err)
{
	enum pyd_code code = pyd_process_access(p, err);

	if (code)
		return code;

	struct pyd_capture *c = calloc(1, sizeof(*c));

	if (!c)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	c->p = p;
	code = pyd_pagemap_open(p->pid, &c->pm, err);
	if (code) {
		free(c);
		return code;
	}
	*ret = c;
	return PYD_OK;
}

enum pyd_code pyd_capture_estimate(struct pyd_process *p, uint64_t *ret_bytes,
				   struct pyd_err *err)
{
	struct pyd_capture *c;
	struct pyd_maps maps = { 0 };
	enum pyd_code code = create(p, &c, err);

	if (code)
		return code;
	code = pyd_maps_read(p->pid, &maps, err);
	if (!code)
		code = pyd_capture_plan(c, &maps, ret_bytes, err);
	pyd_maps_deinit(&maps);
	pyd_capture_destroy(c);
	return code;
}

/* The files of read-only mappings, held open so that text and constants can
 * be read when the process is gone. Best effort. */
static enum pyd_code open_files(struct pyd_capture *c, struct pyd_err *err)
{
	const struct pyd_maps *m = &c->before;

	c->files = malloc((m->n + 1) * sizeof(*c->files));
	c->fds = malloc(MAX_FILES * sizeof(*c->fds));
	if (!c->files || !c->fds)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	for (size_t i = 0; i < m->n; i++) {
		const struct pyd_region *r = &m->regions[i];
		const struct pyd_region *q = i ? &m->regions[i - 1] : r;

		c->files[i] = -1;
		if (!r->inode || r->prot & PYD_PROT_W ||
		    pyd_region_is_device(r))
			continue;
		if (i && q->dev == r->dev && q->inode == r->inode &&
		    c->files[i - 1] >= 0)
			c->files[i] = c->files[i - 1];
		else if (c->nfds < MAX_FILES &&
			 !pyd_region_open(c->p, r, &c->files[i], NULL))
			c->fds[c->nfds++] = c->files[i];
	}
	return PYD_OK;
}

uint64_t pyd_capture_memory(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	char line[128];
	unsigned long long kb = 0;
	uint64_t group = pyd_cgroup_memory(getpid(), NULL);

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %llu", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb && kb * 1024 < group ? kb * 1024 : group;
}

static enum pyd_code prepare(struct pyd_capture *c, struct pyd_err *err)
{
	uint64_t bytes;
	enum pyd_code code = pyd_maps_text(c->p->pid, &c->text, err);

	if (!code)
		code = pyd_maps_parse((const char *)c->text.data, c->text.len,
				      &c->before, err);
	if (!code)
		code = pyd_capture_plan(c, &c->before, &bytes, err);
	/* For the text as it will be. */
	if (!code)
		code = pyd_buf_reserve(&c->now, c->text.len + 16384, err);
	if (code)
		return code;

	c->planned = bytes;
	/* It goes on allocating until it is stopped. What is spare has been
	 * touched too; a small one gets less of it, and may have more while it
	 * stands still. */
	uint64_t spare = bytes / 8 < MIB ? MIB : bytes / 8;
	uint64_t want =
		bytes + bytes / 16 + (spare < 8 * MIB ? spare : 8 * MIB);
	uint64_t have = pyd_capture_memory();

	if (want > have - have / 16)
		return pyd_err_set(err, PYD_NOMEM,
				   "a copy of process %d takes %llu MiB and "
				   "%llu MiB are free; use --capture=stop, "
				   "which copies nothing",
				   c->p->pid, (unsigned long long)(want / MIB),
				   (unsigned long long)(have / MIB));
	code = pyd_copy_chunk(&c->parts, (size_t)want, true, err);
	if (!code)
		code = open_files(c, err);
	if (!code)
		c->crew = pyd_bulk_crew_create(bytes);
	return code;
}

enum pyd_code pyd_capture_prepare(struct pyd_process *p,
				  struct pyd_capture **ret, struct pyd_err *err)
{
	struct pyd_capture *c;
	enum pyd_code code = create(p, &c, err);

	if (code)
		return code;
	code = prepare(c, err);
	if (code) {
		pyd_capture_destroy(c);
		return code;
	}
	*ret = c;
	return PYD_OK;
}

/* -- taking -- */

/* Where each run goes in the buffer. */
static enum pyd_code place(struct pyd_capture *c, uint64_t left,
			   struct pyd_piece **ret, size_t *ret_n,
			   struct pyd_err *err)
{
	struct pyd_copy_chunk *chunk = &c->parts.chunks[0];
	size_t used = 0;
	size_t n = 0;
	/* A run is cut where a piece is full and where a chunk ends. */
	size_t cap = c->nruns + (size_t)(left / PYD_PIECE_MAX) + 2;
	struct pyd_piece *v = calloc(cap, sizeof(*v));

	if (!v)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	for (size_t i = 0; i < c->nruns; i++) {
		for (pyd_addr at = c->runs[i].start; at < c->runs[i].end;) {
			size_t len = (size_t)(c->runs[i].end - at);

			if (used == chunk->len) {
				enum pyd_code code = pyd_copy_chunk(
					&c->parts, (size_t)left, true, err);

				if (code) {
					free(v);
					return code;
				}
				c->stats.grown = 1;
				chunk = &c->parts.chunks[c->parts.nchunks - 1];
				used = 0;
			}
			len = len < PYD_PIECE_MAX ? len : PYD_PIECE_MAX;
			len = len < chunk->len - used ? len : chunk->len - used;
			assert(n < cap);
			v[n++] = (struct pyd_piece) {
				.start = at,
				.len = len,
				.to = chunk->data + used,
			};
			used += len;
			at += len;
			left -= len;
		}
	}
	c->used = used;
	*ret = v;
	*ret_n = n;
	return PYD_OK;
}

/* A segment for each piece, but for the bad pages in it. bad is sorted, and
 * its ranges do not overlap. */
static enum pyd_code add_segments(struct pyd_capture *c,
				  const struct pyd_piece *v, size_t n,
				  const struct pyd_vec *bad,
				  struct pyd_err *err)
{
	size_t j = 0;

	for (size_t i = 0; i < n; i++) {
		pyd_addr end = v[i].start + v[i].len;
		pyd_addr at = v[i].start;
		enum pyd_code code = PYD_OK;

		for (; !code && j + 1 < bad->len && bad->data[j] < end;
		     j += 2) {
			code = pyd_copy_add(&c->parts, at, bad->data[j],
					    v[i].to + (at - v[i].start), err);
			c->stats.bytes += bad->data[j] - at;
			at = bad->data[j + 1];
		}
		if (!code)
			code = pyd_copy_add(&c->parts, at, end,
					    v[i].to + (at - v[i].start), err);
		if (code)
			return code;
		c->stats.bytes += end - at;
	}
	return PYD_OK;
}

static int by_start(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static enum pyd_code take_runs(struct pyd_capture *c, uint64_t bytes,
			       struct pyd_err *err)
{
	struct pyd_piece *pieces = NULL;
	struct pyd_vec bad = { 0 };
	size_t n = 0;
	enum pyd_code code = place(c, bytes, &pieces, &n, err);

	if (!code)
		code = pyd_bulk_read(c->p, pieces, n, c->deadline_ns, c->crew,
				     &bad, err);
	/* Pairs; none reaches beyond its piece. */
	if (bad.len)
		qsort(bad.data, bad.len / 2, 2 * sizeof(*bad.data), by_start);
	if (!code)
		code = add_segments(c, pieces, n, &bad, err);
	for (size_t i = 0; i + 1 < bad.len && !code; i += 2)
		code = pyd_capture_add_unread(c, bad.data[i], bad.data[i + 1],
					      err);
	pyd_vec_deinit(&bad);
	free(pieces);
	return code;
}

/* The files again, by the regions as they are now. */
static int *files_by_region(const struct pyd_capture *c)
{
	const struct pyd_maps *m = &c->parts.maps;
	int *files = malloc((m->n + 1) * sizeof(*files));

	for (size_t i = 0; files && i < m->n; i++) {
		const struct pyd_region *r = &m->regions[i];
		const struct pyd_region *q = pyd_regions_find(
			c->before.regions, c->before.n, r->start);

		files[i] = -1;
		if (r->inode && q && q->inode == r->inode && q->dev == r->dev)
			files[i] = c->files[q - c->before.regions];
	}
	return files;
}

static enum pyd_code add_rest(struct pyd_capture *c, struct pyd_err *err)
{
	int *files = files_by_region(c);
	int memfd = fcntl(c->p->memfd, F_DUPFD_CLOEXEC, 0);

	if (!files || memfd < 0) {
		free(files);
		if (memfd >= 0)
			close(memfd);
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	}

	enum pyd_code code =
		pyd_target_rest_create(memfd, &c->parts.maps, files, c->fds,
				       c->nfds, &c->parts.rest_inner, err);

	c->fds = NULL;
	c->nfds = 0;
	if (code)
		return code;
	return pyd_target_cache_create(c->parts.rest_inner, REST_CACHE,
				       &c->parts.rest, err);
}

const struct pyd_vec *pyd_capture_unread(const struct pyd_capture *c)
{
	return &c->unread;
}

uint64_t pyd_capture_planned(const struct pyd_capture *c)
{
	return c->planned;
}

void pyd_capture_deadline(struct pyd_capture *c, uint64_t ns)
{
	c->deadline_ns = ns;
}

/* Most often nothing has changed, and there is nothing to parse. */
static enum pyd_code take_maps(struct pyd_capture *c, struct pyd_err *err)
{
	enum pyd_code code = pyd_maps_text(c->p->pid, &c->now, err);

	if (code)
		return code;
	c->same = c->now.len == c->text.len &&
		  !memcmp(c->now.data, c->text.data, c->now.len);
	if (c->same)
		return PYD_OK;
	if (!c->now.len)
		return pyd_err_set(err, PYD_GONE, "process %d has no memory",
				   c->p->pid);
	return pyd_maps_parse((const char *)c->now.data, c->now.len,
			      &c->parts.maps, err);
}

enum pyd_code pyd_capture_take(struct pyd_capture *c, struct pyd_err *err)
{
	uint64_t begin = pyd_now_ns();
	uint64_t bytes = 0;

	if (c->taken)
		return pyd_err_set(err, PYD_USAGE, "taken already");
	c->taken = 1;

	enum pyd_code code = take_maps(c, err);

	if (!code)
		code = pyd_capture_plan(
			c, c->same ? &c->before : &c->parts.maps, &bytes, err);
	if (!code)
		code = take_runs(c, bytes, err);
	c->stats.begin_ns = begin;
	c->stats.end_ns = pyd_now_ns();
	return code;
}

enum pyd_code pyd_capture_target(struct pyd_capture *c, struct pyd_target **ret,
				 struct pyd_capture_stats *stats,
				 struct pyd_err *err)
{
	enum pyd_code code = PYD_OK;

	if (c->same)
		code = pyd_maps_parse((const char *)c->now.data, c->now.len,
				      &c->parts.maps, err);
	if (!code)
		code = pyd_capture_check_files(c, err);
	if (!code)
		code = add_rest(c, err);
	pyd_bulk_crew_destroy(c->crew);
	c->crew = NULL;
	if (code)
		return code;
	pyd_copy_trim(&c->parts, c->used);
	c->stats.segments = c->parts.nsegments;
	c->parts.name = "copy";
	c->parts.pid = c->p->pid;
	code = pyd_target_copy_create(&c->parts, ret, err);
	if (!code && stats)
		*stats = c->stats;
	return code;
}

void pyd_capture_destroy(struct pyd_capture *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->nfds; i++)
		close(c->fds[i]);
	free(c->fds);
	free(c->files);
	pyd_bulk_crew_destroy(c->crew);
	pyd_maps_deinit(&c->before);
	pyd_buf_deinit(&c->text);
	pyd_buf_deinit(&c->now);
	free(c->file_runs);
	pyd_copy_parts_deinit(&c->parts);
	pyd_vec_deinit(&c->unread);
	pyd_pagemap_close(&c->pm);
	pyd_page_runs_deinit(&c->pages);
	free(c->runs);
	free(c);
}
