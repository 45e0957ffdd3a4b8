// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "target/kept_private.h"
#include "target/maps.h"
#include "target/procfs.h"

enum { ALL_PAGES = (1 << PYD_KEPT_PAGES) - 1 };

size_t pyd_kept_bucket(const struct pyd_kept *k, uint64_t number)
{
	return (size_t)(number * 0x9E3779B97F4A7C15ULL >> 32) &
	       (k->nbuckets - 1);
}

int32_t pyd_kept_lookup(const struct pyd_kept *k, uint64_t number)
{
	int32_t i = k->last;

	if (i != PYD_KEPT_NONE && k->blocks[i].number == number)
		return i;
	i = k->buckets[pyd_kept_bucket(k, number)];
	while (i != PYD_KEPT_NONE && k->blocks[i].number != number)
		i = k->blocks[i].chain;
	return i;
}

/* -- keeping -- */

static void note_reason(struct pyd_kept *k, pyd_addr page, const char *text)
{
	if (k->nreasons == PYD_KEPT_REASONS)
		return;
	k->reasons[k->nreasons].page = page;
	snprintf(k->reasons[k->nreasons].text,
		 sizeof(k->reasons[k->nreasons].text), "%.150s", text);
	k->nreasons++;
}

static void show(struct pyd_kept *k, int32_t i)
{
	struct pyd_kept_block *b = &k->blocks[i];

	k->last = i;
	/* What is read without a call is not noted. */
	if (b->valid != ALL_PAGES || k->notes)
		return;
	k->base.windows[b->number & (PYD_WINDOWS - 1)] = (struct pyd_window) {
		.number = b->number,
		.data = k->data + (size_t)i * PYD_KEPT_BLOCK,
		.recent = &b->recent,
	};
}

/* Whether there is room for n blocks more, and time to read. */
static enum pyd_code may_read(struct pyd_kept *k, size_t n, struct pyd_err *err)
{
	if (n > k->nblocks - k->used) {
		k->full = true;
		return pyd_err_set(err, PYD_BUSY,
				   "more is read than can be kept, %zu MiB",
				   k->nblocks * PYD_KEPT_BLOCK >> 20);
	}
	if ((k->until_ns && pyd_now_ns() >= k->until_ns) ||
	    (k->own_until_ns && pyd_thread_ns() >= k->own_until_ns))
		return pyd_err_set(err, PYD_BUSY, "the time to read is over");
	return PYD_OK;
}

int32_t pyd_kept_add_block(struct pyd_kept *k, uint64_t number)
{
	int32_t i = (int32_t)k->used++;
	int32_t *head = &k->buckets[pyd_kept_bucket(k, number)];

	k->blocks[i] =
		(struct pyd_kept_block) { .number = number, .chain = *head };
	*head = i;
	return i;
}

/* Reads pages first to last - 1 of block i. False in *ret_there: not all of
 * them are there, and nothing is noted. */
static enum pyd_code read_pages(struct pyd_kept *k, int32_t i,
				unsigned int first, unsigned int last,
				bool *ret_there, struct pyd_err *err)
{
	struct pyd_kept_block *b = &k->blocks[i];
	uint8_t *data =
		k->data + (size_t)i * PYD_KEPT_BLOCK + first * PYD_KEPT_PAGE;
	size_t len = (size_t)(last - first) * PYD_KEPT_PAGE;
	unsigned int mask = (1U << last) - (1U << first);
	enum pyd_code code = pyd_target_read(
		k->inner, b->number * PYD_KEPT_BLOCK + first * PYD_KEPT_PAGE,
		data, len, err);

	*ret_there = !code;
	if (code)
		return pyd_code_is_local(code) ? PYD_OK : code;
	b->tried = (uint8_t)(b->tried | mask);
	b->valid = (uint8_t)(b->valid | mask);
	k->bytes += len;
	return PYD_OK;
}

/* Reads those pages of block i that are wanted and have not been tried. */
enum pyd_code pyd_kept_complete(struct pyd_kept *k, int32_t i,
				unsigned int wanted, struct pyd_err *err)
{
	struct pyd_kept_block *b = &k->blocks[i];
	unsigned int first, last = 0;

	while ((first = last) < PYD_KEPT_PAGES) {
		struct pyd_err why = { 0 };
		enum pyd_code code;
		bool there;

		last = first + 1;
		if (!(wanted & ~(unsigned int)b->tried & 1U << first))
			continue;
		while (last < PYD_KEPT_PAGES &&
		       wanted & ~(unsigned int)b->tried & 1U << last)
			last++;
		code = read_pages(k, i, first, last, &there, &why);
		/* Then one by one. */
		if (!code && !there && last - first > 1) {
			last = first + 1;
			code = read_pages(k, i, first, last, &there, &why);
		}
		if (code) {
			*err = why;
			return code;
		}
		if (there)
			continue;
		b->tried = (uint8_t)(b->tried | 1U << first);
		note_reason(k,
			    b->number * PYD_KEPT_BLOCK + first * PYD_KEPT_PAGE,
			    why.msg);
	}
	return PYD_OK;
}

/* Makes blocks of n numbers that follow each other and have none, and reads all
 * of them. */
static enum pyd_code fill(struct pyd_kept *k, uint64_t number, size_t n,
			  struct pyd_err *err)
{
	uint8_t *data = k->data + k->used * PYD_KEPT_BLOCK;
	struct pyd_err why = { 0 };
	enum pyd_code code = may_read(k, n, err);
	bool whole;

	if (code)
		return code;
	code = pyd_target_read(k->inner, number * PYD_KEPT_BLOCK, data,
			       n * PYD_KEPT_BLOCK, &why);
	if (code && !pyd_code_is_local(code)) {
		*err = why;
		return code;
	}
	whole = !code;
	for (size_t j = 0; j < n; j++) {
		int32_t i = pyd_kept_add_block(k, number + j);

		if (whole) {
			k->blocks[i].tried = k->blocks[i].valid = ALL_PAGES;
			k->bytes += PYD_KEPT_BLOCK;
			continue;
		}
		code = pyd_kept_complete(k, i, ALL_PAGES, err);
		if (code)
			return code;
	}
	return PYD_OK;
}

/* How many blocks from a missing one on are missing, up to most. */
static size_t missing(const struct pyd_kept *k, uint64_t number, size_t most)
{
	size_t n = 1;

	/* One more than there is room for is enough to see that. */
	if (most > k->nblocks - k->used)
		most = k->nblocks - k->used + 1;
	while (n < most && pyd_kept_lookup(k, number + n) == PYD_KEPT_NONE)
		n++;
	return n;
}

/* -- reading -- */

static enum pyd_code unreadable(struct pyd_kept *k, pyd_addr page,
				pyd_addr addr, struct pyd_err *err)
{
	for (size_t i = 0; i < k->nreasons; i++)
		if (k->reasons[i].page == page && k->reasons[i].text[0])
			return pyd_err_at(err, PYD_FAULT, addr, "%s",
					  k->reasons[i].text);
	return pyd_err_at(err, PYD_FAULT, addr, "nothing is readable at 0x%llx",
			  (unsigned long long)addr);
}

/* Of a file, and nobody writes there; or the vdso, which is the kernel's. */
static bool is_constant(const struct pyd_region *r)
{
	if (!(r->prot & PYD_PROT_R) || r->prot & PYD_PROT_SHARED)
		return false;
	return r->inode ? !(r->prot & PYD_PROT_W) : !strcmp(r->path, "[vdso]");
}

/* After the close: n bytes that are not kept, of one block. buf is NULL for a
 * touch. */
static enum pyd_code read_late(struct pyd_kept *k, pyd_addr addr, void *buf,
			       size_t n, struct pyd_err *err)
{
	const struct pyd_region *r = pyd_target_region(&k->base, addr);

	if (!r || !(r->prot & PYD_PROT_R))
		return pyd_err_at(err, PYD_FAULT, addr,
				  "nothing is readable at 0x%llx",
				  (unsigned long long)addr);
	if (buf && k->code && k->late && is_constant(r) && n <= r->end - addr) {
		k->late[r - k->base.regions] = 1;
		return pyd_target_read(k->inner, addr, buf, n, err);
	}
	k->missed++;
	if (k->notes)
		pyd_kept_want(k, addr / PYD_KEPT_BLOCK,
			      pyd_kept_first(addr, n).pages);
	return pyd_err_at(err, PYD_FAULT, addr,
			  "0x%llx was not read while the process stood still, "
			  "and may have changed since; --capture=fork has it",
			  (unsigned long long)addr);
}

/* Whether what a range has of a block could be read. */
static enum pyd_code check(struct pyd_kept *k, uint64_t number, pyd_addr addr,
			   size_t len, struct pyd_err *err)
{
	const struct pyd_kept_block *b = &k->blocks[pyd_kept_lookup(k, number)];

	for (size_t i = 0; i < PYD_KEPT_PAGES; i++) {
		pyd_addr page = number * PYD_KEPT_BLOCK + i * PYD_KEPT_PAGE;

		if (b->valid >> i & 1 || page + PYD_KEPT_PAGE <= addr ||
		    (page > addr && page - addr >= len))
			continue;
		return unreadable(k, page, page > addr ? page : addr, err);
	}
	return PYD_OK;
}

struct pyd_kept_part pyd_kept_first(pyd_addr addr, size_t len)
{
	size_t at = (size_t)(addr % PYD_KEPT_BLOCK);
	size_t n = len < PYD_KEPT_BLOCK - at ? len : PYD_KEPT_BLOCK - at;

	return (struct pyd_kept_part) {
		.number = addr / PYD_KEPT_BLOCK,
		.at = at,
		.n = n,
		.pages = (2U << (at + n - 1) / PYD_KEPT_PAGE) -
			 (1U << at / PYD_KEPT_PAGE),
	};
}

/* Keeps some pages of a block, and of those behind it that a long range has. Of
 * a block that nothing else was wanted of little is read: what is far from all
 * else costs less. */
static enum pyd_code keep(struct pyd_kept *k, uint64_t number,
			  unsigned int pages, size_t blocks,
			  struct pyd_err *err)
{
	int32_t i = pyd_kept_lookup(k, number);
	enum pyd_code code;

	if (k->notes)
		pyd_kept_want(k, number, pages);
	if (i == PYD_KEPT_NONE && blocks > 1)
		return fill(k, number, missing(k, number, blocks), err);
	if (i != PYD_KEPT_NONE && !(pages & ~(unsigned int)k->blocks[i].tried))
		return PYD_OK;
	code = may_read(k, i == PYD_KEPT_NONE, err);
	if (code)
		return code;
	if (i != PYD_KEPT_NONE)
		return pyd_kept_complete(k, i, ALL_PAGES, err);
	return pyd_kept_complete(k, pyd_kept_add_block(k, number), pages, err);
}

/* The block of the first part of a range of len bytes, or PYD_KEPT_NONE; while
 * it is open, with its pages kept. */
static enum pyd_code find(struct pyd_kept *k, const struct pyd_kept_part *p,
			  size_t len, int32_t *ret, struct pyd_err *err)
{
	enum pyd_code code = PYD_OK;

	if (!k->closed)
		code = keep(k, p->number, p->pages,
			    (p->at + (len - 1)) / PYD_KEPT_BLOCK + 1, err);
	*ret = pyd_kept_lookup(k, p->number);
	return code;
}

static enum pyd_code kept_read(struct pyd_target *t, pyd_addr addr, void *buf,
			       size_t len, struct pyd_err *err)
{
	struct pyd_kept *k = (struct pyd_kept *)t;
	uint8_t *to = buf;

	while (len) {
		struct pyd_kept_part p = pyd_kept_first(addr, len);
		int32_t i;
		enum pyd_code code = find(k, &p, len, &i, err);

		if (code)
			return code;
		if (i == PYD_KEPT_NONE ||
		    p.pages & ~(unsigned int)k->blocks[i].tried) {
			code = read_late(k, addr, to, p.n, err);
		} else {
			show(k, i);
			if (p.pages & ~(unsigned int)k->blocks[i].valid)
				code = check(k, p.number, addr, p.n, err);
			else
				memcpy(to,
				       k->data + (size_t)i * PYD_KEPT_BLOCK +
					       p.at,
				       p.n);
		}
		if (code)
			return code;
		addr += p.n;
		to += p.n;
		len -= p.n;
	}
	return PYD_OK;
}

static enum pyd_code kept_touch(struct pyd_target *t, pyd_addr addr, size_t len,
				struct pyd_err *err)
{
	struct pyd_kept *k = (struct pyd_kept *)t;
	enum pyd_code worst = PYD_OK;

	if (!len || (k->closed && !k->notes))
		return PYD_OK;
	if (len - 1 > UINT64_MAX - addr)
		return pyd_err_at(err, PYD_FAULT, addr, "it wraps around");
	while (len) {
		struct pyd_kept_part p = pyd_kept_first(addr, len);
		int32_t i;
		enum pyd_code code = find(k, &p, len, &i, err);

		if (code)
			return code;
		if (i == PYD_KEPT_NONE ||
		    p.pages & ~(unsigned int)k->blocks[i].tried)
			code = read_late(k, addr, NULL, p.n, err);
		else if (!worst && p.pages & ~(unsigned int)k->blocks[i].valid)
			code = check(k, p.number, addr, p.n, err);
		worst = worst ? worst : code;
		addr += p.n;
		len -= p.n;
	}
	return worst;
}

static void kept_destroy(struct pyd_target *t)
{
	struct pyd_kept *k = (struct pyd_kept *)t;

	if (k->data)
		munmap(k->data, k->nblocks * PYD_KEPT_BLOCK);
	free(k->blocks);
	free(k->wants);
	free(k->want_buckets);
	free(k->pieces);
	pyd_bulk_crew_destroy(k->crew);
	free(k->buckets);
	free(k->base.windows);
	free(k->late);
	free(k);
}

static enum pyd_code kept_open_file(struct pyd_target *t,
				    const struct pyd_region *r, int *ret,
				    struct pyd_err *err)
{
	return pyd_target_open_file(((struct pyd_kept *)t)->inner, r, ret, err);
}

static const struct pyd_target_ops kept_ops = {
	.name = "kept",
	.read = kept_read,
	.touch = kept_touch,
	.open_file = kept_open_file,
	.destroy = kept_destroy,
};

/* -- life -- */

enum pyd_code pyd_target_kept_create(size_t max_bytes, struct pyd_target **ret,
				     struct pyd_err *err)
{
	struct pyd_kept *k = calloc(1, sizeof(*k));
	void *data;

	if (!k)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	k->base.ops = &kept_ops;
	k->nblocks = max_bytes / PYD_KEPT_BLOCK;
	k->nbuckets = 16;
	while (k->nbuckets < k->nblocks)
		k->nbuckets *= 2;
	k->blocks = calloc(k->nblocks + 1, sizeof(*k->blocks));
	k->wants = calloc(k->nblocks + 1, sizeof(*k->wants));
	k->buckets = calloc(k->nbuckets, sizeof(*k->buckets));
	k->want_buckets = calloc(k->nbuckets, sizeof(*k->want_buckets));
	k->base.windows = calloc(PYD_WINDOWS, sizeof(*k->base.windows));
	data = mmap(NULL, k->nblocks * PYD_KEPT_BLOCK, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (data != MAP_FAILED)
		k->data = data;
	if (!k->blocks || !k->wants || !k->buckets || !k->want_buckets ||
	    !k->base.windows || !k->data) {
		kept_destroy(&k->base);
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	}
	for (size_t i = 0; i < k->nbuckets; i++)
		k->want_buckets[i] = PYD_KEPT_NONE;
	(void)madvise(k->data, k->nblocks * PYD_KEPT_BLOCK, MADV_HUGEPAGE);
	*ret = &k->base;
	return PYD_OK;
}

void pyd_kept_forget(struct pyd_kept *k)
{
	k->used = 0;
	k->last = PYD_KEPT_NONE;
	k->bytes = k->missed = 0;
	k->nreasons = 0;
	for (size_t i = 0; i < k->nbuckets; i++)
		k->buckets[i] = PYD_KEPT_NONE;
	memset(k->base.windows, 0, PYD_WINDOWS * sizeof(*k->base.windows));
}

void pyd_target_kept_open(struct pyd_target *t, struct pyd_target *inner,
			  uint64_t until_ns, uint64_t own_ns)
{
	struct pyd_kept *k = (struct pyd_kept *)t;

	k->base.pid = inner->pid;
	k->base.regions = inner->regions;
	k->base.nregions = inner->nregions;
	k->base.root = inner->root;
	k->base.in_exe = inner->in_exe;
	k->inner = inner;
	k->until_ns = until_ns;
	k->own_until_ns = own_ns ? pyd_thread_ns() + own_ns : 0;
	k->closed = k->full = k->code = false;
	free(k->late);
	k->late = NULL;
	k->notes = k->planned = false;
	pyd_bulk_crew_destroy(k->crew);
	k->crew = NULL;
	pyd_kept_forget(k);
}

void pyd_target_kept_close(struct pyd_target *t)
{
	struct pyd_kept *k = (struct pyd_kept *)t;

	k->closed = true;
	/* NULL: nothing is read late. */
	k->late = calloc(k->base.nregions + 1, 1);
}

void pyd_target_kept_note(struct pyd_target *t, bool on)
{
	((struct pyd_kept *)t)->notes = on;
}

void pyd_target_kept_code(struct pyd_target *t, bool on)
{
	((struct pyd_kept *)t)->code = on;
}

bool pyd_target_kept_is_true(struct pyd_target *t)
{
	struct pyd_kept *k = (struct pyd_kept *)t;
	struct pyd_maps now = { 0 };
	struct pyd_err ignored;
	bool same = true;

	if (!k->late || !memchr(k->late, 1, k->base.nregions))
		return true;
	if (pyd_maps_read(k->base.pid, &now, &ignored))
		return false;
	for (size_t i = 0; i < k->base.nregions && same; i++) {
		const struct pyd_region *r = &k->base.regions[i];
		const struct pyd_region *is =
			pyd_regions_find(now.regions, now.n, r->start);

		same = !k->late[i] ||
		       (is && is->start <= r->start && is->end >= r->end &&
			is->inode == r->inode && is->dev == r->dev &&
			is->file_offset - is->start ==
				r->file_offset - r->start &&
			is_constant(is));
	}
	pyd_maps_deinit(&now);
	return same;
}

bool pyd_target_kept_is_full(const struct pyd_target *t)
{
	return ((const struct pyd_kept *)t)->full;
}

uint64_t pyd_target_kept_bytes(const struct pyd_target *t)
{
	return ((const struct pyd_kept *)t)->bytes;
}

uint64_t pyd_target_kept_missed(const struct pyd_target *t)
{
	return ((const struct pyd_kept *)t)->missed;
}
