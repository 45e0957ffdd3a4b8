// SPDX-License-Identifier: Apache-2.0
#include "walk/gcroots.h"

#include <stdio.h>

#include "base/log.h"
#include "read/limit.h"
#include "read/object.h"

enum {
	GENERATIONS = 3,
	OLD = 2,
	/* Bits of a link that are flags of the collector. */
	FLAGS = 3,
};

void pyd_gcroots_deinit(struct pyd_gcroots *g)
{
	pyd_vec_deinit(&g->objects);
	*g = (struct pyd_gcroots) { 0 };
}

/* The objects of the ring that begins at head, which is none itself. */
static enum pyd_code add_list(struct pyd_gcroots *g, struct pyd_reader *r,
			      pyd_addr head, struct pyd_err *err)
{
	uint64_t size = (uint64_t)PYD_OFF(r->lay, gchead, size);
	uint64_t next = (uint64_t)PYD_OFF(r->lay, gchead, next);
	pyd_addr at = head, seen = head;

	for (uint64_t n = 1;; n++) {
		pyd_addr link;
		enum pyd_code code =
			pyd_target_read_u64(r->target, at + next, &link, err);

		if (code)
			return code;
		link &= ~(uint64_t)FLAGS;
		if (link == head)
			return PYD_OK;
		if (!link || link % PYD_OBJ_ALIGN)
			return pyd_err_at(err, PYD_CORRUPT, at,
					  "a link of the collector's list "
					  "leads to 0x%llx",
					  (unsigned long long)link);
		/* A ring that does not come back to its head meets the link
		 * that is remembered at powers of two. */
		if (link == seen)
			return pyd_err_at(err, PYD_CORRUPT, at,
					  "the collector's list has a cycle");
		if (!(n & (n - 1)))
			seen = link;
		code = pyd_vec_push(&g->objects, link + size, err);
		if (!code)
			code = pyd_limit_time(r, n, err);
		if (code)
			return code;
		if (pyd_interrupted)
			return pyd_err_set(err, PYD_INTERRUPTED, "interrupted");
		at = link;
	}
}

/* True when what head leads to leads back. */
static bool holds_up(struct pyd_reader *r, pyd_addr head)
{
	uint64_t next = (uint64_t)PYD_OFF(r->lay, gchead, next);
	pyd_addr link, back;
	struct pyd_err ignored;

	return !pyd_target_read_u64(r->target, head + next, &link, &ignored) &&
	       !pyd_target_read_u64(r->target,
				    (link & ~(uint64_t)FLAGS) + next + 8, &back,
				    &ignored) &&
	       (back & ~(uint64_t)FLAGS) == head;
}

/* Debian's 3.13 aligns PyGC_Head to 4 bytes, so that the generations begin
 * right behind the int before them. */
static pyd_addr first_list(struct pyd_reader *r, pyd_addr start)
{
	return !holds_up(r, start) && holds_up(r, start - 4) ? start - 4
							     : start;
}

/* n generations side by side from start on. */
static enum pyd_code add_lists(struct pyd_gcroots *g, struct pyd_reader *r,
			       pyd_addr start, size_t n, bool torn,
			       struct pyd_err *err)
{
	if (n > 1)
		start = first_list(r, start);
	for (size_t i = 0; i < n; i++) {
		size_t before = g->objects.len;
		struct pyd_err why = { 0 };
		enum pyd_code code = add_list(
			g, r,
			start + i * (uint64_t)PYD_OFF(r->lay, gcgen, size),
			&why);

		if (code && !pyd_code_is_local(code))
			return pyd_err_set(err, code, "%s", why.msg);
		if (!code)
			continue;
		snprintf(g->note, sizeof(g->note),
			 "%s: %.90s; objects after %zu of one list are missing",
			 code == PYD_LIMIT   ? "limit"
			 : torn		     ? "torn"
			 : code == PYD_FAULT ? "unreadable"
					     : "corrupt",
			 why.msg, g->objects.len - before);
	}
	return PYD_OK;
}

/* What one owner of lists has: an interpreter, or before 3.9 the runtime. */
static enum pyd_code add_owner(struct pyd_gcroots *g, struct pyd_reader *r,
			       pyd_addr owner, bool runtime, bool torn,
			       struct pyd_err *err)
{
	const struct pyd_layout *lay = r->lay;
	const struct {
		int32_t off;
		size_t n;
	} lists[] = {
		{ runtime ? PYD_OFF(lay, runtime, gc_generations)
			  : PYD_OFF(lay, interp, gc_generations),
		  GENERATIONS },
		{ runtime ? PYD_ABSENT : PYD_OFF(lay, interp, gc_young), 1 },
		{ runtime ? PYD_ABSENT : PYD_OFF(lay, interp, gc_old), OLD },
		{ runtime ? PYD_OFF(lay, runtime, gc_permanent)
			  : PYD_OFF(lay, interp, gc_permanent),
		  1 },
	};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		enum pyd_code code;

		if (lists[i].off == PYD_ABSENT)
			continue;
		code = add_lists(g, r, owner + (uint64_t)lists[i].off,
				 lists[i].n, torn, err);
		if (code)
			return code;
	}
	return PYD_OK;
}

enum pyd_code pyd_gcroots_read(struct pyd_gcroots *g,
			       const struct pyd_runtime *rt,
			       struct pyd_reader *r, bool torn,
			       struct pyd_err *err)
{
	enum pyd_code code = PYD_OK;

	if (rt->free_threaded) {
		snprintf(g->note, sizeof(g->note),
			 "a free-threaded build keeps no lists");
		return PYD_OK;
	}
	if (PYD_OFF(r->lay, runtime, gc_generations) != PYD_ABSENT)
		return add_owner(g, r, rt->addr, true, torn, err);
	for (size_t i = 0; i < rt->ninterps && !code; i++)
		code = add_owner(g, r, rt->interps[i].addr, false, torn, err);
	return code;
}
