// SPDX-License-Identifier: Apache-2.0
/* What is known to be wanted is read by one call, and not piece by piece. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "target/kept_private.h"
#include "target/outside.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

/* Pieces that a plan has room for beyond its own, for those that are added. */
enum { SPARE_PIECES = 4096 };

/* -- what is wanted -- */

void pyd_kept_want(struct pyd_kept *k, uint64_t number, unsigned int pages)
{
	int32_t *head = &k->want_buckets[pyd_kept_bucket(k, number)];
	int32_t i = *head;

	while (i != PYD_KEPT_NONE && k->wants[i].number != number)
		i = k->wants[i].chain;
	if (i == PYD_KEPT_NONE) {
		/* There would be no room to read it. */
		if (k->nwants == k->nblocks)
			return;
		i = (int32_t)k->nwants++;
		k->wants[i] = (struct pyd_kept_want) {
			.number = number,
			.chain = *head,
		};
		*head = i;
	}
	k->wants[i].pages = (uint8_t)(k->wants[i].pages | pages);
}

uint64_t pyd_target_kept_wanted(const struct pyd_target *t)
{
	const struct pyd_kept *k = (const struct pyd_kept *)t;
	uint64_t bytes = 0;

	for (size_t i = 0; i < k->nwants; i++)
		bytes += (unsigned int)__builtin_popcount(k->wants[i].pages) *
			 (uint64_t)PYD_KEPT_PAGE;
	return bytes;
}

static int by_number(const void *a, const void *b)
{
	const struct pyd_kept_want *x = a;
	const struct pyd_kept_want *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

/* By address: what lies together is one piece. */
static void sort_wants(struct pyd_kept *k)
{
	qsort(k->wants, k->nwants, sizeof(*k->wants), by_number);
	for (size_t i = 0; i < k->nbuckets; i++)
		k->want_buckets[i] = PYD_KEPT_NONE;
	for (size_t i = 0; i < k->nwants; i++) {
		int32_t *head = &k->want_buckets[pyd_kept_bucket(
			k, k->wants[i].number)];

		k->wants[i].chain = *head;
		*head = (int32_t)i;
	}
}

/* -- planning -- */

/* The region of a page that may be read ahead; likely is where to look first.
 */
static const struct pyd_region *region_of(const struct pyd_kept *k,
					  pyd_addr page,
					  const struct pyd_region *likely)
{
	const struct pyd_region *r = likely;

	if (!r || page < r->start || page >= r->end)
		r = pyd_target_region(&k->base, page);
	return r && r->prot & PYD_PROT_R && !pyd_region_is_device(r) ? r : NULL;
}

/* Each takes PYD_KEPT_PAGES pieces at most. */
static bool reserve(struct pyd_kept *k, size_t nblocks)
{
	size_t need = k->npieces + nblocks * PYD_KEPT_PAGES;
	struct pyd_piece *v;

	if (need <= k->pieces_cap)
		return true;
	v = realloc(k->pieces, (need + SPARE_PIECES) * sizeof(*v));
	if (!v)
		return false;
	k->pieces = v;
	k->pieces_cap = need + SPARE_PIECES;
	return true;
}

/* Pages of a block, of which none was planned before. */
static void plan_pages(struct pyd_kept *k, uint64_t number, unsigned int pages,
		       const struct pyd_region **likely)
{
	int32_t i = pyd_kept_lookup(k, number);

	for (unsigned int page = 0; page < PYD_KEPT_PAGES; page++) {
		pyd_addr start = number * PYD_KEPT_BLOCK + page * PYD_KEPT_PAGE;
		const struct pyd_region *r = NULL;
		struct pyd_piece *last =
			k->npieces ? &k->pieces[k->npieces - 1] : NULL;
		struct pyd_kept_block *b;
		uint8_t *to;

		if (pages >> page & 1)
			r = region_of(k, start, *likely);
		if (!r)
			continue;
		*likely = r;
		if (i == PYD_KEPT_NONE)
			i = pyd_kept_add_block(k, number);
		b = &k->blocks[i];
		b->tried = b->valid = (uint8_t)(b->valid | 1U << page);
		k->bytes += PYD_KEPT_PAGE;
		to = k->data + (size_t)i * PYD_KEPT_BLOCK +
		     page * PYD_KEPT_PAGE;
		if (last && last->start + last->len == start &&
		    last->to + last->len == to && last->len < PYD_PIECE_MAX)
			last->len += PYD_KEPT_PAGE;
		else
			k->pieces[k->npieces++] = (struct pyd_piece) {
				start,
				PYD_KEPT_PAGE,
				to,
			};
	}
}

void pyd_target_kept_plan(struct pyd_target *t, bool stops)
{
	struct pyd_kept *k = (struct pyd_kept *)t;
	const struct pyd_region *likely = NULL;

	k->npieces = 0;
	k->planned = reserve(k, k->nwants);
	if (!k->planned)
		return;
	sort_wants(k);
	for (size_t i = 0; i < k->nwants; i++)
		plan_pages(k, k->wants[i].number, k->wants[i].pages, &likely);
	/* No page or thread is to be made while the process stands. */
	pyd_bulk_crew_destroy(k->crew);
	k->crew = stops ? pyd_bulk_crew_create(k->bytes) : NULL;
	if (k->used)
		(void)madvise(k->data, k->used * PYD_KEPT_BLOCK,
			      MADV_POPULATE_WRITE);
}

bool pyd_target_kept_add(struct pyd_target *t, pyd_addr addr, size_t len)
{
	struct pyd_kept *k = (struct pyd_kept *)t;
	const struct pyd_region *likely = NULL;
	size_t n = len / PYD_KEPT_BLOCK + 2;

	if (!len)
		return true;
	if (!k->planned || len - 1 > UINT64_MAX - addr ||
	    n > k->nblocks - k->used || !reserve(k, n))
		return false;
	while (len) {
		struct pyd_kept_part p = pyd_kept_first(addr, len);
		int32_t i = pyd_kept_lookup(k, p.number);

		if (i != PYD_KEPT_NONE)
			p.pages &= ~(unsigned int)k->blocks[i].tried;
		plan_pages(k, p.number, p.pages, &likely);
		addr += p.n;
		len -= p.n;
	}
	return true;
}

/* -- reading -- */

bool pyd_target_kept_ahead(struct pyd_target *t, const struct pyd_process *p,
			   uint64_t until_ns)
{
	struct pyd_kept *k = (struct pyd_kept *)t;
	struct pyd_vec bad = { 0 };
	struct pyd_err ignored;
	bool ok = k->planned;

	k->planned = false;
	if (ok && k->npieces)
		ok = !pyd_bulk_read(p, k->pieces, k->npieces, until_ns, k->crew,
				    &bad, &ignored);
	if (!ok)
		pyd_kept_forget(k);
	/* What could not be read is looked at once more, for the reason. */
	for (size_t i = 0; ok && i + 1 < bad.len; i += 2) {
		pyd_addr page = bad.data[i] / PYD_KEPT_PAGE;
		int32_t b = pyd_kept_lookup(k, page / PYD_KEPT_PAGES);
		unsigned int bit = 1U << page % PYD_KEPT_PAGES;

		if (b == PYD_KEPT_NONE || !(k->blocks[b].valid & bit))
			continue;
		k->blocks[b].tried = (uint8_t)(k->blocks[b].tried & ~bit);
		k->blocks[b].valid = (uint8_t)(k->blocks[b].valid & ~bit);
		k->bytes -= PYD_KEPT_PAGE;
		ok = !pyd_kept_complete(k, b, bit, &ignored);
	}
	pyd_vec_deinit(&bad);
	return ok;
}
