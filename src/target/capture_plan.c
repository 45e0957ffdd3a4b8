// SPDX-License-Identifier: Apache-2.0
/* What of a process is to be copied. */
#include <stdlib.h>
#include <string.h>

#include "target/capture_private.h"
#include "target/outside.h"

#define MIB ((uint64_t)1 << 20)

/* Writable private file mappings up to this size are taken whole: the program
 * may write to a page right after it runs again. In larger ones (a copy-on-
 * write numpy file) only what was written. */
#define WHOLE_FILE_LIMIT (64 * MIB)
/* Without a page map, larger anonymous regions than this are mostly empty
 * reservations; reading them would fill the target's page tables. */
#define BLIND_LIMIT (4096 * MIB)

static bool wanted(const struct pyd_region *r)
{
	return r->prot & PYD_PROT_R && !(r->prot & PYD_PROT_SHARED) &&
	       (r->inode || pyd_region_is_anonymous(r)) &&
	       !pyd_region_is_device(r);
}

static enum pyd_code add_run(struct pyd_capture *c, pyd_addr start,
			     pyd_addr end, struct pyd_err *err)
{
	struct pyd_capture_run *last = c->nruns ? &c->runs[c->nruns - 1] : NULL;

	if (start >= end)
		return PYD_OK;
	if (last && last->end == start) {
		last->end = end;
		return PYD_OK;
	}
	if (c->nruns == c->cap) {
		size_t cap = c->cap ? c->cap * 2 : 4096;
		struct pyd_capture_run *v = realloc(c->runs, cap * sizeof(*v));

		if (!v)
			return pyd_err_set(err, PYD_NOMEM, "out of memory");
		c->runs = v;
		c->cap = cap;
	}
	c->runs[c->nruns++] = (struct pyd_capture_run) { start, end };
	return PYD_OK;
}

enum pyd_code pyd_capture_add_unread(struct pyd_capture *c, pyd_addr start,
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
		return pyd_capture_add_unread(c, r->start, r->end, err);
	return add_run(c, r->start, r->end, err);
}

/* A page of a file that can only be read is rarely one that was written to, and
 * to tell the kernel looks at each: that is done before the stop. Whether one
 * more has become such is looked at afterwards, see pyd_capture_check_files().
 */
static bool is_read_only_file(const struct pyd_region *r)
{
	return r->inode && !(r->prot & PYD_PROT_W);
}

static enum pyd_code note_file_run(struct pyd_capture *c, pyd_addr start,
				   pyd_addr end, struct pyd_err *err)
{
	if (c->nfile_runs == c->file_cap) {
		size_t cap = c->file_cap ? c->file_cap * 2 : 64;
		struct pyd_capture_run *v =
			realloc(c->file_runs, cap * sizeof(*v));

		if (!v)
			return pyd_err_set(err, PYD_NOMEM, "out of memory");
		c->file_runs = v;
		c->file_cap = cap;
	}
	c->file_runs[c->nfile_runs++] = (struct pyd_capture_run) { start, end };
	return PYD_OK;
}

/* Whether a region was there before, and the same. */
static bool was_planned(const struct pyd_capture *c, const struct pyd_region *r)
{
	const struct pyd_region *old =
		pyd_regions_find(c->before.regions, c->before.n, r->start);

	return old && pyd_region_is_same(old, r);
}

/* The first of the runs of before that ends above addr. */
static size_t seek_file_run(const struct pyd_capture *c, pyd_addr addr)
{
	size_t lo = 0, hi = c->nfile_runs;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (addr >= c->file_runs[mid].end)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static enum pyd_code plan_as_before(struct pyd_capture *c,
				    const struct pyd_region *r,
				    struct pyd_err *err)
{
	enum pyd_code code = PYD_OK;

	for (size_t i = seek_file_run(c, r->start);
	     !code && i < c->nfile_runs && c->file_runs[i].start < r->end; i++)
		code = add_run(c, c->file_runs[i].start, c->file_runs[i].end,
			       err);
	return code;
}

static enum pyd_code plan_region(struct pyd_capture *c,
				 const struct pyd_region *r,
				 struct pyd_err *err)
{
	if (r->inode && r->prot & PYD_PROT_W &&
	    r->end - r->start <= WHOLE_FILE_LIMIT)
		return add_run(c, r->start, r->end, err);
	if (c->taken && c->pm.fd >= 0 && is_read_only_file(r) &&
	    was_planned(c, r))
		return plan_as_before(c, r, err);

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
		else
			continue;
		if (!code && !c->taken && is_read_only_file(r))
			code = note_file_run(c, p->start, p->end, err);
	}
	return code;
}

enum pyd_code pyd_capture_plan(struct pyd_capture *c,
			       const struct pyd_maps *maps, uint64_t *ret_bytes,
			       struct pyd_err *err)
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

/* -- afterwards -- */

/* What of a region was not written to before, and is now: when that was is not
 * known. */
static enum pyd_code check_file(struct pyd_capture *c,
				const struct pyd_region *r, struct pyd_err *err)
{
	struct pyd_err ignored;
	enum pyd_code code = PYD_OK;

	c->pages.n = 0;
	c->pm.want_file = 1;
	/* It may have ended: the very file is read then. */
	if (pyd_pagemap_scan(&c->pm, r->start, r->end, &c->pages, &ignored))
		return PYD_OK;
	for (size_t i = 0; !code && i < c->pages.n; i++) {
		const struct pyd_page_run *p = &c->pages.v[i];
		size_t j = seek_file_run(c, p->start);

		if (p->guard || p->zero || p->file)
			continue;
		for (pyd_addr at = p->start; !code && at < p->end; j++) {
			bool in = j < c->nfile_runs &&
				  c->file_runs[j].start < p->end;
			pyd_addr to = in ? c->file_runs[j].start : p->end;

			if (to > at)
				code = pyd_capture_add_unread(c, at, to, err);
			at = in ? c->file_runs[j].end : p->end;
		}
	}
	return code;
}

enum pyd_code pyd_capture_check_files(struct pyd_capture *c,
				      struct pyd_err *err)
{
	const struct pyd_maps *m = &c->parts.maps;
	enum pyd_code code = PYD_OK;

	for (size_t i = 0; !code && c->pm.fd >= 0 && i < m->n; i++)
		if (wanted(&m->regions[i]) &&
		    is_read_only_file(&m->regions[i]) &&
		    was_planned(c, &m->regions[i]))
			code = check_file(c, &m->regions[i], err);
	return code;
}
