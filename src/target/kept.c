// SPDX-License-Identifier: Apache-2.0
#include "target/kept.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/log.h"
#include "target/maps.h"
#include "target/procfs.h"

enum {
	BLOCK = PYD_WINDOW_BYTES,
	PAGE = 4096, /* what is readable is known by this much */
	PAGES = BLOCK / PAGE,
	ALL_PAGES = (1 << PAGES) - 1,
	NONE = -1,
	/* What is said of so many pages that were not readable. */
	REASONS = 64,
};

struct block {
	uint64_t number; /* address / BLOCK */
	int32_t chain;	 /* next in the same bucket */
	uint8_t valid;	 /* one bit a page */
	uint8_t recent;	 /* for the windows; nobody looks at it */
};

struct kept {
	struct pyd_target base;
	struct pyd_target *inner;
	uint64_t until_ns;
	uint64_t own_until_ns; /* processor time of the thread */
	bool closed, full;
	bool code; /* after the close: what is constant is read */
	struct block *blocks;
	uint8_t *data; /* of mmap; block i is at i * BLOCK */
	size_t nblocks;
	size_t used;
	int32_t *buckets;
	size_t nbuckets; /* power of two */
	int32_t last;	 /* the block of the last read */
	uint64_t missed;
	uint8_t *late; /* by region: it was read after the close */
	struct {
		pyd_addr page;
		char text[160];
	} reasons[REASONS];
	size_t nreasons;
};

static size_t bucket_of(const struct kept *k, uint64_t number)
{
	return (size_t)(number * 0x9E3779B97F4A7C15ULL >> 32) &
	       (k->nbuckets - 1);
}

static int32_t lookup(const struct kept *k, uint64_t number)
{
	int32_t i = k->last;

	if (i != NONE && k->blocks[i].number == number)
		return i;
	i = k->buckets[bucket_of(k, number)];
	while (i != NONE && k->blocks[i].number != number)
		i = k->blocks[i].chain;
	return i;
}

/* -- keeping -- */

static void note_reason(struct kept *k, pyd_addr page, const char *text)
{
	if (k->nreasons == REASONS)
		return;
	k->reasons[k->nreasons].page = page;
	snprintf(k->reasons[k->nreasons].text,
		 sizeof(k->reasons[k->nreasons].text), "%.150s", text);
	k->nreasons++;
}

/* Page by page: only a part is there. */
static enum pyd_code fill_pages(struct kept *k, struct block *b, uint8_t *data,
				struct pyd_err *err)
{
	for (unsigned int i = 0; i < PAGES; i++) {
		pyd_addr at = b->number * BLOCK + i * PAGE;
		enum pyd_code code = pyd_target_read(
			k->inner, at, data + i * PAGE, PAGE, err);

		if (!code)
			b->valid = (uint8_t)(b->valid | 1U << i);
		else if (pyd_code_is_local(code))
			note_reason(k, at, err ? err->msg : "");
		else
			return code;
	}
	return PYD_OK;
}

static void show(struct kept *k, int32_t i)
{
	struct block *b = &k->blocks[i];

	k->last = i;
	if (b->valid != ALL_PAGES)
		return;
	k->base.windows[b->number & (PYD_WINDOWS - 1)] = (struct pyd_window) {
		.number = b->number,
		.data = k->data + (size_t)i * BLOCK,
		.recent = &b->recent,
	};
}

static uint64_t own_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

/* Makes blocks of n numbers that follow each other and have none. */
static enum pyd_code fill(struct kept *k, uint64_t number, size_t n,
			  struct pyd_err *err)
{
	uint8_t *data = k->data + k->used * BLOCK;
	struct pyd_err why = { 0 };
	enum pyd_code code;
	bool whole;

	if (n > k->nblocks - k->used) {
		k->full = true;
		return pyd_err_set(err, PYD_BUSY,
				   "more is read than can be kept, %zu MiB",
				   k->nblocks * BLOCK >> 20);
	}
	if ((k->until_ns && pyd_now_ns() >= k->until_ns) ||
	    (k->own_until_ns && own_now_ns() >= k->own_until_ns))
		return pyd_err_set(err, PYD_BUSY, "the time to read is over");
	code = pyd_target_read(k->inner, number * BLOCK, data, n * BLOCK, &why);
	if (code && !pyd_code_is_local(code)) {
		*err = why;
		return code;
	}
	whole = !code;
	for (size_t j = 0; j < n; j++) {
		int32_t i = (int32_t)k->used;
		struct block *b = &k->blocks[i];
		int32_t *head = &k->buckets[bucket_of(k, number + j)];

		*b = (struct block) {
			.number = number + j,
			.chain = *head,
			.valid = whole ? ALL_PAGES : 0,
		};
		if (!whole) {
			code = fill_pages(k, b, k->data + (size_t)i * BLOCK,
					  &why);
			if (code) {
				*err = why;
				return code;
			}
		}
		*head = i;
		k->used++;
	}
	return PYD_OK;
}

/* How many blocks from a missing one on are missing, up to most. */
static size_t missing(const struct kept *k, uint64_t number, size_t most)
{
	size_t n = 1;

	/* One more than there is room for is enough to see that. */
	if (most > k->nblocks - k->used)
		most = k->nblocks - k->used + 1;
	while (n < most && lookup(k, number + n) == NONE)
		n++;
	return n;
}

/* -- reading -- */

static enum pyd_code unreadable(struct kept *k, pyd_addr page, pyd_addr addr,
				struct pyd_err *err)
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

/* After the close: n bytes that are not kept, of one block. */
static enum pyd_code read_late(struct kept *k, pyd_addr addr, void *buf,
			       size_t n, struct pyd_err *err)
{
	const struct pyd_region *r = pyd_target_region(&k->base, addr);

	if (!r || !(r->prot & PYD_PROT_R))
		return pyd_err_at(err, PYD_FAULT, addr,
				  "nothing is readable at 0x%llx",
				  (unsigned long long)addr);
	if (k->code && k->late && is_constant(r) && n <= r->end - addr) {
		k->late[r - k->base.regions] = 1;
		return pyd_target_read(k->inner, addr, buf, n, err);
	}
	k->missed++;
	return pyd_err_at(err, PYD_FAULT, addr,
			  "0x%llx was not read while the process stood still, "
			  "and may have changed since; --capture=fork has it",
			  (unsigned long long)addr);
}

/* Whether what a range has of a block could be read. */
static enum pyd_code check(struct kept *k, uint64_t number, pyd_addr addr,
			   size_t len, struct pyd_err *err)
{
	const struct block *b = &k->blocks[lookup(k, number)];

	for (size_t i = 0; i < PAGES; i++) {
		pyd_addr page = number * BLOCK + i * PAGE;

		if (b->valid >> i & 1 || page + PAGE <= addr ||
		    (page > addr && page - addr >= len))
			continue;
		return unreadable(k, page, page > addr ? page : addr, err);
	}
	return PYD_OK;
}

static enum pyd_code kept_read(struct pyd_target *t, pyd_addr addr, void *buf,
			       size_t len, struct pyd_err *err)
{
	struct kept *k = (struct kept *)t;
	uint8_t *to = buf;

	while (len) {
		uint64_t number = addr / BLOCK;
		size_t at = (size_t)(addr % BLOCK);
		size_t n = len < BLOCK - at ? len : BLOCK - at;
		int32_t i = lookup(k, number);
		enum pyd_code code = PYD_OK;

		if (i == NONE && k->closed)
			code = read_late(k, addr, to, n, err);
		else if (i == NONE) {
			code = fill(k, number,
				    missing(k, number,
					    (at + len + BLOCK - 1) / BLOCK),
				    err);
			i = lookup(k, number);
		}
		if (code)
			return code;
		if (i != NONE) {
			show(k, i);
			if (k->blocks[i].valid != ALL_PAGES)
				code = check(k, number, addr, n, err);
			if (code)
				return code;
			memcpy(to, k->data + (size_t)i * BLOCK + at, n);
		}
		addr += n;
		to += n;
		len -= n;
	}
	return PYD_OK;
}

static enum pyd_code kept_touch(struct pyd_target *t, pyd_addr addr, size_t len,
				struct pyd_err *err)
{
	struct kept *k = (struct kept *)t;
	uint64_t number = addr / BLOCK;
	enum pyd_code worst = PYD_OK;
	size_t blocks;

	if (!len || k->closed)
		return PYD_OK;
	if (len - 1 > UINT64_MAX - addr)
		return pyd_err_at(err, PYD_FAULT, addr, "it wraps around");
	blocks = (size_t)((addr + (len - 1)) / BLOCK - number) + 1;
	while (blocks) {
		size_t n = 1;

		if (lookup(k, number) == NONE) {
			enum pyd_code code;

			n = missing(k, number, blocks);
			code = fill(k, number, n, err);
			if (code)
				return code;
		}
		for (size_t i = 0; i < n && !worst; i++)
			if (k->blocks[lookup(k, number + i)].valid != ALL_PAGES)
				worst = check(k, number + i, addr, len, err);
		number += n;
		blocks -= n;
	}
	return worst;
}

static void kept_destroy(struct pyd_target *t)
{
	struct kept *k = (struct kept *)t;

	if (k->data)
		munmap(k->data, k->nblocks * BLOCK);
	free(k->blocks);
	free(k->buckets);
	free(k->base.windows);
	free(k->late);
	free(k);
}

static enum pyd_code kept_open_file(struct pyd_target *t,
				    const struct pyd_region *r, int *ret,
				    struct pyd_err *err)
{
	struct pyd_target *inner = ((struct kept *)t)->inner;

	if (!inner->ops->open_file)
		return pyd_err_set(err, PYD_NOTFOUND, "no file is known");
	return inner->ops->open_file(inner, r, ret, err);
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
	struct kept *k = calloc(1, sizeof(*k));
	void *data;

	if (!k)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	k->base.ops = &kept_ops;
	k->nblocks = max_bytes / BLOCK;
	k->nbuckets = 16;
	while (k->nbuckets < k->nblocks)
		k->nbuckets *= 2;
	k->blocks = calloc(k->nblocks + 1, sizeof(*k->blocks));
	k->buckets = calloc(k->nbuckets, sizeof(*k->buckets));
	k->base.windows = calloc(PYD_WINDOWS, sizeof(*k->base.windows));
	data = mmap(NULL, k->nblocks * BLOCK, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (data != MAP_FAILED)
		k->data = data;
	if (!k->blocks || !k->buckets || !k->base.windows || !k->data) {
		kept_destroy(&k->base);
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	}
	(void)madvise(k->data, k->nblocks * BLOCK, MADV_HUGEPAGE);
	*ret = &k->base;
	return PYD_OK;
}

void pyd_target_kept_open(struct pyd_target *t, struct pyd_target *inner,
			  uint64_t until_ns, uint64_t own_ns)
{
	struct kept *k = (struct kept *)t;

	k->base.pid = inner->pid;
	k->base.regions = inner->regions;
	k->base.nregions = inner->nregions;
	k->base.in_exe = inner->in_exe;
	k->inner = inner;
	k->until_ns = until_ns;
	k->own_until_ns = own_ns ? own_now_ns() + own_ns : 0;
	k->closed = k->full = k->code = false;
	k->used = 0;
	k->last = NONE;
	k->missed = 0;
	k->nreasons = 0;
	for (size_t i = 0; i < k->nbuckets; i++)
		k->buckets[i] = NONE;
	memset(k->base.windows, 0, PYD_WINDOWS * sizeof(*k->base.windows));
}

void pyd_target_kept_close(struct pyd_target *t)
{
	struct kept *k = (struct kept *)t;

	k->closed = true;
	free(k->late);
	/* NULL: nothing is read late. */
	k->late = calloc(k->base.nregions + 1, 1);
}

void pyd_target_kept_code(struct pyd_target *t, bool on)
{
	((struct kept *)t)->code = on;
}

bool pyd_target_kept_is_true(struct pyd_target *t)
{
	struct kept *k = (struct kept *)t;
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
	return ((const struct kept *)t)->full;
}

uint64_t pyd_target_kept_bytes(const struct pyd_target *t)
{
	return (uint64_t)((const struct kept *)t)->used * BLOCK;
}

uint64_t pyd_target_kept_missed(const struct pyd_target *t)
{
	return ((const struct kept *)t)->missed;
}
