// SPDX-License-Identifier: Apache-2.0
#include "target/capture.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "target/bulk.h"
#include "target/cgroup.h"
#include "target/copy.h"
#include "target/outside.h"
#include "target/pagemap.h"

#define MIB ((uint64_t)1 << 20)

enum {
	MAX_FILES = 256,
	REST_CACHE = 16 << 20,
};

/* Writable private file mappings up to this size are taken whole: the program
 * may write to a page right after it runs again. In larger ones (a copy-on-
 * write numpy file) only what was written. */
#define WHOLE_FILE_LIMIT (64 * MIB)
/* Without a page map, larger anonymous regions than this are mostly empty
 * reservations; reading them would fill the target's page tables. */
#define BLIND_LIMIT (4096 * MIB)

struct capture_run {
	pyd_addr start;
	pyd_addr end;
};

struct pyd_capture {
	struct pyd_process *p;
	struct pyd_pagemap pm;
	struct pyd_page_runs pages; /* of one region, reused */
	struct capture_run *runs;   /* of all regions */
	size_t nruns;
	size_t cap;
	struct pyd_copy_parts parts;
	struct pyd_vec unread; /* pairs; other than guard pages */
	struct pyd_maps file_maps;
	int *files; /* by region of file_maps, -1: none */
	int *fds;   /* those in files, once each */
	size_t nfds;
	struct pyd_capture_stats stats;
	uint64_t planned;	    /* bytes, before the stop */
	struct pyd_bulk_crew *crew; /* NULL: none */
	size_t used;		    /* of the last chunk, bytes */
	uint64_t deadline_ns;
	uint8_t taken;
};

/* -- what to take -- */

static bool wanted(const struct pyd_region *r)
{
	return r->prot & PYD_PROT_R && !(r->prot & PYD_PROT_SHARED) &&
	       (r->inode || pyd_region_is_anonymous(r)) &&
	       !pyd_region_is_device(r);
}

static enum pyd_code add_run(struct pyd_capture *c, pyd_addr start,
			     pyd_addr end, struct pyd_err *err)
{
	struct capture_run *last = c->nruns ? &c->runs[c->nruns - 1] : NULL;

	if (start >= end)
		return PYD_OK;
	if (last && last->end == start) {
		last->end = end;
		return PYD_OK;
	}
	if (c->nruns == c->cap) {
		size_t cap = c->cap ? c->cap * 2 : 4096;
		struct capture_run *v = realloc(c->runs, cap * sizeof(*v));

		if (!v)
			return pyd_err_set(err, PYD_NOMEM, "out of memory");
		c->runs = v;
		c->cap = cap;
	}
	c->runs[c->nruns++] = (struct capture_run) { start, end };
	return PYD_OK;
}

static enum pyd_code add_unread(struct pyd_capture *c, pyd_addr start,
				pyd_addr end, struct pyd_err *err)
{
	enum pyd_code code = pyd_copy_add_bad(&c->parts, start, end, err);

	if (!code)
		code = pyd_vec_reserve(&c->unread, 2, err);
	if (code)
		return code;
	c->unread.data[c->unread.len++] = start;
	c->unread.data[c->unread.len++] = end;
	c->stats.unreadable += end - start;
	return PYD_OK;
}

/* Without the page map: all of it, or nothing. */
static enum pyd_code plan_blind(struct pyd_capture *c,
				const struct pyd_region *r, struct pyd_err *err)
{
	uint64_t limit = r->inode ? WHOLE_FILE_LIMIT : BLIND_LIMIT;

	if (r->inode && !(r->prot & PYD_PROT_W))
		return PYD_OK;
	if (r->end - r->start > limit)
		return add_unread(c, r->start, r->end, err);
	return add_run(c, r->start, r->end, err);
}

static enum pyd_code plan_region(struct pyd_capture *c,
				 const struct pyd_region *r,
				 struct pyd_err *err)
{
	if (r->inode && r->prot & PYD_PROT_W &&
	    r->end - r->start <= WHOLE_FILE_LIMIT)
		return add_run(c, r->start, r->end, err);

	c->pages.n = 0;
	c->pm.want_file = r->inode != 0;

	enum pyd_code code =
		pyd_pagemap_scan(&c->pm, r->start, r->end, &c->pages, err);

	if (code == PYD_PERM || code == PYD_LIMIT) {
		c->stats.no_pagemap |= code == PYD_PERM;
		return plan_blind(c, r, err);
	}
	if (code)
		return code;
	for (size_t i = 0; !code && i < c->pages.n; i++) {
		const struct pyd_page_run *p = &c->pages.v[i];

		if (p->guard && !r->inode)
			code = pyd_copy_add_bad(&c->parts, p->start, p->end,
						err);
		else if (!p->guard && !p->zero && !(r->inode && p->file))
			code = add_run(c, p->start, p->end, err);
	}
	return code;
}

static enum pyd_code plan(struct pyd_capture *c, const struct pyd_maps *maps,
			  uint64_t *ret_bytes, struct pyd_err *err)
{
	uint64_t bytes = 0;

	c->nruns = 0;
	pyd_vec_clear(&c->parts.bad);
	pyd_vec_clear(&c->unread);
	c->stats = (struct pyd_capture_stats) { 0 };
	for (size_t i = 0; i < maps->n; i++) {
		if (!wanted(&maps->regions[i]))
			continue;

		enum pyd_code code = plan_region(c, &maps->regions[i], err);

		if (code)
			return code;
	}
	for (size_t i = 0; i < c->nruns; i++)
		bytes += c->runs[i].end - c->runs[i].start;
	*ret_bytes = bytes;
	return PYD_OK;
}

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
		code = plan(c, &maps, ret_bytes, err);
	pyd_maps_deinit(&maps);
	pyd_capture_destroy(c);
	return code;
}

/* The files of read-only mappings, held open so that text and constants can
 * be read when the process is gone. Best effort. */
static enum pyd_code open_files(struct pyd_capture *c, struct pyd_err *err)
{
	const struct pyd_maps *m = &c->file_maps;

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
	enum pyd_code code = pyd_maps_read(c->p->pid, &c->file_maps, err);

	if (!code)
		code = plan(c, &c->file_maps, &bytes, err);
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
		code = add_unread(c, bad.data[i], bad.data[i + 1], err);
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
			c->file_maps.regions, c->file_maps.n, r->start);

		files[i] = -1;
		if (r->inode && q && q->inode == r->inode && q->dev == r->dev)
			files[i] = c->files[q - c->file_maps.regions];
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

enum pyd_code pyd_capture_take(struct pyd_capture *c, struct pyd_err *err)
{
	uint64_t begin = pyd_now_ns();
	uint64_t bytes = 0;

	if (c->taken)
		return pyd_err_set(err, PYD_USAGE, "taken already");
	c->taken = 1;

	enum pyd_code code = pyd_maps_read(c->p->pid, &c->parts.maps, err);

	if (!code)
		code = plan(c, &c->parts.maps, &bytes, err);
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
	enum pyd_code code = add_rest(c, err);

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
	pyd_maps_deinit(&c->file_maps);
	pyd_copy_parts_deinit(&c->parts);
	pyd_vec_deinit(&c->unread);
	pyd_pagemap_close(&c->pm);
	pyd_page_runs_deinit(&c->pages);
	free(c->runs);
	free(c);
}
